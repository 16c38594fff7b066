//! Catches panics of user code.

use std::any::Any;
use std::mem;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::task::{Panic, TaskError};

mod hook;

pub use hook::record_panics;

/// Calls `f`, and converts a panic to an error. The caller must not use the values that `f` used again, except to drop
/// them.
#[inline]
pub(crate) fn catch<T>(f: impl FnOnce() -> T) -> Result<T, TaskError> {
    catch_unwind(AssertUnwindSafe(f)).map_err(caught)
}

/// Drops a user value, and catches a panic of its drop.
pub(crate) fn drop_caught<T>(value: T) -> Result<(), TaskError> {
    catch(|| drop(value))
}

/// Drops user values one by one. A panic of one drop does not prevent the others.
pub(crate) fn drop_each<T>(values: impl IntoIterator<Item = T>) {
    for value in values {
        let _ = drop_caught(value);
    }
}

/// A wrapper that drops its user value and catches a panic of that drop.
#[derive(Clone)]
pub(crate) struct Fenced<T>(Option<T>);

impl<T> Fenced<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Some(value))
    }

    #[inline]
    pub(crate) fn into_inner(mut self) -> T {
        let value = self.0.take();
        // It has nothing to drop any more, and the compiler leaves its drop to a call.
        mem::forget(self);
        match value {
            Some(value) => value,
            None => unreachable!("it is taken once"),
        }
    }
}

impl<T> Deref for Fenced<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.0 {
            Some(value) => value,
            None => unreachable!("it is taken with `self`"),
        }
    }
}

impl<T> Drop for Fenced<T> {
    fn drop(&mut self) {
        if let Some(value) = self.0.take() {
            let _ = drop_caught(value);
        }
    }
}

#[cold]
fn caught(payload: Box<dyn Any + Send>) -> TaskError {
    let message = message(payload);
    let origin = hook::take(message.as_deref());
    let (location, backtrace) = origin.map_or((None, None), |origin| (origin.location, origin.backtrace));
    let message = message.unwrap_or_else(|| "a panic whose payload is not a string".into());
    TaskError::Panicked(Box::new(Panic::at(message, location, backtrace)))
}

/// Returns the payload if it is a string. Drops any other payload, and catches a panic of that drop.
fn message(payload: Box<dyn Any + Send>) -> Option<String> {
    let payload = match payload.downcast::<String>() {
        Ok(text) => return Some(*text),
        Err(payload) => payload,
    };
    if let Some(text) = payload.downcast_ref::<&str>() {
        return Some((*text).to_owned());
    }
    // The payload of this second panic is leaked, because its drop could panic as well.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(payload);
    }
    None
}
