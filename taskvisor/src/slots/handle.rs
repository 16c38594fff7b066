//! Handles of slots.

use std::fmt;
use std::sync::Arc;

use super::{AdmissionPolicy, ControllerError, ControllerSpec};
use crate::runtime::Core;
use crate::supervisor::RuntimeError;
use crate::task::{IntoTaskSpec, TaskHandle};

/// A slot: what is submitted to it runs one after another, never two at once.
///
/// It comes from [`Tree::slot`](crate::Tree::slot), [`SupervisorHandle::slot`](crate::SupervisorHandle::slot), and from
/// the `slots` of `supervise!`. Clones are cheap. Dropping the handle does nothing.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use taskvisor::{SlotSpec, SupervisorConfig, TaskContext, TaskFn, Tree};
///
/// let tree = Tree::builder(SupervisorConfig::default()).with_slot(SlotSpec::new("uploads")).build();
/// let uploads = tree.slot("uploads");
/// for name in ["a.txt", "b.txt"] {
///     let upload = TaskFn::arc(name, |_: TaskContext| async { Ok(()) });
///     uploads.submit(upload).await?;
/// }
/// assert_eq!(uploads.len(), 2, "one runs, and one waits");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SlotHandle {
    name: Arc<str>,
    admission: AdmissionPolicy,
    core: Arc<Core>,
}

impl SlotHandle {
    pub(crate) fn new(name: &str, core: Arc<Core>) -> Self {
        Self { name: name.into(), admission: core.admission_of(name), core }
    }

    /// The name of the slot.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What [`submit`](Self::submit) asks for if the slot is busy: as declared, else [`AdmissionPolicy::Queue`].
    pub fn admission(&self) -> AdmissionPolicy {
        self.admission
    }

    /// Submits a task by the slot's own policy; see [`SupervisorHandle::submit`](crate::SupervisorHandle::submit).
    ///
    /// # Errors
    /// Those of [`SupervisorHandle::submit`](crate::SupervisorHandle::submit).
    ///
    /// # Cancel safety
    /// Until it is done, nothing is submitted.
    pub async fn submit(&self, task: impl IntoTaskSpec) -> Result<TaskHandle, ControllerError> {
        self.submit_by(self.admission, task).await
    }

    /// As [`submit`](Self::submit), but does not wait for room.
    ///
    /// # Errors
    /// Those of [`SupervisorHandle::try_submit`](crate::SupervisorHandle::try_submit).
    pub fn try_submit(&self, task: impl IntoTaskSpec) -> Result<TaskHandle, ControllerError> {
        self.core.try_submit(self.spec(self.admission, task)).map(TaskHandle::new)
    }

    /// As [`submit`](Self::submit), but waits its turn if the slot is busy.
    ///
    /// # Errors
    /// As [`submit`](Self::submit).
    ///
    /// # Cancel safety
    /// As [`submit`](Self::submit).
    pub async fn queue(&self, task: impl IntoTaskSpec) -> Result<TaskHandle, ControllerError> {
        self.submit_by(AdmissionPolicy::Queue, task).await
    }

    /// As [`submit`](Self::submit), but takes the place of the task that runs.
    ///
    /// # Errors
    /// As [`submit`](Self::submit).
    ///
    /// # Cancel safety
    /// As [`submit`](Self::submit).
    pub async fn replace(&self, task: impl IntoTaskSpec) -> Result<TaskHandle, ControllerError> {
        self.submit_by(AdmissionPolicy::Replace, task).await
    }

    /// As [`submit`](Self::submit), but is rejected if the slot is busy.
    ///
    /// # Errors
    /// As [`submit`](Self::submit).
    ///
    /// # Cancel safety
    /// As [`submit`](Self::submit).
    pub async fn drop_if_running(&self, task: impl IntoTaskSpec) -> Result<TaskHandle, ControllerError> {
        self.submit_by(AdmissionPolicy::DropIfRunning, task).await
    }

    /// Cancels all that is in the slot: those that wait at once, and the task that runs is told to stop and waited for.
    /// What is submitted meanwhile is not concerned. Gives how many were told by this call.
    ///
    /// # Errors
    /// [`TaskRemoveTimeout`](RuntimeError::TaskRemoveTimeout) if the task that runs blocks its thread, as
    /// [`TaskHandle::cancel`] says.
    ///
    /// # Cancel safety
    /// Once polled all are told, whether this is polled on or not.
    pub async fn cancel_all(&self) -> Result<usize, RuntimeError> {
        let (withdrawn, owner) = self.core.clear_slot(&self.name);
        let stopped = match owner {
            Some(owner) => owner.cancel(owner.stop_bound()).await?,
            None => false,
        };
        Ok(withdrawn + usize::from(stopped))
    }

    /// How many submissions the slot has: the one that runs, and those that wait.
    #[expect(clippy::len_without_is_empty, reason = "`is_idle` is the word for it")]
    #[must_use]
    pub fn len(&self) -> usize {
        self.core.slot_len(&self.name)
    }

    /// Whether nothing runs in the slot, and nothing waits.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.len() == 0
    }

    async fn submit_by(
        &self,
        admission: AdmissionPolicy,
        task: impl IntoTaskSpec,
    ) -> Result<TaskHandle, ControllerError> {
        self.core.submit(self.spec(admission, task)).await.map(TaskHandle::new)
    }

    fn spec(&self, admission: AdmissionPolicy, task: impl IntoTaskSpec) -> ControllerSpec {
        ControllerSpec::new(admission, task).with_slot(Arc::clone(&self.name))
    }
}

impl fmt::Debug for SlotHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SlotHandle").field("name", &self.name).finish_non_exhaustive()
    }
}
