//! The branches that a batch works at: one to eight, in branch order.

use crate::branch::BranchCode;

/// A batch has at most so many branches: each is prepared, and a name of a prepared transaction lists them all.
pub const BRANCHES_MAX: usize = 8;

/// Branches in branch order, each once, at most [`BRANCHES_MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BranchSet([Option<BranchCode>; BRANCHES_MAX]);

/// There is no room for another branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at most {BRANCHES_MAX} branches can be in one batch")]
pub struct TooManyBranches;

impl BranchSet {
    /// One branch, and another one if there is another.
    pub fn pair(one: BranchCode, other: BranchCode) -> Self {
        let mut set = [None; BRANCHES_MAX];
        let [first, second, ..] = &mut set;
        *first = Some(one.min(other));
        *second = (one != other).then_some(one.max(other));
        Self(set)
    }

    /// With the branches of another set.
    pub fn with(self, other: Self) -> Result<Self, TooManyBranches> {
        let mut codes: Vec<BranchCode> = self.iter().chain(other.iter()).collect();
        codes.sort_unstable();
        codes.dedup();
        if codes.len() > BRANCHES_MAX {
            return Err(TooManyBranches);
        }
        let mut set = [None; BRANCHES_MAX];
        for (slot, code) in set.iter_mut().zip(codes) {
            *slot = Some(code);
        }
        Ok(Self(set))
    }

    /// In branch order.
    pub fn iter(&self) -> impl Iterator<Item = BranchCode> + use<> {
        self.0.into_iter().flatten()
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.iter().count()
    }

    /// The first in branch order, where a batch is decided; none of an empty set.
    pub fn home(&self) -> Option<BranchCode> {
        self.iter().next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> BranchCode {
        text.parse().unwrap()
    }

    #[test]
    fn branches_are_in_branch_order_each_once() {
        let told = |set: BranchSet| set.iter().map(|code| code.to_string()).collect::<Vec<_>>().join(" ");
        let set = BranchSet::pair(code("TX"), code("AZ"));
        assert_eq!(told(set), "AZ TX");
        assert_eq!(set, BranchSet::pair(code("AZ"), code("TX")));
        assert_eq!(told(BranchSet::pair(code("TX"), code("TX"))), "TX");
        let more = set.with(BranchSet::pair(code("NM"), code("TX"))).unwrap();
        assert_eq!((told(more).as_str(), more.count(), more.home()), ("AZ NM TX", 3, Some(code("AZ"))));
    }

    #[test]
    fn eight_fit_and_a_ninth_does_not() {
        let mut set = BranchSet::pair(code("AA"), code("AB"));
        for other in ["AC", "AD", "AE", "AF", "AG", "AH", "AA"] {
            set = set.with(BranchSet::pair(code(other), code(other))).unwrap();
        }
        assert_eq!(set.count(), BRANCHES_MAX);
        assert_eq!(set.with(BranchSet::pair(code("AI"), code("AI"))), Err(TooManyBranches));
    }
}
