//! What the lanes, the watchers and the look-ups share: the branches, their connections and their state.

use crate::answer::Unavailable;
use crate::clock::odd_clocks;
use crate::config::{BranchConfig, EngineConfig, Limits};
use crate::doubt::Doubt;
use crate::health::Health;
use crate::mutex::locked;
use crate::periods::Periods;
use crate::pool::{Lease, LeaseError, Pool};
use crate::register::ReadError;
use crate::replays::Replays;
use crate::tasks::Tasks;
use nostro_commit::number::Numbers;
use nostro_commit::{BatchId, Connector, Part, with_sources};
use nostro_core::{BranchCode, BranchNumber};
use nostro_store::rows::{Directory, RowError};
use nostro_store::statements::Purpose;
use nostro_store::{BranchId, nets};
use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_postgres::types::{WasNull, WrongType};

/// A look-up waits this long for a connection, and then this long for its rows.
const READ_WAIT: Duration = Duration::from_secs(3);

/// A batch waits at most so long at the gate of its home.
pub(crate) const GATE_WAIT: Duration = Duration::from_secs(5);
/// What is asked on a reader's connection waits at most so long for each lock: an account's row may be held by a batch
/// in doubt.
const READER_LOCK_WAIT: Duration = Duration::from_secs(1);

/// One branch: its connections, its gate in this server, its state.
#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) config: BranchConfig,
    pub(crate) part: Part,
    pub(crate) writers: Arc<Pool>,
    readers: Arc<Pool>,
    /// Fair, and before the gate in the database, so that this server's batches do not crowd it.
    pub(crate) gate: tokio::sync::Mutex<()>,
    /// Batches of this server that may work here at a time, of all lanes together.
    pub(crate) turns: Arc<Semaphore>,
    /// The turn of a chain over more than two branches.
    pub(crate) wide_turn: Arc<Semaphore>,
    pub(crate) numbers: Numbers,
    pub(crate) periods: Periods,
    state: Mutex<BranchState>,
}

/// What the last look at a branch found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BranchState {
    pub(crate) health: Health,
    pub(crate) in_doubt: usize,
    /// How far its clock is ahead of this server's, in microseconds.
    pub(crate) clock_ahead: i64,
}

/// Everything that one engine works with.
#[derive(Debug)]
pub(crate) struct Bank {
    pub(crate) connector: Connector,
    pub(crate) branches: BTreeMap<BranchCode, Branch>,
    pub(crate) directory: Directory,
    pub(crate) numbers: BTreeMap<BranchCode, BranchNumber>,
    pub(crate) limits: Limits,
    pub(crate) doubt: Doubt,
    pub(crate) replays: Replays,
    pub(crate) tasks: Tasks,
    /// Batches that this server itself coordinates: its own recovery leaves them alone.
    live: Mutex<HashSet<BatchId>>,
    intake_closed: AtomicBool,
    /// Of this server, as the last look found it.
    clock_is_odd: AtomicBool,
}

impl Bank {
    pub(crate) fn new(config: EngineConfig) -> Self {
        let EngineConfig { deployment, branches, limits } = config;
        let ids: Vec<BranchId> = branches.iter().map(|branch| branch.branch).collect();
        let connector = branches.iter().fold(Connector::new(deployment), |connector, branch| {
            connector.with_part(part(branch.branch.code), branch.branch.number.get(), branch.database.clone())
        });
        let branches = branches.into_iter().map(|config| {
            let part = part(config.branch.code);
            let branch = Branch {
                part,
                writers: Pool::new(part, Purpose::Writing, limits.writers_per_branch, GATE_WAIT),
                readers: Pool::new(part, Purpose::Reading, limits.readers_per_branch, READER_LOCK_WAIT),
                gate: tokio::sync::Mutex::new(()),
                turns: Arc::new(Semaphore::new(limits.batches_at_branch_max)),
                wide_turn: Arc::new(Semaphore::new(1)),
                numbers: Numbers::default(),
                periods: Periods::default(),
                state: Mutex::new(BranchState { health: Health::Unreachable, in_doubt: 0, clock_ahead: 0 }),
                config,
            };
            (branch.config.branch.code, branch)
        });
        Self {
            connector,
            branches: branches.collect(),
            directory: ids.iter().map(|id| (id.number, id.code)).collect(),
            numbers: nets::numbers(ids),
            limits,
            doubt: Doubt::default(),
            replays: Replays::default(),
            tasks: Tasks::new(),
            live: Mutex::new(HashSet::new()),
            intake_closed: AtomicBool::new(false),
            clock_is_odd: AtomicBool::new(false),
        }
    }

    pub(crate) fn branch(&self, code: BranchCode) -> Option<&Branch> {
        self.branches.get(&code)
    }

    /// The branch with the code of a part; parts of other deployments' making have none.
    pub(crate) fn code_of(&self, part: Part) -> Option<BranchCode> {
        self.branches.values().find(|branch| branch.part == part).map(|branch| branch.config.branch.code)
    }

    pub(crate) fn close_intake(&self) {
        self.intake_closed.store(true, Ordering::Release);
    }

    /// Why this server, or one of the branches, takes no transfer now.
    pub(crate) fn turned_away(&self, codes: impl IntoIterator<Item = BranchCode>) -> Option<Unavailable> {
        if self.intake_closed.load(Ordering::Acquire) || self.clock_is_odd.load(Ordering::Acquire) {
            return Some(Unavailable::IntakeClosed);
        }
        self.away(codes)
    }

