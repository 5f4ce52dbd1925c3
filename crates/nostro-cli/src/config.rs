//! The configuration file of `nostro serve` and `nostro migrate`, in TOML.
//!
//! Unknown keys are errors that name them. Secrets are not in it: it names files that hold them.

use anyhow::{Context, bail, ensure};
use nostro_commit::Deployment;
use nostro_core::{BranchCode, BranchNumber};
use nostro_engine::{BranchConfig, EngineConfig, Limits};
use nostro_store::BranchId;
use nostro_store::migrate::DirectoryRow;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Ten minutes: whoever waits longer for recovery has no recovery.
const RECOVERY_AGE_MS_MAX: u64 = 600_000;

/// `nostro.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The id of this bank, 1 to 32 of a-z, 0-9 and -.
    pub(crate) deployment: String,
    /// Where the API listens.
    #[serde(default = "api_default")]
    pub(crate) api: SocketAddr,
    /// Where the console listens; without it there is none.
    pub(crate) console: Option<SocketAddr>,
    /// Where browsers find the API, if not at `api`.
    pub(crate) api_url: Option<String>,
    /// Further origins of pages that may call the API.
    #[serde(default)]
    pub(crate) origins: Vec<String>,
    /// Holds the key that may do everything.
    pub(crate) operator_key_file: PathBuf,
    /// Holds a key that may read everything and change nothing.
    pub(crate) auditor_key_file: Option<PathBuf>,
    /// Above it a key is answered 429.
    pub(crate) requests_per_second_max: Option<u32>,
    /// Connections, and so prepared transactions, of this server at each branch: 60 % of a branch's
    /// `max_prepared_transactions`, divided by the number of servers.
    pub(crate) writers_per_branch: Option<usize>,
    /// From this age on a prepared transaction is taken for abandoned, in milliseconds.
    pub(crate) recovery_age_ms: Option<u64>,
    /// The branches.
    pub(crate) branch: Vec<Branch>,
}

/// One branch.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Branch {
    code: String,
    number: u32,
    name: String,
    time_zone: String,
    /// `postgres://user@host:port/database`
    pub(crate) database: String,
    /// Holds the password of that user.
    pub(crate) password_file: Option<PathBuf>,
    /// For `nostro migrate`: `postgres://superuser@host:port/postgres`.
    pub(crate) admin: Option<String>,
    /// Holds the password of that one.
    pub(crate) admin_password_file: Option<PathBuf>,
}

fn api_default() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8000))
}

impl Config {
    /// Reads the file; paths in it are relative to its directory.
    pub(crate) fn read(file: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("cannot read the configuration {}", file.display()))?;
        let mut config: Self =
            toml::from_str(&text).with_context(|| format!("the configuration {} is not valid", file.display()))?;
        let directory = file.parent().unwrap_or(Path::new(""));
        config.operator_key_file = directory.join(&config.operator_key_file);
        config.auditor_key_file = config.auditor_key_file.map(|path| directory.join(path));
        for branch in &mut config.branch {
            branch.password_file = branch.password_file.take().map(|path| directory.join(path));
            branch.admin_password_file = branch.admin_password_file.take().map(|path| directory.join(path));
        }
        ensure!(!config.branch.is_empty(), "{}: expected at least one [[branch]], found none", file.display());
        Ok(config)
    }

    pub(crate) fn deployment(&self) -> anyhow::Result<Deployment> {
        self.deployment.parse().with_context(|| format!("deployment = \"{}\"", self.deployment))
    }

    /// What the engine needs.
    pub(crate) fn engine(&self) -> anyhow::Result<EngineConfig> {
        let mut limits = Limits::default();
        if let Some(writers) = self.writers_per_branch {
            ensure!((1..=1_000).contains(&writers), "writers_per_branch = {writers}: expected 1 to 1000");
            limits.writers_per_branch = writers;
        }
        if let Some(age) = self.recovery_age_ms {
            ensure!(age <= RECOVERY_AGE_MS_MAX, "recovery_age_ms = {age}: expected 0 to {RECOVERY_AGE_MS_MAX}");
            limits.recovery_age = Duration::from_millis(age);
        }
        let branches = self.branch.iter().map(Branch::engine).collect::<anyhow::Result<_>>()?;
        Ok(EngineConfig { deployment: self.deployment()?, branches, limits })
    }

    /// What stands in every branch's directory.
    pub(crate) fn directory(&self) -> anyhow::Result<Vec<DirectoryRow>> {
        self.branch.iter().map(|branch| Ok(directory_row(&branch.engine()?))).collect()
    }
}

