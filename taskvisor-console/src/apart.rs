//! Work on another thread.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::sync::lock;
use crate::within::within;

/// The time that work waits for a thread of the pool.
const PATIENCE: Duration = Duration::from_millis(100);

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
    if let Some(result) = within(PATIENCE, &mut result).await {
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
