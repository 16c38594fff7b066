//! A supervisor with the tasks that it was declared with.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::child_handle::ChildHandle;
use super::declaration::Declared;
use super::group::Group;
use super::group_handle::GroupHandle;
use super::strategy::Strategy;
use crate::events::IntoSubscriber;
use crate::inspect::{Health, TreeSnapshot};
use crate::runtime::{Running, Shutdown};
#[cfg(feature = "controller")]
use crate::slots::{ControllerConfig, SlotHandle, SlotSpec};
use crate::supervisor::{RuntimeError, Supervisor, SupervisorBuilder, SupervisorConfig, exit};
use crate::task::IntoTaskSpec;

/// A declared tree: what `supervise!` returns, and what its builder builds.
///
/// Nothing runs until [`start`](Self::start) or [`run`](Self::run). The tree owns its supervisor: when both it and
/// every `Arc` of the supervisor are dropped, every task is told to stop.
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
}

impl Tree {
    /// Declares a tree.
    pub fn builder(config: SupervisorConfig) -> TreeBuilder {
        TreeBuilder { supervisor: Supervisor::builder(config), root: Group::one_for_one("root") }
    }

    /// The tree's name. Default: `root`.
    pub fn name(&self) -> &str {
        &self.root.name
    }

    /// The supervisor that runs the tree.
    pub fn supervisor(&self) -> &Arc<Supervisor> {
        &self.supervisor
    }

    /// The place of that path in the tree, whether a task is there or not.
    #[must_use]
    pub fn child(&self, path: &str) -> ChildHandle {
        ChildHandle::new(path.into(), Arc::clone(self.supervisor.core()))
    }

    /// The group of that path in the tree, whether it is there or not. The empty path is that of the root.
    #[must_use]
    pub fn group(&self, path: &str) -> GroupHandle {
        GroupHandle::new(path.into(), Arc::clone(self.supervisor.core()))
    }

    /// The slot of that name, whether it was declared or not.
    #[cfg(feature = "controller")]
    #[must_use]
    pub fn slot(&self, name: &str) -> SlotHandle {
        self.supervisor.slot(name)
    }

    /// Whether the tree is live and ready, and who is not.
    #[must_use]
    pub fn health(&self) -> Health {
        self.supervisor.health()
    }

    /// The tree as it is now, with the tasks that were added to it.
    #[must_use]
    pub fn snapshot(&self) -> TreeSnapshot {
        self.supervisor.core().snapshot(&self.root)
    }

    /// Starts the declared tasks, and returns. Once it has succeeded, further calls do nothing and return `Ok`, also
    /// when the tasks have ended since: a tree starts once.
    ///
    /// # Errors
    /// Before anything has started: [`InvalidOption`](RuntimeError::InvalidOption),
    /// [`TaskAlreadyExists`](RuntimeError::TaskAlreadyExists), [`ShuttingDown`](RuntimeError::ShuttingDown),
    /// [`NoRuntime`](RuntimeError::NoRuntime).
    ///
    /// # Cancel safety
    /// It is done in one step when first polled.
    #[expect(clippy::unused_async, reason = "it may come to wait")]
    pub async fn start(&self) -> Result<(), RuntimeError> {
        self.start_once()
    }

    fn start_once(&self) -> Result<(), RuntimeError> {
        self.supervisor.core().add_tree(&self.root, Some(&self.started))
    }

    /// [Starts](Self::start) the tree and waits until every registration has ended or a shutdown is over, as
    /// [`Supervisor::run`] does. Once the declared tasks have ended by themselves, a further call runs none of them: it
    /// waits for what was added since, and returns `Ok` at once if that is nothing.
    ///
    /// # Errors
    /// Those of [`Supervisor::run`].
    ///
    /// # Cancel safety
    /// Dropping the future requests a shutdown.
    pub async fn run(&self) -> Result<(), RuntimeError> {
        let signals = self.supervisor.core().config.signals;
        self.claim(signals)?.wait(self.root.children.is_empty()).await
    }

