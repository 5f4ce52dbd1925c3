//! The bank as a whole: branches, batches in doubt, the audit.

use nostro_core::audit::AuditReport;
use nostro_engine::{BranchStatus, HomeVerdict, InDoubt, InDoubtList, Resolved, Waiter};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// A branch with its health.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Branch)]
pub(crate) struct BranchView {
    #[schema(example = "AZ")]
    code: String,
    /// The leading digits of its keys in the database.
    #[schema(example = 1)]
    number: u32,
    #[schema(example = "Arizona")]
    name: String,
    #[schema(example = "America/Phoenix")]
    time_zone: String,
    /// Host and port of its database.
    #[schema(example = "127.0.0.1:5433")]
    address: String,
    /// `reachable`, `unreachable`, `clock_skew` or `wrong_identity`.
    #[schema(example = "reachable")]
    health: &'static str,
    /// Prepared transactions, when it was last reached.
    #[schema(example = 0)]
    in_doubt: usize,
}

impl From<&BranchStatus> for BranchView {
    fn from(branch: &BranchStatus) -> Self {
        Self {
            code: branch.code.to_string(),
            number: branch.number.get(),
            name: branch.name.clone(),
            time_zone: branch.time_zone.clone(),
            address: branch.address.clone(),
            health: branch.health.as_str(),
            in_doubt: branch.in_doubt,
        }
    }
}

/// What is in doubt at the branches that could be asked.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InDoubtList)]
pub(crate) struct InDoubtListView {
    data: Vec<InDoubtView>,
    /// Branches that could not be asked: there may be more.
    #[schema(example = json!([]))]
    unreachable: Vec<String>,
}

impl From<&InDoubtList> for InDoubtListView {
    fn from(list: &InDoubtList) -> Self {
        Self {
            data: list.prepared.iter().map(InDoubtView::from).collect(),
            unreachable: list.unreachable.iter().map(ToString::to_string).collect(),
        }
    }
}

/// A prepared transaction that waits for its decision.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InDoubt)]
pub(crate) struct InDoubtView {
    /// Its name in `pg_prepared_xacts`.
    #[schema(example = "n1:demo:AZ:1:4711:TX:TX")]
    gid: String,
    #[schema(example = "AZ-1-4711")]
    batch: String,
    /// Where it is prepared.
    #[schema(example = "TX")]
    branch: String,
    /// All branches of the batch, home first.
    #[schema(example = json!(["AZ", "TX"]))]
    parts: Vec<String>,
    /// Since it was prepared, on the branch's own clock.
    #[schema(example = 350)]
    age_ms: u64,
    /// What its home has recorded by now: `committed`, `aborted`, `undecided` (nothing: whoever resolves it aborts it,
    /// unless its coordinator lives and decides first), `restored` (nothing, and home was restored from a backup since: its
    /// decision may be lost, nobody may guess, a human must look) or `home_unreachable` (home cannot be asked).
    #[schema(example = "committed")]
    verdict: &'static str,
    /// Accounts that it holds, as far as a waiting transfer has met them.
    accounts: Vec<String>,
    /// Sessions of the branch's database that wait for it, and those behind them.
    waiting: Vec<WaiterView>,
}

/// A session of a branch's database that a batch in doubt keeps waiting.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Waiter)]
pub(crate) struct WaiterView {
    /// Its process, as in `pg_stat_activity`.
    #[schema(example = 4711)]
    pid: i32,
    /// As it calls itself; `nostro` is a Nostro server.
    #[schema(example = "nostro")]
    application: String,
    /// Since it began to wait, on the branch's own clock.
    #[schema(example = 120)]
    waited_ms: u64,
    /// The kind of lock, in the words of `pg_locks`: `transactionid` is a row that the batch changed or wrote, `tuple` a
    /// place in the queue for one, `relation` a table.
    #[schema(example = "transactionid")]
    lock: String,
    /// The mode, in the words of `pg_locks`.
    #[schema(example = "ShareLock")]
    mode: String,
    /// Whether it waits for the batch itself; else it waits behind a session that does.
    direct: bool,
}

