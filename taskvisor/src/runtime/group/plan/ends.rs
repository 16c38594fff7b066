//! Failures and ends of children: restarts, stops, and the end of the group.

use std::time::Duration;

use super::super::children::{Entry, Key, Phase};
use super::{Action, Cause, End, Mode, Plan, Restart, RetryIn, Why};
use crate::tree::Strategy;

impl Plan {
    /// Handles a failure; `counts` if it does for the limit.
    pub(super) fn failed(&mut self, key: Key, retry: RetryIn, counts: bool, now: Duration) {
        let Some(entry) = self.roster.get(key) else { return };
        if !entry.is_up() && entry.phase != Phase::Holding {
            return;
        }
        let is_cause = match &self.mode {
            Mode::Up => true,
            // A stopping child is already part of the restart; an earlier child is not.
            Mode::Restarting(restart) => key < restart.first,
            Mode::Asking(_) | Mode::Stopping(_) | Mode::Over => false,
        };
        if self.awaits_last(key) {
            return self.set(key, Phase::Holding);
        }
        if !is_cause || self.retired {
            if let RetryIn::Told(delay) = retry {
                self.tells(key, delay, now);
            }
            return self.set(key, Phase::Down);
        }
        if counts && self.window.as_mut().is_some_and(|window| window.hit(now)) {
            self.set(key, Phase::Down);
            return self.stop_because(Why::Limit(key));
        }
        if self.rules.strategy == Strategy::OneForOne {
            // Its phase stays, so that the children after it stay released.
            let epoch = self.next_epoch(key);
            return self.actions.push(Action::Resume(key, epoch));
        }
        self.set(key, Phase::Down);
        let first = if self.is_chain() { key } else { 0 };
        self.restart(first, Cause { key, at: now, retry });
    }

    /// Records the failure of a child that is part of a restart, with a delay of its own: the restart also waits for
    /// that.
    pub(super) fn tells(&mut self, key: Key, delay: Duration, now: Duration) {
        match &mut self.mode {
            Mode::Restarting(restart) if key >= restart.first => {
                restart.add(Cause { key, at: now, retry: RetryIn::Told(delay) });
            }
            _ => {}
        }
    }

    /// Stops the children from `first` on, to start them again.
    pub(super) fn restart(&mut self, first: Key, cause: Cause) {
        let before = std::mem::replace(&mut self.mode, Mode::Up);
        let mut restart = if let Mode::Restarting(restart) = before {
            restart
        } else {
            self.actions.push(Action::Begin);
            Restart { first: Key::MAX, causes: Vec::new(), running: 0, since: None }
        };
        let end = std::mem::replace(&mut restart.first, first);
        restart.add(cause);
        restart.since = None;
        self.survey(first, end);
        for (key, entry) in self.roster.from(first).take_while(|(key, _)| *key < end) {
            self.steps += 1;
            restart.running += usize::from(entry.runs());
            if entry.is_up() && entry.dependents == 0 {
                self.stoppable.push(key);
            }
        }
        self.mode = Mode::Restarting(restart);
    }

    /// Counts the layers of a stop of the children from `first` up to `end`. The layers from `end` on are already
    /// counted.
    pub(super) fn survey(&mut self, first: Key, end: Key) {
        if end == Key::MAX {
            self.base = 0;
        } else {
            // A partial stop is only possible in a chain, and grows towards earlier children.
            let grown = self.roster.from(first).take_while(|(key, _)| *key < end);
            self.base -= grown.map(|(_, entry)| entry.layers()).sum::<i64>();
        }
        let mut altitude = self.base;
        if self.is_chain() {
            for (_, entry) in self.roster.mut_from(first).take_while(|(key, _)| *key < end) {
                entry.altitude = altitude;
                altitude += entry.layers();
            }
            return;
        }
        // In the order of declaration, so that the children that a child is after come first. Children that do not run
        // count, with no layer of their own.
        for index in 0..self.roster.declared.len() {
            let declared = &self.roster.declared;
            let below = self.rules.order.earlier(index).iter().map(|earlier| &declared[*earlier as usize]);
            self.roster.declared[index].altitude =
                below.map(|earlier| earlier.altitude + earlier.layers()).max().unwrap_or(altitude);
        }
        self.roster.added.values_mut().for_each(|entry| entry.altitude = altitude);
    }

