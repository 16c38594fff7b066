//! The state that all parts of one supervisor share.

mod admission;
mod parts;
mod readiness;
mod removal;

pub(in crate::runtime) use self::admission::{Admitted, announce, start_added};
pub(crate) use self::parts::Parts;
pub(in crate::runtime) use self::readiness::Readiness;

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::runtime::{self, Handle};
#[cfg(all(feature = "systemd", unix))]
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout_at;

use super::by_id::in_order;
use super::clock::Clock;
use super::failures::Failures;
#[cfg(feature = "fleet")]
use super::fleet::Engine;
use super::observe::Background;
use super::own_runtime::{here, is_own_thread};
use super::permits::Limits;
use super::registry::{Admission, Registry};
#[cfg(feature = "cron")]
use super::schedules::Schedules;
use super::shutdown::{Listener, Stop, TURNS, Watch, has_workers, within};
#[cfg(feature = "controller")]
use super::slots::Controller;
use super::task::Cell;
use super::timer::deadline;
use super::waits::Waits;
use crate::events::{Bus, EventStream, Introduced};
use crate::policy::ResolvedPolicy;
use crate::settings::OfSupervisor;
use crate::supervisor::{RuntimeError, SupervisorConfig};
use crate::sync::{Waiters, lock};
use crate::task::Said;

/// The state of one supervisor.
///
/// Locks are taken in the order registry, mailbox of a group, cell, bus. No lock is held while user code runs or a user
/// value is dropped.
pub(crate) struct Core {
    pub(crate) config: SupervisorConfig,
    /// The resolved policy of specs that set nothing.
    plain: OnceLock<Arc<ResolvedPolicy>>,
    /// The options of the newest spec, and their policy. Most tasks of a program set the same options, and share the
    /// policy.
    ///
    /// The lock is a leaf: nothing else is locked, and nothing dropped, under it, so it cannot deadlock.
    newest: Mutex<Option<(Arc<Said>, Arc<ResolvedPolicy>)>>,
    pub(crate) bus: Arc<Bus>,
    pub(crate) limits: Limits,
    pub(super) clock: Clock,
    /// The result of the check of the overrides, the config, the subscribers and the slots.
    checked: Result<(), RuntimeError>,
    /// The first runtime that was checked to have timers.
    timed: OnceLock<runtime::Id>,
    /// Guards names, groups, slots and the admission. It is the first in the order, and never taken under another lock,
    /// so it cannot deadlock: a cell or a group calls the registry only after its own lock is released.
    registry: Mutex<Registry>,
    /// Signals that the registry became empty, or that the tasks added beside the tree have ended.
    pub(super) vacant: Waiters,
    pub(super) waits: Waits,
    /// `true` if a group has had a member on another runtime than that of its driver.
    pub(super) has_elsewhere: AtomicBool,
    /// `true` after a shutdown was requested.
    pub(super) stopping: AtomicBool,
    pub(super) stop: Stop,
    /// The listener for signals, while there is one.
    ///
    /// The lock is a leaf: nothing else is locked under it, so it cannot deadlock. The waker of the listening task is
    /// cloned under it: this task is a `run`, or belongs to the supervisor.
    pub(super) listener: Mutex<Option<Listener>>,
    pub(super) readiness: Readiness,
    pub(super) kept: Kept,
    pub(super) failures: Failures,
    #[cfg(feature = "tracing")]
    pub(super) told: super::observe::Told,
    #[cfg(feature = "cron")]
    pub(super) schedules: Schedules,
    #[cfg(feature = "fleet")]
    pub(super) fleet: Option<Arc<Engine>>,
    #[cfg(feature = "controller")]
    pub(super) controller: Controller,
    /// Has a receiver for each [`notify`](crate::systemd::notify). `run_to_exit` gives them time for the last message.
    #[cfg(all(feature = "systemd", unix))]
    pub(crate) notifiers: watch::Sender<()>,
    #[cfg(feature = "test-util")]
    pub(crate) test_hooks: super::test_hooks::TestHooks,
}

