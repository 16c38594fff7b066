//! The way from a publisher to the subscribers.
//!
//! ```text
//! publishers -> open -> relay -> lane -> worker -> subscriber      (a lane and a worker for each subscriber)
//! ```
//! Publishing appends to `open`, and wakes the relay if it was empty. The relay lets `open` grow while publishers are
//! busy, then shares what came together with all lanes, so that one wake serves many events. A subscriber that is slow
//! fills its lane and nothing else.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::delivery::deliver;
use super::lane::{Batch, Lane};
use super::{Event, EventKind, Subscribe};
use crate::engine::Background;
use crate::panics::{Fenced, drop_caught};
use crate::sync::lock;

/// The relay waits no longer for publishers once this many events came together, or after this many turns.
const BATCH: usize = 64;
const TURNS: usize = 16;

/// The bus keeps this many events that come together before the relay has a turn, even if its capacity is smaller.
const BURST: usize = 65_536;

pub(crate) struct Bus {
    subscribers: Vec<Fenced<Arc<dyn Subscribe>>>,
    names: Vec<Arc<str>>,
    capacity: usize,
    /// How many streams there are.
    streams: AtomicUsize,
    /// Whether a queue is half full, so that the next attempts give way.
    congested: AtomicBool,
    started: AtomicBool,
    open: Mutex<Open>,
    relay: Notify,
    /// Locked after `open` where both are.
    lanes: Mutex<Lanes>,
    bells: Vec<Notify>,
    delivered: Notify,
    #[cfg(feature = "test-util")]
    pub(crate) taps: super::tap::Taps,
}

/// What is not in the lanes yet.
struct Open {
    seq: u64,
    events: Vec<Event>,
    /// How many came together the last time, and so the room that is made for the next.
    usual: usize,
    /// What could not be kept.
    lost: u64,
    closed: bool,
}

struct Lanes {
    /// One for each subscriber.
    all: Vec<Lane>,
    streams: Vec<StreamLane>,
    giving_way: Vec<Waker>,
    closed: bool,
}

/// The lane of a stream, which somebody reads who may not.
struct StreamLane {
    id: u64,
    lane: Lane,
    waker: Option<Waker>,
}

impl Lanes {
    fn each(&mut self) -> impl Iterator<Item = &mut Lane> {
        self.all.iter_mut().chain(self.streams.iter_mut().map(|stream| &mut stream.lane))
    }
}

impl Open {
    fn next(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }
}

impl Bus {
    pub(crate) fn new(subscribers: Vec<Arc<dyn Subscribe>>, capacity: usize) -> Self {
        let lanes = subscribers.iter().map(|subscriber| Lane::new(subscriber.queue_capacity())).collect();
        Self {
            capacity,
            streams: AtomicUsize::new(0),
            congested: AtomicBool::new(false),
            started: AtomicBool::new(false),
            open: Mutex::new(Open { seq: 0, events: Vec::new(), usual: 0, lost: 0, closed: false }),
            relay: Notify::new(),
            lanes: Mutex::new(Lanes { all: lanes, streams: Vec::new(), giving_way: Vec::new(), closed: false }),
            bells: subscribers.iter().map(|_| Notify::new()).collect(),
            delivered: Notify::new(),
            names: subscribers.iter().map(|subscriber| subscriber.name().into()).collect(),
            subscribers: subscribers.into_iter().map(Fenced::new).collect(),
            #[cfg(feature = "test-util")]
            taps: super::tap::Taps::default(),
        }
    }

    /// Whether anybody listens. Where nobody does, no event is even made.
    pub(crate) fn is_active(&self) -> bool {
        #[cfg(feature = "test-util")]
        if self.taps.are_open() {
            return true;
        }
        !self.subscribers.is_empty() || self.streams.load(Ordering::Relaxed) > 0
    }

