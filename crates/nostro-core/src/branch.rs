//! Branches: the code that people and the API use, and the number that stands in account keys.
//!
//! Branch order is byte order of the codes, everywhere: it decides which branch of a batch is home, and in
//! which order gates are entered.

use std::fmt;
use std::str::FromStr;

/// A branch's code, `[A-Z]{2,4}`, such as `AZ`. `Ord` is branch order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BranchCode([u8; 4]);

/// Why a text is not a [`BranchCode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a branch code is 2 to 4 capital letters, such as AZ")]
pub struct BranchCodeError;

impl BranchCode {
    /// The letters.
    pub fn as_str(&self) -> &str {
        let letters = self.0.split(|byte| *byte == 0).next().unwrap_or_default();
        std::str::from_utf8(letters).unwrap_or_default()
    }
}

impl FromStr for BranchCode {
    type Err = BranchCodeError;

    fn from_str(text: &str) -> Result<Self, BranchCodeError> {
        if !(2..=4).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(BranchCodeError);
        }
        let mut letters = [0; 4];
        for (slot, byte) in letters.iter_mut().zip(text.bytes()) {
            *slot = byte;
        }
        Ok(Self(letters))
    }
}

impl fmt::Display for BranchCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for BranchCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A branch's number, 1 to 9,000,000: the leading digits of its account keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BranchNumber(u32);

/// Why a number is not a [`BranchNumber`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a branch number is 1 to 9000000")]
pub struct BranchNumberError;

impl BranchNumber {
    /// From its figure. The bound keeps `number x 10^12 + serial` inside a bigint.
    pub fn new(number: u32) -> Result<Self, BranchNumberError> {
        if (1..=9_000_000).contains(&number) { Ok(Self(number)) } else { Err(BranchNumberError) }
    }

    /// Its figure.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for BranchNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_two_to_four_capitals_in_byte_order() {
        for code in ["AZ", "TX", "NYC", "OHIO"] {
            let read = code.parse::<BranchCode>().unwrap();
            assert_eq!((read.to_string(), format!("{read:?}")), (code.to_owned(), code.to_owned()));
        }
        for code in ["", "A", "az", "A1", "TEXAS", "ÄZ"] {
            assert_eq!(code.parse::<BranchCode>(), Err(BranchCodeError), "{code:?}");
        }
        let order = ["AA", "AAA", "AB", "TX"].map(|code| code.parse::<BranchCode>().unwrap());
        assert!(order.is_sorted());
    }

    #[test]
    fn numbers_fit_the_account_key() {
        assert!(BranchNumber::new(0).is_err());
        assert!(BranchNumber::new(9_000_001).is_err());
        let last = BranchNumber::new(9_000_000).unwrap();
        assert_eq!((last.get(), last.to_string()), (9_000_000, "9000000".to_owned()));
    }
}
