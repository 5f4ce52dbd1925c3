//! The routes: each parses its request, asks the engine once, and says what the engine answered.
//!
//! - [`transfers`], [`multi_leg`], [`holds`]: moving money; [`moving`]: what they share
//! - [`customers`], [`accounts`], [`account_changes`]: the register; [`statements`]: what an account was at a past instant
//! - [`bank`]: branches, batches in doubt, the quick audit; [`audits`]: full ones
//! - [`probes`]: for load balancers, Prometheus and readers of the description
//!
//! A route whose caller hangs up is dropped where it waits. That is safe: commits run in the engine's own tasks.

pub(crate) mod account_changes;
pub(crate) mod accounts;
pub(crate) mod audits;
pub(crate) mod bank;
pub(crate) mod customers;
pub(crate) mod holds;
mod moving;
pub(crate) mod multi_leg;
pub(crate) mod probes;
pub(crate) mod statements;
pub(crate) mod transfers;

use crate::cursor::{self, List};
use crate::fields::Pointer;
use crate::problem::{Code, Problem};
use crate::view::registered::{RegisteredState, UnknownRequest};
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use nostro_core::{AccountNumber, BranchCode};
use nostro_engine::{Engine, Made, Page, ReadError, RegisterError};
use uuid::Uuid;

/// What a list with filters answers, for its description.
const FILTERED_PAGE: &str =
    "A page. With filters it may be shorter than `limit` and not the last: go on until `next_cursor` is null.";

/// The answer to a single request that made or changed nothing, or may have; `number` is the account in the URL, if there
/// is one. What is not known is told as such: a 503 would say that this attempt did nothing.
fn not_made(error: RegisterError, id: Uuid, number: Option<AccountNumber>) -> Result<Response, Problem> {
    if let RegisterError::Unknown(_) = error {
        return Ok((StatusCode::ACCEPTED, Json(UnknownRequest::new(id))).into_response());
    }
    Err(register_problem(error, number))
}

/// What was not made, closed or read, as a problem. `number` is the account in the URL, if there is one.
fn register_problem(error: RegisterError, number: Option<AccountNumber>) -> Problem {
    let of = number.map_or_else(|| "the account".to_owned(), |number| number.to_string());
    match error {
        RegisterError::UnknownBranch(code) => match number {
            Some(number) => Problem::account_not_found(number),
            None => Problem::unknown_branch(code),
        },
        RegisterError::CustomerNotFound => Problem::new(Code::CustomerNotFound, "no customer has this number"),
        RegisterError::AccountNotFound => Problem::new(Code::AccountNotFound, format!("{of} does not exist")),
        RegisterError::IdConflict(field) => Problem::id_conflict(format!("/{field}")),
        RegisterError::AccountNotEmpty => {
            Problem::new(Code::AccountNotEmpty, format!("{of} has money or open holds; it must be empty to be closed"))
        }
        RegisterError::AccountClosed => Problem::new(Code::AccountClosed, format!("{of} is closed")),
        RegisterError::BankAccount => {
            Problem::new(Code::BankAccount, format!("{of} is the bank's own: it has no limits and stays open"))
        }
        RegisterError::Unavailable(reason) => Problem::unavailable(reason),
        // Nothing else that is a problem leaves it open whether something was done.
        RegisterError::Unknown(_) | RegisterError::Bug => Problem::internal(),
    }
}

/// What became of an item of a bulk: its state, what was made, or why it was not.
fn registered<T>(
    place: Pointer,
    made: Result<Made<T>, RegisterError>,
) -> (RegisteredState, Option<T>, Option<Problem>) {
    match made {
        Ok(Made { value, replayed: false }) => (RegisteredState::Opened, Some(value), None),
        Ok(Made { value, replayed: true }) => (RegisteredState::Replayed, Some(value), None),
        Err(RegisterError::IdConflict(field)) => {
            (RegisteredState::Conflict, None, Some(Problem::id_conflict(format!("{place}/{field}"))))
        }
        Err(RegisterError::Unavailable(reason)) => {
            (RegisteredState::Unavailable, None, Some(Problem::unavailable(reason)))
        }
        Err(RegisterError::Unknown(_)) => (RegisteredState::Unknown, None, None),
        // As a single request's 500: whoever reads it must not take it for "nothing was made".
        Err(RegisterError::Bug) => (RegisteredState::Unknown, None, Some(Problem::internal())),
        Err(
            error @ (RegisterError::UnknownBranch(_)
            | RegisterError::CustomerNotFound
            | RegisterError::AccountNotFound
            | RegisterError::AccountNotEmpty
            | RegisterError::AccountClosed
            | RegisterError::BankAccount),
        ) => (RegisteredState::Refused, None, Some(register_problem(error, None))),
    }
}

