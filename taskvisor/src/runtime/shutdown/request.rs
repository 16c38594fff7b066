//! The one shutdown of a supervisor, shared by all requesters.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use super::super::core::Core;
use super::super::observe::{self, RequestLines};
use super::super::own_runtime;
use super::super::reentrancy::ReentrancyGuard;
use super::super::registry::Admission;
use super::super::task::{Bound, Cell, Stage, StopBy};
use super::result::{ShutdownResult, Stuck};
use super::stopper::Stopper;
use super::verdict::{Judge, Verdict};
use crate::events::{Event, EventKind, Reason};
use crate::inspect::one_line;
use crate::supervisor::{RuntimeError, StopLimit};
use crate::task::{StopKind, TaskError};
use crate::tree::FailureChain;

/// The state of the shutdown.
#[derive(Default)]
pub(in crate::runtime) struct Stop {
    pub(in crate::runtime) verdict: Verdict<ShutdownResult>,
    /// The failure of the tree, if there is one.
    failure: OnceLock<Failure>,
    /// The time of the request, and the drain after it.
    requested: OnceLock<(Instant, Duration)>,
    /// `true` if a signal, the end of a significant task or a task itself requested the shutdown.
    pub(super) uncalled: AtomicBool,
    /// The time at which the drain was ended early.
    drain_ended: OnceLock<Instant>,
    /// `true` when only the delivery of the last events is left.
    pub(super) delivers: AtomicBool,
    /// `true` if the last owner was dropped, which requested the shutdown.
    dropped: AtomicBool,
    /// Set when the tasks are requested to stop.
    pub(super) stopping: OnceLock<Stopping>,
    /// The last layer that is requested to stop.
    layer: AtomicU8,
    /// `true` when the shutdown no longer waits for the remaining tasks.
    pub(super) gave_up: AtomicBool,
    pub(in crate::runtime) lines: RequestLines,
}

/// The part of a shutdown in which tasks stop.
pub(super) struct Stopping {
    pub(super) began: Instant,
    /// The end of the grace; `None` if there is no limit.
    pub(super) deadline: Option<Instant>,
    /// The number of tasks at its begin.
    pub(super) tasks: usize,
}

/// The layers of a shutdown, in the order of their stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(in crate::runtime) enum Layer {
    /// Tasks that were added at run time, outside of groups.
    Added = 1,
    Tree,
    /// Tasks in slots that a task of the tree is after.
    Relied,
}

/// The failure of a tree.
struct Failure {
    chain: FailureChain,
    /// The failure as text, formatted inside `panics::catch` because it calls the user's `Display`.
    text: String,
}

/// A requested shutdown. The shutdown proceeds even if this future is dropped, and all callers get the same result. A
/// task of the same supervisor cannot wait for it, because the task would wait for itself: it gets
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

impl_debug!(Shutdown, |_|);

impl Stop {
    /// Returns the time of the request, and the latest time at which the tasks are requested to stop.
    pub(in crate::runtime) fn times(&self) -> Option<(Instant, Instant)> {
        let (requested, drain) = *self.requested.get()?;
        let drained = requested.checked_add(drain).unwrap_or(requested);
        let stops = self.drain_ended.get().copied().unwrap_or(drained);
        Some((requested, self.stopping.get().map_or(stops, |stopping| stopping.began)))
    }

    /// Returns `true` during the drain.
    fn drains(&self) -> bool {
        self.stopping.get().is_none() && self.requested.get().is_some_and(|(_, drain)| !drain.is_zero())
    }

    /// Returns the failure of the tree as text, if there is one.
    pub(in crate::runtime) fn failure(&self) -> Option<&str> {
        self.failure.get().map(|failure| failure.text.as_str())
    }

    /// Returns the failure of the tree, if there is one.
    pub(in crate::runtime) fn failure_chain(&self) -> Option<&FailureChain> {
        self.failure.get().map(|failure| &failure.chain)
    }

    /// Returns `true` when only the delivery of the last events is left.
    pub(in crate::runtime) fn delivers(&self) -> bool {
        self.delivers.load(Ordering::Relaxed)
    }
}

impl Core {
    /// Requests the shutdown, unless it is already requested.
    pub(crate) fn shut_down(self: &Arc<Self>, why: &str, drain: Duration) {
        self.shut_down_because(why, None, drain, false);
    }

