//! `nostro deposit` and `nostro withdraw`: cash over the counter of the account's branch.
//!
//! The other side is the branch's own cash account. How they end is in [`outcome`].

use super::account::parse_number;
use super::moving::{MovingArgs, amount};
use super::outcome::{self, DEADLINE};
use clap::Args;
use nostro_client::{CashRequest, until_settled};
use nostro_core::{AccountNumber, Currency};
use std::process::ExitCode;

/// The arguments of `nostro deposit` and of `nostro withdraw`.
#[derive(Args, Debug)]
pub(crate) struct CashArgs {
    /// The customer's account; spaces are allowed in quotes
    #[arg(value_parser = parse_number)]
    account: AccountNumber,
    /// In major units with exactly the currency's decimals, such as 1000.00
    amount: String,
    /// Currency of the amount; the account's by default
    #[arg(long)]
    currency: Option<Currency>,
    #[command(flatten)]
    moving: MovingArgs,
}

/// Which way the cash goes.
#[derive(Clone, Copy)]
enum Way {
    In,
    Out,
}

/// Runs `nostro deposit`.
pub(crate) async fn deposit(args: CashArgs) -> anyhow::Result<ExitCode> {
    run(args, Way::In).await
}

/// Runs `nostro withdraw`.
pub(crate) async fn withdraw(args: CashArgs) -> anyhow::Result<ExitCode> {
    run(args, Way::Out).await
}

async fn run(args: CashArgs, way: Way) -> anyhow::Result<ExitCode> {
    let client = match args.moving.client() {
        Ok(client) => client,
        Err(exit) => return Ok(exit),
    };
    let id = args.moving.id();
    let currency = match args.moving.currency_of(&client, args.currency, args.account).await {
        Ok(currency) => currency,
        Err(exit) => return Ok(exit),
    };
    let amount = match amount(currency, &args.amount) {
        Ok(amount) => amount,
        Err(exit) => return Ok(exit),
    };
    let reference = args.moving.reference.clone();
    let request = CashRequest { id, account: args.account, amount, currency, category: 0, reference };
    let (command, outcome) = match way {
        Way::In => ("deposit", until_settled(id, DEADLINE, || client.deposit(&request)).await),
        Way::Out => ("withdraw", until_settled(id, DEADLINE, || client.withdraw(&request)).await),
    };
    let words = format!("{command} {} {} --currency {currency}", args.account, args.amount);
    outcome::tell(&client, &args.moving.asked(&client, id, &words), outcome)
}
