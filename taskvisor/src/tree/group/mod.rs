//! The declaration of a group.

mod options;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::declaration::Declared;
use super::maker::Maker;
use super::strategy::{Dynamic, Strategy};
#[cfg(feature = "fleet")]
use crate::fleet::{Overrun, Singleton, Standby};
use crate::policy::{Critical, Overrides, RestartPolicy};
use crate::runtime::{Driven, GroupLimit};
use crate::supervisor::InvalidOption;
use crate::task::{IntoTaskError, IntoTaskSpec, TaskSpec};

/// The declaration of a group: tasks and groups that start, fail and stop together.
///
/// A group is a child of a tree or of another group. When it has failed, its own restart policy decides whether it
/// starts again; when no retry is left, its parent fails, unless it is [`not_critical`](Self::not_critical). The guide
/// explains [groups](crate::guide::groups).
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use taskvisor::{Group, SupervisorConfig, TaskContext, TaskFn, TaskSpec, Tree};
///
/// let task = |name: &str| {
///     TaskSpec::inherit(TaskFn::arc(name, |ctx: TaskContext| async move {
///         ctx.cancelled().await;
///         Ok(())
///     }))
/// };
/// let store = Group::rest_for_one("store")
///     .with_limit(5, Duration::from_secs(60))
///     .task(task("pool"))
///     .task(task("cache"));
/// let tree = Tree::builder(SupervisorConfig::default())
///     .group(store)
///     .task(task("serve").with_after(["store"]).critical())
///     .build();
/// assert_eq!(tree.group("store").child("pool").path(), "store/pool");
/// ```
#[derive(Debug, Clone)]
#[must_use = "a group does nothing until it is part of a tree"]
pub struct Group {
    pub(super) name: Arc<str>,
    /// The options that need a driver, if any is set.
    pub(super) managed: Option<Managed>,
    pub(super) dynamic: Dynamic,
    pub(super) max_concurrent: Option<GroupLimit>,
    /// The options of the group as a child; they are those of a task.
    pub(super) overrides: Overrides,
    pub(super) after: Vec<Arc<str>>,
    pub(super) children: Vec<ChildSpec>,
    /// The function that makes the children at each start.
    pub(super) fresh: Option<Maker>,
    /// The depth of nested groups, this one included.
    pub(super) depth: u32,
}

/// The options of a group that need a driver. It also refers to the driver, so that a program without these options is
/// linked without it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Managed {
    pub(crate) strategy: Strategy,
    pub(crate) limit: Option<(u32, Duration)>,
    pub(crate) max_starting: Option<usize>,
    driven: Driven,
}

impl Managed {
    fn new() -> Self {
        Self { strategy: Strategy::OneForOne, limit: None, max_starting: None, driven: Driven::here() }
    }

    /// Returns the driver if an option is set.
    pub(super) fn driven(&self) -> Option<Driven> {
        let is_set = self.strategy != Strategy::OneForOne || self.limit.is_some() || self.max_starting.is_some();
        is_set.then_some(self.driven)
    }

    /// Returns the options, to set one of them.
    pub(super) fn of(managed: &mut Option<Self>) -> &mut Self {
        managed.get_or_insert_with(Self::new)
    }
}

/// A declared child of a group. A nested group is already in its shared form, so that no walk recurses.
#[derive(Debug, Clone)]
pub(crate) enum ChildSpec {
    Task(TaskSpec),
    Group(Arc<Declared>, Driven),
}

impl Group {
    /// Declares a group of this name and strategy: critical, restarted on failure, without a limit.
    pub fn new(name: impl Into<Arc<str>>, strategy: Strategy) -> Self {
        let mut group = Self::one_for_one(name);
        group.set_strategy(strategy);
        group
    }

    /// Sets the strategy.
    #[inline]
    pub(super) fn set_strategy(&mut self, strategy: Strategy) {
        if strategy != Strategy::OneForOne || self.managed.is_some() {
            Managed::of(&mut self.managed).strategy = strategy;
        }
    }

