//! The children of a group as its plan keeps them: by key, with their places and counters.

use std::collections::BTreeMap;

/// Names a child of a group for good: the declared ones by their order, then one more for each that is added. No key is
/// used twice within a registration of a group.
pub(crate) type Key = u64;

/// Numbers the starts and stops of children, across the runs of a group. What a child reports carries the number of the
/// last one that it knows of.
pub(crate) type Epoch = u32;

/// What the plan knows of a child from its declaration.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Child {
    /// Its end in failure fails the group.
    pub(crate) critical: bool,
    /// Its end in success ends the group.
    pub(crate) significant: bool,
    /// How many layers a stop of it has, if more than one.
    pub(crate) layers: u32,
    /// Its state does not count for the readiness of its group.
    pub(crate) uncounted: bool,
}

/// Where a child is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Not started, or stopped to be started again.
    Down,
    /// Started, not ready yet.
    Starting,
    /// Started, and was ready since.
    Ready,
    /// Requested to hold.
    Holding,
    /// Requested to stop for good.
    Stopping,
    /// Requested to stop for good while it was down: nothing of it runs.
    Dissolving,
    Ended,
}

#[derive(Debug)]
pub(super) struct Slot {
    pub(super) child: Child,
    pub(super) place: Place,
    /// It was started, and waits for its time.
    pub(super) delayed: bool,
    /// Its stop took longer than it may: what it is after does not wait for it any longer.
    pub(super) given_up: bool,
    pub(super) epoch: Epoch,
    /// How many of those that it is after do not let it start.
    pub(super) unmet: u32,
    /// How many of those after it must stop before it.
    pub(super) dependents: u32,
    /// How many declared ones after it have not ended.
    pub(super) waiting: u32,
    /// How many layers are below it in the present stop, counted from the plan's base.
    pub(super) altitude: i64,
}

impl Slot {
    pub(super) fn new(child: Child, unmet: u32, waiting: u32) -> Self {
        Self {
            child,
            place: Place::Down,
            delayed: false,
            given_up: false,
            epoch: 0,
            unmet,
            dependents: 0,
            waiting,
            altitude: 0,
        }
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self.place, Place::Starting | Place::Ready)
    }

    /// Whether its group is not ready because of it.
    pub(super) fn is_unready(&self) -> bool {
        !self.child.uncounted && !matches!(self.place, Place::Ready | Place::Ended)
    }

    /// Whether its group is not ready because of it, where one that waits for its time counts as ready.
    pub(super) fn is_awaited(&self) -> bool {
        self.is_unready() && !self.delayed
    }

    /// Whether something of it may run.
    pub(super) fn runs(&self) -> bool {
        self.is_up() || matches!(self.place, Place::Holding | Place::Stopping)
    }

    /// Whether those after it may start, as far as it is concerned: the order goes through those that have ended.
    pub(super) fn passes(&self) -> bool {
        match self.place {
            Place::Ready => true,
            Place::Ended => self.unmet == 0,
            _ => false,
        }
    }

    /// Whether what it is after must not stop yet, because of it or of those after it.
    pub(super) fn holds(&self) -> bool {
        (self.runs() && !self.given_up) || self.dependents > 0
    }

    /// Whether a declared one that has not ended waits for what it is after, be it itself.
    pub(super) fn waits(&self) -> bool {
        self.place != Place::Ended || self.waiting > 0
    }

    /// How many layers of a stop are its own.
    pub(super) fn layers(&self) -> i64 {
        if self.runs() { i64::from(self.child.layers.max(1)) } else { 0 }
    }
}

/// The declared children by their order, and those that were added and have not ended.
#[derive(Debug)]
pub(super) struct Slots {
    pub(super) declared: Vec<Slot>,
    pub(super) added: BTreeMap<Key, Slot>,
}

impl Slots {
    /// The index of a declared child.
    pub(super) fn declared(&self, key: Key) -> Option<usize> {
        usize::try_from(key).ok().filter(|index| *index < self.declared.len())
    }

    pub(super) fn get(&self, key: Key) -> Option<&Slot> {
        match self.declared(key) {
            Some(index) => self.declared.get(index),
            None => self.added.get(&key),
        }
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Slot> {
        match self.declared(key) {
            Some(index) => self.declared.get_mut(index),
            None => self.added.get_mut(&key),
        }
    }

    /// The child before one that was added, in order.
    pub(super) fn before_added(&self, key: Key) -> Option<Key> {
        let added = self.added.range(..key).next_back().map(|(key, _)| *key);
        added.or_else(|| self.declared.len().checked_sub(1).map(|last| last as Key))
    }

    /// The added child after this one, in order.
    pub(super) fn next_added(&self, key: Key) -> Option<Key> {
        self.added.range(key + 1..).next().map(|(key, _)| *key)
    }

    /// The children from one on, in order.
    pub(super) fn from(&self, first: Key) -> impl DoubleEndedIterator<Item = (Key, &Slot)> {
        let start = usize::try_from(first).unwrap_or(usize::MAX).min(self.declared.len());
        let declared =
            self.declared[start..].iter().enumerate().map(move |(index, slot)| ((start + index) as Key, slot));
        declared.chain(self.added.range(first..).map(|(key, slot)| (*key, slot)))
    }

    pub(super) fn mut_from(&mut self, first: Key) -> impl DoubleEndedIterator<Item = (Key, &mut Slot)> {
        let start = usize::try_from(first).unwrap_or(usize::MAX).min(self.declared.len());
        let declared =
            self.declared[start..].iter_mut().enumerate().map(move |(index, slot)| ((start + index) as Key, slot));
        declared.chain(self.added.range_mut(first..).map(|(key, slot)| (*key, slot)))
    }
}
