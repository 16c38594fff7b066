//! A task with its options.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::definition::{Task, TaskRef};
use crate::panics::Fenced;
use crate::policy::{BackoffPolicy, Overrides, Ready, RestartPolicy, Settings};
use crate::supervisor::SupervisorConfig;

/// A task, its name and its options.
///
/// An option that is not set is inherited from the [`SupervisorConfig`] when the task is registered. The getters return
/// the value that was set, or the documented default. [`TaskHandle::spec`](crate::TaskHandle::spec) returns the options
/// of a registration, with all inherited values.
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
    task: Fenced<TaskRef>,
    name: Option<Arc<str>>,
    /// Most specs of a program say little or nothing, and all are handed from call to call.
    said: Option<Arc<Said>>,
}

/// What a spec says beyond its task and name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said {
    pub(crate) overrides: Overrides,
    metric_label: Option<Arc<str>>,
    after: Vec<Arc<str>>,
}

impl Said {
    /// Whether tasks of these two specs run by the same settings, under the same config.
    #[inline]
    pub(crate) fn has_settings_of(&self, other: &Self) -> bool {
        self.overrides == other.overrides && self.metric_label == other.metric_label
    }

    pub(crate) fn resolve(&self, config: &SupervisorConfig) -> Settings {
        Settings { metric_label: self.metric_label.clone(), ..self.overrides.resolve(config) }
    }
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
        Self { task: Fenced::new(task), name: None, said: None }
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

    /// How long the task may take to end once requested to stop. Default: `None`, what is left of the supervisor's
    /// grace.
    pub fn stop_timeout(&self) -> Option<Duration> {
        self.settings().stop_timeout
    }

    /// How long the clean-up after a timeout may take. Default: `None`, the stop timeout, or the smaller of 5 s and the
    /// supervisor's grace where there is none.
    pub fn cleanup(&self) -> Option<Duration> {
        self.settings().cleanup
    }

    /// When the task counts as ready. Default: [`Ready::Start`].
    pub fn ready(&self) -> Ready {
        self.settings().ready
    }

    /// How long a start may take. Default: 60 s.
    pub fn start_timeout(&self) -> Duration {
        self.settings().start_timeout
    }

    /// How long an attempt may be silent. Default: `None`, any time.
    pub fn watchdog(&self) -> Option<Duration> {
        self.settings().watchdog
    }

    /// The names of the siblings that must be ready before the task starts. Default: none.
    pub fn after(&self) -> &[Arc<str>] {
        self.said.as_ref().map_or(&[], |said| &said.after)
    }

    /// Whether the end of the task in failure fails its group. Default: false.
    pub fn is_critical(&self) -> bool {
        self.said.as_ref().is_some_and(|said| said.overrides.critical)
    }

    /// Whether the end of the task in success ends its group. Default: false.
    pub fn is_significant(&self) -> bool {
        self.said.as_ref().is_some_and(|said| said.overrides.significant)
    }

    /// Whether a stop that finds the task waiting begins one more attempt. Default: false.
    pub fn has_final_attempt(&self) -> bool {
        self.said.as_ref().is_some_and(|said| said.overrides.final_attempt)
    }

    /// Whether the state of the task counts for the readiness of the service. Default: true.
    pub fn has_readiness(&self) -> bool {
        self.said.as_ref().is_none_or(|said| !said.overrides.without_readiness)
    }

    /// The value of the label `task` in metrics. Default: `None`, the path of a declared task; for a task that was
    /// added at runtime that of its group, or `dynamic`.
    pub fn metric_label(&self) -> Option<&str> {
        self.said.as_ref().and_then(|said| said.metric_label.as_deref())
    }

    /// Registers the task under another name. It must not be empty, and have no `/`, which parts a path.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets when the task runs again.
    #[must_use]
    pub fn with_restart(mut self, restart: RestartPolicy) -> Self {
        self.say().overrides.restart = Some(restart);
        self
    }

    /// Runs the task at a fixed rate, from start to start; ticks that were missed are skipped. Needs
    /// [`RestartPolicy::Always`] without an interval, and must not be zero. Failures wait for the backoff instead.
    #[must_use]
    pub fn with_every(mut self, every: Duration) -> Self {
        self.say().overrides.every = Some(every);
        self
    }

    /// Sets a pause before the first attempt.
    #[must_use]
    pub fn with_initial_delay(mut self, delay: Duration) -> Self {
        self.say().overrides.initial_delay = Some(delay);
        self
    }

