//! Real servers and real databases under faults, for the tests and for `nostro-torture`.
//!
//! - [`databases`]: two clusters, migrated; [`server`]: the binary `nostro serve` on them; [`program`]: where it is
//! - [`wire`]: what lies between the two, and can hold, lose, delay and cut
//! - [`money`]: accounts and transfers by HTTP
//!
//! The torture, in the order of its work: [`schedule`] (which faults, when, from the seed), [`stage`] (what they are
//! done to), [`faults`] (doing them), [`workload`] (clients) and [`watchers`] (audits and reads) meanwhile, what they
//! write into the [`history`], what stands in the [`books`] and in the [`logs`] at the end, the [`oracle`] that judges,
//! the [`report`], and [`torture`], which runs it all.
//!
//! A rig that breaks ends the run: what goes wrong in here panics, and the panic says what was expected.
#![allow(clippy::unwrap_used, reason = "a rig that breaks ends the run")]
#![allow(clippy::indexing_slicing, clippy::missing_panics_doc)]

pub mod books;
pub mod databases;
pub mod faults;
pub mod history;
pub mod logs;
pub mod money;
pub mod oracle;
pub mod program;
pub mod report;
pub mod schedule;
pub mod server;
pub mod stage;
pub mod torture;
pub mod watchers;
pub mod wire;
pub mod workload;
