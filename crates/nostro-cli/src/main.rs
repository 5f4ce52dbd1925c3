//! The command `nostro`: the only place that reads arguments and environment, opens sockets and picks exit codes.
//!
//! - [`up`]: a whole bank on this machine, from nothing; [`demo`]: its customers
//! - [`serve`]: the bank on databases that you run; [`migrate`]: their tables; [`config`]: the file for both
//! - [`server`]: what both of them serve, until they are told to stop
//! - [`listen`]: sockets, and what to do when one is taken
//! - [`mod@bench`]: how much this machine carries
//! - [`commands`]: the commands that talk to the API

mod bench;
mod commands;
mod config;
mod demo;
mod listen;
mod migrate;
mod serve;
mod server;
mod up;

use clap::{Parser, Subcommand};
use std::io::IsTerminal;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A bank whose branches are PostgreSQL databases and whose transfers between them are atomic
#[derive(Parser)]
#[command(name = "nostro", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a bank of two branches on this machine, with its own PostgreSQL servers and demo customers
    Up(up::UpArgs),
    /// Serve a bank on databases that you run
    Serve(serve::ServeArgs),
    /// Make databases that you run branches of a bank, or bring them up to date
    Migrate(migrate::MigrateArgs),
    /// List the customers of a branch, or make one
    Customer(commands::customer::CustomerArgs),
    /// List accounts, open one, show one and its entries, now or at a past instant, or change it
    Account(commands::account::AccountArgs),
    /// Move money from one account to another
    Transfer(commands::transfer::TransferArgs),
    /// Take cash in for an account
    Deposit(commands::cash::CashArgs),
    /// Pay cash out of an account
    Withdraw(commands::cash::CashArgs),
    /// Pay many accounts from one, or one from many: all or none
    Split(commands::together::SplitArgs),
    /// Make transfers one after the other, all or none
    Chain(commands::together::ChainArgs),
    /// Reserve money, capture it, and give it back
    Hold(commands::hold::HoldArgs),
    /// Move money of a posted transfer back, all of it or a part
    Reverse(commands::reverse::ReverseArgs),
    /// Show what became of a transfer
    Status(commands::status::StatusArgs),
    /// Import customers, accounts and opening balances from CSV files
    Import(commands::import::ImportArgs),
    /// Check that the books of the bank balance
    Audit(commands::audit::AuditArgs),
    /// Print reports over the bank
    Report(commands::report::ReportArgs),
    /// List batches that are prepared and not finished, or settle one
    InDoubt(commands::in_doubt::InDoubtArgs),
    /// Measure what this machine carries, with the real server on real databases
    Bench(bench::BenchArgs),
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (quiet, command) = (matches!(arguments.command, Command::Up(_)), arguments.command);
    let filter =
        EnvFilter::try_from_env("NOSTRO_LOG").unwrap_or_else(|_| EnvFilter::new(if quiet { "warn" } else { "info" }));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let result = match command {
        Command::Up(args) => up::run(args).await,
        Command::Serve(args) => serve::run(args).await,
        Command::Migrate(args) => migrate::run(args).await,
        Command::Account(args) => commands::account::run(args).await,
        Command::Customer(args) => commands::customer::run(args).await,
        Command::Transfer(args) => commands::transfer::run(args).await,
        Command::Deposit(args) => commands::cash::deposit(args).await,
        Command::Withdraw(args) => commands::cash::withdraw(args).await,
        Command::Split(args) => commands::together::split(args).await,
        Command::Chain(args) => commands::together::chain(args).await,
        Command::Hold(args) => commands::hold::run(args).await,
        Command::Reverse(args) => commands::reverse::run(args).await,
        Command::Status(args) => commands::status::run(args).await,
        Command::Import(args) => Box::pin(commands::import::run(args)).await,
        Command::Audit(args) => commands::audit::run(args).await,
        Command::Report(args) => commands::report::run(args).await,
        Command::InDoubt(args) => commands::in_doubt::run(args).await,
        Command::Bench(args) => Box::pin(bench::run(args)).await,
    };
    result.unwrap_or_else(|error| {
        eprintln!("nostro: {error:#}");
        ExitCode::FAILURE
    })
}