    /// Starts the relay and the workers, unless they run.
    pub(crate) fn start(self: &Arc<Self>, runtime: &Handle) {
        if !self.is_active() || self.started.load(Ordering::Relaxed) || self.started.swap(true, Ordering::AcqRel) {
            return;
        }
        for lane in 0..self.subscribers.len() {
            let working: Background = Box::pin(work(Arc::clone(self), lane));
            runtime.spawn(working);
        }
        let relaying: Background = Box::pin(relay(Relay(Arc::clone(self))));
        runtime.spawn(relaying);
    }

    /// As `start`, on the runtime of the caller: the one that it ran on may be gone.
    pub(crate) fn start_here(self: &Arc<Self>) {
        if self.is_active() && !self.started.load(Ordering::Relaxed) {
            if let Ok(runtime) = Handle::try_current() {
                self.start(&runtime);
            }
        }
    }

    /// Tells the subscribers. Short, never waits; can be called under another lock.
    pub(crate) fn publish(&self, mut event: Event) {
        let first = {
            let mut open = lock(&self.open);
            event.seq = open.next();
            #[cfg(feature = "test-util")]
            self.taps.hear(&event);
            if !self.started.load(Ordering::Relaxed) {
                // Its runtime is gone. The event's error is not dropped here: the caller has it too.
                return;
            }
            if open.events.len() >= self.capacity.max(BURST) {
                // The relay has had no turn for long. The event's error is not dropped here: the caller has it too.
                open.lost += u64::from(!event.kind.is_diagnostic());
                return;
            }
            if open.events.is_empty() {
                let usual = open.usual;
                open.events.reserve(usual);
            }
            open.events.push(event);
            let len = open.events.len();
            if len * 2 >= self.capacity {
                self.congested.store(true, Ordering::Relaxed);
            }
            len == 1
        };
        if first {
            self.relay.notify_one();
        }
    }

    /// As `publish`, but is not lost to those that are behind. For what comes rarely: reports, and the verdict.
    pub(crate) fn publish_surely(&self, mut event: Event) {
        let (before, sure) = {
            let mut open = lock(&self.open);
            let before = std::mem::take(&mut open.events);
            let lost = std::mem::take(&mut open.lost);
            event.seq = open.next();
            #[cfg(feature = "test-util")]
            self.taps.hear(&event);
            let (before, sure) = (Arc::new(before), Arc::new(vec![event]));
            let mut lanes = lock(&self.lanes);
            for lane in lanes.each() {
                lane.offer(&before);
                lane.lose(lost);
                lane.insist(&sure);
            }
            self.note_congestion(&lanes);
            (before, sure)
        };
        let _ = drop_caught((before, sure));
        self.relay.notify_one();
        self.ring();
    }

    /// Lets the relay and the workers end once they have delivered everything.
    pub(crate) fn close(&self) {
        lock(&self.open).closed = true;
        if self.started.load(Ordering::Acquire) {
            self.relay.notify_one();
        } else {
            // There is no relay that would say so.
            lock(&self.lanes).closed = true;
            self.ring();
        }
    }

    /// A lane for a stream, which gets all that is published from now on.
    pub(super) fn open_stream(&self, capacity: usize) -> (u64, u64) {
        let open = lock(&self.open);
        let mut lanes = lock(&self.lanes);
        let id = lanes.streams.last().map_or(0, |stream| stream.id + 1);
        lanes.streams.push(StreamLane { id, lane: Lane::new(capacity), waker: None });
        self.streams.store(lanes.streams.len(), Ordering::Relaxed);
        (id, open.seq)
    }

    pub(super) fn resize_stream(&self, id: u64, capacity: usize) {
        if let Some(stream) = lock(&self.lanes).streams.iter_mut().find(|stream| stream.id == id) {
            stream.lane.resize(capacity);
        }
    }

