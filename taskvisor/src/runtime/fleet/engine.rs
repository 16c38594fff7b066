//! Drives the machine of the leases: one loop, on a thread of its own, so that neither blocked workers nor the pool of the
//! application hold a renewal up, and the store is called on another. On a runtime with paused time, both are tasks of that
//! runtime.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};

use super::super::core::Core;
use super::super::observe::{self, LeaseChange};
use super::calls;
use super::clock::{LeaseClock, StoreClock};
use super::seat::{Hold, Seat, Unit, Validity};
use crate::events::{Event, EventKind};
use crate::fleet::{Fleet, FleetSnapshot, LeaseError, LeaseKey, Machine, Order, Overrun, Reply, Say, SessionId, Why};
use crate::inspect::one_line;
use crate::panics::{catch, drop_caught};
use crate::sync::{Waiters, lock};

/// The leases of a supervisor.
pub(in crate::runtime) struct Engine {
    fleet: Fleet,
    label: Arc<str>,
    core: Weak<Core>,
    /// A leaf: no other lock is taken, and no user code runs, under it.
    shared: Mutex<Shared>,
    /// Its only waiter is the driver.
    bell: Notify,
    clock: OnceLock<LeaseClock>,
    over: Waiters,
}

#[derive(Default)]
struct Shared {
    inputs: Vec<Input>,
    /// The seats of each key. The first one has the key in this process; the others are in the order in which they came.
    seats: BTreeMap<LeaseKey, Vec<Waiting>>,
    driver: Driver,
    /// The last failure of the store, while it cannot be reached.
    unreachable: Option<String>,
}

/// A seat, and whether it wants to work.
struct Waiting {
    seat: Arc<Seat>,
    wants: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Driver {
    #[default]
    Unborn,
    Running,
    Over,
}

enum Input {
    Say(Arc<Seat>, Say),
    /// The seat is the first of its key now, and wants to work.
    First(Arc<Seat>),
    /// The seat is the first of its key, and another one wants it.
    Yields(Arc<Seat>),
    Hint,
    ShutDown,
}

impl Engine {
    pub(in crate::runtime) fn new(fleet: Fleet, core: Weak<Core>) -> Arc<Self> {
        Arc::new(Self {
            label: fleet.shown_label(),
            fleet,
            core,
            shared: Mutex::default(),
            bell: Notify::new(),
            clock: OnceLock::new(),
            over: Waiters::default(),
        })
    }

    /// Returns the time that work has to clean up when its lease is about to end.
    pub(in crate::runtime) fn clean_up(&self) -> Duration {
        self.fleet.times().clean_up()
    }

    /// A seat says something.
    pub(super) fn say(self: &Arc<Self>, seat: &Arc<Seat>, say: Say) {
        let mut shared = lock(&self.shared);
        let key = &seat.key;
        if shared.driver == Driver::Over || (!matches!(say, Say::Wants(_)) && !shared.seats.contains_key(key)) {
            return;
        }
        let seats = shared.seats.entry(key.clone()).or_default();
        let place = seats.iter().position(|waiting| Arc::ptr_eq(&waiting.seat, seat));
        // A seat that waits behind another says so here only.
        let wants = matches!(say, Say::Wants(_));
        if let Some(waiting) = place.and_then(|place| seats.get_mut(place)) {
            waiting.wants = wants || (waiting.wants && !matches!(say, Say::Withdraws(_)));
        }
        let place = match (place, say) {
            (Some(place), _) => place,
            (None, Say::Wants(_)) => {
                seats.push(Waiting { seat: Arc::clone(seat), wants: true });
                seats.len() - 1
            }
            (None, _) => return,
        };
        let gone = if say == Say::Leaves { Some(seats.remove(place)) } else { None };
        let next = if gone.is_some() && place == 0 {
            first_that_wants(seats).map(Input::First)
        } else {
            let first = seats.first().filter(|first| place > 0 && wants && !first.wants);
            first.map(|first| Input::Yields(Arc::clone(&first.seat)))
        };
        if seats.is_empty() {
            shared.seats.remove(key);
        }
        if place == 0 {
            shared.inputs.push(Input::Say(Arc::clone(seat), say));
        }
        shared.inputs.extend(next);
        let starts = shared.driver == Driver::Unborn;
        if starts {
            shared.driver = Driver::Running;
        }
        drop(shared);
        drop(gone);
        if starts {
            start(self);
        }
        self.bell.notify_one();
    }

