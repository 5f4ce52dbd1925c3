//! What a full audit checks, over all branches, in one consistent cut.
//!
//! The cut is that of the totals ([`crate::audit`]): the marks of all branches, then what is prepared at all, then the snapshots of all.
//! Batches that one snapshot shows and another does not are in flight and not compared. Each branch is judged by itself, all at
//! once; then the batches are, one after the other, at all branches together. What was right of closed months is kept at the end.

use super::branch::{self, Looked};
use super::merge::{self, Side};
use super::{Failure, Progress};
use crate::audit::gather;
use crate::bank::{Bank, part};
use futures_util::future::try_join_all;
use nostro_commit::{BatchId, Link, recovery, with_sources};
use nostro_core::BranchCode;
use nostro_core::audit::{AuditReport, audit};
use nostro_core::batch_sides::{Archived, Differing, first_difference};
use nostro_core::finding::{FINDINGS_OF_RULE_MAX, Findings};
use nostro_store::BranchId;
use nostro_store::audit_batches;
use nostro_store::audit_periods::{self, AuditedPeriods};
use nostro_store::audit_rows;
use nostro_store::audits::{AuditResult, BranchLooked};
use nostro_store::rows::RowError;
use nostro_store::totals::{self, BatchParts};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use tokio_postgres::Client;
use uuid::Uuid;

/// A connection of the audit's own.
pub(super) struct Session {
    pub(super) branch: BranchId,
    link: Link,
}

impl Session {
    pub(super) fn client(&self) -> &Client {
        self.link.client()
    }
}

/// What the snapshots show in sum.
struct Cut {
    report: AuditReport,
    in_flight: HashSet<String>,
}

pub(super) async fn examine(
    bank: &Bank,
    id: Uuid,
    from_scratch: bool,
    progress: &Progress,
) -> Result<AuditResult, Failure> {
    let sessions = try_join_all(bank.branches.keys().map(|code| session(bank, *code))).await?;
    let closed = sessions.iter().map(|session| audit_periods::closed(session.client()));
    let closed = at_all(&sessions, closed).await?;
    let cut = open(bank, &sessions, progress).await?;
    let periods = sessions.iter().map(|session| audit_periods::periods(session.client(), from_scratch));
    let periods = at_all(&sessions, periods).await?;
    let looked = sessions.iter().zip(&periods).map(|(session, periods)| branch::look(session, periods, progress));
    let looked: Vec<Looked> = at_all(&sessions, looked).await?;
    let mut findings = Findings::default();
    let figures: Vec<(u64, u64)> = looked.iter().map(|looked| (looked.accounts, looked.entries)).collect();
    looked.into_iter().for_each(|looked| findings.extend(looked.findings));
    let sides = sessions.iter().zip(&periods).map(|(session, periods)| {
        progress.at(session.branch.code, "batches");
        Side::open(session, periods)
    });
    let mut sides: Vec<Side> = at_all(&sessions, sides).await?;
    let archived = periods.iter().map(|periods| periods.archived.clone());
    let archived: BTreeMap<BranchCode, Archived> =
        sessions.iter().map(|session| session.branch.code).zip(archived).collect();
    let differing = merge::merge(&mut sides, &cut.in_flight, &archived, &mut findings).await?;
    let batches: Vec<u64> = sides.iter().map(Side::batches).collect();
    drop(sides);
    for pair in differing.iter().take(FINDINGS_OF_RULE_MAX) {
        name(&sessions, pair, &mut findings).await?;
    }
    findings.add_totals(&cut.report);
    let mut result = AuditResult {
        batches_in_flight: figure(u64::try_from(cut.report.batches_in_flight).unwrap_or(u64::MAX)),
        ..AuditResult::default()
    };
    let figures = figures.into_iter().zip(batches);
    for ((session, periods), ((accounts, entries), batches)) in sessions.iter().zip(&periods).zip(figures) {
        result.notes.extend(note(session.branch.code, &periods.archived));
        result.branches.push(BranchLooked {
            branch: session.branch.code.to_string(),
            periods_read: count(&periods.read),
            periods_known: count(&periods.known),
            accounts: figure(accounts),
            entries: figure(entries),
            batches: figure(batches),
        });
    }
    at_all(&sessions, sessions.iter().map(|session| totals::close(session.client()))).await?;
    for ((session, periods), closed) in sessions.iter().zip(&periods).zip(&closed) {
        if findings.spare(session.branch.code) {
            progress.at(session.branch.code, "keeping closed months");
            keep(session, periods, closed, id).await;
        }
    }
    Ok(AuditResult { findings, ..result })
}

