//! Counters that tell the measured code when it is done.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::sync::Notify;
use tokio::task::yield_now;

/// Counts down to zero and notifies the waiter.
#[derive(Debug)]
pub(crate) struct Countdown {
    left: AtomicU64,
    done: Notify,
}

impl Countdown {
    pub(crate) fn new(count: u64) -> Arc<Self> {
        Arc::new(Self { left: AtomicU64::new(count), done: Notify::new() })
    }

    /// A countdown for tasks to be canceled: of this count if each must have started by then, otherwise endless.
    pub(crate) fn of_started(count: u64, must_start: bool) -> Arc<Self> {
        if must_start { Self::new(count) } else { Self::endless() }
    }

    /// Returns an error if tasks had to start and did not. To be called after the measurement.
    pub(crate) fn check_started(&self, must_start: bool) -> Result<(), String> {
        if must_start { self.check() } else { Ok(()) }
    }

    /// A countdown that never ends.
    pub(crate) fn endless() -> Arc<Self> {
        Self::new(u64::MAX)
    }

    /// Takes one, and returns whether there was one left. For a single caller.
    pub(crate) fn take(&self) -> bool {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            return false;
        }
        self.left.fetch_sub(1, Ordering::Relaxed);
        true
    }

    /// Counts one as done.
    pub(crate) fn finish(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.done.notify_one();
        }
    }

    /// Returns an error if the count is not zero. To be called after the measurement.
    pub(crate) fn check(&self) -> Result<(), String> {
        check("left", self.left.load(Ordering::Acquire), 0)
    }

    /// Waits until all are done. For one waiter, and a count above zero.
    pub(crate) async fn wait(&self) {
        if self.left.load(Ordering::Acquire) > 0 {
            self.done.notified().await;
        }
    }
}

/// Returns an error unless the count is as expected, so that no work is cheap because it was not done.
pub(crate) fn check(what: &str, were: u64, expected: u64) -> Result<(), String> {
    if were == expected { Ok(()) } else { Err(format!("{were} were {what}, not {expected}")) }
}

/// Waits for this many starts, for works that start tasks more than once.
pub(crate) async fn all_started(started: &AtomicU64, count: u64) {
    while started.load(Ordering::Relaxed) < count {
        yield_now().await;
    }
}

/// Pending once, after waking its own task: it costs one more poll and does not involve the runtime's driver.
#[derive(Debug, Default)]
pub(crate) struct PollAgain {
    polled: bool,
}

impl Future for PollAgain {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.polled {
            return Poll::Ready(());
        }
        self.polled = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
