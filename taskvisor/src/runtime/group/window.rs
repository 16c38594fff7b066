//! The limit of a group: a number of failures in a sliding window of time.

use std::collections::VecDeque;
use std::time::Duration;

/// Allows at most `max` failures within any span of `within`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) max: u32,
    pub(crate) within: Duration,
}

/// The failures that still count, as times since a fixed origin.
#[derive(Debug)]
pub(crate) struct Window {
    limit: Limit,
    hits: VecDeque<Duration>,
}

impl Window {
    pub(crate) fn new(limit: Limit) -> Self {
        Self { limit, hits: VecDeque::new() }
    }

    /// Counts a failure. Returns `true` if the limit is exceeded.
    pub(crate) fn hit(&mut self, now: Duration) -> bool {
        let within = self.limit.within;
        while self.hits.front().is_some_and(|hit| now.saturating_sub(*hit) > within) {
            self.hits.pop_front();
        }
        self.hits.push_back(now);
        self.hits.len() > usize::try_from(self.limit.max).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_max_are_allowed() {
        let second = Duration::from_secs(1);
        for max in 0..5 {
            let mut window = Window::new(Limit { max, within: second });
            for _ in 0..max {
                assert!(!window.hit(Duration::ZERO));
            }
            assert!(window.hit(second), "those at its very edge still count");
            assert!(!Window::new(Limit { max: 1, within: second }).hit(Duration::ZERO));
        }
    }

    #[test]
    fn the_window_slides() {
        let mut window = Window::new(Limit { max: 1, within: Duration::from_secs(1) });
        for n in 0..100 {
            assert!(!window.hit(Duration::from_millis(2_100 * n)));
        }
    }
}
