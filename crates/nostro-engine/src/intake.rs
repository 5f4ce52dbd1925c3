//! The way in: what is asked for is answered from memory, queued in its lane, or parked behind another request that is busy
//! with one of its ids.

use crate::answer::{Answer, Unavailable};
use crate::bank::Bank;
use crate::in_flight::{Admission, Busy, InFlight};
use crate::lane::{Company, Lanes};
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
    Known(Vec<Answer>),
    Transfer(oneshot::Receiver<Answer>),
    Chain(oneshot::Receiver<Vec<Answer>>, usize),
    Parked(Order, oneshot::Receiver<()>),
    Crowded(usize),
}

impl Intake {
    pub(crate) fn new(bank: Arc<Bank>, lanes: Arc<Lanes>, in_flight: Arc<InFlight>) -> Self {
        Self { bank, lanes, in_flight }
    }

    /// One answer for each transfer, in the order of the request. Nothing that is dropped here stops a commit.
    pub(crate) async fn answer(&self, orders: Vec<Order>, company: Company) -> Vec<Answer> {
        let mut answers: Vec<Answer> = Vec::new();
        let mut wave: Vec<(usize, Order)> = Vec::with_capacity(orders.len());
        for order in orders {
            wave.push((answers.len(), order));
            let length = wave.last().map_or(0, |(_, order)| order.transfers().len());
            // Without a word the batch's task is gone: what it did is not known.
            answers.resize(answers.len() + length, Answer::Unknown);
        }
        let mut tell = |at: usize, told: Vec<Answer>| answers.splice(at..at + told.len(), told).for_each(drop);
        while !wave.is_empty() {
            let submitted: Vec<(usize, Submitted)> =
                wave.drain(..).map(|(at, order)| (at, self.submit(order, company))).collect();
            for (at, submitted) in submitted {
                let busy = Answer::Unavailable(Unavailable::Busy);
                match submitted {
                    Submitted::Known(known) => tell(at, known),
                    Submitted::Transfer(answer) => tell(at, answer.await.into_iter().collect()),
                    Submitted::Chain(answer, length) => {
                        let told = answer.await.ok().filter(|told| told.len() == length);
                        tell(at, told.unwrap_or_default());
                    }
                    Submitted::Parked(order, turn) => match timeout(self.bank.limits.deadline, turn).await {
                        Ok(_) => wave.push((at, order)),
                        Err(_) => tell(at, vec![busy; order.transfers().len()]),
                    },
                    Submitted::Crowded(length) => tell(at, vec![busy; length]),
                }
            }
        }
        answers
    }

    fn submit(&self, order: Order, company: Company) -> Submitted {
        let accounts_differ = |transfer: &Transfer| transfer.debit != transfer.credit;
        debug_assert!(order.transfers().iter().all(accounts_differ), "the API refuses a transfer to the same account");
        if let Some(known) = self.known(order.transfers()) {
            known.iter().for_each(Answer::count);
            return Submitted::Known(known);
        }
        match (self.admit(order.transfers()), order) {
            (Ok(mut busy), Order::Transfer(transfer)) => match busy.pop() {
                Some(busy) => Submitted::Transfer(self.lanes.submit(transfer, company, busy)),
                None => Submitted::Crowded(1),
            },
            (Ok(busy), Order::Chain(chain)) => {
                let length = chain.links().len();
                Submitted::Chain(self.lanes.submit_chain(chain, busy), length)
            }
            (Err(Admission::Parked(turn)), order) => Submitted::Parked(order, turn),
            (Err(Admission::First(_) | Admission::Crowded), order) => Submitted::Crowded(order.transfers().len()),
        }
    }

    /// What is remembered of all of them.
    fn known(&self, transfers: &[Transfer]) -> Option<Vec<Answer>> {
        transfers.iter().map(|transfer| self.bank.replays.answer(transfer)).collect()
    }

    /// All ids or none: whoever waits for one holds no other, so nobody waits in a circle.
    fn admit(&self, transfers: &[Transfer]) -> Result<Vec<Busy>, Admission> {
        let mut all = Vec::with_capacity(transfers.len());
        for transfer in transfers {
            match self.in_flight.admit(transfer.id) {
                Admission::First(busy) => all.push(busy),
                other @ (Admission::Parked(_) | Admission::Crowded) => return Err(other),
            }
        }
        Ok(all)
    }
}
