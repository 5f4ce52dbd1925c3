//! What the branches know of the holds and transfers that requests name.
//!
//! Where a name is not found, or found twice, the request may have been done before: its own record says which accounts it was of,
//! also when what it names is in the archive by now, and whatever another branch knows under the same ids.

use crate::ask::{self, Ask, Reserved};
use crate::problem::{Code, Problem};
use futures_util::future::join_all;
use nostro_core::{BranchCode, Transfer, TransferId};
use nostro_engine::{Engine, Names, ReadError};
use std::collections::{BTreeMap, HashMap};

/// What is known, by id. Two branches may know one id for different things.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    transfers: HashMap<TransferId, Vec<Transfer>>,
    holds: HashMap<TransferId, Vec<Reserved>>,
    failed: Option<ReadError>,
}

/// Why a request does not become a transfer. Nothing was tried, and its id is not used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// A branch that may know it could not be asked.
    Unavailable(ReadError),
    /// No branch knows the hold.
    Hold,
    /// No branch knows the transfer.
    Original,
    /// Two branches know it, for different things.
    Ambiguous,
}

impl Facts {
    /// Asks the branches; none if nothing is named.
    pub(crate) async fn of(engine: &Engine, asks: &[Ask]) -> Self {
        let mut facts = Self::default();
        let named = asks.iter().map(|ask| (ask.branch(), ask.hold(), ask.original()));
        facts.learn(engine, named).await;
        // What is not found, or found twice, may have been done before.
        let unclear = asks.iter().filter(|ask| facts.resolve(ask, &HashMap::new()).is_err());
        let own: Vec<_> = unclear.map(|ask| (ask.branch(), None, Some(ask.id()))).collect();
        facts.learn(engine, own.into_iter()).await;
        facts
    }

    /// Asks for holds and transfers: each the branch that is named with it, or all.
    async fn learn(
        &mut self,
        engine: &Engine,
        named: impl Iterator<Item = (Option<BranchCode>, Option<TransferId>, Option<TransferId>)>,
    ) {
        let mut questions: BTreeMap<Option<BranchCode>, Names> = BTreeMap::new();
        for (branch, hold, transfer) in named.filter(|(_, hold, transfer)| hold.or(*transfer).is_some()) {
            let names = questions.entry(branch).or_insert_with(|| Names { branch, ..Names::default() });
            names.holds.extend(hold);
            names.transfers.extend(transfer);
        }
        for known in join_all(questions.values().map(|names| engine.look_up(names))).await {
            self.failed = self.failed.or(known.failed);
            for hold in &known.holds {
                let holds = self.holds.entry(hold.id).or_default();
                if holds.iter().all(|other| other.debit.branch() != hold.debit.branch()) {
                    holds.push(Reserved::from(hold));
                }
            }
            for record in known.transfers {
                let same_id = self.transfers.entry(record.transfer.id).or_default();
                // Both branches of a transfer have its record.
                if same_id.iter().all(|other| other.differs_from(&record.transfer).is_some()) {
                    same_id.push(record.transfer);
                }
            }
        }
    }

    /// As a transfer. `placed` are the holds that earlier links of the same chain place.
    pub(crate) fn resolve(&self, ask: &Ask, placed: &HashMap<TransferId, Reserved>) -> Result<Transfer, Missing> {
        match ask {
            Ask::Whole(transfer) => Ok(transfer.clone()),
            Ask::OfHold { hold, what, classified, branch } => {
                let is_own = |record: &&Transfer| record.operation.hold() == Some(*hold) && is_at(*branch, record);
                if let Some(record) = self.records(ask.id()).find(is_own) {
                    return Ok(ask::of_hold(*hold, *what, classified, Reserved::from(record)));
                }
                let holds = self.holds.get(hold).into_iter().flatten().copied();
                let known: Vec<Reserved> =
                    holds.filter(|hold| branch.is_none_or(|branch| hold.debit.branch() == branch)).collect();
                let reserved = match (known.as_slice(), placed.get(hold)) {
                    ([only], _) => *only,
                    ([], Some(placed)) => *placed,
                    ([], None) => return Err(self.failed.map_or(Missing::Hold, Missing::Unavailable)),
                    (_, _) => return Err(Missing::Ambiguous),
                };
                Ok(ask::of_hold(*hold, *what, classified, reserved))
            }
            Ask::Reversal { original, amount, is_forced, classified, branch } => {
                let is_own =
                    |record: &&Transfer| record.operation.original() == Some(*original) && is_at(*branch, record);
                if let Some(record) = self.records(ask.id()).find(is_own) {
                    // The way of the record is that of the reversal; all of the original is what it moved back.
                    let back = Transfer { id: *original, debit: record.credit, credit: record.debit, ..record.clone() };
                    return Ok(ask::of_original(&back, *amount, *is_forced, classified));
                }
                let known: Vec<&Transfer> = self.records(*original).filter(|record| is_at(*branch, record)).collect();
                match known.as_slice() {
                    [only] => Ok(ask::of_original(only, *amount, *is_forced, classified)),
                    [] => Err(self.failed.map_or(Missing::Original, Missing::Unavailable)),
                    _ => Err(Missing::Ambiguous),
                }
            }
        }
    }

