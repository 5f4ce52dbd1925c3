//! The time that is measured, in the middle of a load that runs before and ends after it.
//!
//! What is sent between `begin` and `end` counts and carries the run's category, whenever it is answered. At `begin` the load
//! is under way and at `end` it still is, so that what is used in between is what such a load uses, without its
//! first and last moments.

use std::time::{Duration, Instant};

/// Of transfers that are not counted: warm-ups and tries.
pub(crate) const UNCOUNTED: u16 = 65_535;

/// A measured time and its run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) begin: Instant,
    pub(crate) end: Instant,
    pub(crate) category: u16,
}

/// What a load does with what it sends now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) category: u16,
    pub(crate) counts: bool,
}

impl Span {
    /// From now on: a warm-up, then the measured time.
    pub(crate) fn from_now(warm_up: Duration, time: Duration, category: u16) -> Self {
        let begin = Instant::now() + warm_up;
        Self { begin, end: begin + time, category }
    }

    /// None once it is over.
    pub(crate) fn at(&self, now: Instant) -> Option<Moment> {
        if now >= self.end {
            return None;
        }
        let counts = now >= self.begin;
        Some(Moment { category: if counts { self.category } else { UNCOUNTED }, counts })
    }

    /// The same time for another run beside this one.
    pub(crate) fn beside(&self, category: u16) -> Self {
        Self { category, ..*self }
    }

    /// Waits until it is over, or until the load has nothing left to send; how long it was.
    pub(crate) async fn over(&self, ran_out: impl Future<Output = ()>) -> Duration {
        tokio::select! {
            () = tokio::time::sleep_until(self.end.into()) => self.time(),
            () = ran_out => self.begin.elapsed(),
        }
    }

    pub(crate) fn time(&self) -> Duration {
        self.end - self.begin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_before_does_not_count_and_nothing_is_sent_after() {
        let span = Span::from_now(Duration::from_secs(1), Duration::from_secs(2), 7);
        let at = |millis| span.at(span.begin - Duration::from_secs(1) + Duration::from_millis(millis));
        assert_eq!(at(999), Some(Moment { category: UNCOUNTED, counts: false }));
        assert_eq!(at(1000), Some(Moment { category: 7, counts: true }));
        assert_eq!(at(3000), None);
    }

    #[tokio::test]
    async fn a_load_that_runs_out_ends_the_time_and_any_other_fills_it() {
        let now = Instant::now();
        let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3600));
        let span = Span { begin: now - second, end: now + hour, category: 7 };
        let time = span.over(std::future::ready(())).await;
        assert!(time >= second && time < hour, "{time:?}");
        let span = Span { begin: now - second, end: now + Duration::from_millis(1), category: 7 };
        assert_eq!(span.over(std::future::pending()).await, span.time());
    }
}
