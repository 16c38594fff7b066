//! The watch: a thread that looks after deadlines and signals while a stop is under way.
//!
//! A worker of a multi-thread runtime that runs user code for long also holds up the task in its LIFO slot, and the
//! timers and signals of the whole runtime if it was the one that drove them. The watch has a runtime of its own, on a
//! thread of its own, which runs no tasks of the user's: timers that are made there go off in time, signals arrive, and
//! what they wake is queued where any free worker takes it.
//!
//! All supervisors of the process share one watch. It exists only while somebody holds it, and a moment longer, so that
//! stops that follow one another share a thread.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime, RuntimeFlavor};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::sync::lock;

/// How long the thread stays after the last guard is dropped.
const LINGER: Duration = Duration::from_millis(250);

/// The watch, if there is one. A leaf: nothing else is locked under it, and no user code runs under it.
static PRESENT: Mutex<Option<Present>> = Mutex::new(None);

struct Present {
    runtime: Handle,
    guards: usize,
    /// Notified when the last guard is dropped.
    unguarded: Arc<Notify>,
}

/// Keeps the watch. What was made on its runtime is dropped before this.
pub(in crate::runtime) struct Watch {
    runtime: Handle,
}

impl Watch {
    /// Holds the watch, which is started if there is none. `None` if no thread or no runtime can be made.
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

    /// The runtime of the watch.
    pub(in crate::runtime) fn runtime(&self) -> &Handle {
        &self.runtime
    }
}

/// Whether the runtime has workers that can be free while one of them is blocked.
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
    let owned = Owned(Some(Builder::new_current_thread().enable_all().build().ok()?));
    let runtime = owned.0.as_ref()?.handle().clone();
    let stand = move || {
        if let Some(runtime) = &owned.0 {
            runtime.block_on(stand(&unguarded));
        }
    };
    thread::Builder::new().name("taskvisor-watch".into()).spawn(stand).ok()?;
    Some(runtime)
}

/// Waits until nobody has held the watch for a moment, and ends it in the same step.
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

/// A runtime can be dropped where that must not block: where no thread was found for it.
struct Owned(Option<Runtime>);

impl Drop for Owned {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn is_present() -> bool {
        lock(&PRESENT).is_some()
    }

    /// Other tests of this process hold the watch as well, so this looks at what they cannot break.
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