impl Branch {
    fn engine(&self) -> anyhow::Result<BranchConfig> {
        let database = database(&self.database, self.password_file.as_deref(), &self.code)?;
        let code: BranchCode = self.code.parse().with_context(|| format!("branch code = \"{}\"", self.code))?;
        let number =
            BranchNumber::new(self.number).with_context(|| format!("branch {code}: number = {}", self.number))?;
        Ok(BranchConfig {
            branch: BranchId { code, number },
            name: self.name.clone(),
            time_zone: self.time_zone.clone(),
            address: address(&database),
            database,
        })
    }
}

/// How a branch stands in every branch's directory.
pub(crate) fn directory_row(branch: &BranchConfig) -> DirectoryRow {
    let BranchConfig { branch, name, time_zone, address, .. } = branch.clone();
    DirectoryRow { branch, name, time_zone, address }
}

/// A connection from its URL and the file with its password.
pub(crate) fn database(url: &str, password_file: Option<&Path>, code: &str) -> anyhow::Result<tokio_postgres::Config> {
    let mut config: tokio_postgres::Config = url
        .parse()
        .with_context(|| format!("branch {code}: expected postgres://user@host:port/database, found another form"))?;
    if config.get_password().is_some() {
        bail!("branch {code}: a password stands in the URL; put it into a file and name that in password_file");
    }
    if let Some(file) = password_file {
        config.password(read_secret(file)?);
    }
    config.application_name("nostro");
    Ok(config)
}

/// The one line of a file that holds a secret.
pub(crate) fn read_secret(file: &Path) -> anyhow::Result<String> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read the secret in {}", file.display()))?;
    let secret = text.trim();
    ensure!(!secret.is_empty(), "{} is empty: expected a secret", file.display());
    Ok(secret.to_owned())
}

fn address(config: &tokio_postgres::Config) -> String {
    use tokio_postgres::config::Host;
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        Some(Host::Unix(path)) => path.display().to_string(),
        None => "localhost".to_owned(),
    };
    format!("{host}:{}", config.get_ports().first().copied().unwrap_or(5432))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        deployment = "demo"
        operator_key_file = "operator.key"
        [[branch]]
        code = "AZ"
        number = 1
        name = "Arizona"
        time_zone = "America/Phoenix"
        database = "postgres://nostro@127.0.0.1:5433/nostro"
    "#;

    fn complaint(text: &str) -> String {
        let parsed: Result<Config, _> = toml::from_str(text);
        match parsed.map_err(anyhow::Error::from).and_then(|config| config.engine()) {
            Ok(_) => "none".to_owned(),
            Err(error) => format!("{error:#}"),
        }
    }

    #[test]
    fn the_age_from_which_recovery_begins_is_a_setting() {
        let age = |line: &str| {
            let config: Config = toml::from_str(&GOOD.replace("[[branch]]", &format!("{line}\n[[branch]]"))).unwrap();
            config.engine().unwrap().limits.recovery_age.as_millis()
        };
        assert_eq!(["", "recovery_age_ms = 0", "recovery_age_ms = 600000"].map(age), [3_000, 0, 600_000]);
    }

    #[test]
    fn a_wrong_setting_is_named_with_its_rule() {
        assert_eq!(complaint(GOOD), "none");
        for (from, to, named) in [
            ("code = \"AZ\"", "code = \"az\"", "capital letters"),
            ("number = 1", "number = 0", "1 to 9000000"),
            ("deployment = \"demo\"", "deployment = \"De mo\"", "1 to 32 of a-z"),
            ("operator_key_file", "operator_key", "unknown field `operator_key`"),
            ("nostro@127", "nostro:secret@127", "password_file"),
            ("postgres://nostro@127.0.0.1:5433/nostro", "nonsense", "expected postgres://"),
            ("number = 1", "number = \"one\"", "invalid type: string"),
            ("[[branch]]", "recovery_age_ms = 600001\n[[branch]]", "recovery_age_ms = 600001: expected 0 to 600000"),
            ("[[branch]]", "recovery_age_ms = -1\n[[branch]]", "recovery_age_ms"),
        ] {
            let told = complaint(&GOOD.replace(from, to));
            assert!(told.contains(named), "{to}: {told}");
            assert!(!told.contains("secret@"), "{told}");
        }
    }
}
