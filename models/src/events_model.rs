//! What is published reaches the relay, once and in order; and of those who deliver there are never two of one.

use std::task::{Context, Poll, Wake, Waker};

use loom::thread;

use super::bell::Bell;
use super::crew::Crew;
use super::queue::{Published, Queue};
use crate::sync::{Arc, AtomicUsize, Mutex, Ordering, lock};

const MOST: usize = 16;

struct Bus {
    queue: Queue<u64>,
    relay: Bell,
}

/// The relay's task is to be polled.
struct Scheduled(Mutex<bool>);

impl Wake for Scheduled {
    fn wake(self: std::sync::Arc<Self>) {
        *lock(&self.0) = true;
    }
}

fn publish(bus: &Bus) {
    if bus.queue.publish(MOST, true, || true, |seq| seq) == Published::Waits(1) {
        bus.relay.ring();
    }
}

/// One poll of the relay. Ready when all is delivered and no more will come.
fn relay(bus: &Bus, delivered: &mut Vec<u64>, cx: &mut Context<'_>) -> Poll<()> {
    loop {
        let (any, closed) = bus.queue.take(MOST, |taken, _| {
            let any = !taken.events.is_empty();
            delivered.extend(taken.events);
            (any, taken.closed)
        });
        if any {
            continue;
        }
        if closed {
            return Poll::Ready(());
        }
        if bus.relay.poll_heard(cx).is_pending() {
            return Poll::Pending;
        }
    }
}

fn explore(publish: fn(&Bus)) {
    crate::explore(move || {
        let bus = Arc::new(Bus { queue: Queue::new(), relay: Bell::default() });
        let publishers: Vec<_> = (0..2)
            .map(|_| {
                let bus = Arc::clone(&bus);
                thread::spawn(move || publish(&bus))
            })
            .collect();
        let scheduled = std::sync::Arc::new(Scheduled(Mutex::new(true)));
        let waker = Waker::from(std::sync::Arc::clone(&scheduled));
        let mut delivered = Vec::new();
        let poll_while_scheduled = |delivered: &mut Vec<u64>| {
            let mut ended = false;
            while std::mem::take(&mut *lock(&scheduled.0)) {
                ended = relay(&bus, delivered, &mut Context::from_waker(&waker)).is_ready();
            }
            ended
        };
        poll_while_scheduled(&mut delivered);
        publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
        poll_while_scheduled(&mut delivered);
        assert_eq!(delivered, [1, 2], "an event is lost, doubled or out of order");
        bus.queue.close();
        bus.relay.ring();
        assert!(poll_while_scheduled(&mut delivered), "the relay does not end");
        assert_eq!(delivered.len(), 2);
    });
}

#[test]
fn what_is_published_is_delivered_once_and_in_order() {
    explore(publish);
}

#[test]
#[should_panic(expected = "an event is lost")]
fn a_ring_before_the_event_is_found() {
    explore(|bus| {
        if bus.queue.len() == 0 {
            bus.relay.ring();
        }
        bus.queue.publish(MOST, true, || true, |seq| seq);
    });
}

/// Those who hold each place, and the crew.
struct Places {
    crew: Crew,
    held: Vec<AtomicUsize>,
}

impl Places {
    fn new(places: usize) -> Self {
        Self { crew: Crew::new(places), held: (0..places).map(|_| AtomicUsize::new(0)).collect() }
    }

    /// Starts who is missing. Returns whose place was taken.
    fn start(&self) -> Vec<usize> {
        let claimed = self.crew.claim();
        for place in &claimed {
            assert_eq!(self.held[*place].fetch_add(1, Ordering::SeqCst), 0, "two of one");
        }
        claimed
    }

    fn leave(&self, place: usize) {
        self.held[place].fetch_sub(1, Ordering::SeqCst);
        self.crew.leave(place);
    }
}

fn explore_crew(leave: fn(&Places, usize)) {
    crate::explore(move || {
        let places = Arc::new(Places::new(2));
        assert_eq!(places.start().len(), 2);
        // One dies while two others start who is missing.
        let starters: Vec<_> = (0..2)
            .map(|_| {
                let places = Arc::clone(&places);
                thread::spawn(move || places.start().len())
            })
            .collect();
        leave(&places, 0);
        let started: usize = starters.into_iter().map(|starter| starter.join().unwrap()).sum();
        assert!(started <= 1, "two of one");
        assert_eq!(places.crew.is_complete(), started == 1, "nobody knows who is missing");
        places.start();
        assert!(places.crew.is_complete());
    });
}

#[test]
fn one_that_dies_is_replaced_by_one() {
    explore_crew(Places::leave);
}

#[test]
#[should_panic(expected = "two of one")]
fn a_place_that_is_given_away_before_it_is_left_is_found() {
    explore_crew(|places, place| {
        places.crew.leave(place);
        places.held[place].fetch_sub(1, Ordering::SeqCst);
    });
}
