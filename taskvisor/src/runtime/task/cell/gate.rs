//! The requests of a group to its tasks, and the notes of a task to its group.

use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::super::bars::Barred;
use super::super::helpers::Beat;
use super::super::machine::{Stage, Wait};
use super::{Bound, Cell, Membership};
use crate::events::EventKind;
use crate::runtime::clock::Ticks;
use crate::runtime::group::{Epoch, Note};
use crate::task::{StopKind, TaskError};

impl Cell {
    /// Opens the gate: the next attempt is due.
    pub(in crate::runtime) fn release(&self, epoch: Epoch) {
        let mut state = self.lock();
        self.set_epoch(epoch);
        let effects = state.machine.release();
        self.carry_out(None, state, Bound::OPEN, effects);
    }

    /// Opens the gate for a task that failed: the next attempt waits for its backoff.
    pub(in crate::runtime) fn resume(&self, epoch: Epoch) {
        let mut state = self.lock();
        self.set_epoch(epoch);
        state.leaves_its_wait();
        state.machine.resume();
        self.wake(state);
    }

    /// Requests the task to end its attempt and to wait to be released.
    pub(in crate::runtime) fn hold(&self, epoch: Epoch, bound: Bound) {
        let mut state = self.lock();
        let Some(effects) = state.machine.hold() else { return };
        self.set_epoch(epoch);
        state.tighten(bound, StopKind::SiblingRestart);
        self.carry_out(None, state, bound, effects);
    }

    /// Prevents further attempts. A running attempt continues until it is requested to stop.
    pub(in crate::runtime) fn bar(&self, barred: Barred) {
        self.lock().machine.bar(barred);
    }

    /// Prevents an attempt if a stop that includes this task has begun: the stop of its layer of the shutdown, or of a
    /// group around it. The task's own stop request comes next. Otherwise the task would begin an attempt with the
    /// permit that a task stopped before it has released.
    pub(in crate::runtime) fn bar_if_stopping(&self) {
        let is_stopping = self.core.stops_layer_of(self) || self.member().is_some_and(|it| it.group.is_stopping());
        if is_stopping {
            self.bar(Barred::ForNow);
        }
        // Gives up the final attempt if the permit came after its deadline.
        let mut state = self.lock();
        if state.machine.is_last() && self.core.clock.now() >= state.until {
            state.machine.gives_up_last();
        }
    }

    /// Returns the deadline of a final attempt that has not begun. `None` without such an attempt, and without a deadline.
    pub(in crate::runtime) fn last_ends_at(&self) -> Option<Instant> {
        let state = self.lock();
        let ends = state.machine.is_last() && state.until != Ticks::MAX;
        ends.then(|| self.core.clock.instant(state.until))
    }

    /// Gives up the final attempt that has not begun.
    pub(in crate::runtime) fn gives_up_last(&self) {
        self.lock().machine.gives_up_last();
    }

    /// Returns `true` if a failed task waits for its backoff.
    pub(in crate::runtime) fn is_backing_off(&self) -> bool {
        self.lock().machine.stage == Stage::Waiting(Wait::Backoff)
    }

    /// Returns the stop reason of a task that its group stops.
    pub(in crate::runtime) fn reason_of_group(&self) -> StopKind {
        let of_group = || match self.member().and_then(|member| member.group.failing()) {
            Some(_) => StopKind::GroupFailed,
            None => StopKind::GroupStopped,
        };
        self.core.stop_kind_after_drain().unwrap_or_else(of_group)
    }

    /// Returns the epoch of the last start or stop that the group requested. Read under the cell's lock, together with
    /// the decision that depends on it.
    pub(in crate::runtime) fn epoch(&self) -> Epoch {
        self.member().map_or(0, |member| member.epoch.load(Ordering::Relaxed))
    }

    fn set_epoch(&self, epoch: Epoch) {
        if let Some(member) = self.member() {
            member.epoch.store(epoch, Ordering::Relaxed);
        }
    }

    /// Sends a note to the group, if there is one.
    #[inline]
    pub(in crate::runtime) fn tell_group(&self, note: Note) {
        if self.member().is_some() {
            self.tell_group_of(self.epoch(), note);
        }
    }

    /// Sends a note to the group, with the epoch of the start or stop that caused it.
    pub(in crate::runtime) fn tell_group_of(&self, epoch: Epoch, note: Note) {
        if let Some(Membership { group, key, .. }) = self.member() {
            group.note_of(self.id, *key, epoch, note);
        }
    }

    pub(in crate::runtime) fn is_managed(&self) -> bool {
        self.member().is_some_and(|member| member.managed)
    }

    /// Returns `true` if its group decides when the task, which has failed, runs again.
    pub(in crate::runtime) fn awaits_its_group(&self) -> bool {
        self.is_managed() && !self.lock().machine.is_last()
    }

    /// Returns `true` if the last attempt failed by the refusal of a supervisor or a slot that shuts down.
    #[cold]
    pub(in crate::runtime) fn failed_by_refusal(&self) -> bool {
        self.lock().last_error.as_deref().is_some_and(TaskError::is_refusal)
    }

    /// Starts the watchdog of an attempt: from now on it must send heartbeats.
    pub(in crate::runtime) fn beat_first(&self) {
        self.lock().aside.get_or_insert_default().beat = Some(Beat::now());
    }

    /// Records a heartbeat of the attempt.
    pub(crate) fn beat(&self, attempt: u64) {
        self.change_beat(Some(attempt), |beat| *beat = Beat::now());
    }

    /// Records that the probe of the heartbeat failed.
    pub(crate) fn probe_failed(&self, attempt: u64) {
        self.change_beat(Some(attempt), |beat| beat.probe_failed = true);
    }

    /// Records that the time of the watchdog is granted a second time.
    pub(in crate::runtime) fn grant_silence(&self) {
        self.change_beat(None, |beat| beat.granted = true);
    }

    /// Changes the last heartbeat of this attempt, or of the current one.
    fn change_beat(&self, attempt: Option<u64>, change: impl FnOnce(&mut Beat)) {
        let mut state = self.lock();
        if attempt.is_none_or(|attempt| state.machine.attempt == attempt) {
            if let Some(beat) = state.aside.as_mut().and_then(|aside| aside.beat.as_mut()) {
                change(beat);
            }
        }
    }

    /// Returns the last heartbeat of the attempt.
    pub(in crate::runtime) fn last_beat(&self) -> Option<Beat> {
        self.lock().aside.as_ref().and_then(|aside| aside.beat)
    }

    /// Records that the attempt is ready.
    pub(crate) fn signal_ready(&self, attempt: u64) {
        let mut state = self.lock();
        if let Some(effects) = state.machine.signal_ready(&self.policy, attempt) {
            if self.core.bus.is_active() {
                self.core.bus.publish(self.event_of_attempt(&state, EventKind::TaskReady));
            }
            self.carry_out(None, state, Bound::OPEN, effects);
            self.core.tell_ready();
        }
    }

    /// Records progress of the attempt: the failures before it no longer count.
    pub(crate) fn progress(&self, attempt: u64) {
        self.lock().machine.progress(attempt);
    }
}
