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
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use tokio::runtime::Handle;
use tokio::time::Instant;

use super::bell::Bell;
use super::crew::Crew;
use super::delivery::deliver;
use super::lane::{Batch, Lane, Next};
use super::queue::{Published, Queue, Taken};
use super::{Event, EventKind, Subscribe};
use crate::engine::Background;
use crate::panics::{Fenced, catch, drop_caught};
use crate::sync::{Waiters, lock, wake_caught};

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
    crew: Crew,
    open: Queue<Event>,
    relay: Bell,
    /// Locked after `open` where both are.
    lanes: Mutex<Lanes>,
    bells: Vec<Bell>,
    delivered: Waiters,
    /// Where the core of the supervisor is, so that a subscriber that waits for it can be told.
    owner: AtomicUsize,
    #[cfg(feature = "test-util")]
    pub(crate) taps: super::tap::Taps,
}

/// What a subscriber says of itself, asked once.
pub(crate) struct Introduced {
    pub(crate) name: Arc<str>,
    /// `None` if it panicked over its name or capacity.
    pub(crate) capacity: Option<usize>,
}

impl Introduced {
    pub(crate) fn of(subscriber: &dyn Subscribe) -> Self {
        let name = catch(|| Arc::from(subscriber.name()));
        let capacity = catch(|| subscriber.queue_capacity());
        let capacity = capacity.ok().filter(|_| name.is_ok());
        Self { name: name.unwrap_or_else(|_| "subscriber".into()), capacity }
    }
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
    /// The streams are kept in the order of their ids.
    fn stream(&mut self, id: u64) -> Option<&mut StreamLane> {
        let position = self.streams.binary_search_by_key(&id, |stream| stream.id).ok()?;
        self.streams.get_mut(position)
    }

    fn each(&mut self) -> impl Iterator<Item = &mut Lane> {
        self.all.iter_mut().chain(self.streams.iter_mut().map(|stream| &mut stream.lane))
    }
}

impl Bus {
    pub(crate) fn new(subscribers: Vec<Arc<dyn Subscribe>>, introduced: Vec<Introduced>, capacity: usize) -> Self {
        let lanes = introduced.iter().map(|one| Lane::new(one.capacity.unwrap_or(1))).collect();
        Self {
            capacity,
            streams: AtomicUsize::new(0),
            congested: AtomicBool::new(false),
            crew: Crew::new(subscribers.len() + 1),
            open: Queue::new(),
            relay: Bell::default(),
            lanes: Mutex::new(Lanes { all: lanes, streams: Vec::new(), giving_way: Vec::new(), closed: false }),
            bells: subscribers.iter().map(|_| Bell::default()).collect(),
            delivered: Waiters::default(),
            owner: AtomicUsize::new(0),
            names: introduced.into_iter().map(|one| one.name).collect(),
            subscribers: subscribers.into_iter().map(Fenced::new).collect(),
            #[cfg(feature = "test-util")]
            taps: super::tap::Taps::default(),
        }
    }

    /// Notes where the core of the supervisor is.
    pub(crate) fn belongs_to(&self, core: usize) {
        self.owner.store(core, Ordering::Relaxed);
    }

    /// Whether anybody listens. Where nobody does, no event is even made.
    pub(crate) fn is_active(&self) -> bool {
        #[cfg(feature = "test-util")]
        if self.taps.are_open() {
            return true;
        }
        !self.subscribers.is_empty() || self.streams.load(Ordering::Relaxed) > 0
    }

    /// Starts the relay and the workers that do not run. Once closed, nobody is started any more.
    pub(crate) fn start(self: &Arc<Self>, runtime: &Handle) {
        if !self.is_active() || self.crew.is_complete() || self.open.is_closed() {
            return;
        }
        for place in self.crew.claim() {
            let member = Member { bus: Arc::clone(self), place };
            let delivering: Background = match place {
                RELAY => Box::pin(relay(member)),
                worker => Box::pin(work(member, worker - 1)),
            };
            runtime.spawn(delivering);
        }
    }

    /// As `start`, on the runtime of the caller: the one that it ran on may be gone.
    pub(crate) fn start_here(self: &Arc<Self>) {
        if self.is_active() && !self.crew.is_complete() {
            if let Ok(runtime) = Handle::try_current() {
                self.start(&runtime);
            }
        }
    }

    /// Tells the subscribers. Short, never waits; can be called under another lock.
    pub(crate) fn publish(&self, mut event: Event) {
        let counts = !event.kind.is_diagnostic();
        // The bus keeps what comes together before the relay has a turn.
        let published = self.open.publish(
            self.capacity.max(BURST),
            counts,
            || self.crew.is_complete(),
            |seq| {
                event.seq = seq;
                #[cfg(feature = "test-util")]
                self.taps.hear(&event);
                event
            },
        );
        let Published::Waits(len) = published else { return };
        if len * 2 >= self.capacity {
            self.congested.store(true, Ordering::Relaxed);
        }
        // The first since the relay looked has to wake it.
        if len == 1 {
            self.relay.ring();
        }
    }

    /// As `publish`, but is not lost to those that are behind. For what comes rarely: reports, and the verdict.
    pub(crate) fn publish_surely(&self, mut event: Event) {
        let spare = self.open.take(BATCH, |taken, seq| {
            *seq += 1;
            event.seq = *seq;
            #[cfg(feature = "test-util")]
            self.taps.hear(&event);
            let (before, sure) = (Arc::new(taken.events), Arc::new(vec![event]));
            let mut lanes = lock(&self.lanes);
            for lane in lanes.each() {
                lane.offer(&before);
                lane.lose(taken.lost);
                lane.insist(&sure);
            }
            self.note_congestion(&lanes);
            (before, sure)
        });
        let _ = drop_caught(spare);
        self.relay.ring();
        self.ring();
    }

