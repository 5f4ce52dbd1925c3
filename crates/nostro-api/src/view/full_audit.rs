//! Full audits, running or ended.

use crate::view::Text;
use nostro_core::Timestamp;
use nostro_engine::{BranchLooked, FoundRow, FullAudit};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A full audit.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FullAudit)]
pub(crate) struct FullAuditView {
    id: Uuid,
    /// `running`; `balanced` or `unbalanced`; `failed` or `abandoned`, of which nothing is known.
    #[schema(example = "unbalanced")]
    state: &'static str,
    /// Whether every row that is there was read.
    from_scratch: bool,
    #[schema(value_type = String, example = "2026-11-23T08:00:00.000000Z")]
    started_at: Text<Timestamp>,
    /// Null while it is running. Of an abandoned one: when its server was last heard of, or stopped.
    #[schema(value_type = Option<String>, example = "2026-11-23T08:03:00.000000Z")]
    finished_at: Option<Text<Timestamp>>,
    /// What it is at, for people; empty when it has ended well.
    #[schema(example = "AZ: entries, TX: holds")]
    progress: String,
    /// Why it came to nothing; else null.
    reason: Option<String>,
    /// Batches that were in flight and not compared.
    #[schema(example = 0)]
    batches_in_flight: i64,
    /// What could not be checked, and is no finding.
    notes: Vec<String>,
    /// What was looked at.
    branches: Vec<BranchLookedView>,
    /// The first rows that break each rule at each branch.
    findings: Vec<FindingView>,
}

/// What a full audit looked at in a branch.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditedBranch)]
struct BranchLookedView {
    #[schema(example = "AZ")]
    branch: String,
    /// Partitions of `transfer` of which the rows were read.
    #[schema(example = 3)]
    periods_read: i32,
    /// Partitions for which stood what an earlier audit found right.
    #[schema(example = 11)]
    periods_known: i32,
    #[schema(example = 1042)]
    accounts: i64,
    #[schema(example = 4711)]
    entries: i64,
    #[schema(example = 815)]
    batches: i64,
}

/// A row that breaks a rule.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditFinding)]
struct FindingView {
    /// Its branch, or `all` for the bank as a whole.
    #[schema(example = "AZ")]
    branch: String,
    /// The rule, as a stable word.
    #[schema(example = "account_balance")]
    rule: String,
    /// The table in which the row stands, or should.
    #[schema(example = "account")]
    table: String,
    /// Which row.
    #[schema(example = "AZ93000000001042")]
    key: String,
    /// What the rule asks for.
    #[schema(example = "balance 40075")]
    expected: String,
    /// What is there.
    #[schema(example = "balance 40076")]
    found: String,
    /// How many rows of the branch break the rule, of which at most five are named.
    #[schema(example = 1)]
    breaches: i64,
}

impl From<&FullAudit> for FullAuditView {
    fn from(audit: &FullAudit) -> Self {
        Self {
            id: audit.id,
            state: audit.state.as_str(),
            from_scratch: audit.from_scratch,
            started_at: Text(audit.started_at),
            finished_at: audit.finished_at.map(Text),
            progress: audit.progress.clone(),
            reason: audit.reason.clone(),
            batches_in_flight: audit.batches_in_flight,
            notes: audit.notes.clone(),
            branches: audit.branches.iter().map(BranchLookedView::from).collect(),
            findings: audit.findings.iter().map(FindingView::from).collect(),
        }
    }
}

impl From<&BranchLooked> for BranchLookedView {
    fn from(looked: &BranchLooked) -> Self {
        Self {
            branch: looked.branch.clone(),
            periods_read: looked.periods_read,
            periods_known: looked.periods_known,
            accounts: looked.accounts,
            entries: looked.entries,
            batches: looked.batches,
        }
    }
}

impl From<&FoundRow> for FindingView {
    fn from(row: &FoundRow) -> Self {
        Self {
            branch: row.branch.clone(),
            rule: row.rule.clone(),
            table: row.table.clone(),
            key: row.key.clone(),
            expected: row.expected.clone(),
            found: row.found.clone(),
            breaches: row.breaches,
        }
    }
}
