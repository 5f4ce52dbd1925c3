//! `nostro hold`: reserves money, captures it, gives it back, and shows what is reserved.
//!
//! How the commands that move money end is in [`outcome`].

use super::account::parse_number;
use super::bounds::BoundsArgs;
use super::connection::ConnectionArgs;
use super::exit::EXIT_USAGE;
use super::moving::{MovingArgs, amount};
use super::outcome::{self, DEADLINE};
use super::table::{major, print_json, right, table};
use super::words::one_of;
use anyhow::Context;
use clap::{Args, Subcommand};
use nostro_client::{CaptureRequest, HoldFilter, HoldRequest, ReleaseRequest, all, until_settled};
use nostro_core::{AccountNumber, Bounds, BranchCode, Currency, HoldState, Timestamp};
use std::process::ExitCode;
use uuid::Uuid;

/// The arguments of `nostro hold`.
#[derive(Args, Debug)]
pub(crate) struct HoldArgs {
    #[command(subcommand)]
    command: HoldCommand,
}

#[derive(Debug, Subcommand)]
enum HoldCommand {
    /// Reserve money at an account, in favour of another one
    Place(PlaceArgs),
    /// Move reserved money, all of it or a part
    Capture(CaptureArgs),
    /// Give back what is left of a hold
    Release(ReleaseArgs),
    /// Show one hold
    Show(ShowArgs),
    /// List the holds at an account
    List(ListArgs),
}

#[derive(Args, Debug)]
struct PlaceArgs {
    /// Account at which it is reserved; spaces are allowed in quotes
    #[arg(value_name = "FROM", value_parser = parse_number)]
    debit: AccountNumber,
    /// Account in whose favour
    #[arg(value_name = "TO", value_parser = parse_number)]
    credit: AccountNumber,
    /// In major units with exactly the currency's decimals, such as 1000.00
    amount: String,
    /// Currency of the amount; the paying account's by default
    #[arg(long)]
    currency: Option<Currency>,
    /// From when on it is expired, such as 2026-11-30T00:00:00Z; never by default
    #[arg(long, value_name = "TIME")]
    expires_at: Option<Timestamp>,
    #[command(flatten)]
    moving: MovingArgs,
}

#[derive(Args, Debug)]
struct CaptureArgs {
    /// Id of the hold
    hold: Uuid,
    /// In major units with exactly the currency's decimals; all that is left by default
    amount: Option<String>,
    /// Give the rest back
    #[arg(long = "final")]
    is_final: bool,
    /// Branch of the hold's account; without it all branches are asked
    #[arg(long)]
    branch: Option<BranchCode>,
    #[command(flatten)]
    moving: MovingArgs,
}

#[derive(Args, Debug)]
struct ReleaseArgs {
    /// Id of the hold
    hold: Uuid,
    /// Branch of the hold's account; without it all branches are asked
    #[arg(long)]
    branch: Option<BranchCode>,
    #[command(flatten)]
    moving: MovingArgs,
}

#[derive(Args, Debug)]
struct ShowArgs {
    /// Id of the hold
    hold: Uuid,
    /// Branch of the hold's account; without it all branches are asked
    #[arg(long)]
    branch: Option<BranchCode>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Args, Debug)]
struct ListArgs {
    /// Account number; spaces are allowed in quotes
    #[arg(value_parser = parse_number)]
    number: AccountNumber,
    /// Only those that stand so
    #[arg(long, value_parser = one_of(&HoldState::ALL, HoldState::as_str))]
    state: Option<HoldState>,
    #[command(flatten)]
    bounds: BoundsArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Runs the command.
pub(crate) async fn run(args: HoldArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        HoldCommand::Place(args) => place(args).await,
        HoldCommand::Capture(args) => capture(args).await,
        HoldCommand::Release(args) => release(args).await,
        HoldCommand::Show(args) => show(args).await,
        HoldCommand::List(args) => list(args).await,
    }
}

async fn place(args: PlaceArgs) -> anyhow::Result<ExitCode> {
    let client = match args.moving.client() {
        Ok(client) => client,
        Err(exit) => return Ok(exit),
    };
    let id = args.moving.id();
    if args.debit == args.credit {
        eprintln!("FROM and TO are the same account: a hold has two");
        return Ok(ExitCode::from(EXIT_USAGE));
    }
    let expires = args.expires_at.map(|at| format!(" --expires-at {at}")).unwrap_or_default();
    let currency = match args.moving.currency_of(&client, args.currency, args.debit).await {
        Ok(currency) => currency,
        Err(exit) => return Ok(exit),
    };
    let amount = match amount(currency, &args.amount) {
        Ok(amount) => amount,
        Err(exit) => return Ok(exit),
    };
    let request = HoldRequest {
        id,
        debit_account: args.debit,
        credit_account: args.credit,
        amount,
        currency,
        expires_at: args.expires_at.map(|at| at.to_string()),
        category: 0,
        reference: args.moving.reference.clone(),
    };
    let outcome = until_settled(id, DEADLINE, || client.place_hold(&request)).await;
    let words = format!("hold place {} {} {} --currency {currency}{expires}", args.debit, args.credit, args.amount);
    outcome::tell(&client, &args.moving.asked(&client, id, &words), outcome)
}

