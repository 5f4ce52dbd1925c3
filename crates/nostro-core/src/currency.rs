//! Currencies by ISO 4217, and amounts in major units for people.
//!
//! The figure on the wire and in the database is always minor units; major units exist only where a person
//! types or reads them, and then with exactly the currency's decimals, so that `10.5` is never guessed at.

use crate::amount::{AMOUNT_MAX, Amount, Balance};
use foldhash::HashSet;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

/// An ISO 4217 currency that has minor units (or none, as JPY): test codes and precious metals are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

/// Why a text is not a [`Currency`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a currency is a code of ISO 4217 in capitals, such as USD")]
pub struct CurrencyError;

/// Why a text in major units is not an [`Amount`] of a currency, or a limit in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MajorUnitsError {
    /// Not digits with the currency's decimals.
    #[error("an amount of {currency} is digits with exactly {decimals} decimals, such as {example}")]
    Form {
        /// Of which currency.
        currency: Currency,
        /// How many digits stand after its point.
        decimals: u16,
        /// A thousand of it.
        example: &'static str,
    },
    /// Nothing, where something is to move.
    #[error("an amount is more than zero")]
    Zero,
    /// More than one transfer can move.
    #[error("an amount of {0} is at most {max}", max = .0.major_units(AMOUNT_MAX))]
    TooLarge(Currency),
}

impl Currency {
    /// The three capitals.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }

    /// Digits after the point in major units: 2 for USD, 0 for JPY, 3 for BHD.
    pub fn decimals(self) -> u16 {
        iso_currency::Currency::from_code(self.code()).and_then(|found| found.exponent()).unwrap_or(0)
    }

    /// The three digits of ISO 4217: 840 for USD.
    pub fn numeric(self) -> u16 {
        iso_currency::Currency::from_code(self.code()).map_or(0, iso_currency::Currency::numeric)
    }

    /// Minor units as people read them: `100000` of USD is `1000.00`.
    pub fn major_units(self, minor_units: i64) -> String {
        let decimals = usize::from(self.decimals());
        let sign = if minor_units < 0 { "-" } else { "" };
        let digits = format!("{:0>width$}", minor_units.unsigned_abs(), width = decimals.saturating_add(1));
        let (whole, fraction) = digits.split_at(digits.len().saturating_sub(decimals));
        if decimals == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    }

    /// What a person typed, `1000.00` for USD, with exactly the currency's decimals.
    pub fn parse_major_units(self, text: &str) -> Result<Amount, MajorUnitsError> {
        let minor_units = self.minor_units(text)?;
        if minor_units == 0 {
            return Err(MajorUnitsError::Zero);
        }
        Amount::new(minor_units).map_err(|_| MajorUnitsError::TooLarge(self))
    }

    /// The same of a limit, which may be zero; `0` will do for it.
    pub fn parse_limit(self, text: &str) -> Result<Balance, MajorUnitsError> {
        let minor_units = if text == "0" { 0 } else { self.minor_units(text)? };
        if minor_units > AMOUNT_MAX { Err(MajorUnitsError::TooLarge(self)) } else { Ok(Balance::new(minor_units)) }
    }

    /// Zero or more.
    fn minor_units(self, text: &str) -> Result<i64, MajorUnitsError> {
        let decimals = usize::from(self.decimals());
        let example = match decimals {
            0 => "1000",
            3 => "1000.000",
            4 => "1000.0000",
            _ => "1000.00",
        };
        let refused = MajorUnitsError::Form { currency: self, decimals: self.decimals(), example };
        let (whole, fraction) = match text.split_once('.') {
            Some(parts) if decimals > 0 => parts,
            None if decimals == 0 => (text, ""),
            Some(_) | None => return Err(refused),
        };
        let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || fraction.len() != decimals || !plain(whole) || !plain(fraction) {
            return Err(refused);
        }
        format!("{whole}{fraction}").parse().map_err(|_| MajorUnitsError::TooLarge(self))
    }
}

/// The codes. A code is read at every posting, and the library's look-up compares it with one after the other. Without minor
/// units are metals, funds, tests and no currency at all (`XXX`).
static CODES: LazyLock<HashSet<[u8; 3]>> = LazyLock::new(|| {
    let capitals = || b'A'..=b'Z';
    let pairs = capitals().flat_map(|first| capitals().map(move |second| [first, second]));
    let codes = pairs.flat_map(|[first, second]| capitals().map(move |third| [first, second, third]));
    let is_known = |code: &[u8; 3]| {
        let found = std::str::from_utf8(code).ok().and_then(iso_currency::Currency::from_code);
        found.is_some_and(|currency| currency.exponent().is_some())
    };
    codes.filter(is_known).collect()
});

