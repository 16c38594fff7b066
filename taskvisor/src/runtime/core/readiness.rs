//! The readiness of the tree, and the calls that wait for it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::super::registry::Admission;
use super::Core;
use crate::sync::Waiters;

/// The readiness of the first batch or tree.
#[derive(Default)]
pub(in crate::runtime) struct Readiness {
    pub(in crate::runtime) batch: AtomicBool,
    pub(in crate::runtime) ready: AtomicBool,
    pub(in crate::runtime) missing: AtomicUsize,
    pub(in crate::runtime) changed: Waiters,
    /// The number of calls that wait for an attempt or a group to be ready, and their wakers.
    pub(in crate::runtime) awaited: AtomicUsize,
    pub(in crate::runtime) attempts: Waiters,
}

impl Core {
    /// Returns `true` if a batch or tree was started.
    pub(in crate::runtime) fn readiness_is_claimed(&self) -> bool {
        self.readiness.batch.load(Ordering::Relaxed)
    }

    pub(in crate::runtime) fn one_is_ready(&self) {
        if self.readiness.missing.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.set_ready();
        }
    }

    /// Waits for the readiness of an attempt or a group, until `look` returns a value. `look` takes the lock under
    /// which its value changes, and [`tell_ready`](Self::tell_ready) is called after each change.
    pub(in crate::runtime) async fn await_ready<T>(&self, look: impl FnMut() -> Option<T>) -> T {
        struct Awaits<'a>(&'a AtomicUsize);
        impl Drop for Awaits<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        // The lock that `look` takes orders this before the read in `tell_ready`.
        self.readiness.awaited.fetch_add(1, Ordering::Relaxed);
        let _awaits = Awaits(&self.readiness.awaited);
        self.readiness.attempts.wait(look).await
    }

    /// Wakes the calls that wait for readiness. Called with no lock held, after an attempt or a group became ready or
    /// ended.
    #[inline]
    pub(in crate::runtime) fn tell_ready(&self) {
        if self.readiness.awaited.load(Ordering::Relaxed) > 0 {
            self.readiness.attempts.wake();
        }
    }

    pub(in crate::runtime) fn set_ready(&self) {
        self.readiness.ready.store(true, Ordering::Release);
        self.readiness.changed.wake();
    }

    /// Returns `true` if the first batch or tree has been ready.
    pub(crate) fn was_ready(&self) -> bool {
        self.readiness.ready.load(Ordering::Acquire)
    }

    pub(crate) async fn wait_ready(&self) {
        let over = || self.readiness.ready.load(Ordering::Acquire) || self.registry().admission == Admission::Closed;
        self.readiness.changed.wait(|| over().then_some(())).await;
    }
}
