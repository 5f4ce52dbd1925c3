//! The body of a bulk: transfers, and whatever else moves or reserves money, by themselves or linked to chains.
//!
//! An item that names a hold or an original gets its accounts and its currency from it. So it is read in two steps: what
//! the body says, here, and what the branches know, in [`crate::facts`].

use crate::ask::{Ask, OfHold};
use crate::fields::{self, Broken, Errors, Fields, HasBranch, Pointer};
use crate::hold_body;
use crate::json::JsonValue;
use crate::problem::Problem;
use crate::transfer_body::{self, BULK_TRANSFERS_MAX, CashMovement};
use nostro_core::{BranchCode, TransferId, TransferKind};
use utoipa::ToSchema;
use uuid::Uuid;

const BULK_FIELDS: [&str; 2] = ["transfers", "atomic"];
/// What every item may have beside the fields of its kind.
const ITEM_FIELDS: [&str; 2] = ["kind", "linked"];

/// Many transfers, by themselves or linked.
#[expect(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
#[derive(ToSchema)]
pub(crate) struct NewTransfers {
    /// 1 to 8,192 of them.
    #[schema(min_items = 1, max_items = 8192)]
    transfers: Vec<NewBulkItem>,
    /// Whether all of them are one chain: all posted or none.
    #[schema(default = false)]
    atomic: Option<bool>,
}

/// An item of a bulk. Beside `kind` and `linked` its fields are those of a single request of its kind; a capture and a
/// release name their `hold`, a reversal its `original`.
#[expect(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
#[derive(ToSchema)]
pub(crate) struct NewBulkItem {
    /// `transfer`, `deposit`, `withdrawal`, `hold`, `capture`, `release` or `reversal`.
    #[schema(default = "transfer")]
    kind: Option<String>,
    /// Whether it and the next item are of one chain: all its links are posted or none.
    #[schema(default = false)]
    linked: Option<bool>,
    /// The client's id and idempotency key; version 7 is advised.
    id: Uuid,
    /// Of a transfer or a hold.
    #[schema(example = "AZ93000000001042")]
    debit_account: Option<String>,
    /// Of a transfer or a hold.
    #[schema(example = "TX25000000001042")]
    credit_account: Option<String>,
    /// Of a deposit or a withdrawal.
    account: Option<String>,
    /// Of a capture or a release.
    hold: Option<Uuid>,
    /// Of a reversal.
    original: Option<Uuid>,
    /// Of a capture, a release or a reversal: the branch that knows what it names, where two may.
    #[schema(example = "AZ")]
    branch: Option<String>,
    /// Minor units. Not of a release; of a reversal all that was moved if absent.
    #[schema(pattern = "^[1-9][0-9]{0,17}$", example = "100000")]
    amount: Option<String>,
    /// ISO 4217, of a transfer, a hold, a deposit or a withdrawal.
    #[schema(example = "USD")]
    currency: Option<String>,
    /// Of a transfer.
    up_to: Option<bool>,
    /// Of a hold: RFC 3339.
    expires_at: Option<String>,
    /// Of a capture.
    #[serde(rename = "final")]
    is_final: Option<bool>,
    /// Of a reversal.
    force: Option<bool>,
    /// The client's own classification.
    #[schema(default = 0)]
    category: Option<u16>,
    /// One line of text for the statement.
    #[schema(min_length = 1, max_length = 140, example = "rent")]
    reference: Option<String>,
}

/// What a bulk asks for, in its order.
#[derive(Debug)]
pub(crate) struct Bulk {
    pub(crate) items: Vec<Ask>,
    /// Whether each item is of the chain of the item before it.
    pub(crate) follows: Vec<bool>,
    /// Whether each item is of a chain at all.
    pub(crate) is_link: Vec<bool>,
}

/// The items of a bulk; one that is malformed refuses them all.
pub(crate) fn bulk(value: JsonValue<'_>, has_branch: HasBranch<'_>) -> Result<Bulk, Problem> {
    let mut errors = Errors::default();
    let read = Fields::read(value, Pointer::Body, &BULK_FIELDS, &mut errors).and_then(|mut fields| {
        let items = fields.required("transfers", |value| fields::list_of(value, "transfers", BULK_TRANSFERS_MAX));
        let atomic = fields.optional("atomic", false, |value| fields::flag(&value));
        Some((items?, atomic?))
    });
    let (values, atomic) = read.unwrap_or_default();
    let count = values.len();
    let (mut items, mut linked) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for (at, value) in values.into_iter().enumerate() {
        let read = read_item(value, Pointer::Item { list: "transfers", at }, has_branch, &mut errors);
        let Some((item, is_linked)) = read else { continue };
        if is_linked && atomic {
            let rule = "an atomic bulk is one chain; linked is for chains among others";
            errors.push(format!("/transfers/{at}/linked"), Broken::Rule(rule.to_owned()));
        } else if is_linked && at + 1 == count {
            let rule = "the last item has none to be linked with";
            errors.push(format!("/transfers/{at}/linked"), Broken::Rule(rule.to_owned()));
        }
        items.push(item);
        linked.push(is_linked || (atomic && at + 1 < count));
    }
    let follows: Vec<bool> = std::iter::once(false).chain(linked.iter().copied()).take(items.len()).collect();
    let is_link = linked.iter().zip(&follows).map(|(linked, follows)| atomic || *linked || *follows).collect();
    errors.none_or(Some(Bulk { items, follows, is_link }))
}

