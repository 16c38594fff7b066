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

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;
use std::time::{Duration, SystemTime};

use tokio_util::sync::CancellationToken;

use super::super::by_name;
use super::super::clock::Ticks;
use super::super::core::Core;
use super::super::group::{GroupCell, Key};
use super::helpers::Aside;
use super::machine::{Gate, Machine, Rules, Stage};
use super::news::News;
use crate::events::{Event, EventKind};
use crate::inspect::{Problem, TaskId, TaskOutcome, TaskState, TaskStatus, now};
use crate::panics::drop_caught;
use crate::policy::Settings;
use crate::supervisor::StopLimit;
use crate::sync::{WaitList, lock};
use crate::task::{TaskError, TaskRef};

use bound::Allowed;
pub(in crate::runtime) use bound::{Bound, StopBy};

/// How long an abort may take to show, once it is due: the scheduler has to get to it.
pub(in crate::runtime) const ABORT: Duration = Duration::from_millis(100);

/// One registration of a task.
pub(crate) struct Cell {
    id: TaskId,
    name: Arc<str>,
    /// The hash of the name; zero until somebody asks for it.
    hash: AtomicU32,
    settings: Arc<Settings>,
    core: Arc<Core>,
    news: News,
    state: Mutex<State>,
    origin: Origin,
    tie: Option<Arc<Tie>>,
}

impl State {
    pub(in crate::runtime) fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Whether the registration was aborted before an attempt began.
    pub(in crate::runtime) fn ended_unbegun(&self) -> bool {
        self.machine.stage() == Stage::Ended
            && self.machine.attempt() == 0
            && matches!(self.outcome, Some(TaskOutcome::Aborted { .. }))
    }

    /// Which bound the task exceeded, if it was aborted.
    pub(in crate::runtime) fn limit(&self) -> StopLimit {
        self.machine.limit()
    }
}

/// How a registration came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::runtime) enum Origin {
    /// With a batch or tree, and whether it counts for the readiness of a batch.
    Declared { unready: bool },
    /// At runtime.
    Added,
    /// At runtime, to a slot: the one of its own name, unless it is tied to another.
    #[cfg(feature = "controller")]
    Submitted,
}

/// Who else decides when it starts.
pub(in crate::runtime) enum Tie {
    /// A group that looks after it.
    Group(Membership),
    /// The slot that it was submitted to.
    #[cfg(feature = "controller")]
    Slot(Arc<str>),
}

/// The place of a registration in its group.
pub(in crate::runtime) struct Membership {
    pub(in crate::runtime) group: Arc<GroupCell>,
    pub(in crate::runtime) key: Key,
    /// The last start or stop that the group requested. Changed under the cell's lock.
    pub(in crate::runtime) epoch: AtomicU32,
    /// Its failures are the group's to decide on.
    pub(in crate::runtime) managed: bool,
    /// Others are after it.
    pub(in crate::runtime) awaited: bool,
}

/// What the lock of a cell guards. It is taken after the registry's and a group's, and before the bus's; while it is
/// held, nothing of the user's runs or is dropped.
pub(in crate::runtime) struct State {
    machine: Machine,
    /// How long the attempt may take to end, once that was requested; until the actor has seen it.
    bound: Option<Allowed>,
    /// Since when it does what it does, by the supervisor's clock; at the end of time while it is about to do
    /// something.
    since: Ticks,
    /// When it should have stopped, once requested to; at the end of time if nobody said.
    stop_by: Ticks,
    /// The actor's.
    waker: Option<Waker>,
    token: Option<CancellationToken>,
    aside: Option<Box<Aside>>,
    last_error: Option<Arc<TaskError>>,
    outcome: Option<TaskOutcome>,
    /// Those who wait for the outcome, or for the end of the registration.
    waiting: WaitList,
    /// Until the registration has ended.
    task: Option<TaskRef>,
    /// What strikes the present attempt, or the next if there is none.
    #[cfg(feature = "test-util")]
    fault: Option<Box<super::super::test_hooks::Strike>>,
}

impl Cell {
    pub(in crate::runtime) fn new(
        task: TaskRef,
        name: Arc<str>,
        settings: Arc<Settings>,
        core: Arc<Core>,
        origin: Origin,
        tie: Option<Arc<Tie>>,
    ) -> Self {
        #[cfg(feature = "controller")]
        let queued = origin == Origin::Submitted;
        #[cfg(not(feature = "controller"))]
        let queued = false;
        let gate = if matches!(tie.as_deref(), Some(Tie::Group(_))) { Gate::Shut } else { Gate::Open };
        let unready = origin == Origin::Declared { unready: true };
        Self {
            id: TaskId::next(),
            hash: AtomicU32::new(0),
            name,
            news: News::default(),
            state: Mutex::new(State {
                machine: Machine::new(&settings, queued, gate, unready),
                bound: None,
                since: Ticks::MAX,
                stop_by: Ticks::MAX,
                waker: None,
                token: None,
                aside: None,
                last_error: None,
                outcome: None,
                waiting: WaitList::default(),
                task: Some(task),
                #[cfg(feature = "test-util")]
                fault: None,
            }),
            settings,
            core,
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
    pub(in crate::runtime) fn hash(&self) -> u32 {
        let known = self.hash.load(Ordering::Relaxed);
        if known != 0 {
            return known;
        }
        let hash = by_name::hash(&self.name);
        self.hash.store(hash, Ordering::Relaxed);
        hash
    }

    /// Its name in its group.
    #[cfg(feature = "tracing")]
    pub(in crate::runtime) fn own_name(&self) -> &str {
        crate::tree::last_segment(&self.name)
    }

    /// The outcome, if it is known.
    #[cfg(all(feature = "controller", feature = "tracing"))]
    pub(in crate::runtime) fn known_outcome(&self) -> Option<TaskOutcome> {
        self.lock().outcome.clone()
    }

    /// The task, until the registration has ended.
    pub(crate) fn task(&self) -> Option<TaskRef> {
        self.lock().task.clone()
    }

    pub(in crate::runtime) fn rules(&self) -> Rules<'_> {
        Rules { settings: &self.settings, managed: self.is_managed() }
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
            state: state.machine.state(),
            attempt: shown(state.machine.attempt()),
            restarts: shown(state.machine.attempt().saturating_sub(1)),
            failures: state.machine.streak(),
            last_error: state.last_error.clone(),
        }
    }

