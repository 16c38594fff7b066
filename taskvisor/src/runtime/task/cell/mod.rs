//! The shared state of one registration.
//!
//! A command is written into the cell, and wakes the actor. Events about a task are published under the lock of its
//! cell, so that subscribers see its transitions in order.

mod attempt;
mod bound;
mod commands;
#[cfg(feature = "test-util")]
mod fault;
mod gate;
#[cfg(feature = "fleet")]
mod lease;
mod pause;
mod signal;
mod stop;
mod transitions;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;
use std::time::{Duration, SystemTime};

use tokio_util::sync::CancellationToken;

use super::super::by_name;
use super::super::clock::Ticks;
use super::super::core::{Admitted, Core};
#[cfg(feature = "fleet")]
use super::super::fleet::Seat;
use super::super::group::{GroupRef, Key};
use super::decision::Request;
use super::helpers::{Aside, Beat};
use super::machine::{Gate, Machine, Stage};
use super::news::News;
use crate::events::{Event, EventKind};
use crate::inspect::{OutcomeKind, Problem, TaskId, TaskOutcome, TaskState, TaskStatus, now};
use crate::panics::{catch, drop_caught};
use crate::policy::{self, ResolvedPolicy};
use crate::runtime::warnings;
use crate::sync::{WaitList, lock};
use crate::task::{TaskError, TaskRef};

use bound::TimeLeft;
pub(in crate::runtime) use bound::{Bound, StopBy};
use signal::Signal;
#[cfg(feature = "controller")]
pub(in crate::runtime) use transitions::Left;

/// The time that the scheduler may need to carry out an abort.
pub(in crate::runtime) const ABORT: Duration = Duration::from_millis(100);

/// One registration of a task. All handles and its actor share it.
pub(crate) struct Cell {
    id: TaskId,
    name: Arc<str>,
    /// The hash of the name; zero until it is first needed.
    hash: AtomicU32,
    policy: Arc<ResolvedPolicy>,
    core: Arc<Core>,
    news: News,
    /// `true` if the future of an attempt may wait until it is canceled. Changed under the lock, and not a part of the state
    /// because there is room for it here.
    waits_in_place: AtomicBool,
    /// [`State`] says when its lock is taken.
    state: Mutex<State>,
    origin: Origin,
    tie: Option<Arc<Tie>>,
}

/// A cell at one moment.
pub(in crate::runtime) struct Seen {
    pub(in crate::runtime) machine: Machine,
    pub(in crate::runtime) since: Ticks,
    /// The end of its wait for another time than that of its schedule, if it is known.
    pub(in crate::runtime) due: Option<Ticks>,
    /// The next run of its schedule.
    pub(in crate::runtime) next_run: Option<SystemTime>,
    pub(in crate::runtime) last_error: Option<Arc<TaskError>>,
    pub(in crate::runtime) outcome: Option<OutcomeKind>,
}

impl State {
    pub(in crate::runtime) fn machine(&self) -> &Machine {
        &self.machine
    }
}

/// The origin of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::runtime) enum Origin {
    /// Declared in a batch or tree; `unready` if the readiness of the batch waits for it.
    Declared { unready: bool },
    /// Added at run time.
    Added,
    /// Submitted at run time to a slot: the slot of its own name, unless its [`Tie`] names another.
    Submitted,
}

/// The group or slot that decides when the task starts.
pub(in crate::runtime) enum Tie {
    /// The group that manages it.
    Group(Membership),
    /// The slot that it was submitted to.
    #[cfg_attr(not(feature = "controller"), expect(dead_code, reason = "there are no slots"))]
    Slot(Arc<str>),
    /// Its own place in the fleet, and its slot, if it was submitted to one with another name.
    #[cfg(feature = "fleet")]
    Leased(Arc<Seat>, Option<Arc<str>>),
}

impl Tie {
    /// Returns the gate of a new registration.
    fn gate(&self) -> Gate {
        if matches!(self, Self::Group(_)) { Gate::Shut } else { Gate::Open }
    }
}

