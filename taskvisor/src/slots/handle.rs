//! The handle of a slot.

use std::sync::Arc;

use super::{AdmissionPolicy, ControllerError, ControllerSpec, SlotSnapshot, Submit};
use crate::runtime::{Core, Subject};
use crate::supervisor::RuntimeError;
use crate::task::{IntoTaskSpec, TaskHandle};

/// A handle of a slot. Tasks that are submitted to a slot run one after another, and never two at once, unless it is
/// declared with [`with_concurrency`](crate::SlotSpec::with_concurrency).
///
/// [`Tree::slot`](crate::Tree::slot), [`SupervisorHandle::slot`](crate::SupervisorHandle::slot) and the `slots` of
/// `supervise!` return it. Clones are cheap. Dropping the handle does nothing. The guide explains
/// [slots](crate::guide::slots).
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
#[must_use = "a handle does nothing by itself"]
pub struct SlotHandle {
    name: Arc<str>,
    admission: AdmissionPolicy,
    core: Arc<Core>,
}

impl SlotHandle {
    pub(crate) fn new(name: &str, core: Arc<Core>) -> Self {
        Self { name: name.into(), admission: core.admission_of(name), core }
    }

    /// Returns the name of the slot.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the admission policy of [`submit`](Self::submit): the declared one, or [`AdmissionPolicy::Queue`].
    pub fn admission(&self) -> AdmissionPolicy {
        self.admission
    }

