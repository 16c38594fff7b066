//! The times of a lease, all parts of its time to live.

use std::time::Duration;

/// The times that follow from a time to live. With 15 s: a renewal every 5 s, the stop of work 9 s after the last good one
/// was sent, its end at 12 s, and others take over from 15 s.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) ttl: Duration,
}

impl Times {
    /// The time that is kept free at the end: for clocks that run unequally, and for work within one poll.
    pub(crate) fn margin(self) -> Duration {
        self.ttl / 5
    }

    /// The time that work has to clean up.
    pub(crate) fn clean_up(self) -> Duration {
        self.ttl / 5
    }

    /// The timeout of one call.
    pub(crate) fn call(self) -> Duration {
        self.ttl / 5
    }

    /// Returns how long a session is valid from the time at which its renewal was sent.
    pub(crate) fn validity(self) -> Duration {
        self.ttl.saturating_sub(self.margin())
    }

    /// The time between two renewals, and between two questions for a key that another owns.
    pub(crate) fn period(self) -> Duration {
        self.ttl / 3
    }
}
