//! The faults of a simulation.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use crate::sync::lock;

/// The kind of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// The attempt is dropped at its current await point, and fails with a retryable error.
    Crash,
    /// The attempt is dropped at its current await point while the thread unwinds, as after a panic.
    Panic,
    /// The attempt is no longer polled and ignores its token, until its timeout, watchdog or stop deadline drops it.
    Hang,
    /// The attempt is dropped at its current await point, and fails with an error that is not retried.
    Fatal,
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Crash => "crash",
            Self::Panic => "panic",
            Self::Hang => "hang",
            Self::Fatal => "fatal",
        })
    }
}

/// A fault that struck. `Display` is one line, such as `12.5s crash store/pool #3`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// The kind of the fault.
    pub kind: FaultKind,
    /// The path of the task.
    pub task: Arc<str>,
    /// The attempt, counted from 1.
    pub attempt: u32,
    /// The time since the start of the simulation.
    pub at: Duration,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} {} #{}", self.at, self.kind, self.task, self.attempt)
    }
}

/// The faults that struck so far.
pub(crate) struct FaultLog {
    start: Instant,
    /// A leaf: faults are pushed and copied under it.
    faults: Mutex<Vec<Fault>>,
}

impl FaultLog {
    pub(super) fn new(start: Instant) -> Arc<Self> {
        Arc::new(Self { start, faults: Mutex::default() })
    }

    /// Records a fault that strikes now.
    pub(crate) fn note(&self, kind: FaultKind, task: &Arc<str>, attempt: u32) {
        let fault = Fault { kind, task: Arc::clone(task), attempt, at: self.start.elapsed() };
        lock(&self.faults).push(fault);
    }

    pub(super) fn take(&self) -> Vec<Fault> {
        std::mem::take(&mut *lock(&self.faults))
    }
}
