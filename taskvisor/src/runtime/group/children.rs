//! The children of a group in its plan, by key, with their phases and counters.

use std::collections::BTreeMap;

use crate::tree::Role;

/// Identifies a child of a group. Declared children have the keys of their order; each added child gets the next key.
/// No key is used twice within a registration of a group.
pub(crate) type Key = u64;

/// Numbers the starts and stops of children across the runs of a group. A note of a child carries the epoch of the last
/// start or stop that the child has received.
pub(crate) type Epoch = u32;

/// The phase of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not started, or stopped to be started again.
    Down,
    /// Started, and not ready yet.
    Starting,
    /// Started, and its attempt is delayed. The group counts it as ready; the children after it wait for its attempt.
    Delayed,
    /// Started, and has been ready since.
    Ready,
    /// Requested to hold. Also a child that was down when the stop of its group began, and may have its final attempt.
    Holding,
    /// Requested to stop for good.
    Stopping,
    /// Requested to stop for good while it was down, so nothing of it runs.
    Dissolving,
    Ended,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) role: Role,
    pub(super) phase: Phase,
    /// `true` if its stop exceeded its time. The children that it is after no longer wait for it.
    pub(super) given_up: bool,
    pub(super) epoch: Epoch,
    /// The number of children that it is after and that block its start.
    pub(super) unmet: u32,
    /// The number of children after it that must stop first.
    pub(super) dependents: u32,
    /// The number of declared children after it that have not ended.
    pub(super) waiting: u32,
    /// The number of layers below it in the current stop, counted from the base of the plan.
    pub(super) altitude: i64,
}

impl Entry {
    pub(super) fn new(role: Role, unmet: u32, waiting: u32) -> Self {
        let phase = Phase::Down;
        Self { role, phase, given_up: false, epoch: 0, unmet, dependents: 0, waiting, altitude: 0 }
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Starting | Phase::Delayed | Phase::Ready)
    }

    /// Returns `true` if the group is not ready because of this child.
    pub(super) fn is_unready(&self) -> bool {
        !self.role.uncounted && !matches!(self.phase, Phase::Ready | Phase::Ended)
    }

    /// Like `is_unready`, but a delayed child counts as ready.
    pub(super) fn is_awaited(&self) -> bool {
        self.is_unready() && self.phase != Phase::Delayed
    }

    /// Returns `true` if something of it may run.
    pub(super) fn runs(&self) -> bool {
        self.is_up() || matches!(self.phase, Phase::Holding | Phase::Stopping)
    }

    /// Returns `true` if the child does not block the children after it. For ended children, the children before them
    /// decide.
    pub(super) fn passes(&self) -> bool {
        match self.phase {
            Phase::Ready => true,
            Phase::Ended => self.unmet == 0,
            _ => false,
        }
    }

    /// Returns `true` if this child, or a child after it, blocks the stop of the children that it is after.
    pub(super) fn holds(&self) -> bool {
        (self.runs() && !self.given_up) || self.dependents > 0
    }

    /// Returns `true` if this declared child, or one after it, has not ended, and so needs the children that it is
    /// after.
    pub(super) fn waits(&self) -> bool {
        self.phase != Phase::Ended || self.waiting > 0
    }

    /// Returns the number of layers that the child itself has in a stop.
    pub(super) fn layers(&self) -> i64 {
        if self.runs() { i64::from(self.role.layers.max(1)) } else { 0 }
    }
}

/// Values of the declared children in order, and of the added children that have not ended.
#[derive(Debug)]
pub(super) struct ByKey<T> {
    pub(super) declared: Vec<T>,
    pub(super) added: BTreeMap<Key, T>,
}

impl<T> Default for ByKey<T> {
    fn default() -> Self {
        Self { declared: Vec::new(), added: BTreeMap::new() }
    }
}

impl<T> ByKey<T> {
    /// Returns the index of a declared child.
    pub(super) fn declared(&self, key: Key) -> Option<usize> {
        usize::try_from(key).ok().filter(|index| *index < self.declared.len())
    }

    pub(super) fn get(&self, key: Key) -> Option<&T> {
        match self.declared(key) {
            Some(index) => self.declared.get(index),
            None => self.added.get(&key),
        }
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        match self.declared(key) {
            Some(index) => self.declared.get_mut(index),
            None => self.added.get_mut(&key),
        }
    }

    /// Returns the child before an added child.
    pub(super) fn before_added(&self, key: Key) -> Option<Key> {
        let added = self.added.range(..key).next_back().map(|(key, _)| *key);
        added.or_else(|| self.declared.len().checked_sub(1).map(|last| last as Key))
    }

    /// Returns the added child after this one.
    pub(super) fn next_added(&self, key: Key) -> Option<Key> {
        self.added.range(key + 1..).next().map(|(key, _)| *key)
    }

    /// Returns the children from this one on, in order.
    pub(super) fn from(&self, first: Key) -> impl DoubleEndedIterator<Item = (Key, &T)> {
        let start = self.declared(first).unwrap_or(self.declared.len());
        let declared = self.declared[start..].iter().enumerate().map(move |(index, it)| ((start + index) as Key, it));
        declared.chain(self.added.range(first..).map(|(key, it)| (*key, it)))
    }

    pub(super) fn mut_from(&mut self, first: Key) -> impl DoubleEndedIterator<Item = (Key, &mut T)> {
        let start = self.declared(first).unwrap_or(self.declared.len());
        let declared =
            self.declared[start..].iter_mut().enumerate().map(move |(index, it)| ((start + index) as Key, it));
        declared.chain(self.added.range_mut(first..).map(|(key, it)| (*key, it)))
    }
}
