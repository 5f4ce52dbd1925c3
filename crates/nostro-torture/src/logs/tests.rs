//! What is told of a log, and that a server still uses the words that are looked for.

use super::{OF_POSTGRESQL, OF_SERVERS, scan};
use std::path::Path;

/// The marks of a log of these lines, with how many lines have them.
fn marks(lines: &[&str], marks: &'static [&'static str]) -> Vec<(&'static str, usize, String)> {
    let name = format!("nostro-torture-log-{}-{:?}", std::process::id(), std::thread::current().id());
    let log = std::env::temp_dir().join(name);
    std::fs::write(&log, lines.join("\n")).unwrap();
    let hits = scan(&log, marks).unwrap();
    std::fs::remove_file(&log).unwrap();
    hits.into_iter().map(|hit| (hit.mark, hit.count, hit.line)).collect()
}

#[test]
fn what_a_fault_explains_is_not_told() {
    let postgresql = [
        "2026-01-01 00:00:00.000 UTC [1] LOG:  database system was not properly shut down; automatic recovery in progress",
        "2026-01-01 00:00:00.000 UTC [1] FATAL:  terminating connection due to administrator command",
        "2026-01-01 00:00:00.000 UTC [1] ERROR:  canceling statement due to lock timeout",
        "2026-01-01 00:00:00.000 UTC [1] WARNING:  terminating connection because of crash of another server process",
        "2026-01-01 00:00:00.000 UTC [1] ERROR:  prepared transaction with identifier \"n1:AZ-1-2\" does not exist",
    ];
    assert_eq!(marks(&postgresql, &OF_POSTGRESQL), []);
    let server = [
        " ERROR nostro_engine::bank: a look-up failed branch=AZ error=the database system is shutting down",
        " WARN nostro_commit::driver: the decision was not acknowledged, resolving batch=AZ-1-2",
        " WARN nostro_commit::driver: COMMIT PREPARED was not acknowledged, resolving batch=AZ-1-2",
        " WARN nostro_commit::recovery: home does not answer, the batch stays in doubt batch=AZ-1-2",
        " WARN nostro_engine::watch: a branch cannot be used branch=TX error=connection refused",
    ];
    assert_eq!(marks(&server, &OF_SERVERS), []);
}

#[test]
fn the_first_line_of_each_kind_is_told_with_their_count() {
    let deadlock = "[1] ERROR:  deadlock detected";
    let panic = "[2] PANIC:  could not write to file";
    let found = marks(&["[1] LOG:  begin", deadlock, panic, "[3] ERROR:  deadlock detected"], &OF_POSTGRESQL);
    assert_eq!(found, [("PANIC:", 1, panic.to_owned()), ("deadlock detected", 2, deadlock.to_owned())]);
    for mark in OF_SERVERS {
        let line = format!("ERROR nostro: before {mark} after");
        assert_eq!(marks(&["INFO nostro: begin", &line], &OF_SERVERS), [(mark, 1, line)]);
    }
}

#[test]
fn a_log_that_is_not_there_has_no_lines() {
    assert_eq!(scan(Path::new("/nonexistent/postgresql.log.1"), &OF_POSTGRESQL).unwrap(), []);
}

/// A line that is written in other words would never be found again.
#[test]
fn servers_still_use_these_words() {
    let crates = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let mut sources = String::new();
    for name in ["nostro-api", "nostro-commit", "nostro-engine"] {
        for file in std::fs::read_dir(crates.join(name).join("src")).unwrap() {
            let path = file.unwrap().path();
            if path.is_file() {
                sources += &std::fs::read_to_string(&path).unwrap();
            }
        }
    }
    let logged: Vec<&str> = sources.lines().filter(|line| line.contains("tracing::error!")).collect();
    for mark in OF_SERVERS {
        assert!(logged.iter().any(|line| line.contains(mark)), "no tracing::error! has {mark:?} in its line");
    }
}