    /// Lets the relay and the workers end once they have delivered everything.
    pub(crate) fn close(&self) {
        self.open.close();
        if self.crew.is_complete() {
            self.relay.ring();
        } else {
            // There may be no relay that would say so.
            lock(&self.lanes).closed = true;
            self.ring();
        }
    }

    /// A lane for a stream, which gets all that is published from now on.
    pub(super) fn open_stream(&self, capacity: usize) -> (u64, u64) {
        self.open.at(|seq| {
            let mut lanes = lock(&self.lanes);
            let id = lanes.streams.last().map_or(0, |stream| stream.id + 1);
            lanes.streams.push(StreamLane { id, lane: Lane::marking_losses(capacity), waker: None });
            self.streams.store(lanes.streams.len(), Ordering::Relaxed);
            (id, seq)
        })
    }

    pub(super) fn resize_stream(&self, id: u64, capacity: usize) {
        if let Some(stream) = lock(&self.lanes).stream(id) {
            stream.lane.resize(capacity);
        }
    }

    pub(super) fn close_stream(&self, id: u64) {
        let mut lanes = lock(&self.lanes);
        let position = lanes.streams.binary_search_by_key(&id, |stream| stream.id);
        let gone = position.ok().map(|position| lanes.streams.remove(position));
        self.streams.store(lanes.streams.len(), Ordering::Relaxed);
        if self.is_congested() && !self.note_congestion(&lanes) {
            wake(lanes);
        } else {
            drop(lanes);
        }
        let _ = drop_caught(gone);
    }

    /// What is next in the lane of a stream.
    pub(super) fn poll_stream(&self, id: u64, cx: &mut Context<'_>) -> Poll<Option<Next>> {
        let mut waker = Some(cx.waker().clone());
        let mut lanes = lock(&self.lanes);
        let closed = lanes.closed;
        let next = lanes.stream(id).map(|stream| {
            let next = stream.lane.take_next();
            if next.is_none() && !closed {
                std::mem::swap(&mut stream.waker, &mut waker);
            }
            next
        });
        if self.is_congested() && !self.note_congestion(&lanes) {
            wake(lanes);
        } else {
            drop(lanes);
        }
        // The waker of the last poll, or the present one: either is the user's.
        let _ = drop_caught(waker);
        match next {
            Some(None) if !closed => Poll::Pending,
            next => Poll::Ready(next.flatten()),
        }
    }

    /// Moves what is open into the lanes. Whether there was anything, and whether no more will come.
    fn share(&self) -> (bool, bool) {
        let (events, closed, lossy) = self.open.take(BATCH, |Taken { events, lost, closed, .. }, _| {
            let events = Arc::new(events);
            let mut lanes = lock(&self.lanes);
            if !events.is_empty() {
                for lane in lanes.each() {
                    lane.offer(&events);
                    lane.lose(lost);
                }
                self.note_congestion(&lanes);
            }
            lanes.closed = closed && events.is_empty();
            let lossy = lanes.all.iter().any(Lane::has_uncounted);
            (events, closed, lossy)
        });
        if !self.is_congested() {
            wake(lock(&self.lanes));
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
        self.bells.iter().for_each(Bell::ring);
        if self.streams.load(Ordering::Relaxed) > 0 {
            let readers: Vec<_> =
                lock(&self.lanes).streams.iter_mut().filter_map(|stream| stream.waker.take()).collect();
            readers.into_iter().for_each(wake_caught);
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
        let waker = cx.waker().clone();
        let mut lanes = lock(&self.lanes);
        lanes.giving_way.push(waker);
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
        if !self.is_active() || !self.crew.is_complete() {
            return;
        }
        for lane in 0..self.subscribers.len() {
            self.report_lost(lane);
        }
        let last = self.open.seq();
        // The relay may be queued behind a task that blocks its thread.
        self.share();
        self.ring();
        let is_done = || lock(&self.lanes).all.iter().all(|lane| lane.has_delivered(last));
        self.delivered.wait(|| is_done().then_some(())).await;
    }

    /// Takes the worker's next batch, now that the last one is done.
    async fn next(&self, lane: usize) -> Option<Batch> {
        loop {
            let (batch, closed) = {
                let mut lanes = lock(&self.lanes);
                let batch = lanes.all[lane].take();
                let closed = lanes.closed;
                if self.is_congested() && !self.note_congestion(&lanes) {
                    wake(lanes);
                }
                (batch, closed)
            };
            self.delivered.wake();
            if batch.is_some() {
                return batch;
            }
            self.report_lost(lane);
            if closed {
                return None;
            }
            self.bells[lane].heard().await;
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
    waiting.into_iter().for_each(wake_caught);
}

/// Moves events from `open` to the lanes.
async fn relay(member: Member) {
    let bus = &member.bus;
    loop {
        let mut seen = 0;
        for _ in 0..TURNS {
            let len = bus.open.len();
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
            bus.relay.heard().await;
        }
    }
}

/// Delivers to one subscriber.
async fn work(member: Member, lane: usize) {
    let bus = &member.bus;
    let subscriber = &**bus.subscribers[lane];
    let owner = bus.owner.load(Ordering::Relaxed);
    while let Some(batch) = bus.next(lane).await {
        if let Some((panics, message)) = deliver(subscriber, &batch, owner).await {
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

/// The place of the relay among those who deliver; those of the workers follow.
const RELAY: usize = 0;

/// One who delivers. Its place is free again when this is dropped, however it ends.
struct Member {
    bus: Arc<Bus>,
    place: usize,
}

impl Drop for Member {
    fn drop(&mut self) {
        self.bus.crew.leave(self.place);
    }
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus").field("subscribers", &self.subscribers.len()).finish_non_exhaustive()
    }
}
