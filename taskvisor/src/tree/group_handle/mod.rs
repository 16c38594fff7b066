//! The handle of a group in a tree.

mod added;

use std::sync::Arc;

use super::child_handle::ChildHandle;
use super::group::{join, last_segment};
use crate::inspect::{Health, Phase, TaskOutcome, TaskState, TreeSnapshot};
use crate::runtime::{Core, GroupRef, Subject};
use crate::supervisor::RuntimeError;

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
        match self.cell() {
            Some(group) if !self.is_root() => {
                let first = group.cancel(&group).await?;
                // Its parent can have stopped it in the meantime, to start it again.
                Ok(first | self.core.withdraw_returning_group(&self.path))
            }
            _ => Ok(self.core.withdraw_returning_group(&self.path)),
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

    /// Pauses the group: no attempt begins in it or in its nested groups until it is [resumed](Self::resume), and the
    /// function of [`Group::fresh`](crate::Group::fresh) is not called. Running attempts, and a running call of that
    /// function, go on. The pause survives restarts. The root, whose path is empty, includes all tasks and slots of the
    /// supervisor, and can be paused before the tree starts.
    ///
    /// Returns `false` if the group is paused by itself or does not exist, and after the request of a shutdown.
    /// [`Group::with_paused`](crate::Group::with_paused) declares a group that starts paused. The guide explains
    /// [pausing](crate::guide::pausing).
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), taskvisor::RuntimeError> {
    /// use taskvisor::{Group, SupervisorConfig, TaskContext, TaskFn, Tree};
    ///
    /// let import = TaskFn::arc("import", |_: TaskContext| async { Ok(()) });
    /// let tree = Tree::builder(SupervisorConfig::default()).group(Group::one_for_one("jobs").task(import)).build();
    /// assert!(tree.group("").pause(), "the whole tree, before it starts");
    /// tree.start().await?;
    /// tokio::task::yield_now().await;
    /// assert!(tree.child("jobs/import").is_paused());
    /// assert!(!tree.health().is_ready() && tree.health().is_live());
    ///
    /// assert!(tree.group("").resume());
    /// tree.child("jobs/import").outcome().await;
    /// # tree.shutdown().await
    /// # }
    /// ```
    pub fn pause(&self) -> bool {
        self.core.pause(Subject::Group(&self.path), false)
    }

    /// [Pauses](Self::pause) the group, and requests the running attempts in it to stop, all at once; see
    /// [`TaskHandle::pause_and_stop`](crate::TaskHandle::pause_and_stop). Returns `false` if this changes nothing.
    pub fn pause_and_stop(&self) -> bool {
        self.core.pause(Subject::Group(&self.path), true)
    }

    /// Ends the [pause](Self::pause) of the group. Tasks and groups in it that are paused by themselves stay paused,
    /// and so does all of it if a group above is paused. Returns `false` if the group is not paused by itself, or does
    /// not exist.
    pub fn resume(&self) -> bool {
        self.core.resume(Subject::Group(&self.path))
    }

    /// Returns `true` if the group, or a group above it, is paused.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.core.is_paused(Subject::Group(&self.path))
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
