//! Items of every kind, chains, and what is wrong with them.

use super::*;
use utoipa::PartialSchema;

const ID: &str = "01938e1c-93d2-7cc4-9ac4-6a8df2a3c001";
const HOLD: &str = "01938e1c-93d2-7cc4-9ac4-6a8df2a3c009";
const GOOD: &str = r#""id":"01938e1c-93d2-7cc4-9ac4-6a8df2a3c001","debit_account":"AZ93000000001042","credit_account":"TX25000000001042","amount":"100000","currency":"USD""#;

fn known(code: nostro_core::BranchCode) -> bool {
    ["AZ", "TX"].contains(&code.as_str())
}

fn item(rest: &str) -> String {
    format!("{{{GOOD}{rest}}}")
}

fn read(items: &[String], rest: &str) -> Result<Bulk, Problem> {
    let text = format!("{{\"transfers\":[{}]{rest}}}", items.join(","));
    bulk(JsonValue::parse(text.as_bytes()).unwrap(), &known)
}

fn errors(result: Result<Bulk, Problem>) -> Vec<(String, String)> {
    let problem = serde_json::to_value(result.unwrap_err().body("", "")).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let errors = problem["errors"].as_array().unwrap();
    errors.iter().map(|error| (text(&error["pointer"]), text(&error["detail"]))).collect()
}

fn pointers(result: Result<Bulk, Problem>) -> Vec<String> {
    errors(result).into_iter().map(|(pointer, _)| pointer).collect()
}

#[test]
fn a_bulk_names_the_item_and_the_field() {
    let good = item("");
    assert_eq!(read(&[good.clone(), good.clone()], "").unwrap().items.len(), 2);
    let bad_amount = good.replace("\"100000\"", "5");
    let bad_id = good.replace(ID, "x");
    let read = read(&[good.clone(), bad_amount, good, "null".to_owned(), bad_id], "");
    assert_eq!(pointers(read), ["/transfers/1/amount", "/transfers/3", "/transfers/4/id"]);
}

#[test]
fn a_bulk_has_one_to_its_most_items_and_no_other_field() {
    assert_eq!(read(&vec![item(""); BULK_TRANSFERS_MAX], "").unwrap().items.len(), BULK_TRANSFERS_MAX);
    for count in [0, BULK_TRANSFERS_MAX + 1] {
        assert_eq!(pointers(read(&vec![item(""); count], ""))[0], "/transfers", "{count}");
    }
    assert_eq!(
        errors(read(&[item("")], ",\"atomik\":true")),
        [("/atomik".to_owned(), "unknown field; the fields are transfers, atomic".to_owned())]
    );
}

#[test]
fn an_answer_names_a_bounded_number_of_fields() {
    let read = read(&vec!["{}".to_owned(); 1_000], "");
    let problem = serde_json::to_value(read.unwrap_err().body("", "")).unwrap();
    assert_eq!(problem["errors"].as_array().unwrap().len(), fields::FIELD_ERRORS_MAX);
    assert_eq!(problem["detail"], "5000 fields are not as they must be; errors names the first 100");
}

#[test]
fn every_kind_is_read_with_its_own_fields() {
    let kinds = [
        item(r#","kind":"transfer","up_to":true"#),
        item(r#","kind":"hold","expires_at":"2026-11-30T00:00:00Z""#),
        format!(r#"{{"kind":"deposit","id":"{ID}","account":"AZ93000000001042","amount":"5","currency":"USD"}}"#),
        format!(r#"{{"kind":"withdrawal","id":"{ID}","account":"AZ93000000001042","amount":"5","currency":"USD"}}"#),
        format!(r#"{{"kind":"capture","id":"{ID}","hold":"{HOLD}","amount":"5","final":true}}"#),
        format!(r#"{{"kind":"release","id":"{ID}","hold":"{HOLD}"}}"#),
        format!(r#"{{"kind":"reversal","id":"{ID}","original":"{HOLD}","force":true,"branch":"TX"}}"#),
    ];
    let told: Vec<String> = read(&kinds, "")
        .unwrap()
        .items
        .into_iter()
        .map(|item| match item {
            Ask::Whole(transfer) => format!("{:?}", transfer.operation.kind()),
            Ask::OfHold { what: OfHold::Capture { amount, is_final }, .. } => format!("capture {amount} {is_final}"),
            Ask::OfHold { what: OfHold::Release, .. } => "release".to_owned(),
            Ask::Reversal { amount, is_forced, branch, .. } => format!("reversal {amount:?} {is_forced} {branch:?}"),
        })
        .collect();
    assert_eq!(
        told,
        ["Transfer", "Hold", "Deposit", "Withdrawal", "capture 5 true", "release", "reversal None true Some(TX)"]
    );
    for (bad, pointer) in [
        (item(r#","kind":"expiry""#), "/transfers/0/kind"),
        (item(r#","kind":"gift""#), "/transfers/0/kind"),
        (item(r#","kind":7"#), "/transfers/0/kind"),
        (item(r#","kind":"transfer","hold":null"#), "/transfers/0/hold"),
        (format!(r#"{{"kind":"capture","id":"{ID}","amount":"5"}}"#), "/transfers/0/hold"),
        (format!(r#"{{"kind":"release","id":"{ID}","hold":"{HOLD}","amount":"5"}}"#), "/transfers/0/amount"),
        (format!(r#"{{"kind":"reversal","id":"{ID}"}}"#), "/transfers/0/original"),
        (format!(r#"{{"kind":"release","id":"{ID}","hold":"x"}}"#), "/transfers/0/hold"),
    ] {
        assert_eq!(pointers(read(std::slice::from_ref(&bad), "")), [pointer], "{bad}");
    }
}

#[test]
fn items_are_linked_to_the_next_or_all_of_them() {
    let (linked, alone) = (item(r#","linked":true"#), item(""));
    let links = |bulk: Bulk| -> String {
        let told = |(is_link, follows): (&bool, &bool)| match (is_link, follows) {
            (true, false) => '[',
            (true, true) => '&',
            (false, false) => '.',
            (false, true) => '?',
        };
        bulk.is_link.iter().zip(&bulk.follows).map(told).collect()
    };
    let items = [&alone, &linked, &linked, &alone, &linked, &alone, &alone].map(Clone::clone);
    assert_eq!(links(read(&items, "").unwrap()), ".[&&[&.");
    assert_eq!(links(read(&[alone.clone(), alone.clone()], ",\"atomic\":true").unwrap()), "[&");
    assert_eq!(links(read(std::slice::from_ref(&alone), ",\"atomic\":true").unwrap()), "[");
    assert_eq!(pointers(read(&[alone.clone(), linked.clone()], "")), ["/transfers/1/linked"]);
    assert_eq!(pointers(read(&[linked, alone], ",\"atomic\":true")), ["/transfers/0/linked"]);
}

#[test]
fn the_document_describes_the_fields_that_are_read() {
    crate::openapi::assert_properties(&NewTransfers::schema(), &BULK_FIELDS);
    let all = [
        "kind",
        "linked",
        "id",
        "debit_account",
        "credit_account",
        "account",
        "hold",
        "original",
        "branch",
        "amount",
        "currency",
        "up_to",
        "expires_at",
        "final",
        "force",
        "category",
        "reference",
    ];
    crate::openapi::assert_properties(&NewBulkItem::schema(), &all);
}
