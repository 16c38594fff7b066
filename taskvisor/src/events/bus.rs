//! The entrance of the runtime to the event bus: publishers see only this.
//!
//! What moves the events is a [`Service`](super::service::Service), which exists once there is a reader: from the start
//! if there are subscribers, else from the first stream on. It is called through [`Serves`], so that a program without
//! readers does not have its code.

use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use tokio::runtime::Handle;

use super::service::{Serves, Service};
use super::{Event, Subscribe};
use crate::supervisor::InvalidOption;

pub(crate) struct Bus {
    service: OnceLock<Arc<dyn Serves>>,
    capacity: usize,
    /// `true` when no more events follow, also for a service that is created after that.
    closed: AtomicBool,
}

/// The subscribers that a supervisor is built with, and the code that they need, if there are any.
#[derive(Default)]
pub(crate) struct Subscribers {
    given: Vec<Arc<dyn Subscribe>>,
    introduce: Option<Introduce>,
}

/// Creates the service of these subscribers, for so many published events.
type Introduce = fn(Vec<Arc<dyn Subscribe>>, usize) -> Arc<dyn Serves>;

impl Subscribers {
    /// Adds subscribers. It is inlined, so that a list that is known to be empty brings no code.
    #[inline]
    pub(crate) fn add(&mut self, subscribers: Vec<Arc<dyn Subscribe>>) {
        if !subscribers.is_empty() {
            self.introduce = Some(Service::introduce);
            self.given.extend(subscribers);
        }
    }
}

impl Bus {
    pub(crate) fn new(subscribers: Subscribers, capacity: usize) -> Self {
        let Subscribers { given, introduce } = subscribers;
        let service = introduce.map_or_else(OnceLock::new, |introduce| OnceLock::from(introduce(given, capacity)));
        Self { service, capacity, closed: AtomicBool::new(false) }
    }

    /// Checks the subscribers.
    pub(crate) fn check(&self) -> Result<(), InvalidOption> {
        self.service().map_or(Ok(()), |service| service.check())
    }

    /// Notes the address of the core of the supervisor, to detect a subscriber that waits for its own supervisor.
    pub(crate) fn belongs_to(&self, owner: usize) {
        if let Some(service) = self.service() {
            service.belongs_to(owner);
        }
    }

    #[inline]
    fn service(&self) -> Option<&Arc<dyn Serves>> {
        self.service.get()
    }

    /// Returns the service for a new reader, and creates it for the first one.
    pub(super) fn for_reader(&self) -> Arc<Service> {
        let service = self.service.get_or_init(|| Service::introduce(Vec::new(), self.capacity));
        // With the fence in `close`: either this finds the bus closed, or that finds the service.
        fence(Ordering::SeqCst);
        if self.closed.load(Ordering::Relaxed) {
            service.close();
        }
        Arc::clone(service).service()
    }

    /// Returns `true` if there is a subscriber or a stream. Otherwise no event is created.
    #[inline]
    pub(crate) fn is_active(&self) -> bool {
        self.service().is_some_and(|service| service.is_active())
    }

    /// Starts the relay and the workers that do not run.
    #[inline]
    pub(crate) fn start(&self, runtime: &Handle) {
        if let Some(service) = self.service().filter(|service| service.needs_hands()) {
            Arc::clone(service).start(runtime);
        }
    }

    /// Like `start`, on the runtime of the caller, because the previous runtime may have ended.
    #[inline]
    pub(crate) fn start_here(&self) {
        if let Some(service) = self.service().filter(|service| service.needs_hands()) {
            Arc::clone(service).start_here();
        }
    }

    /// Publishes an event. Short, never waits, and can be called under another lock.
    pub(crate) fn publish(&self, event: Event) {
        if let Some(service) = self.service() {
            service.publish(event);
        }
    }

    /// Like `publish`, but slow subscribers do not lose the event. For rare events: reports and the verdict.
    pub(crate) fn publish_surely(&self, event: Event) {
        if let Some(service) = self.service() {
            service.publish_surely(event);
        }
    }

    /// Lets the relay and the workers end after they have delivered all events.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if let Some(service) = self.service() {
            service.close();
        }
    }

    /// Waits until the subscribers have received every event published so far.
    pub(crate) async fn flush(&self) {
        if let Some(service) = self.service() {
            Arc::clone(service).flush().await;
        }
    }

    /// Returns `true` while a reader is behind.
    #[inline]
    pub(crate) fn is_congested(&self) -> bool {
        self.service().is_some_and(|service| service.is_congested())
    }

    /// Waits while a reader is behind, unless it has been behind for long.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.service().map_or(Poll::Ready(()), |service| service.poll_room(cx))
    }

    /// Notes that an attempt has waited for the longest time. A reader that stays behind is no longer waited for.
    pub(crate) fn stop_giving_way(&self) {
        if let Some(service) = self.service() {
            service.stop_giving_way();
        }
    }

    /// Opens a tap for all events from now on, until it is closed or the supervisor is dropped.
    #[cfg(feature = "test-util")]
    pub(crate) fn open_tap(&self, tap: Arc<dyn super::Tap>) {
        self.for_reader().taps.open(tap);
    }

    #[cfg(feature = "test-util")]
    pub(crate) fn close_tap(&self, tap: &Arc<dyn super::Tap>) {
        self.for_reader().taps.close(tap);
    }
}