/// The membership of a registration in its group.
pub(in crate::runtime) struct Membership {
    pub(in crate::runtime) group: GroupRef,
    pub(in crate::runtime) key: Key,
    /// The epoch of the last start or stop that the group requested. Changed under the cell's lock.
    pub(in crate::runtime) epoch: AtomicU32,
    /// `true` if the group decides on its failures.
    pub(in crate::runtime) managed: bool,
    /// `true` if siblings are after it.
    pub(in crate::runtime) awaited: bool,
    /// Its own place in the fleet.
    #[cfg(feature = "fleet")]
    pub(in crate::runtime) seat: Option<Arc<Seat>>,
}

/// The state under the lock of a cell.
///
/// The lock is taken after the registry's lock and the lock of a group's mailbox, and before the locks of the bus. Two
/// cells are never locked at once. No code takes them in another order, because a cell reports to its group and to the
/// registry only after its lock is released; so it cannot deadlock. No user code runs and no user value is dropped under
/// it.
pub(in crate::runtime) struct State {
    machine: Machine,
    /// The time of the attempt after a stop request, until the actor has read it.
    bound: Option<TimeLeft>,
    /// The start of the current state, by the supervisor's clock; [`Ticks::MAX`] while an attempt is about to begin.
    since: Ticks,
    /// While an attempt is alive, the time by which the task should have stopped. While the task waits for a time, the end
    /// of that wait, for snapshots. [`Ticks::MAX`] if there is none, or it is not known.
    until: Ticks,
    /// The waker of the actor.
    waker: Option<Waker>,
    /// The token of the attempt, if it was asked for.
    token: Option<CancellationToken>,
    aside: Option<Box<Aside>>,
    last_error: Option<Arc<TaskError>>,
    outcome: Option<TaskOutcome>,
    /// The callers that wait for the outcome or the end of the registration.
    waiting: WaitList,
    /// Returns the task, until the registration has ended.
    task: Option<TaskRef>,
    /// A fault for the current attempt, or for the next if there is none.
    #[cfg(feature = "test-util")]
    fault: Option<Box<super::super::test_hooks::Strike>>,
}

