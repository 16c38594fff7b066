//! The health of a tree.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::snapshot::shortened;
use super::status::TaskState;
use super::timestamp::Rfc3339;

/// The health of a tree at one moment, for [`/livez`](Self::livez) and [`/readyz`](Self::readyz).
///
/// *Live*: the tree has not stopped or failed, and no attempt is past its watchdog or its stop deadline. *Ready*: the
/// tree has started and accepts tasks, and every task has a [ready](crate::Ready) attempt or has ended. A tree whose
/// tasks have all ended without a shutdown is both, because it accepts tasks. A task that its watchdog may end soon is
/// [not ready](Problem::Quiet) before it is not live.
///
/// A task that waits for its initial delay or its interval is ready. A [paused](crate::TaskHandle::pause) task is as
/// ready as without the pause, except that a task that would run is not ready. A task or group that ended in failure is
/// not ready: by a fatal error, with no retry left, or by a failure or panic under the restart policy `Never`. It is
/// reported until a new registration has its path, its group starts again or stops, or it is acknowledged by
/// [`SupervisorHandle::acknowledge`](crate::SupervisorHandle::acknowledge) or
/// [`TaskHandle::acknowledge`](crate::TaskHandle::acknowledge). Tasks of slots are not reported: their outcome goes to
/// the submitter.
///
/// At most 1,024 failures that count for readiness are kept by path, and as many others. Further failures are only
/// counted, for each group, until their group starts again, stops or is acknowledged.
///
/// A task or group can be excluded from readiness
/// ([`TaskSpec::without_readiness`](crate::TaskSpec::without_readiness)): it is reported, and the tree stays ready.
///
/// The guide explains [readiness and health](crate::guide::readiness).
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
#[must_use = "it does nothing unless it is read"]
pub struct Health {
    /// The attempts that are past a deadline.
    pub not_live: Vec<Unhealthy>,
    /// The tasks that are not ready.
    pub not_ready: Vec<Unhealthy>,
    /// The tasks that are not ready, but are excluded from readiness.
    pub not_counted: Vec<Unhealthy>,
    /// The number of failures that are not kept by path, and count for readiness.
    pub(crate) more: usize,
    /// The number of failures that are not kept by path, and do not count for readiness.
    pub(crate) more_not_counted: usize,
    pub(crate) phase: Phase,
    /// The failure of the tree, in one line.
    pub(crate) failure: Option<String>,
    /// The number of tasks.
    pub(crate) tasks: usize,
}

labels! {
    /// The phase of a supervisor. [`Health::phase`] and [`SupervisorHandle::phase`](crate::SupervisorHandle::phase)
    /// return it.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    #[non_exhaustive]
    pub enum Phase: Display {
        /// Neither its tree nor a `run` has started. It accepts tasks, which run, and is not ready.
        NotStarted = "not started",
        /// It accepts tasks.
        #[default]
        Open = "running",
        /// A shutdown was requested.
        ShuttingDown = "shutting down",
        /// It has stopped.
        Stopped = "stopped",
    }
}

/// A task or group that is not healthy.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Unhealthy {
    /// The path.
    pub path: String,
    /// The problem.
    pub problem: Problem,
    /// The start of its current state.
    pub since: SystemTime,
    /// The paths of the siblings that its start waits for, if it is [pending](TaskState::Pending). If it
    /// [waits for a permit](Problem::AwaitsPermit), the tasks that hold one, the longest first and at most eight.
    pub awaits: Vec<String>,
    /// The failure with its causes, as the task has formatted them, if it [ended in failure](Problem::Failed).
    pub error: Option<String>,
}

/// The problem of a task or group.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// It has sent no heartbeat for longer than its watchdog allows.
    Silent,
    /// It was requested to stop, and is past its deadline.
    PastStop,
    /// It is not ready. It is in this state; a running task has not signaled readiness.
    NotReady(TaskState),
    /// It is not ready: it has sent no heartbeat for more than three quarters of the time that its watchdog allows, or
    /// the probe of [`heartbeat_while`](crate::TaskContext::heartbeat_while) failed. The watchdog ends its attempt unless
    /// a heartbeat follows.
    Quiet {
        /// The time since the last heartbeat.
        silence: Duration,
        /// The time that the watchdog allows.
        watchdog: Duration,
    },
    /// A group is not ready: its children are being made ([`Group::fresh`](crate::Group::fresh)).
    Making,
    /// It has ended in failure and is not retried.
    Failed,
    /// It is not ready: its attempt has waited for a permit for more than 10 s.
    AwaitsPermit {
        /// The number of permits of the limit.
        limit: usize,
        /// The limit in words: `max_concurrent` for that of the [supervisor](crate::SupervisorConfig::max_concurrent),
        /// `max_concurrent of store` for that of the [group](crate::Group::with_max_concurrent) `store`, `limit db` for
        /// the [limit](crate::TreeBuilder::with_named_limit) `db`.
        name: Arc<str>,
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

    /// Returns the phase of the supervisor.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    pub(crate) fn add(&mut self, counts: bool, unhealthy: Unhealthy) {
        if counts { self.not_ready.push(unhealthy) } else { self.not_counted.push(unhealthy) }
    }
}

impl Health {
    /// Returns the line of a probe about the tree itself: `stopped`, or `stopped, as the tree failed: pool: refused`.
    pub(crate) fn about_tree(&self) -> String {
        match &self.failure {
            Some(failure) => format!("{}, as the tree failed: {}", self.phase, shortened(failure, ERROR)),
            None => self.phase.to_string(),
        }
    }
}

impl fmt::Display for Unhealthy {
    /// Formats one line for any path: `store/pool: not ready: backoff, since 2026-11-23T08:15:30Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", shortened(&self.path, PATH), self.problem)?;
        if let Some(error) = &self.error {
            write!(f, ": {}", shortened(error, ERROR))?;
        }
        let (relation, awaited) = match self.problem {
            // The listed tasks hold permits. There are as many holders as permits, and not all are listed.
            Problem::AwaitsPermit { limit, .. } => (" by ", limit),
            _ => (", waits for ", self.awaits.len()),
        };
        for (index, path) in self.awaits.iter().take(AWAITED).enumerate() {
            write!(f, "{}{}", if index == 0 { relation } else { ", " }, shortened(path, PATH))?;
        }
        if let Some(more) = awaited.checked_sub(AWAITED).filter(|more| *more > 0 && !self.awaits.is_empty()) {
            write!(f, " and {more} more")?;
        }
        write!(f, ", since {:.0}", Rfc3339(self.since))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent => f.write_str("silent for longer than its watchdog allows"),
            Self::PastStop => f.write_str("past its stop deadline"),
            Self::Quiet { silence, watchdog } => {
                let silence = if silence.as_secs() > 0 { Duration::from_secs(silence.as_secs()) } else { *silence };
                write!(f, "not ready: no heartbeat for {silence:?}, its watchdog allows {watchdog:?}")
            }
            Self::NotReady(state) => write!(f, "not ready: {state}"),
            Self::Making => f.write_str("not ready: its children are being made"),
            Self::Failed => f.write_str("failed"),
            Self::AwaitsPermit { limit, name } => {
                write!(f, "not ready: pending, all permits are held ({name} = {limit})")
            }
        }
    }
}

/// The largest lengths of a path and of an error in a line.
const PATH: usize = 100;
const ERROR: usize = 200;
/// The largest number of awaited siblings in a line.
const AWAITED: usize = 3;