    pub(super) fn close_stream(&self, id: u64) {
        let mut lanes = lock(&self.lanes);
        let position = lanes.streams.iter().position(|stream| stream.id == id);
        let gone = position.map(|position| lanes.streams.remove(position));
        self.streams.store(lanes.streams.len(), Ordering::Relaxed);
        if self.is_congested() && !self.note_congestion(&lanes) {
            wake(lanes);
        } else {
            drop(lanes);
        }
        let _ = drop_caught(gone);
    }

    /// What is next in the lane of a stream.
    pub(super) fn poll_stream(&self, id: u64, cx: &mut Context<'_>) -> Poll<Option<Result<Batch, u64>>> {
        let mut waker = Some(cx.waker().clone());
        let mut lanes = lock(&self.lanes);
        let closed = lanes.closed;
        let Some(stream) = lanes.streams.iter_mut().find(|stream| stream.id == id) else { return Poll::Ready(None) };
        let next = match stream.lane.take() {
            Some(batch) => Some(Ok(batch)),
            None => stream.lane.take_lost().map(Err),
        };
        if next.is_none() && !closed {
            std::mem::swap(&mut stream.waker, &mut waker);
        }
        if self.is_congested() && !self.note_congestion(&lanes) {
            wake(lanes);
        }
        match next {
            None if !closed => Poll::Pending,
            next => Poll::Ready(next),
        }
    }

    /// Moves what is open into the lanes. Whether there was anything, and whether no more will come.
    fn share(&self) -> (bool, bool) {
        let mut open = lock(&self.open);
        let (events, closed) = (Arc::new(std::mem::take(&mut open.events)), open.closed);
        let lost = std::mem::take(&mut open.lost);
        open.usual = events.len().min(BATCH);
        let mut lanes = lock(&self.lanes);
        drop(open);
        if !events.is_empty() {
            for lane in lanes.each() {
                lane.offer(&events);
                lane.lose(lost);
            }
            self.note_congestion(&lanes);
        }
        let lossy = lanes.all.iter().any(Lane::has_uncounted);
        lanes.closed = closed && events.is_empty();
        if self.is_congested() {
            drop(lanes);
        } else {
            wake(lanes);
        }
        // The errors in what no lane had room for are the user's, and so is their drop.
        let shared = !events.is_empty();
        let _ = drop_caught(events);
        if lossy {
            self.count_lost();
        }
        (shared, closed)
    }

    /// Wakes the workers, and those who read a stream.
    fn ring(&self) {
        self.bells.iter().for_each(Notify::notify_one);
        if self.streams.load(Ordering::Relaxed) > 0 {
            let readers: Vec<_> =
                lock(&self.lanes).streams.iter_mut().filter_map(|stream| stream.waker.take()).collect();
            readers.into_iter().for_each(Waker::wake);
        }
    }

    fn note_congestion(&self, lanes: &Lanes) -> bool {
        let streams = lanes.streams.iter().map(|stream| &stream.lane);
        let congested = lanes.all.iter().chain(streams).any(Lane::is_congested);
        self.congested.store(congested, Ordering::Relaxed);
        congested
    }

