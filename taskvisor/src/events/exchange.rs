//! Moves events from publishers to the lanes of their readers.
//!
//! This is the protocol without a runtime and without subscribers. The models in `models/` run this code.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::time::Instant;

use super::Event;
use super::crew::Crew;
use super::lane::{Entry, Lane};
use super::open::Open;
use crate::panics::drop_caught;
use crate::sync::{AtomicUsize, Mutex, MutexGuard, Ordering, Waiters, lock, wake_caught};

/// The bit of `pressure` that is set while `open` is half full. The other bits count congested lanes.
const CROWDED: usize = 1 << (usize::BITS - 1);

/// The published events, and the lanes of the readers.
///
/// Locks are taken in the order `open`, `streams`, a lane, so they cannot deadlock; the others are leaves. Under all of
/// them only code of this module runs, and the taps of the test kit. Wakers are woken and events dropped with none of
/// them held. A publisher may hold the lock of a cell or of the registry: it wakes only the relay, a Tokio task.
pub(crate) struct Exchange {
    /// Guards the events that are published and not shared yet.
    open: Mutex<Open>,
    /// The duties: the relay, and a worker for each lane.
    pub(super) crew: Crew,
    /// One outlet for each subscriber.
    pub(super) workers: Vec<Arc<Outlet>>,
    /// Guards the list of streams, and the order in which batches are shared: it is taken before `open` is released, so
    /// that no later batch, and no new stream, comes between a batch and its lanes.
    streams: Mutex<Streams>,
    /// The number of streams.
    stream_count: AtomicUsize,
    /// The number of congested lanes, and [`CROWDED`]. While it is not zero, new attempts wait.
    pressure: AtomicUsize,
    /// The wakers of the attempts that wait while a reader is behind. A leaf lock: under it, wakers are only added or
    /// removed.
    giving_way: Mutex<Vec<Waker>>,
    /// The callers that wait for the delivery of events. Woken by each delivery, and by the end of a relay or worker.
    pub(super) delivered: Waiters,
    /// Called with a lane and the number of events that its subscriber has lost, with no lock held.
    on_loss: Box<dyn Fn(usize, u64) + Send + Sync>,
}

/// The list of streams. It is copied on a change while another thread uses it without the lock.
type Streams = Arc<Vec<Arc<Outlet>>>;

/// A lane. The last in the order of locks: no other is taken under it.
pub(super) type Outlet = Mutex<Lane>;

impl Exchange {
    pub(super) fn new(
        workers: impl Iterator<Item = usize>,
        capacity: usize,
        on_loss: impl Fn(usize, u64) + Send + Sync + 'static,
    ) -> Self {
        let workers: Vec<_> = workers.map(|capacity| Arc::new(Mutex::new(Lane::new(capacity)))).collect();
        Self {
            open: Mutex::new(Open::new(capacity)),
            crew: Crew::new(workers.len() + 1),
            workers,
            streams: Mutex::default(),
            stream_count: AtomicUsize::new(0),
            pressure: AtomicUsize::new(0),
            giving_way: Mutex::default(),
            delivered: Waiters::default(),
            on_loss: Box::new(on_loss),
        }
    }

    #[inline]
    pub(super) fn has_streams(&self) -> bool {
        self.stream_count.load(Ordering::Relaxed) > 0
    }

