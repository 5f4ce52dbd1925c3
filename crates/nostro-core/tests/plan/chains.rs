//! Chains: all links or none, whatever they are, and a retry replays the same list only.

use crate::table::{check, planned, planned_with, record, transfers};
use expect_test::expect;
use nostro_core::transfer::Decision;
use nostro_core::{Refusal, TransferRecord};

#[test]
fn a_chain_is_posted_as_a_whole_and_each_link_sees_those_before_it() {
    check(
        "A1 100
         A2 0
         T1 0",
        "1: A1 > T1 100
         & 2: T1 > A2 60
         & 3: A2 > A1 60
         4: A1 > T1 61",
        &expect![[r#"
            1: posted 0#1 100#1
            2: posted 40#2 60#1
            3: posted 0#2 60#2
            4: refused insufficient_funds
            A1 60 #2
            T1 40 #2
            A2 0 #2
        "#]],
    );
}

#[test]
fn a_broken_link_breaks_all_and_leaves_no_trace() {
    check(
        "A1 100
         A2 0
         T1 0 seq=5",
        "1: A1 > T1 30
         2: A1 > T1 70
         & 3: T1 > A2 40
         & 4: A2 > A1 41
         & 5: A1 > T1 1
         6: A1 > T1 70",
        &expect![[r#"
            1: posted 70#1 30#6
            2: refused chain_broken
            3: refused chain_broken
            4: refused insufficient_funds
            5: refused chain_broken
            6: posted 0#2 100#7
            A1 0 #2
            T1 100 #7
        "#]],
    );
}

#[test]
fn what_holds_and_originals_were_is_what_they_are_after_a_broken_chain() {
    let text = planned_with(
        "1: A1 > T1 50
         9: T1 > A1 40 reversed=5 was",
        "A1 100 held=50
         T1 10",
        vec![],
        "2: A1 > T1 20 capture=1
         & 3: A1 > T1 10 reversal=9
         & 4: A1 > T1 30 hold
         & 5: A1 > T1 1 capture=4
         & 6: T1 > A1 42
         7: A1 > T1 35 reversal=9
         8: A1 > T1 51 capture=1
         10: A1 > T1 29 capture=4",
    );
    expect![[r#"
        2: refused chain_broken
        3: refused chain_broken
        4: refused chain_broken
        5: refused chain_broken
        6: refused insufficient_funds
        7: posted 65#1 45#1
        8: refused hold_exceeded
        10: refused hold_mismatch
        A1 65 held=50 #1
        T1 45 #1
        original 9: reversed=40
    "#]]
    .assert_eq(&text);
}

#[test]
fn holds_are_placed_and_captured_in_one_chain() {
    let text = planned_with(
        "1: A1 > T1 50",
        "A1 100 held=50
         T1 10",
        vec![],
        "2: A1 > T1 20 capture=1
         & 4: A1 > T1 30 hold
         & 5: A1 > T1 10 capture=4
         & 6: A1 > T1 30 release=4
         & 7: A1 > T1 90 up_to",
    );
    expect![[r#"
        2: posted 80#1 30#1
        4: posted (30) - -
        5: posted 70#2 40#2
        6: posted (20) - -
        7: posted (40) 30#3 80#3
        A1 30 held=30 #3
        T1 80 #3
        hold 1: open captured=20 released=0
        hold 4: released captured=10 released=20
    "#]]
    .assert_eq(&text);
}

#[test]
fn an_account_that_is_outside_its_limits_by_a_link_is_not_if_the_chain_breaks() {
    let text = planned_with(
        "9: T1 > A1 40 was",
        "A1 0
         T1 10 ceiling=45",
        vec![],
        "2: A1 > T1 20 reversal=9 force
         & 3: T1 > A1 100",
    );
    assert_eq!(text, "2: refused chain_broken\n3: refused insufficient_funds\n");
}

#[test]
fn a_chain_again_is_the_same_and_another_list_is_a_conflict() {
    check(
        "A1 100
         T1 0",
        "1: A1 > T1 10
         & 2: T1 > A1 5
         1: A1 > T1 10
         & 2: T1 > A1 5
         1: A1 > T1 10
         & 3: T1 > A1 5
         1: A1 > T1 10
         & 2: T1 > A1 6
         1: A1 > T1 10
         & 2: T1 > A1 5
         & 3: A1 > T1 1
         2: T1 > A1 5
         & 1: A1 > T1 10
         1: A1 > T1 10
         2: T1 > A1 5
         4: A1 > T1 1
         4: A1 > T1 1
         & 5: A1 > T1 1
         5: A1 > T1 1",
        &expect![[r#"
            1: posted 90#1 10#1
            2: posted 5#2 95#2
            1: replayed, posted 90#1 10#1
            2: replayed, posted 5#2 95#2
            1: conflict chain
            3: conflict chain
            1: conflict chain
            2: conflict amount
            1: conflict chain
            2: conflict chain
            3: conflict chain
            2: conflict chain
            1: conflict chain
            1: conflict chain
            2: conflict chain
            4: posted 94#3 6#3
            4: conflict chain
            5: conflict chain
            5: posted 93#4 7#4
            A1 93 #4
            T1 7 #4
        "#]],
    );
}

#[test]
fn a_refused_chain_is_replayed_with_each_links_own_answer() {
    let list = "1: A1 > T1 10\n& 2: T1 > A1 50";
    let known: Vec<TransferRecord> = transfers(list)
        .into_iter()
        .zip([Refusal::ChainBroken, Refusal::InsufficientFunds])
        .map(|(transfer, refusal)| TransferRecord {
            transfer,
            decision: Decision::Refused(refusal),
            ..record("1: A1 > T1 10", None, None)
        })
        .collect();
    assert_eq!(
        planned("A1 100\nT1 100", known.clone(), list),
        "1: replayed, refused chain_broken\n2: replayed, refused insufficient_funds\n"
    );
    let half = vec![known[1].clone()];
    assert_eq!(planned("A1 100\nT1 100", half, list), "1: conflict chain\n2: conflict chain\n");
}
