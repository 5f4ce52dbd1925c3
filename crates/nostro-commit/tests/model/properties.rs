//! What must hold in every reachable state, and what must be possible.
//!
//! Liveness is checked as a property of states. stateright's `eventually` overlooks cycles, and resolvers that ask
//! again are cycles. Instead, from every reachable state the *calm schedule* ([`Protocol::calm`]) is followed:
//! moves of the model without a fault, the same one each time. If it comes to an end where nothing is prepared,
//! then from every reachable state a run without faults leads there; in a finite graph that is to say that every
//! run in which faults stop, and in which no move that is possible again and again is left out for ever, ends
//! there. A trap, be it a dead end or a cycle, is a counterexample. What is known to end well is remembered, so
//! each state costs about one step.

use crate::scenario::{Protocol, Scenario};
use crate::world::{ALARMS, Alarm, HOME, Row, SLOTS, Session, Stage, Told, World};
use nostro_commit::Verdict;
use stateright::Property;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

const HOME_FIRST: &str = "no participant is committed without home";
const ALL_OR_NONE: &str = "a batch is committed at a part only with every participant prepared or committed";
const KEPT: &str = "what home has committed is rolled back nowhere, also when a restore makes home forget it";
pub const TOLD: &str = "what the client was told is so";
const NO_ALARM: &str = "nothing contradicts the protocol";
const ENDS_WELL: &str = "when faults stop, nothing stays prepared unreported and every client has an answer";
pub const FALSELY: &str = "nothing is called finished that is not";
pub const SPLIT: &str = "no batch is committed at one part and not at another";
const COMMITS: &str = "sometimes a batch commits at all parts";
const ABORTS: &str = "sometimes a batch aborts";
const RECOVERS: &str = "sometimes recovery finishes what a dead coordinator decided";
const LATE_PREPARE: &str = "sometimes PREPARE is under way when its batch is aborted already and its client gone";
const REPORTS_LOSS: &str = "sometimes a lost prepared transaction is reported";
const REPORTS_RESTORE: &str = "sometimes a batch stays prepared because home was restored, and is reported";

/// The properties of a scenario of the unmutated protocol. Where the environment itself breaks a batch (a
/// participant loses what it has prepared), all that is left is to tell it, and never to call it finished.
pub fn of(scenario: &Scenario) -> Vec<Property<Protocol>> {
    if scenario.is_mutant() {
        // One of them is asked for. That an alarm was raised, or that something stays prepared, is not enough.
        return vec![
            Property::always(SPLIT, |protocol, world| home_first(protocol, world) && all_or_none(protocol, world)),
            Property::always(TOLD, told),
            Property::always(FALSELY, finished_is_finished),
        ];
    }
    if scenario.loses_prepared {
        return vec![
            Property::always(HOME_FIRST, home_first),
            Property::always(FALSELY, finished_is_finished),
            Property::always(NO_ALARM, only_losses_are_alarms),
            Property::always(ENDS_WELL, ends_well),
            Property::sometimes(REPORTS_LOSS, |_, world: &World| world.alarms.has(Alarm::LostPrepared)),
        ];
    }
    let mut properties = Vec::new();
    if scenario.restore {
        properties.push(Property::always(KEPT, kept));
        properties.push(Property::sometimes(REPORTS_RESTORE, reports_restore));
    }
    properties.extend([
        Property::always(HOME_FIRST, home_first),
        Property::always(ALL_OR_NONE, all_or_none),
        Property::always(TOLD, told),
        Property::always(FALSELY, finished_is_finished),
        Property::always(NO_ALARM, no_alarm),
        Property::always(ENDS_WELL, ends_well),
        Property::sometimes(COMMITS, commits),
        Property::sometimes(ABORTS, aborts),
    ]);
    if !scenario.batches[0].is_empty() {
        properties.push(Property::sometimes(RECOVERS, recovers));
        properties.push(Property::sometimes(LATE_PREPARE, late_prepare));
    }
    properties
}

fn home_first(protocol: &Protocol, world: &World) -> bool {
    protocol.slots().all(|slot| {
        let batch = &world.batches[slot];
        batch.lost_by_restore || batch.applied[HOME] || !batch.applied.iter().any(|applied| *applied)
    })
}

