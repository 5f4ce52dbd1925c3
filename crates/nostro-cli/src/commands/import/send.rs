//! Sends the lines of an import in bulks: customers, then the accounts of those that are there, then the opening
//! balances of the accounts that are there. A line that was imported at another branch is refused here and not sent.
//!
//! What stays unknown or unavailable is sent again under its id for as long as one may wait. Once a bulk ended with
//! some of it left, the next ones are sent once only until one is answered whole: a branch that is down costs its
//! wait one time and not with every bulk, and the lines of the others go on.

use super::earlier::Elsewhere;
use super::ids::ImportIds;
use super::lines::Lines;
use super::tally::{Report, Stopped, Tally};
use nostro_client::{
    Account, CashRequest, Client, ClientError, Customer, ItemOutcome, NewAccount, NewCustomer, Transfer,
    items_until_settled,
};
use nostro_core::Reference;
use std::time::Duration;

/// The most customers or accounts that the API takes at once.
const REGISTER_BULK: usize = 1_000;
/// So many deposits stay below the API's 4 MiB with the longest references in any script.
const DEPOSIT_BULK: usize = 4_000;

/// How long a bulk waits, and whether the last one used that up.
struct Patience {
    wait: Duration,
    is_spent: bool,
}

impl Patience {
    fn now(&self) -> Duration {
        if self.is_spent { Duration::ZERO } else { self.wait }
    }
}

/// Where a line stands: its number in the file, and its place among the lines.
type At = (u64, usize);

/// Sends everything and tells what became of it.
pub(super) async fn all(
    client: &Client,
    ids: &ImportIds,
    lines: &Lines,
    elsewhere: &Elsewhere,
    wait: Duration,
) -> Report {
    let mut report = Report::of(lines);
    for (at, line) in lines.customers.iter().enumerate() {
        if let Some(branch) = elsewhere.customers.get(&at) {
            report.customers.elsewhere(line.line, "branch", *branch);
        }
    }
    for (at, line) in lines.accounts.iter().enumerate() {
        // Where its customer is one of these too, that is what is to be mended.
        if let Some(branch) = elsewhere.accounts.get(&at).filter(|_| !elsewhere.customers.contains_key(&line.customer))
        {
            report.accounts.elsewhere(line.line, "customer_ref", *branch);
        }
    }
    let mut patience = Patience { wait, is_spent: false };
    let failed = steps(client, ids, lines, elsewhere, &mut patience, &mut report).await.err();
    report.stopped = failed.map(Stopped::Failed);
    report.skip_rest();
    report
}

async fn steps(
    client: &Client,
    ids: &ImportIds,
    lines: &Lines,
    elsewhere: &Elsewhere,
    patience: &mut Patience,
    report: &mut Report,
) -> Result<(), ClientError> {
    customers(client, ids, lines, elsewhere, patience, report).await?;
    accounts(client, ids, lines, elsewhere, patience, report).await?;
    balances(client, ids, lines, patience, report).await
}

async fn customers(
    client: &Client,
    ids: &ImportIds,
    lines: &Lines,
    elsewhere: &Elsewhere,
    patience: &mut Patience,
    report: &mut Report,
) -> Result<(), ClientError> {
    let sent = lines.customers.iter().enumerate().filter(|(at, _)| !elsewhere.customers.contains_key(at));
    let items = sent.map(|(at, line)| {
        let id = ids.customer(&line.reference);
        ((line.line, at), NewCustomer { id, branch: line.branch, name: line.name.to_string() })
    });
    let attempt = |new: Vec<NewCustomer>| {
        let client = client.clone();
        async move { client.create_customers(&new).await }
    };
    let Report { customers: tally, customer_numbers: numbers, .. } = report;
    let done = |at: usize, customer: Customer| numbers[at] = Some(customer.number);
    in_bulks(REGISTER_BULK, patience, tally, items, attempt, done).await
}

async fn accounts(
    client: &Client,
    ids: &ImportIds,
    lines: &Lines,
    elsewhere: &Elsewhere,
    patience: &mut Patience,
    report: &mut Report,
) -> Result<(), ClientError> {
    let Report { accounts: tally, customer_numbers: customers, account_numbers: numbers, .. } = report;
    let sent = lines.accounts.iter().enumerate().filter(|(at, _)| !elsewhere.accounts.contains_key(at));
    let items = sent.filter_map(|(at, line)| {
        let new = NewAccount {
            id: ids.account(&line.reference),
            customer: customers[line.customer]?,
            kind: line.kind.as_str().to_owned(),
            currency: line.currency,
            overdraft_limit: line.overdraft_limit.minor_units(),
        };
        Some(((line.line, at), new))
    });
    let attempt = |new: Vec<NewAccount>| {
        let client = client.clone();
        async move { client.open_accounts(&new).await }
    };
    let done = |at: usize, account: Account| numbers[at] = Some(account.number);
    in_bulks(REGISTER_BULK, patience, tally, items, attempt, done).await
}

async fn balances(
    client: &Client,
    ids: &ImportIds,
    lines: &Lines,
    patience: &mut Patience,
    report: &mut Report,
) -> Result<(), ClientError> {
    let Report { balances: tally, account_numbers: numbers, .. } = report;
    let items = lines.balances.iter().enumerate().filter_map(|(at, line)| {
        let account = &lines.accounts[line.account];
        let request = CashRequest {
            id: ids.balance(&account.reference),
            account: numbers[line.account]?,
            amount: line.amount,
            currency: account.currency,
            category: 0,
            reference: line.reference.as_ref().map(Reference::to_string),
        };
        Some(((line.line, at), request))
    });
    let attempt = |requests: Vec<CashRequest>| {
        let client = client.clone();
        async move { client.deposits(&requests).await }
    };
    let done = |_: usize, _: Transfer| {};
    in_bulks(DEPOSIT_BULK, patience, tally, items, attempt, done).await
}

/// Sends the lines of a file, a bulk after the other. `done` is told of each that is there.
async fn in_bulks<R, T, F>(
    lines_max: usize,
    patience: &mut Patience,
    tally: &mut Tally,
    mut items: impl Iterator<Item = (At, R)>,
    mut attempt: impl FnMut(Vec<R>) -> F,
    mut done: impl FnMut(usize, T),
) -> Result<(), ClientError>
where
    R: Clone,
    F: Future<Output = Result<Vec<ItemOutcome<T>>, ClientError>>,
{
    loop {
        let (places, requests): (Vec<At>, Vec<R>) = items.by_ref().take(lines_max).unzip();
        if requests.is_empty() {
            tally.end();
            return Ok(());
        }
        let outcomes = match items_until_settled(&requests, patience.now(), &mut attempt).await {
            Ok(outcomes) => outcomes,
            Err(error) => {
                tally.end();
                return Err(error);
            }
        };
        patience.is_spent =
            outcomes.iter().any(|outcome| matches!(outcome, ItemOutcome::Unavailable(_) | ItemOutcome::Unknown));
        for ((line, at), outcome) in places.into_iter().zip(outcomes) {
            match outcome {
                ItemOutcome::Done { value, replayed } => {
                    tally.done(replayed);
                    done(at, value);
                }
                ItemOutcome::Refused(problem) => tally.refused(line, &problem),
                ItemOutcome::Unavailable(problem) => tally.unavailable(line, problem.as_deref()),
                ItemOutcome::Unknown => tally.unknown(line),
            }
        }
        tally.progress();
    }
}
