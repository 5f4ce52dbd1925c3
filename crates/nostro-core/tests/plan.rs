//! The planner's rules as tables in text: accounts, transfers, expected outcomes. A line is a case.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use expect_test::{Expect, expect};
use nostro_core::account::{AccountKind, AccountState};
use nostro_core::plan::{Accounts, LockedAccount, Outcome, PlanInput, plan, posted_at};
use nostro_core::transfer::Decision;
use nostro_core::{
    AccountNumber, Amount, Balance, Currency, Refusal, Timestamp, Transfer, TransferId, TransferKind, TransferRecord,
};
use proptest::prelude::*;
use std::collections::{BTreeSet, HashMap};

const NOW: i64 = 1_000;

/// `A1`: branch AZ, serial 1; `T2`: branch TX, serial 2.
fn number(name: &str) -> AccountNumber {
    let (branch, serial) = name.split_at(1);
    let code = if branch == "A" { "AZ" } else { "TX" };
    AccountNumber::new(code.parse().unwrap(), serial.parse().unwrap()).unwrap()
}

fn name(number: AccountNumber) -> String {
    format!("{}{}", &number.branch().as_str()[..1], number.to_string()[4..].parse::<u64>().unwrap())
}

/// `A1 500 limit=100 held=50 EUR closed cash seq=7 last=2000`
fn account(line: &str) -> (AccountNumber, LockedAccount) {
    let mut words = line.split_whitespace();
    let number = number(words.next().unwrap());
    let mut account = LockedAccount {
        kind: AccountKind::Checking,
        currency: "USD".parse().unwrap(),
        balance: Balance::new(words.next().unwrap().parse().unwrap()),
        held: Balance::ZERO,
        overdraft_limit: Balance::ZERO,
        state: AccountState::Open,
        seq: 0,
        last_transfer: None,
        last_posted_at: None,
    };
    for word in words {
        match word.split_once('=') {
            Some(("limit", figure)) => account.overdraft_limit = Balance::new(figure.parse().unwrap()),
            Some(("held", figure)) => account.held = Balance::new(figure.parse().unwrap()),
            Some(("seq", figure)) => account.seq = figure.parse().unwrap(),
            Some(("last", figure)) => account.last_posted_at = Some(Timestamp::from_micros(figure.parse().unwrap())),
            None if word == "closed" => account.state = AccountState::Closed,
            None if word == "cash" => account.kind = AccountKind::Cash,
            None => account.currency = word.parse().unwrap(),
            Some(_) => panic!("{word}"),
        }
    }
    (number, account)
}

