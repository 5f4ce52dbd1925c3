//! What waits in a lane: a transfer by itself or a chain, with whoever waits for its answer.

use crate::answer::{Answer, Tally};
use crate::in_flight::Busy;
use nostro_core::{AccountNumber, BranchSet, Chain, Transfer};
use std::time::Instant;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// What was asked for, on its way. It goes through several lists, so it stays where it is and its place goes.
#[derive(Debug)]
pub(crate) struct Item(Box<Arrived>);

#[derive(Debug)]
struct Arrived {
    at: Instant,
    work: Work,
    /// Of a chain that waits in a queue: what it takes of the room there.
    room: Option<OwnedSemaphorePermit>,
}

#[derive(Debug)]
enum Work {
    Transfer(Transfer, Busy, oneshot::Sender<Answer>),
    Chain(Chain, Vec<Busy>, oneshot::Sender<Vec<Answer>>),
}

/// The answers to an item: one for each of its transfers.
#[derive(Debug)]
pub(crate) enum Answers {
    One(Answer),
    Chain(Vec<Answer>),
}

impl Item {
    /// A transfer by itself. The answer comes on the channel; if that is dropped without one, it is unknown.
    pub(crate) fn transfer(transfer: Transfer, busy: Busy, at: Instant) -> (Self, oneshot::Receiver<Answer>) {
        let (answer, answered) = oneshot::channel();
        (Self::of(at, Work::Transfer(transfer, busy, answer)), answered)
    }

    /// A chain, answered link by link.
    pub(crate) fn chain(chain: Chain, busy: Vec<Busy>, at: Instant) -> (Self, oneshot::Receiver<Vec<Answer>>) {
        let (answer, answered) = oneshot::channel();
        (Self::of(at, Work::Chain(chain, busy, answer)), answered)
    }

    fn of(at: Instant, work: Work) -> Self {
        Self(Box::new(Arrived { at, work, room: None }))
    }

    /// When it arrived.
    pub(crate) fn arrived(&self) -> Instant {
        self.0.at
    }

    /// Holds room in a queue until it leaves it.
    pub(crate) fn takes(&mut self, room: OwnedSemaphorePermit) {
        self.0.room = Some(room);
    }

    pub(crate) fn leaves_its_queue(&mut self) {
        self.0.room = None;
    }

    /// Its transfers, in the order in which they are decided.
    pub(crate) fn transfers(&self) -> &[Transfer] {
        match &self.0.work {
            Work::Transfer(transfer, ..) => std::slice::from_ref(transfer),
            Work::Chain(chain, ..) => chain.links(),
        }
    }

    /// The accounts that they change.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = AccountNumber> {
        self.transfers().iter().flat_map(Transfer::accounts)
    }

    /// The branches that they touch.
    pub(crate) fn branches(&self) -> BranchSet {
        match &self.0.work {
            Work::Transfer(transfer, ..) => transfer.branches(),
            Work::Chain(chain, ..) => chain.branches(),
        }
    }

    pub(crate) fn is_chain(&self) -> bool {
        matches!(self.0.work, Work::Chain(..))
    }

    /// Takes this item's answers off those of a batch.
    pub(crate) fn answers(&self, answers: &mut impl Iterator<Item = Answer>) -> Answers {
        match &self.0.work {
            Work::Transfer(..) => Answers::One(answers.next().unwrap_or(Answer::Unknown)),
            Work::Chain(chain, ..) => Answers::Chain(answers.take(chain.links().len()).collect()),
        }
    }

    /// Tells whoever waits, if anybody still does, and frees the ids before the client can send them again.
    fn answer(self, answers: Answers) {
        match (self.0.work, answers) {
            (Work::Transfer(_, busy, waiting), Answers::One(answer)) => {
                drop(busy);
                let _ = waiting.send(answer);
            }
            (Work::Chain(_, busy, waiting), Answers::Chain(answers)) => {
                drop(busy);
                let _ = waiting.send(answers);
            }
            // Whoever waits hears nothing, which is "unknown".
            (Work::Transfer(..), Answers::Chain(_)) | (Work::Chain(..), Answers::One(_)) => {
                tracing::error!("an item was given the answers of another kind: a bug");
            }
        }
    }

    /// The same answer to all of it.
    pub(crate) fn alike(&self, answer: &Answer) -> Answers {
        match &self.0.work {
            Work::Transfer(..) => Answers::One(answer.clone()),
            Work::Chain(chain, ..) => Answers::Chain(vec![answer.clone(); chain.links().len()]),
        }
    }
}

/// Gives each item its answers, which are counted before, so that the metrics are never behind.
pub(crate) fn answer_each(answers: Vec<(Item, Answers)>) {
    let mut tally = Tally::default();
    answers.iter().flat_map(|(_, answers)| answers.iter()).for_each(|answer| tally.count(answer));
    tally.report();
    answers.into_iter().for_each(|(item, answers)| item.answer(answers));
}

/// Gives all items the same answer.
pub(crate) fn answer_all(items: impl IntoIterator<Item = Item>, answer: &Answer) {
    let alike = |item: Item| {
        let answers = item.alike(answer);
        (item, answers)
    };
    answer_each(items.into_iter().map(alike).collect());
}

impl Answers {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Answer> {
        match self {
            Self::One(answer) => std::slice::from_ref(answer).iter(),
            Self::Chain(answers) => answers.iter(),
        }
    }

    pub(crate) fn map(self, told: impl Fn(Answer) -> Answer) -> Self {
        match self {
            Self::One(answer) => Self::One(told(answer)),
            Self::Chain(answers) => Self::Chain(answers.into_iter().map(told).collect()),
        }
    }
}
