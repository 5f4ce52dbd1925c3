//! Customers: whose accounts they are.

use crate::account_number::CustomerNumber;
use crate::line::{LineError, one_line};
use crate::time::Timestamp;
use std::fmt;

/// The name of a customer: one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(Box<str>);

impl Name {
    /// From text.
    pub fn new(text: &str) -> Result<Self, LineError> {
        one_line(text).map(Self)
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A customer of a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    /// Its number.
    pub number: CustomerNumber,
    /// Its name.
    pub name: Name,
    /// When it was created.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line() {
        let name = Name::new("Ada Lovelace").unwrap();
        assert_eq!((name.as_str(), name.to_string()), ("Ada Lovelace", "Ada Lovelace".to_owned()));
        assert_eq!(Name::new("Ada\nLovelace"), Err(LineError));
    }
}
