//! Transfers, which columns each kind of them has, their partitions, holds and reversals.

use super::{Table, Values};

pub(super) static TABLES: [Table; 4] = [TRANSFER, TRANSFER_PERIOD, HOLD, REVERSAL];

/// Of version 4, so that its partition is there.
const ID: &str = "'8f14e45f-ceea-467f-9575-1f0a6b8c2d3e'";
const OTHER: &str = "'c9f0f895-fb98-4b91-9d3f-2a1b6c7d8e90'";

pub(super) const TRANSFER: Table = Table {
    name: "transfer",
    before: "",
    taken: &[
        ("id", ID),
        ("period", "0"),
        ("kind", "'transfer'"),
        ("debit", "1"),
        ("credit", "2"),
        ("amount", "5"),
        ("currency", "'USD'"),
        ("category", "0"),
        ("batch", "'AZ-1-1'"),
        ("posted_at", "now()"),
        ("debit_seq", "1"),
        ("debit_balance_after", "5"),
    ],
    refused: &[
        ("transfer_accounts", &[("credit", "1")]),
        ("transfer_amount", &[("amount", "0")]),
        ("transfer_amount", &[("amount", "-5")]),
        ("transfer_asked", &[("asked", "4")]),
        ("transfer_asked", &[("asked", "5"), ("kind", "'deposit'")]),
        ("transfer_category", &[("category", "-1")]),
        ("transfer_category", &[("category", "65536")]),
        ("transfer_kind", &[("kind", "'gift'")]),
        ("transfer_chain", &[("chain", OTHER)]),
        ("transfer_chain", &[("chain_position", "1"), ("chain_length", "2")]),
        ("transfer_chain", &[("chain", OTHER), ("chain_position", "2"), ("chain_length", "2")]),
        ("transfer_chain", &[("chain", OTHER), ("chain_position", "-1"), ("chain_length", "2")]),
        ("transfer_chain", &[("chain", OTHER), ("chain_position", "1"), ("chain_length", "8193")]),
        ("transfer_chain", &[("chain", ID), ("chain_position", "0"), ("chain_length", "0")]),
        // The first link's id is the chain's, and no other's is.
        ("transfer_chain", &[("chain", OTHER), ("chain_position", "0"), ("chain_length", "2")]),
        ("transfer_chain", &[("chain", ID), ("chain_position", "1"), ("chain_length", "2")]),
        // Refused with a chain that it is not of.
        ("transfer_chain", &[("debit_seq", "null"), ("debit_balance_after", "null"), ("refusal", "'chain_broken'")]),
        // A line is a number and a balance, with one before it unless it is the first.
        ("transfer_sides", &[("debit_seq", "null")]),
        ("transfer_sides", &[("debit_balance_after", "null")]),
        ("transfer_sides", &[("debit_seq", "2")]),
        ("transfer_sides", &[("debit_previous", OTHER)]),
        ("transfer_sides", &[("credit_seq", "1")]),
        ("transfer_sides", &[("credit_balance_after", "5")]),
        ("transfer_sides", &[("credit_seq", "2"), ("credit_balance_after", "5")]),
        ("transfer_sides", &[("credit_previous", OTHER)]),
        // What is refused leaves none.
        ("transfer_sides", &[("refusal", "'insufficient_funds'")]),
        (
            "transfer_sides",
            &[
                ("debit_seq", "null"),
                ("debit_balance_after", "null"),
                ("debit_previous", OTHER),
                ("refusal", "'insufficient_funds'"),
            ],
        ),
    ],
};

const TRANSFER_PERIOD: Table = Table {
    name: "transfer_period",
    before: "",
    taken: &[("period", "209912")],
    refused: &[
        ("transfer_period_period", &[("period", "-1")]),
        ("transfer_period_period", &[("period", "196912")]),
        ("transfer_period_period", &[("period", "209900")]),
        ("transfer_period_period", &[("period", "209913")]),
    ],
};

