//! `nostro account open`: an account for a customer. How it ends is in [`answered`].

use super::account::print_account;
use super::answered;
use super::exit::EXIT_USAGE;
use super::moving::RequestArgs;
use super::outcome::{DEADLINE, quoted};
use super::words::one_of;
use clap::Args;
use nostro_client::{NewAccount, until_answered};
use nostro_core::account_number::AccountNumberError;
use nostro_core::{AccountKind, Currency, CustomerNumber};
use std::process::ExitCode;

/// What a customer may have: the other kinds are the bank's.
const KINDS: [AccountKind; 2] = [AccountKind::Checking, AccountKind::Savings];

#[derive(Args, Debug)]
pub(super) struct OpenArgs {
    /// The customer's number; spaces are allowed in quotes
    #[arg(value_parser = parse_customer)]
    customer: CustomerNumber,
    /// Which kind of account
    #[arg(long, value_parser = one_of(&KINDS, AccountKind::as_str))]
    kind: AccountKind,
    /// Its one currency, such as USD
    #[arg(long)]
    currency: Currency,
    /// How far below zero it may go, in major units with exactly the currency's decimals
    #[arg(long, value_name = "AMOUNT", default_value = "0")]
    overdraft_limit: String,
    #[command(flatten)]
    request: RequestArgs,
}

pub(super) async fn open(args: OpenArgs) -> anyhow::Result<ExitCode> {
    let overdraft_limit = match args.currency.parse_limit(&args.overdraft_limit) {
        Ok(limit) => limit.minor_units(),
        Err(error) => {
            eprintln!("--overdraft-limit: {}: {error}", args.overdraft_limit);
            return Ok(ExitCode::from(EXIT_USAGE));
        }
    };
    let client = match args.request.client() {
        Ok(client) => client,
        Err(exit) => return Ok(exit),
    };
    let (id, kind) = (args.request.id(), args.kind.as_str());
    let words = format!(
        "account open {} --kind {kind} --currency {} --overdraft-limit {}",
        args.customer,
        args.currency,
        quoted(&args.overdraft_limit)
    );
    let asked = args.request.asked(&client, id, &words);
    let new =
        NewAccount { id, customer: args.customer, kind: kind.to_owned(), currency: args.currency, overdraft_limit };
    let answer = until_answered(id, DEADLINE, || client.open_account(&new)).await;
    answered::tell(&asked, answer, print_account)
}

/// A customer's number as people write it, in groups of four.
fn parse_customer(text: &str) -> Result<CustomerNumber, AccountNumberError> {
    text.chars().filter(|character| *character != ' ').collect::<String>().parse()
}
