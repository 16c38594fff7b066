//! The handle of a group in a tree.

mod pauses;

use std::sync::Arc;

use super::child_handle::ChildHandle;
use super::declaration::Declared;
use super::group::{Group, join, last_segment};
use crate::inspect::{Health, Phase, TaskOutcome, TaskState, TreeSnapshot};
use crate::runtime::{Cell, Core, GroupRef, ToCancel};
use crate::supervisor::{AddTask, Reconciled, RuntimeError};
use crate::task::{IntoTaskSpec, TaskHandle, TaskSpec};

/// A handle of a group in a tree.
///
/// Each call acts on the current group at the path. If there is none, commands return `false` and queries return
/// `None`. Queries also find a group that has ended. Dropping the handle does nothing.
///
/// The empty path is the root. The root has children, a status and a health, and tasks can be added to it. Only a
/// shutdown stops the root, and it never restarts: [`cancel`](Self::cancel) and [`restart`](Self::restart) return
/// `false`.
///
/// The root is a group if its tree has a strategy, a limit, an order, a group, or a child that is `critical` or
/// `significant`. The root of any other tree is a list of independent tasks: `close`, `reopen`, `cancel` and `restart`
/// are `false` for it, `outcome` is `None`, and `add_task`, `reconcile` and `replace` are those of the supervisor.
///
/// [`Tree::group`](crate::Tree::group) and the `groups` of `supervise!` return it. The guide explains
/// [groups](crate::guide::groups).
#[derive(Clone)]
#[must_use = "a handle does nothing by itself"]
pub struct GroupHandle {
    path: Arc<str>,
    core: Arc<Core>,
}

impl GroupHandle {
    pub(crate) fn new(path: Arc<str>, core: Arc<Core>) -> Self {
        Self { path, core }
    }

    /// Returns the path of the group, from the root of the tree. The path of the root is empty.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the name of the group among its siblings: the last segment of its [`path`](Self::path).
    pub fn name(&self) -> &str {
        last_segment(&self.path)
    }

    fn cell(&self) -> Option<GroupRef> {
        if self.is_root() { self.core.root() } else { self.core.group(&self.path) }
    }

    fn is_root(&self) -> bool {
        self.path.is_empty()
    }

    /// Returns a handle of the task of that name in the group. The task need not exist.
    pub fn child(&self, name: &str) -> ChildHandle {
        ChildHandle::new(join(&self.path, name), Arc::clone(&self.core))
    }

    /// Returns a handle of the group of that name in the group. The group need not exist.
    pub fn group(&self, name: &str) -> Self {
        Self::new(join(&self.path, name), Arc::clone(&self.core))
    }

    /// Returns the status of the group, or its last status if it has ended. `None` before the tree has started.
    pub fn status(&self) -> Option<TaskState> {
        match self.core.group_place(&self.path) {
            Some(group) => Some(group.state()),
            None if self.is_root() => Some(self.core.plain_state()).filter(|state| *state != TaskState::Pending),
            None => None,
        }
    }

    /// Returns the health of the group: whether it is live and ready, and the tasks that are not. A group that does not
    /// exist is neither live nor ready.
    pub fn health(&self) -> Health {
        let mut health = self.core.health(&self.path);
        if !self.is_root() && self.cell().is_none() {
            health.phase = Phase::Stopped;
        }
        health
    }

    /// Returns a snapshot of the group and of everything in it, as [`Tree::snapshot`](crate::Tree::snapshot) does of
    /// the tree. `None` if the tree declares no group at the path, or is dropped; also for a supervisor without a tree.
    ///
    /// # Examples
    /// ```
    /// use taskvisor::{Group, SupervisorConfig, Tree};
    ///
    /// let store = Group::one_for_one("store").group(Group::one_for_all("replicas"));
    /// let tree = Tree::builder(SupervisorConfig::default()).group(store).build();
    ///
    /// let snapshot = tree.group("store").snapshot().expect("the tree declares it");
    /// assert_eq!(snapshot.root.children[0].path, "store/replicas");
    /// assert!(tree.group("stroe").snapshot().is_none());
    /// ```
    pub fn snapshot(&self) -> Option<TreeSnapshot> {
        self.core.group_snapshot(&self.path)
    }

