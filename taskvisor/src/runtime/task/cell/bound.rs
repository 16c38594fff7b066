//! The time limits of an attempt that is requested to stop.

use std::num::NonZeroU64;
use std::time::Duration;

use tokio::time::Instant;

use crate::runtime::timer::deadline;
use crate::supervisor::StopLimit;

/// The time that an attempt has to end after a stop request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bound {
    /// Zero aborts at once, the maximum sets no deadline.
    pub(in crate::runtime) time: TimeLeft,
    /// The limit that an aborted attempt exceeded.
    pub(in crate::runtime) limit: StopLimit,
}

impl Bound {
    /// A bound without a deadline: the requester of the stop aborts the attempt later.
    pub(in crate::runtime) const OPEN: Self = Self { time: TimeLeft::MAX, limit: StopLimit::Grace };

    pub(in crate::runtime) const fn now(limit: StopLimit) -> Self {
        Self { time: TimeLeft::ZERO, limit }
    }

    pub(crate) fn within(time: Duration, limit: StopLimit) -> Self {
        Self { time: time.into(), limit }
    }

    #[inline]
    pub(in crate::runtime) fn is_now(self) -> bool {
        self.time == TimeLeft::ZERO
    }
}

/// The time until a deadline, in eight bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::runtime) struct TimeLeft(NonZeroU64);

impl TimeLeft {
    pub(in crate::runtime) const ZERO: Self = Self(NonZeroU64::MIN);
    pub(in crate::runtime) const MAX: Self = Self(NonZeroU64::MAX);

    /// Returns the time. No `From`, which the compiler would offer for any wrong `Duration` of a program.
    pub(in crate::runtime) fn time(self) -> Duration {
        if self == Self::MAX { Duration::MAX } else { Duration::from_nanos(self.0.get() - 1) }
    }

    /// Returns the instant at which the time is over, if that is in the future.
    #[inline]
    pub(in crate::runtime) fn deadline(self) -> Option<Instant> {
        if self == Self::ZERO || self == Self::MAX { None } else { deadline(self.time()) }
    }
}

impl From<Duration> for TimeLeft {
    /// 584 years or more become [`TimeLeft::MAX`], no deadline.
    fn from(time: Duration) -> Self {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        Self(NonZeroU64::MIN.saturating_add(nanos))
    }
}

/// The deadlines of a stop: the end of the layer's share, and the end of the whole stop, until which a task with its
/// own `stop_timeout` may run. `None` means no deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StopBy {
    share: Option<Instant>,
    end: Option<Instant>,
    /// The limit that a task exceeds at the end of the share.
    limit: StopLimit,
}

impl StopBy {
    /// Returns a stop that may use all of this time from now on.
    pub(crate) fn within(time: Duration) -> Self {
        let end = deadline(time);
        Self { share: end, end, limit: StopLimit::Grace }
    }

    /// Returns a stop without any time.
    pub(crate) fn now(limit: StopLimit) -> Self {
        let now = Some(Instant::now());
        Self { share: now, end: now, limit }
    }

    /// Returns `true` if no time is left.
    pub(in crate::runtime) fn is_over(&self, now: Instant) -> bool {
        self.end.is_some_and(|end| end <= now)
    }

    /// Returns the share of one layer if `later` layers stop after it: the time that is left, minus a reserve for each
    /// later layer. The reserve is the smaller of 1 s and a tenth of `grace`; all reserves together take at most half
    /// of the time that is left.
    pub(in crate::runtime) fn share(self, now: Instant, below: u32, grace: Duration) -> Self {
        let (Some(share), true) = (self.share, below > 0) else { return self };
        let left = share.saturating_duration_since(now);
        let reserve = (grace / 10).min(Duration::from_secs(1)).saturating_mul(below).min(left / 2);
        Self { share: Some(share - reserve), end: self.end, limit: StopLimit::Share }
    }

    /// Returns the bound of a task that is requested to stop now.
    pub(in crate::runtime) fn bound(self, now: Instant, stop_timeout: Option<Duration>) -> Bound {
        let left = |at: Option<Instant>| at.map(|at| at.saturating_duration_since(now));
        // A task that runs until the end of the stop has exceeded the grace, not only its share.
        let limit_of_end = if self.limit == StopLimit::Share { StopLimit::Grace } else { self.limit };
        match (stop_timeout, left(self.end), left(self.share)) {
            (Some(timeout), Some(end), _) if end <= timeout => Bound::within(end, limit_of_end),
            (Some(timeout), ..) => Bound::within(timeout, StopLimit::StopTimeout),
            (None, _, Some(share)) => Bound::within(share, self.limit),
            (None, _, None) => Bound::OPEN,
        }
    }

    /// Returns the earlier of two deadlines.
    pub(in crate::runtime) fn sooner(self, other: Self) -> Self {
        let ends = |by: &Self| (by.end.is_none(), by.end);
        if ends(&other) < ends(&self) { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn left(by: StopBy, now: Instant) -> Duration {
        by.share.unwrap() - now
    }

    fn all(now: Instant, time: Duration) -> StopBy {
        StopBy { share: Some(now + time), end: Some(now + time), limit: StopLimit::Grace }
    }

    #[test]
    fn k6a_a_layer_leaves_a_reserve_for_each_after_it() {
        let now = Instant::now();
        let by = all(now, 9 * SECOND);
        assert_eq!(left(by.share(now, 0, 9 * SECOND), now), 9 * SECOND);
        assert_eq!(left(by.share(now, 2, 9 * SECOND), now), Duration::from_millis(7_200));
        // The reserve is at most one second for each later layer, and at most half of the time in total.
        assert_eq!(left(all(now, 60 * SECOND).share(now, 3, 60 * SECOND), now), 57 * SECOND);
        assert_eq!(left(all(now, 60 * SECOND).share(now, 2_000, 60 * SECOND), now), 30 * SECOND);
    }

    #[test]
    fn k6a_an_inner_group_divides_its_share() {
        let now = Instant::now();
        let outer = all(now, 9 * SECOND).share(now, 1, 9 * SECOND);
        assert_eq!(left(outer.share(now, 1, 9 * SECOND), now), Duration::from_millis(7_200));
    }

    #[test]
    fn k6a_what_was_said_is_kept_as_long_as_the_grace_lasts() {
        let now = Instant::now();
        let by = all(now, 9 * SECOND).share(now, 2, 9 * SECOND);
        assert_eq!(by.bound(now, Some(8 * SECOND)), Bound::within(8 * SECOND, StopLimit::StopTimeout));
        assert_eq!(by.bound(now, Some(10 * SECOND)), Bound::within(9 * SECOND, StopLimit::Grace));
        assert_eq!(by.bound(now, Some(Duration::ZERO)), Bound::now(StopLimit::StopTimeout));
        assert_eq!(by.bound(now, None), Bound::within(Duration::from_millis(7_200), StopLimit::Share));
        assert_eq!(StopBy::within(Duration::MAX).bound(now, None), Bound::OPEN);
    }

    #[test]
    fn k6a_the_sooner_of_two_requests_stands() {
        let now = Instant::now();
        let (short, long, never) = (all(now, SECOND), all(now, 2 * SECOND), StopBy::within(Duration::MAX));
        for (a, b) in [(short, long), (long, short), (short, never), (never, short)] {
            assert_eq!(a.sooner(b), short);
        }
    }
}
