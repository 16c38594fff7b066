//! The pause of a task: no attempt begins while the task, or a group or slot above it, is paused.
//!
//! The registry decides which tasks are paused, and sets the pause of each cell under the cell's lock. An actor checks
//! the pause under the same lock when it begins an attempt, so no attempt begins after that.

use super::super::decision::Request;
use super::{Cell, State};
use crate::task::StopKind;

impl Cell {
    /// Records whether the task, or a group or slot above it, is paused. Called under the lock of the registry; the
    /// caller calls [`heed_pause`](Self::heed_pause) after it has released that lock. Returns `true` if this changes
    /// anything.
    pub(in crate::runtime) fn set_paused(&self, paused: bool) -> bool {
        let mut state = self.lock();
        let shown = state.machine.state();
        let changes = state.machine.set_paused(paused);
        if changes {
            if state.machine.state() != shown {
                state.since = self.core.clock.now();
            }
            self.news.raise();
        }
        changes
    }

    /// Wakes the actor of a task that was paused or resumed. With `stops`, a running attempt is requested to end,
    /// unless the task was resumed in the meantime. Returns `true` if this is the first request.
    pub(in crate::runtime) fn heed_pause(&self, stops: bool) -> bool {
        let mut state = self.lock();
        if stops && state.machine.forget_trigger() {
            self.news.raise();
        }
        let effects = if stops { state.machine.stop_in_pause() } else { None };
        let Some(effects) = effects else {
            self.wake(state);
            return false;
        };
        let bound = self.own_bound(self.stop_bound());
        if effects.interrupts {
            state.tighten(bound, StopKind::Paused);
        }
        self.carry_out(None, state, bound, effects);
        effects.interrupts && effects.is_first
    }

    /// Returns `true` if the task, or a group or slot above it, is paused.
    pub(in crate::runtime) fn is_paused(&self) -> bool {
        self.lock().machine.is_paused()
    }

    /// Returns `true` if the task was triggered in its pause, and the attempt for that has not begun.
    #[cfg(feature = "cron")]
    pub(in crate::runtime) fn is_triggered_in_pause(&self) -> bool {
        self.lock().machine.is_triggered_in_pause()
    }

    /// Called when an attempt of a paused task has ended: the actor takes a turn first.
    #[cold]
    pub(super) fn begins_to_rest(&self, state: &mut State) {
        if state.machine.is_held_back() {
            state.since = self.core.clock.now();
        }
        self.news.raise();
    }

    /// Ends a paused task at a shutdown, also during the drain: no attempt follows that the drain could wait for.
    pub(super) fn end_pause_if_stopping(&self, state: &mut State) {
        if !state.machine.rests() || state.machine.request == Request::Stop {
            return;
        }
        if let Some(why) = self.core.stop_kind() {
            state.machine.because(why);
            state.machine.stop(&self.policy, false);
        }
    }
}