    /// Why one of the branches takes no transfer now.
    pub(crate) fn away(&self, codes: impl IntoIterator<Item = BranchCode>) -> Option<Unavailable> {
        codes.into_iter().find_map(|code| match self.branch(code).map(|branch| branch.state().health) {
            Some(Health::Reachable) => None,
            Some(Health::ClockSkew) => Some(Unavailable::ClockSkew(code)),
            Some(Health::Unreachable | Health::WrongIdentity) | None => Some(Unavailable::Branch(code)),
        })
    }

    /// Intake is open and at least one branch takes transfers.
    pub(crate) fn is_ready(&self) -> bool {
        self.branches.keys().any(|code| self.turned_away([*code]).is_none())
    }

    /// Marks a batch as this server's own for as long as the guard lives.
    pub(crate) fn coordinate(&self, batch: BatchId) -> Coordinating<'_> {
        locked(&self.live).insert(batch);
        Coordinating { bank: self, batch }
    }

    pub(crate) fn is_live(&self, batch: BatchId) -> bool {
        locked(&self.live).contains(&batch)
    }

    /// Takes what a look found, and judges all clocks by it.
    pub(crate) fn found(&self, code: BranchCode, found: BranchState) {
        let Some(branch) = self.branch(code) else { return };
        let before = std::mem::replace(&mut *locked(&branch.state), found).health;
        let reachable = |branch: &&Branch| matches!(branch.state().health, Health::Reachable | Health::ClockSkew);
        let ahead = self
            .branches
            .values()
            .filter(reachable)
            .map(|branch| (branch.config.branch.code, branch.state().clock_ahead))
            .collect();
        let odd = odd_clocks(&ahead);
        for other in ahead.keys() {
            let health = if odd.branches.contains(other) { Health::ClockSkew } else { Health::Reachable };
            if let Some(branch) = self.branch(*other) {
                locked(&branch.state).health = health;
            }
        }
        if self.clock_is_odd.swap(odd.server, Ordering::AcqRel) != odd.server {
            tracing::error!(
                odd = odd.server,
                "this server's clock against the branches': intake is closed while it is odd"
            );
        }
        let now = branch.state().health;
        let up = if now == Health::Reachable { 1.0 } else { 0.0 };
        metrics::gauge!("nostro_branch_up", "branch" => code.to_string()).set(up);
        if now != before {
            self.replays.forget();
            tracing::info!(branch = %code, health = now.as_str(), "a branch's health changed");
        }
    }

    /// A connection for look-ups.
    pub(crate) async fn reader(&self, code: BranchCode) -> Result<Lease, ReadError> {
        let branch = self.branch(code).ok_or(ReadError::UnknownBranch(code))?;
        branch.readers.lease(&self.connector, READ_WAIT).await.map_err(|error| {
            let unavailable = match error {
                LeaseError::Busy => Unavailable::Busy,
                LeaseError::Connect(_) | LeaseError::Prepare(_) => Unavailable::Branch(code),
            };
            tracing::debug!(branch = %code, error = with_sources(error), "no connection for a look-up");
            ReadError::Unavailable(unavailable)
        })
    }

    /// Runs a look-up on a leased connection within the time limit, and gives the connection back if all is well.
    pub(crate) async fn ask<T>(
        &self,
        code: BranchCode,
        lease: Lease,
        question: impl Future<Output = Result<T, RowError>>,
    ) -> Result<T, ReadError> {
        match timeout(READ_WAIT, question).await {
            Ok(Ok(answer)) => {
                lease.give_back();
                Ok(answer)
            }
            Ok(Err(error)) => Err(self.failed_read(code, error)),
            Err(_) => Err(ReadError::Unavailable(Unavailable::Branch(code))),
        }
    }

    pub(crate) fn failed_read(&self, code: BranchCode, error: RowError) -> ReadError {
        match &error {
            RowError::Database(database) => match database.code() {
                Some(state) if !nostro_commit::classify::is_connection_loss(state) => {
                    tracing::error!(branch = %code, error = with_sources(error), "a look-up failed");
                    ReadError::Bug
                }
                None if is_misread(database) => {
                    tracing::error!(branch = %code, error = with_sources(error), "a look-up was read wrongly");
                    ReadError::Bug
                }
                Some(_) | None => ReadError::Unavailable(Unavailable::Branch(code)),
            },
            RowError::Malformed { .. } => {
                tracing::error!(branch = %code, error = with_sources(error), "a branch's database is in a wrong state");
                ReadError::Bug
            }
        }
    }
}

impl Branch {
    pub(crate) fn state(&self) -> BranchState {
        *locked(&self.state)
    }
}

/// While it lives, this server coordinates the batch.
pub(crate) struct Coordinating<'a> {
    bank: &'a Bank,
    batch: BatchId,
}

impl Drop for Coordinating<'_> {
    fn drop(&mut self) {
        locked(&self.bank.live).remove(&self.batch);
    }
}

/// Whether a column was not of the type that it was read as: a bug, and no word of the connection.
fn is_misread(error: &tokio_postgres::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<WrongType>() || source.is::<WasNull>())
}

/// A branch's code as the part of a batch: every branch code is a part code.
pub(crate) fn part(code: BranchCode) -> Part {
    code.as_str().parse().expect("2 to 4 capital letters are a part")
}
