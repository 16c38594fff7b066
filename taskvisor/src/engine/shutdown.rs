//! The one shutdown of a supervisor, shared by all who ask for it.

use std::fmt;
use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};

use super::alarm::deadline;
use super::cell::{ABORT, Bound, StopBy};
use super::core::Core;
use super::current::Current;
use super::machine::Stage;
use super::observe::{self, Background};
use super::registry::{Admission, Registry};
use crate::events::{Event, EventKind};
use crate::failure::FailureChain;
use crate::runtime_error::{RuntimeError, StopLimit};
use crate::status::TaskId;
use crate::stop_reason::StopReason;
use crate::sync::{Waiters, lock};

/// How the shutdown went, once it has.
#[derive(Default)]
pub(super) struct Verdict {
    result: Mutex<Option<Result<(), RuntimeError>>>,
    /// Why the tree failed, if it did.
    failure: Mutex<Option<FailureChain>>,
    given: Waiters,
    forced: AtomicBool,
    force: Waiters,
}

impl Verdict {
    /// Notes why the tree fails; the first reason stands.
    pub(super) fn fail(&self, failure: Option<FailureChain>) {
        if let Some(failure) = failure {
            lock(&self.failure).get_or_insert(failure);
        }
    }
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
        // On the caller's runtime, which runs now; should it end first, where the tasks are.
        let here = Handle::try_current().ok();
        let home = self.home();
        let next = home.clone().filter(|home| here.as_ref().is_some_and(|here| here.id() != home.id()));
        let runtime = here.or(home);
        let idle = {
            let mut registry = self.registry();
            if registry.admission != Admission::Open {
                return;
            }
            // Without a drain that is over when it begins.
            registry.admission = if drain.is_zero() { Admission::Stopping } else { Admission::Closing };
            self.stopping.store(true, Ordering::Relaxed);
            if let Some(runtime) = &runtime {
                self.bus.start(runtime);
                if self.bus.is_active() {
                    self.bus.publish(Event::new(EventKind::ShutdownRequested).because(why));
                }
            }
            #[cfg(feature = "controller")]
            let aftermath = registry.narrow_intake();
            let vacant = registry.is_empty();
            drop(registry);
            #[cfg(feature = "controller")]
            aftermath.carry_out(self);
            // For those who look from outside: it is not ready any more.
            self.readiness.changed.wake();
            vacant && !self.bus.is_active()
        };
        if runtime.is_some() {
            observe::shutdown_requested(why);
        }
        match runtime {
            Some(runtime) if !idle => Driver { core: Arc::clone(self), next }.spawn(&runtime, drain),
            // There is nothing to stop, and nobody to tell.
            _ => drop(Driver { core: Arc::clone(self), next: None }),
        }
    }

    /// Aborts what has not stopped yet.
    pub(crate) fn force(&self) {
        self.verdict.forced.store(true, Ordering::Release);
        self.verdict.force.wake();
    }

    /// Waits for the result of a shutdown that was requested or will be.
    pub(crate) async fn verdict(&self) -> Result<(), RuntimeError> {
        self.verdict.given.wait(|| self.given_verdict()).await
    }

    fn given_verdict(&self) -> Option<Result<(), RuntimeError>> {
        lock(&self.verdict.result).clone()
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
        self.verdict.force.wait(|| self.verdict.forced.load(Ordering::Acquire).then_some(())).await;
    }

    /// Gives the verdict.
    pub(super) fn close(&self, result: Result<(), RuntimeError>) {
        let over = {
            let mut registry = self.registry();
            registry.close();
            registry.is_over()
        };
        lock(&self.verdict.result).get_or_insert(result);
        self.verdict.given.wake();
        self.stopped();
        if over {
            self.bus.close();
        }
    }

    /// Waits until no task is registered.
    pub(super) async fn vacant(&self) {
        self.gone(Registry::is_empty).await;
    }

    /// Waits until those are gone that it asks for.
    async fn gone(&self, are_gone: impl Fn(&Registry) -> bool) {
        self.vacant.wait(|| are_gone(&self.registry()).then_some(())).await;
    }
}

