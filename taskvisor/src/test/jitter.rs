//! Seeded jitter.

use crate::supervisor::SupervisorHandle;

impl SupervisorHandle {
    /// Draws the jitter of this supervisor's retries from a seed, from now on; see
    /// [`JitterPolicy`](crate::JitterPolicy). Other supervisors are not affected.
    ///
    /// A delay depends only on the seed, the path of the task or group, and the number of its attempt or run. It is the
    /// same on any runtime and in any order of events. [`BackoffPolicy::next`](crate::BackoffPolicy::next) itself stays
    /// random. In a [fleet](crate::guide::fleets), the times of calls to the store have jitter as well. It is drawn
    /// from the seed that is set before the start.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use taskvisor::prelude::*;
    /// use taskvisor::test::{Recorder, Script};
    ///
    /// async fn delays(seed: u64) -> Result<Vec<Option<Duration>>, RuntimeError> {
    ///     let sync = Script::new("sync").fails("no route").fails("no route").succeeds();
    ///     let tree = supervise!(tasks = [task(sync, backoff(first = "1s", jitter = "full"))]);
    ///     tree.supervisor().seed_jitter(seed);
    ///     let recorder = Recorder::attach(tree.supervisor());
    ///     tree.run().await?;
    ///     Ok(recorder.events().iter().map(|event| event.delay).collect())
    /// }
    ///
    /// #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// async fn main() -> Result<(), RuntimeError> {
    ///     assert_eq!(delays(7).await?, delays(7).await?);
    ///     assert_ne!(delays(7).await?, delays(8).await?);
    ///     Ok(())
    /// }
    /// ```
    pub fn seed_jitter(&self, seed: u64) {
        self.core.test_hooks.seed(seed);
    }
}
