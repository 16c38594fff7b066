//! Tests of what the driver makes of the reports of seats that share a key.

use super::*;
use crate::fleet::{Fleet, Singleton};
use crate::runtime::fleet::engine::Driver;

/// A driver that is not run.
fn live() -> Live {
    let engine = Engine::new(Fleet::local(), std::sync::Weak::new());
    lock(&engine.shared).driver = Driver::Running;
    Live {
        store: Handle::current(),
        seats: BTreeMap::new(),
        clock: LeaseClock::new(),
        machine: Machine::new(engine.fleet.times(), fastrand::Rng::with_seed(1)),
        calls: JoinSet::new(),
        session: None,
        store_clock: None,
        failure: String::new(),
        leases: BTreeMap::new(),
        counts: false,
        engine,
    }
}

#[tokio::test(start_paused = true)]
async fn a_report_from_before_a_seat_passed_its_key_on_is_not_heard() {
    let mut live = live();
    let key = LeaseKey::of_path("shared");
    let [first, second] = [(); 2].map(|()| Seat::new(&live.engine, &Singleton::default(), key.clone()));
    let has_key = |live: &Live, seat: &Arc<Seat>| live.seat(&key).is_some_and(|it| Arc::ptr_eq(&it, seat));
    first.wants();
    second.wants();
    live.turn();
    assert!(has_key(&live, &first));
    // All of it before the driver has its turn.
    first.withdraws();
    first.wants();
    live.turn();
    assert!(has_key(&live, &second));
    // The one with the key leaves, and nothing of it is kept.
    second.leaves();
    live.turn();
    assert!(has_key(&live, &first));
    first.leaves();
    live.turn();
    assert!(live.seats.is_empty());
}
