//! The one shutdown of a supervisor, shared by all that ask for it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use super::super::core::Core;
use super::super::observe;
use super::super::reentrancy::Current;
use super::super::registry::Admission;
use super::super::task::{Bound, Stage, StopBy};
use super::stopper::{Request, Stopper};
use super::verdict::Verdict;
use crate::events::{Event, EventKind, Reason};
use crate::inspect::{TaskId, one_line};
use crate::panics::drop_caught;
use crate::supervisor::{RuntimeError, StopLimit};
use crate::sync::lock;
use crate::task::StopReason;
use crate::tree::FailureChain;

/// A task that was aborted, and the bound that it exceeded.
pub(in crate::runtime) type Stuck = (TaskId, Arc<str>, StopLimit);

/// What a shutdown came to.
pub(in crate::runtime) type ShutdownResult = Result<(), RuntimeError>;

/// The state of the shutdown.
#[derive(Default)]
pub(in crate::runtime) struct Stop {
    pub(in crate::runtime) verdict: Verdict<ShutdownResult>,
    /// Why the tree failed, if it did. A leaf: nothing is locked, formatted or dropped under it.
    failure: Mutex<Option<Failure>>,
    /// When the shutdown was requested.
    requested: Mutex<Option<Instant>>,
    /// What is left after the abort is waited for no more.
    gave_up: AtomicBool,
}

/// Why a tree failed.
#[derive(Clone)]
struct Failure {
    chain: FailureChain,
    /// The chain in words, formatted where a panic of the user's `Display` does no harm.
    text: Arc<str>,
}

/// How a shutdown ended whose tasks did not all stop.
#[derive(Clone, Copy)]
pub(in crate::runtime) enum Cut {
    /// The grace was over.
    Grace,
    /// So long after the request it was forced.
    Forced(Duration),
}

/// A shutdown that was requested. It goes on whether this is awaited or not; all who await it get one result. A task of
/// the same supervisor cannot wait for it, as it would wait for itself: it gets
/// [`ShuttingDown`](RuntimeError::ShuttingDown) at once.
///
/// # Cancel safety
/// Dropping it does not take the request back.
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
    /// Requests the shutdown, unless that was done.
    pub(crate) fn shut_down(self: &Arc<Self>, why: &str, drain: Duration) {
        let here = Handle::try_current().ok();
        let home = self.home();
        let runtime = here.as_ref().or(home.as_ref());
        let (nothing_to_do, is_run) = {
            let mut registry = self.registry();
            if registry.admission != Admission::Open {
                return;
            }
            // Without a drain that is over when it begins.
            registry.admission = if drain.is_zero() { Admission::Stopping } else { Admission::Closing };
            self.stopping.store(true, Ordering::Relaxed);
            *lock(&self.stop.requested) = Some(Instant::now());
            if let Some(runtime) = runtime {
                self.bus.start(runtime);
                if self.bus.is_active() {
                    self.bus.publish(Event::new(EventKind::ShutdownRequested).because(why));
                }
            }
            #[cfg(feature = "controller")]
            let aftermath = registry.narrow_intake();
            let (vacant, is_run) = (registry.is_empty(), registry.running);
            drop(registry);
            #[cfg(feature = "controller")]
            aftermath.carry_out(self);
            // For those who look from outside: it is not ready any more.
            self.readiness.changed.wake();
            (vacant && !self.bus.is_active(), is_run)
        };
        if runtime.is_some() {
            observe::shutdown_requested(why);
        }
        Stopper::start(self, Request { here, home, drain, nothing_to_do, is_run });
    }

    /// Aborts what has not stopped yet.
    pub(crate) fn force(&self, why: &str) {
        let requested = *lock(&self.stop.requested);
        let after = requested.map_or(Duration::ZERO, |requested| requested.elapsed());
        self.stop.verdict.force(after, || {
            if self.bus.is_active() {
                self.bus.publish(Event::new(EventKind::ShutdownForced).because(why));
            }
        });
    }

    /// Waits for the result of a shutdown that was requested or will be.
    pub(crate) async fn verdict(&self) -> ShutdownResult {
        self.stop.verdict.wait().await
    }

    pub(crate) fn shutdown(self: &Arc<Self>, why: &str) -> Shutdown {
        self.shut_down(why, self.config.drain);
        let core = Arc::clone(self);
        Shutdown(Box::pin(async move {
            // A task that waited for the shutdown would wait for itself.
            if Current::is_of(&core) { Err(RuntimeError::ShuttingDown) } else { core.verdict().await }
        }))
    }

    /// The root is to stop: in failure, or because its purpose is fulfilled.
    pub(in crate::runtime) fn tree_stops(self: &Arc<Self>, failure: Option<FailureChain>) {
        let why = match failure {
            None => "a significant task completed".into(),
            Some(chain) => self.stop.fail(chain),
        };
        self.shut_down(&why, self.config.drain);
    }

    /// Whether the shutdown has given up on the tasks that are left.
    pub(in crate::runtime) fn has_given_up(&self) -> bool {
        self.stop.gave_up.load(Ordering::Acquire)
    }

    pub(in crate::runtime) fn give_up(&self) {
        self.stop.gave_up.store(true, Ordering::Release);
    }

    /// Gives a verdict at once, unless there is one, or one is on its way: what runs the tasks is gone.
    pub(in crate::runtime) fn abandon(&self) {
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
        // Of those that have ended since, the tasks are dropped here.
        for cell in cells {
            let _ = drop_caught(cell);
        }
    }

    /// Gives the verdict, unless there is one, or one is on its way.
    pub(in crate::runtime) fn close(&self, result: impl FnOnce() -> ShutdownResult) {
        if let Some(judge) = self.stop.verdict.judge() {
            let result = result();
            observe::shutdown_over(&result);
            self.close_with(|| judge.give(result));
        }
    }

    /// As `close`, with a verdict that is ready.
    pub(in crate::runtime) fn close_with(&self, give: impl FnOnce()) {
        let over = {
            let mut registry = self.registry();
            registry.close();
            registry.is_over()
        };
        give();
        self.stopped();
        if over {
            self.bus.close();
        }
    }

    /// Names what was aborted, at the deadline or before it.
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

    /// The event that tells the verdict: what had to be aborted decides on its kind, and a failure is its reason.
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
    /// Notes why the tree fails, in words as well; the first reason stands.
    fn fail(&self, chain: FailureChain) -> String {
        // The error is the user's, and so is its `Display`: it is formatted once, and never again.
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
    /// The error is the user's, and so is its drop.
    fn drop(&mut self) {
        let _ = drop_caught(lock(&self.failure).take());
    }
}
