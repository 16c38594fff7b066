//! Shared by the conformance tests: an event recorder, and tasks that follow a script.
#![expect(clippy::missing_panics_doc, reason = "a test that goes wrong panics")]

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use taskvisor::{
    BackoffPolicy, CancellationToken, Event, EventData, EventKind, JitterPolicy, RestartPolicy, StopReason, Subscribe,
    Supervisor, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskId, TaskRef, TaskSpec,
};
use tokio::time::Instant;

/// One event, as tests compare it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The kind of the event.
    pub kind: EventKind,
    /// The path of the task.
    pub task: Option<String>,
    /// The registration.
    pub id: Option<TaskId>,
    /// The slot.
    pub slot: Option<String>,
    /// The number of the attempt.
    pub attempt: Option<u32>,
    /// The reason, without the locations of panics.
    pub reason: Option<String>,
    /// The reason as it is.
    pub whole_reason: Option<String>,
    /// The reason of the stop request that ended the attempt.
    pub stop: Option<StopReason>,
    /// The length of the wait, in milliseconds.
    pub delay_ms: Option<u64>,
    /// The number of lost events, of panics, or of submissions that wait in the slot.
    pub count: Option<u64>,
    /// The sequence number.
    pub seq: u64,
    /// Whether the event has every field that its kind requires.
    pub is_complete: bool,
}

/// Returns whether the event has every field that its kind requires, so that nothing in its data is a default.
fn is_complete(event: &Event) -> bool {
    let (attempt, count) = (event.attempt.is_some(), event.count.is_some());
    match event.data() {
        EventData::TaskStarting { task, attempt, .. } | EventData::TaskReady { task, attempt, .. } => {
            !task.is_empty() && attempt > 0
        }
        EventData::TaskStopped { task, .. } | EventData::ActorExhausted { task, .. } => !task.is_empty() && attempt,
        EventData::TaskFailed { task, reason, .. } | EventData::ActorDead { task, reason, .. } => {
            !task.is_empty() && attempt && !reason.is_empty()
        }
        EventData::TimeoutHit { task, .. } => !task.is_empty() && attempt && event.timeout().is_some(),
        EventData::BackoffScheduled { task, reason, .. } => {
            !task.is_empty() && attempt && !reason.is_empty() && event.delay().is_some()
        }
        EventData::GroupFailed { task, failures, reason, .. } => {
            !task.is_empty() && !reason.is_empty() && event.error().is_some() && failures > 0
        }
        EventData::GroupRestarted { restarts, .. } => event.task.is_some() && restarts > 0,
        EventData::GroupEnded { task, reason, stop, .. } => !task.is_empty() && (stop.is_none() || reason.is_some()),
        EventData::TaskAdded { task, .. }
        | EventData::TaskRemoved { task, .. }
        | EventData::TaskAddRequested { task, .. }
        | EventData::TaskRemoveRequested { task, .. } => !task.is_empty(),
        EventData::RunsMissed { task, reason, .. } => !task.is_empty() && attempt && count && !reason.is_empty(),
        EventData::TaskPaused { task, slot, .. } | EventData::TaskResumed { task, slot, .. } => {
            event.task.is_some() != slot.is_some() && (slot.is_none() || task.is_empty())
        }
        EventData::LeaseAcquired { task, key, .. } | EventData::LeaseReleased { task, key, .. } => {
            !task.is_empty() && !key.is_empty() && count
        }
        EventData::LeaseLost { task, reason, .. } | EventData::LeaseOverrun { task, key: reason, .. } => {
            !task.is_empty() && !reason.is_empty()
        }
        EventData::FleetUnreachable { reason, .. }
        | EventData::ShutdownRequested { reason, .. }
        | EventData::ShutdownForced { reason, .. }
        | EventData::GraceExceeded { reason, .. }
        | EventData::Warning { reason, .. } => !reason.is_empty(),
        EventData::ShutdownWaiting { task, reason, .. } => {
            !task.is_empty() && !reason.is_empty() && count && event.delay().is_some()
        }
        EventData::AllStoppedWithinGrace { .. } | EventData::FleetReachable { .. } => true,
        EventData::ControllerSubmitted { task, slot, .. } => !task.is_empty() && !slot.is_empty() && count,
        EventData::ControllerRejected { task, slot, reason, .. } => {
            !task.is_empty() && !slot.is_empty() && !reason.is_empty() && count
        }
        EventData::ControllerSlotTransition { slot, owner, from, to, .. } => {
            !slot.is_empty() && !from.is_empty() && owner.is_some() == !matches!(to, "idle" | "waiting") && count
        }
        EventData::SubscriberPanicked { subscriber, reason, .. } => {
            !subscriber.is_empty() && !reason.is_empty() && count
        }
        EventData::SubscriberOverflow { subscriber, .. } => !subscriber.is_empty() && count,
        _ => false,
    }
}

