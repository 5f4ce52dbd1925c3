//! The HTTP API: JSON over the engine, and nothing else.
//!
//! - `router`: the table of contents; each line is a route of `routes`
//! - `config`, `key`: what the binary decides; who may call
//! - `request_context`, `origin`, `authentication`, `traffic`: what happens to every request before and after its route
//! - `json`, `fields`, `body`: a body of JSON, with every broken rule named; `transfer_body`, `hold_body`,
//!   `multi_leg_body`, `bulk_body`, `register_body`, `change_body`, `audit_body`: each of its kind
//! - `parameters`, `filters`, `statement_parameters`, `cursor`: what stands in a URL
//! - `ask`, `facts`: what the engine is asked for, and what it must be told beside the body: where a hold or a transfer
//!   that the request names is recorded, and what it is
//! - `bulk`: a bulk from its items to their results; `bulk_intake`: how many bytes of bulks are in hand at one time
//! - `view`: the shapes that are sent; `answer`: the outcomes of moving money as statuses; `problem`: RFC 9457
//! - `statement_csv`: a statement as CSV, page by page
//! - `well_formed`: reading again, for bodies in which nothing is wrong, without a tree
//! - [`wire`]: the JSON of moving money as functions of bytes and values
//! - `openapi`: the description of it all, drawn from the same code
//!
//! A body is parsed into the core's types at the edge. A handler decides nothing about money: it asks the engine
//! and says what the engine answered. Whatever was not answered is `unknown`, never `failed`.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod answer;
mod ask;
mod audit_body;
mod authentication;
mod body;
mod bulk;
mod bulk_body;
mod bulk_intake;
mod change_body;
mod config;
mod cursor;
mod facts;
mod fields;
mod filters;
mod hold_body;
mod json;
mod key;
mod multi_leg_body;
mod openapi;
mod origin;
mod parameters;
mod problem;
mod register_body;
mod request_context;
mod router;
mod routes;
mod statement_csv;
mod statement_parameters;
mod traffic;
mod transfer_body;
mod view;
mod well_formed;
pub mod wire;

pub use config::ApiConfig;
pub use fields::HasBranch;
pub use key::{ApiKey, Role};
pub use problem::{Problem, problem_codes};
pub use request_context::RequestContext;
pub use router::router;
