//! Decides which of many equal failures a log writes.

#[cfg(any(feature = "logging", test))]
use std::borrow::Borrow;
#[cfg(any(feature = "logging", test))]
use std::collections::HashMap;
use std::fmt;
#[cfg(any(feature = "logging", test))]
use std::hash::Hash;
use std::time::{Duration, SystemTime};

/// The number of equal failures in a row that are written one by one.
const SINGLY: u64 = 3;
/// Later failures are written at this number, and then each time the number has grown by this factor. Both are powers
/// of two.
const FIRST: u64 = 8;
const TIMES: u64 = 4;
/// A failure later than this after the last one can begin a new series.
const LATE: Duration = Duration::from_secs(60);

/// The failures of tasks, by key.
#[cfg(any(feature = "logging", test))]
pub(crate) struct Repeats<K>(HashMap<K, Streak>);

/// The failures of one task.
#[cfg(feature = "tracing")]
#[derive(Default)]
pub(crate) struct Repeated(Option<Box<Streak>>);

/// Equal failures of one task, one after another.
struct Streak {
    text: Box<str>,
    times: u64,
    since: SystemTime,
    last: SystemTime,
    /// `true` if an attempt has become ready in this series.
    #[cfg(feature = "logging")]
    ready: bool,
}

/// The decision on one failure.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Tell {
    Whole,
    /// The failure, and how often it has occurred.
    Again(Often),
    Nothing,
}

/// The number of equal failures, and the time since the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Often {
    times: u64,
    within: Duration,
}

#[cfg(any(feature = "logging", test))]
impl<K> Default for Repeats<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

#[cfg(any(feature = "logging", test))]
impl<K: Hash + Eq> Repeats<K> {
    /// Decides on a failure with this text.
    pub(crate) fn failed(&mut self, key: K, text: &str, now: SystemTime) -> Tell {
        self.0.entry(key).or_insert_with(|| Streak::new(text, now)).failed(text, now)
    }

    /// Returns `true` if the attempts of the task are not written, because it keeps failing with the same text.
    pub(crate) fn is_quiet<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.0.get(key).is_some_and(Streak::is_quiet)
    }

    /// Notes that an attempt has become ready. Returns `true` if that is written: once in each series of equal
    /// failures, because it can be a recovery.
    #[cfg(feature = "logging")]
    pub(crate) fn becomes_ready<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> bool
    where
        K: std::borrow::Borrow<Q>,
    {
        let Some(streak) = self.0.get_mut(key) else { return true };
        let was_ready = std::mem::replace(&mut streak.ready, true);
        !was_ready || streak.times < SINGLY
    }

    /// Notes that an attempt was requested to stop. That is no success, so the series goes on, unless the task had not
    /// failed for long.
    #[cfg(feature = "logging")]
    pub(crate) fn stopped<Q: Hash + Eq + ?Sized>(&mut self, key: &Q, now: SystemTime)
    where
        K: Borrow<Q>,
    {
        if self.0.get(key).is_some_and(|streak| streak.is_over(now)) {
            self.0.remove(key);
        }
    }

    /// Forgets the tasks that have not failed for long. Called when events were lost: these tasks may have ended.
    #[cfg(feature = "logging")]
    pub(crate) fn forget_late(&mut self, now: SystemTime) {
        self.0.retain(|_, streak| !streak.is_late(now));
    }

    #[cfg(all(test, feature = "logging"))]
    pub(crate) fn knows<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.0.contains_key(key)
    }

    /// Ends the series: the task has succeeded or ended. Returns the number of failures, unless each was written.
    pub(crate) fn over<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<Often>
    where
        K: Borrow<Q>,
    {
        self.0.remove(key).and_then(|streak| streak.over())
    }
}

#[cfg(feature = "tracing")]
impl Repeated {
    /// Decides on a failure with this text.
    pub(crate) fn failed(&mut self, text: &str, now: SystemTime) -> Tell {
        self.0.get_or_insert_with(|| Box::new(Streak::new(text, now))).failed(text, now)
    }

    /// Notes that an attempt was requested to stop. That is no success, so the series goes on, unless the task had not
    /// failed for long.
    pub(crate) fn stopped(&mut self, now: SystemTime) {
        self.0.take_if(|streak| streak.is_over(now));
    }

    /// Returns `true` if the attempts of the task are not written, because it keeps failing with the same text.
    pub(crate) fn is_quiet(&self) -> bool {
        self.0.as_deref().is_some_and(Streak::is_quiet)
    }

    /// Ends the series: the task has succeeded or ended. Returns the number of failures, unless each was written.
    pub(crate) fn over(&mut self) -> Option<Often> {
        self.0.take().and_then(|streak| streak.over())
    }
}

