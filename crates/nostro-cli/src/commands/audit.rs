//! `nostro audit`: adds up all accounts of all branches while they move.

use super::connection::ConnectionArgs;
use super::table::{major, print_json, right, table};
use clap::Args;
use nostro_client::AuditReport;
use std::process::ExitCode;

/// Money was made or lost, or two branches disagree.
const EXIT_NOT_BALANCED: u8 = 1;

/// Nothing is known: the server or a branch could not be asked.
const EXIT_NOT_ASKED: u8 = 5;

/// Adds up all accounts of all branches
#[derive(Args, Debug)]
pub(crate) struct AuditArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Runs the command.
pub(crate) async fn run(args: AuditArgs) -> anyhow::Result<ExitCode> {
    let asked = async { anyhow::Ok(args.connection.client()?.audit().await?) };
    let report = match asked.await {
        Ok(report) => report,
        Err(error) => {
            eprintln!("nostro: the audit could not be made: {error:#}");
            return Ok(ExitCode::from(EXIT_NOT_ASKED));
        }
    };
    if args.json {
        print_json(&report)?;
    } else {
        print(&report);
    }
    Ok(if report.balanced { ExitCode::SUCCESS } else { ExitCode::from(EXIT_NOT_BALANCED) })
}

fn print(report: &AuditReport) {
    let mut rows = table(&["Branch", "Currency", "Accounts", "Positions", "Difference"]);
    for line in &report.branches {
        rows.add_row(vec![
            line.branch.into(),
            line.currency.into(),
            right(major(line.currency, line.balances)),
            right(major(line.currency, line.positions)),
            right(major(line.currency, line.difference)),
        ]);
    }
    for line in &report.bank {
        rows.add_row(vec![
            "all".into(),
            line.currency.into(),
            right(major(line.currency, line.total)),
            right("-"),
            right(major(line.currency, line.total)),
        ]);
    }
    println!("{rows}");
    for line in report.branches.iter().filter(|line| line.held_difference != 0) {
        let difference = major(line.currency, line.held_difference);
        println!("{}: accounts have {difference} {} more held than open holds have left", line.branch, line.currency);
    }
    for pair in &report.positions {
        let difference = major(pair.currency, pair.difference);
        println!("{} and {} disagree by {difference} {}", pair.first, pair.second, pair.currency);
    }
    println!("{} batches in flight were left out", report.batches_in_flight);
    for line in report.bank.iter().filter(|line| line.naive_total != line.total) {
        let naive = major(line.currency, line.naive_total);
        println!("  with them, a total would have been {naive} {}", line.currency);
    }
    println!("{}", if report.balanced { "balanced" } else { "NOT BALANCED" });
}
