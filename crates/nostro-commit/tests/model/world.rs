//! One state of the model: the databases, the connections, the coordinators and the resolvers.
//!
//! Everything is a small `Copy` value, since millions of states are made and hashed. Places count from home (0)
//! to the participants (1, 2); a *slot* is one of at most two batches, a *key* is its id, which is the same as
//! the slot unless a number is handed out twice.

use crate::machines::State;
use nostro_commit::Verdict;

pub const SLOTS: usize = 2;
pub const PLACES: usize = 3;
pub const HOME: usize = 0;

/// One state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct World {
    pub batches: [BatchState; SLOTS],
    pub home: Home,
    /// Participants 1 and 2 at index 0 and 1, each by key.
    pub held: [[Held; SLOTS]; PLACES - 1],
    /// Recovery of any server, in canonical order: they are all alike.
    pub recoveries: [Option<Errand>; 2],
    /// How many faults may still happen, if they are counted.
    pub faults_left: u8,
    pub alarms: Alarms,
}

/// A batch: its coordinator, the connections of the coordinator, and what has become of its writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct BatchState {
    pub begun: bool,
    pub key: u8,
    /// `None`: not begun, dead or done.
    pub coordinator: Option<State>,
    pub told: Told,
    /// By place.
    pub sessions: [Session; PLACES],
    /// The resolver that the coordinator runs.
    pub own: Option<Errand>,
    /// Commands of resolvers that nobody waits for any more, as a set of `LateCommand`: each may be executed at
    /// any later time, any number of times, or never.
    pub late: u8,
    /// A decision that arrives outside of its transaction (mutant M8, or at a restored home).
    pub stray_decision: bool,
    /// By place: the writes of the batch are committed there. Home's are gone again after a lossy failover.
    pub applied: [bool; PLACES],
    /// Was committed at home before home was restored from an older backup: home's side is lost with it.
    pub lost_by_restore: bool,
}

/// What the client was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Told {
    #[default]
    Nothing,
    Outcome(Verdict),
    /// Nothing or `settling`: it must look, or send the same id again.
    Unknown,
}

/// A connection of a coordinator, seen from both of its ends. Messages are executed in order, so the messages
/// under way are what the stage says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Session {
    /// Neither end can do anything any more.
    #[default]
    Closed,
    /// Both ends are there.
    Open(Stage),
    /// The client is dead or has given up: nobody hears an answer, but what was sent may still be executed.
    Late(Stage),
    /// The server's end is gone, with its open transaction; the client will hear nothing.
    Broken(Stage),
}

/// How far the server's end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// In an open transaction; the writes are under way and, at a participant, the marker and PREPARE behind them.
    Working,
    /// At a participant: the uncommitted marker is inserted, PREPARE is under way.
    Marked,
    /// Nothing is under way: home's writes are done (its transaction is open), or the participant is prepared.
    Idle,
    /// At home: the decision and its COMMIT are under way.
    Deciding,
    /// At home: the decision row is inserted, its COMMIT is not yet executed.
    Inserted,
    /// At home: committed, and waiting for the synchronous standby; neither visible nor acknowledged.
    Waiting,
    /// At a participant: COMMIT PREPARED is under way.
    Finishing,
}

/// Home: its rows by key, and what a standby has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Home {
    pub rows: [Row; SLOTS],
    pub standby_rows: [Row; SLOTS],
    pub standby_applied: [bool; SLOTS],
    /// The next batch number, as a key.
    pub next: u8,
    /// Failed over, or restored from a backup; each happens once.
    pub replaced: bool,
}

/// A row of `batch`; `slot` tells its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Row {
    #[default]
    None,
    Is {
        outcome: Verdict,
        slot: u8,
    },
}

/// What a participant holds under a key: the prepared transaction (of which slot), the visible marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Held {
    pub prepared: Option<u8>,
    pub marker: Option<Verdict>,
}

/// A resolver at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Errand {
    pub slot: u8,
    pub machine: State,
    /// By place: the command under way. One place has at most one.
    pub under_way: [Option<CommandKind>; PLACES],
    /// What home said.
    pub verdict: Option<Verdict>,
}

/// A command of the resolver, without its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CommandKind {
    Settle,
    CommitPrepared,
    RollBackPrepared,
    Tombstone,
    ReadMarker,
}

