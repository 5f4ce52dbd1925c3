//! Instants, in microseconds since 1970 (UTC): the resolution of PostgreSQL's `timestamptz`.
//!
//! The core reads no clock: each instant is an input. Written and read as RFC 3339 with six decimals.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Why a text is not a [`Timestamp`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a time is RFC 3339, such as 2026-11-23T08:00:00.000000Z")]
pub struct TimestampError;

impl Timestamp {
    /// From microseconds since 1970 (UTC).
    pub fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970 (UTC).
    pub fn micros(self) -> i64 {
        self.0
    }

    /// How far apart two instants are.
    pub fn distance(self, other: Self) -> Duration {
        Duration::from_micros(self.0.abs_diff(other.0))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let micros = |span: Duration| i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self(match time.duration_since(UNIX_EPOCH) {
            Ok(after) => micros(after),
            Err(before) => micros(before.duration()).saturating_neg(),
        })
    }
}

impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> Self {
        let span = Duration::from_micros(time.0.unsigned_abs());
        let shifted = if time.0 < 0 { UNIX_EPOCH.checked_sub(span) } else { UNIX_EPOCH.checked_add(span) };
        shifted.unwrap_or(UNIX_EPOCH)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(time) => write!(f, "{time:.6}"),
            Err(_) => write!(f, "{} us since 1970", self.0),
        }
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        text.parse::<jiff::Timestamp>().map(|time| Self(time.as_microsecond())).map_err(|_| TimestampError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_with_six_decimals_and_read_back() {
        let time = Timestamp::from_micros(1_795_420_800_000_000);
        assert_eq!(time.to_string(), "2026-11-23T08:00:00.000000Z");
        assert_eq!(time.to_string().parse(), Ok(time));
        assert_eq!(Timestamp::from(SystemTime::from(time)), time);
        let before = Timestamp::from_micros(-1);
        assert_eq!(Timestamp::from(SystemTime::from(before)), before);
        assert_eq!("yesterday".parse::<Timestamp>(), Err(TimestampError));
    }
}
