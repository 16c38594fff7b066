//! The queries of a handle.

use std::sync::Arc;

use super::SupervisorHandle;
use crate::events::EventStream;
use crate::inspect::{Health, NodeDetail, NodeSnapshot, Phase, TreeSnapshot};
use crate::runtime::Cell;
use crate::task::TaskHandle;
use crate::tree::{ChildHandle, GroupHandle};

#[expect(clippy::unused_async, reason = "they may come to wait, and `await` is what the seed of this API says")]
impl SupervisorHandle {
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

    /// Returns the paths of the tasks that have a running attempt, sorted. [`tree`](Self::tree) has the state of the tree,
    /// as `Tree::snapshot` does.
    #[must_use]
    pub fn snapshot(&self) -> Vec<String> {
        self.names_of(Cell::is_alive)
    }

    /// Returns a stream of all events from now on. The stream can be filtered, and reports lost events.
    pub fn events(&self) -> EventStream {
        self.core.events()
    }

    /// Returns the health of the supervisor: whether it is live and ready, and the tasks that are not.
    pub fn health(&self) -> Health {
        self.core.health("")
    }

    /// Returns the phase of the supervisor. It reads the state of no task.
    ///
    /// # Examples
    /// ```
    /// use taskvisor::{Phase, Supervisor, SupervisorConfig};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), taskvisor::RuntimeError> {
    /// let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
    /// assert_eq!(supervisor.phase(), Phase::NotStarted);
    /// supervisor.shutdown().await?;
    /// assert_eq!(supervisor.phase(), Phase::Stopped);
    /// # Ok(())
    /// # }
    /// ```
    pub fn phase(&self) -> Phase {
        self.core.phase()
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

    /// Returns a handle of the place at `path` in the tree. The place need not have a task. It is
    /// [`Tree::child`](crate::Tree::child) for a task, which has no reference to its tree.
    pub fn child(&self, path: &str) -> ChildHandle {
        ChildHandle::new(path.into(), Arc::clone(&self.core))
    }

    /// Returns a handle of the group at `path` in the tree. The group need not exist. The empty path is the root. It is
    /// [`Tree::group`](crate::Tree::group) for a task, which has no reference to its tree.
    ///
    /// # Examples
    /// ```
    /// use taskvisor::{TaskContext, TaskFn};
    ///
    /// let heal = TaskFn::arc("heal", |ctx: TaskContext| async move {
    ///     let supervisor = ctx.supervisor();
    ///     if supervisor.child("store/pool").status().is_some_and(|pool| pool.failures > 3) {
    ///         supervisor.group("store").restart_and_wait().await;
    ///     }
    ///     println!("{}", supervisor.tree());
    ///     Ok(())
    /// });
    /// ```
    pub fn group(&self, path: &str) -> GroupHandle {
        GroupHandle::new(path.into(), Arc::clone(&self.core))
    }

    /// Returns a snapshot of the declared tree, with the tasks that were added at run time. It is
    /// [`Tree::snapshot`](crate::Tree::snapshot) for a task, which has no reference to its tree. Without a tree, and
    /// after the tree was dropped, the root has only the tasks that were added beside it.
    pub fn tree(&self) -> TreeSnapshot {
        self.core.snapshot(&self.core.root_or_none())
    }

    /// Returns the task or group at `path` as [`tree`](Self::tree) has it, without the children of a group. It reads no
    /// other task, so it is cheap in a large tree. The empty path is the root. `None` if the tree has nothing there.
    ///
    /// # Examples
    /// ```
    /// use taskvisor::{SupervisorConfig, TaskContext, TaskFn, TaskState, Tree};
    ///
    /// let pool = TaskFn::arc("pool", |_: TaskContext| async { Ok(()) });
    /// let tree = Tree::builder(SupervisorConfig::default()).task(pool).build();
    ///
    /// let pool = tree.supervisor().node("pool").unwrap();
    /// assert_eq!((pool.state, pool.attempt, pool.ready), (TaskState::Pending, 0, false));
    /// assert!(tree.supervisor().node("pond").is_none());
    /// ```
    #[must_use]
    pub fn node(&self, path: &str) -> Option<NodeSnapshot> {
        self.core.node(path)
    }

    /// Returns the details of the task or group at `path`: its [`node`](Self::node), the values of its options, its
    /// last error with its causes, and what it waits for. The empty path is the root, with the options of the tree.
    /// `None` if the tree has nothing there.
    ///
    /// # Examples
    /// ```
    /// use taskvisor::{SupervisorConfig, TaskContext, TaskFn, TaskSpec, Tree};
    ///
    /// let pool = TaskFn::arc("pool", |_: TaskContext| async { Ok(()) });
    /// let pool = TaskSpec::inherit(pool).with_max_retries(3);
    /// let tree = Tree::builder(SupervisorConfig::default()).task(pool).build();
    ///
    /// let pool = tree.supervisor().detail("pool").unwrap();
    /// assert!(pool.options.contains(&("max_retries", "3".to_owned())));
    /// assert!(pool.options.contains(&("backoff.first", "100ms".to_owned())));
    /// ```
    #[must_use]
    pub fn detail(&self, path: &str) -> Option<NodeDetail> {
        self.core.detail(path)
    }
}
