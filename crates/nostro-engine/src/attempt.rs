//! The phases of a batch before its commit: connections and slots, gates, locks, plan.
//!
//! Everything is taken in branch order. Between the first gate and the last lock others wait, so nothing else
//! happens there; an error there closes the connections, which opens the gates.

use crate::answer::{Answer, CommitPath, Receipt, Unavailable};
use crate::bank::{Bank, Branch, GATE_WAIT, part};
use crate::batch::{Next, answer_all};
use crate::doubt;
use crate::lane::{Item, LaneKey};
use crate::periods;
use crate::pool::{Lease, LeaseError, Place};
use crate::register::ReadError;
use futures_util::future::{join_all, try_join_all};
use nostro_commit::driver::{Site, chain};
use nostro_commit::{Batch, BatchId, Part, Participants};
use nostro_core::plan::{self, Accounts, Outcome, Plan, PlanInput};
use nostro_core::transfer::Decision;
use nostro_core::{AccountNumber, BranchCode, Period, Timestamp, TransferId, TransferRecord};
use nostro_store::lock::{self, Asked, Locked, LockedRows};
use nostro_store::nets::nets;
use nostro_store::rows::{RowError, StoredTransfer};
use nostro_store::write::Writes;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::MutexGuard;
use tokio::time::timeout;

/// A batch waits at most so long for a connection and its prepared slot.
const LEASE_WAIT: Duration = Duration::from_secs(5);

/// From home's gate to the last lock, the other gate included. Home's other batches wait meanwhile.
const INSIDE_WAIT: Duration = Duration::from_secs(2);

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
    pub(crate) places: BTreeMap<Part, Place>,
    /// What to answer if it commits.
    pub(crate) answers: Vec<(Item, Answer)>,
}

/// Which ids are looked up in the lock phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LookUps {
    /// All of them: records are expected.
    All,
    /// Those that cannot be recorded now: they have a record or are refused.
    Far,
}

/// A lock phase that is over.
struct Locking {
    leases: Vec<Lease>,
    locked: Vec<Locked>,
    look_ups: LookUps,
    /// The ids that were looked up because they are far from the clock.
    looked_up: HashSet<TransferId>,
}

/// Why the lock phase came to nothing.
enum Trouble {
    /// A gate or a row was not given in time.
    Locked,
    /// A connection was lost.
    Lost,
    /// A row is not as this program writes it.
    Malformed,
}

/// Leases, numbers, locks, plans.
pub(crate) async fn prepare(bank: &Bank, lane: LaneKey, items: Vec<Item>) -> Outset {
    let branches: Vec<&Branch> = lane.branches().filter_map(|code| bank.branch(code)).collect();
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
    let home = part(lane.home);
    let number = match (branches.first(), leases.first()) {
        (Some(branch), Some(lease)) => timeout(LEASE_WAIT, branch.numbers.next(home, &lease.session.link)).await,
        (None, _) | (_, None) => return Outset::Next(Next::Again(items)),
    };
    let number = match number {
        Ok(Ok(number)) => number,
        late_or_failed => {
            let error = late_or_failed.ok().and_then(Result::err).map(chain);
            tracing::info!(branch = %lane.home, error, "no batch number, planning again");
            return Outset::Next(Next::Again(items));
        }
    };
    let look_ups = if bank.replays.are_expected() { LookUps::All } else { LookUps::Far };
    let now = Timestamp::from(SystemTime::now());
    let far = items.iter().filter(|item| periods::is_far(item, now)).map(|item| item.transfer.id);
    let looked_up: HashSet<TransferId> = far.collect();
    let ids = match look_ups {
        LookUps::All => items.iter().map(|item| item.transfer.id).collect(),
        LookUps::Far => looked_up.iter().copied().collect(),
    };
    let periods: BTreeSet<Period> = looked_up.iter().map(|id| id.period()).collect();
    let asked = Asked { ids, periods: periods.into_iter().collect() };
    match lock_phase(bank, &branches, &leases, &items, &asked).await {
        Ok(locked) => {
            let locked = Locking { leases, locked, look_ups, looked_up };
            planned(bank, lane, number, locked, items).await
        }
        Err(trouble) => {
            drop(leases);
            if let Trouble::Locked = trouble {
                doubt::learn(bank, &items).await;
            }
            Outset::Next(match trouble {
                Trouble::Locked | Trouble::Lost => Next::Again(items),
                Trouble::Malformed => Next::Halve(items),
            })
        }
    }
}

fn no_lease(code: BranchCode, error: LeaseError) -> Unavailable {
    match error {
        LeaseError::Busy => Unavailable::Busy,
        LeaseError::Connect(_) | LeaseError::Prepare(_) => {
            tracing::info!(branch = %code, error = chain(error), "no connection for a batch");
            Unavailable::Branch(code)
        }
    }
}

