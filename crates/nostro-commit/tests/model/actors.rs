//! The shells of the machines: what `driver.rs` does with an action or a step, on the model's connections.
//!
//! An answer is heard in the step that executes its statement, or never. Hearing it later is no further case:
//! whoever hears it does nothing but send messages, and these may be executed at any later time. The coordinator
//! hears each vote when it is given, the driver when all are; a machine that acts too early is caught by this.

use crate::database::{Settled, Tombstone};
use crate::scenario::{Mutation, Protocol, Standby, part, place};
use crate::world::{Alarm, CommandKind, Errand, HOME, Held, Session, Stage, Told, World, late_bit};
use nostro_commit::Verdict;
use nostro_commit::coordinator::{Action, Event, Vote};
use nostro_commit::resolver::{self, Command, Reply, Step};

/// Whose resolver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// The coordinator's own, of a slot.
    Own(usize),
    /// Recovery's, of any server.
    Recovery(usize),
}

impl Protocol {
    /// The writes of every part are sent, and PREPARE right behind them.
    pub fn begin(&self, world: &mut World, slot: usize) {
        let batch = &mut world.batches[slot];
        batch.begun = true;
        batch.key = world.home.next;
        world.home.next += 1;
        batch.coordinator = Some(0);
        batch.sessions[HOME] = Session::Open(Stage::Working);
        for participant in self.participants(slot) {
            batch.sessions[*participant] = Session::Open(Stage::Working);
        }
        if self.mutated(Mutation::ReadyBeforePrepared) {
            for participant in self.participants(slot) {
                self.happened(world, slot, Event::Voted(part(*participant), Vote::Ready));
            }
        }
    }

    /// Tells a coordinator, if it lives, and does what it says.
    pub fn happened(&self, world: &mut World, slot: usize, event: Event) {
        let Some(state) = world.batches[slot].coordinator else { return };
        let (next, actions) = self.machines(world, slot).coordinator(state, event);
        world.batches[slot].coordinator = Some(*next);
        for action in actions {
            match *action {
                Action::Decide => self.decide(world, slot),
                Action::RollBack(part) => roll_back(world, slot, place(part)),
                Action::Resolve => self.resolve(world, slot, Who::Own(slot)),
                Action::CommitPrepared(part, _) => self.finish(world, slot, place(part)),
                Action::Decided(verdict) => tell(world, slot, verdict),
                Action::Contradicted(_) => world.alarms.raise(Alarm::Contradicted),
                Action::Done => {
                    // What the resolver has finished, it has said itself.
                    let committed = world.batches[slot].told == Told::Outcome(Verdict::Committed);
                    if committed && !matches!(event, Event::Resolved(_)) {
                        self.check_finished(world, slot, Verdict::Committed);
                    }
                    if world.batches[slot].sessions[HOME] == Session::Open(Stage::Idle) {
                        world.alarms.raise(Alarm::GivenBackOpen);
                    }
                    self.end_coordinator(world, slot);
                }
            }
        }
    }

    fn decide(&self, world: &mut World, slot: usize) {
        let session = &mut world.batches[slot].sessions[HOME];
        match *session {
            Session::Open(_) => *session = Session::Open(Stage::Deciding),
            Session::Broken(_) => *session = Session::Broken(Stage::Deciding),
            Session::Closed | Session::Late(_) => self.happened(world, slot, Event::DecisionDoubtful),
        }
    }

    fn finish(&self, world: &mut World, slot: usize, place: usize) {
        let batch = &mut world.batches[slot];
        match batch.sessions[place] {
            Session::Open(Stage::Idle) => batch.sessions[place] = Session::Open(Stage::Finishing),
            Session::Broken(Stage::Idle) => batch.sessions[place] = Session::Broken(Stage::Finishing),
            // Only a broken machine finishes what has not voted: its message stands behind the others.
            Session::Open(_) | Session::Broken(_) => batch.late |= late_bit(CommandKind::CommitPrepared, place),
            Session::Closed | Session::Late(_) => self.happened(world, slot, Event::FinishDoubtful(part(place))),
        }
    }

    /// The coordinator hears nothing for what it waits for, and drops the connection.
    pub fn give_up(&self, world: &mut World, slot: usize, place: usize) {
        let session = world.batches[slot].sessions[place];
        let Some(awaited) = session.awaited() else { return };
        self.abandon(world, slot, place);
        match awaited {
            Stage::Working | Stage::Marked => self.happened(world, slot, Event::Voted(part(place), Vote::Lost)),
            Stage::Deciding | Stage::Inserted | Stage::Waiting => self.doubt_decision(world, slot),
            Stage::Finishing => self.happened(world, slot, Event::FinishDoubtful(part(place))),
            Stage::Idle => unreachable!("nothing is awaited"),
        }
    }

