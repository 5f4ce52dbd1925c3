//! The options that narrow a list of entries or of holds: when, how much, with whom.
//!
//! Figures are in major units, as a person types them. Two bounds between which nothing lies are an error and not an
//! empty list.

use super::account::parse_number;
use super::exit::EXIT_USAGE;
use super::moving::amount;
use super::statement::parse_time;
use clap::Args;
use nostro_core::filter::BoundsError;
use nostro_core::{AccountNumber, Bounds, Currency, Timestamp};
use std::process::ExitCode;

/// What lists of entries and of holds take.
#[derive(Args, Debug)]
pub(crate) struct BoundsArgs {
    /// Only from this instant on, such as 2026-11-01T00:00:00Z, or from this day on (UTC), such as 2026-11-01
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    from: Option<Timestamp>,
    /// Only before this instant or day
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    to: Option<Timestamp>,
    /// Only of so much or more, in major units with exactly the currency's decimals
    #[arg(long, value_name = "AMOUNT")]
    amount_min: Option<String>,
    /// Only of so much or less
    #[arg(long, value_name = "AMOUNT")]
    amount_max: Option<String>,
    /// Only with this account on the other side
    #[arg(long, value_name = "ACCOUNT", value_parser = parse_number)]
    counterparty: Option<AccountNumber>,
}

impl BoundsArgs {
    /// The amounts are in the account's currency. What is wrong with a bound is told, and the command ends so.
    pub(crate) fn read(&self, currency: Currency) -> Result<Bounds, ExitCode> {
        let figure = |text: Option<&str>| text.map(|text| amount(currency, text)).transpose();
        let bounds = Bounds {
            from: self.from,
            to: self.to,
            amount_min: figure(self.amount_min.as_deref())?,
            amount_max: figure(self.amount_max.as_deref())?,
            counterparty: self.counterparty,
        };
        match bounds.check() {
            Ok(()) => return Ok(bounds),
            Err(BoundsError::Time) => eprintln!("--to: must be later than --from"),
            Err(BoundsError::Amount) => eprintln!("--amount-max: must be at least --amount-min"),
        }
        Err(ExitCode::from(EXIT_USAGE))
    }
}