    /// Declares a group in which each child restarts alone.
    pub fn one_for_one(name: impl Into<Arc<str>>) -> Self {
        let (restart, critical) = (Some(RestartPolicy::OnFailure), Some(Critical::Failure));
        let overrides = Overrides { restart, critical, ..Overrides::NONE };
        Self {
            name: name.into(),
            managed: None,
            dynamic: Dynamic::Keep,
            max_concurrent: None,
            overrides,
            after: Vec::new(),
            children: Vec::new(),
            fresh: None,
            depth: 1,
        }
    }

    /// Declares a group in which all children restart when one fails.
    pub fn one_for_all(name: impl Into<Arc<str>>) -> Self {
        Self::new(name, Strategy::OneForAll)
    }

    /// Declares a group in which the children declared after a failed child restart with it. Its children start one
    /// after another.
    pub fn rest_for_one(name: impl Into<Arc<str>>) -> Self {
        Self::new(name, Strategy::RestForOne)
    }

    /// Replaces the name, which identifies the group among its siblings. Use it for a group that a function returns.
    pub fn with_name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Limits the failures in the group to `max_restarts` within any span of `within`. One more failure stops the
    /// group, and the group fails. A restart of several siblings counts once, by the failure
    /// that caused it; a sibling that fails before that counts as well. When the group starts again, the count is
    /// zero. `within` must not be zero. Default: no limit.
    pub fn with_limit(mut self, max_restarts: u32, within: Duration) -> Self {
        Managed::of(&mut self.managed).limit = Some((max_restarts, within));
        self
    }

    /// Sets whether added tasks are kept when the group restarts. Default: [`Dynamic::Keep`].
    pub fn with_dynamic(mut self, dynamic: Dynamic) -> Self {
        self.dynamic = dynamic;
        self
    }

    /// Limits the number of tasks in the group, nested groups included, that are between the beginning of an attempt
    /// and its [readiness](crate::Ready). Further attempts wait in the order in which they became due, in the state
    /// [`Pending`](crate::TaskState::Pending); the wait does not count for their `start_timeout`. Those that become due
    /// together, as all do when the group starts, are in no order: [`TaskSpec::with_after`] states one. It applies to each
    /// attempt, so also after a failure and after a restart of the group. A task that is ready when its attempt begins
    /// holds no place, and neither does one that waits for a permit of `max_concurrent` or of a named limit: it takes its
    /// permits first. A task needs a place in each group around it that has a limit. `max_starting` must not be zero.
    /// Default: no limit.
    pub fn with_max_starting(mut self, max_starting: usize) -> Self {
        Managed::of(&mut self.managed).max_starting = Some(max_starting);
        self
    }

    /// Limits the attempts that run at once in the group and in its nested groups, at least 1. An attempt that begins
    /// needs this permit before those of the groups around, of [limits with names](Self::with_named_limit) and of the
    /// supervisor's [`max_concurrent`](crate::SupervisorConfig::max_concurrent). It waits for each in turn, first come,
    /// first served. Default: no limit.
    ///
    /// # Examples
    /// ```
    /// use taskvisor::{Group, SupervisorConfig, TaskContext, TaskFn, Tree};
    ///
    /// let import = |name: &str| TaskFn::arc(name, |_: TaskContext| async { Ok(()) });
    /// let imports = Group::one_for_one("imports").with_max_concurrent(2).tasks(["a", "b", "c"].map(import));
    /// let tree = Tree::builder(SupervisorConfig::default()).group(imports).build();
    /// assert_eq!(tree.group("imports").path(), "imports");
    /// ```
    pub fn with_max_concurrent(mut self, max_concurrent: usize) -> Self {
        self.max_concurrent = Some(GroupLimit::by(max_concurrent));
        self
    }

