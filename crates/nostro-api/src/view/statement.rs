//! What an account was at a past instant: balances and statements.

use crate::view::account::EntryView;
use crate::view::{Text, figure};
use nostro_core::{AccountNumber, Currency, Entry, Timestamp};
use nostro_engine::{BalanceAt, LineRange, Statement, Sums};
use serde::Serialize;
use utoipa::ToSchema;

/// An account's balance at an instant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BalanceAt)]
pub(crate) struct BalanceView {
    #[schema(value_type = String, example = "AZ93000000001042")]
    account: Text<AccountNumber>,
    #[schema(value_type = String, example = "USD")]
    currency: Text<Currency>,
    /// `debit` or `credit`: where the figures are positive.
    #[schema(example = "credit")]
    normal_side: &'static str,
    /// The instant that was asked for, or the branch's clock. In the latter case it is not final: what is under way may
    /// still be posted with an earlier time.
    #[schema(value_type = String, example = "2026-11-23T08:00:00.000000Z")]
    at: Text<Timestamp>,
    /// Minor units, on the normal side: what all entries up to the instant add up to.
    #[schema(example = "500075")]
    posted: String,
    /// The number of the last entry at or before the instant; `0` before the first.
    #[schema(value_type = String, example = "17")]
    seq: Text<i64>,
}

impl From<&BalanceAt> for BalanceView {
    fn from(found: &BalanceAt) -> Self {
        let BalanceAt { account, at, standing } = found;
        let side = account.kind.normal_side();
        Self {
            account: Text(account.number),
            currency: Text(account.currency),
            normal_side: side.as_str(),
            at: Text(*at),
            posted: figure(side, standing.balance),
            seq: Text(standing.seq),
        }
    }
}

/// A page of a statement, oldest first. The period's figures are on its first page.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Statement)]
pub(crate) struct StatementView {
    #[schema(value_type = String, example = "AZ93000000001042")]
    account: Text<AccountNumber>,
    #[schema(value_type = String, example = "USD")]
    currency: Text<Currency>,
    /// `debit` or `credit`: where the figures are positive.
    #[schema(example = "credit")]
    normal_side: &'static str,
    /// The first instant of the period.
    #[schema(value_type = String, example = "2026-11-01T00:00:00.000000Z")]
    from: Text<Timestamp>,
    /// The first instant after it.
    #[schema(value_type = String, example = "2026-12-01T00:00:00.000000Z")]
    to: Text<Timestamp>,
    /// The number of the last entry before the period; `0` if it has the account's first.
    #[schema(value_type = String, example = "17")]
    opening_seq: Text<i64>,
    /// The number of its last entry; the opening's if it has none.
    #[schema(value_type = String, example = "42")]
    closing_seq: Text<i64>,
    /// How many entries the period has.
    #[schema(example = 25)]
    count: i64,
    /// Before the first entry, on the normal side. On the first page only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "500075")]
    opening_balance: Option<String>,
    /// After the last entry, on the normal side. On the first page only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "400075")]
    closing_balance: Option<String>,
    /// Of the whole period, minor units. On the first page only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "250000")]
    total_debits: Option<String>,
    /// Of the whole period, minor units. On the first page only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "150000")]
    total_credits: Option<String>,
    /// Oldest first, each with the balance after it.
    data: Vec<EntryView>,
    /// For the next page; null at the end.
    next_cursor: Option<String>,
}

/// What every page of a statement says of it.
pub(crate) struct Heading<'a> {
    pub(crate) account: &'a nostro_core::Account,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) lines: LineRange,
}

impl StatementView {
    /// A page behind the first.
    pub(crate) fn page(heading: &Heading<'_>, entries: &[Entry], next_cursor: Option<String>) -> Self {
        let Heading { account, from, to, lines } = heading;
        let side = account.kind.normal_side();
        Self {
            account: Text(account.number),
            currency: Text(account.currency),
            normal_side: side.as_str(),
            from: Text(*from),
            to: Text(*to),
            opening_seq: Text(lines.after),
            closing_seq: Text(lines.up_to),
            count: lines.lines(),
            opening_balance: None,
            closing_balance: None,
            total_debits: None,
            total_credits: None,
            data: entries.iter().map(|entry| EntryView::new(entry, side)).collect(),
            next_cursor,
        }
    }

    /// The first page, with the period's figures.
    pub(crate) fn with_figures(self, statement: &Statement, totals: &Sums) -> Self {
        let side = statement.account.kind.normal_side();
        Self {
            opening_balance: Some(figure(side, statement.opening.balance)),
            closing_balance: Some(figure(side, statement.closing.balance)),
            total_debits: Some(totals.debits.to_string()),
            total_credits: Some(totals.credits.to_string()),
            ..self
        }
    }
}
