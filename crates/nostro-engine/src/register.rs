//! What the engine answers when customers and accounts are made, closed or read.

use crate::answer::Unavailable;
use nostro_core::{AccountKind, Balance, BranchCode, Currency, CustomerNumber, Name};
use uuid::Uuid;

/// What was made under ids, as far as the branches could be asked.
#[derive(Clone, Debug)]
pub struct MadeUnder<T> {
    /// Each as it is now, with its id. An id is unique at its branch only, so several branches may have one.
    pub made: Vec<(Uuid, T)>,
    /// Branches that could not be asked: there may be more.
    pub unreachable: Vec<BranchCode>,
}

/// A customer to be made.
#[derive(Clone, Debug)]
pub struct NewCustomer {
    /// The client's id, the idempotency key.
    pub id: Uuid,
    /// The branch that keeps the customer.
    pub branch: BranchCode,
    /// The customer's name.
    pub name: Name,
}

/// A customer's account to be opened.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// The client's id, the idempotency key.
    pub id: Uuid,
    /// Whose it will be; its branch keeps the account.
    pub customer: CustomerNumber,
    /// Checking or savings.
    pub kind: AccountKind,
    /// Its one currency.
    pub currency: Currency,
    /// How far below zero it may go, zero or more.
    pub overdraft_limit: Balance,
}

/// Something made, or found as made by an earlier request with the same id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made<T> {
    /// As it is now.
    pub value: T,
    /// Whether an earlier request made it.
    pub replayed: bool,
}

/// Why a customer or an account was not made, closed or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisterError {
    /// No branch has this code.
    UnknownBranch(BranchCode),
    /// The customer of a new account does not exist.
    CustomerNotFound,
    /// The account to be changed or closed does not exist.
    AccountNotFound,
    /// The id was used with other content; the field that differs.
    IdConflict(&'static str),
    /// The account to be closed has money or open holds.
    AccountNotEmpty,
    /// The account to be changed or closed is closed already, by another request.
    AccountClosed,
    /// The bank's own account has no limits and cannot be closed.
    BankAccount,
    /// The branch could not be asked, or a lock was not had in time: this attempt made and changed nothing.
    Unavailable(Unavailable),
    /// The branch was asked to make or change it and its answer was lost: whether it did is not known. The same id again
    /// finds what was done, or does it.
    Unknown(BranchCode),
    /// A bug or a database in a wrong state: logged.
    Bug,
}

/// Where to begin a page, newest first.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// At most so many rows.
    pub limit: u16,
    /// Rows below this key or sequence number; all when absent.
    pub before: Option<i64>,
}

/// Why something could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// No branch has this code.
    UnknownBranch(BranchCode),
    /// Try again.
    Unavailable(Unavailable),
    /// A bug or a database in a wrong state: logged.
    Bug,
}
