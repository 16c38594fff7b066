//! `run`: waits until every registration has ended, or a shutdown is over.

use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use tokio::runtime::Handle;

use super::core::Core;
use super::reentrancy::ReentrancyGuard;
use super::registry::Admission;
use super::shutdown::until;
use super::timer::deadline;
use crate::panics::record_panics;
use crate::supervisor::RuntimeError;

/// The claim of one `run` on its supervisor. Dropping it before the end requests a shutdown.
pub(crate) struct Running {
    core: Arc<Core>,
    listens: bool,
    over: bool,
}

/// The future of a `run`. Boxed, to compile it in this crate and not in the user's `main`.
pub(crate) type Run = Pin<Box<dyn Future<Output = Result<(), RuntimeError>> + Send>>;

impl Core {
    /// Claims the supervisor for a `run`, and starts its tasks. It listens for signals if `signals` is set. If the
    /// start is refused, the claim ends without any other effect.
    pub(crate) fn claim(
        self: &Arc<Self>,
        signals: bool,
        start: impl FnOnce() -> Result<(), RuntimeError>,
    ) -> Result<Running, RuntimeError> {
        self.check()?;
        record_panics();
        Handle::try_current().map_err(|_| RuntimeError::NoRuntime)?;
        if std::mem::replace(&mut self.registry().running, true) {
            return Err(RuntimeError::AlreadyRunning);
        }
        let mut running = Running { core: Arc::clone(self), listens: false, over: false };
        let listening = if signals { self.listen() } else { Ok(()) };
        let started = listening.and_then(|()| {
            let started = start();
            if signals && started.is_err() {
                self.listens_no_more();
            }
            started
        });
        if let Err(error) = started {
            running.release();
            return Err(error);
        }
        if signals {
            self.take_over_signals();
            running.listens = true;
        }
        Ok(running)
    }

    /// Waits until no task is left and no shutdown is in progress, and ends the run under the same lock. Once a
    /// shutdown was requested, this never completes: the verdict of the shutdown ends the run.
    async fn natural_end(&self) {
        let end = || {
            let mut registry = self.registry();
            let ends = registry.is_empty() && registry.admission == Admission::Open;
            registry.running &= !ends;
            ends.then_some(())
        };
        self.vacant.wait(end).await;
    }
}

impl Core {
    /// Waits until no task is left, or for the result of a shutdown. A task of the supervisor waits until a shutdown is
    /// requested.
    pub(crate) async fn wait_for_end(self: &Arc<Self>) -> Result<(), RuntimeError> {
        if ReentrancyGuard::is_of(self) {
            return self.readiness.changed.wait(|| self.is_stopping().then_some(Err(RuntimeError::ShuttingDown))).await;
        }
        let is_over = || {
            let registry = self.registry();
            (registry.is_empty() && registry.admission == Admission::Open).then_some(())
        };
        let mut natural = pin!(self.vacant.wait(is_over));
        let mut verdict = pin!(self.verdict());
        poll_fn(|cx| match verdict.as_mut().poll(cx) {
            Poll::Pending => natural.as_mut().poll(cx).map(Ok),
            Poll::Ready(verdict) => Poll::Ready(verdict),
        })
        .await
    }
}

impl Running {
    /// Waits for the end. With `stays`, only a shutdown ends the run.
    pub(crate) fn wait(mut self, stays: bool) -> Run {
        Box::pin(async move {
            if let Some(verdict) = self.verdict(stays).await {
                self.release();
                return verdict;
            }
            self.over = true;
            self.core.stop_listening();
            // The supervisor and its subscribers stay alive, so late subscribers are not an error.
            let by = deadline(self.core.config.drain_timeout);
            until(pin!(self.core.bus.flush()), pin!(pending()), by).await;
            Ok(())
        })
    }

    /// Like `wait`, but requests a shutdown when `until` completes.
    pub(crate) async fn wait_until(self, stays: bool, until: impl Future<Output = ()>) -> Result<(), RuntimeError> {
        let core = Arc::clone(&self.core);
        let mut run = self.wait(stays);
        let mut until = pin!(until);
        let mut waits = true;
        poll_fn(|cx| {
            if waits && until.as_mut().poll(cx).is_ready() {
                waits = false;
                core.shut_down("run_until", core.config.drain);
            }
            run.as_mut().poll(cx)
        })
        .await
    }

    /// Waits for the end. Returns the verdict of a shutdown, or `None` if no task is left.
    async fn verdict(&mut self, stays: bool) -> Option<Result<(), RuntimeError>> {
        let core = &self.core;
        #[cfg(feature = "controller")]
        let stays = stays || core.controller.has_slots();
        let mut natural = pin!(core.natural_end());
        let mut verdict = pin!(core.verdict());
        let listens = self.listens;
        poll_fn(|cx| {
            if listens {
                core.poll_signals(cx);
            }
            match verdict.as_mut().poll(cx) {
                Poll::Pending if !stays => natural.as_mut().poll(cx).map(|()| None),
                verdict => verdict.map(Some),
            }
        })
        .await
    }

    fn release(&mut self) {
        self.over = true;
        if self.listens {
            self.core.stop_listening();
        }
        self.core.registry().running = false;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.over {
            self.core.shut_down("the future of `run` was dropped", self.core.config.drain);
            self.release();
        }
    }
}
