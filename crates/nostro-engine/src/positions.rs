//! Rolls the nostro positions of each branch up now and then, so that an audit does not sum years of nets.
//!
//! It changes no figure ([`nostro_store::totals`] says why), so a failure is harmless: the next audit reads more
//! rows. Several servers share the work: whoever comes first does it, the others see that it is done.

use crate::bank::Bank;
use crate::register::ReadError;
use nostro_commit::with_sources;
use nostro_core::BranchCode;
use nostro_store::rows::RowError;
use nostro_store::totals;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// Between two roll-ups of a branch. A busy branch writes some hundred nets a second, so an audit then reads some
/// ten thousand rows, which takes milliseconds.
const PAUSE: Duration = Duration::from_secs(60);

/// The first roll-up of a branch that has never had one reads all its nets.
const ROLL_UP_MAX: Duration = Duration::from_secs(60);

/// Why positions were not rolled up.
#[derive(Debug, thiserror::Error)]
enum RollUpError {
    #[error("the branch cannot be asked")]
    NotAsked(ReadError),
    #[error("the database refused")]
    Refused(#[from] RowError),
    #[error("it took longer than {} s", ROLL_UP_MAX.as_secs())]
    TooLong,
}

/// Rolls up at once and then after each pause, until `stop` says so.
pub(crate) async fn run(bank: Arc<Bank>, code: BranchCode, mut stop: watch::Receiver<bool>) {
    let mut failing = false;
    loop {
        let round = async {
            match roll_up(&bank, code).await {
                Ok(done) => {
                    failing = false;
                    tracing::debug!(branch = %code, done, "rolled the positions up");
                }
                // The watcher tells that a branch is away.
                Err(RollUpError::NotAsked(_)) => {}
                Err(error) => {
                    if !failing {
                        tracing::warn!(branch = %code, error = with_sources(error), "positions are not rolled up; audits are right and take longer");
                    }
                    failing = true;
                }
            }
            tokio::time::sleep(PAUSE).await;
        };
        tokio::select! {
            () = round => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

async fn roll_up(bank: &Bank, code: BranchCode) -> Result<bool, RollUpError> {
    let lease = bank.reader(code).await.map_err(RollUpError::NotAsked)?;
    let rolling = totals::roll_up(lease.session.link.client(), PAUSE);
    let done = timeout(ROLL_UP_MAX, rolling).await.map_err(|_| RollUpError::TooLong)??;
    lease.give_back();
    Ok(done)
}
