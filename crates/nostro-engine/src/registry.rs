//! Customers and accounts: routes each request to its branch and tells what it met.

use crate::answer::Unavailable;
use crate::bank::{Bank, Branch};
use crate::register::{Made, NewAccount, NewCustomer, ReadError, RegisterError};
use nostro_core::{Account, AccountNumber, BranchCode, Customer};
use nostro_store::lock;
use nostro_store::register::{self, AccountRequest, Closing, Registered};
use std::sync::Arc;
use uuid::Uuid;

fn failed(error: ReadError) -> RegisterError {
    match error {
        ReadError::UnknownBranch(code) => RegisterError::UnknownBranch(code),
        ReadError::Unavailable(unavailable) => RegisterError::Unavailable(unavailable),
        ReadError::Bug => RegisterError::Bug,
    }
}

fn known(bank: &Bank, code: BranchCode) -> Result<&Branch, RegisterError> {
    let branch = bank.branch(code).ok_or(RegisterError::UnknownBranch(code))?;
    match bank.turned_away([code]) {
        None => Ok(branch),
        Some(unavailable) => Err(RegisterError::Unavailable(unavailable)),
    }
}

fn made<T>(registered: Registered<T>) -> Result<Made<T>, RegisterError> {
    match registered {
        Registered::Made(value) => Ok(Made { value, replayed: false }),
        Registered::Replayed(value) => Ok(Made { value, replayed: true }),
        Registered::Conflict(field) => Err(RegisterError::IdConflict(field)),
        Registered::CustomerNotFound => Err(RegisterError::CustomerNotFound),
    }
}

pub(crate) async fn create_customer(bank: &Bank, new: &NewCustomer) -> Result<Made<Customer>, RegisterError> {
    let branch = known(bank, new.branch)?;
    let lease = bank.reader(new.branch).await.map_err(failed)?;
    let client = Arc::clone(lease.session.link.client());
    let question = register::create_customer(&client, branch.config.branch, new.id, &new.name);
    made(bank.ask(new.branch, lease, question).await.map_err(failed)?)
}

pub(crate) async fn open_account(bank: &Bank, new: &NewAccount) -> Result<Made<Account>, RegisterError> {
    let code = new.customer.branch();
    let branch = known(bank, code)?;
    let NewAccount { id, customer, kind, currency, overdraft_limit } = *new;
    let request = AccountRequest { id, customer, kind, currency, overdraft_limit };
    let lease = bank.reader(code).await.map_err(failed)?;
    let client = Arc::clone(lease.session.link.client());
    let question = register::open_account(&client, branch.config.branch, &request);
    made(bank.ask(code, lease, question).await.map_err(failed)?)
}

pub(crate) async fn close_account(
    bank: &Bank,
    id: Uuid,
    number: AccountNumber,
) -> Result<Made<Account>, RegisterError> {
    let code = number.branch();
    let branch = known(bank, code)?;
    let lease = bank.reader(code).await.map_err(failed)?;
    let client = Arc::clone(lease.session.link.client());
    let question = async {
        match register::close_account(&client, branch.config.branch, id, number).await {
            // Another batch, perhaps one in doubt, has the row.
            Err(error) if lock::is_lock_timeout(&error) => Ok(None),
            closing => closing.map(Some),
        }
    };
    let closing: Result<Option<Closing>, ReadError> = bank.ask(code, lease, question).await;
    match closing.map_err(failed)? {
        Some(Closing::Closed(value)) => Ok(Made { value, replayed: false }),
        Some(Closing::Replayed(value)) => Ok(Made { value, replayed: true }),
        Some(Closing::Conflict) => Err(RegisterError::IdConflict("number")),
        Some(Closing::NotEmpty) => Err(RegisterError::AccountNotEmpty),
        Some(Closing::ClosedAlready) => Err(RegisterError::AccountClosed),
        Some(Closing::Bank) => Err(RegisterError::BankAccount),
        Some(Closing::NotFound) => Err(RegisterError::AccountNotFound),
        None => Err(RegisterError::Unavailable(Unavailable::AccountInDoubt(number))),
    }
}
