//! `nostro in-doubt`: prepared transactions that wait for their decision, and how to settle one now.
//!
//! Without a subcommand it lists, and changes nothing. `resolve` asks the server to do what recovery does by
//! itself. There is no option that names an outcome: the row at the batch's home is the only one who decides.

use super::connection::ConnectionArgs;
use super::exit::{EXIT_ALARM, EXIT_NOT_ASKED, EXIT_NOT_FINISHED, EXIT_STILL_IN_DOUBT};
use super::table::{print_json, right, table};
use clap::{Args, Subcommand};
use nostro_client::{ClientError, InDoubt, InDoubtList, Resolved};
use nostro_commit::BatchId;
use std::process::ExitCode;

/// The arguments of `nostro in-doubt`.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct InDoubtArgs {
    #[command(subcommand)]
    command: Option<InDoubtCommand>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Subcommand, Debug)]
enum InDoubtCommand {
    /// Settle one batch now, as recovery does by itself: its home decides, nobody can choose the outcome
    Resolve(ResolveArgs),
}

#[derive(Args, Debug)]
struct ResolveArgs {
    /// The batch: home, incarnation, number, such as AZ-1-4711
    batch: BatchId,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Runs the command.
pub(crate) async fn run(args: InDoubtArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        Some(InDoubtCommand::Resolve(args)) => resolve(args).await,
        None => list(args.connection, args.json).await,
    }
}

async fn list(connection: ConnectionArgs, json: bool) -> anyhow::Result<ExitCode> {
    let asked = async { anyhow::Ok(connection.client()?.in_doubt().await?) };
    let InDoubtList { data: found, unreachable } = match asked.await {
        Ok(list) => list,
        Err(error) => {
            eprintln!("nostro: what is in doubt could not be asked: {error:#}");
            return Ok(ExitCode::from(EXIT_NOT_ASKED));
        }
    };
    let code = if unreachable.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_NOT_ASKED) };
    if json {
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
    let mut rows = table(&["Batch", "Prepared at", "Branches", "Age", "Verdict", "Accounts", "Gid"]);
    for batch in &found {
        let accounts: Vec<String> = batch.accounts.iter().map(|number| number.grouped()).collect();
        rows.add_row(vec![
            batch.batch.as_str().into(),
            batch.branch.as_str().into(),
            batch.parts.join(", ").into(),
            right(seconds(batch.age_ms)),
            batch.verdict.as_str().into(),
            accounts.join("\n").into(),
            batch.gid.as_str().into(),
        ]);
    }
    println!("{rows}");
    for batch in &found {
        print_outlook(batch);
    }
    Ok(code)
}

fn seconds(milliseconds: u64) -> String {
    format!("{}.{:03} s", milliseconds / 1000, milliseconds % 1000)
}

/// What its home says, who waits, and what to do.
fn print_outlook(found: &InDoubt) {
    let (batch, branch) = (&found.batch, &found.branch);
    let home = found.parts.first().map_or("its home", String::as_str);
    let outlook = match found.verdict.as_str() {
        "committed" => format!("{home} committed it; recovery will commit it at {branch}"),
        "aborted" => format!("{home} aborted it; recovery will roll it back at {branch}"),
        "undecided" => format!(
            "{home} has not decided; recovery will abort it, unless the server that began it lives and decides first"
        ),
        "restored" => format!(
            "{home} was restored from a backup since and has no decision of it, which may be lost; nobody may guess, and {branch} keeps it until a human has looked"
        ),
        "home_unreachable" => {
            format!("{home} cannot be asked, so nobody knows; {branch} keeps it until {home} is back")
        }
        other => format!("{home} says {other}"),
    };
    println!("{batch}: {outlook}");
    for waiter in &found.waiting {
        let name = if waiter.application.is_empty() { "unnamed" } else { &waiter.application };
        let how = if waiter.direct { "waits for it" } else { "waits behind one that waits for it" };
        let (since, lock, mode) = (seconds(waiter.waited_ms), &waiter.lock, &waiter.mode);
        println!("  process {} ({name}) of {branch} {how} since {since}: {lock}, {mode}", waiter.pid);
    }
    match found.verdict.as_str() {
        "home_unreachable" => println!("  bring the database of {home} back; the rest happens by itself"),
        "restored" => {
            println!("  to be looked at: the committed marker at any other branch of it proves that it was committed")
        }
        _ => println!("  to settle it now: nostro in-doubt resolve {batch}"),
    }
}

async fn resolve(args: ResolveArgs) -> anyhow::Result<ExitCode> {
    let resolved = match args.connection.client()?.resolve_in_doubt(&args.batch.to_string()).await {
        Ok(resolved) => resolved,
        Err(error @ (ClientError::Unavailable { .. } | ClientError::Connect { .. })) => {
            eprintln!("nostro: nothing was done: {:#}", anyhow::Error::from(error));
            return Ok(ExitCode::from(EXIT_NOT_ASKED));
        }
        Err(error) => return Err(error.into()),
    };
    let (code, told) = judge(&resolved);
    if args.json {
        print_json(&resolved)?;
    } else {
        println!("{}: {told}", resolved.batch);
        for alarm in &resolved.alarms {
            println!("  {alarm}");
        }
    }
    Ok(ExitCode::from(code))
}

/// The exit code, and in words what it came to.
fn judge(resolved: &Resolved) -> (u8, String) {
    let home = resolved.parts.first().map_or("its home", String::as_str);
    let verdict = resolved.verdict.as_str();
    let left = match resolved.left.as_slice() {
        [] => "a branch was in the way; ask again".to_owned(),
        left => format!("{} could not be finished now; recovery goes on when it can be", left.join(", ")),
    };
    if !resolved.alarms.is_empty() || verdict == "contradicted" {
        (EXIT_ALARM, "the branches contradict each other; it is left as it is, and a human must look".to_owned())
    } else if verdict == "home_unreachable" {
        (EXIT_STILL_IN_DOUBT, format!("still in doubt: {home} did not answer, and nobody else may decide"))
    } else if resolved.finished {
        (0, format!("{verdict} everywhere ({})", resolved.parts.join(", ")))
    } else {
        (EXIT_NOT_FINISHED, format!("{verdict} for ever, but not finished everywhere: {left}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_has_its_exit_code() {
        for (verdict, finished, left, alarms, code, words) in [
            ("committed", true, &[][..], &[][..], 0, "committed everywhere (AZ, TX)"),
            ("aborted", true, &[], &[], 0, "aborted everywhere (AZ, TX)"),
            ("committed", false, &["TX"], &[], 6, "committed for ever, but not finished everywhere: TX could not be"),
            ("aborted", false, &[], &[], 6, "aborted for ever, but not finished everywhere: a branch was in the way"),
            ("home_unreachable", false, &["TX"], &[], 7, "still in doubt: AZ did not answer"),
            ("contradicted", false, &["TX"], &["parts differ"], 8, "a human must look"),
            ("contradicted", false, &["TX"], &["of an older incarnation"], 8, "a human must look"),
            ("committed", false, &["TX"], &["lost"], 8, "a human must look"),
        ] {
            let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
            let resolved = Resolved {
                batch: "AZ-1-4711".to_owned(),
                parts: list(&["AZ", "TX"]),
                verdict: verdict.to_owned(),
                finished,
                left: list(left),
                alarms: list(alarms),
            };
            let (found, told) = judge(&resolved);
            assert_eq!(found, code, "{resolved:?}");
            assert!(told.contains(words), "{told}");
        }
    }
}
