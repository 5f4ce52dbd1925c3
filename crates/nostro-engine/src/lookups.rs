//! Looking accounts up, many in one question.
//!
//! While a branch answers one question the next look-ups gather, and go together: at rest a look-up is asked at once,
//! under load the database answers hundreds at the price of a few. Each is answered from a state that is not older
//! than its asking.

use crate::answer::Unavailable;
use crate::bank::Bank;
use crate::register::ReadError;
use nostro_core::{Account, AccountNumber, BranchCode};
use nostro_store::read;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};

/// Look-ups of one branch that wait: far more than the API's connections, so only a branch that hangs fills it.
const WAITING_MAX: usize = 16_384;
/// Look-ups of one question: beyond some hundreds the cost of one no longer falls.
const TOGETHER_MAX: usize = 1_000;

type Answer = Result<Option<Account>, ReadError>;

/// One that waits for its answer.
#[derive(Debug)]
struct Lookup {
    number: AccountNumber,
    answer: oneshot::Sender<Answer>,
}

/// The look-ups of a bank, each branch for itself.
#[derive(Debug)]
pub(crate) struct Lookups {
    queues: HashMap<BranchCode, mpsc::Sender<Lookup>>,
}

impl Lookups {
    /// Starts a task for each branch, until `stop` says so.
    pub(crate) fn start(bank: &Arc<Bank>, stop: &watch::Sender<bool>) -> Self {
        let queue = |code: &BranchCode| {
            let (queue, waiting) = mpsc::channel(WAITING_MAX);
            bank.tasks.spawn("look-ups", run(Arc::clone(bank), *code, waiting, stop.subscribe()));
            (*code, queue)
        };
        Self { queues: bank.branches.keys().map(queue).collect() }
    }

    /// One account.
    pub(crate) async fn account(&self, number: AccountNumber) -> Answer {
        let code = number.branch();
        let queue = self.queues.get(&code).ok_or(ReadError::UnknownBranch(code))?;
        let (answer, answered) = oneshot::channel();
        let busy = ReadError::Unavailable(Unavailable::Busy);
        queue.try_send(Lookup { number, answer }).map_err(|_| busy)?;
        answered.await.unwrap_or(Err(busy))
    }
}

async fn run(bank: Arc<Bank>, code: BranchCode, mut waiting: mpsc::Receiver<Lookup>, mut stop: watch::Receiver<bool>) {
    let mut together = Vec::new();
    loop {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            _ = waiting.recv_many(&mut together, TOGETHER_MAX) => {}
        }
        // Whoever gave up waiting is not asked for.
        together.retain(|lookup: &Lookup| !lookup.answer.is_closed());
        if together.is_empty() {
            continue;
        }
        let numbers: Vec<AccountNumber> = together.iter().map(|lookup| lookup.number).collect();
        let found = ask(&bank, code, &numbers).await;
        for Lookup { number, answer } in together.drain(..) {
            // Whoever gave up waiting needs no answer.
            let _ = answer.send(found.as_ref().map(|found| found.get(&number).cloned()).map_err(|error| *error));
        }
    }
}

async fn ask(
    bank: &Bank,
    code: BranchCode,
    numbers: &[AccountNumber],
) -> Result<HashMap<AccountNumber, Account>, ReadError> {
    let branch = bank.branch(code).ok_or(ReadError::UnknownBranch(code))?.config.branch;
    let lease = bank.reader(code).await?;
    let (client, statements) = (lease.client(), lease.session.statements.clone());
    let found = bank.ask(code, lease, read::find_accounts(&client, &statements, branch, numbers)).await?;
    Ok(found.into_iter().map(|account| (account.number, account)).collect())
}
