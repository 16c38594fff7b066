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

    pub(super) fn start(&self) -> Instant {
        self.0
    }

    pub(super) fn now(&self) -> Ticks {
        self.at(Instant::now())
    }

    pub(super) fn at(&self, instant: Instant) -> Ticks {
        ticks(instant.saturating_duration_since(self.0))
    }

    /// The time of day; that of now for what is in the future.
    pub(super) fn time(&self, ticks: Ticks) -> SystemTime {
        let age = Duration::from_millis(u64::from(self.now().saturating_sub(ticks)) * 10);
        SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH)
    }
}

pub(super) fn ticks(time: Duration) -> Ticks {
    let ticks = time.as_secs().saturating_mul(100).saturating_add(u64::from(time.subsec_millis() / 10));
    Ticks::try_from(ticks).unwrap_or(Ticks::MAX)
}
