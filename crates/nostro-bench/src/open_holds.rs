//! Holds that wait to be captured, handed out to the clients of a run, each hold once.

use std::sync::atomic::{AtomicUsize, Ordering};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A hold of which nothing is captured yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OpenHold {
    pub(crate) id: Uuid,
    /// What it reserved, in minor units.
    pub(crate) amount: i64,
}

/// All that a run may capture.
#[derive(Debug)]
pub(crate) struct OpenHolds {
    holds: Vec<OpenHold>,
    /// The next one to be handed out.
    next: AtomicUsize,
    /// Told when somebody asked and got none.
    pub(crate) ran_out: CancellationToken,
}

impl OpenHolds {
    /// In the order of their ids, which is the order of placing where ids grow with time.
    pub(crate) fn new(mut holds: Vec<OpenHold>) -> Self {
        holds.sort_unstable();
        Self { holds, next: AtomicUsize::new(0), ran_out: CancellationToken::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.holds.len()
    }

    /// The next ones, at most `count`.
    pub(crate) fn take(&self, count: usize) -> &[OpenHold] {
        let begin = self.next.fetch_add(count, Ordering::Relaxed).min(self.holds.len());
        let end = (begin + count).min(self.holds.len());
        if begin == end {
            self.ran_out.cancel();
        }
        &self.holds[begin..end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hold_is_handed_out_once_and_whoever_gets_none_tells() {
        let hold = |number: u128| OpenHold { id: Uuid::from_u128(number), amount: 1 };
        let holds = OpenHolds::new([3, 1, 5, 2, 4].map(hold).to_vec());
        assert_eq!(holds.take(2), [1, 2].map(hold));
        assert_eq!(holds.take(2), [3, 4].map(hold));
        assert_eq!(holds.take(2), [5].map(hold));
        assert!(!holds.ran_out.is_cancelled(), "what was handed out last is still to be captured");
        assert!(holds.take(2).is_empty());
        assert!(holds.ran_out.is_cancelled());
    }
}