    /// Returns `true` if another seat has the key of this one, which waits behind it.
    fn is_behind(&self, seat: &Arc<Seat>) -> bool {
        let shared = lock(&self.shared);
        let seats = shared.seats.get(&seat.key).map_or(&[][..], Vec::as_slice);
        seats.iter().skip(1).any(|waiting| Arc::ptr_eq(&waiting.seat, seat))
    }

    /// The first seat of a key puts itself at the end, if another one wants the key. Returns that one.
    fn pass_on(&self, seat: &Arc<Seat>) -> Option<Arc<Seat>> {
        let mut shared = lock(&self.shared);
        let seats = shared.seats.get_mut(&seat.key)?;
        let is_first = seats.first().is_some_and(|first| Arc::ptr_eq(&first.seat, seat));
        if !is_first || !seats[1..].iter().any(|next| next.wants) {
            return None;
        }
        let first = seats.remove(0);
        let next = first_that_wants(seats);
        seats.push(first);
        next
    }

    fn push(&self, input: Input) {
        lock(&self.shared).inputs.push(input);
        self.bell.notify_one();
    }

    /// Nothing more is asked for, and the session is closed once all work has ended. Returns `false` if nothing is to be
    /// waited for.
    pub(in crate::runtime) fn shut_down(&self) -> bool {
        let mut shared = lock(&self.shared);
        let was = shared.driver;
        if was == Driver::Unborn {
            shared.driver = Driver::Over;
        }
        drop(shared);
        if was == Driver::Running {
            self.push(Input::ShutDown);
        }
        was == Driver::Running
    }

    /// Waits until the session is closed, or the store has not answered that.
    pub(in crate::runtime) async fn closed(&self) {
        self.over.wait(|| (lock(&self.shared).driver == Driver::Over).then_some(())).await;
    }

    /// Returns the longest time that [`closed`](Self::closed) takes.
    pub(in crate::runtime) fn time_to_close(&self) -> Duration {
        self.fleet.times().call().saturating_mul(2)
    }

    /// Returns the leases that are held or wanted.
    pub(in crate::runtime) fn snapshot(&self) -> FleetSnapshot {
        let shared = lock(&self.shared);
        let seats: Vec<_> = shared.seats.values().flatten().map(|waiting| Arc::clone(&waiting.seat)).collect();
        let unreachable = shared.unreachable.clone();
        drop(shared);
        let leases = seats.iter().filter_map(|seat| seat.snapshot()).collect();
        FleetSnapshot { label: self.label.to_string(), unreachable, leases }
    }

    pub(super) fn label(&self) -> Arc<str> {
        Arc::clone(&self.label)
    }

