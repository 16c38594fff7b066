//! The options of what runs once in a fleet.

use std::sync::Arc;

use crate::policy::Overrides;

/// How a task or group runs once in a fleet. All of it is set by `TaskSpec`, `Group` and the macros.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Singleton {
    /// The key, if it is not the path.
    pub(crate) key: Option<Arc<str>>,
    pub(crate) standby: Standby,
    pub(crate) overrun: Overrun,
    pub(crate) ticks: Ticks,
}

impl Overrides {
    /// Returns the options of the singleton that the task or group is from now on.
    pub(crate) fn singleton_mut(&mut self) -> &mut Singleton {
        Arc::make_mut(self.singleton.get_or_insert_default().get_or_insert_default())
    }
}

/// When a run of a periodic singleton is marked in the store as done, so that no replica begins it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Ticks {
    /// Before its first attempt: each tick has at most one run in the fleet. One whose owner dies is not repeated. The
    /// default.
    #[default]
    AtMostOnce,
    /// After an attempt has succeeded: each tick has at least one run, or is told as missed. One whose owner dies, or loses
    /// its lease, runs again in the next owner, so its work has to be repeatable.
    AtLeastOnce,
}

/// Whether a singleton that stands by, because another replica owns it, counts as ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Standby {
    /// It is ready: the replica can take over. The default.
    #[default]
    Ready,
    /// It is not ready: for an owner that serves requests, which a load balancer is to send to the owner only.
    NotReady,
}

/// What follows if the work of a singleton has not ended when its lease has, because it blocks its thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Overrun {
    /// An event [`LeaseOverrun`](crate::EventKind::LeaseOverrun). The default.
    #[default]
    Report,
    /// The process is aborted, before others can take over. Everything else in it ends as well, without a shutdown.
    Abort,
}
