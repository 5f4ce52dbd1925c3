//! The planner: decides a batch of transfers, in order, in memory.
//!
//! In: the transfers, the accounts as locked, the records already under the batch's ids, the batch's time. Out:
//! an outcome for each transfer, and each touched account once, as it stands after all of them. SQL stores what
//! is decided here and decides nothing. Order matters: the second of two payments sees what the first left. A
//! refused transfer has no effect on any account. An id that occurs twice in the batch is decided once. An id that
//! carries a time far from the batch's is decided not at all, unless it is recorded.

use crate::account_number::AccountNumber;
use crate::chain;
use crate::decide::{Nothing, Now};
use crate::hold::Hold;
use crate::ledger::{Ledger, Stored};
pub use crate::locked_accounts::{Accounts, LockedAccount};
use crate::original::Original;
use crate::refusal::Refusal;
use crate::time::Timestamp;
use crate::transfer::{Decision, Field, Transfer, TransferRecord};
use crate::transfer_id::{Period, TransferId};
use foldhash::{HashMap, HashMapExt};
use std::collections::BTreeSet;
use std::collections::hash_map::Entry;
use std::sync::Arc;

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
    /// Decided now: posted or refused, and to be recorded. The record is shared by all who write it and tell of it.
    Decided(Arc<TransferRecord>),
    /// Decided earlier, or earlier in this batch, under the same id with the same content.
    Replayed(Arc<TransferRecord>),
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
    /// Whether any account of the batch is or was outside its limits: else every mark is as it was.
    pub has_marked: bool,
    /// Each hold that was placed or changed, once, as it stands after the batch.
    pub holds: Vec<Hold>,
    /// Each transfer of which money went back, once, as it stands after the batch.
    pub originals: Vec<Original>,
}

