//! The options of a singleton.

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
    /// Makes the task or group a singleton, and returns its options.
    pub(crate) fn singleton_mut(&mut self) -> &mut Singleton {
        Arc::make_mut(self.singleton.get_or_insert_default().get_or_insert_default())
    }
}

/// The time at which a run of a periodic singleton is marked as done in the store, so that no replica begins it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Ticks {
    /// Before its first attempt: each tick has at most one run in the fleet. A run whose owner dies is not repeated.
    /// The default. The exception is a store whose clock is set back by 3 h or more:
    /// [the guide](crate::guide::fleets#periodic-singletons) tells of it.
    #[default]
    AtMostOnce,
    /// After an attempt has succeeded: each tick has at least one run, or is reported as missed. A run whose owner
    /// dies, is requested to stop, or loses its lease, runs again in the next owner, so its work must be repeatable. An
    /// owner that ends after the success gives the key up only when the store has answered, or does not in time.
    AtLeastOnce,
}

/// Whether a singleton that stands by, because another replica owns it, counts as ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Standby {
    /// It is ready: the replica can take over. The default.
    #[default]
    Ready,
    /// It is not ready. Use it if the owner serves requests that a load balancer must send to the owner only.
    NotReady,
}

/// The response if the work of a singleton still runs at the end of its lease, because it blocks its thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Overrun {
    /// An event [`LeaseOverrun`](crate::EventKind::LeaseOverrun). The default.
    #[default]
    Report,
    /// The process is aborted, before others can take over. Everything else in it ends as well, without a shutdown.
    Abort,
}
