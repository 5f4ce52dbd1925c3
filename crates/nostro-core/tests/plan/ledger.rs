//! The slow ledger of the model: one transfer at a time, over plain integers, independent and obviously right.

use crate::drawn::Named;
use nostro_core::{AccountNumber, AccountState, Currency, Operation, Timestamp, Transfer, TransferId};
use std::collections::{BTreeMap, HashMap};

/// What the slow ledger keeps of a hold.
#[derive(Clone, Debug)]
pub(crate) struct Reserved {
    pub(crate) debit: AccountNumber,
    pub(crate) credit: AccountNumber,
    pub(crate) currency: Currency,
    pub(crate) left: i64,
    pub(crate) expires_at: Option<i64>,
    pub(crate) state: &'static str,
}

/// What it keeps of a transfer that moved money, which may go back unless that is what it did itself.
#[derive(Clone, Debug)]
pub(crate) struct Moved {
    pub(crate) debit: AccountNumber,
    pub(crate) credit: AccountNumber,
    pub(crate) currency: Currency,
    pub(crate) left: i64,
    pub(crate) is_reversible: bool,
}

/// What it keeps of an account's terms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    pub(crate) currency: Currency,
    pub(crate) is_cash: bool,
    pub(crate) limit: i64,
    pub(crate) ceiling: Option<i64>,
    pub(crate) state: AccountState,
}

/// The slow ledger.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) now: i64,
    pub(crate) terms: BTreeMap<AccountNumber, Kept>,
    pub(crate) balances: BTreeMap<AccountNumber, i64>,
    pub(crate) held: BTreeMap<AccountNumber, i64>,
    pub(crate) holds: BTreeMap<TransferId, Reserved>,
    pub(crate) moved: BTreeMap<TransferId, Moved>,
    /// Of this batch: what it moved goes back in a later one.
    moved_now: BTreeMap<TransferId, Moved>,
    done: HashMap<TransferId, (Transfer, String)>,
}

impl Ledger {
    /// Without any account.
    pub(crate) fn new(now: i64) -> Self {
        Self { now, ..Self::default() }
    }

    /// The holds, each as what takes from it names it.
    pub(crate) fn placed(&self) -> Vec<Named> {
        let named = |(id, hold): (&TransferId, &Reserved)| Named {
            id: *id,
            debit: hold.debit,
            credit: hold.credit,
            currency: hold.currency,
        };
        self.holds.iter().map(named).collect()
    }

    /// What moved money in earlier batches, each as a reversal names it.
    pub(crate) fn paid(&self) -> Vec<Named> {
        let named = |(id, moved): (&TransferId, &Moved)| Named {
            id: *id,
            debit: moved.credit,
            credit: moved.debit,
            currency: moved.currency,
        };
        self.moved.iter().map(named).collect()
    }

    /// Another batch, a microsecond later.
    pub(crate) fn next_batch(&mut self) {
        self.now += 1;
        self.moved.append(&mut self.moved_now);
    }

    pub(crate) fn decide_list(&mut self, list: &[Transfer]) -> Vec<String> {
        match list {
            [transfer] if transfer.link.is_none() => vec![self.decide(transfer)],
            links => self.decide_chain(links),
        }
    }

    /// All links as if each were by itself, or none, with what one of them was refused for.
    fn decide_chain(&mut self, links: &[Transfer]) -> Vec<String> {
        let known: Vec<Option<(Transfer, String)>> =
            links.iter().map(|link| self.done.get(&link.id).cloned()).collect();
        if known.iter().any(Option::is_some) {
            let again = |(link, known): (&Transfer, &Option<(Transfer, String)>)| {
                known.clone().filter(|(earlier, _)| same(earlier, link)).map(|(_, outcome)| outcome)
            };
            let again: Option<Vec<String>> = links.iter().zip(&known).map(again).collect();
            return again.unwrap_or_else(|| vec!["conflict".into(); links.len()]);
        }
        let before = self.clone();
        let outcomes: Vec<String> = links.iter().map(|link| self.decide(link)).collect();
        let Some(broken) = outcomes.iter().position(|outcome| outcome.starts_with("refused")) else { return outcomes };
        *self = before;
        let mut told = vec!["refused chain_broken".to_owned(); links.len()];
        told[broken].clone_from(&outcomes[broken]);
        for (link, outcome) in links.iter().zip(&told) {
            self.done.insert(link.id, (link.clone(), outcome.clone()));
        }
        told
    }

