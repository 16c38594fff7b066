//! The state that the keys of a slot share: the places, the rate, and the line of keys that wait for a place. Plain
//! data; the time is passed in.

use std::collections::VecDeque;
use std::time::Duration;

/// The largest number of tasks that a slot starts within a span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) starts: usize,
    pub(crate) per: Duration,
}

/// The shared state of the keys of a slot. `K` names a key.
///
/// A free place goes to the first key in the line, which then goes to the end of the line if more of its jobs wait. So
/// the keys take turns, however many jobs each has.
#[derive(Debug)]
pub(crate) struct Pool<K> {
    /// The number of places; `None` if there is no limit.
    places: Option<usize>,
    rate: Option<Rate>,
    /// The number of taken places.
    running: usize,
    /// The starts within the time of the rate, the earliest first.
    starts: VecDeque<Duration>,
    /// The keys that wait for a place, each once.
    line: VecDeque<K>,
}

/// Whether a job can take a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    Free,
    /// All places are taken.
    Taken,
    /// The rate allows the next start at this time.
    At(Duration),
}

impl<K> Pool<K> {
    pub(crate) fn new(places: Option<usize>, rate: Option<Rate>) -> Self {
        Self { places, rate, running: 0, starts: VecDeque::new(), line: VecDeque::new() }
    }

    /// Returns `true` if the starts are limited by a rate.
    pub(crate) fn has_rate(&self) -> bool {
        self.rate.is_some()
    }

    /// Returns whether a place is free. `now` never decreases.
    pub(crate) fn room(&mut self, now: Duration) -> Room {
        if self.places.is_some_and(|places| self.running >= places) {
            return Room::Taken;
        }
        let Some(Rate { starts, per }) = self.rate else { return Room::Free };
        while self.starts.front().is_some_and(|start| start.saturating_add(per) <= now) {
            self.starts.pop_front();
        }
        match self.starts.front() {
            Some(first) if self.starts.len() >= starts => Room::At(first.saturating_add(per)),
            _ => Room::Free,
        }
    }

    /// Takes a place.
    pub(crate) fn take(&mut self, now: Duration) {
        self.running += 1;
        if self.rate.is_some() {
            self.starts.push_back(now);
        }
    }

    /// Gives a place back. `unused` is `true` if the job did not start after all, so that its start does not count.
    pub(crate) fn give_back(&mut self, unused: bool) {
        self.running -= 1;
        if unused {
            self.starts.pop_back();
        }
    }

    /// Adds a key to the end of the line. It must not be in it.
    pub(crate) fn line_up(&mut self, key: K) {
        self.line.push_back(key);
    }

    /// Removes the first key of the line.
    pub(crate) fn first(&mut self) -> Option<K> {
        self.line.pop_front()
    }

    /// Removes a key from the line.
    pub(crate) fn leave_line(&mut self, key: &K)
    where
        K: PartialEq,
    {
        self.line.retain(|other| other != key);
    }

    /// Returns the first key of the line.
    pub(crate) fn in_line(&self) -> Option<&K> {
        self.line.front()
    }
}
