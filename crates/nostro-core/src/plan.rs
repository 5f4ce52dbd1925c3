//! The planner: decides a batch of transfers, in order, in memory.
//!
//! In: the transfers, the accounts as locked, the records already under the batch's ids, the batch's time. Out:
//! an outcome for each transfer, and each touched account once, as it stands after all of them. SQL stores what
//! is decided here and decides nothing. Order matters: the second of two payments sees what the first left. A
//! refused transfer has no effect on any account. An id that occurs twice in the batch is decided once. An id that
//! carries a time far from the batch's is decided not at all, unless it is recorded.

use crate::account_number::AccountNumber;
use crate::decide::{Effect, Nothing, Now, Source, Sources, decide};
use crate::hold::Hold;
pub use crate::locked_accounts::{Accounts, LockedAccount};
use crate::original::Original;
use crate::time::Timestamp;
use crate::transfer::{Decision, Field, Transfer, TransferRecord};
use crate::transfer_id::{Period, TransferId};
use foldhash::{HashMap, HashMapExt};
use std::collections::BTreeSet;
use std::collections::hash_map::Entry;

/// What the planner decides from.
#[derive(Debug)]
pub struct PlanInput<'a> {
    /// In the order in which they are decided.
    pub transfers: Vec<&'a Transfer>,
    /// Locked accounts; one that is absent does not exist.
    pub accounts: Accounts,
    /// The holds that the transfers name, read under the locks of their debit accounts.
    pub holds: Vec<Hold>,
    /// The transfers that are reversed, read under the locks of the accounts that were paid.
    pub originals: Vec<Original>,
    /// What was found under the batch's ids, one record a branch that has one.
    pub known: Vec<TransferRecord>,
    /// Periods that were taken out for the archive, of those of the batch's ids.
    pub detached: BTreeSet<Period>,
    /// The latest clock of the batch's branches: what the times in ids are held against.
    pub clock: Timestamp,
    /// The batch's time, see [`posted_at`].
    pub posted_at: Timestamp,
}

/// Why an id cannot be used. Nothing is recorded under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnusableId {
    /// Its own time is more than a day from the branch's clock, and it is not recorded.
    TimeOutOfRange,
    /// Its month is in the archive: whether it was used is not known here any more.
    Expired,
}

/// What became of one transfer of the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Decided now: posted or refused, and to be recorded.
    Decided(TransferRecord),
    /// Decided earlier, or earlier in this batch, under the same id with the same content.
    Replayed(TransferRecord),
    /// The id was used with other content; this field differs.
    Conflict(Field),
    /// The id can be used for nothing.
    Unusable(UnusableId),
    /// An expiry that is none: its hold is ended, or its time has not come. Nothing is recorded.
    Moot,
}

/// What to answer and what to write.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan {
    /// One for each transfer, in order.
    pub outcomes: Vec<Outcome>,
    /// Each account that was posted to or has more or less reserved, once, as it stands after the batch.
    pub accounts: Vec<(AccountNumber, LockedAccount)>,
    /// Each hold that was placed or changed, once, as it stands after the batch.
    pub holds: Vec<Hold>,
    /// Each transfer of which money went back, once, as it stands after the batch.
    pub originals: Vec<Original>,
}

impl Plan {
    /// The records to write: posted and refused, not replayed.
    pub fn records(&self) -> impl Iterator<Item = &TransferRecord> {
        self.outcomes.iter().filter_map(|outcome| match outcome {
            Outcome::Decided(record) => Some(record),
            Outcome::Replayed(_) | Outcome::Conflict(_) | Outcome::Unusable(_) | Outcome::Moot => None,
        })
    }
}

/// The time of a batch: the latest of the clocks of its branches, and never before the last posting of any of its
/// accounts, so that no history runs backwards. `None` without a clock.
pub fn posted_at<'a>(
    clocks: impl IntoIterator<Item = Timestamp>,
    accounts: impl IntoIterator<Item = &'a LockedAccount>,
) -> Option<Timestamp> {
    let clock = clocks.into_iter().max()?;
    let last = accounts.into_iter().filter_map(|account| account.last_posted_at).max();
    Some(last.map_or(clock, |last| last.max(clock)))
}

