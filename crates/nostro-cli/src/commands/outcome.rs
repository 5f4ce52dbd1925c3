//! What a command that moves money prints, and the code that it ends with.
//!
//! The exit code keeps apart what must be kept apart: 0 committed, 3 refused, 4 unknown, 5 nothing moved. While it
//! is unknown the same id is sent again; after 30 s the command that asks again is printed, with the same id. Who
//! asks again with `--id` may have an earlier attempt open: that this attempt moved nothing is then unknown, not 5.

use super::exit::{EXIT_NOTHING_MOVED, EXIT_REFUSED, EXIT_UNKNOWN};
use super::table::{major, print_json, right, table};
use nostro_client::{Client, ClientError, MultiLegTransfer, Outcome, Problem, Transfer};
use nostro_commit::with_sources;
use serde::Serialize;
use std::process::ExitCode;
use std::time::Duration;
use uuid::Uuid;

/// How long the same id is sent again before a person decides.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// What was asked for.
pub(crate) struct Asked {
    /// The idempotency key.
    pub(crate) id: Uuid,
    /// Whether it was named with `--id`, so that an earlier attempt may be open.
    pub(crate) is_again: bool,
    /// The command that asks for the same again: with its id it cannot move the money twice.
    pub(crate) again: String,
    /// Whether JSON is wanted.
    pub(crate) json: bool,
}

/// Prints what became of it.
pub(crate) fn tell(client: &Client, asked: &Asked, outcome: Result<Outcome, ClientError>) -> anyhow::Result<ExitCode> {
    if asked.json { report_json(client, asked, outcome) } else { Ok(report(asked, outcome, print_transfer)) }
}

/// The same of transfers that are posted together.
pub(crate) fn tell_together(
    client: &Client,
    asked: &Asked,
    outcome: Result<Outcome<MultiLegTransfer>, ClientError>,
) -> anyhow::Result<ExitCode> {
    if asked.json { report_json(client, asked, outcome) } else { Ok(report(asked, outcome, print_together)) }
}

fn report<T>(asked: &Asked, outcome: Result<Outcome<T>, ClientError>, print: impl Fn(&T, &str)) -> ExitCode {
    match outcome {
        Ok(Outcome::Posted { transfer, replayed }) => {
            print(&transfer, if replayed { "posted earlier" } else { "posted" });
            ExitCode::SUCCESS
        }
        Ok(Outcome::Settling(transfer)) => {
            print(&transfer, "settling: committed, a branch has yet to finish");
            ExitCode::SUCCESS
        }
        Ok(Outcome::Refused { problem, replayed }) => {
            let again = if replayed { "refused earlier" } else { "refused" };
            eprintln!("{again}: {} ({})", problem.detail, problem.code);
            print_fields(&problem);
            eprintln!("  id        {}", asked.id);
            ExitCode::from(EXIT_REFUSED)
        }
        Ok(Outcome::Conflict(problem)) => {
            eprintln!("refused: {} ({})", problem.detail, problem.code);
            eprintln!("  id        {}; take a new one for another request", asked.id);
            ExitCode::from(EXIT_REFUSED)
        }
        Ok(Outcome::Unknown { .. }) => unknown(asked, "the branches have not answered"),
        Ok(Outcome::Unavailable { problem, .. }) => {
            let NothingMoved { words, exit } = this_attempt(asked.is_again);
            eprintln!("unavailable: {} ({}); {words}", problem.detail, problem.code);
            eprintln!("  to try again: {}", asked.again);
            ExitCode::from(exit)
        }
        Err(error @ ClientError::Unknown { .. }) => unknown(asked, &with_sources(error)),
        Err(error @ (ClientError::Rejected(_) | ClientError::Unavailable { .. } | ClientError::Connect { .. })) => {
            nothing_moved(asked.is_again, &error, "the bank")
        }
    }
}

/// Prints a transfer after a word for what became of it.
pub(crate) fn print_transfer(transfer: &Transfer, outcome: &str) {
    let amount = major(transfer.currency, i128::from(transfer.amount));
    let (debit, credit) = (transfer.debit_account.grouped(), transfer.credit_account.grouped());
    let way = match transfer.kind.as_str() {
        "hold" => format!("held at {debit} for {credit}"),
        "release" | "expiry" => format!("no longer held at {debit}"),
        _ => format!("from {debit} to {credit}"),
    };
    println!("{outcome}: {amount} {} {way}", transfer.currency);
    println!("  id        {}", transfer.id);
    if let Some(hold) = transfer.hold {
        println!("  hold      {hold}");
    }
    if let Some(original) = transfer.original {
        println!("  original  {original}");
    }
    if let Some(asked) = transfer.asked {
        println!("  asked     {} {}", major(transfer.currency, i128::from(asked)), transfer.currency);
    }
    if let Some(expires_at) = &transfer.expires_at {
        println!("  expires   {expires_at}");
    }
    println!("  batch     {} at {}", transfer.batch, transfer.posted_at);
    println!("  home      {}", transfer.commit.home);
    let prepared: Vec<String> = transfer.commit.prepared.iter().map(ToString::to_string).collect();
    println!("  prepared  {}", if prepared.is_empty() { "none: one branch".to_owned() } else { prepared.join(", ") });
    println!("  decided   {}", transfer.commit.decided);
    for entry in &transfer.entries {
        let balance = major(transfer.currency, entry.balance_after);
        println!("  balance   {} {balance} {}", entry.account.grouped(), transfer.currency);
    }
}

