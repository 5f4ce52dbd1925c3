//! Full audits as they stand in the database: begun, heard of, ended. They are kept at one branch, the bank's first.
//!
//! A row is written by the server that began the audit and by nobody else, while its state is `running`. Whoever has not been heard of
//! for some time is taken for dead: it is shown as `abandoned`, the next audit
//! writes that down, and a server that only stood still can write no more of it and stops.

use crate::rows::{self, RowError};
use nostro_core::finding::Findings;
use nostro_core::word::{self, WordError};
use nostro_core::{BranchCode, Timestamp};
use std::str::FromStr;
use std::time::{Duration, SystemTime};
use tokio_postgres::{Client, Row};
use uuid::Uuid;

/// An audit whose server has not said that it is at work for so long is abandoned.
pub const ABANDONED_AFTER: Duration = Duration::from_secs(10);

/// An audit that is running may end between two looks at it; then the next begins, or another is running.
const STARTS_MAX: usize = 3;

/// Of a server that was not heard of.
const SILENT: &str = "its server has not been heard of since";

/// A full audit, running or ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FullAudit {
    /// The client's id.
    pub id: Uuid,
    /// Whether nothing that was kept of closed months was taken for granted.
    pub from_scratch: bool,
    /// What it came to so far.
    pub state: AuditState,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// What it is at.
    pub progress: String,
    /// Why it came to nothing.
    pub reason: Option<String>,
    /// Batches that were in flight, and left out.
    pub batches_in_flight: i64,
    /// What could not be checked.
    pub notes: Vec<String>,
    /// What was looked at.
    pub branches: Vec<BranchLooked>,
    /// Rows that are wrong.
    pub findings: Vec<FoundRow>,
}

/// What an audit came to so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditState {
    /// It is at work.
    Running,
    /// Nothing is wrong.
    Balanced,
    /// Something is wrong.
    Unbalanced,
    /// It could not be made; nothing is known.
    Failed,
    /// Its server died or was stopped; nothing is known.
    Abandoned,
}

impl AuditState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Running, Self::Balanced, Self::Unbalanced, Self::Failed, Self::Abandoned];

    /// The word of the API and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Balanced => "balanced",
            Self::Unbalanced => "unbalanced",
            Self::Failed => "failed",
            Self::Abandoned => "abandoned",
        }
    }
}

impl FromStr for AuditState {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        word::read(&Self::ALL, Self::as_str, text)
    }
}

/// What an audit looked at in a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchLooked {
    /// Its code.
    pub branch: String,
    /// Partitions of `transfer` of which it read the rows.
    pub periods_read: i32,
    /// Partitions for which stood what an earlier audit kept.
    pub periods_known: i32,
    /// Accounts.
    pub accounts: i64,
    /// Entries of these accounts.
    pub entries: i64,
    /// Batches.
    pub batches: i64,
}

/// A row that is wrong, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRow {
    /// Where; `all` for the bank as a whole.
    pub branch: String,
    /// The rule that it breaks.
    pub rule: String,
    /// The table.
    pub table: String,
    /// Which row.
    pub key: String,
    /// What the rule asks for.
    pub expected: String,
    /// What is there.
    pub found: String,
    /// How many rows of the branch break the rule.
    pub breaches: i64,
}

/// What a request for an audit met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It is this request's, and has nobody yet who runs it.
    Now(Box<FullAudit>),
    /// An earlier request with the same id began it.
    Earlier(Box<FullAudit>),
    /// Another one is running; which one, if that was seen.
    Busy(Option<Uuid>),
}

/// What an audit found, to be written down.
#[derive(Clone, Debug, Default)]
pub struct AuditResult {
    /// What is wrong.
    pub findings: Findings,
    /// What could not be checked.
    pub notes: Vec<String>,
    /// What was looked at.
    pub branches: Vec<BranchLooked>,
    /// Batches that were left out.
    pub batches_in_flight: i64,
}

fn silence_ms() -> i64 {
    i64::try_from(ABANDONED_AFTER.as_millis()).unwrap_or(i64::MAX)
}