/// Returns a text without the locations of panics, which depend on whether a `run` of the process installed the hook.
#[expect(clippy::needless_pass_by_value, reason = "it is passed to `map`")]
pub fn placeless(text: impl ToString) -> String {
    let mut text = text.to_string();
    while let Some(start) = text.find("panicked at ") {
        let start = start + "panicked".len();
        let place = text[start..].splitn(4, ':').map(str::len).take(3).sum::<usize>() + 2;
        text.replace_range(start..start + place, "");
    }
    text
}

/// Polls the future once. A request is made by then, also if its answer takes longer.
pub async fn polled_once<T>(future: impl Future<Output = T>) {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let _ = future.as_mut().poll(cx);
        Poll::Ready(())
    })
    .await;
}

/// Goes on in another turn, for which Tokio wakes a worker that sleeps. A turn that follows the timers and IO of the runtime
/// wakes none (as after `yield_now`), so that nobody would look at them if this one blocked its worker.
pub async fn another_turn() {
    let mut is_another = false;
    poll_fn(|cx| {
        if is_another {
            return Poll::Ready(());
        }
        is_another = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A subscriber that keeps every event.
#[derive(Debug, Default)]
pub struct Recorder {
    seen: Mutex<Vec<Seen>>,
}

impl Recorder {
    /// Creates a recorder.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Every event so far, in order. Panics if an event lacks a field that its kind requires.
    pub fn seen(&self) -> Vec<Seen> {
        let seen = self.seen.lock().unwrap().clone();
        if let Some(incomplete) = seen.iter().find(|seen| !seen.is_complete) {
            panic!("incomplete: {incomplete:?}");
        }
        seen
    }

    /// The kinds of the events about `task`, in order.
    pub fn kinds_of(&self, task: &str) -> Vec<EventKind> {
        // A report about a shutdown is no transition of the task that it names.
        let seen = self.seen().into_iter().filter(|seen| seen.kind != EventKind::ShutdownWaiting);
        seen.filter(|seen| seen.task.as_deref() == Some(task)).map(|seen| seen.kind).collect()
    }

    /// The kinds of all events, in order.
    pub fn kinds(&self) -> Vec<EventKind> {
        self.seen().into_iter().map(|seen| seen.kind).collect()
    }

    /// The number of events of this kind.
    pub fn count(&self, kind: EventKind) -> usize {
        self.kinds().into_iter().filter(|seen| *seen == kind).count()
    }
}

#[async_trait::async_trait]
impl Subscribe for Recorder {
    async fn on_event(&self, event: &Event) {
        self.seen.lock().unwrap().push(Seen {
            kind: event.kind,
            task: event.task.as_deref().map(str::to_owned),
            id: event.id,
            slot: event.slot.as_deref().map(str::to_owned),
            attempt: event.attempt,
            reason: event.reason.as_ref().map(placeless),
            whole_reason: event.reason.as_ref().map(ToString::to_string),
            stop: event.stop.clone(),
            delay_ms: event.delay_ms,
            count: event.count,
            seq: event.seq,
            is_complete: is_complete(event),
        });
    }

    fn name(&self) -> &'static str {
        "recorder"
    }

    fn queue_capacity(&self) -> usize {
        1 << 20
    }
}

/// A supervisor with the default config, and a recorder subscribed to it.
#[must_use]
pub fn recorded() -> (Arc<Supervisor>, Arc<Recorder>) {
    recorded_with(SupervisorConfig { drain_timeout: secs(60), ..SupervisorConfig::default() })
}

/// A supervisor with this config, and a recorder subscribed to it.
#[must_use]
pub fn recorded_with(config: SupervisorConfig) -> (Arc<Supervisor>, Arc<Recorder>) {
    let recorder = Recorder::new();
    (Supervisor::new(config, vec![recorder.clone()]), recorder)
}

/// A supervisor with the default config and no subscriber.
#[must_use]
pub fn supervisor() -> Arc<Supervisor> {
    Supervisor::new(SupervisorConfig::default(), vec![])
}

/// One step of a [`Script`]: the behavior of one attempt.
#[derive(Debug, Clone)]
pub enum Step {
    /// Succeeds after this time.
    Succeed(Duration),
    /// Fails after this time.
    Fail(Duration),
    /// Fails at once, and is to be retried after this time.
    RetryAfter(Duration),
    /// Fails permanently.
    Fatal,
    /// Panics after this time.
    Panic(Duration),
    /// Returns `Canceled` without a stop request.
    Cancel,
    /// Runs until it is requested to stop, then returns.
    Wait,
    /// Ignores stop requests and runs until it is dropped.
    Deaf,
}

/// Succeeds at once.
pub const OK: Step = Step::Succeed(Duration::ZERO);
/// Fails at once.
pub const FAIL: Step = Step::Fail(Duration::ZERO);
/// Panics at once.
pub const PANIC: Step = Step::Panic(Duration::ZERO);

/// A task whose attempts follow a script; the last step repeats. It records when its attempts began, and how many ran
/// at once.
#[derive(Debug)]
pub struct Script {
    steps: Vec<Step>,
    begun: Mutex<Vec<Instant>>,
    running: AtomicUsize,
    most: AtomicUsize,
}

struct Running(Arc<Script>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Script {
    /// Creates a script of at least one step.
    #[must_use]
    pub fn new(steps: impl Into<Vec<Step>>) -> Arc<Self> {
        let (begun, running, most) = (Mutex::default(), AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { steps: steps.into(), begun, running, most })
    }

    /// A task of this name that follows the script.
    #[must_use]
    pub fn task(self: &Arc<Self>, name: &str) -> TaskRef {
        let script = Arc::clone(self);
        TaskFn::arc(name, move |ctx: TaskContext| Arc::clone(&script).attempt(ctx.token()))
    }

    /// A spec of this name that follows the script, with inherited options.
    pub fn spec(self: &Arc<Self>, name: &str) -> TaskSpec {
        TaskSpec::inherit(self.task(name))
    }

    async fn attempt(self: Arc<Self>, token: CancellationToken) -> Result<(), TaskError> {
        let number = {
            let mut begun = self.begun.lock().unwrap();
            begun.push(Instant::now());
            begun.len() - 1
        };
        self.most.fetch_max(self.running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let _running = Running(Arc::clone(&self));
        match self.steps[number.min(self.steps.len() - 1)] {
            Step::Succeed(after) => {
                pause(after).await;
                Ok(())
            }
            Step::Fail(after) => {
                pause(after).await;
                Err(TaskError::Fail { reason: format!("failure {}", number + 1) })
            }
            Step::RetryAfter(delay) => {
                Err(TaskError::Fail { reason: format!("failure {}", number + 1) }.retry_after(delay))
            }
            Step::Fatal => Err(TaskError::Fatal { reason: "fatal".into() }),
            Step::Panic(after) => {
                pause(after).await;
                panic!("panic {}", number + 1);
            }
            Step::Cancel => Err(TaskError::Canceled),
            Step::Wait => {
                token.cancelled().await;
                Err(TaskError::Canceled)
            }
            Step::Deaf => std::future::pending().await,
        }
    }

    /// How many attempts have begun.
    pub fn attempts(&self) -> usize {
        self.begun.lock().unwrap().len()
    }

    /// When each attempt began, in milliseconds after `start`.
    pub fn begun_ms(&self, start: Instant) -> Vec<u128> {
        self.begun.lock().unwrap().iter().map(|at| (*at - start).as_millis()).collect()
    }

    /// How many attempts run now.
    pub fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }

    /// The most attempts that ever ran at once.
    pub fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

/// A task that runs until it is requested to stop, then returns.
pub fn cooperative(name: &str) -> TaskSpec {
    Script::new([Step::Wait]).spec(name)
}

/// A task that ignores stop requests.
pub fn deaf(name: &str) -> TaskSpec {
    Script::new([Step::Deaf]).spec(name)
}

/// A constant backoff without jitter.
#[must_use]
pub fn constant(delay: Duration) -> BackoffPolicy {
    BackoffPolicy { first: delay, max: delay, factor: 1.0, jitter: JitterPolicy::None }
}

/// `Always`, with no interval.
pub const ALWAYS: RestartPolicy = RestartPolicy::Always { interval: None };

/// `Always`, with an interval of zero: a task that succeeds at once is not throttled.
pub const WITHOUT_PAUSE: RestartPolicy = RestartPolicy::Always { interval: Some(Duration::ZERO) };

/// Seconds.
#[must_use]
pub const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Milliseconds.
#[must_use]
pub const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Times for a test in real time: this one, and two that are longer, for a machine that is too busy for the first. What
/// is wrong is so with each of them.
pub fn longer(first: Duration) -> impl Iterator<Item = Duration> {
    [1, 10, 100].into_iter().map(move |times| first * times)
}

/// Lets every task that is ready run.
pub async fn settle() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}
