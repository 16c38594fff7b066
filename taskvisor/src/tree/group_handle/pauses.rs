//! Pauses of a group.

use super::GroupHandle;
use crate::runtime::Subject;

impl GroupHandle {
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
}
