//! The bodies that make customers and accounts, one or many, and that ask what was made.
//!
//! A single one and an item of a bulk are read by the same function.

use crate::fields::{self, Errors, Fields, HasBranch, Pointer};
use crate::json::JsonValue;
use crate::problem::Problem;
use nostro_core::{AccountKind, Balance, Name};
use nostro_engine::{NewAccount, NewCustomer};
use utoipa::ToSchema;
use uuid::Uuid;

/// A bulk has at most this many customers or accounts: one statement at each branch, which is done well within the time
/// that a question may take.
pub(crate) const BULK_REGISTER_MAX: usize = 1_000;

const CUSTOMER_FIELDS: [&str; 3] = ["id", "branch", "name"];
const ACCOUNT_FIELDS: [&str; 5] = ["id", "customer", "kind", "currency", "overdraft_limit"];
const CUSTOMERS_FIELDS: [&str; 1] = ["customers"];
const ACCOUNTS_FIELDS: [&str; 1] = ["accounts"];
const IDS_FIELDS: [&str; 1] = ["ids"];

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

/// Many customers, each for itself.
#[expect(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
#[derive(ToSchema)]
#[schema(as = NewCustomers)]
pub(crate) struct NewCustomersBody {
    /// 1 to 1,000 of them.
    #[schema(min_items = 1, max_items = 1000)]
    customers: Vec<NewCustomerBody>,
}

/// Many accounts, each for itself.
#[expect(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
#[derive(ToSchema)]
#[schema(as = NewAccounts)]
pub(crate) struct NewAccountsBody {
    /// 1 to 1,000 of them.
    #[schema(min_items = 1, max_items = 1000)]
    accounts: Vec<NewAccountBody>,
}

/// A customer from a body.
pub(crate) fn new_customer(value: JsonValue<'_>, has_branch: HasBranch<'_>) -> Result<NewCustomer, Problem> {
    let mut errors = Errors::default();
    let customer = read_customer(value, Pointer::Body, has_branch, &mut errors);
    errors.none_or(customer)
}

/// The customers of a bulk, in its order; one malformed item refuses them all.
pub(crate) fn new_customers(value: JsonValue<'_>, has_branch: HasBranch<'_>) -> Result<Vec<NewCustomer>, Problem> {
    fields::bulk(value, &CUSTOMERS_FIELDS, BULK_REGISTER_MAX, |item, place, errors| {
        read_customer(item, place, has_branch, errors)
    })
}

/// Ids of which is asked what was made under them.
#[expect(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
#[derive(ToSchema)]
#[schema(as = WantedIds)]
pub(crate) struct WantedIdsBody {
    /// 1 to 1,000 of them.
    #[schema(min_items = 1, max_items = 1000)]
    ids: Vec<Uuid>,
}

/// The ids of a body; one malformed id refuses them all.
pub(crate) fn wanted_ids(value: JsonValue<'_>) -> Result<Vec<Uuid>, Problem> {
    fields::bulk(value, &IDS_FIELDS, BULK_REGISTER_MAX, |item, place, errors| match fields::id(&item) {
        Ok(id) => Some(id),
        Err(broken) => {
            errors.push(place.to_string(), broken);
            None
        }
    })
}

/// An account from a body.
pub(crate) fn new_account(value: JsonValue<'_>, has_branch: HasBranch<'_>) -> Result<NewAccount, Problem> {
    let mut errors = Errors::default();
    let account = read_account(value, Pointer::Body, has_branch, &mut errors);
    errors.none_or(account)
}

/// The accounts of a bulk, in its order; one malformed item refuses them all.
pub(crate) fn new_accounts(value: JsonValue<'_>, has_branch: HasBranch<'_>) -> Result<Vec<NewAccount>, Problem> {
    fields::bulk(value, &ACCOUNTS_FIELDS, BULK_REGISTER_MAX, |item, place, errors| {
        read_account(item, place, has_branch, errors)
    })
}

fn read_customer(
    value: JsonValue<'_>,
    place: Pointer,
    has_branch: HasBranch<'_>,
    errors: &mut Errors,
) -> Option<NewCustomer> {
    let mut fields = Fields::read(value, place, &CUSTOMER_FIELDS, errors)?;
    let id = fields.required("id", |value| fields::id(&value));
    let branch = fields.required("branch", |value| fields::branch(&value, has_branch));
    let name = fields.required("name", |value| fields::text(&value, Name::new));
    Some(NewCustomer { id: id?, branch: branch?, name: name? })
}