/// `7: A1 > T1 100 EUR deposit "rent"`
fn transfer(line: &str) -> Transfer {
    let (id, rest) = line.split_once(": ").unwrap();
    let words: Vec<&str> = rest.split_whitespace().collect();
    let has = |word: &str| words[4..].contains(&word);
    Transfer {
        id: TransferId(uuid::Uuid::from_u128(id.trim().parse().unwrap())),
        kind: if has("deposit") { TransferKind::Deposit } else { TransferKind::Transfer },
        debit: number(words[0]),
        credit: number(words[2]),
        amount: Amount::parse(words[3]).unwrap(),
        currency: words[4..].iter().find_map(|word| word.parse().ok()).unwrap_or("USD".parse::<Currency>().unwrap()),
        category: if has("salary") { 2 } else { 0 },
        reference: has("rent").then(|| nostro_core::Reference::new("rent").unwrap()),
    }
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

fn told(outcome: &Outcome) -> String {
    let record = |record: &TransferRecord| match record.decision {
        Decision::Posted { debit, credit } => {
            let side = |line: Option<nostro_core::transfer::Line>| {
                line.map_or("-".into(), |line| format!("{}#{}", line.balance_after, line.seq))
            };
            format!("posted {} {}", side(debit), side(credit))
        }
        Decision::Refused(refusal) => format!("refused {refusal}"),
    };
    match outcome {
        Outcome::Decided(decided) => record(decided),
        Outcome::Replayed(replayed) => format!("replayed, {}", record(replayed)),
        Outcome::Conflict(field) => format!("conflict {}", field.name()),
        Outcome::Unusable(why) => format!("unusable, {why:?}"),
    }
}

fn planned(accounts: &str, known: Vec<TransferRecord>, transfers: &str) -> String {
    let transfers: Vec<Transfer> = lines(transfers).map(transfer).collect();
    let input = PlanInput {
        transfers: transfers.iter().collect(),
        accounts: lines(accounts).map(account).collect(),
        known,
        detached: BTreeSet::new(),
        clock: Timestamp::from_micros(NOW),
        posted_at: Timestamp::from_micros(NOW),
    };
    let plan = plan(input);
    let mut text = String::new();
    for (transfer, outcome) in transfers.iter().zip(&plan.outcomes) {
        text += &format!("{}: {}\n", transfer.id.0.as_u128(), told(outcome));
    }
    for (number, account) in &plan.accounts {
        text += &format!("{} {} #{}\n", name(*number), account.balance, account.seq);
    }
    text
}

fn check(accounts: &str, transfers: &str, expected: &Expect) {
    expected.assert_eq(&planned(accounts, Vec::new(), transfers));
}

#[test]
fn transfers_are_decided_in_order_and_each_account_is_written_once() {
    check(
        "A1 500
         T1 0 seq=41",
        "1: A1 > T1 300
         2: A1 > T1 300
         3: T1 > A1 100
         4: A1 > T1 300",
        &expect![[r#"
            1: posted 200#1 300#42
            2: refused insufficient_funds
            3: posted 200#43 300#2
            4: posted 0#3 500#44
            A1 0 #3
            T1 500 #44
        "#]],
    );
}

#[test]
fn every_refusal_has_its_case() {
    let cases = [
        ("A1 100", "1: A9 > A1 50", Refusal::DebitAccountNotFound),
        ("A1 100", "1: A1 > T9 50", Refusal::CreditAccountNotFound),
        ("A1 100\nT1 0", "1: A1 > T1 50 EUR", Refusal::CurrencyMismatch),
        ("A1 100\nT1 0 EUR", "1: A1 > T1 50", Refusal::CurrencyMismatch),
        ("A1 100 EUR\nT1 0", "1: A1 > T1 50", Refusal::CurrencyMismatch),
        ("A1 0 closed\nT1 0", "1: A1 > T1 50", Refusal::DebitAccountClosed),
        ("A1 100\nT1 0 closed", "1: A1 > T1 50", Refusal::CreditAccountClosed),
        ("A1 49\nT1 0", "1: A1 > T1 50", Refusal::InsufficientFunds),
        ("A1 100 held=51\nT1 0", "1: A1 > T1 50", Refusal::InsufficientFunds),
        ("A1 0 limit=49\nT1 0", "1: A1 > T1 50", Refusal::InsufficientFunds),
        ("A1 100\nT1 9223372036854775807", "1: A1 > T1 50", Refusal::BalanceOutOfRange),
        ("A1 -9223372036854775808 cash\nT1 0", "1: A1 > T1 50", Refusal::BalanceOutOfRange),
    ];
    let mut met = BTreeSet::new();
    for (accounts, asked, refusal) in cases {
        let transfers = [transfer(asked)];
        let accounts = lines(accounts).map(account).collect();
        let input = PlanInput {
            transfers: transfers.iter().collect(),
            accounts,
            known: vec![],
            detached: BTreeSet::new(),
            clock: Timestamp::from_micros(NOW),
            posted_at: Timestamp::from_micros(NOW),
        };
        let plan = plan(input);
        assert_eq!(told(&plan.outcomes[0]), format!("refused {refusal}"), "{asked}");
        assert!(plan.accounts.is_empty(), "a refused transfer has no effect");
        met.insert(refusal);
    }
    assert_eq!(met.len(), Refusal::ALL.len(), "a refusal without a case");
}

#[test]
fn the_first_refusal_in_order_of_precedence_is_given() {
    for (accounts, asked, expected) in [
        ("", "1: A1 > T1 50", Refusal::DebitAccountNotFound),
        ("A1 0 EUR closed", "1: A1 > T1 50", Refusal::CreditAccountNotFound),
        ("A1 0 EUR closed\nT1 0 closed", "1: A1 > T1 50", Refusal::CurrencyMismatch),
        ("A1 0 closed\nT1 0 closed", "1: A1 > T1 50", Refusal::DebitAccountClosed),
        ("A1 0\nT1 0 closed", "1: A1 > T1 50", Refusal::CreditAccountClosed),
        ("A1 0\nT1 9223372036854775807", "1: A1 > T1 50", Refusal::InsufficientFunds),
    ] {
        assert_eq!(planned(accounts, vec![], asked), format!("1: refused {expected}\n"));
    }
    assert!(Refusal::ALL.is_sorted());
}

#[test]
fn limits_hold_and_cash_has_none() {
    check(
        "A1 0 limit=100
         A2 100 held=60
         A840 0 cash
         T1 0",
        "1: A1 > T1 100
         2: A1 > T1 1
         3: A2 > T1 41
         4: A2 > T1 40
         5: A840 > A1 5000 deposit",
        &expect![[r#"
            1: posted -100#1 100#1
            2: refused insufficient_funds
            3: refused insufficient_funds
            4: posted 60#1 140#2
            5: posted -5000#1 4900#2
            A1 4900 #2
            T1 140 #2
            A2 60 #1
            A840 -5000 #1
        "#]],
    );
}

#[test]
fn an_id_that_occurs_twice_in_a_batch_is_decided_once() {
    check(
        "A1 500
         T1 0",
        "1: A1 > T1 300
         1: A1 > T1 300
         1: A1 > T1 301
         2: A1 > T1 900
         2: A1 > T1 900
         3: T1 > A1 300
         2: A1 > T1 900",
        &expect![[r#"
            1: posted 200#1 300#1
            1: replayed, posted 200#1 300#1
            1: conflict amount
            2: refused insufficient_funds
            2: replayed, refused insufficient_funds
            3: posted 0#2 500#2
            2: replayed, refused insufficient_funds
            A1 500 #2
            T1 0 #2
        "#]],
    );
}

fn record(line: &str, debit: Option<(i64, i64)>, credit: Option<(i64, i64)>) -> TransferRecord {
    let line_of = |side: Option<(i64, i64)>| {
        side.map(|(balance, seq)| nostro_core::transfer::Line {
            balance_after: Balance::new(balance),
            seq,
            previous: (seq > 1).then_some(TransferId(uuid::Uuid::nil())),
        })
    };
    TransferRecord {
        transfer: transfer(line),
        decision: Decision::Posted { debit: line_of(debit), credit: line_of(credit) },
        posted_at: Timestamp::from_micros(1),
    }
}

#[test]
fn a_known_id_is_replayed_from_both_branches_rows() {
    let known = vec![
        record("1: A1 > T1 300", Some((200, 1)), None),
        record("1: A1 > T1 300", None, Some((300, 1))),
        TransferRecord {
            decision: Decision::Refused(Refusal::InsufficientFunds),
            ..record("2: A1 > T1 9", None, None)
        },
    ];
    let text = planned("A1 500\nT1 0", known, "1: A1 > T1 300\n2: A1 > T1 9");
    assert_eq!(text, "1: replayed, posted 200#1 300#1\n2: replayed, refused insufficient_funds\n");
}

#[test]
fn other_content_under_a_known_id_names_the_field() {
    for (asked, field) in [
        ("1: A1 > T1 100 deposit", "kind"),
        ("1: A2 > T1 100", "debit_account"),
        ("1: A1 > T2 100", "credit_account"),
        ("1: A1 > T1 101", "amount"),
        ("1: A1 > T1 100 EUR", "currency"),
        ("1: A1 > T1 100 salary", "category"),
        ("1: A1 > T1 100 rent", "reference"),
    ] {
        let known = vec![record("1: A1 > T1 100", Some((0, 1)), None)];
        assert_eq!(planned("A1 500\nA2 500\nT1 0\nT2 0", known, asked), format!("1: conflict {field}\n"));
    }
}

#[test]
fn an_id_known_to_two_branches_with_different_content_conflicts_with_both() {
    let known =
        || vec![record("1: A1 > A2 100", Some((0, 1)), None), record("1: T1 > T2 100", Some((0, 1)), Some((0, 1)))];
    for asked in ["1: A1 > A2 100", "1: T1 > T2 100"] {
        assert_eq!(planned("A1 500\nT2 0", known(), asked), "1: conflict debit_account\n", "{asked}");
    }
}

#[test]
fn a_batch_is_never_posted_before_the_last_posting_of_its_accounts() {
    let at = |micros| Timestamp::from_micros(micros);
    let accounts = [account("A1 0 last=2000").1, account("A2 0").1];
    assert_eq!(posted_at([at(5), at(9)], &[]), Some(at(9)));
    assert_eq!(posted_at([at(5), at(9)], &accounts), Some(at(2000)));
    assert_eq!(posted_at([at(5), at(3000)], &accounts), Some(at(3000)));
    assert_eq!(posted_at([], &accounts), None);
}

#[test]
fn the_lines_of_an_account_are_a_chain() {
    let mut accounts: Accounts = lines("A2 0\nT1 0").map(account).collect();
    let before = TransferId(uuid::Uuid::from_u128(99));
    let (first, account) = account("A1 500 seq=7");
    accounts.extend([(first, LockedAccount { last_transfer: Some(before), ..account })]);
    let transfers =
        ["1: A1 > T1 100", "2: T1 > A1 900", "3: A2 > T1 1", "4: A1 > A2 100", "5: A2 > T1 50"].map(transfer);
    let input = PlanInput {
        transfers: transfers.iter().collect(),
        accounts,
        known: vec![],
        detached: BTreeSet::new(),
        clock: Timestamp::from_micros(NOW),
        posted_at: Timestamp::from_micros(NOW),
    };
    let plan = plan(input);
    let told = |line: nostro_core::transfer::Line| {
        let previous = line.previous.map_or("-".into(), |id| id.0.as_u128().to_string());
        format!("#{} after {previous}", line.seq)
    };
    let mut text = String::new();
    for record in plan.records() {
        if let Decision::Posted { debit: Some(debit), credit: Some(credit) } = record.decision {
            text += &format!("{}: {}, {}\n", record.transfer.id.0.as_u128(), told(debit), told(credit));
        }
    }
    for (number, account) in &plan.accounts {
        text += &format!("{} {}\n", name(*number), account.last_transfer.unwrap().0.as_u128());
    }
    expect![[r#"
        1: #8 after 99, #1 after -
        4: #9 after 1, #1 after -
        5: #2 after 4, #2 after 1
        A1 4
        T1 5
        A2 5
    "#]]
    .assert_eq(&text);
}

#[test]
fn an_id_far_from_the_clock_is_used_for_nothing_unless_it_is_recorded() {
    let id = |text: &str| TransferId(text.parse().unwrap());
    let now = id("0193556a-6e00-7000-8000-000000000000").time().unwrap();
    let asked = |text: &str| Transfer { id: id(text), ..transfer("1: A1 > T1 100") };
    let epoch = "00000000-0000-7000-8000-000000000000";
    let last = "e677d21f-dbff-7fff-bfff-ffffffffffff";
    let archived = "018cc251-f400-7000-8000-000000000000";
    let recorded = "018cc251-f400-7000-8000-000000000001";
    let version_4 = "0193556a-6e00-4000-8000-000000000000";
    let transfers = [epoch, last, archived, recorded, version_4, epoch].map(asked);
    let known =
        vec![TransferRecord { transfer: asked(recorded), ..record("1: A1 > T1 100", Some((0, 1)), Some((100, 1))) }];
    let input = PlanInput {
        transfers: transfers.iter().collect(),
        accounts: lines("A1 500\nT1 0").map(account).collect(),
        known,
        detached: BTreeSet::from([id(archived).period()]),
        clock: now,
        // The time of the batch may be far off, by an account's last posting; the clock counts.
        posted_at: Timestamp::from_micros(now.micros() + 10 * 24 * 60 * 60 * 1_000_000),
    };
    let plan = plan(input);
    assert_eq!(
        plan.outcomes.iter().map(told).collect::<Vec<_>>(),
        [
            "unusable, TimeOutOfRange",
            "unusable, TimeOutOfRange",
            "unusable, Expired",
            "replayed, posted 0#1 100#1",
            "posted 400#1 100#1",
            "unusable, TimeOutOfRange",
        ]
    );
    assert_eq!(plan.records().count(), 1, "nothing is recorded of the others");
}

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
            kind: TransferKind::Transfer,
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
        let plan = plan(PlanInput { transfers: transfers.iter().collect(), accounts: accounts.clone(), known: vec![], detached: BTreeSet::new(), clock: Timestamp::from_micros(NOW), posted_at: Timestamp::from_micros(NOW) });
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