/// Bits of what must never happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Alarms(u8);

/// What must never happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alarm {
    PartsDiffer,
    /// Home was restored and has no row: left as it is.
    OlderIncarnation,
    LostPrepared,
    CommittedAgainstVerdict,
    Contradicted,
    /// The coordinator or a resolver called a batch finished while a part was not.
    FalselyFinished,
    /// A connection with an open transaction was given back to its pool.
    GivenBackOpen,
    /// A client was told a second, different outcome.
    ToldTwice,
}

pub const ALARMS: [Alarm; 8] = [
    Alarm::PartsDiffer,
    Alarm::OlderIncarnation,
    Alarm::LostPrepared,
    Alarm::CommittedAgainstVerdict,
    Alarm::Contradicted,
    Alarm::FalselyFinished,
    Alarm::GivenBackOpen,
    Alarm::ToldTwice,
];

impl Alarms {
    pub fn raise(&mut self, alarm: Alarm) {
        self.0 |= 1 << ALARMS.iter().position(|other| *other == alarm).expect("all are listed");
    }

    pub fn has(self, alarm: Alarm) -> bool {
        let mut only = Self::default();
        only.raise(alarm);
        self.0 & only.0 != 0
    }
}

/// The late commands of a batch are bits: Settle at home, then three for each participant.
pub fn late_bit(kind: CommandKind, place: usize) -> u8 {
    let at = match kind {
        CommandKind::Settle => return 1,
        CommandKind::CommitPrepared => 1,
        CommandKind::RollBackPrepared => 2,
        CommandKind::Tombstone => 3,
        CommandKind::ReadMarker => return 0,
    };
    1 << (at + 3 * (place - 1))
}

/// Every late command, as the step that executes it.
pub const LATE_COMMANDS: [(CommandKind, usize); 7] = [
    (CommandKind::Settle, 0),
    (CommandKind::CommitPrepared, 1),
    (CommandKind::RollBackPrepared, 1),
    (CommandKind::Tombstone, 1),
    (CommandKind::CommitPrepared, 2),
    (CommandKind::RollBackPrepared, 2),
    (CommandKind::Tombstone, 2),
];

impl Session {
    /// What the coordinator waits for on this connection, if anything.
    pub fn awaited(self) -> Option<Stage> {
        match self {
            Self::Open(Stage::Idle) | Self::Broken(Stage::Idle) | Self::Closed | Self::Late(_) => None,
            Self::Open(stage) | Self::Broken(stage) => Some(stage),
        }
    }

    /// The stage of the server's end, if it is there.
    pub fn server(self) -> Option<Stage> {
        match self {
            Self::Open(stage) | Self::Late(stage) => Some(stage),
            Self::Closed | Self::Broken(_) => None,
        }
    }

    /// Another stage of the server's end. Without a client, a server with nothing more to execute just ends.
    pub fn advanced(self, stage: Stage) -> Self {
        match self {
            Self::Open(_) => Self::Open(stage),
            Self::Late(_) if stage == Stage::Idle => Self::Closed,
            Self::Late(_) => Self::Late(stage),
            Self::Closed | Self::Broken(_) => self,
        }
    }

    /// The server's end is gone, and its open transaction with it.
    pub fn broken(self) -> Self {
        match self {
            Self::Open(stage) => Self::Broken(stage.as_awaited()),
            Self::Late(_) => Self::Closed,
            Self::Closed | Self::Broken(_) => self,
        }
    }

    /// The client's end is gone. Its own open transaction without a message under way has no effect any more.
    pub fn abandoned(self, place: usize) -> Self {
        match self {
            Self::Open(Stage::Idle) | Self::Broken(_) => Self::Closed,
            Self::Open(Stage::Working) if place == HOME => Self::Closed,
            Self::Open(stage) => Self::Late(stage),
            Self::Closed | Self::Late(_) => self,
        }
    }
}

impl Stage {
    /// Stages in which the coordinator waits for the same answer are one, once the server's end is gone.
    fn as_awaited(self) -> Self {
        match self {
            Self::Marked => Self::Working,
            Self::Inserted | Self::Waiting => Self::Deciding,
            Self::Working | Self::Idle | Self::Deciding | Self::Finishing => self,
        }
    }
}
