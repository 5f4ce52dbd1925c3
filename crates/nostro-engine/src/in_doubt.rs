//! What an operator sees of batches in doubt, and how one is resolved on demand.
//!
//! The list only reads. Its verdict is what home has recorded by now; a batch without a row may still be decided by
//! a coordinator that lives, unless home was restored since: then nobody may guess. To resolve is to run what
//! recovery runs, no more: there is no way to name an outcome here. A batch that this server is committing right now
//! is left alone; it ends by itself.

use crate::answer::Unavailable;
use crate::bank::Bank;
use crate::health::{HomeVerdict, InDoubt, InDoubtList, ResolveError, Resolved};
use crate::register::ReadError;
use futures_util::future::join_all;
use nostro_commit::recovery::{self, Prepared, Recorded, Traces, Waiter};
use nostro_commit::{Batch, BatchId, Part, Verdict};
use nostro_core::BranchCode;
use nostro_store::rows::RowError;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::oneshot;

/// The prepared transactions of ours at every branch that nobody in this server is committing.
pub(crate) async fn list(bank: &Bank) -> Result<InDoubtList, ReadError> {
    let accounts = bank.doubt.by_gid();
    let listed = join_all(bank.branches.keys().map(|code| at_branch(bank, *code))).await;
    let mut list = InDoubtList::default();
    let (mut prepared, mut waiting) = (Vec::new(), Vec::new());
    for (code, listed) in bank.branches.keys().zip(listed) {
        match listed {
            Ok((here, waiting_here)) => {
                prepared.extend(here.into_iter().filter(|prepared| !bank.is_live(prepared.gid.batch)));
                waiting.extend(waiting_here);
            }
            Err(ReadError::Unavailable(_)) => list.unreachable.push(*code),
            Err(error) => return Err(error),
        }
    }
    let verdicts = verdicts(bank, prepared.iter().map(|prepared| prepared.gid.batch).collect()).await?;
    for prepared in prepared {
        let Prepared { gid, age } = prepared;
        list.prepared.push(InDoubt {
            batch: gid.batch,
            age,
            verdict: verdicts.get(&gid.batch).copied().unwrap_or(HomeVerdict::HomeUnreachable),
            accounts: accounts.get(&gid).cloned().unwrap_or_default(),
            waiting: waiting.iter().filter(|waiter| waiter.gid == gid).cloned().collect(),
            gid,
        });
    }
    Ok(list)
}

async fn at_branch(bank: &Bank, code: BranchCode) -> Result<(Vec<Prepared>, Vec<Waiter>), ReadError> {
    let lease = bank.reader(code).await?;
    let client = lease.client();
    let deployment = bank.connector.deployment();
    let question = async {
        let prepared = recovery::list(&client, deployment).await?;
        // Most of the time nothing is prepared; then nobody waits for it either.
        let waiting = if prepared.is_empty() { Vec::new() } else { recovery::waiting(&client, deployment).await? };
        Ok::<_, RowError>((prepared, waiting))
    };
    bank.ask(code, lease, question).await
}

/// What each batch's home has recorded, by batch.
async fn verdicts(bank: &Bank, batches: BTreeSet<BatchId>) -> Result<BTreeMap<BatchId, HomeVerdict>, ReadError> {
    let mut by_home: BTreeMap<BranchCode, Vec<BatchId>> = BTreeMap::new();
    for batch in batches {
        if let Some(home) = bank.code_of(batch.home) {
            by_home.entry(home).or_default().push(batch);
        }
    }
    let asked = join_all(by_home.iter().map(|(home, batches)| recorded(bank, *home, batches))).await;
    let mut verdicts = BTreeMap::new();
    for (batches, recorded) in by_home.values().zip(asked) {
        let recorded = match recorded {
            Ok(recorded) => recorded,
            Err(ReadError::Unavailable(_)) => continue,
            Err(error) => return Err(error),
        };
        verdicts.extend(batches.iter().map(|batch| {
            let verdict = match recorded.get(batch) {
                Some(Recorded::Decided(Verdict::Committed)) => HomeVerdict::Committed,
                Some(Recorded::Decided(Verdict::Aborted)) => HomeVerdict::Aborted,
                Some(Recorded::Nothing) => HomeVerdict::Undecided,
                Some(Recorded::Restored) => HomeVerdict::Restored,
                None => HomeVerdict::HomeUnreachable,
            };
            (*batch, verdict)
        }));
    }
    Ok(verdicts)
}

