//! The submissions that wait for room in a queue, first come, first served. Plain data.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;
use std::task::Waker;

/// The number of submissions in the queues of all slots, and the submissions that wait for room there.
///
/// Freed room is reserved for the first submission, and its future is woken. If the future is not polled then, it loses
/// its turn to the next (see [`pass_over`](Self::pass_over)), so that it blocks no other. It keeps its position for its
/// next poll.
#[derive(Default)]
pub(in crate::runtime) struct WaitQueue {
    capacity: usize,
    /// The number of submissions in queues.
    queued: usize,
    /// The number of reserved entries for submissions whose turn has come.
    kept: usize,
    /// The tickets by their ids, which is the order of arrival.
    tickets: BTreeMap<u64, Ticket>,
    /// The round of checks for submissions that were woken and not polled.
    round: u64,
    /// `true` while a check for such submissions is spawned.
    watched: bool,
    /// `true` after the runtime of the check has ended, until a submission waits.
    is_check_lost: bool,
}

struct Ticket {
    slot: Arc<str>,
    /// `true` if an entry is reserved for the ticket.
    is_reserved: bool,
    turn: Turn,
}

/// The state of the future of a ticket.
enum Turn {
    /// The future was polled, and waits. Without a waker, it was woken to check again.
    Waits(Option<Waker>),
    /// The future was woken in this round because its turn has come, and was not polled since.
    Called(u64),
    /// The future was not polled in its turn, and others no longer wait for it.
    Late,
}

/// The work to do after the lock is released. Boxed, because mostly there is none.
#[derive(Default)]
pub(in crate::runtime) struct Calls(Option<Box<Called>>);

#[derive(Default)]
pub(in crate::runtime) struct Called {
    /// The wakers to wake.
    pub(in crate::runtime) woken: Vec<Waker>,
    /// The wakers to drop.
    pub(in crate::runtime) dropped: Vec<Waker>,
    /// Spawn a check for submissions that are not polled in their turn.
    pub(in crate::runtime) watch: bool,
}

impl Calls {
    /// Returns the work, if there is any.
    #[inline]
    pub(in crate::runtime) fn into_inner(self) -> Option<Called> {
        self.0.map(|called| *called)
    }

    fn wake(&mut self, waker: Option<Waker>) {
        if let Some(waker) = waker {
            self.0.get_or_insert_default().woken.push(waker);
        }
    }

    fn drop(&mut self, waker: Waker) {
        self.0.get_or_insert_default().dropped.push(waker);
    }

    /// Spawns the check for submissions that are not polled in their turn, unless it is spawned.
    fn watch(&mut self, watched: &mut bool) {
        if !mem::replace(watched, true) {
            self.0.get_or_insert_default().watch = true;
        }
    }
}

impl Ticket {
    fn is_late(&self) -> bool {
        matches!(self.turn, Turn::Late)
    }

    /// Wakes a ticket whose turn has come.
    fn call(&mut self, round: u64, calls: &mut Calls) {
        if let Turn::Waits(waker) = &mut self.turn {
            calls.wake(waker.take());
            self.turn = Turn::Called(round);
        }
    }
}

impl WaitQueue {
    pub(in crate::runtime) fn new(capacity: usize) -> Self {
        Self { capacity, ..Self::default() }
    }

    /// Returns `true` if no submission of that slot is before this ticket, or before the end of the queue.
    pub(in crate::runtime) fn is_first(&self, slot: &str, ticket: Option<u64>) -> bool {
        let mut before = self.tickets.range(..ticket.unwrap_or(u64::MAX)).map(|(_, other)| other);
        !before.any(|other| !other.is_late() && *other.slot == *slot)
    }

    /// Returns `true` if there is room in a queue for this ticket, reserved or free.
    pub(in crate::runtime) fn has_room(&self, ticket: Option<u64>) -> bool {
        self.queued + self.kept < self.capacity || ticket.is_some_and(|id| self.reserved_for(id).is_some())
    }

    /// Returns the ticket whose reserved entry this ticket takes: itself, or a later ticket of its slot, which got the
    /// entry while this ticket was late.
    fn reserved_for(&self, id: u64) -> Option<u64> {
        let slot = &self.tickets.get(&id)?.slot;
        let mut own = self.tickets.range(id..).filter(|(_, other)| *other.slot == **slot);
        own.find(|(_, other)| other.is_reserved).map(|(id, _)| *id)
    }

