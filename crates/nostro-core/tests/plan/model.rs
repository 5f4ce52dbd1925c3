//! Random batches against one transfer at a time by the slow [`Ledger`].
//!
//! A case is decided in one to three batches. The planner's next batch finds what the databases keep of those before;
//! the slow ledger's memory simply spans them.

use crate::database::Database;
use crate::drawn::{CUSTOMERS, Case, cases};
use crate::ledger::{Kept, Ledger, Moved, Reserved};
use crate::table::{NOW, account, hold, lines, name, number, original, told};
use nostro_core::plan::{Accounts, Outcome, Plan, plan};
use nostro_core::transfer::Decision;
use nostro_core::{
    AccountNumber, AccountState, BranchCode, Currency, Hold, Original, Refusal, Timestamp, Transfer, TransferId,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use std::collections::{BTreeMap, HashMap, HashSet};

/// One is due, and one is captured.
const HOLDS: &str = "
    300: A1 > A3 50 captured=10
    301: A2 > T1 35 captured=10 until=1000
    302: A3 > T2 10 captured=10 state=captured
    303: T1 > T3 17 captured=10
    304: A4 > T4 30 EUR
";
/// Of the last one, which is a reversal, no money goes back.
const ORIGINALS: &str = "
    400: T1 > A1 80 reversed=20
    401: T2 > A2 80 reversed=20
    402: T3 > A3 80
    403: T4 > A4 80 EUR
    404: A840 > A1 50 deposit
    405: A2 > A1 50 reversal=9
";
/// What each branch has paid in.
const CASH: i64 = -1_000;

/// The slow ledger and the databases before the first batch.
fn before(case: &Case) -> (Ledger, Database) {
    let mut ledger = Ledger::new(NOW);
    let holds: BTreeMap<TransferId, Hold> = lines(HOLDS).map(hold).map(|hold| (hold.id, hold)).collect();
    for (id, hold) in &holds {
        let Hold { debit, credit, currency, expires_at, state, .. } = *hold;
        let left = hold.remaining().unwrap().minor_units();
        *ledger.held.entry(debit).or_default() += left;
        let expires_at = expires_at.map(Timestamp::micros);
        ledger.holds.insert(*id, Reserved { debit, credit, currency, left, expires_at, state: state.as_str() });
    }
    let originals: BTreeMap<TransferId, Original> =
        lines(ORIGINALS).map(original).map(|original| (original.id, original)).collect();
    for (id, original) in &originals {
        let Original { debit, credit, currency, amount, reversed, .. } = *original;
        let left = amount.minor_units() - reversed.minor_units();
        ledger.moved.insert(*id, Moved { debit, credit, currency, left, is_reversible: original.is_reversible() });
    }
    let mut start = case.start.iter();
    for (code, names) in CUSTOMERS {
        let currency: Currency = code.parse().unwrap();
        for (account, (free, limit, ceiling, state)) in names.map(number).into_iter().zip(start.by_ref()) {
            // Most are open.
            let state = AccountState::ALL.get(*state).copied().unwrap_or(AccountState::Open);
            let ceiling = (*ceiling >= 200).then_some(*ceiling);
            ledger.balances.insert(account, free + ledger.held.get(&account).unwrap_or(&0));
            ledger.terms.insert(account, Kept { currency, is_cash: false, limit: *limit, ceiling, state });
        }
        for branch in ["AZ", "TX"].map(|code| code.parse::<BranchCode>().unwrap()) {
            let cash = AccountNumber::cash(branch, currency);
            let kept = Kept { currency, is_cash: true, limit: 0, ceiling: None, state: AccountState::Open };
            ledger.balances.insert(cash, CASH);
            ledger.terms.insert(cash, kept);
        }
    }
    let database = Database::new(accounts(&ledger), holds, originals);
    (ledger, database)
}

fn accounts(ledger: &Ledger) -> Accounts {
    let locked = |(number, kept): (&AccountNumber, &Kept)| {
        let Kept { currency, is_cash, limit, ceiling, state } = *kept;
        let (balance, held) = (ledger.balances[number], ledger.held.get(number).unwrap_or(&0));
        let ceiling = ceiling.map(|ceiling| format!("ceiling={ceiling}")).unwrap_or_default();
        let exceeded = if ledger.is_outside(*number) { "exceeded" } else { "" };
        let cash = if is_cash { "cash" } else { "" };
        let terms = format!("limit={limit} {ceiling} {} {exceeded} {cash} {}", state.as_str(), currency.code());
        account(&format!("{} {balance} held={held} {terms}", name(*number)))
    };
    ledger.terms.iter().map(locked).collect()
}

/// How often what was told.
type Told = BTreeMap<&'static str, usize>;

/// Decides a case by the planner and by the slow ledger, and compares all that they tell and leave.
fn compared(case: &Case) -> Result<Told, TestCaseError> {
    let (mut ledger, mut database) = before(case);
    let mut first: HashMap<TransferId, String> = HashMap::new();
    let mut asked: Vec<Vec<Transfer>> = Vec::new();
    let mut counted = Told::new();
    for drawn in case.batches() {
        let fresh = case.lists(drawn, &ledger);
        let lists = case.among(fresh.clone(), &asked);
        asked.extend(fresh);
        let expected: Vec<String> = lists.iter().flat_map(|list| ledger.decide_list(list)).collect();
        let transfers: Vec<Transfer> = lists.into_iter().flatten().collect();
        let plan = plan(database.read(&transfers, &case.keys, ledger.now));
        prop_assert_eq!(plan.outcomes.len(), transfers.len());
        for ((outcome, expected), transfer) in plan.outcomes.iter().zip(&expected).zip(&transfers) {
            let told = told(outcome);
            let is_as_expected = told.trim_start_matches("replayed, ").starts_with(expected.as_str());
            prop_assert!(is_as_expected, "{told}, expected {expected}: {transfer:?}");
            *counted.entry(word(outcome)).or_default() += 1;
            match outcome {
                Outcome::Decided(_) => {
                    prop_assert_eq!(first.insert(transfer.id, told), None, "decided again: {:?}", transfer);
                }
                // Word for word, with the lines of both sides, whichever branches it was read from.
                Outcome::Replayed(_) => {
                    let again = first.get(&transfer.id).map(|first| format!("replayed, {first}"));
                    prop_assert_eq!(again, Some(told), "{:?}", transfer);
                }
                Outcome::Conflict(_) | Outcome::Unusable(_) | Outcome::Moot => {}
            }
        }
        let accounts = database.accounts.clone();
        database.write(&plan);
        ledger.next_batch();
        accounts_agree(&plan, &accounts, &database.accounts, &ledger)?;
        sources_agree(&database, &ledger)?;
    }
    Ok(counted)
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Decided(record) => match record.decision {
            Decision::Posted { .. } => "posted",
            Decision::Refused(refusal) => refusal.code(),
        },
        Outcome::Replayed(_) => "replayed",
        Outcome::Conflict(_) => "conflict",
        Outcome::Unusable(_) => "unusable",
        Outcome::Moot => "moot",
    }
}

