//! What a batch does before its commit: connections and slots, a number, the lock phase, the plan.
//!
//! Everything is taken in branch order.

use crate::answer::{Answer, CommitPath, Receipt, Unavailable};
use crate::bank::{Bank, Branch, GATE_WAIT, part};
use crate::batch::Next;
use crate::doubt;
use crate::item::{Answers, Item, answer_all, answer_each};
use crate::lane::InOrder;
use crate::lock_phase::{self, LockedSite, Trouble};
use crate::pace::Pace;
use crate::periods;
use crate::pool::{Lease, LeaseError, Slot};
use crate::register::ReadError;
use futures_util::future::{FutureExt, join, join_all};
use nostro_commit::driver::Site;
use nostro_commit::{Batch, BatchId, Part, Participants, with_sources};
use nostro_core::plan::{self, Accounts, Outcome, Plan, PlanInput};
use nostro_core::transfer::Decision;
use nostro_core::{BranchCode, BranchSet, Hold, Original, Period, Timestamp, Transfer, TransferId, TransferRecord};
use nostro_store::lock::{self, Asked, Leaving};
use nostro_store::place::Places;
use nostro_store::rows::{RowError, StoredTransfer};
use nostro_store::write::Writes;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::timeout;

/// A batch waits at most so long for a connection and its prepared slot.
const LEASE_WAIT: Duration = Duration::from_secs(5);

/// What an attempt came to before its commit.
pub(crate) enum Outset {
    /// Nothing is to be committed.
    Next(Next),
    /// It is planned, and every row that it needs is locked.
    Ready(Box<Ready>),
}

/// A batch that is ready to be written and committed.
pub(crate) struct Ready {
    pub(crate) batch: Batch,
    pub(crate) sites: Vec<Site>,
    pub(crate) slots: BTreeMap<Part, Slot>,
    /// What to answer if it commits.
    pub(crate) answers: Vec<(Item, Answers)>,
}

/// Which ids are looked up in the lock phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LookUps {
    /// All of them: records are expected.
    All,
    /// Those that cannot be recorded now, as they have a record or are refused, and those of links.
    Far,
}

/// A lock phase that is over.
struct Locking {
    sites: Vec<LockedSite>,
    look_ups: LookUps,
    /// The ids that were looked up in any case: they are far from the clock, or of links.
    looked_up: HashSet<TransferId>,
}

