//! The same work in plain Tokio, written by hand by a user who needs this work and nothing else.
//!
//! The documentation of each function says what it does and what it leaves out. No function catches panics beyond what
//! a Tokio task does, publishes events, or knows policies.

use std::collections::{HashMap, VecDeque};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tokio::task::{JoinHandle, yield_now};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::contender::{Contender, Measured};
use crate::countdown::{Countdown, PollAgain};
use crate::sample::Meter;
use crate::work::Slot;

/// Hand-written code without a supervision crate.
pub(crate) struct Floor;

impl Contender for Floor {
    /// A loop in one task that awaits the attempt and yields after a failure. The error is a `String`, as everywhere.
    /// It has no token, catches no panics, has no status and delivers nothing to subscribers.
    async fn restart(&self, size: u64, _takes_token: bool, _subscribers: u64) -> Measured {
        let left = Countdown::new(size);
        let failures = Arc::clone(&left);
        let meter = Meter::start();
        tokio::spawn(async move {
            while attempt(&failures).await.is_err() {
                yield_now().await;
            }
        })
        .await?;
        let sample = meter.finish(size);
        left.check()?;
        Ok(Some(sample))
    }

    /// A locked registry by name with a child token for each task, which removes its own name when it ends. A tracker
    /// waits for all tasks together; no outcome is kept.
    async fn once(&self, size: u64, _takes_token: bool) -> Measured {
        let meter = Meter::start();
        let registry: Arc<Mutex<HashMap<Arc<str>, CancellationToken>>> = Arc::default();
        let (root, tracker, left) = (CancellationToken::new(), TaskTracker::new(), Countdown::new(size));
        for number in 0..size {
            let name: Arc<str> = format!("task-{number}").into();
            let token = root.child_token();
            lock(&registry).insert(Arc::clone(&name), token);
            let (left, registry) = (Arc::clone(&left), Arc::clone(&registry));
            tracker.spawn(async move {
                left.finish();
                let token = lock(&registry).remove(&name);
                // Dropped without the lock.
                drop(token);
            });
        }
        tracker.close();
        tracker.wait().await;
        let sample = meter.finish(size);
        left.check()?;
        Ok(Some(sample))
    }

    /// A task, a child token, and a registry entry with the join handle. No spec, no state, no outcome. Without a token
    /// the task waits for nothing, and only an abort through the join handle would end it.
    async fn idle(&self, size: u64, takes_token: bool) -> Measured {
        let started = Countdown::new(size);
        let root = CancellationToken::new();
        let meter = Meter::start();
        let mut registry: HashMap<Arc<str>, (Option<CancellationToken>, JoinHandle<()>)> = HashMap::new();
        for number in 0..size {
            let name: Arc<str> = format!("task-{number}").into();
            let (token, started) = (takes_token.then(|| root.child_token()), Arc::clone(&started));
            let wait = token.clone();
            let task = tokio::spawn(async move {
                started.finish();
                drop(started);
                match wait {
                    Some(token) => token.cancelled().await,
                    None => std::future::pending().await,
                }
            });
            registry.insert(name, (token, task));
        }
        started.wait().await;
        let sample = meter.finish(size);
        drop(registry);
        Ok(Some(sample))
    }

    /// Spawn, cancel and join, with a child token and a tracker, and a yield after the spawn if the task must have
    /// started. It has no name and no registry; each of the others has a task and a token.
    async fn cancel(&self, size: u64, others: u64, has_started: bool) -> Measured {
        let (root, tracker, started) = (CancellationToken::new(), TaskTracker::new(), Countdown::new(others));
        for _ in 0..others {
            let (token, started) = (root.child_token(), Arc::clone(&started));
            tracker.spawn(async move {
                started.finish();
                token.cancelled().await;
            });
        }
        started.wait().await;
        let begun = Countdown::of_started(size, has_started);
        let meter = Meter::start();
        for _ in 0..size {
            let token = root.child_token();
            let told = token.clone();
            let task = if has_started {
                let begun = Arc::clone(&begun);
                let task = tracker.spawn(async move {
                    begun.finish();
                    told.cancelled().await;
                });
                yield_now().await;
                task
            } else {
                tracker.spawn(async move { told.cancelled().await })
            };
            token.cancel();
            task.await?;
        }
        let sample = meter.finish(size);
        begun.check_started(has_started)?;
        Ok(Some(sample))
    }

    /// One token and one tracker for all. No task can be stopped alone, and none has a name, a deadline or an outcome.
    async fn stop(&self, size: u64) -> Measured {
        let (root, tracker, started) = (CancellationToken::new(), TaskTracker::new(), Countdown::new(size));
        for _ in 0..size {
            let (token, started) = (root.clone(), Arc::clone(&started));
            tracker.spawn(async move {
                started.finish();
                token.cancelled().await;
            });
        }
        started.wait().await;
        let meter = Meter::start();
        root.cancel();
        tracker.close();
        tracker.wait().await;
        Ok(Some(meter.finish(size)))
    }

