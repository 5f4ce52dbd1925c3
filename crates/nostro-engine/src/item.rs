//! What waits in a lane: a transfer by itself or a chain, with whoever waits for its answer.

use crate::answer::Answer;
use crate::in_flight::Busy;
use nostro_core::{AccountNumber, BranchSet, Chain, Transfer};
use std::time::Instant;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// What was asked for, on its way.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) arrived: Instant,
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
    pub(crate) fn transfer(transfer: Transfer, busy: Busy) -> (Self, oneshot::Receiver<Answer>) {
        let (answer, answered) = oneshot::channel();
        (Self { arrived: Instant::now(), work: Work::Transfer(transfer, busy, answer), room: None }, answered)
    }

    /// A chain, answered link by link.
    pub(crate) fn chain(chain: Chain, busy: Vec<Busy>) -> (Self, oneshot::Receiver<Vec<Answer>>) {
        let (answer, answered) = oneshot::channel();
        (Self { arrived: Instant::now(), work: Work::Chain(chain, busy, answer), room: None }, answered)
    }

    /// Holds room in a queue until it leaves it.
    pub(crate) fn takes(&mut self, room: OwnedSemaphorePermit) {
        self.room = Some(room);
    }

    pub(crate) fn leaves_its_queue(&mut self) {
        self.room = None;
    }

    /// Its transfers, in the order in which they are decided.
    pub(crate) fn transfers(&self) -> &[Transfer] {
        match &self.work {
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
        match &self.work {
            Work::Transfer(transfer, ..) => transfer.branches(),
            Work::Chain(chain, ..) => chain.branches(),
        }
    }

    pub(crate) fn is_chain(&self) -> bool {
        matches!(self.work, Work::Chain(..))
    }

    /// Takes this item's answers off those of a batch.
    pub(crate) fn answers(&self, answers: &mut impl Iterator<Item = Answer>) -> Answers {
        match &self.work {
            Work::Transfer(..) => Answers::One(answers.next().unwrap_or(Answer::Unknown)),
            Work::Chain(chain, ..) => Answers::Chain(answers.take(chain.links().len()).collect()),
        }
    }

    /// Tells whoever waits, if anybody still does, and frees the ids before the client can send them again.
    pub(crate) fn answer(self, answers: Answers) {
        answers.iter().for_each(Answer::count);
        match (self.work, answers) {
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
    pub(crate) fn answer_alike(self, answer: &Answer) {
        let answers = match &self.work {
            Work::Transfer(..) => Answers::One(answer.clone()),
            Work::Chain(chain, ..) => Answers::Chain(vec![answer.clone(); chain.links().len()]),
        };
        self.answer(answers);
    }
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
