//! Atomic commit across PostgreSQL databases: two-phase commit with the last-agent optimisation.
//!
//! A batch is one transaction over a *home* and any number of *participants*. The participants are prepared, the
//! home never is: its ordinary commit, which carries the decision row, is the decision (Gray & Reuter,
//! "Transaction Processing", 1993, last agent). `resolve` settles any batch in doubt, for a coordinator, for
//! recovery and for an operator alike. This crate knows nothing of banks.
//!
//! - [`id`]: deployment, part, batch, gid
//! - [`coordinator`], [`resolver`]: what to send next, as state machines without IO
//! - [`token`]: nobody sends COMMIT PREPARED without a decision
//! - [`message`]: every message of the protocol, numbered
//! - [`statement`]: the SQL of the protocol; [`classify`]: what an SQLSTATE means at each step
//! - [`link`], [`connector`]: a connection that remembers warnings, and how one is made and identified
//! - [`driver`]: runs the machines over connections; [`recovery`]: finds what a dead coordinator left
//! - [`number`]: batch numbers, never handed out twice
//! - [`sources`]: an error in one line, with what caused it
//! - [`schema`]: the tables `batch`, `participation`, `batch_number`

pub mod classify;
pub mod connector;
pub mod coordinator;
pub mod driver;
pub mod id;
pub mod link;
pub mod message;
pub mod number;
pub mod recovery;
pub mod resolver;
pub mod schema;
pub mod sources;
pub mod statement;
pub mod token;

pub use connector::{ConnectError, Connector, Identity};
pub use coordinator::Verdict;
pub use id::{Batch, BatchId, Deployment, Gid, IdError, Part, Participants};
pub use link::Link;
pub use message::Message;
pub use sources::with_sources;
