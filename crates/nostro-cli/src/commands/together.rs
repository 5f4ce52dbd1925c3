//! `nostro split` and `nostro chain`: transfers that are all posted or none.
//!
//! The ids of the second and later ones follow from the first one's, so that `--id` asks for all of them again. How it ends is
//! in [`outcome`].

use super::account::parse_number;
use super::exit::EXIT_USAGE;
use super::moving::{MovingArgs, amount};
use super::outcome::{self, DEADLINE};
use clap::{ArgGroup, Args};
use nostro_client::{BulkOperation, BulkOrder, LegRequest, MultiLegRequest, TransferRequest, until_settled};
use nostro_core::{AccountNumber, Amount, Currency, TransferId};
use std::process::ExitCode;

/// The arguments of `nostro split`.
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("side").required(true).args(["from", "to"])))]
pub(crate) struct SplitArgs {
    /// The account that pays all
    #[arg(long, value_parser = parse_number)]
    from: Option<AccountNumber>,
    /// The account that is paid by all
    #[arg(long, value_parser = parse_number)]
    to: Option<AccountNumber>,
    /// The other account and how much, such as TX25000000001042=10.00, in major units
    #[arg(value_name = "ACCOUNT=AMOUNT", required = true, value_parser = parse_leg)]
    legs: Vec<(AccountNumber, String)>,
    /// Currency of the amounts; by default that of the account that all share
    #[arg(long)]
    currency: Option<Currency>,
    #[command(flatten)]
    moving: MovingArgs,
}

/// The arguments of `nostro chain`.
#[derive(Args, Debug)]
pub(crate) struct ChainArgs {
    /// Who pays whom how much, such as AZ93000000001042:TX25000000001042=10.00, in major units
    #[arg(value_name = "FROM:TO=AMOUNT", required = true, value_parser = parse_link)]
    links: Vec<(AccountNumber, AccountNumber, String)>,
    /// Currency of the amounts; by default that of the first account
    #[arg(long)]
    currency: Option<Currency>,
    #[command(flatten)]
    moving: MovingArgs,
}

fn parse_leg(text: &str) -> Result<(AccountNumber, String), String> {
    let (account, amount) = text.split_once('=').ok_or("expected ACCOUNT=AMOUNT")?;
    let account = parse_number(account).map_err(|error| format!("{account}: {error}"))?;
    Ok((account, amount.to_owned()))
}

fn parse_link(text: &str) -> Result<(AccountNumber, AccountNumber, String), String> {
    let (from, rest) = text.split_once(':').ok_or("expected FROM:TO=AMOUNT")?;
    let from = parse_number(from).map_err(|error| format!("{from}: {error}"))?;
    let (to, amount) = parse_leg(rest)?;
    if from == to {
        return Err(format!("{to}: must be another account than the debit account"));
    }
    Ok((from, to, amount))
}

/// Runs `nostro split`.
pub(crate) async fn split(args: SplitArgs) -> anyhow::Result<ExitCode> {
    let client = match args.moving.client() {
        Ok(client) => client,
        Err(exit) => return Ok(exit),
    };
    let Some(shared) = args.from.or(args.to) else { return Ok(ExitCode::from(EXIT_USAGE)) };
    let currency = match args.moving.currency_of(&client, args.currency, shared).await {
        Ok(currency) => currency,
        Err(exit) => return Ok(exit),
    };
    let mut legs = Vec::new();
    let mut sum = 0_i64;
    for (account, text) in &args.legs {
        if *account == shared {
            eprintln!("{account}={text}: the account that all legs share is not one of theirs");
            return Ok(ExitCode::from(EXIT_USAGE));
        }
        let amount = match amount(currency, text) {
            Ok(amount) => amount,
            Err(exit) => return Ok(exit),
        };
        let Some(more) = sum.checked_add(amount.minor_units()) else {
            eprintln!("the amounts add up to more than an amount can be");
            return Ok(ExitCode::from(EXIT_USAGE));
        };
        sum = more;
        let (debit_account, credit_account) =
            if args.from.is_some() { (None, Some(*account)) } else { (Some(*account), None) };
        legs.push(LegRequest { debit_account, credit_account, amount, reference: None });
    }
    let Ok(amount) = Amount::new(sum) else {
        eprintln!("the amounts add up to {sum} minor units, which is no amount");
        return Ok(ExitCode::from(EXIT_USAGE));
    };
    let id = args.moving.id();
    let request = MultiLegRequest {
        id,
        debit_account: args.from,
        credit_account: args.to,
        amount,
        currency,
        legs,
        reference: args.moving.reference.clone(),
    };
    let side = if args.from.is_some() { "--from" } else { "--to" };
    let legs: Vec<String> = args.legs.iter().map(|(account, amount)| format!("{account}={amount}")).collect();
    let words = format!("split {side} {shared} {} --currency {currency}", legs.join(" "));
    let asked = args.moving.asked(&client, id, &words);
    let outcome = until_settled(id, DEADLINE, || client.multi_leg(&request)).await;
    outcome::tell_together(&client, &asked, outcome)
}

/// Runs `nostro chain`.
pub(crate) async fn chain(args: ChainArgs) -> anyhow::Result<ExitCode> {
    let client = match args.moving.client() {
        Ok(client) => client,
        Err(exit) => return Ok(exit),
    };
    let Some((first, ..)) = args.links.first() else { return Ok(ExitCode::from(EXIT_USAGE)) };
    let currency = match args.moving.currency_of(&client, args.currency, *first).await {
        Ok(currency) => currency,
        Err(exit) => return Ok(exit),
    };
    let id = args.moving.id();
    let mut links: Vec<BulkOrder> = Vec::new();
    for (place, (from, to, text)) in (0_u16..).zip(&args.links) {
        let amount = match amount(currency, text) {
            Ok(amount) => amount,
            Err(exit) => return Ok(exit),
        };
        let request = TransferRequest {
            id: if place == 0 { id } else { TransferId(id).leg(place).0 },
            debit_account: *from,
            credit_account: *to,
            amount,
            currency,
            up_to: false,
            category: 0,
            reference: args.moving.reference.clone(),
        };
        links.push(BulkOperation::Transfer(request).into());
    }
    let again: Vec<String> = args.links.iter().map(|(from, to, amount)| format!("{from}:{to}={amount}")).collect();
    let words = format!("chain {} --currency {currency}", again.join(" "));
    let asked = args.moving.asked(&client, id, &words);
    let outcome = until_settled(id, DEADLINE, || client.chain(&links)).await;
    outcome::tell_together(&client, &asked, outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legs_and_links_name_accounts_and_amounts() {
        let (account, amount) = parse_leg("TX25000000001042=10.00").unwrap();
        assert_eq!((account.to_string().as_str(), amount.as_str()), ("TX25000000001042", "10.00"));
        let (from, to, amount) = parse_link("AZ93 0000 0000 1042:TX25000000001042=10.00").unwrap();
        assert_eq!((from.to_string().as_str(), to, amount.as_str()), ("AZ93000000001042", account, "10.00"));
        for (text, rule) in [
            ("AZ93000000001042", "expected FROM:TO=AMOUNT"),
            ("AZ93000000001042:TX25000000001042", "expected ACCOUNT=AMOUNT"),
            ("AZ93000000001042:AZ93000000001042=1.00", "AZ93000000001042: must be another account"),
            ("AZ00000000001042:TX25000000001042=1.00", "AZ00000000001042: "),
        ] {
            assert!(parse_link(text).unwrap_err().starts_with(rule), "{text}");
        }
    }
}
