//! The lines of PostgreSQL's and of the servers' logs that no fault explains.
//!
//! A fault makes a server log lost connections, interrupted locks, commits that were not acknowledged. It never makes it
//! log what is looked for here: whoever logs that says that the bank, not its surroundings, went wrong. A log may be
//! right where answers and rows are: a deadlock is tried again, a panic in a request is answered 500.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

/// In PostgreSQL's: two of the bank's transactions locked in opposite orders; the server gave up.
pub const OF_POSTGRESQL: [&str; 2] = ["deadlock detected", "PANIC:"];

/// In a server's.
pub const OF_SERVERS: [&str; 8] = [
    "contradicts the protocol",
    "home contradicts",
    "needs a human",
    "panicked",
    ": a bug",
    "a task of the engine died",
    "is in a wrong state",
    "has our prefix but not our form",
];

/// Characters of a line that are told.
const LINE_CHARS: usize = 500;

/// Lines of one log that have the same mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// What was looked for.
    pub mark: &'static str,
    /// The log.
    pub log: PathBuf,
    /// How many lines have it.
    pub count: usize,
    /// The first of them.
    pub line: String,
}

/// What one log has of the marks; a log that is not there has none.
pub fn scan(log: &Path, marks: &'static [&'static str]) -> io::Result<Vec<Hit>> {
    let file = match fs::File::open(log) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut hits: BTreeMap<&'static str, Hit> = BTreeMap::new();
    for line in BufReader::new(file).split(b'\n') {
        // A statement that was cut off in the middle of a character is a line too.
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        for mark in marks.iter().filter(|mark| line.contains(**mark)) {
            let hit = hits.entry(mark).or_insert_with(|| Hit {
                mark,
                log: log.to_owned(),
                count: 0,
                line: line.chars().take(LINE_CHARS).collect(),
            });
            hit.count += 1;
        }
    }
    Ok(hits.into_values().collect())
}