fn figure(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn count(periods: &[i32]) -> i32 {
    i32::try_from(periods.len()).unwrap_or(i32::MAX)
}

/// What is said of months of which nothing is known.
fn note(branch: BranchCode, archived: &Archived) -> Option<String> {
    let months: Vec<String> = archived.periods.iter().map(ToString::to_string).collect();
    (!months.is_empty()).then(|| {
        let months = months.join(", ");
        format!("{branch}: {months} of transfer was detached before it was audited; what depends on it is not checked")
    })
}

async fn session(bank: &Bank, code: BranchCode) -> Result<Session, Failure> {
    let link = bank.connector.connect(part(code)).await.map_err(|error| Failure::Connect(code, error))?;
    let number = bank.branch(code).map(|branch| branch.config.branch.number);
    let number = number.expect("the code is that of a branch of this bank");
    let session = Session { branch: BranchId { code, number }, link };
    audit_rows::prepare(session.client()).await.map_err(failed(code))?;
    Ok(session)
}

fn failed(code: BranchCode) -> impl FnOnce(RowError) -> Failure {
    move |error| Failure::Read(code, error)
}

/// One step at every branch, all at once. `steps` are in the order of the branches.
async fn at_all<T>(
    sessions: &[Session],
    steps: impl Iterator<Item = impl Future<Output = Result<T, RowError>>>,
) -> Result<Vec<T>, Failure> {
    let named = sessions
        .iter()
        .zip(steps)
        .map(|(session, step)| async move { step.await.map_err(|error| Failure::Read(session.branch.code, error)) });
    try_join_all(named).await
}

/// Opens the snapshots, adds up, and finds the batches that are in flight between them.
async fn open(bank: &Bank, sessions: &[Session], progress: &Progress) -> Result<Cut, Failure> {
    for session in sessions {
        progress.at(session.branch.code, "totals");
    }
    let marks = at_all(sessions, sessions.iter().map(|session| totals::mark(session.client()))).await?;
    let deployment = bank.connector.deployment();
    let listed = sessions
        .iter()
        .map(|session| async move { Ok::<_, RowError>(recovery::list(session.client(), deployment).await?) });
    let listed = at_all(sessions, listed).await?;
    at_all(sessions, sessions.iter().map(|session| audit_rows::open(session.client()))).await?;
    let sums = at_all(sessions, sessions.iter().map(|session| totals::totals(session.client()))).await?;
    let recent = sessions.iter().zip(&marks).map(|(session, mark)| totals::recent(session.client(), mark));
    let recent = at_all(sessions, recent).await?;
    let mut candidates: BatchParts = BTreeMap::new();
    for prepared in listed.iter().flatten() {
        candidates.insert(prepared.gid.batch, prepared.batch().parts().into_iter().collect());
    }
    candidates.extend(recent.into_iter().flatten());
    let ids: Vec<BatchId> = candidates.keys().copied().collect();
    let visible = at_all(sessions, sessions.iter().map(|session| totals::look_up(session.client(), &ids))).await?;
    let seen = gather(bank, &candidates, sessions.iter().map(|session| session.branch.code), visible);
    let in_flight = ids.iter().zip(&seen).filter(|(_, candidate)| candidate.is_in_flight());
    let in_flight = in_flight.map(|(id, _)| id.to_string()).collect();
    let sums = sessions.iter().map(|session| session.branch.code).zip(sums).collect();
    Ok(Cut { report: audit(sums, &seen), in_flight })
}

/// Names the first transfer of a batch that two branches do not have alike.
async fn name(sessions: &[Session], pair: &Differing, findings: &mut Findings) -> Result<(), Failure> {
    let at = |code: BranchCode| sessions.iter().find(|session| session.branch.code == code);
    let Some((first, second)) = at(pair.first).zip(at(pair.second)) else { return Ok(()) };
    let numbers = (first.branch.number, second.branch.number);
    let contents =
        [first, second].map(|session| audit_batches::contents(session.client(), &pair.batch, numbers.0, numbers.1));
    let [one, other] = contents;
    let one = one.await.map_err(failed(pair.first))?;
    let other = other.await.map_err(failed(pair.second))?;
    if let Some(finding) = first_difference(pair, &one, &other) {
        findings.push_shared(finding, [pair.first, pair.second]);
    }
    Ok(())
}

/// Keeps the closed months that were read and found right. One that cannot be kept, or was taken out since the snapshot, is read
/// again by the next audit, if it is there.
async fn keep(session: &Session, periods: &AuditedPeriods, closed: &BTreeSet<i32>, audit: Uuid) {
    let code = session.branch.code;
    for period in periods.read.iter().filter(|period| closed.contains(*period) && !periods.compared.contains(*period)) {
        match audit_periods::keep(session.client(), *period, audit).await {
            Ok(true) => tracing::info!(branch = %code, period, "a closed month is kept"),
            Ok(false) => {
                tracing::info!(branch = %code, period, "a closed month was kept before, or taken out meanwhile")
            }
            Err(error) => {
                tracing::warn!(branch = %code, period, error = with_sources(error), "a closed month was not kept");
                return;
            }
        }
    }
}
