//! The start timeout, the watchdog, the limit of failures, the count of failures with a delay of their own, the start
//! permits and the schedule of a task.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

#[cfg(feature = "fleet")]
use super::super::fleet::{Hold, Seat};
use super::super::group::Window;
use super::super::timer::Timer;
use super::cell::Cell;
use super::decision::{Next, Told};
use super::limit::{Exceeded, is_late};
use super::schedule::Schedule;
use crate::inspect::TaskOutcome;
use crate::policy::{BackoffPolicy, Ready, ResolvedPolicy};

/// The optional parts of an actor: the timers of the start timeout and the watchdog, the counts of failures, the start
/// permits, and the schedule.
#[derive(Default)]
pub(in crate::runtime) struct Guards {
    start: Timer,
    /// `true` if the start timeout was granted a second time, because its timer fired late.
    start_granted: bool,
    watch: Timer,
    limit: Option<Limit>,
    pub(in crate::runtime) told: Told,
    starting: Option<Starting>,
    pub(in crate::runtime) schedule: Option<Schedule>,
    #[cfg(feature = "fleet")]
    pub(in crate::runtime) lease: Option<Lease>,
}

/// The lease that attempts need.
#[cfg(feature = "fleet")]
pub(in crate::runtime) struct Lease {
    seat: Arc<Seat>,
    /// The lease of the current or last attempt.
    hold: Option<Arc<Hold>>,
}

#[cfg(feature = "fleet")]
impl Lease {
    fn of(cell: &Arc<Cell>) -> Option<Self> {
        let seat = Arc::clone(cell.seat()?);
        // The lease can have been granted since the registration.
        cell.follow_lease(None);
        Some(Self { seat, hold: None })
    }

    /// Takes the lease for an attempt that begins. Returns `false` if it is not held.
    pub(in crate::runtime) fn take(&mut self, cell: &Cell) -> bool {
        self.hold = self.seat.hold();
        if let Some(hold) = self.hold.as_ref().filter(|hold| !hold.is_over()) {
            cell.works_under(hold);
            return true;
        }
        false
    }

    /// Returns the lease of the attempt, if it has ended.
    pub(in crate::runtime) fn over(&self) -> Option<&Hold> {
        self.hold.as_deref().filter(|hold| hold.is_over())
    }

    pub(in crate::runtime) fn hold(&self) -> Option<&Hold> {
        self.hold.as_deref()
    }
}

/// The failures of a task that still count for its limit.
struct Limit {
    window: Window,
    /// The origin of the times in the window.
    start: Instant,
}

impl Limit {
    /// Counts the failure of a decision to retry. A failure that exceeds the limit ends the registration.
    fn judge(&mut self, next: Next) -> Next {
        match next {
            Next::Retry { error, .. } | Next::GiveUp { error, .. } if self.window.hit(self.start.elapsed()) => {
                Next::End(TaskOutcome::Exhausted { error, failures: self.window.count() })
            }
            other => other,
        }
    }
}

/// The permits of `max_starting` that an attempt holds from its begin until it is ready: one of each group around the
/// task that has a limit. They are acquired from the inner group to the outer, so that no two tasks deadlock.
struct Starting {
    limits: Vec<Arc<Semaphore>>,
    held: Vec<OwnedSemaphorePermit>,
    /// The wait for the next permit.
    next: Option<Acquire>,
}

type Acquire = Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send>>;

impl Starting {
    /// Returns `None` if no group around the task has a limit.
    fn of(cell: &Cell) -> Option<Self> {
        let group = cell.member().map(|member| &member.group).filter(|group| group.limits_starts)?;
        let limits = group.with_parents().filter_map(|group| group.starting.clone()).collect();
        Some(Self { limits, held: Vec::new(), next: None })
    }

    /// Returns `Ready` when the task has all permits.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(limit) = self.limits.get(self.held.len()) {
            let next = self.next.get_or_insert_with(|| Box::pin(Arc::clone(limit).acquire_owned()));
            let place = ready!(next.as_mut().poll(cx));
            self.next = None;
            match place {
                Ok(place) => self.held.push(place),
                // The semaphore is never closed.
                Err(_) => break,
            }
        }
        Poll::Ready(())
    }

    fn release(&mut self) {
        self.held.clear();
        self.next = None;
    }
}

