//! A model of the commit protocol, searched by stateright.
//!
//! The coordinator and the resolver are the real ones; the databases, the connections and whatever can go wrong
//! with them are modelled, after PostgreSQL and after `driver.rs`. It must not repeat a decision of the machines:
//! what they do is asked of them.
//!
//! - `world`: one state; `database`: what PostgreSQL does with each statement
//! - `machines`: the real machines as tables; `actors`: their shells; `moves`: what may happen next
//! - `scenario`: what is searched, as stateright's `Model`; `properties`: what must hold; `trace`: a path in words
//! - `scenarios`, `mutants`: the tests
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
