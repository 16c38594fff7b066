//! Whether a tree is live and ready, and who is not.

use std::fmt;
use std::time::SystemTime;

use super::snapshot::shortened;
use super::status::TaskState;
use super::timestamp::Rfc3339;

/// The health of a tree at one moment: what [`/livez`](Self::livez) and [`/readyz`](Self::readyz) ask for.
///
/// *Live*: it has not stopped or failed, and no attempt is past its watchdog or its stop deadline. *Ready*: it has
/// started, takes tasks, and every task has an attempt that is [ready](crate::Ready), or has ended. A tree whose tasks
/// have all ended, without a shutdown, is both: it takes tasks.
///
/// A task that waits for its time, an initial delay or an interval, is ready. One that ended in failure is not, and so
/// is a group: by fatal error, with no retry left, or by failure or panic under the restart policy `Never`. It is named
/// until a new registration has its path, its group is started again or stopped, or it is acknowledged, by
/// [`SupervisorHandle::acknowledge`](crate::SupervisorHandle::acknowledge) or
/// [`TaskHandle::acknowledge`](crate::TaskHandle::acknowledge). Tasks of slots are not: the outcome of a submission
/// tells. 1,024 are known by their path; of more it is known how many there are, until all is acknowledged.
///
/// A task or group may say that its state does not count
/// ([`TaskSpec::without_readiness`](crate::TaskSpec::without_readiness)): it is named, and the tree stays ready.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Health {
    /// The attempts that should have done something by now.
    pub not_live: Vec<Unwell>,
    /// The tasks that are not ready.
    pub not_ready: Vec<Unwell>,
    /// The tasks that are not ready, and do not count.
    pub not_counted: Vec<Unwell>,
    /// How many more ended in failure than are known by their path.
    pub(crate) more: usize,
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
    /// What it failed with, in one line, if it [ended in failure](Problem::Failed).
    pub error: Option<String>,
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
    /// It has ended in failure: it is not retried.
    Failed,
    /// It is not ready: its attempt is due, and has waited for a permit for longer than 10 s.
    AwaitsPermit {
        /// How many attempts may run at once: the [`max_concurrent`](crate::SupervisorConfig::max_concurrent).
        limit: usize,
    },
}

impl Health {
    /// Returns `true` if the tree passes its liveness check.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.phase != Phase::Stopped && self.not_live.is_empty()
    }

    /// Returns `true` if the tree passes its readiness check.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Open && self.not_ready.is_empty() && self.more == 0
    }

    pub(crate) fn add(&mut self, counts: bool, unwell: Unwell) {
        if counts { self.not_ready.push(unwell) } else { self.not_counted.push(unwell) }
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
        write!(f, "{}: {}", shortened(&self.path, PATH), self.problem)?;
        if let Some(error) = &self.error {
            write!(f, ": {}", shortened(error, ERROR))?;
        }
        write!(f, ", since {:.0}", Rfc3339(self.since))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent => f.write_str("silent for longer than its watchdog allows"),
            Self::PastStop => f.write_str("past its stop deadline"),
            Self::NotReady(state) => write!(f, "not ready: {state}"),
            Self::Failed => f.write_str("failed"),
            Self::AwaitsPermit { limit } => {
                write!(f, "not ready: pending, all permits are held (max_concurrent = {limit})")
            }
        }
    }
}

/// What a line has room for, of a path and of an error.
const PATH: usize = 100;
const ERROR: usize = 200;
