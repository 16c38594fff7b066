//! Who is told.

use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;

use super::Event;
use super::delivery::Delivery;

/// Is told what happens.
///
/// Each subscriber has its own bounded queue and its own worker. One that is slow, pending or panicking delays nobody
/// and loses only its own events; it is reported once a burst, with the count, as
/// [`SubscriberOverflow`](crate::EventKind::SubscriberOverflow) or
/// [`SubscriberPanicked`](crate::EventKind::SubscriberPanicked).
///
/// `#[subscriber]` makes one of an async function.
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
/// }
/// ```
#[async_trait]
pub trait Subscribe: Send + Sync + 'static {
    /// Takes one event. The next is handed over when this returns.
    ///
    /// [`Event::task`] names the task, and in reports about a subscriber the subscriber.
    async fn on_event(&self, event: &Event);

    /// The name in reports about this subscriber. Default: the type's name.
    fn name(&self) -> &str {
        std::any::type_name::<Self>()
    }

    /// How many events may wait for this subscriber while it is behind; the newest are lost beyond that. One that has
    /// caught up takes all that came together. Default: 1024. Zero is refused when the supervisor starts.
    fn queue_capacity(&self) -> usize {
        1024
    }

    /// Takes events until it has to wait in one. Not part of the API.
    ///
    /// Provided here so that there is one for each type: it is called for a batch, and calls `on_event` directly.
    /// Inline, so that it is compiled beside the type, where `on_event` can be inlined in turn.
    #[doc(hidden)]
    #[inline]
    fn __deliver<'a>(&'a self, delivery: &mut Delivery<'a>, cx: &mut Context<'_>) -> Poll<()> {
        delivery.poll(|event| self.on_event(event), cx)
    }
}

/// A subscriber by value or shared.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a subscriber",
    label = "not a subscriber",
    note = "the subscriber beside a function under `#[subscriber]` is a struct: write `name {{ .. }}`"
)]
pub trait IntoSubscriber {
    /// The shared subscriber.
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
    note = "wrap it in an `Arc`, or derive `Clone`"
)]
pub trait SubscriberState: Sized {
    /// The copy that goes with the next event.
    #[must_use]
    fn for_event(&self) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Clone + Send + Sync + 'static> SubscriberState for T {
    fn for_event(&self) -> Self {
        self.clone()
    }
}
