//! Stands for the engine's `sync`, with loom's primitives.

#[path = "../../taskvisor/src/sync/waiters.rs"]
mod waiters;

pub(crate) use loom::sync::atomic::{AtomicU32, Ordering};
pub(crate) use loom::sync::{Mutex, MutexGuard};
pub(crate) use waiters::Waiters;

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}
