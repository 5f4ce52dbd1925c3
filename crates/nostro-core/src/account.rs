//! Accounts as the bank shows them.
//!
//! The stored balance is credits minus debits. Customer accounts are credit-normal (the bank owes them), cash is
//! debit-normal; figures for people are on the account's normal side. A customer's account must stay at or above
//! `held - overdraft_limit` and at or below its ceiling; the bank's own accounts have no limits, and so no `available`.

use crate::account_number::{AccountNumber, CustomerNumber};
use crate::amount::Balance;
use crate::currency::Currency;
use crate::time::Timestamp;
use crate::word::{self, WordError};
use std::fmt;
use std::str::FromStr;

/// What an account is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountKind {
    /// A customer's account for payments.
    Checking,
    /// A customer's account for savings.
    Savings,
    /// The branch's cash: the other side of deposits and withdrawals. One a currency.
    Cash,
}

/// The side on which an account's figures are positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormalSide {
    /// Assets of the bank.
    Debit,
    /// What the bank owes.
    Credit,
}

/// Which postings an account takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountState {
    /// All.
    Open,
    /// Credits only; no hold is placed, and none captured.
    DebitsFrozen,
    /// Debits only.
    CreditsFrozen,
    /// None, for the time being.
    Frozen,
    /// None any more; its balance is zero.
    Closed,
}

/// Why a word is no kind of a customer's account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a customer's account is checking or savings")]
pub struct CustomersKindError;

impl AccountKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Checking, Self::Savings, Self::Cash];

    /// The word of the API and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Checking => "checking",
            Self::Savings => "savings",
            Self::Cash => "cash",
        }
    }

    /// Whether accounts of this kind belong to customers.
    pub fn is_customers(self) -> bool {
        match self {
            Self::Checking | Self::Savings => true,
            Self::Cash => false,
        }
    }

    /// A kind that customers have, from its word: the bank's own accounts are not opened by request.
    pub fn of_customers(word: &str) -> Result<Self, CustomersKindError> {
        let kind: Option<Self> = word.parse().ok();
        kind.filter(|kind| kind.is_customers()).ok_or(CustomersKindError)
    }

    /// The side on which its figures are positive.
    pub fn normal_side(self) -> NormalSide {
        if self.is_customers() { NormalSide::Credit } else { NormalSide::Debit }
    }
}

impl FromStr for AccountKind {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        word::read(&Self::ALL, Self::as_str, text)
    }
}

impl fmt::Display for AccountKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl NormalSide {
    /// The word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debit => "debit",
            Self::Credit => "credit",
        }
    }

    /// A balance (credits minus debits) as a figure on this side; `None` for the one bigint without an opposite.
    pub fn figure(self, balance: Balance) -> Option<Balance> {
        match self {
            Self::Debit => balance.negated(),
            Self::Credit => Some(balance),
        }
    }
}

impl AccountState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Open, Self::DebitsFrozen, Self::CreditsFrozen, Self::Frozen, Self::Closed];

    /// The word of the API and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::DebitsFrozen => "debits_frozen",
            Self::CreditsFrozen => "credits_frozen",
            Self::Frozen => "frozen",
            Self::Closed => "closed",
        }
    }

    /// Whether it is frozen for money that leaves it.
    pub(crate) fn freezes_debits(self) -> bool {
        match self {
            Self::DebitsFrozen | Self::Frozen => true,
            Self::Open | Self::CreditsFrozen | Self::Closed => false,
        }
    }

    /// Whether it is frozen for money that arrives.
    pub(crate) fn freezes_credits(self) -> bool {
        match self {
            Self::CreditsFrozen | Self::Frozen => true,
            Self::Open | Self::DebitsFrozen | Self::Closed => false,
        }
    }
}

impl FromStr for AccountState {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        word::read(&Self::ALL, Self::as_str, text)
    }
}

/// An account with its figures at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its number.
    pub number: AccountNumber,
    /// Whose it is; the bank's own when absent.
    pub customer: Option<CustomerNumber>,
    /// What it is for.
    pub kind: AccountKind,
    /// Its one currency.
    pub currency: Currency,
    /// Credits minus debits.
    pub balance: Balance,
    /// Reserved by open holds, zero or more.
    pub held: Balance,
    /// How far a customer may go below zero, zero or more.
    pub overdraft_limit: Balance,
    /// What a customer's balance may not go above, zero or more; no bound if absent.
    pub ceiling: Option<Balance>,
    /// Whether its figures are outside its limits: by a forced reversal, or because a limit was changed.
    pub limit_exceeded: bool,
    /// Which postings it takes.
    pub state: AccountState,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// How many entries it has; the number of the last one.
    pub seq: i64,
}

impl Account {
    /// The posted balance on the account's normal side.
    pub fn posted(&self) -> Option<Balance> {
        self.kind.normal_side().figure(self.balance)
    }

