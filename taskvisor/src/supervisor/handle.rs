//! The non-owning handle of a supervisor.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::error::RuntimeError;
use crate::events::EventStream;
use crate::inspect::Health;
use crate::runtime::{Cell, Core, Shutdown};
#[cfg(feature = "controller")]
use crate::slots::{ControllerError, ControllerSpec, SlotHandle};
use crate::task::{IntoTaskSpec, TaskHandle};

/// A non-owning handle of a supervisor, for tasks, subscribers and other threads.
///
/// Clones are cheap. A handle does not keep the supervisor alive: after the last owner is dropped, its calls fail with
/// [`ShuttingDown`](RuntimeError::ShuttingDown).
#[derive(Clone)]
pub struct SupervisorHandle {
    pub(super) core: Arc<Core>,
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

    /// Registers a task and starts it. `Ok` means that the task is registered, not that an attempt has begun.
    ///
    /// # Errors
    /// [`TaskAlreadyExists`](RuntimeError::TaskAlreadyExists), which changes nothing for the task that has the name;
    /// [`InvalidOption`](RuntimeError::InvalidOption), [`ShuttingDown`](RuntimeError::ShuttingDown),
    /// [`NoRuntime`](RuntimeError::NoRuntime).
    ///
    /// # Cancel safety
    /// The call takes effect when it is first polled, and never waits.
    pub async fn add_task(&self, spec: impl IntoTaskSpec) -> Result<TaskHandle, RuntimeError> {
        self.core.add(spec.into_task_spec()).map(TaskHandle::new)
    }

    /// Submits a task to its slot. An idle slot starts the task at once; a busy slot applies the admission policy of
    /// the submission.
    ///
    /// The [outcome](crate::TaskOutcome) of the returned handle is the result. A task that never runs is
    /// [`Rejected`](crate::TaskOutcome::Rejected) with a reason. While the task waits, its state is
    /// [`Queued`](crate::TaskState::Queued) and its handle can cancel it. Its name is registered when it starts.
    ///
    /// If the task has to wait in a queue and the controller's
    /// [`queue_capacity`](crate::ControllerConfig::queue_capacity) is used up, this call waits for room, first come,
    /// first served. A call that is woken for its turn must be polled within 100 ms; otherwise the next call has the
    /// turn until this one is polled again.
    ///
    /// During the drain of a shutdown, [declared](crate::SlotSpec) slots accept submissions. After the drain, a slot
    /// accepts submissions only from a task that names the slot in its [`after`](crate::TaskSpec::with_after).
    ///
    /// # Errors
    /// [`InvalidOption`](ControllerError::InvalidOption), [`ShuttingDown`](ControllerError::ShuttingDown),
    /// [`NoRuntime`](ControllerError::NoRuntime).
    ///
    /// # Cancel safety
    /// Nothing is submitted until the call completes.
    #[cfg(feature = "controller")]
    pub async fn submit(&self, spec: ControllerSpec) -> Result<TaskHandle, ControllerError> {
        self.core.submit(spec).await.map(TaskHandle::new)
    }

    /// Like [`submit`](Self::submit), but fails instead of waiting for room.
    ///
    /// # Errors
    /// [`Full`](ControllerError::Full), and the errors of [`submit`](Self::submit).
    #[cfg(feature = "controller")]
    pub fn try_submit(&self, spec: ControllerSpec) -> Result<TaskHandle, ControllerError> {
        self.core.try_submit(spec).map(TaskHandle::new)
    }

    /// Returns the slot of that name. The slot need not be declared.
    #[cfg(feature = "controller")]
    #[must_use]
    pub fn slot(&self, name: &str) -> SlotHandle {
        SlotHandle::new(name, Arc::clone(&self.core))
    }

    /// Requests the task at `path` to stop, and returns at once. If the task has ended in failure,
    /// [`health`](Self::health) no longer reports it.
    ///
    /// # Errors
    /// [`TaskNotFound`](RuntimeError::TaskNotFound), [`ShuttingDown`](RuntimeError::ShuttingDown) after a shutdown.
    ///
    /// # Cancel safety
    /// The call takes effect when it is first polled, and never waits.
    pub async fn remove_task(&self, name: &str) -> Result<(), RuntimeError> {
        let Some(cell) = self.core.find(name)? else {
            self.core.forget_failure(name);
            return Err(RuntimeError::TaskNotFound { name: name.to_owned() });
        };
        cell.remove();
        Ok(())
    }

