//! Why a bench ended without figures, or with figures that must not be believed.

use std::path::PathBuf;

/// A failure of the bench, or of what it measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// An option breaks its rule.
    #[error("{option}: {rule}")]
    Option {
        /// As on the command line.
        option: &'static str,
        /// The rule, and what was found.
        rule: String,
    },
    /// The data would not be on a disk.
    #[error(
        "--data {path}: its filesystem is {filesystem}, which keeps nothing on disk, so that a flush costs nothing; name a directory on a disk, such as --data /var/tmp",
        path = path.display()
    )]
    NotOnDisk {
        /// What was named.
        path: PathBuf,
        /// Its kind.
        filesystem: String,
    },
    /// A file or process of this machine.
    #[error("cannot {what}")]
    Io {
        /// What was tried.
        what: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The clusters.
    #[error("the PostgreSQL clusters")]
    Local(#[from] nostro_local::LocalError),
    /// A statement of the bench's own.
    #[error("the database refused {what}")]
    Database {
        /// What was asked for.
        what: &'static str,
        /// What it said.
        #[source]
        source: tokio_postgres::Error,
    },
    /// `nostro migrate`, `nostro serve` or pgbench ended with an error.
    #[error("{program} failed: {said}")]
    Program {
        /// Which.
        program: &'static str,
        /// The end of what it said.
        said: String,
    },
    /// The API did not answer as it must.
    #[error("the server did not answer {what}: {found}")]
    Answer {
        /// Which request.
        what: &'static str,
        /// What came instead.
        found: String,
    },
    /// The audit could not be asked for.
    #[error("the audit did not answer")]
    Audit(#[source] Box<nostro_client::ClientError>),
    /// Clients were told more than is recorded.
    #[error("{mode}: clients were told of {told} posted transfers, the databases hold {found}: transfers are lost")]
    Lost {
        /// The run.
        mode: String,
        /// By the API's answers.
        told: u64,
        /// By the tables.
        found: u64,
    },
    /// A cross-branch transfer is at one branch only.
    #[error("{mode}: {debits} transfers are recorded with their debit, {credits} with their credit: some are half")]
    Half {
        /// The run.
        mode: String,
        /// Rows that carry the debit's side.
        debits: u64,
        /// Rows that carry the credit's side.
        credits: u64,
    },
    /// The end of it all.
    #[error("the books do not balance: {found}")]
    NotBalanced {
        /// What differs.
        found: String,
    },
    /// A task of the load died.
    #[error("a task of the load died")]
    Task(#[from] tokio::task::JoinError),
}

impl BenchError {
    /// For `map_err` on a statement.
    pub(crate) fn database(what: &'static str) -> impl FnOnce(tokio_postgres::Error) -> Self {
        move |source| Self::Database { what, source }
    }

    /// For `map_err` on a file or process.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { what: what.into(), source }
    }
}
