//! The start timeout and the watchdog of a task.

use std::task::{Context, Poll};

use super::super::timer::Timer;
use super::cell::Cell;
use super::limit::Exceeded;
use crate::policy::Ready;

/// The timers of the start timeout and the watchdog.
#[derive(Default)]
pub(in crate::runtime) struct Guards {
    start: Timer,
    watch: Timer,
}

impl Guards {
    /// Returns `None` if the task has neither.
    pub(in crate::runtime) fn of(cell: &Cell) -> Option<Box<Self>> {
        (has_start_timeout(cell) || cell.policy().watchdog.is_some()).then(Box::default)
    }

    /// Notes that the attempt takes longer than one poll.
    pub(in crate::runtime) fn attempt_goes_on(&mut self, cell: &Cell) {
        if let Some(silence) = cell.policy().watchdog {
            cell.beat_first();
            self.watch.set(silence);
        }
    }

    pub(in crate::runtime) fn attempt_is_over(&mut self) {
        self.start.clear();
        self.watch.clear();
    }

    /// Returns `Ready` with the start timeout when it is exceeded. It runs from the first call for an attempt, when the
    /// start is due, until the task is ready.
    pub(in crate::runtime) fn poll_start(&mut self, cell: &Cell, cx: &mut Context<'_>) -> Poll<Exceeded> {
        if cell.lock().machine().ready {
            self.start.clear();
        } else if !self.start.is_armed() && has_start_timeout(cell) {
            self.start.set(cell.policy().start_timeout);
        }
        self.start.poll(cx).map(|()| Exceeded::Timeout(cell.policy().start_timeout))
    }

    /// Returns `Ready` with the exceeded start timeout or watchdog.
    pub(in crate::runtime) fn poll(&mut self, cell: &Cell, cx: &mut Context<'_>) -> Poll<Exceeded> {
        if let Poll::Ready(exceeded) = self.poll_start(cell, cx) {
            return Poll::Ready(exceeded);
        }
        let Some(allowed) = cell.policy().watchdog else { return Poll::Pending };
        while self.watch.poll(cx).is_ready() {
            let silence = cell.silence();
            if silence >= allowed {
                return Poll::Ready(Exceeded::Watchdog(allowed));
            }
            self.watch.set(allowed.saturating_sub(silence));
        }
        Poll::Pending
    }
}

/// Returns `true` if siblings wait for the task to be ready, or it reports that itself.
fn has_start_timeout(cell: &Cell) -> bool {
    cell.policy().ready == Ready::Signal || cell.member().is_some_and(|member| member.awaited)
}
