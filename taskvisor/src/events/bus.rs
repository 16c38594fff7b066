//! The event bus: the way from publishers to subscribers.
//!
//! ```text
//! publishers -> open -> relay -> lane -> worker -> subscriber      (a lane and a worker for each subscriber)
//! ```
//! A publisher appends to `open`, and wakes the relay if it waits. The relay lets `open` grow while publishers are
//! busy, and then shares the events with all lanes, so that one wake-up serves many events. A slow subscriber fills
//! only its own lane.
//!
//! The [`Exchange`] moves the events. The bus holds the subscribers, and spawns the relay and the workers. At any time
//! there is at most one relay, and one worker for each lane. If one ends with its runtime or by a panic, the next use
//! of the bus spawns another, which continues with the remaining events.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::delivery::deliver;
use super::duty::{Duty, give_way};
use super::exchange::Exchange;
use super::sieve::Sieve;
use super::tap::Taps;
use super::{Event, EventKind, Subscribe};
use crate::panics::{Fenced, catch};
use crate::runtime::Background;

/// The relay waits for publishers for at most this many turns.
const TURNS: usize = 16;

pub(crate) struct Bus {
    subscribers: Vec<Introduced>,
    pub(crate) exchange: Exchange,
    /// The address of the core of the supervisor, to detect a subscriber that waits for its own supervisor.
    owner: usize,
    pub(crate) taps: Taps,
}

/// A subscriber with its name and capacity, read once.
pub(crate) struct Introduced {
    subscriber: Fenced<Arc<dyn Subscribe>>,
    pub(crate) name: Arc<str>,
    /// `None` if its name, its capacity or its choice of events panicked.
    pub(crate) capacity: Option<usize>,
    sieve: Option<Sieve>,
}

impl Introduced {
    pub(crate) fn of(subscriber: Arc<dyn Subscribe>) -> Self {
        let name = catch(|| Arc::from(subscriber.name()));
        let sieve = catch(|| subscriber.__sieve());
        let capacity = catch(|| subscriber.queue_capacity()).ok().filter(|_| name.is_ok() && sieve.is_ok());
        let name = name.unwrap_or_else(|_| "subscriber".into());
        Self { subscriber: Fenced::new(subscriber), name, capacity, sieve: sieve.ok().flatten() }
    }
}

impl Bus {
    pub(crate) fn new(mut subscribers: Vec<Introduced>, capacity: usize, owner: usize) -> Self {
        let capacities = subscribers.iter().map(|one| one.capacity.unwrap_or(1));
        let names: Vec<_> = subscribers.iter().map(|one| Arc::clone(&one.name)).collect();
        let exchange = Exchange::new(capacities, capacity, move |lane, lost| crate::runtime::lost(&names[lane], lost));
        for (lane, subscriber) in subscribers.iter_mut().enumerate() {
            exchange.lane(lane).sift(subscriber.sieve.take());
        }
        Self { exchange, subscribers, owner, taps: Taps::default() }
    }

    /// Returns `true` if there is a subscriber or a stream. Otherwise no event is created.
    #[inline]
    pub(crate) fn is_active(&self) -> bool {
        self.taps.are_open() || !self.subscribers.is_empty() || self.exchange.has_streams()
    }

    /// Starts the relay and the workers that do not run.
    #[inline]
    pub(crate) fn start(self: &Arc<Self>, runtime: &Handle) {
        if self.is_active() && !self.exchange.crew.is_complete() {
            self.begin(runtime);
        }
    }

    #[cold]
    fn begin(self: &Arc<Self>, runtime: &Handle) {
        for duty in Duty::claim(self) {
            let delivering: Background = match duty.lane() {
                None => Box::pin(duty.relay(TURNS)),
                Some(lane) => Box::pin(work(duty, lane)),
            };
            runtime.spawn(delivering);
        }
    }

    /// Like `start`, on the runtime of the caller, because the previous runtime may have ended.
    #[inline]
    pub(crate) fn start_here(self: &Arc<Self>) {
        if self.is_active() && !self.exchange.crew.is_complete() {
            if let Ok(runtime) = Handle::try_current() {
                self.begin(&runtime);
            }
        }
    }

    /// Publishes an event. Short, never waits, and can be called under another lock.
    pub(crate) fn publish(&self, event: Event) {
        self.exchange.publish(event, |event| self.taps.hear(event));
    }

    /// Like `publish`, but slow subscribers do not lose the event. For rare events: reports about subscribers and the
    /// result of a shutdown.
    pub(crate) fn publish_surely(&self, event: Event) {
        self.exchange.publish_surely(event, |event| self.taps.hear(event));
    }

    /// Lets the relay and the workers end after they have delivered all events.
    pub(crate) fn close(&self) {
        self.exchange.close();
    }

    /// Waits until the subscribers have received every event published so far.
    pub(crate) async fn flush(self: &Arc<Self>) {
        let somebody_delivers = || {
            self.start_here();
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

/// The bus is the host of its relay and its workers.
impl AsRef<Exchange> for Arc<Bus> {
    fn as_ref(&self) -> &Exchange {
        &self.exchange
    }
}

/// Delivers events to one subscriber.
async fn work(mut duty: Duty<Arc<Bus>>, lane: usize) {
    let bus = Arc::clone(&duty.host);
    let subscriber = &**bus.subscribers[lane].subscriber;
    while let Some(next) = duty.next().await {
        if let Err(lost) = next {
            bus.report_lost(lane, lost);
        }
        let Some(batch) = &duty.batch else { continue };
        if let Some((panics, message)) = deliver(subscriber, batch, bus.owner).await {
            bus.report(EventKind::SubscriberPanicked, lane, panics, message.to_string());
        }
        duty.batch = None;
        // If the lane is empty, `next` waits, which yields as well.
        let is_last = bus.exchange.lane(lane).is_empty();
        if !is_last {
            give_way().await;
        }
    }
}
