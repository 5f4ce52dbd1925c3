//! Random batches against one transfer at a time.

use crate::table::{account, input, name, number, told};
use nostro_core::plan::{Accounts, LockedAccount, PlanInput, plan};
use nostro_core::transfer::Decision;
use nostro_core::{AccountNumber, Amount, Operation, Transfer, TransferId};
use proptest::prelude::*;
use std::collections::HashMap;

/// The independent model: one transfer at a time over plain integers.
fn slowly(balances: &mut HashMap<AccountNumber, i64>, transfers: &[Transfer]) -> Vec<&'static str> {
    let mut done: HashMap<TransferId, (Transfer, &'static str)> = HashMap::new();
    let mut told = Vec::new();
    for transfer in transfers {
        if let Some((earlier, outcome)) = done.get(&transfer.id) {
            told.push(if earlier == transfer { *outcome } else { "conflict" });
            continue;
        }
        let outcome = match (balances.get(&transfer.debit), balances.get(&transfer.credit)) {
            (None, _) => "refused debit_account_not_found",
            (_, None) => "refused credit_account_not_found",
            (Some(debit), Some(_)) if *debit < transfer.amount.minor_units() => "refused insufficient_funds",
            (Some(_), Some(_)) => {
                *balances.get_mut(&transfer.debit).unwrap() -= transfer.amount.minor_units();
                *balances.get_mut(&transfer.credit).unwrap() += transfer.amount.minor_units();
                "posted"
            }
        };
        done.insert(transfer.id, (transfer.clone(), outcome));
        told.push(outcome);
    }
    told
}

proptest! {
    #[test]
    fn random_batches_agree_with_one_transfer_at_a_time(
        start in proptest::collection::vec(0_i64..300, 6),
        asked in proptest::collection::vec((0_u128..30, 0_usize..8, 1_usize..8, 1_i64..200), 0..60),
    ) {
        // Six accounts exist, two do not.
        let numbers: Vec<AccountNumber> = ["A1", "A2", "A3", "T1", "T2", "T3", "A8", "T8"].map(number).to_vec();
        let transfers: Vec<Transfer> = asked.iter().map(|(id, debit, step, amount)| Transfer {
            id: TransferId(uuid::Uuid::from_u128(*id)),
            operation: Operation::Transfer,
            debit: numbers[*debit],
            credit: numbers[(debit + step) % 8],
            amount: Amount::new(*amount).unwrap(),
            currency: "USD".parse().unwrap(),
            category: 0,
            reference: None,
        }).collect();
        let mut balances: HashMap<AccountNumber, i64> = numbers.iter().copied().zip(start.iter().copied()).collect();
        let accounts: Accounts = balances.iter()
            .map(|(number, balance)| (*number, account(&format!("{} {balance}", name(*number))).1)).collect();
        let expected = slowly(&mut balances, &transfers);
        let plan = plan(PlanInput { accounts: accounts.clone(), ..input("", &transfers) });
        for (outcome, expected) in plan.outcomes.iter().zip(&expected) {
            let told = told(outcome);
            prop_assert!(told.trim_start_matches("replayed, ").starts_with(expected), "{} {}", told, expected);
        }
        let written: HashMap<AccountNumber, LockedAccount> = plan.accounts.iter().copied().collect();
        prop_assert_eq!(written.len(), plan.accounts.len(), "each account is written once");
        let mut entries: HashMap<AccountNumber, i64> = HashMap::new();
        for record in plan.records() {
            if let Decision::Posted { .. } = record.decision {
                *entries.entry(record.transfer.debit).or_default() += 1;
                *entries.entry(record.transfer.credit).or_default() += 1;
            }
        }
        for (number, before) in accounts.iter() {
            let after = written.get(&number).unwrap_or(before);
            prop_assert_eq!(after.balance.minor_units(), balances[&number]);
            prop_assert_eq!(after.seq, entries.get(&number).copied().unwrap_or(0), "sequences have no gap");
            prop_assert_eq!(written.contains_key(&number), entries.contains_key(&number));
        }
    }
}
