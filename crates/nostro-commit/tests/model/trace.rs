//! A counterexample in plain words: one numbered line a step, and the state that contradicts.

use crate::actors::{Who, errand};
use crate::moves::Move;
use crate::scenario::{Mutation, Protocol, part};
use crate::world::{BatchState, CommandKind, HOME, Row, Session, Stage, Told, World};
use nostro_commit::{BatchId, Verdict};
use stateright::Path;
use std::fmt::Write;

impl Protocol {
    /// A path of the search, told.
    pub fn told_as_text(&self, path: Path<World, Move>) -> String {
        let steps = path.into_vec();
        let mut text = String::new();
        for (number, pair) in (1..).zip(steps.windows(2)) {
            let [(before, Some(happens)), (after, _)] = pair else { continue };
            writeln!(text, "{number}. {}", self.line(before, *happens, after)).expect("a string");
        }
        let (last, _) = steps.last().expect("an initial state");
        for slot in self.slots().filter(|slot| last.batches[*slot].begun) {
            writeln!(text, "=> {}", self.outcome(last, slot)).expect("a string");
        }
        text
    }

    fn id(&self, world: &World, slot: usize) -> BatchId {
        self.machines(world, slot).batch.id
    }

    fn line(&self, before: &World, happens: Move, after: &World) -> String {
        match happens {
            Move::Begin(slot) => {
                let parts = self.machines(after, slot).batch.parts();
                format!("a coordinator begins {} and sends its writes to {parts:?}", self.id(after, slot))
            }
            Move::Execute(slot, place) => self.executed(before, slot, place, after),
            Move::Refuse(slot, place) => format!("{} refuses its part of {}", part(place), self.id(before, slot)),
            Move::GiveUp(slot, place) => {
                let id = self.id(before, slot);
                let why = match before.batches[slot].sessions[place] {
                    Session::Broken(_) => "notices that its connection is gone",
                    Session::Open(_) | Session::Late(_) | Session::Closed => "hears nothing",
                };
                format!("the coordinator of {id} {why} at {}{}", part(place), said(before, after, slot))
            }
            Move::Break(slot, place) => {
                let waited = before.batches[slot].sessions[place].server() == Some(Stage::Waiting);
                let open = if waited { ", which becomes visible" } else { ", and what is open on it" };
                format!("{} loses its connection for {}{open}", part(place), self.id(before, slot))
            }
            Move::KillCoordinator(slot) => format!("the coordinator of {} is killed", self.id(before, slot)),
            Move::Start(slot) => format!("recovery begins to resolve {}", self.id(before, slot)),
            Move::Command(who, place) => {
                let Some(errand) = errand(before, who) else { return String::new() };
                let slot = usize::from(errand.slot);
                let kind = errand.under_way[place].expect("a command is under way");
                let effect = self.effect(before, slot, kind, place, after);
                format!("{effect} (asked by {}){}", self.whose(before, who), said(before, after, slot))
            }
            Move::Silence(who, place) => format!("{} hears nothing from {}", self.whose(before, who), part(place)),
            Move::Stop(who) => format!("{} stops", self.whose(before, who)),
            Move::Late(slot, kind, place) => format!("{} (late)", self.effect(before, slot, kind, place, after)),
            Move::Crash(place) => format!("{} crashes and starts again", part(place)),
            Move::StrayDecision(slot) => {
                let id = self.id(before, slot);
                let written = before.home.rows != after.home.rows;
                let written = if written { "commits its row, alone" } else { "is refused" };
                format!("a decision of {id} outside of its transaction {written}{}", said(before, after, slot))
            }
            Move::DeleteRow(key) => {
                let slot = self.slots().find(|slot| before.key(*slot) == key).expect("a batch has this key");
                format!("AZ deletes the row of {}", self.id(before, slot))
            }
            Move::Replicate => "AZ's standby catches up".into(),
            Move::FailOver => "AZ fails over to its standby".into(),
            Move::Restore => "AZ is restored from an older backup".into(),
            Move::LosePrepared(place, _) => format!("{} loses its prepared transaction", part(place)),
        }
    }

