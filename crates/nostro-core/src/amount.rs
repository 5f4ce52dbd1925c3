//! Money as integer minor units (cents for USD, yen for JPY).
//!
//! Two types, because they have different rules: an [`Amount`] is what a transfer moves and is always positive;
//! a [`Balance`] is what an account stands at, credits minus debits, and may be negative. Arithmetic is checked
//! only; an overflow is `None`, never a wrapped figure. Floats do not occur.

use std::fmt;

/// The largest amount that one transfer can move: 18 digits, so that it fits a bigint beside other amounts.
pub const AMOUNT_MAX: i64 = 999_999_999_999_999_999;

/// A positive number of minor units, 1 to [`AMOUNT_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(i64);

/// Why a text or a number is not an [`Amount`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Not `^[1-9][0-9]{0,17}$`.
    #[error("an amount is a whole number of minor units as text, 1 to 18 digits without sign, point or leading zero")]
    NotMinorUnits,
    /// Zero, negative or above the largest amount.
    #[error("an amount is 1 to 999999999999999999 minor units")]
    OutOfRange,
}

impl Amount {
    /// From minor units.
    pub fn new(minor_units: i64) -> Result<Self, AmountError> {
        if (1..=AMOUNT_MAX).contains(&minor_units) { Ok(Self(minor_units)) } else { Err(AmountError::OutOfRange) }
    }

    /// From the API's text form, `^[1-9][0-9]{0,17}$`.
    pub fn parse(text: &str) -> Result<Self, AmountError> {
        let digits = text.as_bytes();
        let well_formed =
            matches!(digits, [b'1'..=b'9', rest @ ..] if rest.len() <= 17 && rest.iter().all(u8::is_ascii_digit));
        if !well_formed {
            return Err(AmountError::NotMinorUnits);
        }
        text.parse().map_err(|_| AmountError::NotMinorUnits).and_then(Self::new)
    }

    /// In minor units.
    pub fn minor_units(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Credits minus debits of an account, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Balance(i64);

impl Balance {
    /// Nothing credited, nothing debited.
    pub const ZERO: Self = Self(0);

    /// From minor units, credits minus debits.
    pub fn new(minor_units: i64) -> Self {
        Self(minor_units)
    }

    /// In minor units, credits minus debits.
    pub fn minor_units(self) -> i64 {
        self.0
    }

    /// After a credit; `None` beyond what a bigint holds.
    pub fn credited(self, amount: Amount) -> Option<Self> {
        self.0.checked_add(amount.0).map(Self)
    }

    /// After a debit; `None` beyond what a bigint holds.
    pub fn debited(self, amount: Amount) -> Option<Self> {
        self.0.checked_sub(amount.0).map(Self)
    }

    /// The sum of two balances; `None` beyond what a bigint holds.
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference of two balances; `None` beyond what a bigint holds.
    pub fn minus(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The same figure seen from the other side.
    pub fn negated(self) -> Option<Self> {
        self.0.checked_neg().map(Self)
    }
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_one_to_eighteen_plain_digits() {
        for (text, expected) in [
            ("1", Ok(1)),
            ("100000", Ok(100_000)),
            ("999999999999999999", Ok(AMOUNT_MAX)),
            ("", Err(AmountError::NotMinorUnits)),
            ("0", Err(AmountError::NotMinorUnits)),
            ("01", Err(AmountError::NotMinorUnits)),
            ("-1", Err(AmountError::NotMinorUnits)),
            ("+1", Err(AmountError::NotMinorUnits)),
            ("1.00", Err(AmountError::NotMinorUnits)),
            ("1e3", Err(AmountError::NotMinorUnits)),
            (" 1", Err(AmountError::NotMinorUnits)),
            ("１", Err(AmountError::NotMinorUnits)),
            ("1000000000000000000", Err(AmountError::NotMinorUnits)),
        ] {
            assert_eq!(Amount::parse(text).map(Amount::minor_units), expected, "{text:?}");
        }
        assert_eq!(Amount::new(0), Err(AmountError::OutOfRange));
        assert_eq!(Amount::new(AMOUNT_MAX + 1), Err(AmountError::OutOfRange));
    }

    #[test]
    fn an_overflow_is_none_and_never_wraps() {
        let one = Amount::new(1).unwrap();
        assert_eq!(Balance::new(i64::MAX).credited(one), None);
        assert_eq!(Balance::new(i64::MIN).debited(one), None);
        assert_eq!(Balance::new(i64::MIN).negated(), None);
        assert_eq!(Balance::new(-5).credited(Amount::new(7).unwrap()), Some(Balance::new(2)));
    }
}
