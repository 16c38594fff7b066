//! How the measured code knows that it is done.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::sync::Notify;

/// Counts down to zero, and tells who waits.
#[derive(Debug)]
pub(crate) struct Countdown {
    left: AtomicU64,
    done: Notify,
}

impl Countdown {
    pub(crate) fn new(count: u64) -> Arc<Self> {
        Arc::new(Self { left: AtomicU64::new(count), done: Notify::new() })
    }

    /// Of tasks that are to be cancelled: as many as that where each must have started by then, else endless.
    pub(crate) fn of_started(count: u64, must_start: bool) -> Arc<Self> {
        if must_start { Self::new(count) } else { Self::endless() }
    }

    /// An error if some had to start and did not: for after the meter.
    pub(crate) fn check_started(&self, must_start: bool) -> Result<(), String> {
        if must_start { self.check() } else { Ok(()) }
    }

    /// One that never comes to an end.
    pub(crate) fn endless() -> Arc<Self> {
        Self::new(u64::MAX)
    }

    /// Whether there was something left, of which this takes one. For one caller.
    pub(crate) fn take(&self) -> bool {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            return false;
        }
        self.left.fetch_sub(1, Ordering::Relaxed);
        true
    }

    /// One of those that are waited for is done.
    pub(crate) fn finish(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.done.notify_one();
        }
    }

    /// An error if something is left: for after the meter.
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

/// An error if there were not as many as there should have been, so that nothing is cheap because it was not done.
pub(crate) fn check(what: &str, were: u64, expected: u64) -> Result<(), String> {
    if were == expected { Ok(()) } else { Err(format!("{were} were {what}, not {expected}")) }
}

/// Pending once, having woken its own task: one more poll, and nothing of the runtime's driver.
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
