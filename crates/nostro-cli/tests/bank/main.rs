//! The real binary on real PostgreSQL servers: every way to move money and every way to fail.
//!
//! The clusters, the servers and the wires between them are nostro-torture's.
//!
//! A test fails if it leaves a prepared transaction behind ([`nostro_torture::databases::Databases::finish`]).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, unreachable_pub)]

mod audit;
mod bulks;
mod chain_crashes;
mod chains;
mod changes;
mod closed_months;
mod commands;
mod concurrency;
mod console;
mod constraints;
mod demo_bank;
mod entries;
mod filters;
mod full_audit;
mod gates;
mod history;
mod holds;
mod http;
mod identity;
mod immutable;
mod import;
mod import_branches;
mod in_doubt;
mod limits;
mod links;
mod load;
mod multi_leg;
mod order;
mod outages;
mod past;
mod positions;
mod reversals;
mod schema;
mod statement_csv;
mod statements;
mod tampering;
mod tools;
mod transfers;
mod trial_balance;
mod two_servers;
mod unsent;
mod votes;
