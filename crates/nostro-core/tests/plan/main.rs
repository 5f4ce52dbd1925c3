//! The planner's rules as tables in text: accounts, transfers, expected outcomes. A line is a case.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod chains;
mod database;
mod drawn;
mod holds;
mod ledger;
mod limits;
mod model;
mod precedence;
mod reversals;
mod table;

use expect_test::expect;
use nostro_core::plan::{Accounts, LockedAccount, PlanInput, plan, posted_at};
use nostro_core::transfer::Decision;
use nostro_core::{Refusal, Timestamp, Transfer, TransferId, TransferRecord};
use std::collections::BTreeSet;
use table::{account, check, input, lines, name, planned, planned_with, record, told, transfer};

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

/// Accounts; holds; transfer; its refusal.
const REFUSALS: &str = "
    A1 100                              |                        | 2: A9 > A1 50                | debit_account_not_found
    A1 100                              |                        | 2: A9 > A1 50 hold           | debit_account_not_found
    T1 0                                | 1: A9 > T1 50          | 2: A9 > T1 50 release=1      | debit_account_not_found
    A1 100                              |                        | 2: A1 > T9 50                | credit_account_not_found
    A1 100 held=50                      | 1: A1 > T9 50          | 2: A1 > T9 50 capture=1      | credit_account_not_found
    A1 100, T1 0                        |                        | 2: A1 > T1 50 EUR            | currency_mismatch
    A1 100, T1 0 EUR                    |                        | 2: A1 > T1 50                | currency_mismatch
    A1 100 EUR, T1 0                    |                        | 2: A1 > T1 50                | currency_mismatch
    A1 100 EUR                          |                        | 2: A1 > T1 50 hold           | currency_mismatch
    A1 100 held=50, T1 0 EUR            | 1: A1 > T1 50          | 2: A1 > T1 50 capture=1      | currency_mismatch
    A1 100 held=50, T1 0                |                        | 2: A1 > T1 50 capture=1      | hold_mismatch
    A1 100 held=50, T1 0                | 1: A2 > T1 50          | 2: A1 > T1 50 capture=1      | hold_mismatch
    A1 100 held=50                      |                        | 2: A1 > T1 50 release=1      | hold_mismatch
    A1 100, T1 0                        | 1: A1 > T1 50 captured=50 state=captured | 2: A1 > T1 1 capture=1 | hold_captured
    A1 100                              | 1: A1 > T1 50 captured=50 state=captured | 2: A1 > T1 1 release=1 | hold_captured
    A1 100, T1 0                        | 1: A1 > T1 50 released=50 state=released | 2: A1 > T1 1 capture=1 | hold_released
    A1 100                              | 1: A1 > T1 50 released=50 state=released | 2: A1 > T1 1 release=1 | hold_released
    A1 100, T1 0                        | 1: A1 > T1 50 released=50 state=expired  | 2: A1 > T1 1 capture=1 | hold_expired
    A1 100 held=50, T1 0                | 1: A1 > T1 50 until=1000 | 2: A1 > T1 50 capture=1    | hold_expired
    A1 100 held=50                      | 1: A1 > T1 50 until=1000 | 2: A1 > T1 50 release=1    | hold_expired
    A1 100                              |                        | 2: A1 > T1 50 hold until=1000 | hold_expired
    A1 100, T1 0                        |                        | 2: A1 > T1 50 reversal=1     | not_reversible
    A1 100, T1 0                        | 1: A2 > A1 50 was      | 2: A1 > T1 50 reversal=1     | not_reversible
    A1 100, T1 0                        | 1: A1 > T1 50 was      | 2: A1 > T1 50 reversal=1     | not_reversible
    A1 100, T1 0                        | 1: T1 > A1 50 reversal=9 was | 2: A1 > T1 50 reversal=1 | not_reversible
    A1 100, T1 0                        | 1: T1 > A1 50 hold was | 2: A1 > T1 50 reversal=1     | not_reversible
    A1 0 closed, T1 0                   |                        | 2: A1 > T1 50                | debit_account_closed
    A1 0 closed                         |                        | 2: A1 > T1 50 hold           | debit_account_closed
    A1 100, T1 0 closed                 |                        | 2: A1 > T1 50                | credit_account_closed
    A1 100 held=50, T1 0 closed         | 1: A1 > T1 50          | 2: A1 > T1 50 capture=1      | credit_account_closed
    A1 100 debits_frozen, T1 0          |                        | 2: A1 > T1 50                | debit_account_frozen
    A1 100 frozen, T1 0                 |                        | 2: A1 > T1 50                | debit_account_frozen
    A1 100 frozen                       |                        | 2: A1 > T1 50 hold           | debit_account_frozen
    A1 100 held=50 debits_frozen, T1 0  | 1: A1 > T1 50          | 2: A1 > T1 50 capture=1      | debit_account_frozen
    A1 100 debits_frozen, T1 0          | 1: T1 > A1 50 was      | 2: A1 > T1 50 reversal=1 force | debit_account_frozen
    A1 100, T1 0 credits_frozen         |                        | 2: A1 > T1 50                | credit_account_frozen
    A1 100, T1 0 frozen                 |                        | 2: A1 > T1 50                | credit_account_frozen
    A1 100 held=50, T1 0 frozen         | 1: A1 > T1 50          | 2: A1 > T1 50 capture=1      | credit_account_frozen
    A1 100, T1 0 credits_frozen         | 1: T1 > A1 50 was      | 2: A1 > T1 50 reversal=1 force | credit_account_frozen
    A1 100 held=50, T1 0                | 1: A1 > T1 50          | 2: A1 > T1 51 capture=1      | hold_exceeded
    A1 100 held=20, T1 0                | 1: A1 > T1 50 captured=30 | 2: A1 > T1 21 capture=1   | hold_exceeded
    A1 100, T1 0                        | 1: T1 > A1 50 was      | 2: A1 > T1 51 reversal=1     | reversal_exceeded
    A1 100, T1 0                        | 1: T1 > A1 50 reversed=30 was | 2: A1 > T1 21 reversal=1 | reversal_exceeded
    A1 49, T1 0                         | 1: T1 > A1 50 was      | 2: A1 > T1 50 reversal=1     | reversal_not_covered
    A1 100 held=51, T1 0                | 1: T1 > A1 50 was      | 2: A1 > T1 50 reversal=1     | reversal_not_covered
    A1 49, T1 0                         |                        | 2: A1 > T1 50                | insufficient_funds
    A1 100 held=51, T1 0                |                        | 2: A1 > T1 50                | insufficient_funds
    A1 50 held=50, T1 0                 |                        | 2: A1 > T1 50 up_to          | insufficient_funds
    A1 -50 limit=50, T1 0               |                        | 2: A1 > T1 50 up_to          | insufficient_funds
    A1 0 limit=49, T1 0                 |                        | 2: A1 > T1 50                | insufficient_funds
    A1 100 held=51                      |                        | 2: A1 > T1 50 hold           | insufficient_funds
    A1 100, T1 51 ceiling=100           |                        | 2: A1 > T1 50                | ceiling_exceeded
    A1 100, T1 200 ceiling=100 exceeded |                        | 2: A1 > T1 1                 | ceiling_exceeded
    A1 100, T1 51 ceiling=100           |                        | 2: A1 > T1 50 up_to          | ceiling_exceeded
    A1 100 held=50, T1 51 ceiling=100   | 1: A1 > T1 50          | 2: A1 > T1 50 capture=1      | ceiling_exceeded
    A1 100, T1 51 ceiling=100           | 1: T1 > A1 50 was      | 2: A1 > T1 50 reversal=1 force | ceiling_exceeded
    A1 100, T1 9223372036854775807      |                        | 2: A1 > T1 50                | balance_out_of_range
    A1 -9223372036854775808, T1 0       | 1: T1 > A1 50 was      | 2: A1 > T1 50 reversal=1 force | balance_out_of_range
    A1 -9223372036854775808 cash, T1 0  |                        | 2: A1 > T1 50                | balance_out_of_range
    A1 100 held=50, T1 9223372036854775807 | 1: A1 > T1 50       | 2: A1 > T1 50 capture=1      | balance_out_of_range
    A1 0 held=9223372036854775807 cash  |                        | 2: A1 > T1 50 hold           | balance_out_of_range
