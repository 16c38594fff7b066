//! A supervisor with the tasks that it was declared with.

use std::fmt;
use std::future::{Future, pending};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::child::ChildHandle;
use crate::config::SupervisorConfig;
use crate::engine::Shutdown;
use crate::events::{IntoSubscriber, Subscribe};
use crate::runtime_error::RuntimeError;
use crate::spec::TaskSpec;
use crate::supervisor::{Supervisor, exit};

/// A declared tree: what `supervise!` returns, and what its builder builds.
///
/// Nothing runs until [`start`](Self::start) or [`run`](Self::run). The tree owns its supervisor: when both it and every
/// `Arc` of the supervisor are dropped, every task is told to stop.
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
///     let tree = Tree::builder(config).name("app").task(TaskSpec::inherit(task)).build();
///     tree.run().await
/// }
/// ```
#[must_use = "a tree stops its tasks when it is dropped"]
pub struct Tree {
    name: Arc<str>,
    supervisor: Arc<Supervisor>,
    specs: Vec<TaskSpec>,
    started: AtomicBool,
}

impl Tree {
    /// Declares a tree.
    pub fn builder(config: SupervisorConfig) -> TreeBuilder {
        TreeBuilder { name: "root".into(), config, subscribers: Vec::new(), specs: Vec::new() }
    }

    /// The tree's name. Default: `root`.
    pub fn name(&self) -> &str {
        &self.name
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

    /// Starts the declared tasks, and returns. Once it has succeeded, further calls do nothing.
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
        if self.started.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let result = self.supervisor.core().add_batch(self.specs.clone());
        if result.is_err() {
            self.started.store(false, Ordering::Release);
        }
        result
    }

    /// [Starts](Self::start) the tree and waits until every registration has ended or a shutdown is over, as
    /// [`Supervisor::run`] does.
    ///
    /// # Errors
    /// Those of [`Supervisor::run`].
    ///
    /// # Cancel safety
    /// Dropping the future requests a shutdown.
    pub async fn run(&self) -> Result<(), RuntimeError> {
        let signals = self.supervisor.core().config.signals;
        self.run_with(signals, pending()).await
    }

    /// As [`run`](Self::run), but listens to `future` instead of signals: when it is done, a shutdown is requested.
    ///
    /// # Errors
    /// Those of [`Supervisor::run`].
    ///
    /// # Cancel safety
    /// Dropping the future requests a shutdown.
    pub async fn run_until(&self, future: impl Future<Output = ()>) -> Result<(), RuntimeError> {
        self.run_with(false, future).await
    }

    async fn run_with(&self, signals: bool, until: impl Future<Output = ()>) -> Result<(), RuntimeError> {
        let running = self.supervisor.core().claim(signals)?.start_with(|_| self.start_once())?;
        running.wait(self.specs.is_empty(), until).await
    }

    /// As [`run`](Self::run), and ends the process: with status 0, or with status 1 and the error on standard error.
    pub async fn run_to_exit(&self) -> ! {
        exit(self.run().await)
    }

    /// Requests a shutdown; see [`SupervisorHandle::shutdown`](crate::SupervisorHandle::shutdown).
    pub fn shutdown(&self) -> Shutdown {
        self.supervisor.shutdown()
    }

    /// Waits until an attempt of each declared task has begun, or the supervisor has stopped.
    pub async fn wait_ready(&self) {
        self.supervisor.wait_ready().await;
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.specs.iter().map(TaskSpec::name).collect();
        f.debug_struct("Tree").field("name", &self.name).field("tasks", &names).finish_non_exhaustive()
    }
}

/// Declares a [`Tree`].
#[must_use = "nothing is built yet"]
pub struct TreeBuilder {
    name: Arc<str>,
    config: SupervisorConfig,
    subscribers: Vec<Arc<dyn Subscribe>>,
    specs: Vec<TaskSpec>,
}

impl TreeBuilder {
    /// Names the tree.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Adds a subscriber, by value or shared.
    pub fn subscriber(mut self, subscriber: impl IntoSubscriber) -> Self {
        self.subscribers.push(subscriber.into_subscriber());
        self
    }

    /// Adds a task.
    pub fn task(mut self, task: impl Into<TaskSpec>) -> Self {
        self.specs.push(task.into());
        self
    }

    /// Adds tasks.
    pub fn tasks(mut self, tasks: impl IntoIterator<Item = impl Into<TaskSpec>>) -> Self {
        self.specs.extend(tasks.into_iter().map(Into::into));
        self
    }

    /// The tree. What is invalid in it is the error of [`Tree::start`].
    pub fn build(self) -> Tree {
        let supervisor = Supervisor::new(self.config, self.subscribers);
        Tree { name: self.name, supervisor, specs: self.specs, started: AtomicBool::new(false) }
    }
}

impl fmt::Debug for TreeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TreeBuilder").field("name", &self.name).field("config", &self.config).finish_non_exhaustive()
    }
}
