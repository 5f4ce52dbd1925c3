//! The bodies that move money, read into [`Transfer`]s.
//!
//! A single transfer and an item of a bulk ([`crate::bulk_body`]) are read by the same function. A deposit or a withdrawal names one
//! account; the other side is the cash of that account's branch. What is refused here was never tried: the id is
//! not used up.

use crate::ask::{Ask, Classified};
use crate::fields::{self, Broken, Errors, Fields, HasBranch, Pointer};
use crate::json::JsonValue;
use crate::problem::Problem;
use nostro_core::{AccountNumber, Amount, BranchCode, Currency, Operation, Reference, Transfer, TransferId};
use utoipa::ToSchema;
use uuid::Uuid;

/// A bulk has at most this many transfers: half of what one batch of the engine takes.
pub(crate) const BULK_TRANSFERS_MAX: usize = 8_192;

pub(crate) const TRANSFER_FIELDS: [&str; 8] =
    ["id", "debit_account", "credit_account", "amount", "currency", "up_to", "category", "reference"];
pub(crate) const CASH_FIELDS: [&str; 6] = ["id", "account", "amount", "currency", "category", "reference"];
const REVERSAL_FIELDS: [&str; 5] = ["id", "amount", "force", "category", "reference"];

/// A transfer that is asked for.
#[expect(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
#[derive(ToSchema)]
pub(crate) struct NewTransfer {
    /// The client's id and idempotency key; version 7 is advised.
    id: Uuid,
    /// Where the money comes from.
    #[schema(example = "AZ93000000001042")]
    debit_account: String,
    /// Where it goes; another account.
    #[schema(example = "TX25000000001042")]
    credit_account: String,
    /// Minor units.
    #[schema(pattern = "^[1-9][0-9]{0,17}$", example = "100000")]
    amount: String,
    /// ISO 4217.
    #[schema(example = "USD")]
    currency: String,
    /// Whether the amount is the most that is moved, and what is available at the debit account is enough.
    #[schema(default = false)]
    up_to: Option<bool>,
    /// The client's own classification.
    #[schema(default = 0)]
    category: Option<u16>,
    /// One line of text for the statement.
    #[schema(min_length = 1, max_length = 140, example = "rent")]
    reference: Option<String>,
}

/// Cash that comes in or goes out.
#[expect(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
#[derive(ToSchema)]
pub(crate) struct NewCashMovement {
    /// The client's id and idempotency key; version 7 is advised.
    id: Uuid,
    /// The customer's account; the other side is the cash of its branch.
    #[schema(example = "AZ93000000001042")]
    account: String,
    /// Minor units.
    #[schema(pattern = "^[1-9][0-9]{0,17}$", example = "100000")]
    amount: String,
    /// ISO 4217.
    #[schema(example = "USD")]
    currency: String,
    /// The client's own classification.
    #[schema(default = 0)]
    category: Option<u16>,
    /// One line of text for the statement.
    #[schema(min_length = 1, max_length = 140, example = "counter 3")]
    reference: Option<String>,
}

/// A reversal that is asked for.
#[expect(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
#[derive(ToSchema)]
pub(crate) struct NewReversal {
    /// The client's id and idempotency key; version 7 is advised.
    id: Uuid,
    /// Minor units; all that the transfer moved if absent.
    #[schema(pattern = "^[1-9][0-9]{0,17}$", example = "100000")]
    amount: Option<String>,
    /// Whether the account that was paid may be overdrawn by it.
    #[schema(default = false)]
    force: Option<bool>,
    /// The client's own classification.
    #[schema(default = 0)]
    category: Option<u16>,
    /// One line of text for the statement.
    #[schema(min_length = 1, max_length = 140, example = "sent twice")]
    reference: Option<String>,
}

/// A reversal of a transfer from its body.
pub(crate) fn reversal(value: JsonValue<'_>, original: TransferId, branch: Option<BranchCode>) -> Result<Ask, Problem> {
    let mut errors = Errors::default();
    let ask = Fields::read(value, Pointer::Body, &REVERSAL_FIELDS, &mut errors).and_then(|mut fields| {
        let (amount, is_forced, classified) = read_reversal(&mut fields)?;
        Some(Ask::Reversal { original, amount, is_forced, classified, branch })
    });
    errors.none_or(ask)
}

/// The amount, if there is one, whether it is forced, and what every transfer has.
pub(crate) fn read_reversal(fields: &mut Fields<'_, '_>) -> Option<(Option<Amount>, bool, Classified)> {
    let amount = fields.optional("amount", None, |value| fields::amount(&value).map(Some));
    let is_forced = fields.optional("force", false, |value| fields::flag(&value));
    let classified = read_classified(fields);
    Some((amount?, is_forced?, classified?))
}