    /// Requests the task at `path` to stop, and waits until it has terminated and its name is free.
    ///
    /// Returns `true` for the first request. Later calls wait as well and return `false`. If there is no such task, the
    /// result is `false` at once. A call from the task itself, or from a task that it waits for in such a call, does
    /// not wait.
    ///
    /// # Errors
    /// [`TaskRemoveTimeout`](RuntimeError::TaskRemoveTimeout) if the task blocks its thread for longer than its
    /// `stop_timeout`, or the supervisor's grace if it has none. Its outcome is *aborted* then, and its name stays
    /// taken until it has terminated. [`ShuttingDown`](RuntimeError::ShuttingDown) after a shutdown.
    ///
    /// # Cancel safety
    /// The first poll requests the stop. Dropping the future after that only ends the wait.
    pub async fn cancel(&self, name: &str) -> Result<bool, RuntimeError> {
        match self.core.find(name)? {
            Some(cell) => cell.cancel(cell.stop_bound()).await,
            None => Ok(false),
        }
    }

    /// Like [`cancel`](Self::cancel), but aborts the task if it has not ended after `within`.
    ///
    /// # Errors
    /// The same as for [`cancel`](Self::cancel).
    ///
    /// # Cancel safety
    /// The same as for [`cancel`](Self::cancel).
    pub async fn cancel_with_timeout(&self, name: &str, within: Duration) -> Result<bool, RuntimeError> {
        match self.core.find(name)? {
            Some(cell) => cell.cancel(within).await,
            None => Ok(false),
        }
    }

    /// Returns `true` if an attempt of the task at `name` is running.
    ///
    /// # Cancel safety
    /// The first poll does everything.
    pub async fn is_alive(&self, name: &str) -> bool {
        self.core.get(name).is_some_and(|cell| cell.is_alive())
    }

    /// Returns the paths of all registered tasks, sorted.
    ///
    /// # Cancel safety
    /// The first poll does everything.
    pub async fn list_tasks(&self) -> Vec<String> {
        self.names()
    }

    /// Returns the paths of the tasks that have a running attempt, sorted.
    #[must_use]
    pub fn snapshot(&self) -> Vec<String> {
        self.names_of(Cell::is_alive)
    }

    /// Returns a stream of all events from now on. The stream can be filtered, and reports lost events.
    pub fn events(&self) -> EventStream {
        self.core.events()
    }

    /// Returns the health of the supervisor: whether it is live and ready, and the tasks that are not.
    #[must_use]
    pub fn health(&self) -> Health {
        self.core.health("")
    }

    /// Acknowledges failures at `path`, so that [`health`](Self::health) can be ready again.
    ///
    /// It covers the task or group at `path` and everything in that group; an empty path covers all. Returns `false` if
    /// there is no failure to acknowledge.
    pub fn acknowledge(&self, path: &str) -> bool {
        self.core.acknowledge(path)
    }

    /// Returns a handle of the current registration at that path.
    #[must_use]
    pub fn task(&self, name: &str) -> Option<TaskHandle> {
        self.core.get(name).map(TaskHandle::new)
    }

    /// Waits until the first batch or tree is ready, or the supervisor has stopped.
    ///
    /// A task is ready when its first attempt begins, or later if its [`Ready`](crate::Ready) option says so.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn wait_ready(&self) {
        self.core.wait_ready().await;
    }

    /// Requests a shutdown. The shutdown proceeds even if the returned future is dropped.
    ///
    /// From then on, only declared slots accept tasks. After the drain, tasks are requested to stop; tasks that still
    /// run at the end of the grace are aborted. All callers share one shutdown and its result. A task can request a
    /// shutdown, but cannot wait for its own end: it gets [`ShuttingDown`](RuntimeError::ShuttingDown) at once.
    ///
    /// # Errors
    /// When awaited: [`GraceExceeded`](RuntimeError::GraceExceeded), [`ShutdownForced`](RuntimeError::ShutdownForced).
    pub fn shutdown(&self) -> Shutdown {
        self.core.shutdown("shutdown()")
    }

    /// Like [`shutdown`](Self::shutdown), but without drain and grace: running tasks are aborted at once. It also
    /// forces a shutdown that is already in progress.
    ///
    /// # Errors
    /// When awaited: [`ShutdownForced`](RuntimeError::ShutdownForced).
    pub fn shutdown_now(&self) -> Shutdown {
        let shutdown = self.core.shutdown("shutdown_now()");
        self.core.force("shutdown_now()");
        shutdown
    }

    pub(super) fn names(&self) -> Vec<String> {
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
