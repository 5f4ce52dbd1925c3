//! The outcomes of moving money as HTTP answers.
//!
//! One table, for single requests and for the items of a bulk. Three outcomes are kept apart: committed (posted
//! and settling), refused, unknown; what surely moved nothing (unavailable) is a fourth answer, not an outcome.

pub(crate) mod legs;

use crate::fields::Pointer;
use crate::problem::{Code, IDEMPOTENT_REPLAYED, Problem};
use crate::view::Text;
use crate::view::posted::Outcome;
use crate::view::transfer::{BulkResult, State, TransferView, UnknownTransfer};
use crate::wire::Named;
use axum::Json;
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use nostro_core::transfer::{Decision, Field};
use nostro_core::{BranchCode, Refusal, Transfer, TransferId, TransferKind};
use nostro_engine::{Answer, Receipt};
use serde::Serialize;

/// The media type of every other answer.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What is asked of the answer beyond its outcome.
#[derive(Clone, Copy)]
enum Told {
    /// The request's own decision.
    Now,
    /// Decided by an earlier request.
    Earlier,
}

/// The answer to a single request to move money.
pub(crate) fn single(transfer: &Transfer, answer: Answer) -> Response {
    match answer {
        Answer::Posted(receipt) => decided(&receipt, Told::Now),
        Answer::Refused(receipt) => decided(&receipt, Told::Now),
        Answer::Replayed(receipt) => decided(&receipt, Told::Earlier),
        Answer::Settling(receipt) => {
            let body = TransferView::new(&receipt, false);
            at(StatusCode::ACCEPTED, &location(transfer.id, receipt.commit.home), body)
        }
        Answer::Unknown => {
            let body = UnknownTransfer::new(transfer.id);
            at(StatusCode::ACCEPTED, &location(transfer.id, transfer.home()), body)
        }
        Answer::Conflict(field) => Problem::id_conflict(pointer(transfer.kind(), field)).into_response(),
        Answer::Unusable(why) => Problem::unusable_id("/id".to_owned(), why).into_response(),
        Answer::Unavailable(reason) => Problem::unavailable(reason).into_response(),
        Answer::Moot | Answer::Bug => Problem::internal().into_response(),
    }
}

/// One item of a bulk's answer. `place` is where it stands in the request; `body` completes a problem with the request's
/// path and id.
pub(crate) fn item(
    place: Pointer,
    named: Named,
    answer: Answer,
    body: impl Fn(&Problem) -> crate::problem::ProblemBody,
) -> BulkResult {
    let result = |state, view, problem: Option<Problem>| BulkResult {
        id: Text(named.id),
        state,
        replayed: false,
        transfer: view,
        problem: problem.as_ref().map(&body),
    };
    let decided = |receipt: &Receipt| match receipt.record.decision {
        Decision::Posted { .. } => result(State::Posted, Some(TransferView::new(receipt, true)), None),
        Decision::Refused(refusal) => result(State::Refused, None, Some(refused(&receipt.record.transfer, refusal))),
    };
    match answer {
        Answer::Posted(receipt) | Answer::Refused(receipt) => decided(&receipt),
        Answer::Replayed(receipt) => BulkResult { replayed: true, ..decided(&receipt) },
        Answer::Settling(receipt) => result(State::Settling, Some(TransferView::new(&receipt, false)), None),
        Answer::Unknown => result(State::Unknown, None, None),
        Answer::Conflict(field) => {
            let pointer = format!("{place}{}", pointer(named.kind, field));
            result(State::Conflict, None, Some(Problem::id_conflict(pointer)))
        }
        Answer::Unusable(why) => {
            let problem = Problem::unusable_id(format!("{place}/id"), why);
            result(State::Refused, None, Some(problem))
        }
        Answer::Unavailable(reason) => result(State::Unavailable, None, Some(Problem::unavailable(reason))),
        // As a single request's 500: whoever reads it must not take it for "nothing moved".
        Answer::Moot | Answer::Bug => result(State::Unknown, None, Some(Problem::internal())),
    }
}

/// An answer that is written as a posted or settling result, if its record is posted.
pub(crate) fn posted(answer: &Answer) -> Option<(&Receipt, Outcome)> {
    match answer {
        Answer::Posted(receipt) => Some((receipt, Outcome { state: State::Posted, replayed: false })),
        Answer::Replayed(receipt) => Some((receipt, Outcome { state: State::Posted, replayed: true })),
        Answer::Settling(receipt) => Some((receipt, Outcome { state: State::Settling, replayed: false })),
        Answer::Refused(_)
        | Answer::Unknown
        | Answer::Conflict(_)
        | Answer::Unusable(_)
        | Answer::Moot
        | Answer::Unavailable(_)
        | Answer::Bug => None,
    }
}

