//! A model of the commit protocol, searched by stateright.
//!
//! The coordinator and the resolver are the real ones; the databases, the connections and whatever can go wrong
//! with them are modelled, after PostgreSQL and after `driver.rs`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, unreachable_pub)]

mod actors;
mod database;
mod machines;
mod moves;
mod mutants;
mod properties;
mod scenario;
mod scenarios;
mod trace;
mod world;
