//! A statement as CSV (RFC 4180): a header, the opening balance, the entries oldest first, the closing balance.
//!
//! It is written page by page, as the caller takes it, and each page is a question of its own: nothing of it is kept
//! here, and no connection to the database is held for a caller that is slow. A statement that cannot be written to its
//! end breaks the answer off, so that it is never taken for whole; and its last row says that it is.
//!
//! Figures are minor units with their currency beside them, as in JSON. The payer's text is the one cell that others
//! write: where a spreadsheet would take it for a formula, an apostrophe stands before it.

use crate::view::figure;
use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use csv::{Terminator, WriterBuilder};
use futures_util::stream;
use nostro_core::{Currency, Entry, NormalSide, Timestamp};
use nostro_engine::{Engine, LINES_AT_A_TIME_MAX, LineRange, PastError, Standing, Statement};
use std::borrow::Cow;
use std::io;
use std::sync::Arc;

const CSV: &str = "text/csv; charset=utf-8; header=present";
const COLUMNS: usize = 11;
const HEADER: [&str; COLUMNS] = [
    "seq",
    "posted_at",
    "kind",
    "side",
    "amount",
    "balance_after",
    "currency",
    "counterparty",
    "category",
    "reference",
    "transfer",
];

/// A statement that is being written.
struct Writing {
    engine: Engine,
    statement: Statement,
    request_id: Arc<str>,
    /// The last line that was written.
    after: i64,
    /// The first page, which was read before the answer began.
    first: Option<Vec<Entry>>,
    is_whole: bool,
}

/// The answer. Its first page is read before, so that what fails then is a problem and not a broken answer.
pub(crate) async fn response(
    engine: Engine,
    statement: Statement,
    request_id: Arc<str>,
) -> Result<Response, PastError> {
    let number = statement.account.number;
    let first = engine.lines(number, next_page(&statement, statement.opening.seq)).await?;
    let after = statement.opening.seq;
    let writing = Writing { engine, statement, request_id, after, first: Some(first), is_whole: false };
    let name = format!("attachment; filename=\"statement-{number}.csv\"");
    let name = HeaderValue::from_str(&name).expect("an account number is letters and digits");
    let headers = [(CONTENT_TYPE, HeaderValue::from_static(CSV)), (CONTENT_DISPOSITION, name)];
    Ok((headers, Body::from_stream(stream::try_unfold(writing, write))).into_response())
}

fn next_page(statement: &Statement, after: i64) -> LineRange {
    LineRange { after, up_to: statement.closing.seq.min(after.saturating_add(LINES_AT_A_TIME_MAX)) }
}

/// The next page, if there is one.
async fn write(mut writing: Writing) -> Result<Option<(Bytes, Writing)>, io::Error> {
    if writing.is_whole {
        return Ok(None);
    }
    let page = next_page(&writing.statement, writing.after);
    let first = writing.first.take();
    let is_first = first.is_some();
    let lines = match first {
        Some(lines) => lines,
        None => match writing.engine.lines(writing.statement.account.number, page).await {
            Ok(lines) => lines,
            Err(error) => {
                let request_id = &writing.request_id;
                tracing::warn!(%request_id, ?error, "a statement was broken off, because its lines could not be read");
                return Err(io::Error::other("the statement could not be written to its end"));
            }
        },
    };
    writing.after = page.up_to;
    writing.is_whole = page.up_to == writing.statement.closing.seq;
    let ends = Ends { opening: is_first, closing: writing.is_whole };
    Ok(Some((text(&writing.statement, &lines, ends).into(), writing)))
}

/// Which ends of the statement a page has.
#[derive(Clone, Copy)]
struct Ends {
    opening: bool,
    closing: bool,
}

fn text(statement: &Statement, lines: &[Entry], ends: Ends) -> Vec<u8> {
    let account = &statement.account;
    let (side, currency) = (account.kind.normal_side(), account.currency);
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    let mut rows = Vec::with_capacity(lines.len() + 3);
    if ends.opening {
        rows.push(HEADER.map(Cow::Borrowed));
        rows.push(balance("opening_balance", statement.from, statement.opening, side, currency));
    }
    rows.extend(lines.iter().map(|entry| line(entry, side, currency)));
    if ends.closing {
        rows.push(balance("closing_balance", statement.to, statement.closing, side, currency));
    }
    for row in &rows {
        writer.write_record(row.iter().map(|cell| cell.as_bytes())).expect("a Vec takes every byte");
    }
    writer.into_inner().expect("a Vec takes every byte")
}