/// Which way cash moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CashMovement {
    Deposit,
    Withdrawal,
}

/// The fields that transfers and cash share.
struct Common {
    classified: Classified,
    amount: Amount,
    currency: Currency,
}

/// A transfer from the body of a single request.
pub(crate) fn transfer(value: JsonValue<'_>, has_branch: HasBranch<'_>) -> Result<Transfer, Problem> {
    let mut errors = Errors::default();
    let transfer = Fields::read(value, Pointer::Body, &TRANSFER_FIELDS, &mut errors)
        .and_then(|mut fields| read_transfer(&mut fields, has_branch));
    errors.none_or(transfer)
}

/// A deposit or a withdrawal, as the transfer between the account and its branch's cash.
pub(crate) fn cash(
    value: JsonValue<'_>,
    movement: CashMovement,
    has_branch: HasBranch<'_>,
) -> Result<Transfer, Problem> {
    let mut errors = Errors::default();
    let transfer = Fields::read(value, Pointer::Body, &CASH_FIELDS, &mut errors)
        .and_then(|mut fields| read_cash(&mut fields, movement, has_branch));
    errors.none_or(transfer)
}

/// A transfer; the names of its fields are [`TRANSFER_FIELDS`].
pub(crate) fn read_transfer(fields: &mut Fields<'_, '_>, has_branch: HasBranch<'_>) -> Option<Transfer> {
    // Every field is read before the first missing one ends it, so that all errors are found.
    let debit = fields.required("debit_account", |value| fields::account_number(&value, has_branch));
    let credit = fields.required("credit_account", |value| fields::account_number(&value, has_branch));
    let up_to = fields.optional("up_to", false, |value| fields::flag(&value));
    let common = read_common(fields);
    if debit.is_some() && debit == credit {
        fields.push("credit_account", Broken::Rule("must be another account than the debit account".to_owned()));
        return None;
    }
    let common = common?;
    let operation = if up_to? { Operation::UpTo { asked: common.amount } } else { Operation::Transfer };
    Some(common.transfer(operation, debit?, credit?))
}

/// Cash that moves; the names of its fields are [`CASH_FIELDS`].
pub(crate) fn read_cash(
    fields: &mut Fields<'_, '_>,
    movement: CashMovement,
    has_branch: HasBranch<'_>,
) -> Option<Transfer> {
    let account = fields.required("account", |value| fields::account_number(&value, has_branch));
    let common = read_common(fields);
    let (account, common) = (account?, common?);
    let cash = AccountNumber::cash(account.branch(), common.currency);
    if account == cash {
        fields.push("account", Broken::Rule("cash comes in and goes out through a customer's account".to_owned()));
        return None;
    }
    Some(match movement {
        CashMovement::Deposit => common.transfer(Operation::Deposit, cash, account),
        CashMovement::Withdrawal => common.transfer(Operation::Withdrawal, account, cash),
    })
}

fn read_common(fields: &mut Fields<'_, '_>) -> Option<Common> {
    let amount = fields.required("amount", |value| fields::amount(&value));
    let currency = fields.required("currency", |value| fields::currency(&value));
    let classified = read_classified(fields);
    Some(Common { classified: classified?, amount: amount?, currency: currency? })
}

/// The id, the category and the reference.
pub(crate) fn read_classified(fields: &mut Fields<'_, '_>) -> Option<Classified> {
    let id = fields.required("id", |value| fields::id(&value));
    let category = fields.optional("category", 0, |value| category(&value));
    let reference = fields.optional("reference", None, |value| fields::text(&value, Reference::new).map(Some));
    Some(Classified { id: TransferId(id?), category: category?, reference: reference? })
}

pub(crate) fn category(value: &JsonValue<'_>) -> fields::Ruled<u16> {
    let rule = || Broken::Rule("a category is a whole number, 0 to 65535".to_owned());
    match value {
        JsonValue::Number(Some(figure)) => u16::try_from(*figure).map_err(|_| rule()),
        JsonValue::Number(None)
        | JsonValue::Null
        | JsonValue::Bool(_)
        | JsonValue::Text(_)
        | JsonValue::List(_)
        | JsonValue::Object(_) => Err(rule()),
    }
}

impl Common {
    fn transfer(self, operation: Operation, debit: AccountNumber, credit: AccountNumber) -> Transfer {
        let Self { classified: Classified { id, category, reference }, amount, currency } = self;
        Transfer { id, operation, debit, credit, amount, currency, category, reference, link: None }
    }
}

#[cfg(test)]
mod tests;
