//! Each known way to break the protocol must be found.
//!
//! A mutant changes the environment or a shell around the real machines, and only that: the same scenario holds
//! without it (`scenarios.rs`). The search is breadth first with one thread, so its counterexample is a shortest
//! one and the same on each run. It must split a batch or lie to a client; that an alarm was raised is not enough.

use crate::properties;
use crate::scenario::{Mutation, Protocol, Scenario, Standby};
use stateright::{Checker, Model};

/// Searches until a property is violated and tells how: the property, then the steps.
fn counterexample(name: &str, scenario: Scenario) -> String {
    assert!(scenario.is_mutant());
    let checker = Protocol::of(scenario, None).checker().threads(1).spawn_bfs().join();
    let protocol = checker.model();
    let path = checker.discovery(properties::ALL).unwrap_or_else(|| panic!("{name} was not found"));
    let property = properties::violated(protocol, path.last_state()).expect("a counterexample ends with one");
    let trace = format!("violated: {property}\n{}", protocol.told_as_text(path));
    println!("{name}, after {} states\n{trace}", checker.unique_state_count());
    trace
}

fn mutant(mutation: Mutation) -> Scenario {
    Scenario {
        batches: &[&[1]],
        recoveries: 2,
        operator: true,
        mutation: Some(mutation),
        ..Scenario::default()
    }
}

#[test]
fn m1_abort_rows_are_deleted() {
    counterexample("M1", mutant(Mutation::AbortRowsAreDeleted));
}

#[test]
fn m2_commit_rows_are_deleted() {
    counterexample("M2", mutant(Mutation::CommitRowsAreDeleted));
}

#[test]
fn m3_no_row_is_read_as_abort() {
    counterexample("M3", mutant(Mutation::NoRowIsReadAsAbort));
}

#[test]
fn m4_a_doubtful_decision_is_rolled_back() {
    counterexample("M4", mutant(Mutation::DoubtIsRolledBack));
}

#[test]
fn m5_decided_before_every_prepare_is_acknowledged() {
    counterexample("M5", mutant(Mutation::ReadyBeforePrepared));
}

#[test]
fn m6_failover_to_an_asynchronous_standby() {
    let standby = Standby::Asynchronous;
    let scenario = Scenario { batches: &[&[1]], recoveries: 2, operator: true, standby, ..Scenario::default() };
    counterexample("M6", scenario);
}

/// Why Settle is a write: what is visible at home need not be on its standby.
#[test]
fn m6_settle_does_not_wait_for_the_synchronous_standby() {
    let scenario = Scenario { standby: Standby::Synchronous, ..mutant(Mutation::SettleIsNoBarrier) };
    counterexample("M6, resolver", scenario);
}

#[test]
fn m7_a_missing_prepared_transaction_is_called_finished() {
    let scenario = Scenario { loses_prepared: true, ..mutant(Mutation::MissingIsFinished) };
    counterexample("M7", scenario);
}

#[test]
fn m8_the_decision_is_sent_again() {
    counterexample("M8", mutant(Mutation::DecisionIsSentAgain));
}

#[test]
fn m9_a_number_is_handed_out_twice() {
    counterexample("M9, local", Scenario { batches: &[&[], &[]], ..mutant(Mutation::NumbersFromSequence) });
    counterexample("M9", Scenario { batches: &[&[1], &[1]], recoveries: 1, ..mutant(Mutation::NumbersFromSequence) });
}