type Row<'a> = [Cow<'a, str>; COLUMNS];

fn line<'a>(entry: &'a Entry, side: NormalSide, currency: Currency) -> Row<'a> {
    let reference = entry.reference.as_ref().map_or(Cow::Borrowed(""), |reference| harmless(reference.as_str()));
    [
        entry.seq.to_string().into(),
        entry.posted_at.to_string().into(),
        entry.kind.as_str().into(),
        entry.side.as_str().into(),
        entry.amount.to_string().into(),
        figure(side, entry.balance_after).into(),
        currency.to_string().into(),
        entry.counterparty.to_string().into(),
        entry.category.to_string().into(),
        reference,
        entry.transfer.to_string().into(),
    ]
}

fn balance(
    kind: &'static str,
    at: Timestamp,
    standing: Standing,
    side: NormalSide,
    currency: Currency,
) -> Row<'static> {
    let empty = || Cow::Borrowed("");
    [
        standing.seq.to_string().into(),
        at.to_string().into(),
        kind.into(),
        empty(),
        empty(),
        figure(side, standing.balance).into(),
        currency.to_string().into(),
        empty(),
        empty(),
        empty(),
        empty(),
    ]
}

/// A text that no spreadsheet takes for a formula (OWASP, CSV injection).
fn harmless(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}").into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nostro_core::transfer::Side;
    use nostro_core::{Account, AccountKind, AccountState, Amount, Balance, Reference, TransferId, TransferKind};

    fn statement() -> Statement {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let account = Account {
            number: "AZ93000000001042".parse().unwrap(),
            customer: None,
            kind: AccountKind::Checking,
            currency: "USD".parse().unwrap(),
            balance: Balance::ZERO,
            held: Balance::ZERO,
            overdraft_limit: Balance::ZERO,
            ceiling: None,
            limit_exceeded: false,
            state: AccountState::Open,
            opened_at: at("2026-10-01T00:00:00Z"),
            seq: 9,
        };
        Statement {
            account,
            from: at("2026-11-01T00:00:00Z"),
            to: at("2026-12-01T00:00:00Z"),
            opening: Standing { seq: 1, balance: Balance::new(500) },
            closing: Standing { seq: 2, balance: Balance::new(-700) },
        }
    }

    fn entry(reference: &str) -> Entry {
        Entry {
            seq: 2,
            transfer: TransferId("01938e1c-93d2-7cc4-9ac4-6a8df2a3c001".parse().unwrap()),
            kind: TransferKind::Transfer,
            side: Side::Debit,
            amount: Amount::new(1_200).unwrap(),
            balance_after: Balance::new(-700),
            counterparty: "TX25000000001042".parse().unwrap(),
            category: 7,
            reference: Some(Reference::new(reference).unwrap()),
            posted_at: "2026-11-23T08:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn a_statement_begins_and_ends_with_its_balances() {
        let written = text(&statement(), &[entry("rent, \"May\"")], Ends { opening: true, closing: true });
        let expected = "\
            seq,posted_at,kind,side,amount,balance_after,currency,counterparty,category,reference,transfer\r\n\
            1,2026-11-01T00:00:00.000000Z,opening_balance,,,500,USD,,,,\r\n\
            2,2026-11-23T08:00:00.000000Z,transfer,debit,1200,-700,USD,TX25000000001042,7,\"rent, \"\"May\"\"\",\
            01938e1c-93d2-7cc4-9ac4-6a8df2a3c001\r\n\
            2,2026-12-01T00:00:00.000000Z,closing_balance,,,-700,USD,,,,\r\n";
        assert_eq!(String::from_utf8(written).unwrap(), expected);
    }

    #[test]
    fn a_page_in_the_middle_has_lines_only() {
        let written = text(&statement(), &[entry("rent")], Ends { opening: false, closing: false });
        assert_eq!(String::from_utf8(written).unwrap().lines().count(), 1);
    }

    #[test]
    fn no_text_of_a_payer_is_a_formula() {
        for (reference, cell) in [
            ("=HYPERLINK(0)", "'=HYPERLINK(0)"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@sum", "'@sum"),
            ("\tx", "'\tx"),
            ("\rx", "'\rx"),
            ("rent = 5", "rent = 5"),
            ("", ""),
        ] {
            assert_eq!(harmless(reference), cell);
        }
        let usd = "USD".parse().unwrap();
        assert_eq!(line(&entry("=1+1"), NormalSide::Credit, usd)[9], "'=1+1");
    }
}