    /// Makes each attempt in the group, and in its nested groups, need a permit of the limit of that name, which
    /// [`TreeBuilder::with_named_limit`](crate::TreeBuilder::with_named_limit) declares. A task needs one permit of a
    /// limit, also where the task and groups around it name it. Default: none.
    pub fn with_named_limit(self, name: impl Into<Arc<str>>) -> Self {
        let name = name.into();
        self.set(|set| set.named_limit = Some(Some(name)))
    }

    /// Runs the group in one replica of the [fleet](crate::guide::fleets) at a time, under one lease whose key is its
    /// path. In the others its children stand by. When the lease is lost, the group stops in its order and is registered
    /// again; that is no failure. A group around it or in it must not be a singleton as well.
    #[cfg(feature = "fleet")]
    pub fn with_singleton(self) -> Self {
        self.set_singleton(|singleton| singleton.key = None)
    }

    /// Runs the group in every replica: undoes [`with_singleton`](Self::with_singleton), and its options.
    #[cfg(feature = "fleet")]
    pub fn without_singleton(self) -> Self {
        self.set(|set| set.singleton = None)
    }

    /// Makes the group a [singleton](Self::with_singleton) whose lease has this key. Default: its path.
    #[cfg(feature = "fleet")]
    pub fn with_singleton_key(self, key: impl Into<Arc<str>>) -> Self {
        let key = key.into();
        self.set_singleton(|singleton| singleton.key = Some(key))
    }

    /// Makes the group a [singleton](Self::with_singleton), and sets whether its children count as ready while it stands
    /// by. Default: [`Standby::Ready`].
    #[cfg(feature = "fleet")]
    pub fn with_standby(self, standby: Standby) -> Self {
        self.set_singleton(|singleton| singleton.standby = standby)
    }

    /// Makes the group a [singleton](Self::with_singleton), and sets the response if its work still runs at the end of
    /// its lease. Default: [`Overrun::Report`].
    #[cfg(feature = "fleet")]
    pub fn with_overrun(self, overrun: Overrun) -> Self {
        self.set_singleton(|singleton| singleton.overrun = overrun)
    }

    #[cfg(feature = "fleet")]
    fn set_singleton(self, change: impl FnOnce(&mut Singleton)) -> Self {
        self.set(|set| change(set.singleton_mut()))
    }

    /// Adds a task.
    pub fn task(mut self, task: impl IntoTaskSpec) -> Self {
        self.children.push(ChildSpec::Task(task.into_task_spec()));
        self
    }

    /// Adds tasks.
    pub fn tasks(mut self, tasks: impl IntoIterator<Item = impl IntoTaskSpec>) -> Self {
        self.children.extend(tasks.into_iter().map(|task| ChildSpec::Task(task.into_task_spec())));
        self
    }

    /// Adds a group.
    pub fn group(mut self, group: Self) -> Self {
        self.depth = self.depth.max(group.depth.saturating_add(1));
        self.children.push(ChildSpec::Group(Arc::new(Declared::new(group)), Driven::here()));
        self
    }

