//! `nostro bench`: how much this machine carries, measured on real databases with the real server.

use crate::config::{Config, database, read_secret};
use crate::server::{stop_signal, told};
use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use nostro_bench::{Branch, Databases, Ids, Mix, Mode, Options};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Told to stop before there was a report, as shells say it of Ctrl-C.
const EXIT_STOPPED: u8 = 130;

/// What `nostro bench` takes.
#[derive(Args, Debug)]
pub(crate) struct BenchArgs {
    /// What to measure, of baseline, bare, bulk, replays, hot, local, holds, captures, chains, single, reads, mixed
    /// [default: all]
    #[arg(long, value_name = "MODES", value_delimiter = ',', hide_default_value = true, default_values_t = Mode::ALL)]
    modes: Vec<Mode>,
    /// Length of each measured run; a short warm-up before it is not counted
    #[arg(long, value_name = "S", default_value_t = 10.0)]
    seconds: f64,
    /// Customers' accounts, spread evenly over the branches
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    accounts: usize,
    /// Cross-branch transfers that are in the databases before the first run
    #[arg(long, value_name = "N", default_value_t = 0)]
    history: u64,
    /// Share of transfers between two branches, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 1.0)]
    cross: f64,
    /// Share of transfers that credit one and the same account, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    hot: f64,
    /// Choose accounts by Zipf's law with this exponent; 0 chooses evenly
    #[arg(long, value_name = "S", default_value_t = 0.0)]
    zipf: f64,
    /// Share of plain transfers in bulk requests that repeat an id posted before, 0 to 0.9
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    replays: f64,
    /// Version of the clients' ids
    #[arg(long, value_name = "VERSION", value_enum, default_value_t = IdVersion::V7)]
    ids: IdVersion,
    /// Seed of all choices but the random bits of ids
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Items in a bulk request, 1 to 8192; a bare batch has four times as many transfers
    #[arg(long, value_name = "N", default_value_t = 8_192)]
    batch: usize,
    /// Connections of the bulk loads
    #[arg(long, value_name = "N", default_value_t = 8)]
    connections: usize,
    /// Connections of the single load
    #[arg(long, value_name = "N", default_value_t = 256)]
    clients: usize,
    /// Connections of the look-ups of balances; pages of entries are asked for on one
    #[arg(long, value_name = "N", default_value_t = 32)]
    readers: usize,
    /// Requests a second of the open loop [default: 90 % of six times the baseline; without that, 70 % of what the closed loop
    /// reached]
    #[arg(long, value_name = "R")]
    rate: Option<u32>,
    /// Length of the open loop [default: six times that of other runs]
    #[arg(long, value_name = "S")]
    open_seconds: Option<f64>,
    /// What runs beside the reads, at half speed
    #[arg(long, value_name = "LOAD", value_enum)]
    beside: Option<Beside>,
    /// Branches, 2 to 8, each with a PostgreSQL server of its own
    #[arg(long, value_name = "N", default_value_t = 2, conflicts_with = "config")]
    branches: usize,
    /// Nostro servers on the same branches, 1 to 4
    #[arg(long, value_name = "N", default_value_t = 1)]
    servers: usize,
    /// Scale of pgbench's tables
    #[arg(long, value_name = "N", default_value_t = 50)]
    tpcb_scale: u32,
    /// A fresh directory is made in this one, on a disk, and deleted at the end [default: the system's for temporary files]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Measure databases that you run, by their configuration; accounts and transfers stay in them
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Directory of PostgreSQL's programs (15 or later) [default: the newest that is found]
    #[arg(long, value_name = "DIR", env = "NOSTRO_PG_BIN")]
    pg_bin: Option<PathBuf>,
    /// Also write the report there as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum IdVersion {
    V7,
    V4,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Beside {
    Bulk,
}

/// Measures, prints, and fails if the books are wrong.
pub(crate) async fn run(args: BenchArgs) -> anyhow::Result<ExitCode> {
    let json = args.json.clone();
    let options = options(args)?;
    options.check()?;
    if let Some(file) = &json {
        // Better now than after the runs.
        std::fs::write(file, "").with_context(|| format!("--json {}: cannot be written", file.display()))?;
    }
    let mut stop = stop_signal()?;
    let tell = |line: &str| eprintln!("{line}");
    // Dropped when told to stop: it then ends every process and deletes everything that it made.
    let report = tokio::select! {
        report = nostro_bench::run(options, tell) => report?,
        () = told(&mut stop) => {
            eprintln!("Stopped before the end, there is no report.");
            return Ok(ExitCode::from(EXIT_STOPPED));
        }
    };
    print!("{}", report.text());
    if let Some(file) = &json {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(file, text).with_context(|| format!("--json {}: cannot be written", file.display()))?;
    }
    match report.verdict_error() {
        None => Ok(ExitCode::SUCCESS),
        Some(error) => Err(error.into()),
    }
}

fn options(args: BenchArgs) -> anyhow::Result<Options> {
    let directory = args.data.unwrap_or_else(std::env::temp_dir);
    let databases = match &args.config {
        None => Databases::Own { directory, pg_bin: args.pg_bin, branches: args.branches },
        Some(file) => given(file, directory, args.pg_bin)?,
    };
    let ids = match args.ids {
        IdVersion::V7 => Ids::V7,
        IdVersion::V4 => Ids::V4,
    };
    Ok(Options {
        program: std::env::current_exe().context("cannot find this program itself")?,
        databases,
        modes: args.modes,
        accounts: args.accounts,
        history: args.history,
        mix: Mix { cross: args.cross, hot: args.hot, zipf: args.zipf, replays: args.replays, ids, seed: args.seed },
        seconds: args.seconds,
        open_seconds: args.open_seconds,
        batch: args.batch,
        connections: args.connections,
        clients: args.clients,
        readers: args.readers,
        rate: args.rate,
        reads_beside_bulk: matches!(args.beside, Some(Beside::Bulk)),
        servers: args.servers,
        tpcb_scale: args.tpcb_scale,
    })
}

/// The branches of a configuration, and the same configuration for a server on a port of its own.
fn given(file: &Path, directory: PathBuf, pg_bin: Option<PathBuf>) -> anyhow::Result<Databases> {
    let config = Config::read(file)?;
    let key = read_secret(&config.operator_key_file)?;
    let branches = config.engine()?.branches.into_iter().zip(&config.branch).map(|(branch, row)| {
        let admin = row.admin.as_deref();
        let code = branch.branch.code;
        let admin =
            admin.map(|url| database(url, row.admin_password_file.as_deref(), &code.to_string())).transpose()?;
        Ok(Branch { code, number: branch.branch.number, database: branch.database, admin })
    });
    let branches = branches.collect::<anyhow::Result<Vec<_>>>()?;
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut table: toml::Table = toml::from_str(&text)?;
    let base = std::path::absolute(file)?;
    let base = base.parent().unwrap_or(Path::new("/"));
    for name in ["operator_key_file", "auditor_key_file", "password_file", "admin_password_file"] {
        absolute(&mut table, name, base);
        let Some(toml::Value::Array(rows)) = table.get_mut("branch") else { bail!("expected [[branch]], found none") };
        rows.iter_mut().filter_map(toml::Value::as_table_mut).for_each(|row| absolute(row, name, base));
    }
    table.insert("api".to_owned(), "127.0.0.1:0".into());
    table.insert("requests_per_second_max".to_owned(), 1_000_000.into());
    table.remove("console");
    Ok(Databases::Given { directory, pg_bin, config: toml::to_string(&table)?, key, branches })
}

fn absolute(table: &mut toml::Table, name: &str, base: &Path) {
    if let Some(toml::Value::String(path)) = table.get_mut(name) {
        *path = base.join(&*path).display().to_string();
    }
}
