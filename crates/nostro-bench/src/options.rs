//! What a bench is told, and the rules that it must keep.

use crate::database::Branch;
use crate::error::BenchError;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// As many as one bulk request of the API takes.
pub const BATCH_MAX: usize = 8_192;
/// As many as a batch of the protocol can have, home included.
pub const BRANCHES_MAX: usize = 8;
/// Each server prepares up to 9 at a branch, of 64 slots.
pub const SERVERS_MAX: usize = 4;
/// What one process can keep open beside everything else.
pub const CLIENTS_MAX: usize = 2_000;
/// Of an open loop by other runs, unless told: what comes once in some seconds, such as a vacuum, is to be met.
const OPEN_LENGTH: f64 = 6.0;
/// With a request of megabytes each.
pub const CONNECTIONS_MAX: usize = 64;
/// So many opening balances still sum to less than a bigint.
pub const ACCOUNTS_MAX: usize = 5_000_000;
/// A day's worth is another tool's.
pub const SECONDS_MAX: f64 = 3_600.0;

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Many transfers a request.
    Bulk,
    /// The same, half of them known already.
    Replays,
    /// The same, most of them to one account.
    Hot,
    /// The same, each within one branch.
    Local,
    /// Many holds a request.
    Holds,
    /// Many captures a request, each of a whole hold that was placed before.
    Captures,
    /// Many chains of two transfers a request.
    Chains,
    /// One transfer a request: at rest, closed loop, open loop.
    Single,
    /// Bulk at half speed, single clients and look-ups at once.
    Mixed,
    /// Balances and pages of entries.
    Reads,
    /// A hand-written two-phase commit for every transfer, and pgbench's TPC-B.
    Baseline,
    /// The engine's rows by hand-written statements, without a server.
    Bare,
}

impl Mode {
    /// All, in the order in which they run.
    pub const ALL: [Self; 12] = [
        Self::Baseline,
        Self::Bare,
        Self::Bulk,
        Self::Replays,
        Self::Hot,
        Self::Local,
        Self::Holds,
        Self::Captures,
        Self::Chains,
        Self::Single,
        Self::Reads,
        Self::Mixed,
    ];

    /// As on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bulk => "bulk",
            Self::Hot => "hot",
            Self::Local => "local",
            Self::Replays => "replays",
            Self::Holds => "holds",
            Self::Captures => "captures",
            Self::Chains => "chains",
            Self::Single => "single",
            Self::Mixed => "mixed",
            Self::Reads => "reads",
            Self::Baseline => "baseline",
            Self::Bare => "bare",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.map(Self::as_str).join(", ");
        Self::ALL.into_iter().find(|mode| mode.as_str() == text).ok_or(format!("expected modes of {known}"))
    }
}

/// Which ids the clients choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ids {
    /// They grow with time.
    V7,
    /// They are random.
    V4,
}

/// Where the branches are.
#[derive(Clone, Debug)]
pub enum Databases {
    /// Clusters of the bench's own.
    Own {
        /// A fresh directory is made below it.
        directory: PathBuf,
        /// PostgreSQL's programs, if they were named.
        pg_bin: Option<PathBuf>,
        /// How many.
        branches: usize,
    },
    /// Databases that somebody runs.
    Given {
        /// Where the server's logs and the configuration go.
        directory: PathBuf,
        /// PostgreSQL's programs, for pgbench.
        pg_bin: Option<PathBuf>,
        /// A configuration for `nostro serve` with `api = "127.0.0.1:0"` and absolute paths.
        config: String,
        /// The operator's key in it.
        key: String,
        /// The branches in it.
        branches: Vec<Branch>,
    },
}

/// What the transfers are like.
#[derive(Clone, Copy, Debug)]
pub struct Mix {
    /// Share of transfers between two branches.
    pub cross: f64,
    /// Share of transfers that credit one account.
    pub hot: f64,
    /// Exponent of the choice of accounts, 0 for even.
    pub zipf: f64,
    /// Share of items that repeat an id.
    pub replays: f64,
    /// The clients' ids.
    pub ids: Ids,
    /// Of all choices but the random part of the ids.
    pub seed: u64,
}

