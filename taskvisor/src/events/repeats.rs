//! Decides which of many equal failures a log writes.

#[cfg(any(feature = "logging", feature = "tracing", test))]
use std::borrow::Borrow;
#[cfg(any(feature = "logging", feature = "tracing", test))]
use std::collections::HashMap;
#[cfg(any(feature = "logging", feature = "tracing", test))]
use std::hash::Hash;
use std::mem;
use std::time::{Duration, SystemTime};

use super::often::Often;

/// The number of equal failures in a row that are written one by one.
const SINGLY: u64 = 3;
/// Later failures are written at this number, and then each time the number has grown by this factor. Both are powers
/// of two.
const FIRST: u64 = 8;
const TIMES: u64 = 4;
/// The number of times that another text begins a new series, until a success. Later texts are one series, as they may
/// differ each time, for example by the id of a request; after this time, one of them is written again.
const CHANGES: u32 = 8;
const NEWS: Duration = Duration::from_secs(600);
/// A failure later than this after the last one can begin a new series.
const LATE: Duration = Duration::from_secs(60);
/// At this number of ended tasks, or at twice of what was left the last time, those that have not failed for long are
/// forgotten.
#[cfg(any(feature = "logging", feature = "tracing", test))]
const ENDED: usize = 256;

/// The failures of the tasks and groups of a tree, by path.
///
/// A group that fails again and again registers its children anew each time. So the failures of a task that ends are kept
/// until it is known whether its group has failed.
#[cfg(any(feature = "logging", feature = "tracing", test))]
pub(crate) struct Repeats<K> {
    streaks: HashMap<K, Streak>,
    /// The number of ended tasks and groups, at most, and the number at which they are looked at.
    ended: usize,
    look_at: usize,
}

/// The failures of one task.
#[cfg(feature = "tracing")]
#[derive(Default)]
pub(crate) struct Repeated(Option<Box<Streak>>);

/// Equal failures of one task or group, one after another; or failures whose texts differ too often.
struct Streak {
    text: Box<str>,
    times: u64,
    since: SystemTime,
    last: SystemTime,
    /// The series with other texts before this one: their number, that of their failures, and the first of these.
    changes: u32,
    before: u64,
    began: SystemTime,
    /// If the texts differ: the time at which one of them was last written, which is `text`.
    differ: Option<SystemTime>,
    /// `true` if an attempt has become ready since the last failure that was written.
    #[cfg(feature = "logging")]
    ready: bool,
    #[cfg(feature = "logging")]
    of_group: bool,
    /// `true` if the registration has ended. The next one begins a new series, unless its group has failed.
    has_ended: bool,
    /// The length of the path of that group, until the task or group is seen again.
    returns: Option<usize>,
}

/// The decision on one failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tell {
    Whole,
    /// The failure, and how often it has occurred.
    Again(Often),
    Nothing,
}

#[cfg(any(feature = "logging", feature = "tracing", test))]
impl<K> Default for Repeats<K> {
    fn default() -> Self {
        Self { streaks: HashMap::new(), ended: 0, look_at: ENDED }
    }
}

#[cfg(any(feature = "logging", feature = "tracing", test))]
impl<K: Hash + Eq + Borrow<str>> Repeats<K> {
    /// Decides on a failure of a group with this text. The children that ended with it go on with their series.
    pub(crate) fn group_failed(&mut self, path: K, text: &str, now: SystemTime) -> Tell {
        if self.ended > 0 {
            let group = path.borrow();
            self.streaks.retain(|child, streak| !is_within(child.borrow(), group) || streak.may_go_on(group.len()));
        }
        let streak = self.streaks.entry(path).or_insert_with(|| Streak::new(text, now));
        let tell = streak.failed(text, now);
        #[cfg(feature = "logging")]
        {
            streak.of_group = true;
        }
        tell
    }

    /// Notes that a task or group has ended.
    pub(crate) fn ended(&mut self, path: &str, now: SystemTime) {
        if let Some(streak) = self.streaks.get_mut(path) {
            (streak.has_ended, streak.returns) = (true, None);
            self.one_has_ended(now);
        }
    }

    fn one_has_ended(&mut self, now: SystemTime) {
        self.ended += 1;
        if self.ended < self.look_at {
            return;
        }
        self.streaks.retain(|_, streak| !streak.has_ended || !streak.is_late(now));
        self.ended = self.streaks.values().filter(|streak| streak.has_ended).count();
        self.look_at = ENDED.max(2 * self.ended);
    }

