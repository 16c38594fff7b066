//! The one shutdown of a supervisor, shared by all who ask for it.

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{timeout, timeout_at};

use super::alarm::deadline;
use super::cell::{ABORT, Bound, Cell};
use super::core::Core;
use super::current::Current;
use super::registry::Admission;
use crate::events::{Event, EventKind};
use crate::runtime_error::RuntimeError;
use crate::status::TaskId;
use crate::sync::lock;

/// How the shutdown went, once it has.
#[derive(Default)]
pub(super) struct Verdict {
    result: Mutex<Option<Result<(), RuntimeError>>>,
    given: Notify,
    forced: AtomicBool,
    force: Notify,
}

/// A shutdown that was requested. It goes on whether this is awaited or not; all who await it get one result. A task of
/// the same supervisor cannot wait for it, as it would wait for itself: it gets
/// [`ShuttingDown`](RuntimeError::ShuttingDown) at once.
///
/// # Cancel safety
/// Dropping it does not take the request back.
pub struct Shutdown(Pin<Box<dyn Future<Output = Result<(), RuntimeError>> + Send>>);

impl Future for Shutdown {
    type Output = Result<(), RuntimeError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown").finish_non_exhaustive()
    }
}

impl Core {
    /// Requests the shutdown, unless that was done.
    pub(crate) fn shut_down(self: &Arc<Self>, why: &str, drain: Duration) {
        {
            let mut registry = self.registry();
            if registry.admission != Admission::Open {
                return;
            }
            registry.admission = Admission::Closing;
        }
        if self.bus.is_active() {
            self.bus.publish(Event::new(EventKind::ShutdownRequested).because(why));
        }
        let driver = Driver(Arc::clone(self));
        // Where the tasks are, so that it does not end before them.
        match self.home().or_else(|| Handle::try_current().ok()) {
            Some(home) => {
                self.bus.start(&home);
                home.spawn(async move { driver.drive(drain).await });
            }
            // Never used on a runtime: there is nothing to stop, and nobody to tell.
            None => drop(driver),
        }
    }

    /// Aborts what has not stopped yet.
    pub(crate) fn force(&self) {
        self.verdict.forced.store(true, Ordering::Release);
        self.verdict.force.notify_waiters();
    }

    /// Waits for the result of a shutdown that was requested or will be.
    pub(crate) async fn verdict(&self) -> Result<(), RuntimeError> {
        loop {
            let mut given = pin!(self.verdict.given.notified());
            given.as_mut().enable();
            if let Some(result) = lock(&self.verdict.result).clone() {
                return result;
            }
            given.await;
        }
    }

    pub(crate) fn shutdown(self: &Arc<Self>, why: &str) -> Shutdown {
        self.shut_down(why, self.config.drain);
        let core = Arc::clone(self);
        Shutdown(Box::pin(async move {
            // A task that waited for the shutdown would wait for itself.
            if Current::is_of(&core) { Err(RuntimeError::ShuttingDown) } else { core.verdict().await }
        }))
    }

    async fn forced(&self) {
        loop {
            let mut force = pin!(self.verdict.force.notified());
            force.as_mut().enable();
            if self.verdict.forced.load(Ordering::Acquire) {
                return;
            }
            force.await;
        }
    }

    /// Gives the verdict.
    pub(super) fn close(&self, result: Result<(), RuntimeError>) {
        let vacant = {
            let mut registry = self.registry();
            registry.admission = Admission::Closed;
            registry.is_empty()
        };
        lock(&self.verdict.result).get_or_insert(result);
        self.verdict.given.notify_waiters();
        self.stopped();
        if vacant {
            self.bus.close();
        }
    }

    /// Waits until no task is registered.
    pub(super) async fn vacant(&self) {
        loop {
            let mut vacant = pin!(self.vacant.notified());
            vacant.as_mut().enable();
            if self.registry().is_empty() {
                return;
            }
            vacant.await;
        }
    }
}

/// Carries the shutdown out; dropped before its end, it leaves the verdict that holds then.
struct Driver(Arc<Core>);

impl Driver {
    async fn drive(self, drain: Duration) {
        let core = &self.0;
        if !drain.is_zero() {
            until(core.vacant(), core.forced(), drain).await;
        }
        let grace = core.config.grace;
        for cell in core.cells() {
            cell.stop(stop_bound(&cell), false);
        }
        let mut stuck = Vec::new();
        if !until(core.vacant(), core.forced(), grace).await {
            for cell in core.cells() {
                cell.stop(Bound::Now, false);
            }
            // What can be aborted is given the time to show it, so that it is gone when `run` returns.
            let _ = timeout(ABORT, core.vacant()).await;
            for cell in core.cells() {
                cell.declare_aborted();
                stuck.push((cell.id(), Arc::clone(cell.name())));
            }
        }
        let result = self.judge(stuck);
        if core.bus.is_active() {
            core.bus.publish_surely(match &result {
                Ok(()) => Event::new(EventKind::AllStoppedWithinGrace),
                Err(error) => Event::new(EventKind::GraceExceeded).because(error.to_string()),
            });
            let _ = timeout(core.config.drain_timeout, core.bus.flush()).await;
        }
        core.close(result);
    }

    /// Names what was aborted, at the deadline or before it.
    fn judge(&self, mut stuck: Vec<(TaskId, Arc<str>)>) -> Result<(), RuntimeError> {
        stuck.append(&mut self.0.registry().aborted);
        stuck.sort_unstable();
        stuck.dedup();
        if stuck.is_empty() {
            return Ok(());
        }
        let stuck = stuck.into_iter().map(|(_, name)| name.to_string()).collect();
        Err(RuntimeError::GraceExceeded { grace: self.0.config.grace, stuck })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let over = lock(&self.0.verdict.result).is_some();
        if !over {
            for cell in self.0.cells() {
                cell.stop(Bound::Now, false);
            }
            let left = self.0.cells().iter().map(|cell| (cell.id(), Arc::clone(cell.name()))).collect();
            let result = self.judge(left);
            self.0.close(result);
        }
    }
}

/// A task without a `stop_timeout` of its own has until the driver comes back.
fn stop_bound(cell: &Cell) -> Bound {
    cell.settings().stop_timeout.map_or(Bound::Open, Bound::within)
}

/// Waits for `done`, but not past `end` and not longer than `time`. Whether it is done.
async fn until(done: impl Future<Output = ()>, end: impl Future<Output = ()>, time: Duration) -> bool {
    let (mut done, mut end) = (pin!(done), pin!(end));
    let either = std::future::poll_fn(|cx| {
        if done.as_mut().poll(cx).is_ready() {
            return Poll::Ready(true);
        }
        end.as_mut().poll(cx).map(|()| false)
    });
    match deadline(time) {
        None => either.await,
        Some(deadline) => timeout_at(deadline, either).await.unwrap_or(false),
    }
}
