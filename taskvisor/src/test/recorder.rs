//! A subscriber that records events.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::journal::Journal;
use super::{EventSequence, RecordedEvent};
use crate::events::{Event, EventKind, Subscribe};
use crate::supervisor::SupervisorHandle;

/// The capacity of its queue: more than fits in any memory, and small enough not to overflow.
const ROOM: usize = usize::MAX / 8;

/// Records all events of a supervisor, and lets a test expect them.
///
/// [`attach`](Self::attach) creates a recorder of a supervisor that is already built: it receives each event when it is
/// published, and loses none from then on. [`new`](Self::new) creates a recorder for the list of `subscribers`: it
/// receives the delivered events, and its queue never overflows. Clones share the events.
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
    /// Creates a recorder for the subscribers of a supervisor.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it starts a clock")]
    pub fn new() -> Self {
        Self(Arc::new(Journal::new()))
    }

    /// Creates a recorder of a supervisor that is already built: `Recorder::attach(tree.supervisor())`. Attached before
    /// the start, it receives all events. It stays attached while the supervisor exists.
    #[must_use]
    pub fn attach(supervisor: &SupervisorHandle) -> Self {
        let recorder = Self::new();
        supervisor.core.bus.taps.open(recorder.0.clone());
        recorder
    }

    /// Returns all events so far, in order.
    #[must_use]
    pub fn events(&self) -> Vec<RecordedEvent> {
        self.0.since(0)
    }

    /// Returns the sequence of the events of the task at `path`, from the first on.
    pub fn of(&self, path: impl Into<String>) -> EventSequence {
        EventSequence::new(Arc::clone(&self.0), Some(path.into()))
    }

    /// Returns the sequence of all events, from the first on.
    pub fn all(&self) -> EventSequence {
        EventSequence::new(Arc::clone(&self.0), None)
    }

    /// Returns the number of events of a kind.
    #[must_use]
    pub fn count(&self, kind: EventKind) -> usize {
        self.events().iter().filter(|event| event.kind == kind).count()
    }

    /// Returns the paths of the tasks that have had an event of a kind, in the order of the events. With
    /// [`EventKind::TaskStarting`], this is the order of the starts.
    ///
    /// ```
    /// use taskvisor::prelude::*;
    /// use taskvisor::test::Recorder;
    ///
    /// # #[task(ready = "completed")]
    /// # async fn migrate() {}
    /// # #[task]
    /// # async fn seed() {}
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), RuntimeError> {
    /// let tree = supervise!(tasks = [migrate {}, task(seed {}, after = [migrate])]);
    /// let recorder = Recorder::attach(tree.supervisor());
    /// tree.run().await?;
    /// assert_eq!(recorder.paths(EventKind::TaskStarting), ["migrate", "seed"]);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn paths(&self, kind: EventKind) -> Vec<String> {
        let of_kind = self.events().into_iter().filter(|event| event.kind == kind);
        of_kind.filter_map(|event| event.task.map(|path| path.to_string())).collect()
    }

    /// Returns the number of attempts of the task at `path`, in all its registrations.
    #[must_use]
    pub fn attempts(&self, path: &str) -> usize {
        let begins = |event: &&RecordedEvent| event.kind == EventKind::TaskStarting;
        self.events().iter().filter(begins).filter(|event| event.task.as_deref() == Some(path)).count()
    }

    /// Returns the number of attempts of the task at `path` after the first.
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
