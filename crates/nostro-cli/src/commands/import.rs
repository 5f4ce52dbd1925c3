//! `nostro import`: customers, accounts and opening balances from CSV files, through the API like any client's.
//!
//! All files are read and checked before anything is sent; if one line is wrong, nothing is. Every id follows from the
//! import's name and the line's ref ([`ids`]), so the same command again goes on where an earlier one ended. An id is known
//! at its branch only, so all branches are asked first what an earlier run made ([`earlier`]): nothing is made twice.
//!
//! - [`records`]: a CSV file as rows with named columns; [`findings`]: what is wrong in them
//! - [`lines`]: the rows as types of the bank
//! - [`earlier`]: lines that an earlier run imported at another branch
//! - [`send`]: the lines in bulks; [`tally`]: what became of them
//! - [`mapping`]: the numbers that the bank gave, as a file

mod earlier;
mod findings;
mod ids;
mod lines;
mod mapping;
mod records;
mod send;
mod tally;

use super::connection::ConnectionArgs;
use super::exit::EXIT_USAGE;
use super::table::print_json;
use anyhow::Context;
use clap::Args;
use findings::Findings;
use ids::ImportIds;
use lines::Lines;
use mapping::Mapping;
use nostro_client::Client;
use nostro_core::BranchCode;
use nostro_core::line::{LineError, one_line};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tally::Report;

/// The arguments of `nostro import`.
#[derive(Args, Debug)]
pub(crate) struct ImportArgs {
    /// Directory with customers.csv, accounts.csv and balances.csv
    #[arg(
        value_name = "DIR",
        required_unless_present = "customers",
        conflicts_with_all = ["customers", "accounts", "balances"]
    )]
    directory: Option<PathBuf>,
    /// File of customers: ref,branch,name
    #[arg(long, value_name = "FILE")]
    customers: Option<PathBuf>,
    /// File of accounts: ref,customer_ref,kind,currency,overdraft_limit
    #[arg(long, value_name = "FILE", requires = "customers")]
    accounts: Option<PathBuf>,
    /// File of opening balances: account_ref,amount,currency,reference
    #[arg(long, value_name = "FILE", requires = "accounts")]
    balances: Option<PathBuf>,
    /// Name of the import; the same name again goes on with it, another name imports everything anew
    #[arg(long, value_parser = parse_name)]
    name: String,
    /// Branch of customers whose line names none
    #[arg(long)]
    branch: Option<BranchCode>,
    /// Write the numbers that the bank gave to this file: kind,ref,number
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// How long the start, and each bulk, waits for branches that cannot be reached or for answers that were lost
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(0..=86_400))]
    wait: u64,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// The files of an import. Accounts need customers, and balances need accounts.
#[derive(Debug)]
struct Files {
    customers: PathBuf,
    accounts: Option<PathBuf>,
    balances: Option<PathBuf>,
}

/// Runs the command.
pub(crate) async fn run(args: ImportArgs) -> anyhow::Result<ExitCode> {
    let client = args.connection.client()?;
    let branches = client.branches().await.context("the branches")?;
    let branches: BTreeSet<BranchCode> = branches.into_iter().map(|branch| branch.code).collect();
    if let Some(code) = args.branch.filter(|code| !branches.contains(code)) {
        eprintln!("--branch {code}: no branch has this code");
        return Ok(ExitCode::from(EXIT_USAGE));
    }
    let mut findings = Findings::default();
    let lines = read(&args.files()?, &branches, args.branch, &mut findings)?;
    if !findings.is_empty() {
        findings.print();
        eprintln!("nothing was imported");
        return Ok(ExitCode::from(EXIT_USAGE));
    }
    import(&args, &client, &lines).await
}

async fn import(args: &ImportArgs, client: &Client, lines: &Lines) -> anyhow::Result<ExitCode> {
    let (ids, wait) = (ImportIds::of(&args.name), Duration::from_secs(args.wait));
    let elsewhere = match earlier::look(client, &ids, lines, wait).await {
        Ok(elsewhere) => elsewhere,
        // A mapping of an earlier run stays as it is.
        Err(stopped) => return told(args, &Report::stopped(lines, stopped)),
    };
    let mapping = args.out.as_deref().map(Mapping::create).transpose()?;
    let report = send::all(client, &ids, lines, &elsewhere, wait).await;
    let mapped = mapping.map_or(Ok(()), |mapping| mapped(mapping, lines, &report));
    let exit = told(args, &report)?;
    // What became of the lines is told whatever becomes of the file, and unknown is never told as failed.
    match mapped {
        Err(error) if report.exit() == 0 => Err(error),
        Err(error) => {
            eprintln!("nostro: {error:#}");
            Ok(exit)
        }
        Ok(()) => Ok(exit),
    }
}

fn mapped(mut mapping: Mapping, lines: &Lines, report: &Report) -> anyhow::Result<()> {
    for (line, number) in lines.customers.iter().zip(&report.customer_numbers) {
        mapping.write("customer", &line.reference, number.as_ref())?;
    }
    for (line, number) in lines.accounts.iter().zip(&report.account_numbers) {
        mapping.write("account", &line.reference, number.as_ref())?;
    }
    mapping.finish()
}

fn told(args: &ImportArgs, report: &Report) -> anyhow::Result<ExitCode> {
    if args.json {
        print_json(&report.json())?;
    } else {
        report.print();
    }
    Ok(ExitCode::from(report.exit()))
}

impl ImportArgs {
    fn files(&self) -> anyhow::Result<Files> {
        if let Some(directory) = &self.directory {
            let file = |name: &str| directory.join(name);
            return Ok(Files {
                customers: file("customers.csv"),
                accounts: Some(file("accounts.csv")),
                balances: Some(file("balances.csv")),
            });
        }
        let customers = self.customers.clone().context("expected DIR or --customers FILE, found neither")?;
        Ok(Files { customers, accounts: self.accounts.clone(), balances: self.balances.clone() })
    }
}

/// The name of an import: one line of text, as a reference is.
fn parse_name(text: &str) -> Result<String, LineError> {
    one_line(text).map(String::from)
}

/// Reads and checks all files. What is wrong in them is among the findings; an error is a file that cannot be read.
fn read(
    files: &Files,
    branches: &BTreeSet<BranchCode>,
    default: Option<BranchCode>,
    findings: &mut Findings,
) -> anyhow::Result<Lines> {
    let (mut customers, mut accounts, mut balances) =
        (open(&files.customers)?, open_if_any(files.accounts.as_deref())?, open_if_any(files.balances.as_deref())?);
    let sources = lines::Sources {
        customers: customers.source(),
        accounts: accounts.as_mut().map(Opened::source),
        balances: balances.as_mut().map(Opened::source),
    };
    lines::read(sources, branches, default, findings).context("cannot read the files to their end")
}

/// A file that is being read.
struct Opened {
    file: String,
    input: BufReader<File>,
}

impl Opened {
    fn source(&mut self) -> lines::Source<'_> {
        lines::Source { file: &self.file, input: &mut self.input }
    }
}

fn open(path: &Path) -> anyhow::Result<Opened> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Opened { file: path.display().to_string(), input: BufReader::new(file) })
}

fn open_if_any(path: Option<&Path>) -> anyhow::Result<Option<Opened>> {
    path.map(open).transpose()
}
