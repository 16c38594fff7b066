//! What was published and is not in the lanes yet.

use std::mem;

use crate::sync::{Mutex, lock};

/// Numbers what is published, and keeps it until the relay takes it.
pub(super) struct Queue<T> {
    /// Taken after the locks of the registry, of groups and of cells, and before that of the lanes.
    open: Mutex<Open<T>>,
}

struct Open<T> {
    seq: u64,
    events: Vec<T>,
    /// How many came together the last time, and so the room that is made for the next.
    usual: usize,
    /// What could not be kept.
    lost: u64,
    closed: bool,
}

/// What became of something that was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Published {
    /// It waits with this many, itself included; the first wakes the relay.
    Waits(usize),
    /// There was no room.
    Lost,
    /// Nobody delivers.
    Ignored,
}

/// What the relay takes at once.
pub(super) struct Taken<T> {
    pub(super) events: Vec<T>,
    /// How many were lost after them.
    pub(super) lost: u64,
    /// No more will come.
    pub(super) closed: bool,
}

impl<T> Queue<T> {
    pub(super) fn new() -> Self {
        Self { open: Mutex::new(Open { seq: 0, events: Vec::new(), usual: 0, lost: 0, closed: false }) }
    }

    /// Publishes what `number` makes of the next number, if there is room and `delivers` says that somebody delivers.
    /// `counts` says whether it counts if it is lost.
    pub(super) fn publish(
        &self,
        most: usize,
        counts: bool,
        delivers: impl FnOnce() -> bool,
        number: impl FnOnce(u64) -> T,
    ) -> Published {
        let mut open = lock(&self.open);
        open.seq += 1;
        let event = number(open.seq);
        if !delivers() {
            // What it holds of the user's is not dropped here: the caller has it too.
            return Published::Ignored;
        }
        if open.events.len() >= most {
            open.lost += u64::from(counts);
            return Published::Lost;
        }
        if open.events.is_empty() {
            let usual = open.usual;
            open.events.reserve(usual);
        }
        open.events.push(event);
        Published::Waits(open.events.len())
    }

    pub(super) fn len(&self) -> usize {
        lock(&self.open).events.len()
    }

    pub(super) fn seq(&self) -> u64 {
        lock(&self.open).seq
    }

    /// Calls `look` with the number of the newest, while nothing is published.
    pub(super) fn at<R>(&self, look: impl FnOnce(u64) -> R) -> R {
        let open = lock(&self.open);
        look(open.seq)
    }

    pub(super) fn close(&self) {
        lock(&self.open).closed = true;
    }

    pub(super) fn is_closed(&self) -> bool {
        lock(&self.open).closed
    }

    /// Takes all, and hands it to `share`, with the number of the newest, before anything else is published: what is
    /// taken first is shared first.
    pub(super) fn take<R>(&self, usual: usize, share: impl FnOnce(Taken<T>, &mut u64) -> R) -> R {
        let mut open = lock(&self.open);
        let events = mem::take(&mut open.events);
        let lost = mem::take(&mut open.lost);
        open.usual = events.len().min(usual);
        let closed = open.closed;
        share(Taken { events, lost, closed }, &mut open.seq)
    }
}
