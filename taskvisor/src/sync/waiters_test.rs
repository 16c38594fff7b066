//! Tests that waiting tasks are woken, and are deregistered when they are dropped.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use super::{WaitList, Waiters};

#[derive(Default)]
struct Counter {
    woken: AtomicUsize,
    panics: bool,
}

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.woken.fetch_add(1, Ordering::Relaxed);
        assert!(!self.panics, "a waker");
    }
}

#[test]
fn a_waker_that_panics_takes_no_wake_up_with_it() {
    let waiters = Waiters::default();
    let wakers: Vec<_> =
        (0..5).map(|index| Arc::new(Counter { panics: index % 2 == 0, ..Counter::default() })).collect();
    let mut waits: Vec<_> = wakers.iter().map(|_| Box::pin(waiters.wait(|| None::<()>))).collect();
    for (wait, counter) in waits.iter_mut().zip(&wakers) {
        let waker = Waker::from(Arc::clone(counter));
        assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    waiters.wake();
    assert!(wakers.iter().all(|counter| counter.woken.load(Ordering::Relaxed) == 1));
}

#[test]
fn a_registration_from_before_a_wake_replaces_nobody() {
    let waiters = Waiters::default();
    let (old, new) = (Arc::new(Counter::default()), Arc::new(Counter::default()));
    let mut early = pin!(waiters.wait(|| None::<()>));
    let old_waker = Waker::from(Arc::clone(&old));
    assert!(early.as_mut().poll(&mut Context::from_waker(&old_waker)).is_pending());
    waiters.wake();
    let mut late = pin!(waiters.wait(|| None::<()>));
    let new_waker = Waker::from(Arc::clone(&new));
    assert!(late.as_mut().poll(&mut Context::from_waker(&new_waker)).is_pending());
    assert!(early.as_mut().poll(&mut Context::from_waker(&old_waker)).is_pending());
    waiters.wake();
    assert_eq!((old.woken.load(Ordering::Relaxed), new.woken.load(Ordering::Relaxed)), (2, 1));
}

#[test]
fn a_change_between_two_looks_is_seen_and_a_dropped_wait_is_forgotten() {
    let waiters = Waiters::default();
    let changed = AtomicBool::new(false);
    let counter = Arc::new(Counter::default());
    let waker = Waker::from(Arc::clone(&counter));
    {
        let mut looks = 0;
        let mut wait = pin!(waiters.wait(|| {
            looks += 1;
            (looks > 1).then_some(looks)
        }));
        assert_eq!(wait.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Ready(2));
        let mut wait = pin!(waiters.wait(|| changed.load(Ordering::Relaxed).then_some(())));
        assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    waiters.wake();
    assert_eq!(counter.woken.load(Ordering::Relaxed), 0);
}

#[test]
fn each_of_many_is_known_by_its_id() {
    let counters: Vec<_> = (0..5).map(|_| Arc::new(Counter::default())).collect();
    let wakers: Vec<_> = counters.iter().map(|counter| Waker::from(Arc::clone(counter))).collect();
    let mut list = WaitList::default();
    let mut ids = [None; 4];
    for (id, waker) in ids.iter_mut().zip(&wakers) {
        assert!(list.register(id, waker.clone()).is_none());
    }
    // The third has another waker from now on, and the second no longer waits.
    let replaced = list.register(&mut ids[2], wakers[4].clone());
    assert!(replaced.is_some_and(|waker| waker.will_wake(&wakers[2])));
    let gone = list.deregister(ids[1].unwrap());
    assert!(gone.is_some_and(|waker| waker.will_wake(&wakers[1])));
    assert!(list.deregister(ids[1].unwrap()).is_none());
    list.wake();
    let woken: Vec<_> = counters.iter().map(|counter| counter.woken.load(Ordering::Relaxed)).collect();
    assert_eq!(woken, [1, 0, 0, 1, 1]);
}
