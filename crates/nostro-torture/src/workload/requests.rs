//! Contents as the bodies that are sent.

use super::cast::number;
use crate::history::{Content, Kind};
use nostro_client::{
    BulkOperation, BulkOrder, CaptureRequest, CashRequest, HoldRequest, LegRequest, MultiLegRequest, ReleaseRequest,
    ReversalRequest, TransferRequest,
};
use nostro_core::{Amount, Currency, Timestamp};
use uuid::Uuid;

fn amount(content: &Content) -> Amount {
    Amount::new(content.amount).expect("an amount")
}

fn currency(content: &Content) -> Currency {
    content.currency.parse().expect("a currency")
}

fn reference(content: &Content) -> Option<String> {
    content.reference.map(str::to_owned)
}

/// A transfer, if the content is of a plain one.
pub(super) fn plain((id, content): &(Uuid, Content)) -> Option<TransferRequest> {
    let is_plain = content.kind == Kind::Transfer && content.link.is_none();
    is_plain.then(|| transfer(*id, content, false))
}

fn transfer(id: Uuid, content: &Content, up_to: bool) -> TransferRequest {
    TransferRequest {
        id,
        debit_account: number(content.debit),
        credit_account: number(content.credit),
        amount: amount(content),
        currency: currency(content),
        up_to,
        category: content.category,
        reference: reference(content),
    }
}

fn cash(id: Uuid, content: &Content, account: i64) -> CashRequest {
    CashRequest {
        id,
        account: number(account),
        amount: amount(content),
        currency: currency(content),
        category: content.category,
        reference: reference(content),
    }
}

/// What a request does, also as an item of a bulk.
pub(super) fn operation((id, content): &(Uuid, Content)) -> BulkOperation {
    let (id, category) = (*id, content.category);
    match content.kind {
        Kind::Transfer => BulkOperation::Transfer(transfer(id, content, false)),
        Kind::UpTo => BulkOperation::Transfer(transfer(id, content, true)),
        Kind::Deposit => BulkOperation::Deposit(cash(id, content, content.credit)),
        Kind::Withdrawal => BulkOperation::Withdrawal(cash(id, content, content.debit)),
        Kind::Hold { expires_at } => BulkOperation::Hold(HoldRequest {
            id,
            debit_account: number(content.debit),
            credit_account: number(content.credit),
            amount: amount(content),
            currency: currency(content),
            expires_at: expires_at.map(|at| Timestamp::from_micros(at).to_string()),
            category,
            reference: reference(content),
        }),
        Kind::Capture { hold, is_final } => {
            let request =
                CaptureRequest { id, amount: amount(content), is_final, category, reference: reference(content) };
            BulkOperation::Capture { hold, request }
        }
        Kind::Release { hold } => {
            BulkOperation::Release { hold, request: ReleaseRequest { id, category, reference: reference(content) } }
        }
        Kind::Reversal { original, is_whole, is_forced } => {
            let amount = (!is_whole).then(|| amount(content));
            let request = ReversalRequest { id, amount, force: is_forced, category, reference: reference(content) };
            BulkOperation::Reversal { original, request }
        }
    }
}

/// Items of a bulk, of which those that belong together are linked.
pub(super) fn linked(links: &[(Uuid, Content)]) -> impl Iterator<Item = BulkOrder> {
    let last = links.len() - 1;
    links.iter().enumerate().map(move |(at, link)| BulkOrder { operation: operation(link), linked: at < last })
}

/// Legs as one request. They have one side, the currency and the reference in common.
pub(super) fn multi_leg(legs: &[(Uuid, Content)]) -> MultiLegRequest {
    let (id, first) = &legs[0];
    let one_pays = legs.iter().all(|(_, leg)| leg.debit == first.debit);
    let leg = |(_, leg): &(Uuid, Content)| LegRequest {
        debit_account: (!one_pays).then(|| number(leg.debit)),
        credit_account: one_pays.then(|| number(leg.credit)),
        amount: amount(leg),
        reference: None,
    };
    MultiLegRequest {
        id: *id,
        debit_account: one_pays.then(|| number(first.debit)),
        credit_account: (!one_pays).then(|| number(first.credit)),
        amount: Amount::new(legs.iter().map(|(_, leg)| leg.amount).sum()).expect("an amount"),
        currency: currency(first),
        legs: legs.iter().map(leg).collect(),
        reference: reference(first),
    }
}
