//! The crate against a real PostgreSQL. One program, so that it links once:
//! - `lifecycle`: start, adopt, stop, wipe, and what holds while a server runs;
//! - `unclean`: what crashes and kills leave behind;
//! - `refusals`: what is refused, and that the refusal says what to do;
//! - `temporary`: clusters for tests;
//! - `place`: a directory for one test, and questions to a server.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod lifecycle;
mod place;
mod refusals;
mod temporary;
mod unclean;