    pub(in crate::runtime::group) fn ended(&mut self, key: Key, end: End) {
        let Some(entry) = self.roster.get(key) else { return };
        if entry.phase == Phase::Ended {
            return;
        }
        let requested = matches!(entry.phase, Phase::Holding | Phase::Stopping | Phase::Dissolving);
        let failed = matches!(end, End::Failed | End::Undue) || (end == End::Aborted && !requested);
        // An added child is after all earlier children but does not need them: only declared children count as waiting.
        let needed = entry.role.critical || (entry.phase != Phase::Ready && entry.waiting > 0);
        let significant = entry.role.significant && end == End::Completed;
        self.set(key, Phase::Ended);
        if self.roster.declared(key).is_none() {
            // An ended child no longer affects the others, so it can be removed.
            self.roster.added.remove(&key);
        }
        if let Mode::Restarting(restart) = &mut self.mode {
            if let Ok(position) = restart.position(key) {
                restart.causes.remove(position);
            }
        }
        if failed && needed {
            self.stop_because(Why::Lost(key));
        } else if significant {
            self.stop_because(Why::Significant);
        }
    }

    pub(super) fn skip(&mut self) {
        if let Mode::Restarting(restart) = &mut self.mode {
            restart.causes.clear();
        }
    }

    pub(super) fn give_up(&mut self, key: Key) {
        self.change(key, |entry| entry.given_up |= matches!(entry.phase, Phase::Holding | Phase::Stopping));
    }

    /// Sets the reason of the stop. The first reason stands, but a failure has the highest rank.
    pub(super) fn stop_because(&mut self, why: Why) {
        let (before, stops) = match self.mode {
            Mode::Asking(before) => (Some(before), false),
            Mode::Stopping(before) => (Some(before), true),
            Mode::Over => return,
            Mode::Up | Mode::Restarting(_) => (None, false),
        };
        let reason = match before {
            Some(before) if before.is_failure() || !why.is_failure() => before,
            _ => why,
        };
        if self.rules.is_root && !stops && why != Why::Requested {
            if before != Some(reason) {
                self.actions.push(Action::Ask(reason));
            }
            self.mode = Mode::Asking(reason);
            return;
        }
        self.mode = Mode::Stopping(reason);
        if stops {
            return;
        }
        self.actions.push(Action::Begin);
        self.await_failed();
        self.survey(0, Key::MAX);
        for (key, entry) in self.roster.from(0).rev() {
            self.steps += 1;
            if entry.dependents == 0 {
                self.stoppable.push(key);
            } else if entry.phase != Phase::Ended && !self.retired {
                self.actions.push(Action::Retire(key));
            }
        }
        self.retired = true;
    }

    /// Returns `true` if the group stops, and this child has a final attempt if it is down because of its own failure.
    pub(super) fn awaits_last(&self, key: Key) -> bool {
        matches!(self.mode, Mode::Stopping(_)) && self.roster.get(key).is_some_and(|entry| entry.role.has_last)
    }

    /// Called at the begin of a stop. Children that were started and are down may have failed, and may have their final
    /// attempt. The children that they are after stop after it.
    fn await_failed(&mut self) {
        let is_failed = |entry: &Entry| entry.phase == Phase::Down && entry.role.has_last && entry.epoch != 0;
        let failed: Vec<_> = self.roster.from(0).filter(|(_, entry)| is_failed(entry)).map(|(key, _)| key).collect();
        for key in failed {
            self.set(key, Phase::Holding);
        }
    }
}
