//! How the grace is shared by the layers that stop one after another.

use std::time::Duration;

/// The most that is kept for one layer.
const RESERVE: Duration = Duration::from_secs(1);

/// How long a layer may take to stop: what is left of the grace, but for a reserve of min(1 s, grace / 10) for each layer
/// after it, in all at most half of what is left.
pub(super) fn share(left: Duration, grace: Duration, layers_after: u32) -> Duration {
    let reserve = RESERVE.min(grace / 10).saturating_mul(layers_after);
    left.saturating_sub(reserve.min(left / 2))
}

/// How long a task of that layer may take: a `stop_timeout` of its own is kept whole, as long as the grace lasts.
pub(super) fn of_task(share: Duration, left: Duration, stop_timeout: Option<Duration>) -> Duration {
    stop_timeout.map_or(share, |timeout| timeout.min(left))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn a_layer_has_all_but_the_reserve_of_those_after_it() {
        assert_eq!(share(secs(9), secs(9), 0), secs(9));
        assert_eq!(share(secs(9), secs(9), 2), Duration::from_millis(7_200));
        assert_eq!(share(secs(60), secs(60), 2), secs(58), "a second for each at most");
        assert_eq!(share(secs(3), secs(60), 1), secs(2));
    }

    #[test]
    fn the_reserves_are_at_most_half_of_what_is_left() {
        assert_eq!(share(secs(10), secs(10), 2_000), secs(5));
        assert_eq!(share(secs(1), secs(60), 3), Duration::from_millis(500));
        assert_eq!(share(Duration::ZERO, secs(60), 3), Duration::ZERO);
        assert_eq!(share(Duration::MAX, Duration::MAX, 1), secs(u64::MAX - 1) + Duration::from_nanos(999_999_999));
    }

    #[test]
    fn an_explicit_stop_timeout_is_kept_whole_while_the_grace_lasts() {
        assert_eq!(of_task(secs(7), secs(9), Some(secs(8))), secs(8));
        assert_eq!(of_task(secs(7), secs(9), Some(secs(10))), secs(9));
        assert_eq!(of_task(secs(7), secs(9), Some(secs(2))), secs(2));
        assert_eq!(of_task(secs(7), secs(9), None), secs(7));
    }
}
