//! Books the expiry of holds whose time has run out.
//!
//! Every server asks every branch twice a second, by the branch's own clock, and sends what is due through the branch's
//! lane like any transfer. Under the lock of the hold's account one expiry finds it open, and the others find nothing
//! left and record nothing; so it does not matter how many servers ask, nor when one dies. Until it is booked, a
//! hold past its time is refused as expired all the same.

use crate::answer::Answer;
use crate::bank::Bank;
use crate::in_flight::{Admission, InFlight};
use crate::lane::{Company, Lanes};
use crate::register::ReadError;
use futures_util::future::join_all;
use nostro_core::{BranchCode, Hold, Operation, Transfer, TransferId};
use nostro_store::read;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;
use uuid::Uuid;

/// Between two looks at a branch: an expiry is booked within two seconds of its time.
const PAUSE: Duration = Duration::from_millis(500);
/// Of one look: as many as a batch carries beside others. The next look goes on behind them at once, so that what cannot
/// be booked (its account is in doubt) does not stand in the way of what can.
const DUE_MAX: usize = 2_000;

/// Looks at one branch until `stop` says so.
pub(crate) async fn run(
    bank: Arc<Bank>,
    code: BranchCode,
    lanes: Arc<Lanes>,
    in_flight: Arc<InFlight>,
    mut stop: watch::Receiver<bool>,
) {
    let mut after = None;
    loop {
        let round = async {
            // A branch that cannot be asked is the watcher's to tell of.
            let due = due(&bank, code, after.as_ref()).await.unwrap_or_default();
            after = if due.len() < DUE_MAX { None } else { due.last().copied() };
            let booked = join_all(due.iter().map(|hold| book(hold, &lanes, &in_flight))).await;
            let booked =
                booked.iter().filter(|answer| matches!(answer, Some(Answer::Posted(_) | Answer::Settling(_)))).count();
            if booked > 0 {
                tracing::debug!(branch = %code, booked, "holds have expired");
            }
            if after.is_none() {
                sleep(PAUSE).await;
            }
        };
        tokio::select! {
            () = round => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

async fn due(bank: &Bank, code: BranchCode, after: Option<&Hold>) -> Result<Vec<Hold>, ReadError> {
    if bank.away([code]).is_some() {
        return Ok(Vec::new());
    }
    let lease = bank.reader(code).await?;
    let client = lease.client();
    let limit = i64::try_from(DUE_MAX).unwrap_or(i64::MAX);
    bank.ask(code, lease, read::due_holds(&client, &bank.directory, after, limit)).await
}

/// Its id is new each time: not the id but the hold's state sees to it that an expiry is booked once. It goes with the
/// bulks, as nobody waits for it.
async fn book(hold: &Hold, lanes: &Lanes, in_flight: &Arc<InFlight>) -> Option<Answer> {
    let transfer = Transfer {
        id: TransferId(Uuid::now_v7()),
        operation: Operation::Expiry { hold: hold.id },
        debit: hold.debit,
        credit: hold.credit,
        amount: hold.amount,
        currency: hold.currency,
        category: 0,
        reference: None,
        link: None,
    };
    let answered = match in_flight.admit(transfer.id) {
        Admission::First(busy) => lanes.entrance().submit(transfer, Company::Bulk, busy),
        Admission::Parked(_) | Admission::Crowded => return None,
    };
    answered.await.ok()
}
