//! The running engine: it hands reports of seats and answers of the store to the machine, and carries out its orders.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};

use super::super::calls;
use super::super::clock::{LeaseClock, StoreClock};
use super::super::seat::{Hold, Seat, Validity};
use super::thread::Ended;
use super::{Engine, Input};
use crate::events::{Bus, Event, EventKind};
use crate::fleet::{LeaseError, LeaseKey, Machine, Order, Overrun, Reply, Say, SessionId, Why};
use crate::inspect::one_line;
use crate::panics::{catch, drop_caught};
use crate::runtime::observe::{self, Counted, LeaseChange};
use crate::sync::lock;

struct Live {
    engine: Arc<Engine>,
    /// The runtime on which the store is called.
    store: Handle,
    /// The seats that were reported to the machine, by their keys.
    seats: BTreeMap<LeaseKey, Arc<Seat>>,
    clock: LeaseClock,
    machine: Machine,
    calls: JoinSet<(Reply, Option<LeaseError>, Duration)>,
    session: Option<(SessionId, Arc<Validity>)>,
    store_clock: Option<Arc<StoreClock>>,
    /// The text of the last failure of a call.
    failure: String,
    /// The leases that units have had. A unit can be gone when its lease is released.
    leases: BTreeMap<LeaseKey, Lease>,
    /// `true` if leases may be counted as held.
    counts: bool,
}

/// What is told of a lease.
#[derive(Default)]
struct Lease {
    /// The path and the label of its unit.
    path: Arc<str>,
    label: Arc<str>,
    counted: Counted,
}

/// Drives the engine. The store is called on the runtime `store`, so that a call that blocks its thread does not delay
/// the orders to units.
pub(super) async fn drive(engine: Arc<Engine>, store: Handle) {
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
        leases: BTreeMap::new(),
        counts: false,
    };
    while live.turn() {
        live.wait().await;
    }
}

/// Passes the hints of the store to the engine.
async fn hear(engine: Arc<Engine>) {
    /// A store whose hints never end must not keep the thread busy.
    const PAUSE: Duration = Duration::from_millis(10);
    loop {
        let Ok(mut changed) = catch(|| engine.fleet.store.changed()) else { return };
        let polled = poll_fn(|cx| match catch(|| changed.as_mut().poll(cx)) {
            Ok(polled) => polled.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        });
        let polled = polled.await;
        let dropped = drop_caught(changed);
        if polled.and(dropped).is_err() {
            return;
        }
        engine.push(Input::Hint);
        sleep(PAUSE).await;
    }
}

fn publish(bus: Option<&Arc<Bus>>, event: Event) {
    if let Some(bus) = bus.filter(|bus| bus.is_active()) {
        bus.publish(event);
    }
}

impl Live {
    /// Handles the inputs and the deadlines that have passed. Returns `false` at the end.
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
        self.follow_session(now);
        let mut goes_on = true;
        for order in orders {
            goes_on &= order != Order::Done;
            self.carry_out(order);
        }
        goes_on
    }

    /// Passes a report to the machine, from the seat that has its key.
    fn hear(&mut self, seat: &Arc<Seat>, say: Say, now: Duration) {
        // The report is from before the seat passed the key on.
        if self.engine.is_behind(seat) {
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

    /// Passes the key of an idle seat to another seat, if the first is paused or has handed over its lease.
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

    /// Reports a seat to the machine that has become the first of its key and wants to work.
    fn begin(&mut self, seat: Arc<Seat>, now: Duration) {
        if let Some(grants) = seat.grants_before() {
            self.machine.say(&seat.key, Say::Wants(grants), now);
            drop(self.seats.insert(seat.key.clone(), seat));
        }
    }

    /// Returns the seat whose report the machine got last for this key. An order is for this seat, even if it has left
    /// in the meantime.
    pub(super) fn seat(&self, key: &LeaseKey) -> Option<Arc<Seat>> {
        self.seats.get(key).cloned()
    }

    /// Updates the end of the session for its work, and for the count of its leases: nothing else tells the end of a
    /// lease that is being handed over then.
    fn follow_session(&mut self, now: Duration) {
        let current = self.machine.session_until();
        if let Some((_, validity)) = self.session.take_if(|(id, _)| current.is_none_or(|(current, _)| current != *id)) {
            validity.set(Duration::ZERO);
        }
        if let Some((id, until)) = current {
            let (_, validity) = self.session.get_or_insert_with(|| (id, Validity::new(self.clock)));
            validity.set(until);
        }
        let is_valid = current.is_some_and(|(_, until)| until > now);
        if std::mem::replace(&mut self.counts, is_valid) && !is_valid {
            self.leases.values_mut().for_each(|lease| lease.counted = Counted::default());
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
                let now = self.store_clock.as_ref().map(|clock| clock.now());
                let hold = Hold::new(number, token, Arc::clone(validity));
                self.observe(&seat, LeaseChange::Acquired(token.number()));
                let bus = self.engine.bus();
                seat.in_order(EventKind::LeaseAcquired, |event| {
                    let event = Event { count: Some(token.number()), ..event.because(key.as_str()) };
                    seat.grant(hold, last_tick, now, || publish(bus.as_ref(), event));
                });
                if let Some(clock) = &self.store_clock {
                    seat.take_over(last_tick, clock);
                }
                seat.tell_granted();
                seat.report_tick();
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
                    // No attempt begins after the event.
                    seat.bar();
                    let bus = self.engine.bus();
                    seat.in_order(EventKind::LeaseLost, |event| publish(bus.as_ref(), event.because(reason)));
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
                let bus = self.engine.bus();
                seat.in_order(EventKind::LeaseOverrun, |event| publish(bus.as_ref(), event.because(key.as_str())));
                if seat.overrun == Overrun::Abort {
                    std::process::abort();
                }
            }
            Order::Released { key, token } => {
                let unknown = || Lease { path: key.as_str().into(), label: key.as_str().into(), ..Lease::default() };
                let Lease { path, label, mut counted } = self.leases.remove(&key).unwrap_or_else(unknown);
                let change = LeaseChange::Released(token.number());
                observe::lease(&path, key.as_str(), &label, change, &mut counted);
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
            Order::Forgotten { key } => drop(self.leases.remove(&key)),
            Order::Done => {}
        }
    }

    /// Records a change of the lease of a unit, with no lock held.
    fn observe(&mut self, seat: &Seat, change: LeaseChange<'_>) {
        let lease = self.leases.entry(seat.key.clone()).or_default();
        lease.path = seat.path().unwrap_or_else(|| seat.key.as_str().into());
        lease.label = seat.label();
        observe::lease(&lease.path, seat.key.as_str(), &lease.label, change, &mut lease.counted);
    }

    /// Sets the clock of the store from its last answer.
    fn set_store_clock(&mut self) {
        let Some(read) = self.machine.store_time() else { return };
        match &self.store_clock {
            Some(clock) => clock.set(read),
            None => self.store_clock = Some(StoreClock::new(self.clock, read)),
        }
    }

    /// Waits for an input, a reply, or the next deadline.
    pub(super) async fn wait(&mut self) {
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
            if !error.is_expired() {
                let mut shared = lock(&self.engine.shared);
                if let Some(shown) = &mut shared.unreachable {
                    shown.clone_from(&self.failure);
                }
            }
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

#[cfg(test)]
#[path = "live_test.rs"]
mod tests;
