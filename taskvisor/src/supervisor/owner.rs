//! The supervisor: owner, and handles that are none.

use std::fmt;
use std::future::Future;
use std::io::{self, Write as _};
use std::ops::Deref;
use std::process;
use std::sync::Arc;
use std::time::Duration;

use super::config::SupervisorConfig;
use super::error::RuntimeError;
use crate::events::{EventStream, Subscribe};
use crate::inspect::Health;
use crate::runtime::{Cell, Core, Parts, Running, Shutdown};
#[cfg(feature = "controller")]
use crate::slots::{ControllerConfig, ControllerError, ControllerSpec, SlotHandle, SlotSpec};
use crate::task::{IntoTaskSpec, TaskHandle, TaskSpec};
use crate::tree::{Declared, Group};

/// Runs tasks, restarts them by their policies, and stops them in good order.
///
/// A supervisor is live as soon as it is built: tasks can be added before, during and without
/// [`run`](Self::run). It derefs to a [`SupervisorHandle`], which has all calls but those of the owner. When the last
/// `Arc` of it is dropped, every task is told to stop.
///
/// # Examples
/// ```
/// use taskvisor::{Supervisor, SupervisorConfig, TaskContext, TaskFn, TaskSpec};
///
/// #[tokio::main]
/// async fn main() -> Result<(), taskvisor::RuntimeError> {
///     let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
///     let hello = TaskFn::arc("hello", |_: TaskContext| async {
///         println!("hello");
///         Ok(())
///     });
///     supervisor.run(vec![TaskSpec::inherit(hello)]).await
/// }
/// ```
pub struct Supervisor {
    handle: SupervisorHandle,
}

impl Supervisor {
    /// A supervisor with its config and subscribers. Needs no runtime. An invalid config is the error of the first use.
    #[must_use]
    pub fn new(config: SupervisorConfig, subscribers: Vec<Arc<dyn Subscribe>>) -> Arc<Self> {
        Self::builder(config).with_subscribers(subscribers).build()
    }

    /// Builds a supervisor step by step.
    #[must_use]
    pub fn builder(config: SupervisorConfig) -> SupervisorBuilder {
        SupervisorBuilder { parts: Parts { config, ..Parts::default() } }
    }

    /// A handle that does not keep the supervisor alive.
    #[must_use]
    pub fn handle(&self) -> SupervisorHandle {
        self.handle.clone()
    }

    /// Starts `specs` together and waits until every registration has ended, counting tasks that were added meanwhile,
    /// or until a shutdown is over. With no specs it waits for a shutdown. After a natural end the supervisor is still
    /// live and may run again.
    ///
    /// SIGINT and SIGTERM (Ctrl+C and Ctrl+Break on Windows) request a shutdown; a second one aborts what is left. This
    /// needs a runtime with IO enabled; see [`SupervisorConfig::signals`].
    ///
    /// Tokio keeps the handlers of these signals for the rest of the process. After a `run` that ended by itself,
    /// Ctrl+C does nothing unless the program listens to it: end with [`run_to_exit`](Self::run_to_exit), or listen
    /// with `tokio::signal::ctrl_c` where the program goes on, or set `signals` to `false` and request the shutdown
    /// from a listener of your own with [`run_until`](Self::run_until).
    ///
    /// # Errors
    /// Before anything has started: [`InvalidOption`](RuntimeError::InvalidOption),
    /// [`TaskAlreadyExists`](RuntimeError::TaskAlreadyExists), [`AlreadyRunning`](RuntimeError::AlreadyRunning),
    /// [`ShuttingDown`](RuntimeError::ShuttingDown), [`NoRuntime`](RuntimeError::NoRuntime),
    /// [`Signals`](RuntimeError::Signals). Afterwards: [`GraceExceeded`](RuntimeError::GraceExceeded),
    /// [`ShutdownForced`](RuntimeError::ShutdownForced).
    ///
    /// # Cancel safety
    /// Dropping the future requests a shutdown.
    pub async fn run(&self, specs: Vec<TaskSpec>) -> Result<(), RuntimeError> {
        let stays = specs.is_empty();
        self.claim(specs, self.core.config.signals)?.wait(stays).await
    }

