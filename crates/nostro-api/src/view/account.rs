//! Accounts, customers, and the entries of an account.

use crate::view::figure;
use nostro_core::{Account, Customer, Entry, NormalSide};
use serde::Serialize;
use utoipa::ToSchema;

/// An account with its figures at one instant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Account)]
pub(crate) struct AccountView {
    #[schema(example = "AZ93000000001042")]
    number: String,
    #[schema(example = "AZ")]
    branch: String,
    /// Null for the bank's own accounts.
    customer: Option<String>,
    /// `checking`, `savings` or `cash`.
    #[schema(example = "checking")]
    kind: &'static str,
    #[schema(example = "USD")]
    currency: String,
    /// `debit` or `credit`: where the figures are positive.
    #[schema(example = "credit")]
    normal_side: &'static str,
    /// Minor units.
    #[schema(example = "500075")]
    posted: String,
    /// Minor units, reserved by open holds.
    #[schema(example = "0")]
    held: String,
    /// `posted - held + overdraft_limit`; null for the bank's own accounts, which have no limit.
    #[schema(example = "500075")]
    available: Option<String>,
    #[schema(example = "0")]
    overdraft_limit: String,
    /// `open` or `closed`.
    #[schema(example = "open")]
    state: &'static str,
    #[schema(example = "2026-11-23T08:00:00.000000Z")]
    opened_at: String,
    /// How many entries it has.
    #[schema(example = "17")]
    seq: String,
}

impl From<&Account> for AccountView {
    fn from(account: &Account) -> Self {
        let side = account.kind.normal_side();
        Self {
            number: account.number.to_string(),
            branch: account.number.branch().to_string(),
            customer: account.customer.map(|number| number.to_string()),
            kind: account.kind.as_str(),
            currency: account.currency.to_string(),
            normal_side: side.as_str(),
            posted: figure(side, account.balance),
            held: account.held.to_string(),
            available: account.available().map(|available| available.to_string()),
            overdraft_limit: account.overdraft_limit.to_string(),
            state: account.state.as_str(),
            opened_at: account.opened_at.to_string(),
            seq: account.seq.to_string(),
        }
    }
}

/// A customer of a branch.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Customer)]
pub(crate) struct CustomerView {
    #[schema(example = "AZ55900000000001")]
    number: String,
    #[schema(example = "AZ")]
    branch: String,
    #[schema(example = "Ada Lovelace")]
    name: String,
    #[schema(example = "2026-11-23T08:00:00.000000Z")]
    created_at: String,
}

impl From<&Customer> for CustomerView {
    fn from(customer: &Customer) -> Self {
        Self {
            number: customer.number.to_string(),
            branch: customer.number.branch().to_string(),
            name: customer.name.to_string(),
            created_at: customer.created_at.to_string(),
        }
    }
}

/// One line of an account's history.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Entry)]
pub(crate) struct EntryView {
    /// Its number in the account's own gapless sequence.
    #[schema(example = "18")]
    seq: String,
    /// The id of the transfer that left it.
    #[schema(example = "01938e1c-93d2-7cc4-9ac4-6a8df2a3c001")]
    transfer: String,
    /// `transfer`, `deposit` or `withdrawal`.
    #[schema(example = "transfer")]
    kind: &'static str,
    /// `debit` or `credit`.
    #[schema(example = "debit")]
    side: &'static str,
    /// Minor units.
    #[schema(example = "100000")]
    amount: String,
    /// On the account's normal side.
    #[schema(example = "400075")]
    balance_after: String,
    /// The account on the other side.
    #[schema(example = "TX25000000001042")]
    counterparty: String,
    reference: Option<String>,
    #[schema(example = "2026-11-23T08:00:00.000000Z")]
    posted_at: String,
}

impl EntryView {
    /// An entry of an account with this normal side.
    pub(crate) fn new(entry: &Entry, normal_side: NormalSide) -> Self {
        Self {
            seq: entry.seq.to_string(),
            transfer: entry.transfer.to_string(),
            kind: entry.kind.as_str(),
            side: entry.side.as_str(),
            amount: entry.amount.to_string(),
            balance_after: figure(normal_side, entry.balance_after),
            counterparty: entry.counterparty.to_string(),
            reference: entry.reference.as_ref().map(|reference| reference.as_str().to_owned()),
            posted_at: entry.posted_at.to_string(),
        }
    }
}