    fn publish(&self, event: impl FnOnce() -> Event) {
        if let Some(core) = self.core.upgrade().filter(|core| core.bus.is_active()) {
            core.bus.publish(event());
        }
    }
}

/// Puts the first seat that wants to work before the others.
fn first_that_wants(seats: &mut Vec<Waiting>) -> Option<Arc<Seat>> {
    let place = seats.iter().position(|waiting| waiting.wants)?;
    let next = seats.remove(place);
    let seat = Arc::clone(&next.seat);
    seats.insert(0, next);
    Some(seat)
}

impl Engine {
    /// Returns what the jitter of the machine is drawn from.
    #[cfg_attr(not(feature = "test-util"), expect(clippy::unused_self, reason = "only tests have a seed"))]
    fn random(&self) -> fastrand::Rng {
        #[cfg(feature = "test-util")]
        if let Some(seeded) = self.core.upgrade().and_then(|core| core.test_hooks.random("fleet")) {
            return seeded;
        }
        fastrand::Rng::new()
    }
}

/// Starts the driver. Called in the runtime of the first unit.
fn start(engine: &Arc<Engine>) {
    let _ = engine.clock.set(LeaseClock::new());
    let here = Handle::try_current().ok();
    if let Some(here) = here.as_ref().filter(|_| is_time_paused()) {
        here.spawn(drive(Arc::clone(engine), here.clone()));
        return;
    }
    let store = on_thread("taskvisor-store");
    let driver = on_thread("taskvisor-fleet");
    let (Some((store, store_lives)), Some((driver, driver_lives))) = (store, driver) else {
        // Without threads it has to share the runtime of the tasks.
        if let Some(here) = here {
            here.spawn(drive(Arc::clone(engine), here.clone()));
        }
        return;
    };
    let driving = drive(Arc::clone(engine), store);
    driver.spawn(async move {
        driving.await;
        drop((store_lives, driver_lives));
    });
}

/// Starts a runtime on a thread of its own, which ends when the sender is dropped.
fn on_thread(name: &str) -> Option<(Handle, oneshot::Sender<()>)> {
    let runtime = Builder::new_current_thread().enable_all().build().ok()?;
    let (handle, (lives, over)) = (runtime.handle().clone(), oneshot::channel::<()>());
    let thread = std::thread::Builder::new().name(name.into());
    let spawned = thread.spawn(move || {
        let _ = runtime.block_on(over);
        // What a store has left, such as its connection, ends with its runtime.
        runtime.shutdown_background();
    });
    spawned.ok()?;
    Some((handle, lives))
}

/// Returns `true` if the clock of Tokio stands still here, as in a test.
fn is_time_paused() -> bool {
    #[cfg(feature = "test-util")]
    {
        let (before, real) = (tokio::time::Instant::now(), std::time::Instant::now());
        while real.elapsed() < Duration::from_micros(2) {}
        tokio::time::Instant::now() == before
    }
    #[cfg(not(feature = "test-util"))]
    false
}

/// Ends the driver for those who wait for it, also if it is dropped.
struct Ended(Arc<Engine>);

impl Drop for Ended {
    fn drop(&mut self) {
        let mut shared = lock(&self.0.shared);
        shared.driver = Driver::Over;
        // Seats keep the engine, and it keeps them while they have a place.
        let gone = (std::mem::take(&mut shared.seats), std::mem::take(&mut shared.inputs));
        drop(shared);
        drop(gone);
        self.0.over.wake();
    }
}

struct Live {
    engine: Arc<Engine>,
    /// The runtime on which the store is called.
    store: Handle,
    /// The seats that the machine knows, by their keys.
    seats: BTreeMap<LeaseKey, Arc<Seat>>,
    clock: LeaseClock,
    machine: Machine,
    calls: JoinSet<(Reply, Option<LeaseError>, Duration)>,
    session: Option<(SessionId, Arc<Validity>)>,
    store_clock: Option<Arc<StoreClock>>,
    /// The text of the last failure of a call.
    failure: String,
    /// The paths and labels of the units that had leases, which can be gone when these are released.
    paths: BTreeMap<LeaseKey, (Arc<str>, Arc<str>)>,
}

/// Drives the engine. The store is called on that runtime: a call that blocks its thread must not keep work from being told.
async fn drive(engine: Arc<Engine>, store: Handle) {
    let _ended = Ended(Arc::clone(&engine));
    let clock = *engine.clock.get_or_init(LeaseClock::new);
    let mut hints = JoinSet::new();
    hints.spawn_on(hear(Arc::clone(&engine)), &store);
    let machine = Machine::new(engine.fleet.times(), engine.random());
    let mut live = Live {
        engine,
        store,
        seats: BTreeMap::new(),
        clock,
        machine,
        calls: JoinSet::new(),
        session: None,
        store_clock: None,
        failure: String::new(),
        paths: BTreeMap::new(),
    };
    while live.turn() {
        live.wait().await;
    }
}

/// Hands the hints of the store on.
async fn hear(engine: Arc<Engine>) {
    /// A store whose hints never end must not keep the thread busy.
    const PAUSE: Duration = Duration::from_millis(10);
    loop {
        {
            let mut changed = pin!(engine.fleet.store.changed());
            let heard = poll_fn(|cx| match catch(|| changed.as_mut().poll(cx)) {
                Ok(polled) => polled.map(|()| true),
                Err(_) => Poll::Ready(false),
            });
            if !heard.await {
                return;
            }
        }
        engine.push(Input::Hint);
        sleep(PAUSE).await;
    }
}

impl Live {
    /// Handles what was said and what is due. Returns `false` at the end.
    fn turn(&mut self) -> bool {
        let inputs = std::mem::take(&mut lock(&self.engine.shared).inputs);
        let now = self.clock.now();
        for input in inputs {
            match input {
                Input::Say(seat, say) => self.hear(&seat, say, now),
                Input::First(seat) => self.begin(seat, now),
                Input::Yields(seat) => self.pass_on(&seat, now),
                Input::Hint => self.machine.hint(now),
                Input::ShutDown => self.machine.shut_down(),
            }
        }
        self.set_store_clock();
        let orders = self.machine.settle(now);
        self.follow_session();
        let mut goes_on = true;
        for order in orders {
            goes_on &= order != Order::Done;
            self.carry_out(order);
        }
        goes_on
    }