const HOLD: Table = Table {
    name: "hold",
    before: "",
    taken: &[
        ("id", ID),
        ("debit", "1"),
        ("credit", "2"),
        ("amount", "5"),
        ("currency", "'USD'"),
        ("placed_at", "now()"),
    ],
    refused: &[
        ("hold_accounts", &[("credit", "1")]),
        ("hold_amount", &[("amount", "0")]),
        ("currency_code", &[("currency", "'usd'")]),
        ("hold_parts", &[("captured", "-1")]),
        ("hold_parts", &[("captured", "-1"), ("released", "6"), ("state", "'released'"), ("ended_at", "now()")]),
        ("hold_parts", &[("captured", "6"), ("released", "-1"), ("state", "'captured'"), ("ended_at", "now()")]),
        ("hold_parts", &[("captured", "3"), ("released", "3"), ("state", "'captured'"), ("ended_at", "now()")]),
        // What each state says of the figures.
        ("hold_state", &[("captured", "5")]),
        ("hold_state", &[("released", "1")]),
        ("hold_state", &[("captured", "1"), ("ended_at", "now()")]),
        ("hold_state", &[("captured", "4"), ("state", "'captured'"), ("ended_at", "now()")]),
        ("hold_state", &[("released", "5"), ("state", "'captured'"), ("ended_at", "now()")]),
        ("hold_state", &[("captured", "5"), ("state", "'captured'")]),
        ("hold_state", &[("captured", "5"), ("state", "'released'"), ("ended_at", "now()")]),
        ("hold_state", &[("released", "5"), ("state", "'released'")]),
        ("hold_state", &[("released", "5"), ("state", "'expired'"), ("ended_at", "now()")]),
        ("hold_state", &[("released", "5"), ("state", "'expired'"), ("expires_at", "now()")]),
        ("hold_state", &[("released", "5"), ("state", "'gone'"), ("ended_at", "now()")]),
    ],
};

const REVERSAL: Table = Table {
    name: "reversal",
    before: "",
    taken: &[("original", ID), ("amount", "5"), ("reversed", "5")],
    refused: &[("reversal_reversed", &[("reversed", "0")]), ("reversal_reversed", &[("reversed", "6")])],
};

/// A kind of transfer, and which of [`KIND_COLUMNS`] go with it.
pub(super) struct Kind {
    pub(super) word: &'static str,
    /// Whether it moves money.
    pub(super) has_lines: bool,
    pub(super) needs: &'static [&'static str],
    pub(super) may_have: &'static [&'static str],
}

pub(super) const KINDS: [Kind; 8] = [
    Kind { word: "transfer", has_lines: true, needs: &[], may_have: &[] },
    Kind { word: "deposit", has_lines: true, needs: &[], may_have: &[] },
    Kind { word: "withdrawal", has_lines: true, needs: &[], may_have: &[] },
    Kind { word: "hold", has_lines: false, needs: &[], may_have: &["expires_at"] },
    Kind { word: "capture", has_lines: true, needs: &["hold", "is_final"], may_have: &[] },
    Kind { word: "release", has_lines: false, needs: &["hold"], may_have: &[] },
    Kind { word: "expiry", has_lines: false, needs: &["hold"], may_have: &[] },
    Kind { word: "reversal", has_lines: true, needs: &["original"], may_have: &["is_forced"] },
];

/// The columns that some kinds have, each with a value.
pub(super) const KIND_COLUMNS: [(&str, &str); 5] =
    [("hold", OTHER), ("is_final", "true"), ("expires_at", "now()"), ("original", OTHER), ("is_forced", "true")];

/// A line of the debit account.
pub(super) const LINE: Values = &[("debit_seq", "1"), ("debit_balance_after", "5")];
/// None.
pub(super) const NO_LINE: Values = &[("debit_seq", "null"), ("debit_balance_after", "null")];
