//! The unmutated protocol, in every scenario. Each prints what was searched.

use crate::scenario::{Protocol, Scenario, Standby};
use stateright::{Checker, Model};
use std::time::Instant;

/// Whether the long searches are asked for.
fn soak() -> bool {
    std::env::var_os("NOSTRO_SOAK").is_some_and(|value| value == "1")
}

/// Searches everything, and fails with the shortest way to whatever is violated.
pub fn holds(name: &str, scenario: Scenario) {
    let began = Instant::now();
    let checker = Protocol::of(scenario).checker().threads(1).spawn_bfs().join();
    println!(
        "{name}: {} states, depth {}, {:.1} s",
        checker.unique_state_count(),
        checker.max_depth(),
        began.elapsed().as_secs_f64()
    );
    for property in checker.model().properties() {
        let found = checker.discovery(property.name);
        if property.expectation.discovery_is_failure() {
            let trace = found.map(|path| checker.model().told_as_text(path));
            assert!(trace.is_none(), "{name}: violated: {}\n{}", property.name, trace.unwrap_or_default());
        } else {
            assert!(found.is_some(), "{name}: never: {}", property.name);
        }
    }
}

#[test]
fn a_local_batch() {
    let scenario = Scenario { batches: &[&[]], recoveries: 2, operator: true, ..Scenario::default() };
    holds("local batch", scenario);
}

#[test]
fn one_participant() {
    let scenario = Scenario { batches: &[&[1]], recoveries: 2, operator: true, ..Scenario::default() };
    holds("one participant", scenario);
}

#[test]
fn two_participants() {
    let faults = if soak() { 5 } else { 1 };
    let scenario =
        Scenario { batches: &[&[1, 2]], recoveries: 1, faults: Some(faults), ..Scenario::default() };
    holds("two participants", scenario);
}