/// Everything that a bench is told.
#[derive(Clone, Debug)]
pub struct Options {
    /// The program `nostro`.
    pub program: PathBuf,
    /// Where the branches are.
    pub databases: Databases,
    /// What is measured.
    pub modes: Vec<Mode>,
    /// Customers' accounts over all branches.
    pub accounts: usize,
    /// Transfers that are there before.
    pub history: u64,
    /// The transfers.
    pub mix: Mix,
    /// Of each measured run.
    pub seconds: f64,
    /// Items in a bulk request; a bare batch has four times as many.
    pub batch: usize,
    /// Connections of the bulk loads.
    pub connections: usize,
    /// Connections of the single load.
    pub clients: usize,
    /// Connections of the look-ups.
    pub readers: usize,
    /// Requests a second of the open loop; without it 90 % of six times the baseline, or 70 % of what the closed loop reached if
    /// there was no baseline.
    pub rate: Option<u32>,
    /// Seconds of the open loop; without it six times those of other runs.
    pub open_seconds: Option<f64>,
    /// Whether reads run beside a bulk load of half speed.
    pub reads_beside_bulk: bool,
    /// Servers on the same branches.
    pub servers: usize,
    /// pgbench's `-s`.
    pub tpcb_scale: u32,
}

impl Options {
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), BenchError> {
        within("--accounts", self.accounts, 2 * self.branches(), ACCOUNTS_MAX)?;
        // A chain has two items.
        let batch_min = if self.modes.contains(&Mode::Chains) { 2 } else { 1 };
        within("--batch", self.batch, batch_min, BATCH_MAX)?;
        within("--connections", self.connections, 1, CONNECTIONS_MAX)?;
        within("--clients", self.clients, 1, CLIENTS_MAX)?;
        within("--readers", self.readers, 1, CLIENTS_MAX)?;
        within("--servers", self.servers, 1, SERVERS_MAX)?;
        within("--branches", self.branches(), 2, BRANCHES_MAX)?;
        within("--tpcb-scale", self.tpcb_scale, 1, 10_000)?;
        within("--seconds", self.seconds, 0.1, SECONDS_MAX)?;
        if let Some(seconds) = self.open_seconds {
            within("--open-seconds", seconds, 0.1, SECONDS_MAX)?;
        }
        within("--cross", self.mix.cross, 0.0, 1.0)?;
        within("--hot", self.mix.hot, 0.0, 1.0)?;
        within("--zipf", self.mix.zipf, 0.0, 5.0)?;
        within("--replays", self.mix.replays, 0.0, 0.9)?;
        if let Some(rate) = self.rate {
            within("--rate", rate, 1, 1_000_000)?;
        }
        if self.modes.is_empty() {
            return Err(BenchError::Option { option: "--modes", rule: "expected at least one mode".to_owned() });
        }
        Ok(())
    }

    pub(crate) fn branches(&self) -> usize {
        match &self.databases {
            Databases::Own { branches, .. } => *branches,
            Databases::Given { branches, .. } => branches.len(),
        }
    }

    pub(crate) fn length(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }

    pub(crate) fn open_length(&self) -> Duration {
        Duration::from_secs_f64(self.open_seconds.unwrap_or(self.seconds * OPEN_LENGTH).min(SECONDS_MAX))
    }

    /// Not counted: caches fill, plans are made, lanes open.
    pub(crate) fn warm_up(&self) -> Duration {
        Duration::from_secs_f64((self.seconds / 5.0).min(2.0))
    }
}

fn within<T: Copy + PartialOrd + std::fmt::Display>(
    option: &'static str,
    found: T,
    min: T,
    max: T,
) -> Result<(), BenchError> {
    if found >= min && found <= max {
        return Ok(());
    }
    Err(BenchError::Option { option, rule: format!("expected {min} to {max}, found {found}") })
}
