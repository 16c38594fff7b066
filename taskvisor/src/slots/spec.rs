//! Submissions, and declarations of slots.

use std::sync::Arc;
use std::time::Duration;

use super::{AdmissionPolicy, Debounce, Rate};
use crate::supervisor::InvalidOption;
use crate::task::{IntoTaskSpec, TaskSpec};

/// A submission: a task with its slot and its admission policy.
///
/// The slot has the name of the task, unless [`with_slot`](Self::with_slot) sets another. Tasks of different names that
/// share a slot never run at once, unless the slot is declared with a concurrency. A slot need not be declared. The guide explains [slots](crate::guide::slots).
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

    /// Creates a submission with [`AdmissionPolicy::Latest`]: if its slot is busy, the task is the next to run, in place of
    /// one that waits to be the next.
    pub fn latest(task: impl IntoTaskSpec) -> Self {
        Self::new(AdmissionPolicy::Latest, task)
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
    pub(crate) capacity: Option<usize>,
    pub(crate) named_limit: Option<Arc<str>>,
    pub(crate) debounce: Option<Duration>,
    pub(crate) debounce_max: Option<Duration>,
    pub(crate) concurrency: Option<usize>,
    keyed: bool,
    pub(crate) max_concurrent: Option<usize>,
    pub(crate) rate: Option<(usize, Duration)>,
    pub(crate) paused: bool,
    #[cfg(feature = "fleet")]
    pub(crate) fleet: bool,
}

/// The admission policies that are valid in a slot of the fleet.
#[cfg(feature = "fleet")]
pub(crate) const NO_REPLACE: &str =
    "`Queue`, `Latest` or `DropIfRunning` in a slot of the fleet: the owner can be in another replica";