    fn records(&self, id: TransferId) -> impl Iterator<Item = &Transfer> {
        self.transfers.get(&id).into_iter().flatten()
    }
}

fn is_at(branch: Option<BranchCode>, transfer: &Transfer) -> bool {
    branch.is_none_or(|branch| transfer.touches(branch))
}

impl From<Missing> for Problem {
    fn from(missing: Missing) -> Self {
        let still = "it may still be on its way, and this id is not used up: sending it again tells";
        match missing {
            Missing::Unavailable(error) => error.into(),
            Missing::Hold => Self::new(Code::HoldNotFound, format!("no hold with this id is recorded; {still}")),
            Missing::Original => Self::new(Code::TransferNotFound, format!("no such transfer is recorded; {still}")),
            Missing::Ambiguous => {
                let rule = "two branches know this id for different things: name the branch";
                Self::field("/branch".to_owned(), rule.to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask::{Classified, OfHold};
    use nostro_core::{AccountNumber, Amount, Operation};

    fn id(number: u128) -> TransferId {
        TransferId(uuid::Uuid::from_u128(number))
    }

    fn account(branch: &str, serial: u64) -> AccountNumber {
        AccountNumber::new(branch.parse().unwrap(), serial).unwrap()
    }

    fn transfer(number: u128, operation: Operation, from: &str, to: &str, amount: i64) -> Transfer {
        Transfer {
            id: id(number),
            operation,
            debit: account(from, 1),
            credit: account(to, 2),
            amount: Amount::new(amount).unwrap(),
            currency: "USD".parse().unwrap(),
            category: 0,
            reference: None,
            link: None,
        }
    }

    fn classified(number: u128) -> Classified {
        Classified { id: id(number), category: 0, reference: None }
    }

    fn capture(number: u128, branch: Option<&str>) -> Ask {
        let what = OfHold::Capture { amount: Amount::new(5).unwrap(), is_final: false };
        let branch = branch.map(|branch| branch.parse().unwrap());
        Ask::OfHold { hold: id(1), what, classified: classified(number), branch }
    }

    fn facts(holds: &[Transfer], transfers: &[Transfer]) -> Facts {
        let mut facts = Facts::default();
        for hold in holds {
            facts.holds.entry(hold.id).or_default().push(Reserved::from(hold));
        }
        for transfer in transfers {
            facts.transfers.entry(transfer.id).or_default().push(transfer.clone());
        }
        facts
    }

    fn hold(from: &str) -> Transfer {
        transfer(1, Operation::Hold { expires_at: None }, from, "TX", 50)
    }

    #[test]
    fn a_name_that_two_branches_know_is_settled_by_the_branch_or_by_the_requests_own_record() {
        let both = [hold("AZ"), hold("TX")];
        let resolve = |facts: &Facts, ask: &Ask| facts.resolve(ask, &HashMap::new()).map(|transfer| transfer.debit);
        assert_eq!(resolve(&facts(&both[..1], &[]), &capture(7, None)), Ok(account("AZ", 1)));
        assert_eq!(resolve(&facts(&both, &[]), &capture(7, None)), Err(Missing::Ambiguous));
        assert_eq!(resolve(&facts(&both, &[]), &capture(7, Some("TX"))), Ok(account("TX", 1)));
        let own = transfer(7, Operation::Capture { hold: id(1), is_final: false }, "AZ", "TX", 5);
        assert_eq!(resolve(&facts(&both, std::slice::from_ref(&own)), &capture(7, None)), Ok(account("AZ", 1)));
        // What another branch did under the id for another hold says nothing.
        let other = transfer(7, Operation::Capture { hold: id(2), is_final: false }, "AZ", "TX", 5);
        assert_eq!(resolve(&facts(&both[1..], &[other]), &capture(7, None)), Ok(account("TX", 1)));
        assert_eq!(resolve(&facts(&[], &[]), &capture(7, None)), Err(Missing::Hold));
    }

    #[test]
    fn a_reversal_that_was_done_is_found_without_its_original() {
        let ask = |amount: Option<i64>| Ask::Reversal {
            original: id(1),
            amount: amount.map(|amount| Amount::new(amount).unwrap()),
            is_forced: false,
            classified: classified(7),
            branch: None,
        };
        let done = transfer(7, Operation::Reversal { original: id(1), is_forced: false }, "TX", "AZ", 50);
        for amount in [None, Some(50)] {
            let again = facts(&[], std::slice::from_ref(&done)).resolve(&ask(amount), &HashMap::new()).unwrap();
            assert_eq!(again.differs_from(&done), None, "{amount:?}");
        }
        assert_eq!(facts(&[], &[]).resolve(&ask(None), &HashMap::new()), Err(Missing::Original));
        let lost = Facts { failed: Some(ReadError::Bug), ..Facts::default() };
        assert_eq!(lost.resolve(&ask(None), &HashMap::new()), Err(Missing::Unavailable(ReadError::Bug)));
    }
}
