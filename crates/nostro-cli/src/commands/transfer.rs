//! `nostro transfer`: moves money and says what became of it.
//!
//! How it ends is in [`outcome`].

use super::account::parse_number;
use super::connection::ConnectionArgs;
use super::exit::EXIT_USAGE;
use super::outcome::{self, Asked, DEADLINE};
use clap::Args;
use nostro_client::{Client, TransferRequest};
use nostro_core::{AccountNumber, Amount, Currency};
use std::process::ExitCode;
use uuid::Uuid;

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
    let id = args.id.unwrap_or_else(Uuid::now_v7);
    if args.debit == args.credit {
        eprintln!("FROM and TO are the same account: a transfer has two");
        return Ok(ExitCode::from(EXIT_USAGE));
    }
    let currency = match args.currency {
        Some(currency) => currency,
        None => match client.account(args.debit).await {
            Ok(account) => account.currency,
            Err(error) => {
                return Ok(outcome::nothing_moved(args.id.is_some(), &error, "the currency of the paying account"));
            }
        },
    };
    let amount = match currency.parse_major_units(&args.amount) {
        Ok(amount) => amount,
        Err(error) => {
            eprintln!("{}: {error}", args.amount);
            return Ok(ExitCode::from(EXIT_USAGE));
        }
    };
    let request = request(&args, id, currency, amount);
    let outcome = client.transfer_until_settled(&request, DEADLINE).await;
    outcome::tell(&client, &asked(&client, &args, id, currency), outcome)
}

fn asked(client: &Client, args: &TransferArgs, id: Uuid, currency: Currency) -> Asked {
    let up_to = if args.up_to { " --up-to" } else { "" };
    let again = format!(
        "nostro transfer {} {} {} --currency {currency}{up_to} --id {id}{}{}",
        args.debit,
        args.credit,
        args.amount,
        outcome::connection_again(client, &args.connection),
        outcome::reference_again(args.reference.as_deref()),
    );
    Asked { id, is_again: args.id.is_some(), again, json: args.json }
}

fn request(args: &TransferArgs, id: Uuid, currency: Currency, amount: Amount) -> TransferRequest {
    TransferRequest {
        id,
        debit_account: args.debit,
        credit_account: args.credit,
        amount,
        currency,
        up_to: args.up_to,
        category: 0,
        reference: args.reference.clone(),
    }
}
