//! The `Subscribe` trait.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;

use super::delivery::Delivery;
use super::sieve::Sieve;
use super::{Event, EventKind};

/// Receives the events of a supervisor.
///
/// Each subscriber has its own bounded queue and its own worker. A slow, pending or panicking subscriber delays no task
/// and loses only its own events. Losses and panics are reported once in a burst, with their number, as
/// [`SubscriberOverflow`](crate::EventKind::SubscriberOverflow) or
/// [`SubscriberPanicked`](crate::EventKind::SubscriberPanicked).
///
/// With no subscriber and no stream, no event is created. A subscriber is for observation: it loses events while it is
/// behind, so code must not decide on them. The guide explains
/// [outcomes and events](crate::guide::outcomes_and_events).
///
/// `#[subscriber]` makes a subscriber from an async function. A type implements this trait under
/// `#[async_trait::async_trait]`, of the crate `async-trait`.
///
/// A supervisor keeps its subscribers for as long as it lives. One that holds its own supervisor, or a handle of it, keeps
/// both in memory after the shutdown: let it hold a [`Weak`](std::sync::Weak) of the supervisor.
///
/// # Examples
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use taskvisor::{Event, EventKind, Subscribe};
///
/// #[derive(Default)]
/// struct Failures(AtomicU64);
///
/// #[async_trait::async_trait]
/// impl Subscribe for Failures {
///     async fn on_event(&self, event: &Event) {
///         if event.kind == EventKind::TaskFailed {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///     }
///
///     // The others take no room in its queue.
///     fn wants(&self, kind: EventKind) -> bool {
///         kind == EventKind::TaskFailed
///     }
/// }
/// ```
#[async_trait]
pub trait Subscribe: Send + Sync + 'static {
    /// Handles one event. The next event is delivered when the future completes.
    ///
    /// [`Event::task`] is the path of the task; in reports about a subscriber, it is the name of the subscriber.
    async fn on_event(&self, event: &Event);

    /// Returns the name for reports about this subscriber. Default: the name of the type.
    fn name(&self) -> &str {
        std::any::type_name::<Self>()
    }

    /// Returns the number of events that wait while this subscriber is behind. Beyond that the newest are lost. A
    /// subscriber that has caught up receives all events that came together. Default: 1024. Zero is refused when the
    /// supervisor starts.
    fn queue_capacity(&self) -> usize {
        1024
    }

    /// Returns `true` if this subscriber wants events of this kind. Others never enter its queue, so they take no room in
    /// it and no time. Asked once for each kind, when the supervisor is created. Default: all kinds.
    ///
    /// The numbers of its events ([`Event::seq`]) then have gaps.
    fn wants(&self, kind: EventKind) -> bool {
        let _ = kind;
        true
    }

    /// Returns what keeps other events out of the queue. Not part of the API.
    #[doc(hidden)]
    fn __sieve(&self) -> Option<Sieve> {
        of_kinds(&|kind| self.wants(kind))
    }

    /// Handles events until the subscriber waits. Not part of the API.
    ///
    /// A provided method, so that it is compiled for each type: it is called for a batch, and calls `on_event`
    /// directly, which can then be inlined.
    #[doc(hidden)]
    #[inline]
    fn __deliver<'a>(&'a self, delivery: &mut Delivery<'a>, cx: &mut Context<'_>) -> Poll<()> {
        delivery.poll(|event| self.on_event(event), cx)
    }
}

/// Returns a sieve for the kinds that are wanted, or `None` for all.
fn of_kinds(wants: &dyn Fn(EventKind) -> bool) -> Option<Sieve> {
    let kinds: Vec<_> = EventKind::ALL.iter().copied().filter(|kind| wants(*kind)).collect();
    (kinds.len() < EventKind::ALL.len()).then(|| Sieve::new(move |event| kinds.contains(&event.kind)))
}

impl fmt::Debug for Sieve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sieve").finish_non_exhaustive()
    }
}

/// A subscriber, by value or shared.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a subscriber",
    label = "not a subscriber",
    note = "the subscriber beside a function under `#[subscriber]` is a struct: write `name {{ .. }}`; its state is `Clone + \
            Send + Sync + 'static`",
    note = "another type is a subscriber if it implements `taskvisor::Subscribe`"
)]
pub trait IntoSubscriber {
    /// Returns the shared subscriber.
    fn into_subscriber(self) -> Arc<dyn Subscribe>;
}

#[diagnostic::do_not_recommend]
impl<T: Subscribe> IntoSubscriber for T {
    fn into_subscriber(self) -> Arc<dyn Subscribe> {
        Arc::new(self)
    }
}

#[diagnostic::do_not_recommend]
impl<T: Subscribe> IntoSubscriber for Arc<T> {
    fn into_subscriber(self) -> Arc<dyn Subscribe> {
        self
    }
}

impl IntoSubscriber for Arc<dyn Subscribe> {
    fn into_subscriber(self) -> Arc<dyn Subscribe> {
        self
    }
}

/// An argument of a function under `#[subscriber]`: cloned for each event.
#[diagnostic::on_unimplemented(
    message = "the state of a subscriber must be `Clone + Send + Sync + 'static`, and `{Self}` is not",
    label = "cloned for each event",
    note = "derive `Clone`, or share it: `Arc<..>` for what is used by `&`, `Arc<tokio::sync::Mutex<..>>` for what needs \
            `&mut`"
)]
pub trait SubscriberState: Sized {
    /// Returns the clone for the next event.
    #[must_use]
    fn for_event(&self) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Clone + Send + Sync + 'static> SubscriberState for T {
    fn for_event(&self) -> Self {
        self.clone()
    }
}
