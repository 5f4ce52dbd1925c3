//! Linked chains: transfers that are all posted or all refused, over one to eight branches.
//!
//! Each link's record carries the chain (the first link's id), its position and the length, so that a retry replays the
//! same list only: a link that is sent alone later, or in another list, is a conflict.

use crate::branch_set::{BranchSet, TooManyBranches};
use crate::transfer::Transfer;
use crate::transfer_id::TransferId;

/// A chain has at most this many links: as many as a request has transfers.
pub const LINKS_MAX: usize = 8_192;

/// A transfer's place in its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The id of the first link.
    pub chain: TransferId,
    /// Its place, 0 for the first.
    pub position: u16,
    /// How many links there are, 1 or more.
    pub length: u16,
}

/// Transfers that are posted together or not at all, in the order in which they are decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    links: Vec<Transfer>,
    branches: BranchSet,
}

/// Why transfers are no chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// None, or too many.
    #[error("a chain has 1 to {LINKS_MAX} links")]
    Length,
    /// Two links have one id.
    #[error("link {0} has the id of an earlier link")]
    SameId(usize),
    /// Together they move more between branches than a batch can carry.
    #[error("its links move more between branches than one batch can carry, 9223372036854775807 minor units in all")]
    TooMuch,
    /// They touch more branches than one batch can have.
    #[error(transparent)]
    TooManyBranches(#[from] TooManyBranches),
}

impl Chain {
    /// Links the transfers in their order.
    pub fn new(mut transfers: Vec<Transfer>) -> Result<Self, ChainError> {
        let chain = transfers.first().ok_or(ChainError::Length)?.id;
        let length = u16::try_from(transfers.len()).map_err(|_| ChainError::Length)?;
        if transfers.len() > LINKS_MAX {
            return Err(ChainError::Length);
        }
        let mut branches = BranchSet::default();
        let mut ids = std::collections::HashSet::with_capacity(transfers.len());
        let mut between = 0_i64;
        for (position, transfer) in (0_u16..).zip(&mut transfers) {
            if !ids.insert(transfer.id) {
                return Err(ChainError::SameId(usize::from(position)));
            }
            transfer.link = Some(Link { chain, position, length });
            branches = branches.with(transfer.branches())?;
            if transfer.participant().is_some() {
                between = between.checked_add(transfer.amount.minor_units()).ok_or(ChainError::TooMuch)?;
            }
        }
        Ok(Self { links: transfers, branches })
    }

    /// In order.
    pub fn links(&self) -> &[Transfer] {
        &self.links
    }

    /// All branches that a link touches.
    pub fn branches(&self) -> BranchSet {
        self.branches
    }
}

/// How many of the transfers, from the first on, are one chain; 1 for a transfer by itself, 0 for none. Links that do not
/// follow each other as they were linked end it.
pub(crate) fn run(transfers: &[&Transfer]) -> usize {
    let Some(Link { chain, length, .. }) = transfers.first().and_then(|first| first.link) else {
        return transfers.len().min(1);
    };
    let follows =
        |(position, transfer): &(u16, &&Transfer)| transfer.link == Some(Link { chain, position: *position, length });
    (0..length).zip(transfers).take_while(follows).count().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AccountNumber, Amount, Operation};

    fn transfer(id: u128, from: &str, to: &str) -> Transfer {
        let account = |code: &str, serial| AccountNumber::new(code.parse().unwrap(), serial).unwrap();
        Transfer {
            id: TransferId(uuid::Uuid::from_u128(id)),
            operation: Operation::Transfer,
            debit: account(from, 1),
            credit: account(to, 2),
            amount: Amount::new(1).unwrap(),
            currency: "USD".parse().unwrap(),
            category: 0,
            reference: None,
            link: None,
        }
    }

    #[test]
    fn links_know_their_chain_and_their_place() {
        let chain = Chain::new(vec![transfer(7, "TX", "AZ"), transfer(8, "NM", "NM")]).unwrap();
        let id = TransferId(uuid::Uuid::from_u128(7));
        let links: Vec<Option<Link>> = chain.links().iter().map(|link| link.link).collect();
        assert_eq!(
            links,
            [Some(Link { chain: id, position: 0, length: 2 }), Some(Link { chain: id, position: 1, length: 2 })]
        );
        assert_eq!(chain.branches().iter().map(|code| code.to_string()).collect::<Vec<_>>(), ["AZ", "NM", "TX"]);
    }

    #[test]
    fn what_is_no_chain_is_said() {
        assert_eq!(Chain::new(vec![]), Err(ChainError::Length));
        assert_eq!(Chain::new(vec![transfer(1, "AZ", "AZ"), transfer(1, "AZ", "TX")]), Err(ChainError::SameId(1)));
        let many = ["AA", "AB", "AC", "AD", "AE", "AF", "AG", "AH", "AI"];
        let many: Vec<Transfer> = (1..).zip(many).map(|(id, code)| transfer(id, code, code)).collect();
        assert_eq!(Chain::new(many[..8].to_vec()).unwrap().branches().count(), 8);
        assert_eq!(Chain::new(many), Err(ChainError::TooManyBranches(TooManyBranches)));
        let large = |count| {
            (1..=count).map(|id| Transfer {
                amount: Amount::new(999_999_999_999_999_999).unwrap(),
                ..transfer(id, "AZ", "TX")
            })
        };
        assert_eq!(Chain::new(large(10).collect()), Err(ChainError::TooMuch));
        assert!(
            Chain::new(large(10).map(|link| Transfer { credit: link.debit, debit: link.debit, ..link }).collect())
                .is_ok()
        );
        let long: Vec<Transfer> = (1..=8_193).map(|id| transfer(id, "AZ", "TX")).collect();
        assert!(Chain::new(long[..LINKS_MAX].to_vec()).is_ok());
        assert_eq!(Chain::new(long), Err(ChainError::Length));
    }

    #[test]
    fn a_run_is_a_whole_chain_or_a_transfer_by_itself() {
        let one = Chain::new(vec![transfer(1, "AZ", "AZ"), transfer(2, "AZ", "AZ")]).unwrap();
        let other = Chain::new(vec![transfer(3, "AZ", "AZ")]).unwrap();
        let alone = transfer(4, "AZ", "AZ");
        let [first, second] = one.links() else { panic!() };
        let [third] = other.links() else { panic!() };
        assert_eq!(run(&[first, second, third, &alone]), 2);
        assert_eq!(run(&[third, &alone]), 1);
        assert_eq!(run(&[&alone, first]), 1);
        assert_eq!(run(&[]), 0);
        // What an engine never sends: half a chain, or one out of order.
        assert_eq!(run(&[first, third]), 1);
        assert_eq!(run(&[second, first]), 1);
    }
}