/// Carries the shutdown out; dropped before its end, it leaves the verdict that holds then.
struct Driver {
    core: Arc<Core>,
    /// Where it goes on if its runtime ends before it does.
    next: Option<Handle>,
}

impl Driver {
    fn spawn(self, runtime: &Handle, drain: Duration) {
        let driving: Background = Box::pin(self.drive(drain));
        observe::spawn(runtime, driving, |_| "shutdown".into());
    }

    async fn drive(self, drain: Duration) {
        let core = &self.core;
        if !drain.is_zero() {
            until(pin!(core.vacant()), pin!(core.forced()), drain).await;
        }
        let grace = core.config.grace;
        self.end_drain();
        let mut stuck = Vec::new();
        if !until(pin!(self.stop_all(grace)), pin!(core.forced()), grace).await {
            let limit = match core.verdict.forced.load(Ordering::Acquire) {
                true => StopLimit::Forced,
                false => StopLimit::Grace,
            };
            self.release_relied();
            for root in core.roots() {
                root.stop(StopBy::now(limit));
            }
            for cell in core.cells() {
                cell.stop(Bound::Now(limit), StopReason::Shutdown);
            }
            // What can be aborted is given the time to show it, so that it is gone when `run` returns.
            until(pin!(core.vacant()), pin!(pending()), ABORT).await;
            for cell in core.cells() {
                cell.declare_aborted();
                stuck.push((cell.id(), Arc::clone(cell.name()), cell.lock().limit()));
            }
        }
        let result = self.judge(stuck);
        if core.bus.is_active() {
            core.bus.publish_surely(match &result {
                Ok(()) => Event::new(EventKind::AllStoppedWithinGrace),
                Err(error) => Event::new(EventKind::GraceExceeded).because(error.to_string()),
            });
            // Forced once more, it does not even wait for them.
            let force = &core.verdict.force;
            until(pin!(core.bus.flush()), pin!(force.next_ring(force.rings())), core.config.drain_timeout).await;
        }
        observe::shutdown_over(&result);
        core.close(result);
    }

    /// From now on tasks are requested to stop: what waits in slots is rejected, but in those that a task of the tree is
    /// after.
    fn end_drain(&self) {
        let mut registry = self.core.registry();
        registry.admission = Admission::Stopping;
        #[cfg(feature = "controller")]
        {
            let aftermath = registry.narrow_intake();
            drop(registry);
            aftermath.carry_out(&self.core);
        }
    }

    /// Slots that tasks of the tree are after take nothing any more, and what waits there is rejected.
    #[cfg_attr(not(feature = "controller"), expect(clippy::unused_self, reason = "there are no slots"))]
    fn release_relied(&self) {
        #[cfg(feature = "controller")]
        {
            let aftermath = self.core.registry().release_relied();
            aftermath.carry_out(&self.core);
        }
    }

    /// What was added at runtime stops before the declared tree, slots that a task of the tree is after stop last, and
    /// all share the grace.
    async fn stop_all(&self, grace: Duration) {
        let core = &self.core;
        let roots = core.roots();
        let (mut added, mut declared) = (Vec::new(), Vec::new());
        let cells = core.cells();
        let (relied, later) = {
            let registry = core.registry();
            (registry.has_relied(), cells.iter().map(|cell| registry.is_relied(cell)).collect::<Vec<_>>())
        };
        for (cell, later) in cells.into_iter().zip(later) {
            match (cell.member(), cell.was_added()) {
                (None, true) if !later => added.push(cell),
                (None, false) => declared.push(cell),
                _ => {}
            }
        }
        let layers = roots.iter().map(|root| root.declared().layers);
        let layers = layers.max().unwrap_or(0).max(u32::from(!declared.is_empty())) + u32::from(relied);
        let by = StopBy::within(grace);
        let first = by.share(Instant::now(), layers, grace);
        let mut share = Duration::ZERO;
        let now = (Instant::now(), Some(core.clock.now()));
        for cell in added {
            // Where nothing is left to stop after it, this comes back to abort it: it needs no alarm of its own.
            let bound = match (layers, cell.settings().stop_timeout) {
                (0, None) => Bound::Open,
                (_, timeout) => first.bound(now.0, timeout),
            };
            share = share.max(bound.time().unwrap_or_default());
            cell.stop_at(now.1, bound, StopReason::Shutdown);
        }
        // What ignores its abort is not waited for any longer than its share.
        let gone = pin!(core.gone(Registry::has_tree_only));
        let limit = if layers == 0 { Duration::MAX } else { share.saturating_add(ABORT) };
        until(gone, pin!(pending()), limit).await;
        let now = Instant::now();
        let tree_by = by.share(now, u32::from(relied), grace);
        for cell in declared {
            let timeout = cell.settings().stop_timeout;
            let is_open = timeout.is_none() && !relied;
            cell.stop(if is_open { Bound::Open } else { tree_by.bound(now, timeout) }, StopReason::Shutdown);
        }
        for root in roots {
            root.stop(tree_by);
        }
        if relied {
            self.stop_relied(by, tree_by).await;
        }
        core.vacant().await;
    }