    /// Hands on what the seat that has its key says.
    fn hear(&mut self, seat: &Arc<Seat>, say: Say, now: Duration) {
        // It said that before it passed the key on.
        if say != Say::Leaves && self.engine.is_behind(seat) {
            return;
        }
        self.machine.say(&seat.key, say, now);
        match say {
            Say::Leaves => drop(self.seats.remove(&seat.key)),
            _ => drop(self.seats.insert(seat.key.clone(), Arc::clone(seat))),
        }
        if matches!(say, Say::Wants(_) | Say::Withdraws(_)) {
            self.pass_on(seat, now);
        }
    }

    /// Lets another seat have the key of one that does not work, and is paused or has handed its lease over.
    fn pass_on(&mut self, seat: &Arc<Seat>, now: Duration) {
        if !self.machine.is_for_others(&seat.key) {
            return;
        }
        if let Some(next) = self.engine.pass_on(seat) {
            if let Some(grants) = seat.grants_before() {
                self.machine.say(&seat.key, Say::Withdraws(grants), now);
            }
            self.begin(next, now);
        }
    }

    /// A seat is the first of its key, and wants to work.
    fn begin(&mut self, seat: Arc<Seat>, now: Duration) {
        if let Some(grants) = seat.grants_before() {
            self.machine.say(&seat.key, Say::Wants(grants), now);
            drop(self.seats.insert(seat.key.clone(), seat));
        }
    }

    /// Returns the seat that had the key when the machine was told last. An order is for that one, also if it has left in the
    /// meantime.
    fn seat(&self, key: &LeaseKey) -> Option<Arc<Seat>> {
        self.seats.get(key).cloned()
    }

    /// Lets the work of the session know how long it is valid.
    fn follow_session(&mut self) {
        let current = self.machine.session_until();
        if let Some((_, validity)) = self.session.take_if(|(id, _)| current.is_none_or(|(current, _)| current != *id)) {
            validity.set(Duration::ZERO);
        }
        if let Some((id, until)) = current {
            let (_, validity) = self.session.get_or_insert_with(|| (id, Validity::new(self.clock)));
            validity.set(until);
        }
    }

