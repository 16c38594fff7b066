//! The recorded events, in order.

use std::future::pending;
use std::pin::pin;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::RecordedEvent;
use crate::events::{Event, Tap};
use crate::sync::lock;

/// The recorded events, and a notification for waiting tests.
pub(super) struct Journal {
    start: Instant,
    /// Taken under `open` of the bus. A leaf: events are pushed and copied under it.
    events: Mutex<Vec<RecordedEvent>>,
    changed: Notify,
}

impl Journal {
    pub(super) fn new() -> Self {
        Self { start: Instant::now(), events: Mutex::default(), changed: Notify::new() }
    }

    pub(super) fn note(&self, event: &Event) {
        let recorded = RecordedEvent::new(event, self.start.elapsed());
        lock(&self.events).push(recorded);
        self.changed.notify_waiters();
    }

    /// Returns the events from number `from` on.
    pub(super) fn since(&self, from: usize) -> Vec<RecordedEvent> {
        lock(&self.events).get(from..).unwrap_or_default().to_vec()
    }

    fn has_more_than(&self, seen: usize) -> bool {
        lock(&self.events).len() > seen
    }

    /// Waits until there are more than `seen` events.
    ///
    /// A task waits, and not the caller: events come under locks of the runtime, where the waker of a task is only queued,
    /// and that of the caller may be any code.
    pub(super) async fn grows_beyond(self: &Arc<Self>, seen: usize) {
        if self.has_more_than(seen) {
            return;
        }
        let journal = Arc::clone(self);
        // Dropping the set aborts the task.
        let mut growing = JoinSet::new();
        growing.spawn(async move { journal.grown_beyond(seen).await });
        if !matches!(growing.join_next().await, Some(Ok(()))) {
            // The runtime ends.
            pending::<()>().await;
        }
    }

    async fn grown_beyond(&self, seen: usize) {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if self.has_more_than(seen) {
                return;
            }
            changed.await;
        }
    }
}

impl Tap for Journal {
    fn hear(&self, event: &Event) {
        self.note(event);
    }
}
