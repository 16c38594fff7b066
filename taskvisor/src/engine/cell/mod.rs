//! The state of one registration.
//!
//! Everybody who wants something of a task writes it into its cell and wakes its actor. What listeners are told of a
//! task is published under the lock of its cell, so that they see its transitions in the order in which they happened.

mod attempt;
mod bound;
mod commands;
#[cfg(feature = "test-util")]
mod fault;
mod gate;
mod transitions;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::clock::Ticks;
use super::core::Core;
use super::decision::Told;
use super::group::{GroupCell, Key};
use super::helpers::Helpers;
use super::names;
use crate::error::TaskError;
use crate::events::{Event, EventKind};
use crate::health::Problem;
use crate::outcome::TaskOutcome;
use crate::runtime_error::StopLimit;
use crate::settings::Settings;
use crate::status::{TaskId, TaskState, TaskStatus};
use crate::sync::{WaitList, lock};
use crate::task::TaskRef;

use bound::Allowed;
pub(super) use bound::{Bound, StopBy};
pub(super) use gate::Parked;
pub(super) use transitions::{Concluded, News};

/// How long an abort may take to show, once it is due: the scheduler has to get to it.
pub(super) const ABORT: Duration = Duration::from_millis(100);

/// One registration of a task.
pub(crate) struct Cell {
    id: TaskId,
    name: Arc<str>,
    /// The hash of the name; zero until somebody asks for it.
    hash: AtomicU32,
    task: TaskRef,
    settings: Arc<Settings>,
    core: Arc<Core>,
    /// Set when there is news for the actor, so that it need not lock to find out that there is none.
    news: AtomicBool,
    state: Mutex<State>,
    origin: Origin,
    tie: Option<Arc<Tie>>,
}

impl State {
    pub(in crate::engine) fn phase(&self) -> TaskState {
        self.phase
    }

    pub(in crate::engine) fn is_ready(&self) -> bool {
        self.ready
    }

    /// Which bound it exceeded, if it was aborted.
    pub(in crate::engine) fn limit(&self) -> StopLimit {
        self.limit
    }
}

/// How a registration came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Origin {
    /// With a batch or tree, and whether it counts for the readiness of a batch.
    Declared { unready: bool },
    /// At runtime.
    Added,
    /// At runtime, to a slot: the one of its own name, unless it is tied to another.
    #[cfg(feature = "controller")]
    Submitted,
}

/// Who else decides when it starts.
pub(in crate::engine) enum Tie {
    /// A group that looks after it.
    Group(Member),
    /// The slot that it was submitted to.
    #[cfg(feature = "controller")]
    Slot(Arc<str>),
}

/// The place of a registration in its group.
pub(in crate::engine) struct Member {
    pub(in crate::engine) group: Arc<GroupCell>,
    pub(in crate::engine) key: Key,
    /// The last start or stop that the group requested. Changed under the cell's lock.
    pub(in crate::engine) epoch: AtomicU32,
    /// Its failures are the group's to decide on.
    pub(in crate::engine) managed: bool,
    /// Others are after it.
    pub(in crate::engine) awaited: bool,
}

/// Whether the group lets the next attempt begin.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gate {
    Shut,
    Open,
    /// Open, and it was ready since.
    Passed,
}

pub(in crate::engine) struct State {
    phase: TaskState,
    told: Told,
    bound: Option<Allowed>,
    /// Failures in a row.
    streak: u32,
    /// It counts for the readiness of its batch, and no attempt has begun.
    unready: bool,
    progress: Progress,
    gate: Gate,
    /// Since when it does what it does, by the supervisor's clock; at the end of time while it is about to do something.
    since: Ticks,
    /// When it should have stopped, once told to; at the end of time if nobody said.
    stop_by: Ticks,
    /// Which bound that is.
    limit: StopLimit,
    /// The present attempt is ready.
    ready: bool,
    /// The attempt's token is cancelled.
    cancelled: bool,
    attempt: u32,
    waker: Option<Waker>,
    token: Option<CancellationToken>,
    helpers: Option<Box<Helpers>>,
    /// When the attempt gave its last sign of life; only with a watchdog.
    beat: Option<Box<Instant>>,
    last_error: Option<Arc<TaskError>>,
    outcome: Option<TaskOutcome>,
    /// Those who wait for the outcome, or for the end of the registration.
    waiting: WaitList,
    /// What strikes the present attempt, or the next if there is none.
    #[cfg(feature = "test-util")]
    fault: Option<Box<super::kit::Strike>>,
}

/// How far the present attempt is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// There is none.
    Idle,
    Running,
    /// Its future is gone, its helpers are not.
    Joining,
    /// There is none, and there will be none.
    Over,
}

impl Cell {
    pub(in crate::engine) fn new(
        task: TaskRef,
        name: Arc<str>,
        settings: Arc<Settings>,
        core: Arc<Core>,
        origin: Origin,
        tie: Option<Arc<Tie>>,
    ) -> Self {
        let phase = match origin {
            #[cfg(feature = "controller")]
            Origin::Submitted => TaskState::Queued,
            _ => first_phase(&settings),
        };
        Self {
            id: TaskId::next(),
            hash: AtomicU32::new(0),
            name,
            task,
            settings,
            core,
            news: AtomicBool::new(false),
            state: Mutex::new(State {
                phase,
                told: Told::Nothing,
                bound: None,
                streak: 0,
                unready: origin == Origin::Declared { unready: true },
                progress: Progress::Idle,
                gate: if matches!(tie.as_deref(), Some(Tie::Group(_))) { Gate::Shut } else { Gate::Open },
                since: Ticks::MAX,
                stop_by: Ticks::MAX,
                limit: StopLimit::Grace,
                ready: false,
                cancelled: false,
                attempt: 0,
                waker: None,
                token: None,
                helpers: None,
                beat: None,
                last_error: None,
                outcome: None,
                waiting: WaitList::default(),
                #[cfg(feature = "test-util")]
                fault: None,
            }),
            origin,
            tie,
        }
    }

