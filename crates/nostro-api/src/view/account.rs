//! Accounts, customers, and the entries of an account.

use crate::view::{Text, figure};
use nostro_core::{
    Account, AccountNumber, Amount, Balance, BranchCode, Currency, Customer, CustomerNumber, Entry, Name, NormalSide,
    Reference, Timestamp, TransferId,
};
use serde::Serialize;
use utoipa::ToSchema;

/// An account with its figures at one instant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Account)]
pub(crate) struct AccountView {
    #[schema(value_type = String, example = "AZ93000000001042")]
    number: Text<AccountNumber>,
    #[schema(value_type = String, example = "AZ")]
    branch: Text<BranchCode>,
    /// Null for the bank's own accounts.
    #[schema(value_type = Option<String>)]
    customer: Option<Text<CustomerNumber>>,
    /// `checking`, `savings` or `cash`.
    #[schema(example = "checking")]
    kind: &'static str,
    #[schema(value_type = String, example = "USD")]
    currency: Text<Currency>,
    /// `debit` or `credit`: where the figures are positive.
    #[schema(example = "credit")]
    normal_side: &'static str,
    /// Minor units.
    #[schema(example = "500075")]
    posted: String,
    /// Minor units, reserved by open holds.
    #[schema(value_type = String, example = "0")]
    held: Text<Balance>,
    /// `posted - held + overdraft_limit`; null for the bank's own accounts, which have no limit.
    #[schema(value_type = Option<String>, example = "500075")]
    available: Option<Text<Balance>>,
    #[schema(value_type = String, example = "0")]
    overdraft_limit: Text<Balance>,
    /// What the balance may not go above; null if there is no bound.
    #[schema(value_type = Option<String>, example = "1000000")]
    ceiling: Option<Text<Balance>>,
    /// Whether its figures are outside its limits: by a forced reversal, or because a limit was changed.
    limit_exceeded: bool,
    /// `open`, `debits_frozen`, `credits_frozen`, `frozen` or `closed`.
    #[schema(example = "open")]
    state: &'static str,
    #[schema(value_type = String, example = "2026-11-23T08:00:00.000000Z")]
    opened_at: Text<Timestamp>,
    /// How many entries it has.
    #[schema(value_type = String, example = "17")]
    seq: Text<i64>,
}

impl From<&Account> for AccountView {
    fn from(account: &Account) -> Self {
        let side = account.kind.normal_side();
        Self {
            number: Text(account.number),
            branch: Text(account.number.branch()),
            customer: account.customer.map(Text),
            kind: account.kind.as_str(),
            currency: Text(account.currency),
            normal_side: side.as_str(),
            posted: figure(side, account.balance),
            held: Text(account.held),
            available: account.available().map(Text),
            overdraft_limit: Text(account.overdraft_limit),
            ceiling: account.ceiling.map(Text),
            limit_exceeded: account.limit_exceeded,
            state: account.state.as_str(),
            opened_at: Text(account.opened_at),
            seq: Text(account.seq),
        }
    }
}

/// A customer of a branch.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Customer)]
pub(crate) struct CustomerView {
    #[schema(value_type = String, example = "AZ55900000000001")]
    number: Text<CustomerNumber>,
    #[schema(value_type = String, example = "AZ")]
    branch: Text<BranchCode>,
    #[schema(value_type = String, example = "Ada Lovelace")]
    name: Text<Name>,
    #[schema(value_type = String, example = "2026-11-23T08:00:00.000000Z")]
    created_at: Text<Timestamp>,
}

impl From<&Customer> for CustomerView {
    fn from(customer: &Customer) -> Self {
        Self {
            number: Text(customer.number),
            branch: Text(customer.number.branch()),
            name: Text(customer.name.clone()),
            created_at: Text(customer.created_at),
        }
    }
}

/// One line of an account's history.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Entry)]
pub(crate) struct EntryView {
    /// Its number in the account's own gapless sequence.
    #[schema(value_type = String, example = "18")]
    seq: Text<i64>,
    /// The id of the transfer that left it.
    #[schema(value_type = String, example = "01938e1c-93d2-7cc4-9ac4-6a8df2a3c001")]
    transfer: Text<TransferId>,
    /// `transfer`, `deposit`, `withdrawal`, `capture` or `reversal`.
    #[schema(example = "transfer")]
    kind: &'static str,
    /// `debit` or `credit`.
    #[schema(example = "debit")]
    side: &'static str,
    /// Minor units.
    #[schema(value_type = String, example = "100000")]
    amount: Text<Amount>,
    /// On the account's normal side.
    #[schema(example = "400075")]
    balance_after: String,
    /// The account on the other side.
    #[schema(value_type = String, example = "TX25000000001042")]
    counterparty: Text<AccountNumber>,
    /// The client's own classification.
    #[schema(example = 0)]
    category: u16,
    #[schema(value_type = Option<String>)]
    reference: Option<Text<Reference>>,
    #[schema(value_type = String, example = "2026-11-23T08:00:00.000000Z")]
    posted_at: Text<Timestamp>,
}

impl EntryView {
    /// An entry of an account with this normal side.
    pub(crate) fn new(entry: &Entry, normal_side: NormalSide) -> Self {
        Self {
            seq: Text(entry.seq),
            transfer: Text(entry.transfer),
            kind: entry.kind.as_str(),
            side: entry.side.as_str(),
            amount: Text(entry.amount),
            balance_after: figure(normal_side, entry.balance_after),
            counterparty: Text(entry.counterparty),
            category: entry.category,
            reference: entry.reference.clone().map(Text),
            posted_at: Text(entry.posted_at),
        }
    }
}
