//! The CPU time and memory of the process.

use std::fs;
use std::time::{Duration, Instant};

/// The CPU time of the process so far.
#[cfg(unix)]
fn cpu() -> Duration {
    use rustix::time::{ClockId, clock_gettime};

    let time = clock_gettime(ClockId::ProcessCPUTime);
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or_default(), nanos.unwrap_or_default())
}

/// It is not available on this system.
#[cfg(not(unix))]
fn cpu() -> Duration {
    Duration::ZERO
}

/// The resident memory of the process in MiB; `None` on systems without `/proc`.
pub(crate) fn memory() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib / 1024.0)
}

/// Measures from one line to the next.
pub(crate) struct Meter {
    at: Instant,
    cpu: Duration,
}

impl Meter {
    pub(crate) fn start() -> Self {
        Self { at: Instant::now(), cpu: cpu() }
    }

    /// The part of one core that the process has used since the last call, in percent.
    pub(crate) fn percent(&mut self) -> f64 {
        let now = Self::start();
        let (wall, used) = (now.at - self.at, now.cpu.saturating_sub(self.cpu));
        *self = now;
        100.0 * used.as_secs_f64() / wall.as_secs_f64()
    }
}
