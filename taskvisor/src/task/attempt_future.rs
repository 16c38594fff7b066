//! The future of an attempt of a function.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::error::TaskError;

pin_project_lite::pin_project! {
    /// The future of an attempt of a function under `#[task]`. It converts the output of the function's future.
    ///
    /// It is as large as the function's future.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are polled"]
    pub struct AttemptFuture<F, C> {
        #[pin]
        future: F,
        convert: C,
    }
}

impl<F, C> AttemptFuture<F, C>
where
    F: Future,
    C: Fn(F::Output) -> Result<(), TaskError>,
{
    /// Wraps the future of the function. `convert` is [`IntoTaskResult::into_task_result`](super::IntoTaskResult), or a
    /// conversion that calls `retry_if`.
    pub fn new(future: F, convert: C) -> Self {
        Self { future, convert }
    }
}

impl<F, C> Future for AttemptFuture<F, C>
where
    F: Future,
    C: Fn(F::Output) -> Result<(), TaskError>,
{
    type Output = Result<(), TaskError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let returned = ready!(this.future.poll(context));
        Poll::Ready((this.convert)(returned))
    }
}
