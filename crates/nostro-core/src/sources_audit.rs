//! What money comes from besides accounts, as a full audit judges it: holds, and transfers that were reversed.
//!
//! Both keep figures that change, beside transfers that do not: so each must be what its posted transfers made of it.

use crate::finding::{Finding, Findings, Rule};
use crate::hold::HoldState;
use crate::transfer_id::TransferId;
use crate::{BranchCode, Timestamp};

/// A hold as its row has it, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldRow {
    /// How much was reserved at first.
    pub amount: i64,
    /// How much was captured.
    pub captured: i64,
    /// How much was given back.
    pub released: i64,
    /// What became of it.
    pub state: HoldState,
    /// When it was placed.
    pub placed_at: Timestamp,
}

/// What posted transfers did to a hold: sums in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
}

impl HoldDeeds {
    /// The state in which they left a hold of so much.
    fn state(self, amount: i128) -> HoldState {
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
    fn given_back(self, amount: i128) -> i128 {
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
    deeds: HoldDeeds,
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
    if deeds.placed != amount {
        wrong(Rule::HoldPlaced, format!("amount {}", deeds.placed), format!("amount {amount}"));
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

/// The transfer that is reversed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginalFound {
    /// It moved so much.
    Moved(i64),
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
    moved_back: i128,
    found: OriginalFound,
    findings: &mut Findings,
) {
    let mut wrong = |rule, expected: String, found: String| {
        let (branch, key) = (Some(branch), original.to_string());
        findings.push(Finding { branch, rule, table: "reversal", key, expected, found });
    };
    let Some(row) = row else {
        wrong(Rule::ReversalTotal, format!("reversed {moved_back}"), "no row".into());
        return;
    };
    if i128::from(row.reversed) != moved_back {
        wrong(Rule::ReversalTotal, format!("reversed {moved_back}"), format!("reversed {}", row.reversed));
    }
    match found {
        OriginalFound::Moved(moved) => {
            if moved_back > i128::from(moved) {
                wrong(Rule::ReversalTotal, format!("at most {moved}"), format!("reversals of {moved_back}"));
            }
            if moved != row.amount {
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

    fn hold(row: Option<(i64, i64, i64, HoldState)>, deeds: HoldDeeds) -> Vec<Rule> {
        let row = row.map(|(amount, captured, released, state)| {
            let placed_at = Timestamp::from_micros(0);
            HoldRow { amount, captured, released, state, placed_at }
        });
        let mut findings = Findings::default();
        judge_hold("AZ".parse().unwrap(), TransferId(uuid::Uuid::nil()), row.as_ref(), deeds, &mut findings);
        rules(&findings)
    }

    #[test]
    fn a_hold_is_what_its_transfers_made_of_it() {
        use HoldState::{Captured, Expired, Open, Released};
        let placed = HoldDeeds { placed: 100, ..HoldDeeds::default() };
        let taken = HoldDeeds { captured: 30, ..placed };
        let last = HoldDeeds { finals: 1, ..taken };
        let whole = HoldDeeds { captured: 100, ..placed };
        let back = HoldDeeds { released: 70, ..taken };
        let late = HoldDeeds { expired: 100, ..placed };
        for (row, deeds) in [
            ((100, 0, 0, Open), placed),
            ((100, 30, 0, Open), taken),
            ((100, 30, 70, Captured), last),
            ((100, 100, 0, Captured), whole),
            ((100, 30, 70, Released), back),
            ((100, 0, 100, Expired), late),
        ] {
            assert_eq!(hold(Some(row), deeds), Vec::<Rule>::new(), "{row:?} {deeds:?}");
        }
        for (row, deeds, expected) in [
            ((101, 0, 0, Open), placed, &[Rule::HoldPlaced][..]),
            ((100, 31, 0, Open), taken, &[Rule::HoldParts]),
            ((100, 30, 69, Captured), last, &[Rule::HoldParts]),
            ((100, 30, 70, Released), last, &[Rule::HoldState]),
            ((100, 0, 100, Released), late, &[Rule::HoldState]),
            ((100, 0, 100, Expired), placed, &[Rule::HoldParts, Rule::HoldState]),
            ((100, 0, 0, Open), HoldDeeds::default(), &[Rule::HoldPlaced]),
        ] {
            assert_eq!(hold(Some(row), deeds), expected, "{row:?} {deeds:?}");
        }
        assert_eq!(hold(None, placed), [Rule::HoldPlaced]);
        assert_eq!(hold(None, HoldDeeds { captured: 1, ..HoldDeeds::default() }), [Rule::HoldPlaced]);
    }

    #[test]
    fn a_reversed_total_is_the_sum_of_the_reversals_and_within_the_original() {
        use OriginalFound::{Archived, Moved, Nothing};
        for (row, moved_back, found, expected) in [
            (Some((100, 30)), 30, Moved(100), &[][..]),
            (Some((100, 100)), 100, Moved(100), &[]),
            (Some((100, 30)), 30, Archived, &[]),
            (Some((100, 31)), 30, Moved(100), &[Rule::ReversalTotal]),
            (Some((100, 30)), 31, Archived, &[Rule::ReversalTotal]),
            (Some((100, 30)), 30, Moved(99), &[Rule::ReversalOriginal]),
            (Some((120, 110)), 110, Moved(100), &[Rule::ReversalTotal, Rule::ReversalOriginal]),
            (Some((100, 30)), 30, Nothing, &[Rule::ReversalOriginal]),
            (None, 30, Moved(100), &[Rule::ReversalTotal]),
        ] {
            let row = row.map(|(amount, reversed)| ReversalRow { amount, reversed });
            let mut findings = Findings::default();
            let original = TransferId(uuid::Uuid::nil());
            judge_reversal("AZ".parse().unwrap(), original, row, moved_back, found, &mut findings);
            assert_eq!(rules(&findings), expected, "{row:?} {moved_back} {found:?}");
        }
    }
}
