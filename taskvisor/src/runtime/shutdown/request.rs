//! The one shutdown of a supervisor, shared by all requesters.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use super::super::core::Core;
use super::super::observe;
use super::super::reentrancy::ReentrancyGuard;
use super::super::registry::Admission;
use super::super::task::{Bound, Cell, Stage, StopBy};
use super::stopper::{Request, Stopper};
use super::verdict::Verdict;
use crate::events::{Event, EventKind, Reason};
use crate::inspect::{TaskId, one_line};
use crate::panics::drop_caught;
use crate::supervisor::{RuntimeError, StopLimit};
use crate::sync::lock;
use crate::task::{StopReason, TaskError};
use crate::tree::FailureChain;

/// An aborted task, and the limit that it exceeded.
pub(in crate::runtime) type Stuck = (TaskId, Arc<str>, StopLimit);

/// The result of a shutdown.
pub(in crate::runtime) type ShutdownResult = Result<(), RuntimeError>;

/// The state of the shutdown.
#[derive(Default)]
pub(in crate::runtime) struct Stop {
    pub(in crate::runtime) verdict: Verdict<ShutdownResult>,
    /// The failure of the tree, if there is one. The lock is a leaf: nothing is locked, formatted or dropped under it,
    /// so it cannot deadlock.
    failure: Mutex<Option<Failure>>,
    /// The time of the request. The lock is a leaf: the time is copied under it, so it cannot deadlock.
    requested: Mutex<Option<Instant>>,
    /// The last layer that is requested to stop.
    layer: AtomicU8,
    /// `true` when the remaining tasks are no longer waited for.
    gave_up: AtomicBool,
}

/// The layers of a shutdown, in the order of their stops.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub(in crate::runtime) enum Layer {
    /// Tasks that were added at run time, outside of groups.
    Added = 1,
    Tree,
    /// Tasks in slots that a task of the tree is after.
    Relied,
}

/// The failure of a tree.
#[derive(Clone)]
struct Failure {
    chain: FailureChain,
    /// The failure as text, formatted inside `panics::catch` because it calls the user's `Display`.
    text: Arc<str>,
}

/// The way in which remaining tasks were aborted.
#[derive(Clone, Copy)]
pub(in crate::runtime) enum Cut {
    /// The grace was exceeded.
    Grace,
    /// The shutdown was forced this long after the request.
    Forced(Duration),
}

/// A requested shutdown. It proceeds even if this future is dropped, and all callers get the same result. A task of the
/// same supervisor cannot wait for it, because it would wait for itself: it gets
/// [`ShuttingDown`](RuntimeError::ShuttingDown) at once.
///
/// # Cancel safety
/// Dropping the future does not withdraw the request.
pub struct Shutdown(Pin<Box<dyn Future<Output = ShutdownResult> + Send>>);

impl Future for Shutdown {
    type Output = ShutdownResult;

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
    /// Requests the shutdown, unless it is already requested.
    pub(crate) fn shut_down(self: &Arc<Self>, why: &str, drain: Duration) {
        self.shut_down_because(why, None, drain);
    }

    fn shut_down_because(self: &Arc<Self>, why: &str, failure: Option<&Arc<TaskError>>, drain: Duration) {
        let here = Handle::try_current().ok();
        let home = self.home();
        let runtime = here.as_ref().or(home.as_ref());
        let (nothing_to_do, is_run) = {
            let mut registry = self.registry();
            if registry.admission != Admission::Open {
                return;
            }
            // Without a drain, the drain ends when it begins.
            registry.admission = if drain.is_zero() { Admission::Stopping } else { Admission::Closing };
            self.stopping.store(true, Ordering::Relaxed);
            *lock(&self.stop.requested) = Some(Instant::now());
            if let Some(runtime) = runtime {
                self.bus.start(runtime);
                if self.bus.is_active() {
                    let reason = failure.map_or_else(|| why.into(), |error| Reason::formatted(Arc::clone(error), why));
                    self.bus.publish(Event::new(EventKind::ShutdownRequested).because(reason));
                }
            }
            #[cfg(feature = "controller")]
            let aftermath = registry.narrow_intake();
            let (vacant, is_run) = (registry.is_empty(), registry.running);
            drop(registry);
            #[cfg(feature = "controller")]
            aftermath.carry_out(self);
            // From now on the service is not ready for probes.
            self.readiness.changed.wake();
            (vacant && !self.bus.is_active(), is_run)
        };
        if runtime.is_some() {
            observe::shutdown_requested(why);
        }
        Stopper::start(self, Request { here, home, drain, nothing_to_do, is_run });
    }

