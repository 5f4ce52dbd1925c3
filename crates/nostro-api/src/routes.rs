//! The routes: each parses its request, asks the engine once, and says what the engine answered.
//!
//! - [`customers`], [`accounts`]: the register
//! - [`transfers`]: moving money
//! - [`bank`]: branches, batches in doubt, the quick audit; [`audits`]: full ones
//! - [`probes`]: for load balancers, Prometheus and readers of the description
//!
//! A route whose caller hangs up is dropped where it waits. That is safe: commits run in the engine's own tasks.

pub(crate) mod accounts;
pub(crate) mod audits;
pub(crate) mod bank;
pub(crate) mod customers;
pub(crate) mod holds;
pub(crate) mod probes;
pub(crate) mod transfers;

use crate::cursor::{self, List};
use crate::problem::{Code, Problem};
use nostro_core::{AccountNumber, BranchCode};
use nostro_engine::{Engine, Page, RegisterError};

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
        RegisterError::AccountClosed => Problem::new(Code::AccountClosed, format!("{of} is closed already")),
        RegisterError::BankAccount => {
            Problem::new(Code::BankAccount, format!("{of} is the bank's own and cannot be closed"))
        }
        RegisterError::Unavailable(reason) => Problem::unavailable(reason),
        RegisterError::Bug => Problem::internal(),
    }
}

/// A page of the engine, one row longer than asked for: the row too many tells that there is a next page.
fn page(limit: u16, before: Option<i64>) -> Page {
    Page { limit: limit.saturating_add(1), before }
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
