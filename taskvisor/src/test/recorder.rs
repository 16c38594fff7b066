//! A subscriber that keeps all that it hears.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::journal::Journal;
use super::{EventSequence, RecordedEvent};
use crate::events::{Event, EventKind, Subscribe};
use crate::supervisor::SupervisorHandle;

/// The capacity of its queue: larger than what any memory holds, and still a number to calculate with.
const ROOM: usize = usize::MAX / 8;

/// Records every event, and lets a test expect them.
///
/// [Attach](Self::attach) it to a supervisor or tree that is built elsewhere, which is to be tested as it is: it hears
/// each event in the step that publishes it, and misses none from then on. Or make it a [`new`](Self::new) one and put
/// a clone among the `subscribers`: its queue takes all that comes, and it hears what has been delivered. Clones share
/// what is recorded.
///
/// # Examples
/// ```
/// use taskvisor::prelude::*;
/// use taskvisor::test::{Recorder, Script};
///
/// #[tokio::main(flavor = "current_thread", start_paused = true)]
/// async fn main() -> Result<(), RuntimeError> {
///     let recorder = Recorder::new();
///     let once = Script::new("once").fails("boom").succeeds();
///     supervise!(subscribers = [recorder.clone()], tasks = [once]).run().await?;
///
///     assert_eq!(recorder.attempts("once"), 2);
///     assert_eq!(recorder.count(EventKind::TaskFailed), 1);
///     assert_eq!(recorder.events()[2].to_string(), "TaskStarting once #1");
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct Recorder(Arc<Journal>);

impl Recorder {
    /// A recorder to put among the subscribers of a supervisor, or to hand events to.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it starts a clock")]
    pub fn new() -> Self {
        Self(Arc::new(Journal::new()))
    }

    /// A recorder of a supervisor that is built already: `Recorder::attach(tree.supervisor())`. Attached before the
    /// start, it hears everything; it stays attached as long as the supervisor is there.
    #[must_use]
    pub fn attach(supervisor: &SupervisorHandle) -> Self {
        let recorder = Self::new();
        supervisor.core().bus.taps.open(recorder.0.clone());
        recorder
    }

    /// All events so far, in order.
    #[must_use]
    pub fn events(&self) -> Vec<RecordedEvent> {
        self.0.since(0)
    }

    /// The events of the task of that path, from the first on.
    pub fn of(&self, path: impl Into<String>) -> EventSequence {
        EventSequence::new(Arc::clone(&self.0), Some(path.into()))
    }

    /// The events of all tasks and of the supervisor, from the first on.
    pub fn all(&self) -> EventSequence {
        EventSequence::new(Arc::clone(&self.0), None)
    }

    /// How many events of a kind there were.
    #[must_use]
    pub fn count(&self, kind: EventKind) -> usize {
        self.events().iter().filter(|event| event.kind == kind).count()
    }

    /// How many attempts of the task of that path began, in all its registrations.
    #[must_use]
    pub fn attempts(&self, path: &str) -> usize {
        let begins = |event: &&RecordedEvent| event.kind == EventKind::TaskStarting;
        self.events().iter().filter(begins).filter(|event| event.task.as_deref() == Some(path)).count()
    }

    /// How many attempts of the task of that path began after its first.
    #[must_use]
    pub fn restarts(&self, path: &str) -> usize {
        self.attempts(path).saturating_sub(1)
    }
}

#[async_trait]
impl Subscribe for Recorder {
    async fn on_event(&self, event: &Event) {
        self.0.note(event);
    }

    fn queue_capacity(&self) -> usize {
        ROOM
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.events()).finish()
    }
}
