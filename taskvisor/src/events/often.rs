//! How often something has failed, in words.

use std::fmt;
use std::time::Duration;

/// The number of equal failures, or of those whose texts differ, and the time since the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Often {
    pub(super) times: u64,
    pub(super) within: Duration,
    pub(super) differ: bool,
}

impl Often {
    /// `after 512 failures in 5 min`
    pub(crate) fn recovered(self) -> String {
        format!("after {} failures in {}", self.times, Time(self.within))
    }
}

/// `same error, 512 times in 5 min`, or `errors that differ, 512 times in 5 min`
impl fmt::Display for Often {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let which = if self.differ { "errors that differ" } else { "same error" };
        write!(f, "{which}, {} times in {}", self.times, Time(self.within))
    }
}

/// A time in its largest unit, rounded down.
pub(super) struct Time(pub(super) Duration);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            0 => write!(f, "{} ms", self.0.as_millis()),
            seconds @ 1..120 => write!(f, "{seconds} s"),
            seconds @ 120..7_200 => write!(f, "{} min", seconds / 60),
            seconds @ 7_200..172_800 => write!(f, "{} h", seconds / 3_600),
            seconds => write!(f, "{} d", seconds / 86_400),
        }
    }
}
