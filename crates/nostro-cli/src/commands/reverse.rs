//! `nostro reverse`: moves money of a posted transfer back, all of it or a part.
//!
//! How it ends is in [`outcome`].

use super::connection::ConnectionArgs;
use super::exit::EXIT_USAGE;
use super::outcome::{self, Asked, DEADLINE};
use clap::Args;
use nostro_client::{Client, ReversalRequest, until_settled};
use nostro_core::{Amount, BranchCode};
use std::process::ExitCode;
use uuid::Uuid;

/// The arguments of `nostro reverse`.
#[derive(Args, Debug)]
pub(crate) struct ReverseArgs {
    /// Id of the transfer
    transfer: Uuid,
    /// In major units with exactly the currency's decimals; all that was moved by default
    amount: Option<String>,
    /// Overdraw the account that was paid if it no longer has the money
    #[arg(long)]
    force: bool,
    /// A branch of the transfer; without it all branches are asked
    #[arg(long)]
    branch: Option<BranchCode>,
    /// Text for the statement, up to 140 characters
    #[arg(long)]
    reference: Option<String>,
    /// Id of the reversal, to ask again for the same one; a new one by default
    #[arg(long)]
    id: Option<Uuid>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Runs the command.
pub(crate) async fn run(args: ReverseArgs) -> anyhow::Result<ExitCode> {
    let client = args.connection.client()?;
    let id = args.id.unwrap_or_else(Uuid::now_v7);
    let asked = asked(&client, &args, id);
    let amount: Option<Amount> = match &args.amount {
        None => None,
        // The amount is in the currency of the transfer.
        Some(text) => {
            let currency = match client.transfer_by_id(args.transfer, args.branch).await {
                Ok(transfer) => transfer.currency,
                Err(error) => return Ok(outcome::nothing_moved(args.id.is_some(), &error, "the transfer")),
            };
            match currency.parse_major_units(text) {
                Ok(amount) => Some(amount),
                Err(error) => {
                    eprintln!("{text}: {error}");
                    return Ok(ExitCode::from(EXIT_USAGE));
                }
            }
        }
    };
    let request = ReversalRequest { id, amount, force: args.force, category: 0, reference: args.reference.clone() };
    let outcome = until_settled(id, DEADLINE, || client.reverse(args.transfer, args.branch, &request)).await;
    outcome::tell(&client, &asked, outcome)
}

fn asked(client: &Client, args: &ReverseArgs, id: Uuid) -> Asked {
    let amount = args.amount.as_deref().map(|amount| format!(" {amount}")).unwrap_or_default();
    let branch = args.branch.map(|branch| format!(" --branch {branch}")).unwrap_or_default();
    let force = if args.force { " --force" } else { "" };
    let again = format!(
        "nostro reverse {}{amount}{force}{branch} --id {id}{}{}",
        args.transfer,
        outcome::connection_again(client, &args.connection),
        outcome::reference_again(args.reference.as_deref()),
    );
    Asked { id, is_again: args.id.is_some(), again, json: args.json }
}