    fn executed(&self, before: &World, slot: usize, place: usize, after: &World) -> String {
        let (id, at) = (self.id(before, slot), part(place));
        let session = before.batches[slot].sessions[place];
        let closed = after.batches[slot].sessions[place] == Session::Closed;
        let what = match session.server() {
            Some(Stage::Working) if place == HOME => format!("{at} executes the writes of {id}"),
            Some(Stage::Working) if closed => format!("{at} refuses the marker of {id}: another is there"),
            Some(Stage::Working) => format!("{at} executes the writes and the marker of {id}"),
            Some(Stage::Marked) => format!("{at} executes PREPARE of {id}"),
            Some(Stage::Deciding) if closed => format!("{at} refuses the decision of {id}"),
            Some(Stage::Deciding) => format!("{at} inserts the decision row of {id}, not yet committed"),
            Some(Stage::Inserted) if !closed => format!("{at} commits {id} and waits for its standby"),
            Some(Stage::Waiting) => format!("{at}'s standby has {id}, which becomes visible"),
            Some(Stage::Inserted) => format!("{at} commits {id}, with its decision row"),
            Some(Stage::Finishing) => format!("{at} executes COMMIT PREPARED of {id}"),
            Some(Stage::Idle) | None => String::new(),
        };
        let late = if matches!(session, Session::Late(_)) { " (late; its client is gone)" } else { "" };
        format!("{what}{late}{}", said(before, after, slot))
    }

    fn effect(&self, before: &World, slot: usize, kind: CommandKind, place: usize, after: &World) -> String {
        let (id, at) = (self.id(before, slot), part(place));
        let key = before.key(slot);
        match kind {
            CommandKind::Settle => match (before.home.rows[key], after.home.rows[key]) {
                (Row::None, Row::None) if self.mutated(Mutation::NoRowIsReadAsAbort) => {
                    format!("{at} has no row of {id}, read as aborted")
                }
                (Row::None, Row::None) if before.is_lost_to_home(slot, &self.scenario) => {
                    format!("{at} was restored and has no row of {id}: refused")
                }
                (Row::None, Row::None) => format!("{at} is about to decide {id}: ask again"),
                (Row::None, Row::Is { .. }) => format!("{at} settles {id}: inserts the aborted row"),
                (Row::Is { outcome, .. }, _) => format!("{at} settles {id}: its row says {}", word(outcome)),
            },
            CommandKind::CommitPrepared | CommandKind::RollBackPrepared => {
                let found = before.held[place - 1][key].prepared.is_some();
                let found = if found { "" } else { ": there is none" };
                let name = if kind == CommandKind::CommitPrepared { "COMMIT" } else { "ROLLBACK" };
                format!("{at} executes {name} PREPARED of {id}{found}")
            }
            CommandKind::Tombstone => format!("{at} is asked for a tombstone of {id}"),
            CommandKind::ReadMarker => format!("{at} is asked for its marker of {id}"),
        }
    }

    fn whose(&self, world: &World, who: Who) -> String {
        match who {
            Who::Own(slot) => format!("the resolving coordinator of {}", self.id(world, slot)),
            Who::Recovery(_) => "recovery".into(),
        }
    }

    fn outcome(&self, world: &World, slot: usize) -> String {
        let batch = &world.batches[slot];
        let key = world.key(slot);
        let row = match world.home.rows[key] {
            Row::None => "no row",
            Row::Is { outcome, .. } => word(outcome),
        };
        let written = if batch.applied[HOME] { "written" } else { "not written" };
        let mut text = format!("{}: AZ {written} (row: {row})", self.id(world, slot));
        for place in self.participants(slot) {
            let prepared = world.held[place - 1][key].prepared == Some(slot as u8);
            let state = match (batch.applied[*place], prepared) {
                (true, _) => "written",
                (false, true) => "prepared",
                (false, false) => "not written",
            };
            write!(text, ", {} {state}", part(*place)).expect("a string");
        }
        format!("{text}; {}", client(batch))
    }
}

fn client(batch: &BatchState) -> String {
    match batch.told {
        Told::Nothing => "the client waits".into(),
        Told::Unknown => "the client was told unknown".into(),
        Told::Outcome(verdict) => format!("the client was told {}", word(verdict)),
    }
}

/// What the client hears in this step.
fn said(before: &World, after: &World, slot: usize) -> String {
    let (before, after) = (&before.batches[slot], &after.batches[slot]);
    if before.told == after.told { String::new() } else { format!("; {}", client(after)) }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Committed => "committed",
        Verdict::Aborted => "aborted",
    }
}
