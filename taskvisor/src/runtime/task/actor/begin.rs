//! The begin of an attempt: the wait for its permits, and its future.

use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::attempt::{Attempt, Step};
use tokio::time::Instant;

use super::super::cell::shown;
use super::super::decision::Ending;
use super::super::limit::Exceeded;
use super::super::machine::Cut;
use super::{Actor, GIVE_WAY, Grid};
use crate::panics::catch;
use crate::policy::Ticks;
use crate::runtime::observe::SpanRef;
use crate::task::{BoxTaskFuture, TaskContext, TaskError, TaskRef};

impl Actor {
    /// Gives the permit back, and clears the timers.
    #[inline]
    pub(super) fn release(&mut self) {
        if self.permit.is_some() || self.guards.is_some() {
            self.release_held();
        }
        self.timer.clear();
    }

    #[inline(never)]
    fn release_held(&mut self) {
        if let Some(permit) = &mut self.permit {
            permit.release();
        }
        if let Some(guards) = &mut self.guards {
            guards.attempt_is_over();
        }
    }

    pub(super) fn poll_due(&mut self, cx: &mut Context<'_>, gave_way: bool) -> Poll<()> {
        if let Some(guards) = self.guards.as_mut().filter(|guards| !guards.awaits_place()) {
            if let Poll::Ready(exceeded) = guards.poll_start(&self.cell, cx) {
                if !self.may_begin() {
                    return Poll::Ready(());
                }
                // The attempt failed before it began.
                let error = match (exceeded, self.permit.as_ref().and_then(|permit| permit.awaits())) {
                    (Exceeded::StartTimeout(timeout), Some(limit)) => TaskError::PermitTimeout { timeout, limit },
                    (exceeded, _) => exceeded.into_error(),
                };
                self.ended_apart(Ending::Result(Err(error)), None, Cut::Not);
                return Poll::Ready(());
            }
        }
        let bus = &self.cell.core().bus.exchange;
        // A final attempt has the timer for its deadline, and gives no way.
        if bus.is_congested() && (!gave_way || self.timer.is_armed()) && self.cell.last_ends_at().is_none() {
            if !gave_way {
                self.timer.set(GIVE_WAY);
                self.step = Step::Due { gave_way: true };
            }
            if self.timer.poll(cx).is_ready() {
                bus.stop_giving_way();
            } else {
                ready!(bus.poll_room(cx));
            }
        }
        self.timer.clear();
        if (self.permit.is_some() || self.guards.is_some()) && self.poll_permits(cx).is_pending() {
            return self.poll_last(cx);
        }
        if self.permit.is_some() {
            self.cell.bar_if_stopping();
        }
        #[cfg(feature = "fleet")]
        if let Some(polled) = self.poll_mark() {
            return polled;
        }
        self.begin();
        Poll::Ready(())
    }

    fn poll_permits(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(permit) = &mut self.permit {
            ready!(permit.poll(&self.cell, cx));
        }
        // After the permits: a task that waits for these holds no place of others. A place is held by attempts that have
        // begun, so a permit that is held in this wait is not waited for by those.
        if let Some(guards) = &mut self.guards {
            ready!(guards.poll_place(cx));
        }
        Poll::Ready(())
    }

    /// Ends the wait of a final attempt for its permits at the deadline of the stop. Its time counts from the request on.
    fn poll_last(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.cell.last_ends_at() else { return Poll::Pending };
        self.timer.set_sooner(Some(deadline));
        ready!(self.timer.poll(cx));
        self.cell.gives_up_last();
        self.release();
        self.take_turn(Duration::ZERO);
        Poll::Ready(())
    }

    fn begin(&mut self) {
        if self.guards.is_some() && !self.may_begin() {
            return;
        }
        let Some((task, attempt)) = self.cell.begin(self.successes) else { return self.take_turn(Duration::ZERO) };
        if self.guards.is_some() && !self.begins_guarded() {
            drop(task);
            return self.ended_apart(Ending::Dropped, None, Cut::Not);
        }
        if self.cell.policy().every.is_some() {
            let first = || Box::new(Grid { first: Instant::now(), ticks: Ticks::default() });
            let grid = self.grid.get_or_insert_with(first);
            grid.ticks.started = grid.first.elapsed();
        }
        let built = if self.observed.begin(&self.cell, shown(attempt)) {
            self.build_in_span(&task, attempt)
        } else {
            let context = TaskContext::new(Arc::clone(&self.cell), attempt, SpanRef::default());
            build(&task, context, attempt, &mut self.takes_context)
        };
        // This is not the last reference, because the registration has not ended.
        drop(task);
        match built {
            Ok(future) => self.enter(Step::Attempt(Attempt::new(future))),
            Err(panic) => self.ended_apart(Ending::Result(Err(panic)), None, Cut::Not),
        }
    }

    /// Creates the future of the attempt in its span. A separate function, so that attempts without a span keep their
    /// context in registers.
    #[inline(never)]
    fn build_in_span(&mut self, task: &TaskRef, attempt: u64) -> Result<BoxTaskFuture, TaskError> {
        let context = TaskContext::new(Arc::clone(&self.cell), attempt, self.observed.span());
        self.observed.in_span(|| build(task, context, attempt, &mut self.takes_context))
    }

    /// Handles the begin of an attempt with guards. Returns `false` if its lease is already lost.
    #[inline(never)]
    fn begins_guarded(&mut self) -> bool {
        #[cfg(feature = "fleet")]
        if !self.takes_lease() {
            return false;
        }
        if let Some(guards) = &mut self.guards {
            guards.attempt_begins(&self.cell);
        }
        true
    }
}

/// Creates the future of an attempt. The first attempt sets `takes_context`.
#[inline]
fn build(
    task: &TaskRef,
    context: TaskContext,
    attempt: u64,
    takes_context: &mut bool,
) -> Result<BoxTaskFuture, TaskError> {
    catch(|| {
        if attempt == 1 {
            *takes_context = task.takes_context();
        }
        task.attempt(context)
    })
}
