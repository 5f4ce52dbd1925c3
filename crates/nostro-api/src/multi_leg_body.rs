//! The body of a transfer with many legs: one account pays many, or many pay one. It is read into a [`Chain`].
//!
//! The first leg has the request's id, the others have ids derived from it, so that a retry finds them all.

use crate::ask::Classified;
use crate::fields::{self, Broken, Errors, Fields, HasBranch, Pointer};
use crate::json::JsonValue;
use crate::problem::Problem;
use crate::transfer_body::{category, read_classified};
use nostro_core::chain::{ChainError, LINKS_MAX};
use nostro_core::{AccountNumber, Amount, Chain, Currency, Operation, Reference, Transfer};
use utoipa::ToSchema;
use uuid::Uuid;

const FIELDS: [&str; 8] =
    ["id", "debit_account", "credit_account", "amount", "currency", "legs", "category", "reference"];
const DEBIT_LEG_FIELDS: [&str; 4] = ["debit_account", "amount", "category", "reference"];
const CREDIT_LEG_FIELDS: [&str; 4] = ["credit_account", "amount", "category", "reference"];

/// A transfer of many legs that is asked for.
#[expect(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
#[derive(ToSchema)]
pub(crate) struct NewMultiLegTransfer {
    /// The client's id and idempotency key, and the first leg's id; version 7 is advised.
    id: Uuid,
    /// Who pays all legs; then each leg names who is paid.
    #[schema(example = "AZ93000000001042")]
    debit_account: Option<String>,
    /// Who is paid by all legs; then each leg names who pays.
    #[schema(example = "TX25000000001042")]
    credit_account: Option<String>,
    /// Minor units: the sum of the legs.
    #[schema(pattern = "^[1-9][0-9]{0,17}$", example = "100000")]
    amount: String,
    /// ISO 4217.
    #[schema(example = "USD")]
    currency: String,
    /// 1 to 8,192 of them, over at most 8 branches.
    #[schema(min_items = 1, max_items = 8192)]
    legs: Vec<NewLeg>,
    /// The client's own classification of legs that have none.
    #[schema(default = 0)]
    category: Option<u16>,
    /// One line of text for the statement, of legs that have none.
    #[schema(min_length = 1, max_length = 140, example = "payroll 2026-11")]
    reference: Option<String>,
}

/// One leg.
#[expect(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
#[derive(ToSchema)]
pub(crate) struct NewLeg {
    /// Who pays, if the request names who is paid.
    debit_account: Option<String>,
    /// Who is paid, if the request names who pays.
    #[schema(example = "TX25000000001042")]
    credit_account: Option<String>,
    /// Minor units.
    #[schema(pattern = "^[1-9][0-9]{0,17}$", example = "100000")]
    amount: String,
    /// The client's own classification; the request's if absent.
    category: Option<u16>,
    /// One line of text for the statement; the request's if absent.
    #[schema(min_length = 1, max_length = 140)]
    reference: Option<String>,
}

/// The side that all legs share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shared {
    /// One account pays many.
    Debit(AccountNumber),
    /// Many pay one account.
    Credit(AccountNumber),
}

/// What the legs have in common.
struct Common {
    shared: Shared,
    currency: Currency,
    classified: Classified,
}