    /// Returns `true` if a task or group is in a group that keeps failing with the same text. Its children begin and end
    /// with it each time, which is not written.
    pub(crate) fn is_within_quiet(&self, path: &str, now: SystemTime) -> bool {
        let ends = path.rmatch_indices('/').map(|(end, _)| end);
        ends.filter_map(|end| self.streaks.get(&path[..end])).any(|streak| streak.is_still_quiet(now))
    }
}

/// Returns `true` if the path is one in this group.
#[cfg(any(feature = "logging", feature = "tracing", test))]
fn is_within(path: &str, group: &str) -> bool {
    path.strip_prefix(group).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(any(all(feature = "controller", any(feature = "logging", feature = "tracing")), test))]
impl<K: Hash + Eq + Borrow<str>> Repeats<K> {
    /// Decides on a rejection by a slot with this reason. Nothing tells that the rejections of a slot are over, so those of
    /// slots that have not rejected for long are forgotten as slots are added.
    pub(crate) fn rejected(&mut self, slot: &K, reason: &str, now: SystemTime) -> Tell
    where
        K: Clone,
    {
        if let Some(streak) = self.streaks.get_mut(slot.borrow()) {
            return streak.failed(reason, now);
        }
        if self.streaks.len() >= self.look_at {
            self.streaks.retain(|_, streak| !streak.is_late(now));
            self.look_at = ENDED.max(2 * self.streaks.len());
        }
        self.streaks.entry(slot.clone()).or_insert_with(|| Streak::new(reason, now)).failed(reason, now)
    }
}

#[cfg(any(feature = "logging", test))]
impl<K: Hash + Eq + Borrow<str>> Repeats<K> {
    /// Decides on a failure of a task with this text.
    pub(crate) fn failed(&mut self, path: K, text: &str, now: SystemTime) -> Tell {
        self.streaks.entry(path).or_insert_with(|| Streak::new(text, now)).failed(text, now)
    }

    /// Returns `true` if the attempts of the task are not written, because it keeps failing with the same text.
    pub(crate) fn is_quiet(&self, path: &str) -> bool {
        self.streaks.get(path).is_some_and(Streak::is_quiet)
    }

    /// Returns `true` if a group keeps failing with the same text, or one that it is in.
    pub(crate) fn is_quiet_group(&self, path: &str, now: SystemTime) -> bool {
        self.streaks.get(path).is_some_and(|streak| streak.is_still_quiet(now)) || self.is_within_quiet(path, now)
    }

    /// Notes that an attempt has become ready. Returns `true` if that is written: once after each failure that was
    /// written, because it can be a recovery.
    #[cfg(feature = "logging")]
    pub(crate) fn becomes_ready(&mut self, path: &str) -> bool {
        let Some(streak) = self.streaks.get_mut(path) else { return true };
        let was_ready = mem::replace(&mut streak.ready, true);
        !was_ready || streak.times < SINGLY
    }

    /// Notes that an attempt was requested to stop. That is no success, so the series goes on, unless the task had not
    /// failed for long.
    #[cfg(feature = "logging")]
    pub(crate) fn stopped(&mut self, path: &str, now: SystemTime) {
        if self.streaks.get(path).is_some_and(|streak| streak.is_over(now)) {
            self.streaks.remove(path);
        }
    }

    /// Forgets the tasks and groups that have not failed for long. Called when events were lost: these may have ended.
    #[cfg(feature = "logging")]
    pub(crate) fn forget_late(&mut self, now: SystemTime) {
        self.streaks.retain(|_, streak| !streak.is_late(now));
    }

    /// Forgets the groups: what ends from now on does not begin again.
    #[cfg(feature = "logging")]
    pub(crate) fn forget_groups(&mut self) {
        self.streaks.retain(|_, streak| !streak.of_group);
    }

    #[cfg(all(test, feature = "logging"))]
    pub(crate) fn knows(&self, path: &str) -> bool {
        self.streaks.contains_key(path)
    }

    /// Ends the series: the task has succeeded. Returns the number of failures, unless each was written.
    pub(crate) fn over(&mut self, path: &str) -> Option<Often> {
        self.streaks.remove(path).and_then(|streak| streak.over())
    }
}

