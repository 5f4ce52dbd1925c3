//! Changes of accounts' limits and states: at the account's branch, under the account's lock.
//!
//! A lock that is not had in time changes nothing, and is told by who has it: a batch in doubt, or one that lives. An
//! answer that is lost may be that to the commit, so it is unknown whether the account was changed.

use crate::answer::Unavailable;
use crate::bank::Bank;
use crate::doubt;
use crate::register::{Made, Page, ReadError, RegisterError};
use crate::registry::{failed, known, lost};
use futures_util::future::try_join;
use nostro_core::{Account, AccountNumber, ChangeRecord, ChangeRefusal};
use nostro_store::account_change::{self, ChangeRequest, Changing};
use nostro_store::{lock, read};
use std::slice;

pub(crate) async fn change(bank: &Bank, request: &ChangeRequest) -> Result<Made<Account>, RegisterError> {
    let code = request.number.branch();
    let branch = known(bank, code)?;
    if !bank.doubt.holders(std::iter::once(request.number)).is_empty() {
        return Err(RegisterError::Unavailable(Unavailable::AccountInDoubt(request.number)));
    }
    let lease = bank.reader(code).await.map_err(failed)?;
    let client = lease.client();
    let question = async {
        match account_change::change_account(&client, branch.config.branch, request).await {
            Err(error) if lock::is_lock_timeout(&error) => {
                lock::roll_back(&client).await?;
                Ok(None)
            }
            changing => changing.map(Some),
        }
    };
    match bank.ask(code, lease, question).await.map_err(|error| lost(code, error))? {
        Some(changing) => made(changing),
        // Rolled back; who has the row is asked anew.
        None => Err(RegisterError::Unavailable(doubt::holder(bank, request.number).await.map_err(failed)?)),
    }
}

fn made(changing: Changing) -> Result<Made<Account>, RegisterError> {
    match changing {
        Changing::Changed(value) => Ok(Made { value, replayed: false }),
        Changing::Replayed(value) => Ok(Made { value, replayed: true }),
        Changing::Conflict(field) => Err(RegisterError::IdConflict(field)),
        Changing::Refused(ChangeRefusal::NotEmpty) => Err(RegisterError::AccountNotEmpty),
        Changing::Refused(ChangeRefusal::Closed) => Err(RegisterError::AccountClosed),
        Changing::Refused(ChangeRefusal::BankAccount) => Err(RegisterError::BankAccount),
        Changing::NotFound => Err(RegisterError::AccountNotFound),
    }
}

/// The changes of an account, newest first; `None` if there is no such account.
pub(crate) async fn list(
    bank: &Bank,
    number: AccountNumber,
    page: Page,
) -> Result<Option<Vec<ChangeRecord>>, ReadError> {
    let code = number.branch();
    let branch = bank.branch(code).ok_or(ReadError::UnknownBranch(code))?.config.branch;
    let lease = bank.reader(code).await?;
    let (client, statements) = (lease.client(), lease.session.statements.clone());
    let question = try_join(
        read::find_accounts(&client, &statements, branch, slice::from_ref(&number)),
        account_change::list_changes(&client, branch, number, page.before, i64::from(page.limit)),
    );
    let (accounts, changes) = bank.ask(code, lease, question).await?;
    Ok(accounts.first().map(|_| changes))
}
