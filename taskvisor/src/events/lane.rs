//! One subscriber's queue, as plain data.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::Event;

/// For how long attempts give way to one that does not catch up.
const STALLED: Duration = Duration::from_millis(100);

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
        // Nobody else adds to it while this batch is in hand.
        self.done.store(self.done.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

/// What a reader takes next.
pub(super) enum Next {
    Batch(Batch),
    /// So many events were lost here.
    Lost(u64),
}

/// One entry of a lane.
enum Entry {
    /// The first so many of these events.
    Events(Arc<Vec<Event>>, usize),
    Lost(u64),
}

/// What waits for one subscriber, and what it has lost.
pub(super) struct Lane {
    capacity: usize,
    queue: VecDeque<Entry>,
    /// Losses are entered where they happened; else they are counted, for a report at the end of a burst.
    marks_losses: bool,
    queued: usize,
    in_hand: usize,
    done: Arc<AtomicUsize>,
    /// The `seq` of the newest event that was offered, of the newest in hand, and of the newest that is done.
    offered: u64,
    newest: u64,
    delivered: u64,
    lost: u64,
    /// What of all that was lost is not in the metrics yet.
    uncounted: u64,
    /// Since when attempts give way to it.
    waited_for: Option<Instant>,
    /// They did so for long, and no longer do until it has caught up.
    stalled: bool,
}

impl Lane {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            queue: VecDeque::new(),
            marks_losses: false,
            queued: 0,
            in_hand: 0,
            done: Arc::default(),
            offered: 0,
            newest: 0,
            delivered: 0,
            lost: 0,
            uncounted: 0,
            waited_for: None,
            stalled: false,
        }
    }

    /// A lane whose reader is told of losses in the place where they happened.
    pub(super) fn marking_losses(capacity: usize) -> Self {
        Self { marks_losses: true, ..Self::new(capacity) }
    }

    pub(super) fn resize(&mut self, capacity: usize) {
        self.capacity = capacity;
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

    /// An attempt has given way to it in vain.
    pub(super) fn was_waited_for(&mut self, now: Instant) {
        if self.is_congested() {
            let since = *self.waited_for.get_or_insert(now);
            self.stalled = now - since >= STALLED;
        }
    }

    /// Takes what there is room for; the newest are lost. Who has caught up takes all that came together, however much
    /// that is: it had no chance to take it earlier.
    pub(super) fn offer(&mut self, events: &Arc<Vec<Event>>) {
        let room = match self.backlog() {
            0 => events.len(),
            backlog => self.capacity.saturating_sub(backlog),
        };
        let len = events.len().min(room);
        self.offered = events.last().map_or(self.offered, |event| event.seq);
        if len > 0 {
            self.enter(events, len);
        }
        let lost = events[len..].iter().filter(|event| !event.kind.is_diagnostic()).count();
        self.lose(lost as u64);
    }

    fn enter(&mut self, events: &Arc<Vec<Event>>, len: usize) {
        if self.marks_losses && self.lost > 0 {
            // They were lost before these.
            self.queue.push_back(Entry::Lost(std::mem::take(&mut self.lost)));
        }
        self.queue.push_back(Entry::Events(Arc::clone(events), len));
        self.queued += len;
    }

    /// Notes what was lost; what is not offered may have been lost before.
    pub(super) fn lose(&mut self, lost: u64) {
        self.lost += lost;
        self.uncounted += lost;
    }

    /// Takes it all, whether there is room or not; but not without end.
    pub(super) fn insist(&mut self, events: &Arc<Vec<Event>>) {
        self.offered = events.last().map_or(self.offered, |event| event.seq);
        if self.backlog() > self.capacity.saturating_mul(2).saturating_add(16) {
            return;
        }
        self.enter(events, events.len());
    }

    /// Hands over the next batch; the one before is done.
    pub(super) fn take(&mut self) -> Option<Batch> {
        loop {
            match self.take_entry()? {
                Next::Batch(batch) => return Some(batch),
                Next::Lost(lost) => self.lost += lost,
            }
        }
    }

    /// As `take`, with what was lost in its place.
    pub(super) fn take_next(&mut self) -> Option<Next> {
        self.take_entry().or_else(|| self.take_lost().map(Next::Lost))
    }

    fn take_entry(&mut self) -> Option<Next> {
        self.done.store(0, Ordering::Relaxed);
        self.delivered = self.newest;
        self.in_hand = 0;
        if !self.is_behind() {
            self.waited_for = None;
            self.stalled = false;
        }
        let (events, len) = match self.queue.pop_front()? {
            Entry::Events(events, len) => (events, len),
            Entry::Lost(lost) => return Some(Next::Lost(lost)),
        };
        self.queued -= len;
        self.in_hand = len;
        self.newest = events[len - 1].seq;
        Some(Next::Batch(Batch { events, len, done: Arc::clone(&self.done) }))
    }

    /// Whether there is no next batch.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// The number of events lost since this was last asked.
    pub(super) fn take_lost(&mut self) -> Option<u64> {
        let lost = std::mem::take(&mut self.lost);
        (lost > 0).then_some(lost)
    }

    pub(super) fn has_uncounted(&self) -> bool {
        self.uncounted > 0
    }

    /// As `take_lost`, for the metrics: they count a loss when it happens, a report comes at the end of a burst.
    pub(super) fn take_uncounted(&mut self) -> u64 {
        std::mem::take(&mut self.uncounted)
    }

    /// Whether every event up to `seq` was delivered or lost.
    pub(super) fn has_delivered(&self, seq: u64) -> bool {
        self.delivered >= seq || (self.offered >= seq && self.queued == 0 && self.in_hand == 0)
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
        lane.lose(1);
        assert_eq!((lane.take_uncounted(), lane.has_uncounted()), (3, false));
        assert_eq!(lane.take_lost(), Some(1));

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

        assert!(lane.take().is_some());
        lane.offer(&events(5, 4));
        assert!(!lane.is_congested(), "it moves, and is behind all the same");
        while lane.take().is_some() {}
        lane.offer(&events(9, 4));
        assert!(lane.is_congested());
    }

    #[test]
    fn one_that_has_caught_up_takes_a_burst_whole() {
        let mut lane = Lane::new(2);
        lane.offer(&events(1, 100));
        assert_eq!(lane.take().unwrap().events().len(), 100);
        lane.offer(&events(101, 3));
        assert_eq!(lane.take_lost(), Some(3), "now it is behind");
    }

    #[test]
    fn one_of_any_capacity_takes_a_report() {
        for capacity in [1, usize::MAX] {
            let mut lane = Lane::new(capacity);
            lane.insist(&events(1, 1));
            assert_eq!(lane.take().unwrap().events().len(), 1);
        }
    }

    #[test]
    fn diagnostics_that_are_lost_are_not_counted() {
        let mut lane = Lane::new(1);
        lane.offer(&events(1, 1));
        lane.offer(&Arc::new(vec![Event::new(EventKind::SubscriberOverflow)]));
        assert_eq!(lane.take_lost(), None);
    }
}
