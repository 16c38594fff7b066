//! Tasks wait for a condition while it becomes true: none of them waits forever.

use std::pin::pin;
use std::sync::atomic::{AtomicBool as Flag, Ordering as FlagOrdering};
use std::task::{Context, Wake, Waker};

use loom::thread;

use crate::sync::{Arc, AtomicBool, Ordering, Waiters};

#[derive(Default)]
struct Shared {
    done: AtomicBool,
    waiters: Waiters,
}

/// A waker that only records. It is read after the other thread has ended.
#[derive(Default)]
struct Woken(Flag);

impl Wake for Woken {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.store(true, FlagOrdering::SeqCst);
    }
}

fn explore(fulfil: fn(&Shared)) {
    crate::explore(move || {
        let shared = Arc::new(Shared::default());
        let other = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || fulfil(&shared))
        };
        let wait = || shared.waiters.wait(|| shared.done.load(Ordering::Acquire).then_some(()));
        let (mut first, mut second) = (pin!(wait()), pin!(wait()));
        let wakers = [std::sync::Arc::new(Woken::default()), std::sync::Arc::new(Woken::default())];
        let mut poll = |index: usize| {
            let waker = Waker::from(std::sync::Arc::clone(&wakers[index]));
            let mut context = Context::from_waker(&waker);
            let waits = if index == 0 { &mut first } else { &mut second };
            waits.as_mut().poll(&mut context).is_ready()
        };
        let ready = [poll(0), poll(1)];
        other.join().unwrap();
        for (index, ready) in ready.into_iter().enumerate() {
            let woken = ready || wakers[index].0.load(FlagOrdering::SeqCst);
            assert!(woken && (ready || poll(index)), "it waits for what has come");
        }
    });
}

#[test]
fn nobody_waits_for_what_has_come() {
    explore(|shared| {
        shared.done.store(true, Ordering::Release);
        shared.waiters.wake();
    });
}

#[test]
#[should_panic(expected = "it waits for what has come")]
fn a_wake_up_before_the_condition_is_found() {
    explore(|shared| {
        shared.waiters.wake();
        shared.done.store(true, Ordering::Release);
    });
}
