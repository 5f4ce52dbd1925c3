//! Currencies by ISO 4217, and amounts in major units for people.
//!
//! The figure on the wire and in the database is always minor units; major units exist only where a person
//! types or reads them, and then with exactly the currency's decimals, so that `10.5` is never guessed at.

use crate::amount::{AMOUNT_MAX, Amount};
use std::fmt;
use std::str::FromStr;

/// An ISO 4217 currency that has minor units (or none, as JPY): test codes and precious metals are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

/// Why a text is not a [`Currency`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a currency is a code of ISO 4217 in capitals, such as USD")]
pub struct CurrencyError;

/// Why a text in major units is not an [`Amount`] of a currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an amount of {currency} has exactly {decimals} decimals, such as {example}")]
pub struct MajorUnitsError {
    currency: Currency,
    decimals: u16,
    example: &'static str,
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
        let decimals = usize::from(self.decimals());
        let example = match decimals {
            0 => "1000",
            3 => "1000.000",
            4 => "1000.0000",
            _ => "1000.00",
        };
        let refused = MajorUnitsError { currency: self, decimals: self.decimals(), example };
        let (whole, fraction) = match text.split_once('.') {
            Some(parts) if decimals > 0 => parts,
            None if decimals == 0 => (text, ""),
            Some(_) | None => return Err(refused),
        };
        let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || fraction.len() != decimals || !plain(whole) || !plain(fraction) {
            return Err(refused);
        }
        format!("{whole}{fraction}")
            .parse()
            .ok()
            .filter(|minor_units| *minor_units <= AMOUNT_MAX)
            .and_then(|minor_units| Amount::new(minor_units).ok())
            .ok_or(refused)
    }
}

impl FromStr for Currency {
    type Err = CurrencyError;

    fn from_str(text: &str) -> Result<Self, CurrencyError> {
        let code: [u8; 3] = text.as_bytes().try_into().map_err(|_| CurrencyError)?;
        let known = iso_currency::Currency::from_code(text).ok_or(CurrencyError)?;
        if known.exponent().is_none() || text == "XXX" || text == "XTS" || known.code() != text {
            return Err(CurrencyError);
        }
        Ok(Self(code))
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
        for code in ["", "US", "usd", "USDD", "ZZZ", "XXX", "XTS", "XAU"] {
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
        for (code, typed) in [
            ("USD", "1000"),
            ("USD", "10.5"),
            ("USD", "10.500"),
            ("USD", "1,000.00"),
            ("USD", ".50"),
            ("USD", "-1.00"),
            ("USD", "0.00"),
            ("JPY", "10.0"),
            ("USD", "99999999999999999.00"),
        ] {
            assert!(currency(code).parse_major_units(typed).is_err(), "{code} {typed}");
        }
    }
}
