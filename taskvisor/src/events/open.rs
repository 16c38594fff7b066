//! The published events that are in no lane yet, as plain data.

use std::task::Waker;

use super::Event;

/// The largest initial capacity of a batch.
pub(super) const BATCH: usize = 64;

/// This many events are kept before the relay has a turn, even if the capacity is smaller.
const BURST: usize = 65_536;

pub(super) struct Open {
    capacity: usize,
    /// The number of the last event.
    pub(super) seq: u64,
    pub(super) events: Vec<Event>,
    /// The size of the last batch, which is the initial capacity of the next.
    usual: usize,
    /// The number of events that could not be kept.
    lost: u64,
    /// `true` if no further event is kept.
    pub(super) closed: bool,
    /// Wakes the relay, which waits for an event or the end.
    pub(super) relay: Option<Waker>,
}

impl Open {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, seq: 0, events: Vec::new(), usual: 0, lost: 0, closed: false, relay: None }
    }

    /// Gives the event the next number.
    pub(super) fn number(&mut self, event: &mut Event) {
        self.seq += 1;
        event.seq = self.seq;
    }

    /// Returns `true` if new attempts must wait.
    pub(super) fn is_crowded(&self) -> bool {
        self.events.len() * 2 >= self.capacity
    }

    /// Keeps an event. Returns `true` if it was kept.
    ///
    /// The caller also holds the error of an event, so its last reference is not dropped here.
    pub(super) fn push(&mut self, event: Event) -> bool {
        if self.closed {
            return false;
        }
        if self.events.len() >= self.capacity.max(BURST) {
            // The relay has not run for long.
            self.lost += u64::from(!event.kind.is_diagnostic());
            return false;
        }
        if self.events.is_empty() {
            self.events.reserve(self.usual);
        }
        self.events.push(event);
        true
    }

    /// Takes the kept events, and the number of events that were lost after them.
    pub(super) fn take(&mut self) -> (Vec<Event>, u64) {
        let events = std::mem::take(&mut self.events);
        self.usual = events.len().min(BATCH);
        (events, std::mem::take(&mut self.lost))
    }
}
