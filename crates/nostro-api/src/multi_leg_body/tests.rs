//! Bodies with legs, good and bad.

use super::*;
use utoipa::PartialSchema;

const ID: &str = "01938e1c-93d2-7cc4-9ac4-6a8df2a3c001";
const AZ: &str = "AZ93000000001042";
const TX: &str = "TX25000000001042";

fn known(code: nostro_core::BranchCode) -> bool {
    ["AZ", "TX"].contains(&code.as_str())
}

fn read(rest: &str) -> Result<(Chain, Shared), Problem> {
    let body = format!(r#"{{"id":"{ID}","currency":"USD",{rest}}}"#);
    multi_leg(JsonValue::parse(body.as_bytes()).unwrap(), &known)
}

fn told(rest: &str) -> String {
    let body = serde_json::to_value(read(rest).unwrap_err().body("", "")).unwrap();
    let error = &body["errors"][0];
    format!("{}: {}", error["pointer"].as_str().unwrap(), error["detail"].as_str().unwrap())
}

#[test]
fn one_pays_many_and_many_pay_one() {
    let many = format!(
        r#""debit_account":"{AZ}","amount":"30","reference":"payroll","legs":[
            {{"credit_account":"{TX}","amount":"10"}},
            {{"credit_account":"TX73000000001051","amount":"20","reference":"bonus","category":7}}]"#
    );
    let tx = nostro_core::AccountNumber::new("TX".parse().unwrap(), 1051).unwrap().to_string();
    let (chain, shared) = read(&many.replace("TX73000000001051", &tx)).unwrap();
    assert!(matches!(shared, Shared::Debit(_)));
    let [first, second] = chain.links() else { panic!() };
    assert_eq!((first.id.to_string().as_str(), second.id), (ID, first.id.leg(1)));
    assert_eq!((first.debit.to_string().as_str(), second.debit), (AZ, first.debit));
    assert_eq!((first.reference.as_ref().unwrap().as_str(), first.category), ("payroll", 0));
    assert_eq!((second.reference.as_ref().unwrap().as_str(), second.category), ("bonus", 7));
    assert_eq!(chain.branches().count(), 2);

    let one = format!(r#""credit_account":"{AZ}","amount":"10","legs":[{{"debit_account":"{TX}","amount":"10"}}]"#);
    let (chain, shared) = read(&one).unwrap();
    assert!(matches!(shared, Shared::Credit(_)));
    assert_eq!((chain.links()[0].debit.to_string(), chain.links()[0].credit.to_string()), (TX.into(), AZ.into()));
}

#[test]
fn each_broken_rule_is_named() {
    let leg = |amount: &str| format!(r#"{{"credit_account":"{TX}","amount":"{amount}"}}"#);
    let body = |legs: &str, amount: &str| format!(r#""debit_account":"{AZ}","amount":"{amount}","legs":[{legs}]"#);
    for (rest, expected) in [
        (body(&leg("10"), "11"), "/amount: the legs add up to 10, not to 11".to_owned()),
        (
            body(&vec![leg("900000000000000000"); 11].join(","), "11"),
            "/amount: the legs add up to more than an amount can be, not to 11".into(),
        ),
        (body("", "1"), "/legs: there are 1 to 8192 legs, not 0".into()),
        (
            format!(r#""amount":"1","legs":[{}]"#, leg("1")),
            "/debit_account: name debit_account or credit_account, and not both: the other side is the legs'".into(),
        ),
        (
            format!(r#""debit_account":"{AZ}","credit_account":"{TX}","amount":"1","legs":[{}]"#, leg("1")),
            "/debit_account: name debit_account or credit_account, and not both: the other side is the legs'".into(),
        ),
        (
            body(&format!(r#"{{"credit_account":"{AZ}","amount":"1"}}"#), "1"),
            "/legs/0/credit_account: must be another account than the debit account".into(),
        ),
        (
            format!(r#""credit_account":"{AZ}","amount":"1","legs":[{{"debit_account":"{AZ}","amount":"1"}}]"#),
            "/legs/0/debit_account: must be another account than the credit account".into(),
        ),
        (
            body(&format!(r#"{},{{"debit_account":"{AZ}","amount":"1"}}"#, leg("1")), "2"),
            "/legs/1/debit_account: unknown field; the fields are credit_account, amount, category, reference".into(),
        ),
        (body(r#"7"#, "2"), "/legs/0: must be a JSON object, found a number".into()),
        (body(&leg("0"), "2"), "/legs/0/amount".into()),
    ] {
        assert!(told(&rest).starts_with(&expected), "{}: expected {expected}", told(&rest));
    }
}

#[test]
fn the_document_describes_the_fields_that_are_read() {
    crate::openapi::assert_properties(&NewMultiLegTransfer::schema(), &FIELDS);
    let legs = ["debit_account", "credit_account", "amount", "category", "reference"];
    crate::openapi::assert_properties(&NewLeg::schema(), &legs);
}
