//! Which faults, on what, when: from the seed alone.
//!
//! Two rows of faults run beside each other: kills (of a server or of a PostgreSQL server) and disturbances (of
//! wires, messages, sessions and processes). Each has a duration, so they overlap. Every forty seconds come five in
//! which none begins. What repeats with the seed is this schedule; which requests are under way when a fault comes
//! is up to the machine.

use crate::wire::Hold;
use fastrand::Rng;
use std::collections::BTreeMap;
use std::fmt;

/// Clients work undisturbed before the first fault.
const FIRST_MS: u64 = 4_000;
/// Nothing begins, or is still to be lifted, so long before the end; then comes the last blow.
const LAST_MS: u64 = 2_500;
/// The last blow: a batch is decided and not finished, and every server dies.
const BLOW_MS: u64 = 2_000;
const BLOW_FOR_MS: u64 = 1_500;
const CALM_EVERY_MS: u64 = 40_000;
const CALM_MS: u64 = 5_000;
/// Two kills of the same target are at least so far apart, beyond the time for which it is down.
const SAME_TARGET_MS: u64 = 2_000;
/// The controls: before the first fault, and in each calm.
const CONTROL_MS: u64 = 1_000;
const CONTROL_FOR_MS: u64 = 1_200;
const LOST_CONTROL_MS: u64 = 1_600;
const LOST_CONTROL_FOR_MS: u64 = 300;
/// Of the decision of a batch of both branches, and of no other message to Arizona.
const DECISION_OF_BOTH: &str = "'{AZ,TX}'); commit";

/// How a PostgreSQL server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// SIGKILL to the postmaster.
    Kill,
    /// Immediate shutdown: without a checkpoint.
    Immediate,
}

/// How a wire is spoiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoil {
    /// Each message is late by so many milliseconds.
    Late(u32),
    /// So many bytes a second.
    Slow(u32),
    /// Nothing gets through.
    Silent,
    /// No new connections.
    Closed,
}

/// What becomes of a held message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It arrives, late.
    Arrives,
    /// It is lost with its connection.
    Lost,
    /// It arrives and its connection is gone.
    ArrivesAndCut,
}

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `kill -9` and a start.
    KillServer {
        /// Which.
        server: usize,
        /// Between death and start.
        down_ms: u64,
    },
    /// A PostgreSQL server ends and starts.
    KillDatabase {
        /// Which.
        branch: &'static str,
        /// How.
        ending: Ending,
        /// Between death and start.
        down_ms: u64,
    },
    /// SIGSTOP and SIGCONT.
    PauseServer {
        /// Which.
        server: usize,
        /// For how long.
        for_ms: u64,
    },
    /// `pg_terminate_backend`.
    Terminate {
        /// Where.
        branch: &'static str,
        /// How many sessions of the servers.
        sessions: u32,
    },
    /// Every connection of a wire is cut.
    Cut {
        /// Whose.
        server: usize,
        /// To where.
        branch: &'static str,
    },
    /// A wire is bad for a while.
    Spoil {
        /// Whose.
        server: usize,
        /// To where.
        branch: &'static str,
        /// How.
        how: Spoil,
        /// For how long.
        for_ms: u64,
    },
    /// One message of the protocol, or its answer, is held.
    Hold {
        /// Whose.
        server: usize,
        /// To where.
        branch: &'static str,
        /// What stands in it.
        message: &'static str,
        /// It or its answer.
        hold: Hold,
        /// For how long.
        for_ms: u64,
        /// And then.
        then: Then,
    },
}