    /// What can be debited: `posted - held + overdraft_limit`. `None` for the bank's own accounts, which have no limit.
    pub fn available(&self) -> Option<Balance> {
        available(self.kind, self.balance, self.held, self.overdraft_limit)
    }
}

/// What can be debited from an account; `None` where there is no limit.
pub(crate) fn available(
    kind: AccountKind,
    balance: Balance,
    held: Balance,
    overdraft_limit: Balance,
) -> Option<Balance> {
    if !kind.is_customers() {
        return None;
    }
    // Saturating at the ends of a bigint keeps "no limit reached" and "nothing there" apart, which is all that is asked.
    let available = i128::from(balance.minor_units())
        .saturating_sub(i128::from(held.minor_units()))
        .saturating_add(i128::from(overdraft_limit.minor_units()));
    let bounded = available.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
    Some(Balance::new(i64::try_from(bounded).unwrap_or(0)))
}

/// Whether figures are outside an account's limits.
pub(crate) fn is_outside(
    kind: AccountKind,
    balance: Balance,
    held: Balance,
    overdraft_limit: Balance,
    ceiling: Option<Balance>,
) -> bool {
    let is_below = available(kind, balance, held, overdraft_limit).is_some_and(|available| available < Balance::ZERO);
    is_below || ceiling.is_some_and(|ceiling| balance > ceiling)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn customers_have_checking_and_savings() {
        assert_eq!(AccountKind::of_customers("checking"), Ok(AccountKind::Checking));
        assert_eq!(AccountKind::of_customers("savings"), Ok(AccountKind::Savings));
        for word in ["cash", "nostro", ""] {
            assert_eq!(AccountKind::of_customers(word), Err(CustomersKindError), "{word:?}");
        }
    }

    #[test]
    fn figures_for_people_are_on_the_normal_side() {
        for (kind, balance, shown) in [
            (AccountKind::Checking, 7, Some(7)),
            (AccountKind::Savings, -7, Some(-7)),
            (AccountKind::Cash, -7, Some(7)),
            (AccountKind::Cash, i64::MIN, None),
        ] {
            assert_eq!(kind.normal_side().figure(Balance::new(balance)), shown.map(Balance::new), "{kind} {balance}");
        }
    }

    #[test]
    fn an_account_shows_what_is_posted_and_what_is_available() {
        let account = |kind, balance| Account {
            number: AccountNumber::new("AZ".parse().unwrap(), 1).unwrap(),
            customer: None,
            kind,
            currency: "USD".parse().unwrap(),
            balance: Balance::new(balance),
            held: Balance::new(30),
            overdraft_limit: Balance::new(5),
            ceiling: None,
            limit_exceeded: false,
            state: AccountState::Open,
            opened_at: Timestamp::from_micros(0),
            seq: 1,
        };
        let shown = |account: Account| (account.posted(), account.available());
        assert_eq!(shown(account(AccountKind::Savings, 100)), (Some(Balance::new(100)), Some(Balance::new(75))));
        assert_eq!(shown(account(AccountKind::Cash, 100)), (Some(Balance::new(-100)), None));
    }

    #[test]
    fn what_is_available_is_bounded_by_a_bigint_and_unlimited_for_the_bank() {
        let of = |kind, balance, held, limit| {
            available(kind, Balance::new(balance), Balance::new(held), Balance::new(limit)).map(Balance::minor_units)
        };
        assert_eq!(of(AccountKind::Checking, 100, 30, 5), Some(75));
        assert_eq!(of(AccountKind::Savings, -100, 30, 5), Some(-125));
        assert_eq!(of(AccountKind::Checking, i64::MAX, 0, i64::MAX), Some(i64::MAX));
        assert_eq!(of(AccountKind::Checking, i64::MIN, i64::MAX, 0), Some(i64::MIN));
        assert_eq!(of(AccountKind::Cash, 100, 30, 5), None);
    }

    #[test]
    fn an_account_is_outside_below_its_limit_and_above_its_ceiling() {
        for (kind, balance, held, limit, ceiling, outside) in [
            (AccountKind::Checking, -5, 0, 5, None, false),
            (AccountKind::Checking, -5, 1, 5, None, true),
            (AccountKind::Checking, -6, 0, 5, None, true),
            (AccountKind::Savings, 10, 0, 0, Some(10), false),
            (AccountKind::Savings, 11, 0, 0, Some(10), true),
            (AccountKind::Cash, -6, 0, 5, None, false),
        ] {
            let [balance, held, limit] = [balance, held, limit].map(Balance::new);
            let found = is_outside(kind, balance, held, limit, ceiling.map(Balance::new));
            assert_eq!(found, outside, "{kind} {balance} {held} {limit} {ceiling:?}");
        }
    }
}
