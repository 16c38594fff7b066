//! The watch: a thread for signals, and for deadlines during a stop.
//!
//! A worker of a multi-thread runtime that is blocked by user code also blocks the task in its LIFO slot. If the worker
//! drives the timers and signals of the runtime, it blocks these as well. The watch has its own runtime on its own
//! thread, which runs no user tasks. Timers that are created there fire in time, signals arrive, and the tasks that
//! they wake are queued where any free worker takes them.
//!
//! All supervisors of the process share one watch. It exists while a guard is held and for a short time after that, so
//! that consecutive stops share one thread.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::runtime::own_runtime::OwnRuntime;
use crate::sync::lock;

/// The time that the thread stays after the last guard is dropped.
const LINGER: Duration = Duration::from_millis(250);

/// The watch, if there is one. The lock is a leaf: no other lock is taken and no user code runs under it, so it cannot
/// deadlock.
static PRESENT: Mutex<Option<Present>> = Mutex::new(None);

struct Present {
    runtime: Handle,
    guards: usize,
    /// Notified when the last guard is dropped.
    unguarded: Arc<Notify>,
}

/// A guard that keeps the watch alive. Timers on its runtime are dropped before the guard.
pub(in crate::runtime) struct Watch {
    runtime: Handle,
}

impl Watch {
    /// Returns a guard, and starts the watch if there is none. Returns `None` if no thread or runtime can be created.
    pub(in crate::runtime) fn get() -> Option<Self> {
        let mut place = lock(&PRESENT);
        if let Some(present) = &mut *place {
            present.guards += 1;
            return Some(Self { runtime: present.runtime.clone() });
        }
        let unguarded = Arc::new(Notify::new());
        let runtime = start(Arc::clone(&unguarded))?;
        *place = Some(Present { runtime: runtime.clone(), guards: 1, unguarded });
        Some(Self { runtime })
    }

    /// Returns the runtime of the watch.
    pub(in crate::runtime) fn runtime(&self) -> &Handle {
        &self.runtime
    }
}

/// Returns `true` for a multi-thread runtime, which can have other workers besides a blocked one.
pub(in crate::runtime) fn has_workers(runtime: &Handle) -> bool {
    runtime.runtime_flavor() == RuntimeFlavor::MultiThread
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut place = lock(&PRESENT);
        if let Some(present) = &mut *place {
            present.guards -= 1;
            if present.guards == 0 {
                present.unguarded.notify_one();
            }
        }
    }
}

fn start(unguarded: Arc<Notify>) -> Option<Handle> {
    let runtime = OwnRuntime::new().ok()?;
    let handle = runtime.handle().clone();
    runtime.on_thread("taskvisor-watch", move |runtime| runtime.drive(stand(&unguarded))).ok()?;
    Some(handle)
}

/// Waits until no guard has existed for the time of [`LINGER`], and then ends the watch under the same lock.
async fn stand(unguarded: &Notify) {
    loop {
        unguarded.notified().await;
        sleep(LINGER).await;
        let mut place = lock(&PRESENT);
        if place.as_ref().is_none_or(|present| present.guards == 0) {
            *place = None;
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    fn is_present() -> bool {
        lock(&PRESENT).is_some()
    }

    /// Other tests of this process also use the watch, so this test checks only what they cannot change.
    #[test]
    fn it_runs_while_it_is_held_and_ends_soon_after() {
        let watch = Watch::get().unwrap();
        let again = Watch::get().unwrap();
        assert_eq!(watch.runtime().id(), again.runtime().id(), "there is one");
        drop(again);
        let (sender, receiver) = mpsc::channel();
        watch.runtime().spawn(async move {
            sleep(Duration::from_millis(1)).await;
            sender.send(thread::current().name().map(str::to_owned)).unwrap();
        });
        let name = receiver.recv_timeout(Duration::from_secs(60)).unwrap();
        assert_eq!(name.as_deref(), Some("taskvisor-watch"));
        assert!(is_present());
        let id = watch.runtime().id();
        drop(watch);
        let same = || lock(&PRESENT).as_ref().is_some_and(|present| present.runtime.id() == id && present.guards == 0);
        for _ in 0..60_000 {
            if !same() {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
        panic!("it does not end");
    }

    #[test]
    fn getting_it_never_meets_one_that_has_ended() {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                thread::spawn(|| {
                    for _ in 0..50 {
                        let watch = Watch::get().unwrap();
                        let (sender, receiver) = mpsc::channel();
                        watch.runtime().spawn(async move { sender.send(()).unwrap() });
                        assert!(receiver.recv_timeout(Duration::from_secs(60)).is_ok());
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
    }
}
