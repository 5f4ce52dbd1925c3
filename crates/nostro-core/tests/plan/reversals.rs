//! Reversals: in parts, never more than the original in sum, and only of what is there.

use crate::table::{planned, planned_with, record, transfer};
use expect_test::expect;
use nostro_core::TransferRecord;

#[test]
fn a_transfer_is_reversed_in_parts_and_never_beyond_itself() {
    let text = planned_with(
        "1: T1 > A1 100 reversed=20 was",
        "A1 500
         T1 0",
        vec![],
        "2: A1 > T1 30 reversal=1
         3: A1 > T1 51 reversal=1
         4: A1 > T1 50 reversal=1
         5: A1 > T1 1 reversal=1",
    );
    expect![[r#"
        2: posted 470#1 30#1
        3: refused reversal_exceeded
        4: posted 420#2 80#2
        5: refused reversal_exceeded
        A1 420 #2
        T1 80 #2
        original 1: reversed=100
    "#]]
    .assert_eq(&text);
}

#[test]
fn what_came_in_before_in_the_batch_covers_a_reversal() {
    let text = planned_with(
        "1: T1 > A1 100 deposit was
         9: T1 > A1 7 capture=8 was",
        "A1 0
         T1 150",
        vec![],
        "2: A1 > T1 100 reversal=1
         3: T1 > A1 100
         4: A1 > T1 100 reversal=1
         5: T1 > A1 7
         6: A1 > T1 7 reversal=9",
    );
    expect![[r#"
        2: refused reversal_not_covered
        3: posted 50#1 100#1
        4: posted 0#2 150#2
        5: posted 143#3 7#3
        6: posted 0#4 150#4
        T1 150 #4
        A1 0 #4
        original 1: reversed=100
        original 9: reversed=7
    "#]]
    .assert_eq(&text);
}

#[test]
fn the_same_reversal_again_is_the_same_and_other_content_names_the_field() {
    for (asked, expected) in [
        ("2: A1 > T1 30 reversal=1", "replayed, posted 0#1 1#1"),
        ("2: A1 > T1 30", "conflict kind"),
        ("2: A1 > T1 30 reversal=9", "conflict original"),
        ("2: A1 > T1 31 reversal=1", "conflict amount"),
    ] {
        let recorded = record("2: A1 > T1 1", Some((0, 1)), Some((1, 1)));
        let known = vec![TransferRecord { transfer: transfer("2: A1 > T1 30 reversal=1"), ..recorded }];
        assert_eq!(planned("A1 100\nT1 0", known, asked), format!("2: {expected}\n"), "{asked}");
    }
}
