//! Ids that come again.
//!
//! The answer to a transfer that this server has lately committed is remembered, so its retries cost no database
//! anything: what is committed never changes. Other ids are not looked up before they are inserted; the unique key
//! of `transfer` meets those that are recorded. A batch that met one is planned again with all its ids looked up,
//! and for some seconds so are all batches: where one old id comes, more do.

use crate::answer::{Answer, Receipt};
use crate::mutex::locked;
use foldhash::{HashMap, HashMapExt};
use nostro_core::{Transfer, TransferId};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Answers that are remembered, at most twice as many: about 330 bytes each, 43 MB in all.
const GENERATION_MAX: usize = 65_536;
/// For so long after a record was met that nobody had looked for, every id is looked up.
const LOOK_UPS_FOR: Duration = Duration::from_secs(5);

/// What one engine knows of ids that come again.
#[derive(Debug, Default)]
pub(crate) struct Replays {
    recent: Mutex<Recent>,
    /// When a record was last met that nobody had looked for.
    met_at: Mutex<Option<Instant>>,
}

/// Answers by their ids.
type Generation = HashMap<TransferId, Receipt>;

/// Two generations: when the younger one is full, the older one is forgotten as a whole.
#[derive(Debug, Default)]
struct Recent {
    young: Generation,
    old: Generation,
    /// Grows when all is forgotten.
    generation: u64,
}

impl Recent {
    /// Remembers an answer; what is forgotten for it, to be dropped when nobody waits for the lock any more.
    fn keep(&mut self, receipt: Receipt) -> Option<Generation> {
        let forgotten = (self.young.len() >= GENERATION_MAX).then(|| {
            let full = std::mem::replace(&mut self.young, HashMap::with_capacity(GENERATION_MAX));
            std::mem::replace(&mut self.old, full)
        });
        self.young.insert(receipt.record.transfer.id, receipt);
        forgotten
    }
}

impl Replays {
    fn recent(&self) -> MutexGuard<'_, Recent> {
        locked(&self.recent)
    }

    /// The answer to a transfer that is remembered. Other content under a remembered id is for its branches to judge:
    /// they may never have seen the id.
    pub(crate) fn answer(&self, transfer: &Transfer) -> Option<Answer> {
        let mut recent = self.recent();
        let receipt = match recent.young.get(&transfer.id) {
            Some(receipt) => receipt.clone(),
            None => {
                let receipt = recent.old.get(&transfer.id)?.clone();
                // What came again once may come again: it is young anew.
                let forgotten = recent.keep(receipt.clone());
                drop(recent);
                drop(forgotten);
                receipt
            }
        };
        let same = transfer.differs_from(&receipt.record.transfer).is_none();
        same.then_some(Answer::Replayed(receipt))
    }

    /// Which memory a batch that begins now is to be remembered in.
    pub(crate) fn generation(&self) -> u64 {
        self.recent().generation
    }

    /// Remembers what is committed at every branch of its batch, unless all was forgotten since the batch began.
    pub(crate) fn remember(&self, generation: u64, receipts: impl Iterator<Item = Receipt>) {
        let mut recent = self.recent();
        if recent.generation != generation {
            return;
        }
        // Dropped when nobody waits for the lock any more.
        let mut forgotten = Vec::new();
        for receipt in receipts {
            forgotten.extend(recent.keep(receipt));
        }
        drop(recent);
    }

    /// A branch went away, came back or was connected to anew: should it have been restored, or another server have
    /// taken its place, it decides anew what it has lost.
    pub(crate) fn forget(&self) {
        let mut recent = self.recent();
        let generation = recent.generation.wrapping_add(1);
        let forgotten = std::mem::replace(&mut *recent, Recent { generation, ..Recent::default() });
        drop(recent);
        drop(forgotten);
    }

    /// A record was met that nobody had looked for.
    pub(crate) fn met(&self) {
        *locked(&self.met_at) = Some(Instant::now());
    }

    /// Whether every id is looked up before it is inserted.
    pub(crate) fn are_expected(&self) -> bool {
        let met_at = *locked(&self.met_at);
        met_at.is_some_and(|at| at.elapsed() < LOOK_UPS_FOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::CommitPath;
    use nostro_core::transfer::Decision;
    use nostro_core::{AccountNumber, Amount, Operation, Timestamp, TransferRecord};
    use std::sync::Arc;

    fn receipt(id: u128) -> Receipt {
        let account = |branch: &str| AccountNumber::new(branch.parse().unwrap(), 1).unwrap();
        let transfer = Transfer {
            id: TransferId(uuid::Uuid::from_u128(id)),
            operation: Operation::Transfer,
            debit: account("AZ"),
            credit: account("TX"),
            amount: Amount::new(1).unwrap(),
            currency: "USD".parse().unwrap(),
            category: 0,
            reference: None,
            link: None,
        };
        let decision = Decision::Posted { debit: None, credit: None };
        let record = Arc::new(TransferRecord { transfer, decision, posted_at: Timestamp::from_micros(0) });
        let home = "AZ".parse().unwrap();
        let commit = Arc::new(CommitPath { home, parts: vec![home] });
        Receipt { record, batch: "AZ-1-4711".parse().unwrap(), commit }
    }

    fn is_remembered(replays: &Replays, id: u128) -> bool {
        replays.answer(&receipt(id).record.transfer).is_some()
    }

    #[test]
    fn what_comes_again_is_remembered_longer_than_what_does_not() {
        let replays = Replays::default();
        let full = u128::try_from(GENERATION_MAX).unwrap();
        let remember = |ids: std::ops::Range<u128>| replays.remember(replays.generation(), ids.map(receipt));
        remember(0..full);
        remember(full..full + 1);
        assert!(is_remembered(&replays, 0), "of the older generation, and young anew");
        remember(full + 1..2 * full + 1);
        assert!(is_remembered(&replays, 0));
        assert!(!is_remembered(&replays, 1), "its generation is forgotten");
    }

    #[test]
    fn other_content_under_a_remembered_id_is_not_answered_from_memory() {
        let replays = Replays::default();
        replays.remember(replays.generation(), std::iter::once(receipt(1)));
        let mut other = receipt(1).record.transfer.clone();
        other.amount = Amount::new(2).unwrap();
        assert!(replays.answer(&other).is_none() && is_remembered(&replays, 1));
        replays.forget();
        assert!(!is_remembered(&replays, 1));
    }
}