    /// As [`run`](Self::run), but listens to `future` instead of signals: when it is done, a shutdown is requested.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    ///
    /// # Cancel safety
    /// Dropping the future requests a shutdown.
    pub async fn run_until(&self, specs: Vec<TaskSpec>, future: impl Future<Output = ()>) -> Result<(), RuntimeError> {
        let stays = specs.is_empty();
        self.claim(specs, false)?.wait_until(stays, future).await
    }

    fn claim(&self, specs: Vec<TaskSpec>, signals: bool) -> Result<Running, RuntimeError> {
        let root = Arc::new(Declared::new(Group::one_for_one("root").tasks(specs)));
        self.core.claim(signals)?.start_with(|core| core.add_tree(&root, None))
    }

    /// As [`run`](Self::run), and ends the process: with status 0, or with status 1 and the error on standard error.
    /// Does not wait for threads that a task blocks, as returning from `main` would.
    ///
    /// # Cancel safety
    /// Dropping the future requests a shutdown, and does not end the process.
    pub async fn run_to_exit(&self, specs: Vec<TaskSpec>) -> ! {
        exit(self.run(specs).await)
    }
}

pub(crate) fn exit(result: Result<(), RuntimeError>) -> ! {
    match result {
        Ok(()) => process::exit(0),
        Err(error) => {
            // A closed standard error is no reason to end otherwise.
            let _ = writeln!(io::stderr(), "Error: {error:#}");
            process::exit(1);
        }
    }
}

impl Deref for Supervisor {
    type Target = SupervisorHandle;

    fn deref(&self) -> &SupervisorHandle {
        &self.handle
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.handle.core.shut_down("the supervisor was dropped", Duration::ZERO);
        self.handle.core.forget_places();
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor").field("tasks", &self.names()).finish_non_exhaustive()
    }
}

/// Builds a [`Supervisor`].
pub struct SupervisorBuilder {
    parts: Parts,
}

impl SupervisorBuilder {
    /// Adds subscribers.
    #[must_use]
    pub fn with_subscribers(mut self, subscribers: Vec<Arc<dyn Subscribe>>) -> Self {
        self.parts.subscribers.extend(subscribers);
        self
    }

    /// Sets how many submissions may wait in slots. Default: [`ControllerConfig::default`].
    #[cfg(feature = "controller")]
    #[must_use]
    pub fn with_controller(mut self, config: ControllerConfig) -> Self {
        self.parts.controller.config = config;
        self
    }

    /// Declares a slot. [`run`](Supervisor::run) stays until a shutdown then, as more may be submitted to it.
    #[cfg(feature = "controller")]
    #[must_use]
    pub fn with_slot(mut self, slot: SlotSpec) -> Self {
        self.parts.controller.slots.push(slot);
        self
    }

    /// The supervisor. An invalid config is the error of the first use.
    #[must_use]
    pub fn build(self) -> Arc<Supervisor> {
        Arc::new(Supervisor { handle: SupervisorHandle::new(Core::shared(self.parts)) })
    }

    /// The supervisor, unless its config is invalid.
    ///
    /// # Errors
    /// [`InvalidOption`](RuntimeError::InvalidOption).
    pub fn try_build(self) -> Result<Arc<Supervisor>, RuntimeError> {
        let supervisor = self.build();
        supervisor.core.check()?;
        Ok(supervisor)
    }
}

impl fmt::Debug for SupervisorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SupervisorBuilder").field("config", &self.parts.config).finish_non_exhaustive()
    }
}

/// The calls of a supervisor, for those who do not own it: tasks, subscribers, other threads.
///
/// Clones are cheap. A handle does not keep the supervisor alive: once every owner is gone, its calls fail with
/// [`ShuttingDown`](RuntimeError::ShuttingDown).
#[derive(Clone)]
pub struct SupervisorHandle {
    core: Arc<Core>,
}

#[expect(clippy::unused_async, reason = "they may come to wait, and `await` is what the seed of this API says")]
impl SupervisorHandle {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    pub(crate) fn closed() -> Self {
        Self { core: Core::closed() }
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Registers a task and starts it. `Ok` means that it is registered and listed, not that an attempt has begun.
    ///
    /// # Errors
    /// [`TaskAlreadyExists`](RuntimeError::TaskAlreadyExists), which changes nothing for the task that has the name;
    /// [`InvalidOption`](RuntimeError::InvalidOption), [`ShuttingDown`](RuntimeError::ShuttingDown),
    /// [`NoRuntime`](RuntimeError::NoRuntime).
    ///
    /// # Cancel safety
    /// It is done in one step when first polled.
    pub async fn add_task(&self, spec: impl IntoTaskSpec) -> Result<TaskHandle, RuntimeError> {
        self.core.add(spec.into_task_spec()).map(TaskHandle::new)
    }

