//! The future of a submission through the handle of a slot.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::ControllerError;
use crate::runtime::Submitting;
use crate::task::TaskHandle;

/// The future of [`SlotHandle::submit`](crate::SlotHandle::submit), `queue`, `replace`, `latest` and `drop_if_running`.
/// It submits the task when it is first polled.
///
/// It is a named type, and not that of an `async` function, so that the compiler reports an argument that is no task
/// once.
///
/// # Cancel safety
/// Nothing is submitted until it completes.
#[must_use = "futures do nothing unless they are polled"]
pub struct Submit<'a>(pub(super) Submitting<'a>);

impl Future for Submit<'_> {
    type Output = Result<TaskHandle, ControllerError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map_ok(TaskHandle::new)
    }
}

impl_debug!(Submit<'_>, |_|);
