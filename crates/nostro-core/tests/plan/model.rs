//! Random batches against one transfer at a time, over plain integers: an independent, slow, obviously right ledger.

use crate::table::{account, chain, input, name, number, told};
use nostro_core::plan::{Accounts, LockedAccount, PlanInput, plan};
use nostro_core::transfer::Decision;
use nostro_core::{
    AccountNumber, AccountState, Amount, Balance, Hold, HoldState, Operation, Original, Timestamp, Transfer,
    TransferId, TransferKind,
};
use proptest::prelude::*;
use std::collections::HashMap;

/// The time of every batch here.
const NOW: i64 = crate::table::NOW;

/// What the slow ledger keeps of a hold.
#[derive(Clone, Debug)]
struct Reserved {
    debit: AccountNumber,
    credit: AccountNumber,
    left: i64,
    is_due: bool,
    state: &'static str,
}

/// What it keeps of a transfer that may be reversed.
#[derive(Clone, Debug)]
struct Moved {
    debit: AccountNumber,
    credit: AccountNumber,
    left: i64,
}

/// What it keeps of an account's terms.
#[derive(Clone, Copy, Debug)]
struct Kept {
    limit: i64,
    ceiling: Option<i64>,
    state: AccountState,
}

/// The slow ledger.
#[derive(Clone, Debug, Default)]
struct Ledger {
    terms: HashMap<AccountNumber, Kept>,
    balances: HashMap<AccountNumber, i64>,
    held: HashMap<AccountNumber, i64>,
    holds: HashMap<TransferId, Reserved>,
    moved: HashMap<TransferId, Moved>,
    done: HashMap<TransferId, (Transfer, String)>,
}

impl Ledger {
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
        let has = |ledger: &Self, account| ledger.balances.contains_key(&account);
        let free = |ledger: &Self, account| {
            ledger.balances[&account] - ledger.held.get(&account).unwrap_or(&0) + ledger.terms[&account].limit
        };
        if let Operation::Expiry { hold } = transfer.operation {
            let due =
                self.holds.get(&hold).is_some_and(|hold| hold.state == "open" && hold.is_due && hold.debit == debit);
            return Ok(if due { self.end(hold, "expired") } else { "moot".into() });
        }
        if !has(self, debit) {
            return Err("debit_account_not_found");
        }
        let moves = !matches!(transfer.operation, Operation::Hold { .. } | Operation::Release { .. });
        if moves && !has(self, credit) {
            return Err("credit_account_not_found");
        }
        match transfer.operation {
            Operation::Hold { expires_at } => {
                let is_due = expires_at.is_some_and(|at| at.micros() <= NOW);
                if is_due {
                    return Err("hold_expired");
                }
                self.leaves(debit)?;
                if free(self, debit) < amount {
                    return Err("insufficient_funds");
                }
                *self.held.entry(debit).or_default() += amount;
                self.holds.insert(transfer.id, Reserved { debit, credit, left: amount, is_due, state: "open" });
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
                self.shift(debit, credit, amount);
                *self.held.get_mut(&debit).unwrap() -= amount;
                let reserved = self.holds.get_mut(&hold).unwrap();
                reserved.left -= amount;
                if is_final || reserved.left == 0 {
                    self.end(hold, "captured");
                }
                Ok("posted".into())
            }
            Operation::Reversal { original, is_forced } => {
                let moved = self.moved.get(&original).filter(|moved| (moved.credit, moved.debit) == (debit, credit));
                let left = moved.ok_or("not_reversible")?.left;
                self.moves(debit, credit)?;
                if left < amount {
                    return Err("reversal_exceeded");
                }
                if !is_forced && free(self, debit) < amount {
                    return Err("reversal_not_covered");
                }
                self.arrives(credit, amount)?;
                self.moved.get_mut(&original).unwrap().left -= amount;
                self.shift(debit, credit, amount);
                Ok("posted".into())
            }
            Operation::UpTo { .. } => {
                self.moves(debit, credit)?;
                let most = free(self, debit).min(amount);
                if most <= 0 {
                    return Err("insufficient_funds");
                }
                self.arrives(credit, most)?;
                self.shift(debit, credit, most);
                Ok(format!("posted ({most})"))
            }
            Operation::Transfer | Operation::Deposit | Operation::Withdrawal => {
                self.moves(debit, credit)?;
                if free(self, debit) < amount {
                    return Err("insufficient_funds");
                }
                self.arrives(credit, amount)?;
                self.shift(debit, credit, amount);
                Ok("posted".into())
            }
            Operation::Expiry { .. } => unreachable!("decided above"),
        }
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