    fn carry_out(&mut self, order: Order) {
        match order {
            Order::Call(call) => {
                let (fleet, label) = (self.engine.fleet.clone(), self.engine.label());
                drop(self.calls.spawn_on(calls::carry_out(fleet, label, call), &self.store));
            }
            Order::Grant { key, number, token, last_tick } => {
                let (Some(seat), Some((_, validity))) = (self.seat(&key), &self.session) else { return };
                seat.grant(Hold::new(number, token, Arc::clone(validity)));
                if let Some(clock) = &self.store_clock {
                    seat.take_over(last_tick, clock);
                }
                self.observe(&seat, LeaseChange::Acquired(token.number()));
                self.engine.publish(|| Event {
                    count: Some(token.number()),
                    ..seat.event(EventKind::LeaseAcquired).because(key.as_str())
                });
                seat.tell_granted();
            }
            Order::Stop { key, why } => {
                let Some(seat) = self.seat(&key) else { return };
                seat.revoke();
                let reason = match why {
                    Why::Resigned => "resigned",
                    Why::NotRenewed => "the lease could not be renewed in time",
                    Why::Expired => "the session has expired",
                };
                if why != Why::Resigned {
                    self.observe(&seat, LeaseChange::Lost(reason));
                    self.engine.publish(|| seat.event(EventKind::LeaseLost).because(reason));
                }
                seat.tell_lost(self.engine.clean_up());
            }
            Order::Owned { key, owner } => {
                if let Some(seat) = self.seat(&key) {
                    seat.is_owned_by(owner.into());
                }
            }
            Order::Drop { key } => {
                if let Some(seat) = self.seat(&key) {
                    seat.end();
                    seat.tell_over();
                }
            }
            Order::Overrun { key } => {
                let Some(seat) = self.seat(&key).filter(|seat| seat.is_alive()) else { return };
                self.observe(&seat, LeaseChange::Overrun);
                self.engine.publish(|| seat.event(EventKind::LeaseOverrun).because(key.as_str()));
                if seat.overrun == Overrun::Abort {
                    std::process::abort();
                }
            }
            Order::Released { key, token } => {
                let unknown = || (key.as_str().into(), key.as_str().into());
                let (path, label) = self.paths.remove(&key).unwrap_or_else(unknown);
                observe::lease(&path, key.as_str(), &label, LeaseChange::Released(token.number()));
                self.engine.publish(|| {
                    let (task, count) = (Some(path), Some(token.number()));
                    Event { task, count, ..Event::new(EventKind::LeaseReleased) }.because(key.as_str())
                });
            }
            Order::Reachable(true) => {
                lock(&self.engine.shared).unreachable = None;
                observe::fleet(&self.engine.fleet.name, None);
                self.engine.publish(|| Event::new(EventKind::FleetReachable));
            }
            Order::Reachable(false) => {
                lock(&self.engine.shared).unreachable = Some(self.failure.clone());
                observe::fleet(&self.engine.fleet.name, Some(&self.failure));
                self.engine.publish(|| Event::new(EventKind::FleetUnreachable).because(self.failure.clone()));
            }
            Order::Marked { key, tick, won } => {
                if let Some(seat) = self.seat(&key) {
                    seat.marked(tick, won);
                    seat.wake();
                }
            }
            Order::Forgotten { key } => drop(self.paths.remove(&key)),
            Order::Done => {}
        }
    }

    /// Notes a change of the lease of a unit, with no lock held.
    fn observe(&mut self, seat: &Seat, change: LeaseChange<'_>) {
        let path = seat.path().unwrap_or_else(|| seat.key.as_str().into());
        let label = seat.label();
        observe::lease(&path, seat.key.as_str(), &label, change);
        self.paths.insert(seat.key.clone(), (path, label));
    }

    /// Sets the clock of the store by its last answer.
    fn set_store_clock(&mut self) {
        let Some(read) = self.machine.store_time() else { return };
        match &self.store_clock {
            Some(clock) => clock.set(read),
            None => self.store_clock = Some(StoreClock::new(self.clock, read)),
        }
    }

