//! The time until the next attempt, told by a success.

use std::time::Duration;

use super::{Kind, TaskContext};

impl TaskContext {
    /// Sets when the task runs again if this attempt succeeds: after exactly `delay`, instead of its interval. For work
    /// that knows when there is more to do, such as a poller that asks less often while nothing happens, or a renewal of
    /// what has an expiry. A failure has [`TaskError::retry_after`](crate::TaskError::retry_after).
    ///
    /// The delay counts from the end of the attempt and its helpers, and holds for one wait. Zero means at once; a task
    /// that then succeeds at once each time is throttled like one without an interval. A delay of a year or more does not
    /// end by itself. The wait ends early as that of an interval does: by
    /// [`TaskHandle::trigger`](crate::TaskHandle::trigger) or [`TaskHandle::restart`](crate::TaskHandle::restart), or by
    /// a stop. Of several calls the last one counts.
    ///
    /// It has no effect if the attempt fails or is requested to stop, for a task that does not run again after a success
    /// (`restart = "on_failure"` or `"never"`), for one whose times are given
    /// ([`every`](crate::TaskSpec::with_every) or a [schedule](crate::guide::schedules)), on a [detached](Self::detached)
    /// context, and after the end of the attempt.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use taskvisor::prelude::*;
    ///
    /// /// Returns the credential and its time to live.
    /// async fn fetch() -> Result<(String, Duration), std::io::Error> {
    ///     Ok(("secret".into(), Duration::from_secs(900)))
    /// }
    ///
    /// #[task(restart = "always")]
    /// async fn renew(ctx: TaskContext) -> Result<(), std::io::Error> {
    ///     let (_credential, lives) = fetch().await?;
    ///     ctx.repeat_after(lives * 2 / 3);
    ///     Ok(())
    /// }
    ///
    /// #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// async fn main() -> Result<(), RuntimeError> {
    ///     let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
    ///     let renewal = supervisor.add_task(renew {}).await?;
    ///     tokio::time::sleep(Duration::from_secs(2000)).await;
    ///     assert_eq!(renewal.status().attempt, 4); // at 0, 600, 1200 and 1800 s
    ///     supervisor.shutdown().await
    /// }
    /// ```
    pub fn repeat_after(&self, delay: Duration) {
        if let Kind::Attempt { cell, attempt, .. } = &self.0 {
            cell.repeat_after(*attempt, delay);
        }
    }
}
