//! What a group wants of a task in it, and what it is told of it.

use std::time::Duration;

use tokio::time::Instant;

use super::super::group::Note;
use super::super::machine::{Report, Stage, Wait};
use super::{Bound, Cell, Member};
use crate::stop_reason::StopReason;

impl Cell {
    /// Opens the gate: the next attempt is due.
    pub(in crate::engine) fn release(&self) {
        let mut state = self.lock();
        let effects = state.machine.release();
        self.carry_out(None, state, Bound::Open, effects);
    }

    /// Opens the gate to a task that failed: the next attempt waits for its backoff.
    pub(in crate::engine) fn resume(&self) {
        let mut state = self.lock();
        let effects = state.machine.resume();
        self.carry_out(None, state, Bound::Open, effects);
    }

    /// Requests the task to end its attempt and to wait to be released.
    pub(in crate::engine) fn hold(&self, bound: Bound) {
        let mut state = self.lock();
        let effects = state.machine.hold();
        if effects.wakes {
            state.tighten(bound, StopReason::SiblingRestart);
        }
        self.carry_out(None, state, Bound::Open, effects);
    }

    /// Lets no further attempt begin; one that runs goes on until it is requested to stop.
    #[allow(dead_code)]
    pub(in crate::engine) fn retire(&self) {
        self.lock().machine.retire();
    }

    /// Whether a failed task waits for its backoff before it begins again.
    pub(in crate::engine) fn is_backing_off(&self) -> bool {
        self.lock().machine.stage() == Stage::Waiting(Wait::Backoff)
    }

    /// Why a stop of its group stops it.
    pub(in crate::engine) fn reason_of_group(&self) -> StopReason {
        if self.core.is_stopping() { StopReason::Shutdown } else { StopReason::GroupStopped }
    }

    /// Reports to the group what the machine says.
    pub(in crate::engine) fn report(&self, report: Report) {
        self.tell_group(|index| match report {
            Report::Ready => Note::Ready(index),
            Report::Held => Note::Held(index),
            Report::Skip => Note::Skip,
        });
    }

    /// Tells the group, if there is one.
    pub(in crate::engine) fn tell_group(&self, note: impl FnOnce(super::Index) -> Note) {
        if let Some(Member { group, index, .. }) = self.member() {
            group.note_of(self.id, *index, note(*index));
        }
    }

    pub(in crate::engine) fn is_managed(&self) -> bool {
        self.member().is_some_and(|member| member.managed)
    }

    pub(in crate::engine) fn is_ready(&self) -> bool {
        self.lock().machine.is_ready()
    }

    /// An attempt with a watchdog goes on: from now it must give signs of life.
    pub(in crate::engine) fn beat_first(&self) {
        self.lock().aside.get_or_insert_default().beat = Some(Instant::now());
    }

    /// The attempt gives a sign of life.
    pub(crate) fn beat(&self, attempt: u64) {
        let mut state = self.lock();
        if state.machine.attempt() == attempt {
            if let Some(beat) = state.aside.as_mut().and_then(|aside| aside.beat.as_mut()) {
                *beat = Instant::now();
            }
        }
    }

    /// For how long the attempt has given no sign of life.
    pub(in crate::engine) fn silence(&self) -> Duration {
        self.lock().aside.as_ref().and_then(|aside| aside.beat).map_or(Duration::ZERO, |beat| beat.elapsed())
    }

    /// The attempt says that it is ready.
    pub(crate) fn signal_ready(&self, attempt: u64) {
        let mut state = self.lock();
        let effects = state.machine.signal_ready(&self.settings, attempt);
        self.carry_out(None, state, Bound::Open, effects);
    }

    /// The attempt made progress: the failures before it are forgotten.
    pub(crate) fn progress(&self, attempt: u64) {
        self.lock().machine.progress(attempt);
    }
}
