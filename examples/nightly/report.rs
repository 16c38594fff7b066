//! The reports, and the time of the last one.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{fs, io};

#[derive(Debug, Default)]
pub(crate) struct Reports {
    state: Option<PathBuf>,
    made: AtomicU32,
    counted: AtomicU32,
}

impl Reports {
    pub(crate) fn new(state: Option<PathBuf>) -> Self {
        Self { state, ..Self::default() }
    }

    /// Makes the report of the day of this time. It is stored as the last one in the same step, so that it is neither
    /// lost nor made twice.
    pub(crate) fn make(&self, of: Option<SystemTime>) -> io::Result<()> {
        let day = of.unwrap_or_else(SystemTime::now);
        let seconds = day.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if let Some(state) = &self.state {
            let fresh = state.with_extension("new");
            fs::write(&fresh, seconds.to_string())?;
            fs::rename(fresh, state)?;
        }
        self.made.fetch_add(1, Ordering::Relaxed);
        println!("report: day {} after 1970", seconds / 86_400);
        Ok(())
    }

    pub(crate) fn count(&self) {
        self.counted.fetch_add(1, Ordering::Relaxed);
    }

    /// The numbers of reports and counts.
    #[cfg(all(test, feature = "test-util"))]
    pub(crate) fn numbers(&self) -> (u32, u32) {
        (self.made.load(Ordering::Relaxed), self.counted.load(Ordering::Relaxed))
    }

    /// The time of the last report, if one was stored.
    pub(crate) fn last(&self) -> Option<SystemTime> {
        let text = fs::read_to_string(self.state.as_ref()?).ok()?;
        Some(UNIX_EPOCH + Duration::from_secs(text.trim().parse().ok()?))
    }
}
