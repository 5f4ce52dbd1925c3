//! Every kind of bad field of a hold, a capture and a release, as tables.

use super::*;
use crate::ask::{self, Reserved};
use nostro_core::{Balance, Hold, HoldState, Timestamp};

const ID: &str = "01938e1c-93d2-7cc4-9ac4-6a8df2a3c001";

fn placed() -> Hold {
    Hold {
        id: TransferId("01938e1c-93d2-7cc4-9ac4-6a8df2a3c000".parse().unwrap()),
        debit: "AZ93000000001042".parse().unwrap(),
        credit: "TX25000000001042".parse().unwrap(),
        amount: Amount::new(500).unwrap(),
        currency: "USD".parse().unwrap(),
        captured: Balance::ZERO,
        released: Balance::ZERO,
        state: HoldState::Open,
        expires_at: None,
        placed_at: Timestamp::from_micros(0),
        ended_at: None,
    }
}

/// The good body with some members replaced or added, and without those that are given as empty.
fn body(good: &[(&str, &str)], changes: &[(&str, &str)]) -> String {
    let changed = |name: &str| changes.iter().any(|(other, _)| *other == name);
    let kept = good.iter().filter(|(name, _)| !changed(name));
    let members = kept.chain(changes).filter(|(_, value)| !value.is_empty());
    let members: Vec<String> = members.map(|(name, value)| format!("\"{name}\": {value}")).collect();
    format!("{{{}}}", members.join(", "))
}

fn told(read: Result<Transfer, Problem>) -> String {
    match read {
        Ok(transfer) => format!("{:?} {}", transfer.operation, transfer.amount),
        Err(problem) => {
            let body = serde_json::to_value(problem.body("", "")).unwrap();
            let of = |error: &serde_json::Value, member: &str| error[member].as_str().unwrap().to_owned();
            let errors = body["errors"].as_array().unwrap().iter();
            errors.map(|error| of(error, "pointer") + " " + &of(error, "detail")).collect::<Vec<_>>().join("; ")
        }
    }
}

#[test]
fn a_hold_is_read_with_its_time_or_without() {
    let good = [
        ("id", &format!("\"{ID}\"")[..]),
        ("debit_account", "\"AZ93000000001042\""),
        ("credit_account", "\"TX25000000001042\""),
        ("amount", "\"500\""),
        ("currency", "\"USD\""),
    ];
    for (changes, expected) in [
        (&[][..], "Hold { expires_at: None } 500"),
        (&[("expires_at", "null")], "Hold { expires_at: None } 500"),
        (&[("expires_at", "\"1970-01-01T00:00:01Z\"")], "Hold { expires_at: Some(Timestamp(1000000)) } 500"),
        (&[("expires_at", "\"1970-01-01T01:00:01+01:00\"")], "Hold { expires_at: Some(Timestamp(1000000)) } 500"),
        (&[("expires_at", "\"tomorrow\"")], "/expires_at a time is RFC 3339, such as 2026-11-23T08:00:00.000000Z"),
        (&[("expires_at", "\"-009000-01-01T00:00:00Z\"")], "/expires_at a time is of the years 1970 to 9998"),
        (&[("expires_at", "\"1969-12-31T23:59:59Z\"")], "/expires_at a time is of the years 1970 to 9998"),
        (&[("expires_at", "\"9999-01-01T00:00:00Z\"")], "/expires_at a time is of the years 1970 to 9998"),
        (&[("expires_at", "\"9998-12-31T23:59:59Z\"")], "Hold { expires_at: Some(Timestamp(253370764799000000)) } 500"),
        (&[("expires_at", "17")], "/expires_at expected text, found a number"),
        (&[("amount", "")], "/amount this field is missing"),
        (
            &[("credit_account", "\"AZ93000000001042\"")],
            "/credit_account must be another account than the debit account",
        ),
        (
            &[("final", "true")],
            "/final unknown field; the fields are id, debit_account, credit_account, amount, currency, expires_at, category, reference",
        ),
    ] {
        let body = body(&good, changes);
        assert_eq!(told(hold(JsonValue::parse(body.as_bytes()).unwrap(), &|_| true)), expected, "{body}");
    }
}

/// What is asked for of the hold that is there.
fn of_placed(ask: Ask) -> Transfer {
    let Ask::OfHold { hold, what, classified, .. } = ask else { panic!("it names a hold") };
    ask::of_hold(hold, what, &classified, Reserved::from(&placed()))
}

#[test]
fn a_capture_says_how_much_and_whether_it_is_the_last() {
    let id = format!("\"{ID}\"");
    let good = [("id", id.as_str()), ("amount", "\"200\"")];
    let of = "Capture { hold: TransferId(01938e1c-93d2-7cc4-9ac4-6a8df2a3c000), is_final:";
    for (changes, expected) in [
        (&[][..], format!("{of} false }} 200")),
        (&[("final", "true")], format!("{of} true }} 200")),
        (&[("final", "null")], format!("{of} false }} 200")),
        (&[("final", "1")], "/final expected true or false, found a number".to_owned()),
        (&[("amount", "")], "/amount this field is missing".to_owned()),
        (&[("amount", "200")], "/amount amount is text: \"100000\" (minor units), not a number".to_owned()),
        (&[("id", ""), ("amount", "\"0\"")], "/amount an amount is a whole number of minor units as text, 1 to 18 digits without sign, point or leading zero; /id this field is missing".to_owned()),
        (&[("currency", "\"USD\"")], "/currency unknown field; the fields are id, amount, final, category, reference".to_owned()),
    ] {
        let body = body(&good, changes);
        assert_eq!(told(capture(JsonValue::parse(body.as_bytes()).unwrap(), placed().id, None).map(of_placed)), expected, "{body}");
    }
}

#[test]
fn a_release_says_nothing_of_money() {
    let id = format!("\"{ID}\"");
    let of = "Release { hold: TransferId(01938e1c-93d2-7cc4-9ac4-6a8df2a3c000) } 500";
    for (changes, expected) in [
        (&[][..], of),
        (&[("reference", "\"cancelled\"")], of),
        (&[("id", "\"x\"")], "/id an id is a UUID such as 01938e1c-93d2-7cc4-9ac4-6a8df2a3c001; version 7 is advised"),
        (&[("amount", "\"5\"")], "/amount unknown field; the fields are id, category, reference"),
    ] {
        let body = body(&[("id", id.as_str())], changes);
        assert_eq!(
            told(release(JsonValue::parse(body.as_bytes()).unwrap(), placed().id, None).map(of_placed)),
            expected,
            "{body}"
        );
    }
}