    /// Submits a task with the admission policy of the slot; see
    /// [`SupervisorHandle::submit`](crate::SupervisorHandle::submit).
    ///
    /// # Errors
    /// The errors of [`SupervisorHandle::submit`](crate::SupervisorHandle::submit).
    ///
    /// # Cancel safety
    /// Nothing is submitted until the call completes.
    pub fn submit(&self, task: impl IntoTaskSpec) -> Submit<'_> {
        self.submit_by(self.admission, task)
    }

    /// Like [`submit`](Self::submit), but fails instead of waiting for room.
    ///
    /// An error is about the supervisor. What the slot decides is the outcome, as always: one that is full rejects the
    /// task, and the handle has that outcome at once. A server that answers "accepted" looks at both.
    ///
    /// # Errors
    /// The errors of [`SupervisorHandle::try_submit`](crate::SupervisorHandle::try_submit).
    ///
    /// # Examples
    /// ```
    /// use taskvisor::prelude::*;
    ///
    /// #[task]
    /// async fn export(ctx: TaskContext, customer: u32) {
    ///     println!("exports {customer}");
    ///     ctx.cancelled().await;
    /// }
    ///
    /// /// Returns the status of the answer to a request.
    /// fn request(exports: &SlotHandle, customer: u32) -> u16 {
    ///     match exports.try_submit(export { customer }).map(|job| job.try_outcome()) {
    ///         Err(_) | Ok(Some(TaskOutcome::Rejected { .. })) => 503,
    ///         Ok(_) => 202,
    ///     }
    /// }
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), RuntimeError> {
    /// let tree = supervise!(slots = [slot(exports, capacity = 1)]);
    /// let answers = [1, 2, 3].map(|customer| request(&tree.slots.exports, customer));
    /// assert_eq!(answers, [202, 202, 503]); // one runs, one waits
    /// tree.shutdown().await
    /// # }
    /// ```
    pub fn try_submit(&self, task: impl IntoTaskSpec) -> Result<TaskHandle, ControllerError> {
        self.core.try_submit(self.spec(self.admission, task)).map(TaskHandle::new)
    }

    /// Like [`submit`](Self::submit), with [`AdmissionPolicy::Queue`].
    ///
    /// # Errors
    /// The same as for [`submit`](Self::submit).
    ///
    /// # Cancel safety
    /// The same as for [`submit`](Self::submit).
    pub fn queue(&self, task: impl IntoTaskSpec) -> Submit<'_> {
        self.submit_by(AdmissionPolicy::Queue, task)
    }

    /// Like [`submit`](Self::submit), with [`AdmissionPolicy::Replace`].
    ///
    /// # Errors
    /// The same as for [`submit`](Self::submit).
    ///
    /// # Cancel safety
    /// The same as for [`submit`](Self::submit).
    pub fn replace(&self, task: impl IntoTaskSpec) -> Submit<'_> {
        self.submit_by(AdmissionPolicy::Replace, task)
    }

    /// Like [`submit`](Self::submit), with [`AdmissionPolicy::DropIfRunning`].
    ///
    /// # Errors
    /// The same as for [`submit`](Self::submit).
    ///
    /// # Cancel safety
    /// The same as for [`submit`](Self::submit).
    pub fn drop_if_running(&self, task: impl IntoTaskSpec) -> Submit<'_> {
        self.submit_by(AdmissionPolicy::DropIfRunning, task)
    }

    /// Like [`submit`](Self::submit), with [`AdmissionPolicy::Latest`].
    ///
    /// # Errors
    /// The same as for [`submit`](Self::submit).
    ///
    /// # Cancel safety
    /// The same as for [`submit`](Self::submit).
    pub fn latest(&self, task: impl IntoTaskSpec) -> Submit<'_> {
        self.submit_by(AdmissionPolicy::Latest, task)
    }

    /// Returns the slot of a key, if this slot is declared with [keys](crate::SlotSpec::with_keys). The key can be any
    /// text except an empty one, with which each submission fails with `InvalidOption`. The name of its slot is that of
    /// this slot, `/` and the key.
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use taskvisor::{SlotSpec, SupervisorConfig, TaskContext, TaskFn, Tree};
    ///
    /// let jobs = SlotSpec::new("jobs").with_keys().with_max_concurrent(10);
    /// let tree = Tree::builder(SupervisorConfig::default()).with_slot(jobs).build();
    /// let export = || TaskFn::arc("export", |_: TaskContext| async { Ok(()) });
    /// let acme = tree.slot("jobs").key("acme").submit(export()).await?;
    /// let zeta = tree.slot("jobs").key("zeta").submit(export()).await?;
    /// assert_eq!((acme.path(), zeta.path()), ("jobs/acme/export", "jobs/zeta/export"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn key(&self, key: &str) -> Self {
        Self { name: format!("{}/{key}", self.name).into(), admission: self.admission, core: Arc::clone(&self.core) }
    }

    /// Cancels all tasks in the slot, and in the slots of its keys: waiting submissions at once; the running tasks are
    /// requested to stop and waited for. Later submissions are not affected. Returns the number of tasks that this call requested to stop.
    ///
    /// # Errors
    /// [`TaskRemoveTimeout`](RuntimeError::TaskRemoveTimeout) if the task that runs blocks its thread, as
    /// [`TaskHandle::cancel`] says.
    ///
    /// # Cancel safety
    /// The first poll requests the stops. Dropping the future after that only ends the wait.
    pub async fn cancel_all(&self) -> Result<usize, RuntimeError> {
        let (requested, owners) = self.core.clear_slot(&self.name);
        for owner in owners {
            owner.cancel(owner.stop_bound()).await?;
        }
        Ok(requested)
    }

    /// Pauses the slot, and the slots of its keys, until it is [resumed](Self::resume). A paused slot counts as busy:
    /// submissions wait in its queue, and those with [`AdmissionPolicy::DropIfRunning`] are rejected as
    /// [`Paused`](crate::RejectReason::Paused). A task that owns the slot is paused as well: its attempt goes on, and
    /// no other begins. With [`AdmissionPolicy::Replace`] it is still requested to stop.
    ///
    /// A slot need not be declared, and can be paused at any time before the request of a shutdown. Returns `false` if
    /// it is paused by itself. [`SlotSpec::with_paused`](crate::SlotSpec::with_paused) declares a slot that is paused at
    /// first. The guide explains [pausing](crate::guide::pausing).
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use taskvisor::{RejectReason, SupervisorConfig, TaskContext, TaskFn, TaskOutcome, Tree};
    ///
    /// let tree = Tree::builder(SupervisorConfig::default()).build();
    /// let deploy = || TaskFn::arc("deploy", |_: TaskContext| async { Ok(()) });
    /// let slot = tree.slot("deploys");
    /// assert!(slot.pause());
    /// let waits = slot.submit(deploy()).await?;
    /// let dropped = slot.drop_if_running(deploy()).await?;
    /// assert!(matches!(dropped.outcome().await, TaskOutcome::Rejected { reason: RejectReason::Paused }));
    ///
    /// assert!(slot.resume());
    /// assert!(waits.outcome().await.is_completed());
    /// # Ok(())
    /// # }
    /// ```
    pub fn pause(&self) -> bool {
        self.core.pause(Subject::Slot(&self.name), false)
    }

    /// [Pauses](Self::pause) the slot, and requests the running attempts of its owners to stop; see
    /// [`TaskHandle::pause_and_stop`]. They still own the slot, and begin again after the pause. Returns `false` if this
    /// changes nothing.
    pub fn pause_and_stop(&self) -> bool {
        self.core.pause(Subject::Slot(&self.name), true)
    }

    /// Ends the [pause](Self::pause) of the slot: waiting submissions start when places are free. Returns `false` if
    /// the slot is not paused by itself.
    pub fn resume(&self) -> bool {
        self.core.resume(Subject::Slot(&self.name))
    }

    /// Returns `true` if the slot is paused: by itself, with the slot whose key it is, or with the root of the tree.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.core.is_paused(Subject::Slot(&self.name))
    }

    /// Returns a snapshot of the slot. That of a slot with keys is idle: each key has a slot of its own.
    pub fn snapshot(&self) -> SlotSnapshot {
        self.core.slot_snapshot(&self.name)
    }

    /// Returns the number of submissions in the slot, and in the slots of its keys: the running and the waiting ones.
    #[expect(clippy::len_without_is_empty, reason = "`is_idle` is the word for it")]
    pub fn len(&self) -> usize {
        self.core.slot_len(&self.name)
    }

    /// Returns `true` if no task runs or waits in the slot.
    pub fn is_idle(&self) -> bool {
        self.len() == 0
    }

    fn submit_by(&self, admission: AdmissionPolicy, task: impl IntoTaskSpec) -> Submit<'_> {
        Submit(self.core.submit(self.spec(admission, task)))
    }

    fn spec(&self, admission: AdmissionPolicy, task: impl IntoTaskSpec) -> ControllerSpec {
        ControllerSpec::new(admission, task).with_slot(Arc::clone(&self.name))
    }
}

impl_debug!(SlotHandle, |slot| name: slot.name);
