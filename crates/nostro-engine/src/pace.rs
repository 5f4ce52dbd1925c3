//! How large a batch may be: as large as lets it hold its rows for a quarter of a second.
//!
//! The larger a batch, the more of its rows share a page, and the less each of them costs. But whoever wants one of its rows
//! waits until it ends, in the gate, where others wait behind; beyond a time it gives up and is planned again. So a server
//! looks at how long its large batches have held their rows, and lets them grow only where that is short.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Half of the time for which a row is waited for. It counts from the plan on: locking the rows and planning come before, and
/// are some 100 ms of a full batch.
const HELD_MAX: Duration = Duration::from_millis(250);
/// Of smaller batches the time says more of round trips than of rows.
const MEASURED_MIN: usize = 4_096;
/// The weight of what was known beside the newest batch's.
const WEIGHT_BEFORE: u64 = 3;

/// How long the rows of a transfer are held in a lane's large batches, in nanoseconds; 0 before the first.
#[derive(Debug, Default)]
pub(crate) struct Pace(AtomicU64);

impl Pace {
    /// Takes note of a batch that held the rows of its transfers for so long. A slow one counts at once, quick ones bit by bit.
    pub(crate) fn held(&self, transfers: usize, time: Duration) {
        if transfers < MEASURED_MIN {
            return;
        }
        let newest = nanos(time) / count(transfers);
        let before = self.0.load(Ordering::Relaxed);
        let mean = if newest > before { newest } else { (before * WEIGHT_BEFORE + newest) / (WEIGHT_BEFORE + 1) };
        self.0.store(mean.max(1), Ordering::Relaxed);
    }

    /// Takes note of a batch that waited for its rows, or for a gate, until it gave up: the next ones are not large.
    pub(crate) fn given_up(&self) {
        self.0.store(nanos(HELD_MAX), Ordering::Relaxed);
    }

    /// How many transfers a batch may have: `least` in any case, `most` at the best pace.
    pub(crate) fn batch_max(&self, least: usize, most: usize) -> usize {
        let each = self.0.load(Ordering::Relaxed);
        let within = nanos(HELD_MAX).checked_div(each).unwrap_or(0);
        usize::try_from(within).unwrap_or(usize::MAX).min(most).max(least)
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX / (WEIGHT_BEFORE + 1))
}

fn count(transfers: usize) -> u64 {
    u64::try_from(transfers).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch_max(pace: &Pace) -> usize {
        pace.batch_max(16_384, 32_768)
    }

    #[test]
    fn batches_grow_while_they_hold_their_rows_for_less_than_a_quarter_of_a_second() {
        let pace = Pace::default();
        assert_eq!(batch_max(&pace), 16_384, "nothing is known");
        pace.held(16_384, Duration::from_millis(82));
        assert_eq!(batch_max(&pace), 32_768, "a full one would take 164 ms");
        pace.held(20_000, Duration::from_millis(200));
        assert_eq!(batch_max(&pace), 25_000, "a slow one counts at once");
        pace.held(20_000, Duration::from_millis(100));
        assert_eq!(batch_max(&pace), 28_571, "a quick one for a quarter");
        pace.held(16_384, Duration::from_secs(2));
        assert_eq!(batch_max(&pace), 16_384, "no less than without a pace");
        pace.held(16_384, Duration::from_millis(82));
        assert_eq!(batch_max(&pace), 16_384);
    }

    #[test]
    fn after_a_batch_that_gave_up_none_is_large_for_a_while() {
        let pace = Pace::default();
        pace.held(16_384, Duration::from_millis(82));
        pace.given_up();
        let until_large = (0..100).take_while(|_| {
            pace.held(16_384, Duration::from_millis(82));
            batch_max(&pace) == 16_384
        });
        assert_eq!(until_large.count(), 35);
        for _ in 0..30 {
            pace.held(16_384, Duration::from_millis(82));
        }
        assert_eq!(batch_max(&pace), 32_768);
    }

    #[test]
    fn small_batches_say_nothing_of_large_ones() {
        let pace = Pace::default();
        pace.held(MEASURED_MIN - 1, Duration::from_millis(1));
        assert_eq!(batch_max(&pace), 16_384);
        pace.held(MEASURED_MIN, Duration::from_millis(1));
        assert_eq!(batch_max(&pace), 32_768);
    }
}
