//! `nostro audit`: adds up all accounts of all branches while they move, or checks every row ([`full_audit`]).

use super::connection::ConnectionArgs;
use super::exit::{EXIT_NOT_ASKED, EXIT_NOT_BALANCED};
use super::full_audit;
use super::table::{major, print_json, right, table};
use clap::Args;
use nostro_client::AuditReport;
use std::process::ExitCode;

/// The arguments of `nostro audit`.
#[derive(Args, Debug)]
pub(crate) struct AuditArgs {
    /// Check every account, entry, hold, reversal and batch, and wait until that is done
    #[arg(long)]
    full: bool,
    /// With --full: read closed months again, and compare them with what was found when they were audited
    #[arg(long, requires = "full")]
    from_scratch: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Runs the command.
pub(crate) async fn run(args: AuditArgs) -> anyhow::Result<ExitCode> {
    if args.full {
        return match args.connection.client() {
            Ok(client) => full_audit::run(&client, args.from_scratch, args.json).await,
            Err(error) => Ok(not_asked(&error)),
        };
    }
    let asked = async { anyhow::Ok(args.connection.client()?.audit().await?) };
    let report = match asked.await {
        Ok(report) => report,
        Err(error) => return Ok(not_asked(&error)),
    };
    if args.json {
        print_json(&report)?;
    } else {
        print(&report);
    }
    Ok(if report.balanced { ExitCode::SUCCESS } else { ExitCode::from(EXIT_NOT_BALANCED) })
}

fn not_asked(error: &anyhow::Error) -> ExitCode {
    eprintln!("nostro: the audit could not be made: {error:#}");
    ExitCode::from(EXIT_NOT_ASKED)
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
