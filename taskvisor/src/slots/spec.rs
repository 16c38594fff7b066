//! What is submitted, and what a slot is declared with.

use std::sync::Arc;

use super::AdmissionPolicy;
use crate::task::{IntoTaskSpec, TaskSpec};

/// A task to be submitted to a slot.
///
/// The slot is the one of the task's name, unless [`with_slot`](Self::with_slot) says otherwise: tasks of different
/// names that share a slot never run at once. A slot need not be declared.
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
    admission: AdmissionPolicy,
    slot: Option<Arc<str>>,
    spec: TaskSpec,
}

impl ControllerSpec {
    /// If its slot is busy, the task waits its turn.
    pub fn queue(task: impl IntoTaskSpec) -> Self {
        Self::new(AdmissionPolicy::Queue, task)
    }

    /// If its slot is busy, the task takes the place of the one that runs.
    pub fn replace(task: impl IntoTaskSpec) -> Self {
        Self::new(AdmissionPolicy::Replace, task)
    }

    /// If its slot is busy, the task is rejected.
    pub fn drop_if_running(task: impl IntoTaskSpec) -> Self {
        Self::new(AdmissionPolicy::DropIfRunning, task)
    }

    /// A submission by a policy that is known when the program runs.
    pub fn new(admission: AdmissionPolicy, task: impl IntoTaskSpec) -> Self {
        Self { admission, slot: None, spec: task.into_task_spec() }
    }

    /// Submits to the slot of that name, which can be anything but empty: a path, a key of a customer. Two things that
    /// are not to share a slot need different names; mind what is lost where a name is made of a path that is no text.
    pub fn with_slot(mut self, name: impl Into<Arc<str>>) -> Self {
        self.slot = Some(name.into());
        self
    }

    /// What becomes of the task if its slot is busy.
    pub fn admission(&self) -> AdmissionPolicy {
        self.admission
    }

    /// The name of the slot: the one set here, else the task's name.
    pub fn slot(&self) -> &str {
        self.slot.as_deref().unwrap_or_else(|| self.spec.name())
    }

    /// The task.
    pub fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    pub(crate) fn into_parts(self) -> (AdmissionPolicy, Option<Arc<str>>, TaskSpec) {
        (self.admission, self.slot, self.spec)
    }
}

/// A slot as declared: its name, the admission policy of submissions that set none, and how many may wait.
///
/// A declared slot takes submissions during the [`drain`](crate::SupervisorConfig::drain) of a shutdown, as others do
/// not. Its tasks then stop before the tree does, and what waits is rejected when the drain is over. A slot that a
/// child of the tree is [`after`](TaskSpec::with_after) outlives the tree: it takes submissions of that child until the
/// child has terminated, as for a final report, and stops last.
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
    /// A slot of that name, which queues what is submitted while it is busy.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), admission: AdmissionPolicy::default(), capacity: None }
    }

    /// Sets what becomes of a task that is submitted while the slot is busy. Default: [`AdmissionPolicy::Queue`].
    pub fn with_admission(mut self, admission: AdmissionPolicy) -> Self {
        self.admission = admission;
        self
    }

    /// Sets how many may wait in its queue, at least 1. Default: the
    /// [`slot_capacity`](crate::ControllerConfig::slot_capacity) of the controller.
    pub fn with_capacity(mut self, capacity: usize) -> Self {
        self.capacity = Some(capacity);
        self
    }

    /// The name of the slot.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What becomes of a task that is submitted while the slot is busy.
    pub fn admission(&self) -> AdmissionPolicy {
        self.admission
    }

    /// How many may wait in its queue, if it says so.
    pub fn capacity(&self) -> Option<usize> {
        self.capacity
    }
}