fn accounts_agree(plan: &Plan, before: &Accounts, after: &Accounts, ledger: &Ledger) -> Result<(), TestCaseError> {
    let written: HashSet<AccountNumber> = plan.accounts.iter().map(|(number, _)| *number).collect();
    prop_assert_eq!(written.len(), plan.accounts.len(), "each account is written once");
    let mut entries: HashMap<AccountNumber, i64> = HashMap::new();
    for record in plan.records() {
        if let (Decision::Posted { .. }, true) = (record.decision, record.transfer.operation.moves_money()) {
            *entries.entry(record.transfer.debit).or_default() += 1;
            *entries.entry(record.transfer.credit).or_default() += 1;
        }
    }
    for ((number, before), (_, after)) in before.iter().zip(after.iter()) {
        prop_assert_eq!(after.balance.minor_units(), ledger.balances[&number], "{}", name(number));
        prop_assert_eq!(after.held.minor_units(), ledger.held.get(&number).copied().unwrap_or(0), "{}", name(number));
        prop_assert_eq!(after.limit_exceeded, ledger.is_outside(number), "{}", name(number));
        prop_assert!(plan.has_marked || before.limit_exceeded == after.limit_exceeded, "{} is marked", name(number));
        let entries = entries.get(&number).copied().unwrap_or(0);
        prop_assert_eq!(after.seq, before.seq + entries, "sequences have no gap");
    }
    Ok(())
}

fn sources_agree(database: &Database, ledger: &Ledger) -> Result<(), TestCaseError> {
    let kept = |hold: &Hold| (hold.id, hold.state.as_str(), hold.remaining().unwrap().minor_units());
    let holds: Vec<_> = database.holds.values().map(kept).collect();
    let reserved: Vec<_> = ledger.holds.iter().map(|(id, reserved)| (*id, reserved.state, reserved.left)).collect();
    prop_assert_eq!(holds, reserved);
    let kept = |original: &Original| (original.id, original.amount.minor_units() - original.reversed.minor_units());
    let originals: Vec<_> = database.originals.values().map(kept).collect();
    let moved: Vec<_> = ledger.moved.iter().map(|(id, moved)| (*id, moved.left)).collect();
    prop_assert_eq!(originals, moved);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn random_batches_agree_with_one_transfer_at_a_time(case in cases()) {
        compared(&case)?;
    }
}

/// A random test is worth what it meets.
#[test]
fn random_batches_meet_every_outcome_and_most_are_not_refused_for_what_is_odd() {
    let mut runner = TestRunner::deterministic();
    let mut told = Told::new();
    for _ in 0..300 {
        let case = cases().new_tree(&mut runner).unwrap().current();
        for (word, count) in compared(&case).unwrap() {
            *told.entry(word).or_default() += count;
        }
    }
    // Balances here are far from the ends of a bigint.
    let refusals = Refusal::ALL.into_iter().filter(|refusal| *refusal != Refusal::BalanceOutOfRange);
    for word in refusals.map(Refusal::code).chain(["posted", "replayed", "conflict", "moot"]) {
        assert!(told.contains_key(word), "{word} is never met: {told:?}");
    }
    let all: usize = told.values().sum();
    assert!(told["posted"] > all / 16, "{told:?}");
    assert!(told["replayed"] > all / 20, "{told:?}");
    for odd in ["currency_mismatch", "debit_account_not_found", "credit_account_not_found"] {
        assert!(told[odd] < all / 8, "{odd}: {told:?}");
    }
}
