//! The verdict of a shutdown: requests, completion, force, and the death of the task that runs the shutdown.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc as StdArc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use loom::future::block_on;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread;

use crate::shipped_verdict::Verdict;
use crate::sync::lock;

/// The state of a supervisor that a shutdown uses.
struct Model {
    is_requested: Mutex<bool>,
    verdict: Verdict<u32>,
    given: AtomicUsize,
    published: AtomicUsize,
}

impl Model {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            is_requested: Mutex::new(false),
            verdict: Verdict::default(),
            given: AtomicUsize::new(0),
            published: AtomicUsize::new(0),
        })
    }

    /// Gives this verdict, unless one has been given or is being given.
    fn give(&self, result: u32) {
        if let Some(judge) = self.verdict.judge() {
            self.given.fetch_add(1, Ordering::Relaxed);
            judge.give(result);
        }
    }

    /// Requests the shutdown. The first request runs it.
    fn request(&self, result: u32) {
        let first = !std::mem::replace(&mut *lock(&self.is_requested), true);
        if first {
            self.give(result);
        }
    }

    /// Dies just before it gives the verdict. Its drop then gives one.
    fn die(&self, result: u32) {
        drop(self.verdict.judge());
        self.give(result);
    }

    fn force(&self) {
        self.verdict.force(Duration::ZERO, || {
            self.published.fetch_add(1, Ordering::Relaxed);
        });
    }

    fn given(&self) -> usize {
        self.given.load(Ordering::Relaxed)
    }
}

/// Runs every interleaving with at most two preemptions, which finds the known bugs.
fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(model);
}

fn beside(model: &Arc<Model>, act: impl FnOnce(&Model) + 'static) -> thread::JoinHandle<()> {
    let model = Arc::clone(model);
    thread::spawn(move || act(&model))
}

/// A waiter never misses the verdict, whenever its wait begins.
pub fn a_waiter_never_misses_the_verdict() {
    check(|| {
        let model = Model::new();
        let waiter = beside(&model, |model| assert_eq!(block_on(model.verdict.wait()), 1));
        let giver = beside(&model, |model| model.give(1));
        assert_eq!(block_on(model.verdict.wait()), 1);
        giver.join().unwrap();
        waiter.join().unwrap();
    });
}

/// One of two requests runs the shutdown, and both get its result.
pub fn two_requesters_share_one_shutdown() {
    check(|| {
        let model = Model::new();
        let other = beside(&model, |model| {
            model.request(1);
            assert_eq!(Some(block_on(model.verdict.wait())), model.verdict.get());
        });
        model.request(2);
        let result = block_on(model.verdict.wait());
        other.join().unwrap();
        assert_eq!(model.verdict.get(), Some(result));
        assert_eq!(model.given(), 1);
    });
}

/// The task that runs the shutdown dies just before it gives its verdict, while its runtime is found to have ended.
pub fn a_death_and_an_end_give_one_verdict() {
    check(|| {
        let model = Model::new();
        let dying = beside(&model, |model| model.die(1));
        let other = beside(&model, |model| model.give(2));
        let result = block_on(model.verdict.wait());
        dying.join().unwrap();
        other.join().unwrap();
        assert_eq!(model.verdict.get(), Some(result));
        assert_eq!(model.given(), 1);
    });
}

/// A shutdown observes a force from before or during its wait. The force is published once.
pub fn a_force_is_heard_and_told_once() {
    check(|| {
        let model = Model::new();
        let others = [beside(&model, Model::force), beside(&model, Model::force)];
        block_on(model.verdict.interrupted());
        assert!(model.verdict.forced().is_some());
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(model.published.load(Ordering::Relaxed), 1);
    });
}

/// A force that races with the verdict is published or comes too late. The verdict is given in both cases.
pub fn a_force_races_with_the_verdict() {
    check(|| {
        let model = Model::new();
        let other = beside(&model, Model::force);
        let giver = beside(&model, |model| model.give(1));
        block_on(model.verdict.interrupted());
        other.join().unwrap();
        giver.join().unwrap();
        let told = model.published.load(Ordering::Relaxed);
        assert_eq!(told, usize::from(model.verdict.forced().is_some()));
        assert_eq!(model.verdict.get(), Some(1));
    });
}

/// A waker that records its wake-up.
#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: StdArc<Self>) {
        self.0.store(true, std::sync::atomic::Ordering::SeqCst);
    }
}

/// Polls once while the verdict is given, and checks that the wait is over or was woken.
fn polled_once(mut wait: Pin<&mut impl Future<Output = u32>>, giver: thread::JoinHandle<()>) {
    let flag = StdArc::new(Flag::default());
    let waker = Waker::from(StdArc::clone(&flag));
    let is_over = wait.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
    giver.join().unwrap();
    assert!(is_over || flag.0.load(std::sync::atomic::Ordering::SeqCst), "the wake-up was missed");
}

/// A single poll is enough to be woken.
pub fn a_wait_is_over_or_woken() {
    check(|| {
        let model = Model::new();
        let giver = beside(&model, |model| model.give(1));
        let verdict = Arc::clone(&model);
        polled_once(pin!(async move { verdict.verdict.wait().await }), giver);
    });
}

/// A wait that does not check again after it has registered its waker: the model finds that it can miss the verdict.
pub fn a_wait_that_looks_once() {
    struct Broken {
        result: Mutex<Option<u32>>,
        waker: Mutex<Option<Waker>>,
    }
    check(|| {
        let broken = Arc::new(Broken { result: Mutex::new(None), waker: Mutex::new(None) });
        let giver = Arc::clone(&broken);
        let giver = thread::spawn(move || {
            *lock(&giver.result) = Some(1);
            let waker = lock(&giver.waker).take();
            if let Some(waker) = waker {
                waker.wake();
            }
        });
        let wait = poll_fn(move |cx| {
            let found = *lock(&broken.result);
            if let Some(found) = found {
                return Poll::Ready(found);
            }
            *lock(&broken.waker) = Some(cx.waker().clone());
            Poll::Pending
        });
        polled_once(pin!(wait), giver);
    });
}