#[cfg(feature = "tracing")]
impl Repeats<std::sync::Arc<str>> {
    /// Keeps the failures of a task that its group ends as it fails.
    pub(crate) fn keep(&mut self, path: &std::sync::Arc<str>, failures: Repeated, now: SystemTime) {
        if let Some(streak) = failures.0 {
            self.streaks.insert(std::sync::Arc::clone(path), Streak { has_ended: true, ..*streak });
            self.one_has_ended(now);
        }
    }

    /// Returns the failures of a task that its group has registered again.
    pub(crate) fn take(&mut self, path: &str) -> Repeated {
        Repeated(self.streaks.remove(path).filter(|streak| !streak.has_ended).map(Box::new))
    }
}

#[cfg(feature = "tracing")]
impl Repeated {
    /// Decides on a failure with this text.
    #[inline]
    pub(crate) fn failed(&mut self, text: &str, now: SystemTime) -> Tell {
        self.0.get_or_insert_with(|| Box::new(Streak::new(text, now))).failed(text, now)
    }

    /// Notes that an attempt was requested to stop. That is no success, so the series goes on, unless the task had not
    /// failed for long.
    pub(crate) fn stopped(&mut self, now: SystemTime) {
        self.0.take_if(|streak| streak.is_over(now));
    }

    /// Returns `true` if the task has not failed, or not since its last success.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
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
            changes: 0,
            before: 0,
            began: now,
            differ: None,
            #[cfg(feature = "logging")]
            ready: false,
            #[cfg(feature = "logging")]
            of_group: false,
            has_ended: false,
            returns: None,
        }
    }

    /// Notes that a group around it has failed. Returns `false` if it has not come back since that group, or one around
    /// that, had failed: the function of a fresh group makes other tasks each time.
    fn may_go_on(&mut self, group: usize) -> bool {
        if self.returns.is_some_and(|before| before <= group) {
            return false;
        }
        if self.has_ended || self.returns.is_some() {
            (self.has_ended, self.returns) = (false, Some(group));
        }
        true
    }

    #[allow(clippy::inline_always, reason = "a call takes 45 of the instructions that `tracing` adds to a restart")]
    #[inline(always)]
    fn failed(&mut self, text: &str, now: SystemTime) -> Tell {
        if &*self.text != text || self.has_ended || self.is_over(now) {
            if let Some(tell) = self.differs(text, now) {
                return tell;
            }
        }
        self.times += 1;
        (self.last, self.returns) = (now, None);
        if self.times > SINGLY && !is_told(self.times) {
            return Tell::Nothing;
        }
        #[cfg(feature = "logging")]
        {
            self.ready = false;
        }
        if self.times <= SINGLY { Tell::Whole } else { Tell::Again(self.often()) }
    }

    /// Begins a new series. If the texts have changed too often since the last success, the failure is counted instead.
    #[cold]
    fn differs(&mut self, text: &str, now: SystemTime) -> Option<Tell> {
        let is_over = self.has_ended || self.is_over(now);
        if is_over || self.changes < CHANGES {
            let row = if is_over { (0, 0, now) } else { (self.changes + 1, self.before + self.times, self.began) };
            *self = Self::new(text, now);
            (self.changes, self.before, self.began) = row;
            return None;
        }
        let told = self.differ.unwrap_or(self.since);
        // If the clock was set back, that was at an unknown time.
        let is_new = !now.duration_since(told).is_ok_and(|passed| passed < NEWS);
        self.differ = Some(if is_new { now } else { told });
        self.times += mem::take(&mut self.before) + 1;
        (self.since, self.last, self.returns) = (self.began, now, None);
        if !is_new {
            return Some(Tell::Nothing);
        }
        self.text = text.into();
        #[cfg(feature = "logging")]
        {
            self.ready = false;
        }
        Some(Tell::Again(self.often()))
    }

    fn is_quiet(&self) -> bool {
        self.times >= SINGLY && !self.has_ended
    }

    /// Like `is_quiet`, where no later attempt tells that the failures are over.
    #[cfg(any(feature = "logging", feature = "tracing", test))]
    fn is_still_quiet(&self, now: SystemTime) -> bool {
        self.is_quiet() && !self.is_over(now)
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
        Often { times: self.times, within: between(self.since, self.last), differ: self.differ.is_some() }
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

#[cfg(test)]
#[path = "repeats_test.rs"]
mod tests;
