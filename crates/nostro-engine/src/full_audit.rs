//! The full audit: begun by a request, run by a task of this engine, told of in the bank's first branch.
//!
//! - here: who runs it, the signs of life, and how it ends
//! - [`examine`]: what is checked, over all branches; [`branch`]: what is checked in one; [`merge`]: one batch after the other at all of them
//!
//! It has connections of its own, one for each branch, and reads in one snapshot of each, so it waits for no batch and no batch for
//! it. Its row says every two seconds that it is at work. A server that dies leaves a row that falls silent, and the next
//! audit may begin; a server that only stood still finds its row taken and stops. A shutdown ends it at once.

mod branch;
mod examine;
mod merge;

use crate::answer::Unavailable;
use crate::bank::Bank;
use crate::mutex::locked;
use crate::register::ReadError;
use nostro_commit::{ConnectError, with_sources};
use nostro_core::BranchCode;
use nostro_store::audits::{self, ABANDONED_AFTER, AuditResult, AuditState, FullAudit};
use nostro_store::rows::RowError;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

/// Between two signs of life: a fifth of the silence after which an audit is taken for abandoned.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// What an audit came to is written down in so many tries, a second apart, all before it would be taken for abandoned.
const WRITES_MAX: usize = 3;
const WRITE_PAUSE: Duration = Duration::from_secs(1);
/// Why an audit ends with its server.
const STOPPED: &str = "its server was stopped";

/// An audit that is there now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartedAudit {
    /// As it stands.
    pub audit: FullAudit,
    /// Whether an earlier request began it.
    pub replayed: bool,
}

/// Why no audit was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAuditError {
    /// The id was used for one that differs in whether it is from scratch.
    IdConflict,
    /// Another one is running; which one, if that was seen.
    Busy(Option<Uuid>),
    /// The branch that keeps audits could not be asked; or a bug.
    Read(ReadError),
}

