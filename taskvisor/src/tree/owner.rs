//! `Tree`, a supervisor with its declared tasks, and its builder.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::child_handle::ChildHandle;
use super::declaration::Declared;
use super::group::Group;
use super::group_handle::GroupHandle;
use super::strategy::Strategy;
use crate::events::IntoSubscriber;
#[cfg(feature = "fleet")]
use crate::fleet::Fleet;
use crate::inspect::{Health, TreeSnapshot};
use crate::runtime::{Parts, Running, Shutdown};
use crate::settings::{Overridden, Overrides, Settings, Sheet};
#[cfg(feature = "controller")]
use crate::slots::{ControllerConfig, SlotHandle, SlotSpec};
use crate::supervisor::{RuntimeError, Supervisor, SupervisorBuilder, SupervisorConfig};
use crate::task::IntoTaskSpec;

/// A declared tree. `supervise!` and [`Tree::builder`] create it.
///
/// Nothing runs until [`start`](Self::start) or [`run`](Self::run). The tree owns its supervisor: when the tree and
/// every `Arc` of the supervisor are dropped, every task is requested to stop.
///
/// `supervise!` gives typed handles of the tasks and groups: a wrong name does not compile. With the builder,
/// [`child`](Self::child) and [`group`](Self::group) look them up by path. `#[supervisor]` gives the type of a tree a
/// name, for a field or another module.
///
/// The guide begins with [a first service](crate::guide::first_service). It explains [groups](crate::guide::groups) and
/// [stopping](crate::guide::stopping).
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use taskvisor::{SupervisorConfig, TaskContext, TaskFn, TaskSpec, Tree};
///
/// #[tokio::main]
/// async fn main() -> Result<(), taskvisor::RuntimeError> {
///     let task = TaskFn::arc("migrate", |_: TaskContext| async { Ok(()) });
///     let config = SupervisorConfig { grace: Duration::from_secs(10), ..SupervisorConfig::default() };
///     let tree = Tree::builder(config).with_name("app").task(TaskSpec::inherit(task)).build();
///     tree.run().await
/// }
/// ```
#[must_use = "a tree stops its tasks when it is dropped"]
pub struct Tree {
    supervisor: Arc<Supervisor>,
    pub(crate) root: Arc<Declared>,
    started: AtomicBool,
    /// The overrides of the build.
    overridden: Option<Box<Overridden>>,
}

impl Tree {
    /// Returns a builder of a tree.
    #[inline]
    pub fn builder(config: SupervisorConfig) -> TreeBuilder {
        TreeBuilder { supervisor: Supervisor::builder(config), root: Group::one_for_one("root"), overrides: None }
    }

    /// Returns the name of the tree. Default: `root`.
    pub fn name(&self) -> &str {
        &self.root.name
    }

    /// Returns the supervisor that runs the tree.
    pub fn supervisor(&self) -> &Arc<Supervisor> {
        &self.supervisor
    }

    /// Returns a handle of the place at `path`. The place need not have a task.
    #[doc(alias = "cancel")]
    pub fn child(&self, path: &str) -> ChildHandle {
        ChildHandle::new(path.into(), Arc::clone(&self.supervisor.core))
    }

    /// Returns a handle of the group at `path`. The group need not exist. The empty path is the root.
    pub fn group(&self, path: &str) -> GroupHandle {
        GroupHandle::new(path.into(), Arc::clone(&self.supervisor.core))
    }

    /// Returns the slot of that name. The slot need not be declared.
    #[cfg(feature = "controller")]
    pub fn slot(&self, name: &str) -> SlotHandle {
        self.supervisor.slot(name)
    }

    /// Returns the health of the tree: whether it is live and ready, and the tasks that are not.
    pub fn health(&self) -> Health {
        self.supervisor.health()
    }

    /// Returns a snapshot of the tree, with the tasks that were added at run time.
    pub fn snapshot(&self) -> TreeSnapshot {
        self.supervisor.core.snapshot(&self.root)
    }

