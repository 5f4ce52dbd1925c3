//! Accounts and transfers by HTTP.

use crate::server::Server;
use nostro_client::{
    CaptureRequest, CashRequest, Client, ClientError, HoldRequest, NewAccount, NewCustomer, Outcome, ReleaseRequest,
    ReversalRequest, TransferRequest,
};
use nostro_core::{AccountNumber, Amount, BranchCode, Currency, Timestamp};
use std::time::{Duration, Instant, SystemTime};
use uuid::Uuid;

/// USD.
pub fn dollars() -> Currency {
    "USD".parse().unwrap()
}

/// So many cents.
pub fn amount(cents: i64) -> Amount {
    Amount::new(cents).unwrap()
}

/// The code of a branch.
pub fn code(branch: &str) -> BranchCode {
    branch.parse().unwrap()
}

/// Opens an account with so many cents; its customer is made for it.
pub async fn open(client: &Client, branch: &str, cents: i64) -> AccountNumber {
    let name = format!("Customer of {branch}");
    let customer =
        client.create_customer(&NewCustomer { id: Uuid::now_v7(), branch: code(branch), name }).await.unwrap();
    let new = NewAccount {
        id: Uuid::now_v7(),
        customer: customer.number,
        kind: "checking".into(),
        currency: dollars(),
        overdraft_limit: 0,
    };
    let account = client.open_account(&new).await.unwrap().number;
    if cents > 0 {
        let cash = cash(account, cents);
        assert_posted(client.deposit(&cash).await);
    }
    account
}

/// Cash over the counter of the account's branch.
pub fn cash(account: AccountNumber, cents: i64) -> CashRequest {
    CashRequest {
        id: Uuid::now_v7(),
        account,
        amount: amount(cents),
        currency: dollars(),
        category: 0,
        reference: None,
    }
}

/// A transfer with an id of its own.
pub fn pay(from: AccountNumber, to: AccountNumber, cents: i64) -> TransferRequest {
    TransferRequest {
        id: Uuid::now_v7(),
        debit_account: from,
        credit_account: to,
        amount: amount(cents),
        currency: dollars(),
        up_to: false,
        category: 0,
        reference: None,
    }
}

/// A hold with an id of its own, that expires so long from now if it does.
pub fn reserve(from: AccountNumber, to: AccountNumber, cents: i64, expires_in: Option<Duration>) -> HoldRequest {
    HoldRequest {
        id: Uuid::now_v7(),
        debit_account: from,
        credit_account: to,
        amount: amount(cents),
        currency: dollars(),
        expires_at: expires_in.map(|time| Timestamp::from(SystemTime::now() + time).to_string()),
        category: 0,
        reference: None,
    }
}

/// A capture with an id of its own.
pub fn take(cents: i64, is_final: bool) -> CaptureRequest {
    CaptureRequest { id: Uuid::now_v7(), amount: amount(cents), is_final, category: 0, reference: None }
}

/// A release with an id of its own.
pub fn give_back() -> ReleaseRequest {
    ReleaseRequest { id: Uuid::now_v7(), category: 0, reference: None }
}

/// A reversal with an id of its own, of so much or of all.
pub fn undo(cents: Option<i64>) -> ReversalRequest {
    ReversalRequest { id: Uuid::now_v7(), amount: cents.map(amount), force: false, category: 0, reference: None }
}

/// What is posted, in cents.
pub async fn balance(client: &Client, account: AccountNumber) -> i128 {
    client.account(account).await.unwrap().posted
}

/// One word for what became of a request, with its code where it has one.
pub fn told(outcome: &Result<Outcome, ClientError>) -> String {
    match outcome {
        Ok(Outcome::Posted { replayed, .. }) => if *replayed { "replayed" } else { "posted" }.into(),
        Ok(Outcome::Settling(_)) => "settling".into(),
        Ok(Outcome::Unknown { .. }) => "unknown".into(),
        Ok(Outcome::Refused { problem, replayed }) => {
            format!("{} {}", if *replayed { "refused again" } else { "refused" }, problem.code)
        }
        Ok(Outcome::Conflict(problem)) => format!("conflict {}", problem.errors[0].pointer),
        Ok(Outcome::Unavailable { problem, .. }) => format!("unavailable {}", problem.code),
        Err(ClientError::Rejected(problem)) => format!("rejected {}", problem.code),
        Err(ClientError::Unavailable { problem, .. }) => format!("unavailable {}", problem.code),
        Err(ClientError::Connect { .. }) => "not connected".into(),
        Err(ClientError::Unknown { .. }) => "unknown".into(),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "called on the answer itself")]
/// Posted, by this request and not an earlier one.
pub fn assert_posted(outcome: Result<Outcome, ClientError>) {
    assert_eq!(told(&outcome), "posted", "{outcome:?}");
}

/// Sends the same request until the answer is final: posted, replayed, refused or a conflict.
pub async fn until_final(client: &Client, request: &TransferRequest) -> String {
    let begin = Instant::now();
    loop {
        let outcome = told(&client.transfer(request).await);
        if outcome.contains("posted")
            || outcome.contains("replayed")
            || outcome.contains("refused")
            || outcome.contains("conflict")
        {
            return outcome;
        }
        assert!(begin.elapsed() < Duration::from_secs(30), "still {outcome}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Waits until a branch is as it should be.
pub async fn health_is(server: &Server, branch: &str, health: &str) {
    let begin = Instant::now();
    loop {
        let branches = server.client.branches().await.unwrap();
        let found = &branches.iter().find(|status| status.code == code(branch)).unwrap().health;
        if found == health {
            return;
        }
        assert!(begin.elapsed() < Duration::from_secs(15), "{branch} is {found}, expected {health}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until the server itself lists nothing in doubt.
pub async fn nothing_in_doubt_within(server: &Server, limit: Duration) {
    let begin = Instant::now();
    loop {
        let listed = server.client.in_doubt().await;
        if listed.as_ref().is_ok_and(|listed| listed.data.is_empty() && listed.unreachable.is_empty()) {
            return;
        }
        assert!(begin.elapsed() < limit, "in doubt after {limit:?}: {listed:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