    pub(crate) fn id(&self) -> TaskId {
        self.id
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The hash of its name.
    pub(in crate::engine) fn hash(&self) -> u32 {
        let known = self.hash.load(Ordering::Relaxed);
        if known != 0 {
            return known;
        }
        let hash = names::hash(&self.name);
        self.hash.store(hash, Ordering::Relaxed);
        hash
    }

    /// Its name in its group.
    #[cfg(feature = "tracing")]
    pub(in crate::engine) fn own_name(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or_default()
    }

    /// The outcome, if it is known.
    #[cfg(all(feature = "controller", feature = "tracing"))]
    pub(in crate::engine) fn known_outcome(&self) -> Option<TaskOutcome> {
        self.lock().outcome.clone()
    }

    pub(crate) fn task(&self) -> &TaskRef {
        &self.task
    }

    pub(crate) fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    pub(crate) fn status(&self) -> TaskStatus {
        let state = self.lock();
        TaskStatus {
            state: state.phase,
            attempt: state.attempt,
            restarts: state.attempt.saturating_sub(1),
            failures: state.streak,
            last_error: state.last_error.clone(),
        }
    }

    pub(crate) fn last_error(&self) -> Option<Arc<TaskError>> {
        self.lock().last_error.clone()
    }

    /// Since when it does what it does.
    pub(in crate::engine) fn since(&self) -> Ticks {
        self.lock().since
    }

    /// What the attempt should have done by now.
    pub(in crate::engine) fn overdue(&self) -> Option<Problem> {
        let now = self.core.clock.now();
        let state = self.lock();
        if state.phase == TaskState::Stopping && now > state.stop_by {
            return Some(Problem::PastStop);
        }
        let silence = state.beat.as_ref().map(|beat| beat.elapsed());
        let watchdog = self.settings.watchdog.filter(|_| state.phase == TaskState::Running);
        match (silence, watchdog) {
            (Some(silence), Some(allowed)) if silence > allowed => Some(Problem::Silent),
            _ => None,
        }
    }

    /// Whether an attempt is under way.
    pub(crate) fn is_alive(&self) -> bool {
        matches!(self.lock().progress, Progress::Running | Progress::Joining)
    }

    pub(in crate::engine) fn was_added(&self) -> bool {
        !matches!(self.origin, Origin::Declared { .. })
    }

    /// Whether it was added at runtime, to no group.
    pub(in crate::engine) fn is_beside_tree(&self) -> bool {
        self.was_added() && self.member().is_none()
    }

    pub(in crate::engine) fn member(&self) -> Option<&Member> {
        match self.tie.as_deref() {
            Some(Tie::Group(member)) => Some(member),
            _ => None,
        }
    }

    /// The slot that it was submitted to.
    #[cfg(feature = "controller")]
    pub(in crate::engine) fn slot(&self) -> Option<&Arc<str>> {
        match (self.origin, self.tie.as_deref()) {
            (_, Some(Tie::Slot(slot))) => Some(slot),
            (Origin::Submitted, None) => Some(&self.name),
            _ => None,
        }
    }

    /// What ties it to its slot, for others of that slot to share; nothing if the slot has its name.
    #[cfg(feature = "controller")]
    pub(in crate::engine) fn tie(&self) -> Option<&Arc<Tie>> {
        self.tie.as_ref()
    }

    /// It waits in its slot no more, but owns it.
    #[cfg(feature = "controller")]
    pub(in crate::engine) fn leave_slot(&self) {
        let mut state = self.lock();
        state.phase = first_phase(&self.settings);
        state.since = Ticks::MAX;
    }

    pub(in crate::engine) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// An event about the registration, of now. Made where somebody listens, and nowhere else.
    pub(in crate::engine) fn event(&self, kind: EventKind) -> Event {
        self.event_at(kind, SystemTime::now())
    }

    fn event_at(&self, kind: EventKind, at: SystemTime) -> Event {
        Event { id: Some(self.id), task: Some(Arc::clone(&self.name)), ..Event::of(kind, at) }
    }

    /// An event about the present attempt.
    fn event_of_attempt(&self, state: &State, kind: EventKind) -> Event {
        Event { attempt: Some(state.attempt), ..self.event(kind) }
    }

    /// Publishes an event about the registration as a whole.
    pub(in crate::engine) fn announce(&self, kind: EventKind) {
        if self.core.bus.is_active() {
            self.core.bus.publish(self.event(kind));
        }
    }
}

/// What a task does before its first attempt.
fn first_phase(settings: &Settings) -> TaskState {
    if settings.initial_delay.is_zero() { TaskState::Pending } else { TaskState::Delayed }
}

fn cancel(token: Option<CancellationToken>) {
    if let Some(token) = token {
        // Wakes the user's wakers.
        let _ = crate::panics::catch(|| token.cancel());
    }
}