    /// Returns the settings of the tree: each option that [`Overrides`] can change, with its value, and where the value
    /// comes from.
    ///
    /// The list is made on each call. A tree that was built with overrides keeps the data for it as long as it lives.
    /// If the overrides are invalid, it lists the tree without them, and the [errors](Settings::invalid). Without
    /// overrides, the spec of a started task is dropped, so each of its options that differs from the config is listed
    /// as set by the program.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use taskvisor::{Origin, SupervisorConfig, Tree};
    ///
    /// let config = SupervisorConfig { grace: Duration::from_secs(30), ..SupervisorConfig::default() };
    /// let settings = Tree::builder(config).build().settings();
    ///
    /// let grace = settings.get("grace").expect("a tree has a grace");
    /// assert_eq!((grace.value(), grace.origin()), ("30s", &Origin::Config));
    /// println!("{settings}");
    /// ```
    pub fn settings(&self) -> Settings {
        if let Some(overridden) = &self.overridden {
            return overridden.settings();
        }
        let core = &self.supervisor.core;
        let started = |path: &str| core.place(path).map(|cell| Arc::clone(cell.policy()));
        Overridden::none(Sheet::new(core.of_settings(), &self.root, started)).settings()
    }

    /// Starts the declared tasks, and returns. After a successful start, further calls do nothing and return `Ok`,
    /// even if the tasks have ended since.
    ///
    /// From now on SIGINT and SIGTERM request a shutdown, as during [`run`](Self::run), unless
    /// [`signals`](SupervisorConfig::signals) is [`Signals::NONE`](crate::Signals::NONE). So a signal during
    /// [`wait_ready`](Self::wait_ready) stops the tree: `wait_ready` returns, and a `run` after it gives the result.
    ///
    /// # Errors
    /// Before anything has started: [`InvalidOption`](RuntimeError::InvalidOption),
    /// [`InvalidOverrides`](RuntimeError::InvalidOverrides),
    /// [`TaskAlreadyExists`](RuntimeError::TaskAlreadyExists),
    /// [`GroupAlreadyExists`](RuntimeError::GroupAlreadyExists), [`ShuttingDown`](RuntimeError::ShuttingDown),
    /// [`NoRuntime`](RuntimeError::NoRuntime), [`Signals`](RuntimeError::Signals).
    ///
    /// # Cancel safety
    /// The call takes effect when it is first polled, and never waits.
    #[expect(clippy::unused_async, reason = "it may come to wait")]
    pub async fn start(&self) -> Result<(), RuntimeError> {
        let core = &self.supervisor.core;
        let start = || core.add_tree(&self.root, &self.started);
        if self.started.load(Ordering::Acquire) { start() } else { core.start_listening(start) }
    }

    /// [Starts](Self::start) the tree and waits until every registration has ended or a shutdown is over, as
    /// [`Supervisor::run`] does. It can follow [`start`](Self::start), and then only waits. A tree starts once: after
    /// its tasks have ended, a further call waits only for tasks that were added since, and returns `Ok` at once if
    /// there are none. After the tree has failed, or a signal, a significant task or the [`shutdown`](Self::shutdown) of a
    /// task has stopped it, also between `start` and this call, it returns the result of that; after a `shutdown` from
    /// elsewhere, which has the result, [`ShuttingDown`](RuntimeError::ShuttingDown). A tree without tasks, and one with
    /// declared slots, runs until a shutdown.
    ///
    /// # Errors
    /// The errors of [`Supervisor::run`].
    ///
    /// # Cancel safety
    /// Dropping the future requests a shutdown.
    pub async fn run(&self) -> Result<(), RuntimeError> {
        let signals = self.supervisor.core.config.signals.listen;
        self.claim(signals)?.wait(self.root.children.is_empty()).await
    }

    /// Like [`run`](Self::run), but requests a shutdown when `future` completes, and listens to no signals. The guide
    /// shows how to run until a condition [or a signal](crate::guide::stopping#signals-and-run_until).
    ///
    /// The future returns `()`, so that no result is lost. For one with a result, such as `tokio::signal::ctrl_c()`,
    /// write `async { ctrl_c().await.ok(); }`.
    ///
    /// # Errors
    /// The errors of [`Supervisor::run`].
    ///
    /// # Cancel safety
    /// Dropping the future requests a shutdown.
    // The compiler shows the comment beside the bound in its message for a future with a result.
    pub async fn run_until(
        &self,
        future: impl Future<Output = ()>, // to ignore its result: `run_until(async { ctrl_c().await.ok(); })`
    ) -> Result<(), RuntimeError> {
        self.claim(false)?.wait_until(self.root.children.is_empty(), future).await
    }

    fn claim(&self, signals: bool) -> Result<Running, RuntimeError> {
        let core = &self.supervisor.core;
        core.claim(signals, || core.add_tree(&self.root, &self.started))
    }

