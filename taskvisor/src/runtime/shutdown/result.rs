//! The result of the shutdown, and its event.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::super::core::Core;
use super::super::task::Cell;
use crate::events::{Event, EventKind};
use crate::inspect::{TaskId, one_line};
use crate::sorting::sort_by_number;
use crate::supervisor::{RuntimeError, StopLimit, left};

/// An aborted task.
#[derive(Debug, Clone)]
pub(in crate::runtime) struct Stuck {
    pub(in crate::runtime) id: TaskId,
    pub(in crate::runtime) path: Arc<str>,
    /// The limit that the task exceeded.
    pub(in crate::runtime) limit: StopLimit,
    /// The number of helpers that still ran after its function had returned.
    pub(in crate::runtime) helpers: usize,
}

impl Stuck {
    /// Describes an aborted task. Locks the cell.
    pub(in crate::runtime) fn of(cell: &Cell, limit: StopLimit) -> Self {
        Self { id: cell.id(), path: Arc::clone(cell.name()), limit, helpers: cell.left_helpers() }
    }
}

/// The result of a shutdown.
pub(in crate::runtime) type ShutdownResult = Result<(), RuntimeError>;

impl Core {
    /// Returns the result. `stuck` are the tasks that were aborted at the deadline. `forced` is the time from the
    /// request until the shutdown was forced, if it was. Tasks that were aborted earlier are added.
    pub(in crate::runtime) fn judge(&self, stuck: Vec<Stuck>, forced: Option<Duration>) -> ShutdownResult {
        let (stuck, limits, helpers) = self.told_of_stuck(stuck);
        match (self.stop.failure_chain().cloned(), forced) {
            (Some(chain), _) if chain.ends_by_limit() => Err(RuntimeError::IntensityExceeded { chain, stuck }),
            (Some(chain), _) => Err(RuntimeError::Failed { source: chain.error().cloned(), chain, stuck }),
            (None, _) if stuck.is_empty() => Ok(()),
            (None, None) => Err(RuntimeError::GraceExceeded { grace: self.config.grace, stuck, limits, helpers }),
            (None, Some(after)) => Err(RuntimeError::ShutdownForced { after, stuck }),
        }
    }

    /// Adds the tasks that were aborted and have ended since. Returns the paths, limits and helpers of all, each task
    /// once, in the order of registration.
    pub(in crate::runtime) fn told_of_stuck(&self, mut stuck: Vec<Stuck>) -> (Vec<String>, Vec<StopLimit>, Vec<usize>) {
        stuck.extend_from_slice(&self.registry().aborted);
        sort_by_number(&mut stuck, |task| task.id.number());
        stuck.dedup_by(|later, earlier| {
            if later.id == earlier.id && later.limit < earlier.limit {
                mem::swap(later, earlier);
            }
            later.id == earlier.id
        });
        let (limits, helpers) = stuck.iter().map(|task| (task.limit, task.helpers)).unzip();
        let paths = stuck.into_iter().map(|task| task.path.to_string()).collect();
        (paths, limits, helpers)
    }

    /// Publishes the result of the shutdown. No force and no end of a pause is told after it.
    pub(super) fn tell_end(&self, result: &ShutdownResult) {
        self.forget_pauses();
        let event = self.event_of(result);
        // A force looks at this under the same lock, in the step that tells it.
        self.stop.verdict.in_order(|| self.stop.delivers.store(true, Ordering::Relaxed));
        self.bus.publish_surely(event);
    }

    /// Returns the event of the verdict. Its kind depends on the aborted tasks, and its reason is the failure.
    fn event_of(&self, result: &ShutdownResult) -> Event {
        let stuck: &[String] = match result {
            Ok(()) => &[],
            Err(error) => error.stuck(),
        };
        let kind = if stuck.is_empty() { EventKind::AllStoppedWithinGrace } else { EventKind::GraceExceeded };
        let event = Event::new(kind);
        match (self.stop.failure(), result) {
            (Some(failure), _) => event.because(format!("{failure}{}", left(stuck))),
            (None, Err(error)) => event.because(one_line(error)),
            (None, Ok(())) => event,
        }
    }
}