/// Gates in branch order, then all locks at once, then the gates are left.
async fn lock_phase(
    bank: &Bank,
    branches: &[&Branch],
    leases: &[Lease],
    items: &[Item],
    asked: &Asked,
) -> Result<Vec<Locked>, Trouble> {
    let mut sites = branches.iter().zip(leases);
    let Some((home, lease)) = sites.next() else { return Err(Trouble::Lost) };
    let accounts: Vec<Vec<AccountNumber>> =
        branches.iter().map(|branch| touched(branch.config.branch.code, items)).collect();
    let gate = timeout(GATE_WAIT, enter(home, lease)).await.map_err(|_| Trouble::Locked)??;
    // From here on home's other batches wait, whatever the other branch does.
    let inside = async {
        let mut gates = Vec::new();
        for (branch, lease) in sites {
            gates.push(enter(branch, lease).await?);
        }
        let locking = branches.iter().zip(leases).zip(&accounts).map(|((branch, lease), accounts)| {
            let session = &lease.session;
            lock::lock(session.link.client(), &session.statements, branch.config.branch, accounts, asked)
        });
        let locked = try_join_all(locking).await.map_err(|error| trouble(error.into()))?;
        let leaving = leases.iter().map(|lease| lock::leave_gate(lease.session.link.client()));
        try_join_all(leaving).await.map_err(|error| trouble(error.into()))?;
        Ok(locked)
    };
    let locked = timeout(INSIDE_WAIT, inside).await.map_err(|_| Trouble::Locked)??;
    drop(gate);
    let read = |(rows, branch): (&LockedRows, &&Branch)| rows.read(branch.config.branch, &bank.directory);
    locked.iter().zip(branches).map(read).collect::<Result<_, _>>().map_err(trouble)
}

/// This server's own gate first, so that its batches do not crowd the one in the database.
async fn enter<'a>(branch: &'a Branch, lease: &Lease) -> Result<MutexGuard<'a, ()>, Trouble> {
    let own = branch.gate.lock().await;
    lock::enter_gate(lease.session.link.client()).await.map_err(|error| trouble(error.into()))?;
    Ok(own)
}

/// The accounts of a branch that the transfers touch, each once.
fn touched(code: BranchCode, items: &[Item]) -> Vec<AccountNumber> {
    let mut accounts: Vec<AccountNumber> = items
        .iter()
        .flat_map(|item| [item.transfer.debit, item.transfer.credit])
        .filter(|number| number.branch() == code)
        .collect();
    // In order, because neighbours share a page; compared by number, which is cheaper than by key and the same order.
    accounts.sort_unstable();
    accounts.dedup();
    accounts
}

fn trouble(error: RowError) -> Trouble {
    if lock::is_lock_timeout(&error) {
        return Trouble::Locked;
    }
    match &error {
        RowError::Database(_) => {
            tracing::info!(error = chain(error), "the lock phase was interrupted, planning again");
            Trouble::Lost
        }
        RowError::Malformed { .. } => {
            tracing::error!(error = chain(error), "a branch's database is in a wrong state");
            Trouble::Malformed
        }
    }
}