/// Why an audit came to nothing.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("branch {0} cannot be reached or used")]
    Connect(BranchCode, #[source] ConnectError),
    #[error("branch {0} did not answer all that it was asked")]
    Read(BranchCode, #[source] RowError),
}

/// What each branch is at, for people.
#[derive(Debug, Default)]
struct Progress(Mutex<BTreeMap<BranchCode, &'static str>>);

impl Progress {
    fn at(&self, branch: BranchCode, what: &'static str) {
        locked(&self.0).insert(branch, what);
    }

    fn words(&self) -> String {
        let at = locked(&self.0);
        let words: Vec<String> = at.iter().map(|(branch, what)| format!("{branch}: {what}")).collect();
        words.join(", ")
    }
}

/// How the run of an audit ended.
enum Ended {
    Examined(Result<AuditResult, Failure>),
    Taken,
    Stopped,
}

/// What is written of it.
enum Ending {
    Finished(AuditResult),
    GivenUp(AuditState, String),
}

/// The branch that keeps the audits: the first in branch order.
fn keeper(bank: &Bank) -> BranchCode {
    *bank.branches.keys().next().expect("an engine without a branch does not start")
}

/// Begins an audit and has a task of the engine's own run it, whether or not whoever asked waits for the answer.
pub(crate) async fn start(
    bank: &Arc<Bank>,
    stop: watch::Receiver<bool>,
    id: Uuid,
    from_scratch: bool,
) -> Result<StartedAudit, StartAuditError> {
    if let Some(unavailable) = bank.turned_away([keeper(bank)]) {
        return Err(StartAuditError::Read(ReadError::Unavailable(unavailable)));
    }
    let (tell, told) = oneshot::channel();
    let owned = Arc::clone(bank);
    bank.tasks.spawn("audit", async move {
        let begun = begin(&owned, id, from_scratch).await;
        let is_ours = matches!(&begun, Ok(begun) if !begun.replayed);
        // Whoever asked may be gone.
        let _ = tell.send(begun);
        if is_ours {
            run(&owned, id, from_scratch, stop).await;
        }
    });
    // Without a word its task is gone, which stops the process.
    told.await.unwrap_or(Err(StartAuditError::Read(ReadError::Unavailable(Unavailable::IntakeClosed))))
}

async fn begin(bank: &Bank, id: Uuid, from_scratch: bool) -> Result<StartedAudit, StartAuditError> {
    let lease = bank.reader(keeper(bank)).await.map_err(StartAuditError::Read)?;
    let client = lease.client();
    let begun = bank.ask(keeper(bank), lease, audits::begin(&client, id, from_scratch)).await;
    match begun.map_err(StartAuditError::Read)? {
        audits::Begun::Now(audit) => Ok(StartedAudit { audit: *audit, replayed: false }),
        audits::Begun::Earlier(audit) if audit.from_scratch == from_scratch => {
            Ok(StartedAudit { audit: *audit, replayed: true })
        }
        audits::Begun::Earlier(_) => Err(StartAuditError::IdConflict),
        audits::Begun::Busy(running) => Err(StartAuditError::Busy(running)),
    }
}

/// The audit with this id.
pub(crate) async fn find(bank: &Bank, id: Uuid) -> Result<Option<FullAudit>, ReadError> {
    let lease = bank.reader(keeper(bank)).await?;
    let client = lease.client();
    bank.ask(keeper(bank), lease, audits::find(&client, id)).await
}

async fn run(bank: &Bank, id: Uuid, from_scratch: bool, mut stop: watch::Receiver<bool>) {
    tracing::info!(audit = %id, from_scratch, "a full audit began");
    let progress = Progress::default();
    let ended = {
        // Large, as it holds what is asked of every branch.
        let examining = Box::pin(examine::examine(bank, id, from_scratch, &progress));
        tokio::select! {
            examined = examining => Ended::Examined(examined),
            () = live(bank, id, &progress) => Ended::Taken,
            _ = stop.wait_for(|stop| *stop) => Ended::Stopped,
        }
    };
    let ending = match ended {
        Ended::Examined(Ok(result)) => {
            tracing::info!(audit = %id, balanced = result.findings.is_empty(), "a full audit is through");
            Ending::Finished(result)
        }
        Ended::Examined(Err(failure)) => {
            let reason = failure.to_string();
            tracing::warn!(audit = %id, error = with_sources(failure), "a full audit failed");
            Ending::GivenUp(AuditState::Failed, reason)
        }
        Ended::Taken => {
            tracing::warn!(audit = %id, "a full audit is given up: it was silent for too long");
            return;
        }
        Ended::Stopped => {
            tracing::info!(audit = %id, "a full audit ends with its server");
            Ending::GivenUp(AuditState::Abandoned, STOPPED.to_owned())
        }
    };
    write(bank, id, &ending).await;
}

/// Says that the audit is at work, until nobody believes that any more.
async fn live(bank: &Bank, id: Uuid, progress: &Progress) {
    let mut heard = Instant::now();
    loop {
        sleep(HEARTBEAT).await;
        match beat(bank, id, &progress.words()).await {
            Ok(true) => heard = Instant::now(),
            Ok(false) => return,
            Err(_) if heard.elapsed() >= ABANDONED_AFTER => return,
            Err(_) => {}
        }
    }
}

async fn beat(bank: &Bank, id: Uuid, progress: &str) -> Result<bool, ReadError> {
    let lease = bank.reader(keeper(bank)).await?;
    let client = lease.client();
    bank.ask(keeper(bank), lease, audits::heartbeat(&client, id, progress)).await
}

/// Writes how an audit ended. If it cannot be written the audit falls silent and is taken for abandoned, which is true.
async fn write(bank: &Bank, id: Uuid, ending: &Ending) {
    for _ in 0..WRITES_MAX {
        match write_once(bank, id, ending).await {
            Ok(true) => return,
            Ok(false) => {
                tracing::warn!(audit = %id, "how a full audit ended is not written: it was taken for abandoned");
                return;
            }
            Err(error) => tracing::debug!(audit = %id, ?error, "how a full audit ended could not be written yet"),
        }
        sleep(WRITE_PAUSE).await;
    }
    tracing::warn!(audit = %id, "how a full audit ended could not be written");
}

async fn write_once(bank: &Bank, id: Uuid, ending: &Ending) -> Result<bool, ReadError> {
    let lease = bank.reader(keeper(bank)).await?;
    let client = lease.client();
    let writing = async {
        match ending {
            Ending::Finished(result) => audits::finish(&client, id, result).await,
            Ending::GivenUp(state, reason) => audits::give_up(&client, id, *state, reason).await,
        }
    };
    bank.ask(keeper(bank), lease, writing).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_tells_of_each_branch_in_branch_order() {
        let progress = Progress::default();
        assert_eq!(progress.words(), "");
        progress.at("TX".parse().unwrap(), "entries");
        progress.at("AZ".parse().unwrap(), "holds");
        progress.at("TX".parse().unwrap(), "batches");
        assert_eq!(progress.words(), "AZ: holds, TX: batches");
    }
}