    /// Submits a task to its slot, which starts it at once if it is idle, and else does what the submission says. What
    /// comes of it is the handle's [outcome](crate::TaskOutcome): one that never runs is
    /// [`Rejected`](crate::TaskOutcome::Rejected), and says why. While it waits it is
    /// [`Queued`](crate::TaskState::Queued), and can be cancelled by its handle; its name is not registered before it
    /// starts.
    ///
    /// If it would have to wait in a queue, and as many do as the controller's
    /// [`queue_capacity`](ControllerConfig::queue_capacity) allows, it waits in line for a place, first come, first
    /// served, and in each slot in that order. Woken for its turn, it is to be polled: after 100 ms at the latest the
    /// next one has the turn instead, until it is polled again.
    ///
    /// During the drain of a shutdown, [declared](crate::SlotSpec) slots take submissions. After the drain, only those
    /// that stand in the [`after`](TaskSpec::with_after) of the task that submits do.
    ///
    /// # Errors
    /// [`InvalidOption`](ControllerError::InvalidOption), [`ShuttingDown`](ControllerError::ShuttingDown),
    /// [`NoRuntime`](ControllerError::NoRuntime).
    ///
    /// # Cancel safety
    /// Until it is done, nothing is submitted.
    #[cfg(feature = "controller")]
    pub async fn submit(&self, spec: ControllerSpec) -> Result<TaskHandle, ControllerError> {
        self.core.submit(spec).await.map(TaskHandle::new)
    }

    /// As [`submit`](Self::submit), but does not wait for room.
    ///
    /// # Errors
    /// [`Full`](ControllerError::Full), and those of [`submit`](Self::submit).
    #[cfg(feature = "controller")]
    pub fn try_submit(&self, spec: ControllerSpec) -> Result<TaskHandle, ControllerError> {
        self.core.try_submit(spec).map(TaskHandle::new)
    }

    /// The slot of that name, whether it was declared or not.
    #[cfg(feature = "controller")]
    #[must_use]
    pub fn slot(&self, name: &str) -> SlotHandle {
        SlotHandle::new(name, Arc::clone(&self.core))
    }

    /// Tells the task of that path to stop, and returns. If it has ended in failure, [`health`](Self::health) names it
    /// no longer.
    ///
    /// # Errors
    /// [`TaskNotFound`](RuntimeError::TaskNotFound), [`ShuttingDown`](RuntimeError::ShuttingDown) after a shutdown.
    ///
    /// # Cancel safety
    /// It is done in one step when first polled.
    pub async fn remove_task(&self, name: &str) -> Result<(), RuntimeError> {
        let Some(cell) = self.core.find(name)? else {
            self.core.forget_failure(name);
            return Err(RuntimeError::TaskNotFound { name: name.to_owned() });
        };
        cell.remove();
        Ok(())
    }

    /// Tells the task of that path to stop and waits until it has ended and its name is free. True for the call that
    /// told it first; false, after the same wait, for others, and at once if there is no such task. Called by the task
    /// itself, or by one that it waits for in such a call, it does not wait.
    ///
    /// # Errors
    /// [`TaskRemoveTimeout`](RuntimeError::TaskRemoveTimeout) if the task blocks its thread past its `stop_timeout`, or
    /// the supervisor's grace where it has none; its outcome is *aborted* then, its name stays taken until it really
    /// ends. [`ShuttingDown`](RuntimeError::ShuttingDown) after a shutdown.
    ///
    /// # Cancel safety
    /// Once polled the task is told to stop, whether this is polled on or not.
    pub async fn cancel(&self, name: &str) -> Result<bool, RuntimeError> {
        match self.core.find(name)? {
            Some(cell) => cell.cancel(cell.stop_bound()).await,
            None => Ok(false),
        }
    }

    /// As [`cancel`](Self::cancel), but aborts the task if it has not ended `within` that time.
    ///
    /// # Errors
    /// As [`cancel`](Self::cancel).
    ///
    /// # Cancel safety
    /// As [`cancel`](Self::cancel).
    pub async fn cancel_with_timeout(&self, name: &str, within: Duration) -> Result<bool, RuntimeError> {
        match self.core.find(name)? {
            Some(cell) => cell.cancel(within).await,
            None => Ok(false),
        }
    }

