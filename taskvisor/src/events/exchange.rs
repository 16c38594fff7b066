//! Moves events from publishers to the lanes of their readers.
//!
//! Here is the protocol, without a runtime and without subscribers: the models of `models/` run this very code.

use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use tokio::time::Instant;

use super::Event;
use super::bell::Bell;
use super::crew::Crew;
use super::lane::{Batch, Lane, Next};
use super::open::Open;
use crate::panics::drop_caught;
use crate::sync::{AtomicUsize, Mutex, Ordering, Waiters, lock, wake_caught};

/// In `pressure`: half of what may be published before the relay has a turn is there. The rest counts lanes.
const CROWDED: usize = 1 << (usize::BITS - 1);

/// What is published, and the lanes that it is shared into.
///
/// Locks are taken in the order `open`, `streams`, a lane; each of the others is a leaf. Under all of them code of this
/// module runs and nothing else, but for the taps of the test kit. Wakers are woken, and events dropped, with none
/// held.
pub(super) struct Exchange {
    /// Guards what is published and not shared yet.
    open: Mutex<Open>,
    relay: Bell,
    /// One for each subscriber.
    workers: Vec<Outlet>,
    /// Guards the list of streams, and the order in which batches are shared.
    streams: Mutex<Arc<Vec<Arc<Outlet>>>>,
    /// How many streams there are.
    stream_count: AtomicUsize,
    crew: Crew,
    /// How many lanes are congested, and [`CROWDED`]. While it is not zero the next attempts give way.
    pressure: AtomicUsize,
    giving_way: Mutex<Vec<Waker>>,
    /// How many wait until all is delivered.
    flushes: AtomicUsize,
    delivered: Waiters,
}

/// A lane, and the bell of its one reader.
pub(super) struct Outlet {
    lane: Mutex<Lane>,
    bell: Bell,
}

/// What came of sharing.
#[derive(Clone, Copy, Default)]
pub(super) struct Shared {
    /// There was something to share.
    pub(super) any: bool,
    /// No more will come.
    pub(super) closed: bool,
    /// A subscriber has lost events since.
    pub(super) lossy: bool,
}

impl Outlet {
    fn new(lane: Lane) -> Self {
        Self { lane: Mutex::new(lane), bell: Bell::default() }
    }
}

impl Exchange {
    pub(super) fn new(workers: impl Iterator<Item = usize>, capacity: usize) -> Self {
        let workers: Vec<_> = workers.map(|capacity| Outlet::new(Lane::new(capacity))).collect();
        Self {
            open: Mutex::new(Open::new(capacity)),
            relay: Bell::default(),
            crew: Crew::new(workers.len() + 1),
            workers,
            streams: Mutex::default(),
            stream_count: AtomicUsize::new(0),
            pressure: AtomicUsize::new(0),
            giving_way: Mutex::default(),
            flushes: AtomicUsize::new(0),
            delivered: Waiters::default(),
        }
    }

    /// The relay, and a worker for each lane.
    pub(super) fn crew(&self) -> &Crew {
        &self.crew
    }

    #[inline]
    pub(super) fn has_streams(&self) -> bool {
        self.stream_count.load(Ordering::Relaxed) > 0
    }

    /// The number of the last event.
    pub(super) fn last(&self) -> u64 {
        lock(&self.open).last()
    }

    /// Publishes an event, which `hear` hears in the same step. Short, never waits; can be called under another lock.
    pub(super) fn publish(&self, mut event: Event, hear: impl FnOnce(&Event)) {
        let first = {
            let mut open = lock(&self.open);
            event.seq = open.next();
            hear(&event);
            if !open.push(event) {
                return;
            }
            if open.is_crowded() && self.pressure.load(Ordering::Relaxed) & CROWDED == 0 {
                self.pressure.fetch_or(CROWDED, Ordering::Relaxed);
            }
            open.len() == 1
        };
        if first {
            self.relay.ring();
        }
    }

    /// As `publish`, but is not lost to those that are behind. For what comes rarely: reports, and the verdict.
    pub(super) fn publish_surely(&self, mut event: Event, hear: impl FnOnce(&Event)) -> Shared {
        let mut open = lock(&self.open);
        let (before, lost) = open.take();
        event.seq = open.next();
        hear(&event);
        let sure = Arc::new(vec![event]);
        let closed = open.is_closed();
        let streams = lock(&self.streams);
        drop(open);
        let before = Arc::new(before);
        let lossy = self.each(&streams, |lane| {
            if !before.is_empty() {
                lane.offer(&before);
                lane.lose(lost);
            }
            lane.insist(&sure);
        });
        let streams = unlocked(streams);
        self.shared(&streams);
        let _ = drop_caught((before, sure));
        Shared { any: true, closed, lossy }
    }