impl From<&Waiter> for WaiterView {
    fn from(waiter: &Waiter) -> Self {
        Self {
            pid: waiter.pid,
            application: waiter.application.clone(),
            waited_ms: milliseconds(waiter.waited),
            lock: waiter.lock.clone(),
            mode: waiter.mode.clone(),
            direct: waiter.direct,
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl From<&InDoubt> for InDoubtView {
    fn from(found: &InDoubt) -> Self {
        let home = std::iter::once(found.batch.home);
        Self {
            gid: found.gid.to_string(),
            batch: found.batch.to_string(),
            branch: found.gid.participant.to_string(),
            parts: home.chain(found.gid.participants.iter()).map(|part| part.to_string()).collect(),
            age_ms: milliseconds(found.age),
            verdict: found.verdict.as_str(),
            accounts: found.accounts.iter().map(ToString::to_string).collect(),
            waiting: found.waiting.iter().map(WaiterView::from).collect(),
        }
    }
}

/// What resolving a batch came to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Resolved)]
pub(crate) struct ResolvedView {
    #[schema(example = "AZ-1-4711")]
    batch: String,
    /// All branches of the batch, home first.
    #[schema(example = json!(["AZ", "TX"]))]
    parts: Vec<String>,
    /// `committed` or `aborted`: home's row, for ever. `home_unreachable`: home did not answer, so the batch is in doubt
    /// as before. `contradicted`: home answered, and what it has is of another batch or was lost by a
    /// restore, see `alarms`.
    #[schema(example = "committed")]
    verdict: &'static str,
    /// Whether every branch is known to be at the verdict.
    #[schema(example = true)]
    finished: bool,
    /// Branches that could not be asked or still have it prepared. Recovery finishes them when they are back.
    #[schema(example = json!([]))]
    left: Vec<String>,
    /// What contradicts the protocol, in words: for a human, nothing repairs it.
    #[schema(example = json!([]))]
    alarms: Vec<String>,
}

impl From<&Resolved> for ResolvedView {
    fn from(resolved: &Resolved) -> Self {
        Self {
            batch: resolved.batch.to_string(),
            parts: resolved.parts.iter().map(ToString::to_string).collect(),
            verdict: resolved.verdict.map_or("contradicted", HomeVerdict::as_str),
            finished: resolved.finished,
            left: resolved.left.iter().map(ToString::to_string).collect(),
            alarms: resolved.alarms.clone(),
        }
    }
}

/// What the audit found. Figures are minor units, credits minus debits, batches in flight left out.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditReport)]
pub(crate) struct AuditView {
    /// Whether every branch, every pair of branches and the bank balance.
    balanced: bool,
    /// How many batches were in flight and left out.
    batches_in_flight: usize,
    branches: Vec<BranchAudit>,
    bank: Vec<BankAudit>,
    /// Pairs of branches that disagree; empty when balanced.
    positions: Vec<PositionAudit>,
}

/// The books of one branch in one currency.
#[derive(Debug, Serialize, ToSchema)]
struct BranchAudit {
    #[schema(example = "AZ")]
    branch: String,
    #[schema(example = "USD")]
    currency: String,
    /// Sum of all accounts.
    #[schema(example = "-100000")]
    balances: String,
    /// Sum of its positions with other branches.
    #[schema(example = "100000")]
    positions: String,
    /// Their sum: 0, or the branch's books are wrong by so much.
    #[schema(example = "0")]
    difference: String,
    /// Sum of what accounts have held.
    #[schema(example = "60000")]
    held: String,
    /// That less what open holds have left: 0, or so much is held for nothing.
    #[schema(example = "0")]
    held_difference: String,
}

/// One currency over all branches.
#[derive(Debug, Serialize, ToSchema)]
struct BankAudit {
    #[schema(example = "USD")]
    currency: String,
    /// Sum of all accounts: 0, or money was made or lost.
    #[schema(example = "0")]
    total: String,
    /// The same with batches in flight left in.
    #[schema(example = "-2500")]
    naive_total: String,
}

/// Two branches whose positions with each other are not opposite.
#[derive(Debug, Serialize, ToSchema)]
struct PositionAudit {
    #[schema(example = "AZ")]
    first: String,
    #[schema(example = "TX")]
    second: String,
    #[schema(example = "USD")]
    currency: String,
    #[schema(example = "100000")]
    difference: String,
}

impl From<&AuditReport> for AuditView {
    fn from(report: &AuditReport) -> Self {
        let branches = report.branches.iter().map(|line| BranchAudit {
            branch: line.branch.to_string(),
            currency: line.currency.to_string(),
            balances: line.balances.to_string(),
            positions: line.positions.to_string(),
            difference: line.difference.to_string(),
            held: line.held.to_string(),
            held_difference: line.held_difference.to_string(),
        });
        let bank = report.bank.iter().map(|line| BankAudit {
            currency: line.currency.to_string(),
            total: line.total.to_string(),
            naive_total: line.naive_total.to_string(),
        });
        let positions = report.positions.iter().map(|pair| PositionAudit {
            first: pair.first.to_string(),
            second: pair.second.to_string(),
            currency: pair.currency.to_string(),
            difference: pair.difference.to_string(),
        });
        Self {
            balanced: report.is_balanced(),
            batches_in_flight: report.batches_in_flight,
            branches: branches.collect(),
            bank: bank.collect(),
            positions: positions.collect(),
        }
    }
}
