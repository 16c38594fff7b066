//! Waits for a time at most, on any runtime.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Mutex;
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::{self, Handle};
use tokio::time::sleep;

use crate::sync::lock;

/// The last runtime whose timers were found to be missing, or over. Only a panic tells, so it is noted. A leaf.
static WITHOUT_TIMERS: Mutex<Option<runtime::Id>> = Mutex::new(None);

/// Waits for a future, but no longer than this time. Without timers it is polled once.
pub(crate) async fn within<F: Future>(time: Duration, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut limit = None;
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        let Ok(runtime) = Handle::try_current() else { return Poll::Ready(None) };
        let has_no_timers = *lock(&WITHOUT_TIMERS) == Some(runtime.id());
        if has_no_timers {
            return Poll::Ready(None);
        }
        let wait = || limit.get_or_insert_with(|| Box::pin(sleep(time))).as_mut().poll(cx).map(|()| None);
        catch_unwind(AssertUnwindSafe(wait)).unwrap_or_else(|_| {
            *lock(&WITHOUT_TIMERS) = Some(runtime.id());
            Poll::Ready(None)
        })
    })
    .await
}
