//! `nostro account entries`: an account's entries, newest first, all of them or those that are wanted.
//!
//! A rare entry in a long history takes a while, as the bank has no index for it: pages are asked for until there are
//! enough. A whole period, oldest first and with its balances, is a statement.

use super::account::{entries_table, parse_number};
use super::bounds::BoundsArgs;
use super::connection::ConnectionArgs;
use super::table::print_json;
use super::words::one_of;
use anyhow::Context;
use clap::Args;
use clap::builder::RangedU64ValueParser;
use nostro_client::{EntryFilter, first};
use nostro_core::{AccountNumber, Bounds, TransferKind};
use std::process::ExitCode;

/// The kinds of transfers that leave entries.
const KINDS: [TransferKind; 5] = [
    TransferKind::Transfer,
    TransferKind::Deposit,
    TransferKind::Withdrawal,
    TransferKind::Capture,
    TransferKind::Reversal,
];
/// More are a statement's, which comes as it is read and need not fit into memory.
const ENTRIES_MAX: u64 = 100_000;

/// The arguments of `nostro account entries`.
#[derive(Args, Debug)]
pub(super) struct EntriesArgs {
    /// Account number; spaces are allowed in quotes
    #[arg(value_parser = parse_number)]
    number: AccountNumber,
    /// Only of this kind
    #[arg(long, value_parser = one_of(&KINDS, TransferKind::as_str))]
    kind: Option<TransferKind>,
    /// Only of this category
    #[arg(long)]
    category: Option<u16>,
    /// Only with exactly this text
    #[arg(long)]
    reference: Option<String>,
    #[command(flatten)]
    bounds: BoundsArgs,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = limit())]
    limit: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

fn limit() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=ENTRIES_MAX)
}

/// Prints the entries.
pub(super) async fn entries(args: EntriesArgs) -> anyhow::Result<ExitCode> {
    let client = &args.connection.client()?;
    let number = args.number;
    let currency = client.account(number).await.context("the account")?.currency;
    let bounds = match args.bounds.read(currency) {
        Ok(bounds) => bounds,
        Err(exit) => return Ok(exit),
    };
    let filter = &filter(&args, bounds);
    let pages = first(args.limit, |page| async move { client.filtered_entries(number, filter, &page).await });
    let entries = pages.await.context("the entries")?;
    if args.json {
        print_json(&entries)?;
    } else if entries.is_empty() {
        println!("no entries");
    } else {
        println!("{}", entries_table(currency, &entries));
    }
    Ok(ExitCode::SUCCESS)
}

fn filter(args: &EntriesArgs, bounds: Bounds) -> EntryFilter {
    let Bounds { from, to, amount_min, amount_max, counterparty } = bounds;
    let kind = args.kind.map(|kind| kind.as_str().to_owned());
    let (category, reference) = (args.category, args.reference.clone());
    EntryFilter { kind, category, reference, from, to, amount_min, amount_max, counterparty }
}
