//! What may happen next, in every state.
//!
//! A *fault* is a move that a faultless world would not make; faults can be counted and bounded. A late message
//! is no fault by itself: somebody died or gave up before. A crash of a database is every one of its
//! connections breaking at once, so with one batch, which has one connection to each, breaking it is that crash.

use crate::actors::{Who, errand};
use crate::scenario::{Mutation, Protocol, Standby, part};
use crate::world::{Alarm, CommandKind, HOME, LATE_COMMANDS, PLACES, Row, SLOTS, Session, Stage, World, late_bit};
use nostro_commit::Verdict;
use nostro_commit::coordinator::{Event, Vote};

/// One step of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Move {
    /// A server draws a number and sends the writes of a batch.
    Begin(usize),
    /// A database executes what is next on the coordinator's connection; the answer is heard if somebody waits.
    Execute(usize, usize),
    /// A database answers the writes or PREPARE with an error.
    Refuse(usize, usize),
    /// The coordinator waits no longer, or learns that the connection is gone.
    GiveUp(usize, usize),
    /// A connection is cut, or its server's end stops.
    Break(usize, usize),
    /// A coordinator's server stops at once.
    KillCoordinator(usize),
    /// Recovery, or an operator, begins to resolve a batch.
    Start(usize),
    /// A resolver's command is executed and its answer heard.
    Command(Who, usize),
    /// A resolver hears nothing for its command.
    Silence(Who, usize),
    /// A resolver ends: its patience is over, or its server stops at once.
    Stop(Who),
    /// A command of a resolver that waits no longer is executed.
    Late(usize, CommandKind, usize),
    /// All connections of a database break at once.
    Crash(usize),
    /// A decision arrives outside of its transaction.
    StrayDecision(usize),
    /// M1, M2.
    DeleteRow(usize),
    /// The standby receives what is committed.
    Replicate,
    /// The standby takes home's place.
    FailOver,
    /// Home is restored from an older backup under a new incarnation.
    Restore,
    /// A participant loses a prepared transaction.
    LosePrepared(usize, usize),
}

impl Protocol {
    /// Every move that is possible.
    pub fn enabled(&self, world: &World, moves: &mut Vec<Move>) {
        let faults = self.scenario.faults.is_none() || world.faults_left > 0;
        for slot in self.slots() {
            if !world.batches[slot].begun {
                // Batches begin in order; a number of the new incarnation is drawn after the restore only.
                if slot == 0 || !self.scenario.restore || world.home.replaced {
                    moves.push(Move::Begin(slot));
                }
                break;
            }
            self.of_coordinator(world, slot, faults, moves);
            self.of_resolver(world, Who::Own(slot), faults, moves);
            self.of_nobody(world, slot, moves);
        }
        for at in 0..self.scenario.recoveries {
            self.of_resolver(world, Who::Recovery(at), faults, moves);
        }
        self.of_environment(world, faults, moves);
    }

    fn of_coordinator(&self, world: &World, slot: usize, faults: bool, moves: &mut Vec<Move>) {
        let batch = &world.batches[slot];
        for place in [HOME].iter().chain(self.participants(slot)).copied() {
            let session = batch.sessions[place];
            if session.server().is_some_and(|stage| stage != Stage::Idle) {
                moves.push(Move::Execute(slot, place));
            }
            match session {
                Session::Open(stage) => {
                    if matches!(stage, Stage::Working | Stage::Marked) {
                        moves.push(Move::Refuse(slot, place));
                    }
                    if faults {
                        moves.push(Move::Break(slot, place));
                        moves.extend((stage != Stage::Idle).then_some(Move::GiveUp(slot, place)));
                    }
                }
                Session::Late(_) => moves.push(Move::Break(slot, place)),
                Session::Broken(stage) => moves.extend((stage != Stage::Idle).then_some(Move::GiveUp(slot, place))),
                Session::Closed => {}
            }
        }
        if faults && batch.coordinator.is_some() {
            moves.push(Move::KillCoordinator(slot));
        }
    }

    fn of_resolver(&self, world: &World, who: Who, faults: bool, moves: &mut Vec<Move>) {
        let Some(errand) = errand(world, who) else { return };
        for place in 0..PLACES {
            if errand.under_way[place].is_some() {
                moves.push(Move::Command(who, place));
                moves.extend(faults.then_some(Move::Silence(who, place)));
            }
        }
        moves.extend(faults.then_some(Move::Stop(who)));
    }

