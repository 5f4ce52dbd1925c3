//! Each known way to break the protocol must be found.
//!
//! A mutant changes the environment or a shell around the real machines, and only that: the same scenario holds
//! without it (`scenarios.rs`). The search is breadth first with one thread, so its counterexample is a shortest
//! one and the same on each run. It must split a batch, lie to its client or call finished what is not; that an alarm was
//! raised is not enough.

use crate::properties::{FALSELY, SPLIT, TOLD};
use crate::scenario::{Mutation, Protocol, Scenario, Standby};
use expect_test::{Expect, expect};
use stateright::{Checker, Model};

/// Searches until the property is violated, and tells how.
fn check(scenario: Scenario, property: &'static str, expected: &Expect) {
    assert!(scenario.is_mutant());
    let checker = Protocol::of(scenario, Some(property)).checker().threads(1).spawn_bfs().join();
    let protocol = checker.model();
    let path = checker.discovery(property).expect("the mutant is found");
    let trace = protocol.told_as_text(path);
    println!("not so: {property}. Found after {} states:\n{trace}", checker.unique_state_count());
    expected.assert_eq(&trace);
}

fn mutant(mutation: Mutation) -> Scenario {
    Scenario { batches: &[&[1]], recoveries: 2, operator: true, mutation: Some(mutation), ..Scenario::default() }
}