/// Begins an audit, unless the id was used or another one is running. One whose server is silent is abandoned by this.
pub async fn begin(client: &Client, id: Uuid, from_scratch: bool) -> Result<Begun, RowError> {
    let abandon = "
        update audit
        set state = 'abandoned', finished_at = clock_timestamp(), reason = $2
        where state = 'running' and heartbeat_at < clock_timestamp() - $1::bigint * interval '1 millisecond'";
    let insert = "insert into audit (id, from_scratch) values ($1, $2) on conflict do nothing";
    for _ in 0..STARTS_MAX {
        client.execute(abandon, &[&silence_ms(), &SILENT]).await?;
        let inserted = client.execute(insert, &[&id, &from_scratch]).await?;
        if let Some(audit) = find(client, id).await? {
            let audit = Box::new(audit);
            return Ok(if inserted == 1 { Begun::Now(audit) } else { Begun::Earlier(audit) });
        }
        if let Some(row) = client.query_opt("select id from audit where state = 'running'", &[]).await? {
            return Ok(Begun::Busy(Some(row.try_get(0)?)));
        }
    }
    Ok(Begun::Busy(None))
}

/// The audit with this id. One whose server is silent is shown as abandoned, whether that was written or not.
pub async fn find(client: &Client, id: Uuid) -> Result<Option<FullAudit>, RowError> {
    let statement = "
        select id, from_scratch, case when is_silent then 'abandoned' else state end, started_at,
          case when is_silent then heartbeat_at else finished_at end, progress,
          case when is_silent then $3 else reason end, batches_in_flight, notes
        from (
          select *, state = 'running' and heartbeat_at < clock_timestamp() - $2::bigint * interval '1 millisecond' as is_silent
          from audit
          where id = $1
        ) a";
    let Some(row) = client.query_opt(statement, &[&id, &silence_ms(), &SILENT]).await? else { return Ok(None) };
    let branches = "
        select branch, periods_read, periods_known, accounts, entries, batches from audit_branch where audit = $1 order by branch";
    let branches = client.query(branches, &[&id]).await?;
    let findings = "
        select branch, rule, source, key, expected, found, breaches from audit_finding where audit = $1 order by rank";
    let findings = client.query(findings, &[&id]).await?;
    Ok(Some(FullAudit {
        branches: branches.iter().map(branch_looked).collect::<Result<_, _>>()?,
        findings: findings.iter().map(found_row).collect::<Result<_, _>>()?,
        ..full_audit(&row)?
    }))
}

fn full_audit(row: &Row) -> Result<FullAudit, RowError> {
    Ok(FullAudit {
        id: row.try_get(0)?,
        from_scratch: row.try_get(1)?,
        state: rows::word(row, 2, "audit", "state")?,
        started_at: row.try_get::<_, SystemTime>(3)?.into(),
        finished_at: row.try_get::<_, Option<SystemTime>>(4)?.map(Timestamp::from),
        progress: row.try_get(5)?,
        reason: row.try_get(6)?,
        batches_in_flight: row.try_get(7)?,
        notes: row.try_get(8)?,
        branches: Vec::new(),
        findings: Vec::new(),
    })
}

fn branch_looked(row: &Row) -> Result<BranchLooked, RowError> {
    Ok(BranchLooked {
        branch: row.try_get(0)?,
        periods_read: row.try_get(1)?,
        periods_known: row.try_get(2)?,
        accounts: row.try_get(3)?,
        entries: row.try_get(4)?,
        batches: row.try_get(5)?,
    })
}

fn found_row(row: &Row) -> Result<FoundRow, RowError> {
    Ok(FoundRow {
        branch: row.try_get(0)?,
        rule: row.try_get(1)?,
        table: row.try_get(2)?,
        key: row.try_get(3)?,
        expected: row.try_get(4)?,
        found: row.try_get(5)?,
        breaches: row.try_get(6)?,
    })
}

/// Says that the audit is at work, and at what; `false` if it is not running any more or was silent for too long, so that whoever
/// runs it must stop: others may have seen it as abandoned.
pub async fn heartbeat(client: &Client, id: Uuid, progress: &str) -> Result<bool, RowError> {
    let statement = "
        update audit
        set heartbeat_at = clock_timestamp(), progress = $2
        where id = $1
          and state = 'running'
          and heartbeat_at >= clock_timestamp() - $3::bigint * interval '1 millisecond'";
    Ok(client.execute(statement, &[&id, &progress, &silence_ms()]).await? == 1)
}

