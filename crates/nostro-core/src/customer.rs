//! Customers: whose accounts they are.

use crate::account_number::CustomerNumber;
use crate::time::Timestamp;
use std::fmt;

/// A name is at most this many characters, as long as the longest field of ISO 20022 for a party.
pub const NAME_CHARS_MAX: usize = 140;

/// The name of a customer: 1 to [`NAME_CHARS_MAX`] characters, not blank, none of them a control character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(Box<str>);

/// Why a text is not a [`Name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to 140 characters, does not begin or end with a space, and has no control characters")]
pub struct NameError;

impl Name {
    /// From text.
    pub fn new(text: &str) -> Result<Self, NameError> {
        if is_line(text, NAME_CHARS_MAX) { Ok(Self(text.into())) } else { Err(NameError) }
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

/// Whether a text is one line that people can read: not empty, no space at its ends, no control characters.
pub(crate) fn is_line(text: &str, chars_max: usize) -> bool {
    !text.is_empty() && text.trim() == text && text.chars().count() <= chars_max && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line() {
        for good in ["Ada Lovelace", "李", "O'Brien & Sons"] {
            let name = Name::new(good).unwrap();
            assert_eq!((name.as_str(), name.to_string()), (good, good.to_owned()));
        }
        for bad in ["", " ", " Ada", "Ada ", "Ada\nLovelace", "\u{0}", &"x".repeat(141)] {
            assert_eq!(Name::new(bad), Err(NameError), "{bad:?}");
        }
        assert!(Name::new(&"é".repeat(140)).is_ok());
    }
}
