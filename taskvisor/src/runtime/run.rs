//! A `run`: stays until every registration has ended, or a shutdown has.

use std::future::{Future, pending, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use tokio::runtime::Handle;

use super::core::Core;
use super::registry::Admission;
use super::shutdown::{Signals, until};
use super::timer::deadline;
use crate::panics::catch;
use crate::supervisor::RuntimeError;

/// The claim of one `run` on its supervisor. Dropped before the end, it requests a shutdown.
pub(crate) struct Running {
    core: Arc<Core>,
    signals: Option<Signals>,
    over: bool,
}

/// A `run` under way. Boxed, as it is part of the `main` of the user's, where it is compiled.
pub(crate) type Run = Pin<Box<dyn Future<Output = Result<(), RuntimeError>> + Send>>;

/// What ended a `run`.
enum End {
    /// No task is left.
    Natural,
    Verdict(Result<(), RuntimeError>),
}

impl Core {
    /// Claims the supervisor for a `run`, and listens for signals if it is to.
    pub(crate) fn claim(self: &Arc<Self>, signals: bool) -> Result<Running, RuntimeError> {
        self.check()?;
        Handle::try_current().map_err(|_| RuntimeError::NoRuntime)?;
        let signals = if signals { Some(listen()?) } else { None };
        let mut registry = self.registry();
        if std::mem::replace(&mut registry.running, true) {
            return Err(RuntimeError::AlreadyRunning);
        }
        Ok(Running { core: Arc::clone(self), signals, over: false })
    }

    /// Waits until no task is left while no shutdown is under way, and ends the run in the same step.
    async fn natural_end(&self) {
        loop {
            self.vacant().await;
            if self.end_run_if_vacant() {
                return;
            }
            if !self.is_open() {
                return pending().await;
            }
        }
    }

    /// A shutdown ends the run with its verdict instead, when it has come to one.
    fn end_run_if_vacant(&self) -> bool {
        let mut registry = self.registry();
        let ends = registry.is_empty() && registry.admission == Admission::Open;
        if ends {
            registry.running = false;
        }
        ends
    }
}

/// A runtime can be without IO, and so without signals, which shows only in a panic.
fn listen() -> Result<Signals, RuntimeError> {
    let listening = catch(Signals::listen).unwrap_or_else(|panic| Err(io::Error::other(panic)));
    listening.map_err(|error| RuntimeError::Signals(Arc::new(error)))
}

impl Running {
    /// Starts what is to run; if that is refused, the claim ends and nothing else happens.
    pub(crate) fn start_with(
        mut self,
        start: impl FnOnce(&Arc<Core>) -> Result<(), RuntimeError>,
    ) -> Result<Self, RuntimeError> {
        let refused = start(&self.core).err();
        match refused {
            None => Ok(self),
            Some(refused) => {
                self.release();
                Err(refused)
            }
        }
    }

    /// Waits for the end. A run that `stays` has none but the shutdown.
    pub(crate) fn wait(self, stays: bool) -> Run {
        Box::pin(self.until_end(stays))
    }

    /// As `wait`, but requests the shutdown once `until` is done.
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

    async fn until_end(mut self, stays: bool) -> Result<(), RuntimeError> {
        match self.end(stays).await {
            End::Verdict(result) => {
                self.release();
                result
            }
            End::Natural => {
                self.over = true;
                // The supervisor goes on, and so do its subscribers: there is nobody to tell that they are late.
                let by = deadline(self.core.config.drain_timeout);
                until(pin!(self.core.bus.flush()), pin!(pending()), by).await;
                Ok(())
            }
        }
    }

    async fn end(&mut self, stays: bool) -> End {
        let core = &self.core;
        #[cfg(feature = "controller")]
        let stays = stays || core.controller.has_slots();
        let mut natural = pin!(core.natural_end());
        let mut verdict = pin!(core.verdict());
        let mut signaled = false;
        poll_fn(|cx| {
            while let Some(Poll::Ready(signal)) = self.signals.as_mut().map(|signals| signals.poll(cx)) {
                if std::mem::replace(&mut signaled, true) {
                    core.force(signal);
                } else {
                    core.shut_down(signal, core.config.drain);
                }
            }
            if let Poll::Ready(result) = verdict.as_mut().poll(cx) {
                return Poll::Ready(End::Verdict(result));
            }
            if !stays && natural.as_mut().poll(cx).is_ready() {
                return Poll::Ready(End::Natural);
            }
            Poll::Pending
        })
        .await
    }

    fn release(&mut self) {
        self.over = true;
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
