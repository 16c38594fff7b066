//! Starts and stops of children, and the counters of the order.

use std::time::Duration;

use super::super::children::{Entry, Key, Phase};
use super::{Action, Mode, Plan};

impl Plan {
    /// Starts the children that can start. During a restart, only the children before its first child.
    pub(super) fn start_due(&mut self) {
        let end = if let Mode::Asking(_) = self.mode { 0 } else { self.unknown_from() };
        let mut due = std::mem::take(&mut self.startable);
        due.sort_unstable();
        for key in due.drain(..) {
            let Some(entry) = self.roster.get(key) else { continue };
            if entry.phase == Phase::Down && entry.unmet == 0 && key < end && !self.retired {
                self.set(key, Phase::Starting);
                let epoch = self.next_epoch(key);
                self.actions.push(Action::Start(key, epoch));
            }
        }
        // A start enables no other start, so the allocation is reused.
        self.startable = due;
    }

    /// Stops the children for which no later child has to stop first.
    pub(super) fn stop_due(&mut self) {
        let mut due = std::mem::take(&mut self.stoppable);
        due.sort_unstable();
        for key in due.drain(..).rev() {
            let Some(entry) = self.roster.get(key) else { continue };
            // A child after it can hold it again since it was put in the list: a failed one that has a final attempt.
            if entry.dependents > 0 {
                continue;
            }
            let below = u32::try_from(entry.altitude - self.base).unwrap_or(0);
            let phase = match (&self.mode, entry.phase) {
                (Mode::Restarting(restart), _) if entry.is_up() && key >= restart.first => Phase::Holding,
                (Mode::Stopping(_), Phase::Down) => Phase::Dissolving,
                (Mode::Stopping(_), phase) if entry.is_up() || phase == Phase::Holding => Phase::Stopping,
                _ => continue,
            };
            self.set(key, phase);
            let stop = if phase == Phase::Holding { Action::Hold } else { Action::Stop };
            let epoch = self.next_epoch(key);
            self.actions.push(stop(key, epoch, below));
        }
        self.stoppable = due;
    }

    /// Starts the stopped children again, if all have stopped and the backoff of the failed children is over.
    pub(super) fn start_again_if_due(&mut self, now: Duration) {
        let Mode::Restarting(restart) = &mut self.mode else { return };
        if restart.running > 0 {
            return;
        }
        restart.since.get_or_insert(now);
        if restart.until().is_some_and(|until| until > now) {
            return;
        }
        let first = restart.first;
        self.mode = Mode::Up;
        self.count_unmet(first);
        let down = self.roster.from(first).filter(|(_, entry)| entry.phase == Phase::Down);
        self.startable.extend(down.map(|(key, _)| key));
    }

    /// Returns the child from which on no child starts. The counters of these children are not updated, because each
    /// would change with every sibling that stops.
    pub(super) fn unknown_from(&self) -> Key {
        match &self.mode {
            Mode::Restarting(restart) => restart.first,
            Mode::Stopping(_) | Mode::Over => 0,
            Mode::Up | Mode::Asking(_) => Key::MAX,
        }
    }

    /// Recounts the children that block the starts from `first` on, which were not counted during the stop.
    pub(super) fn count_unmet(&mut self, first: Key) {
        let start = self.roster.declared(first).unwrap_or(self.roster.declared.len());
        for index in start..self.roster.declared.len() {
            let earlier = self.rules.order.earlier(index);
            self.steps += 1 + earlier.len() as u64;
            let closed = earlier.iter().filter(|earlier| !self.roster.declared[**earlier as usize].passes());
            self.roster.declared[index].unmet = u32::try_from(closed.count()).unwrap_or(u32::MAX);
        }
        if !self.is_chain() {
            return;
        }
        let added = self.roster.added.range(first..).next().map(|(key, _)| *key);
        let before = added.and_then(|key| self.roster.before_added(key)).and_then(|before| self.roster.get(before));
        let mut closed = before.is_some_and(|before| !before.passes());
        for entry in self.roster.added.range_mut(first..).map(|(_, entry)| entry) {
            entry.unmet = u32::from(closed);
            closed = !entry.passes();
        }
    }

    /// Moves a child to another phase.
    pub(super) fn set(&mut self, key: Key, phase: Phase) {
        self.change(key, |entry| {
            entry.phase = phase;
            entry.given_up &= matches!(phase, Phase::Holding | Phase::Stopping);
        });
    }

