//! The clock of events and snapshots.

use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Returns the current time. From the first call on, it follows Tokio's clock, which can be paused.
pub(crate) fn now() -> SystemTime {
    static START: LazyLock<(SystemTime, Instant)> = LazyLock::new(|| (SystemTime::now(), Instant::now()));

    let (time, start) = *START;
    let now = tokio::time::Instant::now().into_std();
    match now.checked_duration_since(start) {
        Some(since) => time + since,
        None => time.checked_sub(start - now).unwrap_or(UNIX_EPOCH),
    }
}
