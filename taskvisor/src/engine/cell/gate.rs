//! What a group wants of a task in it, and what it is told of it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::super::decision::Told;
use super::super::group::{Epoch, Note};
use super::{Bound, Cell, Gate, Member, Progress};
use crate::policy::RestartPolicy;
use crate::ready::Ready;
use crate::status::TaskState;

/// What comes of a task that was told to hold.
pub(in crate::engine) enum Parked {
    Waits,
    /// It runs once, and that was it.
    Over,
}

impl Cell {
    /// Opens the gate: the next attempt is due.
    pub(in crate::engine) fn release(&self, epoch: Epoch) {
        let mut state = self.lock();
        self.set_epoch(epoch);
        if state.told == Told::Hold {
            state.told = Told::Nothing;
        }
        state.gate = Gate::Open;
        if matches!(state.phase, TaskState::Backoff | TaskState::Interval) {
            state.phase = TaskState::Pending;
        }
        self.wake(state, None);
    }

    /// Opens the gate to a task that failed: the next attempt waits for its backoff.
    pub(in crate::engine) fn resume(&self, epoch: Epoch) {
        let mut state = self.lock();
        self.set_epoch(epoch);
        state.gate = Gate::Open;
        self.wake(state, None);
    }

    /// Tells the task to end its attempt and to wait to be released.
    pub(in crate::engine) fn hold(&self, epoch: Epoch, bound: Bound) {
        let mut state = self.lock();
        if state.told == Told::Stop || state.progress == Progress::Over {
            return;
        }
        self.set_epoch(epoch);
        state.gate = Gate::Shut;
        state.tell(Told::Hold, bound);
        self.interrupt(state, Bound::Open);
    }

    /// Lets no further attempt begin. One that runs goes on until it is requested to stop, and so does a wait.
    pub(in crate::engine) fn retire(&self) {
        self.lock().gate = Gate::Shut;
    }

    /// The last start or stop that the group requested.
    pub(super) fn epoch(&self) -> Epoch {
        self.member().map_or(0, |member| member.epoch.load(Ordering::Relaxed))
    }

    fn set_epoch(&self, epoch: Epoch) {
        if let Some(member) = self.member() {
            member.epoch.store(epoch, Ordering::Relaxed);
        }
    }

    /// A task that has no attempt does as it was told.
    pub(in crate::engine) fn park(&self) -> Parked {
        if self.settings.restart == RestartPolicy::Never {
            return Parked::Over;
        }
        let mut state = self.lock();
        if state.told == Told::Hold {
            state.told = Told::Nothing;
            if state.phase != TaskState::Delayed {
                state.phase = TaskState::Pending;
            }
        }
        let epoch = self.epoch();
        drop(state);
        self.report_of(epoch, Note::Held);
        Parked::Waits
    }

    pub(in crate::engine) fn is_shut(&self) -> bool {
        self.lock().gate == Gate::Shut
    }

    /// Whether the first attempt waits for the initial delay.
    pub(in crate::engine) fn is_delayed(&self) -> bool {
        self.lock().phase == TaskState::Delayed
    }

    /// Whether a failed task waits for its backoff before it begins again.
    pub(in crate::engine) fn is_backing_off(&self) -> bool {
        self.lock().phase == TaskState::Backoff
    }

    /// Tells the group, if there is one.
    pub(in crate::engine) fn report(&self, note: Note) {
        self.report_of(self.epoch(), note);
    }

    /// Tells the group of something that came of this start or stop.
    pub(super) fn report_of(&self, epoch: Epoch, note: Note) {
        if let Some(Member { group, key, .. }) = self.member() {
            group.note_of(self.id, *key, epoch, note);
        }
    }

    pub(in crate::engine) fn is_managed(&self) -> bool {
        self.member().is_some_and(|member| member.managed)
    }

    pub(in crate::engine) fn is_ready(&self) -> bool {
        self.lock().ready
    }

    /// An attempt with a watchdog goes on: from now it must give signs of life.
    pub(in crate::engine) fn beat_first(&self) {
        self.lock().beat = Some(Box::new(Instant::now()));
    }

    /// The attempt gives a sign of life.
    pub(crate) fn beat(&self, attempt: u32) {
        let mut state = self.lock();
        if state.attempt == attempt {
            if let Some(beat) = &mut state.beat {
                **beat = Instant::now();
            }
        }
    }

    /// For how long the attempt has given no sign of life.
    pub(in crate::engine) fn silence(&self) -> Duration {
        self.lock().beat.as_ref().map_or(Duration::ZERO, |beat| beat.elapsed())
    }

    /// The attempt says that it is ready.
    pub(crate) fn signal_ready(&self, attempt: u32) {
        let mut state = self.lock();
        let signals = self.settings.ready == Ready::Signal;
        if !signals || state.attempt != attempt || state.progress != Progress::Running || state.ready {
            return;
        }
        state.ready = true;
        let passes = state.gate == Gate::Open;
        if passes {
            state.gate = Gate::Passed;
        }
        let epoch = self.epoch();
        self.wake(state, None);
        if passes {
            self.report_of(epoch, Note::Ready);
        }
    }
}