    /// Waits for a word, a reply, or the next time at which something is due.
    async fn wait(&mut self) {
        let mut due =
            pin!(self.machine.wakes_at(self.clock.now()).and_then(|at| self.clock.instant(at)).map(sleep_until));
        let mut bell = pin!(self.engine.bell.notified());
        let calls = &mut self.calls;
        let reply = poll_fn(|cx| {
            if let Poll::Ready(Some(Ok(reply))) = calls.poll_join_next(cx) {
                return Poll::Ready(Some(reply));
            }
            let is_due = due.as_mut().as_pin_mut().is_some_and(|due| due.poll(cx).is_ready());
            if is_due || bell.as_mut().poll(cx).is_ready() { Poll::Ready(None) } else { Poll::Pending }
        });
        let Some((reply, error, took)) = reply.await else { return };
        let took = error.is_none().then_some(took);
        if let Some(error) = error {
            self.failure = catch(|| one_line(&error)).unwrap_or_default();
            let _ = drop_caught(error);
        }
        let (renewal, now) = (matches!(reply, Reply::Renewed(..)), self.clock.now());
        self.machine.reply(reply, now);
        if renewal {
            let left = self.machine.session_until().map_or(Duration::ZERO, |(_, until)| until.saturating_sub(now));
            observe::renewed(took, left);
        }
    }
}

/// The unit of a seat, as the engine speaks to it.
impl Seat {
    pub(super) fn path(&self) -> Option<Arc<str>> {
        match self.unit.get()? {
            Unit::Task(cell) => Some(Arc::clone(cell.upgrade()?.name())),
            Unit::Group(group) => Some(Arc::clone(group.upgrade()?.path())),
        }
    }

    /// Returns the label of its series of metrics: like that of a task, it is bounded by the declaration.
    fn label(&self) -> Arc<str> {
        const DYNAMIC: &str = "dynamic";
        let Some(Unit::Task(cell)) = self.unit.get() else { return self.path().unwrap_or_else(|| DYNAMIC.into()) };
        let Some(cell) = cell.upgrade() else { return DYNAMIC.into() };
        let group = || cell.member().map(|member| Arc::clone(member.group.path())).filter(|path| !path.is_empty());
        let declared = || (!cell.was_added()).then(|| Arc::clone(cell.name()));
        let label = cell.policy().metric_label.clone().or_else(declared).or_else(group);
        label.unwrap_or_else(|| DYNAMIC.into())
    }

    fn event(&self, kind: EventKind) -> Event {
        let id = match self.unit.get() {
            Some(Unit::Task(cell)) => cell.upgrade().map(|cell| cell.id()),
            _ => None,
        };
        Event { task: Some(self.path().unwrap_or_else(|| self.key.as_str().into())), id, ..Event::new(kind) }
    }

    fn take_over(&self, last_tick: Option<u64>, clock: &Arc<StoreClock>) {
        if let Some(Unit::Task(cell)) = self.unit.get() {
            if let Some(cell) = cell.upgrade() {
                cell.take_over(last_tick, clock);
            }
        }
    }

    fn wake(&self) {
        if let Some(Unit::Task(cell)) = self.unit.get() {
            if let Some(cell) = cell.upgrade() {
                cell.look_at_seat();
            }
        }
    }

    fn tell_granted(&self) {
        match self.unit.get() {
            Some(Unit::Task(cell)) => drop(cell.upgrade().map(|cell| cell.follow_lease(None))),
            Some(Unit::Group(group)) => drop(group.upgrade().map(|group| group.lease_is_granted())),
            None => {}
        }
    }

    fn tell_lost(&self, within: Duration) {
        match self.unit.get() {
            Some(Unit::Task(cell)) => drop(cell.upgrade().map(|cell| cell.follow_lease(Some(within)))),
            Some(Unit::Group(group)) => drop(group.upgrade().map(|group| group.lease_is_lost(within))),
            None => {}
        }
    }

    fn tell_over(&self) {
        match self.unit.get() {
            Some(Unit::Task(cell)) => drop(cell.upgrade().map(|cell| cell.lease_is_over())),
            Some(Unit::Group(group)) => drop(group.upgrade().map(|group| group.lease_is_over())),
            None => {}
        }
    }

    fn is_alive(&self) -> bool {
        match self.unit.get() {
            Some(Unit::Task(cell)) => cell.upgrade().is_some_and(|cell| cell.is_alive()),
            Some(Unit::Group(group)) => group.upgrade().is_some_and(|group| group.has_alive()),
            None => false,
        }
    }
}
