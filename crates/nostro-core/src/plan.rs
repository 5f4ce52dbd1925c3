//! The planner: decides a batch of transfers, in order, in memory.
//!
//! In: the transfers, the accounts as locked, the records already under the batch's ids, the batch's time. Out:
//! an outcome for each transfer, and each touched account once, as it stands after all of them. SQL stores what
//! is decided here and decides nothing. Order matters: the second of two payments sees what the first left. A
//! refused transfer has no effect on any account. An id that occurs twice in the batch is decided once.

use crate::account::{AccountKind, AccountState, available};
use crate::account_number::AccountNumber;
use crate::amount::Balance;
use crate::currency::Currency;
use crate::refusal::Refusal;
use crate::time::Timestamp;
use crate::transfer::{Decision, Field, Line, Transfer, TransferId, TransferRecord};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

/// An account as its row was when it was locked, and as the plan leaves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockedAccount {
    /// What it is for.
    pub kind: AccountKind,
    /// Its one currency.
    pub currency: Currency,
    /// Credits minus debits.
    pub balance: Balance,
    /// Reserved by open holds.
    pub held: Balance,
    /// How far below zero it may go.
    pub overdraft_limit: Balance,
    /// Whether it takes postings.
    pub state: AccountState,
    /// The number of its last entry, 0 if it has none.
    pub seq: i64,
    /// When it was last posted to.
    pub last_posted_at: Option<Timestamp>,
}

/// What the planner decides from.
#[derive(Debug)]
pub struct PlanInput<'a> {
    /// In the order in which they are decided.
    pub transfers: Vec<&'a Transfer>,
    /// Locked accounts; one that is absent does not exist.
    pub accounts: HashMap<AccountNumber, LockedAccount>,
    /// What was found under the batch's ids, one record a branch that has one.
    pub known: Vec<TransferRecord>,
    /// The batch's time, see [`posted_at`].
    pub posted_at: Timestamp,
}

/// What became of one transfer of the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Decided now: posted or refused, and to be recorded.
    Decided(TransferRecord),
    /// Decided earlier, or earlier in this batch, under the same id with the same content.
    Replayed(TransferRecord),
    /// The id was used with other content; this field differs.
    Conflict(Field),
}

/// What to answer and what to write.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan {
    /// One for each transfer, in order.
    pub outcomes: Vec<Outcome>,
    /// Each account that was posted to, once, as it stands after the batch.
    pub accounts: Vec<(AccountNumber, LockedAccount)>,
}

impl Plan {
    /// The records to write: posted and refused, not replayed.
    pub fn records(&self) -> impl Iterator<Item = &TransferRecord> {
        self.outcomes.iter().filter_map(|outcome| match outcome {
            Outcome::Decided(record) => Some(record),
            Outcome::Replayed(_) | Outcome::Conflict(_) => None,
        })
    }
}

/// The time of a batch: the latest of the clocks of its branches, and never before the last posting of any of its
/// accounts, so that no history runs backwards. `None` without a clock.
pub fn posted_at<'a>(
    clocks: impl IntoIterator<Item = Timestamp>,
    accounts: impl IntoIterator<Item = &'a LockedAccount>,
) -> Option<Timestamp> {
    let clock = clocks.into_iter().max()?;
    let last = accounts.into_iter().filter_map(|account| account.last_posted_at).max();
    Some(last.map_or(clock, |last| last.max(clock)))
}

/// Decides the batch.
pub fn plan(input: PlanInput<'_>) -> Plan {
    let PlanInput { transfers, mut accounts, known, posted_at } = input;
    let mut seen: HashMap<TransferId, TransferRecord> = HashMap::with_capacity(transfers.len());
    let mut conflicting: HashMap<TransferId, Vec<TransferRecord>> = HashMap::new();
    for record in known {
        match seen.entry(record.transfer.id) {
            Entry::Vacant(slot) => {
                slot.insert(record);
            }
            Entry::Occupied(mut slot) if slot.get().transfer.differs_from(&record.transfer).is_none() => {
                let merged = slot.get().clone().merged(&record);
                slot.insert(merged);
            }
            // Two branches know the id with different content: whatever is asked conflicts with one of them.
            Entry::Occupied(_) => conflicting.entry(record.transfer.id).or_default().push(record),
        }
    }
    let mut touched: HashSet<AccountNumber> = HashSet::new();
    let mut order: Vec<AccountNumber> = Vec::new();
    let mut outcomes = Vec::with_capacity(transfers.len());
    for transfer in transfers {
        let others = conflicting.get(&transfer.id).into_iter().flatten();
        let conflict = others.chain(seen.get(&transfer.id)).find_map(|record| transfer.differs_from(&record.transfer));
        if let Some(field) = conflict {
            outcomes.push(Outcome::Conflict(field));
            continue;
        }
        if let Some(record) = seen.get(&transfer.id) {
            outcomes.push(Outcome::Replayed(record.clone()));
            continue;
        }
        let decision = match decide(transfer, &accounts) {
            Ok((debit, credit)) => {
                for (number, account) in [(transfer.debit, debit), (transfer.credit, credit)] {
                    if touched.insert(number) {
                        order.push(number);
                    }
                    accounts.insert(number, LockedAccount { last_posted_at: Some(posted_at), ..account });
                }
                Decision::Posted { debit: Some(line(&debit)), credit: Some(line(&credit)) }
            }
            Err(refusal) => Decision::Refused(refusal),
        };
        let record = TransferRecord { transfer: transfer.clone(), decision, posted_at };
        seen.insert(transfer.id, record.clone());
        outcomes.push(Outcome::Decided(record));
    }
    let accounts =
        order.into_iter().filter_map(|number| accounts.get(&number).map(|account| (number, *account))).collect();
    Plan { outcomes, accounts }
}

fn line(account: &LockedAccount) -> Line {
    Line { balance_after: account.balance, seq: account.seq }
}

/// Both accounts as they stand after the transfer, or the first refusal in order of precedence.
fn decide(
    transfer: &Transfer,
    accounts: &HashMap<AccountNumber, LockedAccount>,
) -> Result<(LockedAccount, LockedAccount), Refusal> {
    let debit = accounts.get(&transfer.debit).ok_or(Refusal::DebitAccountNotFound)?;
    let credit = accounts.get(&transfer.credit).ok_or(Refusal::CreditAccountNotFound)?;
    if debit.currency != transfer.currency || credit.currency != transfer.currency {
        return Err(Refusal::CurrencyMismatch);
    }
    if debit.state == AccountState::Closed {
        return Err(Refusal::DebitAccountClosed);
    }
    if credit.state == AccountState::Closed {
        return Err(Refusal::CreditAccountClosed);
    }
    let available = available(debit.kind, debit.balance, debit.held, debit.overdraft_limit);
    if available.is_some_and(|available| available.minor_units() < transfer.amount.minor_units()) {
        return Err(Refusal::InsufficientFunds);
    }
    let after = |account: &LockedAccount, balance: Option<Balance>| {
        let seq = account.seq.checked_add(1);
        Some(LockedAccount { balance: balance?, seq: seq?, ..*account })
    };
    let debited = after(debit, debit.balance.debited(transfer.amount)).ok_or(Refusal::BalanceOutOfRange)?;
    let credited = after(credit, credit.balance.credited(transfer.amount)).ok_or(Refusal::BalanceOutOfRange)?;
    Ok((debited, credited))
}
