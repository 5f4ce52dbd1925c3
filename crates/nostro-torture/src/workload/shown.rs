//! What answers say, held against what was asked for.

use super::cast::key;
use crate::history::{Answer, Cause, Content, Kind};
use nostro_client::{BulkItem, ClientError, Link, MultiLegTransfer, Outcome, Problem, Transfer, UnknownCause};
use nostro_core::Timestamp;
use uuid::Uuid;

pub(super) type Asked = (Uuid, Content);

fn nonsense(what: String) -> Answer {
    Answer::Nonsense(what.into())
}

/// Whether a transfer that is shown is the one that was asked for.
fn is_the_one(transfer: &Transfer, (id, asked): &Asked) -> bool {
    let expires = transfer.expires_at.as_deref().map(str::parse::<Timestamp>).transpose();
    let link = asked.link.map(|link| Link { id: link.chain, position: link.position, length: link.length });
    let amount_fits = match asked.kind {
        Kind::UpTo | Kind::Release { .. } => (1..=asked.amount).contains(&transfer.amount),
        Kind::Transfer
        | Kind::Deposit
        | Kind::Withdrawal
        | Kind::Hold { .. }
        | Kind::Capture { .. }
        | Kind::Reversal { .. } => transfer.amount == asked.amount,
    };
    let particulars_fit = match asked.kind {
        Kind::Transfer | Kind::Deposit | Kind::Withdrawal => transfer.asked.is_none(),
        Kind::UpTo => transfer.asked == Some(asked.amount),
        Kind::Hold { expires_at } => expires.is_ok_and(|shown| shown.map(Timestamp::micros) == expires_at),
        Kind::Capture { hold, is_final } => transfer.hold == Some(hold) && transfer.is_final == Some(is_final),
        Kind::Release { hold } => transfer.hold == Some(hold),
        Kind::Reversal { original, is_forced, .. } => {
            transfer.original == Some(original) && transfer.forced == is_forced
        }
    };
    transfer.id == *id
        && transfer.kind == asked.kind.word()
        && (key(transfer.debit_account), key(transfer.credit_account)) == (asked.debit, asked.credit)
        && transfer.currency.code() == asked.currency
        && transfer.category == asked.category
        && transfer.reference.as_deref() == asked.reference
        && transfer.chain == link
        && amount_fits
        && particulars_fit
}

fn posted(transfer: &Transfer, replayed: bool, asked: &Asked) -> Answer {
    if transfer.state == "posted" && is_the_one(transfer, asked) {
        Answer::Posted { replayed, batch: transfer.batch.as_str().into(), amount: transfer.amount }
    } else {
        nonsense(format!("{transfer:?}"))
    }
}

fn settling(transfer: &Transfer, asked: &Asked) -> Answer {
    if is_the_one(transfer, asked) {
        Answer::Settling { batch: transfer.batch.as_str().into(), amount: transfer.amount }
    } else {
        nonsense(format!("{transfer:?}"))
    }
}

/// To a request by itself.
pub(super) fn answer(outcome: Result<Outcome, ClientError>, asked: &Asked) -> Answer {
    match outcome {
        Ok(Outcome::Posted { transfer, replayed }) => posted(&transfer, replayed, asked),
        Ok(Outcome::Settling(transfer)) => settling(&transfer, asked),
        Ok(Outcome::Refused { problem, replayed }) => Answer::Refused { replayed, code: problem.code.into() },
        Ok(Outcome::Unknown { id }) => unknown(id, asked),
        Ok(Outcome::Conflict(problem)) => conflict(&problem),
        Ok(Outcome::Unavailable { problem, .. }) => Answer::Unavailable(problem.code.into()),
        Err(error) => no_answer(error),
    }
}

/// To a transfer with many legs: one answer for each of them.
pub(super) fn leg_answers(outcome: Result<Outcome<MultiLegTransfer>, ClientError>, asked: &[Asked]) -> Vec<Answer> {
    let to_all = |answer: Answer| vec![answer; asked.len()];
    match outcome {
        Ok(Outcome::Posted { transfer, replayed }) if transfer.legs.len() == asked.len() => {
            transfer.legs.iter().zip(asked).map(|(leg, asked)| posted(leg, replayed, asked)).collect()
        }
        Ok(Outcome::Settling(transfer)) if transfer.legs.len() == asked.len() => {
            transfer.legs.iter().zip(asked).map(|(leg, asked)| settling(leg, asked)).collect()
        }
        Ok(Outcome::Posted { transfer, .. } | Outcome::Settling(transfer)) => {
            to_all(nonsense(format!("{} legs for {}", transfer.legs.len(), asked.len())))
        }
        Ok(Outcome::Refused { problem, replayed }) => match broken_leg(&problem) {
            Some(broken) if broken < asked.len() => {
                let code = |at| if at == broken { problem.code.as_str() } else { "chain_broken" };
                (0..asked.len()).map(|at| Answer::Refused { replayed, code: code(at).into() }).collect()
            }
            Some(_) | None => to_all(nonsense(format!("{problem:?}"))),
        },
        Ok(Outcome::Unknown { id }) => to_all(unknown(id, &asked[0])),
        Ok(Outcome::Conflict(problem)) => to_all(conflict(&problem)),
        Ok(Outcome::Unavailable { problem, .. }) => to_all(Answer::Unavailable(problem.code.into())),
        Err(error) => to_all(no_answer(error)),
    }
}

/// The leg that a refusal names, such as `/legs/1`.
fn broken_leg(problem: &Problem) -> Option<usize> {
    problem.errors.first()?.pointer.strip_prefix("/legs/")?.parse().ok()
}

fn unknown(id: Uuid, asked: &Asked) -> Answer {
    if id == asked.0 { Answer::Indeterminate(Cause::SaidUnknown) } else { nonsense(format!("unknown of {id}")) }
}

fn conflict(problem: &Problem) -> Answer {
    if problem.code == "id_conflict" { Answer::Conflict } else { nonsense(format!("{problem:?}")) }
}

/// To the items of a bulk.
pub(super) fn item_answers(results: Result<Vec<BulkItem>, ClientError>, asked: &[Asked]) -> Vec<Answer> {
    match results {
        Ok(results) if results.len() == asked.len() => {
            results.iter().zip(asked).map(|(item, asked)| item_answer(item, asked)).collect()
        }
        Ok(results) => {
            vec![nonsense(format!("{} results for {}", results.len(), asked.len())); asked.len()]
        }
        Err(error) => vec![no_answer(error); asked.len()],
    }
}

fn item_answer(item: &BulkItem, asked: &Asked) -> Answer {
    let code = || item.problem.as_ref().map_or("none", |problem| &problem.code);
    if item.id != asked.0 {
        return nonsense(format!("the result of {} in place of {}", item.id, asked.0));
    }
    match (item.state.as_str(), &item.transfer) {
        ("posted", Some(transfer)) => posted(transfer, item.replayed, asked),
        ("settling", Some(transfer)) => settling(transfer, asked),
        // What it names is not known: nothing is recorded of that.
        ("unavailable", _) if ["hold_not_found", "transfer_not_found"].contains(&code()) => {
            Answer::Rejected(code().into())
        }
        ("refused", _) => Answer::Refused { replayed: item.replayed, code: code().into() },
        ("conflict", _) => Answer::Conflict,
        ("unavailable", _) => Answer::Unavailable(code().into()),
        ("unknown", _) if item.problem.is_some() => Answer::Indeterminate(Cause::Failed),
        ("unknown", _) => Answer::Indeterminate(Cause::SaidUnknown),
        _ => nonsense(format!("{item:?}")),
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
