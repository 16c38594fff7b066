//! A coarse clock, for times that are shown to people.

use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::inspect::now;
use crate::sync::lock;

/// A time since the supervisor was built: hundredths of a second in the first 248 days, whole seconds after that, for
/// 68 years. It increases monotonically with the time. [`Ticks::MAX`] means no time.
pub(super) type Ticks = u32;

/// From this value on, a tick is a second.
const COARSE: Ticks = 1 << 31;
const COARSE_AFTER: Duration = Duration::from_millis(COARSE as u64 * 10);

/// The time of day for a tick stays the same unless the clock of the host moves by more than this.
const STEADY: Duration = Duration::from_millis(50);

/// One late timer in this time is told.
const LATE_TIMERS: Duration = Duration::from_secs(60);

pub(crate) struct Clock {
    start: Instant,
    /// The time of day of the start, by the host's clock after its last move.
    ///
    /// The lock is a leaf: nothing else is locked, and no user code runs, under it, so it cannot deadlock.
    day: Mutex<SystemTime>,
    /// The last late timer that was told; a leaf too.
    late: Mutex<Option<Instant>>,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self { start: Instant::now(), day: Mutex::new(now()), late: Mutex::default() }
    }

    /// Returns `true` for the first late timer in a minute: if the host was suspended, many are late at once.
    pub(super) fn tells_late_timer(&self) -> bool {
        let (mut late, now) = (lock(&self.late), Instant::now());
        let tells = late.is_none_or(|last| now.saturating_duration_since(last) >= LATE_TIMERS);
        if tells {
            *late = Some(now);
        }
        tells
    }

    pub(super) fn now(&self) -> Ticks {
        self.at(Instant::now())
    }

    /// Returns the exact time since the supervisor was built.
    #[cfg(feature = "controller")]
    pub(super) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Returns the instant of a time since the supervisor was built; `None` if it is too far away.
    #[cfg(feature = "controller")]
    pub(super) fn checked_instant(&self, elapsed: Duration) -> Option<Instant> {
        self.start.checked_add(elapsed)
    }

    pub(super) fn at(&self, instant: Instant) -> Ticks {
        ticks(instant.saturating_duration_since(self.start))
    }

    /// Returns the instant of these ticks, rounded down.
    pub(super) fn instant(&self, ticks: Ticks) -> Instant {
        self.start + duration(ticks)
    }

    /// Returns the time of day; the current time for [`Ticks::MAX`].
    pub(super) fn time(&self, ticks: Ticks) -> SystemTime {
        if ticks == Ticks::MAX {
            return now();
        }
        let start = now().checked_sub(self.start.elapsed()).unwrap_or(SystemTime::UNIX_EPOCH);
        let mut day = lock(&self.day);
        let moved = day.duration_since(start).unwrap_or_else(|error| error.duration());
        if moved > STEADY {
            *day = start;
        }
        day.checked_add(duration(ticks)).unwrap_or(*day)
    }
}

/// Returns the time `after` these ticks.
pub(super) fn after(now: Ticks, time: Duration) -> Ticks {
    ticks(duration(now).saturating_add(time))
}

fn ticks(time: Duration) -> Ticks {
    match time.checked_sub(COARSE_AFTER) {
        None => {
            let hundredths = time.as_secs() * 100 + u64::from(time.subsec_millis() / 10);
            Ticks::try_from(hundredths).unwrap_or(COARSE)
        }
        Some(more) => Ticks::try_from(more.as_secs()).unwrap_or(COARSE).saturating_add(COARSE).min(Ticks::MAX - 1),
    }
}

fn duration(ticks: Ticks) -> Duration {
    match ticks.checked_sub(COARSE) {
        None => Duration::from_millis(u64::from(ticks) * 10),
        Some(more) => COARSE_AFTER + Duration::from_secs(u64::from(more)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn o13_a_late_timer_is_told_again_after_a_minute() {
        let (clock, mut told) = (Clock::new(), Vec::new());
        for wait in [0, 59_999, 1, 59_999, 1] {
            tokio::time::advance(Duration::from_millis(wait)).await;
            told.push(clock.tells_late_timer());
        }
        assert_eq!(told, [true, false, true, false, true]);
    }

    #[test]
    fn k5i_the_clock_goes_on_for_decades() {
        const DAY: u64 = 86_400;
        let mut last = 0;
        for day in [0, 1, 100, 247, 248, 249, 250, 497, 498, 1_000, 10_000, 24_000] {
            let time = Duration::from_secs(day * DAY + 3);
            let at = ticks(time);
            assert!(day == 0 || at > last, "{day}");
            last = at;
            assert!(duration(at).abs_diff(time) < Duration::from_secs(1), "{day}");
            let later = after(at, Duration::from_secs(DAY));
            assert!(duration(later).abs_diff(time + Duration::from_secs(DAY)) < Duration::from_secs(2), "{day}");
        }
        assert!(ticks(Duration::MAX) < Ticks::MAX && after(last, Duration::MAX) < Ticks::MAX);
    }
}