/// The flags that decide whether tasks are kept after the end of their registration, to be started again at their
/// places.
///
/// The flags and the request of a shutdown have one total order (`SeqCst`): either the end of a task observes the
/// shutdown and keeps nothing, or the shutdown observes that a task was kept.
#[derive(Default)]
pub(super) struct Kept {
    /// `true` while there are places.
    pub(super) places: AtomicBool,
    /// `true` if a task was kept.
    pub(super) any: AtomicBool,
}

impl Core {
    /// Creates the core of a new supervisor.
    pub(crate) fn shared(mut parts: Parts) -> Arc<Self> {
        let subscribers: Vec<_> = parts.subscribers.iter().map(|one| Introduced::of(Arc::clone(one))).collect();
        let checked = parts.check(&subscribers);
        #[cfg(feature = "controller")]
        let controller = Controller::new(parts.controller);
        #[cfg_attr(not(feature = "controller"), expect(unused_mut))]
        let mut registry = Registry::default();
        #[cfg(feature = "controller")]
        controller.set_up(&mut registry);
        let config = parts.config;
        let limits = parts.limits.build();
        Arc::new_cyclic(|core: &Weak<Self>| Self {
            checked,
            plain: OnceLock::new(),
            newest: Mutex::new(None),
            bus: Arc::new(Bus::new(subscribers, config.bus_capacity, core.as_ptr().addr())),
            limits,
            clock: Clock::new(),
            timed: OnceLock::new(),
            registry: Mutex::new(registry),
            vacant: Waiters::default(),
            waits: Waits::default(),
            has_elsewhere: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            stop: Stop::default(),
            listener: Mutex::new(None),
            readiness: Readiness::default(),
            kept: Kept::default(),
            failures: Failures::default(),
            #[cfg(feature = "tracing")]
            told: super::observe::Told::default(),
            #[cfg(feature = "cron")]
            schedules: Schedules::default(),
            #[cfg(feature = "fleet")]
            fleet: parts.fleet.map(|fleet| Engine::new(fleet, core.clone())),
            #[cfg(feature = "controller")]
            controller,
            #[cfg(all(feature = "systemd", unix))]
            notifiers: watch::Sender::default(),
            #[cfg(feature = "test-util")]
            test_hooks: super::test_hooks::TestHooks::default(),
            config,
        })
    }

    /// Creates the core of a supervisor that is already closed.
    pub(crate) fn closed() -> Arc<Self> {
        let core = Self::shared(Parts::default());
        core.close(|| Ok(()));
        core
    }

    pub(crate) fn check(&self) -> Result<(), RuntimeError> {
        self.checked.as_ref().copied().map_err(RuntimeError::clone)
    }

    /// Returns the parts of the supervisor that have settings.
    pub(crate) fn of_settings(&self) -> OfSupervisor {
        OfSupervisor {
            config: self.config.clone(),
            limits: self.limits.named(),
            #[cfg(feature = "controller")]
            controller: self.controller.config().clone(),
            #[cfg(feature = "controller")]
            slots: self.controller.slots(),
        }
    }

