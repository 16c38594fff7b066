//! A coarse clock, for what people look at.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// Hundredths of a second since the supervisor was built; enough for a year and more.
pub(super) type Ticks = u32;

pub(crate) struct Clock(Instant);

impl Clock {
    pub(super) fn new() -> Self {
        Self(Instant::now())
    }

    pub(super) fn now(&self) -> Ticks {
        self.at(Instant::now())
    }

    pub(super) fn at(&self, instant: Instant) -> Ticks {
        let since = instant.saturating_duration_since(self.0);
        Ticks::try_from(since.as_millis() / 10).unwrap_or(Ticks::MAX)
    }

    pub(super) fn after(&self, time: Duration) -> Ticks {
        self.now().saturating_add(Ticks::try_from(time.as_millis() / 10).unwrap_or(Ticks::MAX))
    }

    /// The time of day.
    pub(super) fn time(&self, ticks: Ticks) -> SystemTime {
        let age = Duration::from_millis(u64::from(self.now().saturating_sub(ticks)) * 10);
        SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH)
    }
}
