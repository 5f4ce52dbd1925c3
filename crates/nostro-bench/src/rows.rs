//! All SQL of the bench that knows the columns of the bank's tables, and nothing else.
//!
//! The rows are those that the engine writes: both branches' accounts, transfer rows, nets with their hash, the
//! decision row and the marker row. When the tables change, these are the files to change.
//!
//! - [`opening`]: accounts with an opening balance
//! - [`batch`]: the rows of a batch, as sets; [`one_by_one`]: those of one transfer
//! - [`protocol`]: decision, marker, PREPARE
//! - [`counts`]: what a run left

pub(crate) mod batch;
pub(crate) mod counts;
pub(crate) mod one_by_one;
pub(crate) mod opening;
pub(crate) mod protocol;

use nostro_core::Currency;

/// Of every account and transfer of the bench.
pub(crate) const CURRENCY: &str = "USD";

pub(crate) fn currency() -> Currency {
    CURRENCY.parse().expect("USD is a currency")
}
