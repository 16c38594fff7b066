//! Containing panics of the user's code.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

use crate::error::TaskError;

/// Runs `f`; a panic becomes an error. What `f` touched is dropped afterwards and never used again.
pub(crate) fn catch<T>(f: impl FnOnce() -> T) -> Result<T, TaskError> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| TaskError::Panicked { message: message(payload) })
}

/// Drops a value of the user's.
pub(crate) fn drop_caught<T>(value: T) -> Result<(), TaskError> {
    catch(|| drop(value))
}

/// Runs a future to its end, with its panics contained, that of its drop included.
pub(crate) async fn contained<F: Future<Output = ()> + ?Sized>(mut future: Pin<Box<F>>) -> Result<(), TaskError> {
    let result = poll_fn(|cx| match catch(|| future.as_mut().poll(cx)) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await;
    result.and(drop_caught(future))
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