    /// Locks the events that are published and not shared yet.
    pub(super) fn open(&self) -> MutexGuard<'_, Open> {
        lock(&self.open)
    }

    /// Publishes an event, and calls `hear` in the same step. Short, never waits, and can be called under another lock.
    pub(super) fn publish(&self, mut event: Event, hear: impl FnOnce(&Event)) {
        let relay = {
            let mut open = lock(&self.open);
            open.number(&mut event);
            hear(&event);
            if !open.push(event) {
                return;
            }
            if open.is_crowded() {
                self.pressure.fetch_or(CROWDED, Ordering::Relaxed);
            }
            // The relay waits only while there is no event.
            open.relay.take()
        };
        relay.into_iter().for_each(wake_caught);
    }

    /// Like `publish`, but slow readers do not lose the event. For rare events: reports about subscribers and the
    /// result of a shutdown.
    pub(super) fn publish_surely(&self, mut event: Event, hear: impl FnOnce(&Event)) {
        let number = |open: &mut Open| {
            open.number(&mut event);
            hear(&event);
            Arc::new(vec![event])
        };
        self.share_and(number, Lane::insist, |_, _| ());
    }

    /// Moves the published events into the lanes, and wakes the readers. Returns `true` if there were events.
    pub(super) fn share(&self) -> bool {
        self.share_and(|_| (), |_, ()| (), |_, ()| ())
    }

    /// Lets the relay and the workers end. All events published before are then in the lanes, and no more follow.
    pub(super) fn close(&self) {
        self.share_and(|open| open.closed = true, |lane, ()| lane.closed = true, |_, ()| ());
        let relay = lock(&self.open).relay.take();
        relay.into_iter().for_each(wake_caught);
    }

    /// Shares the events. In the same step, applies `to_open` to the empty `open`, and with its result `to_lane` to each
    /// lane and `to_streams` to the list of streams.
    fn share_and<T>(
        &self,
        to_open: impl FnOnce(&mut Open) -> T,
        to_lane: impl Fn(&mut Lane, &T),
        to_streams: impl FnOnce(&mut Streams, &T),
    ) -> bool {
        let mut open = lock(&self.open);
        let (events, lost) = open.take();
        let to_share = to_open(&mut open);
        let mut streams = lock(&self.streams);
        drop(open);
        let (any, events) = (!events.is_empty(), Arc::new(events));
        let lossy = self.each(&streams, |lane| {
            if any {
                lane.offer(&events);
                lane.lose(lost);
            }
            to_lane(lane, &to_share);
        });
        to_streams(&mut streams, &to_share);
        let readers = Arc::clone(&streams);
        drop(streams);
        self.pressure.fetch_and(!CROWDED, Ordering::Relaxed);
        self.let_go();
        for outlet in self.workers.iter().chain(&*readers) {
            let reader = lock(outlet).call_reader();
            reader.into_iter().for_each(wake_caught);
        }
        if lossy {
            self.count_losses();
        }
        // Events for which no lane had room hold user errors, whose drop is user code.
        let _ = drop_caught((events, to_share));
        any
    }

    fn count_losses(&self) {
        for lane in 0..self.workers.len() {
            let lost = std::mem::take(&mut self.lane(lane).uncounted);
            if lost > 0 {
                (self.on_loss)(lane, lost);
            }
        }
    }

    /// Applies `change` to each lane. Returns `true` if a subscriber has losses that are not counted.
    fn each(&self, streams: &[Arc<Outlet>], change: impl Fn(&mut Lane)) -> bool {
        let mut lossy = false;
        for outlet in self.workers.iter().chain(streams) {
            let mut lane = lock(outlet);
            change(&mut lane);
            self.note(&mut lane);
            lossy |= lane.uncounted > 0;
        }
        lossy
    }

    /// Creates a lane for a stream, which receives all events from now on.
    pub(super) fn open_stream(&self, capacity: usize) -> Arc<Outlet> {
        let stream = Arc::new(Mutex::new(Lane::of_stream(capacity)));
        let add = |streams: &mut Streams, closed: &bool| {
            lock(&stream).closed = *closed;
            Arc::make_mut(streams).push(Arc::clone(&stream));
            self.stream_count.store(streams.len(), Ordering::Relaxed);
        };
        self.share_and(|open| open.closed, |_, _| (), add);
        stream
    }

    pub(super) fn close_stream(&self, stream: &Arc<Outlet>) {
        let mut streams = lock(&self.streams);
        Arc::make_mut(&mut streams).retain(|other| !Arc::ptr_eq(other, stream));
        self.stream_count.store(streams.len(), Ordering::Relaxed);
        drop(streams);
        let _ = drop_caught(self.change(stream, Lane::end));
    }

    /// Waits for the next entry of a reader, or `None` if no more entries follow. The previous batch is done.
    pub(super) fn poll_next(&self, outlet: &Outlet, cx: &mut Context<'_>) -> Poll<Option<Entry>> {
        let mut reader = Some(cx.waker().clone());
        let (next, awaited) = self.change(outlet, |lane| {
            let next = lane.poll_next();
            if next.is_pending() {
                // Stored under the lock under which no entry was found, so that no wake-up is missed.
                std::mem::swap(&mut lane.reader, &mut reader);
            }
            (next, std::mem::take(&mut lane.awaited))
        });
        let _ = drop_caught(reader);
        // A caller that begins to wait now checks the lane after this change, and sees it.
        if awaited {
            self.delivered.wake();
        }
        next
    }

    /// Waits until there are events to share, or no more follow.
    pub(super) fn poll_open(&self, cx: &mut Context<'_>) -> Poll<()> {
        let relay = cx.waker().clone();
        let mut open = lock(&self.open);
        if open.closed || !open.events.is_empty() {
            return Poll::Ready(());
        }
        let before = open.relay.replace(relay);
        drop(open);
        drop(before);
        Poll::Pending
    }

    /// Changes one lane, and wakes the waiting attempts if no lane is congested any more.
    pub(super) fn change<T>(&self, outlet: &Outlet, change: impl FnOnce(&mut Lane) -> T) -> T {
        let mut lane = lock(outlet);
        let result = change(&mut lane);
        let changed = self.note(&mut lane);
        drop(lane);
        if changed {
            self.let_go();
        }
        result
    }

    /// Locks the lane of a worker.
    pub(super) fn lane(&self, lane: usize) -> MutexGuard<'_, Lane> {
        lock(&self.workers[lane])
    }

    /// Waits until every subscriber has received the events up to `seq`, or `is_over` returns `true`. `is_over` is
    /// called after each change.
    pub(super) async fn delivered(&self, seq: u64, is_over: impl Fn() -> bool) {
        let are_delivered = || self.workers.iter().all(|outlet| lock(outlet).has_delivered(seq));
        self.delivered.wait(|| (is_over() || are_delivered()).then_some(())).await;
    }

    /// Waits while a reader is behind, unless it has been behind for long.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_congested() {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        lock(&self.giving_way).push(waker);
        // Checked again, so that a concurrent wake-up is not missed.
        if self.is_congested() { Poll::Pending } else { Poll::Ready(()) }
    }

    pub(crate) fn is_congested(&self) -> bool {
        self.pressure.load(Ordering::Relaxed) != 0
    }

    /// Notes that an attempt has waited as long as it may. Attempts no longer wait for a reader that stays behind.
    pub(crate) fn stop_giving_way(&self) {
        let now = Instant::now();
        let streams = Arc::clone(&lock(&self.streams));
        self.each(&streams, |lane| lane.was_waited_for(now));
        self.let_go();
    }

    /// Updates the count of congested lanes. Returns `true` if it changed.
    fn note(&self, lane: &mut Lane) -> bool {
        let congested = lane.is_congested();
        if std::mem::replace(&mut lane.congested, congested) == congested {
            return false;
        }
        if congested {
            self.pressure.fetch_add(1, Ordering::Relaxed);
        } else {
            self.pressure.fetch_sub(1, Ordering::Relaxed);
        }
        true
    }

    /// Wakes the waiting attempts if no lane is congested. Called with no lock held.
    fn let_go(&self) {
        if !self.is_congested() {
            let waiting = std::mem::take(&mut *lock(&self.giving_way));
            waiting.into_iter().for_each(wake_caught);
        }
    }
}