fn all_or_none(protocol: &Protocol, world: &World) -> bool {
    protocol.slots().all(|slot| {
        let somewhere = world.batches[slot].applied.iter().any(|applied| *applied);
        !somewhere || participants_have_it(protocol, world, slot)
    })
}

fn kept(protocol: &Protocol, world: &World) -> bool {
    protocol.slots().all(|slot| !world.batches[slot].lost_by_restore || participants_have_it(protocol, world, slot))
}

/// Committed or prepared at every participant.
fn participants_have_it(protocol: &Protocol, world: &World, slot: usize) -> bool {
    let (applied, key) = (&world.batches[slot].applied, world.key(slot));
    let prepared = |place: usize| world.held[place - 1][key].prepared.is_some_and(|of| usize::from(of) == slot);
    protocol.participants(slot).iter().all(|place| applied[*place] || prepared(*place))
}

fn told(protocol: &Protocol, world: &World) -> bool {
    protocol.slots().all(|slot| {
        let batch = &world.batches[slot];
        match batch.told {
            Told::Nothing | Told::Unknown => true,
            Told::Outcome(Verdict::Committed) => batch.applied[HOME] || batch.lost_by_restore,
            Told::Outcome(Verdict::Aborted) => !batch.lost_by_restore && !batch.applied.iter().any(|applied| *applied),
        }
    })
}

fn finished_is_finished(_: &Protocol, world: &World) -> bool {
    !world.alarms.has(Alarm::FalselyFinished)
}

/// But for what a restored home has no row of: that must be noticed.
fn no_alarm(protocol: &Protocol, world: &World) -> bool {
    let restored = protocol.scenario.restore && world.home.replaced;
    ALARMS.iter().all(|alarm| (restored && *alarm == Alarm::OlderIncarnation) || !world.alarms.has(*alarm))
}

fn reports_restore(protocol: &Protocol, world: &World) -> bool {
    protocol.calm(world).is_none() && protocol.is_over(world) && world.alarms.has(Alarm::OlderIncarnation)
}

fn commits(protocol: &Protocol, world: &World) -> bool {
    let batch = &world.batches[0];
    let everywhere = protocol.participants(0).iter().chain([&HOME]).all(|place| batch.applied[*place]);
    everywhere && batch.told == Told::Outcome(Verdict::Committed)
}

fn aborts(_: &Protocol, world: &World) -> bool {
    let aborted = |row: &Row| matches!(row, Row::Is { outcome: Verdict::Aborted, .. });
    world.home.rows.iter().any(aborted) && world.batches[0].told == Told::Outcome(Verdict::Aborted)
}

fn recovers(protocol: &Protocol, world: &World) -> bool {
    let batch = &world.batches[0];
    let everywhere = protocol.participants(0).iter().all(|place| batch.applied[*place]);
    everywhere && batch.told == Told::Unknown
}

fn late_prepare(_: &Protocol, world: &World) -> bool {
    let row = world.home.rows[world.key(0)];
    let late = world.batches[0].sessions.contains(&Session::Late(Stage::Marked));
    late && matches!(row, Row::Is { outcome: Verdict::Aborted, .. })
}

fn ends_well(protocol: &Protocol, world: &World) -> bool {
    let mut known = protocol.ends_well.lock().expect("no test panics while it holds this");
    let mut way = HashSet::new();
    let mut world = *world;
    loop {
        let mut hasher = DefaultHasher::new();
        world.hash(&mut hasher);
        let hash = hasher.finish();
        if known.contains(&hash) {
            break;
        }
        if !way.insert(hash) {
            return false;
        }
        match protocol.calm(&world) {
            Some(next) => world = protocol.after(&world, next),
            None if protocol.is_over(&world) => break,
            None => return false,
        }
    }
    known.extend(way);
    true
}

impl Protocol {
    /// Nothing is prepared but what was reported to people, and every client has an answer.
    fn is_over(&self, world: &World) -> bool {
        let mut prepared = world.held.iter().flatten().filter_map(|held| held.prepared);
        prepared.all(|slot| self.is_left_to_people(world, usize::from(slot)))
            && (0..SLOTS).all(|slot| !world.batches[slot].begun || world.batches[slot].told != Told::Nothing)
    }
}

fn only_losses_are_alarms(_: &Protocol, world: &World) -> bool {
    ALARMS.iter().all(|alarm| *alarm == Alarm::LostPrepared || !world.alarms.has(*alarm))
}