/// Leases, numbers, locks, plans.
pub(crate) async fn prepare(
    bank: &Bank,
    at: BranchSet,
    items: Vec<Item>,
    pace: &Pace,
    in_order: Option<&mut InOrder>,
) -> Outset {
    let branches: Vec<&Branch> = at.iter().filter_map(|code| bank.branch(code)).collect();
    let home = at.home().expect("every lane has a branch");
    let periods = periods::needed(&items, Timestamp::from(SystemTime::now()));
    for branch in &branches {
        if let Err(error) = periods::ensure(bank, branch, &periods).await {
            tracing::info!(branch = %branch.config.branch.code, ?error, "no partition for a batch");
            let reason = match error {
                ReadError::Unavailable(reason) => reason,
                ReadError::UnknownBranch(_) | ReadError::Bug => Unavailable::Busy,
            };
            answer_all(items, &Answer::Unavailable(reason));
            return Outset::Next(Next::Answered);
        }
    }
    let mut leases = Vec::new();
    for branch in &branches {
        match branch.writers.lease(&bank.connector, LEASE_WAIT).await {
            Ok(lease) => leases.push(lease),
            Err(error) => {
                let answer = no_lease(branch.config.branch.code, error);
                leases.into_iter().for_each(Lease::give_back);
                answer_all(items, &Answer::Unavailable(answer));
                return Outset::Next(Next::Answered);
            }
        }
    }
    let number = match (branches.first(), leases.first()) {
        (Some(branch), Some(lease)) => timeout(LEASE_WAIT, branch.numbers.next(part(home), &lease.session.link)).await,
        (None, _) | (_, None) => return Outset::Next(Next::Again(items)),
    };
    let number = match number {
        Ok(Ok(number)) => number,
        late_or_failed => {
            let error = late_or_failed.ok().and_then(Result::err).map(with_sources);
            tracing::info!(branch = %home, error, "no batch number, planning again");
            return Outset::Next(Next::Again(items));
        }
    };
    let look_ups = if bank.replays.are_expected() { LookUps::All } else { LookUps::Far };
    let now = Timestamp::from(SystemTime::now());
    // Whether a chain is new is to be known of all its links before one is decided.
    let is_looked_up = |transfer: &&Transfer| transfer.link.is_some() || periods::is_far(transfer.id, now);
    let transfers = items.iter().flat_map(Item::transfers);
    let looked_up: HashSet<TransferId> = transfers.filter(is_looked_up).map(|transfer| transfer.id).collect();
    let asked: Vec<Asked> = at.iter().map(|code| asked(code, &items, look_ups, &looked_up, now)).collect();
    match lock_phase::run(bank, &branches, leases, &items, &asked).await {
        Ok(sites) => {
            in_order.into_iter().for_each(InOrder::rows_are_locked);
            planned(bank, at, number, Locking { sites, look_ups, looked_up }, items).await
        }
        Err(trouble) => {
            if let Trouble::Locked = trouble {
                pace.given_up();
                doubt::learn(bank, &items).await;
            }
            Outset::Next(match trouble {
                Trouble::Locked => Next::AgainInHalves(items),
                Trouble::Lost => Next::Again(items),
                Trouble::Malformed => Next::Halve(items),
            })
        }
    }
}

/// What a branch is asked in the lock phase: of the transfers that touch it. What it knows under the id of a link that does not
/// is another transfer.
fn asked(
    code: BranchCode,
    items: &[Item],
    look_ups: LookUps,
    looked_up: &HashSet<TransferId>,
    now: Timestamp,
) -> Asked {
    let mut asked = Asked::default();
    let mut periods = BTreeSet::new();
    for transfer in items.iter().flat_map(Item::transfers).filter(|transfer| transfer.touches(code)) {
        let is_looked_up = looked_up.contains(&transfer.id);
        if look_ups == LookUps::All || is_looked_up {
            asked.ids.push(transfer.id);
        }
        if is_looked_up && periods::is_far(transfer.id, now) {
            periods.insert(transfer.id.period());
        }
        // A hold, and what has gone back of a transfer, is known where the account is that it is taken from.
        if transfer.debit.branch() == code {
            asked.holds.extend(transfer.operation.hold());
            asked.originals.extend(transfer.operation.original());
        }
    }
    asked.periods = periods.into_iter().collect();
    asked
}

fn no_lease(code: BranchCode, error: LeaseError) -> Unavailable {
    match error {
        LeaseError::Busy => Unavailable::Busy,
        LeaseError::Connect(_) | LeaseError::Prepare(_) => {
            tracing::info!(branch = %code, error = with_sources(error), "no connection for a batch");
            Unavailable::Branch(code)
        }
    }
}

/// What the branches found under their locks.
#[derive(Default)]
struct Found {
    clocks: Vec<Timestamp>,
    accounts: Accounts,
    holds: Vec<Hold>,
    originals: Vec<Original>,
    stored: Vec<StoredTransfer>,
    detached: BTreeSet<Period>,
    places: Vec<Places>,
    leases: Vec<(Lease, Leaving)>,
}

impl Found {
    fn at(sites: Vec<LockedSite>) -> Self {
        let mut found = Self::default();
        for LockedSite { lease, locked, leaving } in sites {
            found.leases.push((lease, leaving));
            found.clocks.push(locked.clock);
            found.places.push(locked.places);
            found.accounts.extend(locked.accounts);
            found.holds.extend(locked.holds);
            found.originals.extend(locked.originals);
            found.stored.extend(locked.known);
            found.detached.extend(locked.detached);
        }
        found
    }
}