impl Guards {
    /// Returns `None` if the task needs no guard.
    #[inline]
    pub(in crate::runtime) fn of(cell: &Arc<Cell>) -> Option<Box<Self>> {
        let policy = cell.policy();
        let is_guarded = start_timeout(cell).is_some()
            || policy.watchdog.is_some()
            || policy.limit.is_some()
            || policy.is_scheduled();
        #[cfg(feature = "fleet")]
        let is_guarded = is_guarded || cell.seat().is_some();
        let limits_starts = || cell.member().is_some_and(|member| member.group.limits_starts);
        if is_guarded || limits_starts() { Some(Self::new(cell)) } else { None }
    }

    #[inline(never)]
    fn new(cell: &Arc<Cell>) -> Box<Self> {
        let limit = cell.policy().limit.map(|limit| Limit { window: Window::new(limit), start: Instant::now() });
        Box::new(Self {
            limit,
            starting: Starting::of(cell),
            schedule: Schedule::of(cell),
            #[cfg(feature = "fleet")]
            lease: Lease::of(cell),
            ..Self::default()
        })
    }

    /// Returns the guards for a task without any, after a failure with a delay of its own.
    #[cold]
    pub(in crate::runtime) fn telling() -> Box<Self> {
        Box::new(Self { told: Told::first(), ..Self::default() })
    }

    /// Counts the failure of a decision to retry.
    pub(in crate::runtime) fn judge(&mut self, mut next: Next, backoff: &BackoffPolicy) -> Next {
        self.told.correct(&mut next, backoff);
        match &mut self.limit {
            Some(limit) => limit.judge(next),
            None => next,
        }
    }

    /// Called when the attempt has begun.
    #[inline]
    pub(in crate::runtime) fn attempt_begins(&mut self, cell: &Cell) {
        if let Some(schedule) = &mut self.schedule {
            schedule.begun(cell);
        }
        self.heed_ready(cell);
    }

    /// Starts the watchdog of an attempt that takes longer than one poll.
    pub(in crate::runtime) fn attempt_goes_on(&mut self, cell: &Cell) {
        if let Some(silence) = cell.policy().watchdog {
            cell.beat_first();
            self.watch.set(silence);
        }
    }

    /// Returns `Ready` when the attempt has its start permits. The start timeout does not include this wait, and begins
    /// anew after it.
    pub(in crate::runtime) fn poll_place(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(starting) = &mut self.starting else { return Poll::Ready(()) };
        let polled = starting.poll(cx);
        if polled.is_pending() {
            self.start.clear();
        }
        polled
    }

    /// Returns `true` while the attempt waits for a start permit.
    pub(in crate::runtime) fn awaits_place(&self) -> bool {
        self.starting.as_ref().is_some_and(|starting| starting.next.is_some())
    }

    /// Releases the start permits if the attempt is ready.
    pub(in crate::runtime) fn heed_ready(&mut self, cell: &Cell) {
        if let Some(starting) = &mut self.starting {
            if cell.lock().machine().ready {
                starting.release();
            }
        }
    }

    /// Called when the attempt has ended, before it is decided what follows.
    pub(in crate::runtime) fn attempt_ended(&mut self, cell: &Cell) {
        if let Some(schedule) = &mut self.schedule {
            schedule.ended(cell);
        }
    }

    pub(in crate::runtime) fn attempt_is_over(&mut self) {
        if let Some(starting) = &mut self.starting {
            starting.release();
        }
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
            cell.warn_of_late_timer(self.start.lateness());
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
                cell.warn_of_late_timer(self.watch.lateness());
                self.watch.set(allowed);
            } else {
                return Poll::Ready(Exceeded::Watchdog(allowed));
            }
        }
    }
}

/// Returns the start timeout, if siblings wait for the task to be ready, or if its condition is not [`Ready::Start`].
fn start_timeout(cell: &Cell) -> Option<Duration> {
    let ResolvedPolicy { ready, start_timeout, .. } = **cell.policy();
    let applies = ready != Ready::Start || cell.member().is_some_and(|member| member.awaited);
    start_timeout.filter(|_| applies)
}
