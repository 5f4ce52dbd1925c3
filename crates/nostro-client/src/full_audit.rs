//! The shapes of full audits.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A full audit to be begun.
#[derive(Serialize)]
pub(crate) struct NewAudit {
    pub(crate) id: Uuid,
    pub(crate) from_scratch: bool,
}

/// A full audit, running or ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FullAudit {
    /// Its id.
    pub id: Uuid,
    /// `running`, `balanced`, `unbalanced`, `failed` or `abandoned`.
    pub state: String,
    /// Whether every row that is there was read.
    pub from_scratch: bool,
    /// RFC 3339.
    pub started_at: String,
    /// RFC 3339; none while it is running.
    pub finished_at: Option<String>,
    /// What it is at, for people.
    pub progress: String,
    /// Why it came to nothing.
    pub reason: Option<String>,
    /// Batches that were in flight and not compared.
    pub batches_in_flight: u64,
    /// What could not be checked, and is no finding.
    pub notes: Vec<String>,
    /// What was looked at.
    pub branches: Vec<AuditedBranch>,
    /// The first rows that break each rule at each branch.
    pub findings: Vec<AuditFinding>,
}

/// What a full audit looked at in a branch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditedBranch {
    /// Its code.
    pub branch: String,
    /// Partitions of `transfer` of which the rows were read.
    pub periods_read: u32,
    /// Partitions for which stood what an earlier audit found right.
    pub periods_known: u32,
    /// Accounts.
    pub accounts: u64,
    /// Their entries.
    pub entries: u64,
    /// Batches.
    pub batches: u64,
}

/// A row that breaks a rule.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditFinding {
    /// Its branch, or `all` for the bank as a whole.
    pub branch: String,
    /// The rule, as a stable word.
    pub rule: String,
    /// The table in which the row stands, or should.
    pub table: String,
    /// Which row.
    pub key: String,
    /// What the rule asks for.
    pub expected: String,
    /// What is there.
    pub found: String,
    /// How many rows of the branch break the rule.
    pub breaches: u64,
}

impl FullAudit {
    /// Whether it has not ended.
    pub fn is_running(&self) -> bool {
        self.state == "running"
    }
}
