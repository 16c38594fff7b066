//! The ticks of a fixed rate, which the option `every` sets.

use std::time::Duration;

use super::backoff::from_nanos;

/// The largest delay that is attributed to the resolution of timers. An attempt that starts later is none of its tick:
/// a retry, or one that was triggered or resumed.
const LATE: Duration = Duration::from_millis(5);

/// The times of one attempt at a fixed rate, since the first tick.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticks {
    /// The tick at which the attempt was due.
    pub(crate) due: Duration,
    pub(crate) started: Duration,
    pub(crate) ended: Duration,
}

impl Ticks {
    /// Returns the tick of the next attempt, which may be in the past. Ticks that passed during the attempt are
    /// skipped.
    ///
    /// A start that is late by no more than the resolution of timers counts from its tick, so that the rate is kept for
    /// periods of any length.
    pub(crate) fn next(self, every: Duration) -> Duration {
        let period = every.as_nanos().max(1);
        let (due, started) = (self.due.as_nanos(), self.started.as_nanos());
        let is_punctual = started >= due && started - due <= LATE.as_nanos();
        let counted = if is_punctual { due } else { started };
        let ended = counted + self.ended.as_nanos().saturating_sub(started);
        let next = (counted / period + 1).max(ended.div_ceil(period)).saturating_mul(period);
        from_nanos(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(every: Duration, due: Duration, started: Duration, ended: Duration) -> Duration {
        Ticks { due, started, ended }.next(every).saturating_sub(ended)
    }

    #[test]
    fn keeps_to_the_grid_and_skips_what_was_missed() {
        let ms = Duration::from_millis;
        for (due, started, ended, expected) in [
            (0, 0, 300, 700),
            (0, 0, 0, 1000),
            (0, 0, 1000, 0),
            (1000, 1000, 1000, 1000),
            (1000, 1000, 1300, 700),
            (2000, 2000, 4500, 500),
            (2000, 2000, 5000, 0),
            (1000, 1001, 1301, 699),
            (1000, 1500, 1600, 400),
            // A late timer: the run counts from its tick.
            (0, 4, 1004, 0),
            // An early trigger does not shift the grid.
            (5000, 4200, 4300, 700),
            // After a failure and its backoff.
            (0, 2300, 2400, 600),
            // A tick passed during a retry, and during an attempt that was triggered early.
            (0, 1500, 2100, 900),
            (2000, 1500, 2100, 900),
            // After a suspend of the machine there is no burst.
            (3000, 3_600_005_000, 3_600_005_100, 900),
        ] {
            assert_eq!(wait(ms(1000), ms(due), ms(started), ms(ended)), ms(expected), "{started} to {ended}");
        }
    }

    #[test]
    fn k5h_a_short_period_keeps_its_rate_with_timers_that_are_late() {
        let ms = Duration::from_millis(1);
        let late = Duration::from_micros(1_050);
        let (mut due, mut now, mut starts) = (Duration::ZERO, Duration::ZERO, 0);
        while now < Duration::from_secs(1) {
            let started = now;
            starts += 1;
            now += Duration::from_micros(10);
            due = Ticks { due, started, ended: now }.next(ms);
            // A tick in the past begins at once; timers fire late.
            now = if due <= now { now } else { due + late };
        }
        assert!((995..=1005).contains(&starts), "{starts}");
    }

    #[test]
    fn is_total() {
        for every in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
            for at in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
                let _ = Ticks { due: Duration::ZERO, started: Duration::ZERO, ended: at }.next(every);
                let _ = Ticks { due: at, started: at, ended: at }.next(every);
                let _ = Ticks { due: at, started: Duration::ZERO, ended: at }.next(every);
            }
        }
    }
}
