//! The helpers of an attempt: spawned futures, and closures on a thread of their own.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::observe::{AttemptSpan, Background};
use super::super::reentrancy::ReentrancyGuard;
use super::cell::Cell;
use crate::panics::{catch, drop_caught};
#[cfg(feature = "fleet")]
use crate::runtime::fleet::Hold;
use crate::sync::WaitList;
use crate::task::TaskError;

/// Rarely used state of an attempt: helpers, and the watchdog.
#[derive(Default)]
pub(in crate::runtime) struct Aside {
    /// The number of running helpers.
    pub(in crate::runtime) running: usize,
    /// `true` if a part of the attempt ran, or runs, on a thread of its own.
    pub(in crate::runtime) blocks: bool,
    /// `true` if the function of the attempt has returned by itself.
    pub(in crate::runtime) returned: bool,
    /// `true` if the attempt was ended for a violation: an exceeded limit, or the panic of a helper.
    pub(in crate::runtime) violated: bool,
    /// The number of helpers that were aborted after the function had returned.
    pub(in crate::runtime) left: usize,
    /// The abort handles of the helpers.
    pub(in crate::runtime) abort: Option<CancellationToken>,
    /// The waits for the cancellation of the attempt, with other wakers than that of its actor.
    pub(in crate::runtime) waiting: Option<Box<WaitList>>,
    /// The deadline of the final attempt that follows, after a stop request while the helpers are joined.
    pub(in crate::runtime) last_by: Option<Instant>,
    /// The time until the next attempt, if the attempt has told it.
    pub(in crate::runtime) repeat_after: Option<Duration>,
    /// The first panic of a helper.
    pub(in crate::runtime) panic: Option<TaskError>,
    /// The last heartbeat, for an attempt with a watchdog.
    pub(in crate::runtime) beat: Option<Beat>,
    /// The lease of the attempt.
    #[cfg(feature = "fleet")]
    pub(in crate::runtime) hold: Option<Arc<Hold>>,
}

/// A heartbeat, and the state of the watchdog since.
#[derive(Debug, Clone, Copy)]
pub(in crate::runtime) struct Beat {
    pub(in crate::runtime) at: Instant,
    /// `true` if the time of the watchdog was granted a second time, because its timer fired late.
    pub(in crate::runtime) granted: bool,
    /// `true` if the probe of the heartbeat failed since.
    pub(in crate::runtime) probe_failed: bool,
}

impl Aside {
    /// Returns the number of helpers that still run or were aborted after the function had returned.
    pub(in crate::runtime) fn left_helpers(&self) -> usize {
        if self.returned { self.left.max(self.running) } else { self.left }
    }
}

impl Beat {
    pub(in crate::runtime) fn now() -> Self {
        Self { at: Instant::now(), granted: false, probe_failed: false }
    }
}

/// A helper. It counts as running until its future is dropped.
pub(in crate::runtime) struct Helper {
    future: Option<Background>,
    // Dropped in this order: the actor closes the span when the last helper no longer counts as running.
    span: AttemptSpan,
    running: Running,
}

/// Counts a helper as running until it is dropped. The end of the attempt waits for that.
pub(in crate::runtime) struct Running(pub(super) Arc<Cell>, #[cfg(feature = "fleet")] pub(super) Option<Arc<Hold>>);

impl Running {
    /// Runs a blocking closure as a part of the task.
    pub(in crate::runtime) fn run(self, work: impl FnOnce() -> Result<(), TaskError>) -> Result<(), TaskError> {
        // The lease can have ended while the job waited for a thread.
        #[cfg(feature = "fleet")]
        if self.1.as_ref().is_some_and(|hold| hold.is_over()) {
            return drop_caught(work).and(Err(TaskError::Canceled));
        }
        let _current = ReentrancyGuard::enter(&self.0);
        catch(work).unwrap_or_else(Err)
    }
}

impl Helper {
    pub(in crate::runtime) fn new<F>(future: F, abort: CancellationToken, span: AttemptSpan, running: Running) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let until_aborted = async move {
            abort.run_until_cancelled(future).await;
        };
        Self { future: Some(Box::pin(until_aborted)), span, running }
    }
}

impl Future for Helper {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { future, span, running } = &mut *self;
        #[cfg(feature = "fleet")]
        if running.1.as_ref().is_some_and(|hold| hold.is_over()) {
            let _in_span = span.enter();
            let _ = drop_caught(future.take());
        }
        let Some(present) = future else { return Poll::Ready(()) };
        let _current = ReentrancyGuard::enter(&running.0);
        let in_span = span.enter();
        let ended = match catch(|| present.as_mut().poll(cx)) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(())) => Ok(()),
            Err(panic) => Err(panic),
        };
        let ended = ended.and(drop_caught(future.take()));
        drop(in_span);
        if let Err(panic) = ended {
            running.0.helper_panicked(panic);
        }
        Poll::Ready(())
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _in_span = self.span.enter();
        let _ = drop_caught(self.future.take());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.helper_ended();
    }
}