#[test]
fn m1_abort_rows_are_deleted() {
    check(
        mutant(Mutation::AbortRowsAreDeleted),
        SPLIT,
        &expect![[r#"
        1. a coordinator begins AZ-1-7 and sends its writes to [AZ, TX]
        2. AZ executes the writes of AZ-1-7
        3. TX executes the writes and the marker of AZ-1-7
        4. TX executes PREPARE of AZ-1-7
        5. the coordinator of AZ-1-7 hears nothing at AZ
        6. AZ settles AZ-1-7: inserts the aborted row (asked by the resolving coordinator of AZ-1-7); the client was told aborted
        7. TX executes ROLLBACK PREPARED of AZ-1-7 (asked by the resolving coordinator of AZ-1-7)
        8. AZ deletes the row of AZ-1-7
        9. AZ inserts the decision row of AZ-1-7, not yet committed (late; its client is gone)
        10. AZ commits AZ-1-7, with its decision row (late; its client is gone)
        => AZ-1-7: AZ written (row: committed), TX not written; the client was told aborted
    "#]],
    );
}

#[test]
fn m2_commit_rows_are_deleted() {
    check(
        mutant(Mutation::CommitRowsAreDeleted),
        SPLIT,
        &expect![[r#"
        1. a coordinator begins AZ-1-7 and sends its writes to [AZ, TX]
        2. AZ executes the writes of AZ-1-7
        3. TX executes the writes and the marker of AZ-1-7
        4. TX executes PREPARE of AZ-1-7
        5. AZ inserts the decision row of AZ-1-7, not yet committed
        6. AZ commits AZ-1-7, with its decision row; the client was told committed
        7. the coordinator of AZ-1-7 hears nothing at TX
        8. AZ deletes the row of AZ-1-7
        9. AZ settles AZ-1-7: inserts the aborted row (asked by the resolving coordinator of AZ-1-7)
        10. TX executes ROLLBACK PREPARED of AZ-1-7 (asked by the resolving coordinator of AZ-1-7)
        => AZ-1-7: AZ written (row: aborted), TX not written; the client was told committed
    "#]],
    );
}

#[test]
fn m3_no_row_is_read_as_abort() {
    check(
        mutant(Mutation::NoRowIsReadAsAbort),
        SPLIT,
        &expect![[r#"
        1. a coordinator begins AZ-1-7 and sends its writes to [AZ, TX]
        2. AZ executes the writes of AZ-1-7
        3. TX executes the writes and the marker of AZ-1-7
        4. TX executes PREPARE of AZ-1-7
        5. the coordinator of AZ-1-7 hears nothing at AZ
        6. AZ has no row of AZ-1-7, read as aborted (asked by the resolving coordinator of AZ-1-7); the client was told aborted
        7. AZ inserts the decision row of AZ-1-7, not yet committed (late; its client is gone)
        8. AZ commits AZ-1-7, with its decision row (late; its client is gone)
        9. TX executes ROLLBACK PREPARED of AZ-1-7 (asked by the resolving coordinator of AZ-1-7)
        => AZ-1-7: AZ written (row: committed), TX not written; the client was told aborted
    "#]],
    );
}

#[test]
fn m4_a_doubtful_decision_is_rolled_back() {
    check(
        mutant(Mutation::DoubtIsRolledBack),
        SPLIT,
        &expect![[r#"
        1. a coordinator begins AZ-1-7 and sends its writes to [AZ, TX]
        2. AZ executes the writes of AZ-1-7
        3. TX executes the writes and the marker of AZ-1-7
        4. TX executes PREPARE of AZ-1-7
        5. AZ inserts the decision row of AZ-1-7, not yet committed
        6. the coordinator of AZ-1-7 hears nothing at AZ; the client was told aborted
        7. AZ commits AZ-1-7, with its decision row (late; its client is gone)
        8. TX executes ROLLBACK PREPARED of AZ-1-7 (late)
        => AZ-1-7: AZ written (row: committed), TX not written; the client was told aborted
    "#]],
    );
}

#[test]
fn m5_the_decision_is_sent_before_every_prepare_is_acknowledged() {
    check(
        mutant(Mutation::ReadyBeforePrepared),
        SPLIT,
        &expect![[r#"
        1. a coordinator begins AZ-1-7 and sends its writes to [AZ, TX]
        2. AZ executes the writes of AZ-1-7
        3. AZ inserts the decision row of AZ-1-7, not yet committed
        4. AZ commits AZ-1-7, with its decision row; the client was told committed
        => AZ-1-7: AZ written (row: committed), TX not written; the client was told committed
    "#]],
    );
}

#[test]
fn m6_home_fails_over_to_an_asynchronous_standby() {
    let standby = Standby::Asynchronous;
    let scenario = Scenario { batches: &[&[1]], recoveries: 2, operator: true, standby, ..Scenario::default() };
    check(
        scenario,
        SPLIT,
        &expect![[r#"
        1. a coordinator begins AZ-1-7 and sends its writes to [AZ, TX]
        2. AZ executes the writes of AZ-1-7
        3. TX executes the writes and the marker of AZ-1-7
        4. TX executes PREPARE of AZ-1-7
        5. AZ inserts the decision row of AZ-1-7, not yet committed
        6. AZ commits AZ-1-7, with its decision row; the client was told committed
        7. TX executes COMMIT PREPARED of AZ-1-7
        8. AZ fails over to its standby
        => AZ-1-7: AZ not written (row: no row), TX written; the client was told committed
    "#]],
    );
}

/// Why Settle is a write: what is visible at home need not be on its synchronous standby.
#[test]
fn m6_settle_does_not_wait_for_the_synchronous_standby() {
    let scenario = Scenario { standby: Standby::Synchronous, ..mutant(Mutation::SettleIsNoBarrier) };
    check(
        scenario,
        SPLIT,
        &expect![[r#"
            1. a coordinator begins AZ-1-7 and sends its writes to [AZ, TX]
            2. AZ executes the writes of AZ-1-7
            3. TX executes the writes and the marker of AZ-1-7
            4. TX executes PREPARE of AZ-1-7
            5. AZ inserts the decision row of AZ-1-7, not yet committed
            6. AZ commits AZ-1-7 and waits for its standby
            7. AZ loses its connection for AZ-1-7, which becomes visible
            8. the coordinator of AZ-1-7 notices that its connection is gone at AZ
            9. AZ settles AZ-1-7: its row says committed (asked by the resolving coordinator of AZ-1-7); the client was told committed
            10. TX executes COMMIT PREPARED of AZ-1-7 (asked by the resolving coordinator of AZ-1-7)
            11. AZ fails over to its standby
            => AZ-1-7: AZ not written (row: no row), TX written; the client was told committed
        "#]],
    );
}

#[test]
fn m7_a_missing_prepared_transaction_is_taken_for_success() {
    let scenario = Scenario { loses_prepared: true, ..mutant(Mutation::MissingIsFinished) };
    check(
        scenario,
        FALSELY,
        &expect![[r#"
        1. a coordinator begins AZ-1-7 and sends its writes to [AZ, TX]
        2. AZ executes the writes of AZ-1-7
        3. TX executes the writes and the marker of AZ-1-7
        4. TX executes PREPARE of AZ-1-7
        5. AZ inserts the decision row of AZ-1-7, not yet committed
        6. AZ commits AZ-1-7, with its decision row; the client was told committed
        7. the coordinator of AZ-1-7 hears nothing at TX
        8. AZ settles AZ-1-7: its row says committed (asked by the resolving coordinator of AZ-1-7)
        9. TX loses its prepared transaction
        10. TX executes COMMIT PREPARED of AZ-1-7: there is none (asked by the resolving coordinator of AZ-1-7)
        => AZ-1-7: AZ written (row: committed), TX not written; the client was told committed
    "#]],
    );
}

#[test]
fn m8_the_decision_is_sent_again() {
    check(
        mutant(Mutation::DecisionIsSentAgain),
        SPLIT,
        &expect![[r#"
        1. a coordinator begins AZ-1-7 and sends its writes to [AZ, TX]
        2. AZ executes the writes of AZ-1-7
        3. TX executes the writes and the marker of AZ-1-7
        4. TX executes PREPARE of AZ-1-7
        5. the coordinator of AZ-1-7 hears nothing at AZ
        6. a decision of AZ-1-7 outside of its transaction commits its row, alone; the client was told committed
        7. TX executes COMMIT PREPARED of AZ-1-7
        => AZ-1-7: AZ not written (row: committed), TX written; the client was told committed
    "#]],
    );
}

#[test]
fn m9_a_number_is_handed_out_twice() {
    check(
        Scenario { batches: &[&[], &[]], ..mutant(Mutation::NumbersFromSequence) },
        TOLD,
        &expect![[r#"
        1. a coordinator begins AZ-1-7 and sends its writes to [AZ]
        2. AZ executes the writes of AZ-1-7
        3. the coordinator of AZ-1-7 hears nothing at AZ
        4. AZ crashes and starts again
        5. a coordinator begins AZ-1-7 and sends its writes to [AZ]
        6. AZ executes the writes of AZ-1-7
        7. AZ inserts the decision row of AZ-1-7, not yet committed
        8. AZ commits AZ-1-7, with its decision row; the client was told committed
        9. AZ settles AZ-1-7: its row says committed (asked by the resolving coordinator of AZ-1-7); the client was told committed
        => AZ-1-7: AZ not written (row: committed); the client was told committed
        => AZ-1-7: AZ written (row: committed); the client was told committed
    "#]],
    );
}

/// Over one participant the markers of the two exclude each other, so neither is split; but whoever resolves the
/// older one finds the newer decision, and calls finished what was written nowhere.
#[test]
fn m9_a_number_is_handed_out_twice_over_one_participant() {
    let (batches, mutation): (&[&[usize]], _) = (&[&[1], &[1]], Some(Mutation::NumbersFromSequence));
    let scenario = Scenario { batches, recoveries: 1, faults: Some(2), mutation, ..Scenario::default() };
    check(
        scenario,
        FALSELY,
        &expect![[r#"
            1. a coordinator begins AZ-1-7 and sends its writes to [AZ, TX]
            2. AZ executes the writes of AZ-1-7
            3. the coordinator of AZ-1-7 hears nothing at TX; the client was told aborted
            4. AZ crashes and starts again
            5. a coordinator begins AZ-1-7 and sends its writes to [AZ, TX]
            6. AZ executes the writes of AZ-1-7
            7. TX executes the writes and the marker of AZ-1-7
            8. TX executes PREPARE of AZ-1-7
            9. AZ inserts the decision row of AZ-1-7, not yet committed
            10. AZ commits AZ-1-7, with its decision row; the client was told committed
            11. AZ settles AZ-1-7: its row says committed (asked by the resolving coordinator of AZ-1-7)
            12. TX executes COMMIT PREPARED of AZ-1-7 (asked by the resolving coordinator of AZ-1-7)
            => AZ-1-7: AZ not written (row: committed), TX not written; the client was told aborted
            => AZ-1-7: AZ written (row: committed), TX written; the client was told committed
        "#]],
    );
}

/// Over other parts, the resolver of the older one sees that the row is not of its batch, and leaves it to people.
#[test]
fn m9_a_number_is_handed_out_twice_over_other_parts_and_nothing_is_split() {
    let (batches, mutation): (&[&[usize]], _) = (&[&[1], &[]], Some(Mutation::NumbersFromSequence));
    let scenario = Scenario { batches, recoveries: 1, faults: Some(3), mutation, ..Scenario::default() };
    for property in [SPLIT, TOLD, FALSELY] {
        let checker = Protocol::of(scenario.clone(), Some(property)).checker().threads(1).spawn_bfs().join();
        println!("M9 over other parts, {property}: {} states", checker.unique_state_count());
        let trace = checker.discovery(property).map(|path| checker.model().told_as_text(path));
        assert_eq!(trace, None, "{property}");
    }
}

/// Home is restored from a backup and hands its numbers out again, and a decision from before is not refused.
#[test]
fn a_restored_home_keeps_its_incarnation() {
    let batches: &[&[usize]] = &[&[1], &[1]];
    let scenario = Scenario {
        batches,
        recoveries: 1,
        faults: Some(1),
        restore: true,
        operator: false,
        ..mutant(Mutation::IncarnationIsKept)
    };
    check(
        scenario,
        SPLIT,
        &expect![[r#"
        1. a coordinator begins AZ-1-7 and sends its writes to [AZ, TX]
        2. AZ executes the writes of AZ-1-7
        3. TX executes the writes and the marker of AZ-1-7
        4. TX executes PREPARE of AZ-1-7
        5. the coordinator of AZ-1-7 hears nothing at AZ
        6. AZ is restored from an older backup
        7. a decision of AZ-1-7 outside of its transaction commits its row, alone
        8. AZ settles AZ-1-7: its row says committed (asked by the resolving coordinator of AZ-1-7); the client was told committed
        9. TX executes COMMIT PREPARED of AZ-1-7 (asked by the resolving coordinator of AZ-1-7)
        => AZ-1-7: AZ not written (row: committed), TX written; the client was told committed
    "#]],
    );
}

/// The backup was taken before the decision, which one participant has heard and the other has not.
#[test]
fn a_restored_home_aborts_what_it_has_no_row_of() {
    let scenario = Scenario {
        batches: &[&[1, 2]],
        recoveries: 1,
        faults: Some(1),
        restore: true,
        operator: false,
        ..mutant(Mutation::RestoredHomeAborts)
    };
    check(
        scenario,
        SPLIT,
        &expect![[r#"
        1. a coordinator begins AZ-1-7 and sends its writes to [AZ, NV, TX]
        2. AZ executes the writes of AZ-1-7
        3. TX executes the writes and the marker of AZ-1-7
        4. TX executes PREPARE of AZ-1-7
        5. NV executes the writes and the marker of AZ-1-7
        6. NV executes PREPARE of AZ-1-7
        7. AZ inserts the decision row of AZ-1-7, not yet committed
        8. AZ commits AZ-1-7, with its decision row; the client was told committed
        9. TX executes COMMIT PREPARED of AZ-1-7
        10. the coordinator of AZ-1-7 hears nothing at NV
        11. AZ is restored from an older backup
        12. AZ settles AZ-1-7: inserts the aborted row (asked by the resolving coordinator of AZ-1-7)
        13. NV executes ROLLBACK PREPARED of AZ-1-7 (asked by the resolving coordinator of AZ-1-7)
        => AZ-1-7: AZ not written (row: aborted), TX written, NV not written; the client was told committed
    "#]],
    );
}
