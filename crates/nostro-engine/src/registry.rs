//! Customers and accounts: routes each request to its branch and tells what it met.

use crate::bank::{Bank, Branch};
use crate::register::{Made, NewAccount, NewCustomer, ReadError, RegisterError};
use nostro_core::{Account, BranchCode, Customer};
use nostro_store::register::{self, AccountRequest, Registered};
use std::sync::Arc;

pub(crate) fn failed(error: ReadError) -> RegisterError {
    match error {
        ReadError::UnknownBranch(code) => RegisterError::UnknownBranch(code),
        ReadError::Unavailable(unavailable) => RegisterError::Unavailable(unavailable),
        ReadError::Bug => RegisterError::Bug,
    }
}

pub(crate) fn known(bank: &Bank, code: BranchCode) -> Result<&Branch, RegisterError> {
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
