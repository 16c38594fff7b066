//! Replaces the engine's `panics`.

use std::panic::{AssertUnwindSafe, catch_unwind};

pub(crate) fn catch<T>(f: impl FnOnce() -> T) -> std::thread::Result<T> {
    catch_unwind(AssertUnwindSafe(f))
}

pub(crate) fn drop_caught<T>(value: T) -> std::thread::Result<()> {
    catch(|| drop(value))
}
