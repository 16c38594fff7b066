//! Points in time and durations as text.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY: u64 = 86_400;

/// Formats a time in the format of RFC 3339, in UTC with milliseconds.
pub(crate) fn rfc3339(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (year, month, day) = date(since.as_secs() / DAY);
    let (seconds, millis) = (since.as_secs() % DAY, since.subsec_millis());
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// Returns the date of a day after 1970-01-01. Years are counted from March, so that a leap day is the last.
fn date(day: u64) -> (u64, u64, u64) {
    let day = day + 719_468;
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    (era * 400 + year, month, date)
}

/// Returns milliseconds since 1970-01-01 UTC.
pub(crate) fn unix_ms(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Formats a duration in its two largest units: `3 s`, `2 min 5 s`, `1 h 30 min`, `2 d 4 h`.
pub(crate) fn spoken(duration: Duration) -> String {
    // Rounded up, so that a countdown is zero only at its end.
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    let pair = |large: u64, of: &str, small: u64, part: &str| match small {
        0 => format!("{large} {of}"),
        _ => format!("{large} {of} {small} {part}"),
    };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => pair(seconds / 60, "min", seconds % 60, "s"),
        3600..DAY => pair(seconds / 3600, "h", seconds / 60 % 60, "min"),
        _ => pair(seconds / DAY, "d", seconds / 3600 % 24, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_in_the_format_of_rfc_3339() {
        let at = |seconds: u64, millis: u64| rfc3339(UNIX_EPOCH + Duration::from_millis(seconds * 1000 + millis));
        assert_eq!(at(0, 0), "1970-01-01T00:00:00.000Z");
        assert_eq!(at(951_782_400, 1), "2000-02-29T00:00:00.001Z");
        assert_eq!(at(951_868_799, 999), "2000-02-29T23:59:59.999Z");
        assert_eq!(at(951_868_800, 0), "2000-03-01T00:00:00.000Z");
        assert_eq!(at(1_795_508_130, 123), "2026-11-24T08:15:30.123Z");
        assert_eq!(at(4_107_542_399, 0), "2100-02-28T23:59:59.000Z");
        assert_eq!(at(4_107_542_400, 0), "2100-03-01T00:00:00.000Z");
    }

    #[test]
    fn durations_have_their_two_largest_units() {
        let spoken = |millis| super::spoken(Duration::from_millis(millis));
        assert_eq!(spoken(0), "0 s");
        assert_eq!(spoken(1), "1 s", "not over");
        assert_eq!(spoken(2_100), "3 s");
        assert_eq!(spoken(60_000), "1 min");
        assert_eq!(spoken(125_000), "2 min 5 s");
        assert_eq!(spoken(5_400_000), "1 h 30 min");
        assert_eq!(spoken(187_200_000), "2 d 4 h");
    }
}