/// A page of the engine, one row longer than asked for: the row too many tells that there is a next page.
fn page(limit: u16, before: Option<i64>) -> Page {
    Page { limit: limit.saturating_add(1), before }
}

/// A page without the row too many, and the key of its last row if there is a next page.
fn cut<T, K>(limit: u16, mut rows: Vec<T>, key: impl FnOnce(&T) -> K) -> (Vec<T>, Option<K>) {
    let more = rows.len() > usize::from(limit);
    rows.truncate(usize::from(limit));
    let last = rows.last().filter(|_| more).map(key);
    (rows, last)
}

/// An unknown branch in the URL's own number is an account that does not exist.
fn read_problem(error: ReadError, number: AccountNumber) -> Problem {
    match error {
        ReadError::UnknownBranch(_) => Problem::account_not_found(number),
        ReadError::Unavailable(_) | ReadError::Bug => error.into(),
    }
}

/// The branch and the place at which a list of a branch begins: from its cursor, or from its parameter.
fn branch_list(
    engine: &Engine,
    list: List,
    branch: Option<BranchCode>,
    cursor: Option<&str>,
) -> Result<(BranchCode, Option<i64>), Problem> {
    let (code, before) = match (branch, cursor) {
        (Some(code), None) => (code, None),
        (Some(code), Some(cursor)) => (code, Some(cursor::open_for(list, code.as_str(), cursor)?)),
        (None, Some(cursor)) => {
            let (filter, before) = cursor::open(list, cursor)?;
            let code = filter.parse().map_err(|_| Problem::new(Code::InvalidRequest, "cursor: names no branch"))?;
            (code, Some(before))
        }
        (None, None) => {
            return Err(Problem::new(Code::InvalidRequest, "branch: name one, such as ?branch=AZ"));
        }
    };
    if engine.has_branch(code) { Ok((code, before)) } else { Err(Problem::unknown_branch(code)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nostro_engine::Unavailable;

    #[test]
    fn a_page_has_a_next_one_if_a_row_too_many_was_found() {
        for (found, expected) in [
            (vec![], (vec![], None)),
            (vec![9], (vec![9], None)),
            (vec![9, 8], (vec![9, 8], None)),
            (vec![9, 8, 7], (vec![9, 8], Some(8))),
        ] {
            assert_eq!(cut(2, found, |row| *row), expected);
        }
    }

    #[test]
    fn of_a_single_request_too_unknown_is_never_unavailable() {
        let az: BranchCode = "AZ".parse().unwrap();
        let told = |error| match not_made(error, Uuid::from_u128(7), None) {
            Ok(response) => response.status().as_u16(),
            Err(problem) => problem.into_response().status().as_u16(),
        };
        assert_eq!(told(RegisterError::Unknown(az)), 202);
        assert_eq!(told(RegisterError::Unavailable(Unavailable::Branch(az))), 503);
        assert_eq!(told(RegisterError::Unavailable(Unavailable::Busy)), 503);
        assert_eq!(told(RegisterError::Bug), 500);
    }

    #[test]
    fn each_item_of_a_bulk_has_its_state_and_unknown_is_never_failed() {
        let made = |replayed| Ok(Made { value: 7, replayed });
        let unavailable = Unavailable::Branch("TX".parse().unwrap());
        for (result, state, value, code) in [
            (made(false), RegisteredState::Opened, Some(7), None),
            (made(true), RegisteredState::Replayed, Some(7), None),
            (Err(RegisterError::CustomerNotFound), RegisteredState::Refused, None, Some("customer_not_found")),
            (Err(RegisterError::IdConflict("kind")), RegisteredState::Conflict, None, Some("id_conflict")),
            (
                Err(RegisterError::Unavailable(unavailable)),
                RegisteredState::Unavailable,
                None,
                Some("branch_unavailable"),
            ),
            (Err(RegisterError::Unknown("TX".parse().unwrap())), RegisteredState::Unknown, None, None),
            (Err(RegisterError::Bug), RegisteredState::Unknown, None, Some("internal_error")),
        ] {
            let found = registered(Pointer::Item { list: "accounts", at: 3 }, result);
            let body = found.2.map(|problem| serde_json::to_value(problem.body("", "")).unwrap());
            assert_eq!((found.0, found.1), (state, value));
            assert_eq!(body.as_ref().map(|body| body["code"].as_str().unwrap()), code);
            if state == RegisteredState::Conflict {
                assert_eq!(body.unwrap()["errors"][0]["pointer"], "/accounts/3/kind");
            }
        }
    }
}
