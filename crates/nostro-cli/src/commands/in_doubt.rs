//! `nostro in-doubt`: prepared transactions that wait for their decision.

use super::connection::ConnectionArgs;
use super::table::{print_json, right, table};
use clap::Args;
use std::process::ExitCode;

/// Prepared transactions that wait for their decision
#[derive(Args, Debug)]
pub(crate) struct InDoubtArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Runs the command.
pub(crate) async fn run(args: InDoubtArgs) -> anyhow::Result<ExitCode> {
    let found = args.connection.client()?.in_doubt().await?;
    if args.json {
        print_json(&found)?;
        return Ok(ExitCode::SUCCESS);
    }
    if found.is_empty() {
        println!("nothing is in doubt");
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows = table(&["Batch", "Prepared at", "Branches", "Age", "Accounts", "Gid"]);
    for batch in &found {
        let accounts: Vec<String> = batch.accounts.iter().map(|number| number.grouped()).collect();
        rows.add_row(vec![
            batch.batch.as_str().into(),
            batch.branch.as_str().into(),
            batch.parts.join(", ").into(),
            right(format!("{}.{:03} s", batch.age_ms / 1000, batch.age_ms % 1000)),
            accounts.join("\n").into(),
            batch.gid.as_str().into(),
        ]);
    }
    println!("{rows}");
    Ok(ExitCode::SUCCESS)
}
