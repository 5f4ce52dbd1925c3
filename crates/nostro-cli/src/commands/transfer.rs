//! `nostro transfer`: moves money and says what became of it.
//!
//! How it ends is in [`outcome`].

use super::account::parse_number;
use super::exit::EXIT_USAGE;
use super::moving::{MovingArgs, amount};
use super::outcome::{self, DEADLINE};
use clap::Args;
use nostro_client::TransferRequest;
use nostro_core::{AccountNumber, Currency};
use std::process::ExitCode;

/// The arguments of `nostro transfer`.
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
    /// Move what is available at FROM, at most the amount
    #[arg(long)]
    up_to: bool,
    #[command(flatten)]
    moving: MovingArgs,
}

/// Runs the command.
pub(crate) async fn run(args: TransferArgs) -> anyhow::Result<ExitCode> {
    let client = match args.moving.client() {
        Ok(client) => client,
        Err(exit) => return Ok(exit),
    };
    let id = args.moving.id();
    if args.debit == args.credit {
        eprintln!("FROM and TO are the same account: a transfer has two");
        return Ok(ExitCode::from(EXIT_USAGE));
    }
    let currency = match args.moving.currency_of(&client, args.currency, args.debit).await {
        Ok(currency) => currency,
        Err(exit) => return Ok(exit),
    };
    let amount = match amount(currency, &args.amount) {
        Ok(amount) => amount,
        Err(exit) => return Ok(exit),
    };
    let TransferArgs { debit, credit, up_to, .. } = args;
    let request = TransferRequest {
        id,
        debit_account: debit,
        credit_account: credit,
        amount,
        currency,
        up_to,
        category: 0,
        reference: args.moving.reference.clone(),
    };
    let outcome = client.transfer_until_settled(&request, DEADLINE).await;
    let up_to = if up_to { " --up-to" } else { "" };
    let words = format!("transfer {debit} {credit} {} --currency {currency}{up_to}", args.amount);
    outcome::tell(&client, &args.moving.asked(&client, id, &words), outcome)
}