    /// Moves what is open into the lanes, and wakes their readers.
    pub(super) fn share(&self) -> Shared {
        self.share_and(|_| (), |_| ())
    }

    /// Lets the relay and the workers end. All that was published before is in the lanes then, and nothing comes after.
    pub(super) fn close(&self) -> Shared {
        let shared = self.share_and(Open::close, Lane::close);
        self.relay.ring();
        shared
    }

    /// Shares; does something to what is open once it is empty, and to each lane once it has its part.
    fn share_and(&self, to_open: impl FnOnce(&mut Open), to_lane: impl Fn(&mut Lane)) -> Shared {
        let mut open = lock(&self.open);
        let (events, lost) = open.take();
        to_open(&mut open);
        let closed = open.is_closed();
        let streams = lock(&self.streams);
        drop(open);
        let (any, events) = (!events.is_empty(), Arc::new(events));
        let lossy = self.each(&streams, |lane| {
            if any {
                lane.offer(&events);
                lane.lose(lost);
            }
            to_lane(lane);
        });
        let streams = unlocked(streams);
        self.shared(&streams);
        // The errors in what no lane had room for are the user's, and so is their drop.
        let _ = drop_caught(events);
        Shared { any, closed, lossy }
    }

    /// Does it to each lane. Whether one of a subscriber has losses that are not counted.
    fn each(&self, streams: &[Arc<Outlet>], change: impl Fn(&mut Lane)) -> bool {
        let mut lossy = false;
        for outlet in &self.workers {
            let mut lane = lock(&outlet.lane);
            change(&mut lane);
            self.note(&mut lane);
            lossy |= lane.has_uncounted();
        }
        for outlet in streams {
            let mut lane = lock(&outlet.lane);
            change(&mut lane);
            self.note(&mut lane);
        }
        lossy
    }

    /// The lanes have what was open. Called with no lock held.
    fn shared(&self, streams: &[Arc<Outlet>]) {
        if self.pressure.load(Ordering::Relaxed) & CROWDED != 0 {
            self.pressure.fetch_and(!CROWDED, Ordering::Relaxed);
        }
        if !self.is_congested() {
            self.let_go();
        }
        for outlet in self.workers.iter().chain(streams.iter().map(|stream| &**stream)) {
            outlet.bell.ring();
        }
    }

    /// A lane for a stream, which gets all that is published from now on.
    pub(super) fn open_stream(&self, capacity: usize) -> Arc<Outlet> {
        let mut open = lock(&self.open);
        let (events, lost) = open.take();
        let closed = open.is_closed();
        let mut streams = lock(&self.streams);
        drop(open);
        let events = Arc::new(events);
        if !events.is_empty() {
            self.each(&streams, |lane| {
                lane.offer(&events);
                lane.lose(lost);
            });
        }
        let stream = Arc::new(Outlet::new(Lane::of_stream(capacity, closed)));
        // Others may be at the list without its lock; then this copies it.
        let earlier = (!events.is_empty()).then(|| Arc::clone(&streams));
        Arc::make_mut(&mut streams).push(Arc::clone(&stream));
        self.stream_count.store(streams.len(), Ordering::Relaxed);
        drop(streams);
        if let Some(earlier) = earlier {
            self.shared(&earlier);
        }
        let _ = drop_caught(events);
        stream
    }

    pub(super) fn resize_stream(&self, stream: &Outlet, capacity: usize) {
        let mut lane = lock(&stream.lane);
        lane.resize(capacity);
        let calm = self.note(&mut lane);
        drop(lane);
        if calm {
            self.let_go();
        }
    }

    pub(super) fn close_stream(&self, stream: &Arc<Outlet>) {
        let mut streams = lock(&self.streams);
        Arc::make_mut(&mut streams).retain(|other| !Arc::ptr_eq(other, stream));
        self.stream_count.store(streams.len(), Ordering::Relaxed);
        drop(streams);
        let mut lane = lock(&stream.lane);
        let left = lane.clear();
        // Nothing is in its way any more.
        lane.resize(usize::MAX);
        let calm = self.note(&mut lane);
        drop(lane);
        if calm {
            self.let_go();
        }
        let _ = drop_caught(left);
        stream.bell.forget();
    }

