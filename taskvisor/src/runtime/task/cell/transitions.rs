//! The transitions that the actor makes: waits, the begin of an attempt, and its exceeded limits.

use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use super::super::decision::Request;
use super::super::machine::{Heed, Machine, Turn};
use super::{Cell, TimeLeft};
use crate::events::{Event, EventKind, millis};
use crate::panics::drop_caught;
use crate::runtime::clock::{Ticks, after};
use crate::runtime::group::{Epoch, Note};
use crate::runtime::timer::deadline;
use crate::task::{StopKind, TaskRef};

impl Cell {
    pub(in crate::runtime) fn listen(&self, waker: &Waker) {
        self.lock().waker = Some(waker.clone());
    }

    /// Records that the task waits.
    pub(in crate::runtime) fn waits(&self) {
        let mut state = self.lock();
        if state.since == Ticks::MAX {
            state.since = self.core.clock.now();
        }
    }

    pub(in crate::runtime) fn has_news(&self) -> bool {
        self.news.is_raised()
    }

    /// Returns the next action of an actor without an attempt, and the reason of a stop request.
    pub(in crate::runtime) fn turn(&self) -> (Turn, Option<StopKind>) {
        let mut state = self.lock();
        self.news.take();
        self.end_pause_if_stopping(&mut state);
        let (turn, note) = state.machine.turn(&self.policy);
        let why = state.machine.why;
        if turn == Turn::Over {
            let task = self.take_task(&mut state, None);
            drop(state);
            let _ = drop_caught(task);
            return (turn, why);
        }
        let epoch = if note.is_some() { self.epoch() } else { 0 };
        if note == Some(Note::Held) {
            state.since = self.core.clock.now();
        }
        drop(state);
        if let Some(note) = note {
            self.tell_group_of(epoch, note);
        }
        (turn, why)
    }

    /// Returns the next action of an actor with a running attempt, and the time that the attempt has to end.
    pub(in crate::runtime) fn heed(&self, takes_context: bool) -> (Heed, Option<TimeLeft>) {
        let mut state = self.lock();
        // The lease of an attempt is checked before each poll.
        #[cfg(feature = "fleet")]
        let is_watched = state.aside.as_ref().is_some_and(|aside| aside.hold.is_some());
        #[cfg(not(feature = "fleet"))]
        let is_watched = false;
        if !is_watched {
            self.news.take();
        }
        let bound = state.bound.take();
        let (helper_panicked, blocks) =
            state.aside.as_ref().map_or((false, false), |aside| (aside.panic.is_some(), aside.blocks));
        // Work on a thread of its own is not polled: it observes the request by its context only.
        if !blocks {
            state.machine.knows();
        }
        (state.machine.heed(takes_context, bound == Some(TimeLeft::ZERO), helper_panicked), bound)
    }

    /// Returns the time that the helpers have to end, if a stop was requested since the last call.
    pub(in crate::runtime) fn take_bound(&self) -> Option<Duration> {
        let mut state = self.lock();
        self.news.take();
        let bound = state.bound.take().map(TimeLeft::time)?;
        if state.machine.has_last() {
            // The time of the helpers counts against the final attempt.
            if let (Some(aside), Some(stop_by)) = (&mut state.aside, deadline(bound)) {
                aside.last_by = Some(aside.last_by.map_or(stop_by, |before| before.min(stop_by)));
            }
        }
        Some(bound)
    }

    /// Records that the attempt takes longer than one poll.
    pub(in crate::runtime) fn lasts_since(&self, began: Instant) {
        let mut state = self.lock();
        if state.machine.request == Request::Nothing || state.machine.is_last() {
            state.since = self.core.clock.at(began);
        }
    }

    /// Records that the wait of the task ends after this time.
    pub(in crate::runtime) fn is_due_in(&self, delay: Duration) {
        let due = after(self.core.clock.now(), delay);
        let mut state = self.lock();
        if state.machine.awaits_its_delay() {
            state.until = due;
        }
    }

    /// Records that the delay of the wait has elapsed.
    pub(in crate::runtime) fn waited(&self) {
        self.is_due(Machine::waited);
    }