    /// Changes a child, and updates the counters of the plan and its neighbors in the order.
    pub(super) fn change(&mut self, key: Key, change: impl FnOnce(&mut Entry)) {
        let Some(entry) = self.roster.get_mut(key) else { return };
        let before = *entry;
        change(entry);
        let after = *entry;
        let update = |count: &mut usize, counts: fn(&Entry) -> bool| {
            *count = *count + usize::from(counts(&after)) - usize::from(counts(&before));
        };
        update(&mut self.left, |it| it.phase != Phase::Ended);
        update(&mut self.unready, Entry::is_unready);
        update(&mut self.awaited, Entry::is_awaited);
        update(&mut self.given_up, |it| it.given_up);
        if let Mode::Restarting(restart) = &mut self.mode {
            if key >= restart.first {
                update(&mut restart.running, Entry::runs);
            }
        }
        if after.phase == Phase::Down && before.phase != Phase::Down {
            if after.unmet == 0 {
                self.startable.push(key);
            }
            if after.dependents == 0 {
                self.stoppable.push(key);
            }
        }
        if before.passes() != after.passes() && key < self.unknown_from() {
            self.passes_changed(key, after.passes());
        }
        if before.holds() != after.holds() {
            self.holds_changed(key, after.holds());
        }
        match (before.waits(), after.waits()) {
            (true, false) => self.waits_no_more(key),
            (false, true) => self.waits_again(key),
            _ => {}
        }
    }

    /// Updates whether a child blocks the starts of the children after it.
    pub(super) fn passes_changed(&mut self, key: Key, passes: bool) {
        let unknown_from = self.unknown_from();
        self.changed.push(key);
        while let Some(key) = self.changed.pop() {
            let index = self.roster.declared(key);
            let declared = index.map_or(&[][..], |index| self.rules.order.later(index));
            let is_last = index.is_none_or(|index| index + 1 == self.roster.declared.len());
            let added = if self.is_chain() && is_last { self.roster.next_added(key) } else { None };
            let later = declared.iter().map(|later| Key::from(*later)).chain(added);
            for later in later.take_while(|later| *later < unknown_from) {
                self.steps += 1;
                let Some(entry) = self.roster.get_mut(later) else { continue };
                let before = entry.passes();
                entry.unmet = if passes { entry.unmet - 1 } else { entry.unmet + 1 };
                if entry.unmet == 0 && entry.phase == Phase::Down {
                    self.startable.push(later);
                }
                if before != entry.passes() {
                    self.changed.push(later);
                }
            }
        }
    }

    /// Updates whether a child blocks the stops of the children that it is after.
    pub(super) fn holds_changed(&mut self, key: Key, holds: bool) {
        self.changed.push(key);
        while let Some(key) = self.changed.pop() {
            let index = self.roster.declared(key);
            let declared = index.map_or(&[][..], |index| self.rules.order.earlier(index));
            let added = if self.is_chain() && index.is_none() { self.roster.before_added(key) } else { None };
            for earlier in declared.iter().map(|earlier| Key::from(*earlier)).chain(added) {
                self.steps += 1;
                let Some(entry) = self.roster.get_mut(earlier) else { continue };
                let before = entry.holds();
                entry.dependents = if holds { entry.dependents + 1 } else { entry.dependents - 1 };
                if entry.dependents == 0 {
                    self.stoppable.push(earlier);
                }
                if before != entry.holds() {
                    self.changed.push(earlier);
                }
            }
        }
    }

    /// Records that neither a declared child nor the children after it need earlier children anymore.
    pub(super) fn waits_no_more(&mut self, key: Key) {
        self.changed.push(key);
        while let Some(key) = self.changed.pop() {
            let Some(index) = self.roster.declared(key) else { continue };
            for earlier in self.rules.order.earlier(index) {
                self.steps += 1;
                let entry = &mut self.roster.declared[*earlier as usize];
                entry.waiting -= 1;
                if !entry.waits() {
                    self.changed.push(Key::from(*earlier));
                }
            }
        }
    }

    /// Records that a declared child, or a child after it, needs earlier children again.
    fn waits_again(&mut self, key: Key) {
        self.changed.push(key);
        while let Some(key) = self.changed.pop() {
            let Some(index) = self.roster.declared(key) else { continue };
            for earlier in self.rules.order.earlier(index) {
                self.steps += 1;
                let entry = &mut self.roster.declared[*earlier as usize];
                entry.waiting += 1;
                if entry.phase == Phase::Ended && entry.waiting == 1 {
                    self.changed.push(Key::from(*earlier));
                }
            }
        }
    }
}
