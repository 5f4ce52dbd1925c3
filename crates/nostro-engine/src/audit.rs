//! The audit over all branches (snapshot and subtract), and the trial balance.
//!
//! The order is what makes it right: the marks of all branches, then the prepared transactions of all, then the
//! snapshots of all. A batch that commits anywhere in between is either listed, or its row was written at or
//! after the mark; so it is a candidate, and the core leaves it out unless every one of its parts shows it.

use crate::answer::Unavailable;
use crate::bank::{Bank, part};
use crate::pool::Lease;
use crate::register::ReadError;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, try_join_all};
use nostro_commit::BatchId;
use nostro_commit::recovery::{self, Prepared};
use nostro_core::BranchCode;
use nostro_core::audit::{AuditReport, Candidate, Net, audit};
use nostro_core::trial_balance::{self, TrialBalance};
use nostro_store::rows::RowError;
use nostro_store::totals::{self, BatchParts, Mark};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::timeout;
use tokio_postgres::Client;

/// One step at one branch; sums over millions of accounts take seconds.
const STEP_MAX: Duration = Duration::from_secs(60);

/// A branch under audit.
struct Audited {
    code: BranchCode,
    lease: Lease,
}

/// What is read in the snapshot of a branch.
type Read<T> = for<'a> fn(&'a Client) -> BoxFuture<'a, Result<T, RowError>>;

/// What the snapshots of all branches show, and the batches that may be in one of them and not in another.
struct Cut<T> {
    shown: BTreeMap<BranchCode, T>,
    candidates: Vec<Candidate>,
}

pub(crate) async fn run(bank: &Bank) -> Result<AuditReport, ReadError> {
    let Cut { shown, candidates } = cut(bank, |client| totals::totals(client).boxed()).await?;
    Ok(audit(shown, &candidates))
}

/// Debits and credits of every branch, each in a snapshot of its own.
pub(crate) async fn trial_balance(bank: &Bank) -> Result<TrialBalance, ReadError> {
    let Cut { shown, candidates } = cut(bank, |client| totals::books(client).boxed()).await?;
    Ok(trial_balance::trial_balance(&shown, &candidates))
}

async fn cut<T>(bank: &Bank, read: Read<T>) -> Result<Cut<T>, ReadError> {
    let leases =
        bank.branches.keys().map(|code| async { Ok(Audited { code: *code, lease: bank.reader(*code).await? }) });
    let branches: Vec<Audited> = try_join_all(leases).await?;
    let marks: Vec<Mark> = at_all(bank, &branches, branches.iter().map(|branch| totals::mark(branch.client()))).await?;
    let listed = branches.iter().map(|branch| prepared(bank, branch));
    let listed = at_all(bank, &branches, listed).await?;
    at_all(bank, &branches, branches.iter().map(|branch| totals::open(branch.client()))).await?;
    let shown = branches.iter().zip(&marks).map(|(branch, mark)| show(branch, mark, read));
    let (shown, recent): (Vec<T>, Vec<BatchParts>) = at_all(bank, &branches, shown).await?.into_iter().unzip();
    let mut candidates: BatchParts = BTreeMap::new();
    for prepared in listed.iter().flatten() {
        candidates.insert(prepared.gid.batch, prepared.batch().parts().into_iter().collect());
    }
    candidates.extend(recent.into_iter().flatten());
    let ids: Vec<BatchId> = candidates.keys().copied().collect();
    let visible = branches.iter().map(|branch| totals::look_up(branch.client(), &ids));
    let visible = at_all(bank, &branches, visible).await?;
    at_all(bank, &branches, branches.iter().map(|branch| totals::close(branch.client()))).await?;
    let codes = branches.iter().map(|branch| branch.code);
    let candidates = gather(bank, &candidates, codes.clone(), visible);
    let shown = codes.zip(shown).collect();
    branches.into_iter().for_each(|branch| branch.lease.give_back());
    Ok(Cut { shown, candidates })
}

impl Audited {
    fn client(&self) -> &tokio_postgres::Client {
        self.lease.session.link.client()
    }
}

async fn prepared(bank: &Bank, branch: &Audited) -> Result<Vec<Prepared>, RowError> {
    Ok(recovery::list(branch.client(), bank.connector.deployment()).await?)
}

async fn show<T>(branch: &Audited, mark: &Mark, read: Read<T>) -> Result<(T, BatchParts), RowError> {
    let client = branch.client();
    Ok((read(client).await?, totals::recent(client, mark).await?))
}

/// One step at every branch, all at once, each within its time. `steps` are in the order of the branches.
async fn at_all<T>(
    bank: &Bank,
    branches: &[Audited],
    steps: impl Iterator<Item = impl Future<Output = Result<T, RowError>>>,
) -> Result<Vec<T>, ReadError> {
    let limited = branches.iter().zip(steps).map(|(branch, step)| async move {
        match timeout(STEP_MAX, step).await {
            Ok(answer) => answer.map_err(|error| bank.failed_read(branch.code, error)),
            Err(_) => Err(ReadError::Unavailable(Unavailable::Branch(branch.code))),
        }
    });
    try_join_all(limited).await
}

/// The candidates, in the order of their ids, with where each is visible. `visible` is in the order of the branches.
pub(crate) fn gather(
    bank: &Bank,
    candidates: &BatchParts,
    branches: impl Iterator<Item = BranchCode>,
    visible: Vec<BTreeMap<BatchId, Vec<Net>>>,
) -> Vec<Candidate> {
    let mut seen: BTreeMap<BatchId, BTreeMap<BranchCode, Vec<Net>>> = BTreeMap::new();
    for (branch, batches) in branches.zip(visible) {
        for (id, nets) in batches {
            seen.entry(id).or_default().insert(branch, nets);
        }
    }
    let known = |id: &BatchId| seen.get(id).cloned().unwrap_or_default();
    candidates
        .iter()
        .map(|(id, parts)| Candidate {
            parts: bank.branches.keys().copied().filter(|code| parts.contains(&part(*code))).collect(),
            visible: known(id),
        })
        .collect()
}
