//! The bodies of holds, captures and releases: a hold is read into a [`Transfer`], the others into an [`Ask`].
//!
//! A capture or a release names its hold in the URL; its accounts and its currency follow from the hold.

use crate::ask::{Ask, Classified, OfHold};
use crate::fields::{self, Broken, Errors, Fields, HasBranch, Pointer};
use crate::json::JsonValue;
use crate::problem::Problem;
use crate::transfer_body::read_classified;
use nostro_core::{Amount, BranchCode, Operation, Transfer, TransferId};
use utoipa::ToSchema;
use uuid::Uuid;

pub(crate) const HOLD_FIELDS: [&str; 8] =
    ["id", "debit_account", "credit_account", "amount", "currency", "expires_at", "category", "reference"];
const CAPTURE_FIELDS: [&str; 5] = ["id", "amount", "final", "category", "reference"];
const RELEASE_FIELDS: [&str; 3] = ["id", "category", "reference"];

/// A hold that is asked for.
#[expect(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
#[derive(ToSchema)]
pub(crate) struct NewHold {
    /// The client's id and idempotency key, and the hold's id from then on; version 7 is advised.
    id: Uuid,
    /// Where the money is reserved.
    #[schema(example = "AZ93000000001042")]
    debit_account: String,
    /// In whose favour; another account, of any branch. It is looked at when the hold is captured.
    #[schema(example = "TX25000000001042")]
    credit_account: String,
    /// Minor units.
    #[schema(pattern = "^[1-9][0-9]{0,17}$", example = "100000")]
    amount: String,
    /// ISO 4217.
    #[schema(example = "USD")]
    currency: String,
    /// RFC 3339: from when on it is expired. Never if absent.
    #[schema(example = "2026-11-30T00:00:00Z")]
    expires_at: Option<String>,
    /// The client's own classification.
    #[schema(default = 0)]
    category: Option<u16>,
    /// One line of text.
    #[schema(min_length = 1, max_length = 140, example = "hotel")]
    reference: Option<String>,
}

/// A capture that is asked for.
#[expect(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
#[derive(ToSchema)]
pub(crate) struct NewCapture {
    /// The client's id and idempotency key; version 7 is advised.
    id: Uuid,
    /// Minor units, at most what is left of the hold.
    #[schema(pattern = "^[1-9][0-9]{0,17}$", example = "100000")]
    amount: String,
    /// Whether the rest is given back.
    #[serde(rename = "final")]
    #[schema(default = false)]
    is_final: Option<bool>,
    /// The client's own classification.
    #[schema(default = 0)]
    category: Option<u16>,
    /// One line of text for the statement.
    #[schema(min_length = 1, max_length = 140, example = "hotel, two nights")]
    reference: Option<String>,
}

/// A release that is asked for.
#[expect(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
#[derive(ToSchema)]
pub(crate) struct NewRelease {
    /// The client's id and idempotency key; version 7 is advised.
    id: Uuid,
    /// The client's own classification.
    #[schema(default = 0)]
    category: Option<u16>,
    /// One line of text.
    #[schema(min_length = 1, max_length = 140, example = "cancelled")]
    reference: Option<String>,
}

/// A hold from its body.
pub(crate) fn hold(value: JsonValue<'_>, has_branch: HasBranch<'_>) -> Result<Transfer, Problem> {
    let mut errors = Errors::default();
    let transfer = Fields::read(value, Pointer::Body, &HOLD_FIELDS, &mut errors)
        .and_then(|mut fields| read_hold(&mut fields, has_branch));
    errors.none_or(transfer)
}

/// A capture of a hold from its body.
pub(crate) fn capture(value: JsonValue<'_>, hold: TransferId, branch: Option<BranchCode>) -> Result<Ask, Problem> {
    let mut errors = Errors::default();
    let ask = Fields::read(value, Pointer::Body, &CAPTURE_FIELDS, &mut errors).and_then(|mut fields| {
        let (amount, is_final, classified) = read_capture(&mut fields)?;
        Some(Ask::OfHold { hold, what: OfHold::Capture { amount, is_final }, classified, branch })
    });
    errors.none_or(ask)
}

/// A release of a hold from its body.
pub(crate) fn release(value: JsonValue<'_>, hold: TransferId, branch: Option<BranchCode>) -> Result<Ask, Problem> {
    let mut errors = Errors::default();
    let ask = Fields::read(value, Pointer::Body, &RELEASE_FIELDS, &mut errors).and_then(|mut fields| {
        Some(Ask::OfHold { hold, what: OfHold::Release, classified: read_classified(&mut fields)?, branch })
    });
    errors.none_or(ask)
}

/// How much is captured, whether that is the last of it, and what every transfer has.
pub(crate) fn read_capture(fields: &mut Fields<'_, '_>) -> Option<(Amount, bool, Classified)> {
    let amount = fields.required("amount", |value| fields::amount(&value));
    let is_final = fields.optional("final", false, |value| fields::flag(&value));
    let classified = read_classified(fields);
    Some((amount?, is_final?, classified?))
}

/// A hold; the names of its fields are [`HOLD_FIELDS`].
pub(crate) fn read_hold(fields: &mut Fields<'_, '_>, has_branch: HasBranch<'_>) -> Option<Transfer> {
    let debit = fields.required("debit_account", |value| fields::account_number(&value, has_branch));
    let credit = fields.required("credit_account", |value| fields::account_number(&value, has_branch));
    let amount = fields.required("amount", |value| fields::amount(&value));
    let currency = fields.required("currency", |value| fields::currency(&value));
    let expires_at = fields.optional("expires_at", None, |value| fields::time(&value).map(Some));
    let classified = read_classified(fields);
    if debit.is_some() && debit == credit {
        fields.push("credit_account", Broken::Rule("must be another account than the debit account".to_owned()));
        return None;
    }
    let Classified { id, category, reference } = classified?;
    Some(Transfer {
        id,
        operation: Operation::Hold { expires_at: expires_at? },
        debit: debit?,
        credit: credit?,
        amount: amount?,
        currency: currency?,
        category,
        reference,
        link: None,
    })
}

#[cfg(test)]
mod tests;
