//! Real servers and real databases under faults, for the tests and for `nostro-torture`.
//!
//! - [`databases`]: two clusters, migrated; [`server`]: the binary `nostro serve` on them; [`program`]: where it is
//! - [`wire`]: what lies between the two, and can hold, lose, delay and cut
//! - [`money`]: accounts and transfers by HTTP
//!
//! A rig that breaks ends the run: what goes wrong in here panics, and the panic says what was expected.
#![allow(clippy::unwrap_used, reason = "a rig that breaks ends the run")]
#![allow(clippy::indexing_slicing, clippy::missing_panics_doc)]

pub mod databases;
pub mod money;
pub mod program;
pub mod server;
pub mod wire;