async fn capture(args: CaptureArgs) -> anyhow::Result<ExitCode> {
    let client = match args.moving.client() {
        Ok(client) => client,
        Err(exit) => return Ok(exit),
    };
    let id = args.moving.id();
    if args.moving.is_again() && args.amount.is_none() {
        eprintln!(
            "with --id the amount is named too: what is left may have changed, and the capture with that id would be another"
        );
        return Ok(ExitCode::from(EXIT_USAGE));
    }
    let flags = format!("{}{}", if args.is_final { " --final" } else { "" }, branch_again(args.branch));
    let hold = match client.hold(args.hold, args.branch).await {
        Ok(hold) => hold,
        Err(error) => return Ok(outcome::nothing_moved(args.moving.is_again(), &error, "the hold")),
    };
    if args.amount.is_none() && hold.remaining <= 0 {
        eprintln!("nothing is left of the hold: it is {}", hold.state);
        return Ok(ExitCode::from(EXIT_USAGE));
    }
    // The amount that is left now is named when the same is asked again, so that it is the same capture.
    let text = args.amount.clone().unwrap_or_else(|| major(hold.currency, i128::from(hold.remaining)));
    let amount = match amount(hold.currency, &text) {
        Ok(amount) => amount,
        Err(exit) => return Ok(exit),
    };
    let reference = args.moving.reference.clone();
    let request = CaptureRequest { id, amount, is_final: args.is_final, category: 0, reference };
    let branch = Some(hold.debit_account.branch());
    let outcome = until_settled(id, DEADLINE, || client.capture_hold(args.hold, branch, &request)).await;
    let words = format!("hold capture {} {text}{flags}", args.hold);
    outcome::tell(&client, &args.moving.asked(&client, id, &words), outcome)
}

async fn release(args: ReleaseArgs) -> anyhow::Result<ExitCode> {
    let client = match args.moving.client() {
        Ok(client) => client,
        Err(exit) => return Ok(exit),
    };
    let id = args.moving.id();
    let request = ReleaseRequest { id, category: 0, reference: args.moving.reference.clone() };
    let outcome = until_settled(id, DEADLINE, || client.release_hold(args.hold, args.branch, &request)).await;
    let words = format!("hold release {}{}", args.hold, branch_again(args.branch));
    outcome::tell(&client, &args.moving.asked(&client, id, &words), outcome)
}

fn branch_again(branch: Option<BranchCode>) -> String {
    branch.map(|branch| format!(" --branch {branch}")).unwrap_or_default()
}

async fn show(args: ShowArgs) -> anyhow::Result<ExitCode> {
    let hold = args.connection.client()?.hold(args.hold, args.branch).await.context("the hold")?;
    if args.json {
        print_json(&hold)?;
        return Ok(ExitCode::SUCCESS);
    }
    let figure = |minor_units: i64| format!("{} {}", major(hold.currency, i128::from(minor_units)), hold.currency);
    println!("{}: {} held at {}", hold.state, figure(hold.amount), hold.debit_account.grouped());
    println!("  id         {}", hold.id);
    println!("  for        {}", hold.credit_account.grouped());
    println!("  captured   {}", figure(hold.captured));
    println!("  released   {}", figure(hold.released));
    println!("  remaining  {}", figure(hold.remaining));
    println!("  placed     {}", hold.placed_at);
    println!("  expires    {}", hold.expires_at.as_deref().unwrap_or("never"));
    if let Some(ended_at) = &hold.ended_at {
        println!("  ended      {ended_at}");
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(args: ListArgs) -> anyhow::Result<ExitCode> {
    let client = &args.connection.client()?;
    let number = args.number;
    let currency = client.account(number).await.context("the account")?.currency;
    let bounds = match args.bounds.read(currency) {
        Ok(bounds) => bounds,
        Err(exit) => return Ok(exit),
    };
    let Bounds { from, to, amount_min, amount_max, counterparty } = bounds;
    let state = args.state.map(|state| state.as_str().to_owned());
    let filter = &HoldFilter { state, from, to, amount_min, amount_max, counterparty };
    let holds = all(|page| async move { client.filtered_holds(number, filter, &page).await });
    let holds = holds.await.context("the holds")?;
    if args.json {
        print_json(&holds)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows = table(&["Hold", "State", "For", "Amount", "Remaining", "", "Expires"]);
    for hold in &holds {
        let figure = |minor_units: i64| right(major(hold.currency, i128::from(minor_units)));
        rows.add_row(vec![
            hold.id.to_string().into(),
            hold.state.as_str().into(),
            hold.credit_account.grouped().into(),
            figure(hold.amount),
            figure(hold.remaining),
            hold.currency.to_string().into(),
            hold.expires_at.as_deref().unwrap_or("never").into(),
        ]);
    }
    println!("{rows}");
    Ok(ExitCode::SUCCESS)
}
