//! The bodies that make customers and accounts.

use crate::fields::{self, Broken, Errors, Fields, HasBranch, Place};
use crate::json::JsonValue;
use crate::problem::Problem;
use nostro_core::{AccountKind, Balance, Name};
use nostro_engine::{NewAccount, NewCustomer};
use utoipa::ToSchema;
use uuid::Uuid;

const CUSTOMER_FIELDS: [&str; 3] = ["id", "branch", "name"];
const ACCOUNT_FIELDS: [&str; 5] = ["id", "customer", "kind", "currency", "overdraft_limit"];

/// A customer to be made.
#[expect(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
#[derive(ToSchema)]
#[schema(as = NewCustomer)]
pub(crate) struct NewCustomerBody {
    /// The client's id and idempotency key; version 7 is advised.
    id: Uuid,
    /// The branch that keeps the customer.
    #[schema(example = "AZ")]
    branch: String,
    /// One line of text.
    #[schema(min_length = 1, max_length = 140, example = "Ada Lovelace")]
    name: String,
}

/// An account to be opened.
#[expect(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
#[derive(ToSchema)]
#[schema(as = NewAccount)]
pub(crate) struct NewAccountBody {
    /// The client's id and idempotency key; version 7 is advised.
    id: Uuid,
    /// Whose it will be; its branch keeps the account.
    #[schema(example = "AZ55900000000001")]
    customer: String,
    /// `checking` or `savings`.
    #[schema(example = "checking")]
    kind: String,
    /// ISO 4217.
    #[schema(example = "USD")]
    currency: String,
    /// How far below zero it may go, in minor units.
    #[schema(pattern = "^(0|[1-9][0-9]{0,17})$", default = "0")]
    overdraft_limit: Option<String>,
}

/// A customer from a body.
pub(crate) fn new_customer(value: JsonValue<'_>, has_branch: HasBranch<'_>) -> Result<NewCustomer, Problem> {
    let mut errors = Errors::default();
    let customer = Fields::read(value, Place::Body, &CUSTOMER_FIELDS, &mut errors).and_then(|mut fields| {
        let id = fields.required("id", |value| fields::id(&value));
        let branch = fields.required("branch", |value| fields::branch(&value, has_branch));
        let name = fields.required("name", |value| fields::text(&value, Name::new));
        Some(NewCustomer { id: id?, branch: branch?, name: name? })
    });
    errors.none_or(customer)
}

/// An account from a body.
pub(crate) fn new_account(value: JsonValue<'_>, has_branch: HasBranch<'_>) -> Result<NewAccount, Problem> {
    let mut errors = Errors::default();
    let account = Fields::read(value, Place::Body, &ACCOUNT_FIELDS, &mut errors).and_then(|mut fields| {
        let id = fields.required("id", |value| fields::id(&value));
        let customer = fields.required("customer", |value| fields::customer_number(&value, has_branch));
        let kind = fields.required("kind", |value| customers_kind(&value));
        let currency = fields.required("currency", |value| fields::currency(&value));
        let overdraft_limit = fields.optional("overdraft_limit", Balance::ZERO, |value| fields::limit(&value));
        Some(NewAccount {
            id: id?,
            customer: customer?,
            kind: kind?,
            currency: currency?,
            overdraft_limit: overdraft_limit?,
        })
    });
    errors.none_or(account)
}

/// A kind that customers have: the bank's own accounts are not opened by request.
fn customers_kind(value: &JsonValue<'_>) -> fields::Ruled<AccountKind> {
    let rule = "a customer's account is checking or savings";
    let kind = fields::text(value, |text| text.parse::<AccountKind>().map_err(|_| rule))?;
    if kind.is_customers() { Ok(kind) } else { Err(Broken::Rule(rule.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use utoipa::PartialSchema;

    fn known(code: nostro_core::BranchCode) -> bool {
        code.as_str() == "AZ"
    }

    fn errors_of<T>(result: Result<T, Problem>) -> String {
        let problem = result.err().map(|problem| serde_json::to_value(problem.body("", "")).unwrap());
        problem.map_or("none".to_owned(), |body| {
            let lines = body["errors"].as_array().into_iter().flatten();
            let line = |error: &serde_json::Value| {
                format!("{}: {}", error["pointer"].as_str().unwrap(), error["detail"].as_str().unwrap())
            };
            let lines = lines.map(line);
            lines.collect::<Vec<_>>().join("; ")
        })
    }

    fn account(text: &str) -> String {
        errors_of(new_account(JsonValue::parse(text.as_bytes()).unwrap(), &known))
    }

    #[test]
    fn accounts_are_customers_and_have_a_limit_of_zero_or_more() {
        let number = nostro_core::CustomerNumber::new("AZ".parse().unwrap(), 900_000_000_001).unwrap();
        let id = "01938e1c-93d2-7cc4-9ac4-6a8df2a3c001";
        let with = |kind: &str, limit: &str| {
            let rest = format!(r#""kind":"{kind}","currency":"USD","overdraft_limit":{limit}"#);
            account(&format!(r#"{{"id":"{id}","customer":"{number}",{rest}}}"#))
        };
        assert_eq!(with("checking", r#""0""#), "none");
        assert_eq!(with("savings", r#""50000""#), "none");
        assert_eq!(with("checking", "null"), "none");
        assert_eq!(with("cash", r#""0""#), "/kind: a customer's account is checking or savings");
        let limit =
            r#"/overdraft_limit: a limit is a whole number of minor units as text, "0" or 1 to 18 digits"#.to_owned();
        assert_eq!(with("checking", r#""-1""#), limit);
        assert_eq!(with("checking", r#""00""#), limit);
        assert_eq!(with("checking", "0"), "/overdraft_limit: expected text, found a number");
    }

    #[test]
    fn every_missing_field_is_named() {
        let missing = |name: &str| format!("/{name}: this field is missing");
        assert_eq!(account("{}"), ["id", "customer", "kind", "currency"].map(missing).join("; "));
        let customer = errors_of(new_customer(JsonValue::parse(b"{}").unwrap(), &known));
        assert_eq!(customer, ["id", "branch", "name"].map(missing).join("; "));
    }

    #[test]
    fn an_unknown_branch_has_its_own_code() {
        let body = br#"{"id":"01938e1c-93d2-7cc4-9ac4-6a8df2a3c001","branch":"ZZ","name":"Ada Lovelace"}"#;
        let problem = new_customer(JsonValue::parse(body).unwrap(), &known).unwrap_err();
        let body = serde_json::to_value(problem.body("", "")).unwrap();
        assert_eq!((&body["code"], &body["status"]), (&"unknown_branch".into(), &400.into()));
        assert_eq!(body["errors"][0]["pointer"], "/branch");
    }

    #[test]
    fn the_document_describes_the_fields_that_are_read() {
        crate::openapi::assert_properties(&NewCustomerBody::schema(), &CUSTOMER_FIELDS);
        crate::openapi::assert_properties(&NewAccountBody::schema(), &ACCOUNT_FIELDS);
    }
}
