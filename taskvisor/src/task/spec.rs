//! A task with its options.

use std::sync::Arc;
use std::time::Duration;

use super::definition::{Task, TaskRef};
#[cfg(feature = "fleet")]
use crate::fleet::{Overrun, Singleton, Standby, Ticks};
use crate::panics::{Fenced, catch};
use crate::policy::{BackoffPolicy, Critical, Overrides, ResolvedPolicy, RestartPolicy, Row, Rows};
use crate::runtime::Driven;
use crate::supervisor::SupervisorConfig;

/// A task, its name and its options.
///
/// An option that is not set is inherited from the [`SupervisorConfig`] when the task is registered. The getters return
/// the value that was set, or the documented default. [`TaskHandle::spec`](crate::TaskHandle::spec) returns the options
/// of a registration, with all inherited values.
///
/// A spec does nothing by itself. [`SupervisorHandle::add_task`](crate::SupervisorHandle::add_task),
/// [`GroupHandle::add_task`](crate::GroupHandle::add_task), [`TreeBuilder::task`](crate::TreeBuilder::task) and
/// `supervise!` register it. The guide explains [tasks](crate::guide::tasks),
/// [restarts and backoff](crate::guide::restarts), [readiness](crate::guide::readiness),
/// [stopping](crate::guide::stopping), and how to [choose limits](crate::guide::limits).
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
#[must_use = "a spec does nothing until it is given to a supervisor"]
pub struct TaskSpec {
    task: Fenced<TaskRef>,
    name: Option<Arc<str>>,
    /// In an `Arc`, because most specs set few or no options, and every spec is moved from call to call.
    said: Option<Arc<Said>>,
}

/// The options of a spec.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said {
    pub(crate) overrides: Overrides,
    /// The rows that a setter was called for. No other row is set.
    rows: Rows,
    after: Vec<Arc<str>>,
    /// The driver, if an option that can need it was set.
    driven: Option<Driven>,
}

impl Said {
    /// Returns `true` if both set the same options to equal values. The cost grows with the number of set options, not
    /// of all options.
    #[inline]
    pub(crate) fn sets_the_same(&self, other: &Self) -> bool {
        self.rows == other.rows && self.overrides.are_equal(&other.overrides, self.rows)
    }
}

/// The table in `policy/options` has the getters and setters of the options.
impl TaskSpec {
    /// Creates a spec that sets restart, backoff and timeout. A `timeout` of `None` or zero means no timeout.
    pub fn new(task: TaskRef, restart: RestartPolicy, backoff: BackoffPolicy, timeout: Option<Duration>) -> Self {
        Self::inherit(task).with_restart(restart).with_backoff(backoff).with_timeout(timeout)
    }

    /// Creates a spec with the restart, backoff and timeout that `config` has now.
    pub fn with_defaults(task: TaskRef, config: &SupervisorConfig) -> Self {
        Self::new(task, config.restart, config.backoff, Some(config.timeout))
    }

    /// Creates a spec that sets nothing: all options are inherited from the supervisor that the task is registered
    /// with.
    pub fn inherit(task: TaskRef) -> Self {
        Self { task: Fenced::new(task), name: None, said: None }
    }

    /// Returns the task.
    pub fn task(&self) -> &TaskRef {
        &self.task
    }

