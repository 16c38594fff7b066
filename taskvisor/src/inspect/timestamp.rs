//! Formats points in time.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// A time in UTC in the format of RFC 3339: `2026-11-23T08:15:30.123Z`. With `{:.0}` it has no milliseconds. A time
/// before 1970 or after 9999 becomes the nearest valid time.
pub(crate) struct Rfc3339(pub(crate) SystemTime);

/// The time of day in UTC, such as `08:15:30.123`.
pub(crate) struct TimeOfDay(pub(crate) SystemTime);

#[cfg(feature = "test-util")]
pub(crate) use crate::test::now;

#[cfg(not(feature = "test-util"))]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

const DAY: u64 = 86_400;
/// The last second of the year 9999.
const LAST: u64 = 253_402_300_799;

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, _) = seconds_and_millis(self.0);
        let (year, month, day) = date(seconds / DAY);
        write!(f, "{year:04}-{month:02}-{day:02}T")?;
        TimeOfDay(self.0).fmt(f)?;
        f.write_str("Z")
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = seconds_and_millis(self.0);
        let seconds = seconds % DAY;
        write!(f, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
        if f.precision() == Some(0) { Ok(()) } else { write!(f, ".{millis:03}") }
    }
}

fn seconds_and_millis(at: SystemTime) -> (u64, u32) {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    if since.as_secs() > LAST { (LAST, 999) } else { (since.as_secs(), since.subsec_millis()) }
}

/// Returns the date of a day after 1970-01-01.
fn date(mut day: u64) -> (u64, usize, u64) {
    let february = |year: u64| 28 + u64::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
    let mut year = 1970;
    while day >= 337 + february(year) {
        day -= 337 + february(year);
        year += 1;
    }
    let lengths = [31, february(year), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while day >= lengths[month] {
        day -= lengths[month];
        month += 1;
    }
    (year, month + 1, day + 1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        let cases = [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_799_999, "2000-02-29T23:59:59.999Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_735_689_599_000, "2024-12-31T23:59:59.000Z"),
            (1_795_421_730_123, "2026-11-23T08:15:30.123Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (300_000_000_000_000, "9999-12-31T23:59:59.999Z"),
        ];
        for (millis, expected) in cases {
            assert_eq!(Rfc3339(UNIX_EPOCH + Duration::from_millis(millis)).to_string(), expected);
        }
        assert_eq!(Rfc3339(UNIX_EPOCH - Duration::from_secs(1)).to_string(), "1970-01-01T00:00:00.000Z");
        let at = UNIX_EPOCH + Duration::from_millis(1_795_421_730_123);
        assert_eq!(format!("{:.0}", Rfc3339(at)), "2026-11-23T08:15:30Z");
        assert_eq!(TimeOfDay(at).to_string(), "08:15:30.123");
    }
}
