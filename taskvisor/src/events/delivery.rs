//! The last step of an event: into a subscriber.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::Subscribe;
use super::lane::Batch;
use crate::error::TaskError;
use crate::panics::{catch, drop_caught};

/// Delivers a batch. How often the subscriber panicked over it, and how at last, if it did.
pub(super) async fn deliver(subscriber: &dyn Subscribe, batch: &Batch) -> Option<(u64, TaskError)> {
    let mut delivery = Delivery { subscriber, batch, taken: 0, current: None };
    let mut panics = 0;
    let mut last = None;
    poll_fn(|cx| {
        loop {
            // One catch for many events; after a panic it goes on with the next.
            let panic = match catch(|| delivery.poll(cx)) {
                Ok(poll) => return poll,
                Err(panic) => panic,
            };
            if delivery.give_up() {
                panics += 1;
                last = Some(panic);
            }
        }
    })
    .await;
    last.map(|last| (panics, last))
}

/// A batch on its way to a subscriber.
struct Delivery<'a> {
    subscriber: &'a dyn Subscribe,
    batch: &'a Batch,
    /// How many events the subscriber was given.
    taken: usize,
    /// The subscriber's future for the last of these. Kept here, so that a panic in it does not drop it while unwinding.
    current: Option<Pin<Box<dyn Future<Output = ()> + Send + 'a>>>,
}

impl Delivery<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.current.is_none() {
                let Some(event) = self.batch.events().get(self.taken) else { return Poll::Ready(()) };
                self.taken += 1;
                self.current = Some(self.subscriber.on_event(event));
            }
            if let Some(current) = &mut self.current {
                ready!(current.as_mut().poll(cx));
            }
            drop(self.current.take());
            self.batch.one_done();
        }
    }

    /// The subscriber panicked over the last event. Whether that is to be reported.
    fn give_up(&mut self) -> bool {
        let _ = drop_caught(self.current.take());
        self.batch.one_done();
        self.batch.events().get(self.taken - 1).is_some_and(|event| !event.kind.is_diagnostic())
    }
}
