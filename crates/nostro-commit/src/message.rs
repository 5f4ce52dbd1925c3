//! Every message that a batch or its resolver sends, numbered.
//!
//! The number stands at the head of the SQL text as a comment (`/*n13*/`), so that `pg_stat_activity`, PostgreSQL's
//! log and a wire between the two can tell how far a connection is. A crash must be survived before and
//! after each of them: the crash walk goes over all of these and fails on a message without a number. The
//! application's own statements between the gates and the votes are numbered here too, so that there is one order.

use std::fmt;

/// A message of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Message {
    /// Whatever makes a new connection ready: role, settings, identity, prepared statements.
    OpenSession = 1,
    /// At home: draws a block of batch numbers, once in a thousand batches.
    DrawNumbers = 2,
    /// Begins the transaction of a part and waits for its gate.
    EnterGate = 3,
    /// Locks the rows of a part.
    LockRows = 4,
    /// Reads what is recorded under the batch's ids.
    ReadKnown = 5,
    /// Reads which periods of the batch's ids are in the archive.
    ReadPeriods = 6,
    /// Reads the clock of a part.
    ReadClock = 7,
    /// Leaves the gate of a part.
    LeaveGate = 8,
    /// Writes the locked rows.
    UpdateRows = 9,
    /// Writes the facts.
    InsertRows = 10,
    /// Writes what the parts owe each other.
    InsertNets = 11,
    /// At a participant: the marker row.
    Mark = 12,
    /// At a participant: its vote.
    Prepare = 13,
    /// At home: the decision row and the commit, the commit point.
    Decide = 14,
    /// At a participant: finishes what is decided.
    CommitPrepared = 15,
    /// Ends the open transaction of a part.
    RollBack = 16,
    /// At home, by the resolver: the abort row, or the row that is there.
    Settle = 17,
    /// At a participant, by the resolver.
    RollBackPrepared = 18,
    /// At a participant, by the resolver: the aborted marker.
    Tombstone = 19,
    /// At a participant, by the resolver, after COMMIT PREPARED met nothing.
    ReadMarker = 20,
}

impl Message {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 20] = [
        Self::OpenSession,
        Self::DrawNumbers,
        Self::EnterGate,
        Self::LockRows,
        Self::ReadKnown,
        Self::ReadPeriods,
        Self::ReadClock,
        Self::LeaveGate,
        Self::UpdateRows,
        Self::InsertRows,
        Self::InsertNets,
        Self::Mark,
        Self::Prepare,
        Self::Decide,
        Self::CommitPrepared,
        Self::RollBack,
        Self::Settle,
        Self::RollBackPrepared,
        Self::Tombstone,
        Self::ReadMarker,
    ];

    /// Which one an SQL text is, by the comment at its head.
    pub fn of(sql: &str) -> Option<Self> {
        let number = sql.strip_prefix("/*n")?.split_once("*/")?.0;
        Self::ALL.into_iter().find(|message| message.number().to_string() == number)
    }

    fn number(self) -> u8 {
        self as u8
    }
}

/// As it stands at the head of the message.
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/*n{}*/", self.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_numbered_without_gaps_and_found_by_their_number() {
        for (number, message) in (1..).zip(Message::ALL) {
            assert_eq!(message.number(), number);
            assert_eq!(Message::of(&format!("{message} select 1")), Some(message));
        }
        for other in ["select 1", "/*n0*/ select 1", "/*n21*/ select 1", "/*n1 select", " /*n1*/ select 1"] {
            assert_eq!(Message::of(other), None, "{other}");
        }
    }
}
