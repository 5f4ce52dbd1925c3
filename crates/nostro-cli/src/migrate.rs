//! `nostro migrate`: makes databases that you run branches of a bank, or brings them up to date.
//!
//! With a superuser in `admin` it makes the roles, the server's login and the database where they are missing;
//! with any member of `nostro_owner` it only migrates what is there.

use crate::config::{Branch, Config, database, read_secret};
use anyhow::{Context, ensure};
use clap::Args;
use nostro_commit::Deployment;
use nostro_store::BranchId;
use nostro_store::migrate::{DirectoryRow, migrate, prepare_cluster};
use std::path::PathBuf;
use std::process::ExitCode;
use tokio_postgres::{Client, NoTls};

/// What `nostro migrate` takes.
#[derive(Args, Debug)]
pub(crate) struct MigrateArgs {
    /// The configuration; each branch in it needs `admin`
    #[arg(long, value_name = "FILE", default_value = "nostro.toml")]
    config: PathBuf,
}

/// Migrates every branch of the configuration, one after the other.
pub(crate) async fn run(args: MigrateArgs) -> anyhow::Result<ExitCode> {
    let config = Config::read(&args.config)?;
    let deployment = config.deployment()?;
    let directory = config.directory()?;
    for (branch, row) in config.branch.iter().zip(&directory) {
        let code = row.branch.code;
        one(branch, row, &deployment, &directory).await.with_context(|| format!("branch {code} was not migrated"))?;
        println!("Branch {code} at {} is up to date.", row.address);
    }
    Ok(ExitCode::SUCCESS)
}

async fn one(
    branch: &Branch,
    row: &DirectoryRow,
    deployment: &Deployment,
    directory: &[DirectoryRow],
) -> anyhow::Result<()> {
    let code = row.branch.code.to_string();
    let url = branch.admin.as_deref().context("expected admin = \"postgres://...\", found none")?;
    let admin = database(url, branch.admin_password_file.as_deref(), &code)?;
    let served = database(&branch.database, branch.password_file.as_deref(), &code)?;
    let name = served.get_dbname().context("expected a database name in `database`, found none")?;
    let login = served.get_user().context("expected a user name in `database`, found none")?;
    for word in [name, login] {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        ensure!(word.chars().all(plain), "expected names of a-z, 0-9 and _ in `database`, found {word:?}");
    }
    let client = connect(&admin).await?;
    let superuser = client
        .query_one("select rolsuper from pg_roles where rolname = current_user", &[])
        .await
        .context("cannot ask for the rights of `admin`")?;
    if superuser.get(0) {
        let file = branch.password_file.as_deref().context("expected password_file, found none")?;
        prepare_cluster(&client, name, login, &read_secret(file)?).await?;
    }
    let mut there = admin.clone();
    there.dbname(name);
    make_branch(&there, deployment, row.branch, directory).await
}

/// Migrates one database, as a role that may.
pub(crate) async fn make_branch(
    admin: &tokio_postgres::Config,
    deployment: &Deployment,
    branch: BranchId,
    directory: &[DirectoryRow],
) -> anyhow::Result<()> {
    let mut client = connect(admin).await?;
    migrate(&mut client, deployment, branch, directory).await?;
    Ok(())
}

/// A plain connection; its task ends with the client.
pub(crate) async fn connect(config: &tokio_postgres::Config) -> anyhow::Result<Client> {
    let (client, connection) = config.connect(NoTls).await.context("cannot connect to the database")?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "an administrator's connection ended");
        }
    });
    Ok(client)
}
