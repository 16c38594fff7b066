//! Work on another thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::sync::lock;
use crate::within::within;

/// The time that work waits for a thread of the pool.
const PATIENCE: Duration = Duration::from_millis(100);

/// The largest number of entries in the queue of the pool. An entry that is given up stays there until a thread takes it,
/// which may be never.
const MOST: usize = 8;

/// The number of entries in the queues of all runtimes.
static ENTRIES: AtomicUsize = AtomicUsize::new(0);

/// One of them, until a thread takes it, or the runtime drops it.
struct Entry;

impl Entry {
    fn new() -> Option<Self> {
        let more = |entries| (entries < MOST).then_some(entries + 1);
        ENTRIES.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok().map(|_| Self)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        ENTRIES.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Calls `work` on a thread of the pool. Returns `None` if it panics, or if the runtime shuts down.
///
/// The pool can be full of calls that block, and the console has to answer then too. So work that waits for long gets
/// a thread of its own, or is done here if none can be started. On a runtime without timers it does not wait, nor where
/// earlier work still waits for the pool.
pub(crate) async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (runtime, (sender, mut result)) = (Handle::current(), oneshot::channel());
    let waiting = Arc::new(Mutex::new(Some(move || drop(sender.send(work())))));
    let shared = Arc::clone(&waiting);
    let begin = move || {
        let work = lock(&shared).take();
        if let Some(work) = work {
            work();
        }
    };
    if let Some(entry) = Entry::new() {
        let begin = begin.clone();
        let entered = move || {
            drop(entry);
            begin();
        };
        // Tokio panics if there is no thread, and none can be created.
        if let Ok(queued) = catch_unwind(AssertUnwindSafe(|| runtime.spawn_blocking(entered))) {
            if let Some(result) = within(PATIENCE, &mut result).await {
                return result.ok();
            }
            queued.abort();
        }
    }
    let is_waiting = lock(&waiting).is_some();
    if is_waiting {
        let here = begin.clone();
        let own = move || {
            let _entered = runtime.enter();
            begin();
        };
        if thread::Builder::new().name("taskvisor-console".into()).spawn(own).is_err() {
            here();
        }
    }
    // It has a thread, or the runtime has dropped it.
    drop(waiting);
    result.await.ok()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::task::spawn_blocking;
    use tokio::time::timeout;

    use super::*;

    /// The pool is full for ever, and the console is asked again and again.
    #[test]
    fn work_that_a_full_pool_does_not_take_leaves_a_bounded_queue() {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
        let (free, freed) = mpsc::channel::<()>();
        runtime.block_on(async {
            let blocks = spawn_blocking(move || freed.recv());
            for number in 0..4 * MOST {
                assert_eq!(apart(move || number).await, Some(number));
                assert!(ENTRIES.load(Ordering::Relaxed) <= MOST, "after {number} calls");
            }
            // Other tests may have some for a moment.
            assert!(ENTRIES.load(Ordering::Relaxed) >= MOST / 2, "the pool is full");
            drop(free);
            assert!(blocks.await.unwrap().is_err());
            // A thread takes what is given up, and work after it.
            let empty = async {
                while ENTRIES.load(Ordering::Relaxed) > 0 {
                    tokio::task::yield_now().await;
                }
            };
            timeout(Duration::from_secs(60), empty).await.expect("no entry is left");
            let name = || thread::current().name().map(str::to_owned);
            assert_eq!(apart(name).await, spawn_blocking(name).await.ok(), "it is done by the pool");
        });
        #[cfg(unix)]
        without_threads();
    }

    /// Each thread of the pool of this runtime would have a stack that is too large. Tokio keeps the entries.
    #[cfg(unix)]
    fn without_threads() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .thread_stack_size(usize::MAX / 8 * 7)
            .build()
            .unwrap();
        for number in 0..2 * MOST {
            assert_eq!(runtime.block_on(apart(move || number)), Some(number));
        }
        assert!(ENTRIES.load(Ordering::Relaxed) <= MOST);
    }
}
