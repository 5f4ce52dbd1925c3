//! Changes of an account's limits and state: what becomes of the account, or why nothing does.
//!
//! Decided under the account's lock, as transfers are, so that a change and a transfer never pass each other.

use crate::account::{Account, AccountState, is_outside};
use crate::amount::Balance;
use crate::time::Timestamp;
use uuid::Uuid;

/// What is to be different. What is absent stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountChange {
    /// How far below zero it may go from now on, zero or more.
    pub overdraft_limit: Option<Balance>,
    /// What its balance may not go above from now on; `Some(None)` takes the bound away.
    pub ceiling: Option<Option<Balance>>,
    /// Frozen, open again, or closed.
    pub state: Option<AccountState>,
}

/// A change that was made, with what it changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeRecord {
    /// The client's id of the request.
    pub id: Uuid,
    /// In the order in which the branch's changes were made.
    pub serial: i64,
    /// What was asked for.
    pub change: AccountChange,
    /// Limits and state before it.
    pub before: Terms,
    /// Limits and state after it.
    pub after: Terms,
    /// Why, in the words of whoever asked.
    pub reason: Option<crate::Reference>,
    /// When.
    pub changed_at: Timestamp,
}

/// What can be changed of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How far it may go below zero.
    pub overdraft_limit: Balance,
    /// What its balance may not go above.
    pub ceiling: Option<Balance>,
    /// Which postings it takes.
    pub state: AccountState,
}

/// Why a change is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeRefusal {
    /// It is the bank's own account, which has no limits and stays open.
    BankAccount,
    /// It is closed.
    Closed,
    /// It is to be closed, and has money or open holds.
    NotEmpty,
}

impl Terms {
    /// Of an account.
    pub fn of(account: &Account) -> Self {
        let Account { overdraft_limit, ceiling, state, .. } = *account;
        Self { overdraft_limit, ceiling, state }
    }
}

impl AccountChange {
    /// The account after it. An account whose figures are outside its new limits is marked; it takes what brings it back.
    pub fn applied(self, account: &Account) -> Result<Account, ChangeRefusal> {
        if !account.kind.is_customers() {
            return Err(ChangeRefusal::BankAccount);
        }
        if account.state == AccountState::Closed {
            return Err(ChangeRefusal::Closed);
        }
        let is_empty = account.balance == Balance::ZERO && account.held == Balance::ZERO;
        if self.state == Some(AccountState::Closed) && !is_empty {
            return Err(ChangeRefusal::NotEmpty);
        }
        let overdraft_limit = self.overdraft_limit.unwrap_or(account.overdraft_limit);
        let ceiling = self.ceiling.unwrap_or(account.ceiling);
        let state = self.state.unwrap_or(account.state);
        let limit_exceeded = is_outside(account.kind, account.balance, account.held, overdraft_limit, ceiling);
        Ok(Account { overdraft_limit, ceiling, state, limit_exceeded, ..account.clone() })
    }

    /// Whether it asks for nothing.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// The first field in which another request under the same id differs.
    pub fn differs_from(self, other: Self) -> Option<&'static str> {
        [
            (self.overdraft_limit != other.overdraft_limit, "overdraft_limit"),
            (self.ceiling != other.ceiling, "ceiling"),
            (self.state != other.state, "state"),
        ]
        .into_iter()
        .find_map(|(differs, field)| differs.then_some(field))
    }
}
