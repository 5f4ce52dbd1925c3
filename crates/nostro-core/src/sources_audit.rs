//! What money comes from besides accounts, as a full audit judges it: holds, and transfers that were reversed.
//!
//! Both keep figures that change, beside transfers that do not: so each must be what its posted transfers made of it. And what
//! takes from a source must be between its accounts: these come in words, `1000000001042 to 2000000001042 USD`, of which
//! only matters whether they are the same.

use crate::finding::{Finding, Findings, Rule};
use crate::hold::HoldState;
use crate::transfer_id::TransferId;
use crate::{BranchCode, Timestamp};
use std::fmt;

/// What a hold is for: what never changes of it but the amount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placing {
    /// Its accounts and its currency, in words.
    pub terms: String,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// From when on it is expired.
    pub expires_at: Option<Timestamp>,
}

impl fmt::Display for Placing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { terms, placed_at, expires_at } = self;
        write!(f, "{terms}, placed at {placed_at}")?;
        expires_at.map_or(Ok(()), |at| write!(f, ", expires at {at}"))
    }
}

/// The accounts and the currency that several transfers name, in words: the first and the last in the order of words, which are
/// the same exactly if all are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The first.
    pub first: String,
    /// The last.
    pub last: String,
}

impl Named {
    /// What is named beside these, if anything is.
    fn beside(&self, terms: &str) -> Option<&str> {
        [&self.first, &self.last].into_iter().map(String::as_str).find(|named| *named != terms)
    }
}

/// A hold as its row has it, in minor units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldRow {
    /// How much was reserved at first.
    pub amount: i64,
    /// How much was captured.
    pub captured: i64,
    /// How much was given back.
    pub released: i64,
    /// What became of it.
    pub state: HoldState,
    /// What it is for.
    pub placing: Placing,
}

/// What posted transfers did to a hold: sums in minor units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HoldDeeds {
    /// Reserved.
    pub placed: i128,
    /// Captured.
    pub captured: i128,
    /// How many captures were final.
    pub finals: i64,
    /// Given back by releases.
    pub released: i128,
    /// Given back by expiries.
    pub expired: i128,
    /// What the transfer says that placed it.
    pub placing: Option<Placing>,
    /// What captures, releases and expiries name.
    pub named: Option<Named>,
}

impl HoldDeeds {
    /// The state in which they left a hold of so much.
    fn state(&self, amount: i128) -> HoldState {
        if self.expired > 0 {
            HoldState::Expired
        } else if self.released > 0 {
            HoldState::Released
        } else if self.finals > 0 || self.captured >= amount {
            HoldState::Captured
        } else {
            HoldState::Open
        }
    }

    /// What they gave back of a hold of so much; of a final capture it is the rest, which no transfer names.
    fn given_back(&self, amount: i128) -> i128 {
        match self.state(amount) {
            HoldState::Open => 0,
            HoldState::Captured => amount.saturating_sub(self.captured),
            HoldState::Released => self.released,
            HoldState::Expired => self.expired,
        }
    }
}

/// Judges a hold of a branch; no row if there are only transfers that name one.
pub fn judge_hold(
    branch: BranchCode,
    id: TransferId,
    row: Option<&HoldRow>,
    deeds: &HoldDeeds,
    findings: &mut Findings,
) {
    let mut wrong = |rule, expected: String, found: String| {
        let (branch, key) = (Some(branch), id.to_string());
        findings.push(Finding { branch, rule, table: "hold", key, expected, found });
    };
    let Some(row) = row else {
        wrong(Rule::HoldPlaced, format!("a hold of {}", deeds.placed), "no row".into());
        return;
    };
    let amount = i128::from(row.amount);
    let placing = deeds.placing.as_ref();
    if deeds.placed != amount || placing != Some(&row.placing) {
        let expected = placing.map_or_else(
            || "a transfer that placed it".to_owned(),
            |as_placed| format!("{} of {as_placed}", deeds.placed),
        );
        wrong(Rule::HoldPlaced, expected, format!("{amount} of {}", row.placing));
    }
    // The row may be the one that is wrong.
    let terms = placing.map_or(row.placing.terms.as_str(), |placing| placing.terms.as_str());
    if let Some(other) = deeds.named.as_ref().and_then(|named| named.beside(terms)) {
        wrong(Rule::HoldTerms, terms.to_owned(), other.to_owned());
    }
    let parts = |captured: i128, released: i128| format!("captured {captured}, released {released}");
    let (captured, released) = (i128::from(row.captured), i128::from(row.released));
    let given_back = deeds.given_back(amount);
    if (captured, released) != (deeds.captured, given_back) {
        wrong(Rule::HoldParts, parts(deeds.captured, given_back), parts(captured, released));
    }
    let state = deeds.state(amount);
    if state != row.state {
        wrong(Rule::HoldState, state.to_string(), row.state.to_string());
    }
}

/// How much of a transfer was reversed, as its row has it, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReversalRow {
    /// What the transfer moved.
    pub amount: i64,
    /// How much of it went back.
    pub reversed: i64,
}

