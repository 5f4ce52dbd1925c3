//! The bodies that change an account's limits and state, and that close it.

use crate::fields::{self, Broken, Errors, Fields, Pointer};
use crate::json::JsonValue;
use crate::problem::Problem;
use nostro_core::{AccountChange, AccountNumber, AccountState, Balance, Reference};
use nostro_engine::ChangeRequest;
use utoipa::ToSchema;
use uuid::Uuid;

const CHANGE_FIELDS: [&str; 5] = ["id", "overdraft_limit", "ceiling", "state", "reason"];
const CLOSE_FIELDS: [&str; 2] = ["id", "reason"];

/// What is to be different at an account. What is absent stays as it is.
#[expect(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
#[derive(ToSchema)]
#[schema(as = ChangeAccount)]
pub(crate) struct ChangeAccountBody {
    /// The client's id and idempotency key; version 7 is advised.
    id: Uuid,
    /// How far below zero it may go, in minor units.
    #[schema(pattern = "^(0|[1-9][0-9]{0,17})$", example = "50000")]
    overdraft_limit: Option<String>,
    /// What its balance may not go above, in minor units, or `none`.
    #[schema(pattern = "^(none|0|[1-9][0-9]{0,17})$", example = "1000000")]
    ceiling: Option<String>,
    /// `open`, `debits_frozen`, `credits_frozen` or `frozen`.
    #[schema(example = "debits_frozen")]
    state: Option<String>,
    /// One line of text for the account's history.
    #[schema(min_length = 1, max_length = 140, example = "court order 17/2026")]
    reason: Option<String>,
}

/// An account to be closed.
#[expect(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
#[derive(ToSchema)]
#[schema(as = CloseAccount)]
pub(crate) struct CloseAccountBody {
    /// The client's id and idempotency key; version 7 is advised.
    id: Uuid,
    /// One line of text for the account's history.
    #[schema(min_length = 1, max_length = 140, example = "moved abroad")]
    reason: Option<String>,
}

/// A change of an account from its body.
pub(crate) fn change(value: JsonValue<'_>, number: AccountNumber) -> Result<ChangeRequest, Problem> {
    let mut errors = Errors::default();
    let request = Fields::read(value, Pointer::Body, &CHANGE_FIELDS, &mut errors).and_then(|mut fields| {
        let id = fields.required("id", |value| fields::id(&value));
        let overdraft_limit = fields.optional("overdraft_limit", None, |value| fields::limit(&value).map(Some));
        let ceiling = fields.optional("ceiling", None, |value| ceiling(&value).map(Some));
        let state = fields.optional("state", None, |value| state(&value).map(Some));
        let reason = fields.optional("reason", None, |value| fields::text(&value, Reference::new).map(Some));
        let change = AccountChange { overdraft_limit: overdraft_limit?, ceiling: ceiling?, state: state? };
        if change.is_empty() {
            let rule = "a change names an overdraft_limit, a ceiling or a state";
            fields.push("state", Broken::Rule(rule.to_owned()));
            return None;
        }
        Some(ChangeRequest { id: id?, number, change, reason: reason? })
    });
    errors.none_or(request)
}

/// A request to close an account from its body.
pub(crate) fn close(value: JsonValue<'_>, number: AccountNumber) -> Result<ChangeRequest, Problem> {
    let mut errors = Errors::default();
    let request = Fields::read(value, Pointer::Body, &CLOSE_FIELDS, &mut errors).and_then(|mut fields| {
        let id = fields.required("id", |value| fields::id(&value));
        let reason = fields.optional("reason", None, |value| fields::text(&value, Reference::new).map(Some));
        let change = AccountChange { state: Some(AccountState::Closed), ..AccountChange::default() };
        Some(ChangeRequest { id: id?, number, change, reason: reason? })
    });
    errors.none_or(request)
}

fn ceiling(value: &JsonValue<'_>) -> fields::Ruled<Option<Balance>> {
    match value {
        JsonValue::Text(text) if text.as_ref() == "none" => Ok(None),
        JsonValue::Null
        | JsonValue::Bool(_)
        | JsonValue::Number(_)
        | JsonValue::Text(_)
        | JsonValue::List(_)
        | JsonValue::Object(_) => fields::limit(value).map(Some),
    }
}

/// Closing has a route of its own.
fn state(value: &JsonValue<'_>) -> fields::Ruled<AccountState> {
    let rule = "a state is open, debits_frozen, credits_frozen or frozen; to close an account, post to its /close";
    let state = fields::text(value, |text| text.parse::<AccountState>().map_err(|_| rule))?;
    if state == AccountState::Closed { Err(Broken::Rule(rule.to_owned())) } else { Ok(state) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use utoipa::PartialSchema;

    const ID: &str = "01938e1c-93d2-7cc4-9ac4-6a8df2a3c001";

    fn told(rest: &str) -> String {
        let number = AccountNumber::new("AZ".parse().unwrap(), 1042).unwrap();
        match change(JsonValue::parse(format!(r#"{{"id":"{ID}"{rest}}}"#).as_bytes()).unwrap(), number) {
            Ok(request) => format!("{:?}", request.change),
            Err(problem) => {
                let body = serde_json::to_value(problem.body("", "")).unwrap();
                let error = &body["errors"][0];
                format!("{}: {}", error["pointer"].as_str().unwrap(), error["detail"].as_str().unwrap())
            }
        }
    }

    #[test]
    fn a_change_names_what_is_to_be_different() {
        for (rest, told_as) in [
            (
                r#","overdraft_limit":"5","ceiling":"none""#,
                "AccountChange { overdraft_limit: Some(Balance(5)), ceiling: Some(None), state: None }",
            ),
            (
                r#","ceiling":"0","state":"frozen""#,
                "AccountChange { overdraft_limit: None, ceiling: Some(Some(Balance(0))), state: Some(Frozen) }",
            ),
            ("", "/state: a change names an overdraft_limit, a ceiling or a state"),
            (
                r#","state":"closed""#,
                "/state: a state is open, debits_frozen, credits_frozen or frozen; to close an account, post to its /close",
            ),
            (
                r#","ceiling":"-1""#,
                r#"/ceiling: a limit is a whole number of minor units as text, "0" or 1 to 18 digits"#,
            ),
            (r#","ceiling":5"#, "/ceiling: expected text, found a number"),
            (
                r#","state":"frozen","reason":"court order ""#,
                "/reason: one line of 1 to 140 characters, without a space at its ends and without control characters",
            ),
        ] {
            assert_eq!(told(rest), told_as, "{rest}");
        }
    }

    #[test]
    fn the_document_describes_the_fields_that_are_read() {
        crate::openapi::assert_properties(&ChangeAccountBody::schema(), &CHANGE_FIELDS);
        crate::openapi::assert_properties(&CloseAccountBody::schema(), &CLOSE_FIELDS);
    }
}
