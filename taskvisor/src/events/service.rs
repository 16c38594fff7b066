//! What a bus with readers has: the way from publishers to subscribers.
//!
//! ```text
//! publishers -> open -> relay -> lane -> worker -> subscriber      (a lane and a worker for each subscriber)
//! ```
//! A publisher appends to `open`, and wakes the relay if it waits. The relay lets `open` grow while publishers are
//! busy, and then shares the events with all lanes, so that one wake-up serves many events. A slow subscriber fills
//! only its own lane.
//!
//! The [`Exchange`] moves the events. The service knows the subscribers, and spawns the relay and the workers. At any time
//! there is at most one relay, and one worker for each lane. If one ends with its runtime or by a panic, the next use
//! of the bus spawns another, which continues with the remaining events.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::runtime::Handle;

use super::delivery::deliver;
use super::duty::{Duty, give_way};
use super::exchange::Exchange;
use super::tap::Taps;
use super::{Event, EventKind, Subscribe};
use crate::panics::{Fenced, catch};
use crate::runtime::Background;
use crate::supervisor::InvalidOption;

/// The relay waits for publishers for at most this many turns.
const TURNS: usize = 16;

pub(super) struct Service {
    subscribers: Vec<Introduced>,
    pub(super) exchange: Exchange,
    /// The address of the core of the supervisor, to detect a subscriber that waits for its own supervisor.
    owner: AtomicUsize,
    pub(super) taps: Taps,
}

/// What is called of a [`Service`] by code that each program has. [`Bus`](super::Bus) says what it does.
pub(super) trait Serves: Send + Sync {
    fn service(self: Arc<Self>) -> Arc<Service>;

    fn check(&self) -> Result<(), InvalidOption>;

    fn belongs_to(&self, owner: usize);

    fn is_active(&self) -> bool;

    /// Returns `true` if a duty is to be performed that nobody performs.
    fn needs_hands(&self) -> bool;

    fn start(self: Arc<Self>, runtime: &Handle);

    fn start_here(self: Arc<Self>);

    fn publish(&self, event: Event);

    fn publish_surely(&self, event: Event);

    fn close(&self);

    fn flush(self: Arc<Self>) -> Background;

    fn is_congested(&self) -> bool;

    fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()>;

    fn stop_giving_way(&self);
}

/// A subscriber with its name and capacity, read once.
struct Introduced {
    subscriber: Fenced<Arc<dyn Subscribe>>,
    name: Arc<str>,
    /// `None` if its name or capacity panicked.
    capacity: Option<usize>,
}

impl Introduced {
    fn of(subscriber: Arc<dyn Subscribe>) -> Self {
        let name = catch(|| Arc::from(subscriber.name()));
        let capacity = catch(|| subscriber.queue_capacity()).ok().filter(|_| name.is_ok());
        let name = name.unwrap_or_else(|_| "subscriber".into());
        Self { subscriber: Fenced::new(subscriber), name, capacity }
    }
}

impl Service {
    pub(super) fn introduce(subscribers: Vec<Arc<dyn Subscribe>>, capacity: usize) -> Arc<dyn Serves> {
        Arc::new(Self::new(subscribers.into_iter().map(Introduced::of).collect(), capacity))
    }

    fn new(subscribers: Vec<Introduced>, capacity: usize) -> Self {
        let capacities = subscribers.iter().map(|one| one.capacity.unwrap_or(1));
        let names: Vec<_> = subscribers.iter().map(|one| Arc::clone(&one.name)).collect();
        Self {
            exchange: Exchange::new(capacities, capacity, move |lane, lost| crate::runtime::lost(&names[lane], lost)),
            subscribers,
            owner: AtomicUsize::new(0),
            taps: Taps::default(),
        }
    }

    /// Starts the duties that nobody performs.
    fn begin(self: &Arc<Self>, runtime: &Handle) {
        for duty in Duty::claim(self) {
            let delivering: Background = match duty.lane() {
                None => Box::pin(duty.relay(TURNS)),
                Some(lane) => Box::pin(work(duty, lane)),
            };
            runtime.spawn(delivering);
        }
    }