fn print_together(all: &MultiLegTransfer, outcome: &str) {
    println!("{outcome}: {} transfers together", all.legs.len());
    println!("  id        {}", all.id);
    let mut rows = table(&["From", "To", "Amount", "Currency", "Id"]);
    for leg in &all.legs {
        rows.add_row(vec![
            leg.debit_account.grouped().into(),
            leg.credit_account.grouped().into(),
            right(major(leg.currency, i128::from(leg.amount))),
            leg.currency.into(),
            leg.id.into(),
        ]);
    }
    println!("{rows}");
    if let Some(first) = all.legs.first() {
        println!("  batch     {} at {}", first.batch, first.posted_at);
        let parts: Vec<String> = first.commit.parts.iter().map(ToString::to_string).collect();
        println!("  branches  {}, decided at {}", parts.join(", "), first.commit.decided);
    }
}

fn unknown(asked: &Asked, why: &str) -> ExitCode {
    eprintln!("unknown: {why}; the money may or may not have moved");
    eprintln!("  id        {}", asked.id);
    eprintln!("  to ask again, without moving it twice: {}", asked.again);
    ExitCode::from(EXIT_UNKNOWN)
}

/// What can be said after an attempt that moved nothing.
struct NothingMoved {
    words: &'static str,
    exit: u8,
}

fn this_attempt(is_again: bool) -> NothingMoved {
    if is_again {
        let words = "this attempt moved nothing; whether an earlier one with this id did is not known";
        NothingMoved { words, exit: EXIT_UNKNOWN }
    } else {
        NothingMoved { words: "nothing moved", exit: EXIT_NOTHING_MOVED }
    }
}

/// Tells that this attempt ended without moving anything; what an earlier one with a named id did is then unknown.
pub(crate) fn nothing_moved(is_again: bool, error: &ClientError, of: &str) -> ExitCode {
    let NothingMoved { words, exit } = this_attempt(is_again);
    eprintln!("{of}: {}; {words}", with_sources(error));
    if let ClientError::Rejected(problem) = error {
        print_fields(problem);
    }
    ExitCode::from(exit)
}

/// The same where nothing could be sent at all.
pub(crate) fn nothing_sent(is_again: bool, error: &anyhow::Error) -> ExitCode {
    let exit = this_attempt(is_again).exit;
    let words =
        if is_again { "this attempt sent nothing, what an earlier one did is not known" } else { "nothing was sent" };
    eprintln!("{error:#}; {words}");
    ExitCode::from(exit)
}

pub(crate) fn print_fields(problem: &Problem) {
    for field in &problem.errors {
        eprintln!("  {}: {}", field.pointer, field.detail);
    }
}

/// Text as one word of a shell.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

fn report_json<T: Serialize>(
    client: &Client,
    asked: &Asked,
    outcome: Result<Outcome<T>, ClientError>,
) -> anyhow::Result<ExitCode> {
    let id = asked.id;
    let nothing_moved = this_attempt(asked.is_again).exit;
    let (code, document) = match outcome {
        Ok(Outcome::Posted { transfer, replayed }) => {
            (0, serde_json::json!({"id": id, "state": "posted", "replayed": replayed, "transfer": transfer}))
        }
        Ok(Outcome::Settling(transfer)) => {
            (0, serde_json::json!({"id": id, "state": "settling", "transfer": transfer}))
        }
        Ok(Outcome::Refused { problem, replayed }) => {
            (EXIT_REFUSED, serde_json::json!({"id": id, "state": "refused", "replayed": replayed, "problem": problem}))
        }
        Ok(Outcome::Conflict(problem)) => {
            (EXIT_REFUSED, serde_json::json!({"id": id, "state": "conflict", "problem": problem}))
        }
        Ok(Outcome::Unknown { .. }) => {
            (EXIT_UNKNOWN, serde_json::json!({"id": id, "state": "unknown", "again": asked.again}))
        }
        Ok(Outcome::Unavailable { problem, .. }) | Err(ClientError::Unavailable { problem, .. }) => {
            (nothing_moved, serde_json::json!({"id": id, "state": "unavailable", "problem": problem}))
        }
        Err(ClientError::Rejected(problem)) => {
            (nothing_moved, serde_json::json!({"id": id, "state": "rejected", "problem": problem}))
        }
        Err(error @ ClientError::Connect { .. }) => {
            let detail = format!("{} at {}", with_sources(error), client.base_url());
            (nothing_moved, serde_json::json!({"id": id, "state": "unreachable", "detail": detail}))
        }
        Err(error @ ClientError::Unknown { .. }) => {
            let detail = with_sources(error);
            (EXIT_UNKNOWN, serde_json::json!({"id": id, "state": "unknown", "detail": detail, "again": asked.again}))
        }
    };
    print_json(&document)?;
    Ok(ExitCode::from(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_one_word_of_a_shell() {
        for (text, expected) in [
            ("rent", "rent"),
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
            ("rent for May", "'rent for May'"),
            ("it's", r"'it'\''s'"),
            ("$(rm -r /)", "'$(rm -r /)'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }
}