/// Ends an audit that came to nothing; `false` if it had ended already.
pub async fn give_up(client: &Client, id: Uuid, state: AuditState, reason: &str) -> Result<bool, RowError> {
    let statement = "
        update audit
        set state = $2, finished_at = clock_timestamp(), reason = $3
        where id = $1
          and state = 'running'
          and heartbeat_at >= clock_timestamp() - $4::bigint * interval '1 millisecond'";
    Ok(client.execute(statement, &[&id, &state.as_str(), &reason, &silence_ms()]).await? == 1)
}

/// Writes down what an audit came to, all in one statement; `false` if it had ended already.
pub async fn finish(client: &Client, id: Uuid, result: &AuditResult) -> Result<bool, RowError> {
    let statement = "
        with finished as (
          update audit
          set state = $2, finished_at = clock_timestamp(), progress = '', batches_in_flight = $3, notes = $4
          where id = $1
            and state = 'running'
            and heartbeat_at >= clock_timestamp() - $19::bigint * interval '1 millisecond'
          returning id
        ), found as (
          insert into audit_finding (audit, rank, branch, rule, source, key, expected, found, breaches)
          select finished.id, f.rank, f.branch, f.rule, f.source, f.key, f.expected, f.found, f.breaches
          from finished,
            unnest($5::integer[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::bigint[])
              as f (rank, branch, rule, source, key, expected, found, breaches)
        ), looked as (
          insert into audit_branch (audit, branch, periods_read, periods_known, accounts, entries, batches)
          select finished.id, b.branch, b.periods_read, b.periods_known, b.accounts, b.entries, b.batches
          from finished,
            unnest($13::text[], $14::integer[], $15::integer[], $16::bigint[], $17::bigint[], $18::bigint[])
              as b (branch, periods_read, periods_known, accounts, entries, batches)
        )
        select id from finished";
    let state = if result.findings.is_empty() { AuditState::Balanced } else { AuditState::Unbalanced };
    let f = FindingColumns::of(&result.findings);
    let b = BranchColumns::of(&result.branches);
    let rows = client
        .query(
            statement,
            &[
                &id,
                &state.as_str(),
                &result.batches_in_flight,
                &result.notes,
                &f.rank,
                &f.branch,
                &f.rule,
                &f.source,
                &f.key,
                &f.expected,
                &f.found,
                &f.breaches,
                &b.branch,
                &b.periods_read,
                &b.periods_known,
                &b.accounts,
                &b.entries,
                &b.batches,
                &silence_ms(),
            ],
        )
        .await?;
    Ok(!rows.is_empty())
}

/// Arrays of the columns of `audit_finding`.
#[derive(Debug, Default)]
struct FindingColumns {
    rank: Vec<i32>,
    branch: Vec<String>,
    rule: Vec<&'static str>,
    source: Vec<&'static str>,
    key: Vec<String>,
    expected: Vec<String>,
    found: Vec<String>,
    breaches: Vec<i64>,
}

impl FindingColumns {
    fn of(findings: &Findings) -> Self {
        let mut columns = Self::default();
        for (rank, (finding, breaches)) in (1..).zip(findings.named()) {
            columns.rank.push(rank);
            columns.branch.push(finding.branch.as_ref().map_or("all", BranchCode::as_str).to_owned());
            columns.rule.push(finding.rule.as_str());
            columns.source.push(finding.table);
            columns.key.push(finding.key.clone());
            columns.expected.push(finding.expected.clone());
            columns.found.push(finding.found.clone());
            columns.breaches.push(i64::try_from(breaches).unwrap_or(i64::MAX));
        }
        columns
    }
}

/// Arrays of the columns of `audit_branch`.
#[derive(Debug, Default)]
struct BranchColumns {
    branch: Vec<String>,
    periods_read: Vec<i32>,
    periods_known: Vec<i32>,
    accounts: Vec<i64>,
    entries: Vec<i64>,
    batches: Vec<i64>,
}

impl BranchColumns {
    fn of(branches: &[BranchLooked]) -> Self {
        let mut columns = Self::default();
        for looked in branches {
            columns.branch.push(looked.branch.clone());
            columns.periods_read.push(looked.periods_read);
            columns.periods_known.push(looked.periods_known);
            columns.accounts.push(looked.accounts);
            columns.entries.push(looked.entries);
            columns.batches.push(looked.batches);
        }
        columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_read_back_from_their_words() {
        for state in AuditState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        let error = "paused".parse::<AuditState>().unwrap_err();
        assert_eq!(error.to_string(), "expected one of: running, balanced, unbalanced, failed, abandoned");
    }
}
