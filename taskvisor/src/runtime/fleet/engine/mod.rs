//! Drives the machine of the leases in one loop. The loop has a thread of its own, so that neither blocked workers nor
//! the pool of the application delay a renewal, and the store is called on another thread. On a runtime with paused
//! time, both are tasks of that runtime.

mod live;
mod seats;
mod thread;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use taskvisor_parse::duration;
use tokio::sync::Notify;

use self::thread::start;
use super::super::core::Core;
use super::super::observe;
use super::clock::LeaseClock;
use super::seat::Seat;
use crate::events::{Bus, Event, EventKind, millis};
use crate::fleet::{Fleet, FleetSnapshot, LeaseKey, Say};
use crate::sync::{Waiters, lock};

/// The leases of a supervisor.
pub(in crate::runtime) struct Engine {
    fleet: Fleet,
    label: Arc<str>,
    core: Weak<Core>,
    /// The lock is a leaf: no other lock is taken, and no user code runs, under it.
    shared: Mutex<Shared>,
    /// Notified when there are inputs. Its only waiter is the driver.
    bell: Notify,
    clock: OnceLock<LeaseClock>,
    over: Waiters,
}

#[derive(Default)]
struct Shared {
    inputs: Vec<Input>,
    /// The seats of each key. The first seat has the key in this process; the others wait in the order of their
    /// arrival.
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
    /// The seat has become the first of its key, and wants to work.
    First(Arc<Seat>),
    /// The seat is the first of its key, and another seat wants the key.
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

    /// Returns the time that work has to clean up before its lease ends.
    pub(in crate::runtime) fn clean_up(&self) -> Duration {
        self.fleet.times().clean_up()
    }

    /// Handles a report of a seat.
    pub(super) fn say(self: &Arc<Self>, seat: &Arc<Seat>, say: Say) {
        let mut shared = lock(&self.shared);
        let key = &seat.key;
        if shared.driver == Driver::Over || (!matches!(say, Say::Wants(_)) && !shared.seats.contains_key(key)) {
            return;
        }
        let seats = shared.seats.entry(key.clone()).or_default();
        let place = seats.iter().position(|waiting| Arc::ptr_eq(&waiting.seat, seat));
        // The reports of a seat that waits behind another are only recorded here.
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
            let first = seats.first().filter(|first| wants && !first.wants);
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

    /// Moves the first seat of a key to the end, if another seat wants the key. Returns that seat.
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

    /// Stops to compete for leases, and closes the session once all work has ended. Returns `false` if there is nothing
    /// to wait for.
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

    /// Waits until the session is closed, or the call to close it has timed out.
    pub(in crate::runtime) async fn closed(&self) {
        self.over.wait(|| (lock(&self.shared).driver == Driver::Over).then_some(())).await;
    }

    /// Returns the longest time that [`closed`](Self::closed) takes.
    pub(in crate::runtime) fn time_to_close(&self) -> Duration {
        self.fleet.times().call().saturating_mul(2)
    }

    /// Reports that a shutdown does not wait for [`closed`](Self::closed) any longer. The calls have had less time than
    /// they may take.
    pub(in crate::runtime) fn is_given_up(&self, waited: Duration) {
        let waited = Duration::from_millis(millis(waited));
        let failure = format!(
            "it has not answered within {} of a shutdown: leases that are not released end in at most {}",
            duration::display(waited),
            duration::display(self.fleet.times().ttl)
        );
        let mut shared = lock(&self.shared);
        if shared.driver == Driver::Over || shared.unreachable.is_some() {
            return;
        }
        shared.unreachable = Some(failure.clone());
        drop(shared);
        observe::fleet(&self.fleet.name, Some(&failure));
        self.publish(|| Event::new(EventKind::FleetUnreachable).because(failure));
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

    /// Returns the bus, to publish under a lock: the supervisor can be dropped in the meantime.
    fn bus(&self) -> Option<Arc<Bus>> {
        self.core.upgrade().map(|core| Arc::clone(&core.bus))
    }

    fn publish(&self, event: impl FnOnce() -> Event) {
        if let Some(core) = self.core.upgrade().filter(|core| core.bus.is_active()) {
            core.bus.publish(event());
        }
    }
}

/// Moves the first seat that wants to work to the front. Returns it.
fn first_that_wants(seats: &mut Vec<Waiting>) -> Option<Arc<Seat>> {
    let place = seats.iter().position(|waiting| waiting.wants)?;
    let next = seats.remove(place);
    let seat = Arc::clone(&next.seat);
    seats.insert(0, next);
    Some(seat)
}

impl Engine {
    /// Returns the random number generator for the jitter of the machine.
    #[cfg_attr(not(feature = "test-util"), expect(clippy::unused_self, reason = "only tests have a seed"))]
    fn random(&self) -> fastrand::Rng {
        #[cfg(feature = "test-util")]
        if let Some(seeded) = self.core.upgrade().and_then(|core| core.test_hooks.random("fleet")) {
            return seeded;
        }
        fastrand::Rng::new()
    }
}

#[cfg(test)]
#[path = "reports_test.rs"]
mod tests;
