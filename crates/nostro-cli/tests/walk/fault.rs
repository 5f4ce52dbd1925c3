//! What breaks at a crash point, and who recovers when.

/// What breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// SIGKILL to the server.
    ServerKilled,
    /// The connection is gone, and what was on its way is lost.
    CutBefore,
    /// What was on its way arrives, then the connection is gone.
    CutAfter,
    /// PostgreSQL ends the backend of the connection.
    BackendTerminated,
    /// Arizona's PostgreSQL is stopped in immediate mode, and started again.
    HomeStopped,
    /// Texas's PostgreSQL is stopped in immediate mode, and started again.
    ParticipantStopped,
}

impl Fault {
    pub const ALL: [Self; 6] = [
        Self::ServerKilled,
        Self::CutBefore,
        Self::CutAfter,
        Self::BackendTerminated,
        Self::HomeStopped,
        Self::ParticipantStopped,
    ];

    /// The branch whose PostgreSQL is stopped.
    pub fn stopped(self) -> Option<&'static str> {
        match self {
            Self::HomeStopped => Some("AZ"),
            Self::ParticipantStopped => Some("TX"),
            Self::ServerKilled | Self::CutBefore | Self::CutAfter | Self::BackendTerminated => None,
        }
    }
}

/// Who recovers, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Recovery {
    /// Whatever is prepared is recovered at the first look. What a dead server had sent is lost.
    AtOnce,
    /// Not before a second, and databases stay down for half of one. What a dead server had sent arrives before.
    Late,
    /// Two more servers recover at the first look, already while the message is held. What a dead server had sent
    /// arrives after them.
    TwoRecoverers,
}

impl Recovery {
    pub const ALL: [Self; 3] = [Self::AtOnce, Self::Late, Self::TwoRecoverers];

    /// The age from which on a prepared transaction is recovered.
    pub fn age_ms(self) -> u32 {
        match self {
            Self::AtOnce | Self::TwoRecoverers => 0,
            Self::Late => 1_000,
        }
    }
}
