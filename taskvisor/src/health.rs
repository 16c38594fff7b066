//! Whether a tree is live and ready, and who is not.

use std::fmt;
use std::time::SystemTime;

use crate::snapshot::shortened;
use crate::status::TaskState;
use crate::timestamp::Rfc3339;

/// The health of a tree at one moment: what [`/livez`](Self::livez) and [`/readyz`](Self::readyz) ask for.
///
/// *Live*: it has not stopped or failed, and no attempt is past its watchdog or its stop deadline. *Ready*: it has
/// started, takes tasks, and every task has an attempt that is [ready](crate::Ready), or has ended. A tree whose tasks
/// have all ended, without a shutdown, is both: it takes tasks.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Health {
    /// The attempts that should have done something by now.
    pub not_live: Vec<Unwell>,
    /// The tasks that are not ready.
    pub not_ready: Vec<Unwell>,
    pub(crate) phase: Phase,
    /// How many tasks there are.
    pub(crate) tasks: usize,
}

/// How far the whole has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Phase {
    NotStarted,
    #[default]
    Open,
    ShuttingDown,
    Stopped,
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
    /// It is not ready: its attempt is due, and has waited for a permit for longer than 10 s.
    AwaitsPermit {
        /// How many attempts may run at once: the [`max_concurrent`](crate::SupervisorConfig::max_concurrent).
        limit: usize,
    },
}

impl Health {
    /// Whether restarting the process would help no one.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.phase != Phase::Stopped && self.not_live.is_empty()
    }

    /// Whether there is anybody to send work to.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Open && self.not_ready.is_empty()
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotStarted => "not started",
            Self::Open => "running",
            Self::ShuttingDown => "shutting down",
            Self::Stopped => "stopped",
        })
    }
}

impl fmt::Display for Unwell {
    /// One line, whatever the path holds: `store/pool: not ready: backoff, since 2026-11-23T08:15:30Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}, since {:.0}", shortened(&self.path, PATH), self.problem, Rfc3339(self.since))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent => f.write_str("silent for longer than its watchdog allows"),
            Self::PastStop => f.write_str("past its stop deadline"),
            Self::NotReady(state) => write!(f, "not ready: {state}"),
            Self::AwaitsPermit { limit } => {
                write!(f, "not ready: pending, all permits are held (max_concurrent = {limit})")
            }
        }
    }
}

/// What a line has room for, of a path.
const PATH: usize = 100;
