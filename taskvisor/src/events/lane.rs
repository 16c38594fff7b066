//! The queue of one reader, as plain data. The reader is the worker of a subscriber, or a stream.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::time::Instant;

use super::Event;
use super::sieve::Sieve;
use crate::panics::Fenced;
use crate::sync::{AtomicUsize, Ordering};

/// The longest time that attempts wait for a reader that does not catch up.
const STALLED: Duration = Duration::from_millis(100);

/// A range of events that several lanes share. They hold user errors, which are dropped with the last reference.
pub(super) struct Batch {
    events: Fenced<Arc<Vec<Event>>>,
    from: usize,
    to: usize,
    /// The number of events in the range that the reader has handled.
    done: Arc<AtomicUsize>,
}

impl Batch {
    pub(super) fn events(&self) -> &[Event] {
        &self.events[self.from..self.to]
    }

    /// Returns the first event that the reader has not handled, and counts it as handled.
    pub(super) fn next(&self) -> Option<&Event> {
        let event = self.events().get(self.done.load(Ordering::Relaxed))?;
        self.one_done();
        Some(event)
    }

    pub(super) fn one_done(&self) {
        // No other code adds to it while the reader has this batch.
        self.done.store(self.done.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

/// An entry for a reader.
pub(super) enum Entry {
    Events(Batch),
    /// This number of events was lost.
    Lost(u64),
}

/// The waiting events of one reader, and its losses.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Default)]
pub(super) struct Lane {
    pub(super) capacity: usize,
    queue: VecDeque<Entry>,
    queued: usize,
    in_hand: usize,
    done: Arc<AtomicUsize>,
    /// The `seq` of the newest event that was offered, that the reader has, and that the reader has handled.
    offered: u64,
    newest: u64,
    delivered: u64,
    /// `true` if each loss is reported to the reader in order, and not once after all waiting events.
    in_order: bool,
    /// The lost events that are reported after all waiting events.
    lost: u64,
    /// The events that a subscriber lost and that are not in the metrics yet.
    pub(super) uncounted: u64,
    /// `true` if only reports about subscribers follow.
    pub(super) closed: bool,
    /// Wakes the reader, which waits for an entry. The waker of a stream is user code: it is woken and dropped with no
    /// lock held.
    pub(super) reader: Option<Waker>,
    /// `true` if a caller waits for a delivery.
    pub(super) awaited: bool,
    /// `true` if the lane is counted as congested.
    pub(super) congested: bool,
    /// The time since which attempts wait for the reader.
    waited_for: Option<Instant>,
    /// `true` if the reader stayed behind: attempts do not wait for it until it has caught up.
    stalled: bool,
    /// Keeps out what the subscriber does not want.
    sieve: Option<Sieve>,
}

impl Lane {
    /// Creates the lane of a subscriber, whose losses are reported once in a burst.
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, ..Self::default() }
    }

    /// Lets only events that pass the sieve into the lane.
    pub(super) fn sift(&mut self, sieve: Option<Sieve>) {
        self.sieve = sieve;
    }

    /// Creates the lane of a stream, whose losses are reported in order.
    pub(super) fn of_stream(capacity: usize) -> Self {
        Self { in_order: true, ..Self::new(capacity) }
    }

    pub(super) fn backlog(&self) -> usize {
        self.queued + self.in_hand - self.done.load(Ordering::Relaxed).min(self.in_hand)
    }

    fn is_behind(&self) -> bool {
        self.backlog() * 2 >= self.capacity.max(2)
    }

    pub(super) fn is_congested(&self) -> bool {
        !self.stalled && self.is_behind()
    }

    /// Records that an attempt has waited for the reader for as long as it may.
    pub(super) fn was_waited_for(&mut self, now: Instant) {
        if self.is_congested() {
            let since = *self.waited_for.get_or_insert(now);
            self.stalled = now - since >= STALLED;
        }
    }

    /// Accepts the events for which there is room; the newest are lost. A reader that has caught up accepts all events
    /// that came together, because it had no chance to receive them earlier.
    pub(super) fn offer(&mut self, events: &Arc<Vec<Event>>) {
        self.sifted(events, |lane, events| {
            let len = match lane.backlog() {
                0 => events.len(),
                backlog => events.len().min(lane.capacity.saturating_sub(backlog)),
            };
            lane.push(events, len);
            if len < events.len() {
                let lost = events[len..].iter().filter(|event| !event.kind.is_diagnostic()).count();
                lane.lose(lost as u64);
            }
        });
    }

    /// Accepts all events even without room, up to about twice the capacity.
    pub(super) fn insist(&mut self, events: &Arc<Vec<Event>>) {
        self.sifted(events, |lane, events| {
            let most = lane.capacity.saturating_mul(2).saturating_add(16);
            lane.push(events, if lane.backlog() > most { 0 } else { events.len() });
        });
    }

    /// Calls `accept` with the events that the reader wants, unless there is none. All count as offered.
    #[inline]
    fn sifted(&mut self, events: &Arc<Vec<Event>>, accept: impl FnOnce(&mut Self, &Arc<Vec<Event>>)) {
        self.offered = events.last().map_or(self.offered, |event| event.seq);
        if self.sieve.is_none() {
            accept(self, events);
        } else if let Some(chosen) = self.chosen(events) {
            accept(self, &chosen);
        }
    }

    /// Returns the events that pass the sieve, if there are some. A separate function, so that lanes without a sieve do
    /// not pay for it.
    #[inline(never)]
    fn chosen(&mut self, events: &[Event]) -> Option<Arc<Vec<Event>>> {
        let chosen = self.sieve.as_mut()?.choose(events);
        (!chosen.is_empty()).then(|| Arc::new(chosen))
    }

    /// Accepts the first `len` of the events.
    fn push(&mut self, events: &Arc<Vec<Event>>, len: usize) {
        if len > 0 {
            let (events, done) = (Fenced::new(Arc::clone(events)), Arc::clone(&self.done));
            self.queue.push_back(Entry::Events(Batch { events, from: 0, to: len, done }));
            self.queued += len;
        }
    }

    /// Notes events that were lost after all offered events.
    pub(super) fn lose(&mut self, lost: u64) {
        if lost == 0 {
            return;
        }
        match self.queue.back_mut() {
            _ if !self.in_order => {
                self.lost += lost;
                self.uncounted += lost;
            }
            Some(Entry::Lost(before)) => *before += lost,
            _ => self.queue.push_back(Entry::Lost(lost)),
        }
    }

    /// Returns the next entry, or `None` if no more entries follow. The previous batch is done.
    pub(super) fn poll_next(&mut self) -> Poll<Option<Entry>> {
        self.done.store(0, Ordering::Relaxed);
        self.delivered = self.newest;
        self.in_hand = 0;
        if !self.is_behind() {
            self.waited_for = None;
            self.stalled = false;
        }
        let next = self.queue.pop_front().or_else(|| self.take_lost().map(Entry::Lost));
        if let Some(Entry::Events(batch)) = &next {
            self.in_hand = batch.to - batch.from;
            self.queued -= self.in_hand;
            self.newest = batch.events[batch.to - 1].seq;
        }
        if next.is_none() && !self.closed { Poll::Pending } else { Poll::Ready(next) }
    }

    /// Takes back the events that a reader has not handled before it ended. The rest of the batch is returned, to be
    /// dropped with no lock held.
    #[must_use = "errors of the user's are dropped with it, with no lock held"]
    pub(super) fn put_back(&mut self, batch: Batch) -> Option<Batch> {
        let Batch { from, to, .. } = batch;
        let next = (from + self.done.swap(0, Ordering::Relaxed)).min(to);
        if next > from {
            self.delivered = batch.events[next - 1].seq;
        }
        self.newest = self.delivered;
        self.in_hand = 0;
        if next == to {
            return Some(batch);
        }
        self.queued += to - next;
        self.queue.push_front(Entry::Events(Batch { from: next, ..batch }));
        None
    }

    /// Returns the waker of a reader that waits, if there is something to read.
    pub(super) fn call_reader(&mut self) -> Option<Waker> {
        if !self.queue.is_empty() || self.lost > 0 || self.closed { self.reader.take() } else { None }
    }

    /// Returns `true` if there is no entry.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Ends the lane of a stream, which is never congested any more. Returns all entries and the waker, to be dropped
    /// with no lock held.
    #[must_use = "user values are dropped with it, with no lock held"]
    pub(super) fn end(&mut self) -> (VecDeque<Entry>, Option<Waker>) {
        self.capacity = usize::MAX;
        self.queued = 0;
        (std::mem::take(&mut self.queue), self.reader.take())
    }

    /// Returns the number of events that were lost since the last call.
    pub(super) fn take_lost(&mut self) -> Option<u64> {
        (self.lost > 0).then(|| std::mem::take(&mut self.lost))
    }

    /// Returns `true` if every event up to `seq` was delivered or lost. Otherwise the caller waits.
    pub(super) fn has_delivered(&mut self, seq: u64) -> bool {
        let delivered = self.delivered >= seq || (self.offered >= seq && self.queued == 0 && self.in_hand == 0);
        self.awaited |= !delivered;
        delivered
    }
}

#[cfg(test)]
#[path = "lane_test.rs"]
mod tests;