    fn of_nobody(&self, world: &World, slot: usize, moves: &mut Vec<Move>) {
        let batch = &world.batches[slot];
        for (kind, place) in LATE_COMMANDS {
            if batch.late & late_bit(kind, place.max(1)) != 0 {
                moves.push(Move::Late(slot, kind, place));
            }
        }
        if batch.stray_decision {
            moves.push(Move::StrayDecision(slot));
        }
        let free = (0..self.scenario.recoveries).any(|at| world.recoveries[at].is_none());
        if free && (self.scenario.operator || self.is_listed(world, slot)) {
            moves.push(Move::Start(slot));
        }
    }

    /// Whether some participant lists a prepared transaction of the batch.
    fn is_listed(&self, world: &World, slot: usize) -> bool {
        let key = world.key(slot);
        self.participants(slot).iter().any(|place| world.held[place - 1][key].prepared == Some(slot as u8))
    }

    fn of_environment(&self, world: &World, faults: bool, moves: &mut Vec<Move>) {
        let home = &world.home;
        let numbers = self.mutated(Mutation::NumbersFromSequence);
        for place in 0..PLACES {
            let connected = world.batches.iter().filter(|batch| batch.sessions[place].server().is_some()).count();
            if faults && (connected > 1 || (numbers && place == HOME && home.next > 0)) {
                moves.push(Move::Crash(place));
            }
        }
        for key in 0..SLOTS {
            let Row::Is { outcome, .. } = home.rows[key] else { continue };
            let deleted = match outcome {
                Verdict::Aborted => self.mutated(Mutation::AbortRowsAreDeleted),
                Verdict::Committed => self.mutated(Mutation::CommitRowsAreDeleted),
            };
            moves.extend(deleted.then_some(Move::DeleteRow(key)));
        }
        if self.scenario.standby != Standby::None && !home.replaced {
            moves.push(Move::FailOver);
            moves.push(Move::Replicate);
        }
        if self.scenario.restore && !home.replaced {
            moves.push(Move::Restore);
        }
        if self.scenario.loses_prepared {
            let places = (1..PLACES).flat_map(|place| (0..SLOTS).map(move |key| (place, key)));
            let prepared = places.filter(|(place, key)| world.held[place - 1][*key].prepared.is_some());
            moves.extend(prepared.map(|(place, key)| Move::LosePrepared(place, key)));
        }
    }

    /// The next move when faults have stopped: whatever is under way is executed and heard, a broken connection
    /// is noticed, and recovery takes up what is still listed. `None`: nothing is left to do.
    pub fn calm(&self, world: &World) -> Option<Move> {
        for slot in self.slots().filter(|slot| world.batches[*slot].begun) {
            let batch = &world.batches[slot];
            for (place, session) in batch.sessions.iter().enumerate() {
                if session.server().is_some_and(|stage| stage != Stage::Idle) {
                    return Some(Move::Execute(slot, place));
                }
                if session.awaited().is_some() {
                    return Some(Move::GiveUp(slot, place));
                }
            }
            if batch.stray_decision {
                return Some(Move::StrayDecision(slot));
            }
        }
        let resolvers = self.slots().map(Who::Own).chain((0..self.scenario.recoveries).map(Who::Recovery));
        for who in resolvers {
            let places = errand(world, who).map(|errand| errand.under_way).into_iter().flatten().enumerate();
            if let Some((place, _)) = places.into_iter().find(|(_, command)| command.is_some()) {
                return Some(Move::Command(who, place));
            }
        }
        let listed = |slot: &usize| world.batches[*slot].begun && self.is_listed(world, *slot);
        self.slots().find(|slot| listed(slot) && !self.is_left_to_people(world, *slot)).map(Move::Start)
    }

    /// What a restored home has no row of stays prepared, once that was reported: asking again changes nothing.
    pub fn is_left_to_people(&self, world: &World, slot: usize) -> bool {
        world.is_lost_to_home(slot, &self.scenario) && world.alarms.has(Alarm::OlderIncarnation)
    }

