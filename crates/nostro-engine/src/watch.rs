//! The watcher of each branch: health, clock, prepared transactions, and the recovery of abandoned ones.

use crate::bank::{Bank, Branch, BranchState};
use crate::health::Health;
use crate::in_doubt;
use crate::mutex::locked;
use nostro_commit::recovery::{Look, Prepared, Slots, Sweeper, recover};
use nostro_commit::{BatchId, ConnectError, with_sources};
use nostro_core::{BranchCode, Timestamp};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::watch;

/// What only a human can settle is tried, logged and counted again after this, and not at every look.
const ALARM_PAUSE: Duration = Duration::from_secs(60);

/// Batches that this server is recovering, so that a slow recovery is not begun again at every look; or until when
/// it leaves them, after an alarm.
pub(crate) type Recovering = Arc<Mutex<HashMap<BatchId, Recovery>>>;

/// Why a batch that is found is not recovered anew.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Recovery {
    AtWork,
    LeftUntil(Instant),
}

/// Looks at a branch until `stop` says so.
pub(crate) async fn run(bank: Arc<Bank>, code: BranchCode, recovering: Recovering, mut stop: watch::Receiver<bool>) {
    let Some(branch) = bank.branch(code) else { return };
    let mut sweeper = Sweeper::new(branch.part);
    // Shown from the start, so that the first one of either is an increase.
    metrics::counter!("nostro_recoveries_unfinished_total").increment(0);
    metrics::counter!("nostro_recovery_alarms_total").increment(0);
    loop {
        let pause = tokio::time::sleep(bank.limits.watch_pause);
        tokio::select! {
            () = pause => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        if let Ok(prepared) = look(&bank, branch, &mut sweeper).await {
            for abandoned in prepared.into_iter().filter(|prepared| is_abandoned(&bank, prepared)) {
                begin_recovery(&bank, &recovering, abandoned);
            }
        }
    }
}

fn is_abandoned(bank: &Bank, prepared: &Prepared) -> bool {
    prepared.age >= bank.limits.recovery_age && !bank.is_live(prepared.gid.batch)
}

fn begin_recovery(bank: &Arc<Bank>, recovering: &Recovering, prepared: Prepared) {
    let batch = prepared.gid.batch;
    if !take(&mut locked(recovering), batch) {
        return;
    }
    let (bank, recovering) = (Arc::clone(bank), Arc::clone(recovering));
    let tasks = Arc::clone(&bank);
    tasks.tasks.spawn("recovery", async move {
        let resolution = recover(&bank.connector, &prepared).await;
        in_doubt::count(&resolution);
        let mut recovering = locked(&recovering);
        if resolution.alarms.is_empty() {
            recovering.remove(&batch);
        } else {
            recovering.insert(batch, Recovery::LeftUntil(Instant::now() + ALARM_PAUSE));
        }
    });
}

/// Whether the batch is nobody's and not left for now; then it is at work.
fn take(recovering: &mut HashMap<BatchId, Recovery>, batch: BatchId) -> bool {
    let now = Instant::now();
    recovering.retain(|_, recovery| match recovery {
        Recovery::AtWork => true,
        Recovery::LeftUntil(until) => now < *until,
    });
    let free = !recovering.contains_key(&batch);
    if free {
        recovering.insert(batch, Recovery::AtWork);
    }
    free
}

/// One look: what is prepared there, and how its clock is.
pub(crate) async fn look(bank: &Bank, branch: &Branch, sweeper: &mut Sweeper) -> Result<Vec<Prepared>, ConnectError> {
    let code = branch.config.branch.code;
    let looked = async {
        let look = sweeper.look(&bank.connector).await?;
        let clock = sweeper.clock().await?;
        Ok((look, clock))
    };
    match looked.await {
        Ok((Look { prepared, slots, connected }, clock)) => {
            if connected {
                bank.replays.forget();
            }
            let clock_ahead = Timestamp::from(clock).micros() - Timestamp::from(SystemTime::now()).micros();
            bank.doubt.settle(branch.part, &prepared.iter().map(|prepared| prepared.gid.clone()).collect());
            show(code, &prepared, slots);
            bank.found(code, BranchState { health: Health::Reachable, in_doubt: prepared.len(), clock_ahead });
            Ok(prepared)
        }
        Err(error) => {
            let state = branch.state();
            let health = health_of(&error);
            if health != state.health {
                tracing::warn!(branch = %code, error = with_sources(&error), "a branch cannot be used");
            }
            bank.found(code, BranchState { health, ..state });
            Err(error)
        }
    }
}

/// The gauges of a branch. They keep their last value while it cannot be reached.
fn show(code: BranchCode, prepared: &[Prepared], slots: Slots) {
    let oldest = prepared.iter().map(|prepared| prepared.age.as_secs_f64()).fold(0.0, f64::max);
    let count = u32::try_from(prepared.len()).unwrap_or(u32::MAX);
    metrics::gauge!("nostro_prepared", "branch" => code.to_string()).set(f64::from(count));
    metrics::gauge!("nostro_prepared_oldest_seconds", "branch" => code.to_string()).set(oldest);
    metrics::gauge!("nostro_prepared_slots_used", "branch" => code.to_string()).set(f64::from(slots.used));
    metrics::gauge!("nostro_prepared_slots_max", "branch" => code.to_string()).set(f64::from(slots.max));
}

fn health_of(error: &ConnectError) -> Health {
    match error {
        ConnectError::Unreachable(..) | ConnectError::TimedOut(_) | ConnectError::UnknownPart(_) => Health::Unreachable,
        ConnectError::NotMigrated(..)
        | ConnectError::WrongIdentity { .. }
        | ConnectError::Copied(_)
        | ConnectError::Restored { .. }
        | ConnectError::PreparedDisabled(..)
        | ConnectError::TooOld(..) => Health::WrongIdentity,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_taken_by_one_recovery_and_left_for_a_while_after_an_alarm() {
        let batch: BatchId = "AZ-1-7".parse().unwrap();
        let mut recovering = HashMap::new();
        assert!(take(&mut recovering, batch));
        assert!(!take(&mut recovering, batch), "it is at work");
        recovering.insert(batch, Recovery::LeftUntil(Instant::now() + ALARM_PAUSE));
        assert!(!take(&mut recovering, batch), "a human must look first");
        recovering.insert(batch, Recovery::LeftUntil(Instant::now()));
        assert!(take(&mut recovering, batch), "nothing is left for ever");
    }
}
