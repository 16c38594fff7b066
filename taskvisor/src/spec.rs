//! A task with what is said about it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::config::SupervisorConfig;
use crate::policy::{BackoffPolicy, RestartPolicy};
use crate::settings::{Overrides, Settings};
use crate::task::TaskRef;

/// A task, its name and its policies: what a supervisor is given to run.
///
/// What was never set is inherited from the [`SupervisorConfig`] when the task is registered. The getters give what was
/// set, or the documented default; [`TaskHandle::spec`](crate::TaskHandle::spec) gives what the registration runs by.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use taskvisor::{RestartPolicy, TaskContext, TaskFn, TaskSpec};
///
/// let task = TaskFn::arc("poll", |_: TaskContext| async { Ok(()) });
/// let spec = TaskSpec::inherit(task)
///     .with_restart(RestartPolicy::Always { interval: Some(Duration::from_secs(10)) })
///     .with_timeout(Duration::from_secs(5));
///
/// assert_eq!(spec.name(), "poll");
/// assert_eq!(spec.timeout(), Some(Duration::from_secs(5)));
/// assert_eq!(spec.max_retries(), None);
/// ```
#[derive(Clone)]
pub struct TaskSpec {
    task: TaskRef,
    name: Option<Arc<str>>,
    overrides: Overrides,
}

impl TaskSpec {
    /// A spec with all of restart, backoff and timeout set; a `timeout` of `None` or zero is no timeout.
    #[must_use]
    pub fn new(task: TaskRef, restart: RestartPolicy, backoff: BackoffPolicy, timeout: Option<Duration>) -> Self {
        Self::inherit(task).with_restart(restart).with_backoff(backoff).with_timeout(timeout)
    }

    /// A spec with restart, backoff and timeout as `config` has them now.
    #[must_use]
    pub fn with_defaults(task: TaskRef, config: &SupervisorConfig) -> Self {
        Self::new(task, config.restart, config.backoff, Some(config.timeout))
    }

    /// A spec that sets nothing: all is inherited from the supervisor that the task is registered with.
    #[must_use]
    pub fn inherit(task: TaskRef) -> Self {
        Self { task, name: None, overrides: Overrides::default() }
    }

    /// The task.
    pub fn task(&self) -> &TaskRef {
        &self.task
    }

    /// The name that the task is registered under: the one set here, else the task's own.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_else(|| self.task.name())
    }

    /// When the task runs again. Default: [`RestartPolicy::OnFailure`].
    pub fn restart(&self) -> RestartPolicy {
        self.settings().restart
    }

    /// The fixed rate from start to start. Default: `None`.
    pub fn every(&self) -> Option<Duration> {
        self.settings().every
    }

    /// The pause before the first attempt. Default: zero.
    pub fn initial_delay(&self) -> Duration {
        self.settings().initial_delay
    }

    /// The pause after a failure. Default: 100 ms, constant, no jitter.
    pub fn backoff(&self) -> BackoffPolicy {
        self.settings().backoff
    }

    /// How long an attempt must have lived for its failure to count as the first again. Default: the larger of
    /// `backoff.max` and 10 s.
    pub fn reset_after(&self) -> Duration {
        self.settings().reset_after
    }

    /// How many failures in a row are retried. Default: `None`, any number.
    pub fn max_retries(&self) -> Option<u32> {
        self.settings().max_retries
    }

    /// How long an attempt may run. Default: `None`, any time.
    pub fn timeout(&self) -> Option<Duration> {
        self.settings().timeout
    }

    /// How long the task may take to end once told to. Default: `None`, what is left of the supervisor's grace; after a
    /// timeout the smaller of 5 s and the grace.
    pub fn stop_timeout(&self) -> Option<Duration> {
        self.settings().stop_timeout
    }

    /// Registers the task under another name. It must not be empty.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets when the task runs again.
    #[must_use]
    pub fn with_restart(mut self, restart: RestartPolicy) -> Self {
        self.overrides.restart = Some(restart);
        self
    }

    /// Runs the task at a fixed rate, from start to start; ticks that were missed are skipped. Needs
    /// [`RestartPolicy::Always`] without an interval, and must not be zero. Failures wait for the backoff instead.
    #[must_use]
    pub fn with_every(mut self, every: Duration) -> Self {
        self.overrides.every = Some(every);
        self
    }

    /// Sets a pause before the first attempt.
    #[must_use]
    pub fn with_initial_delay(mut self, delay: Duration) -> Self {
        self.overrides.initial_delay = Some(delay);
        self
    }

    /// Sets the pause after a failure.
    #[must_use]
    pub fn with_backoff(mut self, backoff: BackoffPolicy) -> Self {
        self.overrides.backoff = Some(backoff);
        self
    }

    /// Sets how long an attempt must have lived for its failure to count as the first again.
    #[must_use]
    pub fn with_reset_after(mut self, lived: Duration) -> Self {
        self.overrides.reset_after = Some(lived);
        self
    }

    /// Sets how many failures in a row are retried; past that the task ends as exhausted.
    #[must_use]
    pub fn with_max_retries(mut self, retries: u32) -> Self {
        self.overrides.max_retries = Some(retries);
        self
    }

    /// Sets how long an attempt may run; `None` and zero are no timeout.
    #[must_use]
    pub fn with_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.overrides.timeout = Some(timeout.into().unwrap_or_default());
        self
    }

    /// Sets how long the task may take to end once told to, be it by a stop or by a timeout; past it the attempt is
    /// aborted. Zero aborts at once.
    #[must_use]
    pub fn with_stop_timeout(mut self, timeout: Duration) -> Self {
        self.overrides.stop_timeout = Some(timeout);
        self
    }

    pub(crate) fn resolve(&self, config: &SupervisorConfig) -> Settings {
        self.overrides.resolve(config)
    }

    pub(crate) fn resolved(task: TaskRef, name: Arc<str>, settings: &Settings) -> Self {
        Self { task, name: Some(name), overrides: Overrides::of(settings) }
    }

    pub(crate) fn into_parts(self) -> (TaskRef, Arc<str>) {
        let name = self.name.unwrap_or_else(|| self.task.name().into());
        (self.task, name)
    }

    fn settings(&self) -> Settings {
        self.overrides.resolve(&SupervisorConfig::default())
    }
}

impl fmt::Debug for TaskSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskSpec").field("name", &self.name()).field("set", &self.overrides).finish_non_exhaustive()
    }
}

impl From<TaskRef> for TaskSpec {
    fn from(task: TaskRef) -> Self {
        Self::inherit(task)
    }
}
