//! The accounts of a batch, as locked and as the planner leaves them.

use crate::account::{AccountKind, AccountState, is_outside};
use crate::account_number::AccountNumber;
use crate::amount::Balance;
use crate::currency::Currency;
use crate::decide::Posting;
use crate::time::Timestamp;
use crate::transfer::Line;
use crate::transfer_id::TransferId;
use foldhash::HashMap;
use std::collections::hash_map::Entry;

/// An account as its row was when it was locked, and as the plan leaves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockedAccount {
    /// What it is for.
    pub kind: AccountKind,
    /// Its one currency.
    pub currency: Currency,
    /// Credits minus debits.
    pub balance: Balance,
    /// Reserved by open holds.
    pub held: Balance,
    /// How far below zero it may go.
    pub overdraft_limit: Balance,
    /// What its balance may not go above.
    pub ceiling: Option<Balance>,
    /// Whether its figures are outside its limits.
    pub limit_exceeded: bool,
    /// Which postings it takes.
    pub state: AccountState,
    /// The number of its last entry, 0 if it has none.
    pub seq: i64,
    /// The transfer that left its last entry.
    pub last_transfer: Option<TransferId>,
    /// When it was last posted to.
    pub last_posted_at: Option<Timestamp>,
}

impl LockedAccount {
    /// What was outside its limits is still, or no longer; what was inside may be outside only where that is said. Should
    /// the planner err, the database refuses figures that are outside without a word.
    fn judged(self, may_exceed: bool) -> Self {
        if !self.limit_exceeded && !may_exceed {
            return self;
        }
        let Self { kind, balance, held, overdraft_limit, ceiling, .. } = self;
        Self { limit_exceeded: is_outside(kind, balance, held, overdraft_limit, ceiling), ..self }
    }
}

/// Locked accounts, each once. A number is looked up once a transfer; from then on the account's place stands for it.
/// The hash is keyed at random, and quick.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    places: HashMap<AccountNumber, Place>,
    rows: Vec<Row>,
    /// In the order in which they were first changed.
    posted: Vec<Place>,
    /// While a chain is decided: rows before its links changed them, oldest first.
    undo: Option<Vec<(Place, Row)>>,
    /// Whether any of them is or was outside its limits.
    has_marked: bool,
}

/// Where an account stands among the rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place(usize);

#[derive(Clone, Copy, Debug)]
struct Row {
    number: AccountNumber,
    account: LockedAccount,
    is_posted: bool,
}

impl Accounts {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (AccountNumber, &LockedAccount)> {
        self.rows.iter().map(|row| (row.number, &row.account))
    }

    pub(crate) fn find(&self, number: AccountNumber) -> Option<(Place, &LockedAccount)> {
        let place = *self.places.get(&number)?;
        self.rows.get(place.0).map(|row| (place, &row.account))
    }

    /// Posts a transfer to an account: its line.
    pub(crate) fn post(&mut self, posting: &Posting, transfer: TransferId, at: Timestamp) -> Option<Line> {
        let Posting { place, balance, held, seq, may_exceed } = *posting;
        let account = self.changed(place)?;
        let previous = account.last_transfer.replace(transfer);
        *account = LockedAccount { balance, held, seq, last_posted_at: Some(at), ..*account }.judged(may_exceed);
        let is_marked = account.limit_exceeded;
        self.has_marked |= is_marked;
        Some(Line { balance_after: balance, seq, previous })
    }

    /// Changes what is reserved at the account at a place, which leaves no line.
    pub(crate) fn reserve(&mut self, place: Place, held: Balance, at: Timestamp) {
        if let Some(account) = self.changed(place) {
            *account = LockedAccount { held, last_posted_at: Some(at), ..*account }.judged(false);
        }
    }

    fn changed(&mut self, place: Place) -> Option<&mut LockedAccount> {
        let row = self.rows.get_mut(place.0)?;
        if let Some(undo) = &mut self.undo {
            undo.push((place, *row));
        }
        if !std::mem::replace(&mut row.is_posted, true) {
            self.posted.push(place);
        }
        Some(&mut row.account)
    }

    /// What is changed from here on may be taken back.
    pub(crate) fn begin(&mut self) {
        self.undo = Some(Vec::new());
    }

    /// What was changed stays.
    pub(crate) fn keep(&mut self) {
        self.undo = None;
    }

    /// Every account as it was at [`Self::begin`].
    pub(crate) fn take_back(&mut self) {
        for (place, before) in self.undo.take().into_iter().flatten().rev() {
            if let Some(row) = self.rows.get_mut(place.0) {
                if row.is_posted && !before.is_posted {
                    self.posted.pop();
                }
                *row = before;
            }
        }
    }

    /// Whether any of them is or was outside its limits: only then has any mark changed.
    pub(crate) fn has_marked(&self) -> bool {
        self.has_marked
    }

