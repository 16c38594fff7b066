//! The shared state of one registration.
//!
//! A command is written into the cell, and wakes the actor. Events about a task are published under the lock of its
//! cell, so that subscribers see its transitions in order.

mod attempt;
mod bound;
mod commands;
mod conclude;
mod fate;
#[cfg(feature = "test-util")]
mod fault;
mod finish;
mod gate;
#[cfg(feature = "fleet")]
mod lease;
mod membership;
mod pause;
mod seen;
mod signal;
mod stop;
mod transitions;

pub(in crate::runtime) use self::membership::{Membership, Origin, Tie};
pub(in crate::runtime) use self::seen::{Seen, shown};
pub(in crate::runtime) use bound::{Bound, StopBy, TimeLeft};
#[cfg(feature = "controller")]
pub(in crate::runtime) use finish::Left;

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;
use std::time::{Duration, SystemTime};

use tokio_util::sync::CancellationToken;

use self::fate::Fate;
use super::super::by_name;
use super::super::clock::Ticks;
use super::super::core::{Admitted, Core};
use super::helpers::Aside;
use super::machine::{Gate, Machine, Stage};
use super::news::News;
use crate::events::{Event, EventKind};
use crate::inspect::{TaskId, now};
use crate::panics::{catch, drop_caught};
use crate::policy::{self, ResolvedPolicy};
use crate::runtime::warnings;
use crate::sync::lock;
use crate::task::{TaskError, TaskRef};

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
    /// `true` if the future of an attempt may be waiting for its cancellation. Changed under the lock. It is not in the
    /// state, because it fits into padding here.
    waits_in_place: AtomicBool,
    /// [`State`] documents the lock order.
    state: Mutex<State>,
    origin: Origin,
    tie: Option<Arc<Tie>>,
}

impl State {
    pub(in crate::runtime) fn machine(&self) -> &Machine {
        &self.machine
    }
}

/// The state under the lock of a cell.
///
/// The lock is taken after the registry's lock and the lock of a group's mailbox, and before the locks of the bus. Two
/// cells are never locked at once. It cannot deadlock: a cell reports to its group and to the registry only after its
/// lock is released, so no code takes these locks in another order. No user code runs and no user value is dropped
/// under the lock.
pub(in crate::runtime) struct State {
    machine: Machine,
    /// The time that the attempt has after a stop request, until the actor has read it.
    bound: Option<TimeLeft>,
    /// The start of the current state, by the supervisor's clock; [`Ticks::MAX`] while an attempt is about to begin.
    since: Ticks,
    /// While an attempt is alive, the deadline of its stop. While the task waits for a time, the end of that wait, for
    /// snapshots. [`Ticks::MAX`] if there is none, or if it is not known.
    until: Ticks,
    /// The waker of the actor.
    waker: Option<Waker>,
    /// The token of the attempt, if its code has requested one.
    token: Option<CancellationToken>,
    aside: Option<Box<Aside>>,
    last_error: Option<Arc<TaskError>>,
    /// The callers that wait for the outcome or the end of the registration, and then the outcome.
    fate: Fate,
    /// The task, until the registration has ended, or longer if it is kept.
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
        let task = task.into_inner();
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
                fate: Fate::default(),
                task: Some(task),
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

    /// Returns `true` if the registration has its task. After its end, it has the task only if the task is kept.
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

    /// Returns the delay of the first attempt; [`Duration::MAX`] for a scheduled task.
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

    /// Publishes an event about the registration as a whole.
    #[inline]
    pub(in crate::runtime) fn announce(&self, kind: EventKind) {
        if self.core.bus.is_active() {
            self.core.bus.publish(self.event(kind));
        }
    }
}

impl Drop for State {
    /// The last handle can be dropped anywhere, so user values are dropped inside `panics::catch`.
    #[inline]
    fn drop(&mut self) {
        if self.fate.is_plain() {
            // It has nothing to drop, which the compiler would leave to calls.
            mem::forget(mem::take(&mut self.fate));
        } else if self.fate.has_user_value() {
            let _ = catch(|| self.fate = Fate::default());
        }
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
