//! The seat of a task or group in the fleet, and the lease that it holds.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, SystemTime};

use super::super::group::{GroupRef, WeakGroup};
use super::super::task::Cell;
use super::clock::LeaseClock;
use super::engine::Engine;
use super::marks::{Marks, Verdict};
use crate::fleet::{FencingToken, LeaseKey, LeaseSnapshot, Overrun, Say, Singleton, Standby, StoreTime, Ticks};
use crate::sync::lock;

/// The validity of a session of this process, which its work reads.
#[derive(Debug)]
pub(super) struct Validity {
    clock: LeaseClock,
    /// The end, in nanoseconds of the clock; zero for a session that has ended.
    until: AtomicU64,
}

impl Validity {
    pub(super) fn new(clock: LeaseClock) -> Arc<Self> {
        Arc::new(Self { clock, until: AtomicU64::new(0) })
    }

    pub(super) fn set(&self, until: Duration) {
        self.until.store(u64::try_from(until.as_nanos()).unwrap_or(u64::MAX), Ordering::Release);
    }

    fn left(&self) -> Duration {
        Duration::from_nanos(self.until.load(Ordering::Acquire)).saturating_sub(self.clock.now())
    }
}

/// One period for which a lease is held: from a grant to the end of its work.
#[derive(Debug)]
pub(in crate::runtime) struct Hold {
    pub(in crate::runtime) number: u64,
    pub(in crate::runtime) token: FencingToken,
    validity: Arc<Validity>,
    /// `true` if the engine has ended the holding, even if the session continues.
    dropped: AtomicBool,
}

impl Hold {
    pub(super) fn new(number: u64, token: FencingToken, validity: Arc<Validity>) -> Arc<Self> {
        Arc::new(Self { number, token, validity, dropped: AtomicBool::new(false) })
    }

    pub(super) fn end(&self) {
        self.dropped.store(true, Ordering::Release);
    }

    /// Returns `true` if no work may be done under it anymore. Checked before each poll.
    pub(in crate::runtime) fn is_over(&self) -> bool {
        self.left().is_zero()
    }

    /// Returns the time until its work is dropped, unless the session is renewed.
    pub(in crate::runtime) fn left(&self) -> Duration {
        if self.dropped.load(Ordering::Acquire) { Duration::ZERO } else { self.validity.left() }
    }
}

/// The task or group that a seat belongs to.
#[derive(Clone)]
pub(super) enum Unit {
    Task(Weak<Cell>),
    Group(WeakGroup),
}

/// The seat of a task or group in the fleet: its key, its options and its lease.
pub(in crate::runtime) struct Seat {
    pub(super) key: LeaseKey,
    pub(super) standby: Standby,
    pub(super) overrun: Overrun,
    ticks: Ticks,
    engine: Arc<Engine>,
    pub(super) unit: OnceLock<Unit>,
    /// Only the bus is locked, and no user code runs, under it.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The number of grants.
    grants: u64,
    /// The current holding, until its work is requested to stop.
    hold: Option<Arc<Hold>>,
    /// The last holding.
    last: Option<Arc<Hold>>,
    marks: Marks,
    /// The label of the owner of the key in the last answer of the store.
    owner: Option<Arc<str>>,
    /// `true` after the unit has reported that it leaves.
    has_left: bool,
}

impl State {
    /// Returns `true` if the unit has the lease and has not ended.
    fn is_in_use(&self) -> bool {
        self.hold.is_some() && !self.has_left
    }
}

impl Seat {
    pub(in crate::runtime) fn new(engine: &Arc<Engine>, singleton: &Singleton, key: LeaseKey) -> Arc<Self> {
        Arc::new(Self {
            key,
            standby: singleton.standby,
            overrun: singleton.overrun,
            ticks: singleton.ticks,
            engine: Arc::clone(engine),
            unit: OnceLock::new(),
            state: Mutex::default(),
        })
    }

    pub(in crate::runtime) fn is_of_task(&self, cell: &Arc<Cell>) {
        let _ = self.unit.set(Unit::Task(Arc::downgrade(cell)));
    }

    pub(in crate::runtime) fn is_of_group(&self, group: &GroupRef) {
        let _ = self.unit.set(Unit::Group(group.downgrade()));
    }

    /// Returns the current holding, unless its work is requested to stop.
    pub(in crate::runtime) fn hold(&self) -> Option<Arc<Hold>> {
        lock(&self.state).hold.clone()
    }

    pub(in crate::runtime) fn is_held(&self) -> bool {
        lock(&self.state).hold.is_some()
    }

    /// Returns whether the unit counts as ready while it stands by.
    pub(in crate::runtime) fn stands_by_ready(&self) -> bool {
        self.standby == Standby::Ready
    }

    /// Returns whether the unit may begin this run. `None` until the store has answered; the engine then wakes the
    /// unit.
    pub(in crate::runtime) fn may_run(self: &Arc<Self>, run: i64) -> Option<bool> {
        if self.ticks == Ticks::AtLeastOnce {
            return Some(true);
        }
        let Ok(tick) = u64::try_from(run) else { return Some(true) };
        let mut state = lock(&self.state);
        let (verdict, ahead) = (state.marks.decide(tick), state.marks.news());
        drop(state);
        self.warn_of_tick(ahead);
        match verdict {
            Verdict::Run => Some(true),
            Verdict::PassOver => Some(false),
            Verdict::Wait => None,
            Verdict::Ask => {
                self.engine.say(self, Say::Mark(tick));
                None
            }
        }
    }