async fn planned(bank: &Bank, at: BranchSet, number: BatchId, locking: Locking, items: Vec<Item>) -> Outset {
    let Locking { sites, look_ups, looked_up } = locking;
    let Found { clocks, accounts, holds, originals, stored, detached, places, leases } = Found::at(sites);
    let earlier: HashMap<TransferId, (BatchId, Arc<CommitPath>)> =
        stored.iter().map(|row| (row.record.transfer.id, (row.batch, Arc::new(path(bank, row))))).collect();
    let clock = clocks.iter().copied().max().expect("every lane has a branch, and so a clock");
    let posted_at = plan::posted_at(clocks, accounts.iter().map(|(_, account)| account))
        .expect("every lane has a branch, and so a clock");
    let transfers: Vec<&Transfer> = items.iter().flat_map(Item::transfers).collect();
    let known = stored.into_iter().map(|row| row.record).collect();
    let input =
        PlanInput { transfers: transfers.clone(), accounts, holds, originals, known, detached, clock, posted_at };
    let plan = plan::plan(input);
    if look_ups == LookUps::Far {
        let others: Vec<&Lease> = leases.iter().skip(1).map(|(lease, _)| lease).collect();
        match timeout(GATE_WAIT, may_be_recorded(&others, &transfers, &plan, &looked_up)).await {
            Ok(Ok(false)) => {}
            Ok(Ok(true)) => {
                bank.replays.met();
                roll_back(leases).await;
                return Outset::Next(Next::Again(items));
            }
            late_or_failed => {
                let error = late_or_failed.ok().and_then(Result::err).map(with_sources);
                tracing::info!(error, "refused ids were not looked up, planning again");
                return Outset::Next(Next::Again(items));
            }
        }
    }
    let Some((writes, path)) = written(bank, at, &plan, &places) else {
        // The net of one batch is beyond a bigint: smaller batches have smaller nets.
        drop(leases);
        return Outset::Next(Next::Halve(items));
    };
    let path = Arc::new(path);
    let answers = answers(items, plan.outcomes, number, &path, &earlier);
    if path.parts.is_empty() {
        roll_back(leases).await;
        answer_each(answers);
        return Outset::Next(Next::Answered);
    }
    let parts = path.parts.iter().filter(|code| **code != path.home).map(|code| part(*code));
    let participants = Participants::new(number.home, parts).expect("a lane's branches are two different ones");
    let batch = Batch { id: number, participants };
    Outset::Ready(Box::new(sent(batch, posted_at, leases, writes, &path, answers).await))
}

/// The writes of the parts on their way; the branches that have nothing to write are let go.
async fn sent(
    batch: Batch,
    posted_at: Timestamp,
    leases: Vec<(Lease, Leaving)>,
    writes: Vec<(BranchCode, Writes)>,
    path: &CommitPath,
    answers: Vec<(Item, Answers)>,
) -> Ready {
    let number = batch.id;
    let mut ready = Ready { batch, sites: Vec::new(), slots: BTreeMap::new(), answers };
    let mut idle = Vec::new();
    for ((lease, leaving), (code, writes)) in leases.into_iter().zip(writes) {
        if !path.parts.contains(&code) {
            idle.push((lease, leaving));
            continue;
        }
        let statements = lease.session.statements.clone();
        let (link, slot) = lease.split();
        let writes = writes.send(Arc::clone(link.client()), statements, number, posted_at);
        let writes = async move {
            let (left, written) = join(leaving, writes).await;
            left?;
            written
        }
        .boxed();
        ready.slots.insert(part(code), slot);
        ready.sites.push(Site { part: part(code), link, writes });
    }
    roll_back(idle).await;
    ready
}

