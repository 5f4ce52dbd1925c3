//! `nostro in-doubt`: prepared transactions that wait for their decision.

use super::connection::ConnectionArgs;
use super::table::{print_json, right, table};
use clap::Args;
use nostro_client::InDoubtList;
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

/// A branch could not be asked, so there may be more.
const EXIT_INCOMPLETE: u8 = 5;

/// Runs the command.
pub(crate) async fn run(args: InDoubtArgs) -> anyhow::Result<ExitCode> {
    let InDoubtList { data: found, unreachable } = args.connection.client()?.in_doubt().await?;
    let code = if unreachable.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_INCOMPLETE) };
    if args.json {
        print_json(&InDoubtList { data: found, unreachable })?;
        return Ok(code);
    }
    for branch in &unreachable {
        println!("{branch} could not be asked: there may be more");
    }
    if found.is_empty() {
        if unreachable.is_empty() {
            println!("nothing is in doubt");
        }
        return Ok(code);
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
    Ok(code)
}