    /// Like [`run`](Self::run), and then ends the process: with status 0, or with the error on standard error and its
    /// [status](RuntimeError::exit_code). A thread makes sure that it ends; see
    /// [`Supervisor::run_to_exit`](crate::Supervisor::run_to_exit).
    ///
    /// # Cancel safety
    /// Dropping the future requests a shutdown. The process then goes on.
    pub async fn run_to_exit(&self) -> ! {
        let stays = self.root.children.is_empty();
        self.supervisor.core.run_to_exit(|signals| self.claim(signals), stays).await
    }

    /// Requests a shutdown; see [`SupervisorHandle::shutdown`](crate::SupervisorHandle::shutdown).
    ///
    /// # Errors
    /// The errors of [`SupervisorHandle::shutdown`](crate::SupervisorHandle::shutdown).
    pub fn shutdown(&self) -> Shutdown {
        self.supervisor.shutdown()
    }

    /// Waits until the tree is ready, or the supervisor has stopped; see
    /// [`SupervisorHandle::wait_ready`](crate::SupervisorHandle::wait_ready).
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn wait_ready(&self) {
        self.supervisor.wait_ready().await;
    }
}

impl_debug!(Tree, |tree| config: tree.supervisor.core.config, limits: tree.supervisor.core.limits, root: tree.root);

/// Builds a [`Tree`].
#[must_use = "nothing is built yet"]
pub struct TreeBuilder {
    supervisor: SupervisorBuilder,
    root: Group,
    /// The overrides, and the function that writes them: a program without overrides is linked without its code.
    overrides: Option<(Overrides, Override)>,
}

