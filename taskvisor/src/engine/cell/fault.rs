//! Faults that the test kit sends to attempts.

use super::super::kit::Strike;
use super::super::machine::Stage;
use super::{Cell, State};

impl Cell {
    /// Strikes the running attempt, or the next at its very begin.
    pub(in crate::engine) fn send_fault(&self, strike: Strike) {
        let mut state = self.lock();
        if matches!(state.machine.stage(), Stage::Over | Stage::Ended) {
            return;
        }
        state.fault = Some(Box::new(strike));
        if matches!(state.machine.stage(), Stage::Running(_)) {
            self.wake(state, None);
        }
    }

    /// An attempt begins: a fault that waits for it is news.
    pub(super) fn note_fault(&self, state: &State) {
        if state.fault.is_some() {
            self.news.raise();
        }
    }

    pub(in crate::engine) fn take_fault(&self) -> Option<(Box<Strike>, u32)> {
        let mut state = self.lock();
        let attempt = super::shown(state.machine.attempt());
        state.fault.take().map(|strike| (strike, attempt))
    }

    pub(in crate::engine) fn spare(&self) {
        self.lock().fault = None;
    }
}
