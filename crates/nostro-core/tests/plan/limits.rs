//! Limits, ceilings, frozen accounts, and accounts outside their limits.

use crate::table::{check, planned_with};
use expect_test::expect;

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
            A2 60 held=60 #1
            A840 -5000 #1
        "#]],
    );
}

#[test]
fn only_a_forced_reversal_overdraws_and_what_is_outside_its_limits_is_marked_until_it_is_back() {
    let text = planned_with(
        "1: T1 > A1 100 was",
        "A1 30 limit=20
         A2 100
         T1 0 limit=0",
        vec![],
        "2: A1 > T1 51 reversal=1
         3: A1 > T1 50 reversal=1
         4: A1 > T1 10 reversal=1 force
         5: A1 > A2 1
         6: A2 > A1 9
         7: A2 > A1 1
         8: A2 > A1 1
         9: A1 > A2 1
         10: A1 > A2 1",
    );
    expect![[r#"
        2: refused reversal_not_covered
        3: posted -20#1 50#1
        4: posted -30#2 60#2
        5: refused insufficient_funds
        6: posted 91#1 -21#3
        7: posted 90#2 -20#4
        8: posted 89#3 -19#5
        9: posted -20#6 90#4
        10: refused insufficient_funds
        A1 -20 #6
        T1 60 #2
        A2 90 #4
        original 1: reversed=60
    "#]]
    .assert_eq(&text);
    let outside = planned_with("1: T1 > A1 100 was", "A1 30 limit=20\nT1 0", vec![], "2: A1 > T1 51 reversal=1 force");
    assert_eq!(outside, "2: posted -21#1 51#1\nA1 -21 exceeded #1\nT1 51 #1\noriginal 1: reversed=51\n");
    // A release frees what was held, and a hold that is captured leaves as little as before.
    let freed = planned_with("1: A1 > T1 60", "A1 30 held=60 exceeded\nT1 0", vec![], "2: A1 > T1 60 release=1");
    assert_eq!(freed, "2: posted (60) - -\nA1 30 #0\nhold 1: released captured=0 released=60\n");
    let held = planned_with("1: A1 > T1 60", "A1 30 held=60 exceeded\nT1 0", vec![], "2: A1 > T1 10 capture=1");
    assert_eq!(held, "2: posted 20#1 10#1\nA1 20 held=50 exceeded #1\nT1 10 #1\nhold 1: open captured=10 released=0\n");
}

#[test]
fn a_ceiling_holds_whatever_brings_the_money_and_money_that_leaves_brings_the_account_back() {
    check(
        "A1 500
         T1 90 ceiling=100
         T2 150 ceiling=100 exceeded",
        "1: A1 > T1 10
         2: A1 > T1 1
         3: T1 > A1 5
         4: A1 > T1 6 up_to
         5: A1 > T1 5 up_to
         6: T2 > A1 20
         7: A1 > T2 1
         8: T2 > A1 30
         9: T2 > A1 1
         10: A1 > T2 1",
        &expect![[r#"
            1: posted 490#1 100#1
            2: refused ceiling_exceeded
            3: posted 95#2 495#2
            4: refused ceiling_exceeded
            5: posted (5) 490#3 100#3
            6: posted 130#1 510#4
            7: refused ceiling_exceeded
            8: posted 100#2 540#5
            9: posted 99#3 541#6
            10: posted 540#7 100#4
            A1 540 #7
            T1 100 #3
            T2 100 #4
        "#]],
    );
}

#[test]
fn a_frozen_account_takes_what_it_is_not_frozen_for_and_its_holds_still_end() {
    let text = planned_with(
        "1: A1 > T1 40
         2: A1 > T1 30 until=1000",
        "A1 100 held=70 debits_frozen
         T1 50 credits_frozen",
        vec![],
        "3: T1 > A1 20
         4: A1 > T1 40 capture=1
         5: A1 > T1 40 release=1
         6: A1 > T1 30 expiry=2",
    );
    expect![[r#"
        3: posted 30#1 120#1
        4: refused debit_account_frozen
        5: posted (40) - -
        6: posted (30) - -
        T1 30 #1
        A1 120 #1
        hold 1: released captured=0 released=40
        hold 2: expired captured=0 released=30
    "#]]
    .assert_eq(&text);
}
