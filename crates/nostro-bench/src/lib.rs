//! Load generator, baselines and measurements behind `nostro bench`.
//!
//! - [`options`]: what a bench is told; [`error`]: why it ended without figures; [`report`]: what it found
//! - `bench`: the runs one after the other, each measured and counted in the databases; `modes`: those over the API;
//!   `operations`: those of holds, captures and chains
//! - `rig`: clusters and servers as processes; `server`: one of them; `database`: connections; `machine`: the head
//! - `workload`: which transfers; `open_holds`: what may be captured; `item`: as JSON; `http`, `answer`: a connection
//!   and what comes back; `tally`: of a run; `span`: its time
//! - `bulk`, `single`, `reads`: the loads over the API
//! - `bare`, `baseline`, `tpcb`: the same without Nostro; `numbers`: batch numbers for them
//! - `rows`: all SQL that knows the bank's columns
//! - `meter`, `process`: CPU, memory and PostgreSQL's counters
//!
//! Nothing counts but posted transfers that are found in the databases afterwards, and at the end the bank's own
//! audit and a comparison of every balance with its entries must hold. The crate reads no argument and no
//! environment. The load shares the machine with what it measures, so it is lean: bodies are written into buffers
//! that are used again, answers are scanned and not parsed.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that panics has failed"))]

mod answer;
mod bare;
mod baseline;
mod bench;
mod bulk;
mod database;
pub mod error;
mod http;
mod item;
mod machine;
mod meter;
mod modes;
mod numbers;
mod open_holds;
mod operations;
pub mod options;
mod process;
mod reads;
pub mod report;
mod rig;
mod rows;
mod server;
mod single;
mod span;
mod tally;
mod tpcb;
mod workload;

pub use bench::run;
pub use database::{Branch, Durability};
pub use error::BenchError;
pub use machine::Machine;
pub use options::{Databases, Ids, Mix, Mode, Options};
pub use report::{Report, Run};
