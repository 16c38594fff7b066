//! The limits of a start and of silence, for the tasks that have them.

use std::task::{Context, Poll};
use std::time::Duration;

use super::super::timer::Alarm;
use super::cell::Cell;
use crate::policy::Ready;

/// The timers beside that of the attempt.
#[derive(Default)]
pub(in crate::runtime) struct Guards {
    start: Alarm,
    watch: Alarm,
}

impl Guards {
    /// `None` where there is nothing to guard.
    pub(in crate::runtime) fn of(cell: &Cell) -> Option<Box<Self>> {
        let awaited = cell.member().is_some_and(|member| member.awaited);
        let settings = cell.settings();
        (awaited || settings.ready == Ready::Signal || settings.watchdog.is_some()).then(Box::default)
    }

    /// A start is due: the time that it may take runs from the first time that this is seen.
    pub(in crate::runtime) fn start_is_due(&mut self, cell: &Cell) {
        let awaited = cell.member().is_some_and(|member| member.awaited);
        if !self.start.is_armed() && (awaited || cell.settings().ready == Ready::Signal) {
            self.start.set(cell.settings().start_timeout);
        }
    }

    /// The attempt was seen to take longer than one poll.
    pub(in crate::runtime) fn attempt_goes_on(&mut self, cell: &Cell) {
        if let Some(silence) = cell.settings().watchdog {
            cell.beat_first();
            self.watch.set(silence);
        }
    }

    pub(in crate::runtime) fn attempt_is_over(&mut self) {
        self.start.clear();
        self.watch.clear();
    }

    /// Ready with the time that a start took in vain.
    pub(in crate::runtime) fn poll_start(&mut self, cell: &Cell, cx: &mut Context<'_>) -> Poll<Duration> {
        if self.start.is_armed() && cell.is_ready() {
            self.start.clear();
        }
        self.start.poll(cx).map(|()| cell.settings().start_timeout)
    }

    /// Ready with the time that was exceeded, be it of the start or of silence.
    pub(in crate::runtime) fn poll(&mut self, cell: &Cell, cx: &mut Context<'_>) -> Poll<Duration> {
        if let Poll::Ready(exceeded) = self.poll_start(cell, cx) {
            return Poll::Ready(exceeded);
        }
        let Some(allowed) = cell.settings().watchdog else { return Poll::Pending };
        while self.watch.poll(cx).is_ready() {
            let silence = cell.silence();
            if silence >= allowed {
                return Poll::Ready(allowed);
            }
            self.watch.set(allowed.saturating_sub(silence));
        }
        Poll::Pending
    }
}
