//! The queue of one reader, as plain data. The reader is the worker of a subscriber, or a stream.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::time::Instant;

use super::Event;
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
}

impl Lane {
    /// Creates the lane of a subscriber, whose losses are reported once in a burst.
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, ..Self::default() }
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
        let room = match self.backlog() {
            0 => events.len(),
            backlog => self.capacity.saturating_sub(backlog),
        };
        let len = events.len().min(room);
        self.push(events, len);
        if len < events.len() {
            let lost = events[len..].iter().filter(|event| !event.kind.is_diagnostic()).count();
            self.lose(lost as u64);
        }
    }

    /// Accepts all events even without room, up to about twice the capacity.
    pub(super) fn insist(&mut self, events: &Arc<Vec<Event>>) {
        let most = self.capacity.saturating_mul(2).saturating_add(16);
        self.push(events, if self.backlog() > most { 0 } else { events.len() });
    }

    /// Accepts the first `len` of the events.
    fn push(&mut self, events: &Arc<Vec<Event>>, len: usize) {
        self.offered = events.last().map_or(self.offered, |event| event.seq);
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
mod tests {
    use super::*;
    use crate::EventKind;

    fn events(from: u64, n: u64) -> Arc<Vec<Event>> {
        let kind = EventKind::TaskStarting;
        Arc::new((from..from + n).map(|seq| Event { seq, ..Event::new(kind) }).collect())
    }

    fn batch(lane: &mut Lane) -> Option<Batch> {
        match lane.poll_next() {
            Poll::Ready(Some(Entry::Events(batch))) => Some(batch),
            _ => None,
        }
    }

    fn seqs(batch: &Batch) -> Vec<u64> {
        batch.events().iter().map(|event| event.seq).collect()
    }

    #[test]
    fn keeps_the_oldest_and_counts_the_rest() {
        let mut lane = Lane::new(4);
        lane.offer(&events(1, 3));
        lane.offer(&events(4, 3));
        assert_eq!(lane.take_lost(), Some(2));
        assert_eq!(lane.take_lost(), None);
        lane.lose(1);
        assert_eq!((std::mem::take(&mut lane.uncounted), lane.uncounted), (3, 0));
        assert_eq!(lane.take_lost(), Some(1));

        let first = batch(&mut lane).unwrap();
        assert_eq!(first.events().len(), 3);
        first.one_done();
        lane.offer(&events(7, 3));
        assert_eq!(lane.take_lost(), Some(2), "one was done, so there was room for one");
        assert_eq!(batch(&mut lane).unwrap().events()[0].seq, 4);
        assert_eq!(batch(&mut lane).unwrap().events()[0].seq, 7);
        assert!(!lane.has_delivered(9));
        assert!(lane.poll_next().is_pending());
        assert!(lane.has_delivered(9));
    }

    #[test]
    fn one_that_stays_behind_is_not_waited_for_until_it_has_caught_up() {
        let mut lane = Lane::new(4);
        let start = Instant::now();
        lane.offer(&events(1, 4));
        assert!(lane.is_congested());
        lane.was_waited_for(start);
        lane.was_waited_for(start + STALLED - Duration::from_millis(1));
        assert!(lane.is_congested());
        lane.was_waited_for(start + STALLED);
        assert!(!lane.is_congested());

        assert!(lane.poll_next().is_ready());
        lane.offer(&events(5, 4));
        assert!(!lane.is_congested(), "it moves, and is behind all the same");
        while lane.poll_next().is_ready() {}
        lane.offer(&events(9, 4));
        assert!(lane.is_congested());
    }

    #[test]
    fn one_that_has_caught_up_takes_a_burst_whole() {
        let mut lane = Lane::new(2);
        lane.offer(&events(1, 100));
        assert_eq!(batch(&mut lane).unwrap().events().len(), 100);
        lane.offer(&events(101, 3));
        assert_eq!(lane.take_lost(), Some(3), "now it is behind");
    }

    #[test]
    fn one_of_any_capacity_takes_a_report() {
        for capacity in [1, usize::MAX] {
            let mut lane = Lane::new(capacity);
            lane.insist(&events(1, 1));
            assert_eq!(batch(&mut lane).unwrap().events().len(), 1);
        }
    }

    #[test]
    fn diagnostics_that_are_lost_are_not_counted() {
        let mut lane = Lane::new(1);
        lane.offer(&events(1, 1));
        lane.offer(&Arc::new(vec![Event::new(EventKind::SubscriberOverflow)]));
        assert_eq!(lane.take_lost(), None);
    }

    #[test]
    fn k5i_a_stream_is_told_of_a_loss_in_its_place() {
        let stream = (Lane::of_stream(4), "1 2 3 4 lost:2 7 lost:3 11", 0);
        for (mut lane, told, uncounted) in [stream, (Lane::new(4), "1 2 3 4 7 11 lost:5", 5)] {
            lane.offer(&events(1, 3));
            lane.offer(&events(4, 2));
            lane.lose(1);
            let first = batch(&mut lane).unwrap();
            let mut heard: Vec<_> = seqs(&first).iter().map(u64::to_string).collect();
            (0..3).for_each(|_| first.one_done());
            lane.capacity = 2;
            lane.offer(&events(7, 2));
            lane.lose(2);
            lane.capacity = 4;
            lane.offer(&events(11, 1));
            lane.closed = true;
            while let Poll::Ready(Some(next)) = lane.poll_next() {
                match next {
                    Entry::Events(batch) => heard.extend(seqs(&batch).iter().map(u64::to_string)),
                    Entry::Lost(lost) => heard.push(format!("lost:{lost}")),
                }
            }
            assert!(matches!(lane.poll_next(), Poll::Ready(None)));
            assert_eq!(heard.join(" "), told);
            assert_eq!((std::mem::take(&mut lane.uncounted), lane.backlog()), (uncounted, 0));
        }
    }

    #[test]
    fn k5q_what_a_worker_did_not_come_to_is_next_for_another() {
        let mut lane = Lane::new(8);
        lane.offer(&events(1, 3));
        lane.offer(&events(4, 2));
        for (given, next) in [(1, vec![2, 3]), (0, vec![2, 3]), (2, vec![4, 5]), (1, vec![5])] {
            let first = batch(&mut lane).unwrap();
            (0..given).for_each(|_| first.one_done());
            drop(lane.put_back(first));
            assert_eq!(lane.backlog(), 6 - usize::try_from(next[0]).unwrap());
            assert!(lane.has_delivered(next[0] - 1) && !lane.has_delivered(next[0]));
            let second = batch(&mut lane).unwrap();
            assert_eq!(seqs(&second), next);
            drop(lane.put_back(second));
        }
    }
}