    fn begin_here(self: &Arc<Self>) {
        if self.needs_hands() {
            if let Ok(runtime) = Handle::try_current() {
                self.begin(&runtime);
            }
        }
    }

    async fn deliver_all(self: Arc<Self>) {
        let somebody_delivers = || {
            self.begin_here();
            self.exchange.crew.is_complete()
        };
        if !self.is_active() || !somebody_delivers() {
            return;
        }
        for lane in 0..self.subscribers.len() {
            let lost = self.exchange.lane(lane).take_lost();
            if let Some(lost) = lost {
                self.report_lost(lane, lost);
            }
        }
        let last = self.exchange.open().seq;
        // The relay may be queued behind a task that blocks its thread.
        self.exchange.share();
        self.exchange.delivered(last, || !somebody_delivers()).await;
    }

    fn report_lost(&self, lane: usize, lost: u64) {
        self.report(EventKind::SubscriberOverflow, lane, lost, format!("queue full, lost {lost} events"));
    }

    fn report(&self, kind: EventKind, lane: usize, count: u64, reason: String) {
        self.publish_surely(Event {
            count: Some(count),
            ..Event::about(kind, &self.subscribers[lane].name).because(reason)
        });
    }
}

impl Serves for Service {
    fn service(self: Arc<Self>) -> Arc<Service> {
        self
    }

    fn check(&self) -> Result<(), InvalidOption> {
        let Some(one) = self.subscribers.iter().find(|one| one.capacity.is_none_or(|capacity| capacity == 0)) else {
            return Ok(());
        };
        let (option, value, expected) = match one.capacity {
            Some(_) => ("queue_capacity", "0", "at least 1"),
            None => ("name` or `queue_capacity", "a panic", "a value"),
        };
        Err(InvalidOption::new(format!("subscriber `{}`", one.name), option, value, expected))
    }

    fn belongs_to(&self, owner: usize) {
        self.owner.store(owner, Ordering::Relaxed);
    }

    #[inline]
    fn is_active(&self) -> bool {
        self.taps.are_open() || !self.subscribers.is_empty() || self.exchange.has_streams()
    }

    fn needs_hands(&self) -> bool {
        self.is_active() && !self.exchange.crew.is_complete()
    }

    fn start(self: Arc<Self>, runtime: &Handle) {
        self.begin(runtime);
    }

    fn start_here(self: Arc<Self>) {
        self.begin_here();
    }

    fn publish(&self, event: Event) {
        self.exchange.publish(event, |event| self.taps.hear(event));
    }

    fn publish_surely(&self, event: Event) {
        self.exchange.publish_surely(event, |event| self.taps.hear(event));
    }

    fn close(&self) {
        self.exchange.close();
    }

    fn flush(self: Arc<Self>) -> Background {
        Box::pin(self.deliver_all())
    }

    fn is_congested(&self) -> bool {
        self.exchange.is_congested()
    }

    fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.exchange.poll_room(cx)
    }

    fn stop_giving_way(&self) {
        self.exchange.stop_giving_way();
    }
}

/// The service is the host of its relay and its workers.
impl AsRef<Exchange> for Arc<Service> {
    fn as_ref(&self) -> &Exchange {
        &self.exchange
    }
}

/// Delivers events to one subscriber.
async fn work(mut duty: Duty<Arc<Service>>, lane: usize) {
    let bus = Arc::clone(&duty.host);
    let owner = bus.owner.load(Ordering::Relaxed);
    let subscriber = &**bus.subscribers[lane].subscriber;
    while let Some(next) = duty.next().await {
        if let Err(lost) = next {
            bus.report_lost(lane, lost);
        }
        let Some(batch) = &duty.batch else { continue };
        if let Some((panics, message)) = deliver(subscriber, batch, owner).await {
            bus.report(EventKind::SubscriberPanicked, lane, panics, message.to_string());
        }
        duty.batch = None;
        // If nothing is next, the wait below yields anyway.
        let is_last = bus.exchange.lane(lane).is_empty();
        if !is_last {
            give_way().await;
        }
    }
}