    /// Sets the pause after a failure.
    #[must_use]
    pub fn with_backoff(mut self, backoff: BackoffPolicy) -> Self {
        self.say().overrides.backoff = Some(backoff);
        self
    }

    /// Sets how long an attempt must have lived for its failure to count as the first again.
    #[must_use]
    pub fn with_reset_after(mut self, lived: Duration) -> Self {
        self.say().overrides.reset_after = Some(lived);
        self
    }

    /// Sets how many failures in a row are retried; past that the task ends as exhausted.
    #[must_use]
    pub fn with_max_retries(mut self, retries: u32) -> Self {
        self.say().overrides.max_retries = Some(retries);
        self
    }

    /// Sets how long an attempt may run; `None` and zero are no timeout. Past it an attempt without a context is
    /// dropped; one with a context or token is requested to stop, and has the time of
    /// [`with_cleanup`](Self::with_cleanup).
    #[must_use]
    pub fn with_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.say().overrides.timeout = Some(timeout.into().unwrap_or_default());
        self
    }

    /// Sets how long the task may take to end once it is requested to stop; past it the attempt is aborted. Zero aborts
    /// at once. In a shutdown the task has this time whole, whatever the [share](SupervisorConfig::grace) of its layer
    /// is, as long as the grace lasts. Also bounds the clean-up after a timeout, unless
    /// [`with_cleanup`](Self::with_cleanup) does.
    #[must_use]
    pub fn with_stop_timeout(mut self, timeout: Duration) -> Self {
        self.say().overrides.stop_timeout = Some(timeout);
        self
    }

    /// Sets how long the clean-up after a timeout, an exceeded watchdog or start timeout, or the panic of a helper may
    /// take; past it the attempt is dropped. Zero drops it at once. Default: the `stop_timeout`, or the smaller of 5 s
    /// and the supervisor's grace where there is none.
    #[must_use]
    pub fn with_cleanup(mut self, time: Duration) -> Self {
        self.say().overrides.cleanup = Some(time);
        self
    }

    /// Sets when the task counts as ready.
    #[must_use]
    pub fn with_ready(mut self, ready: Ready) -> Self {
        self.say().overrides.ready = ready;
        self
    }

    /// Sets how long a start may take, from when it is due until the task is ready, the wait for a permit included;
    /// past it that start has failed with [`TaskError::Timeout`](crate::TaskError::Timeout). Applies to tasks that are
    /// ready by [`Ready::Signal`], and to those that others are after. Must not be zero.
    #[must_use]
    pub fn with_start_timeout(mut self, timeout: Duration) -> Self {
        self.say().overrides.start_timeout = Some(timeout);
        self
    }

    /// Sets how long an attempt may go without [`heartbeat`](crate::TaskContext::heartbeat): past it, it is treated as
    /// one that exceeded its timeout. Must not be zero.
    #[must_use]
    pub fn with_watchdog(mut self, silence: Duration) -> Self {
        self.say().overrides.watchdog = Some(silence);
        self
    }

    /// Starts the task when these siblings, declared before it in its group, are ready, and stops it before them.
    ///
    /// In the tree itself it can name slots that are declared as well, where no sibling before it has the name. Such a
    /// slot is not waited for at the start; it stops when the whole tree has terminated, and until then takes
    /// submissions of this task, also while the task cleans up.
    #[must_use]
    pub fn with_after(mut self, names: impl IntoIterator<Item = impl Into<Arc<str>>>) -> Self {
        self.say().after.extend(names.into_iter().map(Into::into));
        self
    }

    /// The group needs this task: it fails if the task ends for good neither completed nor canceled.
    #[must_use]
    pub fn critical(mut self) -> Self {
        self.say().overrides.critical = true;
        self
    }

    /// Keeps the group running if the task ends for good in failure. This is the default.
    #[must_use]
    pub fn not_critical(self) -> Self {
        self.unset(|said| said.critical = false)
    }

    /// The group is there for this task: it stops cleanly when the task ends for good in success. Not with the restart
    /// policy `Always`.
    #[must_use]
    pub fn significant(mut self) -> Self {
        self.say().overrides.significant = true;
        self
    }

    /// Keeps the group running if the task ends for good in success. This is the default.
    #[must_use]
    pub fn not_significant(self) -> Self {
        self.unset(|said| said.significant = false)
    }

    /// Begins one more attempt when a stop is requested while the task waits: for its backoff, its interval or its
    /// initial delay. A task that works off a queue so gets a last turn. The attempt finds the reason of the stop in
    /// its context, and is bounded as any other that is requested to stop. Not with the restart policy `Never`.
    #[must_use]
    pub fn with_final_attempt(mut self) -> Self {
        self.say().overrides.final_attempt = true;
        self
    }

    /// Begins no attempt when a stop is requested while the task waits. This is the default.
    #[must_use]
    pub fn without_final_attempt(self) -> Self {
        self.unset(|said| said.final_attempt = false)
    }

    /// Counts the state of the task for the readiness of the service. This is the default.
    #[must_use]
    pub fn with_readiness(self) -> Self {
        self.unset(|said| said.without_readiness = false)
    }

    /// Keeps the state of the task out of the readiness of the service: while it waits for its backoff, or after it
    /// ended in failure, [`Health`](crate::Health) names it and stays ready. For tasks that the service can do without
    /// for a while.
    #[must_use]
    pub fn without_readiness(mut self) -> Self {
        self.say().overrides.without_readiness = true;
        self
    }

    /// Sets the value of the label `task` in metrics. For tasks that are added at runtime, which by default share the
    /// label of their group, or `dynamic`: there are as many series as there are labels, so give one to a kind of tasks
    /// and not to each. Must not be empty. Without effect unless the feature `metrics` is on.
    #[must_use]
    pub fn with_metric_label(mut self, label: impl Into<Arc<str>>) -> Self {
        self.say().metric_label = Some(label.into());
        self
    }

    fn say(&mut self) -> &mut Said {
        Arc::make_mut(self.said.get_or_insert_default())
    }

    /// Unsets an option. A spec that sets nothing stays as it is.
    fn unset(mut self, what: impl FnOnce(&mut Overrides)) -> Self {
        if self.said.is_some() {
            what(&mut self.say().overrides);
        }
        self
    }

    pub(crate) fn said(&self) -> Option<&Arc<Said>> {
        self.said.as_ref()
    }

    /// Whether it says something that means nothing outside of a group.
    #[inline]
    pub(crate) fn is_for_groups(&self) -> bool {
        self.said
            .as_ref()
            .is_some_and(|said| said.overrides.critical | said.overrides.significant | !said.after.is_empty())
    }

    fn overrides(&self) -> &Overrides {
        self.said.as_ref().map_or(&Overrides::NONE, |said| &said.overrides)
    }

    pub(crate) fn resolved(task: TaskRef, name: Arc<str>, settings: &Settings) -> Self {
        Self {
            task: Fenced::new(task),
            name: Some(name),
            said: Some(Arc::new(Said {
                overrides: Overrides::of(settings),
                metric_label: settings.metric_label.clone(),
                after: Vec::new(),
            })),
        }
    }

    /// The name that the task is registered under: to be asked for once.
    pub(crate) fn take_name(&mut self) -> Arc<str> {
        self.name.take().unwrap_or_else(|| self.task.shared_name())
    }

    #[inline]
    pub(crate) fn into_task(self) -> TaskRef {
        self.task.into_inner()
    }

    fn settings(&self) -> Settings {
        self.overrides().resolve(&SupervisorConfig::default())
    }
}

impl fmt::Debug for TaskSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskSpec")
            .field("name", &self.name())
            .field("set", self.overrides())
            .field("metric_label", &self.metric_label())
            .field("after", &self.after())
            .finish_non_exhaustive()
    }
}

impl From<TaskRef> for TaskSpec {
    fn from(task: TaskRef) -> Self {
        Self::inherit(task)
    }
}

impl<T: Task> From<Arc<T>> for TaskSpec {
    fn from(task: Arc<T>) -> Self {
        Self::inherit(task)
    }
}

/// What can be run: a [`TaskSpec`], a task, or the struct beside a function under `#[task]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a task",
    label = "not a task",
    note = "the task beside a function under `#[task]` is a struct: write `name {{ .. }}` or `name::spec(..)`, and not \
            `name(..)`, which calls the function"
)]
pub trait IntoTaskSpec {
    /// The spec of the task.
    fn into_task_spec(self) -> TaskSpec;
}

#[diagnostic::do_not_recommend]
impl<T: Into<TaskSpec>> IntoTaskSpec for T {
    fn into_task_spec(self) -> TaskSpec {
        self.into()
    }
}