/// Decides the batch.
pub fn plan(input: PlanInput<'_>) -> Plan {
    let PlanInput { transfers, mut accounts, holds, originals, known, detached, clock, posted_at } = input;
    let earlier = Earlier::new(known);
    let mut sources = Sources {
        holds: holds.into_iter().map(|hold| ((hold.debit, hold.id), hold)).collect(),
        originals: originals.into_iter().map(|original| ((original.credit, original.id), original)).collect(),
    };
    let (mut held, mut reversed) = (BTreeSet::new(), BTreeSet::new());
    let mut here: HashMap<TransferId, usize> = HashMap::with_capacity(transfers.len());
    let mut outcomes: Vec<Outcome> = Vec::with_capacity(transfers.len());
    for transfer in transfers {
        let decided = here.get(&transfer.id).and_then(|at| outcomes.get(*at));
        let met = match decided {
            Some(Outcome::Decided(record)) => Some(met(transfer, record)),
            Some(outcome) => Some(outcome.clone()),
            None => earlier.met(transfer).or_else(|| {
                let unusable = unusable(transfer.id, &detached, clock);
                unusable.map(Outcome::Unusable)
            }),
        };
        if let Some(met) = met {
            outcomes.push(met);
            continue;
        }
        let mut transfer = transfer.clone();
        let (decision, source) = match decide(&transfer, &accounts, &sources, Now { clock, posted_at }) {
            Ok(Effect::Moved { debit, credit, source, amount }) => {
                transfer.amount = amount;
                let [debit, credit] = [debit, credit].map(|posting| accounts.post(&posting, transfer.id, posted_at));
                (Decision::Posted { debit, credit }, source)
            }
            Ok(Effect::Reserved { place, held, hold, amount }) => {
                accounts.reserve(place, held, posted_at);
                transfer.amount = amount;
                (Decision::Posted { debit: None, credit: None }, Some(Source::Hold(hold)))
            }
            Err(Nothing::Refused(refusal)) => (Decision::Refused(refusal), None),
            Err(Nothing::Moot) => {
                outcomes.push(Outcome::Moot);
                continue;
            }
        };
        match source {
            None => {}
            Some(Source::Hold(hold)) => {
                let name = (hold.debit, hold.id);
                sources.holds.insert(name, hold);
                held.insert(name);
            }
            Some(Source::Original(original)) => {
                let name = (original.credit, original.id);
                sources.originals.insert(name, original);
                reversed.insert(name);
            }
        }
        here.insert(transfer.id, outcomes.len());
        outcomes.push(Outcome::Decided(TransferRecord { transfer, decision, posted_at }));
    }
    let holds = held.iter().filter_map(|name| sources.holds.get(name).copied()).collect();
    let originals = reversed.iter().filter_map(|name| sources.originals.get(name).copied()).collect();
    Plan { outcomes, accounts: accounts.posted(), holds, originals }
}

/// What is recorded under the batch's ids already.
struct Earlier {
    records: HashMap<TransferId, TransferRecord>,
    /// Where two branches know an id with different content: whatever is asked conflicts with one of them.
    conflicting: HashMap<TransferId, Vec<TransferRecord>>,
}

impl Earlier {
    fn new(known: Vec<TransferRecord>) -> Self {
        let mut records: HashMap<TransferId, TransferRecord> = HashMap::with_capacity(known.len());
        let mut conflicting: HashMap<TransferId, Vec<TransferRecord>> = HashMap::new();
        for record in known {
            match records.entry(record.transfer.id) {
                Entry::Vacant(slot) => {
                    slot.insert(record);
                }
                Entry::Occupied(mut slot) if slot.get().transfer.differs_from(&record.transfer).is_none() => {
                    let merged = slot.get().clone().merged(&record);
                    slot.insert(merged);
                }
                Entry::Occupied(_) => conflicting.entry(record.transfer.id).or_default().push(record),
            }
        }
        Self { records, conflicting }
    }

    fn met(&self, transfer: &Transfer) -> Option<Outcome> {
        let others = self.conflicting.get(&transfer.id).into_iter().flatten();
        let conflict = others.map(|record| met(transfer, record)).find(|met| matches!(met, Outcome::Conflict(_)));
        conflict.or_else(|| self.records.get(&transfer.id).map(|record| met(transfer, record)))
    }
}

/// A transfer whose id has a record.
fn met(transfer: &Transfer, record: &TransferRecord) -> Outcome {
    match transfer.differs_from(&record.transfer) {
        Some(field) => Outcome::Conflict(field),
        None => Outcome::Replayed(record.clone()),
    }
}

/// Why an id that is not recorded cannot be used, if it cannot.
fn unusable(id: TransferId, detached: &BTreeSet<Period>, clock: Timestamp) -> Option<UnusableId> {
    if !id.is_out_of_range(clock) {
        None
    } else if detached.contains(&id.period()) {
        Some(UnusableId::Expired)
    } else {
        Some(UnusableId::TimeOutOfRange)
    }
}
