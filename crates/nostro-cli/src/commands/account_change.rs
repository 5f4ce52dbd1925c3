//! `nostro account change`, `close` and `changes`: limits and states, and their history.

use super::account::parse_number;
use super::connection::ConnectionArgs;
use super::outcome::EXIT_USAGE;
use super::table::{major, print_json, table};
use clap::{Args, ValueEnum};
use nostro_client::{Account, ChangeRequest, Page, Terms};
use nostro_core::{AccountNumber, Currency};
use std::process::ExitCode;
use uuid::Uuid;

/// As many as one request brings.
const CHANGES_SHOWN: u16 = 200;

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
    /// Freeze it, or open it again
    #[arg(long)]
    state: Option<State>,
    /// Why, for the account's history, up to 140 characters
    #[arg(long)]
    reason: Option<String>,
    /// Id of the change, to ask again for the same one; a new one by default
    #[arg(long)]
    id: Option<Uuid>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    /// Takes all postings
    Open,
    /// Takes credits only
    DebitsFrozen,
    /// Takes debits only
    CreditsFrozen,
    /// Takes none
    Frozen,
}

#[derive(Args, Debug)]
pub(super) struct CloseArgs {
    /// Account number; spaces are allowed in quotes
    #[arg(value_parser = parse_number)]
    number: AccountNumber,
    /// Why, for the account's history, up to 140 characters
    #[arg(long)]
    reason: Option<String>,
    /// Id of the request, to ask again for the same one; a new one by default
    #[arg(long)]
    id: Option<Uuid>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
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

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::DebitsFrozen => "debits_frozen",
            Self::CreditsFrozen => "credits_frozen",
            Self::Frozen => "frozen",
        }
    }
}

pub(super) async fn change(args: ChangeArgs) -> anyhow::Result<ExitCode> {
    let client = args.connection.client()?;
    if args.overdraft_limit.is_none() && args.ceiling.is_none() && args.state.is_none() {
        eprintln!("nothing to change: name --overdraft-limit, --ceiling or --state");
        return Ok(ExitCode::from(EXIT_USAGE));
    }
    let currency = client.account(args.number).await?.currency;
    let limits = [("--overdraft-limit", &args.overdraft_limit, false), ("--ceiling", &args.ceiling, true)];
    let mut minor = Vec::new();
    for (option, text, may_be_none) in limits {
        minor.push(match text.as_deref().map(|text| limit(currency, text, may_be_none)).transpose() {
            Ok(limit) => limit,
            Err(error) => {
                eprintln!("{option}: {error}");
                return Ok(ExitCode::from(EXIT_USAGE));
            }
        });
    }
    let ceiling = minor.pop().flatten();
    let overdraft_limit = minor.pop().flatten();
    let id = args.id.unwrap_or_else(Uuid::now_v7);
    let state = args.state.map(|state| state.as_str().to_owned());
    let request = ChangeRequest { id, overdraft_limit, ceiling, state, reason: args.reason };
    tell(&client.change_account(args.number, &request).await?, args.json)
}

pub(super) async fn close(args: CloseArgs) -> anyhow::Result<ExitCode> {
    let client = args.connection.client()?;
    let id = args.id.unwrap_or_else(Uuid::now_v7);
    tell(&client.close_account(id, args.number, args.reason).await?, args.json)
}

pub(super) async fn changes(args: ChangesArgs) -> anyhow::Result<ExitCode> {
    let client = args.connection.client()?;
    let currency = client.account(args.number).await?.currency;
    let mut page = Page { limit: Some(CHANGES_SHOWN), cursor: None };
    let mut changes = Vec::new();
    loop {
        let listing = client.account_changes(args.number, &page).await?;
        changes.extend(listing.data);
        match listing.next_cursor {
            Some(cursor) => page.cursor = Some(cursor),
            None => break,
        }
    }
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
            told(currency, &change.before),
            told(currency, &change.after),
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
        _ if text.contains('0') && text.bytes().all(|byte| matches!(byte, b'0' | b'.')) => Ok("0".to_owned()),
        _ => match currency.parse_major_units(text) {
            Ok(amount) => Ok(amount.minor_units().to_string()),
            Err(error) => Err(format!("{text}: {error}")),
        },
    }
}

fn told(currency: Currency, terms: &Terms) -> String {
    let ceiling = terms.ceiling.map_or("none".to_owned(), |ceiling| major(currency, ceiling));
    format!("{}, limit {}, ceiling {ceiling}", terms.state, major(currency, terms.overdraft_limit))
}

fn tell(account: &Account, json: bool) -> anyhow::Result<ExitCode> {
    if json {
        print_json(account)?;
    } else {
        super::account::print_account(account);
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
