//! What clients know to be posted: holds that can be captured and released, money that can go back.

use crate::history::{Answer, Content, Kind};
use fastrand::Rng;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};
use uuid::Uuid;

/// Of each sort; the oldest ones are forgotten. So few that several clients meet at one.
const KNOWN_MAX: usize = 96;

/// Something posted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Posted {
    pub(super) id: Uuid,
    pub(super) content: Content,
    /// What it moved or reserved.
    pub(super) amount: i64,
}

/// Of all clients.
#[derive(Debug, Default)]
pub struct Known {
    holds: Mutex<VecDeque<Posted>>,
    moved: Mutex<VecDeque<Posted>>,
}

fn locked(of: &Mutex<VecDeque<Posted>>) -> MutexGuard<'_, VecDeque<Posted>> {
    of.lock().expect("nobody panics while remembering what is posted")
}

fn any(of: &Mutex<VecDeque<Posted>>, random: &mut Rng) -> Option<Posted> {
    let known = locked(of);
    (!known.is_empty()).then(|| known[random.usize(..known.len())])
}

impl Known {
    /// Remembers what is answered as posted. What is not there for sure is not named by others: it may be unknown to
    /// the bank for good reason.
    pub(super) fn note(&self, id: Uuid, content: Content, answer: &Answer) {
        let Answer::Posted { replayed: false, amount, .. } = answer else { return };
        let mut known = match content.kind {
            Kind::Hold { .. } => locked(&self.holds),
            Kind::Release { .. } => return,
            Kind::Transfer
            | Kind::UpTo
            | Kind::Deposit
            | Kind::Withdrawal
            | Kind::Capture { .. }
            | Kind::Reversal { .. } => locked(&self.moved),
        };
        if known.len() == KNOWN_MAX {
            known.pop_front();
        }
        known.push_back(Posted { id, content, amount: *amount });
    }

    /// A hold that was placed, whatever became of it.
    pub(super) fn hold(&self, random: &mut Rng) -> Option<Posted> {
        any(&self.holds, random)
    }

    /// A posted movement, reversals among them.
    pub(super) fn moved(&self, random: &mut Rng) -> Option<Posted> {
        any(&self.moved, random)
    }
}