fn read_account(
    value: JsonValue<'_>,
    place: Pointer,
    has_branch: HasBranch<'_>,
    errors: &mut Errors,
) -> Option<NewAccount> {
    let mut fields = Fields::read(value, place, &ACCOUNT_FIELDS, errors)?;
    let id = fields.required("id", |value| fields::id(&value));
    let customer = fields.required("customer", |value| fields::customer_number(&value, has_branch));
    let kind = fields.required("kind", |value| fields::text(&value, AccountKind::of_customers));
    let currency = fields.required("currency", |value| fields::currency(&value));
    let overdraft_limit = fields.optional("overdraft_limit", Balance::ZERO, |value| fields::limit(&value));
    Some(NewAccount {
        id: id?,
        customer: customer?,
        kind: kind?,
        currency: currency?,
        overdraft_limit: overdraft_limit?,
    })
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
    fn a_bulk_names_every_malformed_item_by_its_place() {
        let accounts = |text: &str| errors_of(new_accounts(JsonValue::parse(text.as_bytes()).unwrap(), &known));
        let number = nostro_core::CustomerNumber::new("AZ".parse().unwrap(), 900_000_000_001).unwrap();
        let item = |kind: &str, currency: &str| {
            format!(
                r#"{{"id":"01938e1c-93d2-7cc4-9ac4-6a8df2a3c001","customer":"{number}","kind":"{kind}","currency":"{currency}"}}"#
            )
        };
        let good = item("checking", "USD");
        assert_eq!(accounts(&format!(r#"{{"accounts":[{good},{good}]}}"#)), "none");
        let two = format!(r#"{{"accounts":[{},{good},{}]}}"#, item("cash", "USD"), item("savings", "usd"));
        let expected = "/accounts/0/kind: a customer's account is checking or savings; \
                        /accounts/2/currency: a currency is a code of ISO 4217 in capitals, such as USD";
        assert_eq!(accounts(&two), expected);
        assert_eq!(accounts(r#"{"accounts":[]}"#), "/accounts: a bulk has 1 to 1000 accounts, this one has 0");
        let many = vec![good; BULK_REGISTER_MAX + 1].join(",");
        let expected = "/accounts: a bulk has 1 to 1000 accounts, this one has 1001";
        assert_eq!(accounts(&format!(r#"{{"accounts":[{many}]}}"#)), expected);
        let customers = |text: &str| errors_of(new_customers(JsonValue::parse(text.as_bytes()).unwrap(), &known));
        let unnamed = r#"{"customers":[{"id":"01938e1c-93d2-7cc4-9ac4-6a8df2a3c001","branch":"AZ","name":" "}]}"#;
        assert!(customers(unnamed).starts_with("/customers/0/name: one line of"), "{}", customers(unnamed));
        assert_eq!(customers(r#"{"customers":"AZ"}"#), "/customers: expected a list of customers, found text");
    }

    #[test]
    fn wanted_ids_are_1_to_1000_and_each_is_an_id() {
        let ids = |text: &str| errors_of(wanted_ids(JsonValue::parse(text.as_bytes()).unwrap()));
        let good = r#""01938e1c-93d2-7cc4-9ac4-6a8df2a3c001""#;
        assert_eq!(ids(&format!(r#"{{"ids":[{good},{good}]}}"#)), "none");
        assert_eq!(ids(r#"{"ids":[]}"#), "/ids: a bulk has 1 to 1000 ids, this one has 0");
        assert_eq!(ids(&format!(r#"{{"ids":[{good},7]}}"#)), "/ids/1: expected text, found a number");
        assert_eq!(ids("{}"), "/ids: this field is missing");
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
        crate::openapi::assert_properties(&NewCustomersBody::schema(), &CUSTOMERS_FIELDS);
        crate::openapi::assert_properties(&NewAccountsBody::schema(), &ACCOUNTS_FIELDS);
        crate::openapi::assert_properties(&WantedIdsBody::schema(), &IDS_FIELDS);
    }
}
