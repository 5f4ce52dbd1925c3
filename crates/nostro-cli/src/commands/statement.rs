//! `nostro account balance` and `nostro account statement`: what an account was at a past instant.
//!
//! The terminal shows major units. CSV is handed on as the API writes it, in minor units with the currency beside them. A
//! file has its name only once it is whole: until then it is `FILE.part`.

use super::account::{entries_table, parse_number};
use super::connection::ConnectionArgs;
use super::part_file::PartFile;
use super::table::{major, print_json};
use anyhow::Context;
use clap::Args;
use nostro_client::{Client, PAGE_ROWS_MAX, Page, Statement};
use nostro_core::{AccountNumber, Timestamp};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The arguments of `nostro account balance`.
#[derive(Args, Debug)]
pub(crate) struct BalanceArgs {
    /// Account number; spaces are allowed in quotes
    #[arg(value_parser = parse_number)]
    number: AccountNumber,
    /// A past instant, such as 2026-11-30T00:00:00Z, or the beginning of a day (UTC), such as 2026-11-30; now by default
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// The arguments of `nostro account statement`.
#[derive(Args, Debug)]
pub(crate) struct StatementArgs {
    /// Account number; spaces are allowed in quotes
    #[arg(value_parser = parse_number)]
    number: AccountNumber,
    /// The first instant of the period, such as 2026-11-01T00:00:00Z, or its first day (UTC), such as 2026-11-01
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    from: Timestamp,
    /// The first instant or day after it, not in the future
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    to: Timestamp,
    /// Write CSV to this file, or to standard output if it is -
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    csv: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// An instant of RFC 3339, or a day, which begins at midnight UTC.
pub(crate) fn parse_time(text: &str) -> Result<Timestamp, &'static str> {
    let begins = |day: &str| format!("{day}T00:00:00Z").parse::<Timestamp>();
    let time = text.parse::<Timestamp>().or_else(|_| begins(text));
    time.map_err(
        |_| "expected an instant such as 2026-11-23T08:00:00Z, or a day such as 2026-11-23 (from midnight UTC)",
    )
}

/// Prints a balance.
pub(crate) async fn balance(args: BalanceArgs) -> anyhow::Result<ExitCode> {
    let found = args.connection.client()?.balance(args.number, args.at).await.context("the balance")?;
    if args.json {
        print_json(&found)?;
        return Ok(ExitCode::SUCCESS);
    }
    println!("{} {}", major(found.currency, found.posted), found.currency);
    println!("  account  {}", found.account.grouped());
    println!("  at       {}{}", found.at, if args.at.is_some() { "" } else { ", not final: it is not past" });
    println!("  entries  {}", found.seq);
    Ok(ExitCode::SUCCESS)
}

/// Prints or writes a statement.
pub(crate) async fn statement(args: StatementArgs) -> anyhow::Result<ExitCode> {
    let client = args.connection.client()?;
    match &args.csv {
        Some(file) if file.as_os_str() == "-" => csv(&client, &args, &mut std::io::stdout()).await?,
        Some(file) => csv_file(&client, &args, file).await?,
        None => {
            let whole = whole(&client, &args).await.context("the statement")?;
            if args.json { print_json(&whole)? } else { print(&whole) }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// All pages as one.
async fn whole(client: &Client, args: &StatementArgs) -> Result<Statement, nostro_client::ClientError> {
    let mut page = Page { limit: Some(PAGE_ROWS_MAX), cursor: None };
    let mut whole = client.statement(args.number, args.from, args.to, &page).await?;
    while let Some(cursor) = whole.next_cursor.take() {
        page.cursor = Some(cursor);
        let next = client.statement(args.number, args.from, args.to, &page).await?;
        whole.data.extend(next.data);
        whole.next_cursor = next.next_cursor;
    }
    Ok(whole)
}

fn print(statement: &Statement) {
    let figure = |minor_units: Option<i128>| match minor_units {
        Some(minor_units) => format!("{} {}", major(statement.currency, minor_units), statement.currency),
        None => "not told".to_owned(),
    };
    println!("{}  from {} to {}", statement.account.grouped(), statement.from, statement.to);
    println!("  opening balance  {}", figure(statement.opening_balance));
    if !statement.data.is_empty() {
        println!("{}", entries_table(statement.currency, &statement.data));
    }
    println!("  debits           {}", figure(statement.total_debits));
    println!("  credits          {}", figure(statement.total_credits));
    println!("  closing balance  {}", figure(statement.closing_balance));
}

async fn csv_file(client: &Client, args: &StatementArgs, file: &Path) -> anyhow::Result<()> {
    let mut part = PartFile::create(file)?;
    csv(client, args, &mut part).await.with_context(|| format!("{} is not written", file.display()))?;
    part.finish()
}

async fn csv(client: &Client, args: &StatementArgs, to: &mut impl Write) -> anyhow::Result<()> {
    let mut coming = client.statement_csv(args.number, args.from, args.to).await.context("the statement")?;
    while let Some(bytes) = coming.chunk().await.context("the statement broke off, what came of it is not whole")? {
        to.write_all(&bytes).context("cannot write the statement")?;
    }
    to.flush().context("cannot write the statement")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_utc_and_anything_else_is_an_instant_or_an_error() {
        let instant = |text: &str| Ok(text.parse::<Timestamp>().unwrap());
        assert_eq!(parse_time("2026-11-01"), instant("2026-11-01T00:00:00Z"));
        assert_eq!(parse_time("2026-11-01T00:00:00-07:00"), instant("2026-11-01T07:00:00Z"));
        for text in ["", "2026-11", "2026-11-31", "01.11.2026", "2026-11-01T00:00:00", "yesterday"] {
            assert!(parse_time(text).is_err(), "{text:?}");
        }
    }
}