impl Cell {
    #[allow(clippy::inline_always, reason = "the compiler leaves 20 instructions of each task to a call")]
    #[inline(always)]
    pub(in crate::runtime) fn new(
        Admitted { task, name, policy }: Admitted,
        core: Arc<Core>,
        origin: Origin,
        tie: Option<Arc<Tie>>,
    ) -> Self {
        let queued = origin == Origin::Submitted;
        let gate = tie.as_deref().map_or(Gate::Open, Tie::gate);
        let unready = origin == Origin::Declared { unready: true };
        #[cfg_attr(not(feature = "fleet"), expect(unused_mut, reason = "there are no leases"))]
        let mut machine = Machine::new(&policy, queued, gate, unready);
        #[cfg(feature = "fleet")]
        if tie.as_deref().is_some_and(|tie| !matches!(tie, Tie::Slot(_)) && tie.lacks_lease()) {
            machine.stands_by(false);
        }
        Self {
            id: TaskId::next(),
            hash: AtomicU32::new(0),
            name,
            news: News::default(),
            waits_in_place: AtomicBool::new(false),
            state: Mutex::new(State {
                machine,
                bound: None,
                since: Ticks::MAX,
                until: Ticks::MAX,
                waker: None,
                token: None,
                aside: None,
                last_error: None,
                outcome: None,
                waiting: WaitList::default(),
                task: Some(task.into_inner()),
                #[cfg(feature = "test-util")]
                fault: None,
            }),
            policy,
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

    /// Returns the hash of its name.
    pub(in crate::runtime) fn hash(&self) -> u32 {
        let known = self.hash.load(Ordering::Relaxed);
        if known != 0 {
            return known;
        }
        let hash = by_name::hash(&self.name);
        self.hash.store(hash, Ordering::Relaxed);
        hash
    }

    /// Returns its name within its group.
    #[cfg(feature = "tracing")]
    pub(in crate::runtime) fn own_name(&self) -> &str {
        crate::tree::last_segment(&self.name)
    }

    /// Returns the task, until the registration has ended.
    pub(crate) fn task(&self) -> Option<TaskRef> {
        self.lock().task.clone()
    }

    /// Returns `true` if it has its task. One that has ended has it only if it is kept.
    #[cfg(feature = "cron")]
    pub(in crate::runtime) fn has_task(&self) -> bool {
        self.lock().task.is_some()
    }

    /// Returns `true` if the task of a registration that has ended is kept.
    pub(in crate::runtime) fn keeps_task(&self) -> bool {
        let state = self.lock();
        state.machine.stage == Stage::Ended && state.task.is_some()
    }

    /// Returns the task of a registration that has ended, if it is kept.
    pub(in crate::runtime) fn kept_task(&self) -> Option<TaskRef> {
        let state = self.lock();
        if state.machine.stage == Stage::Ended { state.task.clone() } else { None }
    }

    pub(crate) fn policy(&self) -> &Arc<ResolvedPolicy> {
        &self.policy
    }

    /// Returns the delay of the first attempt; that of a scheduled task has no end.
    #[inline]
    pub(in crate::runtime) fn first_delay(&self) -> Duration {
        if self.policy.is_scheduled() {
            return Duration::MAX;
        }
        let ResolvedPolicy { initial_delay, splay, .. } = *self.policy;
        if splay.is_zero() { initial_delay } else { self.shifted_delay() }
    }

    #[cold]
    fn shifted_delay(&self) -> Duration {
        let ResolvedPolicy { initial_delay, splay, every, .. } = *self.policy;
        if let Some(every) = every.filter(|every| splay > *every) {
            self.warn(&warnings::of_splay(splay, every));
        }
        initial_delay.saturating_add(policy::shift_of(splay, &self.name, &self.core.config))
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Returns its public state. Unlike [`status`](Self::status), it has no error, whose drop is user code.
    pub(in crate::runtime) fn state(&self) -> TaskState {
        self.lock().machine.state()
    }

    pub(crate) fn status(&self) -> TaskStatus {
        let next_run = self.next_run();
        let state = self.lock();
        TaskStatus {
            state: state.machine.state(),
            attempt: shown(state.machine.attempt),
            restarts: shown(state.machine.restarts(&self.policy)),
            failures: state.machine.streak,
            paused: state.machine.is_paused(),
            last_error: state.last_error.clone(),
            next_run: next_run.filter(|_| state.machine.stage != Stage::Ended),
        }
    }

    /// The start of the current state, by the supervisor's clock; [`Ticks::MAX`] while an attempt is about to begin.
    pub(in crate::runtime) fn since(&self) -> Ticks {
        self.lock().since
    }

    /// Returns the time of its stop request, or of the start of its final attempt; [`Ticks::MAX`] before the request.
    pub(in crate::runtime) fn stops_since(&self) -> Ticks {
        let state = self.lock();
        if state.machine.request == Request::Stop { state.since } else { Ticks::MAX }
    }

    /// Returns what a snapshot has of it, as of one moment.
    pub(in crate::runtime) fn seen(&self) -> Seen {
        let state = self.lock();
        let machine = state.machine;
        let next_run = if machine.stage == Stage::Ended { None } else { self.next_run() };
        Seen {
            machine,
            since: state.since,
            due: Some(state.until).filter(|due| machine.awaits_its_delay() && *due != Ticks::MAX),
            next_run,
            last_error: state.last_error.clone(),
            outcome: state.outcome.as_ref().filter(|_| machine.stage == Stage::Ended).map(TaskOutcome::kind),
        }
    }

    /// Returns the problem of an attempt that is past a deadline.
    pub(in crate::runtime) fn overdue(&self) -> Option<Problem> {
        let now = self.core.clock.now();
        let state = self.lock();
        let shown = state.machine.state();
        if shown == TaskState::Stopping && state.machine.is_alive() && now > state.until {
            return Some(Problem::PastStop);
        }
        let (beat, watchdog) = self.watched(&state)?;
        let allowed = if beat.granted { watchdog.saturating_mul(2) } else { watchdog };
        (beat.at.elapsed() > allowed).then_some(Problem::Silent)
    }

    /// Returns the problem of an attempt that its watchdog may end soon: it has sent no heartbeat for three quarters of
    /// the time, or its probe failed.
    pub(in crate::runtime) fn quiet(&self) -> Option<Problem> {
        let (beat, watchdog) = self.watched(&self.lock())?;
        let silence = beat.at.elapsed();
        (beat.probe_failed || silence > watchdog / 4 * 3).then_some(Problem::Quiet { silence, watchdog })
    }

    /// Returns the last heartbeat of a running attempt, and its watchdog.
    fn watched(&self, state: &State) -> Option<(Beat, Duration)> {
        let beat = state.aside.as_ref().and_then(|aside| aside.beat)?;
        Some((beat, self.policy.watchdog.filter(|_| state.machine.state() == TaskState::Running)?))
    }

    /// Returns the paths of the siblings, or of the siblings of a group around it, that the task waits for.
    pub(in crate::runtime) fn awaits(&self) -> Vec<String> {
        let is_parked = self.lock().machine.is_parked();
        let member = self.member().filter(|_| is_parked);
        member.map_or_else(Vec::new, |member| member.group.awaited_by(member.key))
    }

    /// Returns `true` if the registration was aborted before an attempt began. A task that was just spawned is, if its
    /// runtime was shut down.
    pub(in crate::runtime) fn was_refused(&self) -> bool {
        let State { machine, outcome, .. } = &*self.lock();
        let is_unbegun = machine.stage == Stage::Ended && machine.attempt == 0;
        is_unbegun && matches!(outcome, Some(TaskOutcome::Aborted { .. }))
    }

    /// Returns `true` if an attempt is running.
    pub(crate) fn is_alive(&self) -> bool {
        self.lock().machine.is_alive()
    }

    pub(in crate::runtime) fn was_added(&self) -> bool {
        !matches!(self.origin, Origin::Declared { .. })
    }

    /// Returns `true` if it was added at run time, outside of groups.
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
    pub(in crate::runtime) fn slot(&self) -> Option<&Arc<str>> {
        match (self.origin, self.tie.as_deref()) {
            (_, Some(Tie::Slot(slot))) => Some(slot),
            #[cfg(feature = "fleet")]
            (_, Some(Tie::Leased(_, Some(slot)))) => Some(slot),
            #[cfg(feature = "fleet")]
            (Origin::Submitted, Some(Tie::Leased(_, None))) => Some(&self.name),
            (Origin::Submitted, None) => Some(&self.name),
            _ => None,
        }
    }

    /// Returns the tie to its slot, which other tasks of that slot share. `None` if the slot has its name.
    #[cfg(feature = "controller")]
    pub(in crate::runtime) fn tie(&self) -> Option<&Arc<Tie>> {
        self.tie.as_ref()
    }

    /// Makes the task the owner of its slot.
    #[cfg(feature = "controller")]
    pub(in crate::runtime) fn leave_slot(&self) {
        let mut state = self.lock();
        state.machine.leave_slot(&self.policy);
        state.since = Ticks::MAX;
    }

    #[inline]
    pub(in crate::runtime) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Creates an event about the registration, with the current time. Only called if the bus is active.
    pub(in crate::runtime) fn event(&self, kind: EventKind) -> Event {
        self.event_at(kind, now())
    }

    fn event_at(&self, kind: EventKind, at: SystemTime) -> Event {
        Event { id: Some(self.id), task: Some(Arc::clone(&self.name)), ..Event::of(kind, at) }
    }

    /// Creates an event about the current attempt.
    fn event_of_attempt(&self, state: &State, kind: EventKind) -> Event {
        Event { attempt: Some(shown(state.machine.attempt)), ..self.event(kind) }
    }

    /// Returns `true` if the attempt is a further run of a periodic task, and the one before it did not fail.
    fn is_routine(&self, state: &State) -> bool {
        state.machine.attempt > 1 && state.machine.streak == 0 && self.policy.is_periodic()
    }

    /// Publishes an event about the registration as a whole.
    #[inline]
    pub(in crate::runtime) fn announce(&self, kind: EventKind) {
        if self.core.bus.is_active() {
            self.core.bus.publish(self.event(kind));
        }
    }
}

/// Returns the public number of an attempt.
pub(in crate::runtime) fn shown(attempt: u64) -> u32 {
    u32::try_from(attempt).unwrap_or(u32::MAX)
}

impl Drop for State {
    /// The last handle can be dropped anywhere, so user values are dropped inside `panics::catch`.
    #[inline]
    fn drop(&mut self) {
        let _ = catch(|| self.outcome = None);
        if self.aside.is_some() {
            let _ = drop_caught(self.aside.take());
        }
        if self.last_error.is_some() {
            let _ = drop_caught(self.last_error.take());
        }
        if self.task.is_some() {
            let _ = drop_caught(self.task.take());
        }
    }
}