/// The legs as a chain, and which side they share.
pub(crate) fn multi_leg(value: JsonValue<'_>, has_branch: HasBranch<'_>) -> Result<(Chain, Shared), Problem> {
    let mut errors = Errors::default();
    let mut total = None;
    let read = Fields::read(value, Pointer::Body, &FIELDS, &mut errors).and_then(|mut fields| {
        let account = |value: JsonValue<'_>| fields::account_number(&value, has_branch).map(Some);
        let debit = fields.optional("debit_account", None, account);
        let credit = fields.optional("credit_account", None, account);
        total = fields.required("amount", |value| fields::amount(&value));
        let currency = fields.required("currency", |value| fields::currency(&value));
        let legs = fields.required("legs", legs);
        let classified = read_classified(&mut fields);
        let shared = match (debit?, credit?) {
            (Some(account), None) => Shared::Debit(account),
            (None, Some(account)) => Shared::Credit(account),
            (Some(_), Some(_)) | (None, None) => {
                let rule = "name debit_account or credit_account, and not both: the other side is the legs'";
                fields.push("debit_account", Broken::Rule(rule.to_owned()));
                return None;
            }
        };
        Some((Common { shared, currency: currency?, classified: classified? }, legs?))
    });
    let Some((common, values)) = read else { return errors.none_or(None) };
    let mut legs = Vec::with_capacity(values.len());
    for (place, value) in (0_u16..).zip(values) {
        legs.extend(leg(value, place, &common, has_branch, &mut errors));
    }
    let sum = legs.iter().try_fold(0_i64, |sum, leg| sum.checked_add(leg.amount.minor_units()));
    if let Some(total) = total.map(Amount::minor_units)
        && sum != Some(total)
    {
        let sum = sum.map_or("more than an amount can be".to_owned(), |sum| sum.to_string());
        errors.push("/amount".to_owned(), Broken::Rule(format!("the legs add up to {sum}, not to {total}")));
    }
    let legs = errors.none_or(Some(legs))?;
    match Chain::new(legs) {
        Ok(chain) => Ok((chain, common.shared)),
        Err(
            error @ (ChainError::Length | ChainError::SameId(_) | ChainError::TooMuch | ChainError::TooManyBranches(_)),
        ) => Err(Problem::field("/legs".to_owned(), error.to_string())),
    }
}

fn legs(value: JsonValue<'_>) -> fields::Ruled<Vec<JsonValue<'_>>> {
    match value {
        JsonValue::List(legs) if (1..=LINKS_MAX).contains(&legs.len()) => Ok(legs),
        JsonValue::List(legs) => {
            let found = legs.len();
            Err(Broken::Rule(format!("there are 1 to {LINKS_MAX} legs, not {found}")))
        }
        JsonValue::Null | JsonValue::Bool(_) | JsonValue::Number(_) | JsonValue::Text(_) | JsonValue::Object(_) => {
            Err(Broken::Rule(format!("expected a list of legs, found {}", value.noun())))
        }
    }
}

fn leg(
    value: JsonValue<'_>,
    place: u16,
    common: &Common,
    has_branch: HasBranch<'_>,
    errors: &mut Errors,
) -> Option<Transfer> {
    let (names, other, shared) = match common.shared {
        Shared::Debit(_) => (&CREDIT_LEG_FIELDS, "credit_account", "debit"),
        Shared::Credit(_) => (&DEBIT_LEG_FIELDS, "debit_account", "credit"),
    };
    let mut fields = Fields::read(value, Pointer::Item { list: "legs", at: usize::from(place) }, names, errors)?;
    let account = fields.required(other, |value| fields::account_number(&value, has_branch));
    let amount = fields.required("amount", |value| fields::amount(&value));
    let own = &common.classified;
    let category = fields.optional("category", own.category, |value| category(&value));
    let reference =
        fields.optional("reference", own.reference.clone(), |value| fields::text(&value, Reference::new).map(Some));
    let (debit, credit) = match common.shared {
        Shared::Debit(debit) => (debit, account?),
        Shared::Credit(credit) => (account?, credit),
    };
    if debit == credit {
        fields.push(other, Broken::Rule(format!("must be another account than the {shared} account")));
        return None;
    }
    Some(Transfer {
        id: if place == 0 { own.id } else { own.id.leg(place) },
        operation: Operation::Transfer,
        debit,
        credit,
        amount: amount?,
        currency: common.currency,
        category: category?,
        reference: reference?,
        link: None,
    })
}

#[cfg(test)]
mod tests;
