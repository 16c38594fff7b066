//! The options of a group for its start, its restarts and its end, and their effects on its parent and siblings.

use std::sync::Arc;
use std::time::Duration;

use super::Group;
use crate::policy::{BackoffPolicy, Critical, RestartPolicy};

impl Group {
    /// Limits the time that the function of [`fresh`](Self::fresh) may take at one start, from its call until its future
    /// completes. Past it the future is dropped, and the start has failed with
    /// [`TaskError::Timeout`](crate::TaskError::Timeout). Must not be zero, and needs `fresh`. Default: the
    /// [`start_timeout`](crate::SupervisorConfig::start_timeout) of the supervisor's config.
    pub fn with_start_timeout(self, timeout: Duration) -> Self {
        self.set(|set| set.start_timeout = Some(Some(timeout)))
    }

    /// Starts the group when these siblings are ready, and stops it before them. The siblings must be declared before
    /// it. A child of the root can also name slots, for all tasks in the group; see
    /// [`TaskSpec::with_after`](crate::TaskSpec::with_after).
    pub fn with_after(mut self, names: impl IntoIterator<Item = impl Into<Arc<str>>>) -> Self {
        self.after.extend(names.into_iter().map(Into::into));
        self
    }

    /// Sets the restart policy of the group as a whole. Default: [`RestartPolicy::OnFailure`].
    ///
    /// With `Always`, a group that has ended in success starts again after the interval. Without an interval it starts
    /// at once, and is not slowed down if its children end at once, as a task is.
    pub fn with_restart(self, restart: RestartPolicy) -> Self {
        self.set(|set| set.restart = Some(restart))
    }

    /// Sets the backoff after a failure of the group. Default: the backoff of the supervisor's config.
    pub fn with_backoff(self, backoff: BackoffPolicy) -> Self {
        self.set(|set| set.backoff = Some(backoff))
    }

    /// Sets the time that the group must have run for its failure to count as the first again. Default: the larger of
    /// `backoff.max` and 10 s; that of the [config](crate::SupervisorConfig) is for tasks.
    pub fn with_reset_after(self, lived: Duration) -> Self {
        self.set(|set| set.reset_after = Some(lived))
    }

    /// Sets the number of consecutive failures of the group that are retried. Default: no limit; that of the
    /// [config](crate::SupervisorConfig) is for tasks.
    pub fn with_max_retries(self, retries: u32) -> Self {
        self.set(|set| set.max_retries = Some(Some(retries)))
    }

    /// Fails the parent when the group ends for good in failure. This is the default.
    pub fn critical(self) -> Self {
        self.set(|set| set.critical = Some(Critical::Failure))
    }

    /// Fails the parent when the group ends for good, even in success. Use it for a group that must not end. An end
    /// after a stop request is not a failure. Not with [`significant`](Self::significant).
    pub fn critical_at_any_end(self) -> Self {
        self.set(|set| set.critical = Some(Critical::AnyEnd))
    }

    /// Keeps the parent running when the group ends for good in failure. By default the parent fails as well. It also
    /// fails if the group has not been ready and other children of the parent are after it, as they could never start.
    pub fn not_critical(self) -> Self {
        self.set(|set| set.critical = Some(Critical::No))
    }

    /// Stops the parent, without a failure, when the group ends for good in success. Not with
    /// [`critical_at_any_end`](Self::critical_at_any_end).
    pub fn significant(self) -> Self {
        self.set(|set| set.significant = Some(true))
    }

    /// Keeps the parent running when the group ends for good in success. This is the default.
    pub fn not_significant(self) -> Self {
        self.set(|set| set.significant = Some(false))
    }

    /// Counts the states of its tasks for the readiness of the service. This is the default.
    pub fn with_readiness(self) -> Self {
        self.set(|set| set.readiness = Some(true))
    }

    /// Excludes the states of its tasks from the readiness of the service, also in nested groups.
    /// [`Health`](crate::Health) reports them and stays ready. See
    /// [`TaskSpec::without_readiness`](crate::TaskSpec::without_readiness).
    pub fn without_readiness(self) -> Self {
        self.set(|set| set.readiness = Some(false))
    }

    /// Sets whether the group is paused when it is first registered: no attempt begins in it, and the function of
    /// [`fresh`](Self::fresh) is not called, until [`GroupHandle::resume`](crate::GroupHandle::resume) is called. After
    /// that, handles decide: a restart does not pause it again. Default: `false`. The guide explains
    /// [pausing](crate::guide::pausing).
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), taskvisor::RuntimeError> {
    /// use taskvisor::{Group, SupervisorConfig, TaskContext, TaskFn, Tree};
    ///
    /// let import = TaskFn::arc("import", |_: TaskContext| async { Ok(()) });
    /// let imports = Group::one_for_one("imports").with_paused(true).task(import);
    /// let tree = Tree::builder(SupervisorConfig::default()).group(imports).build();
    /// tree.start().await?;
    /// assert!(tree.group("imports").is_paused());
    ///
    /// assert!(tree.group("imports").resume());
    /// tree.child("imports/import").outcome().await;
    /// # tree.shutdown().await
    /// # }
    /// ```
    pub fn with_paused(self, paused: bool) -> Self {
        self.set(|set| set.paused = Some(paused))
    }
}
