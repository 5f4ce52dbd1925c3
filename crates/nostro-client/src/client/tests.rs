//! What each answer of the server means for money.

use super::*;

const ID: Uuid = Uuid::from_u128(7);

fn reply(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Reply {
    let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
    Reply { status: StatusCode::from_u16(status).unwrap(), headers, body: body.as_bytes().to_vec() }
}

fn problem_text(status: u16, code: &str) -> String {
    format!(
        r#"{{"type":"/problems/{code}","title":"T","status":{status},"code":"{code}","detail":"D","instance":"/",
        "retry":"never","request_id":"r","new_member":1}}"#
    )
}

fn word(result: &Result<Outcome, ClientError>) -> &'static str {
    match result {
        Ok(Outcome::Posted { replayed: false, .. }) => "posted",
        Ok(Outcome::Posted { replayed: true, .. }) => "posted again",
        Ok(Outcome::Settling(_)) => "settling",
        Ok(Outcome::Unknown { .. }) => "unknown",
        Ok(Outcome::Refused { replayed: false, .. }) => "refused",
        Ok(Outcome::Refused { replayed: true, .. }) => "refused again",
        Ok(Outcome::Conflict(_)) => "conflict",
        Ok(Outcome::Unavailable { .. }) => "unavailable",
        Err(ClientError::Rejected(_)) => "rejected",
        Err(ClientError::Unavailable { .. }) => "error unavailable",
        Err(ClientError::Connect { .. }) => "connect",
        Err(ClientError::Unknown { .. }) => "error unknown",
    }
}

fn transfer(state: &str) -> String {
    format!(
        r#"{{"id":"00000000-0000-0000-0000-000000000007","kind":"transfer","state":"{state}",
        "debit_account":"AZ93000000001042","credit_account":"TX25000000001042","amount":"100000","currency":"USD",
        "category":1,"reference":null,"batch":"AZ-1-4711","posted_at":"2026-11-23T08:00:00.000000Z",
        "entries":[{{"account":"AZ93000000001042","balance_after":"400075"}}],"later":"ignored",
        "commit":{{"home":"AZ","parts":["AZ","TX"],"prepared":["TX"],"decided":"AZ"}}}}"#
    )
}

#[test]
fn each_answer_has_its_meaning() {
    let replayed = &[("idempotent-replayed", "true")][..];
    for (status, headers, body, expected) in [
        (201, &[][..], transfer("posted"), "posted"),
        (200, replayed, transfer("posted"), "posted again"),
        (202, &[], transfer("settling"), "settling"),
        (202, &[], r#"{"id":"00000000-0000-0000-0000-000000000007","state":"unknown"}"#.to_owned(), "unknown"),
        (409, &[], problem_text(409, "id_conflict"), "conflict"),
        (422, &[], problem_text(422, "insufficient_funds"), "refused"),
        (422, replayed, problem_text(422, "insufficient_funds"), "refused again"),
        (503, &[("retry-after", "5")], problem_text(503, "branch_unavailable"), "unavailable"),
        (400, &[], problem_text(400, "invalid_request"), "rejected"),
        (401, &[], problem_text(401, "unauthorized"), "rejected"),
        (429, &[], problem_text(429, "rate_limited"), "rejected"),
        (500, &[], problem_text(500, "internal_error"), "error unknown"),
        (502, &[], "<html>".to_owned(), "error unknown"),
        (503, &[], "<html>".to_owned(), "error unknown"),
        (404, &[], "<html>".to_owned(), "error unknown"),
        (302, &[], String::new(), "error unknown"),
        (201, &[], "{\"id\":".to_owned(), "error unknown"),
        (202, &[], String::new(), "error unknown"),
    ] {
        assert_eq!(word(&outcome(ID, &reply(status, headers, &body))), expected, "{status} {body}");
    }
}

#[test]
fn of_what_is_no_money_too_202_is_unknown_and_503_did_nothing() {
    let word = |status, body: &str| match made::<serde_json::Value>(&reply(status, &[], body)) {
        Ok(_) => "made",
        Err(ClientError::Unknown { .. }) => "unknown",
        Err(ClientError::Unavailable { .. }) => "unavailable",
        Err(ClientError::Rejected(_)) => "rejected",
        Err(ClientError::Connect { .. }) => "connect",
    };
    assert_eq!(word(200, "{}"), "made");
    assert_eq!(word(201, "{}"), "made");
    assert_eq!(word(202, r#"{"id":"00000000-0000-0000-0000-000000000007","state":"unknown"}"#), "unknown");
    assert_eq!(word(503, &problem_text(503, "branch_unavailable")), "unavailable");
    assert_eq!(word(500, &problem_text(500, "internal_error")), "unknown");
    assert_eq!(word(422, &problem_text(422, "account_closed")), "rejected");
}

#[test]
fn a_503_says_when_to_try_again() {
    let body = problem_text(503, "busy");
    for (headers, expected) in [(&[("retry-after", "5")][..], 5), (&[("retry-after", "soon")], 1), (&[], 1)] {
        let Ok(Outcome::Unavailable { retry_after, .. }) = outcome::<Transfer>(ID, &reply(503, headers, &body)) else {
            panic!("503 is unavailable")
        };
        assert_eq!(retry_after.as_secs(), expected);
    }
}

#[test]
fn a_client_does_not_print_its_key() {
    let printed = format!("{:?}", Client::new("http://127.0.0.1:8000/", "secret"));
    assert_eq!(printed, r#"Client { base_url: "http://127.0.0.1:8000", .. }"#);
}
