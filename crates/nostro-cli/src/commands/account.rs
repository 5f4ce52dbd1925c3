//! `nostro account`: the accounts of a branch, or one account with its last entries. All of its entries are in
//! [`entries`], new ones in [`account_open`], what changes one in [`account_change`], balances and statements of past instants in [`statement`].

use super::account_change::{self, ChangeArgs, ChangesArgs, CloseArgs};
use super::account_open::{self, OpenArgs};
use super::connection::ConnectionArgs;
use super::entries::{self, EntriesArgs};
use super::statement::{self, BalanceArgs, StatementArgs};
use super::table::{major, print_json, right, table};
use anyhow::Context;
use clap::{Args, Subcommand};
use comfy_table::Table;
use nostro_client::{Account, Entry, Page, all};
use nostro_core::account_number::AccountNumberError;
use nostro_core::{AccountNumber, BranchCode, Currency};
use std::process::ExitCode;

/// The last entries that are shown with an account.
const ENTRIES_SHOWN: u16 = 10;

/// The arguments of `nostro account`.
#[derive(Args, Debug)]
pub(crate) struct AccountArgs {
    #[command(subcommand)]
    command: AccountCommand,
}

#[derive(Debug, Subcommand)]
enum AccountCommand {
    /// List accounts of a branch, or of all
    List(ListArgs),
    /// Show an account with its last entries
    Show(ShowArgs),
    /// Open an account for a customer
    Open(OpenArgs),
    /// List an account's entries, newest first
    Entries(EntriesArgs),
    /// Change an account's limits, freeze it or open it again
    Change(ChangeArgs),
    /// Close an account; it must be empty and without open holds
    Close(CloseArgs),
    /// List what was changed of an account, newest first
    Changes(ChangesArgs),
    /// Show an account's balance at a past instant, or now
    Balance(BalanceArgs),
    /// Print the entries of a period between its opening and its closing balance
    Statement(StatementArgs),
}

#[derive(Args, Debug)]
struct ListArgs {
    /// Only this branch, such as AZ
    #[arg(long)]
    branch: Option<BranchCode>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Args, Debug)]
struct ShowArgs {
    /// Account number; spaces are allowed in quotes
    #[arg(value_parser = parse_number)]
    number: AccountNumber,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Runs the command.
pub(crate) async fn run(args: AccountArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        AccountCommand::List(args) => list(args).await,
        AccountCommand::Show(args) => show(args).await,
        AccountCommand::Open(args) => account_open::open(args).await,
        AccountCommand::Entries(args) => entries::entries(args).await,
        AccountCommand::Change(args) => account_change::change(args).await,
        AccountCommand::Close(args) => account_change::close(args).await,
        AccountCommand::Changes(args) => account_change::changes(args).await,
        AccountCommand::Balance(args) => statement::balance(args).await,
        AccountCommand::Statement(args) => statement::statement(args).await,
    }
}

/// An account number as people write it, in groups of four.
pub(crate) fn parse_number(text: &str) -> Result<AccountNumber, AccountNumberError> {
    text.chars().filter(|character| *character != ' ').collect::<String>().parse()
}

async fn list(args: ListArgs) -> anyhow::Result<ExitCode> {
    let client = args.connection.client()?;
    let branches: Vec<BranchCode> = match args.branch {
        Some(branch) => vec![branch],
        None => client.branches().await.context("the branches")?.into_iter().map(|branch| branch.code).collect(),
    };
    let client = &client;
    let mut accounts = Vec::new();
    for branch in branches {
        let of_branch = all(|page| async move { client.accounts(branch, &page).await }).await;
        accounts.extend(of_branch.with_context(|| format!("the accounts of {branch}"))?);
    }
    if args.json {
        print_json(&accounts)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows = table(&["Account", "Customer", "Kind", "Currency", "Posted", "Available", "State"]);
    for account in &accounts {
        rows.add_row(vec![
            account.number.grouped().into(),
            account.customer.map_or("the bank".to_owned(), |customer| customer.to_string()).into(),
            account.kind.as_str().into(),
            account.currency.into(),
            right(major(account.currency, account.posted)),
            right(account.available.map_or("-".to_owned(), |available| major(account.currency, available))),
            account.state.as_str().into(),
        ]);
    }
    println!("{rows}");
    Ok(ExitCode::SUCCESS)
}

async fn show(args: ShowArgs) -> anyhow::Result<ExitCode> {
    let client = args.connection.client()?;
    let account = client.account(args.number).await?;
    let page = Page { limit: Some(ENTRIES_SHOWN), cursor: None };
    let entries = client.entries(args.number, &page).await?.data;
    if args.json {
        print_json(&serde_json::json!({"account": account, "entries": entries}))?;
        return Ok(ExitCode::SUCCESS);
    }
    print_account(&account);
    if entries.is_empty() {
        println!("no entries");
    } else {
        println!("{}", entries_table(account.currency, &entries));
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn print_account(account: &Account) {
    let figure = |minor_units| format!("{} {}", major(account.currency, minor_units), account.currency);
    let Account { kind, state, opened_at, .. } = account;
    println!("{}  {kind}, {state}, opened {opened_at}", account.number.grouped());
    println!("  customer   {}", account.customer.map_or("the bank".to_owned(), |customer| customer.to_string()));
    println!("  posted     {}", figure(account.posted));
    println!("  held       {}", figure(account.held));
    if let Some(available) = account.available {
        println!("  available  {} (overdraft limit {})", figure(available), figure(account.overdraft_limit));
    }
    if let Some(ceiling) = account.ceiling {
        println!("  ceiling    {}", figure(ceiling));
    }
    if account.limit_exceeded {
        println!("  outside its limits");
    }
}

/// Entries as the terminal shows them, in the order in which they are given.
pub(crate) fn entries_table(currency: Currency, entries: &[Entry]) -> Table {
    let mut rows = table(&["Seq", "Time", "Kind", "Debit", "Credit", "Balance", "Counterparty", "Reference"]);
    for entry in entries {
        let amount = major(currency, entry.amount);
        let (debit, credit) = if entry.side == "debit" { (amount, String::new()) } else { (String::new(), amount) };
        rows.add_row(vec![
            right(entry.seq.to_string()),
            entry.posted_at.as_str().into(),
            entry.kind.as_str().into(),
            right(debit),
            right(credit),
            right(major(currency, entry.balance_after)),
            entry.counterparty.grouped().into(),
            entry.reference.clone().unwrap_or_default().into(),
        ]);
    }
    rows
}