/// What posted reversals did of a transfer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReversalDeeds {
    /// How much they moved back, in minor units.
    pub moved_back: i128,
    /// The accounts and the currency that they name.
    pub named: Option<Named>,
}

/// The transfer that is reversed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginalFound {
    /// It is there.
    Moved {
        /// So much.
        amount: i64,
        /// From where to where, and in what, its reversals must go.
        back: String,
    },
    /// It is in the archive.
    Archived,
    /// There is none that paid an account of this branch.
    Nothing,
}

/// Judges what is noted of a reversed transfer; no row if there are only reversals that name one.
pub fn judge_reversal(
    branch: BranchCode,
    original: TransferId,
    row: Option<ReversalRow>,
    deeds: &ReversalDeeds,
    found: &OriginalFound,
    findings: &mut Findings,
) {
    let ReversalDeeds { moved_back, named } = deeds;
    let mut wrong = |rule, expected: String, found: String| {
        let (branch, key) = (Some(branch), original.to_string());
        findings.push(Finding { branch, rule, table: "reversal", key, expected, found });
    };
    let Some(row) = row else {
        wrong(Rule::ReversalTotal, format!("reversed {moved_back}"), "no row".into());
        return;
    };
    if i128::from(row.reversed) != *moved_back {
        wrong(Rule::ReversalTotal, format!("reversed {moved_back}"), format!("reversed {}", row.reversed));
    }
    // Without the original its reversals must at least agree with each other.
    let terms = match found {
        OriginalFound::Moved { back, .. } => Some(back),
        OriginalFound::Archived | OriginalFound::Nothing => named.as_ref().map(|named| &named.first),
    };
    if let Some((terms, other)) =
        terms.zip(named.as_ref()).and_then(|(terms, named)| Some((terms, named.beside(terms)?)))
    {
        wrong(Rule::ReversalAccounts, terms.clone(), other.to_owned());
    }
    match found {
        OriginalFound::Moved { amount: moved, .. } => {
            if *moved_back > i128::from(*moved) {
                wrong(Rule::ReversalTotal, format!("at most {moved}"), format!("reversals of {moved_back}"));
            }
            if *moved != row.amount {
                wrong(Rule::ReversalOriginal, format!("amount {moved}"), format!("amount {}", row.amount));
            }
        }
        OriginalFound::Archived => {}
        OriginalFound::Nothing => {
            wrong(Rule::ReversalOriginal, "a transfer to an account of this branch".into(), "none".into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(findings: &Findings) -> Vec<Rule> {
        findings.named().map(|(finding, _)| finding.rule).collect()
    }

    fn placing() -> Placing {
        let time = Timestamp::from_micros;
        Placing { terms: "1 to 2 USD".to_owned(), placed_at: time(5), expires_at: Some(time(9)) }
    }

    fn named(first: &str, last: &str) -> Option<Named> {
        Some(Named { first: first.to_owned(), last: last.to_owned() })
    }

    #[test]
    fn what_a_hold_is_for_is_told_with_its_times() {
        let expires = "1 to 2 USD, placed at 1970-01-01T00:00:00.000005Z, expires at 1970-01-01T00:00:00.000009Z";
        assert_eq!(placing().to_string(), expires);
        let never = Placing { expires_at: None, ..placing() };
        assert_eq!(never.to_string(), "1 to 2 USD, placed at 1970-01-01T00:00:00.000005Z");
    }

    fn judged(row: Option<&HoldRow>, deeds: &HoldDeeds) -> Vec<Rule> {
        let mut findings = Findings::default();
        judge_hold("AZ".parse().unwrap(), TransferId(uuid::Uuid::nil()), row, deeds, &mut findings);
        rules(&findings)
    }

    fn hold(row: Option<(i64, i64, i64, HoldState)>, deeds: &HoldDeeds) -> Vec<Rule> {
        let row = row.map(|(amount, captured, released, state)| HoldRow {
            amount,
            captured,
            released,
            state,
            placing: placing(),
        });
        judged(row.as_ref(), deeds)
    }

    #[test]
    fn a_hold_is_what_its_transfers_made_of_it() {
        use HoldState::{Captured, Expired, Open, Released};
        let placed = HoldDeeds { placed: 100, placing: Some(placing()), ..HoldDeeds::default() };
        let taken = HoldDeeds { captured: 30, named: named("1 to 2 USD", "1 to 2 USD"), ..placed.clone() };
        let last = HoldDeeds { finals: 1, ..taken.clone() };
        let whole = HoldDeeds { captured: 100, ..taken.clone() };
        let back = HoldDeeds { released: 70, ..taken.clone() };
        let late = HoldDeeds { expired: 100, ..placed.clone() };
        for (row, deeds) in [
            ((100, 0, 0, Open), &placed),
            ((100, 30, 0, Open), &taken),
            ((100, 30, 70, Captured), &last),
            ((100, 100, 0, Captured), &whole),
            ((100, 30, 70, Released), &back),
            ((100, 0, 100, Expired), &late),
        ] {
            assert_eq!(hold(Some(row), deeds), Vec::<Rule>::new(), "{row:?} {deeds:?}");
        }
        for (row, deeds, expected) in [
            ((101, 0, 0, Open), &placed, &[Rule::HoldPlaced][..]),
            ((100, 31, 0, Open), &taken, &[Rule::HoldParts]),
            ((100, 30, 69, Captured), &last, &[Rule::HoldParts]),
            ((100, 30, 70, Released), &last, &[Rule::HoldState]),
            ((100, 0, 100, Released), &late, &[Rule::HoldState]),
            ((100, 0, 100, Expired), &placed, &[Rule::HoldParts, Rule::HoldState]),
            ((100, 0, 0, Open), &HoldDeeds::default(), &[Rule::HoldPlaced]),
        ] {
            assert_eq!(hold(Some(row), deeds), expected, "{row:?} {deeds:?}");
        }
        assert_eq!(hold(None, &placed), [Rule::HoldPlaced]);
        assert_eq!(hold(None, &HoldDeeds { captured: 1, ..HoldDeeds::default() }), [Rule::HoldPlaced]);
    }

    #[test]
    fn a_hold_is_for_what_its_transfers_say() {
        let row = |placing| HoldRow { amount: 100, captured: 30, released: 0, state: HoldState::Open, placing };
        let deeds = |first: &str, last: &str| HoldDeeds {
            placed: 100,
            captured: 30,
            placing: Some(placing()),
            named: named(first, last),
            ..HoldDeeds::default()
        };
        let right = deeds("1 to 2 USD", "1 to 2 USD");
        assert_eq!(judged(Some(&row(placing())), &right), Vec::<Rule>::new());
        let time = Timestamp::from_micros;
        for placing in [
            Placing { terms: "1 to 3 USD".to_owned(), ..placing() },
            Placing { placed_at: time(6), ..placing() },
            Placing { expires_at: None, ..placing() },
            Placing { expires_at: Some(time(8)), ..placing() },
        ] {
            assert_eq!(judged(Some(&row(placing.clone())), &right), [Rule::HoldPlaced], "{placing}");
        }
        for (first, last) in [("1 to 2 EUR", "1 to 2 USD"), ("1 to 2 USD", "1 to 3 USD"), ("0 to 2 USD", "1 to 3 USD")]
        {
            assert_eq!(judged(Some(&row(placing())), &deeds(first, last)), [Rule::HoldTerms], "{first} {last}");
        }
    }

    #[test]
    fn a_reversed_total_is_the_sum_of_the_reversals_and_within_the_original() {
        use OriginalFound::{Archived, Nothing};
        for (row, moved_back, found, expected) in [
            (Some((100, 30)), 30, moved(100), &[][..]),
            (Some((100, 100)), 100, moved(100), &[]),
            (Some((100, 30)), 30, Archived, &[]),
            (Some((100, 31)), 30, moved(100), &[Rule::ReversalTotal]),
            (Some((100, 30)), 31, Archived, &[Rule::ReversalTotal]),
            (Some((100, 30)), 30, moved(99), &[Rule::ReversalOriginal]),
            (Some((120, 110)), 110, moved(100), &[Rule::ReversalTotal, Rule::ReversalOriginal]),
            (Some((100, 30)), 30, Nothing, &[Rule::ReversalOriginal]),
            (None, 30, moved(100), &[Rule::ReversalTotal]),
        ] {
            let deeds = ReversalDeeds { moved_back, named: named("2 to 1 USD", "2 to 1 USD") };
            assert_eq!(reversal(row, &deeds, &found), expected, "{row:?} {moved_back} {found:?}");
        }
    }

    fn moved(amount: i64) -> OriginalFound {
        OriginalFound::Moved { amount, back: "2 to 1 USD".to_owned() }
    }

    fn reversal(row: Option<(i64, i64)>, deeds: &ReversalDeeds, found: &OriginalFound) -> Vec<Rule> {
        let row = row.map(|(amount, reversed)| ReversalRow { amount, reversed });
        let mut findings = Findings::default();
        judge_reversal("AZ".parse().unwrap(), TransferId(uuid::Uuid::nil()), row, deeds, found, &mut findings);
        rules(&findings)
    }

    #[test]
    fn a_reversal_goes_the_way_back() {
        for (first, last, found, expected) in [
            ("2 to 1 USD", "2 to 1 USD", moved(100), &[][..]),
            ("2 to 1 EUR", "2 to 1 USD", moved(100), &[Rule::ReversalAccounts]),
            ("2 to 1 USD", "2 to 3 USD", moved(100), &[Rule::ReversalAccounts]),
            ("1 to 2 USD", "1 to 2 USD", moved(100), &[Rule::ReversalAccounts]),
            ("2 to 7 USD", "2 to 7 USD", OriginalFound::Archived, &[]),
            ("2 to 1 USD", "2 to 7 USD", OriginalFound::Archived, &[Rule::ReversalAccounts]),
        ] {
            let deeds = ReversalDeeds { moved_back: 30, named: named(first, last) };
            assert_eq!(reversal(Some((100, 30)), &deeds, &found), expected, "{first} {last} {found:?}");
        }
    }
}
