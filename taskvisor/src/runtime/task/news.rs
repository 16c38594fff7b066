//! The flag that notifies an actor of a change of its cell.
//!
//! A command changes the cell under its lock, raises the flag before it releases the lock, and then wakes the actor.
//! The actor checks the flag before each poll without the lock, and clears it under the lock. So this poll or the poll
//! after the wake-up observes the change.

use crate::sync::{AtomicBool, Ordering};

/// Set while the cell has a change that the actor has not seen.
#[derive(Default)]
pub(super) struct News(AtomicBool);

impl News {
    /// Raises the flag. Called under the lock of the cell; the caller wakes the actor after the lock is released.
    pub(super) fn raise(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(super) fn is_raised(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Lowers the flag. Called by the actor under the lock of the cell.
    pub(super) fn take(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}