impl Streak {
    fn new(text: &str, now: SystemTime) -> Self {
        Self {
            text: text.into(),
            times: 0,
            since: now,
            last: now,
            #[cfg(feature = "logging")]
            ready: false,
        }
    }

    fn failed(&mut self, text: &str, now: SystemTime) -> Tell {
        if &*self.text != text || self.is_over(now) {
            *self = Self::new(text, now);
        }
        self.times += 1;
        self.last = now;
        if self.times <= SINGLY {
            return Tell::Whole;
        }
        if is_told(self.times) { Tell::Again(self.often()) } else { Tell::Nothing }
    }

    fn is_quiet(&self) -> bool {
        self.times >= SINGLY
    }

    fn over(&self) -> Option<Often> {
        (self.times > SINGLY).then(|| self.often())
    }

    /// Returns `true` if the time since the last failure is so long that the task counts as recovered.
    fn is_over(&self, now: SystemTime) -> bool {
        if !self.is_late(now) {
            return false;
        }
        let pause = between(self.last, now);
        let before = u32::try_from(self.times.saturating_sub(1)).unwrap_or(u32::MAX);
        let usual = between(self.since, self.last).checked_div(before);
        usual.is_some_and(|usual| pause > usual * 4)
    }

    fn is_late(&self, now: SystemTime) -> bool {
        self.last.checked_add(LATE).is_some_and(|late| now > late)
    }

    fn often(&self) -> Often {
        Often { times: self.times, within: between(self.since, self.last) }
    }
}

/// Returns `true` for 8, 32, 128, and so on.
fn is_told(times: u64) -> bool {
    times >= FIRST && times.is_power_of_two() && (times.ilog2() - FIRST.ilog2()) % TIMES.ilog2() == 0
}

/// Returns the time from one moment to a later one; zero if the clock was set back.
fn between(from: SystemTime, to: SystemTime) -> Duration {
    to.duration_since(from).unwrap_or_default()
}

impl Often {
    /// `after 512 failures in 5 min`
    pub(crate) fn recovered(self) -> String {
        format!("after {} failures in {}", self.times, Time(self.within))
    }
}

/// `same error, 512 times in 5 min`
impl fmt::Display for Often {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "same error, {} times in {}", self.times, Time(self.within))
    }
}

