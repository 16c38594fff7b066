//! Whether a tree is live and ready, and who is not.

use std::fmt;
use std::time::SystemTime;

use crate::status::TaskState;

/// The health of a tree at one moment: what `/livez` and `/readyz` ask for.
///
/// *Live*: it has not stopped or failed, and no attempt is past its watchdog or its stop deadline. *Ready*: it has
/// started, takes tasks, and every task has an attempt that is [ready](crate::Ready), or has ended.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Health {
    /// The attempts that should have done something by now.
    pub not_live: Vec<Unwell>,
    /// The tasks that are not ready.
    pub not_ready: Vec<Unwell>,
    pub(crate) stopped: bool,
    pub(crate) closing: bool,
}

/// A task that is not well.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Unwell {
    /// Its path.
    pub path: String,
    /// What is wrong.
    pub problem: Problem,
    /// Since when it does what it does.
    pub since: SystemTime,
}

/// What is wrong with a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// It is silent for longer than its watchdog allows.
    Silent,
    /// It was told to stop, and should have.
    PastStop,
    /// It is not ready: it does this instead, or runs and has not said that it is.
    NotReady(TaskState),
}

impl Health {
    /// Whether restarting the process would help no one.
    #[must_use]
    pub fn is_live(&self) -> bool {
        !self.stopped && self.not_live.is_empty()
    }

    /// Whether there is anybody to send work to.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.stopped && !self.closing && self.not_ready.is_empty()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent => f.write_str("silent for longer than its watchdog allows"),
            Self::PastStop => f.write_str("past its stop deadline"),
            Self::NotReady(state) => write!(f, "not ready: {state}"),
        }
    }
}