    /// As [`run`](Self::run), but listens to `future` instead of signals: when it is done, a shutdown is requested.
    ///
    /// # Errors
    /// Those of [`Supervisor::run`].
    ///
    /// # Cancel safety
    /// Dropping the future requests a shutdown.
    pub async fn run_until(&self, future: impl Future<Output = ()>) -> Result<(), RuntimeError> {
        self.claim(false)?.wait_until(self.root.children.is_empty(), future).await
    }

    fn claim(&self, signals: bool) -> Result<Running, RuntimeError> {
        self.supervisor.core().claim(signals)?.start_with(|_| self.start_once())
    }

    /// As [`run`](Self::run), and ends the process: with status 0, or with status 1 and the error on standard error.
    ///
    /// # Cancel safety
    /// Dropping the future requests a shutdown, and does not end the process.
    pub async fn run_to_exit(&self) -> ! {
        exit(self.run().await)
    }

    /// Requests a shutdown; see [`SupervisorHandle::shutdown`](crate::SupervisorHandle::shutdown).
    ///
    /// # Errors
    /// As [`SupervisorHandle::shutdown`](crate::SupervisorHandle::shutdown).
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

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree")
            .field("config", &self.supervisor.core().config)
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

/// Declares a [`Tree`].
#[must_use = "nothing is built yet"]
pub struct TreeBuilder {
    supervisor: SupervisorBuilder,
    root: Group,
}

impl TreeBuilder {
    /// Names the tree.
    pub fn with_name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.root.name = name.into();
        self
    }

    /// Adds a subscriber, by value or shared.
    pub fn with_subscriber(mut self, subscriber: impl IntoSubscriber) -> Self {
        self.supervisor = self.supervisor.with_subscribers(vec![subscriber.into_subscriber()]);
        self
    }

    /// Sets how many submissions may wait in slots. Default: [`ControllerConfig::default`].
    #[cfg(feature = "controller")]
    pub fn with_controller(mut self, config: ControllerConfig) -> Self {
        self.supervisor = self.supervisor.with_controller(config);
        self
    }

    /// Declares a slot. [`run`](Tree::run) stays until a shutdown then, as more may be submitted to it.
    #[cfg(feature = "controller")]
    pub fn with_slot(mut self, slot: SlotSpec) -> Self {
        self.supervisor = self.supervisor.with_slot(slot);
        self
    }

    /// Adds a task.
    pub fn task(mut self, task: impl IntoTaskSpec) -> Self {
        self.root.add_task(task.into_task_spec());
        self
    }

    /// Sets who is restarted when a child of the root fails. Default: only that child.
    pub fn with_strategy(mut self, strategy: Strategy) -> Self {
        self.root.strategy = strategy;
        self
    }

    /// Limits the failures in the root; see [`Group::with_limit`].
    pub fn with_limit(mut self, max_restarts: u32, within: Duration) -> Self {
        self.root.set_limit(max_restarts, within);
        self
    }

    /// Adds a group.
    pub fn group(mut self, group: Group) -> Self {
        self.root.add_group(group);
        self
    }

    /// Adds tasks.
    pub fn tasks(mut self, tasks: impl IntoIterator<Item = impl IntoTaskSpec>) -> Self {
        tasks.into_iter().for_each(|task| self.root.add_task(task.into_task_spec()));
        self
    }

    /// The tree, unless something in it is invalid.
    ///
    /// # Errors
    /// [`InvalidOption`](RuntimeError::InvalidOption), [`TaskAlreadyExists`](RuntimeError::TaskAlreadyExists).
    pub fn try_build(self) -> Result<Tree, RuntimeError> {
        let tree = self.build();
        tree.supervisor.core().check_tree(&tree.root)?;
        Ok(tree)
    }

    /// The tree. What is invalid in it is the error of [`Tree::start`].
    pub fn build(self) -> Tree {
        let supervisor = self.supervisor.build();
        supervisor.core().keep_places();
        Tree { supervisor, root: Arc::new(Declared::new(self.root)), started: AtomicBool::new(false) }
    }
}

impl fmt::Debug for TreeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TreeBuilder")
            .field("supervisor", &self.supervisor)
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}
