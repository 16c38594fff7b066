//! Keeps events that a subscriber does not want out of its queue.

use super::Event;

/// Says which events a subscriber wants. It is called in the order of events, under the lock of a lane: it is code of
/// this library, and calls none of the user's.
pub struct Sieve(Box<dyn FnMut(&Event) -> bool + Send + Sync>);

impl Sieve {
    pub(super) fn new(wants: impl FnMut(&Event) -> bool + Send + Sync + 'static) -> Self {
        Self(Box::new(wants))
    }

    /// Returns copies of the events that are wanted. The caller keeps the events, so no error is dropped with a copy.
    pub(super) fn choose(&mut self, events: &[Event]) -> Vec<Event> {
        events.iter().filter(|event| (self.0)(event)).cloned().collect()
    }
}
