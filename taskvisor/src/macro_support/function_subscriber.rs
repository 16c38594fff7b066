//! The subscriber that `#[subscriber]` generates from a function.

use std::future::Future;
use std::pin::Pin;

use crate::{Event, Subscribe};

/// The future in which a subscriber handles an event.
pub type Delivery<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// A subscriber from a function.
///
/// It has no supertraits, so that an argument of an invalid type is reported once, at its
/// [`SubscriberState`](crate::events::SubscriberState).
pub trait FunctionSubscriber {
    /// See [`Subscribe::name`].
    const NAME: &'static str;

    /// See [`Subscribe::on_event`].
    fn on_event<'a>(&'a self, event: &'a Event) -> Delivery<'a>;

    /// See [`Subscribe::queue_capacity`].
    fn queue_capacity(&self) -> usize {
        1024
    }
}

#[doc(hidden)]
#[diagnostic::do_not_recommend]
impl<T: FunctionSubscriber + Send + Sync + 'static> Subscribe for T {
    #[inline]
    fn on_event<'this, 'event, 'delivery>(&'this self, event: &'event Event) -> Delivery<'delivery>
    where
        'this: 'delivery,
        'event: 'delivery,
        Self: 'delivery,
    {
        FunctionSubscriber::on_event(self, event)
    }

    fn name(&self) -> &str {
        T::NAME
    }

    fn queue_capacity(&self) -> usize {
        FunctionSubscriber::queue_capacity(self)
    }
}
