//! Zones and times for tests.

use std::fmt::Write as _;

use taskvisor_parse::cron::{Occurrence, Offset, Pattern, Zone};

/// A zone with an offset at first, and others from instants on.
#[derive(Debug)]
pub(crate) struct Changes {
    pub(crate) first: i32,
    pub(crate) then: Vec<(i64, i32)>,
}

impl Changes {
    /// A zone with one change, at a time such as `2026-03-29T01:00:00Z`.
    pub(crate) fn one(first: i32, at: &str, then: i32) -> Self {
        Self { first, then: vec![(instant(at), then)] }
    }
}

impl Zone for Changes {
    fn offset(&self, instant: i64) -> Offset {
        let passed = self.then.partition_point(|(at, _)| *at <= instant);
        let seconds = passed.checked_sub(1).map_or(self.first, |last| self.then[last].1);
        Offset { seconds, until: self.then.get(passed).map(|(at, _)| *at) }
    }
}

/// The seconds since the Unix epoch of a time such as `2026-03-29T01:00:00Z`.
pub(crate) fn instant(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().expect(text).as_second()
}

pub(crate) fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).expect(text)
}

/// Formats `2026-03-29T01:00:00Z, 03:00:00`: the instant and the local time; and then `for 02:30:00` if that was due.
pub(crate) fn show(occurrence: Occurrence) -> String {
    let at = jiff::Timestamp::from_second(occurrence.at).expect("a time of our calendar");
    let time = |civil: taskvisor_parse::cron::Civil| civil.to_string()[11..].to_owned();
    let mut text = format!("{at}, {}", time(occurrence.local));
    if occurrence.is_shifted() {
        write!(text, " for {}", time(occurrence.due)).expect("a string takes everything");
    }
    text
}

/// Returns the occurrences after one instant up to another, as [`show`] formats them.
pub(crate) fn between(text: &str, zone: &impl Zone, after: &str, until: &str) -> Vec<String> {
    let (pattern, until) = (pattern(text), instant(until));
    pattern.upcoming(instant(after), zone).take_while(|next| next.at <= until).map(show).collect()
}
