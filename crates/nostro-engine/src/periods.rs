//! Sees to it that the partitions of `transfer` are there before a batch needs them.
//!
//! A task for each branch makes this month's and the next one's. A batch that needs one nobody has made yet, because
//! a month began while no server ran, makes it before it takes a gate. Several servers may do so at once.

use crate::bank::{Bank, Branch};
use crate::item::Item;
use crate::mutex::locked;
use crate::register::ReadError;
use nostro_core::transfer_id::ID_DISTANCE_MAX;
use nostro_core::{BranchCode, Period, Timestamp, TransferId};
use nostro_store::periods;
use nostro_store::rows::RowError;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::sync::watch;

/// Between two looks ahead.
const PAUSE: Duration = Duration::from_secs(60 * 60);
/// After a look ahead that failed: the branch is away, or a table is busy.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(5);
/// So long before it begins, the next month's partition is made.
const AHEAD: Duration = Duration::from_secs(10 * 24 * 60 * 60);
/// The branch's clock decides, and this server's may differ by so much (else it is odd, and takes no transfers).
const CLOCKS_APART: Duration = Duration::from_secs(60);

/// The partitions of one branch that are known to be there.
#[derive(Debug, Default)]
pub(crate) struct Periods(Mutex<BTreeSet<Period>>);

impl Periods {
    fn missing(&self, wanted: &BTreeSet<Period>) -> Vec<Period> {
        let made = locked(&self.0);
        wanted.difference(&made).copied().collect()
    }

    fn made(&self, period: Period) {
        locked(&self.0).insert(period);
    }
}

/// Looks ahead at once and then after each pause, until `stop` says so.
pub(crate) async fn run(bank: Arc<Bank>, code: BranchCode, mut stop: watch::Receiver<bool>) {
    let Some(branch) = bank.branch(code) else { return };
    loop {
        let now = Timestamp::from(SystemTime::now());
        let round = async {
            let pause = match ensure(&bank, branch, &around(now)).await {
                Ok(()) => PAUSE,
                Err(_) => PAUSE_AFTER_FAILURE,
            };
            tokio::time::sleep(pause).await;
        };
        tokio::select! {
            () = round => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// The periods into which ids may fall from now until some days ahead.
fn around(now: Timestamp) -> BTreeSet<Period> {
    let micros = |span: Duration| i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
    let at = |shift: i64| Period::of(Timestamp::from_micros(now.micros().saturating_add(shift)));
    let months = [-micros(ID_DISTANCE_MAX), 0, micros(ID_DISTANCE_MAX), micros(AHEAD)].into_iter().filter_map(at);
    months.chain([Period::OTHER]).collect()
}

/// The periods in which the transfers may have to be recorded. Ids far from the clock are recorded nowhere.
pub(crate) fn needed(items: &[Item], now: Timestamp) -> BTreeSet<Period> {
    let far = |id: &TransferId| id.time().is_some_and(|time| time.distance(now) > ID_DISTANCE_MAX + CLOCKS_APART);
    let ids = items.iter().flat_map(Item::transfers).map(|transfer| transfer.id);
    ids.filter(|id| !far(id)).map(TransferId::period).collect()
}

/// Whether the id must be looked up, as only a recorded one is answered by anything but a refusal.
pub(crate) fn is_far(id: TransferId, now: Timestamp) -> bool {
    id.time().is_some_and(|time| time.distance(now) + CLOCKS_APART > ID_DISTANCE_MAX)
}

/// Makes what is missing at a branch.
pub(crate) async fn ensure(bank: &Bank, branch: &Branch, wanted: &BTreeSet<Period>) -> Result<(), ReadError> {
    let code = branch.config.branch.code;
    for period in branch.periods.missing(wanted) {
        let lease = bank.reader(code).await?;
        let client = lease.client();
        let making = async { periods::make(&client, period).await.map_err(RowError::from) };
        bank.ask(code, lease, making).await?;
        branch.periods.made(period);
        tracing::debug!(branch = %code, %period, "the partition of a period is there");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_made_before_a_month_begins_and_after_it_has_ended() {
        for (now, expected) in [
            ("2026-11-15T12:00:00Z", vec![0, 202_611]),
            ("2026-11-21T12:00:00Z", vec![0, 202_611, 202_612]),
            ("2026-12-01T12:00:00Z", vec![0, 202_611, 202_612]),
            ("2026-12-31T12:00:00Z", vec![0, 202_612, 202_701]),
        ] {
            let periods: Vec<i32> = around(now.parse().unwrap()).into_iter().map(Period::as_i32).collect();
            assert_eq!(periods, expected, "{now}");
        }
    }
}
