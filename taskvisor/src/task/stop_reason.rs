//! The reason of a stop request.

use std::fmt;

/// The reason of a stop request, in ascending rank. A later request replaces the reason only if its rank is higher.
///
/// An attempt reads it from [`TaskContext::stop_reason`](crate::TaskContext::stop_reason). The guide explains
/// [stopping](crate::guide::stopping).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum StopReason {
    /// The attempt exceeded its timeout, its start timeout or its watchdog.
    Timeout,
    /// A helper of the attempt panicked.
    HelperPanicked,
    /// [`TaskHandle::restart`](crate::TaskHandle::restart) was called.
    Restart,
    /// A sibling failed, and the task is restarted with it.
    SiblingRestart,
    /// Its group stops or restarts.
    GroupStopped,
    /// A newer submission replaces it in its slot.
    Replaced,
    /// It was canceled or removed, by name or through its handle.
    Canceled,
    /// The supervisor shuts down.
    Shutdown,
}

impl StopReason {
    /// Returns a short, stable name of the reason, for metrics and logs.
    pub const fn as_label(self) -> &'static str {
        self.texts().0
    }

    /// Returns the label and the text.
    const fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::Timeout => ("timeout", "a limit was exceeded"),
            Self::HelperPanicked => ("helper_panicked", "a helper panicked"),
            Self::Restart => ("restart", "restart"),
            Self::SiblingRestart => ("sibling_restart", "restart with a sibling"),
            Self::GroupStopped => ("group_stopped", "its group stops"),
            Self::Replaced => ("replaced", "replaced in its slot"),
            Self::Canceled => ("canceled", "canceled"),
            Self::Shutdown => ("shutdown", "shutdown"),
        }
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.texts().1)
    }
}
