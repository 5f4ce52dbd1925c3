//! What a statement is asked for: a period or the place at which the next page begins, as JSON or as CSV.
//!
//! The first page fixes the period by the numbers of its lines, and its cursor carries them: whatever is posted later,
//! the pages of one statement fit together. Beside a cursor the period may be left out; named, it is the same.

use crate::cursor::{self, List};
use crate::fields;
use crate::parameters::Parameters;
use crate::problem::{Code, Problem};
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use nostro_core::{AccountNumber, Timestamp};
use nostro_engine::LineRange;

/// The form of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// In pages.
    Json,
    /// Whole.
    Csv,
}

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum StatementParameters {
    /// The first page of a period as JSON.
    First { period: Span, limit: u16 },
    /// A page behind it.
    Next { start: PageStart, limit: u16 },
    /// All of a period as CSV.
    Csv { period: Span },
}

/// From one instant on and before another, later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

/// Where in a statement a page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PageStart {
    pub(crate) period: Span,
    /// The statement's lines.
    pub(crate) lines: LineRange,
    /// The page begins behind this one.
    pub(crate) after: i64,
}

impl StatementParameters {
    /// From the query; the header `Accept` decides where the query names no format.
    pub(crate) fn read(parameters: &Parameters, number: AccountNumber, headers: &HeaderMap) -> Result<Self, Problem> {
        parameters.only(&["from", "to", "limit", "cursor", "format"])?;
        let format = parameters.read("format", |value| fields::text(value, format))?;
        let format = format.unwrap_or(if accepts_csv(headers) { Format::Csv } else { Format::Json });
        let (from, to) = (parameters.read("from", fields::time)?, parameters.read("to", fields::time)?);
        if format == Format::Csv {
            if let Some(name) = ["limit", "cursor"].into_iter().find(|name| parameters.value(name).is_some()) {
                return Err(invalid(format!("{name}: a CSV has no pages, it is whole")));
            }
            return Ok(Self::Csv { period: Span::of(from, to)? });
        }
        let limit = parameters.read_limit()?;
        let Some(text) = parameters.value("cursor") else {
            return Ok(Self::First { period: Span::of(from, to)?, limit });
        };
        let start = PageStart::open(number, &text)?;
        let differs = |named: Option<Timestamp>, carried| named.is_some_and(|named| named != carried);
        if differs(from, start.period.from) || differs(to, start.period.to) {
            return Err(invalid("cursor: of a statement of another period; leave from and to out beside a cursor"));
        }
        Ok(Self::Next { start, limit })
    }
}

impl Span {
    fn of(from: Option<Timestamp>, to: Option<Timestamp>) -> Result<Self, Problem> {
        let missing = |name| invalid(format!("{name}: name an instant, such as 2026-11-01T00:00:00Z"));
        let (from, to) = (from.ok_or_else(|| missing("from"))?, to.ok_or_else(|| missing("to"))?);
        if from < to { Ok(Self { from, to }) } else { Err(invalid("to: must be later than from")) }
    }
}

impl PageStart {
    /// As a cursor.
    pub(crate) fn seal(&self, number: AccountNumber) -> String {
        let Self { period: Span { from, to }, lines, after } = self;
        let pairs = [
            ("from", from.to_string()),
            ("to", to.to_string()),
            ("opening", lines.after.to_string()),
            ("closing", lines.up_to.to_string()),
        ];
        cursor::seal(List::Statement, &cursor::join(&number.to_string(), &pairs), *after)
    }

    fn open(number: AccountNumber, text: &str) -> Result<Self, Problem> {
        let (carried, after) = cursor::open(List::Statement, text)?;
        let start = (|| {
            let (owner, pairs) = cursor::split(&carried)?;
            let pairs = Parameters::of(pairs);
            let figure = |name| pairs.value(name)?.parse::<i64>().ok();
            let time = |name| pairs.read(name, fields::time).ok().flatten();
            let lines = LineRange { after: figure("opening")?, up_to: figure("closing")? };
            let start = Self { period: Span { from: time("from")?, to: time("to")? }, lines, after };
            let fits = lines.after >= 0 && (lines.after..=lines.up_to).contains(&after);
            (fits && owner == number.to_string()).then_some(start)
        })();
        start.ok_or_else(cursor::foreign)
    }
}

fn invalid(detail: impl Into<String>) -> Problem {
    Problem::new(Code::InvalidRequest, detail)
}

fn format(text: &str) -> Result<Format, &'static str> {
    match text {
        "json" => Ok(Format::Json),
        "csv" => Ok(Format::Csv),
        _ => Err("json or csv"),
    }
}

