//! How long an attempt may take to end.

use std::time::Duration;

/// How long the present attempt may take to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    /// No time at all.
    Now,
    Within(Duration),
    /// Until whoever told it to stop comes back and aborts it.
    Open,
}

impl Bound {
    pub(crate) fn within(time: Duration) -> Self {
        if time.is_zero() { Self::Now } else { Self::Within(time) }
    }

    /// The time that is left, where there is any and it is known.
    pub(in crate::engine) fn time(self) -> Option<Duration> {
        match self {
            Self::Within(time) => Some(time),
            Self::Now | Self::Open => None,
        }
    }

    pub(super) fn tighter(self, other: Self) -> Self {
        match (self, other) {
            (Self::Now, _) | (_, Self::Now) => Self::Now,
            (Self::Within(a), Self::Within(b)) => Self::Within(a.min(b)),
            (Self::Within(a), Self::Open) | (Self::Open, Self::Within(a)) => Self::Within(a),
            (Self::Open, Self::Open) => Self::Open,
        }
    }
}