    /// Those that were posted to, or where more or less is reserved.
    pub(crate) fn posted(self) -> Vec<(AccountNumber, LockedAccount)> {
        let posted = self.posted.iter().filter_map(|place| self.rows.get(place.0));
        posted.map(|row| (row.number, row.account)).collect()
    }
}

impl Extend<(AccountNumber, LockedAccount)> for Accounts {
    /// An account that is there already is replaced.
    fn extend<I: IntoIterator<Item = (AccountNumber, LockedAccount)>>(&mut self, accounts: I) {
        let accounts = accounts.into_iter();
        let more = accounts.size_hint().0;
        self.places.reserve(more);
        self.rows.reserve(more);
        for (number, account) in accounts {
            self.has_marked |= account.limit_exceeded;
            match self.places.entry(number) {
                Entry::Vacant(free) => {
                    free.insert(Place(self.rows.len()));
                    self.rows.push(Row { number, account, is_posted: false });
                }
                Entry::Occupied(place) => {
                    if let Some(row) = self.rows.get_mut(place.get().0) {
                        row.account = account;
                    }
                }
            }
        }
    }
}

impl FromIterator<(AccountNumber, LockedAccount)> for Accounts {
    fn from_iter<I: IntoIterator<Item = (AccountNumber, LockedAccount)>>(accounts: I) -> Self {
        let mut all = Self::default();
        all.extend(accounts);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(serial: u64) -> AccountNumber {
        AccountNumber::new("AZ".parse().unwrap(), serial).unwrap()
    }

    fn account(balance: i64, limit_exceeded: bool) -> LockedAccount {
        LockedAccount {
            kind: AccountKind::Checking,
            currency: "USD".parse().unwrap(),
            balance: Balance::new(balance),
            held: Balance::ZERO,
            overdraft_limit: Balance::ZERO,
            ceiling: None,
            limit_exceeded,
            state: AccountState::Open,
            seq: 0,
            last_transfer: None,
            last_posted_at: None,
        }
    }

    /// Whether the account is marked once it stands at the balance.
    fn is_marked_after(account: LockedAccount, balance: i64, may_exceed: bool) -> bool {
        let mut accounts: Accounts = [(number(1), account)].into_iter().collect();
        let (place, _) = accounts.find(number(1)).unwrap();
        let posting = Posting { place, balance: Balance::new(balance), held: Balance::ZERO, seq: 1, may_exceed };
        accounts.post(&posting, TransferId(uuid::Uuid::nil()), Timestamp::from_micros(0)).unwrap();
        accounts.posted()[0].1.limit_exceeded
    }

    #[test]
    fn figures_that_nobody_may_bring_outside_are_not_marked_so_that_the_database_refuses_them() {
        assert!(!is_marked_after(account(0, false), -1, false));
        assert!(is_marked_after(account(0, false), -1, true));
        assert!(!is_marked_after(account(0, false), 0, true));
        assert!(is_marked_after(account(-5, true), -1, false));
        assert!(!is_marked_after(account(-5, true), 0, false));
    }

    #[test]
    fn what_is_posted_or_reserved_tells_when_and_is_not_taken_back_once_it_is_kept() {
        let at = Timestamp::from_micros;
        let mut accounts: Accounts =
            [(number(1), account(5, false)), (number(2), account(5, false))].into_iter().collect();
        let [(first, _), (second, _)] = [number(1), number(2)].map(|number| accounts.find(number).unwrap());
        let posting =
            Posting { place: first, balance: Balance::new(4), held: Balance::ZERO, seq: 1, may_exceed: false };
        accounts.begin();
        accounts.post(&posting, TransferId(uuid::Uuid::nil()), at(7)).unwrap();
        accounts.keep();
        assert!(accounts.undo.is_none() && !accounts.has_marked());
        accounts.begin();
        accounts.reserve(second, Balance::new(3), at(9));
        let times = |accounts: &Accounts| -> Vec<Option<Timestamp>> {
            accounts.iter().map(|(_, account)| account.last_posted_at).collect()
        };
        assert_eq!(times(&accounts), [Some(at(7)), Some(at(9))]);
        accounts.take_back();
        assert_eq!(times(&accounts), [Some(at(7)), None]);
        let posted: Vec<AccountNumber> = accounts.posted().into_iter().map(|(number, _)| number).collect();
        assert_eq!(posted, [number(1)]);
    }

    #[test]
    fn an_account_that_is_read_again_is_replaced() {
        let mut accounts: Accounts =
            [(number(1), account(1, false)), (number(2), account(2, false))].into_iter().collect();
        accounts.extend([(number(1), account(3, true))]);
        let balances: Vec<i64> = accounts.iter().map(|(_, account)| account.balance.minor_units()).collect();
        assert_eq!(balances, [3, 2]);
        assert!(accounts.has_marked());
    }
}
