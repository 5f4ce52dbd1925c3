//! One request and what its answer says, written into the history.

use super::PATIENCE;
use super::cast::{key, number};
use crate::history::{Answer, Cause, Content, Kind, Place, Recorder};
use nostro_client::{BulkItem, CashRequest, Client, ClientError, Outcome, Transfer, TransferRequest, UnknownCause};
use nostro_core::Amount;
use std::time::Duration;
use uuid::Uuid;

fn transfer_request(id: Uuid, content: &Content) -> TransferRequest {
    TransferRequest {
        id,
        debit_account: number(content.debit),
        credit_account: number(content.credit),
        amount: Amount::new(content.amount).expect("an amount"),
        currency: content.currency.parse().expect("a currency"),
        up_to: false,
        category: content.category,
        reference: content.reference.map(str::to_owned),
    }
}

pub(super) async fn send(
    client: &Client,
    recorder: &Recorder,
    sent: usize,
    content: u8,
    server: usize,
    patience: Duration,
) -> Answer {
    let (id, asked) = recorder.request(sent, content);
    let cash = |account: i64| CashRequest {
        id,
        account: number(account),
        amount: Amount::new(asked.amount).expect("an amount"),
        currency: asked.currency.parse().expect("a currency"),
        category: asked.category,
        reference: asked.reference.map(str::to_owned),
    };
    let place: Place = recorder.invoke(sent, content, server);
    let sending = async {
        match asked.kind {
            Kind::Transfer => client.transfer(&transfer_request(id, &asked)).await,
            Kind::Deposit => client.deposit(&cash(asked.credit)).await,
            Kind::Withdrawal => client.withdraw(&cash(asked.debit)).await,
        }
    };
    let answer = match tokio::time::timeout(patience, sending).await {
        Ok(outcome) => answer(outcome, id, &asked),
        Err(_) => Answer::Indeterminate(Cause::HungUp),
    };
    recorder.complete(place, answer.clone());
    answer
}

pub(super) async fn send_bulk(
    client: &Client,
    recorder: &Recorder,
    items: &[(usize, u8)],
    server: usize,
) -> Vec<Answer> {
    let asked: Vec<(Uuid, Content)> = items.iter().map(|(sent, content)| recorder.request(*sent, *content)).collect();
    let requests: Vec<TransferRequest> = asked.iter().map(|(id, content)| transfer_request(*id, content)).collect();
    let places: Vec<Place> = items.iter().map(|(sent, content)| recorder.invoke(*sent, *content, server)).collect();
    let answers: Vec<Answer> = match tokio::time::timeout(PATIENCE, client.transfers_bulk(&requests)).await {
        Ok(Ok(results)) if results.len() == items.len() => {
            results.iter().zip(&asked).map(|(item, (id, content))| item_answer(item, *id, content)).collect()
        }
        Ok(Ok(results)) => vec![nonsense(format!("{} results for {}", results.len(), items.len())); items.len()],
        Ok(Err(error)) => vec![no_answer(error); items.len()],
        Err(_) => vec![Answer::Indeterminate(Cause::HungUp); items.len()],
    };
    for (place, answer) in places.into_iter().zip(&answers) {
        recorder.complete(place, answer.clone());
    }
    answers
}

fn nonsense(what: String) -> Answer {
    Answer::Nonsense(what.into())
}

/// Whether a transfer that is shown is the one that was asked for.
fn is_the_one(transfer: &Transfer, id: Uuid, asked: &Content) -> bool {
    transfer.id == id
        && transfer.kind == asked.kind.word()
        && (key(transfer.debit_account), key(transfer.credit_account)) == (asked.debit, asked.credit)
        && transfer.amount == asked.amount
        && transfer.currency.code() == asked.currency
        && transfer.category == asked.category
        && transfer.reference.as_deref() == asked.reference
}

fn answer(outcome: Result<Outcome, ClientError>, id: Uuid, asked: &Content) -> Answer {
    match outcome {
        Ok(Outcome::Posted { transfer, replayed }) => {
            if transfer.state == "posted" && is_the_one(&transfer, id, asked) {
                Answer::Posted { replayed, batch: transfer.batch.into() }
            } else {
                nonsense(format!("{transfer:?}"))
            }
        }
        Ok(Outcome::Settling(transfer)) => {
            if is_the_one(&transfer, id, asked) {
                Answer::Settling { batch: transfer.batch.into() }
            } else {
                nonsense(format!("{transfer:?}"))
            }
        }
        Ok(Outcome::Unknown { id: of }) if of == id => Answer::Indeterminate(Cause::SaidUnknown),
        Ok(Outcome::Unknown { id: of }) => nonsense(format!("unknown of {of}")),
        Ok(Outcome::Refused { problem, replayed }) => Answer::Refused { replayed, code: problem.code.into() },
        Ok(Outcome::Conflict(problem)) if problem.code == "id_conflict" => Answer::Conflict,
        Ok(Outcome::Conflict(problem)) => nonsense(format!("{problem:?}")),
        Ok(Outcome::Unavailable { problem, .. }) => Answer::Unavailable(problem.code.into()),
        Err(error) => no_answer(error),
    }
}

fn no_answer(error: ClientError) -> Answer {
    match error {
        ClientError::Rejected(problem) => Answer::Rejected(problem.code.into()),
        ClientError::Unavailable { problem, .. } => Answer::Unavailable(problem.code.into()),
        ClientError::Connect { .. } => Answer::NotConnected,
        ClientError::Unknown { source: UnknownCause::Status { .. } } => Answer::Indeterminate(Cause::Failed),
        ClientError::Unknown { source: UnknownCause::Told } => Answer::Indeterminate(Cause::SaidUnknown),
        ClientError::Unknown { source: UnknownCause::Body(error) } => nonsense(error.to_string()),
        ClientError::Unknown { source: UnknownCause::Transport(_) | UnknownCause::EarlierAttempt } => {
            Answer::Indeterminate(Cause::Broken)
        }
    }
}

fn item_answer(item: &BulkItem, id: Uuid, asked: &Content) -> Answer {
    let code = || item.problem.as_ref().map_or("none", |problem| &problem.code);
    if item.id != id {
        return nonsense(format!("the result of {} in place of {id}", item.id));
    }
    match (item.state.as_str(), &item.transfer) {
        ("posted", Some(transfer)) if is_the_one(transfer, id, asked) => {
            Answer::Posted { replayed: item.replayed, batch: transfer.batch.as_str().into() }
        }
        ("settling", Some(transfer)) if is_the_one(transfer, id, asked) => {
            Answer::Settling { batch: transfer.batch.as_str().into() }
        }
        ("refused", _) => Answer::Refused { replayed: item.replayed, code: code().into() },
        ("conflict", _) => Answer::Conflict,
        ("unavailable", _) => Answer::Unavailable(code().into()),
        ("unknown", _) if item.problem.is_some() => Answer::Indeterminate(Cause::Failed),
        ("unknown", _) => Answer::Indeterminate(Cause::SaidUnknown),
        _ => nonsense(format!("{item:?}")),
    }
}