    /// Enters the queue, or updates the waker of a ticket in it.
    pub(in crate::runtime) fn wait(
        &mut self,
        slot: &Arc<str>,
        ticket: Option<u64>,
        waker: Waker,
        calls: &mut Calls,
    ) -> u64 {
        if mem::take(&mut self.is_check_lost) && self.has_called() {
            calls.watch(&mut self.watched);
        }
        let turn = Turn::Waits(Some(waker));
        if let Some((id, known)) = ticket.and_then(|id| Some((id, self.tickets.get_mut(&id)?))) {
            if let Turn::Waits(Some(before)) = mem::replace(&mut known.turn, turn) {
                calls.drop(before);
            }
            return id;
        }
        let id = self.tickets.last_key_value().map_or(0, |(last, _)| last + 1);
        self.tickets.insert(id, Ticket { slot: Arc::clone(slot), is_reserved: false, turn });
        id
    }

    /// Removes a ticket whose submission was accepted or dropped.
    pub(in crate::runtime) fn leave(&mut self, ticket: u64, calls: &mut Calls) {
        let Some(gone) = self.tickets.remove(&ticket) else { return };
        self.kept -= usize::from(gone.is_reserved);
        if let Turn::Waits(Some(waker)) = gone.turn {
            calls.drop(waker);
        }
        self.call_first(&gone.slot, calls);
        self.let_in(calls);
    }

    /// Counts one more submission in a queue.
    pub(in crate::runtime) fn enter(&mut self, ticket: Option<u64>, calls: &mut Calls) {
        self.queued += 1;
        let Some(ticket) = ticket else { return };
        if let Some(reserved) = self.reserved_for(ticket).and_then(|id| self.tickets.get_mut(&id)) {
            reserved.is_reserved = false;
            self.kept -= 1;
        }
        self.leave(ticket, calls);
    }

    /// Counts submissions that left a queue.
    pub(in crate::runtime) fn free(&mut self, places: usize, calls: &mut Calls) {
        self.queued -= places;
        self.let_in(calls);
    }

    /// Wakes the first ticket of a slot, which may now proceed.
    pub(in crate::runtime) fn call_first(&mut self, slot: &str, calls: &mut Calls) {
        let round = self.round;
        if let Some(first) = self.tickets.values_mut().find(|other| !other.is_late() && *other.slot == *slot) {
            first.call(round, calls);
            calls.watch(&mut self.watched);
        }
    }

    /// Wakes all tickets, to check again.
    pub(in crate::runtime) fn wake_all(&mut self, calls: &mut Calls) {
        for ticket in self.tickets.values_mut() {
            if let Turn::Waits(waker) = &mut ticket.turn {
                calls.wake(waker.take());
            }
        }
    }

    /// Passes over tickets that were woken before the last round and not polled since. Returns `true` if there may be
    /// more.
    pub(in crate::runtime) fn pass_over(&mut self, calls: &mut Calls) -> bool {
        let mut slots = Vec::new();
        for ticket in self.tickets.values_mut() {
            if matches!(ticket.turn, Turn::Called(round) if round < self.round) {
                ticket.turn = Turn::Late;
                self.kept -= usize::from(mem::take(&mut ticket.is_reserved));
                slots.push(Arc::clone(&ticket.slot));
            }
        }
        self.round += 1;
        for slot in slots {
            self.call_first(&slot, calls);
        }
        self.let_in(calls);
        self.watched = self.has_called();
        self.watched
    }

    fn has_called(&self) -> bool {
        self.tickets.values().any(|ticket| matches!(ticket.turn, Turn::Called(_)))
    }

    /// Handles the end of the runtime of the check. All waiting submissions check again, and the next one that waits
    /// spawns another check.
    pub(in crate::runtime) fn check_is_lost(&mut self, calls: &mut Calls) {
        (self.watched, self.is_check_lost) = (false, true);
        self.wake_all(calls);
    }

