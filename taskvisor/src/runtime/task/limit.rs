//! The limits of an attempt: its timeout, its start timeout and its watchdog.

use std::time::Duration;

use crate::task::TaskError;

/// A limit that an attempt has exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::runtime) enum Exceeded {
    /// The timeout or the start timeout.
    Timeout(Duration),
    /// The watchdog.
    Watchdog(Duration),
}

impl Default for Exceeded {
    fn default() -> Self {
        Self::Timeout(Duration::ZERO)
    }
}

impl Exceeded {
    pub(in crate::runtime) fn limit(self) -> Duration {
        let (Self::Timeout(limit) | Self::Watchdog(limit)) = self;
        limit
    }

    pub(in crate::runtime) fn into_error(self) -> TaskError {
        match self {
            Self::Timeout(timeout) | Self::Watchdog(timeout) => TaskError::Timeout { timeout },
        }
    }
}