    pub(super) fn registry(&self) -> MutexGuard<'_, Registry> {
        lock(&self.registry)
    }

    /// Returns `true` if no shutdown was requested.
    pub(super) fn is_open(&self) -> bool {
        self.registry().admission == Admission::Open
    }

    /// Returns `true` if a shutdown was requested.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Returns the runtime of the caller, or the runtime of the tasks if there is none.
    #[inline]
    pub(super) fn runtime(&self) -> Result<Handle, RuntimeError> {
        if is_own_thread() {
            return self.runtime_from_here();
        }
        Handle::try_current().or_else(|_| self.home().filter(is_alive).ok_or(RuntimeError::NoRuntime))
    }

    /// Like [`runtime`](Self::runtime), on a thread of this crate.
    #[cold]
    fn runtime_from_here(&self) -> Result<Handle, RuntimeError> {
        here().or_else(|| self.home().filter(is_alive)).ok_or(RuntimeError::NoRuntime)
    }

    /// Returns the runtime of the tasks, which is that of the oldest task.
    pub(super) fn home(&self) -> Option<Handle> {
        self.registry().home.clone()
    }

    /// Runs `future`, which waits for the end of a stop, for at most this time. After a few turns, the deadline moves
    /// to the watch, which no blocked worker can delay.
    pub(super) async fn timeout<F: Future>(&self, time: Duration, future: F) -> Option<F::Output> {
        let Some(deadline) = deadline(time) else { return Some(future.await) };
        let mut future = pin!(future);
        // The caller can be on a runtime without timers, or on none. The runtime of the tasks can end during the wait.
        let here = Handle::try_current().ok().filter(|here| self.has_timers(here));
        let mut watch = None;
        if here.as_ref().is_none_or(has_workers) {
            if let Some(output) = within(TURNS, future.as_mut()).await {
                return Some(output);
            }
            watch = Watch::get();
        }
        let Some(runtime) = watch.as_ref().map(Watch::runtime).or(here.as_ref()) else { return Some(future.await) };
        let timed = {
            let _entered = runtime.enter();
            timeout_at(deadline, future)
        };
        timed.await.ok()
    }

    /// Handles the end of the last registration, or of the last registration beside the tree.
    pub(super) fn is_vacant(&self, over: bool) {
        self.vacant.wake();
        if over {
            self.bus.close();
        }
    }

    pub(crate) fn events(&self) -> EventStream {
        let stream = EventStream::new(Arc::clone(&self.bus));
        // Without a runtime, the relay starts with the first attempt.
        if let Ok(runtime) = self.runtime() {
            self.bus.start(&runtime);
        }
        stream
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<Cell>> {
        self.registry().names.get(name).cloned()
    }

    /// Returns the cell of that name, for a command.
    pub(crate) fn find(&self, name: &str) -> Result<Option<Arc<Cell>>, RuntimeError> {
        self.check()?;
        let registry = self.registry();
        match (registry.admission, registry.names.get(name)) {
            (Admission::Closed, _) | (Admission::Closing | Admission::Stopping, None) => {
                Err(RuntimeError::ShuttingDown)
            }
            (_, None) if registry.groups.contains_key(name) => Err(RuntimeError::IsGroup { name: name.to_owned() }),
            (_, found) => Ok(found.cloned()),
        }
    }

    /// Returns all cells in the order of registration.
    pub(crate) fn cells(&self) -> Vec<Arc<Cell>> {
        self.cells_in_order().collect()
    }

    /// Returns all cells in the order of registration, one by one.
    pub(super) fn cells_in_order(&self) -> impl Iterator<Item = Arc<Cell>> + use<> {
        let cells = self.registry().cells();
        in_order(cells)
    }

    /// Completes when the readiness changes, and when a shutdown begins or ends.
    #[cfg(all(feature = "systemd", unix))]
    pub(crate) fn news(&self) -> impl Future<Output = ()> + '_ {
        self.readiness.changed.next_ring()
    }
}

/// Spawns a task that does nothing, so that a worker looks at the queue.
pub(super) fn nudge(runtime: &Handle) -> JoinHandle<()> {
    let nothing: Background = Box::pin(async {});
    runtime.spawn(nothing)
}

/// Returns `true` if the runtime accepts tasks. A runtime that was shut down drops them at once.
pub(super) fn is_alive(runtime: &Handle) -> bool {
    let probe = pin!(nudge(runtime));
    !matches!(probe.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Err(_)))
}

#[cfg(feature = "fleet")]
impl Drop for Core {
    /// Ends the session of the fleet with the supervisor.
    fn drop(&mut self) {
        if let Some(engine) = &self.fleet {
            engine.shut_down();
        }
    }
}