    /// Returns the name that the task is registered under: the name of the spec, or else that of the task.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_else(|| self.task.name())
    }

    /// Returns the names of the siblings that must be ready before the task starts. Default: none.
    pub fn after(&self) -> &[Arc<str>] {
        self.said.as_ref().map_or(&[], |said| &said.after)
    }

    /// Registers the task under another name. It must not be empty, and must not contain `/`, which separates the
    /// segments of a path.
    pub fn with_name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Starts the task when these siblings, declared before it in its group, are ready, and stops it before them.
    ///
    /// A task in the tree itself can also name declared slots. A name refers to a slot if no sibling declared before
    /// the task has it. The start does not wait for such a slot. The slot stops when the whole tree has terminated;
    /// until then it takes submissions of this task, also while the task cleans up.
    pub fn with_after(mut self, names: impl IntoIterator<Item = impl Into<Arc<str>>>) -> Self {
        let said = self.say();
        said.after.extend(names.into_iter().map(Into::into));
        said.driven = Some(Driven::here());
        self
    }

    /// Runs the task in one replica of the [fleet](crate::guide::fleets) at a time, under a lease whose key is the path
    /// of the task. The other replicas stand by. The supervisor needs a [`Fleet`](crate::fleet::Fleet).
    ///
    /// An attempt begins when the lease is held. If the lease cannot be renewed, the attempt is requested to stop, and
    /// is dropped with its helpers before another replica can take over. This is no failure. The task keeps the lease
    /// during its backoff and its interval, and releases it when it ends for good. A
    /// [`stop_timeout`](Self::with_stop_timeout) must not be longer than a fifth of the time to live. In a group that is a
    /// singleton, and in a slot of the fleet, the task must not be one as well.
    #[cfg(feature = "fleet")]
    pub fn with_singleton(self) -> Self {
        self.set_singleton(|singleton| singleton.key = None)
    }

    /// Makes the task a [singleton](Self::with_singleton) whose lease has this key. Default: the path of the task. With
    /// a key, replicas whose trees differ can share a lease. Tasks of one process that share a key never run at the
    /// same time.
    #[cfg(feature = "fleet")]
    pub fn with_singleton_key(self, key: impl Into<Arc<str>>) -> Self {
        let key = key.into();
        self.set_singleton(|singleton| singleton.key = Some(key))
    }

    /// Makes the task a [singleton](Self::with_singleton), and sets whether it counts as ready while it stands by.
    /// Default: [`Standby::Ready`].
    #[cfg(feature = "fleet")]
    pub fn with_standby(self, standby: Standby) -> Self {
        self.set_singleton(|singleton| singleton.standby = standby)
    }

    /// Makes the task a [singleton](Self::with_singleton), and sets the reaction if its work still runs when its lease
    /// has ended. Default: [`Overrun::Report`].
    #[cfg(feature = "fleet")]
    pub fn with_overrun(self, overrun: Overrun) -> Self {
        self.set_singleton(|singleton| singleton.overrun = overrun)
    }

    /// Makes the task a [singleton](Self::with_singleton), and sets when a run of its schedule or period counts as done
    /// in the fleet. Default: [`Ticks::AtMostOnce`].
    #[cfg(feature = "fleet")]
    pub fn with_ticks(self, ticks: Ticks) -> Self {
        self.set_singleton(|singleton| singleton.ticks = ticks)
    }

    #[cfg(feature = "fleet")]
    fn set_singleton(self, change: impl FnOnce(&mut Singleton)) -> Self {
        self.set(Row::singleton, |set| change(set.singleton_mut()))
    }

    fn say(&mut self) -> &mut Said {
        Arc::make_mut(self.said.get_or_insert_default())
    }

    /// Sets an option. It is inlined, so that the driver is linked only for options that can need it.
    #[allow(clippy::inline_always, reason = "a call would link the driver for each option")]
    #[inline(always)]
    pub(crate) fn set(mut self, row: Row, what: impl FnOnce(&mut Overrides)) -> Self {
        let said = self.say();
        said.rows.add(row);
        // No other option makes a task need a driver around it.
        if matches!(row, Row::critical | Row::significant | Row::ready) {
            said.driven = Some(Driven::here());
        }
        what(&mut said.overrides);
        self
    }

    /// Unsets an option. No effect on a spec that sets nothing.
    pub(crate) fn unset(self, row: Row, what: impl FnOnce(&mut Overrides)) -> Self {
        if self.said.is_some() { self.set(row, what) } else { self }
    }

    /// Returns the driver, if the task may need one around it.
    pub(crate) fn driven(&self) -> Option<Driven> {
        self.said.as_ref()?.driven
    }

    pub(crate) fn said(&self) -> Option<&Arc<Said>> {
        self.said.as_ref()
    }

    /// Returns `true` if the spec sets an option that needs siblings or a group.
    #[inline]
    pub(crate) fn is_for_groups(&self) -> bool {
        let Some(Said { overrides, after, .. }) = self.said.as_deref() else { return false };
        overrides.critical.is_some_and(Critical::is_set) || overrides.significant == Some(true) || !after.is_empty()
    }

    pub(crate) fn overrides(&self) -> &Overrides {
        self.said.as_ref().map_or(&Overrides::NONE, |said| &said.overrides)
    }

    pub(crate) fn resolved(task: TaskRef, name: Arc<str>, policy: &ResolvedPolicy) -> Self {
        Self {
            task: Fenced::new(task),
            name: Some(name),
            said: Some(Arc::new(Said {
                overrides: Overrides::of(policy),
                rows: Rows::ALL,
                after: Vec::new(),
                driven: Some(Driven::here()),
            })),
        }
    }

    /// Takes the name under which the task is registered. `Task::name` is user code: a task whose name panics has no
    /// name, which is refused.
    pub(crate) fn take_name(&mut self) -> Arc<str> {
        self.name.take().unwrap_or_else(|| catch(|| self.task.shared_name()).unwrap_or_else(|_| "".into()))
    }

    #[inline]
    pub(crate) fn into_task(self) -> Fenced<TaskRef> {
        self.task
    }

    /// Returns the policy, resolved under the default config.
    pub(crate) fn policy(&self) -> ResolvedPolicy {
        self.overrides().resolve(&SupervisorConfig::default())
    }
}