    /// Returns `false` if the shutdown is already requested. With `forces`, the shutdown is forced before it begins: a
    /// force that comes later also ends the delivery of the last events.
    fn shut_down_because(
        self: &Arc<Self>,
        why: &str,
        failure: Option<&Arc<TaskError>>,
        drain: Duration,
        forces: bool,
    ) -> bool {
        let here = Handle::try_current().ok();
        let home = self.home();
        let beside = own_runtime::here();
        let runtime = beside.as_ref().or(home.as_ref()).or(here.as_ref());
        let mut registry = self.registry();
        if registry.admission != Admission::Open {
            return false;
        }
        // Without a drain, tasks are requested to stop at once.
        registry.admission = if drain.is_zero() { Admission::Stopping } else { Admission::Closing };
        let _ = self.stop.requested.set((Instant::now(), drain));
        if let Some(runtime) = runtime {
            self.bus.start(runtime);
            if self.bus.is_active() {
                let reason = failure.map_or_else(|| why.into(), |error| Reason::formatted(Arc::clone(error), why));
                self.bus.publish(Event::new(EventKind::ShutdownRequested).because(reason));
            }
        }
        // From now on, tasks end because of the shutdown.
        self.stopping.store(true, Ordering::SeqCst);
        #[cfg(feature = "controller")]
        let aftermath = registry.narrow_intake(self);
        let (vacant, is_run) = (registry.is_empty(), registry.running);
        drop(registry);
        #[cfg(feature = "controller")]
        aftermath.carry_out(self);
        self.forget_kept();
        // From now on, the service is not ready, and probes must observe it.
        self.readiness.changed.wake();
        let is_idle = vacant && !self.bus.is_active();
        let tells = runtime.is_some();
        if tells && is_idle {
            // There is nothing to stop. The shutdown is over when the stopper has been started.
            observe::shutdown_requested(why);
        }
        if forces {
            self.force(why);
        }
        // The log can block this thread, and then the tasks are requested to stop nevertheless.
        let line = (tells && !is_idle).then(|| self.stop.lines.announce());
        Stopper::start(self, here, home, drain, is_idle, is_run);
        if line.is_some() {
            observe::shutdown_requested(why);
        }
        true
    }

    /// Requests the shutdown without a drain, because the last owner was dropped.
    pub(crate) fn owner_dropped(self: &Arc<Self>) {
        // A shutdown that was requested before keeps its reason.
        self.stop.dropped.store(!self.is_stopping(), Ordering::Relaxed);
        if self.home().is_none() && self.is_open() {
            // Nothing has run, for example after a refused configuration: there is nothing to stop, and no event to
            // publish.
            return self.close(|| Ok(()));
        }
        self.shut_down("the supervisor was dropped", Duration::ZERO);
    }

    /// Returns the reason of stops that belong to the shutdown. `None` if there is no shutdown.
    pub(in crate::runtime) fn stop_kind(&self) -> Option<StopKind> {
        let kind = || if self.stop.dropped.load(Ordering::Relaxed) { StopKind::Dropped } else { StopKind::Shutdown };
        self.is_stopping().then(kind)
    }

    /// Returns the reason of stops that belong to the shutdown, unless it drains: until then a group stops for reasons of
    /// its own.
    pub(in crate::runtime) fn stop_kind_after_drain(&self) -> Option<StopKind> {
        self.stop_kind().filter(|_| !self.stop.drains())
    }

    /// Returns the end of the grace, once tasks are requested to stop.
    pub(in crate::runtime) fn stop_deadline(&self) -> Option<Instant> {
        self.stop.stopping.get().and_then(|stopping| stopping.deadline)
    }

    /// Aborts the tasks that have not stopped.
    pub(crate) fn force(&self, why: &str) {
        let after = self.stop.requested.get().map_or(Duration::ZERO, |(requested, _)| requested.elapsed());
        self.stop.verdict.force(after, || {
            // The end of the shutdown has been told.
            if self.bus.is_active() && !self.stop.delivers() {
                self.bus.publish(Event::new(EventKind::ShutdownForced).because(why));
            }
        });
    }

