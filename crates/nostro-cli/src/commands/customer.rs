//! `nostro customer`: the customers of a branch, and new ones.

use super::answered;
use super::connection::ConnectionArgs;
use super::moving::RequestArgs;
use super::outcome::{DEADLINE, quoted};
use super::table::{print_json, table};
use anyhow::Context;
use clap::{Args, Subcommand};
use nostro_client::{Customer, NewCustomer, all, until_answered};
use nostro_core::BranchCode;
use std::process::ExitCode;

/// The arguments of `nostro customer`.
#[derive(Args, Debug)]
pub(crate) struct CustomerArgs {
    #[command(subcommand)]
    command: CustomerCommand,
}

#[derive(Debug, Subcommand)]
enum CustomerCommand {
    /// List the customers of a branch, newest first
    List(ListArgs),
    /// Make a customer at a branch
    Add(AddArgs),
}

#[derive(Args, Debug)]
struct ListArgs {
    /// The branch, such as AZ
    branch: BranchCode,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Args, Debug)]
struct AddArgs {
    /// The branch that keeps the customer, such as AZ
    branch: BranchCode,
    /// The customer's name, up to 140 characters
    name: String,
    #[command(flatten)]
    request: RequestArgs,
}

/// Runs the command.
pub(crate) async fn run(args: CustomerArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        CustomerCommand::List(args) => list(args).await,
        CustomerCommand::Add(args) => add(args).await,
    }
}

async fn list(args: ListArgs) -> anyhow::Result<ExitCode> {
    let client = &args.connection.client()?;
    let customers = all(|page| async move { client.customers(args.branch, &page).await }).await;
    let customers = customers.with_context(|| format!("the customers of {}", args.branch))?;
    if args.json {
        print_json(&customers)?;
        return Ok(ExitCode::SUCCESS);
    }
    if customers.is_empty() {
        println!("no customers");
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows = table(&["Customer", "Name", "Since"]);
    for customer in &customers {
        rows.add_row(vec![customer.number.to_string(), customer.name.clone(), customer.created_at.clone()]);
    }
    println!("{rows}");
    Ok(ExitCode::SUCCESS)
}

async fn add(args: AddArgs) -> anyhow::Result<ExitCode> {
    let client = match args.request.client() {
        Ok(client) => client,
        Err(exit) => return Ok(exit),
    };
    let id = args.request.id();
    let words = format!("customer add {} {}", args.branch, quoted(&args.name));
    let asked = args.request.asked(&client, id, &words);
    let new = NewCustomer { id, branch: args.branch, name: args.name };
    let answer = until_answered(id, DEADLINE, || client.create_customer(&new)).await;
    answered::tell(&asked, answer, print)
}

fn print(customer: &Customer) {
    println!("{}  {}, since {}", customer.number, customer.name, customer.created_at);
}