    /// Reports that the run has succeeded.
    pub(in crate::runtime) fn has_run(self: &Arc<Self>, run: i64) {
        if let (Ticks::AtLeastOnce, Ok(tick)) = (self.ticks, u64::try_from(run)) {
            self.engine.say(self, Say::Done(tick));
        }
    }

    pub(super) fn marked(&self, tick: u64, won: bool) {
        lock(&self.state).marks.answered(tick, won);
    }

    /// Reports that the unit is idle and wants to work.
    pub(in crate::runtime) fn wants(self: &Arc<Self>) {
        if let Some(grants) = self.grants_before() {
            self.engine.say(self, Say::Wants(grants));
        }
    }

    /// Reports that the unit is paused. It no longer competes, unless the lease was granted in the meantime.
    pub(in crate::runtime) fn withdraws(self: &Arc<Self>) {
        if let Some(grants) = self.grants_before() {
            self.engine.say(self, Say::Withdraws(grants));
        }
    }

    /// Returns the number of grants of an idle unit. `None` if the unit has left, or if the lease is held: the unit is
    /// then notified of the grant or of its end, and calls again.
    pub(in crate::runtime) fn grants_before(&self) -> Option<u64> {
        let state = lock(&self.state);
        (state.hold.is_none() && !state.has_left).then_some(state.grants)
    }

    /// Reports that the unit has been idle since it had this number of grants. It competes, or no longer competes if it
    /// is paused.
    pub(in crate::runtime) fn competes_since(self: &Arc<Self>, grants: u64, is_paused: bool) {
        if self.grants_before() == Some(grants) {
            self.engine.say(self, if is_paused { Say::Withdraws(grants) } else { Say::Wants(grants) });
        }
    }

    /// Reports that the work of this holding has found its end.
    pub(in crate::runtime) fn lost(self: &Arc<Self>, hold: &Hold) {
        self.engine.say(self, Say::Lost(hold.number));
    }

    /// Reports that the unit has ended for good, and nothing of it runs.
    pub(in crate::runtime) fn leaves(self: &Arc<Self>) {
        let mut state = lock(&self.state);
        let had_left = std::mem::replace(&mut state.has_left, true);
        drop(state);
        if !had_left {
            self.engine.say(self, Say::Leaves);
        }
    }

    /// Returns the label of the process that owns the key, if it is known.
    pub(in crate::runtime) fn owner(&self) -> Option<Arc<str>> {
        let state = lock(&self.state);
        if state.is_in_use() { Some(self.engine.label()) } else { state.owner.clone() }
    }

    /// Returns the current state of the lease. `None` if the unit is gone.
    pub(super) fn snapshot(&self) -> Option<LeaseSnapshot> {
        let path = self.path()?.to_string();
        let state = lock(&self.state);
        let token = state.hold.as_ref().map(|hold| hold.token.number());
        let owner = if token.is_some() { Some(self.engine.label()) } else { state.owner.clone() };
        drop(state);
        let (key, owner) = (self.key.as_str().to_owned(), owner.map(|owner| owner.to_string()));
        Some(LeaseSnapshot { path, key, is_held: token.is_some(), owner, token })
    }

    pub(super) fn is_owned_by(&self, owner: Arc<str>) {
        lock(&self.state).owner = Some(owner);
    }

    /// Hands over the lease. Returns `false` if it is not held, or if the unit has ended, which gives it back.
    pub(in crate::runtime) fn resign(self: &Arc<Self>) -> bool {
        let is_held = lock(&self.state).is_in_use();
        if is_held {
            self.engine.say(self, Say::Resigns);
        }
        is_held
    }

    // The engine's side.

    /// Gives the lease to the unit. The store has this tick of the key, and shows this time. `publish` is called in the
    /// same step: an attempt can begin as soon as the lease is seen, also before the engine has told the unit.
    pub(super) fn grant(
        &self,
        hold: Arc<Hold>,
        last_tick: Option<u64>,
        now: Option<SystemTime>,
        publish: impl FnOnce(),
    ) {
        let now = now.map(|now| StoreTime::from(now).since_unix());
        let mut state = lock(&self.state);
        (state.grants, state.owner) = (hold.number, None);
        state.marks.begin(last_tick, now);
        state.last = Some(Arc::clone(&hold));
        let before = state.hold.replace(hold);
        publish();
        drop(state);
        drop(before);
    }

    /// Reports a tick of the store that is ahead of its clock, once.
    pub(super) fn report_tick(&self) {
        let ahead = lock(&self.state).marks.news();
        self.warn_of_tick(ahead);
    }

    /// Takes the lease from the unit: no further attempt begins.
    pub(super) fn revoke(&self) {
        let before = lock(&self.state).hold.take();
        drop(before);
    }

    /// Ends the last holding.
    pub(super) fn end(&self) {
        let last = lock(&self.state).last.clone();
        if let Some(last) = last {
            last.end();
        }
    }
}