async fn planned(bank: &Bank, lane: LaneKey, number: BatchId, locking: Locking, items: Vec<Item>) -> Outset {
    let Locking { leases, locked, look_ups, looked_up } = locking;
    let clocks: Vec<Timestamp> = locked.iter().map(|branch| branch.clock).collect();
    let mut accounts = Accounts::default();
    let mut stored: Vec<StoredTransfer> = Vec::new();
    let mut detached = BTreeSet::new();
    for branch in locked {
        accounts.extend(branch.accounts);
        stored.extend(branch.known);
        detached.extend(branch.detached);
    }
    let batches: HashMap<TransferId, (BatchId, Arc<CommitPath>)> =
        stored.iter().map(|row| (row.record.transfer.id, (row.batch, Arc::new(path(bank, row))))).collect();
    let clock = clocks.iter().copied().max().expect("every lane has a branch, and so a clock");
    let posted_at = plan::posted_at(clocks, accounts.values()).expect("every lane has a branch, and so a clock");
    let transfers = items.iter().map(|item| &item.transfer).collect();
    let known = stored.into_iter().map(|row| row.record).collect();
    let plan = plan::plan(PlanInput { transfers, accounts, known, detached, clock, posted_at });
    // A clock that jumps: what this server did not look up may yet be recorded, so it is not called unusable.
    let unusable = |(item, outcome): (&Item, &Outcome)| {
        matches!(outcome, Outcome::Unusable(_)) && !looked_up.contains(&item.transfer.id)
    };
    if look_ups == LookUps::Far && items.iter().zip(&plan.outcomes).any(unusable) {
        bank.replays.met();
        roll_back(leases).await;
        return Outset::Next(Next::Again(items));
    }
    if look_ups == LookUps::Far {
        match timeout(GATE_WAIT, is_recorded_elsewhere(&leases, &plan)).await {
            Ok(Ok(false)) => {}
            Ok(Ok(true)) => {
                bank.replays.met();
                roll_back(leases).await;
                return Outset::Next(Next::Again(items));
            }
            late_or_failed => {
                let error = late_or_failed.ok().and_then(Result::err).map(chain);
                tracing::info!(error, "refused ids were not looked up, planning again");
                return Outset::Next(Next::Again(items));
            }
        }
    }
    let Some((writes, path)) = written(bank, lane, &plan) else {
        // The net of one batch is beyond a bigint: smaller batches have smaller nets.
        drop(leases);
        return Outset::Next(Next::Halve(items));
    };
    let path = Arc::new(path);
    let answers = answers(items, plan.outcomes, number, &path, &batches);
    if path.parts.is_empty() {
        roll_back(leases).await;
        answers.into_iter().for_each(|(item, answer)| item.answer(answer));
        return Outset::Next(Next::Answered);
    }
    let parts = path.parts.iter().filter(|code| **code != path.home).map(|code| part(*code));
    let participants = Participants::new(number.home, parts).expect("a lane's branches are two different ones");
    let mut ready =
        Ready { batch: Batch { id: number, participants }, sites: Vec::new(), places: BTreeMap::new(), answers };
    let mut idle = Vec::new();
    for (lease, (code, writes)) in leases.into_iter().zip(writes) {
        if !path.parts.contains(&code) {
            idle.push(lease);
            continue;
        }
        let statements = lease.session.statements.clone();
        let (link, place) = lease.split();
        let writes = writes.send(Arc::clone(link.client()), statements, number, posted_at);
        ready.places.insert(part(code), place);
        ready.sites.push(Site { part: part(code), link, writes });
    }
    roll_back(idle).await;
    Outset::Ready(Box::new(ready))
}

/// Whether an id that is refused now has a record at a branch where the refusal is not recorded, and so where no
/// unique key meets it.
async fn is_recorded_elsewhere(leases: &[Lease], plan: &Plan) -> Result<bool, tokio_postgres::Error> {
    let refused = |record: &&TransferRecord| matches!(record.decision, Decision::Refused(_));
    let ids: Vec<TransferId> = plan.records().filter(refused).map(|record| record.transfer.id).collect();
    if ids.is_empty() {
        return Ok(false);
    }
    for lease in leases.iter().skip(1) {
        let session = &lease.session;
        if lock::is_any_recorded(session.link.client(), &session.statements, &ids).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What each branch of the lane has to write, and which branches that makes parts of the batch.
fn written(bank: &Bank, lane: LaneKey, plan: &Plan) -> Option<(Vec<(BranchCode, Writes)>, CommitPath)> {
    let mut path = CommitPath { home: lane.home, parts: Vec::new() };
    let mut writes = Vec::new();
    for branch in lane.branches().filter_map(|code| bank.branch(code)) {
        let id = branch.config.branch;
        let nets = nets(id.code, plan.records(), &bank.numbers).ok()?;
        let here = Writes::at(id, &plan.accounts, plan.records(), nets, &bank.numbers);
        if !here.is_empty() {
            path.parts.push(id.code);
        }
        writes.push((id.code, here));
    }
    Some((writes, path))
}

fn answers(
    items: Vec<Item>,
    outcomes: Vec<Outcome>,
    batch: BatchId,
    path: &Arc<CommitPath>,
    earlier: &HashMap<TransferId, (BatchId, Arc<CommitPath>)>,
) -> Vec<(Item, Answer)> {
    let receipt = |record, batch, commit| Arc::new(Receipt { record, batch, commit });
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
    };
    items.into_iter().zip(outcomes).map(|(item, outcome)| (item, answer(outcome))).collect()
}

/// How the batch of a stored transfer was committed.
pub(crate) fn path(bank: &Bank, row: &StoredTransfer) -> CommitPath {
    let codes = |part: &Part| bank.code_of(*part);
    let parts: Vec<BranchCode> = row.parts.iter().filter_map(codes).collect();
    CommitPath { home: bank.code_of(row.batch.home).unwrap_or(row.record.transfer.home()), parts }
}

/// Ends transactions that wrote nothing, and gives their connections back.
async fn roll_back(leases: Vec<Lease>) {
    let ended = leases.into_iter().map(|lease| async move {
        let client = Arc::clone(lease.session.link.client());
        if let Ok(Ok(())) = timeout(GATE_WAIT, lock::roll_back(&client)).await {
            lease.give_back();
        }
    });
    join_all(ended).await;
}
