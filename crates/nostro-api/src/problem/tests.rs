//! The shape of problem details and the list of codes.

use super::*;
use axum::http::StatusCode;
use nostro_core::Refusal;
use std::collections::BTreeSet;

#[test]
fn a_problem_has_the_shape_of_rfc_9457_with_our_members() {
    let refusal = Problem::new(Code::Refused(Refusal::InsufficientFunds), "AZ93000000001042 has less than 1.00 USD");
    let body = serde_json::to_value(refusal.body("/v1/transfers", "r-1")).unwrap();
    assert_eq!(
        body,
        serde_json::json!({
            "type": "/problems/insufficient_funds", "title": "Insufficient funds", "status": 422,
            "code": "insufficient_funds", "detail": "AZ93000000001042 has less than 1.00 USD",
            "instance": "/v1/transfers", "retry": "never", "request_id": "r-1"
        })
    );
    let conflict = Problem::id_conflict("/amount".to_owned());
    let body = serde_json::to_value(conflict.body("/v1/transfers", "r-1")).unwrap();
    assert_eq!((&body["status"], &body["errors"][0]["pointer"]), (&409.into(), &"/amount".into()));
}

/// Every reason of unavailability.
fn reasons() -> [Unavailable; 6] {
    let az: BranchCode = "AZ".parse().unwrap();
    let account: AccountNumber = "AZ93000000001042".parse().unwrap();
    [
        Unavailable::Branch(az),
        Unavailable::AccountInDoubt(account),
        Unavailable::QueueFull,
        Unavailable::Busy,
        Unavailable::ClockSkew(az),
        Unavailable::IntakeClosed,
    ]
}

#[test]
fn every_reason_of_unavailability_is_503_with_a_wait_and_the_same_id() {
    for reason in reasons() {
        let problem = Problem::unavailable(reason);
        assert!(problem_codes().contains(&problem.code.as_str()), "{reason:?}");
        assert_eq!(problem.body("/", "r").retry, "same_id");
        let response = problem.into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        let expected = reason.retry_after().as_secs().to_string();
        assert_eq!(response.headers()[RETRY_AFTER].to_str().unwrap(), expected, "{reason:?}");
    }
}

#[test]
fn codes_are_listed_once_and_are_words() {
    let codes = problem_codes();
    let unique: BTreeSet<_> = codes.iter().collect();
    assert_eq!(unique.len(), codes.len());
    for code in codes {
        assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{code}");
    }
}

#[test]
fn headers_follow_the_problem() {
    let response = Problem::new(Code::Unauthorized, "").into_response();
    assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer");
    let limited = Problem::new(Code::RateLimited, "").with_retry_after(Duration::from_millis(1)).into_response();
    assert_eq!((limited.status().as_u16(), limited.headers()[RETRY_AFTER].to_str().unwrap()), (429, "1"));
    let replayed = Problem::new(Code::Refused(Refusal::CurrencyMismatch), "").replayed().into_response();
    assert_eq!(replayed.headers()[IDEMPOTENT_REPLAYED], "true");
}

#[test]
fn an_audit_that_waits_for_another_may_be_asked_for_again() {
    let running = Uuid::from_u128(7);
    let problem = Problem::audit_running(Some(running));
    let body = serde_json::to_value(problem.body("/v1/audits", "r")).unwrap();
    assert_eq!(
        (&body["status"], &body["code"], &body["retry"]),
        (&409.into(), &"audit_running".into(), &"same_id".into())
    );
    assert!(body["detail"].as_str().unwrap().contains(&running.to_string()));
    assert_eq!(problem.into_response().headers()[RETRY_AFTER], "10");
}

/// Nothing is recorded of it, and what is named may be on its way: the detail says so, and `retry` says the same.
#[test]
fn what_is_not_found_may_come_and_is_asked_for_again_with_the_same_id() {
    for code in [Code::TransferNotFound, Code::HoldNotFound] {
        assert_eq!((code.status(), code.retry()), (StatusCode::NOT_FOUND, "same_id"), "{code:?}");
    }
    for code in [Code::NotFound, Code::AccountNotFound, Code::BatchNotFound, Code::AuditNotFound] {
        assert_eq!((code.status(), code.retry()), (StatusCode::NOT_FOUND, "never"), "{code:?}");
    }
    let other = Problem::new(Code::HoldNotFound, "no hold").of_another_link("/transfers/1".to_owned());
    let body = serde_json::to_value(other.body("/v1/transfers/bulk", "r")).unwrap();
    assert_eq!(body["detail"], "/transfers/1 of its chain cannot be sent: no hold");
    assert_eq!(body["errors"], serde_json::json!([{"pointer": "/transfers/1", "detail": "hold_not_found"}]));
}

#[test]
fn the_reference_says_of_each_code_how_it_is_answered() {
    let page = include_str!("../../../../docs/reference/errors.md");
    let refusals = Refusal::ALL.map(Code::Refused);
    for code in Code::PLAIN.iter().copied().chain(refusals).chain(reasons().map(Code::Unavailable)) {
        let problem = Problem::new(code, "");
        let mut line = format!("- Status {}, retry `{}`", code.status().as_u16(), code.retry());
        if let Some(wait) = problem.retry_after {
            line += &format!(", `Retry-After: {}`", seconds_up(wait));
        }
        // Headers that come with the request.
        if code == Code::Unauthorized {
            line += ", with `WWW-Authenticate: Bearer`";
        } else if code == Code::RateLimited {
            line += ", with `Retry-After`";
        }
        let stated = format!("\n## {}\n\n{line}.\n", code.as_str());
        assert!(page.contains(&stated), "docs/reference/errors.md lacks:{stated}");
    }
}
