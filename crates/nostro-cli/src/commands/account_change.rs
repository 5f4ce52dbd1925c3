//! `nostro account change`, `close` and `changes`: limits and states, and their history.
//!
//! While it is unknown whether a change was made, or its branch is unavailable, the same id is sent again, as by commands
//! that move money; and the exit codes are theirs.

use super::account::parse_number;
use super::connection::ConnectionArgs;
use super::exit::{EXIT_NOTHING_MOVED, EXIT_REFUSED, EXIT_UNKNOWN, EXIT_USAGE};
use super::moving::RequestArgs;
use super::outcome::{Asked, DEADLINE, print_fields, quoted};
use super::table::{major, print_json, table};
use super::words::one_of;
use clap::Args;
use nostro_client::{Account, ChangeRequest, ClientError, Terms, all, until_answered};
use nostro_commit::with_sources;
use nostro_core::{AccountNumber, AccountState, Currency};
use serde_json::json;
use std::process::ExitCode;
use uuid::Uuid;

/// What a change may make of an account's state: closing is a command of its own.
const STATES: [AccountState; 4] =
    [AccountState::Open, AccountState::DebitsFrozen, AccountState::CreditsFrozen, AccountState::Frozen];

#[derive(Args, Debug)]
pub(super) struct ChangeArgs {
    /// Account number; spaces are allowed in quotes
    #[arg(value_parser = parse_number)]
    number: AccountNumber,
    /// How far below zero it may go, in major units with exactly the currency's decimals
    #[arg(long)]
    overdraft_limit: Option<String>,
    /// What its balance may not go above, in major units, or none
    #[arg(long)]
    ceiling: Option<String>,
    /// Freeze it for debits, for credits or for both, or open it again
    #[arg(long, value_parser = one_of(&STATES, AccountState::as_str))]
    state: Option<AccountState>,
    /// Why, for the account's history, up to 140 characters
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    request: RequestArgs,
}

#[derive(Args, Debug)]
pub(super) struct CloseArgs {
    /// Account number; spaces are allowed in quotes
    #[arg(value_parser = parse_number)]
    number: AccountNumber,
    /// Why, for the account's history, up to 140 characters
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    request: RequestArgs,
}

