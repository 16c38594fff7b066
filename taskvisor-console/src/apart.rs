//! Work on another thread.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use tokio::runtime::{self, Handle};
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::sync::lock;

/// The time that work waits for a thread of the pool.
const PATIENCE: Duration = Duration::from_millis(100);

/// The last runtime whose timers were found to be missing, or over. Only a panic tells, so it is noted. A leaf.
static WITHOUT_TIMERS: Mutex<Option<runtime::Id>> = Mutex::new(None);

/// Calls `work` on a thread of the pool. Returns `None` if it panics, or if the runtime shuts down.
///
/// The pool can be full of calls that block, and the console has to answer then too. So work that waits for long gets
/// a thread of its own, or is done here if none can be started. On a runtime without timers it does not wait.
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
    let queued = runtime.spawn_blocking(begin.clone());
    if let Some(result) = at_once(&mut result, &runtime).await {
        return result.ok();
    }
    let is_waiting = lock(&waiting).is_some();
    if is_waiting {
        queued.abort();
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

/// Waits for a result, but no longer than [`PATIENCE`].
async fn at_once<F: Future + Unpin>(result: &mut F, runtime: &Handle) -> Option<F::Output> {
    let has_no_timers = *lock(&WITHOUT_TIMERS) == Some(runtime.id());
    if has_no_timers {
        return None;
    }
    let mut patience = None;
    poll_fn(|cx| {
        if let Poll::Ready(result) = Pin::new(&mut *result).poll(cx) {
            return Poll::Ready(Some(result));
        }
        let wait = || patience.get_or_insert_with(|| Box::pin(sleep(PATIENCE))).as_mut().poll(cx).map(|()| None);
        catch_unwind(AssertUnwindSafe(wait)).unwrap_or_else(|_| {
            *lock(&WITHOUT_TIMERS) = Some(runtime.id());
            Poll::Ready(None)
        })
    })
    .await
}
