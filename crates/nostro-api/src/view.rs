//! The shapes that the API sends, made from the engine's values.
//!
//! - [`account`]: accounts, customers and the entries of an account; [`account_change`]: changes of limits and states
//! - [`registered`]: what became of customers and accounts that were asked for
//! - [`transfer`]: transfers with the batch that carried them, and the results of a bulk; [`multi_leg`]: those with many
//!   legs
//! - [`posted`]: the same results as bytes, for the many of a bulk that were posted
//! - [`hold`]: holds as they stand
//! - [`bank`]: branches, batches in doubt, the quick audit; [`full_audit`]: full ones; [`report`]: the trial balance
//! - [`statement`]: balances and statements of past instants
//!
//! Figures are text, in minor units, on the account's normal side. Nothing is computed here but that side.

pub(crate) mod account;
pub(crate) mod account_change;
pub(crate) mod bank;
pub(crate) mod full_audit;
pub(crate) mod hold;
pub(crate) mod multi_leg;
pub(crate) mod posted;
pub(crate) mod registered;
pub(crate) mod report;
pub(crate) mod statement;
pub(crate) mod transfer;

use nostro_core::{AccountNumber, Balance, Currency, NormalSide};
use serde::{Serialize, Serializer};
use std::fmt;
use utoipa::ToSchema;

/// A whole list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Listing<T> {
    /// In a fixed order.
    pub(crate) data: Vec<T>,
}

/// A page of a list, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PageView<T> {
    /// Newest first.
    pub(crate) data: Vec<T>,
    /// For the next page; null at the end.
    pub(crate) next_cursor: Option<String>,
}

/// The side on which an account's figures are positive. The bank's cash is known by its number alone.
pub(crate) fn normal_side(number: AccountNumber, currency: Currency) -> NormalSide {
    if number.is_cash(currency) { NormalSide::Debit } else { NormalSide::Credit }
}

/// A balance as a figure on that side.
pub(crate) fn figure(side: NormalSide, balance: Balance) -> String {
    Figure::new(side, balance).to_string()
}

/// A balance on an account's normal side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figure {
    side: NormalSide,
    balance: Balance,
}

impl Figure {
    /// The balance, on this side.
    pub(crate) fn new(side: NormalSide, balance: Balance) -> Self {
        Self { side, balance }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let credits_minus_debits = self.balance.minor_units();
        match self.side {
            NormalSide::Credit => credits_minus_debits.fmt(f),
            // Wider than a bigint, whose smallest value has no opposite.
            NormalSide::Debit => (-i128::from(credits_minus_debits)).fmt(f),
        }
    }
}

/// A value that is sent as its text; it becomes text while the answer is written, without a `String` of its own.
#[derive(Clone, Debug)]
pub(crate) struct Text<T>(pub(crate) T);

impl<T: fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_positive_on_the_normal_side() {
        let usd: Currency = "USD".parse().unwrap();
        let cash = AccountNumber::cash("AZ".parse().unwrap(), usd);
        let customers: AccountNumber = "AZ93000000001042".parse().unwrap();
        for (number, balance, expected) in [
            (cash, -500, "500"),
            (cash, 0, "0"),
            (cash, i64::MIN, "9223372036854775808"),
            (customers, 500, "500"),
            (customers, -500, "-500"),
        ] {
            assert_eq!(figure(normal_side(number, usd), Balance::new(balance)), expected);
        }
        let eur: Currency = "EUR".parse().unwrap();
        assert_eq!(normal_side(cash, eur), NormalSide::Credit, "the cash of another currency");
    }
}