    /// Whether an attempt of the task of that path is under way.
    ///
    /// # Cancel safety
    /// It is done in one step when first polled.
    pub async fn is_alive(&self, name: &str) -> bool {
        self.core.get(name).is_some_and(|cell| cell.is_alive())
    }

    /// The paths of all registered tasks, sorted.
    ///
    /// # Cancel safety
    /// It is done in one step when first polled.
    pub async fn list_tasks(&self) -> Vec<String> {
        self.names()
    }

    /// The paths of the tasks that have an attempt under way, sorted.
    #[must_use]
    pub fn snapshot(&self) -> Vec<String> {
        self.names_of(Cell::is_alive)
    }

    /// What happens from now on, as a stream: filtered, if it is told to, and with what was lost reported.
    pub fn events(&self) -> EventStream {
        self.core.events()
    }

    /// Whether all is live and ready, and who is not.
    #[must_use]
    pub fn health(&self) -> Health {
        self.core.health("")
    }

    /// Lets [`health`](Self::health) be ready again after the task or group of that path, or anything in that group,
    /// ended in failure; an empty path is that of all. False if none did, or if that was acknowledged before.
    pub fn acknowledge(&self, path: &str) -> bool {
        self.core.acknowledge(path)
    }

    /// The present registration of that path.
    #[must_use]
    pub fn task(&self, name: &str) -> Option<TaskHandle> {
        self.core.get(name).map(TaskHandle::new)
    }

    /// Waits until the first batch or tree is ready, or the supervisor has stopped: each task has begun an attempt, or,
    /// if it says so, has signalled that it is ready or has completed.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn wait_ready(&self) {
        self.core.wait_ready().await;
    }

    /// Requests a shutdown, which goes on whether the result is awaited or not: no task is taken any more, but in slots
    /// that are declared; the drain passes, then tasks are told to stop, and those that have not when the grace is over
    /// are aborted. All callers share one shutdown and its result. A task may request it, but cannot wait for its own
    /// end: it gets [`ShuttingDown`](RuntimeError::ShuttingDown) at once.
    ///
    /// # Errors
    /// When awaited: [`GraceExceeded`](RuntimeError::GraceExceeded), [`ShutdownForced`](RuntimeError::ShutdownForced).
    pub fn shutdown(&self) -> Shutdown {
        self.core.shutdown("shutdown()")
    }

    /// As [`shutdown`](Self::shutdown), but with no drain and no grace: what has not stopped is aborted at once. Also
    /// hastens a shutdown that goes on already.
    ///
    /// # Errors
    /// When awaited: [`ShutdownForced`](RuntimeError::ShutdownForced).
    pub fn shutdown_now(&self) -> Shutdown {
        let shutdown = self.core.shutdown("shutdown_now()");
        self.core.force("shutdown_now()");
        shutdown
    }

    fn names(&self) -> Vec<String> {
        self.names_of(|_| true)
    }

    fn names_of(&self, which: impl Fn(&Cell) -> bool) -> Vec<String> {
        let cells = self.core.cells();
        let mut names: Vec<_> = cells.iter().filter(|cell| which(cell)).map(|cell| cell.name().to_string()).collect();
        names.sort_unstable();
        names
    }
}

impl fmt::Debug for SupervisorHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SupervisorHandle").field("tasks", &self.names()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;
    use crate::{ChildHandle, Tree};

    fn is_send<T: Send>(_: T) {}

    #[test]
    fn every_future_can_be_spawned() {
        let check = |supervisor: &Supervisor, tree: &Tree, task: &TaskHandle, child: &ChildHandle, spec: TaskSpec| {
            is_send(supervisor.run(vec![]));
            is_send(supervisor.run_until(vec![], pending()));
            is_send(supervisor.run_to_exit(vec![]));
            is_send(supervisor.add_task(spec));
            is_send(supervisor.remove_task(""));
            is_send(supervisor.cancel(""));
            is_send(supervisor.cancel_with_timeout("", Duration::ZERO));
            is_send(supervisor.wait_ready());
            is_send(supervisor.shutdown());
            is_send(tree.run());
            is_send(tree.run_until(pending()));
            is_send(task.cancel());
            is_send(task.outcome());
            is_send(child.cancel());
            is_send(child.outcome());
        };
        let _ = check;
    }
}
