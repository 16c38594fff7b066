//! The time zones of schedules, from the database of `jiff`.

use std::cell::Cell;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::{Timestamp, tz};
use taskvisor_parse::cron::{Civil, Offset, Zone};
use taskvisor_parse::suggest;

/// The name that stands for the zone of the system.
const LOCAL: &str = "local";

/// A time zone. It caches the last offset, because most calls are about the same part of the year.
#[derive(Debug, Clone)]
pub(crate) struct TimeZone {
    zone: tz::TimeZone,
    known: Cell<Option<Known>>,
}

/// An offset, and the second from which it is valid. The end of its validity is in the offset.
#[derive(Debug, Clone, Copy)]
struct Known {
    from: i64,
    offset: Offset,
}

impl TimeZone {
    /// Returns the zone of that name; UTC without a name. The error states the expected value.
    pub(crate) fn find(name: Option<&str>) -> Result<Self, String> {
        let zone = match name {
            None => tz::TimeZone::UTC,
            Some(LOCAL) => tz::TimeZone::try_system()
                .map_err(|_| "the name of a time zone: that of the system is not known".to_owned())?,
            Some(name) => tz::TimeZone::get(name).map_err(|_| expected(name))?,
        };
        Ok(Self { zone, known: Cell::new(None) })
    }

    /// Returns the local time at an instant, with its offset: `2026-03-29T03:00:00+02:00`.
    pub(crate) fn local(&self, seconds: i64) -> String {
        let ahead = self.offset(seconds).seconds;
        let local = Civil::from_seconds(seconds.saturating_add(ahead.into()));
        let (sign, minutes) = (if ahead < 0 { '-' } else { '+' }, ahead.unsigned_abs() / 60);
        format!("{local}{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

impl Zone for TimeZone {
    fn offset(&self, instant: i64) -> Offset {
        if let Some(Known { from, offset }) = self.known.get() {
            if from <= instant && offset.until.is_none_or(|until| instant < until) {
                return offset;
            }
        }
        // All times of a pattern are in the range of `Timestamp`, except for a day at each end.
        let at = Timestamp::from_second(instant).unwrap_or(if instant < 0 { Timestamp::MIN } else { Timestamp::MAX });
        let until = self.zone.following(at).next().map(|change| change.timestamp().as_second());
        let offset = Offset { seconds: self.zone.to_offset(at).seconds(), until };
        self.known.set(Some(Known { from: instant, offset }));
        offset
    }
}

/// Returns the expected value for the error about an unknown name.
fn expected(name: &str) -> String {
    let known: Vec<String> = tz::db().available().map(|known| known.to_string()).collect();
    match suggest::zone(name, known.iter().map(String::as_str)) {
        Some(meant) => format!("a time zone: unknown zone {name:?}, did you mean \"{meant}\"?"),
        None => format!("a time zone: unknown zone {name:?}, write for example \"Europe/Berlin\", or \"local\""),
    }
}

/// Returns the whole seconds from 1970-01-01T00:00:00Z to this time, rounded down.
pub(crate) fn seconds(at: SystemTime) -> i64 {
    let whole = |time: std::time::Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    match at.duration_since(UNIX_EPOCH) {
        Ok(since) => whole(since),
        Err(before) => {
            let before = before.duration();
            (-whole(before)).saturating_sub(i64::from(before.subsec_nanos() > 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn t1_a_zone_answers_the_same_whatever_it_was_asked_before() {
        let berlin = TimeZone::find(Some("Europe/Berlin")).unwrap();
        let spring = 1_774_746_000; // 2026-03-29T01:00:00Z
        let autumn = 1_792_890_000; // 2026-10-25T01:00:00Z
        for (at, seconds, until) in [
            (spring - 1, 3_600, spring),
            (spring, 7_200, autumn),
            (autumn - 1, 7_200, autumn),
            (spring - 1, 3_600, spring),
            (spring - 9, 3_600, spring),
            (spring - 2, 3_600, spring),
            (spring + 9, 7_200, autumn),
        ] {
            assert_eq!(berlin.offset(at), Offset { seconds, until: Some(until) }, "{at}");
        }
        assert_eq!(berlin.local(spring), "2026-03-29T03:00:00+02:00");
        let newfoundland = TimeZone::find(Some("America/St_Johns")).unwrap();
        assert_eq!(newfoundland.local(spring), "2026-03-28T22:30:00-02:30");
        assert_eq!(TimeZone::find(None).unwrap().local(0), "1970-01-01T00:00:00+00:00");
        // Local mean time before 1893. The winter before the year 10000 has no end.
        assert_eq!(berlin.offset(i64::MIN).seconds, 53 * 60 + 28);
        assert_eq!(berlin.offset(i64::MAX), Offset { seconds: 3_600, until: None });
    }

    #[test]
    fn t1_an_unknown_zone_is_an_error_with_the_zone_that_was_meant() {
        let meant = |name| TimeZone::find(Some(name)).unwrap_err();
        assert!(meant("Europe/Berlim").ends_with("did you mean \"Europe/Berlin\"?"));
        assert!(meant("Mars/Olympus").ends_with("or \"local\""));
        assert!(meant("").ends_with("or \"local\""));
    }

    #[test]
    fn seconds_are_rounded_down() {
        let half = Duration::from_millis(500);
        assert_eq!(seconds(UNIX_EPOCH + half), 0);
        assert_eq!(seconds(UNIX_EPOCH - half), -1);
        assert_eq!(seconds(UNIX_EPOCH - Duration::from_secs(2)), -2);
    }
}