    /// Waits while a subscriber that keeps up has a lot to catch up with.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_congested() {
            return Poll::Ready(());
        }
        let mut lanes = lock(&self.lanes);
        lanes.giving_way.push(cx.waker().clone());
        // Looked at again under the lock, so that a wake that was on its way is not missed.
        if self.is_congested() { Poll::Pending } else { Poll::Ready(()) }
    }

    pub(crate) fn is_congested(&self) -> bool {
        self.congested.load(Ordering::Relaxed)
    }

    /// An attempt has given way for as long as it does. Whoever is behind for long is not waited for any more.
    pub(crate) fn stop_giving_way(&self) {
        let mut lanes = lock(&self.lanes);
        let now = Instant::now();
        lanes.each().for_each(|lane| lane.was_waited_for(now));
        self.note_congestion(&lanes);
    }

    /// Waits until the subscribers have taken every event published so far.
    pub(crate) async fn flush(&self) {
        if !self.is_active() || !self.started.load(Ordering::Acquire) {
            return;
        }
        for lane in 0..self.subscribers.len() {
            self.report_lost(lane);
        }
        let last = lock(&self.open).seq;
        // The relay may be queued behind a task that blocks its thread.
        self.share();
        self.ring();
        loop {
            let mut moved = pin!(self.delivered.notified());
            moved.as_mut().enable();
            if lock(&self.lanes).all.iter().all(|lane| lane.has_delivered(last)) {
                return;
            }
            moved.await;
        }
    }

    /// Takes the worker's next batch, now that the last one is done.
    async fn next(&self, lane: usize) -> Option<Batch> {
        loop {
            let bell = self.bells[lane].notified();
            let (batch, closed) = {
                let mut lanes = lock(&self.lanes);
                let batch = lanes.all[lane].take();
                let closed = lanes.closed;
                if self.is_congested() && !self.note_congestion(&lanes) {
                    wake(lanes);
                }
                (batch, closed)
            };
            self.delivered.notify_waiters();
            if batch.is_some() {
                return batch;
            }
            self.report_lost(lane);
            if closed {
                return None;
            }
            bell.await;
        }
    }

    fn report_lost(&self, lane: usize) {
        let lost = lock(&self.lanes).all[lane].take_lost();
        if let Some(lost) = lost {
            self.count_lost();
            let reason = format!("queue full, lost {lost} events");
            self.report(EventKind::SubscriberOverflow, lane, lost, reason);
        }
    }

    /// Tells the metrics what was lost since, with no lock held.
    fn count_lost(&self) {
        for (lane, name) in self.names.iter().enumerate() {
            let lost = lock(&self.lanes).all[lane].take_uncounted();
            if lost > 0 {
                crate::engine::lost(name, lost);
            }
        }
    }

    fn report(&self, kind: EventKind, lane: usize, count: u64, reason: String) {
        self.publish_surely(Event { count: Some(count), ..Event::about(kind, &self.names[lane]).because(reason) });
    }
}

/// Wakes those that gave way, with no lock held.
fn wake(mut lanes: std::sync::MutexGuard<'_, Lanes>) {
    let waiting = std::mem::take(&mut lanes.giving_way);
    drop(lanes);
    waiting.into_iter().for_each(Waker::wake);
}

/// Moves events from `open` to the lanes.
async fn relay(relay: Relay) {
    let bus = &relay.0;
    loop {
        let bell = bus.relay.notified();
        let mut seen = 0;
        for _ in 0..TURNS {
            let len = lock(&bus.open).events.len();
            if len == seen || len >= BATCH {
                break;
            }
            seen = len;
            give_way().await;
        }
        let (shared, closed) = bus.share();
        bus.ring();
        if closed && !shared {
            return;
        }
        if shared {
            give_way().await;
        } else {
            bell.await;
        }
    }
}

/// Delivers to one subscriber.
async fn work(bus: Arc<Bus>, lane: usize) {
    let subscriber = &**bus.subscribers[lane];
    while let Some(batch) = bus.next(lane).await {
        if let Some((panics, message)) = deliver(subscriber, &batch).await {
            bus.report(EventKind::SubscriberPanicked, lane, panics, message.to_string());
        }
        // Errors of the user's are dropped with the batch.
        let _ = drop_caught(batch);
        // Where nothing is next, it waits, and others have their turn all the same.
        if !lock(&bus.lanes).all[lane].is_empty() {
            give_way().await;
        }
    }
}

/// Lets other tasks run, without a turn of the driver.
async fn give_way() {
    let mut turn = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut turn, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// The relay runs as long as this is there.
struct Relay(Arc<Bus>);

impl Drop for Relay {
    fn drop(&mut self) {
        self.0.started.store(false, Ordering::Release);
    }
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus").field("subscribers", &self.subscribers.len()).finish_non_exhaustive()
    }
}
