//! Delivers a batch of events to a subscriber.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::slice;
use std::task::{Context, Poll, ready};

use super::lane::Batch;
use super::{Event, Subscribe};
use crate::panics::{catch, drop_caught};
use crate::runtime::ReentrancyGuard;
use crate::task::TaskError;

/// Delivers a batch. Returns the number of panics of the subscriber and the last panic, if there was one.
///
/// During the delivery, the subscriber counts as a part of the supervisor whose core is at `owner`.
pub(super) async fn deliver(subscriber: &dyn Subscribe, batch: &Batch, owner: usize) -> Option<(u64, TaskError)> {
    let mut delivery = Delivery { batch, rest: batch.events().iter(), unfinished: None };
    let mut panics = 0;
    let mut last = None;
    poll_fn(|cx| {
        let _current = ReentrancyGuard::enter_part_of(owner);
        loop {
            // One catch for many events. After a panic, the delivery continues with the next event.
            let panic = match catch(|| subscriber.__deliver(&mut delivery, cx)) {
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

/// The future in which a subscriber handles an event.
type Taking<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// A batch on its way to a subscriber.
pub struct Delivery<'a> {
    batch: &'a Batch,
    /// The events that the subscriber has not received.
    rest: slice::Iter<'a, Event>,
    /// The future of the last delivered event, if it is not done.
    unfinished: Option<Taking<'a>>,
}

impl<'a> Delivery<'a> {
    /// Delivers one event after another, until the subscriber waits.
    ///
    /// Compiled for each type of subscriber: if the future is inlined and cannot panic, it is never boxed.
    #[inline]
    pub(super) fn poll(&mut self, on_event: impl Fn(&'a Event) -> Taking<'a>, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.resume(cx));
        for event in self.rest.by_ref() {
            let mut first = FirstPoll { future: Some(on_event(event)), unfinished: &mut self.unfinished };
            if let Some(future) = &mut first.future {
                ready!(future.as_mut().poll(cx));
            }
            drop(first.future.take());
            self.batch.one_done();
        }
        Poll::Ready(())
    }

    /// Continues with the event that the subscriber has not finished.
    fn resume(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(future) = &mut self.unfinished {
            ready!(future.as_mut().poll(cx));
            drop(self.unfinished.take());
            self.batch.one_done();
        }
        Poll::Ready(())
    }

    /// Handles a panic of the subscriber. Returns `true` if the panic is to be reported.
    fn give_up(&mut self) -> bool {
        let _ = drop_caught(self.unfinished.take());
        self.batch.one_done();
        let given = self.batch.events().len() - self.rest.len();
        self.batch.events().get(given - 1).is_some_and(|event| !event.kind.is_diagnostic())
    }
}

/// If the worker ends while the subscriber handles an event, that event is not delivered again.
impl Drop for Delivery<'_> {
    fn drop(&mut self) {
        if let Some(unfinished) = self.unfinished.take() {
            let _ = drop_caught(unfinished);
            self.batch.one_done();
        }
    }
}

impl_debug!(Delivery<'_>, |delivery| rest: delivery.rest.len());

/// A future in its first poll. It is kept if it is pending, or after a panic, to be dropped when the thread no longer
/// unwinds.
struct FirstPoll<'a, 'b> {
    future: Option<Taking<'a>>,
    unfinished: &'b mut Option<Taking<'a>>,
}

impl Drop for FirstPoll<'_, '_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(future) = self.future.take() {
            *self.unfinished = Some(future);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::{Arc, Mutex};
    use std::task::Waker;

    use async_trait::async_trait;

    use super::super::lane::{Entry, Lane};
    use super::*;
    use crate::EventKind;
    use crate::sync::lock;

    /// The reaction of a subscriber to one event.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Act {
        Takes,
        Waits,
        Refuses,
        Panics,
        WaitsAndPanics,
        PanicsInDrop,
        PanicsTwice,
    }
    use Act::{Panics, PanicsInDrop, PanicsTwice, Refuses, Takes, Waits, WaitsAndPanics};

    /// Acts on each event by its `seq`. Records the events that it took, and those whose future was dropped.
    struct Scripted {
        acts: Vec<Act>,
        taken: Mutex<Vec<u64>>,
        dropped: Mutex<Vec<u64>>,
    }

    impl Subscribe for Scripted {
        fn on_event<'a, 'e, 'f>(&'a self, event: &'e Event) -> Taking<'f>
        where
            'a: 'f,
            'e: 'f,
        {
            let act = self.acts[usize::try_from(event.seq).unwrap()];
            assert_ne!(act, Refuses);
            Box::pin(Step { script: self, seq: event.seq, act, waited: false })
        }
    }

    struct Step<'a> {
        script: &'a Scripted,
        seq: u64,
        act: Act,
        waited: bool,
    }

    impl Future for Step<'_> {
        type Output = ();

        fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            if matches!(self.act, Waits | WaitsAndPanics) && !std::mem::replace(&mut self.waited, true) {
                return Poll::Pending;
            }
            assert!(!matches!(self.act, Panics | WaitsAndPanics | PanicsTwice), "polled");
            lock(&self.script.taken).push(self.seq);
            Poll::Ready(())
        }
    }

    impl Drop for Step<'_> {
        fn drop(&mut self) {
            lock(&self.script.dropped).push(self.seq);
            assert!(!matches!(self.act, PanicsInDrop | PanicsTwice), "dropped");
        }
    }

    /// Passes events on to another subscriber.
    struct Wraps(Arc<dyn Subscribe>);

    #[async_trait]
    impl Subscribe for Wraps {
        async fn on_event(&self, event: &Event) {
            self.0.on_event(event).await;
        }
    }

    fn events(n: usize) -> Arc<Vec<Event>> {
        Arc::new((0..n as u64).map(|seq| Event { seq, ..Event::new(EventKind::TaskStarting) }).collect())
    }

    /// Delivers one batch of events. Returns the script, the report, and how many events were done at each wait.
    fn deliver_all(acts: &[Act], wrapped: bool) -> (Arc<Scripted>, Option<(u64, TaskError)>, Vec<usize>) {
        let script = Arc::new(Scripted { acts: acts.to_vec(), taken: Mutex::default(), dropped: Mutex::default() });
        let subscriber: Arc<dyn Subscribe> = if wrapped { Arc::new(Wraps(script.clone())) } else { script.clone() };
        let mut lane = Lane::new(acts.len());
        lane.offer(&events(acts.len()));
        let Poll::Ready(Some(Entry::Events(batch))) = lane.poll_next() else { panic!("no events") };
        let mut waits = Vec::new();
        let report = {
            let mut delivery = pin!(deliver(&*subscriber, &batch, 0));
            loop {
                match delivery.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(report) => break report,
                    Poll::Pending => waits.push(acts.len() - lane.backlog()),
                }
            }
        };
        assert_eq!(lane.backlog(), 0, "each was counted once");
        (script, report, waits)
    }

    #[test]
    fn one_that_waits_takes_events_in_order_and_those_before_are_done() {
        for wrapped in [false, true] {
            let (script, report, waits) = deliver_all(&[Takes, Takes, Waits, Takes, Waits, Waits, Takes], wrapped);
            assert_eq!(*lock(&script.taken), [0, 1, 2, 3, 4, 5, 6]);
            assert_eq!(*lock(&script.dropped), [0, 1, 2, 3, 4, 5, 6]);
            assert_eq!(waits, [2, 4, 5]);
            assert!(report.is_none());
        }
    }

    #[test]
    fn it_goes_on_after_each_panic() {
        let acts = [Refuses, Takes, Panics, Panics, WaitsAndPanics, Waits, PanicsInDrop, Takes];
        for wrapped in [false, true] {
            let (script, report, waits) = deliver_all(&acts, wrapped);
            assert_eq!(*lock(&script.taken), [1, 5, 6, 7]);
            assert_eq!(*lock(&script.dropped), [1, 2, 3, 4, 5, 6, 7], "each future is dropped, once");
            assert_eq!(waits, [4, 5]);
            let (panics, last) = report.unwrap();
            assert_eq!((panics, last.to_string().as_str()), (5, "panicked: dropped"));
        }
    }

    #[test]
    fn a_future_that_panicked_is_not_dropped_while_unwinding() {
        let (script, report, _) = deliver_all(&[Takes, PanicsTwice, PanicsTwice, Takes], false);
        assert_eq!(*lock(&script.taken), [0, 3]);
        assert_eq!(*lock(&script.dropped), [0, 1, 2, 3]);
        let (panics, last) = report.unwrap();
        assert_eq!((panics, last.to_string().as_str()), (2, "panicked: polled"));
    }

    #[test]
    fn panics_over_reports_are_not_reported() {
        let report = Event::new(EventKind::SubscriberPanicked);
        let script = Scripted { acts: vec![Panics], taken: Mutex::default(), dropped: Mutex::default() };
        let mut lane = Lane::new(1);
        lane.offer(&Arc::new(vec![report]));
        let Poll::Ready(Some(Entry::Events(batch))) = lane.poll_next() else { panic!("no events") };
        let delivery = pin!(deliver(&script, &batch, 0));
        assert!(matches!(delivery.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(None)));
    }
}