async fn recorded(
    bank: &Bank,
    home: BranchCode,
    batches: &[BatchId],
) -> Result<BTreeMap<BatchId, Recorded>, ReadError> {
    let lease = bank.reader(home).await?;
    let client = lease.client();
    let question = async { recovery::decisions(&client, batches).await.map_err(RowError::from) };
    bank.ask(home, lease, question).await
}

/// Resolves a batch as recovery does, in a task that outlives the request.
pub(crate) async fn resolve(bank: &Arc<Bank>, id: BatchId) -> Result<Resolved, ResolveError> {
    if bank.is_live(id) {
        return Err(ResolveError::Live);
    }
    if bank.code_of(id.home).is_none() {
        return Err(ResolveError::NotFound);
    }
    let batch = find(bank, id).await?;
    // Asked again: it may have begun while the branches were asked.
    if bank.is_live(id) {
        return Err(ResolveError::Live);
    }
    let (tell, told) = oneshot::channel();
    let resolving = Arc::clone(bank);
    bank.tasks.spawn("resolving", async move {
        // Whoever hung up needs no answer.
        let _ = tell.send(settle(&resolving, &batch).await);
    });
    told.await.map_err(|_| ResolveError::Read(ReadError::Bug))
}

/// The batch with its participants: from the name of a prepared transaction of it, else from a row.
async fn find(bank: &Bank, id: BatchId) -> Result<Batch, ResolveError> {
    let codes: Vec<BranchCode> = bank.branches.keys().copied().collect();
    let asked = join_all(codes.iter().map(|code| traces(bank, *code, id))).await;
    let mut recorded = None;
    let mut unavailable = None;
    for traces in asked {
        match traces {
            // The name first: the resolver holds home's row against it.
            Ok(Traces { prepared: Some(batch), .. }) => return Ok(batch),
            Ok(Traces { prepared: None, recorded: here }) => recorded = recorded.or(here),
            Err(error) => unavailable = unavailable.or(Some(error)),
        }
    }
    match (recorded, unavailable) {
        (Some(batch), _) => Ok(batch),
        (None, Some(error)) => Err(ResolveError::Read(error)),
        (None, None) => Err(ResolveError::NotFound),
    }
}

async fn traces(bank: &Bank, code: BranchCode, id: BatchId) -> Result<Traces, ReadError> {
    let lease = bank.reader(code).await?;
    let client = lease.client();
    let deployment = bank.connector.deployment();
    let question = async { recovery::traces(&client, deployment, id).await.map_err(RowError::from) };
    bank.ask(code, lease, question).await
}

async fn settle(bank: &Bank, batch: &Batch) -> Resolved {
    let resolution = recovery::settle(&bank.connector, batch).await;
    let id = batch.id;
    tracing::info!(batch = %id, verdict = ?resolution.verdict, finished = resolution.finished, "resolved a batch on demand");
    count(&resolution);
    let verdict = match resolution.verdict {
        Some(Verdict::Committed) => Some(HomeVerdict::Committed),
        Some(Verdict::Aborted) => Some(HomeVerdict::Aborted),
        // Home answered: what it has is of another batch, or lost with a restore.
        None if !resolution.alarms.is_empty() => None,
        None => Some(HomeVerdict::HomeUnreachable),
    };
    let left = if resolution.finished { Vec::new() } else { left(bank, batch).await };
    let alarms = resolution.alarms.iter().map(ToString::to_string).collect();
    Resolved { batch: id, parts: batch.parts(), verdict, finished: resolution.finished, left, alarms }
}

/// The participants that cannot be asked, or still have the transaction prepared.
async fn left(bank: &Bank, batch: &Batch) -> Vec<Part> {
    let mut left = Vec::new();
    for part in batch.participants.iter() {
        let found = match bank.code_of(part) {
            Some(code) => traces(bank, code, batch.id).await,
            None => Err(ReadError::Unavailable(Unavailable::Busy)),
        };
        if !matches!(found, Ok(Traces { prepared: None, .. })) {
            left.push(part);
        }
    }
    left
}

/// For metrics: what recovery, or an operator, achieved.
pub(crate) fn count(resolution: &nostro_commit::driver::Resolution) {
    let verdict = match resolution.verdict {
        Some(Verdict::Committed) => "committed",
        Some(Verdict::Aborted) => "aborted",
        None => "unknown",
    };
    metrics::counter!("nostro_recoveries_total", "verdict" => verdict).increment(1);
    let unfinished = u64::from(resolution.verdict.is_some() && !resolution.finished);
    metrics::counter!("nostro_recoveries_unfinished_total").increment(unfinished);
    let alarms = u64::try_from(resolution.alarms.len()).unwrap_or(u64::MAX);
    metrics::counter!("nostro_recovery_alarms_total").increment(alarms);
}