    /// The world after a move.
    pub fn after(&self, world: &World, happens: Move) -> World {
        let mut next = *world;
        let world = &mut next;
        if is_fault(world, happens) && self.scenario.faults.is_some() {
            world.faults_left = world.faults_left.saturating_sub(1);
        }
        match happens {
            Move::Begin(slot) => self.begin(world, slot),
            Move::Execute(slot, place) => self.execute_next(world, slot, place),
            Move::Refuse(slot, place) => {
                world.batches[slot].sessions[place] = Session::Closed;
                self.happened(world, slot, Event::Voted(part(place), Vote::Refused));
            }
            Move::GiveUp(slot, place) => self.give_up(world, slot, place),
            Move::Break(slot, place) => {
                world.break_session(slot, place);
            }
            Move::KillCoordinator(slot) => self.kill_coordinator(world, slot),
            Move::Start(slot) => {
                let free = (0..self.scenario.recoveries).find(|at| world.recoveries[*at].is_none());
                self.resolve(world, slot, Who::Recovery(free.expect("only when one is free")));
            }
            Move::Command(who, place) => self.execute_command(world, who, place),
            Move::Silence(who, place) => self.silence(world, who, place),
            Move::Stop(who) => self.end_resolver(world, who),
            Move::Late(slot, kind, place) => drop(self.execute(world, slot, kind, place)),
            Move::Crash(place) => {
                world.crash(place);
                // A sequence's advance is flushed with the next commit only.
                let unflushed = world.home.rows.iter().all(|row| *row == Row::None);
                if place == HOME && unflushed && self.mutated(Mutation::NumbersFromSequence) {
                    world.home.next = 0;
                }
            }
            Move::StrayDecision(slot) => self.execute_stray_decision(world, slot),
            Move::DeleteRow(key) => world.home.rows[key] = Row::None,
            Move::Replicate => world.replicate(),
            Move::FailOver => world.fail_over(),
            Move::Restore => {
                world.restore();
                if self.mutated(Mutation::IncarnationIsKept) {
                    world.home.next = 0;
                }
            }
            Move::LosePrepared(place, key) => world.held[place - 1][key].prepared = None,
        }
        world.recoveries.sort_unstable_by_key(|errand| {
            errand.map_or((true, 0, 0, [None; PLACES]), |errand| (false, errand.slot, errand.machine, errand.under_way))
        });
        next
    }

    fn execute_next(&self, world: &mut World, slot: usize, place: usize) {
        let session = world.batches[slot].sessions[place];
        let heard = matches!(session, Session::Open(_));
        let Some(stage) = session.server() else { return };
        let advance = |world: &mut World, stage| world.batches[slot].sessions[place] = session.advanced(stage);
        let event = match stage {
            Stage::Working if place == HOME => {
                advance(world, Stage::Idle);
                Event::Voted(part(place), Vote::Ready)
            }
            Stage::Working if world.insert_marker(slot, place) => return advance(world, Stage::Marked),
            Stage::Working => {
                world.batches[slot].sessions[place] = Session::Closed;
                Event::Voted(part(place), Vote::Refused)
            }
            Stage::Marked => {
                advance(world, Stage::Idle);
                world.prepare(slot, place);
                Event::Voted(part(place), Vote::Ready)
            }
            Stage::Deciding if world.decision_is_admitted(slot, &self.scenario) => {
                return advance(world, Stage::Inserted);
            }
            Stage::Deciding => {
                world.batches[slot].sessions[place] = Session::Closed;
                return if heard {
                    self.doubt_decision(world, slot)
                };
            }
            Stage::Inserted if self.scenario.standby == Standby::Synchronous && !world.home.replaced => {
                return advance(world, Stage::Waiting);
            }
            Stage::Inserted | Stage::Waiting => {
                if stage == Stage::Waiting {
                    world.replicate();
                }
                world.batches[slot].sessions[place] = Session::Closed;
                world.commit_decision(slot);
                Event::DecisionAcknowledged
            }
            Stage::Finishing => {
                world.batches[slot].sessions[place] = Session::Closed;
                let found = world.commit_prepared(world.key(slot), place);
                if found { Event::Finished(part(place)) } else { Event::FinishDoubtful(part(place)) }
            }
            Stage::Idle => return,
        };
        if heard {
            self.happened(world, slot, event);
        }
    }

    fn execute_stray_decision(&self, world: &mut World, slot: usize) {
        world.batches[slot].stray_decision = false;
        let admitted = world.decision_is_admitted(slot, &self.scenario);
        if admitted {
            world.commit_stray_decision(slot);
        }
        // At a restored home nobody waits on that connection.
        if self.mutated(Mutation::DecisionIsSentAgain) {
            let event = if admitted { Event::DecisionAcknowledged } else { Event::DecisionDoubtful };
            self.happened(world, slot, event);
        }
    }
}

fn is_fault(world: &World, happens: Move) -> bool {
    match happens {
        Move::GiveUp(slot, place) | Move::Break(slot, place) => {
            matches!(world.batches[slot].sessions[place], Session::Open(_))
        }
        Move::KillCoordinator(_) | Move::Silence(..) | Move::Stop(_) | Move::Crash(_) => true,
        Move::Begin(_)
        | Move::Execute(..)
        | Move::Refuse(..)
        | Move::Start(_)
        | Move::Command(..)
        | Move::Late(..)
        | Move::StrayDecision(_)
        | Move::DeleteRow(_)
        | Move::Replicate
        | Move::FailOver
        | Move::Restore
        | Move::LosePrepared(..) => false,
    }
}
