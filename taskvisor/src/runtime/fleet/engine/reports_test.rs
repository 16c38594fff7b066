//! Tests of what seats report: which reports reach the driver, and which seat has a key.

use super::super::seat::{Hold, Validity};
use super::*;
use crate::fleet::{FencingToken, Singleton};

/// An engine, and seats that share a key.
struct Seats {
    engine: Arc<Engine>,
    seats: Vec<Arc<Seat>>,
}

impl Seats {
    /// Nothing drives the engine.
    fn new(count: usize, driver: Driver) -> Self {
        let engine = Engine::new(Fleet::local(), Weak::new());
        lock(&engine.shared).driver = driver;
        let seat = |_| Seat::new(&engine, &Singleton::default(), LeaseKey::of_path("shared"));
        let seats = (0..count).map(seat).collect();
        Self { engine, seats }
    }

    /// Returns the inputs of the driver that follow from a report.
    fn say(&self, seat: usize, say: Say) -> Vec<String> {
        self.engine.say(&self.seats[seat], say);
        self.inputs()
    }

    fn inputs(&self) -> Vec<String> {
        let inputs = std::mem::take(&mut lock(&self.engine.shared).inputs);
        let shown = inputs.into_iter().map(|input| match input {
            Input::Say(seat, say) => format!("{} {say:?}", self.place_of(&seat)),
            Input::First(seat) => format!("{} First", self.place_of(&seat)),
            Input::Yields(seat) => format!("{} Yields", self.place_of(&seat)),
            Input::Hint => "Hint".to_owned(),
            Input::ShutDown => "ShutDown".to_owned(),
        });
        shown.collect()
    }

    fn place_of(&self, seat: &Arc<Seat>) -> usize {
        self.seats.iter().position(|other| Arc::ptr_eq(other, seat)).unwrap()
    }

    fn pass_on(&self, seat: usize) -> Option<usize> {
        self.engine.pass_on(&self.seats[seat]).map(|next| self.place_of(&next))
    }

    /// Returns the seats in the order in which they have the key.
    fn order(&self) -> Vec<usize> {
        lock(&self.engine.shared).seats.values().flatten().map(|waiting| self.place_of(&waiting.seat)).collect()
    }
}

const NONE: [&str; 0] = [];

#[test]
fn the_driver_hears_of_a_seat_behind_another_only_if_it_wants_what_the_first_does_not() {
    let them = Seats::new(2, Driver::Running);
    assert_eq!(them.say(0, Say::Wants(0)), ["0 Wants(0)"]);
    assert_eq!(them.say(1, Say::Wants(0)), NONE, "the first wants it too");
    assert_eq!(them.say(1, Say::Withdraws(0)), NONE);
    assert_eq!(them.say(0, Say::Withdraws(0)), ["0 Withdraws(0)"]);
    assert_eq!(them.say(0, Say::Resigns), ["0 Resigns"]);
    assert_eq!(them.say(1, Say::Mark(1)), NONE, "it does not want to work");
    assert_eq!(them.say(1, Say::Wants(0)), ["0 Yields"]);
    assert_eq!(them.say(0, Say::Wants(0)), ["0 Wants(0)"]);
    assert_eq!(them.order(), [0, 1]);
}

#[test]
fn the_first_seat_that_wants_to_work_follows_one_that_leaves() {
    let them = Seats::new(4, Driver::Running);
    for seat in 0..4 {
        them.say(seat, Say::Wants(0));
    }
    them.say(1, Say::Withdraws(0));
    assert_eq!(them.say(3, Say::Leaves), NONE);
    assert_eq!(them.say(0, Say::Leaves), ["0 Leaves", "2 First"]);
    assert_eq!(them.order(), [2, 1]);
    assert_eq!(them.say(2, Say::Leaves), ["2 Leaves"], "the other does not want to work");
    assert_eq!(them.say(1, Say::Leaves), ["1 Leaves"]);
    assert!(lock(&them.engine.shared).seats.is_empty());
}

#[test]
fn only_the_first_seat_passes_its_key_on_and_only_to_one_that_wants_to_work() {
    let them = Seats::new(3, Driver::Running);
    for seat in 0..3 {
        them.say(seat, Say::Wants(0));
    }
    let is_behind = |seat: usize| them.engine.is_behind(&them.seats[seat]);
    assert_eq!([0, 1, 2].map(is_behind), [false, true, true]);
    assert_eq!((them.pass_on(1), them.order()), (None, vec![0, 1, 2]), "it is not the first");
    for seat in [1, 2] {
        them.say(seat, Say::Withdraws(0));
    }
    assert_eq!((them.pass_on(0), them.order()), (None, vec![0, 1, 2]), "no other wants to work");
    them.say(2, Say::Wants(0));
    assert_eq!((them.pass_on(0), them.order()), (Some(2), vec![2, 1, 0]));
    assert_eq!([0, 1, 2].map(is_behind), [true, true, false]);
}

#[test]
fn a_seat_that_is_not_known_counts_once_it_wants_to_work() {
    let them = Seats::new(1, Driver::Running);
    for say in [Say::Withdraws(0), Say::Lost(0), Say::Resigns, Say::Mark(0), Say::Done(0), Say::Leaves] {
        assert_eq!(them.say(0, say), NONE, "{say:?}");
        assert!(lock(&them.engine.shared).seats.is_empty(), "{say:?} keeps nothing");
    }
    assert_eq!(them.say(0, Say::Wants(0)), ["0 Wants(0)"]);
}

/// A seat keeps the engine, so an engine that keeps a seat is never dropped.
#[test]
fn nothing_is_kept_after_the_end_of_the_driver() {
    let them = Seats::new(1, Driver::Over);
    assert_eq!(them.say(0, Say::Wants(0)), NONE);
    let engine = Arc::downgrade(&them.engine);
    drop(them);
    assert!(engine.upgrade().is_none());
}

#[test]
fn the_unit_of_a_holding_reports_its_loss_and_wants_the_next_one_after_it() {
    let them = Seats::new(1, Driver::Running);
    let seat = &them.seats[0];
    let validity = Validity::new(LeaseClock::new());
    validity.set(Duration::MAX);
    seat.wants();
    assert_eq!(them.inputs(), ["0 Wants(0)"]);
    let hold = Hold::new(7, FencingToken::from_number(1), validity);
    seat.grant(Arc::clone(&hold), None, None, || ());
    assert_eq!(seat.grants_before(), None, "it is held");
    seat.wants();
    assert_eq!(them.inputs(), NONE);
    seat.lost(&hold);
    assert_eq!(them.inputs(), ["0 Lost(7)"]);
    seat.revoke();
    assert_eq!(seat.grants_before(), Some(7));
    seat.leaves();
    assert_eq!((seat.grants_before(), them.inputs()), (None, vec!["0 Leaves".to_owned()]));
}

/// Its work reads it, and can be one that blocks its thread.
#[test]
fn a_holding_that_was_ended_is_over_though_its_session_goes_on() {
    let them = Seats::new(1, Driver::Running);
    let seat = &them.seats[0];
    let validity = Validity::new(LeaseClock::new());
    validity.set(Duration::MAX);
    let [first, next] =
        [1, 2].map(|number| Hold::new(number, FencingToken::from_number(number), Arc::clone(&validity)));
    seat.grant(Arc::clone(&first), None, None, || ());
    assert!(!first.is_over());
    seat.revoke();
    assert!(!first.is_over(), "its work may clean up");
    seat.end();
    seat.grant(Arc::clone(&next), None, None, || ());
    assert_eq!((first.is_over(), first.left(), next.is_over()), (true, Duration::ZERO, false));
}