    /// Adds a task to the group, as its last child. The task restarts with its siblings. When the group itself restarts,
    /// the task is registered again after the declared children, unless the group has
    /// [`Dynamic::Drop`](crate::Dynamic::Drop).
    ///
    /// While the group waits for its start, is held, or restarts, the task is registered and waits for the next run. In
    /// a `rest_for_one` group the task waits until the earlier children are ready; a child that has ended, in success
    /// or failure, is skipped.
    ///
    /// # Errors
    /// [`GroupClosed`](RuntimeError::GroupClosed) after [`close`](Self::close);
    /// [`GroupNotRunning`](RuntimeError::GroupNotRunning) before the tree has started, and when the group stops for
    /// good or has ended; and the errors of [`SupervisorHandle::add_task`](crate::SupervisorHandle::add_task).
    ///
    /// # Cancel safety
    /// The call takes effect when it is first polled, and never waits.
    pub fn add_task(&self, spec: impl IntoTaskSpec) -> AddTask<'_> {
        AddTask::new(&self.core, Some((self, Self::register)), spec.into_task_spec())
    }

    /// Adds a group to the group, as its last child, with everything in it: one for each tenant or connection that needs
    /// several tasks, for example. It starts and stops with its siblings. When the group itself restarts, the added
    /// group is registered again after the declared children, unless the group has
    /// [`Dynamic::Drop`](crate::Dynamic::Drop). [`cancel`](Self::cancel) removes it. When it has ended, its name is free.
    ///
    /// A group is critical by default: one that fails for good fails the group that it is in, as a declared one does.
    /// [`Group::not_critical`](crate::Group::not_critical) keeps the others running.
    ///
    /// # Errors
    /// Nothing has changed then: [`InvalidOption`](RuntimeError::InvalidOption) for an invalid option of the group or of
    /// anything in it, and if it is `after` another child;
    /// [`TaskAlreadyExists`](RuntimeError::TaskAlreadyExists) and
    /// [`GroupAlreadyExists`](RuntimeError::GroupAlreadyExists) if a name is taken, also by a declared child that has
    /// ended; [`GroupClosed`](RuntimeError::GroupClosed) after [`close`](Self::close);
    /// [`GroupNotRunning`](RuntimeError::GroupNotRunning) before the tree has started, when the group stops for good or
    /// has ended, and for a root that is a list of independent tasks: declare a group for the groups that are added;
    /// [`ShuttingDown`](RuntimeError::ShuttingDown); [`NoRuntime`](RuntimeError::NoRuntime).
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), taskvisor::RuntimeError> {
    /// use taskvisor::{Group, SupervisorConfig, TaskContext, TaskFn, Tree};
    ///
    /// let waits = |name: &str| {
    ///     TaskFn::arc(name, |ctx: TaskContext| async move {
    ///         ctx.cancelled().await;
    ///         Ok(())
    ///     })
    /// };
    /// let tree = Tree::builder(SupervisorConfig::default()).group(Group::one_for_one("tenants")).build();
    /// tree.start().await?;
    ///
    /// let acme = Group::rest_for_one("acme").not_critical().task(waits("session")).task(waits("sync"));
    /// let acme = tree.group("tenants").add_group(acme)?;
    /// assert_eq!(acme.child("sync").path(), "tenants/acme/sync");
    ///
    /// assert!(acme.cancel().await?);
    /// assert!(acme.status().is_none(), "the name is free");
    /// # tree.shutdown().await
    /// # }
    /// ```
    pub fn add_group(&self, group: Group) -> Result<Self, RuntimeError> {
        let root = || self.core.root_or_none().name.to_string();
        let name = || if self.is_root() { root() } else { self.path.to_string() };
        let parent = self.cell().ok_or_else(|| RuntimeError::GroupNotRunning { name: name() })?;
        let added = self.group(&group.name);
        self.core.add_group_to(&parent, group)?;
        Ok(added)
    }

    /// Makes the added tasks of the group equal to `specs`: a list of tenants or of connections, for example, from a
    /// configuration. Declared children are not affected.
    ///
    /// All specs are checked before anything changes. Then, by name:
    ///
    /// | the task | and | result |
    /// |---|---|---|
    /// | is not in the group | | It is added. |
    /// | is in the group | its [revision](TaskSpec::with_revision) is equal, or neither has one | It is kept, and goes on. |
    /// | is in the group | its revision differs, or it is about to end | It is requested to stop, and replaced in the step in which it ends: its name is never free. |
    /// | is not in `specs` | | It is requested to stop. |
    ///
    /// The call waits until all tasks that must stop have ended, as [`cancel`](crate::SupervisorHandle::cancel) does.
    /// So the tasks that it returns are registered, and those that were removed have ended. A task in the group that
    /// calls this does not wait for its own end, and is not in the result.
    ///
    /// # Errors
    /// Nothing has changed then: [`InvalidOption`](RuntimeError::InvalidOption), also if two specs have one name;
    /// [`TaskAlreadyExists`](RuntimeError::TaskAlreadyExists) if a declared child has the name;
    /// [`GroupAlreadyExists`](RuntimeError::GroupAlreadyExists), [`GroupClosed`](RuntimeError::GroupClosed),
    /// [`GroupNotRunning`](RuntimeError::GroupNotRunning), [`ShuttingDown`](RuntimeError::ShuttingDown),
    /// [`NoRuntime`](RuntimeError::NoRuntime).
    ///
    /// [`TaskRemoveTimeout`](RuntimeError::TaskRemoveTimeout) if a task that has to stop blocks its thread. Everything
    /// else is done, and the task is replaced when it has ended.
    ///
    /// # Cancel safety
    /// The first poll requests all changes. Dropping the future after that only ends the wait.
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), taskvisor::RuntimeError> {
    /// use taskvisor::{Group, SupervisorConfig, TaskContext, TaskFn, TaskSpec, Tree};
    ///
    /// let tenant = |name: &str, url: &'static str| {
    ///     let task = TaskFn::arc(name, |ctx: TaskContext| async move {
    ///         ctx.cancelled().await;
    ///         Ok(())
    ///     });
    ///     TaskSpec::inherit(task).with_revision(url)
    /// };
    /// let tree = Tree::builder(SupervisorConfig::default()).group(Group::one_for_one("tenants")).build();
    /// tree.start().await?;
    /// let tenants = tree.group("tenants");
    /// tenants.reconcile([tenant("acme", "a.example"), tenant("zeta", "z.example")]).await?;
    ///
    /// let changes = tenants.reconcile([tenant("acme", "b.example"), tenant("beta", "c.example")]).await?;
    /// assert_eq!(changes.replaced[0].name(), "acme");
    /// assert_eq!(changes.added[0].name(), "beta");
    /// assert_eq!(changes.removed[0].name(), "zeta");
    /// assert_eq!(changes.to_string(), "kept 0, added 1, replaced 1, removed 1");
    /// # tree.shutdown().await
    /// # }
    /// ```
    pub async fn reconcile(
        &self,
        specs: impl IntoIterator<Item = impl IntoTaskSpec>,
    ) -> Result<Reconciled, RuntimeError> {
        // Collected before the first await, so that the future does not hold the iterator.
        let specs = specs.into_iter().map(IntoTaskSpec::into_task_spec).collect();
        Reconciled::all(&self.core, self.owner()?, specs).await
    }

    /// Replaces the added task of that name, changed or not, and returns the new registration. The new task starts when
    /// the one before has ended, and the name is never free in between. Without such a task it is added.
    ///
    /// # Errors
    /// The same as for [`reconcile`](Self::reconcile); and [`TaskNotFound`](RuntimeError::TaskNotFound) if another call
    /// removed the task in the meantime, or if the task that is replaced calls this itself.
    ///
    /// # Cancel safety
    /// The same as for [`reconcile`](Self::reconcile).
    pub async fn replace(&self, spec: impl IntoTaskSpec) -> Result<TaskHandle, RuntimeError> {
        let spec = spec.into_task_spec();
        Reconciled::one(&self.core, self.owner()?, spec).await
    }

    /// Closes the group to additions: `add_task` and `reconcile` fail with
    /// [`GroupClosed`](RuntimeError::GroupClosed) for a task that is not in it. Tasks in the group go on, and can be
    /// replaced and removed. It stays closed when it restarts. Returns `false` if it is closed, or does not exist.
    pub fn close(&self) -> bool {
        self.declared().is_some_and(|group| group.set_closed(true))
    }

    /// Opens the group to additions again. Returns `false` if it is open, or does not exist.
    pub fn reopen(&self) -> bool {
        self.declared().is_some_and(|group| group.set_closed(false))
    }

    fn declared(&self) -> Option<Arc<Declared>> {
        match self.cell() {
            Some(group) => Some(Arc::clone(&group.declared)),
            None if self.is_root() => self.core.declared_root().filter(|root| root.driven().is_some()),
            None => None,
        }
    }

    /// Returns the group to which tasks are added. `None` for a root without a driver: tasks are then added beside it.
    fn owner(&self) -> Result<Option<GroupRef>, RuntimeError> {
        match self.cell() {
            Some(group) => Ok(Some(group)),
            None if self.status().is_some() && self.is_root() => Ok(None),
            None => Err(RuntimeError::GroupNotRunning { name: self.path.to_string() }),
        }
    }

    /// Registers a task, and starts it.
    fn register(&self, spec: TaskSpec) -> Result<Arc<Cell>, RuntimeError> {
        match self.owner()? {
            Some(group) => self.core.add_to(&group, spec),
            None => self.core.add(spec),
        }
    }

    /// Requests the group to stop for good, with its children in order, and waits until it has. Returns `true` for the
    /// first request. Later calls wait as well and return `false`. If there is no such group, and for the root, the result
    /// is `false` at once: a [shutdown](crate::Tree::shutdown) stops the root. A call from a task in the group, or from
    /// a task that such a task waits for, does not wait.
    ///
    /// The group has the supervisor's grace. Within it, each task has its own `stop_timeout`, or else the
    /// [share](crate::SupervisorConfig::grace) of its layer. A task that is past its time is aborted.
    ///
    /// # Errors
    /// [`TaskRemoveTimeout`](RuntimeError::TaskRemoveTimeout), with the path of the group, if the group has not ended
    /// 100 ms after the grace, because a task in it blocks its thread.
    ///
    /// # Cancel safety
    /// The first poll requests the stop. Dropping the future after that only ends the wait.
    pub async fn cancel(&self) -> Result<bool, RuntimeError> {
        let mut before = None;
        loop {
            let group = match self.core.group_to_cancel(&self.path, before.as_ref()) {
                ToCancel::Group(group) => group,
                ToCancel::Withdrawn => return Ok(true),
                ToCancel::Gone => return Ok(false),
            };
            if group.cancel(&group).await? {
                return Ok(true);
            }
            // Its parent can have stopped it in the meantime, to start it again.
            before = Some(group);
        }
    }

    /// Hands the lease of a group that is a [singleton](crate::Group::with_singleton) over: the group stops in its
    /// order, the lease is released, and its children stand by. The group tries to acquire the lease again after about
    /// a third of the time to live. Returns `false` if the group does not hold a lease of its own.
    #[cfg(feature = "fleet")]
    pub fn resign(&self) -> bool {
        self.cell().is_some_and(|group| group.resign())
    }

    /// Stops the group and starts it again with its declared children. This counts no failure. A group that waits for
    /// its backoff starts at once. Returns `false` if the group does not exist, stops for good or has ended for good: then only
    /// a restart of its parent starts it again. It is always `false` for the root.
    pub fn restart(&self) -> bool {
        !self.is_root() && self.cell().is_some_and(|group| group.restart())
    }

    /// [Restarts](Self::restart) the group, and waits until it is ready again. Returns `false` if the restart was
    /// refused, or the group has ended before. A task in the group that calls this does not wait.
    ///
    /// # Cancel safety
    /// The first poll restarts the group. Dropping the future after that only ends the wait.
    pub async fn restart_and_wait(&self) -> bool {
        match self.cell() {
            Some(group) if !self.is_root() => group.restart_and_wait(&group).await,
            _ => false,
        }
    }

    /// Waits until the newest registration of the group has ended, and returns its outcome. `None` before the tree has
    /// started, and for a root that is no group.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn outcome(&self) -> Option<TaskOutcome> {
        let group = self.core.group_place(&self.path)?;
        Some(group.outcome().await)
    }
}

impl_debug!(GroupHandle, |group| path: group.path);
