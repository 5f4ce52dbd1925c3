//! Which clock is wrong, of the branches' and this server's.
//!
//! Two against one: clocks that lie within ten seconds of each other agree, and if more than half of all agree,
//! the others are odd. An odd branch takes no transfers; an odd server closes its own intake. Without a majority
//! nobody is accused.

use nostro_core::BranchCode;
use std::collections::BTreeMap;
use std::time::Duration;

/// Clocks further apart do not agree. Well above what NTP leaves, well below what a day boundary forgives.
pub const SKEW_MAX: Duration = Duration::from_secs(10);

/// Who is odd.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Odd {
    /// Branches whose clock is odd.
    pub branches: Vec<BranchCode>,
    /// Whether this server's is.
    pub server: bool,
}

/// Judges by how far each branch's clock is ahead of this server's, in microseconds.
pub fn odd_clocks(ahead: &BTreeMap<BranchCode, i64>) -> Odd {
    let mut clocks: Vec<(i64, Option<BranchCode>)> = ahead.iter().map(|(code, ahead)| (*ahead, Some(*code))).collect();
    clocks.push((0, None));
    clocks.sort_unstable();
    let width = i64::try_from(SKEW_MAX.as_micros()).unwrap_or(i64::MAX);
    let agreeing = |from: i64| clocks.iter().filter(move |(at, _)| (0..=width).contains(&at.saturating_sub(from)));
    let Some(from) = clocks.iter().map(|(at, _)| *at).max_by_key(|at| agreeing(*at).count()) else {
        return Odd::default();
    };
    if agreeing(from).count() * 2 <= clocks.len() {
        return Odd::default();
    }
    let mut odd = Odd::default();
    for (at, clock) in &clocks {
        if !(0..=width).contains(&at.saturating_sub(from)) {
            match clock {
                Some(code) => odd.branches.push(*code),
                None => odd.server = true,
            }
        }
    }
    odd
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(seconds: &[(&str, i64)]) -> (Vec<String>, bool) {
        let ahead = seconds.iter().map(|(code, ahead)| (code.parse().unwrap(), ahead * 1_000_000)).collect();
        let odd = odd_clocks(&ahead);
        (odd.branches.iter().map(ToString::to_string).collect(), odd.server)
    }

    #[test]
    fn two_against_one() {
        assert_eq!(judged(&[("AZ", 0), ("TX", 9)]), (vec![], false));
        assert_eq!(judged(&[("AZ", 0), ("TX", 11)]), (vec!["TX".into()], false));
        assert_eq!(judged(&[("AZ", -11), ("TX", 1)]), (vec!["AZ".into()], false));
        assert_eq!(judged(&[("AZ", 60), ("TX", 61)]), (vec![], true));
        assert_eq!(judged(&[("AZ", 60)]), (vec![], false), "one against one accuses nobody");
        assert_eq!(judged(&[("AZ", -60), ("TX", 60)]), (vec![], false));
        assert_eq!(judged(&[("AZ", 0), ("NV", 0), ("TX", 3600)]), (vec!["TX".into()], false));
    }
}
