//! Every way in which a local cluster can fail to be there.
//!
//! The text is for the person who typed `nostro up`: what was expected, what was found, and the command that mends it.
//! It never contains its source; whoever prints it walks the chain.

use std::io;
use std::path::{Path, PathBuf};

use crate::binaries::MAJOR_MIN;
use crate::data_dir::DATA_FORMAT;

/// A failure to find, make, start, stop or wipe a local cluster.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalError {
    /// No place held usable PostgreSQL programs.
    #[error(
        "no PostgreSQL {MAJOR_MIN} or newer was found; looked at:{}\n\
         do one of: `apt-get install postgresql`, `make postgres`, or name the directory of initdb, pg_ctl and \
         postgres with --pg-bin",
        list(looked)
    )]
    NoPostgres {
        /// Each place looked at, with what was found there.
        looked: Vec<String>,
    },

    /// The directory that was named does not hold what it should.
    #[error(
        "expected PostgreSQL's programs in {}, found {found}\n\
         name the directory that holds initdb, pg_ctl and postgres with --pg-bin (NOSTRO_PG_BIN), or leave it out and \
         the usual places are searched",
        dir.display()
    )]
    BadBinaries {
        /// The directory that was named.
        dir: PathBuf,
        /// What is wrong with it.
        found: String,
    },

    /// The directory that was named holds an old PostgreSQL.
    #[error(
        "expected PostgreSQL {MAJOR_MIN} or newer in {}, found {found}\n\
         `apt-get install postgresql`, then name its directory with --pg-bin (NOSTRO_PG_BIN)",
        dir.display()
    )]
    OldPostgres {
        /// The directory that was named.
        dir: PathBuf,
        /// Its major version.
        found: u32,
    },

    /// PostgreSQL refuses to run as root, and there is nobody else.
    #[error(
        "PostgreSQL refuses to run as root, and /etc/passwd has neither a user postgres nor nobody to run it\n\
         run Nostro as an ordinary user, or `useradd --system postgres`"
    )]
    NoUser,

    /// The user that runs PostgreSQL cannot reach a directory.
    #[error(
        "PostgreSQL runs as user {user}, who cannot enter {}, so not reach {}\n\
         `chmod o+x {}`, or choose another directory with --data",
        blocked_by.display(), path.display(), blocked_by.display()
    )]
    NotReachable {
        /// The directory wanted.
        path: PathBuf,
        /// The first of its parents (or itself) that cannot be entered.
        blocked_by: PathBuf,
        /// The user that runs PostgreSQL.
        user: String,
    },

    /// Another instance uses the directory.
    #[error(
        "expected {} to be free, found it in use by {}\n\
         stop that one first, or choose another directory with --data",
        path.display(), process(*pid)
    )]
    Locked {
        /// The instance's directory.
        path: PathBuf,
        /// The process that holds it, where it said so.
        pid: Option<u32>,
    },

    /// A directory with other things in it.
    #[error(
        "expected {} to be empty or a Nostro data directory, found {found:?} and no VERSION file\n\
         choose another directory with --data, or move what is in this one",
        path.display()
    )]
    NotOurs {
        /// The directory.
        path: PathBuf,
        /// One of the things in it.
        found: String,
    },

    /// A data directory of another version of Nostro.
    #[error(
        "expected a data directory of format {DATA_FORMAT}, found {} saying {found:?}\n\
         use the version of Nostro that made it, or choose another directory with --data",
        path.display()
    )]
    OtherFormat {
        /// The VERSION file.
        path: PathBuf,
        /// Its content.
        found: String,
    },

    /// The cluster was made by another major version of PostgreSQL.
    #[error(
        "expected a cluster of PostgreSQL {expected} in {}, found one of PostgreSQL {found}\n\
         name that version with --pg-bin (on Debian /usr/lib/postgresql/{found}/bin), or delete {} to start afresh",
        data.display(), home.display()
    )]
    OtherMajor {
        /// PostgreSQL's data directory.
        data: PathBuf,
        /// The cluster's directory.
        home: PathBuf,
        /// The major version of the programs in use.
        expected: u32,
        /// What PG_VERSION says.
        found: String,
    },

    /// A cluster's directory without a cluster.
    #[error(
        "expected a PostgreSQL cluster in {}, found no PG_VERSION there\n\
         restore it from a backup, or delete {} to start afresh",
        data.display(), home.display()
    )]
    Damaged {
        /// PostgreSQL's data directory.
        data: PathBuf,
        /// The cluster's directory.
        home: PathBuf,
    },

    /// The port that was named is taken.
    #[error(
        "expected port {port} to be free for cluster {cluster}, found another program on it\n\
         `ss -ltnp 'sport = :{port}'` shows which; stop it, or give {cluster} another port (`nostro up --help`)"
    )]
    PortInUse {
        /// The port that was named.
        port: u16,
        /// The cluster it was for.
        cluster: String,
    },

    /// A whole range of ports is taken.
    #[error(
        "expected a free port for cluster {cluster} between {first} and {last}, found all of them in use\n\
         give {cluster} a port in another range (`nostro up --help`)"
    )]
    NoFreePort {
        /// The cluster it was for.
        cluster: String,
        /// First port tried.
        first: u16,
        /// Last port tried.
        last: u16,
    },

    /// initdb failed.
    #[error("initdb could not make cluster {cluster}; it said:\n{output}")]
    InitFailed {
        /// The cluster's name.
        cluster: String,
        /// The end of what initdb wrote.
        output: String,
    },

    /// PostgreSQL did not start.
    #[error("PostgreSQL did not start for cluster {cluster}; the end of {}:\n{tail}", log.display())]
    StartFailed {
        /// The cluster's name.
        cluster: String,
        /// Its log.
        log: PathBuf,
        /// What this start wrote to it.
        tail: String,
    },

    /// After a start, something else than our server is there.
    #[error(
        "expected the server of cluster {cluster} on port {port}, found {found}\n\
         look at {}, then start again",
        log.display()
    )]
    UnexpectedServer {
        /// The cluster's name.
        cluster: String,
        /// The port it was started with.
        port: u16,
        /// What was found.
        found: String,
        /// Its log.
        log: PathBuf,
    },

    /// A server did not end.
    #[error(
        "expected the PostgreSQL server in {} (process {pid}) to end within {waited_s} s, found it still running\n\
         look at its log; `kill -QUIT {pid}` ends it without waiting for anybody",
        data.display()
    )]
    StopTimeout {
        /// PostgreSQL's data directory.
        data: PathBuf,
        /// The postmaster.
        pid: u32,
        /// How long it was given.
        waited_s: u64,
    },

    /// Processes of a dead server hold its memory.
    #[error(
        "expected nothing left of the dead server in {}, found processes that still use its memory{}\n\
         end them (`ps -u postgres -f` shows them), then start again",
        data.display(), pids(pids_left)
    )]
    Remains {
        /// PostgreSQL's data directory.
        data: PathBuf,
        /// The processes, where they can be told.
        pids_left: Vec<u32>,
    },

    /// The operating system refused.
    #[error("could not {doing} {}", path.display())]
    Io {
        /// What was tried, a verb.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl LocalError {
    /// For `map_err`: says what was tried on which path.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LocalError {
        move |source| LocalError::Io { doing, path: path.to_owned(), source }
    }
}

fn list(looked: &[String]) -> String {
    looked.iter().map(|place| format!("\n  {place}")).collect()
}

fn process(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another Nostro".to_owned(), |pid| format!("Nostro process {pid}"))
}

fn pids(pids: &[u32]) -> String {
    let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
    if pids.is_empty() { String::new() } else { format!(": {}", pids.join(" ")) }
}
