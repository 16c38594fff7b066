//! A wake-up for one waiting task.

use std::task::{Context, Poll, Waker};

use crate::panics::drop_caught;
use crate::sync::{AtomicBool, Mutex, Ordering, lock, wake_caught};

/// A bell for one listener. A ring without a listener is kept for the next listener; several rings are kept as one.
///
/// The waker of a stream is user code. It is cloned, dropped and woken with no lock held, and a panic of it is caught.
#[derive(Default)]
pub(super) struct Bell {
    rung: AtomicBool,
    /// Guards the waker. A leaf: no other lock is taken under it, so it cannot deadlock.
    listener: Mutex<Option<Waker>>,
}

impl Bell {
    /// Rings. The work must be in place before the call.
    pub(super) fn ring(&self) {
        if self.rung.swap(true, Ordering::AcqRel) {
            // An earlier ring wakes the listener, or there is none.
            return;
        }
        let listener = lock(&self.listener).take();
        if let Some(listener) = listener {
            wake_caught(listener);
        }
    }

    /// Waits for a ring after the last one that was heard.
    pub(super) fn poll_heard(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.hear() {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        let before = lock(&self.listener).replace(waker);
        if before.is_some() {
            let _ = drop_caught(before);
        }
        // Checked again: it may have rung before the waker was stored.
        if self.hear() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Hears a ring, if there was one. The caller then checks for the work.
    pub(super) fn hear(&self) -> bool {
        self.rung.load(Ordering::Acquire) && self.rung.swap(false, Ordering::AcqRel)
    }

    /// Removes the listener.
    pub(super) fn forget(&self) {
        let listener = lock(&self.listener).take();
        let _ = drop_caught(listener);
    }
}
