//! Stopping: which calls may be delayed by which tasks, and the verdict.

mod answers;
mod blocked;
mod last_events;
mod permits;
mod runtimes;
#[cfg(unix)]
mod signals;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use taskvisor::{RuntimeError, SupervisorConfig, TaskContext, TaskFn, TaskSpec};
use tests::{ms, secs};
use tokio::time::sleep;

type Result = std::result::Result<(), RuntimeError>;

/// A generous limit on real time, against hanging.
const FOREVER: Duration = secs(60);

fn with_grace(grace: Duration) -> SupervisorConfig {
    SupervisorConfig { grace, ..SupervisorConfig::default() }
}

/// The names in a verdict that the grace was exceeded.
fn stuck(result: Result) -> Vec<String> {
    match result {
        Err(RuntimeError::GraceExceeded { stuck, .. }) => stuck,
        other => panic!("expected GraceExceeded, not {other:?}"),
    }
}

/// Blocks the threads that reach it until it is opened.
#[derive(Default)]
struct Barrier {
    /// The number of attempts that have begun.
    begun: AtomicUsize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    open: bool,
    entered: usize,
    left: usize,
}

impl Barrier {
    fn new() -> Arc<Self> {
        Arc::default()
    }

    fn begins(&self) {
        self.begun.fetch_add(1, Ordering::SeqCst);
    }

    /// Waits until this many attempts have begun. A stop that comes before finds nothing to block.
    async fn begun(&self, count: usize) {
        while self.begun.load(Ordering::SeqCst) < count {
            sleep(ms(1)).await;
        }
    }

    /// Blocks for at most a minute. If nothing opens the barrier, a test that waits for this thread fails.
    fn block(&self) {
        let mut state = self.state.lock().unwrap();
        state.entered += 1;
        self.changed.notify_all();
        let (mut state, _) = self.changed.wait_timeout_while(state, FOREVER, |state| !state.open).unwrap();
        state.left += 1;
    }

    /// Waits until this many threads have been blocked.
    fn wait_until_entered(&self, count: usize) {
        let state = self.state.lock().unwrap();
        let (_state, waited) = self.changed.wait_timeout_while(state, FOREVER, |state| state.entered < count).unwrap();
        assert!(!waited.timed_out(), "fewer than {count} came");
    }

    /// The number of threads that are blocked, and of those that were.
    fn counts(&self) -> (usize, usize) {
        let state = self.state.lock().unwrap();
        (state.entered - state.left, state.left)
    }

    fn open(&self) {
        self.state.lock().unwrap().open = true;
        self.changed.notify_all();
    }
}

/// A task whose cleanup blocks its thread.
fn cleanup_blocks(name: &str, barrier: &Arc<Barrier>) -> TaskSpec {
    let barrier = Arc::clone(barrier);
    TaskSpec::inherit(TaskFn::arc(name, move |ctx: TaskContext| {
        let barrier = Arc::clone(&barrier);
        async move {
            barrier.begins();
            ctx.cancelled().await;
            barrier.block();
            Ok(())
        }
    }))
}

/// Blocks its thread when dropped.
struct BlocksInDrop(Arc<Barrier>);

impl Drop for BlocksInDrop {
    fn drop(&mut self) {
        self.0.block();
    }
}

/// A task that ignores its token and blocks its thread when its future is dropped.
fn drop_blocks(name: &str, barrier: &Arc<Barrier>) -> TaskSpec {
    let barrier = Arc::clone(barrier);
    TaskSpec::inherit(TaskFn::arc(name, move |_: TaskContext| {
        let held = BlocksInDrop(Arc::clone(&barrier));
        async move {
            held.0.begins();
            let _held = held;
            std::future::pending().await
        }
    }))
}
