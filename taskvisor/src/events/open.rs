//! What is published and in no lane yet, as plain data.

use super::Event;

/// How many events the next batch has room for at first, at most.
pub(super) const BATCH: usize = 64;

/// This many events that come together before the relay has a turn are kept, even if the capacity is smaller.
const BURST: usize = 65_536;

pub(super) struct Open {
    capacity: usize,
    seq: u64,
    events: Vec<Event>,
    /// How many came together the last time, and so the room that is made for the next.
    usual: usize,
    /// What could not be kept.
    lost: u64,
    closed: bool,
}

impl Open {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, seq: 0, events: Vec::new(), usual: 0, lost: 0, closed: false }
    }

    /// The number of the next event.
    pub(super) fn next(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    /// The number of the last event.
    pub(super) fn last(&self) -> u64 {
        self.seq
    }

    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether so many events wait that the next attempts give way.
    pub(super) fn is_crowded(&self) -> bool {
        self.events.len() * 2 >= self.capacity
    }

    /// Keeps an event. Whether it was kept.
    ///
    /// An error in one that is not kept is not dropped for good here: the caller has it too.
    pub(super) fn push(&mut self, event: Event) -> bool {
        if self.closed {
            return false;
        }
        if self.events.len() >= self.capacity.max(BURST) {
            // The relay has had no turn for long.
            self.lost += u64::from(!event.kind.is_diagnostic());
            return false;
        }
        if self.events.is_empty() {
            self.events.reserve(self.usual);
        }
        self.events.push(event);
        true
    }

    /// Takes what is kept, and how many events after it were lost.
    pub(super) fn take(&mut self) -> (Vec<Event>, u64) {
        let events = std::mem::take(&mut self.events);
        self.usual = events.len().min(BATCH);
        (events, std::mem::take(&mut self.lost))
    }

    /// Keeps no event any more.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }
}