    pub(crate) fn last_error(&self) -> Option<Arc<TaskError>> {
        self.lock().last_error.clone()
    }

    /// Since when it does what it does.
    pub(in crate::runtime) fn since(&self) -> Ticks {
        self.lock().since
    }

    /// What the attempt should have done by now.
    pub(in crate::runtime) fn overdue(&self) -> Option<Problem> {
        let now = self.core.clock.now();
        let state = self.lock();
        let shown = state.machine.state();
        if shown == TaskState::Stopping && now > state.stop_by {
            return Some(Problem::PastStop);
        }
        let silence = state.aside.as_ref().and_then(|aside| aside.beat).map(|beat| beat.elapsed());
        let watchdog = self.settings.watchdog.filter(|_| shown == TaskState::Running);
        match (silence, watchdog) {
            (Some(silence), Some(allowed)) if silence > allowed => Some(Problem::Silent),
            _ => None,
        }
    }

    /// Whether the outcome was settled as aborted before the registration has ended.
    pub(in crate::runtime) fn is_declared_aborted(&self) -> bool {
        self.lock().outcome.is_some()
    }

    /// Whether the readiness of its batch waits for it.
    pub(in crate::runtime) fn is_unready(&self) -> bool {
        self.lock().machine.is_unready()
    }

    /// Whether an attempt is under way.
    pub(crate) fn is_alive(&self) -> bool {
        self.lock().machine.is_alive()
    }

    pub(in crate::runtime) fn was_added(&self) -> bool {
        !matches!(self.origin, Origin::Declared { .. })
    }

    /// Whether it was added at runtime, to no group.
    pub(in crate::runtime) fn is_beside_tree(&self) -> bool {
        self.was_added() && self.member().is_none()
    }

    pub(in crate::runtime) fn member(&self) -> Option<&Membership> {
        match self.tie.as_deref() {
            Some(Tie::Group(member)) => Some(member),
            _ => None,
        }
    }

    /// The slot that it was submitted to.
    #[cfg(feature = "controller")]
    pub(in crate::runtime) fn slot(&self) -> Option<&Arc<str>> {
        match (self.origin, self.tie.as_deref()) {
            (_, Some(Tie::Slot(slot))) => Some(slot),
            (Origin::Submitted, None) => Some(&self.name),
            _ => None,
        }
    }

    /// What ties it to its slot, for others of that slot to share; nothing if the slot has its name.
    #[cfg(feature = "controller")]
    pub(in crate::runtime) fn tie(&self) -> Option<&Arc<Tie>> {
        self.tie.as_ref()
    }

    /// It waits in its slot no more, but owns it.
    #[cfg(feature = "controller")]
    pub(in crate::runtime) fn leave_slot(&self) {
        let mut state = self.lock();
        state.machine.leave_slot(&self.settings);
        state.since = Ticks::MAX;
    }

    pub(in crate::runtime) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// An event about the registration, of now. Made where somebody listens, and nowhere else.
    pub(in crate::runtime) fn event(&self, kind: EventKind) -> Event {
        self.event_at(kind, now())
    }

    fn event_at(&self, kind: EventKind, at: SystemTime) -> Event {
        Event { id: Some(self.id), task: Some(Arc::clone(&self.name)), ..Event::of(kind, at) }
    }

    /// An event about the present attempt.
    fn event_of_attempt(&self, state: &State, kind: EventKind) -> Event {
        Event { attempt: Some(shown(state.machine.attempt())), ..self.event(kind) }
    }

    /// Publishes an event about the registration as a whole.
    #[inline]
    pub(in crate::runtime) fn announce(&self, kind: EventKind) {
        if self.core.bus.is_active() {
            self.core.bus.publish(self.event(kind));
        }
    }
}

/// The number of an attempt, as people see it.
pub(in crate::runtime) fn shown(attempt: u64) -> u32 {
    u32::try_from(attempt).unwrap_or(u32::MAX)
}

fn cancel(token: Option<CancellationToken>) {
    if let Some(token) = token {
        // Wakes the user's wakers.
        let _ = crate::panics::catch(|| token.cancel());
    }
}

impl Drop for State {
    /// The last handle may be dropped anywhere: what is the user's is dropped inside the fence.
    fn drop(&mut self) {
        let has_error = self.last_error.is_some() || self.outcome.as_ref().is_some_and(|it| it.error().is_some());
        if has_error {
            let _ = drop_caught(self.outcome.take());
            let _ = drop_caught(self.last_error.take());
        }
        if self.task.is_some() {
            let _ = drop_caught(self.task.take());
        }
    }
}