    /// Ends the drain of a requested shutdown: the tasks are requested to stop.
    pub(crate) fn end_drain(&self, why: &str) {
        let mut registry = self.registry();
        if registry.admission != Admission::Closing {
            return;
        }
        let _line = self.stop.lines.announce();
        registry.admission = Admission::Stopping;
        let _ = self.stop.drain_ended.set(Instant::now());
        drop(registry);
        self.vacant.wake();
        observe::drain_ended(why);
    }

    /// Waits for the result of the current or next shutdown.
    pub(crate) async fn verdict(&self) -> ShutdownResult {
        self.stop.verdict.wait().await
    }

    /// Requests the shutdown, and forces it if `forces` is set.
    pub(crate) fn shutdown(self: &Arc<Self>, why: &str, forces: bool) -> Shutdown {
        // The call of a task does not get the result, so a `run` that comes later does.
        if ReentrancyGuard::is_of(self) {
            self.stops_uncalled();
        }
        if !self.shut_down_because(why, None, self.config.drain, forces) && forces {
            self.force(why);
        }
        let core = Arc::clone(self);
        Shutdown(Box::pin(async move {
            // A task of the supervisor that waits for the shutdown would wait for itself.
            if ReentrancyGuard::is_of(&core) { Err(RuntimeError::ShuttingDown) } else { core.verdict().await }
        }))
    }

    /// Requests the shutdown because the root stops: in failure, or because a significant child completed.
    pub(in crate::runtime) fn tree_stops(self: &Arc<Self>, failure: Option<FailureChain>) {
        let drain = self.config.drain;
        let Some(chain) = failure else {
            self.stops_uncalled();
            return self.shut_down("a significant task completed", drain);
        };
        let error = Arc::new(TaskError::error(chain.clone()));
        // The error is a user value. Its `Display` is called once.
        let text = one_line(&chain);
        // The first failure stands.
        let _ = self.stop.failure.set(Failure { chain, text: text.clone() });
        self.shut_down_because(&text, Some(&error), drain, false);
    }

    /// Records that the stop requests to the tasks of a layer follow. A task of the layer that gets the permit of a
    /// stopped task then begins no attempt.
    pub(in crate::runtime) fn stops_layer(&self, layer: Layer) {
        self.stop.layer.fetch_max(layer as u8, Ordering::Release);
    }

    /// Returns `true` if the tasks of the layer of this task are requested to stop.
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

    /// Returns `true` if the shutdown no longer waits for the remaining tasks.
    pub(in crate::runtime) fn has_given_up(&self) -> bool {
        self.stop.gave_up.load(Ordering::Acquire)
    }

    /// Stops all tasks at once and gives the verdict, unless there is one or a judge exists. Called when the runtime of
    /// the tasks has ended.
    pub(in crate::runtime) fn abandon(&self) {
        let cells = self.stop_at_once(StopLimit::Grace);
        let left = cells.iter().filter(|cell| cell.lock().machine().stage != Stage::Ended);
        let stuck = left.map(|cell| Stuck::of(cell, StopLimit::Grace)).collect();
        self.close(|| self.judge(stuck, None));
    }

    /// Requests all tasks to stop without any time. Returns them.
    pub(super) fn stop_at_once(&self, limit: StopLimit) -> Vec<Arc<Cell>> {
        self.stops_layer(Layer::Relied);
        for root in self.roots() {
            root.stop(None, StopBy::now(limit));
        }
        let cells = self.cells();
        for cell in &cells {
            cell.stop(Bound::now(limit), self.stop_kind().unwrap_or(StopKind::Shutdown));
        }
        cells
    }

    /// Gives the verdict, unless there is one or a judge exists.
    pub(in crate::runtime) fn close(&self, result: impl FnOnce() -> ShutdownResult) {
        if let Some(judge) = self.stop.verdict.judge() {
            let result = result();
            if result.is_err() || self.stop.requested.get().is_some() {
                observe::shutdown_over(&result);
            }
            self.close_with(judge, result);
        }
    }

    /// Like `close`, with a given verdict that is logged already.
    pub(super) fn close_with(&self, judge: Judge<'_, ShutdownResult>, result: ShutdownResult) {
        self.forget_pauses();
        #[cfg(feature = "fleet")]
        if let Some(engine) = &self.fleet {
            engine.shut_down();
        }
        let over = self.registry().close();
        judge.give(result);
        self.readiness.changed.wake();
        self.stop_listening();
        if over {
            self.bus.close();
        }
    }
}
