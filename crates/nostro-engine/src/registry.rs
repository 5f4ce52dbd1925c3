//! Customers and accounts: routes each request to its branch and tells what it met.
//!
//! Those of one request are made by one statement at each of their branches, all branches at once. A branch that
//! cannot be asked keeps nothing from the others. So an id is unique at its branch only; whoever must know what was made
//! under ids anywhere asks all branches before.

use crate::answer::Unavailable;
use crate::bank::{Bank, Branch};
use crate::register::{Made, MadeUnder, NewAccount, NewCustomer, ReadError, RegisterError};
use futures_util::future::join_all;
use nostro_core::{Account, BranchCode, Customer};
use nostro_store::RowError;
use nostro_store::lock;
use nostro_store::read;
use nostro_store::register::{self, AccountRequest, CustomerRequest, Registered};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What became of one of many.
type Making<T> = Result<Made<T>, RegisterError>;
/// What became of those of a branch, each with its place in the request.
type Placed<T> = Vec<(usize, Making<T>)>;

pub(crate) fn failed(error: ReadError) -> RegisterError {
    match error {
        ReadError::UnknownBranch(code) => RegisterError::UnknownBranch(code),
        ReadError::Unavailable(unavailable) => RegisterError::Unavailable(unavailable),
        ReadError::Bug => RegisterError::Bug,
    }
}

pub(crate) fn known(bank: &Bank, code: BranchCode) -> Result<&Branch, RegisterError> {
    let branch = bank.branch(code).ok_or(RegisterError::UnknownBranch(code))?;
    match bank.turned_away([code]) {
        None => Ok(branch),
        Some(unavailable) => Err(RegisterError::Unavailable(unavailable)),
    }
}

fn made<T>(registered: Registered<T>) -> Result<Made<T>, RegisterError> {
    match registered {
        Registered::Made(value) => Ok(Made { value, replayed: false }),
        Registered::Replayed(value) => Ok(Made { value, replayed: true }),
        Registered::Conflict(field) => Err(RegisterError::IdConflict(field)),
        Registered::CustomerNotFound => Err(RegisterError::CustomerNotFound),
    }
}

/// The places of a request by the branches that they go to.
fn by_branch(branches: impl Iterator<Item = BranchCode>) -> BTreeMap<BranchCode, Vec<usize>> {
    let mut places: BTreeMap<BranchCode, Vec<usize>> = BTreeMap::new();
    for (at, code) in branches.enumerate() {
        places.entry(code).or_default().push(at);
    }
    places
}

