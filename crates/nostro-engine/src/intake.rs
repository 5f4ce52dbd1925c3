//! The way in: what is asked for is answered from memory, queued in its lane, or parked behind another request that is busy
//! with one of its ids.

use crate::answer::{Answer, Tally, Unavailable};
use crate::bank::Bank;
use crate::in_flight::{Admission, Busy, InFlight};
use crate::lane::{Company, Entrance, Lanes};
use nostro_core::{Chain, Transfer};
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// What moves money by itself: one transfer, or a chain of which all links are posted or none.
#[derive(Clone, Debug)]
pub enum Order {
    /// A transfer by itself.
    Transfer(Transfer),
    /// A chain.
    Chain(Chain),
}

impl Order {
    /// Its transfers, in the order in which they are decided.
    pub fn transfers(&self) -> &[Transfer] {
        match self {
            Self::Transfer(transfer) => std::slice::from_ref(transfer),
            Self::Chain(chain) => chain.links(),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Intake {
    bank: Arc<Bank>,
    lanes: Arc<Lanes>,
    in_flight: Arc<InFlight>,
}

/// An order that is answered, on its way, or must wait for another one under one of its ids.
enum Submitted {
    Known(Answer),
    KnownChain(Vec<Answer>),
    Transfer(oneshot::Receiver<Answer>),
    Chain(oneshot::Receiver<Vec<Answer>>),
    Parked(Box<Order>, oneshot::Receiver<()>),
    Crowded(usize),
}

impl Intake {
    pub(crate) fn new(bank: Arc<Bank>, lanes: Arc<Lanes>, in_flight: Arc<InFlight>) -> Self {
        Self { bank, lanes, in_flight }
    }

    /// One answer for each transfer, in the order of the request. Nothing that is dropped here stops a commit.
    pub(crate) async fn answer(&self, orders: impl IntoIterator<Item = Order>) -> Vec<Answer> {
        let mut orders = orders.into_iter();
        let (first, second) = (orders.next(), orders.next());
        let company = if second.is_some() { Company::Bulk } else { Company::Single };
        let mut count = 0;
        let placed = first.into_iter().chain(second).chain(orders).map(|order| {
            let at = count;
            count += order.transfers().len();
            (at, order)
        });
        let mut wave = self.submit_all(placed, company);
        // Without a word the batch's task is gone: what it did is not known.
        let mut answers: Vec<Answer> = vec![Answer::Unknown; count];
        while !wave.is_empty() {
            let mut again: Vec<(usize, Order)> = Vec::new();
            for (at, submitted) in wave {
                let busy = Answer::Unavailable(Unavailable::Busy);
                match submitted {
                    Submitted::Known(answer) => answers[at] = answer,
                    Submitted::Transfer(answer) => answers[at] = answer.await.unwrap_or(Answer::Unknown),
                    Submitted::KnownChain(known) => put(&mut answers[at..], known),
                    Submitted::Chain(answer) => put(&mut answers[at..], answer.await.unwrap_or_default()),
                    Submitted::Parked(order, turn) => match timeout(self.bank.limits.deadline, turn).await {
                        Ok(_) => again.push((at, *order)),
                        Err(_) => answers[at..at + order.transfers().len()].fill(busy),
                    },
                    Submitted::Crowded(length) => answers[at..at + length].fill(busy),
                }
            }
            wave = self.submit_all(again.into_iter(), company);
        }
        answers
    }

    /// Orders with their places among the answers.
    fn submit_all(&self, orders: impl Iterator<Item = (usize, Order)>, company: Company) -> Vec<(usize, Submitted)> {
        let mut way = WayIn { intake: self, entrance: self.lanes.entrance(), remembered: Tally::default() };
        let submitted = orders.map(|(at, order)| (at, way.submit(order, company))).collect();
        way.remembered.report();
        submitted
    }

    /// All ids or none: whoever waits for one holds no other, so nobody waits in a circle.
    fn admit(&self, links: &[Transfer]) -> Result<Vec<Busy>, Admission> {
        let mut all = Vec::with_capacity(links.len());
        for link in links {
            match self.in_flight.admit(link.id) {
                Admission::First(busy) => all.push(busy),
                other @ (Admission::Parked(_) | Admission::Crowded) => return Err(other),
            }
        }
        Ok(all)
    }
}

/// What the orders of one request share on their way in.
struct WayIn<'i> {
    intake: &'i Intake,
    entrance: Entrance<'i>,
    /// Answered from memory.
    remembered: Tally,
}

impl WayIn<'_> {
    fn submit(&mut self, order: Order, company: Company) -> Submitted {
        let accounts_differ = |transfer: &Transfer| transfer.debit != transfer.credit;
        debug_assert!(order.transfers().iter().all(accounts_differ), "the API refuses a transfer to the same account");
        match order {
            Order::Transfer(transfer) => self.submit_transfer(transfer, company),
            Order::Chain(chain) => self.submit_chain(chain, company),
        }
    }

    fn submit_transfer(&mut self, transfer: Transfer, company: Company) -> Submitted {
        if let Some(answer) = self.intake.bank.replays.answer(&transfer) {
            self.remembered.count(&answer);
            return Submitted::Known(answer);
        }
        match self.intake.in_flight.admit(transfer.id) {
            Admission::First(busy) => Submitted::Transfer(self.entrance.submit(transfer, company, busy)),
            Admission::Parked(turn) => Submitted::Parked(Box::new(Order::Transfer(transfer)), turn),
            Admission::Crowded => Submitted::Crowded(1),
        }
    }

    fn submit_chain(&mut self, chain: Chain, company: Company) -> Submitted {
        let known = chain.links().iter().map(|link| self.intake.bank.replays.answer(link));
        if let Some(known) = known.collect::<Option<Vec<Answer>>>() {
            known.iter().for_each(|answer| self.remembered.count(answer));
            return Submitted::KnownChain(known);
        }
        match self.intake.admit(chain.links()) {
            Ok(busy) => Submitted::Chain(self.entrance.submit_chain(chain, company, busy)),
            Err(Admission::Parked(turn)) => Submitted::Parked(Box::new(Order::Chain(chain)), turn),
            Err(Admission::First(_) | Admission::Crowded) => Submitted::Crowded(chain.links().len()),
        }
    }
}

/// Puts the answers of a chain in their places, which are there.
fn put(places: &mut [Answer], answers: Vec<Answer>) {
    places.iter_mut().zip(answers).for_each(|(place, answer)| *place = answer);
}
