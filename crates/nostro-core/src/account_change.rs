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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::AccountKind;
    use crate::account_number::AccountNumber;

    fn account(balance: i64, held: i64) -> Account {
        Account {
            number: AccountNumber::new("AZ".parse().unwrap(), 1).unwrap(),
            customer: None,
            kind: AccountKind::Checking,
            currency: "USD".parse().unwrap(),
            balance: Balance::new(balance),
            held: Balance::new(held),
            overdraft_limit: Balance::new(10),
            ceiling: Some(Balance::new(100)),
            limit_exceeded: false,
            state: AccountState::Open,
            opened_at: Timestamp::from_micros(0),
            seq: 3,
        }
    }

    fn limit(limit: i64) -> AccountChange {
        AccountChange { overdraft_limit: Some(Balance::new(limit)), ..AccountChange::default() }
    }

    fn ceiling(ceiling: Option<i64>) -> AccountChange {
        AccountChange { ceiling: Some(ceiling.map(Balance::new)), ..AccountChange::default() }
    }

    fn state(state: AccountState) -> AccountChange {
        AccountChange { state: Some(state), ..AccountChange::default() }
    }

    #[test]
    fn what_is_absent_stays_and_what_is_there_is_different() {
        let before = account(50, 0);
        let ask = AccountChange { ceiling: Some(None), ..limit(7) };
        let expected = Account { overdraft_limit: Balance::new(7), ceiling: None, ..before.clone() };
        assert_eq!(ask.applied(&before), Ok(expected));
        let expected = Account { state: AccountState::Frozen, ..before.clone() };
        assert_eq!(state(AccountState::Frozen).applied(&before), Ok(expected));
        assert_eq!(AccountChange::default().applied(&before), Ok(before.clone()));
        assert!(AccountChange::default().is_empty());
        assert!(!ceiling(None).is_empty());
    }

    #[test]
    fn an_account_outside_its_new_limits_is_marked_until_they_are_wider() {
        let marked = |account: &Account, ask: AccountChange| ask.applied(account).map(|after| after.limit_exceeded);
        assert_eq!(marked(&account(-5, 3), limit(8)), Ok(false));
        assert_eq!(marked(&account(-5, 3), limit(7)), Ok(true));
        assert_eq!(marked(&account(50, 0), ceiling(Some(50))), Ok(false));
        assert_eq!(marked(&account(50, 0), ceiling(Some(49))), Ok(true));
        let outside = Account { limit_exceeded: true, ..account(-5, 8) };
        assert_eq!(marked(&outside, limit(12)), Ok(true));
        assert_eq!(marked(&outside, limit(13)), Ok(false));
    }

    #[test]
    fn only_an_empty_account_is_closed_and_a_closed_one_stays_so() {
        let close = state(AccountState::Closed);
        assert_eq!(close.applied(&account(0, 0)).map(|after| after.state), Ok(AccountState::Closed));
        for (balance, held) in [(1, 0), (-1, 0), (0, 1), (10, 10)] {
            assert_eq!(close.applied(&account(balance, held)), Err(ChangeRefusal::NotEmpty), "{balance} {held}");
        }
        let closed = Account { state: AccountState::Closed, ..account(0, 0) };
        assert_eq!(state(AccountState::Open).applied(&closed), Err(ChangeRefusal::Closed));
        let cash = Account { kind: AccountKind::Cash, ..closed };
        assert_eq!(limit(1).applied(&cash), Err(ChangeRefusal::BankAccount));
    }

    #[test]
    fn the_first_field_that_differs_is_named() {
        let ask = AccountChange { overdraft_limit: Some(Balance::ZERO), ceiling: Some(None), state: None };
        assert_eq!(ask.differs_from(ask), None);
        assert_eq!(ask.differs_from(AccountChange::default()), Some("overdraft_limit"));
        assert_eq!(ask.differs_from(limit(0)), Some("ceiling"));
        assert_eq!(ask.differs_from(AccountChange { state: Some(AccountState::Open), ..ask }), Some("state"));
    }

    #[test]
    fn terms_are_those_of_the_account() {
        let expected =
            Terms { overdraft_limit: Balance::new(10), ceiling: Some(Balance::new(100)), state: AccountState::Open };
        assert_eq!(Terms::of(&account(5, 0)), expected);
    }
}