/// What became of each, in the order of the request. Every place is in the answer of its branch.
fn in_order<T>(answers: Vec<Placed<T>>) -> Vec<Making<T>> {
    let mut answers: Placed<T> = answers.into_iter().flatten().collect();
    answers.sort_unstable_by_key(|(at, _)| *at);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// Puts what a branch answered to its places; where it did not, each has its error.
fn placed<T>(places: &[usize], answer: Result<Vec<Registered<T>>, RegisterError>) -> Placed<T> {
    match answer {
        Ok(registered) => places.iter().copied().zip(registered.into_iter().map(made)).collect(),
        Err(error) => places.iter().map(|at| (*at, Err(error))).collect(),
    }
}

/// What a statement that makes something came to. A lock that was not had in time rolled it back; an answer that
/// did not come leaves open whether it was done.
fn told<T>(code: BranchCode, answer: Result<Option<T>, ReadError>) -> Result<T, RegisterError> {
    match answer {
        Ok(Some(registered)) => Ok(registered),
        Ok(None) => Err(RegisterError::Unavailable(Unavailable::Busy)),
        Err(error) => Err(lost(code, error)),
    }
}

/// Why the branch did not answer after it was asked to make or change something: it may have done it.
pub(crate) fn lost(code: BranchCode, error: ReadError) -> RegisterError {
    match error {
        ReadError::Unavailable(_) => RegisterError::Unknown(code),
        ReadError::UnknownBranch(_) | ReadError::Bug => failed(error),
    }
}

/// `None` where a lock was not had in time.
fn unless_busy<T>(answer: Result<T, RowError>) -> Result<Option<T>, RowError> {
    match answer {
        Err(error) if lock::is_lock_timeout(&error) => Ok(None),
        answer => answer.map(Some),
    }
}

/// Makes customers, each for itself; what became of each, in the order of the request.
pub(crate) async fn create_customers(bank: &Bank, new: &[NewCustomer]) -> Vec<Making<Customer>> {
    let branches = by_branch(new.iter().map(|new| new.branch));
    let mut asked = Vec::with_capacity(branches.len());
    for (code, places) in &branches {
        asked.push(customers_at(bank, *code, new, places));
    }
    in_order(join_all(asked).await)
}

async fn customers_at(bank: &Bank, code: BranchCode, new: &[NewCustomer], places: &[usize]) -> Placed<Customer> {
    let chosen = places.iter().filter_map(|at| new.get(*at));
    let requests: Vec<CustomerRequest<'_>> =
        chosen.map(|new| CustomerRequest { id: new.id, name: &new.name }).collect();
    placed(places, create_at(bank, code, &requests).await)
}

async fn create_at(
    bank: &Bank,
    code: BranchCode,
    requests: &[CustomerRequest<'_>],
) -> Result<Vec<Registered<Customer>>, RegisterError> {
    let branch = known(bank, code)?.config.branch;
    let lease = bank.reader(code).await.map_err(failed)?;
    let client = lease.client();
    let question = async { unless_busy(register::create_customers(&client, branch, requests).await) };
    told(code, bank.ask(code, lease, question).await)
}

/// Opens accounts, each for itself; what became of each, in the order of the request.
pub(crate) async fn open_accounts(bank: &Bank, new: &[NewAccount]) -> Vec<Making<Account>> {
    let branches = by_branch(new.iter().map(|new| new.customer.branch()));
    let mut asked = Vec::with_capacity(branches.len());
    for (code, places) in &branches {
        asked.push(accounts_at(bank, *code, new, places));
    }
    in_order(join_all(asked).await)
}

async fn accounts_at(bank: &Bank, code: BranchCode, new: &[NewAccount], places: &[usize]) -> Placed<Account> {
    let chosen = places.iter().filter_map(|at| new.get(*at));
    let requests: Vec<AccountRequest> = chosen.map(account_request).collect();
    placed(places, open_at(bank, code, &requests).await)
}

fn account_request(new: &NewAccount) -> AccountRequest {
    let NewAccount { id, customer, kind, currency, overdraft_limit } = *new;
    AccountRequest { id, customer, kind, currency, overdraft_limit }
}

async fn open_at(
    bank: &Bank,
    code: BranchCode,
    requests: &[AccountRequest],
) -> Result<Vec<Registered<Account>>, RegisterError> {
    let branch = known(bank, code)?.config.branch;
    let lease = bank.reader(code).await.map_err(failed)?;
    let client = lease.client();
    let question = async { unless_busy(register::open_accounts(&client, branch, requests).await) };
    told(code, bank.ask(code, lease, question).await)
}

/// What customers were made under ids, asked of all branches at once.
pub(crate) async fn find_customers(bank: &Bank, ids: &[Uuid]) -> Result<MadeUnder<Customer>, ReadError> {
    let answers = bank.branches.values().map(|branch| async move {
        let branch = branch.config.branch;
        let lease = bank.reader(branch.code).await?;
        let client = lease.client();
        bank.ask(branch.code, lease, read::customers_made_under(&client, branch, ids)).await
    });
    gathered(bank, join_all(answers).await)
}

/// What accounts were opened under ids, asked of all branches at once.
pub(crate) async fn find_accounts(bank: &Bank, ids: &[Uuid]) -> Result<MadeUnder<Account>, ReadError> {
    let answers = bank.branches.values().map(|branch| async move {
        let branch = branch.config.branch;
        let lease = bank.reader(branch.code).await?;
        let client = lease.client();
        bank.ask(branch.code, lease, read::accounts_made_under(&client, branch, ids)).await
    });
    gathered(bank, join_all(answers).await)
}

/// What the branches answered, in branch order.
fn gathered<T>(bank: &Bank, answers: Vec<Result<Vec<(Uuid, T)>, ReadError>>) -> Result<MadeUnder<T>, ReadError> {
    let mut all = MadeUnder { made: Vec::new(), unreachable: Vec::new() };
    for (code, answer) in bank.branches.keys().zip(answers) {
        match answer {
            Ok(made) => all.made.extend(made),
            Err(ReadError::Unavailable(_)) => all.unreachable.push(*code),
            Err(error @ (ReadError::UnknownBranch(_) | ReadError::Bug)) => return Err(error),
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> BranchCode {
        text.parse().unwrap()
    }

    #[test]
    fn each_place_gets_its_own_answer_whatever_its_branch() {
        let branches = by_branch(["TX", "AZ", "TX", "AZ"].map(code).into_iter());
        assert_eq!(branches, BTreeMap::from([(code("AZ"), vec![1, 3]), (code("TX"), vec![0, 2])]));
        let arizona = placed(&branches[&code("AZ")], Ok(vec![Registered::Made("b"), Registered::Conflict("name")]));
        let texas = placed(&branches[&code("TX")], Err(RegisterError::Unknown(code("TX"))));
        let lost = Err(RegisterError::Unknown(code("TX")));
        let made = Ok(Made { value: "b", replayed: false });
        let conflict = Err(RegisterError::IdConflict("name"));
        assert_eq!(in_order(vec![arizona, texas]), [lost.clone(), made, lost, conflict]);
    }

    #[test]
    fn a_lost_answer_is_unknown_and_a_lock_that_was_not_had_moved_nothing() {
        let az = code("AZ");
        assert_eq!(told(az, Ok(Some(1))), Ok(1));
        assert_eq!(told::<()>(az, Ok(None)), Err(RegisterError::Unavailable(Unavailable::Busy)));
        let lost = Err(ReadError::Unavailable(Unavailable::Branch(az)));
        assert_eq!(told::<()>(az, lost), Err(RegisterError::Unknown(az)));
        assert_eq!(told::<()>(az, Err(ReadError::Bug)), Err(RegisterError::Bug));
    }
}
