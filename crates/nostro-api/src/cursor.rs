//! Cursors: where a page of a list ended, sealed for the client.
//!
//! A cursor carries the list that it belongs to and that list's filter, so that it cannot be carried over to
//! another. It is hexadecimal so that nobody is tempted to build one, and has a version so that its content may
//! change. It holds no secret and needs no signature: what it selects, the caller may read anyway.

use crate::problem::{Code, Problem};
use std::fmt::Write;

const VERSION: &str = "1";

/// A list that has pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List {
    /// The filter is a branch code.
    Customers,
    /// The filter is a branch code.
    Accounts,
    /// The filter is an account number.
    Entries,
    /// The filter is an account number.
    Holds,
    /// The filter is an account number.
    AccountChanges,
}

impl List {
    fn as_str(self) -> &'static str {
        match self {
            Self::Customers => "customers",
            Self::Accounts => "accounts",
            Self::Entries => "entries",
            Self::Holds => "holds",
            Self::AccountChanges => "changes",
        }
    }
}

/// The text form of "after the row with this key in this list".
pub(crate) fn seal(list: List, filter: &str, before: i64) -> String {
    let plain = format!("{VERSION}:{}:{filter}:{before}", list.as_str());
    plain.bytes().fold(String::with_capacity(plain.len() * 2), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The filter and the key of a cursor of this list.
pub(crate) fn open(list: List, cursor: &str) -> Result<(String, i64), Problem> {
    let opened = (|| {
        let plain = String::from_utf8(unhex(cursor)?).ok()?;
        let mut parts = plain.split(':');
        let (version, of, filter, before) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let ours = version == VERSION && of == list.as_str() && parts.next().is_none();
        ours.then(|| before.parse().ok().map(|before| (filter.to_owned(), before))).flatten()
    })();
    opened.ok_or_else(foreign)
}

/// The key of a cursor of this list with this filter.
pub(crate) fn open_for(list: List, filter: &str, cursor: &str) -> Result<i64, Problem> {
    let (of, before) = open(list, cursor)?;
    if of == filter { Ok(before) } else { Err(foreign()) }
}

fn foreign() -> Problem {
    Problem::new(Code::InvalidRequest, "cursor: not one that this list answered with; begin without a cursor")
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes().chunks(2).map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_was_sealed() {
        for (list, filter, before) in [
            (List::Customers, "AZ", 1_900_000_000_001),
            (List::Accounts, "OHIO", i64::MAX),
            (List::Entries, "AZ93000000001042", 0),
        ] {
            let sealed = seal(list, filter, before);
            assert!(sealed.bytes().all(|byte| byte.is_ascii_hexdigit()), "{sealed}");
            assert_eq!(open(list, &sealed).unwrap(), (filter.to_owned(), before));
            assert_eq!(open_for(list, filter, &sealed).unwrap(), before);
            assert!(open_for(list, "TX", &sealed).is_err());
        }
    }

    #[test]
    fn a_cursor_of_another_list_or_none_at_all_is_refused() {
        let sealed = seal(List::Customers, "AZ", 5);
        assert!(open(List::Accounts, &sealed).is_err());
        let other_version: String = "2:customers:AZ:5".bytes().map(|byte| format!("{byte:02x}")).collect();
        for text in ["", "5", "zz", "é", "31", &sealed[1..], &format!("{sealed}3a"), &other_version] {
            let problem = open(List::Customers, text).unwrap_err();
            assert_eq!(serde_json::to_value(problem.body("", "")).unwrap()["code"], "invalid_request", "{text:?}");
        }
    }
}