/// Whether the caller names CSV and not JSON.
fn accepts_csv(headers: &HeaderMap) -> bool {
    let ranges = headers.get_all(ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    let types: Vec<&str> = ranges
        .flat_map(|ranges| ranges.split(','))
        .map(|range| range.split(';').next().unwrap_or_default().trim())
        .collect();
    let names = |name: &str| types.iter().any(|named| named.eq_ignore_ascii_case(name));
    names("text/csv") && !names("application/json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> AccountNumber {
        "AZ93000000001042".parse().unwrap()
    }

    fn read(pairs: &[(&str, &str)], accept: &str) -> Result<StatementParameters, String> {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let headers = HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]);
        StatementParameters::read(&Parameters::of(pairs), account(), &headers).map_err(|problem| {
            let body = serde_json::to_value(problem.body("", "")).unwrap();
            body["detail"].as_str().unwrap().to_owned()
        })
    }

    const NOVEMBER: [(&str, &str); 2] = [("from", "2026-11-01T00:00:00Z"), ("to", "2026-12-01T00:00:00Z")];

    fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        NOVEMBER.iter().chain(more).copied().collect()
    }

    #[test]
    fn the_format_is_named_or_accepted() {
        let period = Span { from: NOVEMBER[0].1.parse().unwrap(), to: NOVEMBER[1].1.parse().unwrap() };
        let json = StatementParameters::First { period, limit: 50 };
        let csv = StatementParameters::Csv { period };
        for (more, accept, expected) in [
            (&[][..], "*/*", &json),
            (&[], "text/csv", &csv),
            (&[], "text/plain, TEXT/CSV;q=0.9", &csv),
            (&[], "text/csv, application/json", &json),
            (&[("format", "csv")], "application/json", &csv),
            (&[("format", "json")], "text/csv", &json),
        ] {
            assert_eq!(read(&with(more), accept).as_ref(), Ok(expected), "{more:?} {accept}");
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (pairs, detail) in [
            (vec![NOVEMBER[0]], "to: name an instant, such as 2026-11-01T00:00:00Z"),
            (vec![NOVEMBER[1]], "from: name an instant, such as 2026-11-01T00:00:00Z"),
            (vec![NOVEMBER[0], ("to", NOVEMBER[0].1)], "to: must be later than from"),
            (vec![NOVEMBER[0], ("to", "then")], "to: a time is RFC 3339, such as 2026-11-23T08:00:00.000000Z"),
            (with(&[("format", "pdf")]), "format: json or csv"),
            (with(&[("format", "csv"), ("limit", "5")]), "limit: a CSV has no pages, it is whole"),
            (with(&[("format", "csv"), ("cursor", "5")]), "cursor: a CSV has no pages, it is whole"),
            (with(&[("limit", "201")]), "limit: a whole number, 1 to 200"),
        ] {
            assert_eq!(read(&pairs, "*/*"), Err(detail.to_owned()));
        }
    }

    #[test]
    fn a_cursor_carries_the_period_and_its_lines() {
        let period = Span { from: NOVEMBER[0].1.parse().unwrap(), to: NOVEMBER[1].1.parse().unwrap() };
        let start = PageStart { period, lines: LineRange { after: 3, up_to: 90 }, after: 53 };
        let sealed = start.seal(account());
        let expected = Ok(StatementParameters::Next { start, limit: 50 });
        assert_eq!(read(&[("cursor", &sealed)], "*/*"), expected);
        assert_eq!(read(&with(&[("cursor", &sealed)]), "*/*"), expected);
        let other = [NOVEMBER[0], ("to", "2026-12-02T00:00:00Z"), ("cursor", sealed.as_str())];
        assert!(read(&other, "*/*").unwrap_err().starts_with("cursor: of a statement of another period"));
        let elsewhere: AccountNumber = AccountNumber::new("TX".parse().unwrap(), 1_042).unwrap();
        for foreign in [
            start.seal(elsewhere),
            PageStart { after: 2, ..start }.seal(account()),
            PageStart { after: 91, ..start }.seal(account()),
            PageStart { lines: LineRange { after: -1, up_to: 90 }, ..start }.seal(account()),
            cursor::seal(List::Statement, &account().to_string(), 5),
            cursor::seal(List::Entries, &account().to_string(), 5),
        ] {
            assert!(read(&[("cursor", &foreign)], "*/*").unwrap_err().starts_with("cursor: not one"));
        }
    }
}