    /// Waits for the end of the tree, then stops the slots that tasks of it were after.
    async fn stop_relied(&self, by: StopBy, tree_by: StopBy) {
        let core = &self.core;
        let now = Instant::now();
        let tree = core.cells().into_iter().filter(|cell| !cell.is_beside_tree());
        let timeouts = tree.map(|cell| cell.settings().stop_timeout).chain([None]);
        let limit = timeouts.map(|timeout| match tree_by.bound(now, timeout) {
            Bound::Open => Duration::MAX,
            bound => bound.time().unwrap_or_default().saturating_add(ABORT),
        });
        // As with what was added: what ignores its abort is not waited for any longer.
        let gone = pin!(core.gone(Registry::has_relied_only));
        let limit = limit.max().unwrap_or_default();
        until(gone, pin!(pending()), limit).await;
        self.release_relied();
        let now = Instant::now();
        for cell in core.cells().into_iter().filter(|cell| cell.is_beside_tree()) {
            let timeout = cell.settings().stop_timeout;
            cell.stop(if timeout.is_none() { Bound::Open } else { by.bound(now, timeout) }, StopReason::Shutdown);
        }
    }

    /// Names what was aborted, at the deadline or before it.
    fn judge(&self, mut stuck: Vec<(TaskId, Arc<str>, StopLimit)>) -> Result<(), RuntimeError> {
        stuck.append(&mut self.core.registry().aborted);
        if !stuck.is_empty() {
            stuck.sort_unstable();
            stuck.dedup_by_key(|(id, ..)| *id);
        }
        let (stuck, limits): (Vec<_>, Vec<_>) =
            stuck.into_iter().map(|(_, name, limit)| (name.to_string(), limit)).unzip();
        if let Some(chain) = lock(&self.core.verdict.failure).take() {
            return Err(if chain.ends_by_limit() {
                RuntimeError::IntensityExceeded { chain, stuck }
            } else {
                RuntimeError::Failed { source: chain.error().cloned(), chain, stuck }
            });
        }
        if stuck.is_empty() {
            return Ok(());
        }
        Err(RuntimeError::GraceExceeded { grace: self.core.config.grace, stuck, limits })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let over = lock(&self.core.verdict.result).is_some();
        if over {
            return;
        }
        if let Some(next) = self.next.take() {
            let driver = Self { core: Arc::clone(&self.core), next: None };
            driver.spawn(&next, Duration::ZERO);
            return;
        }
        self.release_relied();
        let cells = self.core.cells();
        for cell in &cells {
            cell.stop(Bound::Now(StopLimit::Grace), StopReason::Shutdown);
        }
        let left = cells.iter().filter(|cell| cell.lock().machine().stage() != Stage::Ended);
        let left = left.map(|cell| (cell.id(), Arc::clone(cell.name()), StopLimit::Grace));
        let result = self.judge(left.collect());
        observe::shutdown_over(&result);
        self.core.close(result);
    }
}

pub(super) type Waited<'a> = Pin<&'a mut (dyn Future<Output = ()> + Send)>;

/// Waits for `done`, but not past `end` and not longer than `time`. Whether it is done.
pub(super) async fn until(mut done: Waited<'_>, mut end: Waited<'_>, time: Duration) -> bool {
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