    /// What is next for the reader of an outlet; the batch before is done.
    pub(super) fn poll_next(&self, outlet: &Outlet, cx: &mut Context<'_>) -> Poll<Next> {
        outlet.bell.hear();
        loop {
            if let Some(next) = self.take(outlet) {
                return Poll::Ready(next);
            }
            ready!(outlet.bell.poll_heard(cx));
        }
    }

    fn take(&self, outlet: &Outlet) -> Option<Next> {
        let (next, calm) = {
            let mut lane = lock(&outlet.lane);
            (lane.take(), self.note(&mut lane))
        };
        if calm {
            self.let_go();
        }
        self.note_delivery();
        next
    }

    /// The lane of that number's worker.
    pub(super) fn worker(&self, lane: usize) -> &Outlet {
        &self.workers[lane]
    }

    /// The relay is about to look.
    pub(super) fn hear_relay(&self) {
        self.relay.hear();
    }

    /// Waits for the relay's bell.
    pub(super) fn poll_relay(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.relay.poll_heard(cx)
    }

    /// How many events are open.
    pub(super) fn open_len(&self) -> usize {
        lock(&self.open).len()
    }

    /// Whether something waits for that worker.
    pub(super) fn has_next(&self, lane: usize) -> bool {
        !lock(&self.workers[lane].lane).is_empty()
    }

    /// The worker goes away with this in hand: what it did not come to waits for the next worker.
    pub(super) fn put_back(&self, lane: usize, batch: Batch) {
        let rest = lock(&self.workers[lane].lane).put_back(batch);
        let _ = drop_caught(rest);
    }

    /// What a subscriber has lost and was not told.
    pub(super) fn take_lost(&self, lane: usize) -> Option<u64> {
        lock(&self.workers[lane].lane).take_lost()
    }

    /// What a subscriber has lost and the metrics do not have.
    pub(super) fn take_uncounted(&self, lane: usize) -> u64 {
        lock(&self.workers[lane].lane).take_uncounted()
    }

    /// Waits until `is_over`, or every subscriber has taken the events up to that number. `is_over` is asked whenever
    /// something has moved.
    pub(super) async fn delivered(&self, seq: u64, is_over: impl Fn() -> bool) {
        let _flush = Flush::new(self);
        let are_delivered = || self.workers.iter().all(|outlet| lock(&outlet.lane).has_delivered(seq));
        self.delivered.wait(|| (is_over() || are_delivered()).then_some(())).await;
    }

    /// Something was delivered, or one who delivers is gone.
    pub(super) fn note_delivery(&self) {
        // One that begins to wait now looks at the lane after this, and so sees what has changed in it.
        if self.flushes.load(Ordering::Relaxed) > 0 {
            self.delivered.wake();
        }
    }

    /// Waits while a subscriber that keeps up has a lot to catch up with.
    pub(super) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_congested() {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        lock(&self.giving_way).push(waker);
        // Looked at again, so that a wake that was on its way is not missed.
        if self.is_congested() { Poll::Pending } else { Poll::Ready(()) }
    }

    pub(super) fn is_congested(&self) -> bool {
        self.pressure.load(Ordering::Relaxed) != 0
    }

    /// An attempt has given way for as long as it does. A reader that is behind for long is not waited for any more.
    pub(super) fn stop_giving_way(&self) {
        let now = Instant::now();
        let streams = unlocked(lock(&self.streams));
        self.each(&streams, |lane| lane.was_waited_for(now));
        if !self.is_congested() {
            self.let_go();
        }
    }

    /// Counts a lane that has become congested, or is so no more. Whether that was the last one.
    fn note(&self, lane: &mut Lane) -> bool {
        match lane.turns_congested() {
            None => false,
            Some(true) => {
                self.pressure.fetch_add(1, Ordering::Relaxed);
                false
            }
            Some(false) => self.pressure.fetch_sub(1, Ordering::Relaxed) == 1,
        }
    }

    /// Wakes those that gave way, with no lock held.
    fn let_go(&self) {
        let waiting = std::mem::take(&mut *lock(&self.giving_way));
        waiting.into_iter().for_each(wake_caught);
    }
}

/// One that waits until all is delivered.
struct Flush<'a>(&'a Exchange);

impl<'a> Flush<'a> {
    fn new(exchange: &'a Exchange) -> Self {
        exchange.flushes.fetch_add(1, Ordering::Relaxed);
        Self(exchange)
    }
}

impl Drop for Flush<'_> {
    fn drop(&mut self) {
        self.0.flushes.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The list, without its lock.
fn unlocked(streams: impl std::ops::Deref<Target = Arc<Vec<Arc<Outlet>>>>) -> Arc<Vec<Arc<Outlet>>> {
    Arc::clone(&streams)
}
