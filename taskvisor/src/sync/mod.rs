//! Locks that survive a panic, and lists of wakers.
//!
//! The models in `models/` replace these primitives with those of loom.

mod waiters;
#[cfg(test)]
mod waiters_test;

use std::sync::PoisonError;
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
pub(crate) use std::sync::{Mutex, MutexGuard};

pub(crate) use waiters::{WaitId, WaitList, Waited, Waiters, wait_in, wake_caught};

/// Locks the mutex. No user code runs under a lock of this crate, so the data is consistent even after a panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
