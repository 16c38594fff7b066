//! The times of a lease. Each is a part of its time to live.

use std::time::Duration;

/// The times that follow from a time to live. With 15 s, a renewal is sent every 5 s. If renewals fail, work is
/// requested to stop 9 s after the last successful one was sent, and is dropped after 12 s; another replica takes over
/// from 15 s on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) ttl: Duration,
}

impl Times {
    /// The reserve at the end of a lease, for different rates of clocks and for work within one poll.
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

    /// The time between two renewals, and between two `acquire` calls for a key that another process owns.
    pub(crate) fn period(self) -> Duration {
        self.ttl / 3
    }
}