/// A thing that was made (201), or found as made by an earlier request with the same id (200).
pub(crate) fn made(replayed: bool, location: Option<&str>, body: impl Serialize) -> Response {
    let status = if replayed { StatusCode::OK } else { StatusCode::CREATED };
    let mut response = (status, Json(body)).into_response();
    if replayed {
        mark_replayed(&mut response);
    }
    if let Some(location) = location {
        point_to(&mut response, location);
    }
    response
}

/// Work that was begun and is told of at a location.
pub(crate) fn accepted(location: &str, body: impl Serialize) -> Response {
    at(StatusCode::ACCEPTED, location, body)
}

/// A thing that was changed, or found as changed by an earlier request with the same id.
pub(crate) fn changed(replayed: bool, body: impl Serialize) -> Response {
    let mut response = Json(body).into_response();
    if replayed {
        mark_replayed(&mut response);
    }
    response
}

fn decided(receipt: &Receipt, told: Told) -> Response {
    let transfer = &receipt.record.transfer;
    match (receipt.record.decision, told) {
        (Decision::Posted { .. }, Told::Now) => {
            let location = location(transfer.id, receipt.commit.home);
            made(false, Some(&location), TransferView::new(receipt, true))
        }
        (Decision::Posted { .. }, Told::Earlier) => changed(true, TransferView::new(receipt, true)),
        (Decision::Refused(refusal), Told::Now) => refused(transfer, refusal).into_response(),
        (Decision::Refused(refusal), Told::Earlier) => refused(transfer, refusal).replayed().into_response(),
    }
}

/// A business refusal, with what is known of its reason.
pub(crate) fn refused(transfer: &Transfer, refusal: Refusal) -> Problem {
    let Transfer { debit, credit, currency, .. } = transfer;
    let detail = match refusal {
        Refusal::DebitAccountNotFound => format!("no account has the number {debit}"),
        Refusal::CreditAccountNotFound => format!("no account has the number {credit}"),
        Refusal::CurrencyMismatch => format!("{debit} and {credit} are not both kept in {currency}"),
        Refusal::HoldMismatch => format!("no hold of {debit} in favour of {credit} has this id"),
        Refusal::HoldCaptured => "nothing is left of the hold: it was captured".to_owned(),
        Refusal::HoldReleased => "the hold was released".to_owned(),
        Refusal::HoldExpired => "the hold's time has run out".to_owned(),
        Refusal::HoldExceeded => {
            let amount = currency.major_units(transfer.amount.minor_units());
            format!("less than {amount} {currency} is left of the hold")
        }
        Refusal::NotReversible => format!("no money that moved from {credit} to {debit} under that id can go back"),
        Refusal::ReversalExceeded => "more would go back than was moved".to_owned(),
        Refusal::ReversalNotCovered => {
            let amount = currency.major_units(transfer.amount.minor_units());
            format!("{debit} no longer has {amount} {currency} available")
        }
        Refusal::DebitAccountClosed => format!("{debit} is closed"),
        Refusal::CreditAccountClosed => format!("{credit} is closed"),
        Refusal::DebitAccountFrozen => format!("{debit} is frozen for debits"),
        Refusal::CreditAccountFrozen => format!("{credit} is frozen for credits"),
        Refusal::CeilingExceeded => {
            let amount = currency.major_units(transfer.amount.minor_units());
            format!("with {amount} {currency} more, {credit} would be above its ceiling")
        }
        Refusal::InsufficientFunds => {
            let amount = currency.major_units(transfer.amount.minor_units());
            format!("{debit} has less than {amount} {currency} available")
        }
        Refusal::ChainBroken => "another link of its chain was refused".to_owned(),
        Refusal::BalanceOutOfRange => {
            format!("the balance of {debit} or {credit} would be beyond what an account can hold")
        }
    };
    Problem::new(Code::Refused(refusal), detail)
}

/// The member of the request's body that a conflicting field came from, or what follows from its URL: `/hold`,
/// `/original`. A deposit or a withdrawal names one account; the other follows from the currency, at the branch where
/// the earlier request was found.
pub(crate) fn pointer(kind: TransferKind, field: Field) -> String {
    let name = match (kind, field) {
        (TransferKind::Deposit, Field::DebitAccount) | (TransferKind::Withdrawal, Field::CreditAccount) => "currency",
        (TransferKind::Deposit, Field::CreditAccount) | (TransferKind::Withdrawal, Field::DebitAccount) => "account",
        (_, field) => field.name(),
    };
    format!("/{name}")
}

pub(crate) fn location(id: TransferId, home: BranchCode) -> String {
    format!("/v1/transfers/{id}?branch={home}")
}

pub(crate) fn at(status: StatusCode, location: &str, body: impl Serialize) -> Response {
    let mut response = (status, Json(body)).into_response();
    point_to(&mut response, location);
    response
}

pub(crate) fn point_to(response: &mut Response, location: &str) {
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(LOCATION, location);
    }
}

pub(crate) fn mark_replayed(response: &mut Response) {
    response.headers_mut().insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
}

#[cfg(test)]
mod tests;
