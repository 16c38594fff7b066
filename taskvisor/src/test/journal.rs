//! The recorded events, in order.

use std::pin::pin;
use std::sync::Mutex;

use tokio::sync::Notify;
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

    /// Waits until there are more than `seen` events.
    pub(super) async fn grows_beyond(&self, seen: usize) {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if lock(&self.events).len() > seen {
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
