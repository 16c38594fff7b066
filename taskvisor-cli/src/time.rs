//! Times of the console, and the durations between them.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

/// A time in UTC, as the console writes it: `2026-11-23T08:15:30.123Z`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Time {
    /// Milliseconds since the epoch.
    ms: i64,
    /// The form of RFC 3339.
    text: String,
}

impl Time {
    fn parse(text: &str) -> Option<Self> {
        let body = text.strip_suffix('Z')?;
        let (date, time) = body.split_once('T')?;
        let (seconds, fraction) = time.split_once('.').unwrap_or((time, "0"));
        let [year, month, day] = numbers(date, '-')?;
        let [hour, minute, second] = numbers(seconds, ':')?;
        let is_real = (1..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=31).contains(&day)
            && hour < 24
            && minute < 60
            && second < 61;
        let digits = fraction.bytes().all(|byte| byte.is_ascii_digit()) && (1..=9).contains(&fraction.len());
        if !is_real || !digits {
            return None;
        }
        let ms: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
        let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
        Some(Self { ms: seconds * 1000 + ms, text: text.to_owned() })
    }

    /// Milliseconds from `earlier` to this time; negative if it is later.
    pub(crate) fn since(&self, earlier: &Self) -> i64 {
        self.ms - earlier.ms
    }

    /// The time with seconds, for a table.
    pub(crate) fn seconds(&self) -> String {
        let seconds = self.text.split(['.', 'Z']).next().unwrap_or_default();
        format!("{}Z", seconds.replace('T', " "))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("a time is not in the format of RFC 3339 in UTC"))
    }
}

fn numbers(text: &str, between: char) -> Option<[i64; 3]> {
    let mut parts = text.split(between).map(|part| {
        let digits = part.bytes().all(|byte| byte.is_ascii_digit()) && part.len() <= 4;
        part.parse().ok().filter(|_| digits)
    });
    let found = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(found)
}

/// The days from 1970-01-01 to a day of the Gregorian calendar. A year begins in March here, so that the leap day is its
/// last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let month = (month + 9) % 12;
    let in_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + in_year - 719_468
}

/// A number of milliseconds in its two largest units, such as `3s`, `2m 5s`, `1d 4h`.
pub(crate) fn span(ms: i64) -> String {
    let seconds = ms.max(0) / 1000;
    let parts = |large: i64, one: &str, small: i64, two: &str| match seconds % large / small {
        0 => format!("{}{one}", seconds / large),
        rest => format!("{}{one} {rest}{two}", seconds / large),
    };
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => parts(60, "m", 1, "s"),
        3600..86_400 => parts(3600, "h", 60, "m"),
        _ => parts(86_400, "d", 3600, "h"),
    }
}

/// The time until a moment, such as `3s`. `None` if it has come.
pub(crate) fn left(time: &Time, now: &Time) -> Option<String> {
    // Rounded up, so that it is not 0 while it is to come.
    Some(time.since(now)).filter(|left| *left > 0).map(|left| span(left + 999))
}

/// The time until a moment, such as `in 3s`, or `now` if it has come.
pub(crate) fn until(time: &Time, now: &Time) -> String {
    left(time, now).map_or_else(|| "now".to_owned(), |left| format!("in {left}"))
}

/// The time since a moment, such as `3s ago`.
pub(crate) fn ago(time: &Time, now: &Time) -> String {
    format!("{} ago", span(now.since(time)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        Time::parse(text).expect(text)
    }

    #[test]
    fn a_time_is_read_to_the_millisecond() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:01.5Z", 1500),
            ("2000-02-29T12:00:00.000Z", 951_825_600_000),
            ("2000-03-01T00:00:00Z", 951_868_800_000),
            ("2026-11-23T08:15:30.123Z", 1_795_421_730_123),
            ("2026-11-23T08:15:30.123456789Z", 1_795_421_730_123),
            ("1969-12-31T23:59:59.999Z", -1),
        ] {
            assert_eq!(at(text).ms, ms, "{text}");
        }
    }

    #[test]
    fn another_text_is_no_time() {
        for text in [
            "",
            "now",
            "2026-11-23",
            "2026-11-23T08:15:30+01:00",
            "2026-13-23T08:15:30Z",
            "2026-11-23T24:00:00Z",
            "2026-11-23T08:15:30.Z",
            "2026-11-23T08:15:30.\u{1b}Z",
            "2026-11--3T08:15:30Z",
            "+026-11-03T08:15:30Z",
            "2026-11-23T08:15:30:00Z",
            "99999-11-23T08:15:30Z",
        ] {
            assert_eq!(Time::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_span_has_its_two_largest_units() {
        for (ms, text) in [
            (-5, "0s"),
            (999, "0s"),
            (59_999, "59s"),
            (60_000, "1m"),
            (125_000, "2m 5s"),
            (3_600_000, "1h"),
            (3_725_000, "1h 2m"),
            (90_000_000, "1d 1h"),
        ] {
            assert_eq!(span(ms), text);
        }
    }

    #[test]
    fn what_is_to_come_is_never_now() {
        let now = at("2026-11-23T08:15:30.900Z");
        assert_eq!(until(&at("2026-11-23T08:15:31.000Z"), &now), "in 1s");
        assert_eq!(until(&at("2026-11-23T08:15:30.900Z"), &now), "now");
        assert_eq!(ago(&at("2026-11-23T08:15:25.000Z"), &now), "5s ago");
        assert_eq!(now.seconds(), "2026-11-23 08:15:30Z");
    }
}
