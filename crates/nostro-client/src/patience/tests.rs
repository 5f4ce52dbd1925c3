//! Rows of attempts against a socket that answers by script.

use super::*;
use nostro_core::Amount;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use uuid::Uuid;

const POSTED: &str = r#"{"id":"00000000-0000-0000-0000-000000000007","kind":"transfer","state":"posted",
    "debit_account":"AZ93000000001042","credit_account":"TX25000000001042","amount":"100000","currency":"USD",
    "category":0,"batch":"AZ-1-4711","posted_at":"2026-11-23T08:00:00.000000Z",
    "commit":{"home":"AZ","parts":["AZ","TX"],"prepared":["TX"],"decided":"AZ"}}"#;

/// Status and body of the answer to one request; status 0 cuts the connection.
type Answer = (u16, String);

fn problem(status: u16) -> Answer {
    let text = format!(
        r#"{{"type":"/problems/c","title":"T","status":{status},"code":"c","detail":"D","instance":"/",
        "retry":"same_id","request_id":"r"}}"#
    );
    (status, text)
}

/// Answers one request after the other; the last answer again and again.
async fn scripted(answers: Vec<Answer>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for at in 0.. {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            // The body is JSON without a brace inside: its end is the first one.
            while !request.contains(&b'}') {
                let mut part = [0; 4096];
                let read = socket.read(&mut part).await.unwrap();
                request.extend_from_slice(&part[..read]);
            }
            let (status, body) = &answers[at.min(answers.len() - 1)];
            if *status > 0 {
                let head =
                    format!("HTTP/1.1 {status} S\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
                socket.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
            }
        }
    });
    address
}

async fn run(answers: Vec<Answer>, deadline: Duration) -> Result<Outcome, ClientError> {
    let address = scripted(answers).await;
    let request = TransferRequest {
        id: Uuid::from_u128(7),
        debit_account: "AZ93000000001042".parse().unwrap(),
        credit_account: "TX25000000001042".parse().unwrap(),
        amount: Amount::new(100_000).unwrap(),
        currency: "USD".parse().unwrap(),
        up_to: false,
        category: 0,
        reference: None,
    };
    Client::new(&format!("http://{address}"), "key").transfer_until_settled(&request, deadline).await
}

#[tokio::test]
async fn a_cut_connection_and_an_internal_error_are_followed_by_the_same_id() {
    let unknown = (202, r#"{"id":"00000000-0000-0000-0000-000000000007","state":"unknown"}"#.to_owned());
    let answers = vec![(0, String::new()), problem(500), unknown, (200, POSTED.to_owned())];
    let outcome = run(answers, Duration::from_secs(10)).await;
    assert!(matches!(outcome, Ok(Outcome::Posted { .. })), "{outcome:?}");
}

#[tokio::test]
async fn an_open_attempt_is_not_closed_by_one_that_moved_nothing() {
    for later in [problem(503), problem(401), problem(429)] {
        let outcome = run(vec![(0, String::new()), later.clone()], Duration::from_millis(900)).await;
        assert!(matches!(outcome, Err(ClientError::Unknown { .. })), "{later:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn without_an_open_attempt_the_last_answer_is_given() {
    let outcome = run(vec![problem(503)], Duration::from_millis(500)).await;
    assert!(matches!(outcome, Ok(Outcome::Unavailable { .. })), "{outcome:?}");
    let outcome = run(vec![problem(401), (200, POSTED.to_owned())], Duration::from_secs(10)).await;
    assert!(matches!(outcome, Err(ClientError::Rejected(_))), "{outcome:?}");
    let outcome = run(vec![problem(422), (200, POSTED.to_owned())], Duration::from_secs(10)).await;
    assert!(matches!(outcome, Ok(Outcome::Refused { .. })), "{outcome:?}");
}

/// Closes an account against a script; what came of it in a word.
async fn close(answers: Vec<Answer>, deadline: Duration) -> &'static str {
    let client = Client::new(&format!("http://{}", scripted(answers).await), "key");
    let (id, number) = (Uuid::from_u128(7), "AZ93000000001042".parse().unwrap());
    match until_answered(id, deadline, || client.close_account(id, number, None)).await {
        Ok(account) if account.state == "closed" => "closed",
        Ok(_) => "another state",
        Err(ClientError::Rejected(_)) => "rejected",
        Err(ClientError::Unavailable { .. }) => "unavailable",
        Err(ClientError::Connect { .. }) => "connect",
        Err(ClientError::Unknown { .. }) => "unknown",
    }
}

#[tokio::test]
async fn a_change_is_asked_for_again_until_it_is_answered() {
    let closed = r#"{"number":"AZ93000000001042","branch":"AZ","customer":null,"kind":"checking","currency":"USD",
        "normal_side":"credit","posted":"0","held":"0","available":"0","overdraft_limit":"0","ceiling":null,
        "limit_exceeded":false,"state":"closed","opened_at":"2026-11-23T08:00:00.000000Z","seq":"0"}"#;
    let closed = (200, closed.to_owned());
    let unknown = (202, r#"{"id":"00000000-0000-0000-0000-000000000007","state":"unknown"}"#.to_owned());
    let long = Duration::from_secs(20);
    assert_eq!(close(vec![unknown.clone(), problem(503), closed], long).await, "closed");
    assert_eq!(close(vec![unknown.clone(), problem(422)], long).await, "rejected");
    assert_eq!(close(vec![problem(409)], long).await, "rejected");
    let short = Duration::from_millis(900);
    assert_eq!(close(vec![unknown.clone(), problem(503)], short).await, "unknown");
    assert_eq!(close(vec![unknown, problem(401)], short).await, "unknown");
    assert_eq!(close(vec![problem(503)], short).await, "unavailable");
}

#[tokio::test]
async fn where_nobody_listens_nothing_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = Client::new(&format!("http://{address}"), "key").audit().await.unwrap_err();
    assert!(matches!(error, ClientError::Connect { .. }), "{error:?}");
}