    /// Callbacks that the publisher calls itself, with an event that has a time and a name. Nothing is queued: a slow
    /// callback delays the publisher.
    async fn deliver(&self, size: u64, subscribers: u64) -> Measured {
        let name: Arc<str> = "task".into();
        let seen = Arc::new(AtomicU64::new(0));
        let callbacks: Vec<Callback> = (0..subscribers)
            .map(|_| {
                let seen = Arc::clone(&seen);
                Box::new(move |event: &Event| {
                    black_box(event);
                    seen.fetch_add(1, Ordering::Relaxed);
                }) as Callback
            })
            .collect();
        let meter = Meter::start();
        for sequence in 0..size {
            if black_box(&callbacks).is_empty() {
                continue;
            }
            let event = Event { sequence, at: SystemTime::now(), task: Arc::clone(&name), rest: [0; 8] };
            for callback in &callbacks {
                callback(&event);
            }
        }
        let sample = meter.finish(size);
        Ok(Some(sample.with_heard(seen.load(Ordering::Relaxed), size * subscribers)))
    }

    /// A locked map from each slot to its queue, with closures as jobs. It has no outcome, no handle and no limit. A
    /// job runs only in a slot of its own, which is a spawned task.
    async fn slot(&self, size: u64, slot: Slot) -> Measured {
        let slots: Arc<Mutex<HashMap<Arc<str>, VecDeque<Job>>>> = Arc::default();
        let meter = Meter::start();
        match slot {
            Slot::Queue => {
                let left = Countdown::new(size);
                let (sender, mut jobs) = tokio::sync::mpsc::unbounded_channel::<Job>();
                let worker = tokio::spawn(async move {
                    while let Some(job) = jobs.recv().await {
                        job();
                    }
                });
                for _ in 0..size {
                    let left = Arc::clone(&left);
                    sender.send(Box::new(move || left.finish())).map_err(|_| "the worker is gone")?;
                }
                left.wait().await;
                drop(sender);
                worker.await?;
            }
            Slot::Distinct => {
                let tracker = TaskTracker::new();
                for number in 0..size {
                    let name: Arc<str> = format!("slot-{number}").into();
                    lock(&slots).insert(Arc::clone(&name), VecDeque::new());
                    let slots = Arc::clone(&slots);
                    tracker.spawn(async move { lock(&slots).remove(&name) });
                }
                tracker.close();
                tracker.wait().await;
            }
            Slot::Drop | Slot::Replace => {
                lock(&slots).insert("slot".into(), VecDeque::new());
                for number in 0..size {
                    let job: Job = Box::new(move || {
                        black_box(number);
                    });
                    let mut slots = lock(&slots);
                    let Some(queue) = slots.get_mut("slot") else { return Err("the slot is gone".into()) };
                    if slot == Slot::Replace {
                        queue.clear();
                        queue.push_back(job);
                    }
                }
            }
        }
        Ok(Some(meter.finish(size)))
    }

    /// A spawned future that is polled again and again.
    async fn poll(&self, size: u64) -> Measured {
        let meter = Meter::start();
        tokio::spawn(async move {
            for _ in 0..size {
                PollAgain::default().await;
            }
        })
        .await?;
        Ok(Some(meter.finish(size)))
    }

    /// A tracker, a token and its child, one task, and a wait for its end.
    async fn lifecycle(&self, size: u64) -> Measured {
        let meter = Meter::start();
        for _ in 0..size {
            let (root, tracker) = (CancellationToken::new(), TaskTracker::new());
            let token = root.child_token();
            tracker.spawn(async move { drop(token) });
            tracker.close();
            tracker.wait().await;
            root.cancel();
        }
        Ok(Some(meter.finish(size)))
    }
}

type Job = Box<dyn FnOnce() + Send>;

type Callback = Box<dyn Fn(&Event) + Send>;

/// As large as an event with the fields that are needed.
struct Event {
    #[expect(dead_code, reason = "written for its cost")]
    sequence: u64,
    #[expect(dead_code, reason = "written for its cost")]
    at: SystemTime,
    #[expect(dead_code, reason = "written for its cost")]
    task: Arc<str>,
    #[expect(dead_code, reason = "written for its cost")]
    rest: [u64; 8],
}

#[expect(clippy::unused_async, reason = "an attempt is a future")]
async fn attempt(failures: &Countdown) -> Result<(), String> {
    if failures.take() { Err("boom".to_owned()) } else { Ok(()) }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
