//! Finds PostgreSQL's programs.
//!
//! A directory that was named is used or refused, never passed over: whoever names one wants that one. Without a name the
//! usual places are searched, newest version first, and the first directory with all the programs of a usable version
//! wins. As root, a directory that the user who runs PostgreSQL cannot enter is passed over.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::LocalError;
use crate::os_user::OsUser;

/// The oldest major version that the SQL of Nostro runs on.
pub const MAJOR_MIN: u32 = 15;

/// Without these nothing works.
const PROGRAMS: [&str; 3] = ["postgres", "initdb", "pg_ctl"];

const DEBIAN: &str = "/usr/lib/postgresql";

/// How deep below the cache directory an unpacked wheel may hold its `bin`.
const CACHE_DEPTH_MAX: u32 = 6;

/// A directory with PostgreSQL's programs.
#[derive(Clone, Debug)]
pub struct Binaries {
    dir: PathBuf,
    major: u32,
}

enum Refusal {
    Unusable(String),
    Old(u32),
}

impl Binaries {
    /// Finds the programs in `explicit` (a flag, or the value of NOSTRO_PG_BIN), or else in /usr/lib/postgresql, where
    /// pg_config says, on PATH, or in a wheel unpacked under the user's cache directory.
    pub fn find(explicit: Option<&Path>) -> Result<Binaries, LocalError> {
        let user = OsUser::for_postgres()?;
        if let Some(dir) = explicit {
            return Binaries::examine(dir, &user).map_err(|refusal| match refusal {
                Refusal::Unusable(found) => LocalError::BadBinaries { dir: dir.to_owned(), found },
                Refusal::Old(found) => LocalError::OldPostgres { dir: dir.to_owned(), found },
            });
        }
        let mut looked = Vec::new();
        for (place, dirs) in places() {
            if dirs.is_empty() {
                looked.push(format!("{place}: nothing there"));
            }
            for dir in dirs {
                match Binaries::examine(&dir, &user) {
                    Ok(found) => return Ok(found),
                    Err(Refusal::Unusable(found)) => looked.push(format!("{place}: {} has {found}", dir.display())),
                    Err(Refusal::Old(found)) => looked.push(format!("{place}: {} is {found}", dir.display())),
                }
            }
        }
        Err(LocalError::NoPostgres { looked })
    }

    /// The directory that holds the programs.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The major version, such as 15.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// One of the programs.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn examine(dir: &Path, user: &OsUser) -> Result<Binaries, Refusal> {
        let unusable = |found: String| Err(Refusal::Unusable(found));
        let Ok(dir) = dir.canonicalize() else { return unusable("no such directory".to_owned()) };
        if let Some(missing) = PROGRAMS.iter().find(|program| !dir.join(program).is_file()) {
            return unusable(format!("no program {missing}"));
        }
        if let Ok(Some(blocked)) = user.blocked_by(&dir) {
            return unusable(format!("programs that user {} cannot reach through {}", user.name(), blocked.display()));
        }
        let output = match user.command(&dir.join("postgres")).arg("--version").output() {
            Ok(output) => output,
            Err(error) => return unusable(format!("a program postgres that does not run ({error})")),
        };
        match major_of(&String::from_utf8_lossy(&output.stdout)) {
            Some(major) if major >= MAJOR_MIN => Ok(Binaries { dir, major }),
            Some(major) => Err(Refusal::Old(major)),
            None => unusable("a program postgres that does not tell its version".to_owned()),
        }
    }
}

/// The places to search and the directories that each of them offers, best first.
fn places() -> Vec<(String, Vec<PathBuf>)> {
    let on_path: Vec<PathBuf> = env::var_os("PATH")
        .map(|path| env::split_paths(&path).filter(|dir| dir.join("postgres").is_file()).collect())
        .unwrap_or_default();
    let mut places = vec![
        (format!("{DEBIAN}/*/bin"), debian(Path::new(DEBIAN))),
        ("pg_config --bindir".to_owned(), pg_config()),
        ("PATH".to_owned(), on_path),
    ];
    places.extend(cache_dirs().into_iter().map(|cache| {
        let root = cache.join("nostro/postgresql");
        let mut found = Vec::new();
        bins_below(&root, CACHE_DEPTH_MAX, &mut found);
        (format!("{}/**/bin", root.display()), found)
    }));
    places
}

fn debian(root: &Path) -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = entries(root)
        .into_iter()
        .filter_map(|path| Some((path.file_name()?.to_str()?.parse().ok()?, path.join("bin"))))
        // other packages leave directories of client programs there
        .filter(|(_, bin)| bin.join("postgres").is_file())
        .collect();
    found.sort_by_key(|(major, _)| std::cmp::Reverse(*major));
    found.into_iter().map(|(_, bin)| bin).collect()
}

fn pg_config() -> Vec<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").stdin(Stdio::null()).stderr(Stdio::null()).output();
    let Some(output) = output.ok().filter(|output| output.status.success()) else { return Vec::new() };
    let dir = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    if dir.join("postgres").is_file() { vec![dir] } else { Vec::new() }
}

/// The user's cache; for root also one that other users can reach.
fn cache_dirs() -> Vec<PathBuf> {
    let user = env::var_os("XDG_CACHE_HOME")
        .filter(|dir| !dir.is_empty())
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    let shared = rustix::process::geteuid().is_root().then(|| PathBuf::from("/var/cache"));
    user.into_iter().chain(shared).collect()
}

fn bins_below(dir: &Path, depth: u32, found: &mut Vec<PathBuf>) {
    if dir.ends_with("bin") && PROGRAMS.iter().all(|program| dir.join(program).is_file()) {
        found.push(dir.to_owned());
    }
    if depth == 0 {
        return;
    }
    for entry in entries(dir) {
        if entry.is_dir() && !entry.is_symlink() {
            bins_below(&entry, depth - 1, found);
        }
    }
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(dir).map(|entries| entries.flatten().map(|entry| entry.path()).collect()).unwrap_or_default();
    entries.sort();
    entries
}

/// `postgres (PostgreSQL) 15.10 (Debian ...)` is 15, `18beta1` is 18.
fn major_of(version: &str) -> Option<u32> {
    let number = version.split("(PostgreSQL)").nth(1)?.trim_start();
    let end = number.find(|char: char| !char.is_ascii_digit()).unwrap_or(number.len());
    number.get(..end)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_what_postgres_says() {
        let cases = [
            ("postgres (PostgreSQL) 15.10 (Debian 15.10-0+deb12u1)\n", Some(15)),
            ("postgres (PostgreSQL) 18beta1", Some(18)),
            ("postgres (PostgreSQL) 9.6.24", Some(9)),
            ("postgres (EnterpriseDB) 15", None),
            ("", None),
        ];
        for (said, expected) in cases {
            assert_eq!(major_of(said), expected, "{said:?}");
        }
    }

    #[test]
    fn a_directory_that_was_named_is_refused_rather_than_passed_over() {
        let refused = Binaries::find(Some(Path::new("/no/such/bin"))).unwrap_err().to_string();
        assert!(refused.contains("/no/such/bin") && refused.contains("--pg-bin"), "{refused}");
        let refused = Binaries::find(Some(Path::new("/etc"))).unwrap_err().to_string();
        assert!(refused.contains("no program postgres"), "{refused}");
    }
}
