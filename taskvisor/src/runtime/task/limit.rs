//! The limits of an attempt: its timeout, its start timeout and its watchdog.

use std::time::Duration;

use crate::task::{StopKind, TaskError};

/// A limit that an attempt has exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::runtime) enum Exceeded {
    Timeout(Duration),
    StartTimeout(Duration),
    Watchdog(Duration),
}

impl Default for Exceeded {
    fn default() -> Self {
        Self::Timeout(Duration::ZERO)
    }
}

impl Exceeded {
    pub(in crate::runtime) fn limit(self) -> Duration {
        let (Self::Timeout(limit) | Self::StartTimeout(limit) | Self::Watchdog(limit)) = self;
        limit
    }

    pub(in crate::runtime) fn kind(self) -> StopKind {
        match self {
            Self::Timeout(_) => StopKind::Timeout,
            Self::StartTimeout(_) => StopKind::StartTimeout,
            Self::Watchdog(_) => StopKind::Watchdog,
        }
    }

    pub(in crate::runtime) fn into_error(self) -> TaskError {
        match self {
            Self::Timeout(timeout) => TaskError::Timeout { timeout },
            Self::StartTimeout(timeout) => TaskError::StartTimeout { timeout },
            Self::Watchdog(silence) => TaskError::Silent { silence },
        }
    }
}

/// Returns `true` if a timer fires so late that the attempt could not use its time: the host or the process was
/// suspended, or the runtime was blocked. The limit is then granted a second time.
pub(in crate::runtime) fn is_late(lateness: Duration, limit: Duration) -> bool {
    lateness > limit / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_has_its_time_its_reason_and_its_error() {
        let second = Duration::from_secs(1);
        for (exceeded, kind, message) in [
            (Exceeded::Timeout(second), StopKind::Timeout, "timed out after 1s"),
            (Exceeded::StartTimeout(second), StopKind::StartTimeout, "timed out after 1s, before it was ready"),
            (Exceeded::Watchdog(second), StopKind::Watchdog, "silent for 1s"),
        ] {
            assert_eq!((exceeded.limit(), exceeded.kind()), (second, kind));
            let error = exceeded.into_error();
            assert!(matches!(
                (kind, &error),
                (StopKind::Timeout, TaskError::Timeout { timeout: time })
                    | (StopKind::StartTimeout, TaskError::StartTimeout { timeout: time })
                    | (StopKind::Watchdog, TaskError::Silent { silence: time })
                if *time == second
            ));
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn o13_a_timer_is_late_by_more_than_half_of_its_limit() {
        let ms = Duration::from_millis;
        for (lateness, limit, expected) in [
            (0, 1000, false),
            (1, 1000, false),
            (500, 1000, false),
            (501, 1000, true),
            (3000, 1000, true),
            (3000, 86_400_000, false),
        ] {
            assert_eq!(is_late(ms(lateness), ms(limit)), expected, "{lateness} of {limit}");
        }
        assert!(!is_late(ms(u64::MAX), Duration::MAX) && is_late(Duration::MAX, Duration::MAX));
        assert!(!is_late(Duration::ZERO, Duration::from_nanos(1)));
    }
}
