//! Look-ups: accounts, customers, entries, transfers.

use crate::answer::Receipt;
use crate::attempt::path;
use crate::bank::{Bank, Branch};
use crate::engine::Found;
use crate::register::{Page, ReadError};
use futures_util::future::{join_all, try_join};
use futures_util::stream::{FuturesUnordered, StreamExt};
use nostro_core::transfer::Decision;
use nostro_core::{Account, AccountNumber, BranchCode, Customer, Entry, Hold, TransferId, TransferRecord};
use nostro_store::read::{self, PageQuery};
use nostro_store::rows::StoredTransfer;
use std::sync::Arc;

/// A branch of the bank.
pub(crate) fn known(bank: &Bank, code: BranchCode) -> Result<&Branch, ReadError> {
    bank.branch(code).ok_or(ReadError::UnknownBranch(code))
}

fn query(page: Page) -> PageQuery {
    PageQuery { limit: i64::from(page.limit), before: page.before.unwrap_or(i64::MAX) }
}

pub(crate) async fn customers(bank: &Bank, code: BranchCode, page: Page) -> Result<Vec<Customer>, ReadError> {
    let branch = known(bank, code)?.config.branch;
    let lease = bank.reader(code).await?;
    let client = Arc::clone(lease.session.link.client());
    bank.ask(code, lease, read::list_customers(&client, branch, query(page))).await
}

pub(crate) async fn accounts(bank: &Bank, code: BranchCode, page: Page) -> Result<Vec<Account>, ReadError> {
    let branch = known(bank, code)?.config.branch;
    let lease = bank.reader(code).await?;
    let client = Arc::clone(lease.session.link.client());
    bank.ask(code, lease, read::list_accounts(&client, branch, query(page))).await
}

/// Both questions are sent together: a page waits for one round trip, not for two.
pub(crate) async fn entries(
    bank: &Bank,
    number: AccountNumber,
    page: Page,
) -> Result<Option<(Account, Vec<Entry>)>, ReadError> {
    let code = number.branch();
    let branch = known(bank, code)?.config.branch;
    let lease = bank.reader(code).await?;
    let (client, statements) = (Arc::clone(lease.session.link.client()), lease.session.statements.clone());
    let account = [number];
    let question = try_join(
        read::find_accounts(&client, &statements, branch, &account),
        read::list_entries(&client, &statements, branch, &bank.directory, number, query(page)),
    );
    let (accounts, entries) = bank.ask(code, lease, question).await?;
    Ok(accounts.into_iter().next().map(|account| (account, entries)))
}

/// Holds at an account with their serials, newest first; `None` if there is no such account.
pub(crate) async fn holds(
    bank: &Bank,
    number: AccountNumber,
    page: Page,
) -> Result<Option<Vec<(i64, Hold)>>, ReadError> {
    let code = number.branch();
    let branch = known(bank, code)?.config.branch;
    let lease = bank.reader(code).await?;
    let (client, statements) = (Arc::clone(lease.session.link.client()), lease.session.statements.clone());
    let account = [number];
    let question = try_join(
        read::find_accounts(&client, &statements, branch, &account),
        read::list_holds(&client, branch, &bank.directory, number, query(page)),
    );
    let (accounts, holds) = bank.ask(code, lease, question).await?;
    Ok(accounts.first().map(|_| holds))
}

/// Asks one branch, or all; an error while one that could have it cannot be asked.
pub(crate) async fn find_hold(
    bank: &Bank,
    id: TransferId,
    branch: Option<BranchCode>,
) -> Result<Option<Hold>, ReadError> {
    let asked = asked(bank, branch)?;
    let answers = asked.iter().map(|code| async move {
        let lease = bank.reader(*code).await?;
        let client = Arc::clone(lease.session.link.client());
        bank.ask(*code, lease, read::find_holds(&client, &bank.directory, &[id])).await
    });
    // A hold is at one branch: whoever has it answers, and nobody waits for a branch that hangs.
    let mut answers: FuturesUnordered<_> = answers.collect();
    let mut failed = None;
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(holds) => {
                if let Some(hold) = holds.into_iter().next() {
                    return Ok(Some(hold));
                }
            }
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(None), Err)
}

