//! `nostro transfer`: moves money and says what became of it.
//!
//! The exit code keeps apart what must be kept apart: 0 committed, 3 refused, 4 unknown, 5 nothing moved. While it
//! is unknown the same id is sent again; after 30 s it prints the command that asks again, with the same id. Who
//! asks again with `--id` may have an earlier attempt open: that this attempt moved nothing is then unknown, not 5.

use super::account::parse_number;
use super::connection::ConnectionArgs;
use super::table::{major, print_json};
use clap::Args;
use nostro_client::{Client, ClientError, Outcome, Problem, Transfer, TransferRequest};
use nostro_core::{AccountNumber, Amount, Currency};
use std::process::ExitCode;
use std::time::Duration;
use uuid::Uuid;

/// How long the same id is sent again before a person decides.
const DEADLINE: Duration = Duration::from_secs(30);
/// The arguments do not fit together.
const EXIT_USAGE: u8 = 2;
/// The bank said no: final.
const EXIT_REFUSED: u8 = 3;
/// It is not known whether money moved.
const EXIT_UNKNOWN: u8 = 4;
/// Nothing moved.
const EXIT_NOTHING_MOVED: u8 = 5;

/// Moves money from one account to another
#[derive(Args, Debug)]
pub(crate) struct TransferArgs {
    /// Account that pays; spaces are allowed in quotes
    #[arg(value_name = "FROM", value_parser = parse_number)]
    debit: AccountNumber,
    /// Account that is paid
    #[arg(value_name = "TO", value_parser = parse_number)]
    credit: AccountNumber,
    /// In major units with exactly the currency's decimals, such as 1000.00
    amount: String,
    /// Currency of the amount; the paying account's by default
    #[arg(long)]
    currency: Option<Currency>,
    /// Text for the statement, up to 140 characters
    #[arg(long)]
    reference: Option<String>,
    /// Id of the transfer, to ask again for the same one; a new one by default
    #[arg(long)]
    id: Option<Uuid>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Runs the command.
pub(crate) async fn run(args: TransferArgs) -> anyhow::Result<ExitCode> {
    let client = args.connection.client()?;
    if args.debit == args.credit {
        eprintln!("FROM and TO are the same account: a transfer has two");
        return Ok(ExitCode::from(EXIT_USAGE));
    }
    let currency = match args.currency {
        Some(currency) => currency,
        None => match client.account(args.debit).await {
            Ok(account) => account.currency,
            Err(error) => return Ok(nothing_moved(&args, &error, "the currency of the paying account")),
        },
    };
    let amount = match currency.parse_major_units(&args.amount) {
        Ok(amount) => amount,
        Err(error) => {
            eprintln!("{}: {error}", args.amount);
            return Ok(ExitCode::from(EXIT_USAGE));
        }
    };
    let request = request(&args, currency, amount);
    let outcome = client.transfer_until_settled(&request, DEADLINE).await;
    if args.json {
        report_json(&client, &args, &request, outcome)
    } else {
        Ok(report(&client, &args, &request, outcome))
    }
}

fn request(args: &TransferArgs, currency: Currency, amount: Amount) -> TransferRequest {
    TransferRequest {
        id: args.id.unwrap_or_else(Uuid::now_v7),
        debit_account: args.debit,
        credit_account: args.credit,
        amount,
        currency,
        category: 0,
        reference: args.reference.clone(),
    }
}

fn report(
    client: &Client,
    args: &TransferArgs,
    request: &TransferRequest,
    outcome: Result<Outcome, ClientError>,
) -> ExitCode {
    match outcome {
        Ok(Outcome::Posted { transfer, replayed }) => {
            print_transfer(&transfer, if replayed { "posted earlier" } else { "posted" });
            ExitCode::SUCCESS
        }
        Ok(Outcome::Settling(transfer)) => {
            print_transfer(&transfer, "settling: committed, a branch has yet to finish");
            ExitCode::SUCCESS
        }
        Ok(Outcome::Refused { problem, replayed }) => {
            let again = if replayed { "refused earlier" } else { "refused" };
            eprintln!("{again}: {} ({})", problem.detail, problem.code);
            eprintln!("  id        {}", request.id);
            ExitCode::from(EXIT_REFUSED)
        }
        Ok(Outcome::Conflict(problem)) => {
            eprintln!("refused: {} ({})", problem.detail, problem.code);
            eprintln!("  id        {}; take a new one for another transfer", request.id);
            ExitCode::from(EXIT_REFUSED)
        }
        Ok(Outcome::Unknown { .. }) => unknown(client, args, request, "the branches have not answered"),
        Ok(Outcome::Unavailable { problem, .. }) => {
            let NothingMoved { words, exit } = this_attempt(args);
            eprintln!("unavailable: {} ({}); {words}", problem.detail, problem.code);
            eprintln!("  to try again: {}", again(client, args, request));
            ExitCode::from(exit)
        }
        Err(error @ ClientError::Unknown { .. }) => unknown(client, args, request, &chain(&error)),
        Err(error @ (ClientError::Rejected(_) | ClientError::Unavailable { .. } | ClientError::Connect { .. })) => {
            nothing_moved(args, &error, "the transfer")
        }
    }
}

fn print_transfer(transfer: &Transfer, outcome: &str) {
    let amount = major(transfer.currency, i128::from(transfer.amount));
    let (debit, credit) = (transfer.debit_account.grouped(), transfer.credit_account.grouped());
    println!("{outcome}: {amount} {} from {debit} to {credit}", transfer.currency);
    println!("  id        {}", transfer.id);
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

fn unknown(client: &Client, args: &TransferArgs, request: &TransferRequest, why: &str) -> ExitCode {
    eprintln!("unknown: {why}; the money may or may not have moved");
    eprintln!("  id        {}", request.id);
    eprintln!("  to ask again, without moving it twice: {}", again(client, args, request));
    ExitCode::from(EXIT_UNKNOWN)
}

/// What can be said after an attempt that moved nothing.
struct NothingMoved {
    words: &'static str,
    exit: u8,
}

fn this_attempt(args: &TransferArgs) -> NothingMoved {
    if args.id.is_some() {
        let words = "this attempt moved nothing; whether an earlier one with this id did is not known";
        NothingMoved { words, exit: EXIT_UNKNOWN }
    } else {
        NothingMoved { words: "nothing moved", exit: EXIT_NOTHING_MOVED }
    }
}

fn nothing_moved(args: &TransferArgs, error: &ClientError, of: &str) -> ExitCode {
    let NothingMoved { words, exit } = this_attempt(args);
    eprintln!("{of}: {}; {words}", chain(error));
    if let ClientError::Rejected(problem) = error {
        print_fields(problem);
    }
    ExitCode::from(exit)
}

fn print_fields(problem: &Problem) {
    for field in &problem.errors {
        eprintln!("  {}: {}", field.pointer, field.detail);
    }
}

/// The command that asks for the same transfer again: with its id it cannot move the money twice.
fn again(client: &Client, args: &TransferArgs, request: &TransferRequest) -> String {
    let reference = request.reference.as_deref().map(|text| format!(" --reference {}", quoted(text)));
    let key_file = args.connection.key_file.as_deref();
    let key_file = key_file.map(|file| format!(" --key-file {}", quoted(&file.display().to_string())));
    format!(
        "nostro transfer {} {} {} --currency {} --id {} --api {}{}{}",
        request.debit_account,
        request.credit_account,
        args.amount,
        request.currency,
        request.id,
        quoted(client.base_url()),
        key_file.unwrap_or_default(),
        reference.unwrap_or_default(),
    )
}

/// Text as one word of a shell.
fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// An error with its sources, in one line.
fn chain(error: &ClientError) -> String {
    let mut line = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(source) = next {
        line = format!("{line}: {source}");
        next = source.source();
    }
    line
}

fn report_json(
    client: &Client,
    args: &TransferArgs,
    request: &TransferRequest,
    outcome: Result<Outcome, ClientError>,
) -> anyhow::Result<ExitCode> {
    let id = request.id;
    let nothing_moved = this_attempt(args).exit;
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
        Ok(Outcome::Unknown { .. }) => (EXIT_UNKNOWN, serde_json::json!({"id": id, "state": "unknown"})),
        Ok(Outcome::Unavailable { problem, .. }) | Err(ClientError::Unavailable { problem, .. }) => {
            (nothing_moved, serde_json::json!({"id": id, "state": "unavailable", "problem": problem}))
        }
        Err(ClientError::Rejected(problem)) => {
            (nothing_moved, serde_json::json!({"id": id, "state": "rejected", "problem": problem}))
        }
        Err(error @ ClientError::Connect { .. }) => {
            let detail = format!("{} at {}", chain(&error), client.base_url());
            (nothing_moved, serde_json::json!({"id": id, "state": "unreachable", "detail": detail}))
        }
        Err(error @ ClientError::Unknown { .. }) => {
            (EXIT_UNKNOWN, serde_json::json!({"id": id, "state": "unknown", "detail": chain(&error)}))
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