impl TreeBuilder {
    /// Sets the name of the tree.
    pub fn with_name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.root.name = name.into();
        self
    }

    /// Adds a subscriber, by value or shared.
    pub fn with_subscriber(self, subscriber: impl IntoSubscriber) -> Self {
        Self { supervisor: self.supervisor.with_subscribers(vec![subscriber.into_subscriber()]), ..self }
    }

    /// Declares a limit of that name: at most `max_concurrent` of the attempts that need it run at once, at least 1.
    /// Tasks need it by [`TaskSpec::with_named_limit`](crate::TaskSpec::with_named_limit), groups by
    /// [`Group::with_named_limit`](crate::Group::with_named_limit). Each name is declared once.
    ///
    /// An attempt gets its permits one after another, each first come, first served: those of the groups around its
    /// task from the inside, those of limits with names in the order of declaration, and that of
    /// [`max_concurrent`](SupervisorConfig::max_concurrent). It keeps those it has while it waits for the next, and gives
    /// all back when it has terminated. All attempts follow this order, so they do not wait for each other.
    ///
    /// # Examples
    /// ```
    /// # fn main() -> Result<(), taskvisor::RuntimeError> {
    /// use taskvisor::{SupervisorConfig, TaskContext, TaskFn, TaskSpec, Tree};
    ///
    /// let query = |name: &str| {
    ///     let task = TaskFn::arc(name, |_: TaskContext| async { Ok(()) });
    ///     TaskSpec::inherit(task).with_named_limit("db")
    /// };
    /// let tree = Tree::builder(SupervisorConfig::default())
    ///     .with_named_limit("db", 2)
    ///     .tasks(["a", "b", "c"].map(query))
    ///     .try_build()?;
    /// # drop(tree);
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_named_limit(self, name: impl Into<Arc<str>>, max_concurrent: usize) -> Self {
        Self { supervisor: self.supervisor.with_named_limit(name, max_concurrent), ..self }
    }

    /// Sets the fleet. Each [singleton](crate::TaskSpec::with_singleton) then runs in one of its replicas at a time.
    /// See [`Fleet`](crate::fleet::Fleet). Default: none, and a singleton is refused.
    #[cfg(feature = "fleet")]
    pub fn with_fleet(self, fleet: Fleet) -> Self {
        Self { supervisor: self.supervisor.with_fleet(fleet), ..self }
    }

    /// Sets the limits of waiting submissions. Default: [`ControllerConfig::default`].
    #[cfg(feature = "controller")]
    pub fn with_controller(self, config: ControllerConfig) -> Self {
        Self { supervisor: self.supervisor.with_controller(config), ..self }
    }

    /// Declares a slot. With a declared slot, [`run`](Tree::run) waits for a shutdown, because more tasks can be
    /// submitted.
    #[cfg(feature = "controller")]
    pub fn with_slot(self, slot: SlotSpec) -> Self {
        Self { supervisor: self.supervisor.with_slot(slot), ..self }
    }

    /// Adds a task.
    pub fn task(self, task: impl IntoTaskSpec) -> Self {
        Self { root: self.root.task(task), ..self }
    }

    /// Sets the restart strategy of the root. Default: [`Strategy::OneForOne`].
    pub fn with_strategy(mut self, strategy: Strategy) -> Self {
        self.root.set_strategy(strategy);
        self
    }

    /// Limits the failures in the root; see [`Group::with_limit`].
    pub fn with_limit(self, max_restarts: u32, within: Duration) -> Self {
        Self { root: self.root.with_limit(max_restarts, within), ..self }
    }

    /// Limits the number of tasks in the whole tree that are starting; see [`Group::with_max_starting`].
    pub fn with_max_starting(self, max_starting: usize) -> Self {
        Self { root: self.root.with_max_starting(max_starting), ..self }
    }

    /// Adds a group.
    pub fn group(self, group: Group) -> Self {
        Self { root: self.root.group(group), ..self }
    }

    /// Adds tasks.
    pub fn tasks(self, tasks: impl IntoIterator<Item = impl IntoTaskSpec>) -> Self {
        Self { root: self.root.tasks(tasks), ..self }
    }

    /// Overrides options of the tree, of its tasks, groups and slots: with values from files and variables, for one
    /// deployment. They replace the values of the config, the specs and the other setters. A second call adds overrides
    /// that replace those of the first.
    ///
    /// The names are those of declared tasks and groups. Tasks that are added at run time, those that a
    /// [`fresh`](Group::fresh) group makes, and submitted tasks are not overridden; they inherit the overridden options
    /// of the tree. An override of the tree, such as `timeout`, is a default for its tasks as that of the config is:
    /// the `timeout` of a task replaces it. Default: no overrides.
    ///
    /// # Errors
    /// If any is invalid, none has an effect, and [`try_build`](Self::try_build), [`Tree::start`], [`Tree::run`] and all
    /// commands return [`RuntimeError::InvalidOverrides`] with all of them.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use taskvisor::{Overrides, SupervisorConfig, TaskContext, TaskFn, TaskSpec, Tree};
    ///
    /// # fn main() -> Result<(), taskvisor::RuntimeError> {
    /// let poll = TaskFn::arc("poll", |_: TaskContext| async { Ok(()) });
    /// let tree = Tree::builder(SupervisorConfig::default())
    ///     .task(TaskSpec::inherit(poll).with_timeout(Duration::from_secs(5)))
    ///     .with_overrides(Overrides::env("APP"))
    ///     .try_build()?;
    /// # drop(tree);
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_overrides(mut self, overrides: impl Into<Overrides>) -> Self {
        let earlier = self.overrides.take().map(|(earlier, _)| earlier).unwrap_or_default();
        self.overrides = Some((earlier.then(overrides), override_all));
        self
    }

    /// Builds the tree and checks it.
    ///
    /// # Errors
    /// [`InvalidOption`](RuntimeError::InvalidOption), [`InvalidOverrides`](RuntimeError::InvalidOverrides),
    /// [`TaskAlreadyExists`](RuntimeError::TaskAlreadyExists),
    /// [`GroupAlreadyExists`](RuntimeError::GroupAlreadyExists).
    pub fn try_build(self) -> Result<Tree, RuntimeError> {
        let tree = self.build();
        tree.supervisor.core.check_tree(&tree.root)?;
        Ok(tree)
    }

    /// Builds the tree. If it is invalid, [`Tree::start`] returns the error.
    pub fn build(self) -> Tree {
        let Self { mut supervisor, root, overrides } = self;
        let mut root = Declared::new(root);
        let overridden = overrides.map(|(overrides, write)| write(&mut root, supervisor.parts_mut(), &overrides));
        let supervisor = supervisor.build();
        let root = Arc::new(root);
        supervisor.core.keep_places(&root);
        Tree { supervisor, root, started: AtomicBool::new(false), overridden }
    }
}

/// [`override_all`].
type Override = fn(&mut Declared, &mut Parts, &Overrides) -> Box<Overridden>;

/// Resolves the overrides, and writes them into the declaration if they are valid.
#[cold]
fn override_all(root: &mut Declared, parts: &mut Parts, overrides: &Overrides) -> Box<Overridden> {
    let sheet = Sheet::new(parts.of_settings(), root, |_| None);
    let (overridden, invalid) = Overridden::new(sheet, overrides);
    parts.invalid = invalid;
    overridden.write(root, parts);
    Box::new(overridden)
}

impl_debug!(TreeBuilder, |builder| supervisor: builder.supervisor, root: builder.root);
