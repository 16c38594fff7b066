//! The pause after a failure.

use std::time::Duration;

/// The pause before a retry: exponential, capped, with jitter.
///
/// The delay after the `n`-th consecutive failure (counted from 0) is `first * factor^n`, at most `max`; then `jitter`
/// is applied. The count starts again after a success, and after an attempt that lived for
/// [`reset_after`](crate::TaskSpec::with_reset_after). A failure with a [delay of its
/// own](crate::TaskError::retry_after) does not count. The guide explains [restarts and
/// backoff](crate::guide::restarts), with the choice of a jitter.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use taskvisor::{BackoffPolicy, JitterPolicy};
///
/// let backoff = BackoffPolicy {
///     first: Duration::from_millis(200),
///     max: Duration::from_secs(1),
///     factor: 2.0,
///     jitter: JitterPolicy::None,
/// };
/// let delays: Vec<_> = (0..4).map(|n| backoff.next(n).as_millis()).collect();
/// assert_eq!(delays, [200, 400, 800, 1000]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BackoffPolicy {
    /// The delay after the first failure. Default: 100 ms.
    pub first: Duration,
    /// The longest delay. Default: 30 s. The delays grow towards it only with a `factor` above 1, or with
    /// [`JitterPolicy::Decorrelated`].
    pub max: Duration,
    /// The factor by which each further failure multiplies the delay. Default: 1.0, a constant delay.
    pub factor: f64,
    /// The random spread of the delay. Default: none.
    pub jitter: JitterPolicy,
}

impl Default for BackoffPolicy {
    #[inline]
    fn default() -> Self {
        Self {
            first: Duration::from_millis(100),
            max: Duration::from_secs(30),
            factor: 1.0,
            jitter: JitterPolicy::None,
        }
    }
}

/// The random spread of a delay, so that tasks that failed together do not retry together.
///
/// Start with [`Equal`](Self::Equal): a retry waits for at least half of the delay, and the retries of tasks that
/// failed at the same time are spread.
///
/// `delay` is the delay of the policy without jitter. `Full`, `Equal` and `Decorrelated` are named after Marc
/// Brooker's "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015); `Decorrelated` draws from the current
/// delay where that article draws from the previous one, so that it needs no state and respects `factor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum JitterPolicy {
    /// Exactly `delay`.
    #[default]
    None,
    /// Evenly from `[0, delay]`: the widest spread, half the delay on average.
    Full,
    /// Evenly from `[delay / 2, delay]`: three quarters of the delay on average. A good choice.
    Equal,
    /// Evenly from `[delay, delay * 3]`, then capped at `max`: twice the delay on average where the cap is far.
    Decorrelated,
}

impl BackoffPolicy {
    /// Returns the delay after the consecutive failure number `attempt`, counted from 0.
    ///
    /// The result is never above `max`. A `first` above `max` counts as `max`; a factor that is negative or NaN counts
    /// as 1. Results are rounded up to whole nanoseconds. If neither `first` nor `max` is zero, only
    /// [`JitterPolicy::Full`] can return zero.
    #[must_use]
    pub fn next(&self, attempt: u32) -> Duration {
        self.next_by(attempt, |low, high| fastrand::u128(low..=high))
    }

    /// Like `next`, with `draw` as the uniform random draw between `low` and `high`.
    #[inline]
    pub(crate) fn next_by(&self, attempt: u32, draw: impl FnOnce(u128, u128) -> u128) -> Duration {
        let first = self.first.min(self.max);
        let stays = attempt == 0 || self.factor.to_bits() == 1.0_f64.to_bits();
        if stays && self.jitter == JitterPolicy::None { first } else { self.drawn(first, attempt, draw) }
    }

    #[inline(never)]
    fn drawn(&self, first: Duration, attempt: u32, draw: impl FnOnce(u128, u128) -> u128) -> Duration {
        let draw = |low, high| if low >= high { low } else { draw(low, high) };
        let base = first.as_nanos();
        let max = self.max.as_nanos();
        let delay = grow(base, self.factor, attempt, max);
        let drawn = match self.jitter {
            JitterPolicy::None => delay,
            JitterPolicy::Full => draw(0, delay),
            JitterPolicy::Equal => draw(delay.div_ceil(2), delay),
            JitterPolicy::Decorrelated => draw(delay, delay.saturating_mul(3)).min(max),
        };
        from_nanos(drawn)
    }
}

/// `base * factor^attempt` in nanoseconds, rounded up, between 1 and `max` unless `base` is zero.
fn grow(base: u128, factor: f64, attempt: u32, max: u128) -> u128 {
    let factor = if factor >= 0.0 { factor } else { 1.0 };
    // Exact where no multiplication is needed: an `f64` holds whole nanoseconds up to 104 days only.
    if base == 0 || attempt == 0 || factor.to_bits() == 1.0_f64.to_bits() {
        return base;
    }
    #[expect(clippy::cast_precision_loss, reason = "52 bits are enough for a delay that is multiplied")]
    let grown = base as f64 * factor.powf(f64::from(attempt));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates, and it is positive")]
    let nanos = grown.ceil() as u128;
    nanos.clamp(1.min(max), max)
}

pub(super) fn from_nanos(nanos: u128) -> Duration {
    const PER_SECOND: u128 = 1_000_000_000;
    let seconds = u64::try_from(nanos / PER_SECOND).unwrap_or(u64::MAX);
    let rest = u32::try_from(nanos % PER_SECOND).unwrap_or(0);
    Duration::new(seconds, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn each_jitter_draws_from_its_range_from_the_first_failure_on() {
        let delays = |jitter, attempt| {
            let backoff = BackoffPolicy { first: SECOND, max: 4 * SECOND, factor: 2.0, jitter };
            [backoff.next_by(attempt, |low, _| low), backoff.next_by(attempt, |_, high| high)].map(|it| it.as_millis())
        };
        for (jitter, first, second) in [
            (JitterPolicy::None, [1000, 1000], [2000, 2000]),
            (JitterPolicy::Full, [0, 1000], [0, 2000]),
            (JitterPolicy::Equal, [500, 1000], [1000, 2000]),
            (JitterPolicy::Decorrelated, [1000, 3000], [2000, 4000]),
        ] {
            assert_eq!([delays(jitter, 0), delays(jitter, 1)], [first, second], "{jitter:?}");
        }
        let at_its_cap = BackoffPolicy { first: SECOND, max: SECOND, factor: 1.0, jitter: JitterPolicy::Full };
        assert_eq!(at_its_cap.next_by(0, |low, high| high - low), SECOND);
    }

    #[test]
    fn a_first_delay_is_exact_and_zero_stays_zero() {
        // More than 53 bits of nanoseconds.
        let first = Duration::new(1 << 40, 1);
        for factor in [2.0, 1.0] {
            let backoff = BackoffPolicy { first, max: Duration::MAX, factor, jitter: JitterPolicy::Equal };
            assert_eq!(backoff.next_by(0, |_, high| high), first);
        }
        let none = BackoffPolicy { first: Duration::ZERO, factor: 2.0, ..BackoffPolicy::default() };
        assert_eq!(none.next(3), Duration::ZERO);
        let constant = BackoffPolicy { first, max: Duration::MAX, factor: 1.0, jitter: JitterPolicy::Equal };
        assert_eq!(constant.next_by(3, |_, high| high), first);
    }
}