impl Plan {
    /// The records to write: posted and refused, not replayed.
    pub fn records(&self) -> impl Iterator<Item = &Arc<TransferRecord>> {
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

/// Decides the batch: a transfer by itself, a chain as a whole. The links of a chain follow each other.
pub fn plan(input: PlanInput<'_>) -> Plan {
    let PlanInput { transfers, accounts, holds, originals, known, detached, clock, posted_at } = input;
    let mut deciding = Deciding {
        ledger: Ledger::new(accounts, holds, originals, Now { clock, posted_at }),
        earlier: Earlier::new(known),
        here: HashMap::with_capacity(transfers.len()),
        outcomes: Vec::with_capacity(transfers.len()),
        detached,
        clock,
        posted_at,
    };
    let mut rest = transfers.as_slice();
    while let Some(first) = rest.first() {
        let (now, later) = rest.split_at(chain::run(rest));
        match first.link {
            None => deciding.transfer(first),
            Some(_) => deciding.chain(now),
        }
        rest = later;
    }
    let Stored { accounts, has_marked, holds, originals } = deciding.ledger.stored();
    Plan { outcomes: deciding.outcomes, accounts, has_marked, holds, originals }
}

/// A batch that is being decided.
struct Deciding {
    ledger: Ledger,
    earlier: Earlier,
    /// Where the outcome of an id of this batch stands.
    here: HashMap<TransferId, usize>,
    outcomes: Vec<Outcome>,
    detached: BTreeSet<Period>,
    clock: Timestamp,
    posted_at: Timestamp,
}

impl Deciding {
    fn transfer(&mut self, transfer: &Transfer) {
        if let Some(met) = self.met(transfer) {
            self.outcomes.push(met);
            return;
        }
        match self.ledger.post(transfer) {
            Ok(record) => self.decided(record),
            Err(Nothing::Refused(refusal)) => self.refused(transfer, refusal),
            Err(Nothing::Moot) => self.outcomes.push(Outcome::Moot),
        }
    }

    /// Either no link is known, or all are known as they are now; whatever else was met is a conflict. If one link's id can be
    /// used for nothing, nothing can be said of the others either.
    fn chain(&mut self, links: &[&Transfer]) {
        let met: Vec<Option<Outcome>> = links.iter().map(|link| self.met(link)).collect();
        let is_whole =
            links.first().and_then(|first| first.link).map(|link| usize::from(link.length)) == Some(links.len());
        let is_replayed = |met: &Option<Outcome>| matches!(met, Some(Outcome::Replayed(_)));
        if is_whole && met.iter().all(Option::is_none) {
            self.fresh_chain(links);
        } else if is_whole && met.iter().all(is_replayed) {
            self.outcomes.extend(met.into_iter().flatten());
        } else {
            let unusable = met.iter().flatten().find(|met| matches!(met, Outcome::Unusable(_))).cloned();
            let otherwise = unusable.unwrap_or(Outcome::Conflict(Field::Chain));
            let conflict = |met: Option<Outcome>| match met {
                Some(Outcome::Conflict(field)) => Outcome::Conflict(field),
                Some(Outcome::Unusable(why)) => Outcome::Unusable(why),
                Some(Outcome::Replayed(_) | Outcome::Decided(_) | Outcome::Moot) | None => otherwise.clone(),
            };
            self.outcomes.extend(met.into_iter().map(conflict));
        }
    }

    fn fresh_chain(&mut self, links: &[&Transfer]) {
        self.ledger.begin();
        let mut records = Vec::with_capacity(links.len());
        let mut broken = None;
        for (at, link) in links.iter().enumerate() {
            match self.ledger.post(link) {
                Ok(record) => records.push(record),
                Err(why) => {
                    broken = Some((at, why));
                    break;
                }
            }
        }
        match broken {
            None => {
                self.ledger.keep();
                records.into_iter().for_each(|record| self.decided(record));
            }
            Some((broken, Nothing::Refused(refusal))) => {
                self.ledger.take_back();
                for (at, link) in links.iter().enumerate() {
                    self.refused(link, if at == broken { refusal } else { Refusal::ChainBroken });
                }
            }
            // Nobody asks for an expiry, so none is in a chain.
            Some((_, Nothing::Moot)) => {
                self.ledger.take_back();
                self.outcomes.extend(links.iter().map(|_| Outcome::Conflict(Field::Chain)));
            }
        }
    }

    /// What the id of a transfer is already, if it is anything.
    fn met(&self, transfer: &Transfer) -> Option<Outcome> {
        let decided = self.here.get(&transfer.id).and_then(|at| self.outcomes.get(*at));
        match decided {
            Some(Outcome::Decided(record)) => Some(met(transfer, record)),
            Some(outcome) => Some(outcome.clone()),
            None => self.earlier.met(transfer).or_else(|| {
                let unusable = unusable(transfer.id, &self.detached, self.clock);
                unusable.map(Outcome::Unusable)
            }),
        }
    }

    fn decided(&mut self, record: TransferRecord) {
        self.here.insert(record.transfer.id, self.outcomes.len());
        self.outcomes.push(Outcome::Decided(Arc::new(record)));
    }

    fn refused(&mut self, transfer: &Transfer, refusal: Refusal) {
        let decision = Decision::Refused(refusal);
        self.decided(TransferRecord { transfer: transfer.clone(), decision, posted_at: self.posted_at });
    }
}

/// What is recorded under the batch's ids already.
struct Earlier {
    records: HashMap<TransferId, Arc<TransferRecord>>,
    /// Where two branches know an id with different content: whatever is asked conflicts with one of them.
    conflicting: HashMap<TransferId, Vec<Arc<TransferRecord>>>,
}

impl Earlier {
    fn new(known: Vec<TransferRecord>) -> Self {
        let mut records: HashMap<TransferId, Arc<TransferRecord>> = HashMap::with_capacity(known.len());
        let mut conflicting: HashMap<TransferId, Vec<Arc<TransferRecord>>> = HashMap::new();
        for record in known {
            match records.entry(record.transfer.id) {
                Entry::Vacant(slot) => {
                    slot.insert(Arc::new(record));
                }
                Entry::Occupied(mut slot) if slot.get().transfer.differs_from(&record.transfer).is_none() => {
                    let merged = TransferRecord::clone(slot.get()).merged(&record);
                    slot.insert(Arc::new(merged));
                }
                Entry::Occupied(_) => conflicting.entry(record.transfer.id).or_default().push(Arc::new(record)),
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
fn met(transfer: &Transfer, record: &Arc<TransferRecord>) -> Outcome {
    match transfer.differs_from(&record.transfer) {
        Some(field) => Outcome::Conflict(field),
        None => Outcome::Replayed(Arc::clone(record)),
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
