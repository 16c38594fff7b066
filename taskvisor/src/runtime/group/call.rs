//! One call of the function that makes the children of a fresh group.

use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use super::super::task::is_late;
use super::super::timer::deadline_from;
use crate::panics::{catch, drop_caught};
use crate::task::{TaskError, TaskSpec};
use crate::tree::{Maker, Making};

/// The future of a call, with its time limit. It is user code: it is created, polled and dropped inside
/// `panics::catch`.
pub(super) struct Call {
    future: Option<Making>,
    limit: Duration,
    /// The time at which the limit is exceeded.
    pub(super) until: Option<Instant>,
    /// `true` if the limit was granted a second time, because its timer fired late.
    is_extended: bool,
}

impl Call {
    /// Calls the function.
    pub(super) fn new(maker: Maker, limit: Option<Duration>) -> Result<Self, TaskError> {
        let future = catch(|| maker.make());
        let dropped = drop_caught(maker);
        let call = Self {
            future: Some(future?),
            limit: limit.unwrap_or(Duration::MAX),
            until: limit.and_then(|limit| deadline_from(Instant::now(), limit)),
            is_extended: false,
        };
        dropped.map(|()| call)
    }

    /// Polls the future. When it has completed it is dropped, and its drop can fail as well.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Vec<TaskSpec>, TaskError>> {
        let Some(future) = &mut self.future else { return Poll::Pending };
        let made = match catch(|| future.as_mut().poll(cx)) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(made)) => made,
            Err(panic) => Err(panic),
        };
        match (drop_caught(self.future.take()), made) {
            (Err(panic), Ok(specs)) => {
                let _ = drop_caught(specs);
                Poll::Ready(Err(panic))
            }
            (_, made) => Poll::Ready(made),
        }
    }

    /// Returns the error if the time limit is exceeded. If its timer fired late, `warn` is told and the limit is granted a
    /// second time.
    pub(super) fn exceeds(&mut self, now: Instant, warn: impl FnOnce(Duration)) -> Option<TaskError> {
        let until = self.until.filter(|until| *until <= now)?;
        let lateness = now - until;
        if !self.is_extended && is_late(lateness, self.limit) {
            warn(lateness);
            self.is_extended = true;
            self.until = deadline_from(now, self.limit);
            return None;
        }
        Some(TaskError::Timeout { timeout: self.limit })
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let _ = drop_caught(self.future.take());
    }
}
