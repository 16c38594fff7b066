//! Faults of the test kit.

use super::super::machine::Stage;
use super::{Cell, State};
use crate::runtime::test_hooks::Strike;

impl Cell {
    /// Sends a fault to the running attempt, or to the next attempt at its begin.
    pub(in crate::runtime) fn send_fault(&self, strike: Strike) {
        let mut state = self.lock();
        if matches!(state.machine.stage, Stage::Over | Stage::Ended) {
            return;
        }
        state.fault = Some(Box::new(strike));
        if matches!(state.machine.stage, Stage::Running(_)) {
            self.wake(state);
        }
    }

    /// Called at the begin of an attempt: sets the news flag of the actor if a fault is pending.
    pub(in crate::runtime) fn note_fault(&self, state: &State) {
        if state.fault.is_some() {
            self.news.raise();
        }
    }

    pub(in crate::runtime) fn take_fault(&self) -> Option<(Box<Strike>, u32)> {
        let mut state = self.lock();
        let attempt = super::shown(state.machine.attempt);
        state.fault.take().map(|strike| (strike, attempt))
    }

    pub(in crate::runtime) fn spare(&self) {
        self.lock().fault = None;
    }
}