impl Fault {
    /// One word, for the count.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::KillServer { .. } => "kill -9 of a server",
            Self::KillDatabase { ending: Ending::Kill, .. } => "kill -9 of PostgreSQL",
            Self::KillDatabase { ending: Ending::Immediate, .. } => "immediate stop of PostgreSQL",
            Self::PauseServer { .. } => "pause of a server",
            Self::Terminate { .. } => "terminated sessions",
            Self::Cut { .. } => "cut wire",
            Self::Spoil { how: Spoil::Late(_), .. } => "late wire",
            Self::Spoil { how: Spoil::Slow(_), .. } => "slow wire",
            Self::Spoil { how: Spoil::Silent, .. } => "silent wire",
            Self::Spoil { how: Spoil::Closed, .. } => "closed wire",
            Self::Hold { .. } => "held message",
        }
    }

    /// From its begin until it is over, a restart apart.
    fn duration_ms(&self) -> u64 {
        match self {
            Self::KillServer { down_ms, .. } | Self::KillDatabase { down_ms, .. } => *down_ms,
            Self::PauseServer { for_ms, .. } | Self::Spoil { for_ms, .. } | Self::Hold { for_ms, .. } => *for_ms,
            Self::Terminate { .. } | Self::Cut { .. } => 0,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KillServer { server, down_ms } => write!(f, "kill -9 server {server}, start after {down_ms} ms"),
            Self::KillDatabase { branch, ending: Ending::Kill, down_ms } => {
                write!(f, "kill -9 PostgreSQL of {branch}, start after {down_ms} ms")
            }
            Self::KillDatabase { branch, ending: Ending::Immediate, down_ms } => {
                write!(f, "immediate stop of PostgreSQL of {branch}, start after {down_ms} ms")
            }
            Self::PauseServer { server, for_ms } => write!(f, "pause server {server} for {for_ms} ms"),
            Self::Terminate { branch, sessions } => write!(f, "terminate {sessions} sessions at {branch}"),
            Self::Cut { server, branch } => write!(f, "cut the wire of server {server} to {branch}"),
            Self::Spoil { server, branch, how, for_ms } => {
                let how = match how {
                    Spoil::Late(ms) => format!("late by {ms} ms"),
                    Spoil::Slow(bytes) => format!("slow, {bytes} bytes/s,"),
                    Spoil::Silent => "silent".to_owned(),
                    Spoil::Closed => "closed".to_owned(),
                };
                write!(f, "wire of server {server} to {branch} {how} for {for_ms} ms")
            }
            Self::Hold { server, branch, message, hold, for_ms, then } => {
                let what = if *hold == Hold::Message { "message" } else { "answer to" };
                let then = match then {
                    Then::Arrives => "then it arrives",
                    Then::Lost => "then it is lost",
                    Then::ArrivesAndCut => "then it arrives and is cut",
                };
                write!(f, "hold {what} \"{message}\" of server {server} at {branch} for {for_ms} ms, {then}")
            }
        }
    }
}

/// The faults of a run with their offsets in milliseconds, in order.
pub fn schedule(seed: u64, seconds: u64, servers: usize) -> Vec<(u64, Fault)> {
    let end = (seconds * 1_000).saturating_sub(LAST_MS);
    let mut random = Rng::with_seed(seed);
    let mut faults = controls(end);
    faults.extend(row(&mut random, end, 2_400..4_600, |random| kill(random, servers)));
    faults.extend(row(&mut random, end, 700..3_500, |random| disturbance(random, servers)));
    faults.extend(blow(seconds * 1_000, servers));
    faults.sort_by_key(|(at, _)| *at);
    faults
}

/// In each calm, and before the first fault: one batch is committed at home and not yet at its participant, so that the
/// naive total is wrong for sure; and the answer to a decision is lost, so that whoever guesses, guesses wrong.
fn controls(end: u64) -> Vec<(u64, Fault)> {
    let calms = (1..).map(|calm| calm * CALM_EVERY_MS - CALM_MS + CONTROL_MS);
    std::iter::once(CONTROL_MS)
        .chain(calms.take_while(|at| at + CALM_MS < end))
        .flat_map(|at| {
            let half = Fault::Hold {
                server: 0,
                branch: "TX",
                message: "commit prepared",
                hold: Hold::Message,
                for_ms: CONTROL_FOR_MS,
                then: Then::Arrives,
            };
            let lost = Fault::Hold {
                server: 0,
                branch: "AZ",
                message: DECISION_OF_BOTH,
                hold: Hold::Answer,
                for_ms: LOST_CONTROL_FOR_MS,
                then: Then::Lost,
            };
            [(at, half), (at + LOST_CONTROL_MS, lost)]
        })
        .collect()
}

/// At the end something is left to be recovered.
fn blow(end: u64, servers: usize) -> Vec<(u64, Fault)> {
    let mut blow = Vec::new();
    for server in 0..servers {
        let (branch, message, hold, then) = ("TX", "commit prepared", Hold::Message, Then::Lost);
        blow.push((end - BLOW_MS, Fault::Hold { server, branch, message, hold, for_ms: BLOW_FOR_MS, then }));
    }
    blow.extend((0..servers).map(|server| (end - BLOW_MS / 2, Fault::KillServer { server, down_ms: 100 })));
    blow
}

fn is_calm(at: u64) -> bool {
    at < FIRST_MS || at % CALM_EVERY_MS >= CALM_EVERY_MS - CALM_MS
}

fn row(
    random: &mut Rng,
    end: u64,
    gap: std::ops::Range<u64>,
    mut draw: impl FnMut(&mut Rng) -> Fault,
) -> Vec<(u64, Fault)> {
    let mut faults = Vec::new();
    let mut busy_until: BTreeMap<String, u64> = BTreeMap::new();
    let mut at = FIRST_MS;
    while at < end {
        // A target that is still down is not hit again; another one is drawn.
        let free = (0..8).map(|_| draw(random)).find(|fault| {
            let is_free = busy_until.get(&target(fault)).is_none_or(|until| at >= *until);
            is_free && at + fault.duration_ms() < end
        });
        if let Some(fault) = free.filter(|_| !is_calm(at)) {
            busy_until.insert(target(&fault), at + fault.duration_ms() + SAME_TARGET_MS);
            faults.push((at, fault));
        }
        at += random.u64(gap.clone());
    }
    faults
}