    fn decide(&mut self, transfer: &Transfer) -> String {
        if let Some((earlier, outcome)) = self.done.get(&transfer.id) {
            return if same(earlier, transfer) { outcome.clone() } else { "conflict".into() };
        }
        let outcome = self.outcome(transfer).unwrap_or_else(|refusal| format!("refused {refusal}"));
        if outcome != "moot" {
            self.done.insert(transfer.id, (transfer.clone(), outcome.clone()));
        }
        outcome
    }

    fn outcome(&mut self, transfer: &Transfer) -> Result<String, &'static str> {
        let (debit, credit, amount) = (transfer.debit, transfer.credit, transfer.amount.minor_units());
        let has = |ledger: &Self, account: AccountNumber| ledger.terms.contains_key(&account);
        let is_right = |ledger: &Self, account: AccountNumber| ledger.terms[&account].currency == transfer.currency;
        if let Operation::Expiry { hold } = transfer.operation {
            let due = self.holds.get(&hold).is_some_and(|hold| {
                hold.state == "open" && hold.debit == debit && hold.expires_at.is_some_and(|at| at <= self.now)
            });
            return Ok(if due { self.end(hold, "expired") } else { "moot".into() });
        }
        if !has(self, debit) {
            return Err("debit_account_not_found");
        }
        let moves = !matches!(transfer.operation, Operation::Hold { .. } | Operation::Release { .. });
        if moves && !has(self, credit) {
            return Err("credit_account_not_found");
        }
        let gives_back = matches!(transfer.operation, Operation::Release { .. });
        if (!gives_back && !is_right(self, debit)) || (moves && !is_right(self, credit)) {
            return Err("currency_mismatch");
        }
        match transfer.operation {
            Operation::Hold { expires_at } => {
                let expires_at = expires_at.map(Timestamp::micros);
                if expires_at.is_some_and(|at| at <= self.now) {
                    return Err("hold_expired");
                }
                self.leaves(debit)?;
                if self.free(debit) < amount {
                    return Err("insufficient_funds");
                }
                *self.held.entry(debit).or_default() += amount;
                let currency = transfer.currency;
                let reserved = Reserved { debit, credit, currency, left: amount, expires_at, state: "open" };
                self.holds.insert(transfer.id, reserved);
                Ok(format!("posted ({amount})"))
            }
            Operation::Release { hold } => {
                self.open(hold, debit, credit)?;
                Ok(self.end(hold, "released"))
            }
            Operation::Capture { hold, is_final } => {
                let left = self.open(hold, debit, credit)?;
                self.moves(debit, credit)?;
                if left < amount {
                    return Err("hold_exceeded");
                }
                self.arrives(credit, amount)?;
                self.shift(transfer, amount);
                *self.held.get_mut(&debit).unwrap() -= amount;
                let reserved = self.holds.get_mut(&hold).unwrap();
                reserved.left -= amount;
                if is_final || reserved.left == 0 {
                    self.end(hold, "captured");
                }
                Ok("posted".into())
            }
            Operation::Reversal { original, is_forced } => {
                let is_own = |moved: &&Moved| moved.is_reversible && (moved.credit, moved.debit) == (debit, credit);
                let left = self.moved.get(&original).filter(is_own).ok_or("not_reversible")?.left;
                self.moves(debit, credit)?;
                if left < amount {
                    return Err("reversal_exceeded");
                }
                if !is_forced && self.free(debit) < amount {
                    return Err("reversal_not_covered");
                }
                self.arrives(credit, amount)?;
                self.moved.get_mut(&original).unwrap().left -= amount;
                self.shift(transfer, amount);
                Ok("posted".into())
            }
            Operation::UpTo { .. } => {
                self.moves(debit, credit)?;
                let most = self.free(debit).min(amount);
                if most <= 0 {
                    return Err("insufficient_funds");
                }
                self.arrives(credit, most)?;
                self.shift(transfer, most);
                Ok(format!("posted ({most})"))
            }
            Operation::Transfer | Operation::Deposit | Operation::Withdrawal => {
                self.moves(debit, credit)?;
                if self.free(debit) < amount {
                    return Err("insufficient_funds");
                }
                self.arrives(credit, amount)?;
                self.shift(transfer, amount);
                Ok("posted".into())
            }
            Operation::Expiry { .. } => unreachable!("decided above"),
        }
    }

    /// What may leave an account; of cash there is no end.
    fn free(&self, account: AccountNumber) -> i64 {
        let Kept { limit, is_cash, .. } = self.terms[&account];
        if is_cash { i64::MAX } else { self.balances[&account] - self.held.get(&account).unwrap_or(&0) + limit }
    }

    /// Whether money may leave it.
    fn leaves(&self, account: AccountNumber) -> Result<(), &'static str> {
        match self.terms[&account].state {
            AccountState::Closed => Err("debit_account_closed"),
            AccountState::Frozen | AccountState::DebitsFrozen => Err("debit_account_frozen"),
            AccountState::Open | AccountState::CreditsFrozen => Ok(()),
        }
    }

    /// Whether money may go from one to the other, by their states: what is closed for good comes first.
    fn moves(&self, debit: AccountNumber, credit: AccountNumber) -> Result<(), &'static str> {
        let frozen = self.leaves(debit);
        match (frozen, self.terms[&credit].state) {
            (Err("debit_account_closed"), _) => Err("debit_account_closed"),
            (_, AccountState::Closed) => Err("credit_account_closed"),
            (Err(frozen), _) => Err(frozen),
            (Ok(()), AccountState::Frozen | AccountState::CreditsFrozen) => Err("credit_account_frozen"),
            (Ok(()), AccountState::Open | AccountState::DebitsFrozen) => Ok(()),
        }
    }

    fn arrives(&self, credit: AccountNumber, amount: i64) -> Result<(), &'static str> {
        let above = self.terms[&credit].ceiling.is_some_and(|ceiling| self.balances[&credit] + amount > ceiling);
        if above { Err("ceiling_exceeded") } else { Ok(()) }
    }

    pub(crate) fn is_outside(&self, account: AccountNumber) -> bool {
        self.free(account) < 0 || self.terms[&account].ceiling.is_some_and(|ceiling| self.balances[&account] > ceiling)
    }

    fn shift(&mut self, transfer: &Transfer, amount: i64) {
        let Transfer { id, debit, credit, currency, operation, .. } = *transfer;
        *self.balances.get_mut(&debit).unwrap() -= amount;
        *self.balances.get_mut(&credit).unwrap() += amount;
        let is_reversible = operation.original().is_none();
        self.moved_now.insert(id, Moved { debit, credit, currency, left: amount, is_reversible });
    }

    /// What is left of an open hold of these accounts.
    fn open(&self, hold: TransferId, debit: AccountNumber, credit: AccountNumber) -> Result<i64, &'static str> {
        let hold = self.holds.get(&hold).filter(|hold| (hold.debit, hold.credit) == (debit, credit));
        let hold = hold.ok_or("hold_mismatch")?;
        match hold.state {
            "open" if hold.expires_at.is_some_and(|at| at <= self.now) => Err("hold_expired"),
            "open" => Ok(hold.left),
            "captured" => Err("hold_captured"),
            "released" => Err("hold_released"),
            _ => Err("hold_expired"),
        }
    }

    /// Gives back what is left.
    fn end(&mut self, hold: TransferId, state: &'static str) -> String {
        let hold = self.holds.get_mut(&hold).unwrap();
        let left = std::mem::take(&mut hold.left);
        hold.state = state;
        *self.held.get_mut(&hold.debit).unwrap() -= left;
        format!("posted ({left})")
    }
}

/// Whether two requests under one id ask for the same. What follows from a hold is not the request's to say.
fn same(one: &Transfer, other: &Transfer) -> bool {
    let follows =
        |transfer: &Transfer| matches!(transfer.operation, Operation::Release { .. } | Operation::Expiry { .. });
    let said = |transfer: &Transfer| (transfer.operation, transfer.category, transfer.reference.clone(), transfer.link);
    if follows(one) && follows(other) { said(one) == said(other) } else { one == other }
}