impl SlotSpec {
    /// Declares a slot of that name with [`AdmissionPolicy::Queue`].
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            admission: AdmissionPolicy::default(),
            capacity: None,
            named_limit: None,
            debounce: None,
            debounce_max: None,
            concurrency: None,
            keyed: false,
            max_concurrent: None,
            rate: None,
            paused: false,
            #[cfg(feature = "fleet")]
            fleet: false,
        }
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

    /// Makes each attempt of its tasks need a permit of the limit of that name, which
    /// [`TreeBuilder::with_named_limit`](crate::TreeBuilder::with_named_limit) declares. The task that owns the slot
    /// waits for it as `Pending`. Default: none.
    pub fn with_named_limit(mut self, name: impl Into<Arc<str>>) -> Self {
        self.named_limit = Some(name.into());
        self
    }

    /// Sets how long a submission with [`AdmissionPolicy::Latest`] waits for a newer one before it starts. Each newer one
    /// waits as long again. Needs that admission policy, and must not be zero. Default: none, an idle slot starts it at
    /// once.
    ///
    /// A submission that waits at the end of the drain of a shutdown is rejected.
    pub fn with_debounce(mut self, quiet: Duration) -> Self {
        self.debounce = Some(quiet);
        self
    }

    /// Sets how long submissions that supersede each other wait in all: the last of them can start when the first has
    /// waited for this long. Needs [`with_debounce`](Self::with_debounce), and must be at least as long. Default: no
    /// limit.
    pub fn with_debounce_max(mut self, most: Duration) -> Self {
        self.debounce_max = Some(most);
        self
    }

    /// Sets how many tasks run at once in the slot, or in the slot of each key if it has [keys](Self::with_keys); at
    /// least 1. Tasks that run at once need different names. Default: 1.
    pub fn with_concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = Some(concurrency);
        self
    }

    /// Gives the slot keys, such as the names of customers: [`SlotHandle::key`](crate::SlotHandle::key) returns the slot
    /// of a key, with an owner and a queue of its own, and the other options of this slot. Tasks are submitted with a
    /// key only. The slot of the key `acme` of `jobs` is called `jobs/acme`, and the path of its task `export` is
    /// `jobs/acme/export`, so equal names in different keys are no conflict. No task can be
    /// [`after`](TaskSpec::with_after) a slot with keys.
    pub fn with_keys(mut self) -> Self {
        self.keyed = true;
        self
    }

    /// Limits the tasks in the slots of all its [keys](Self::with_keys) together, at least 1. A task counts from its start
    /// until it has ended for good, backoffs included. A free
    /// place goes to the keys in turn, however many submissions each has. Needs keys. Default: no limit.
    pub fn with_max_concurrent(mut self, max_concurrent: usize) -> Self {
        self.max_concurrent = Some(max_concurrent);
        self
    }

    /// Limits the starts of tasks to `starts` within any span of `per`, of all its keys together. Further submissions
    /// wait, and take room in the queue, as in a busy slot. `starts` must be at least 1, and `per` longer than zero. The
    /// restarts of a task do not count. Default: no limit.
    pub fn with_rate(mut self, starts: usize, per: Duration) -> Self {
        self.rate = Some((starts, per));
        self
    }

    /// Sets whether the slot is paused at first: submissions wait as in a busy slot, until
    /// [`SlotHandle::resume`](crate::SlotHandle::resume) is called. After that, handles decide. Default: `false`. The
    /// guide explains [pausing](crate::guide::pausing).
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use taskvisor::{SlotSpec, SupervisorConfig, TaskContext, TaskFn, Tree};
    ///
    /// let uploads = SlotSpec::new("uploads").with_paused(true);
    /// let tree = Tree::builder(SupervisorConfig::default()).with_slot(uploads).build();
    /// let uploads = tree.slot("uploads");
    /// let upload = uploads.submit(TaskFn::arc("a.txt", |_: TaskContext| async { Ok(()) })).await?;
    /// assert!(uploads.snapshot().owners.is_empty());
    ///
    /// assert!(uploads.resume());
    /// assert!(upload.outcome().await.is_completed());
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_paused(mut self, paused: bool) -> Self {
        self.paused = paused;
        self
    }

    /// Makes the tasks of the slot run in one replica of the [fleet](crate::guide::fleets) at a time: of all replicas
    /// together, one task runs in the slot, or in the slot of each key. A task that owns the slot of its own process stands
    /// by until it has the lease, and the others of that process wait in its queue as usual. Needs a
    /// [`Fleet`](crate::fleet::Fleet), one place, and an admission policy other than [`AdmissionPolicy::Replace`], which
    /// cannot reach the owner in another replica. A task that is a [singleton](crate::TaskSpec::with_singleton) itself is
    /// refused: it would have two leases.
    ///
    /// [`AdmissionPolicy::DropIfRunning`] rejects a task if one runs or stands by in the slot of its own process; the
    /// lease of another replica is not considered.
    ///
    /// The key of the lease, for a fence, is `/slot/deploy` for the slot `deploy`, and `/slot/deploy/acme` for its key
    /// `acme`.
    #[cfg(feature = "fleet")]
    pub fn with_fleet(mut self) -> Self {
        self.fleet = true;
        self
    }

    /// Returns `true` if its tasks run in one replica of the fleet at a time.
    #[cfg(feature = "fleet")]
    pub fn is_fleet(&self) -> bool {
        self.fleet
    }

    /// Returns `true` if the slot is paused at first.
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// Returns the name of the slot.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the admission policy.
    pub fn admission(&self) -> AdmissionPolicy {
        self.admission
    }

    /// Returns how long a submission waits for a newer one.
    pub fn debounce(&self) -> Option<Duration> {
        self.debounce
    }

    /// Returns how long submissions that supersede each other wait in all.
    pub fn debounce_max(&self) -> Option<Duration> {
        self.debounce_max
    }

    /// Returns how many tasks run at once, for each key.
    pub fn concurrency(&self) -> usize {
        self.concurrency.unwrap_or(1)
    }

    /// Returns `true` if the slot has keys.
    pub fn is_keyed(&self) -> bool {
        self.keyed
    }

    /// Returns how many tasks run at once in the slots of all keys, if that is limited.
    pub fn max_concurrent(&self) -> Option<usize> {
        self.max_concurrent
    }

    /// Returns the largest number of starts and its span of time, if that is limited.
    pub fn rate(&self) -> Option<(usize, Duration)> {
        self.rate
    }

    /// Returns `true` if the slot needs no more than an owner and a queue.
    pub(crate) fn is_simple(&self) -> bool {
        #[cfg(feature = "fleet")]
        if self.fleet {
            return false;
        }
        self.debounce.is_none() && self.concurrency() == 1 && !self.keyed && !self.has_pool()
    }

    /// Returns `true` if its keys share places or a rate.
    pub(crate) fn has_pool(&self) -> bool {
        self.max_concurrent.is_some() || self.rate.is_some()
    }

    pub(crate) fn quiet(&self) -> Option<Debounce> {
        self.debounce.map(|quiet| Debounce { quiet, most: self.debounce_max })
    }

    pub(crate) fn pace(&self) -> Option<Rate> {
        self.rate.map(|(starts, per)| Rate { starts, per })
    }

    /// Checks the options, alone and together.
    pub(crate) fn check(&self) -> Result<(), InvalidOption> {
        const LONGER: &str = "a time longer than zero";
        let Self { admission, debounce, debounce_max, keyed, .. } = *self;
        let reject_if = |is_wrong, option, value: &str, expected| {
            let invalid = || InvalidOption::new(format!("slot `{}`", self.name), option, value, expected);
            if is_wrong { Err(invalid()) } else { Ok(()) }
        };
        reject_if(self.capacity == Some(0), "capacity", "0", "at least 1")?;
        reject_if(self.concurrency == Some(0), "concurrency", "0", "at least 1")?;
        reject_if(self.max_concurrent == Some(0), "max_concurrent", "0", "at least 1")?;
        let without_keys = "keys beside it: `with_concurrency` says how many run at once in a slot without keys";
        reject_if(self.max_concurrent.is_some() && !keyed, "max_concurrent", "set", without_keys)?;
        reject_if(self.rate.is_some_and(|(starts, _)| starts == 0), "rate", "0", "at least 1 start")?;
        reject_if(self.rate.is_some_and(|(_, per)| per.is_zero()), "rate", "0ns", LONGER)?;
        reject_if(debounce == Some(Duration::ZERO), "debounce", "0ns", LONGER)?;
        #[cfg(feature = "fleet")]
        if self.fleet {
            let places = self.concurrency();
            reject_if(
                places > 1,
                "concurrency",
                &places.to_string(),
                "1 in a slot of the fleet, whose lease has one owner",
            )?;
            let is_replace = admission == AdmissionPolicy::Replace;
            reject_if(is_replace, "admission", "`Replace`", NO_REPLACE)?;
        }
        let is_latest = admission == AdmissionPolicy::Latest;
        reject_if(debounce.is_some() && !is_latest, "debounce", "set", "the admission policy `Latest` beside it")?;
        let Some(most) = debounce_max else { return Ok(()) };
        reject_if(debounce.is_none(), "debounce_max", "set", "`debounce` beside it")?;
        let is_shorter = debounce.is_some_and(|debounce| most < debounce);
        reject_if(is_shorter, "debounce_max", &format!("{most:?}"), "at least `debounce`")
    }

    /// Returns the name of the limit whose permits its tasks need, if it is set.
    pub fn named_limit(&self) -> Option<&str> {
        self.named_limit.as_deref()
    }

    /// Returns the capacity of its queue, if it is set.
    pub fn capacity(&self) -> Option<usize> {
        self.capacity
    }
}
