//! Wakes the one task that waits for work.

use std::task::{Context, Poll, Waker};

use crate::panics::drop_caught;
use crate::sync::{AtomicBool, Mutex, Ordering, lock, wake_caught};

/// A bell for one listener. A ring that nobody hears is kept for the next who listens; many are kept as one.
///
/// The listener of a stream may have a waker of the user's. It is cloned, dropped and woken with no lock held, and a
/// panic of its wake or drop ends here.
#[derive(Default)]
pub(super) struct Bell {
    rung: AtomicBool,
    /// Leaf: nothing else is locked under it.
    listener: Mutex<Option<Waker>>,
}

impl Bell {
    /// Rings, with what it is rung for in place already.
    pub(super) fn ring(&self) {
        if self.rung.swap(true, Ordering::AcqRel) {
            // Whoever rang before wakes the listener, or nobody has listened since.
            return;
        }
        let listener = lock(&self.listener).take();
        if let Some(listener) = listener {
            wake_caught(listener);
        }
    }

    /// Waits for a ring since the last one that was heard.
    pub(super) fn poll_heard(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.hear() {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        let before = lock(&self.listener).replace(waker);
        if before.is_some() {
            let _ = drop_caught(before);
        }
        // Once more: it may have rung before the waker was there to be taken.
        if self.hear() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Hears a ring, if there was one: whoever looks for what it was rung for after this need not look for it again.
    pub(super) fn hear(&self) -> bool {
        self.rung.load(Ordering::Acquire) && self.rung.swap(false, Ordering::AcqRel)
    }

    /// Forgets who listens.
    pub(super) fn forget(&self) {
        let listener = lock(&self.listener).take();
        let _ = drop_caught(listener);
    }
}
