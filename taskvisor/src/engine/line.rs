//! The submissions that wait for room, first come, first served: plain data.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

/// How many wait in the queues of all slots, and who waits to be let in there.
#[derive(Default)]
pub(super) struct Line {
    capacity: usize,
    /// How many wait in queues.
    queued: usize,
    /// How many places are kept for those in line whose turn has come.
    kept: usize,
    tickets: VecDeque<Ticket>,
    next: u64,
}

struct Ticket {
    id: u64,
    slot: Arc<str>,
    /// A place is kept for it.
    has_place: bool,
    waker: Option<Waker>,
}

/// Who is to be woken, with no lock held.
pub(super) type Wakers = Vec<Waker>;

impl Line {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, queued: 0, kept: 0, tickets: VecDeque::new(), next: 0 }
    }

    /// Whether nobody of that slot is before this one in line, or before the end of it.
    pub(super) fn is_first(&self, slot: &str, ticket: Option<u64>) -> bool {
        let mut before = self.tickets.iter().take_while(|other| ticket != Some(other.id));
        !before.any(|other| *other.slot == *slot)
    }

    /// Whether there is a place in a queue, be it kept or free.
    pub(super) fn has_place(&self, ticket: Option<u64>) -> bool {
        match ticket {
            Some(id) => self.tickets.iter().any(|other| other.id == id && other.has_place),
            None => self.queued + self.kept < self.capacity,
        }
    }

    /// Waits in line, from now on or still.
    pub(super) fn wait(&mut self, slot: &Arc<str>, ticket: Option<u64>, waker: Waker, wakers: &mut Wakers) -> u64 {
        if let Some(known) = self.tickets.iter_mut().find(|other| ticket == Some(other.id)) {
            // Not woken for nothing, but dropped with no lock held.
            wakers.extend(known.waker.replace(waker));
            return known.id;
        }
        self.next += 1;
        let ticket = Ticket { id: self.next, slot: Arc::clone(slot), has_place: false, waker: Some(waker) };
        self.tickets.push_back(ticket);
        self.next
    }

    /// Somebody leaves the line: submitted, or not any more.
    pub(super) fn leave(&mut self, ticket: u64, wakers: &mut Wakers) {
        let Some(position) = self.tickets.iter().position(|other| other.id == ticket) else { return };
        let Some(gone) = self.tickets.remove(position) else { return };
        self.kept -= usize::from(gone.has_place);
        wakers.extend(gone.waker);
        self.wake_first(&gone.slot, wakers);
        self.let_in(wakers);
    }

    /// One more waits in a queue, and not in line.
    pub(super) fn enter(&mut self, ticket: Option<u64>, wakers: &mut Wakers) {
        self.queued += 1;
        if let Some(ticket) = ticket {
            self.leave(ticket, wakers);
        }
    }

    /// So many wait in a queue no more.
    pub(super) fn free(&mut self, places: usize, wakers: &mut Wakers) {
        self.queued -= places;
        self.let_in(wakers);
    }

    /// The slot is idle, or its line is shorter: its first needs no place in the queue, or may take the one it has.
    pub(super) fn wake_first(&mut self, slot: &str, wakers: &mut Wakers) {
        let first = self.tickets.iter_mut().find(|other| *other.slot == *slot);
        wakers.extend(first.and_then(|first| first.waker.take()));
    }

    /// Nobody is let in any more.
    pub(super) fn wake_all(&mut self, wakers: &mut Wakers) {
        wakers.extend(self.tickets.iter_mut().filter_map(|ticket| ticket.waker.take()));
    }

    /// Keeps the places that there are for those that are first.
    fn let_in(&mut self, wakers: &mut Wakers) {
        let free = self.capacity.saturating_sub(self.queued + self.kept);
        for ticket in self.tickets.iter_mut().filter(|ticket| !ticket.has_place).take(free) {
            ticket.has_place = true;
            self.kept += 1;
            wakers.extend(ticket.waker.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(name: &str) -> Arc<str> {
        name.into()
    }

    #[test]
    fn places_go_to_those_that_came_first() {
        let mut line = Line::new(1);
        let mut wakers = Wakers::new();
        assert!(line.has_place(None));
        line.enter(None, &mut wakers);
        assert!(!line.has_place(None));
        let a = line.wait(&slot("a"), None, Waker::noop().clone(), &mut wakers);
        let b = line.wait(&slot("b"), None, Waker::noop().clone(), &mut wakers);
        assert_eq!(line.wait(&slot("a"), Some(a), Waker::noop().clone(), &mut wakers), a);

        line.free(1, &mut wakers);
        assert_eq!(wakers.len(), 2, "the one that was replaced, and that of the first");
        assert!(line.has_place(Some(a)) && !line.has_place(Some(b)) && !line.has_place(None));
        // One that gives up leaves its place to the next.
        line.leave(a, &mut wakers);
        assert!(line.has_place(Some(b)) && !line.has_place(None));
        line.enter(Some(b), &mut wakers);
        assert!(!line.has_place(None));
        line.free(1, &mut wakers);
        assert!(line.has_place(None));
    }

    #[test]
    fn nobody_overtakes_in_its_slot() {
        let mut line = Line::new(1);
        let mut wakers = Wakers::new();
        line.enter(None, &mut wakers);
        let first = line.wait(&slot("a"), None, Waker::noop().clone(), &mut wakers);
        let second = line.wait(&slot("a"), None, Waker::noop().clone(), &mut wakers);
        assert!(line.is_first("a", Some(first)) && line.is_first("b", None));
        assert!(!line.is_first("a", Some(second)) && !line.is_first("a", None));
        line.leave(first, &mut wakers);
        assert_eq!(wakers.len(), 2, "its own, which is dropped outside, and that of the next");
        assert!(line.is_first("a", Some(second)));
    }
}
