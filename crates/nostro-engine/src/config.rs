//! What the engine is told: its branches and its limits.

use nostro_commit::Deployment;
use nostro_store::BranchId;
use std::time::Duration;

/// One branch and how its database is reached.
#[derive(Clone, Debug)]
pub struct BranchConfig {
    /// Code and number.
    pub branch: BranchId,
    /// For people.
    pub name: String,
    /// IANA time zone.
    pub time_zone: String,
    /// Host and port, for people: no secret.
    pub address: String,
    /// With credentials.
    pub database: tokio_postgres::Config,
}

/// What an engine needs to start.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// The bank.
    pub deployment: Deployment,
    /// Its branches.
    pub branches: Vec<BranchConfig>,
    /// Its limits.
    pub limits: Limits,
}

/// Every bound of the engine, with the reason for its figure.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Transfers in a batch, two full bulks: the more, the more rows share a page; and the longer they stay locked.
    pub batch_transfers_max: usize,
    /// The same while batches hold their rows for a short time only: four full bulks.
    pub quick_batch_transfers_max: usize,
    /// Of bulks in a batch, while single transfers come too: an eighth of a full one takes an eighth of its time.
    pub bulk_transfers_beside_singles_max: usize,
    /// Transfers that wait in one lane: two to four full batches, about a second of work.
    pub queue_transfers_max: usize,
    /// Batches of one lane at a time: while one commits, the next one locks.
    pub batches_in_flight_max: usize,
    /// Batches of all lanes that work at one branch at a time. One more than a lane can hold, so that a branch that hangs
    /// leaves the others a place.
    pub batches_at_branch_max: usize,
    /// Connections, and so prepared transactions, of this server at one branch: 60 % of 64 slots for four servers.
    pub writers_per_branch: usize,
    /// Connections for look-ups at one branch.
    pub readers_per_branch: usize,
    /// From a transfer's arrival until its last attempt must have begun; an attempt takes some seconds at most.
    pub deadline: Duration,
    /// From sending a decision until the client is told what is known by then.
    pub answer_wait: Duration,
    /// How often a batch is planned before its transfers are answered with 503.
    pub attempts_max: u32,
    /// Age of a prepared transaction from which recovery takes it for abandoned. It decides when to try, never an outcome.
    pub recovery_age: Duration,
    /// Pause between two looks at a branch.
    pub watch_pause: Duration,
    /// For how long the coordinator of a batch in doubt goes on by itself, before it is left to recovery.
    pub resolve_patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            batch_transfers_max: 16_384,
            quick_batch_transfers_max: 32_768,
            bulk_transfers_beside_singles_max: 2_048,
            queue_transfers_max: 65_536,
            batches_in_flight_max: 2,
            batches_at_branch_max: 3,
            writers_per_branch: 9,
            readers_per_branch: 8,
            deadline: Duration::from_secs(10),
            answer_wait: Duration::from_secs(2),
            attempts_max: 3,
            recovery_age: Duration::from_secs(3),
            watch_pause: Duration::from_millis(250),
            resolve_patience: Duration::from_secs(30),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_fit_each_other_and_one_lane_never_has_all_places_of_a_branch() {
        let limits = Limits::default();
        assert!(limits.batch_transfers_max <= limits.quick_batch_transfers_max);
        assert!(limits.batches_in_flight_max < limits.batches_at_branch_max);
        assert!(limits.batches_at_branch_max <= limits.writers_per_branch);
    }
}
