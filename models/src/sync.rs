//! The engine's `sync` module with loom's primitives.

#[path = "../../taskvisor/src/sync/waiters.rs"]
mod waiters;

pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
pub(crate) use loom::sync::{Arc, Mutex, MutexGuard};

pub(crate) use waiters::{WaitList, Waiters, wake_caught};

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}