/// A time in its largest unit, rounded down.
struct Time(Duration);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            0 => write!(f, "{} ms", self.0.as_millis()),
            seconds @ 1..120 => write!(f, "{seconds} s"),
            seconds @ 120..7_200 => write!(f, "{} min", seconds / 60),
            seconds @ 7_200..172_800 => write!(f, "{} h", seconds / 3_600),
            seconds => write!(f, "{} d", seconds / 86_400),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(time: Duration) -> SystemTime {
        SystemTime::UNIX_EPOCH + time
    }

    fn again(times: u64, within: Duration) -> Tell {
        Tell::Again(Often { times, within })
    }

    #[test]
    fn o40_equal_failures_are_told_ever_more_rarely_and_new_ones_at_once() {
        let mut repeats = Repeats::default();
        let told: Vec<_> = (0..40_000_u32)
            .filter_map(|n| match repeats.failed("a", "refused", at(SECOND * n / 10)) {
                Tell::Nothing => None,
                tell => Some((n + 1, tell)),
            })
            .collect();
        let numbers: Vec<u32> = told.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [1, 2, 3, 8, 32, 128, 512, 2_048, 8_192, 32_768]);
        assert_eq!(told[2].1, Tell::Whole);
        assert_eq!(told[6].1, again(512, SECOND * 511 / 10));
        assert!(repeats.is_quiet("a") && !repeats.is_quiet("b"));
        let now = at(SECOND * 4_000);
        assert_eq!(repeats.failed("b", "refused", now), Tell::Whole, "each task has its own");
        assert_eq!(repeats.failed("a", "timed out", now), Tell::Whole);
        assert!(!repeats.is_quiet("a"));
        assert_eq!(repeats.failed("a", "refused", now), Tell::Whole);
    }

    #[cfg(feature = "logging")]
    #[test]
    fn o40_that_a_task_becomes_ready_between_equal_failures_is_told_once() {
        let mut repeats = Repeats::default();
        assert!(repeats.becomes_ready("a"));
        let mut told = |text: &str, becomes_ready: &[bool]| {
            let mut after = |ready: &bool| {
                repeats.failed("a", text, at(SECOND));
                *ready && repeats.becomes_ready("a")
            };
            becomes_ready.iter().map(&mut after).collect::<Vec<_>>()
        };
        assert_eq!(told("refused", &[true; 5]), [true, true, false, false, false]);
        // As long as it cannot connect, it is not ready.
        let ready = [false, false, false, false, true, true];
        assert_eq!(told("timed out", &ready), [false, false, false, false, true, false]);
    }

    #[test]
    fn o40_a_recovery_says_after_what() {
        let mut repeats = Repeats::default();
        for n in 0..600 {
            repeats.failed("a", "refused", at(SECOND * n / 2));
        }
        let often = repeats.over("a").unwrap();
        assert_eq!(
            (often.to_string(), often.recovered()),
            ("same error, 600 times in 4 min".into(), "after 600 failures in 4 min".into())
        );
        assert_eq!(repeats.over("a"), None);
        repeats.failed("a", "refused", at(SECOND));
        assert_eq!(repeats.over("a"), None, "its one failure was told");
    }

    #[test]
    fn o40_a_failure_after_a_long_quiet_time_is_told() {
        let mut repeats = Repeats::default();
        for n in 0..100 {
            repeats.failed("a", "refused", at(SECOND * n));
        }
        assert_eq!(repeats.failed("a", "refused", at(SECOND * 4_000)), Tell::Whole);
        // A task that fails each hour is not quiet for longer than usual.
        let hourly: Vec<_> = (0..6).map(|n| repeats.failed("b", "refused", at(SECOND * 3_600 * n))).collect();
        assert_eq!(hourly[3..], [Tell::Nothing, Tell::Nothing, Tell::Nothing]);
    }

    #[test]
    fn o40_a_quiet_time_is_longer_than_four_usual_ones() {
        let failed_each = |pause: Duration| {
            let mut repeats = Repeats::default();
            for n in 0..4 {
                repeats.failed("a", "refused", at(pause * n));
            }
            repeats
        };
        let (pause, moment) = (SECOND * 20, Duration::from_millis(1));
        for (after, expected) in [(pause * 4, Tell::Nothing), (pause * 4 + moment, Tell::Whole)] {
            assert_eq!(failed_each(pause).failed("a", "refused", at(pause * 3 + after)), expected);
        }
        // A failure within a minute does not begin a new series.
        for (after, expected) in [(LATE, Tell::Nothing), (LATE + moment, Tell::Whole)] {
            assert_eq!(failed_each(SECOND).failed("a", "refused", at(SECOND * 3 + after)), expected);
        }
    }

    #[cfg(all(feature = "logging", feature = "tracing"))]
    #[test]
    fn o40_a_stop_ends_only_a_series_that_is_over() {
        let (mut repeats, mut repeated) = (Repeats::default(), Repeated::default());
        for n in 0..5 {
            repeats.failed("a", "refused", at(SECOND * n));
            repeated.failed("refused", at(SECOND * n));
        }
        for (now, is_quiet) in [(SECOND * 5, true), (SECOND * 4 + LATE, true), (SECOND * 5 + LATE, false)] {
            repeats.stopped("a", at(now));
            repeated.stopped(at(now));
            assert_eq!((repeats.is_quiet("a"), repeated.is_quiet()), (is_quiet, is_quiet));
        }
        repeats.stopped("b", at(SECOND));
    }

    #[test]
    fn o40_what_was_told_one_by_one_is_not_counted_again() {
        let mut repeats = Repeats::default();
        for times in 1..=SINGLY + 1 {
            for _ in 0..times {
                repeats.failed("a", "refused", at(SECOND));
            }
            assert_eq!(repeats.over("a").is_some(), times > SINGLY);
        }
    }

    #[cfg(feature = "tracing")]
    #[test]
    fn o40_the_failures_of_one_task_are_counted_alike() {
        let mut repeated = Repeated::default();
        let mut quiet = Vec::new();
        for n in 0..5 {
            assert_eq!(repeated.failed("refused", at(SECOND * n)) == Tell::Nothing, n >= 3);
            quiet.push(repeated.is_quiet());
        }
        assert_eq!(quiet, [false, false, true, true, true]);
        assert_eq!(repeated.over(), Some(Often { times: 5, within: SECOND * 4 }));
        assert!(!repeated.is_quiet() && repeated.over().is_none());
    }

    #[test]
    fn o40_times_are_short() {
        let shown = |seconds| Time(SECOND * seconds).to_string();
        let expected = "0 ms, 1 s, 119 s, 2 min, 119 min, 2 h, 47 h, 2 d";
        assert_eq!([0, 1, 119, 120, 7_199, 7_200, 172_799, 172_800].map(shown).join(", "), expected);
    }
}