#[derive(Args, Debug)]
pub(super) struct ChangesArgs {
    /// Account number; spaces are allowed in quotes
    #[arg(value_parser = parse_number)]
    number: AccountNumber,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

pub(super) async fn change(args: ChangeArgs) -> anyhow::Result<ExitCode> {
    let client = match args.request.client() {
        Ok(client) => client,
        Err(exit) => return Ok(exit),
    };
    if args.overdraft_limit.is_none() && args.ceiling.is_none() && args.state.is_none() {
        eprintln!("nothing to change: name --overdraft-limit, --ceiling or --state");
        return Ok(ExitCode::from(EXIT_USAGE));
    }
    let id = args.request.id();
    let asked = args.request.asked(&client, id, &args.words());
    let currency = match client.account(args.number).await {
        Ok(account) => account.currency,
        Err(error) => return failed(&asked, &error, not_sent(&asked, &error)),
    };
    let request = match args.change(id, currency) {
        Ok(request) => request,
        Err(complaint) => {
            eprintln!("{complaint}");
            return Ok(ExitCode::from(EXIT_USAGE));
        }
    };
    let answer = until_answered(id, DEADLINE, || client.change_account(args.number, &request)).await;
    told(&asked, answer)
}

pub(super) async fn close(args: CloseArgs) -> anyhow::Result<ExitCode> {
    let client = match args.request.client() {
        Ok(client) => client,
        Err(exit) => return Ok(exit),
    };
    let id = args.request.id();
    let asked = args.request.asked(&client, id, &args.words());
    let answer = until_answered(id, DEADLINE, || client.close_account(id, args.number, args.reason.clone())).await;
    told(&asked, answer)
}

pub(super) async fn changes(args: ChangesArgs) -> anyhow::Result<ExitCode> {
    let client = &args.connection.client()?;
    let number = args.number;
    let currency = client.account(number).await?.currency;
    let changes = all(|page| async move { client.account_changes(number, &page).await }).await?;
    if args.json {
        print_json(&changes)?;
        return Ok(ExitCode::SUCCESS);
    }
    if changes.is_empty() {
        println!("no changes");
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows = table(&["Time", "Before", "After", "Reason", "Id"]);
    for change in &changes {
        rows.add_row(vec![
            change.changed_at.clone(),
            terms(currency, &change.before),
            terms(currency, &change.after),
            change.reason.clone().unwrap_or_default(),
            change.id.to_string(),
        ]);
    }
    println!("{rows}");
    Ok(ExitCode::SUCCESS)
}

/// A limit in minor units, from major ones: zero or more, or no bound.
fn limit(currency: Currency, text: &str, may_be_none: bool) -> Result<String, String> {
    match text {
        "none" if may_be_none => Ok("none".to_owned()),
        _ => match currency.parse_limit(text) {
            Ok(limit) => Ok(limit.minor_units().to_string()),
            Err(error) => Err(format!("{text}: {error}")),
        },
    }
}

fn terms(currency: Currency, terms: &Terms) -> String {
    let ceiling = terms.ceiling.map_or("none".to_owned(), |ceiling| major(currency, ceiling));
    format!("{}, limit {}, ceiling {ceiling}", terms.state, major(currency, terms.overdraft_limit))
}

impl ChangeArgs {
    /// The limits are in the account's currency. What is wrong with one is told with its option.
    fn change(&self, id: Uuid, currency: Currency) -> Result<ChangeRequest, String> {
        let minor = |option: &str, text: Option<&str>, may_be_none: bool| {
            let limit = text.map(|text| limit(currency, text, may_be_none)).transpose();
            limit.map_err(|complaint| format!("{option}: {complaint}"))
        };
        let overdraft_limit = minor("--overdraft-limit", self.overdraft_limit.as_deref(), false)?;
        let ceiling = minor("--ceiling", self.ceiling.as_deref(), true)?;
        let state = self.state.map(|state| state.as_str().to_owned());
        Ok(ChangeRequest { id, overdraft_limit, ceiling, state, reason: self.reason.clone() })
    }

    /// The command and its own options, as it is typed.
    fn words(&self) -> String {
        let option = |name: &str, value: Option<&str>| value.map(|value| format!(" --{name} {}", quoted(value)));
        let options = [
            option("overdraft-limit", self.overdraft_limit.as_deref()),
            option("ceiling", self.ceiling.as_deref()),
            option("state", self.state.map(AccountState::as_str)),
            option("reason", self.reason.as_deref()),
        ];
        let options: String = options.into_iter().flatten().collect();
        format!("account change {}{options}", self.number)
    }
}

impl CloseArgs {
    fn words(&self) -> String {
        let reason = self.reason.as_deref().map(|text| format!(" --reason {}", quoted(text))).unwrap_or_default();
        format!("account close {}{reason}", self.number)
    }
}

fn told(asked: &Asked, answer: Result<Account, ClientError>) -> anyhow::Result<ExitCode> {
    match answer {
        Ok(account) if asked.json => print_json(&account).map(|()| ExitCode::SUCCESS),
        Ok(account) => {
            super::account::print_account(&account);
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => failed(asked, &error, ended(asked, &error)),
    }
}

fn failed(asked: &Asked, error: &ClientError, (state, exit): (&str, u8)) -> anyhow::Result<ExitCode> {
    if asked.json {
        let problem = match error {
            ClientError::Rejected(problem) | ClientError::Unavailable { problem, .. } => Some(problem),
            ClientError::Connect { .. } | ClientError::Unknown { .. } => None,
        };
        let (id, again) = (asked.id, &asked.again);
        let detail = with_sources(error);
        print_json(&json!({"id": id, "state": state, "detail": detail, "problem": problem, "again": again}))?;
        return Ok(ExitCode::from(exit));
    }
    let what = match exit {
        EXIT_UNKNOWN => "it may or may not have been made",
        _ => "nothing was changed",
    };
    eprintln!("{state}: {}; {what}", with_sources(error));
    if let ClientError::Rejected(problem) = error {
        print_fields(problem);
    }
    eprintln!("  id        {}", asked.id);
    if exit != EXIT_REFUSED {
        eprintln!("  to ask again for the same change: {}", asked.again);
    }
    Ok(ExitCode::from(exit))
}

/// A word for how it ended, and the exit code. That this attempt changed nothing says nothing of an earlier one.
fn ended(asked: &Asked, error: &ClientError) -> (&'static str, u8) {
    match error {
        ClientError::Rejected(problem) if [409, 422].contains(&problem.status) => ("refused", EXIT_REFUSED),
        ClientError::Unknown { .. } => ("unknown", EXIT_UNKNOWN),
        ClientError::Rejected(_) | ClientError::Unavailable { .. } | ClientError::Connect { .. } if asked.is_again => {
            ("unknown", EXIT_UNKNOWN)
        }
        ClientError::Rejected(_) => ("rejected", EXIT_NOTHING_MOVED),
        ClientError::Unavailable { .. } => ("unavailable", EXIT_NOTHING_MOVED),
        ClientError::Connect { .. } => ("unreachable", EXIT_NOTHING_MOVED),
    }
}

/// The same where the look-up before the request failed: nothing was sent by this attempt.
fn not_sent(asked: &Asked, error: &ClientError) -> (&'static str, u8) {
    if asked.is_again {
        return ("unknown", EXIT_UNKNOWN);
    }
    match error {
        ClientError::Rejected(_) => ("rejected", EXIT_NOTHING_MOVED),
        ClientError::Unavailable { .. } | ClientError::Unknown { .. } => ("unavailable", EXIT_NOTHING_MOVED),
        ClientError::Connect { .. } => ("unreachable", EXIT_NOTHING_MOVED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nostro_client::UnknownCause;

    #[test]
    fn a_limit_is_zero_or_an_amount_and_a_ceiling_may_be_none() {
        let usd: Currency = "USD".parse().unwrap();
        assert_eq!(limit(usd, "0", false).unwrap(), "0");
        assert_eq!(limit(usd, "0.00", false).unwrap(), "0");
        assert_eq!(limit(usd, "12.50", false).unwrap(), "1250");
        assert_eq!(limit(usd, "none", true).unwrap(), "none");
        for bad in ["none", "", ".", "-1.00", "12.5"] {
            assert!(limit(usd, bad, false).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_may_have_been_changed_is_never_told_as_not_changed() {
        let asked = |is_again| Asked { id: Uuid::from_u128(7), is_again, again: String::new(), json: false };
        let problem = |status: u16| {
            let problem = json!({"type": "", "title": "", "status": status, "code": "c", "detail": "", "instance": "",
                "retry": "never", "request_id": "", "errors": []});
            Box::new(serde_json::from_value(problem).unwrap())
        };
        let retry_after = std::time::Duration::from_secs(1);
        for (error, first, again) in [
            (ClientError::Rejected(problem(409)), EXIT_REFUSED, EXIT_REFUSED),
            (ClientError::Rejected(problem(422)), EXIT_REFUSED, EXIT_REFUSED),
            (ClientError::Rejected(problem(404)), EXIT_NOTHING_MOVED, EXIT_UNKNOWN),
            (ClientError::Unavailable { problem: problem(503), retry_after }, EXIT_NOTHING_MOVED, EXIT_UNKNOWN),
            (ClientError::Unknown { source: UnknownCause::EarlierAttempt }, EXIT_UNKNOWN, EXIT_UNKNOWN),
        ] {
            assert_eq!((ended(&asked(false), &error).1, ended(&asked(true), &error).1), (first, again), "{error}");
        }
        // An answer to the look-up that was lost is none to the change, which was not sent.
        let lost = ClientError::Unknown { source: UnknownCause::Told };
        assert_eq!(not_sent(&asked(false), &lost), ("unavailable", EXIT_NOTHING_MOVED));
        assert_eq!(not_sent(&asked(true), &lost), ("unknown", EXIT_UNKNOWN));
    }
}