    /// Records that a scheduled task waits for its first time. It is ready then.
    pub(in crate::runtime) fn rest(&self) {
        let mut state = self.lock();
        let (unready, note) = state.machine.rest();
        let epoch = self.epoch();
        drop(state);
        self.tell_readiness(epoch, unready, note);
    }

    /// Reports that the task may have become ready. `unready` is `true` if its batch waited for it. `epoch` was read
    /// under the lock, which is now released.
    #[inline]
    fn tell_readiness(&self, epoch: Epoch, unready: bool, note: Option<Note>) {
        if let Some(note) = note {
            self.tell_group_of(epoch, note);
        }
        if unready {
            self.core.one_is_ready();
        }
        self.core.tell_ready();
    }

    /// Records that the next time of the schedule has come.
    pub(in crate::runtime) fn come(&self) {
        self.is_due(Machine::come);
    }

    fn is_due(&self, becomes: impl FnOnce(&mut Machine)) {
        let mut state = self.lock();
        becomes(&mut state.machine);
        state.until = Ticks::MAX;
        if state.machine.is_held_back() {
            // The task waits for the end of its pause from now on, which needs a turn of the actor.
            state.since = self.core.clock.now();
            self.news.raise();
        }
    }

    /// Waits for the schedule again, because the due runs are skipped. Returns `false` if the attempt begins
    /// nevertheless.
    pub(in crate::runtime) fn reschedule(&self) -> bool {
        let mut state = self.lock();
        let Some((unready, note)) = state.machine.reschedule() else { return false };
        state.since = self.core.clock.now();
        let epoch = self.epoch();
        drop(state);
        self.tell_readiness(epoch, unready, note);
        true
    }

    /// Resets the count of failures for a new run of the schedule.
    #[cfg(feature = "cron")]
    pub(in crate::runtime) fn forget_failures(&self) {
        self.lock().machine.forget_failures();
    }

    /// Begins an attempt. Returns the task and the number of the attempt, or `None` if something else was requested.
    /// `successes` are those in a row before it.
    pub(in crate::runtime) fn begin(&self, successes: u8) -> Option<(TaskRef, u64)> {
        self.core.bus.start_here();
        let mut state = self.lock();
        let task = state.task.clone()?;
        let by_sibling = state.machine.why == Some(StopKind::SiblingRestart);
        let (unready, note) = state.machine.begin(&self.policy)?;
        debug_assert!(state.until == Ticks::MAX || state.machine.is_last(), "a wait has left its end behind");
        if state.machine.is_last() {
            // The actor must read the time that is left.
            self.news.raise();
            if state.until != Ticks::MAX {
                let left = self.core.clock.instant(state.until).saturating_duration_since(Instant::now());
                state.bound = state.bound.map(|bound| bound.min(left.into()));
            }
        } else {
            state.bound = None;
        }
        let attempt = state.machine.attempt;
        let epoch = if note.is_some() { self.epoch() } else { 0 };
        #[cfg(feature = "test-util")]
        self.note_fault(&state);
        if self.core.bus.is_active() {
            let event = self.event_of_attempt(&state, EventKind::TaskStarting);
            let routine = !by_sibling && state.machine.is_routine(&self.policy, successes);
            self.core.bus.publish(Event { routine, ..event });
        }
        drop(state);
        self.tell_readiness(epoch, unready, note);
        Some((task, attempt))
    }

    /// Records that the attempt exceeded a limit. Returns `false` if another request came first.
    pub(in crate::runtime) fn exceed(&self, limit: StopKind, timeout: Duration) -> bool {
        let mut state = self.lock();
        if !state.machine.exceed(limit) {
            return false;
        }
        state.until = state.until.min(after(self.core.clock.now(), self.window()));
        if self.core.bus.is_active() {
            let timeout_ms = Some(millis(timeout));
            self.core.bus.publish(Event { timeout_ms, ..self.event_of_attempt(&state, EventKind::TimeoutHit) });
        }
        let signal = state.take_signal();
        drop(state);
        signal.send();
        true
    }
}
