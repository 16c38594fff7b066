//! The limit of a group or task: a number of failures in a sliding window of time.

use std::collections::VecDeque;
use std::time::Duration;

/// The failures that still count, as times since a fixed origin. At most `max` are allowed within any span of `within`.
#[derive(Debug)]
pub(crate) struct Window {
    max: u32,
    within: Duration,
    hits: VecDeque<Duration>,
}

impl Window {
    pub(crate) fn new((max, within): (u32, Duration)) -> Self {
        Self { max, within, hits: VecDeque::new() }
    }

    /// Returns the number of failures that count.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.hits.len()).unwrap_or(u32::MAX)
    }

    /// Counts a failure. Returns `true` if the limit is exceeded.
    pub(crate) fn hit(&mut self, now: Duration) -> bool {
        while self.hits.front().is_some_and(|hit| now.saturating_sub(*hit) > self.within) {
            self.hits.pop_front();
        }
        self.hits.push_back(now);
        self.hits.len() > usize::try_from(self.max).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_max_are_allowed() {
        let second = Duration::from_secs(1);
        for max in 0..5 {
            let mut window = Window::new((max, second));
            for _ in 0..max {
                assert!(!window.hit(Duration::ZERO));
            }
            assert!(window.hit(second), "those at its very edge still count");
            assert!(!Window::new((1, second)).hit(Duration::ZERO));
        }
    }

    #[test]
    fn those_within_the_window_are_counted() {
        let second = Duration::from_secs(1);
        let mut window = Window::new((9, second));
        assert_eq!(window.count(), 0);
        for (at, count) in [(0, 1), (1, 2), (2, 2), (2, 3), (9, 1)] {
            window.hit(at * second);
            assert_eq!(window.count(), count, "at {at} s");
        }
    }

    #[test]
    fn the_window_slides() {
        let mut window = Window::new((1, Duration::from_secs(1)));
        for n in 0..100 {
            assert!(!window.hit(Duration::from_millis(2_100 * n)));
        }
    }
}