    /// Makes the children anew at each start of the group, with this function: at the first start, and at each restart
    /// of the group. So a restart replaces the values that the children share, such as a poisoned mutex, a broken pool
    /// or a closed channel: create them in the function, and give each child a clone. The group has no declared
    /// children then; tasks can be added to it at run time. A second call replaces the function.
    ///
    /// A child that restarts alone or with its siblings keeps the values of this run. So give the group a
    /// [limit](Self::with_limit): with `with_limit(0, ..)`, each failure in it makes the children anew.
    ///
    /// The tasks of the previous run have ended, and their fields are dropped, before the function is called again. The
    /// children can be [`after`](crate::TaskSpec::with_after) those before them in the list. Without children the group
    /// runs until it is stopped. A child that is [restarted](crate::ChildHandle::restart) by itself is the one of the
    /// current run. The children are not known before the start: a [`TreeSnapshot`](crate::TreeSnapshot) has them from
    /// then on, and [`Health`](crate::Health) reports the group as [`Making`](crate::Problem::Making) while the future
    /// runs.
    ///
    /// # Errors
    /// The start of the group has failed if the function returns an error or panics, if its future exceeds the
    /// [start timeout](Self::with_start_timeout), and if a child that it makes is refused: an invalid option, two equal
    /// names, the name of an added task. It is a failure of the group like any other: it is retried after the backoff of
    /// the group, it counts for [`max_retries`](Self::with_max_retries), and a [fatal](crate::TaskError::Fatal) error is
    /// not retried. The error is the source of the [`FailureChain`](crate::FailureChain).
    ///
    /// Declared children beside the function are an [`InvalidOption`](crate::RuntimeError::InvalidOption) at the start
    /// of the tree.
    ///
    /// # Cancel safety
    /// The future is dropped when the group stops, is held or restarted, and when the start timeout is over. It must
    /// not block its thread: the group handles nothing until it returns. It must not wait for the readiness of its own
    /// tree, which waits for the group.
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), taskvisor::RuntimeError> {
    /// use std::io;
    /// use std::sync::{Arc, Mutex};
    /// use taskvisor::{Group, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskSpec, Tree};
    ///
    /// async fn make() -> io::Result<Vec<TaskSpec>> {
    ///     let shared = Arc::new(Mutex::new(0));
    ///     let task = |name: &str| {
    ///         let shared = Arc::clone(&shared);
    ///         TaskSpec::inherit(TaskFn::arc(name, move |ctx: TaskContext| {
    ///             let shared = Arc::clone(&shared);
    ///             async move {
    ///                 *shared.lock().map_err(|_| TaskError::Fail { reason: "poisoned".into() })? += 1;
    ///                 ctx.cancelled().await;
    ///                 Ok(())
    ///             }
    ///         }))
    ///     };
    ///     Ok(vec![task("reader"), task("writer")])
    /// }
    ///
    /// let store = Group::one_for_all("store").fresh(make);
    /// let tree = Tree::builder(SupervisorConfig::default()).group(store).build();
    /// tree.start().await?;
    /// tree.wait_ready().await;
    /// let first = tree.group("store").child("reader").current().expect("it was made");
    ///
    /// // The group makes new children, which share a new mutex.
    /// tree.group("store").restart_and_wait().await;
    /// let again = tree.group("store").child("reader").current().expect("it was made again");
    /// assert_ne!(first.id(), again.id());
    /// # tree.shutdown().await
    /// # }
    /// ```
    pub fn fresh<F, Specs, E>(mut self, make: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Specs, E>> + Send + 'static,
        Specs: IntoIterator<Item: IntoTaskSpec>,
        E: IntoTaskError,
    {
        self.fresh = Some(Maker::new(make));
        self
    }

    fn set(mut self, set: impl FnOnce(&mut Overrides)) -> Self {
        set(&mut self.overrides);
        self
    }
}

/// The name at the end of a path.
pub(crate) fn last_segment(path: &str) -> &str {
    // Names are short, so that a search byte by byte is faster than one by words.
    path.bytes().rposition(|byte| byte == b'/').map_or(path, |slash| &path[slash + 1..])
}

pub(crate) fn check_name(subject: &str, name: &str) -> Result<(), InvalidOption> {
    let expected = match name {
        "" => "a name that is not empty",
        name if name.bytes().any(|byte| byte == b'/') => "a name without `/`, which parts a path",
        _ => return Ok(()),
    };
    Err(InvalidOption {
        subject: subject.into(),
        option: "name",
        value: format!("{name:?}"),
        expected: expected.into(),
    })
}

/// Joins the path of a group and the name of a child.
pub(crate) fn join(path: &str, name: &str) -> Arc<str> {
    if path.is_empty() { name.into() } else { [path, "/", name].concat().into() }
}