fn read_item(
    value: JsonValue<'_>,
    place: Pointer,
    has_branch: HasBranch<'_>,
    errors: &mut Errors,
) -> Option<(Ask, bool)> {
    let kind = match kind(&value) {
        Ok(kind) => kind,
        Err(broken) => {
            errors.push(format!("{place}/kind"), broken);
            return None;
        }
    };
    let of_kind: &[&'static str] = match kind {
        TransferKind::Transfer => &transfer_body::TRANSFER_FIELDS,
        TransferKind::Deposit | TransferKind::Withdrawal => &transfer_body::CASH_FIELDS,
        TransferKind::Hold => &hold_body::HOLD_FIELDS,
        TransferKind::Capture => &["hold", "branch", "id", "amount", "final", "category", "reference"],
        TransferKind::Release | TransferKind::Expiry => &["hold", "branch", "id", "category", "reference"],
        TransferKind::Reversal => &["original", "branch", "id", "amount", "force", "category", "reference"],
    };
    let names: Vec<&'static str> = of_kind.iter().chain(&ITEM_FIELDS).copied().collect();
    let mut fields = Fields::read(value, place, &names, errors)?;
    let linked = fields.optional("linked", false, |value| fields::flag(&value));
    let item = match kind {
        TransferKind::Transfer => transfer_body::read_transfer(&mut fields, has_branch).map(Ask::Whole),
        TransferKind::Deposit => cash(&mut fields, CashMovement::Deposit, has_branch),
        TransferKind::Withdrawal => cash(&mut fields, CashMovement::Withdrawal, has_branch),
        TransferKind::Hold => hold_body::read_hold(&mut fields, has_branch).map(Ask::Whole),
        TransferKind::Capture => {
            let hold = named(&mut fields, "hold");
            let branch = at_branch(&mut fields, has_branch);
            let capture = hold_body::read_capture(&mut fields);
            let (hold, (amount, is_final, classified)) = hold.zip(capture)?;
            let branch = branch?;
            Some(Ask::OfHold { hold, what: OfHold::Capture { amount, is_final }, classified, branch })
        }
        TransferKind::Release | TransferKind::Expiry => {
            let hold = named(&mut fields, "hold");
            let branch = at_branch(&mut fields, has_branch);
            let (hold, classified) = hold.zip(transfer_body::read_classified(&mut fields))?;
            Some(Ask::OfHold { hold, what: OfHold::Release, classified, branch: branch? })
        }
        TransferKind::Reversal => {
            let original = named(&mut fields, "original");
            let branch = at_branch(&mut fields, has_branch);
            let reversal = transfer_body::read_reversal(&mut fields);
            let (original, (amount, is_forced, classified)) = original.zip(reversal)?;
            Some(Ask::Reversal { original, amount, is_forced, classified, branch: branch? })
        }
    };
    item.zip(linked)
}

/// The branch that knows what an item names, where two may.
fn at_branch(fields: &mut Fields<'_, '_>, has_branch: HasBranch<'_>) -> Option<Option<BranchCode>> {
    fields.optional("branch", None, |value| fields::branch(&value, has_branch).map(Some))
}

/// The kind that an item names; a transfer if it names none.
fn kind(value: &JsonValue<'_>) -> fields::Ruled<TransferKind> {
    let JsonValue::Object(members) = value else { return Ok(TransferKind::Transfer) };
    let Some((_, value)) = members.iter().find(|(name, _)| name == "kind") else { return Ok(TransferKind::Transfer) };
    let rule = "a kind is transfer, deposit, withdrawal, hold, capture, release or reversal";
    match fields::text(value, |text| text.parse::<TransferKind>().map_err(|_| rule))? {
        // Holds expire by themselves.
        TransferKind::Expiry => Err(Broken::Rule(rule.to_owned())),
        kind => Ok(kind),
    }
}

fn cash(fields: &mut Fields<'_, '_>, movement: CashMovement, has_branch: HasBranch<'_>) -> Option<Ask> {
    transfer_body::read_cash(fields, movement, has_branch).map(Ask::Whole)
}

fn named(fields: &mut Fields<'_, '_>, name: &'static str) -> Option<TransferId> {
    fields.required(name, |value| fields::id(&value)).map(TransferId)
}

#[cfg(test)]
mod tests;
