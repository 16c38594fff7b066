//! The reason of a stop request.

use std::fmt;
use std::sync::Arc;

use crate::tree::FailureChain;

/// The reason why an attempt or a task is requested to stop, in ascending rank. A later request replaces the reason
/// only if its rank is higher.
///
/// An attempt reads it from [`TaskContext::cancelled`](crate::TaskContext::cancelled) and
/// [`TaskContext::stop_reason`](crate::TaskContext::stop_reason). It is also in
/// [`TaskOutcome::Canceled`](crate::TaskOutcome::Canceled), in the event
/// [`TaskStopped`](crate::EventKind::TaskStopped), and in the span of the attempt. The guide explains
/// [stopping](crate::guide::stopping).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum StopReason {
    /// The attempt has ended by itself. Only code that outlives its attempt reads this.
    Ended,
    /// The attempt exceeded its timeout.
    Timeout,
    /// The attempt was not ready within its start timeout.
    StartTimeout,
    /// The attempt sent no heartbeat for longer than its watchdog allows.
    Watchdog,
    /// A helper of the attempt panicked.
    HelperPanicked,
    /// [`TaskHandle::restart`](crate::TaskHandle::restart) was called.
    Restart,
    /// The task, or a group or slot above it, was paused with `pause_and_stop`, such as
    /// [`TaskHandle::pause_and_stop`](crate::TaskHandle::pause_and_stop). The next attempt begins after the pause.
    Paused,
    /// The lease of the task or of its group was lost or handed over: another replica of the
    /// [fleet](crate::guide::fleets) may own it from now on. [`TaskContext::lease_left`](crate::TaskContext) returns
    /// the time that the attempt has left.
    LeaseLost,
    /// A sibling failed, and the task is restarted with it.
    SiblingRestart {
        /// The path of the sibling that failed first.
        failed: Arc<String>,
    },
    /// The group of the task stops or restarts.
    GroupStopped,
    /// The group of the task has failed, and stops. If the group restarts, it registers the task again; otherwise the
    /// task ends with the group.
    GroupFailed {
        /// The failure, from the leaf to the group.
        chain: Arc<FailureChain>,
    },
    /// A newer submission replaces the task in its slot, or a newer spec of the same name replaces it.
    Replaced,
    /// The task was canceled, by name or through its handle.
    Canceled,
    /// [`remove_task`](crate::SupervisorHandle::remove_task) was called.
    Removed,
    /// The last owner of the supervisor was dropped.
    Dropped,
    /// The supervisor shuts down.
    Shutdown,
}

/// The kind of a [`StopReason`], without its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum StopKind {
    Timeout,
    StartTimeout,
    Watchdog,
    HelperPanicked,
    Restart,
    Paused,
    #[cfg_attr(not(feature = "fleet"), expect(dead_code, reason = "there are no leases"))]
    LeaseLost,
    SiblingRestart,
    GroupStopped,
    GroupFailed,
    Replaced,
    Canceled,
    Removed,
    Dropped,
    Shutdown,
}

impl StopKind {
    /// Returns the reason of this kind, unless it needs the failure of a group.
    #[inline]
    pub(crate) fn plain(self) -> Option<StopReason> {
        Some(match self {
            Self::Timeout => StopReason::Timeout,
            Self::StartTimeout => StopReason::StartTimeout,
            Self::Watchdog => StopReason::Watchdog,
            Self::HelperPanicked => StopReason::HelperPanicked,
            Self::Restart => StopReason::Restart,
            Self::Paused => StopReason::Paused,
            Self::LeaseLost => StopReason::LeaseLost,
            Self::GroupStopped => StopReason::GroupStopped,
            Self::Replaced => StopReason::Replaced,
            Self::Canceled => StopReason::Canceled,
            Self::Removed => StopReason::Removed,
            Self::Dropped => StopReason::Dropped,
            Self::Shutdown => StopReason::Shutdown,
            Self::SiblingRestart | Self::GroupFailed => return None,
        })
    }

    /// Returns the reason of this kind. `failed` returns the path of the sibling that failed, `chain` the failure of the
    /// group.
    pub(crate) fn reason(
        self,
        failed: impl FnOnce() -> Arc<String>,
        chain: impl FnOnce() -> Option<Arc<FailureChain>>,
    ) -> StopReason {
        match self.plain() {
            Some(plain) => plain,
            None if self == Self::SiblingRestart => StopReason::SiblingRestart { failed: failed() },
            None => chain().map_or(StopReason::GroupStopped, |chain| StopReason::GroupFailed { chain }),
        }
    }
}

impl StopReason {
    /// Returns a short, stable name of the reason, for metrics and logs.
    pub const fn as_label(&self) -> &'static str {
        self.texts().0
    }

    /// Returns the label and the text.
    const fn texts(&self) -> (&'static str, &'static str) {
        match self {
            Self::Ended => ("ended", "the attempt has ended"),
            Self::Timeout => ("timeout", "timeout"),
            Self::StartTimeout => ("start_timeout", "start timeout"),
            Self::Watchdog => ("watchdog", "watchdog"),
            Self::HelperPanicked => ("helper_panicked", "a helper panicked"),
            Self::Restart => ("restart", "restart"),
            Self::Paused => ("paused", "paused"),
            Self::LeaseLost => ("lease_lost", "the lease was lost"),
            Self::SiblingRestart { .. } => ("sibling_restart", "restart with"),
            Self::GroupStopped => ("group_stopped", "its group stops"),
            Self::GroupFailed { .. } => ("group_failed", "its group failed"),
            Self::Replaced => ("replaced", "replaced"),
            Self::Canceled => ("canceled", "canceled"),
            Self::Removed => ("removed", "removed"),
            Self::Dropped => ("dropped", "the supervisor was dropped"),
            Self::Shutdown => ("shutdown", "shutdown"),
        }
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.texts().1)?;
        match self {
            Self::SiblingRestart { failed } => write!(f, " `{failed}`"),
            Self::GroupFailed { chain } => write!(f, ": {chain}"),
            _ => Ok(()),
        }
    }
}
