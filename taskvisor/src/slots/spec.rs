//! Submissions, and declarations of slots.

use std::sync::Arc;

use super::AdmissionPolicy;
use crate::task::{IntoTaskSpec, TaskSpec};

/// A submission: a task with its slot and its admission policy.
///
/// The slot has the name of the task, unless [`with_slot`](Self::with_slot) sets another. Tasks of different names that
/// share a slot never run at once. A slot need not be declared. The guide explains [slots](crate::guide::slots).
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use taskvisor::{ControllerSpec, RejectReason, Supervisor, SupervisorConfig, TaskContext, TaskFn, TaskOutcome};
///
/// let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
/// let deploy = TaskFn::arc("deploy", |ctx: TaskContext| async move {
///     ctx.cancelled().await;
///     Ok(())
/// });
///
/// let first = supervisor.submit(ControllerSpec::queue(deploy.clone())).await?;
/// let busy = supervisor.submit(ControllerSpec::drop_if_running(deploy.clone())).await?;
/// assert!(matches!(busy.outcome().await, TaskOutcome::Rejected { reason: RejectReason::Busy }));
///
/// let newer = supervisor.submit(ControllerSpec::replace(deploy)).await?;
/// assert!(matches!(first.outcome().await, TaskOutcome::Canceled { .. }));
/// assert!(newer.cancel().await?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is submitted yet"]
pub struct ControllerSpec {
    pub(crate) admission: AdmissionPolicy,
    pub(crate) slot: Option<Arc<str>>,
    pub(crate) spec: TaskSpec,
}

impl ControllerSpec {
    /// Creates a submission with [`AdmissionPolicy::Queue`]: if its slot is busy, the task waits in the queue.
    pub fn queue(task: impl IntoTaskSpec) -> Self {
        Self::new(AdmissionPolicy::Queue, task)
    }

    /// Creates a submission with [`AdmissionPolicy::Replace`]: if its slot is busy, the task replaces the running one.
    pub fn replace(task: impl IntoTaskSpec) -> Self {
        Self::new(AdmissionPolicy::Replace, task)
    }

    /// Creates a submission with [`AdmissionPolicy::DropIfRunning`]: if its slot is busy, the task is rejected.
    pub fn drop_if_running(task: impl IntoTaskSpec) -> Self {
        Self::new(AdmissionPolicy::DropIfRunning, task)
    }

    /// Creates a submission with an admission policy that is known at run time.
    pub fn new(admission: AdmissionPolicy, task: impl IntoTaskSpec) -> Self {
        Self { admission, slot: None, spec: task.into_task_spec() }
    }

    /// Sets the name of the slot. It can be any text except an empty one, such as a path or the key of a customer.
    /// Tasks that must not share a slot need different names: a lossy conversion of a path to text can make two names
    /// equal.
    pub fn with_slot(mut self, name: impl Into<Arc<str>>) -> Self {
        self.slot = Some(name.into());
        self
    }

    /// Returns the admission policy.
    pub fn admission(&self) -> AdmissionPolicy {
        self.admission
    }

    /// Returns the name of the slot: the one that was set, or the name of the task.
    pub fn slot(&self) -> &str {
        self.slot.as_deref().unwrap_or_else(|| self.spec.name())
    }

    /// Returns the task.
    pub fn spec(&self) -> &TaskSpec {
        &self.spec
    }
}

/// The declaration of a slot: its name, its admission policy and its capacity.
///
/// A declared slot accepts submissions during the [`drain`](crate::SupervisorConfig::drain) of a shutdown; other slots
/// do not. After the drain its tasks stop before the tree does, and its waiting submissions are rejected. A slot that a
/// child of the tree is [`after`](TaskSpec::with_after) outlives the tree: it accepts submissions of that child until
/// the child has terminated, for example a final report, and stops last. The guide explains
/// [slots](crate::guide::slots).
///
/// # Examples
/// ```
/// use taskvisor::{AdmissionPolicy, SlotSpec, SupervisorConfig, Tree};
///
/// let tree = Tree::builder(SupervisorConfig::default())
///     .with_slot(SlotSpec::new("deploy").with_admission(AdmissionPolicy::Replace))
///     .with_slot(SlotSpec::new("uploads").with_capacity(1000))
///     .build();
/// assert!(tree.slot("deploy").is_idle());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "nothing is declared yet"]
pub struct SlotSpec {
    name: Arc<str>,
    admission: AdmissionPolicy,
    capacity: Option<usize>,
}

impl SlotSpec {
    /// Declares a slot of that name with [`AdmissionPolicy::Queue`].
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), admission: AdmissionPolicy::default(), capacity: None }
    }

    /// Sets the admission policy of submissions that set none. Default: [`AdmissionPolicy::Queue`].
    pub fn with_admission(mut self, admission: AdmissionPolicy) -> Self {
        self.admission = admission;
        self
    }

    /// Sets the number of submissions that may wait in its queue, at least 1. Default: the
    /// [`slot_capacity`](crate::ControllerConfig::slot_capacity) of the controller.
    pub fn with_capacity(mut self, capacity: usize) -> Self {
        self.capacity = Some(capacity);
        self
    }

    /// The name of the slot.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the admission policy.
    pub fn admission(&self) -> AdmissionPolicy {
        self.admission
    }

    /// Returns the capacity of its queue, if it is set.
    pub fn capacity(&self) -> Option<usize> {
        self.capacity
    }
}