impl_debug!(TaskSpec, |spec| name: spec.name(), set: spec.overrides(), after: spec.after());

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

/// A type that converts to a [`TaskSpec`]: a spec, a task, or the struct of a function under `#[task]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a task",
    label = "not a task",
    note = "the task beside a function under `#[task]` is a struct: write `name {{ .. }}` or `name::spec(..)`, and not \
            `name(..)`, which calls the function",
    note = "a type with its own `impl Task` is given in an `Arc`; in a list, `..tasks` is all of an iterator or `Option`, \
            and `label = group(value)` is a `Group`, which is declared, or added by `GroupHandle::add_group`"
)]
pub trait IntoTaskSpec {
    /// Converts to a spec.
    fn into_task_spec(self) -> TaskSpec;

    /// Converts to a spec with this name, such as `ping {}.with_name("second")`. The setters of all other options are those
    /// of the spec: `ping::spec().with_max_retries(3)`, or `ping {}.into_task_spec().with_max_retries(3)`.
    fn with_name(self, name: impl Into<Arc<str>>) -> TaskSpec
    where
        Self: Sized,
    {
        self.into_task_spec().with_name(name)
    }
}

#[diagnostic::do_not_recommend]
impl<T: Into<TaskSpec>> IntoTaskSpec for T {
    fn into_task_spec(self) -> TaskSpec {
        self.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{TaskContext, TaskFn};

    fn spec() -> TaskSpec {
        TaskSpec::inherit(TaskFn::arc("task", |_: TaskContext| async { Ok(()) }))
    }

    fn same(one: &TaskSpec, other: &TaskSpec) -> bool {
        let (one, other) = (one.said().unwrap(), other.said().unwrap());
        one.sets_the_same(other) && other.sets_the_same(one)
    }

    #[test]
    fn specs_set_the_same_only_if_each_option_is_equal() {
        let second = Duration::from_secs(1);
        let one = spec().with_timeout(second).with_max_retries(3);
        assert!(same(&one, &spec().with_max_retries(3).with_timeout(second)));
        assert!(!same(&one, &spec().with_timeout(second)));
        assert!(!same(&one, &spec().with_timeout(second).with_max_retries(4)));
        assert!(!same(&one, &spec().with_timeout(second * 2).with_max_retries(3)));
        assert!(!same(&one, &one.clone().critical()));
        assert!(same(&one.clone().critical(), &one.clone().critical()));

        let all = TaskSpec::resolved(one.task().clone(), "task".into(), &one.policy());
        assert!(same(&all, &all.clone().with_timeout(second)));
        assert!(!same(&all, &all.clone().with_timeout(second * 2)));
    }
}