    /// An answer to the decision that is no clean acknowledgement.
    pub fn doubt_decision(&self, world: &mut World, slot: usize) {
        if self.mutated(Mutation::DecisionIsSentAgain) && !world.batches[slot].stray_decision {
            world.batches[slot].stray_decision = true;
            return;
        }
        if !self.mutated(Mutation::DoubtIsRolledBack) {
            return self.happened(world, slot, Event::DecisionDoubtful);
        }
        tell(world, slot, Verdict::Aborted);
        for participant in self.participants(slot) {
            world.batches[slot].late |= late_bit(CommandKind::RollBackPrepared, *participant);
        }
        self.end_coordinator(world, slot);
    }

    /// The client's end of a connection is gone; a COMMIT PREPARED that was under way still is.
    pub fn abandon(&self, world: &mut World, slot: usize, place: usize) {
        let batch = &mut world.batches[slot];
        if batch.sessions[place] == Session::Open(Stage::Finishing) {
            batch.late |= late_bit(CommandKind::CommitPrepared, place);
            batch.sessions[place] = Session::Closed;
        }
        batch.sessions[place] = batch.sessions[place].abandoned(place);
    }

    /// The server of the coordinator stops at once.
    pub fn kill_coordinator(&self, world: &mut World, slot: usize) {
        if let Some(own) = world.batches[slot].own.take() {
            leave_under_way(world, &own);
        }
        self.end_coordinator(world, slot);
    }

    /// The machine is gone, and with it the client's end of every connection; what is given back to a pool is
    /// closed here, which nobody sees.
    fn end_coordinator(&self, world: &mut World, slot: usize) {
        for place in [HOME].iter().chain(self.participants(slot)) {
            self.abandon(world, slot, *place);
        }
        let batch = &mut world.batches[slot];
        batch.coordinator = None;
        if batch.told == Told::Nothing {
            batch.told = Told::Unknown;
        }
    }

    /// Begins a resolver.
    pub fn resolve(&self, world: &mut World, slot: usize, who: Who) {
        let slot_number = u8::try_from(slot).expect("two slots");
        let mut errand = Errand { slot: slot_number, machine: 0, under_way: [None; 3], verdict: None };
        errand.under_way[HOME] = Some(CommandKind::Settle);
        put(world, who, Some(errand));
    }

    /// The command under way at a place is executed there and its answer heard.
    pub fn execute_command(&self, world: &mut World, who: Who, place: usize) {
        let Some(errand) = errand(world, who) else { return };
        let Some(kind) = errand.under_way[place] else { return };
        let slot = usize::from(errand.slot);
        let reply = self.execute(world, slot, kind, place);
        // Settle is a write, so it is answered when the synchronous standby has it and all that was before it.
        let barrier = self.scenario.standby == Standby::Synchronous && !self.mutated(Mutation::SettleIsNoBarrier);
        if barrier && matches!(reply, Reply::Settled { .. }) {
            world.replicate();
        }
        let taken_for_success = self.mutated(Mutation::MissingIsFinished) && errand.verdict == Some(Verdict::Committed);
        let reply = match reply {
            Reply::Missing(part) if taken_for_success => Reply::Finished(part),
            reply => reply,
        };
        self.replied(world, who, place, reply);
    }

    /// No answer came: what was sent may be executed later.
    pub fn silence(&self, world: &mut World, who: Who, place: usize) {
        let Some(errand) = errand(world, who) else { return };
        let Some(kind) = errand.under_way[place] else { return };
        world.batches[usize::from(errand.slot)].late |= late_bit(kind, place);
        self.replied(world, who, place, Reply::Unreachable(part(place)));
    }

    /// A command executed at its database.
    pub fn execute(&self, world: &mut World, slot: usize, kind: CommandKind, place: usize) -> Reply {
        let key = world.key(slot);
        let found = |found, part| if found { Reply::Finished(part) } else { Reply::Missing(part) };
        match kind {
            CommandKind::Settle => self.settle(world, slot),
            CommandKind::CommitPrepared => found(world.commit_prepared(key, place), part(place)),
            CommandKind::RollBackPrepared => found(world.roll_back_prepared(key, place), part(place)),
            CommandKind::Tombstone => match world.tombstone(key, place) {
                Tombstone::Marker(outcome) => Reply::Marker(part(place), Some(outcome)),
                Tombstone::LockTimeout => Reply::Busy(part(place)),
            },
            CommandKind::ReadMarker => Reply::Marker(part(place), world.held[place - 1][key].marker),
        }
    }

    fn settle(&self, world: &mut World, slot: usize) -> Reply {
        let before = world.home;
        match world.settle(slot, &self.scenario) {
            Settled::LockTimeout => Reply::Busy(part(HOME)),
            Settled::OlderIncarnation => Reply::OlderIncarnation,
            Settled::Row { outcome, slot: of } => {
                if self.mutated(Mutation::NoRowIsReadAsAbort) {
                    world.home = before;
                }
                Reply::Settled { outcome, parts: self.machines(world, of).batch.parts() }
            }
        }
    }

