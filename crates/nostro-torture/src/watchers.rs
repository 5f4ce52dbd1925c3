//! Audits and reads that run all the time, faults or not.

use crate::history::{Read, Recorder};
use crate::stage::Stage;
use nostro_client::{ClientError, UnknownCause};
use nostro_core::AccountNumber;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const AUDIT_PAUSE: Duration = Duration::from_millis(60);
const READ_PAUSE: Duration = Duration::from_millis(15);
/// A read that takes longer is given up: a read claims nothing.
const READ_MAX: Duration = Duration::from_secs(15);

/// What the audits said.
#[derive(Clone, Debug, Default)]
pub struct Audits {
    /// Balanced, total zero.
    pub right: usize,
    /// The others, as they were answered.
    pub wrong: Vec<String>,
    /// Those in which the naive total was not zero.
    pub naive_wrong: usize,
    /// Not answered: a branch or the server is down.
    pub unavailable: usize,
}

/// Audits by every server in turn, until told to stop.
pub async fn audit(stage: Arc<Stage>, stop: Arc<AtomicBool>) -> Audits {
    let mut audits = Audits::default();
    let mut server = 0;
    while !stop.load(Ordering::Relaxed) {
        server = (server + 1) % stage.servers();
        let client = stage.client(server);
        match tokio::time::timeout(READ_MAX, client.audit()).await {
            Ok(Ok(report)) => {
                audits.naive_wrong += usize::from(report.bank.iter().any(|line| line.naive_total != 0));
                let is_zero = !report.bank.is_empty()
                    && report.bank.iter().all(|line| line.total == 0)
                    && report.branches.len() >= 2
                    && report.branches.iter().all(|line| line.difference == 0 && line.held_difference == 0);
                if report.balanced && is_zero && report.positions.is_empty() {
                    audits.right += 1;
                } else {
                    stage.tell("an audit is wrong");
                    audits.wrong.push(format!("server {server}: {report:?}"));
                }
            }
            Ok(Err(ClientError::Rejected(problem))) => {
                audits.wrong.push(format!("server {server} rejects the audit: {problem:?}"));
            }
            Ok(Err(ClientError::Unknown { source: source @ UnknownCause::Status { status: 500, .. } })) => {
                audits.wrong.push(format!("server {server} fails at the audit: {source}"));
            }
            Ok(Err(_)) | Err(_) => audits.unavailable += 1,
        }
        tokio::time::sleep(AUDIT_PAUSE).await;
    }
    audits
}

/// Looks at accounts, until told to stop. What could not be answered is not counted.
pub async fn read(
    stage: Arc<Stage>,
    recorder: Arc<Recorder>,
    accounts: Vec<(i64, AccountNumber)>,
    seed: u64,
    stop: Arc<AtomicBool>,
) -> usize {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut answered = 0;
    while !stop.load(Ordering::Relaxed) {
        let (account, number) = accounts[random.usize(..accounts.len())];
        let client = stage.client(random.usize(..stage.servers()));
        let invoked = recorder.now();
        if let Ok(Ok(shown)) = tokio::time::timeout(READ_MAX, client.account(number)).await {
            let completed = recorder.now();
            // Customers' accounts are credit-normal, cash is debit-normal.
            let sign = if shown.normal_side == "debit" { -1 } else { 1 };
            let balance = i64::try_from(shown.posted).expect("a balance of this run") * sign;
            recorder.read(Read { account, invoked, completed, seq: shown.seq, balance });
            answered += 1;
        }
        tokio::time::sleep(READ_PAUSE).await;
    }
    answered
}