    fn is_outside(&self, account: AccountNumber) -> bool {
        let Kept { limit, ceiling, .. } = self.terms[&account];
        let balance = self.balances[&account];
        balance - self.held.get(&account).unwrap_or(&0) < -limit || ceiling.is_some_and(|ceiling| balance > ceiling)
    }

    fn shift(&mut self, debit: AccountNumber, credit: AccountNumber, amount: i64) {
        *self.balances.get_mut(&debit).unwrap() -= amount;
        *self.balances.get_mut(&credit).unwrap() += amount;
    }

    /// What is left of an open hold of these accounts.
    fn open(&self, hold: TransferId, debit: AccountNumber, credit: AccountNumber) -> Result<i64, &'static str> {
        let hold = self.holds.get(&hold).filter(|hold| (hold.debit, hold.credit) == (debit, credit));
        let hold = hold.ok_or("hold_mismatch")?;
        match hold.state {
            "open" if hold.is_due => Err("hold_expired"),
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

/// Whether two requests under one id ask for the same. What is left of a hold is not the request's to say.
fn same(one: &Transfer, other: &Transfer) -> bool {
    let follows =
        |transfer: &Transfer| matches!(transfer.operation, Operation::Release { .. } | Operation::Expiry { .. });
    let same_but_its_amount = one.operation == other.operation && one.link == other.link;
    if follows(one) && follows(other) { same_but_its_amount } else { one == other }
}

fn id(number: u128) -> TransferId {
    TransferId(uuid::Uuid::from_u128(number))
}

/// Ids of holds and of transfers that are there before the batch.
const HOLDS: [u128; 4] = [100, 101, 102, 103];
const ORIGINALS: [u128; 3] = [200, 201, 202];

/// One transfer of a batch, drawn: id, what it does, accounts, amount, a choice among what is there.
type Drawn = (u128, u8, usize, usize, i64, usize);

/// The transfers in chains of the drawn lengths, some of which are sent twice. A length of 1 is a transfer by itself.
fn chained(transfers: Vec<Transfer>, lengths: &[usize]) -> Vec<Vec<Transfer>> {
    let mut rest = transfers.into_iter();
    let mut chains = Vec::new();
    for length in lengths.iter().cycle() {
        let links: Vec<Transfer> = rest.by_ref().take(*length).collect();
        if links.is_empty() {
            break;
        }
        let ids: std::collections::HashSet<TransferId> = links.iter().map(|link| link.id).collect();
        let is_chain = links.len() > 1
            && ids.len() == links.len()
            && links.iter().all(|link| !matches!(link.operation, Operation::Expiry { .. }));
        if is_chain {
            let links = chain(links);
            if length % 2 == 0 {
                chains.push(links.clone());
            }
            chains.push(links);
        } else {
            chains.extend(links.into_iter().map(|transfer| vec![transfer]));
        }
    }
    chains
}

/// The accounts that exist, and two that do not.
fn numbers() -> Vec<AccountNumber> {
    ["A1", "A2", "A3", "T1", "T2", "T3", "A8", "T8"].map(number).to_vec()
}

/// The batch, of which captures, releases, expiries and reversals name what is there or what the batch placed before.
fn batch(drawn: &[Drawn], ledger: &Ledger) -> Vec<Transfer> {
    let numbers = numbers();
    let mut placed: Vec<(TransferId, AccountNumber, AccountNumber)> =
        ledger.holds.iter().map(|(id, hold)| (*id, hold.debit, hold.credit)).collect();
    placed.sort_unstable();
    let mut moved: Vec<_> = ledger.moved.iter().map(|(id, moved)| (*id, moved.credit, moved.debit)).collect();
    moved.sort_unstable();
    let mut transfers = Vec::new();
    for &(of, what, debit, step, amount, choice) in drawn {
        let accounts = (numbers[debit], numbers[(debit + step) % 8]);
        let (hold, from, to) = placed[choice % placed.len()];
        let (original, back, paid) = moved[choice % moved.len()];
        let amount = Amount::new(amount).unwrap();
        let is_final = step % 2 == 0;
        // Now and then the accounts are not those of what is named.
        let own = |own| if step == 7 { accounts } else { own };
        let (operation, (debit, credit)) = match what {
            0..=2 => (Operation::Transfer, accounts),
            3 => (Operation::UpTo { asked: amount }, accounts),
            4 => (Operation::Hold { expires_at: None }, accounts),
            5 => (Operation::Hold { expires_at: Some(Timestamp::from_micros(NOW + i64::from(step != 3))) }, accounts),
            6..=8 => (Operation::Capture { hold, is_final }, own((from, to))),
            9 => (Operation::Release { hold }, own((from, to))),
            10 => (Operation::Expiry { hold }, (from, to)),
            _ => (Operation::Reversal { original, is_forced: amount.minor_units() % 3 == 0 }, own((back, paid))),
        };
        if matches!(operation, Operation::Hold { .. }) && placed.iter().all(|(known, ..)| *known != id(of)) {
            placed.push((id(of), debit, credit));
        }
        transfers.push(Transfer {
            id: id(of),
            operation,
            debit,
            credit,
            amount,
            currency: "USD".parse().unwrap(),
            category: 0,
            reference: None,
            link: None,
        });
    }
    transfers
}

/// Six accounts (what is free, limit, ceiling, state), four holds (one is due, one is captured), three transfers of which money may go back.
fn before(start: &[(i64, i64, i64, usize)]) -> (Ledger, Vec<Hold>, Vec<Original>) {
    let numbers = numbers();
    let mut ledger = Ledger::default();
    let mut holds = Vec::new();
    for (at, of) in HOLDS.into_iter().enumerate() {
        let (debit, credit) = (numbers[at], numbers[(at + 2) % 6]);
        let (left, is_due, state) =
            [(40, false, "open"), (25, true, "open"), (0, false, "captured"), (7, false, "open")][at];
        *ledger.held.entry(debit).or_default() += left;
        ledger.holds.insert(id(of), Reserved { debit, credit, left, is_due, state });
        holds.push(Hold {
            id: id(of),
            debit,
            credit,
            amount: Amount::new(left + 10).unwrap(),
            currency: "USD".parse().unwrap(),
            captured: Balance::new(10),
            released: Balance::ZERO,
            state: if state == "open" { HoldState::Open } else { HoldState::Captured },
            expires_at: is_due.then_some(Timestamp::from_micros(NOW)),
            placed_at: Timestamp::from_micros(1),
            ended_at: None,
        });
    }
    let mut originals = Vec::new();
    for (at, of) in ORIGINALS.into_iter().enumerate() {
        let (debit, credit) = (numbers[at + 3], numbers[at]);
        ledger.moved.insert(id(of), Moved { debit, credit, left: 60 });
        originals.push(Original {
            id: id(of),
            kind: TransferKind::Transfer,
            debit,
            credit,
            amount: Amount::new(80).unwrap(),
            currency: "USD".parse().unwrap(),
            reversed: Balance::new(20),
        });
    }
    for (account, (free, limit, ceiling, state)) in numbers.iter().take(6).zip(start) {
        let held = ledger.held.get(account).copied().unwrap_or(0);
        // Most are open.
        let state = AccountState::ALL.get(*state).copied().unwrap_or(AccountState::Open);
        ledger.balances.insert(*account, free + held);
        let ceiling = (*ceiling >= 100).then_some(*ceiling);
        ledger.terms.insert(*account, Kept { limit: *limit, ceiling, state });
    }
    (ledger, holds, originals)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn random_batches_agree_with_one_transfer_at_a_time(
        start in proptest::collection::vec((-60_i64..300, 0_i64..50, 0_i64..400, 0_usize..30), 6),
        lengths in proptest::collection::vec(1_usize..6, 1..20),
        drawn in proptest::collection::vec((0_u128..40, 0_u8..13, 0_usize..8, 1_usize..8, 1_i64..120, 0_usize..64), 0..60),
    ) {
        let (mut ledger, holds, originals) = before(&start);
        let chains = chained(batch(&drawn, &ledger), &lengths);
        let accounts: Accounts = ledger.balances.iter().map(|(number, balance)| {
            let held = ledger.held.get(number).copied().unwrap_or(0);
            let Kept { limit, ceiling, state } = ledger.terms[number];
            let ceiling = ceiling.map(|ceiling| format!("ceiling={ceiling}")).unwrap_or_default();
            let exceeded = if ledger.is_outside(*number) { "exceeded" } else { "" };
            let line = format!("{} {balance} held={held} limit={limit} {ceiling} {} {exceeded}", name(*number), state.as_str());
            (*number, account(&line).1)
        }).collect();
        let decide = |links: &Vec<Transfer>| match links.as_slice() {
            [transfer] if transfer.link.is_none() => vec![ledger.decide(transfer)],
            links => ledger.decide_chain(links),
        };
        let expected: Vec<String> = chains.iter().flat_map(decide).collect();
        let transfers: Vec<Transfer> = chains.into_iter().flatten().collect();
        let plan = plan(PlanInput { accounts: accounts.clone(), holds, originals, ..input("", &transfers) });
        for ((outcome, expected), transfer) in plan.outcomes.iter().zip(&expected).zip(&transfers) {
            let told = told(outcome);
            prop_assert!(told.trim_start_matches("replayed, ").starts_with(expected), "{told}, expected {expected}: {transfer:?}");
        }
        let written: HashMap<AccountNumber, LockedAccount> = plan.accounts.iter().copied().collect();
        prop_assert_eq!(written.len(), plan.accounts.len(), "each account is written once");
        let mut entries: HashMap<AccountNumber, i64> = HashMap::new();
        for record in plan.records() {
            if let (Decision::Posted { .. }, true) = (record.decision, record.transfer.operation.moves_money()) {
                *entries.entry(record.transfer.debit).or_default() += 1;
                *entries.entry(record.transfer.credit).or_default() += 1;
            }
        }
        for (number, before) in accounts.iter() {
            let after = written.get(&number).unwrap_or(before);
            prop_assert_eq!(after.balance.minor_units(), ledger.balances[&number]);
            prop_assert_eq!(after.held.minor_units(), ledger.held.get(&number).copied().unwrap_or(0));
            prop_assert_eq!(after.limit_exceeded, ledger.is_outside(number), "{}", name(number));
            prop_assert_eq!(after.seq, entries.get(&number).copied().unwrap_or(0), "sequences have no gap");
        }
        for hold in &plan.holds {
            let kept = &ledger.holds[&hold.id];
            prop_assert_eq!((hold.state.as_str(), hold.remaining().unwrap().minor_units()), (kept.state, kept.left));
        }
        for original in &plan.originals {
            let left = original.amount.minor_units() - original.reversed.minor_units();
            prop_assert_eq!(left, ledger.moved[&original.id].left);
        }
    }
}
