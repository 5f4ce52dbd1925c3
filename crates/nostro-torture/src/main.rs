//! `nostro-torture`: real servers and real databases under faults, judged by an oracle of its own.

use anyhow::{Context, bail};
use clap::Parser;
use clap::builder::RangedU64ValueParser;
use nostro_torture::torture::{Options, run};
use std::path::PathBuf;
use std::process::ExitCode;

/// Seconds, so that the first fault comes and a run ends within a day.
const SECONDS: std::ops::RangeInclusive<u64> = 10..=86_400;

/// Runs a bank on real PostgreSQL servers, breaks what can break, and judges what it answered.
///
/// Two clusters of PostgreSQL and one or two servers are started in temporary directories. Clients move money, servers
/// and databases are killed, wires are cut, messages held. Afterwards an oracle that shares nothing with the bank
/// compares what was answered with what is recorded.
///
/// The same seed, seconds and servers give the same schedule of faults. The interleaving is up to the machine.
///
/// Exit codes: 0 every check holds, 1 a check failed, 2 wrong arguments or missing programs.
#[derive(Parser, Debug)]
#[command(name = "nostro-torture", version)]
struct Arguments {
    /// Of the schedule of faults and of the clients' choices
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How long faults come, 10 to 86400
    #[arg(long, value_name = "S", default_value_t = 60, value_parser = RangedU64ValueParser::<u64>::new().range(SECONDS))]
    seconds: u64,
    /// How many servers serve the bank, 1 or 2
    #[arg(long, value_name = "1|2", default_value = "2", value_parser = ["1", "2"])]
    servers: String,
    /// How many clients send at once, 1 to 200
    #[arg(long, value_name = "C", default_value_t = 12, value_parser = RangedU64ValueParser::<u64>::new().range(1..=200))]
    clients: u64,
    /// Also writes the report there: JSON if the name ends in .json, else Markdown
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match torture(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn torture(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    nostro_torture::program::find().map_err(anyhow::Error::msg)?;
    nostro_local::Binaries::find(None).context("PostgreSQL is needed")?;
    if let Some(file) = &arguments.report {
        // Better now than after twenty minutes.
        std::fs::write(file, "").with_context(|| format!("--report {}: cannot be written", file.display()))?;
    }
    let options = Options {
        seed: arguments.seed,
        seconds: arguments.seconds,
        servers: if arguments.servers == "1" { 1 } else { 2 },
        clients: usize::try_from(arguments.clients).context("--clients")?,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    // In a task, so that a rig that breaks still takes down what it started.
    let Ok(report) = runtime.block_on(async { tokio::spawn(run(options)).await }) else {
        eprintln!("error: the rig broke, see above; this says nothing about the bank");
        return Ok(ExitCode::FAILURE);
    };
    println!("{}", report.text());
    if let Some(file) = &arguments.report {
        let is_json = file.extension().is_some_and(|extension| extension == "json");
        let text = if is_json { serde_json::to_string_pretty(&report.json())? + "\n" } else { report.markdown() };
        if let Err(error) = std::fs::write(file, text) {
            bail!("--report {}: cannot be written: {error}", file.display());
        }
    }
    Ok(if report.is_right() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
