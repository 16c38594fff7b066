//! Containing panics of the user's code.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::TaskError;

/// Runs `f`; a panic becomes an error. What `f` touched is dropped afterwards and never used again.
pub(crate) fn catch<T>(f: impl FnOnce() -> T) -> Result<T, TaskError> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| TaskError::Panicked { message: message(payload) })
}

/// Drops a value of the user's.
pub(crate) fn drop_caught<T>(value: T) -> Result<(), TaskError> {
    catch(|| drop(value))
}

/// Drops values of the user's, one by one: a panic of one does not keep the others.
pub(crate) fn drop_each<T>(values: impl IntoIterator<Item = T>) {
    for value in values {
        let _ = drop_caught(value);
    }
}

fn message(payload: Box<dyn Any + Send>) -> String {
    let payload = match payload.downcast::<String>() {
        Ok(text) => return *text,
        Err(payload) => payload,
    };
    if let Some(text) = payload.downcast_ref::<&str>() {
        return (*text).to_owned();
    }
    // A payload can panic when it is dropped, and so can the payload of that panic, without end.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(payload);
    }
    "a panic whose payload is not a string".into()
}
