//! Look-ups: accounts, customers, entries, transfers.

use crate::answer::{Receipt, Unavailable};
use crate::attempt::path;
use crate::bank::{Bank, Branch};
use crate::engine::Found;
use crate::health::Health;
use crate::register::{Page, ReadError};
use futures_util::future::{join_all, try_join};
use futures_util::stream::{FuturesUnordered, StreamExt};
use nostro_core::transfer::Decision;
use nostro_core::{Account, AccountNumber, Balance, BranchCode, Customer, Entry, Hold, TransferId, TransferRecord};
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
    let client = lease.client();
    bank.ask(code, lease, read::list_customers(&client, branch, query(page))).await
}

pub(crate) async fn accounts(bank: &Bank, code: BranchCode, page: Page) -> Result<Vec<Account>, ReadError> {
    let branch = known(bank, code)?.config.branch;
    let lease = bank.reader(code).await?;
    let client = lease.client();
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
    let (client, statements) = (lease.client(), lease.session.statements.clone());
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
    let (client, statements) = (lease.client(), lease.session.statements.clone());
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
        let client = lease.client();
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

/// What is looked up before an order that names it goes on its way.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Ids of transfers.
    pub transfers: Vec<TransferId>,
    /// Ids of holds.
    pub holds: Vec<TransferId>,
    /// The one branch to ask; all if absent.
    pub branch: Option<BranchCode>,
}

/// What the branches know of it. One id may be known to two of them, for the same thing or for different ones.
#[derive(Clone, Debug, Default)]
pub struct LookedUp {
    /// A record for each branch that has one.
    pub transfers: Vec<TransferRecord>,
    /// Each is of the branch of its debit account.
    pub holds: Vec<Hold>,
    /// Why a branch could not be asked, which may know more.
    pub failed: Option<ReadError>,
}

/// Asks the branches at once, each in one round trip; one that is known to be away is not waited for.
pub(crate) async fn look_up(bank: &Bank, names: &Names) -> LookedUp {
    let asked = match asked(bank, names.branch) {
        Ok(asked) => asked,
        Err(error) => return LookedUp { failed: Some(error), ..LookedUp::default() },
    };
    let answers = asked.iter().map(|code| async move {
        if bank.branch(*code).is_none_or(|branch| branch.state().health == Health::Unreachable) {
            return Err(ReadError::Unavailable(Unavailable::Branch(*code)));
        }
        let lease = bank.reader(*code).await?;
        let client = lease.client();
        let question = try_join(
            read::find_transfers(&client, &bank.directory, names.transfers.iter().copied()),
            read::find_holds(&client, &bank.directory, &names.holds),
        );
        bank.ask(*code, lease, question).await
    });
    let mut all = LookedUp::default();
    for answer in join_all(answers).await {
        match answer {
            Ok((transfers, holds)) => {
                all.transfers.extend(transfers.into_iter().map(|row| row.record));
                all.holds.extend(holds);
            }
            Err(error) => all.failed = all.failed.or(Some(error)),
        }
    }
    all
}

fn asked(bank: &Bank, branch: Option<BranchCode>) -> Result<Vec<BranchCode>, ReadError> {
    Ok(match branch {
        Some(code) => vec![known(bank, code)?.config.branch.code],
        None => bank.branches.keys().copied().collect(),
    })
}

/// What one branch knows of a transfer.
struct Seen {
    row: StoredTransfer,
    /// How much of it has gone back, if the account that was paid is kept there.
    reversed: Option<Balance>,
}

/// Both questions are sent together.
async fn seen(bank: &Bank, code: BranchCode, id: TransferId) -> Result<Option<Seen>, ReadError> {
    let lease = bank.reader(code).await?;
    let client = lease.client();
    let question = try_join(read::find_transfers(&client, &bank.directory, [id]), read::reversed(&client, id));
    let (found, reversed) = bank.ask(code, lease, question).await?;
    Ok(found.into_iter().next().map(|row| {
        let reversed = was_paid(&row.record).then_some(reversed);
        Seen { row, reversed }
    }))
}

/// Whether a branch's row is of money that came in there and may go back.
fn was_paid(record: &TransferRecord) -> bool {
    let is_credited = matches!(record.decision, Decision::Posted { credit: Some(_), .. });
    is_credited && record.transfer.kind().is_reversible()
}

/// Asks one branch, or all; then the other branches of the transfer, for their side and whether they have finished.
pub(crate) async fn find_transfer(
    bank: &Bank,
    id: TransferId,
    branch: Option<BranchCode>,
) -> Result<Option<Found>, ReadError> {
    let asked = asked(bank, branch)?;
    let answers = join_all(asked.iter().map(|code| seen(bank, *code, id))).await;
    let mut failed = None;
    let mut found: Option<(BranchCode, Seen)> = None;
    for (code, answer) in asked.into_iter().zip(answers) {
        match answer {
            Ok(Some(seen)) => found = found.or(Some((code, seen))),
            Ok(None) => {}
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    let Some((at, Seen { row: row_found, mut reversed })) = found else { return failed.map_or(Ok(None), Err) };
    let mut record = row_found.record.clone();
    let mut settled = true;
    // A participant shows a transfer only after home has committed it.
    let home = path(bank, &row_found).home;
    if let Decision::Posted { .. } = row_found.record.decision {
        let transfer = &row_found.record.transfer;
        let others = transfer.branches().iter().filter(|code| *code != at);
        for code in others {
            match seen(bank, code, id).await {
                Ok(Some(other)) if other.row.batch == row_found.batch => {
                    record = record.merged(&other.row.record);
                    reversed = reversed.or(other.reversed);
                }
                // Decided at home; this branch has not finished, or cannot be asked whether it has.
                Ok(_) | Err(ReadError::Unavailable(_)) => settled &= code == home,
                Err(error) => return Err(error),
            }
        }
    }
    let commit = Arc::new(path(bank, &row_found));
    let receipt = Receipt { record: Arc::new(record), batch: row_found.batch, commit };
    Ok(Some(Found { receipt, settled, reversed }))
}
