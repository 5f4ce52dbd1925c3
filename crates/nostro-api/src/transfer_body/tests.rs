//! Every kind of bad field, as tables.

use super::*;
use nostro_core::BranchCode;
use utoipa::PartialSchema;

const ID: &str = "01938e1c-93d2-7cc4-9ac4-6a8df2a3c001";
const GOOD: [(&str, &str); 5] = [
    ("id", "\"01938e1c-93d2-7cc4-9ac4-6a8df2a3c001\""),
    ("debit_account", "\"AZ93000000001042\""),
    ("credit_account", "\"TX25000000001042\""),
    ("amount", "\"100000\""),
    ("currency", "\"USD\""),
];

fn known(code: BranchCode) -> bool {
    ["AZ", "TX"].contains(&code.as_str())
}

/// A good body with one field set to other JSON, added, or left out where the JSON is empty.
fn body(name: &str, json: &str) -> String {
    let mut members: Vec<(&str, &str)> = GOOD.into_iter().filter(|(known, _)| *known != name).collect();
    if !json.is_empty() {
        members.push((name, json));
    }
    let members: Vec<String> = members.iter().map(|(name, json)| format!("\"{name}\":{json}")).collect();
    format!("{{{}}}", members.join(","))
}

fn problem<T: std::fmt::Debug>(result: Result<T, Problem>) -> serde_json::Value {
    serde_json::to_value(result.unwrap_err().body("", "")).unwrap()
}

fn errors(problem: &serde_json::Value) -> Vec<(&str, &str)> {
    let errors = problem["errors"].as_array().unwrap();
    errors.iter().map(|error| (error["pointer"].as_str().unwrap(), error["detail"].as_str().unwrap())).collect()
}

fn read(text: &str) -> Result<Transfer, Problem> {
    transfer(JsonValue::parse(text.as_bytes()).unwrap(), &known)
}

#[test]
fn a_transfer_is_read_into_the_types_of_the_core() {
    let read = read(&body("reference", "\"rent \\u00e9t\\u00e9\"")).unwrap();
    assert_eq!((read.id.to_string().as_str(), read.operation, read.category), (ID, Operation::Transfer, 0));
    assert_eq!(
        (read.debit.to_string(), read.credit.to_string()),
        ("AZ93000000001042".into(), "TX25000000001042".into())
    );
    assert_eq!((read.amount.minor_units(), read.currency.code()), (100_000, "USD"));
    assert_eq!(read.reference.unwrap().as_str(), "rent été");
}

#[test]
fn each_bad_field_is_named_with_its_rule() {
    for (name, json, rule) in [
        ("id", "", "this field is missing"),
        ("id", "7", "expected text, found a number"),
        ("id", "\"rent-11\"", "an id is a UUID"),
        ("id", "\"01938e1c93d27cc49ac46a8df2a3c001\"", "an id is a UUID"),
        ("id", "\"00000000-0000-0000-0000-000000000000\"", "the nil UUID is not an id"),
        ("amount", "100000", "amount is text: \"100000\""),
        ("amount", "1.5", "amount is text: \"100000\""),
        ("amount", "\"0\"", "an amount is a whole number of minor units as text"),
        ("amount", "\"-5\"", "an amount is a whole number of minor units as text"),
        ("amount", "\"10.00\"", "an amount is a whole number of minor units as text"),
        ("amount", "null", "expected text, found null"),
        ("currency", "\"usd\"", "a currency is a code of ISO 4217"),
        ("currency", "[\"USD\"]", "expected text, found a list"),
        ("debit_account", "\"AZ94000000001042\"", "the check digits do not match"),
        ("debit_account", "\"AZ93 0000 0000 1042\"", "an account number is"),
        ("credit_account", "\"AZ93000000001042\"", "must be another account than the debit account"),
        ("category", "65536", "a category is a whole number, 0 to 65535"),
        ("category", "-1", "a category is a whole number, 0 to 65535"),
        ("category", "\"1\"", "a category is a whole number, 0 to 65535"),
        ("reference", "\"\"", "one line of 1 to 140 characters"),
        ("reference", "\"two\\nlines\"", "one line of 1 to 140 characters"),
        ("reference", "{}", "expected text, found an object"),
        ("referense", "\"rent\"", "unknown field; the fields are id, debit_account"),
        ("atomic", "true", "unknown field"),
    ] {
        let problem = problem(read(&body(name, json)));
        assert_eq!((&problem["status"], &problem["code"]), (&400.into(), &"invalid_request".into()), "{name} {json}");
        let [(pointer, detail)] = errors(&problem)[..] else { panic!("{name} {json}: {problem}") };
        assert_eq!(pointer, format!("/{name}"), "{json}");
        assert!(detail.starts_with(rule), "{name} {json}: {detail}");
    }
}

