//! Where a crash is placed.

use nostro_commit::Message;
use nostro_torture::wire::Hold;
use std::fmt;

/// What is going on when the message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scene {
    /// A transfer from Arizona to Texas by a server that has just started.
    Live,
    /// The same among so many that their rows go in by COPY.
    Many,
    /// A capture of a hold at Arizona in favour of Texas.
    Capture,
    /// Money goes back from Texas, of a transfer that was posted before.
    Reversal,
    /// A hold is placed at Arizona, which is the only part.
    Reserve,
    /// What is left of a hold at Arizona is given back, which Arizona does alone.
    Release,
    /// The same because its time has run out: the server does it unasked.
    Expiry,
    /// A chain of three links: one across, one inside each branch.
    Chain,
    /// The same, and one of its links is refused: all are, and their records are written at their homes.
    BrokenChain,
    /// The transfer, and Texas votes against it.
    VoteAgainst,
    /// A server died with Texas prepared and no decision; another one resolves.
    Undecided,
    /// A server died after the decision, before COMMIT PREPARED; another one resolves.
    Decided,
    /// The answer to COMMIT PREPARED was lost; the coordinator itself resolves.
    Finished,
}

impl Scene {
    pub const ALL: [Self; 13] = [
        Self::Live,
        Self::Many,
        Self::Capture,
        Self::Reversal,
        Self::Reserve,
        Self::Release,
        Self::Expiry,
        Self::Chain,
        Self::BrokenChain,
        Self::VoteAgainst,
        Self::Undecided,
        Self::Decided,
        Self::Finished,
    ];
}

/// A message at a branch, before it arrives there or before its answer arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    pub message: Message,
    pub branch: &'static str,
    pub hold: Hold,
    pub scene: Scene,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message, branch, hold, scene } = self;
        write!(f, "{message:?} {branch} {hold:?} {scene:?}")
    }
}

/// The branches to which a message goes in a scene. Without an arm here a new message does not compile.
fn branches(message: Message, scene: Scene) -> &'static [&'static str] {
    match (scene, message) {
        (
            Scene::Live | Scene::Chain,
            Message::OpenSession
            | Message::EnterGate
            | Message::LockRows
            | Message::ReadKnown
            | Message::ReadPeriods
            | Message::ReadClock
            | Message::LeaveGate
            | Message::UpdateRows
            | Message::InsertRows
            | Message::InsertNets,
        ) => &["AZ", "TX"],
        // What is refused changes no account and moves nothing between branches.
        (
            Scene::BrokenChain,
            Message::OpenSession
            | Message::EnterGate
            | Message::LockRows
            | Message::ReadKnown
            | Message::ReadPeriods
            | Message::ReadClock
            | Message::LeaveGate
            | Message::InsertRows,
        ) => &["AZ", "TX"],
        (Scene::Many, Message::InsertRows) => &["AZ", "TX"],
        // What is not as of any transfer: its hold or its original is read under the lock of the account that pays, and
        // is written with the rows.
        (Scene::Capture | Scene::Reversal, Message::UpdateRows | Message::InsertRows) => &["AZ", "TX"],
        (Scene::Capture, Message::ReadKnown) | (Scene::Capture | Scene::Reversal, Message::Decide) => &["AZ"],
        (Scene::Reversal, Message::ReadKnown)
        | (Scene::Capture | Scene::Reversal, Message::Prepare | Message::CommitPrepared) => &["TX"],
        // Of a batch of one branch there is nothing to prepare: what it decides is done.
        (Scene::Reserve, Message::LockRows | Message::UpdateRows | Message::InsertRows | Message::Decide)
        | (Scene::Release | Scene::Expiry, Message::ReadKnown | Message::UpdateRows | Message::Decide) => &["AZ"],
        // Texas voted against by an error, and its connection is closed.
        (Scene::VoteAgainst, Message::RollBack)
        | (Scene::Live | Scene::Chain | Scene::BrokenChain, Message::DrawNumbers | Message::Decide)
        | (Scene::Undecided | Scene::Decided, Message::Settle) => &["AZ"],
        (Scene::Live | Scene::Chain | Scene::BrokenChain | Scene::Decided, Message::CommitPrepared)
        | (Scene::Live | Scene::Chain | Scene::BrokenChain, Message::Mark | Message::Prepare)
        | (Scene::Undecided, Message::RollBackPrepared | Message::Tombstone)
        | (Scene::Finished, Message::ReadMarker) => &["TX"],
        (
            Scene::Live | Scene::Chain,
            Message::RollBack | Message::Settle | Message::RollBackPrepared | Message::Tombstone | Message::ReadMarker,
        )
        | (
            Scene::BrokenChain,
            Message::UpdateRows
            | Message::InsertNets
            | Message::RollBack
            | Message::Settle
            | Message::RollBackPrepared
            | Message::Tombstone
            | Message::ReadMarker,
        )
        | (
            Scene::Many
            | Scene::Capture
            | Scene::Reversal
            | Scene::Reserve
            | Scene::Release
            | Scene::Expiry
            | Scene::VoteAgainst
            | Scene::Undecided
            | Scene::Decided
            | Scene::Finished,
            _,
        ) => &[],
    }
}

fn of(scene: Scene) -> Vec<Point> {
    let mut points = Vec::new();
    for message in Message::ALL {
        for branch in branches(message, scene) {
            points.extend([Hold::Message, Hold::Answer].map(|hold| Point { message, branch, hold, scene }));
        }
    }
    points
}

/// The points of a transfer that nothing disturbs.
pub fn live() -> Vec<Point> {
    of(Scene::Live)
}

/// Every point.
pub fn all() -> Vec<Point> {
    Scene::ALL.into_iter().flat_map(of).collect()
}
