//! What the clients of a run saw: latencies and answers.

use crate::error::BenchError;
use hdrhistogram::Histogram;
use std::time::Duration;

/// Longer waits count as this long; clients give up before.
const LATENCY_US_MAX: u64 = 300_000_000;

/// Answers by kind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Answers {
    /// Posted by this request.
    pub(crate) posted: u64,
    /// Posted by an earlier one.
    pub(crate) replayed: u64,
    /// By a rule of the bank.
    pub(crate) refused: u64,
    /// 202: decided, not finished everywhere.
    pub(crate) settling: u64,
    /// 202: not known.
    pub(crate) unknown: u64,
    /// 503.
    pub(crate) unavailable: u64,
    /// 409 and whatever else nobody should see.
    pub(crate) other: u64,
}

impl Answers {
    pub(crate) fn add(&mut self, more: Self) {
        let Self { posted, replayed, refused, settling, unknown, unavailable, other } = more;
        self.posted += posted;
        self.replayed += replayed;
        self.refused += refused;
        self.settling += settling;
        self.unknown += unknown;
        self.unavailable += unavailable;
        self.other += other;
    }

    pub(crate) fn sum(&self) -> u64 {
        self.posted + self.replayed + self.refused + self.settling + self.unknown + self.unavailable + self.other
    }
}

/// Of one client, or of all of a run.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    pub(crate) latency_us: Histogram<u64>,
    /// Of an open loop: the longest wait of what was due in each second, in microseconds.
    pub(crate) slowest_us: Vec<u64>,
    pub(crate) answers: Answers,
    /// Requests that read.
    pub(crate) reads: u64,
}

impl Tally {
    pub(crate) fn new() -> Self {
        let latency_us = Histogram::new_with_bounds(1, LATENCY_US_MAX, 3).expect("the bounds of a histogram are valid");
        Self { latency_us, slowest_us: Vec::new(), answers: Answers::default(), reads: 0 }
    }

    /// So many transfers waited so long.
    pub(crate) fn record(&mut self, latency: Duration, count: u64) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.latency_us.saturating_record_n(micros.max(1), count);
    }

    /// What was due in that second of the run waited so long.
    pub(crate) fn record_due(&mut self, second: usize, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.slower(second, micros);
    }

    fn slower(&mut self, second: usize, micros: u64) {
        if self.slowest_us.len() <= second {
            self.slowest_us.resize(second + 1, 0);
        }
        if let Some(slowest) = self.slowest_us.get_mut(second) {
            *slowest = micros.max(*slowest);
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.latency_us.add(&other.latency_us).expect("all tallies have the same bounds");
        for (second, micros) in other.slowest_us.iter().enumerate() {
            self.slower(second, *micros);
        }
        self.answers.add(other.answers);
        self.reads += other.reads;
    }
}

/// All workers' tallies as one; the first failure ends the others.
pub(crate) async fn join_all(
    mut workers: tokio::task::JoinSet<Result<Tally, BenchError>>,
) -> Result<Tally, BenchError> {
    let mut all = Tally::new();
    while let Some(ended) = workers.join_next().await {
        all.merge(&ended??);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_wait_of_each_second_is_that_of_all_clients() {
        let (mut one, mut other) = (Tally::new(), Tally::new());
        one.record_due(0, Duration::from_micros(5));
        one.record_due(2, Duration::from_micros(70));
        one.record_due(2, Duration::from_micros(60));
        other.record_due(0, Duration::from_micros(8));
        other.record_due(3, Duration::from_micros(1));
        one.merge(&other);
        assert_eq!(one.slowest_us, [8, 0, 70, 1]);
    }
}