#[test]
fn all_broken_rules_are_collected() {
    let text = format!(r#"{{"id":"{ID}","id":"{ID}","amount":1,"a/b~c":0,"currency":"USD","currency":null}}"#);
    let problem = problem(read(&text));
    let pointers: Vec<&str> = errors(&problem).into_iter().map(|(pointer, _)| pointer).collect();
    assert_eq!(pointers, ["/id", "/a~1b~0c", "/currency", "/debit_account", "/credit_account", "/amount"]);
}

#[test]
fn a_branch_that_does_not_exist_has_its_own_code_unless_more_is_wrong() {
    let number = AccountNumber::new("NV".parse().unwrap(), 1042).unwrap();
    let alone = problem(read(&body("credit_account", &format!("\"{number}\""))));
    assert_eq!(alone["code"], "unknown_branch");
    assert_eq!(errors(&alone), [("/credit_account", "no branch has the code NV")]);
    let text = body("credit_account", &format!("\"{number}\"")).replace("\"100000\"", "1");
    assert_eq!(problem(read(&text))["code"], "invalid_request");
}

#[test]
fn what_is_no_object_is_said_so() {
    for (text, detail) in
        [("[]", "must be a JSON object, found a list"), ("7", "must be a JSON object, found a number")]
    {
        let problem = problem(read(text));
        assert_eq!(errors(&problem), [("", detail)]);
        assert_eq!(problem["detail"], format!("the body {detail}"));
    }
}

#[test]
fn null_is_an_absent_option() {
    assert_eq!(read(&body("reference", "null")).unwrap().reference, None);
    assert_eq!(read(&body("category", "null")).unwrap().category, 0);
}

#[test]
fn cash_is_the_other_side_of_deposits_and_withdrawals() {
    let text = format!(r#"{{"id":"{ID}","account":"AZ93000000001042","amount":"5","currency":"USD"}}"#);
    let read = |movement| cash(JsonValue::parse(text.as_bytes()).unwrap(), movement, &known).unwrap();
    let drawer = AccountNumber::cash("AZ".parse().unwrap(), "USD".parse().unwrap());
    let deposit = read(CashMovement::Deposit);
    assert_eq!((deposit.operation, deposit.debit), (Operation::Deposit, drawer));
    let withdrawal = read(CashMovement::Withdrawal);
    assert_eq!((withdrawal.operation, withdrawal.credit), (Operation::Withdrawal, drawer));
    let itself = text.replace("AZ93000000001042", &drawer.to_string());
    let result = cash(JsonValue::parse(itself.as_bytes()).unwrap(), CashMovement::Deposit, &known);
    assert_eq!(errors(&problem(result))[0].0, "/account");
}

#[test]
fn the_document_describes_the_fields_that_are_read() {
    crate::openapi::assert_properties(&NewTransfer::schema(), &TRANSFER_FIELDS);
    crate::openapi::assert_properties(&NewCashMovement::schema(), &CASH_FIELDS);
    crate::openapi::assert_properties(&NewReversal::schema(), &REVERSAL_FIELDS);
}
