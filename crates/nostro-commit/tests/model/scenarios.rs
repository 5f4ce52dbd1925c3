//! The unmutated protocol, in every scenario. Each prints what was searched.
//!
//! Where a scenario has no number of faults, it is exhaustive: it has as many as there are in any order. The
//! others are bounded by it, more widely when `NOSTRO_SOAK=1`.

use crate::scenario::{Protocol, Scenario, Standby};
use stateright::{Checker, Model};
use std::time::Instant;

/// Whether the long searches are asked for.
fn soak() -> bool {
    std::env::var_os("NOSTRO_SOAK").is_some_and(|value| value == "1")
}

/// Searches everything, and fails with a shortest way to what is violated.
fn holds(name: &str, scenario: Scenario) {
    let bound = scenario.faults.map_or("exhaustive".into(), |faults| format!("at most {faults} faults"));
    let began = Instant::now();
    let checker = Protocol::of(scenario.clone(), None).checker().threads(1).spawn_bfs().join();
    let (states, depth) = (checker.unique_state_count(), checker.max_depth());
    println!("{name}, {bound}: {states} states, depth {depth}, {:.1} s", began.elapsed().as_secs_f64());
    for property in checker.model().properties() {
        let violated = property.expectation.discovery_is_failure();
        let found = checker.discovery(property.name).is_some();
        assert!(found || violated, "{name}: never: {}", property.name);
        if found && violated {
            // A search for several properties goes on and tells the last violation; this one stops at the first.
            let first = Protocol::of(scenario, Some(property.name)).checker().threads(1).spawn_bfs().join();
            let path = first.discovery(property.name).expect("found before");
            panic!("{name}: violated: {}\n{}", property.name, first.model().told_as_text(path));
        }
    }
}

#[test]
fn a_local_batch() {
    holds("local batch", Scenario { batches: &[&[]], recoveries: 2, operator: true, ..Scenario::default() });
}

#[test]
fn one_participant() {
    holds("one participant", Scenario { batches: &[&[1]], recoveries: 2, operator: true, ..Scenario::default() });
}

#[test]
fn two_participants() {
    holds("two participants", Scenario { batches: &[&[1, 2]], recoveries: 1, ..Scenario::default() });
}

#[test]
fn two_participants_and_two_recoveries() {
    let faults = if soak() { None } else { Some(2) };
    let scenario = Scenario { batches: &[&[1, 2]], recoveries: 2, operator: soak(), faults, ..Scenario::default() };
    holds("two participants, two recoveries", scenario);
}

#[test]
fn two_local_batches() {
    holds("two local batches", Scenario { batches: &[&[], &[]], recoveries: 2, operator: true, ..Scenario::default() });
}

/// They share home and a participant. What a crash of either does to both is only here.
#[test]
fn two_batches() {
    let faults = if soak() { None } else { Some(2) };
    let scenario = Scenario { batches: &[&[1], &[1]], recoveries: 1, operator: soak(), faults, ..Scenario::default() };
    holds("two batches", scenario);
}

/// The control of mutant M6: with a synchronous standby, a failover loses nothing.
#[test]
fn failover_to_a_synchronous_standby() {
    let standby = Standby::Synchronous;
    let scenario = Scenario { batches: &[&[1]], recoveries: 2, operator: true, standby, ..Scenario::default() };
    holds("synchronous standby", scenario);
}

/// The control of mutant M7: it is reported and not called finished.
#[test]
fn a_participant_loses_what_it_has_prepared() {
    let scenario =
        Scenario { batches: &[&[1]], recoveries: 2, operator: true, loses_prepared: true, ..Scenario::default() };
    holds("lost prepared transaction", scenario);
}

/// Home restored from an older backup: a decision of the older incarnation is refused, also when it arrives at
/// the restored home outside of its transaction. What was committed before is lost at home, and only there.
/// The second batch begins under the new incarnation, and numbers begin again.
#[test]
fn incarnations() {
    let faults = if soak() { None } else { Some(1) };
    let scenario = Scenario { batches: &[&[1], &[1]], recoveries: 1, faults, restore: true, ..Scenario::default() };
    holds("incarnations", scenario);
}

/// The control of the mutant in which a restored home aborts: one participant is committed already, the other asks
/// the restored home. It stays prepared, and is reported.
#[test]
fn a_restored_home_and_two_participants() {
    let faults = if soak() { None } else { Some(1) };
    let scenario = Scenario { batches: &[&[1, 2]], recoveries: 1, faults, restore: true, ..Scenario::default() };
    holds("restored home, two participants", scenario);
}