    /// Aborts the tasks that have not stopped.
    pub(crate) fn force(&self, why: &str) {
        let requested = *lock(&self.stop.requested);
        let after = requested.map_or(Duration::ZERO, |requested| requested.elapsed());
        self.stop.verdict.force(after, || {
            if self.bus.is_active() {
                self.bus.publish(Event::new(EventKind::ShutdownForced).because(why));
            }
        });
    }

    /// Waits for the result of the current or next shutdown.
    pub(crate) async fn verdict(&self) -> ShutdownResult {
        self.stop.verdict.wait().await
    }

    pub(crate) fn shutdown(self: &Arc<Self>, why: &str) -> Shutdown {
        self.shut_down(why, self.config.drain);
        let core = Arc::clone(self);
        Shutdown(Box::pin(async move {
            // A task that waits for the shutdown would wait for itself.
            if ReentrancyGuard::is_of(&core) { Err(RuntimeError::ShuttingDown) } else { core.verdict().await }
        }))
    }

    /// Stops the root, in failure or because a significant child completed.
    pub(in crate::runtime) fn tree_stops(self: &Arc<Self>, failure: Option<FailureChain>) {
        let drain = self.config.drain;
        let Some(chain) = failure else { return self.shut_down("a significant task completed", drain) };
        let error = Arc::new(TaskError::error(chain.clone()));
        let why = self.stop.fail(chain);
        self.shut_down_because(&why, Some(&error), drain);
    }

    /// The stop requests to the tasks of a layer come next. A task that gets the permit of a stopped task sees this.
    pub(in crate::runtime) fn stops_layer(&self, layer: Layer) {
        self.stop.layer.fetch_max(layer as u8, Ordering::Release);
    }

    /// Returns `true` if the tasks of its layer are requested to stop.
    pub(in crate::runtime) fn stops_layer_of(&self, cell: &Cell) -> bool {
        let stopping = self.stop.layer.load(Ordering::Acquire);
        if stopping == 0 {
            return false;
        }
        let layer = match cell.is_beside_tree() {
            false => Layer::Tree,
            true if self.registry().is_relied(cell) => Layer::Relied,
            true => Layer::Added,
        };
        layer as u8 <= stopping
    }

    /// Returns `true` if the tree has failed.
    pub(in crate::runtime) fn has_failed(&self) -> bool {
        lock(&self.stop.failure).is_some()
    }

    /// Returns `true` if the shutdown no longer waits for the remaining tasks.
    pub(in crate::runtime) fn has_given_up(&self) -> bool {
        self.stop.gave_up.load(Ordering::Acquire)
    }

    pub(in crate::runtime) fn give_up(&self) {
        self.stop.gave_up.store(true, Ordering::Release);
    }

    /// Gives a verdict at once, unless there is one or a judge exists. Called when the runtime of the tasks has ended.
    pub(in crate::runtime) fn abandon(&self) {
        self.stops_layer(Layer::Relied);
        for root in self.roots() {
            root.stop(StopBy::now(StopLimit::Grace));
        }
        let cells = self.cells();
        for cell in &cells {
            cell.stop(Bound::Now(StopLimit::Grace), StopReason::Shutdown);
        }
        let left = cells.iter().filter(|cell| cell.lock().machine().stage() != Stage::Ended);
        let stuck = left.map(|cell| (cell.id(), Arc::clone(cell.name()), StopLimit::Grace)).collect();
        self.close(|| self.judge(stuck, Cut::Grace));
        // Drops the tasks that have ended in the meantime.
        for cell in cells {
            let _ = drop_caught(cell);
        }
    }

