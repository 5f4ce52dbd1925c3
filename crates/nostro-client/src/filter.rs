//! Which rows of a list are wanted, as they stand in the query.
//!
//! What is absent is not asked for. The server's cursors carry the filter; sent again beside one it must be the same.

use nostro_core::{AccountNumber, Amount, Timestamp};

/// Which entries of an account are wanted.
#[derive(Clone, Debug, Default)]
pub struct EntryFilter {
    /// Such as `transfer`.
    pub kind: Option<String>,
    /// The client's own classification.
    pub category: Option<u16>,
    /// Exactly this text.
    pub reference: Option<String>,
    /// Posted at this instant or later.
    pub from: Option<Timestamp>,
    /// Posted before this instant.
    pub to: Option<Timestamp>,
    /// Of so much or more.
    pub amount_min: Option<Amount>,
    /// Of so much or less.
    pub amount_max: Option<Amount>,
    /// With this account on the other side.
    pub counterparty: Option<AccountNumber>,
}

/// Which holds at an account are wanted.
#[derive(Clone, Debug, Default)]
pub struct HoldFilter {
    /// Such as `open`.
    pub state: Option<String>,
    /// Placed at this instant or later.
    pub from: Option<Timestamp>,
    /// Placed before this instant.
    pub to: Option<Timestamp>,
    /// Of so much or more.
    pub amount_min: Option<Amount>,
    /// Of so much or less.
    pub amount_max: Option<Amount>,
    /// In favour of this account.
    pub counterparty: Option<AccountNumber>,
}

/// The query of what is there.
type Query = Vec<(&'static str, String)>;

impl EntryFilter {
    pub(crate) fn query(&self) -> Query {
        let Self { kind, category, reference, from, to, amount_min, amount_max, counterparty } = self;
        named([
            ("kind", kind.clone()),
            ("category", category.map(|category| category.to_string())),
            ("reference", reference.clone()),
            ("from", from.map(|from| from.to_string())),
            ("to", to.map(|to| to.to_string())),
            ("amount_min", amount_min.map(|amount| amount.to_string())),
            ("amount_max", amount_max.map(|amount| amount.to_string())),
            ("counterparty", counterparty.map(|number| number.to_string())),
        ])
    }
}

impl HoldFilter {
    pub(crate) fn query(&self) -> Query {
        let Self { state, from, to, amount_min, amount_max, counterparty } = self;
        named([
            ("state", state.clone()),
            ("from", from.map(|from| from.to_string())),
            ("to", to.map(|to| to.to_string())),
            ("amount_min", amount_min.map(|amount| amount.to_string())),
            ("amount_max", amount_max.map(|amount| amount.to_string())),
            ("counterparty", counterparty.map(|number| number.to_string())),
        ])
    }
}

fn named<const N: usize>(pairs: [(&'static str, Option<String>); N]) -> Query {
    pairs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_absent_is_not_asked_for() {
        assert!(EntryFilter::default().query().is_empty() && HoldFilter::default().query().is_empty());
        let filter = EntryFilter {
            category: Some(7),
            from: Some("2026-11-01T00:00:00+01:00".parse().unwrap()),
            amount_max: Some(Amount::new(5).unwrap()),
            ..EntryFilter::default()
        };
        let query: Vec<String> = filter.query().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(query, ["category=7", "from=2026-10-31T23:00:00.000000Z", "amount_max=5"]);
        let filter = HoldFilter { state: Some("open".into()), ..HoldFilter::default() };
        assert_eq!(filter.query(), [("state", "open".to_owned())]);
    }
}