";

/// Each line of a table is refused as it says, with no effect; the codes that were met.
fn refused(table: &str) -> BTreeSet<Refusal> {
    let mut met = BTreeSet::new();
    for line in lines(table) {
        let [accounts, holds, asked, code] = line.split('|').map(str::trim).collect::<Vec<_>>().try_into().unwrap();
        let told = planned_with(holds, &accounts.replace(", ", "\n"), vec![], asked);
        assert_eq!(told, format!("2: refused {code}\n"), "{line}");
        met.insert(code.parse().unwrap());
    }
    met
}

/// A broken chain is not a transfer's own refusal: its cases are among those of chains.
#[test]
fn every_refusal_has_its_case() {
    let mut met = refused(REFUSALS);
    met.insert(Refusal::ChainBroken);
    assert_eq!(met.len(), Refusal::ALL.len(), "a refusal without a case");
}

#[test]
fn up_to_moves_what_is_available_and_no_more_than_is_asked() {
    check(
        "A1 500 held=100 limit=50
         A840 0 cash
         T1 0",
        "1: A1 > T1 300 up_to
         2: A1 > T1 300 up_to
         3: A1 > T1 300 up_to
         4: A840 > T1 300 up_to
         2: A1 > T1 300 up_to
         2: A1 > T1 150 up_to
         2: A1 > T1 300",
        &expect![[r#"
            1: posted (300) 200#1 300#1
            2: posted (150) 50#2 450#2
            3: refused insufficient_funds
            4: posted (300) -300#1 750#3
            2: replayed, posted (150) 50#2 450#2
            2: conflict amount
            2: conflict up_to
            A1 50 held=100 #2
            T1 750 #3
            A840 -300 #1
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
    let plan = plan(PlanInput { accounts, ..input("", &transfers) });
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
        known,
        detached: BTreeSet::from([id(archived).period()]),
        clock: now,
        // The time of the batch may be far off, by an account's last posting; the clock counts.
        posted_at: Timestamp::from_micros(now.micros() + 10 * 24 * 60 * 60 * 1_000_000),
        ..input("A1 500\nT1 0", &transfers)
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