impl FromStr for Currency {
    type Err = CurrencyError;

    fn from_str(text: &str) -> Result<Self, CurrencyError> {
        let code: [u8; 3] = text.as_bytes().try_into().map_err(|_| CurrencyError)?;
        if CODES.contains(&code) { Ok(Self(code)) } else { Err(CurrencyError) }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn currency(code: &str) -> Currency {
        code.parse().unwrap()
    }

    #[test]
    fn codes_are_those_of_iso_4217() {
        for code in ["USD", "EUR", "JPY", "BHD", "MXN"] {
            assert_eq!(currency(code).code(), code);
        }
        assert_eq!((currency("USD").numeric(), currency("EUR").numeric()), (840, 978));
        assert_eq!(currency("USD").to_string(), "USD");
        for code in ["", "US", "usd", "Usd", "USDD", "ZZZ", "XXX", "XTS", "XAU"] {
            assert_eq!(code.parse::<Currency>(), Err(CurrencyError), "{code:?}");
        }
    }

    #[test]
    fn major_units_have_exactly_the_decimals_of_the_currency() {
        for (code, minor, major) in [
            ("USD", 100_000, "1000.00"),
            ("USD", 5, "0.05"),
            ("USD", -500_075, "-5000.75"),
            ("USD", 0, "0.00"),
            ("JPY", 1000, "1000"),
            ("BHD", 1, "0.001"),
        ] {
            assert_eq!(currency(code).major_units(minor), major);
            if minor > 0 {
                assert_eq!(currency(code).parse_major_units(major).map(Amount::minor_units), Ok(minor));
            }
        }
    }

    #[test]
    fn what_is_wrong_with_an_amount_is_told() {
        let form = |code: &str, decimals: u16, example: &str| {
            format!("an amount of {code} is digits with exactly {decimals} decimals, such as {example}")
        };
        for (code, typed, expected) in [
            ("USD", "1000", form("USD", 2, "1000.00")),
            ("USD", "", form("USD", 2, "1000.00")),
            ("USD", "10.5", form("USD", 2, "1000.00")),
            ("USD", "10.500", form("USD", 2, "1000.00")),
            ("USD", "1,000.00", form("USD", 2, "1000.00")),
            ("USD", "10.5x", form("USD", 2, "1000.00")),
            ("USD", ".50", form("USD", 2, "1000.00")),
            ("USD", "-1.00", form("USD", 2, "1000.00")),
            ("USD", "1.00.00", form("USD", 2, "1000.00")),
            ("JPY", "10.0", form("JPY", 0, "1000")),
            ("JPY", "10.", form("JPY", 0, "1000")),
            ("BHD", "10", form("BHD", 3, "1000.000")),
            ("CLF", "10", form("CLF", 4, "1000.0000")),
            ("USD", "0.00", "an amount is more than zero".to_owned()),
            ("JPY", "0", "an amount is more than zero".to_owned()),
            ("USD", "10000000000000000.00", "an amount of USD is at most 9999999999999999.99".to_owned()),
            ("USD", "99999999999999999999.00", "an amount of USD is at most 9999999999999999.99".to_owned()),
        ] {
            let error = currency(code).parse_major_units(typed).map_err(|error| error.to_string());
            assert_eq!(error, Err(expected), "{code} {typed}");
        }
        assert_eq!(currency("USD").parse_major_units("9999999999999999.99").map(Amount::minor_units), Ok(AMOUNT_MAX));
    }

    #[test]
    fn a_limit_may_be_zero() {
        let limit = |typed| currency("USD").parse_limit(typed).map(Balance::minor_units);
        assert_eq!([limit("0"), limit("0.00"), limit("7.50")], [Ok(0), Ok(0), Ok(750)]);
        assert_eq!(limit("9999999999999999.99"), Ok(AMOUNT_MAX));
        assert_eq!(limit("10000000000000000.00"), Err(MajorUnitsError::TooLarge(currency("USD"))));
        for typed in ["", "00", "0.0", "-1.00", "none"] {
            assert!(matches!(limit(typed), Err(MajorUnitsError::Form { .. })), "{typed}");
        }
    }
}
