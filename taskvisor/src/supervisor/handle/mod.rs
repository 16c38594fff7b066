//! The non-owning handle of a supervisor.

mod look;

use std::sync::Arc;
use std::time::Duration;

use super::add_task::AddTask;
use super::error::RuntimeError;
use super::reconciled::Reconciled;
#[cfg(feature = "fleet")]
use crate::fleet::FleetSnapshot;
#[cfg(feature = "controller")]
use crate::runtime::Submitting;
use crate::runtime::{Cell, Core, Shutdown};
#[cfg(feature = "controller")]
use crate::slots::{ControllerError, ControllerSpec, SlotHandle, SlotSnapshot};
use crate::sorting::sort_by_text;
use crate::task::{IntoTaskSpec, StopKind, TaskHandle};

/// A non-owning handle of a supervisor, for tasks, subscribers and other threads.
///
/// Clones are cheap. A handle does not keep the supervisor alive: after the last owner is dropped, its calls fail with
/// [`ShuttingDown`](RuntimeError::ShuttingDown). [`Supervisor`](crate::Supervisor) derefs to a handle,
/// [`Tree::supervisor`](crate::Tree::supervisor) leads to one, and a task has one in
/// [`TaskContext::supervisor`](crate::TaskContext::supervisor).
///
/// # Operations
/// All calls work before, during and without [`run`](crate::Supervisor::run). Each call takes effect, or its result
/// shows that it did not: `false` or `None` if there was nothing to do, otherwise a typed error.
///
/// | call | effect | returns | errors |
/// |---|---|---|---|
/// | [`add_task`](Self::add_task) | registers a task and starts it | its [`TaskHandle`] | [`TaskAlreadyExists`], [`GroupAlreadyExists`], [`InvalidOption`], [`ShuttingDown`], [`NoRuntime`] |
/// | [`reconcile`](Self::reconcile) | makes the tasks beside the tree equal to a list | a [`Reconciled`], with the handles | as `add_task`, and [`TaskRemoveTimeout`] |
/// | [`replace`](Self::replace) | replaces one task, or adds it | its [`TaskHandle`] | as `reconcile` |
/// | `submit` | submits a task to its slot, and waits for room in the queues | its [`TaskHandle`] | `InvalidOption`, `ShuttingDown`, `NoRuntime` of `ControllerError` |
/// | `try_submit` | submits a task to its slot, without a wait | its [`TaskHandle`] | those of `submit`, and `Full` |
/// | `slots` | reads the state of all slots | a list of `SlotSnapshot` | none |
/// | `slot` | looks up a slot by name | a `SlotHandle`, also for a name that is not declared | none |
/// | [`remove_task`](Self::remove_task) | requests a task to stop | `()`, at once | [`TaskNotFound`], [`IsGroup`], [`ShuttingDown`], [`InvalidOption`] |
/// | [`cancel`](Self::cancel) | requests a task to stop, and waits until it has terminated | `true` for the first request; `false` for a later one, and if there is no such task | [`TaskRemoveTimeout`], [`IsGroup`], [`ShuttingDown`], [`InvalidOption`] |
/// | [`cancel_with_timeout`](Self::cancel_with_timeout) | the same, with a limit of its own | as `cancel` | as `cancel` |
/// | [`task`](Self::task) | looks up the current registration at a path | its [`TaskHandle`], or `None` | none |
/// | [`is_alive`](Self::is_alive) | checks one task | `true` if an attempt of the task runs | none |
/// | [`list_tasks`](Self::list_tasks) | lists the registrations | the paths of all registered tasks, sorted | none |
/// | [`snapshot`](Self::snapshot) | lists the running tasks | the paths of the tasks with a running attempt, sorted | none |
/// | [`health`](Self::health) | checks liveness and readiness | a [`Health`](crate::Health), with the tasks that are not live or not ready | none |
/// | [`acknowledge`](Self::acknowledge) | removes failures at a path from health | `false` if there was none | none |
/// | [`events`](Self::events) | opens a stream of all events from now on | an [`EventStream`](crate::EventStream) | none; a slow reader finds `Lagged` in the stream |
/// | [`child`](Self::child), [`group`](Self::group) | looks up a place or a group of the tree | a [`ChildHandle`](crate::ChildHandle) or [`GroupHandle`](crate::GroupHandle), also if there is none | none |
/// | [`tree`](Self::tree) | reads the state of all tasks and groups | a [`TreeSnapshot`](crate::TreeSnapshot) | none |
/// | [`node`](Self::node), [`detail`](Self::detail) | reads the state of one task or group, or its details | a [`NodeSnapshot`](crate::NodeSnapshot) or [`NodeDetail`](crate::NodeDetail), or `None` | none |
/// | [`wait`](Self::wait) | waits for the end, without a request | the result of `run` | those of `shutdown` |
/// | [`wait_ready`](Self::wait_ready) | waits until the tree, or the tasks given to the first `run`, are ready, or the supervisor has stopped | `()` | none |
/// | [`shutdown`](Self::shutdown) | requests a shutdown, at once | a [`Shutdown`], which waits for the end | when awaited: [`GraceExceeded`], [`ShutdownForced`], [`Failed`], [`IntensityExceeded`]; [`ShuttingDown`] in a task of the supervisor |
/// | [`shutdown_now`](Self::shutdown_now) | requests a shutdown that aborts running tasks | a [`Shutdown`] | as `shutdown` |
///
/// `submit`, `try_submit` and `slot` need the feature `controller`. A call by name takes the path of a task, such as
/// `store/pool`. The first call that uses an invalid config returns [`InvalidOption`].
///
/// Other operations belong to the handles of tasks and groups, and to the tree:
///
/// | call | effect | returns |
/// |---|---|---|
/// | [`TaskHandle::restart`] | ends the wait or the running attempt, and starts the next attempt | `false` if no attempt can follow |
/// | [`TaskHandle::restart_and_wait`], [`GroupHandle::restart_and_wait`] | the same, and waits until the task or group is ready | `false` if the restart was refused, or it ended before |
/// | [`ChildHandle::restart`] | restarts the task at a place; if it has ended, starts it again there | `false` if it cannot start |
/// | [`TaskHandle::trigger`] | ends a wait for a delay, an interval, a backoff or a schedule; a running periodic task owes one more run | `false` if the task neither waits nor owes a run |
/// | [`TaskHandle::status`] | reads the status | the state, the attempt, the failures and the last error |
/// | [`TaskHandle::outcome`] | waits until the task has ended | its [`TaskOutcome`](crate::TaskOutcome) |
/// | [`GroupHandle::add_task`] | adds a task to a group | its [`TaskHandle`]; an error as `add_task`, or [`GroupNotRunning`] |
/// | [`GroupHandle::restart`] | stops a group and starts it again | `false` if the group does not exist or stops for good |
/// | [`GroupHandle::cancel`] | requests a group to stop, and waits until it has | `true` for the first request; [`TaskRemoveTimeout`] if a task in it blocks its thread |
/// | [`Tree::snapshot`] | reads the state of all tasks and groups | the whole tree, as data, text or a Mermaid chart |
///
/// The guide explains [tasks](crate::guide::tasks), [stopping](crate::guide::stopping) and
/// [readiness and health](crate::guide::readiness).
///
/// [`TaskAlreadyExists`]: RuntimeError::TaskAlreadyExists
/// [`GroupAlreadyExists`]: RuntimeError::GroupAlreadyExists
/// [`InvalidOption`]: RuntimeError::InvalidOption
/// [`ShuttingDown`]: RuntimeError::ShuttingDown
/// [`NoRuntime`]: RuntimeError::NoRuntime
/// [`TaskNotFound`]: RuntimeError::TaskNotFound
/// [`IsGroup`]: RuntimeError::IsGroup
/// [`TaskRemoveTimeout`]: RuntimeError::TaskRemoveTimeout
/// [`GraceExceeded`]: RuntimeError::GraceExceeded
/// [`ShutdownForced`]: RuntimeError::ShutdownForced
/// [`Failed`]: RuntimeError::Failed
/// [`IntensityExceeded`]: RuntimeError::IntensityExceeded
/// [`GroupNotRunning`]: RuntimeError::GroupNotRunning
/// [`ChildHandle::restart`]: crate::ChildHandle::restart
/// [`GroupHandle::add_task`]: crate::GroupHandle::add_task
/// [`GroupHandle::restart`]: crate::GroupHandle::restart
/// [`GroupHandle::restart_and_wait`]: crate::GroupHandle::restart_and_wait
/// [`GroupHandle::cancel`]: crate::GroupHandle::cancel
/// [`Tree::snapshot`]: crate::Tree::snapshot
#[derive(Clone)]
pub struct SupervisorHandle {
    pub(crate) core: Arc<Core>,
}

