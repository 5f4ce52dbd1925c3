//! `nostro.conf`: the settings of a cluster, included by its postgresql.conf and written anew before each start.
//!
//! The last line of a name wins, so the order is: our defaults, the durability, the caller's settings, and then what may
//! not be changed (it listens on 127.0.0.1 and in a private socket directory). The port is not in the file, it goes with
//! the start command. `ALTER SYSTEM` still wins over the file; whoever uses it knows why.

use std::fmt::Write;
use std::path::Path;

/// The name of the file in the cluster's directory.
pub(crate) const FILE: &str = "nostro.conf";

/// Appended to postgresql.conf once; relative to the data directory, so that the cluster's directory can be moved.
pub(crate) const INCLUDE: &str =
    "\n# Nostro's settings: written anew before each start, do not edit\ninclude '../nostro.conf'\n";

const DEFAULTS: [(&str, &str); 6] = [
    ("max_connections", "200"),
    // each participant of a batch in flight holds one; the engine's limit is below this
    ("max_prepared_transactions", "64"),
    ("log_line_prefix", "%m [%p] %q%a "),
    ("log_timezone", "UTC"),
    ("timezone", "UTC"),
    ("lc_messages", "C"),
];

/// What a cluster must survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Everything that PostgreSQL promises.
    Full,
    /// A killed process but not a lost machine: nothing is forced to disk, commits are still written before they are
    /// acknowledged. For tests.
    ProcessCrashOnly,
}

/// The whole file.
pub(crate) fn render(name: &str, durability: Durability, wanted: &[(String, String)], socket_dir: &Path) -> String {
    let mut file = String::from("# written by Nostro before each start\n");
    let mut set = |name: &str, value: &str| {
        writeln!(file, "{name} = {}", quoted(value)).expect("writing to a String cannot fail");
    };
    set("cluster_name", name);
    for (name, value) in DEFAULTS {
        set(name, value);
    }
    match durability {
        Durability::Full => {}
        // synchronous_commit stays on: without it a killed server loses what it acknowledged
        Durability::ProcessCrashOnly => {
            set("fsync", "off");
            set("full_page_writes", "off");
        }
    }
    for (name, value) in wanted {
        set(name, value);
    }
    set("listen_addresses", "127.0.0.1");
    set("unix_socket_directories", &format!("\"{}\"", socket_dir.display().to_string().replace('"', "\"\"")));
    set("unix_socket_permissions", "0700");
    file
}

/// A value as PostgreSQL's configuration files want it (guc-file.l).
fn quoted(value: &str) -> String {
    let escaped = value.replace('\\', "\\\\").replace('\'', "''").replace('\n', "\\n");
    format!("'{escaped}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wanted_setting_comes_after_its_default_and_before_what_is_fixed() {
        let wanted = [("max_connections", "7"), ("listen_addresses", "*")];
        let wanted: Vec<_> = wanted.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let file = render("AZ", Durability::Full, &wanted, Path::new("/d/socket"));
        let last = |name: &str| file.lines().rfind(|line| line.starts_with(name)).unwrap();
        assert_eq!(last("max_connections"), "max_connections = '7'");
        assert_eq!(last("listen_addresses"), "listen_addresses = '127.0.0.1'");
        assert_eq!(last("cluster_name"), "cluster_name = 'AZ'");
        assert_eq!(last("unix_socket_directories"), "unix_socket_directories = '\"/d/socket\"'");
        assert!(!file.contains("fsync"));
    }

    #[test]
    fn only_a_cluster_for_tests_runs_without_fsync() {
        let file = render("AZ", Durability::ProcessCrashOnly, &[], Path::new("/d"));
        assert!(file.contains("fsync = 'off'") && !file.contains("synchronous_commit"), "{file}");
    }

    #[test]
    fn a_value_cannot_leave_its_quotes() {
        assert_eq!(quoted("it's"), "'it''s'");
        assert_eq!(quoted("a\\'\nport = 1"), r"'a\\''\nport = 1'");
    }
}
