//! Cursors: where a page of a list ended, sealed for the client.
//!
//! A cursor carries the list that it belongs to and that list's filter, so that it cannot be carried over to
//! another. It is hexadecimal so that nobody is tempted to build one, and has a version so that its content may
//! change. It holds no secret and needs no signature: what it selects, the caller may read anyway. A filter of several
//! parts is its list's owner and then pairs, such as `AZ93000000001042~kind=...~category=...` with the values in hexadecimal.

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
    /// The filter is an account number, and what entries are filtered by.
    Entries,
    /// The filter is an account number, and what holds are filtered by.
    Holds,
    /// The filter is an account number.
    AccountChanges,
    /// The filter is an account number, and the period with its first and last line.
    Statement,
}

impl List {
    fn as_str(self) -> &'static str {
        match self {
            Self::Customers => "customers",
            Self::Accounts => "accounts",
            Self::Entries => "entries",
            Self::Holds => "holds",
            Self::AccountChanges => "changes",
            Self::Statement => "statement",
        }
    }
}

/// The text form of "after the row with this key in this list".
pub(crate) fn seal(list: List, filter: &str, before: i64) -> String {
    hex(&format!("{VERSION}:{}:{filter}:{before}", list.as_str()))
}

/// A filter of several parts: whose list it is, and the pairs in their order.
pub(crate) fn join(owner: &str, pairs: &[(&str, String)]) -> String {
    pairs.iter().fold(owner.to_owned(), |filter, (name, value)| format!("{filter}~{name}={}", hex(value)))
}

/// The parts of such a filter.
pub(crate) fn split(filter: &str) -> Option<(&str, Vec<(String, String)>)> {
    let mut parts = filter.split('~');
    let owner = parts.next()?;
    let pair = |part: &str| {
        let (name, value) = part.split_once('=')?;
        Some((name.to_owned(), String::from_utf8(unhex(value)?).ok()?))
    };
    Some((owner, parts.map(pair).collect::<Option<_>>()?))
}

fn hex(plain: &str) -> String {
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

/// The cursor is of another list, or none at all.
pub(crate) fn foreign() -> Problem {
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
    fn a_filter_of_several_parts_comes_back_as_it_was_joined() {
        for pairs in [
            vec![],
            vec![("kind", "transfer".to_owned())],
            vec![("from", "2026-11-23T08:00:00.000000Z".to_owned()), ("reference", "a~b=c: é".to_owned())],
        ] {
            let filter = join("AZ93000000001042", &pairs);
            let sealed = seal(List::Entries, &filter, 7);
            assert_eq!(open(List::Entries, &sealed).unwrap(), (filter.clone(), 7));
            let owned: Vec<(String, String)> =
                pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
            assert_eq!(split(&filter), Some(("AZ93000000001042", owned)));
        }
        for broken in ["AZ~kind", "AZ~kind=zz", "AZ~kind=f", "AZ~kind=ff"] {
            assert_eq!(split(broken), None, "{broken}");
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
