//! Locks that outlive a panic, and lists of wakers.
//!
//! The models of the engine's protocols put their own primitives in place of these.

mod waiters;

use std::sync::{MutexGuard, PoisonError};

pub(crate) use std::sync::Mutex;
pub(crate) use std::sync::atomic::{AtomicU32, Ordering};

#[cfg(feature = "controller")]
pub(crate) use waiters::wake_caught;
pub(crate) use waiters::{WaitList, Waiters};

/// Locks the mutex. No user code runs under a lock of this crate, so the data is whole even after a panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
