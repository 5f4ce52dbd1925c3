//! Makes a cluster with initdb.
//!
//! It is made in `<name>.<pid>.new` and renamed when it is whole, so that a directory `<name>` always holds a cluster and
//! what an interrupted initdb left is known by its name. The name is this process's own, since an initdb whose parent was
//! killed goes on for a while and cleans up after itself by path.
//!
//! Passwords are needed on every connection (scram-sha-256). Text sorts by its bytes (C): an order that an upgrade of the
//! C library cannot change under an index.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};

use crate::data_dir::Instance;
use crate::error::LocalError;
use crate::files;
use crate::settings::{self, Durability};

/// The role that initdb makes.
pub(crate) const SUPERUSER: &str = "postgres";

const OUTPUT_LINES_MAX: usize = 15;

/// Makes the cluster `name` of the instance in `home`, which must not exist.
pub(crate) fn make(instance: &Instance, name: &str, home: &Path, durability: Durability) -> Result<(), LocalError> {
    let new = instance.path.join(format!("{name}.{}.new", std::process::id()));
    files::make_dir(&new, 0o755)?;
    let data = new.join("data");
    files::make_dir(&data, 0o700)?;
    instance.user.own(&data)?;
    let password = new.join("password");
    files::write_whole(&password, &format!("{}\n", instance.password), 0o600)?;
    instance.user.own(&password)?;

    let output = initdb(instance, &data, &password, durability)?;
    files::remove_file(&password)?;
    if !output.status.success() {
        files::remove_tree(&new)?;
        let output = tail(&[output.stdout, output.stderr].concat(), OUTPUT_LINES_MAX);
        return Err(LocalError::InitFailed { cluster: name.to_owned(), output });
    }
    let configuration = data.join("postgresql.conf");
    OpenOptions::new()
        .append(true)
        .open(&configuration)
        .and_then(|mut file| file.write_all(settings::INCLUDE.as_bytes()).and_then(|()| file.sync_all()))
        .map_err(LocalError::io("write", &configuration))?;
    fs::rename(&new, home).map_err(LocalError::io("rename", &new))?;
    files::sync_parent(home)
}

/// Deletes what interrupted makings and wipings of the cluster left.
pub(crate) fn remove_leftovers(directory: &Path, name: &str) -> Result<(), LocalError> {
    let prefix = format!("{name}.");
    for entry in fs::read_dir(directory).map_err(LocalError::io("list", directory))? {
        let entry = entry.map_err(LocalError::io("list", directory))?;
        let file_name = entry.file_name().to_string_lossy().into_owned();
        let is_leftover = file_name.ends_with(".new") || file_name.ends_with(".wiped");
        if file_name.starts_with(&prefix) && is_leftover {
            tracing::info!(directory = %entry.path().display(), "deleting what an interrupted start or wipe left");
            files::remove_tree(&entry.path())?;
        }
    }
    Ok(())
}

/// The last lines of a log.
pub(crate) fn tail(log: &[u8], lines_max: usize) -> String {
    let text = String::from_utf8_lossy(log);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let from = lines.len().saturating_sub(lines_max);
    if lines.is_empty() { "(nothing)".to_owned() } else { lines.get(from..).unwrap_or_default().join("\n") }
}

fn initdb(instance: &Instance, data: &Path, password: &Path, durability: Durability) -> Result<Output, LocalError> {
    let program = instance.binaries.program("initdb");
    let mut command = instance.user.command(&program);
    command.arg("--pgdata").arg(data).arg("--pwfile").arg(password).args([
        "--username",
        SUPERUSER,
        "--auth-host=scram-sha-256",
        "--auth-local=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--data-checksums",
        "--no-instructions",
    ]);
    if let Some(locale) = character_locale() {
        command.arg(format!("--lc-ctype={locale}"));
    }
    match durability {
        Durability::Full => {}
        Durability::ProcessCrashOnly => {
            command.arg("--no-sync");
        }
    }
    command.output().map_err(LocalError::io("run", &program))
}

/// A locale that knows upper and lower case beyond ASCII without a country's customs, where the machine has it.
fn character_locale() -> Option<String> {
    let output = Command::new("locale").arg("-a").output().ok()?;
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    names.lines().find(|name| ["C.UTF-8", "C.utf8"].contains(name)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_of_a_log_is_its_last_lines_with_text() {
        assert_eq!(tail(b"a\n\nb\nc\n\n", 2), "b\nc");
        assert_eq!(tail(b"a", 2), "a");
        assert_eq!(tail(b"\n", 2), "(nothing)");
    }
}
