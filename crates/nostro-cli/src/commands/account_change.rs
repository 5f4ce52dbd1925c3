//! `nostro account change`, `close` and `changes`: limits and states, and their history.
//!
//! How they end is in [`answered`].

use super::account::{parse_number, print_account};
use super::answered;
use super::connection::ConnectionArgs;
use super::exit::EXIT_USAGE;
use super::moving::RequestArgs;
use super::outcome::{DEADLINE, quoted};
use super::table::{major, print_json, table};
use super::words::one_of;
use clap::Args;
use nostro_client::{ChangeRequest, Terms, all, until_answered};
use nostro_core::{AccountNumber, AccountState, Currency};
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
        Err(error) => return answered::tell_not_sent(&asked, &error),
    };
    let request = match args.change(id, currency) {
        Ok(request) => request,
        Err(complaint) => {
            eprintln!("{complaint}");
            return Ok(ExitCode::from(EXIT_USAGE));
        }
    };
    let answer = until_answered(id, DEADLINE, || client.change_account(args.number, &request)).await;
    answered::tell(&asked, answer, print_account)
}

pub(super) async fn close(args: CloseArgs) -> anyhow::Result<ExitCode> {
    let client = match args.request.client() {
        Ok(client) => client,
        Err(exit) => return Ok(exit),
    };
    let id = args.request.id();
    let asked = args.request.asked(&client, id, &args.words());
    let answer = until_answered(id, DEADLINE, || client.close_account(id, args.number, args.reason.clone())).await;
    answered::tell(&asked, answer, print_account)
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