    fn replied(&self, world: &mut World, who: Who, place: usize, reply: Reply) {
        let Some(mut errand) = errand(world, who) else { return };
        let slot = usize::from(errand.slot);
        let (next, steps) = self.machines(world, slot).resolver(errand.machine, reply);
        errand.machine = *next;
        errand.under_way[place] = None;
        let mut done = false;
        for step in steps {
            match step {
                Step::Send(command) | Step::Retry(command) => {
                    let (kind, place) = named(*command);
                    errand.under_way[place] = Some(kind);
                }
                Step::Decided(verdict) => {
                    errand.verdict = Some(*verdict);
                    // The driver tells its client at once, unless the outcome was certain before.
                    if matches!(who, Who::Own(_)) && world.batches[slot].told == Told::Nothing {
                        tell(world, slot, *verdict);
                    }
                }
                Step::Alarm(alarm) => world.alarms.raise(match alarm {
                    resolver::Alarm::PartsDiffer(..) => Alarm::PartsDiffer,
                    resolver::Alarm::OlderIncarnation(..) => Alarm::OlderIncarnation,
                    resolver::Alarm::LostPrepared(..) => Alarm::LostPrepared,
                    resolver::Alarm::CommittedAgainstVerdict(..) => Alarm::CommittedAgainstVerdict,
                }),
                Step::Done { complete } => {
                    done = true;
                    if let Some(verdict) = errand.verdict.filter(|_| *complete) {
                        self.check_finished(world, slot, verdict);
                    }
                }
            }
        }
        put(world, who, Some(errand));
        if done {
            self.end_resolver(world, who);
        }
    }

    /// A resolver is done, or its patience is over, or its server is.
    pub fn end_resolver(&self, world: &mut World, who: Who) {
        let Some(errand) = errand(world, who) else { return };
        leave_under_way(world, &errand);
        put(world, who, None);
        if let Who::Own(slot) = who {
            match errand.verdict {
                Some(verdict) => self.happened(world, slot, Event::Resolved(verdict)),
                None => self.end_coordinator(world, slot),
            }
        }
    }

    /// Somebody calls a batch finished at every part: then it is written at all, or has its tombstone at all.
    fn check_finished(&self, world: &mut World, slot: usize, verdict: Verdict) {
        let batch = &world.batches[slot];
        let key = world.key(slot);
        let finished = |place: usize| match verdict {
            Verdict::Committed => (batch.applied[HOME] || batch.lost_by_restore) && batch.applied[place],
            Verdict::Aborted => world.held[place - 1][key] == Held { prepared: None, marker: Some(verdict) },
        };
        if !self.participants(slot).iter().all(|place| finished(*place)) {
            world.alarms.raise(Alarm::FalselyFinished);
        }
    }
}

/// The resolver at work, if there is one.
pub fn errand(world: &World, who: Who) -> Option<Errand> {
    match who {
        Who::Own(slot) => world.batches[slot].own,
        Who::Recovery(at) => world.recoveries[at],
    }
}

fn put(world: &mut World, who: Who, errand: Option<Errand>) {
    match who {
        Who::Own(slot) => world.batches[slot].own = errand,
        Who::Recovery(at) => world.recoveries[at] = errand,
    }
}

/// An open transaction without a message under way: rolling it back and closing its connection are the same. A
/// connection that was given up is not touched any more.
fn roll_back(world: &mut World, slot: usize, place: usize) {
    let session = &mut world.batches[slot].sessions[place];
    if !matches!(session, Session::Late(_)) {
        *session = Session::Closed;
    }
}

/// What an ended resolver has sent may still be executed.
fn leave_under_way(world: &mut World, errand: &Errand) {
    let late = &mut world.batches[usize::from(errand.slot)].late;
    for (place, kind) in errand.under_way.iter().enumerate() {
        *late |= kind.map_or(0, |kind| late_bit(kind, place));
    }
}

fn tell(world: &mut World, slot: usize, verdict: Verdict) {
    let told = &mut world.batches[slot].told;
    if *told != Told::Nothing && *told != Told::Outcome(verdict) {
        world.alarms.raise(Alarm::ToldTwice);
    }
    *told = Told::Outcome(verdict);
}

fn named(command: Command) -> (CommandKind, usize) {
    match command {
        Command::Settle => (CommandKind::Settle, HOME),
        Command::CommitPrepared(part, _) => (CommandKind::CommitPrepared, place(part)),
        Command::RollBackPrepared(part) => (CommandKind::RollBackPrepared, place(part)),
        Command::Tombstone(part) => (CommandKind::Tombstone, place(part)),
        Command::ReadMarker(part) => (CommandKind::ReadMarker, place(part)),
    }
}
