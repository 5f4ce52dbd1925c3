//! `nostro report`: what the books of the bank look like.

use super::connection::ConnectionArgs;
use super::exit::{EXIT_NOT_ASKED, EXIT_NOT_BALANCED};
use super::table::{major, print_json, right, table};
use clap::{Args, Subcommand};
use nostro_client::{TrialBalance, TrialBank};
use std::process::ExitCode;

/// The arguments of `nostro report`.
#[derive(Args, Debug)]
pub(crate) struct ReportArgs {
    #[command(subcommand)]
    command: ReportCommand,
}

#[derive(Debug, Subcommand)]
enum ReportCommand {
    /// Add up debits and credits by branch, currency and kind of account
    TrialBalance(TrialBalanceArgs),
}

#[derive(Args, Debug)]
struct TrialBalanceArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Runs the command.
pub(crate) async fn run(args: ReportArgs) -> anyhow::Result<ExitCode> {
    let ReportCommand::TrialBalance(args) = args.command;
    let asked = async { anyhow::Ok(args.connection.client()?.trial_balance().await?) };
    let report = match asked.await {
        Ok(report) => report,
        Err(error) => {
            eprintln!("nostro: the trial balance could not be made: {error:#}");
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

fn print(report: &TrialBalance) {
    let mut rows = table(&["Branch", "Currency", "Item", "Debits", "Credits"]);
    for line in &report.lines {
        let item = match line.counterparty {
            Some(branch) => format!("{} {branch}", line.item),
            None => line.item.clone(),
        };
        let figure = |minor_units| right(major(line.currency, minor_units));
        rows.add_row(vec![
            line.branch.into(),
            line.currency.into(),
            item.into(),
            figure(line.debits),
            figure(line.credits),
        ]);
    }
    for sum in &report.branches {
        let figure = |minor_units| right(major(sum.currency, minor_units));
        let (branch, currency) = (sum.branch.into(), sum.currency.into());
        rows.add_row(vec![branch, currency, "sum".into(), figure(sum.debits), figure(sum.credits)]);
    }
    for sum in &report.bank {
        let figure = |minor_units| right(major(sum.currency, minor_units));
        rows.add_row(vec![
            "all".into(),
            sum.currency.into(),
            "accounts".into(),
            figure(sum.debits),
            figure(sum.credits),
        ]);
    }
    println!("{rows}");
    remarks(&report.bank).iter().for_each(|remark| println!("{remark}"));
    println!("{}", if report.balanced { "balanced" } else { "NOT BALANCED" });
}

/// What is between the branches, and what of it nothing explains.
fn remarks(bank: &[TrialBank]) -> Vec<String> {
    let figure = |sum: &TrialBank, minor_units| format!("{} {}", major(sum.currency, minor_units), sum.currency);
    let mut remarks = Vec::new();
    for sum in bank {
        if sum.in_flight != 0 {
            remarks.push(format!("{} in flight between the branches", figure(sum, sum.in_flight)));
        }
        if sum.difference != 0 {
            remarks.push(format!("{} between the branches is in no batch", figure(sum, sum.difference)));
        }
    }
    remarks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_told_whether_or_not_anything_is_in_flight() {
        let sum = |in_flight, difference| TrialBank {
            currency: "USD".parse().unwrap(),
            debits: 0,
            credits: 0,
            in_flight,
            difference,
        };
        let (flight, none) =
            ("3.00 USD in flight between the branches", "-20.00 USD between the branches is in no batch");
        assert_eq!(remarks(&[sum(0, 0)]), Vec::<String>::new());
        assert_eq!(remarks(&[sum(300, 0)]), [flight]);
        assert_eq!(remarks(&[sum(0, -2_000)]), [none]);
        assert_eq!(remarks(&[sum(300, -2_000)]), [flight, none]);
    }
}
