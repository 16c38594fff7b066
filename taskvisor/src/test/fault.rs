//! What a simulation does to attempts.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use crate::sync::lock;

/// What strikes an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// It is dropped where it is, and has failed with an error that is retried.
    Crash,
    /// It is dropped where it is, while the thread unwinds as of a panic.
    Panic,
    /// It is not polled any more and ignores its token, until its timeout, watchdog or stop deadline drops it.
    Hang,
    /// It is dropped where it is, and has failed with an error that is not retried.
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

/// One fault that struck. `Display` is one line, such as `12.5s crash store/pool #3`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// What it was.
    pub kind: FaultKind,
    /// The path of the task.
    pub task: Arc<str>,
    /// The attempt, counted from 1.
    pub attempt: u32,
    /// When it struck, since the simulation began.
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
    faults: Mutex<Vec<Fault>>,
}

impl FaultLog {
    pub(super) fn new(start: Instant) -> Arc<Self> {
        Arc::new(Self { start, faults: Mutex::default() })
    }

    /// One strikes now.
    pub(crate) fn note(&self, kind: FaultKind, task: &Arc<str>, attempt: u32) {
        let fault = Fault { kind, task: Arc::clone(task), attempt, at: self.start.elapsed() };
        lock(&self.faults).push(fault);
    }

    pub(super) fn take(&self) -> Vec<Fault> {
        std::mem::take(&mut *lock(&self.faults))
    }
}
