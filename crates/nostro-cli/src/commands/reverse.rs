//! `nostro reverse`: moves money of a posted transfer back, all of it or a part.
//!
//! How it ends is in [`outcome`].

use super::moving::{MovingArgs, amount};
use super::outcome::{self, DEADLINE};
use clap::Args;
use nostro_client::{ReversalRequest, until_settled};
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
    #[command(flatten)]
    moving: MovingArgs,
}

/// Runs the command.
pub(crate) async fn run(args: ReverseArgs) -> anyhow::Result<ExitCode> {
    let client = match args.moving.client() {
        Ok(client) => client,
        Err(exit) => return Ok(exit),
    };
    let id = args.moving.id();
    let part: Option<Amount> = match &args.amount {
        None => None,
        // The amount is in the currency of the transfer.
        Some(text) => {
            let currency = match client.transfer_by_id(args.transfer, args.branch).await {
                Ok(transfer) => transfer.currency,
                Err(error) => return Ok(outcome::nothing_moved(args.moving.is_again(), &error, "the transfer")),
            };
            match amount(currency, text) {
                Ok(amount) => Some(amount),
                Err(exit) => return Ok(exit),
            }
        }
    };
    let reference = args.moving.reference.clone();
    let request = ReversalRequest { id, amount: part, force: args.force, category: 0, reference };
    let outcome = until_settled(id, DEADLINE, || client.reverse(args.transfer, args.branch, &request)).await;
    outcome::tell(&client, &args.moving.asked(&client, id, &words(&args)), outcome)
}

fn words(args: &ReverseArgs) -> String {
    let amount = args.amount.as_deref().map(|amount| format!(" {amount}")).unwrap_or_default();
    let branch = args.branch.map(|branch| format!(" --branch {branch}")).unwrap_or_default();
    let force = if args.force { " --force" } else { "" };
    format!("reverse {}{amount}{force}{branch}", args.transfer)
}