fn target(fault: &Fault) -> String {
    match fault {
        Fault::KillServer { server, .. } | Fault::PauseServer { server, .. } => format!("server {server}"),
        Fault::KillDatabase { branch, .. } | Fault::Terminate { branch, .. } => format!("database {branch}"),
        Fault::Cut { server, branch } | Fault::Spoil { server, branch, .. } => format!("wire {server} {branch}"),
        Fault::Hold { server, branch, .. } => format!("hold {server} {branch}"),
    }
}

fn branch(random: &mut Rng) -> &'static str {
    if random.bool() { "AZ" } else { "TX" }
}

fn kill(random: &mut Rng, servers: usize) -> Fault {
    let down_ms = random.u64(0..1_200);
    match random.u32(..100) {
        0..55 => Fault::KillServer { server: random.usize(..servers), down_ms },
        55..85 => Fault::KillDatabase { branch: branch(random), ending: Ending::Kill, down_ms },
        _ => Fault::KillDatabase { branch: branch(random), ending: Ending::Immediate, down_ms },
    }
}

fn disturbance(random: &mut Rng, servers: usize) -> Fault {
    let server = random.usize(..servers);
    let branch = branch(random);
    match random.u32(..100) {
        0..42 => hold(random, server),
        42..54 => Fault::Cut { server, branch },
        54..64 => Fault::Terminate { branch, sessions: random.u32(1..6) },
        64..74 => Fault::PauseServer { server, for_ms: random.u64(500..5_000) },
        _ => {
            let how = match random.u32(..4) {
                0 => Spoil::Late(random.u32(5..40)),
                1 => Spoil::Slow(random.u32(5_000..60_000)),
                2 => Spoil::Silent,
                _ => Spoil::Closed,
            };
            Fault::Spoil { server, branch, how, for_ms: random.u64(500..4_500) }
        }
    }
}

/// Texas is prepared, and Arizona decides what involves both.
fn hold(random: &mut Rng, server: usize) -> Fault {
    let (message, branch) = match random.u32(..8) {
        0 | 1 => ("prepare transaction", "TX"),
        2..5 => (DECISION_OF_BOTH, "AZ"),
        5 => ("insert into batch (id", if random.bool() { "AZ" } else { "TX" }),
        _ => ("commit prepared", "TX"),
    };
    let hold = if random.bool() { Hold::Message } else { Hold::Answer };
    let then = match random.u32(..3) {
        0 => Then::Arrives,
        1 => Then::Lost,
        _ => Then::ArrivesAndCut,
    };
    // Most end before another server takes the batch for abandoned, some after.
    let for_ms = if random.u32(..10) < 7 { random.u64(200..2_500) } else { random.u64(2_500..7_000) };
    Fault::Hold { server, branch, message, hold, for_ms, then }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_same_seed_gives_the_same_schedule_and_another_one_another() {
        assert_eq!(schedule(1, 120, 2), schedule(1, 120, 2));
        assert_ne!(schedule(1, 120, 2), schedule(2, 120, 2));
    }

    #[test]
    fn twenty_minutes_have_two_hundred_kills_and_every_kind_of_fault() {
        for seed in 0..20 {
            for servers in [1, 2] {
                let faults = schedule(seed, 1_200, servers);
                let kinds: BTreeSet<&str> = faults.iter().map(|(_, fault)| fault.kind()).collect();
                assert_eq!(kinds.len(), 11, "seed {seed}: {kinds:?}");
                let kills = faults
                    .iter()
                    .filter(|(_, fault)| matches!(fault, Fault::KillServer { .. } | Fault::KillDatabase { .. }));
                assert!(kills.count() >= 220, "seed {seed}, {servers} servers");
            }
        }
    }

    #[test]
    fn nothing_begins_in_a_calm_but_the_control_and_nothing_outlasts_the_run() {
        for (at, fault) in schedule(7, 300, 2) {
            let is_control = matches!(fault, Fault::Hold { for_ms: CONTROL_FOR_MS | LOST_CONTROL_FOR_MS, .. });
            let is_blow = at >= 300_000 - BLOW_MS;
            assert!(is_control || is_blow || !is_calm(at), "{at}: {fault}");
            assert!(at + fault.duration_ms() < 300_000, "{at}: {fault}");
        }
    }
}