#[expect(clippy::unused_async, reason = "they may come to wait, and `await` is what the seed of this API says")]
impl SupervisorHandle {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// Registers a task and starts it. `Ok` means that the task is registered, not that an attempt has begun.
    ///
    /// # Errors
    /// [`TaskAlreadyExists`](RuntimeError::TaskAlreadyExists) and
    /// [`GroupAlreadyExists`](RuntimeError::GroupAlreadyExists), which change nothing for the task or group that has
    /// the name; [`InvalidOption`](RuntimeError::InvalidOption), [`ShuttingDown`](RuntimeError::ShuttingDown),
    /// [`NoRuntime`](RuntimeError::NoRuntime).
    ///
    /// # Cancel safety
    /// The call takes effect when it is first polled, and never waits.
    pub fn add_task(&self, spec: impl IntoTaskSpec) -> AddTask<'_> {
        AddTask::new(&self.core, None, spec.into_task_spec())
    }

    /// Makes the tasks that were added beside the tree equal to `specs`; see
    /// [`GroupHandle::reconcile`](crate::GroupHandle::reconcile). Declared tasks, tasks in groups and submissions to
    /// slots are not affected.
    ///
    /// # Errors
    /// The same as for [`GroupHandle::reconcile`](crate::GroupHandle::reconcile), except for those of a group.
    ///
    /// # Cancel safety
    /// The first poll requests all changes. Dropping the future after that only ends the wait.
    pub async fn reconcile(
        &self,
        specs: impl IntoIterator<Item = impl IntoTaskSpec>,
    ) -> Result<Reconciled, RuntimeError> {
        let specs = specs.into_iter().map(IntoTaskSpec::into_task_spec).collect();
        Reconciled::all(&self.core, None, specs).await
    }

    /// Replaces the task of that name that was added beside the tree, or adds it; see
    /// [`GroupHandle::replace`](crate::GroupHandle::replace).
    ///
    /// # Errors
    /// The same as for [`GroupHandle::replace`](crate::GroupHandle::replace), except for those of a group.
    ///
    /// # Cancel safety
    /// The same as for [`reconcile`](Self::reconcile).
    pub async fn replace(&self, spec: impl IntoTaskSpec) -> Result<TaskHandle, RuntimeError> {
        let spec = spec.into_task_spec();
        Reconciled::one(&self.core, None, spec).await
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
        let cell = match self.core.submit_at_once(spec)? {
            Ok(cell) => cell,
            Err(offer) => Submitting::Offering(offer).await?,
        };
        Ok(TaskHandle::new(cell))
    }

    /// Like [`submit`](Self::submit), but fails instead of waiting for room. A slot that is full is no error, but the
    /// outcome of the handle; see [`SlotHandle::try_submit`](crate::SlotHandle::try_submit).
    ///
    /// # Errors
    /// [`Full`](ControllerError::Full), and the errors of [`submit`](Self::submit).
    #[cfg(feature = "controller")]
    pub fn try_submit(&self, spec: ControllerSpec) -> Result<TaskHandle, ControllerError> {
        self.core.try_submit(spec).map(TaskHandle::new)
    }

    /// Returns snapshots of all slots, in the order of their names: of the declared ones, and of the others
    /// in which a task runs or waits, or that are [paused](crate::SlotHandle::pause). One with
    /// [keys](crate::SlotSpec::with_keys) is in the list beside its busy keys.
    #[cfg(feature = "controller")]
    pub fn slots(&self) -> Vec<SlotSnapshot> {
        self.core.slot_snapshots()
    }

    /// Returns the slot of that name. The slot need not be declared.
    #[cfg(feature = "controller")]
    pub fn slot(&self, name: &str) -> SlotHandle {
        SlotHandle::new(name, Arc::clone(&self.core))
    }

    /// Returns the leases that this supervisor has or wants in its [fleet](crate::guide::fleets). `None` if it has no
    /// fleet.
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), taskvisor::RuntimeError> {
    /// use taskvisor::fleet::{Fleet, LocalStore};
    /// use taskvisor::{SupervisorConfig, TaskContext, TaskFn, TaskSpec, Tree};
    ///
    /// let bill = TaskFn::arc("bill", |ctx: TaskContext| async move {
    ///     ctx.cancelled().await;
    ///     Ok(())
    /// });
    /// let tree = Tree::builder(SupervisorConfig::default())
    ///     .with_fleet(Fleet::new(LocalStore::new()))
    ///     .task(TaskSpec::inherit(bill).with_singleton())
    ///     .build();
    /// tree.start().await?;
    /// while !tree.supervisor().is_alive("bill").await {
    ///     tokio::task::yield_now().await;
    /// }
    ///
    /// let fleet = tree.supervisor().fleet().unwrap();
    /// assert!(fleet.unreachable.is_none() && fleet.leases[0].is_held);
    /// # tree.shutdown().await
    /// # }
    /// ```
    #[cfg(feature = "fleet")]
    #[must_use]
    pub fn fleet(&self) -> Option<FleetSnapshot> {
        self.core.fleet_snapshot()
    }

    /// Requests the task at path `name` to stop, and returns at once. A submission that waits in its slot is not found by
    /// name: its [`TaskHandle`] cancels it. If the task has ended in failure,
    /// [`health`](Self::health) no longer reports it, and the result is [`TaskNotFound`](RuntimeError::TaskNotFound).
    ///
    /// # Errors
    /// [`TaskNotFound`](RuntimeError::TaskNotFound), [`IsGroup`](RuntimeError::IsGroup),
    /// [`InvalidOption`](RuntimeError::InvalidOption) for an invalid config;
    /// [`ShuttingDown`](RuntimeError::ShuttingDown) after a shutdown, and during one if there is no such task.
    ///
    /// # Cancel safety
    /// The call takes effect when it is first polled, and never waits.
    pub async fn remove_task(&self, name: &str) -> Result<(), RuntimeError> {
        let Some(cell) = self.core.find(name)? else {
            if self.core.withdraw_returning(name) {
                return Ok(());
            }
            self.core.forget_failure(name);
            return Err(RuntimeError::TaskNotFound { name: name.to_owned() });
        };
        self.core.request_to_leave(&cell, StopKind::Removed);
        Ok(())
    }

    /// Requests the task at path `name` to stop, and waits until it has terminated and its name is free.
    ///
    /// Returns `true` for the first request. Later calls wait as well and return `false`. If there is no such task, the
    /// result is `false` at once; a submission that waits in its slot has no name yet, and is canceled by its
    /// [`TaskHandle`]. A call from the task itself, or from a task that it waits for in such a call, does
    /// not wait.
    ///
    /// # Errors
    /// [`TaskRemoveTimeout`](RuntimeError::TaskRemoveTimeout) if the task blocks its thread for longer than its
    /// `stop_timeout`, or the supervisor's grace if it has none. Its outcome is *aborted* then, and its name stays
    /// taken until it has terminated. [`IsGroup`](RuntimeError::IsGroup),
    /// [`InvalidOption`](RuntimeError::InvalidOption) for an invalid config;
    /// [`ShuttingDown`](RuntimeError::ShuttingDown) after a shutdown, and during one if there is no such task.
    ///
    /// # Cancel safety
    /// The first poll requests the stop. Dropping the future after that only ends the wait.
    pub async fn cancel(&self, name: &str) -> Result<bool, RuntimeError> {
        let Some(cell) = self.core.find(name)? else { return Ok(self.core.withdraw_returning(name)) };
        self.core.cancel_by_name(cell, None).await
    }

    /// Like [`cancel`](Self::cancel), but aborts the task if it has not ended after `within`.
    ///
    /// # Errors
    /// The same as for [`cancel`](Self::cancel).
    ///
    /// # Cancel safety
    /// The same as for [`cancel`](Self::cancel).
    pub async fn cancel_with_timeout(&self, name: &str, within: Duration) -> Result<bool, RuntimeError> {
        let Some(cell) = self.core.find(name)? else { return Ok(self.core.withdraw_returning(name)) };
        self.core.cancel_by_name(cell, Some(within)).await
    }

    /// Waits for the end without a request: until every registration has ended, or a shutdown is over. It returns the
    /// result of [`run`](crate::Supervisor::run), to any number of callers. Without registrations it completes at
    /// once, also where `run` would wait for a shutdown.
    ///
    /// A task cannot wait for its own end: it gets [`ShuttingDown`](RuntimeError::ShuttingDown) as soon as a shutdown is
    /// requested.
    ///
    /// # Errors
    /// The same as for [`shutdown`](Self::shutdown).
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn wait(&self) -> Result<(), RuntimeError> {
        self.core.wait_for_end().await
    }

    /// Waits until the tree, or the tasks given to the first `run`, are ready, or the supervisor has stopped.
    ///
    /// A task is ready when its first attempt begins, or later if its [`Ready`](crate::Ready) option says so. One that
    /// waits for its initial delay, its splay, its schedule or its lease is not waited for.
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
    /// When awaited: [`GraceExceeded`](RuntimeError::GraceExceeded), [`ShutdownForced`](RuntimeError::ShutdownForced);
    /// [`Failed`](RuntimeError::Failed), [`IntensityExceeded`](RuntimeError::IntensityExceeded) if the tree has failed.
    pub fn shutdown(&self) -> Shutdown {
        self.core.shutdown("shutdown()", false)
    }

    /// Like [`shutdown`](Self::shutdown), but without drain and grace: running tasks are aborted at once. It also
    /// forces a shutdown that is already in progress.
    ///
    /// # Errors
    /// When awaited: the same as for [`shutdown`](Self::shutdown). Tasks that were aborted at once are named in
    /// [`ShutdownForced`](RuntimeError::ShutdownForced).
    pub fn shutdown_now(&self) -> Shutdown {
        self.core.shutdown("shutdown_now()", true)
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.names_of(|_| true)
    }

    fn names_of(&self, which: impl Fn(&Cell) -> bool) -> Vec<String> {
        let cells = self.core.cells();
        let mut names: Vec<_> = cells.iter().filter(|cell| which(cell)).map(|cell| cell.name().to_string()).collect();
        sort_by_text(&mut names, String::as_str);
        names
    }
}

impl_debug!(SupervisorHandle, |handle| tasks: handle.names());
