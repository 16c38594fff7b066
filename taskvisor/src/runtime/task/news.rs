//! How an actor learns that its cell was changed.
//!
//! A command changes the cell under its lock, raises the flag before it releases the lock, and wakes the actor
//! afterwards. The actor looks at the flag before each poll, without the lock where there is no news, and takes it down
//! under the lock: so a change is seen either by this poll or by the one that the wake-up asks for.

use crate::sync::{AtomicBool, Ordering};

/// Set while there is something in the cell that the actor has not seen.
#[derive(Default)]
pub(super) struct News(AtomicBool);

impl News {
    /// There is news. Called under the lock of the cell; the caller wakes the actor once that is released.
    pub(super) fn raise(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(super) fn is_raised(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// The actor looks at the cell now. Called under its lock.
    pub(super) fn take(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}
