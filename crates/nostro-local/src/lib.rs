//! Starts, stops and wipes PostgreSQL clusters on this machine, for `nostro up` and for the tests.
//!
//! What a caller sees, from the outside in:
//! - [`Binaries`]: where PostgreSQL's programs are, and which major version they are;
//! - [`DataDir`]: one instance's directory, locked, with its version and its secrets;
//! - [`Cluster`]: one PostgreSQL server in it, started by a [`ClusterSpec`];
//! - [`TemporaryCluster`]: a cluster that lives as long as a test;
//! - [`LocalError`]: what was expected, what was found, what to do.
//!
//! Each is in the module of its name: `binaries`, `data_dir` with its `lock`, `cluster`, `temporary`, `error`. Inside:
//! `os_user` (root runs PostgreSQL as somebody else), `initdb` (making a cluster), `settings` (its configuration),
//! `port`, `socket_dir`, `pid_file` and `process` (whose server runs?), `server` (ending one), `files`.
//!
//! Calls block, and the environment is read for look-up only (PATH, HOME, XDG_CACHE_HOME, the directory for temporary
//! files). A server outlives the process that started it, on purpose: a killed `nostro up` finds its clusters again.
//! Linux only: it reads /proc. It never connects to the databases it starts.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that panics has failed"))]

mod binaries;
mod cluster;
mod data_dir;
mod error;
mod files;
mod initdb;
mod lock;
mod os_user;
mod pid_file;
mod port;
mod process;
mod server;
mod settings;
mod socket_dir;
mod temporary;

pub use binaries::{Binaries, MAJOR_MIN};
pub use cluster::{Cluster, ClusterSpec, Start};
pub use data_dir::{DATA_FORMAT, DataDir};
pub use error::LocalError;
pub use port::PortChoice;
pub use server::Stop;
pub use settings::Durability;
pub use temporary::TemporaryCluster;
