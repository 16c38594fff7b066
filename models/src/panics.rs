//! Replaces the engine's `panics`.

use std::panic::{AssertUnwindSafe, catch_unwind};

pub(crate) fn catch<T>(f: impl FnOnce() -> T) -> std::thread::Result<T> {
    catch_unwind(AssertUnwindSafe(f))
}

pub(crate) fn drop_caught<T>(value: T) -> std::thread::Result<()> {
    catch(|| drop(value))
}

/// Does not catch: events of a model hold no user value.
pub(crate) struct Fenced<T>(T);

impl<T> Fenced<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(value)
    }
}

impl<T> std::ops::Deref for Fenced<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
