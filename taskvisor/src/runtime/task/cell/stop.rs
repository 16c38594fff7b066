//! The usual end of a task that is requested to stop, in a few instructions.

use super::super::decision::{Ending, Next, after_stop};
use super::Cell;
use crate::inspect::TaskOutcome;
use crate::panics::drop_caught;
use crate::runtime::clock::Ticks;

impl Cell {
    /// Does what [`conclude`](Cell::conclude) does, where little is to be done: the attempt was requested to stop, has
    /// ended as a rule does, has no helper, and nobody listens to events. Returns the outcome; `None` otherwise, with nothing
    /// changed.
    #[inline(never)]
    pub(in crate::runtime) fn conclude_stop(&self, ending: &Ending) -> Option<TaskOutcome> {
        let mut state = self.lock();
        let has_more = state.aside.is_some() || state.outcome.is_some() || state.token.is_some();
        if has_more || self.core.bus.is_active() {
            return None;
        }
        let why = state.machine.why?;
        let Some(Next::End(outcome)) = after_stop(ending, || self.stop_reason_of(why)) else { return None };
        if !state.machine.conclude_stop() {
            return None;
        }
        state.until = Ticks::MAX;
        let task = self.take_task(&mut state, Some(&outcome));
        drop(state);
        if let Some(task) = task {
            let _ = drop_caught(task);
        }
        Some(outcome)
    }
}
