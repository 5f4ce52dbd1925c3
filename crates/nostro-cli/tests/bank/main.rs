//! The real binary on real PostgreSQL servers: every way to move money and every way to fail.
//!
//! - [`databases`]: two clusters of a test's own; [`server`]: the binary `nostro serve` on them
//! - [`proxy`]: a wire between the two that can hold a message of the commit protocol
//! - [`money`]: accounts and transfers by HTTP
//!
//! A test fails if it leaves a prepared transaction behind ([`databases::Databases::finish`]).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, unreachable_pub)]

mod databases;
mod money;
mod proxy;
mod server;

mod audit;
mod concurrency;
mod console;
mod demo_bank;
mod http;
mod identity;
mod kill;
mod outages;
mod schema;
mod tools;
mod transfers;
mod two_servers;
mod votes;