/// Whether the plan may say something else of an id than what is recorded of it, as not every id was looked up.
async fn may_be_recorded(
    others: &[&Lease],
    transfers: &[&Transfer],
    plan: &Plan,
    looked_up: &HashSet<TransferId>,
) -> Result<bool, RowError> {
    // A clock that jumps: what this server did not look up may yet be recorded, so it is not called unusable.
    let unusable = |(transfer, outcome): (&&Transfer, &Outcome)| {
        matches!(outcome, Outcome::Unusable(_)) && !looked_up.contains(&transfer.id)
    };
    if transfers.iter().zip(&plan.outcomes).any(unusable) {
        return Ok(true);
    }
    is_recorded_elsewhere(others, plan).await
}

/// Whether an id that is refused now has a record at a branch where the refusal is not recorded, and so where no
/// unique key meets it.
async fn is_recorded_elsewhere(others: &[&Lease], plan: &Plan) -> Result<bool, RowError> {
    // Links were looked up before.
    let refused = |record: &&Arc<TransferRecord>| {
        matches!(record.decision, Decision::Refused(_)) && record.transfer.link.is_none()
    };
    let ids: Vec<TransferId> = plan.records().filter(refused).map(|record| record.transfer.id).collect();
    if ids.is_empty() {
        return Ok(false);
    }
    for lease in others {
        let session = &lease.session;
        if lock::is_any_recorded(session.link.client(), &session.statements, &ids).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What each branch of the lane has to write, and which branches that makes parts of the batch.
fn written(
    bank: &Bank,
    at: BranchSet,
    plan: &Plan,
    places: &[Places],
) -> Option<(Vec<(BranchCode, Writes)>, CommitPath)> {
    let home = at.home().expect("every lane has a branch");
    let branches = at.iter().filter_map(|code| bank.branch(code)).map(|branch| branch.config.branch);
    let writes = Writes::of(plan, branches.zip(places), &bank.numbers).ok()?;
    let parts = writes.iter().filter(|(_, here)| !here.is_empty()).map(|(code, _)| *code).collect();
    Some((writes, CommitPath { home, parts }))
}

fn answers(
    items: Vec<Item>,
    outcomes: Vec<Outcome>,
    batch: BatchId,
    path: &Arc<CommitPath>,
    earlier: &HashMap<TransferId, (BatchId, Arc<CommitPath>)>,
) -> Vec<(Item, Answers)> {
    let receipt = |record, batch, commit| Receipt { record, batch, commit };
    let answer = |outcome: Outcome| match outcome {
        Outcome::Decided(record) => match record.decision {
            Decision::Posted { .. } => Answer::Posted(receipt(record, batch, Arc::clone(path))),
            Decision::Refused(_) => Answer::Refused(receipt(record, batch, Arc::clone(path))),
        },
        Outcome::Replayed(record) => {
            let (batch, path) = earlier.get(&record.transfer.id).cloned().unwrap_or((batch, Arc::clone(path)));
            Answer::Replayed(receipt(record, batch, path))
        }
        Outcome::Conflict(field) => Answer::Conflict(field),
        Outcome::Unusable(why) => Answer::Unusable(why),
        Outcome::Moot => Answer::Moot,
    };
    let mut answers = outcomes.into_iter().map(answer);
    let told = |item: Item| {
        let answers = item.answers(&mut answers);
        (item, answers)
    };
    items.into_iter().map(told).collect()
}

/// How the batch of a stored transfer was committed.
pub(crate) fn path(bank: &Bank, row: &StoredTransfer) -> CommitPath {
    let codes = |part: &Part| bank.code_of(*part);
    let parts: Vec<BranchCode> = row.parts.iter().filter_map(codes).collect();
    CommitPath { home: bank.code_of(row.batch.home).unwrap_or(row.record.transfer.home()), parts }
}

/// Ends transactions that wrote nothing, and gives their connections back.
async fn roll_back(leases: Vec<(Lease, Leaving)>) {
    let ended = leases.into_iter().map(|(lease, leaving)| async move {
        let client = lease.client();
        if let Ok((Ok(()), Ok(()))) = timeout(GATE_WAIT, join(leaving, lock::roll_back(&client))).await {
            lease.give_back();
        }
    });
    join_all(ended).await;
}
