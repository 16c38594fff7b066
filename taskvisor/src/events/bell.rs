//! Wakes the one task that waits for work.

use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

use crate::sync::{AtomicBool, Mutex, Ordering, lock};

/// A bell for one listener. A ring that nobody hears is kept for the next who listens; many are kept as one.
#[derive(Default)]
pub(super) struct Bell {
    rung: AtomicBool,
    /// Leaf: nothing else is locked under it.
    listener: Mutex<Option<Waker>>,
}

impl Bell {
    /// Rings, with what it is rung for in place already.
    pub(super) fn ring(&self) {
        self.rung.swap(true, Ordering::SeqCst);
        let listener = lock(&self.listener).take();
        if let Some(listener) = listener {
            listener.wake();
        }
    }

    /// Waits for a ring since the last one that was heard.
    pub(super) async fn heard(&self) {
        poll_fn(|cx| self.poll_heard(cx)).await;
    }

    pub(super) fn poll_heard(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.rung.swap(false, Ordering::SeqCst) {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        let before = lock(&self.listener).replace(waker);
        drop(before);
        // Once more: it may have rung before the waker was there to be taken.
        if self.rung.swap(false, Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
    }
}
