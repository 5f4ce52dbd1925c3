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

/// Two generations: when the younger one is full, the older one is forgotten as a whole.
#[derive(Debug, Default)]
struct Recent {
    young: HashMap<TransferId, Receipt>,
    old: HashMap<TransferId, Receipt>,
    /// Grows when all is forgotten.
    generation: u64,
}

impl Replays {
    fn recent(&self) -> MutexGuard<'_, Recent> {
        locked(&self.recent)
    }

    /// The answer to a transfer that is remembered. Other content under a remembered id is for its branches to judge:
    /// they may never have seen the id.
    pub(crate) fn answer(&self, transfer: &Transfer) -> Option<Answer> {
        let recent = self.recent();
        let receipt = recent.young.get(&transfer.id).or_else(|| recent.old.get(&transfer.id))?;
        let same = transfer.differs_from(&receipt.record.transfer).is_none();
        same.then(|| Answer::Replayed(receipt.clone()))
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
            if recent.young.len() >= GENERATION_MAX {
                let full = std::mem::replace(&mut recent.young, HashMap::with_capacity(GENERATION_MAX));
                forgotten.push(std::mem::replace(&mut recent.old, full));
            }
            recent.young.insert(receipt.record.transfer.id, receipt);
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
