//! Every outcome of moving money, as the table that the client relies on.

use super::*;
use nostro_core::transfer::Line;
use nostro_core::{Amount, Balance, Operation, Timestamp, TransferRecord};
use nostro_engine::{CommitPath, Unavailable, UnusableId};
use std::sync::Arc;

const PLACE: Pointer = Pointer::Item { list: "transfers", at: 3 };

fn transfer() -> Transfer {
    Transfer {
        id: TransferId("01938e1c-93d2-7cc4-9ac4-6a8df2a3c001".parse().unwrap()),
        operation: Operation::Transfer,
        debit: "AZ93000000001042".parse().unwrap(),
        credit: "TX25000000001042".parse().unwrap(),
        amount: Amount::new(100_000).unwrap(),
        currency: "USD".parse().unwrap(),
        category: 1,
        reference: None,
        link: None,
    }
}

fn receipt(decision: Decision) -> Receipt {
    let parts = ["AZ", "TX"].map(|code| code.parse().unwrap());
    Receipt {
        record: Arc::new(TransferRecord { transfer: transfer(), decision, posted_at: Timestamp::from_micros(0) }),
        batch: "AZ-1-4711".parse().unwrap(),
        commit: Arc::new(CommitPath { home: parts[0], parts: parts.to_vec() }),
    }
}

fn posted() -> Receipt {
    let line = |balance| Some(Line { balance_after: Balance::new(balance), seq: 18, previous: None });
    receipt(Decision::Posted { debit: line(400_075), credit: line(100_000) })
}

fn refusal() -> Receipt {
    receipt(Decision::Refused(Refusal::InsufficientFunds))
}

#[test]
fn each_outcome_has_its_status_and_headers() {
    let location = Some("/v1/transfers/01938e1c-93d2-7cc4-9ac4-6a8df2a3c001?branch=AZ");
    for (answer, status, replayed, expected) in [
        (Answer::Posted(posted()), 201, false, location),
        (Answer::Refused(refusal()), 422, false, None),
        (Answer::Replayed(posted()), 200, true, None),
        (Answer::Replayed(refusal()), 422, true, None),
        (Answer::Settling(posted()), 202, false, location),
        (Answer::Unknown, 202, false, location),
        (Answer::Conflict(Field::Amount), 409, false, None),
        (Answer::Unusable(UnusableId::TimeOutOfRange), 422, false, None),
        (Answer::Unusable(UnusableId::Expired), 422, false, None),
        (Answer::Unavailable(Unavailable::Busy), 503, false, None),
        (Answer::Bug, 500, false, None),
    ] {
        let response = single(&transfer(), answer.clone());
        assert_eq!(response.status().as_u16(), status, "{answer:?}");
        assert_eq!(response.headers().contains_key(IDEMPOTENT_REPLAYED), replayed, "{answer:?}");
        assert_eq!(response.headers().get(LOCATION).map(|value| value.to_str().unwrap()), expected, "{answer:?}");
    }
}

#[test]
fn items_of_a_bulk_have_the_same_outcomes() {
    for (answer, expected) in [
        (Answer::Posted(posted()), r#"["posted",null,"posted",null]"#),
        (Answer::Refused(refusal()), r#"["refused",null,null,"insufficient_funds"]"#),
        (Answer::Replayed(posted()), r#"["posted",true,"posted",null]"#),
        (Answer::Replayed(refusal()), r#"["refused",true,null,"insufficient_funds"]"#),
        (Answer::Settling(posted()), r#"["settling",null,"settling",null]"#),
        (Answer::Unknown, r#"["unknown",null,null,null]"#),
        (Answer::Conflict(Field::Amount), r#"["conflict",null,null,"id_conflict"]"#),
        (Answer::Unusable(UnusableId::TimeOutOfRange), r#"["refused",null,null,"id_time_out_of_range"]"#),
        (Answer::Unusable(UnusableId::Expired), r#"["refused",null,null,"id_expired"]"#),
        (Answer::Unavailable(Unavailable::Busy), r#"["unavailable",null,null,"busy"]"#),
        (Answer::Bug, r#"["unknown",null,null,"internal_error"]"#),
    ] {
        let body = item(PLACE, (&transfer()).into(), answer, |problem| problem.body("/v1/transfers/bulk", "r"));
        let body = serde_json::to_value(body).unwrap();
        let found = [&body["state"], &body["replayed"], &body["transfer"]["state"], &body["problem"]["code"]];
        assert_eq!(serde_json::to_string(&found).unwrap(), expected);
    }
}

#[test]
fn a_conflict_names_the_member_of_the_body() {
    let conflict =
        item(PLACE, (&transfer()).into(), Answer::Conflict(Field::CreditAccount), |problem| problem.body("", ""));
    let body = serde_json::to_value(conflict).unwrap();
    assert_eq!(body["problem"]["errors"][0]["pointer"], "/transfers/3/credit_account");
    assert_eq!(pointer(TransferKind::Deposit, Field::CreditAccount), "/account");
    assert_eq!(pointer(TransferKind::Deposit, Field::DebitAccount), "/currency");
    assert_eq!(pointer(TransferKind::Withdrawal, Field::DebitAccount), "/account");
    assert_eq!(pointer(TransferKind::Withdrawal, Field::Amount), "/amount");
}

#[test]
fn a_refusal_names_the_account_and_what_is_known() {
    let problem = refused(&transfer(), Refusal::InsufficientFunds).body("", "");
    let body = serde_json::to_value(problem).unwrap();
    assert_eq!(body["detail"], "AZ93000000001042 has less than 1000.00 USD available");
    assert_eq!(body["retry"], "never");
}

#[test]
fn a_transfer_shows_its_batch_and_how_it_was_committed() {
    let body = serde_json::to_value(TransferView::new(&posted(), true)).unwrap();
    assert_eq!(
        body,
        serde_json::json!({
            "id": "01938e1c-93d2-7cc4-9ac4-6a8df2a3c001", "kind": "transfer", "state": "posted",
            "debit_account": "AZ93000000001042", "credit_account": "TX25000000001042", "amount": "100000",
            "currency": "USD", "category": 1, "reference": null, "batch": "AZ-1-4711",
            "posted_at": "1970-01-01T00:00:00.000000Z",
            "entries": [
                {"account": "AZ93000000001042", "balance_after": "400075"},
                {"account": "TX25000000001042", "balance_after": "100000"}
            ],
            "commit": {"home": "AZ", "parts": ["AZ", "TX"], "prepared": ["TX"], "decided": "AZ"}
        })
    );
    for (reversed, expected) in [(None, None), (Some(0), Some("0")), (Some(40_000), Some("40000"))] {
        let view = TransferView::new(&posted(), true).with_reversed(reversed.map(Balance::new));
        let body = serde_json::to_value(view).unwrap();
        assert_eq!(body.get("reversed").map(|text| text.as_str().unwrap()), expected);
    }
    let body = serde_json::to_value(TransferView::new(&refusal(), true)).unwrap();
    assert_eq!((&body["state"], &body["refusal"]), (&"refused".into(), &"insufficient_funds".into()));
}
