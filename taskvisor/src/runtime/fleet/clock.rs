//! The clock of leases: Tokio's clock plus the time that the machine was suspended.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant as StdInstant, SystemTime};

use tokio::time::Instant;

use crate::fleet::StoreTime;
use crate::sync::lock;

/// A clock that also advances while the machine is suspended, and that follows the paused time of a test.
#[derive(Debug, Clone, Copy)]
pub(in crate::runtime) struct LeaseClock {
    origin: Instant,
    real: StdInstant,
    boot: Duration,
}

impl LeaseClock {
    pub(super) fn new() -> Self {
        let boot = since_boot();
        Self { origin: Instant::now(), real: StdInstant::now(), boot }
    }

    pub(super) fn now(&self) -> Duration {
        self.origin.elapsed() + self.suspended()
    }

    /// Returns the instant of Tokio's clock at which this clock shows that time, if the machine is not suspended until
    /// then.
    pub(super) fn instant(&self, at: Duration) -> Option<Instant> {
        self.origin.checked_add(at.saturating_sub(self.suspended()))
    }

    /// Returns the time that the machine was suspended. The boot time is read first, so that a pause between the two
    /// readings does not count.
    fn suspended(&self) -> Duration {
        /// Two readings cannot be of the same instant, so smaller differences are ignored.
        const NOISE: Duration = Duration::from_millis(10);
        let boot = since_boot().saturating_sub(self.boot);
        let suspended = boot.saturating_sub(self.real.elapsed());
        if suspended < NOISE { Duration::ZERO } else { suspended }
    }
}

/// The clock of the store: the time in its last answer, plus the time since then. It does not depend on the wall clock
/// of this host, which can be set.
#[derive(Debug)]
pub(in crate::runtime) struct StoreClock {
    clock: LeaseClock,
    /// The time of the store, and the local time at about the same instant. The lock is a leaf: nothing else is locked
    /// under it.
    read: Mutex<(StoreTime, Duration)>,
}

impl StoreClock {
    pub(super) fn new(clock: LeaseClock, read: (StoreTime, Duration)) -> Arc<Self> {
        Arc::new(Self { clock, read: Mutex::new(read) })
    }

    /// Sets the clock from an answer of the store.
    pub(super) fn set(&self, read: (StoreTime, Duration)) {
        *lock(&self.read) = read;
    }

    pub(in crate::runtime) fn now(&self) -> SystemTime {
        let (at, then) = *lock(&self.read);
        let since = at.since_unix().saturating_add(self.clock.now().saturating_sub(then));
        SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or(SystemTime::UNIX_EPOCH)
    }
}

/// Returns the time since the boot, including suspends. Zero on platforms where the clock of the standard library
/// includes suspends, or where no clock does.
fn since_boot() -> Duration {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    Duration::ZERO
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn follows_paused_time_and_counts_suspends() {
        let began = StdInstant::now();
        let mut clock = LeaseClock::new();
        tokio::time::advance(Duration::from_secs(3)).await;
        let running = clock.now();
        // As if the machine had been suspended for a minute.
        let Some(earlier) = clock.boot.checked_sub(Duration::from_secs(60)) else { return };
        clock.boot = earlier;
        let suspended = clock.now();
        let wait =
            clock.instant(suspended + Duration::from_secs(5)).map(|at| at.saturating_duration_since(Instant::now()));
        // Two readings of the real clocks differ by what this test itself took at most.
        let spent = began.elapsed();
        for (shown, expected) in [(Some(running), 3), (Some(suspended), 63), (wait, 5)] {
            let off = shown.map(|shown| shown.abs_diff(Duration::from_secs(expected)));
            assert!(off.is_some_and(|off| off <= spent), "{shown:?} instead of {expected} s, within {spent:?}");
        }
    }
}