/// Asks all branches at once.
pub(crate) async fn find_holds(bank: &Bank, ids: &[TransferId]) -> (Vec<Hold>, Option<ReadError>) {
    let answers = bank.branches.keys().map(|code| async move {
        let lease = bank.reader(*code).await?;
        let client = Arc::clone(lease.session.link.client());
        bank.ask(*code, lease, read::find_holds(&client, &bank.directory, ids)).await
    });
    gathered(join_all(answers).await)
}

/// Asks all branches at once; a transfer may be found at two.
pub(crate) async fn find_transfers(bank: &Bank, ids: &[TransferId]) -> (Vec<TransferRecord>, Option<ReadError>) {
    let answers = bank.branches.keys().map(|code| async move {
        let lease = bank.reader(*code).await?;
        let client = Arc::clone(lease.session.link.client());
        bank.ask(*code, lease, read::find_transfers(&client, &bank.directory, ids.iter().copied())).await
    });
    let (rows, failed) = gathered(join_all(answers).await);
    (rows.into_iter().map(|row| row.record).collect(), failed)
}

/// What was found, and the first failure.
fn gathered<T>(answers: Vec<Result<Vec<T>, ReadError>>) -> (Vec<T>, Option<ReadError>) {
    let (mut all, mut failed) = (Vec::new(), None);
    for answer in answers {
        match answer {
            Ok(found) => all.extend(found),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    (all, failed)
}

fn asked(bank: &Bank, branch: Option<BranchCode>) -> Result<Vec<BranchCode>, ReadError> {
    Ok(match branch {
        Some(code) => vec![known(bank, code)?.config.branch.code],
        None => bank.branches.keys().copied().collect(),
    })
}

async fn row(bank: &Bank, code: BranchCode, id: TransferId) -> Result<Option<StoredTransfer>, ReadError> {
    let lease = bank.reader(code).await?;
    let client = Arc::clone(lease.session.link.client());
    let found = bank.ask(code, lease, read::find_transfers(&client, &bank.directory, [id])).await?;
    Ok(found.into_iter().next())
}

/// Asks one branch, or all; then the other branches of the transfer, for their side and whether they have finished.
pub(crate) async fn find_transfer(
    bank: &Bank,
    id: TransferId,
    branch: Option<BranchCode>,
) -> Result<Option<Found>, ReadError> {
    let asked = asked(bank, branch)?;
    let answers = join_all(asked.iter().map(|code| row(bank, *code, id))).await;
    let mut failed = None;
    let mut found: Option<(BranchCode, StoredTransfer)> = None;
    for (code, answer) in asked.into_iter().zip(answers) {
        match answer {
            Ok(Some(row)) => found = found.or(Some((code, row))),
            Ok(None) => {}
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    let Some((at, row_found)) = found else { return failed.map_or(Ok(None), Err) };
    let mut receipt =
        Receipt { record: row_found.record.clone(), batch: row_found.batch, commit: Arc::new(path(bank, &row_found)) };
    let mut settled = true;
    // A participant shows a transfer only after home has committed it.
    let home = path(bank, &row_found).home;
    if let Decision::Posted { .. } = row_found.record.decision {
        let transfer = &row_found.record.transfer;
        let others = transfer.branches().iter().filter(|code| *code != at);
        for code in others {
            match row(bank, code, id).await {
                Ok(Some(other)) if other.batch == row_found.batch => {
                    receipt.record = receipt.record.merged(&other.record);
                }
                // Decided at home; this branch has not finished, or cannot be asked whether it has.
                Ok(_) | Err(ReadError::Unavailable(_)) => settled &= code == home,
                Err(error) => return Err(error),
            }
        }
    }
    Ok(Some(Found { receipt, settled }))
}
