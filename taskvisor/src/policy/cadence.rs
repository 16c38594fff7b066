//! The fixed rate of `every`.

use std::time::Duration;

/// How long to wait for the next tick of a fixed rate, when an attempt `started` and `ended` that long after the first
/// tick. Ticks that passed while the attempt ran are skipped; the one that falls due just now is not.
pub(crate) fn next_tick(every: Duration, started: Duration, ended: Duration) -> Duration {
    let period = every.as_nanos().max(1);
    let (started, ended) = (started.as_nanos(), ended.as_nanos());
    let next = (started / period + 1).max(ended.div_ceil(period));
    let wait = next.saturating_mul(period).saturating_sub(ended);
    Duration::from_nanos(u64::try_from(wait).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_to_the_grid_and_skips_what_was_missed() {
        let ms = Duration::from_millis;
        for (started, ended, wait) in [
            (0, 300, 700),
            (0, 0, 1000),
            (0, 1000, 0),
            (1000, 1300, 700),
            (2000, 4500, 500),
            (2000, 5000, 0),
            (1001, 1301, 699),
            (1500, 1600, 400),
        ] {
            assert_eq!(next_tick(ms(1000), ms(started), ms(ended)), ms(wait), "{started} to {ended}");
        }
    }

    #[test]
    fn is_total() {
        for every in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
            for at in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
                let _ = next_tick(every, Duration::ZERO, at);
                let _ = next_tick(every, at, at);
            }
        }
    }
}