    /// Gives the verdict, unless there is one or a judge exists.
    pub(in crate::runtime) fn close(&self, result: impl FnOnce() -> ShutdownResult) {
        if let Some(judge) = self.stop.verdict.judge() {
            let result = result();
            observe::shutdown_over(&result);
            self.close_with(|| judge.give(result));
        }
    }

    /// Like `close`, with a given verdict.
    pub(in crate::runtime) fn close_with(&self, give: impl FnOnce()) {
        let over = {
            let mut registry = self.registry();
            registry.close();
            registry.is_over()
        };
        give();
        self.readiness.changed.wake();
        if over {
            self.bus.close();
        }
    }

    /// Returns the tasks that were aborted, at the deadline or before.
    pub(in crate::runtime) fn judge(&self, mut stuck: Vec<Stuck>, cut: Cut) -> ShutdownResult {
        stuck.extend_from_slice(&self.registry().aborted);
        if !stuck.is_empty() {
            stuck.sort_unstable();
            stuck.dedup_by_key(|(id, ..)| *id);
        }
        let (stuck, limits): (Vec<_>, Vec<_>) =
            stuck.into_iter().map(|(_, name, limit)| (name.to_string(), limit)).unzip();
        let failure = lock(&self.stop.failure).clone();
        if let Some(Failure { chain, .. }) = failure {
            return Err(if chain.ends_by_limit() {
                RuntimeError::IntensityExceeded { chain, stuck }
            } else {
                RuntimeError::Failed { source: chain.error().cloned(), chain, stuck }
            });
        }
        if stuck.is_empty() {
            return Ok(());
        }
        Err(match cut {
            Cut::Grace => RuntimeError::GraceExceeded { grace: self.config.grace, stuck, limits },
            Cut::Forced(after) => RuntimeError::ShutdownForced { after, stuck },
        })
    }

    /// Returns the event of the verdict. Its kind depends on the aborted tasks, and its reason is the failure.
    pub(in crate::runtime) fn event_of(&self, result: &ShutdownResult) -> Event {
        let failure = lock(&self.stop.failure).as_ref().map(|failure| Arc::clone(&failure.text));
        let stuck: &[String] = match result {
            Ok(()) => &[],
            Err(error) => error.stuck(),
        };
        let kind = if stuck.is_empty() { EventKind::AllStoppedWithinGrace } else { EventKind::GraceExceeded };
        let reason = match (failure, result) {
            (Some(failure), _) => Some(format!("{failure}{}", crate::supervisor::left(stuck))),
            (None, Err(error)) => Some(one_line(error)),
            (None, Ok(())) => None,
        };
        let event = Event::new(kind);
        match reason {
            Some(reason) => event.because(Reason::from(reason)),
            None => event,
        }
    }
}

impl Core {
    /// Waits until no task is registered.
    pub(in crate::runtime) async fn vacant(&self) {
        self.vacant.wait(|| self.registry().is_empty().then_some(())).await;
    }
}

impl Stop {
    /// Records the failure of the tree, and its text. The first failure stands.
    fn fail(&self, chain: FailureChain) -> String {
        // The error is a user value. Its `Display` is called once.
        let text = one_line(&chain);
        let failure = Failure { chain, text: text.as_str().into() };
        let spare = {
            let mut place = lock(&self.failure);
            if place.is_none() { place.replace(failure) } else { Some(failure) }
        };
        let _ = drop_caught(spare);
        text
    }
}

impl Drop for Stop {
    /// The error is a user value, and its drop is user code.
    fn drop(&mut self) {
        let _ = drop_caught(lock(&self.failure).take());
    }
}
