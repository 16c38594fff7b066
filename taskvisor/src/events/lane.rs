//! One subscriber's queue, as plain data.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Event;

/// Events that several lanes share; a lane may have had room for the first `len` only.
pub(super) struct Batch {
    events: Arc<Vec<Event>>,
    len: usize,
    /// How many of them the worker is done with.
    done: Arc<AtomicUsize>,
}

impl Batch {
    pub(super) fn events(&self) -> &[Event] {
        &self.events[..self.len]
    }

    pub(super) fn one_done(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }
}

/// What waits for one subscriber, and what it has lost.
pub(super) struct Lane {
    capacity: usize,
    queue: VecDeque<(Arc<Vec<Event>>, usize)>,
    queued: usize,
    in_hand: usize,
    done: Arc<AtomicUsize>,
    /// The `seq` of the newest event that was offered.
    offered: u64,
    lost: u64,
    /// It did not move while attempts gave way to it: they no longer do, until it moves again.
    stalled: bool,
}

impl Lane {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            queue: VecDeque::new(),
            queued: 0,
            in_hand: 0,
            done: Arc::default(),
            offered: 0,
            lost: 0,
            stalled: false,
        }
    }

    fn backlog(&self) -> usize {
        self.queued + self.in_hand - self.done.load(Ordering::Relaxed).min(self.in_hand)
    }

    pub(super) fn is_congested(&self) -> bool {
        !self.stalled && self.backlog() * 2 >= self.capacity.max(2)
    }

    pub(super) fn stall(&mut self) {
        self.stalled = self.is_congested();
    }

    /// Takes what there is room for; the newest are lost.
    pub(super) fn offer(&mut self, events: &Arc<Vec<Event>>) {
        let len = events.len().min(self.capacity.saturating_sub(self.backlog()));
        let lost = events[len..].iter().filter(|event| !event.kind.is_diagnostic()).count();
        self.lost += lost as u64;
        self.offered = events.last().map_or(self.offered, |event| event.seq);
        if len > 0 {
            self.queue.push_back((Arc::clone(events), len));
            self.queued += len;
        }
    }

    /// Hands over the next batch; the one before is done.
    pub(super) fn take(&mut self) -> Option<Batch> {
        self.done.store(0, Ordering::Relaxed);
        self.stalled = false;
        self.in_hand = 0;
        let (events, len) = self.queue.pop_front()?;
        self.queued -= len;
        self.in_hand = len;
        Some(Batch { events, len, done: Arc::clone(&self.done) })
    }

    /// The number of events lost since this was last asked.
    pub(super) fn take_lost(&mut self) -> Option<u64> {
        let lost = std::mem::take(&mut self.lost);
        (lost > 0).then_some(lost)
    }

    /// Whether every event up to `seq` was delivered or lost.
    pub(super) fn has_delivered(&self, seq: u64) -> bool {
        self.offered >= seq && self.queued == 0 && self.in_hand == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EventKind;

    fn events(from: u64, n: u64) -> Arc<Vec<Event>> {
        let kind = EventKind::TaskStarting;
        Arc::new((from..from + n).map(|seq| Event { seq, ..Event::new(kind) }).collect())
    }

    #[test]
    fn keeps_the_oldest_and_counts_the_rest() {
        let mut lane = Lane::new(4);
        lane.offer(&events(1, 3));
        lane.offer(&events(4, 3));
        assert_eq!(lane.take_lost(), Some(2));
        assert_eq!(lane.take_lost(), None);

        let first = lane.take().unwrap();
        assert_eq!(first.events().len(), 3);
        first.one_done();
        lane.offer(&events(7, 3));
        assert_eq!(lane.take_lost(), Some(2), "one was done, so there was room for one");
        assert_eq!(lane.take().unwrap().events()[0].seq, 4);
        assert_eq!(lane.take().unwrap().events()[0].seq, 7);
        assert!(!lane.has_delivered(9));
        assert!(lane.take().is_none());
        assert!(lane.has_delivered(9));
    }

    #[test]
    fn a_stalled_lane_is_not_waited_for_until_it_moves() {
        let mut lane = Lane::new(4);
        lane.offer(&events(1, 4));
        assert!(lane.is_congested());
        lane.stall();
        assert!(!lane.is_congested());
        let batch = lane.take().unwrap();
        assert!(lane.is_congested());
        for _ in batch.events() {
            batch.one_done();
        }
        assert!(!lane.is_congested());
    }

    #[test]
    fn diagnostics_that_are_lost_are_not_counted() {
        let mut lane = Lane::new(1);
        lane.offer(&Arc::new(vec![Event::new(EventKind::TaskAdded), Event::new(EventKind::SubscriberOverflow)]));
        assert_eq!(lane.take_lost(), None);
    }
}
