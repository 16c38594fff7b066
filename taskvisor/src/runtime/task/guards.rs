//! The start timeout and the watchdog of a task.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::super::timer::Timer;
use super::cell::Cell;
use super::limit::{Exceeded, is_late};
use crate::policy::{Ready, ResolvedPolicy};

/// The timers of the start timeout and the watchdog.
#[derive(Default)]
pub(in crate::runtime) struct Guards {
    start: Timer,
    /// `true` if the start timeout was granted once more, because its timer fired late.
    start_granted: bool,
    watch: Timer,
}

impl Guards {
    /// Returns `None` if the task has neither.
    pub(in crate::runtime) fn of(cell: &Cell) -> Option<Box<Self>> {
        (start_timeout(cell).is_some() || cell.policy().watchdog.is_some()).then(Box::default)
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

    /// Returns `Ready` when the start timeout is exceeded. It runs from the first call for an attempt, when the start
    /// is due, until the task is ready.
    pub(in crate::runtime) fn poll_start(&mut self, cell: &Cell, cx: &mut Context<'_>) -> Poll<Exceeded> {
        let Some(limit) = start_timeout(cell) else { return Poll::Pending };
        if cell.lock().machine().ready {
            self.start.clear();
        } else if !self.start.is_armed() {
            self.start.set(limit);
            self.start_granted = false;
        }
        loop {
            ready!(self.start.poll(cx));
            if self.start_granted || !is_late(self.start.lateness(), limit) {
                return Poll::Ready(Exceeded::StartTimeout(limit));
            }
            self.start.set(limit);
            self.start_granted = true;
        }
    }

    /// Returns `Ready` when the start timeout or the watchdog is exceeded.
    pub(in crate::runtime) fn poll(&mut self, cell: &Cell, cx: &mut Context<'_>) -> Poll<Exceeded> {
        if let Poll::Ready(exceeded) = self.poll_start(cell, cx) {
            return Poll::Ready(exceeded);
        }
        let Some(allowed) = cell.policy().watchdog else { return Poll::Pending };
        loop {
            ready!(self.watch.poll(cx));
            let Some(beat) = cell.last_beat() else { return Poll::Pending };
            let silence = beat.at.elapsed();
            if silence < allowed {
                self.watch.set(allowed.saturating_sub(silence));
            } else if !beat.granted && is_late(self.watch.lateness(), allowed) {
                cell.grant_silence();
                self.watch.set(allowed);
            } else {
                return Poll::Ready(Exceeded::Watchdog(allowed));
            }
        }
    }
}

/// Returns the start timeout, if siblings wait for the task to be ready, or its begin does not make it ready.
fn start_timeout(cell: &Cell) -> Option<Duration> {
    let ResolvedPolicy { ready, start_timeout, .. } = **cell.policy();
    let applies = ready != Ready::Start || cell.member().is_some_and(|member| member.awaited);
    start_timeout.filter(|_| applies)
}
