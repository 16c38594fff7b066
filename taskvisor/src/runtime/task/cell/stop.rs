//! Fast paths for the usual stop of a task: the request, and the end of its attempt.

use super::super::decision::{Ending, Next, after_stop};
use super::signal::Signal;
use super::{Bound, Cell};
use crate::inspect::TaskOutcome;
use crate::panics::drop_caught;
use crate::runtime::clock::Ticks;
use crate::task::StopKind;

impl Cell {
    /// Like [`stop`](Cell::stop), for one of many requests of a shutdown, which come at the same time and set no deadline.
    #[inline]
    pub(in crate::runtime) fn stop_with_all(&self, now: Ticks, why: StopKind) {
        let mut state = self.lock();
        let has_signal = state.token.is_some() || state.aside.is_some();
        if has_signal || !state.machine.stop_running(&self.policy) {
            drop(state);
            self.stop_at(Some(now), Bound::OPEN, why);
            return;
        }
        state.tighten(Bound::OPEN, why);
        state.since = now;
        self.wake_here(state, Signal::default());
    }

    /// Like [`conclude`](Cell::conclude), for the usual case: the attempt was requested to stop, is complete or
    /// canceled, and has neither helpers nor a token, and the bus is not active. Returns the outcome. In any other case,
    /// changes nothing and returns `None`.
    #[inline(never)]
    pub(in crate::runtime) fn conclude_stop(&self, ending: &Ending) -> Option<TaskOutcome> {
        let mut state = self.lock();
        let has_more = state.aside.is_some() || !state.fate.is_open() || state.token.is_some();
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