    /// Reserves the free entries for the first tickets.
    fn let_in(&mut self, calls: &mut Calls) {
        let free = self.capacity.saturating_sub(self.queued + self.kept);
        let round = self.round;
        for ticket in self.tickets.values_mut().filter(|ticket| !ticket.is_reserved && !ticket.is_late()).take(free) {
            ticket.is_reserved = true;
            self.kept += 1;
            ticket.call(round, calls);
            calls.watch(&mut self.watched);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(name: &str) -> Arc<str> {
        name.into()
    }

    fn waits(line: &mut WaitQueue, name: &str, ticket: Option<u64>) -> u64 {
        line.wait(&slot(name), ticket, Waker::noop().clone(), &mut Calls::default())
    }

    /// Returns the number of wakers to wake and to drop.
    fn counts(calls: &Calls) -> (usize, usize) {
        calls.0.as_ref().map_or((0, 0), |called| (called.woken.len(), called.dropped.len()))
    }

    /// Returns a wait queue with room for one submission, which is taken.
    fn full() -> WaitQueue {
        let mut line = WaitQueue::new(1);
        assert!(line.has_room(None));
        line.enter(None, &mut Calls::default());
        assert!(!line.has_room(None));
        line
    }

    #[test]
    fn places_go_to_those_that_came_first() {
        let mut line = full();
        let mut calls = Calls::default();
        let a = waits(&mut line, "a", None);
        let b = waits(&mut line, "b", None);
        assert_eq!(line.wait(&slot("a"), Some(a), Waker::noop().clone(), &mut calls), a);
        assert_eq!(counts(&calls), (0, 1), "the one that was replaced");

        line.free(1, &mut calls);
        assert_eq!((counts(&calls), calls.0.as_ref().is_some_and(|called| called.watch)), ((1, 1), true));
        assert!(line.has_room(Some(a)) && !line.has_room(Some(b)) && !line.has_room(None));
        // A ticket that gives up leaves its entry to the next.
        line.leave(a, &mut calls);
        assert!(line.has_room(Some(b)) && !line.has_room(None));
        line.enter(Some(b), &mut calls);
        assert!(!line.has_room(None));
        line.free(1, &mut calls);
        assert!(line.has_room(None));
    }

    #[test]
    fn all_that_wait_are_woken_to_check_again() {
        let mut line = full();
        let mut calls = Calls::default();
        assert!(Calls::default().into_inner().is_none());
        assert_ne!(waits(&mut line, "a", None), waits(&mut line, "b", None));
        line.wake_all(&mut calls);
        line.wake_all(&mut calls);
        let called = calls.into_inner().unwrap();
        assert_eq!((called.woken.len(), called.dropped.len(), called.watch), (2, 0, false));
    }

    #[test]
    fn nobody_overtakes_in_its_slot() {
        let mut line = full();
        let mut calls = Calls::default();
        let first = waits(&mut line, "a", None);
        let second = waits(&mut line, "a", None);
        assert!(line.is_first("a", Some(first)) && line.is_first("b", None));
        assert!(!line.is_first("a", Some(second)) && !line.is_first("a", None));
        line.leave(first, &mut calls);
        assert_eq!(counts(&calls), (1, 1), "the next, and its own");
        assert!(line.is_first("a", Some(second)));
    }

    #[test]
    fn k5i_one_that_is_called_and_not_polled_loses_its_turn_and_keeps_its_position() {
        let mut line = full();
        let mut calls = Calls::default();
        let [a, b, c] = ["a", "b", "a"].map(|name| waits(&mut line, name, None));
        line.free(1, &mut calls);
        assert!(line.pass_over(&mut calls) && line.has_room(Some(a)), "it has the time between two rounds at least");
        assert!(line.pass_over(&mut calls), "the next is called");
        assert!(line.has_room(Some(b)) && !line.has_room(Some(a)) && line.is_first("a", Some(c)));
        assert_eq!(counts(&calls).0, 3, "each once: the place, and the next of its slot");
        // Polled again, it has its old position.
        waits(&mut line, "a", Some(a));
        assert!(line.is_first("a", Some(a)) && !line.is_first("a", Some(c)));
        line.enter(Some(b), &mut calls);
        line.free(1, &mut calls);
        assert!(line.has_room(Some(a)) && !line.has_room(None));
        line.enter(Some(a), &mut calls);
        line.leave(c, &mut calls);
        assert!(!line.pass_over(&mut calls), "nobody is in line");
        assert_eq!((line.queued, line.kept, line.watched), (1, 0, false));
    }

    #[test]
    fn k5i_one_that_comes_late_takes_the_place_of_a_later_one_of_its_slot() {
        let mut line = full();
        let mut calls = Calls::default();
        let [a, b] = ["a", "a"].map(|name| waits(&mut line, name, None));
        line.free(1, &mut calls);
        line.pass_over(&mut calls);
        line.pass_over(&mut calls);
        assert!(line.has_room(Some(b)) && line.is_first("a", Some(b)));
        // The first is polled before the second.
        assert!(line.has_room(Some(a)) && line.is_first("a", Some(a)));
        line.enter(Some(a), &mut calls);
        assert_eq!((line.queued, line.kept), (1, 0));
        assert!(!line.has_room(Some(b)));
        waits(&mut line, "a", Some(b));
        line.free(1, &mut calls);
        line.enter(Some(b), &mut calls);
        assert_eq!((line.queued, line.kept, line.tickets.len()), (1, 0, 0));
    }
}
