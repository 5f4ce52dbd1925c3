//! Holds: placed, captured, released, expired; what they leave available; what races.

use crate::table::{check, hold, input, planned, planned_with, record, told, transfer};
use expect_test::{Expect, expect};
use nostro_core::plan::{PlanInput, plan};
use nostro_core::transfer::Decision;
use nostro_core::{Refusal, Timestamp, TransferRecord};

fn check_with(holds: &str, accounts: &str, transfers: &str, expected: &Expect) {
    expected.assert_eq(&planned_with(holds, accounts, vec![], transfers));
}

#[test]
fn a_hold_reserves_and_leaves_no_line() {
    check(
        "A1 500 seq=7",
        "1: A1 > T1 300 hold until=2000
         2: A1 > T1 201 hold
         3: A1 > T1 200 hold",
        &expect![[r#"
            1: posted (300) - -
            2: refused insufficient_funds
            3: posted (200) - -
            A1 500 held=500 #7
            hold 1: open captured=0 released=0
            hold 3: open captured=0 released=0
        "#]],
    );
}

#[test]
fn what_is_held_is_not_available_and_what_is_captured_needs_no_more() {
    check(
        "A1 100 limit=50
         A2 0
         T1 0",
        "1: A1 > T1 120 hold
         2: A1 > A2 31
         3: A1 > A2 30
         4: A1 > T1 120 capture=1",
        &expect![[r#"
            1: posted (120) - -
            2: refused insufficient_funds
            3: posted 70#1 30#1
            4: posted -50#2 120#1
            A1 -50 #2
            A2 30 #1
            T1 120 #1
            hold 1: captured captured=120 released=0
        "#]],
    );
}

#[test]
fn a_hold_is_captured_in_parts_until_a_final_one() {
    check_with(
        "1: A1 > T1 100",
        "A1 100 held=100
         T1 0",
        "2: A1 > T1 30 capture=1
         3: A1 > T1 30 capture=1
         4: A1 > T1 41 capture=1
         5: A1 > T1 10 capture=1 final
         6: A1 > T1 10 capture=1
         7: A1 > T1 30 release=1",
        &expect![[r#"
            2: posted 70#1 30#1
            3: posted 40#2 60#2
            4: refused hold_exceeded
            5: posted 30#3 70#3
            6: refused hold_captured
            7: refused hold_captured
            A1 30 #3
            T1 70 #3
            hold 1: captured captured=70 released=30
        "#]],
    );
}

#[test]
fn the_last_part_ends_a_hold_without_being_called_final() {
    check_with(
        "1: A1 > T1 100 captured=60",
        "A1 40 held=40
         T1 60",
        "2: A1 > T1 40 capture=1
         3: A1 > T1 1 capture=1",
        &expect![[r#"
            2: posted 0#1 100#1
            3: refused hold_captured
            A1 0 #1
            T1 100 #1
            hold 1: captured captured=100 released=0
        "#]],
    );
}

#[test]
fn a_release_gives_back_what_is_left() {
    check_with(
        "1: A1 > T1 100 captured=60",
        "A1 40 held=40
         A2 0",
        "2: A1 > T1 1 release=1
         3: A1 > A2 40
         4: A1 > T1 1 release=1",
        &expect![[r#"
            2: posted (40) - -
            3: posted 0#1 40#1
            4: refused hold_released
            A1 0 #1
            A2 40 #1
            hold 1: released captured=60 released=40
        "#]],
    );
}

#[test]
fn an_expiry_is_booked_when_it_is_due_and_only_once() {
    check_with(
        "1: A1 > T1 100 until=1000 captured=60
         2: A1 > T1 5 until=1001
         3: A1 > T1 5
         4: A1 > T1 5 until=999 captured=5 state=captured",
        "A1 50 held=50",
        "11: A1 > T1 1 expiry=1
         12: A1 > T1 1 expiry=1
         13: A1 > T1 1 expiry=2
         14: A1 > T1 1 expiry=3
         15: A1 > T1 1 expiry=4
         16: A1 > T1 1 expiry=9",
        &expect![[r#"
            11: posted (40) - -
            12: moot
            13: moot
            14: moot
            15: moot
            16: moot
            A1 50 held=10 #0
            hold 1: expired captured=60 released=40
        "#]],
    );
}

#[test]
fn whichever_of_capture_release_and_expiry_comes_first_wins() {
    let due = "1: A1 > T1 100 until=1000";
    let open = "1: A1 > T1 100 until=1001";
    let accounts = "A1 100 held=100\nT1 0";
    let (capture, release, expiry) =
        ("2: A1 > T1 100 capture=1\n", "3: A1 > T1 1 release=1\n", "4: A1 > T1 1 expiry=1\n");
    for (holds, order, expected) in [
        (open, [capture, release, expiry], "2: posted 0#1 100#1\n3: refused hold_captured\n4: moot\n"),
        (open, [release, capture, expiry], "3: posted (100) - -\n2: refused hold_released\n4: moot\n"),
        (open, [expiry, release, capture], "4: moot\n3: posted (100) - -\n2: refused hold_released\n"),
        (due, [capture, release, expiry], "2: refused hold_expired\n3: refused hold_expired\n4: posted (100) - -\n"),
        (due, [expiry, capture, release], "4: posted (100) - -\n2: refused hold_expired\n3: refused hold_expired\n"),
    ] {
        let text = planned_with(holds, accounts, vec![], &order.concat());
        assert!(text.starts_with(expected), "{order:?}: {text}");
    }
}

#[test]
fn the_same_capture_or_release_again_is_the_same_and_other_content_names_the_field() {
    let recorded = |line: &str, asked: &str| {
        let record = TransferRecord { transfer: transfer(line), ..record("2: A1 > T1 1", Some((0, 1)), Some((1, 1))) };
        planned("A1 100 held=100\nT1 0", vec![record], asked)
    };
    let capture = "2: A1 > T1 30 capture=1";
    for (line, asked, expected) in [
        (capture, "2: A1 > T1 30 capture=1", "replayed, posted 0#1 1#1"),
        (capture, "2: A1 > T1 30", "conflict kind"),
        (capture, "2: A1 > T1 30 capture=9", "conflict hold"),
        (capture, "2: A1 > T1 31 capture=1", "conflict amount"),
        (capture, "2: A1 > T1 30 capture=1 final", "conflict final"),
        (capture, "2: A1 > T1 30 capture=1 rent", "conflict reference"),
        ("2: A1 > T1 30 hold until=2000", "2: A1 > T1 30 hold until=2001", "conflict expires_at"),
        ("2: A1 > T1 30 hold until=2000", "2: A1 > T1 30 hold", "conflict expires_at"),
        // What is left is not the client's to say.
        ("2: A1 > T1 30 release=1", "2: A1 > T1 100 release=1", "replayed, posted (30) 0#1 1#1"),
        ("2: A1 > T1 30 release=1", "2: A1 > T1 100 release=9", "conflict hold"),
    ] {
        assert_eq!(recorded(line, asked), format!("2: {expected}\n"), "{line}, then {asked}");
    }
}

#[test]
fn a_hold_is_held_against_the_clock_and_not_against_a_batch_that_runs_ahead() {
    let transfers = ["2: A1 > T1 40 capture=1", "3: A1 > T1 1 release=1", "4: A1 > T1 1 hold until=1001"].map(transfer);
    let plan = plan(PlanInput {
        holds: vec![hold("1: A1 > T1 100 until=1001")],
        clock: Timestamp::from_micros(1_000),
        posted_at: Timestamp::from_micros(9_000),
        ..input("A1 100 held=100\nT1 0", &transfers)
    });
    assert_eq!(
        plan.outcomes.iter().map(told).collect::<Vec<_>>(),
        ["posted 60#1 40#1", "posted (60) - -", "posted (1) - -"]
    );
}

#[test]
fn one_id_of_two_holds_at_two_branches_is_told_by_the_account_that_pays() {
    let text = planned_with(
        "1: A1 > T1 100
         1: T1 > A1 50",
        "A1 100 held=100
         T1 50 held=50",
        vec![],
        "2: A1 > T1 100 capture=1
         3: T1 > A1 50 capture=1",
    );
    assert!(text.starts_with("2: posted 0#1 150#1\n3: posted 100#2 50#2\n"), "{text}");
}

#[test]
fn a_refused_hold_is_replayed_as_refused() {
    let refused = TransferRecord {
        transfer: transfer("1: A1 > T1 900 hold"),
        decision: Decision::Refused(Refusal::InsufficientFunds),
        ..record("1: A1 > T1 900", None, None)
    };
    let text = planned("A1 1000", vec![refused], "1: A1 > T1 900 hold");
    assert_eq!(text, "1: replayed, refused insufficient_funds\n");
}
