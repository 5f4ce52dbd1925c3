//! Where the API is and which key opens it.
//!
//! The key is never an argument: arguments are in everybody's process list. It comes from a file, from the
//! environment, or from where a local bank leaves it.

use crate::config::read_secret;
use anyhow::bail;
use clap::Args;
use nostro_client::Client;
use std::path::{Path, PathBuf};

/// The address of a local bank.
const API_DEFAULT: &str = "http://127.0.0.1:8000";
/// Where a local bank leaves its operator's key.
const LOCAL_KEY_FILE: &str = ".nostro/operator.key";
/// Each directory in here is the data of a local bank that could not be kept beside the caller's files.
const SYSTEM_DATA: &str = "/var/lib/nostro";

/// How to reach the API.
#[derive(Args, Clone, Debug)]
pub(crate) struct ConnectionArgs {
    /// Address of the API
    #[arg(long, value_name = "URL", env = "NOSTRO_API", default_value = API_DEFAULT)]
    pub(crate) api: String,
    /// File that holds the key; else NOSTRO_KEY, else the local bank's own
    #[arg(long, value_name = "FILE", env = "NOSTRO_KEY_FILE")]
    pub(crate) key_file: Option<PathBuf>,
}

impl ConnectionArgs {
    /// A client with the key that was found.
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        Ok(Client::new(&self.api, &self.key()?))
    }

    fn key(&self) -> anyhow::Result<String> {
        if let Some(file) = &self.key_file {
            return read_secret(file);
        }
        if let Some(key) = std::env::var("NOSTRO_KEY").ok().filter(|key| !key.trim().is_empty()) {
            return Ok(key.trim().to_owned());
        }
        if Path::new(LOCAL_KEY_FILE).exists() {
            return read_secret(Path::new(LOCAL_KEY_FILE));
        }
        match system_key_files().as_slice() {
            [only] => read_secret(only),
            [] => bail!(
                "no key for {}: expected --key-file, NOSTRO_KEY_FILE, NOSTRO_KEY, {LOCAL_KEY_FILE} or \
                 {SYSTEM_DATA}/*/operator.key, found none; `nostro up` starts a bank and writes one",
                self.api
            ),
            several => {
                let names: Vec<String> = several.iter().map(|file| file.display().to_string()).collect();
                bail!("several keys could be meant: {}; name one with --key-file", names.join(", "))
            }
        }
    }
}

fn system_key_files() -> Vec<PathBuf> {
    let banks = std::fs::read_dir(SYSTEM_DATA).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> =
        banks.map(|bank| bank.path().join("operator.key")).filter(|file| file.exists()).collect();
    files.sort();
    files
}
