//! What PostgreSQL does with each statement of the protocol.
//!
//! A statement that commits by itself (Settle, Tombstone, COMMIT PREPARED, ROLLBACK PREPARED) is one step: it has
//! no state that others can see. The decision is one message but two steps, its insert and its COMMIT, because in
//! between its row is locked: a Settle then ends in `lock_timeout` (55P03) and is sent again, which is how the
//! model has it, or waits and sees the row that won, which is the same as executing it after that COMMIT. A
//! tombstone likewise meets the uncommitted marker of an open or prepared transaction.

use crate::scenario::{Mutation, Scenario};
use crate::world::{HOME, Row, Session, Stage, World};
use nostro_commit::Verdict;

/// The answer to Settle.
pub enum Settled {
    Row {
        outcome: Verdict,
        slot: usize,
    },
    LockTimeout,
    /// NR001: home was restored and has no row.
    OlderIncarnation,
}

/// The answer to Tombstone.
pub enum Tombstone {
    Marker(Verdict),
    LockTimeout,
}

impl World {
    pub fn key(&self, slot: usize) -> usize {
        usize::from(self.batches[slot].key)
    }

    fn slots_of(&self, key: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.batches.len()).filter(move |slot| self.batches[*slot].begun && self.key(*slot) == key)
    }

    /// At a participant, the writes and the marker in the open transaction. False: 23505, or 55P03 behind
    /// another uncommitted marker.
    pub fn insert_marker(&self, slot: usize, place: usize) -> bool {
        let key = self.key(slot);
        self.held[place - 1][key].marker.is_none() && !self.marker_is_locked(key, place)
    }

    fn marker_is_locked(&self, key: usize, place: usize) -> bool {
        self.held[place - 1][key].prepared.is_some()
            || self.slots_of(key).any(|slot| self.batches[slot].sessions[place].server() == Some(Stage::Marked))
    }

    pub fn prepare(&mut self, slot: usize, place: usize) {
        let key = self.key(slot);
        let held = &mut self.held[place - 1][key];
        assert!(held.prepared.is_none() && held.marker.is_none(), "the marker would have been in the way");
        held.prepared = u8::try_from(slot).ok();
    }

    /// False: 42704.
    pub fn commit_prepared(&mut self, key: usize, place: usize) -> bool {
        let Some(slot) = self.held[place - 1][key].prepared.take() else { return false };
        self.held[place - 1][key].marker = Some(Verdict::Committed);
        self.batches[usize::from(slot)].applied[place] = true;
        true
    }

    /// False: 42704.
    pub fn roll_back_prepared(&mut self, key: usize, place: usize) -> bool {
        self.held[place - 1][key].prepared.take().is_some()
    }

    pub fn tombstone(&mut self, key: usize, place: usize) -> Tombstone {
        if self.marker_is_locked(key, place) {
            return Tombstone::LockTimeout;
        }
        Tombstone::Marker(*self.held[place - 1][key].marker.get_or_insert(Verdict::Aborted))
    }

    /// A decision row that is not committed yet.
    fn row_is_locked(&self, key: usize) -> bool {
        self.slots_of(key)
            .any(|slot| matches!(self.batches[slot].sessions[HOME].server(), Some(Stage::Inserted | Stage::Waiting)))
    }

    pub fn settle(&mut self, slot: usize, scenario: &Scenario) -> Settled {
        let key = self.key(slot);
        if self.row_is_locked(key) {
            return Settled::LockTimeout;
        }
        if self.is_lost_to_home(slot, scenario) && scenario.mutation != Some(Mutation::RestoredHomeAborts) {
            return Settled::OlderIncarnation;
        }
        if self.home.rows[key] == Row::None {
            self.home.rows[key] = Row::Is { outcome: Verdict::Aborted, slot: slot as u8 };
        }
        match self.home.rows[key] {
            Row::Is { outcome, slot } => Settled::Row { outcome, slot: usize::from(slot) },
            Row::None => unreachable!("written just now"),
        }
    }

    /// Whether the batch is of an older incarnation than home.
    fn is_older(&self, slot: usize, scenario: &Scenario) -> bool {
        let kept = scenario.mutation == Some(Mutation::IncarnationIsKept);
        scenario.restore && self.home.replaced && slot == 0 && !kept
    }

    /// Whether home cannot know what became of the batch: it was restored since, and has no row.
    pub fn is_lost_to_home(&self, slot: usize, scenario: &Scenario) -> bool {
        self.is_older(slot, scenario) && self.home.rows[self.key(slot)] == Row::None
    }

    /// Whether the decision's insert succeeds: else 23505, or the trigger's 55000 for an older incarnation.
    pub fn decision_is_admitted(&self, slot: usize, scenario: &Scenario) -> bool {
        let key = self.key(slot);
        self.home.rows[key] == Row::None && !self.row_is_locked(key) && !self.is_older(slot, scenario)
    }

    /// The decision's COMMIT becomes visible, and home's writes with it.
    pub fn commit_decision(&mut self, slot: usize) {
        self.commit_stray_decision(slot);
        self.batches[slot].applied[HOME] = true;
    }

    /// A decision outside of its transaction commits its row without home's writes.
    pub fn commit_stray_decision(&mut self, slot: usize) {
        let key = self.key(slot);
        self.home.rows[key] = Row::Is { outcome: Verdict::Committed, slot: slot as u8 };
    }

    /// The standby has everything that is committed at home, visible or not.
    pub fn replicate(&mut self) {
        if self.home.replaced {
            return;
        }
        self.home.standby_rows = self.home.rows;
        self.home.standby_applied = self.batches.map(|batch| batch.applied[HOME]);
        for slot in 0..self.batches.len() {
            if self.batches[slot].sessions[HOME].server() == Some(Stage::Waiting) {
                self.home.standby_rows[self.key(slot)] = Row::Is { outcome: Verdict::Committed, slot: slot as u8 };
                self.home.standby_applied[slot] = true;
            }
        }
    }

    /// The server's end of a connection stops, and its open transaction is rolled back. What only waited for the
    /// standby is committed all the same, and becomes visible whether the standby has it or not.
    pub fn break_session(&mut self, slot: usize, place: usize) {
        if self.batches[slot].sessions[place].server() == Some(Stage::Waiting) {
            self.commit_decision(slot);
        }
        self.batches[slot].sessions[place] = self.batches[slot].sessions[place].broken();
    }

    /// A database stops at once and starts again: connections and open transactions are lost, rows and prepared
    /// transactions are kept.
    pub fn crash(&mut self, place: usize) {
        for slot in 0..self.batches.len() {
            self.break_session(slot, place);
        }
    }

    /// The standby with its copy takes home's place.
    pub fn fail_over(&mut self) {
        self.home.rows = self.home.standby_rows;
        for (slot, batch) in self.batches.iter_mut().enumerate() {
            batch.sessions[HOME] = batch.sessions[HOME].broken();
            batch.applied[HOME] = self.home.standby_applied[slot];
        }
        self.home.standby_rows = Default::default();
        self.home.standby_applied = Default::default();
        self.home.replaced = true;
    }

    /// Home is restored from a backup that is older than every batch, under a new incarnation. A decision that
    /// was under way arrives there, outside of its transaction: a proxy kept the connection of its client.
    pub fn restore(&mut self) {
        for batch in &mut self.batches {
            let session = batch.sessions[HOME];
            let deciding = matches!(session.server(), Some(Stage::Deciding | Stage::Inserted));
            batch.stray_decision |= deciding;
            batch.sessions[HOME] = match session {
                Session::Open(_) | Session::Broken(_) => session.broken(),
                Session::Late(_) | Session::Closed => Session::Closed,
            };
            batch.lost_by_restore |= batch.applied[HOME];
            batch.applied[HOME] = false;
        }
        self.home.rows = Default::default();
        self.home.replaced = true;
    }
}
