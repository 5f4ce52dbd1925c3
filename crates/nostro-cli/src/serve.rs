//! `nostro serve`: the bank on databases that you run.

use crate::config::{Config, read_secret};
use crate::listen::{Wanted, listen};
use crate::server::{Server, metrics, serve, stop_signal};
use anyhow::Context;
use clap::Args;
use nostro_api::{ApiKey, Role};
use nostro_engine::Engine;
use std::path::PathBuf;
use std::process::ExitCode;

/// What `nostro serve` takes.
#[derive(Args, Debug)]
pub(crate) struct ServeArgs {
    /// The configuration; docs/reference/config.md lists its keys
    #[arg(long, value_name = "FILE", default_value = "nostro.toml")]
    config: PathBuf,
}

/// Serves until Ctrl-C or SIGTERM.
pub(crate) async fn run(args: ServeArgs) -> anyhow::Result<ExitCode> {
    let stop = stop_signal()?;
    let config = Config::read(&args.config)?;
    let mut keys = vec![ApiKey::new(Role::Operator, &read_secret(&config.operator_key_file)?)];
    if let Some(file) = &config.auditor_key_file {
        keys.push(ApiKey::new(Role::Auditor, &read_secret(file)?));
    }
    let api = listen(Wanted::Named(config.api), "the API", "api =").await?;
    let console = match config.console {
        Some(address) => Some(listen(Wanted::Named(address), "the console", "console =").await?),
        None => None,
    };
    let metrics = metrics()?;
    let engine = Engine::start(config.engine()?).await.context("the bank does not start")?;
    for branch in engine.branches() {
        println!("Branch {} at {}: {}", branch.code, branch.address, branch.health.as_str());
    }
    println!("API      http://{}", api.local_addr()?);
    if let Some(console) = &console {
        println!("Console  http://{}", console.local_addr()?);
    }
    let server = Server {
        engine,
        metrics,
        keys,
        api,
        console,
        api_url: config.api_url,
        origins: config.origins,
        requests_per_second_max: config.requests_per_second_max,
    };
    serve(server, stop).await?;
    Ok(ExitCode::SUCCESS)
}
