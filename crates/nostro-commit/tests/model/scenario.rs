//! What is searched: which batches, which faults, which mutation; and the model that stateright runs.

use crate::machines::Machines;
use crate::moves::Move;
use crate::properties;
use crate::world::{BatchState, PLACES, SLOTS, World};
use nostro_commit::{Batch, BatchId, Part, Participants};
use stateright::{Model, Property};
use std::collections::{BTreeSet, HashSet};
use std::sync::Mutex;

/// Home's standby.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Standby {
    #[default]
    None,
    Synchronous,
    Asynchronous,
}

/// One departure from the protocol, by its name in docs/internals/testing.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// M1
    AbortRowsAreDeleted,
    /// M2
    CommitRowsAreDeleted,
    /// M3
    NoRowIsReadAsAbort,
    /// M4
    DoubtIsRolledBack,
    /// M6 once more: Settle answers without waiting for the synchronous standby.
    SettleIsNoBarrier,
    /// M5; M6 is [`Standby::Asynchronous`]
    ReadyBeforePrepared,
    /// M7
    MissingIsFinished,
    /// M8
    DecisionIsSentAgain,
    /// M9
    NumbersFromSequence,
    /// A restored home keeps its incarnation, and with it hands out its numbers again.
    IncarnationIsKept,
    /// A restored home inserts an abort row for a batch of before, of which it has no row.
    RestoredHomeAborts,
}

/// What may happen.
#[derive(Clone, Debug, Default)]
pub struct Scenario {
    /// The places of the participants of each batch.
    pub batches: &'static [&'static [usize]],
    /// How many resolvers recovery may run at once, beside the coordinators' own.
    pub recoveries: usize,
    /// An operator may resolve any batch at any time; recovery alone begins with what is listed as prepared.
    pub operator: bool,
    /// How many faults at most; `None`: as many as there are.
    pub faults: Option<u8>,
    pub standby: Standby,
    /// Home is restored from an older backup, once.
    pub restore: bool,
    /// A participant loses a prepared transaction.
    pub loses_prepared: bool,
    pub mutation: Option<Mutation>,
}

impl Scenario {
    /// Whether it departs from the protocol.
    pub fn is_mutant(&self) -> bool {
        self.mutation.is_some() || self.standby == Standby::Asynchronous
    }
}

/// A scenario with the machines of its batches.
pub struct Protocol {
    pub scenario: Scenario,
    /// If given, the only property that is searched for: the search then ends at its first violation.
    only: Option<&'static str>,
    /// By slot, then by key.
    machines: Vec<Vec<Machines>>,
    /// Hashes of states from which the calm schedule is known to end well.
    pub ends_well: Mutex<HashSet<u64>>,
}

/// The name of a place.
pub fn part(place: usize) -> Part {
    ["AZ", "TX", "NV"][place].parse().expect("a part")
}

/// The place of a part.
pub fn place(part: Part) -> usize {
    (0..PLACES).find(|place| self::part(*place) == part).expect("a part of the scenario")
}

impl Protocol {
    pub fn of(scenario: Scenario, only: Option<&'static str>) -> Self {
        let home = part(0);
        let participants = |slot: usize| {
            let places = scenario.batches.get(slot).copied().unwrap_or_default();
            Participants::new(home, places.iter().map(|place| part(*place))).expect("home is not among them")
        };
        let batch = |slot, key| {
            // The second batch begins after the restore, when numbers begin again under a new incarnation.
            let (incarnation, number) = if scenario.restore { (1 + key, 7) } else { (1, 7 + u64::from(key)) };
            Batch { id: BatchId { home, incarnation, number }, participants: participants(slot) }
        };
        let rows: BTreeSet<Vec<Part>> = (0..SLOTS).map(|slot| batch(slot, 0).parts()).collect();
        let rows: Vec<_> = rows.into_iter().collect();
        let machines =
            (0..SLOTS).map(|slot| (0..SLOTS as u32).map(|key| Machines::of(batch(slot, key), &rows)).collect());
        let machines = machines.collect();
        Self { scenario, only, machines, ends_well: Mutex::default() }
    }

    pub fn machines(&self, world: &World, slot: usize) -> &Machines {
        &self.machines[slot][world.key(slot)]
    }

    pub fn participants(&self, slot: usize) -> &'static [usize] {
        self.scenario.batches[slot]
    }

    pub fn slots(&self) -> std::ops::Range<usize> {
        0..self.scenario.batches.len()
    }

    pub fn mutated(&self, mutation: Mutation) -> bool {
        self.scenario.mutation == Some(mutation)
    }
}

impl Model for Protocol {
    type State = World;
    type Action = Move;

    fn init_states(&self) -> Vec<World> {
        let batches = [BatchState::default(); SLOTS];
        vec![World { batches, faults_left: self.scenario.faults.unwrap_or_default(), ..World::default() }]
    }

    fn actions(&self, world: &World, moves: &mut Vec<Move>) {
        self.enabled(world, moves);
    }

    fn next_state(&self, world: &World, happens: Move) -> Option<World> {
        let next = self.after(world, happens);
        (next != *world).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = properties::of(&self.scenario);
        properties.retain(|property| self.only.is_none_or(|only| only == property.name));
        properties
    }
}
