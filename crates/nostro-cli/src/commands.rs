//! The commands that talk to the API, one file each.
//!
//! - [`customer`]; [`account`] with [`account_open`], [`account_change`], [`entries`] and [`statement`]; [`transfer`],
//!   [`cash`], [`hold`], [`reverse`], [`together`]; [`status`], [`import`]; [`report`], [`audit`], [`in_doubt`]: the commands
//! - [`full_audit`]: what `audit --full` does
//! - [`moving`]: what commands that move money take; [`outcome`]: how they end, [`answered`]: how those do that change or make
//!   something and move none; [`exit`]: the codes that commands end with
//! - [`connection`]: where the API is and which key opens it
//! - [`table`]: how the terminal shows figures; [`part_file`]: a file that is there whole or not at all
//! - [`bounds`]: options that narrow a list; [`words`]: options that take one of a few words

pub(crate) mod account;
mod account_change;
mod account_open;
mod answered;
pub(crate) mod audit;
pub(crate) mod bounds;
pub(crate) mod cash;
pub(crate) mod connection;
pub(crate) mod customer;
mod entries;
pub(crate) mod exit;
pub(crate) mod full_audit;
pub(crate) mod hold;
pub(crate) mod import;
pub(crate) mod in_doubt;
pub(crate) mod moving;
pub(crate) mod outcome;
pub(crate) mod part_file;
pub(crate) mod report;
pub(crate) mod reverse;
pub(crate) mod statement;
pub(crate) mod status;
pub(crate) mod table;
pub(crate) mod together;
pub(crate) mod transfer;
pub(crate) mod words;
