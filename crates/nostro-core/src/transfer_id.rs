//! Ids of transfers: the client's choice, the idempotency key, and by itself the place where a transfer is recorded.
//!
//! A retried id must never pay twice, whenever it is sent. So the partition in which it would be found is a
//! function of the id alone ([`TransferId::period`]), never of a clock: a UUID of version 7 begins with its time
//! (RFC 9562), and its month is its partition; every other UUID has one partition for all.

use crate::time::Timestamp;
use std::fmt;
use std::time::Duration;
use uuid::Uuid;

/// An id that is not recorded is refused if its own time is further than this from the branch's clock: so months that
/// are past take no new rows, and nobody can ask for a partition of the year 9999.
pub const ID_DISTANCE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The client's id of a transfer, and its idempotency key. Version 7 is advised: it grows with time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransferId(pub Uuid);

impl fmt::Display for TransferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TransferId {
    /// The time that a UUID of version 7 carries, in whole milliseconds; `None` for other ids.
    pub fn time(self) -> Option<Timestamp> {
        let (high, low) = self.0.as_u64_pair();
        let is_version_7 = (high >> 12) & 0xf == 7 && low >> 62 == 0b10;
        let micros = i64::try_from(high >> 16).ok()?.checked_mul(1_000)?;
        is_version_7.then_some(Timestamp::from_micros(micros))
    }

    /// Where it is recorded.
    pub fn period(self) -> Period {
        self.time().and_then(Period::of).unwrap_or(Period::OTHER)
    }

    /// The id of a leg that a request did not name: the same for the same request and place, and of the same period. The
    /// first six bytes, the time of version 7, are the request's; the rest is a hash (version 5 of RFC 9562, SHA-1) of
    /// the request's id and the place, with the request's version.
    #[must_use]
    pub fn leg(self, place: u16) -> Self {
        let hash = Uuid::new_v5(&self.0, &place.to_be_bytes()).as_u128();
        // The time, the version and the variant.
        let kept: u128 = 0xffff_ffff_ffff_f000_c000_0000_0000_0000;
        Self(Uuid::from_u128((self.0.as_u128() & kept) | (hash & !kept)))
    }

    /// Whether its own time is too far from the branch's clock for an id that is not recorded.
    pub fn is_out_of_range(self, clock: Timestamp) -> bool {
        self.time().is_some_and(|time| time.distance(clock) > ID_DISTANCE_MAX)
    }
}

/// A partition of `transfer`: a month (UTC) of ids of version 7, or all other ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(i32);

impl Period {
    /// Of all ids that are not of version 7, and of those from the year 9999 on.
    pub const OTHER: Self = Self(0);

    /// The month of an instant; `None` beyond the years 1 to 9998.
    pub fn of(time: Timestamp) -> Option<Self> {
        let date = jiff::tz::TimeZone::UTC.to_datetime(jiff::Timestamp::from_microsecond(time.micros()).ok()?);
        let year = Some(i32::from(date.year())).filter(|year| (1..=9_998).contains(year))?;
        Some(Self(year.checked_mul(100)?.checked_add(i32::from(date.month()))?))
    }

    /// As the database has it.
    pub fn from_i32(figure: i32) -> Self {
        Self(figure)
    }

    /// Year x 100 + month, such as 202611; 0 for [`Self::OTHER`].
    pub fn as_i32(self) -> i32 {
        self.0
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::OTHER { f.write_str("other") } else { self.0.fmt(f) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_leg_keeps_time_version_and_variant_and_is_one_of_its_place() {
        for text in ["01938e1c-93d2-7cc4-9ac4-6a8df2a3c001", "8f14e45f-ceea-467f-9575-1f0a6b8c2d3e"] {
            let id = TransferId(text.parse().unwrap());
            let legs: std::collections::BTreeSet<TransferId> = (0..1_000).map(|place| id.leg(place)).collect();
            assert_eq!(legs.len(), 1_000);
            assert!(!legs.contains(&id));
            for leg in &legs {
                assert_eq!((leg.time(), leg.period()), (id.time(), id.period()));
                assert_eq!(leg.0.get_version_num(), id.0.get_version_num());
                assert_eq!(leg.0.get_variant(), id.0.get_variant());
            }
            assert_eq!(id.leg(7), id.leg(7));
        }
        let id = TransferId("01938e1c-93d2-7cc4-9ac4-6a8df2a3c001".parse().unwrap());
        assert_ne!(id.leg(1), TransferId("01938e1c-93d2-7cc4-9ac4-6a8df2a3c002".parse().unwrap()).leg(1));
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn id(text: &str) -> TransferId {
        TransferId(text.parse().unwrap())
    }

    #[test]
    fn an_id_tells_its_period_by_itself() {
        for (text, time, period) in [
            ("0193556a-6e00-7000-8000-000000000000", Some("2024-11-22T19:47:38.624000Z"), "202411"),
            ("00000000-0000-7000-8000-000000000000", Some("1970-01-01T00:00:00.000000Z"), "197001"),
            ("e6707a6e-afff-7fff-bfff-ffffffffffff", Some("9998-12-31T23:59:59.999000Z"), "999812"),
            ("e6707a6e-b000-7000-8000-000000000000", Some("9999-01-01T00:00:00.000000Z"), "other"),
            ("ffffffff-ffff-7fff-bfff-ffffffffffff", Some("281474976710655000 us since 1970"), "other"),
            ("0193556a-6e00-4000-8000-000000000000", None, "other"),
            ("0193556a-6e00-7000-c000-000000000000", None, "other"),
            ("00000000-0000-0000-0000-000000000000", None, "other"),
        ] {
            let id = id(text);
            assert_eq!(id.time().map(|time| time.to_string()).as_deref(), time, "{text}");
            assert_eq!(id.period().to_string(), period, "{text}");
        }
    }

    #[test]
    fn months_end_in_utc() {
        let period = |text| Period::of(at(text)).map(Period::as_i32);
        assert_eq!(period("2026-11-30T23:59:59.999999Z"), Some(202_611));
        assert_eq!(period("2026-12-01T00:00:00.000000Z"), Some(202_612));
        assert_eq!(period("2027-01-01T00:30:00.000000+01:00"), Some(202_612));
        assert_eq!(period("-000001-01-01T00:00:00Z"), None);
    }

    #[test]
    fn an_id_is_out_of_range_a_day_before_and_a_day_after() {
        let id = id("0193556a-6e00-7000-8000-000000000000");
        let time = id.time().unwrap().micros();
        let day = 24 * 60 * 60 * 1_000_000;
        for (distance, out) in [(0, false), (day, false), (-day, false), (day + 1, true), (-day - 1, true)] {
            assert_eq!(id.is_out_of_range(Timestamp::from_micros(time + distance)), out, "{distance}");
        }
        let other = TransferId(Uuid::nil());
        assert!(!other.is_out_of_range(Timestamp::from_micros(time)), "only version 7 carries a time");
    }
}
