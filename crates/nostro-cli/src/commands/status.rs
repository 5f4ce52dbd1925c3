//! `nostro status`: what became of a transfer, by its id.
//!
//! It asks and moves nothing. That no branch has recorded the id is no proof that it will not be posted: an attempt may be
//! under way. Only the same request with the same id settles that.

use super::connection::ConnectionArgs;
use super::exit::{EXIT_REFUSED, EXIT_UNKNOWN};
use super::outcome::print_transfer;
use super::table::{major, print_json};
use clap::Args;
use nostro_client::{ClientError, Transfer};
use nostro_commit::with_sources;
use nostro_core::BranchCode;
use std::fmt::Display;
use std::process::ExitCode;
use uuid::Uuid;

/// The arguments of `nostro status`.
#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    /// Id of a transfer, or of whatever else moved or reserved money
    id: Uuid,
    /// A branch of the transfer; without it all branches are asked
    #[arg(long)]
    branch: Option<BranchCode>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Runs the command.
pub(crate) async fn run(args: StatusArgs) -> anyhow::Result<ExitCode> {
    let client = match args.connection.client() {
        Ok(client) => client,
        Err(error) => return Ok(not_asked(format!("{error:#}"))),
    };
    let transfer = match client.transfer_by_id(args.id, args.branch).await {
        Ok(transfer) => transfer,
        Err(ClientError::Rejected(problem)) if problem.code == "transfer_not_found" => {
            eprintln!("{} ({})", problem.detail, problem.code);
            return Ok(ExitCode::FAILURE);
        }
        Err(error) => return Ok(not_asked(with_sources(error))),
    };
    if args.json {
        print_json(&transfer)?;
    } else {
        print_transfer(&transfer, &headline(&transfer));
        for (name, value) in further(&transfer) {
            println!("  {name:<8}  {value}");
        }
    }
    Ok(ExitCode::from(exit(&transfer.state)))
}

/// The code with which the command ends that moved it, or was refused.
fn exit(state: &str) -> u8 {
    match state {
        "posted" | "settling" => 0,
        "refused" => EXIT_REFUSED,
        // A word of a newer server.
        _ => EXIT_UNKNOWN,
    }
}

fn headline(transfer: &Transfer) -> String {
    match &transfer.refusal {
        Some(code) => format!("{} ({code})", transfer.state),
        None => transfer.state.clone(),
    }
}

/// What its outcome does not say, line by line.
fn further(transfer: &Transfer) -> Vec<(&'static str, String)> {
    let mut lines = vec![("kind", transfer.kind.clone()), ("category", transfer.category.to_string())];
    lines.extend(transfer.reference.clone().map(|reference| ("reference", reference)));
    let chain = transfer.chain.as_ref();
    lines.extend(chain.map(|chain| ("chain", format!("{} of {} from {}", chain.position + 1, chain.length, chain.id))));
    lines.extend(transfer.is_final.map(|is_final| ("final", if is_final { "yes" } else { "no" }.to_owned())));
    let reversed = transfer.reversed.filter(|reversed| *reversed != 0);
    let figure = |reversed: i64| format!("{} {}", major(transfer.currency, i128::from(reversed)), transfer.currency);
    lines.extend(reversed.map(|reversed| ("reversed", figure(reversed))));
    lines.extend(transfer.forced.then(|| ("forced", "yes: it might overdraw the account that was paid".to_owned())));
    lines
}

/// Whatever the reason, that no record was seen says nothing of it.
fn not_asked(why: impl Display) -> ExitCode {
    eprintln!("unknown: {why}; whether the money moved was not told");
    ExitCode::from(EXIT_UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn transfer(more: &serde_json::Value) -> Transfer {
        let mut record = json!({"id": "01938e1c-93d2-7cc4-9ac4-6a8df2a3c001", "kind": "transfer", "state": "posted",
            "debit_account": "AZ93000000001042", "credit_account": "TX25000000001042", "amount": "100",
            "currency": "USD", "category": 7, "batch": "AZ-1-9", "posted_at": "2026-11-23T08:00:00.000000Z",
            "commit": {"home": "AZ", "parts": ["AZ", "TX"], "prepared": ["TX"], "decided": "AZ"}});
        let more = more.as_object().unwrap().clone();
        record.as_object_mut().unwrap().extend(more);
        serde_json::from_value(record).unwrap()
    }

    #[test]
    fn a_record_is_told_whole_and_in_one_word() {
        let chain = json!({"id": "01938e1c-93d2-7cc4-9ac4-6a8df2a3c0aa", "position": 1, "length": 3});
        for (more, head, code, last) in [
            (json!({}), "posted", 0, ("category", "7")),
            (json!({"state": "settling"}), "settling", 0, ("category", "7")),
            (json!({"state": "later"}), "later", EXIT_UNKNOWN, ("category", "7")),
            (
                json!({"state": "refused", "refusal": "account_closed", "reference": "rent"}),
                "refused (account_closed)",
                EXIT_REFUSED,
                ("reference", "rent"),
            ),
            (json!({"chain": chain}), "posted", 0, ("chain", "2 of 3 from 01938e1c-93d2-7cc4-9ac4-6a8df2a3c0aa")),
            (json!({"reversed": "0"}), "posted", 0, ("category", "7")),
            (json!({"reversed": "20"}), "posted", 0, ("reversed", "0.20 USD")),
            (json!({"kind": "capture", "final": true}), "posted", 0, ("final", "yes")),
            (
                json!({"kind": "reversal", "forced": true}),
                "posted",
                0,
                ("forced", "yes: it might overdraw the account that was paid"),
            ),
        ] {
            let told = transfer(&more);
            assert_eq!((headline(&told).as_str(), exit(&told.state)), (head, code));
            let lines = further(&told);
            let found = lines.last().map(|(name, value)| (*name, value.as_str()));
            assert_eq!(found, Some(last));
        }
    }
}
