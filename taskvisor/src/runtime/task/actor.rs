//! The Tokio task that drives one registration: it waits, polls the attempt in place, and carries out the decisions.

mod attempt;
mod join;
#[cfg(feature = "fleet")]
mod lease;
mod schedule;
#[cfg(feature = "test-util")]
mod strike;

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use super::super::group::{Note, RetryIn};
use super::super::observe::{self, Observed, SpanRef};
use super::super::permits::Claimed;
use super::super::reentrancy::ReentrancyGuard;
use super::super::timer::{Timer, deadline};
use super::cell::{Cell, shown};
use super::decision::{Ending, Next};
use super::guards::Guards;
use super::limit::Exceeded;
use super::machine::{Cut, Heed, Ran, Turn};
use crate::inspect::TaskOutcome;
use crate::panics::{catch, drop_caught};
use crate::policy::Ticks;
use crate::task::{BoxTaskFuture, TaskContext, TaskError, TaskRef};
use attempt::{Attempt, Joining, Step, violated};

/// The time by which the start of an attempt is delayed while subscribers are behind.
const GIVE_WAY: Duration = Duration::from_millis(1);

pub(in crate::runtime) struct Actor {
    cell: Arc<Cell>,
    step: Step,
    timer: Timer,
    permit: Option<Claimed>,
    /// Valid from the first attempt on.
    takes_context: bool,
    /// The number of successes in a row in the first poll of their attempt.
    at_once: u8,
    guards: Option<Box<Guards>>,
    grid: Option<Box<Grid>>,
    observed: Observed,
}

/// The state of a fixed rate.
struct Grid {
    /// The start of the first attempt.
    first: Instant,
    /// The ticks of the current or next attempt.
    ticks: Ticks,
}

impl Actor {
    /// Spawns the actor of a registered task. Returns `true` if it has ended by now, as one that its runtime refused.
    pub(in crate::runtime) fn spawn(cell: Arc<Cell>, runtime: &Handle) -> bool {
        observe::added(&cell);
        let actor = Self {
            step: Step::New,
            timer: Timer::default(),
            permit: cell.core().limits.claims_of(&cell),
            takes_context: true,
            at_once: 0,
            guards: Guards::of(&cell),
            grid: None,
            observed: Observed::default(),
            cell,
        };
        observe::spawn(runtime, actor, |actor| Arc::clone(actor.cell.name()))
    }

    /// Carries out the next action of the machine while no attempt runs; `delay` is the delay of the wait.
    fn take_turn(&mut self, delay: Duration) {
        let (turn, why) = self.cell.turn();
        match turn {
            Turn::Over => self.finish(self.cell.canceled_for(why)),
            Turn::Parked => {
                // While its group holds the task, it keeps neither a place in the queue of permits nor its start timeout.
                self.release();
                #[cfg(feature = "fleet")]
                self.cell.competes();
                self.step = Step::Waiting { delay };
            }
            Turn::Due => {
                self.timer.clear();
                self.step = Step::Due { gave_way: false };
            }
            Turn::Waits if self.schedule().is_some() => self.await_schedule(delay),
            Turn::Waits => {
                if !self.timer.is_armed() {
                    self.timer.set(delay);
                    self.cell.is_due_in(delay);
                }
                self.step = Step::Waiting { delay };
            }
        }
    }

    /// Moves on to another step. A call drops the one before only if it has something to drop.
    #[inline]
    fn enter(&mut self, step: Step) {
        let before = mem::replace(&mut self.step, step);
        match before {
            Step::Attempt(_) | Step::Join(_) => drop(before),
            Step::New | Step::Waiting { .. } | Step::Yield | Step::Due { .. } | Step::Over => mem::forget(before),
        }
    }

    /// Gives the permit back, and clears the timers.
    #[inline]
    fn release(&mut self) {
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

    fn poll_waiting(&mut self, delay: Duration, cx: &mut Context<'_>) -> Poll<()> {
        // Never ready while parked, because the timer is not set then.
        ready!(self.timer.poll(cx));
        if self.schedule().is_some() {
            self.await_schedule(delay);
            return Poll::Ready(());
        }
        self.cell.waited();
        // The attempt begins in another turn: this turn belongs to the timer driver of Tokio, and an attempt that
        // blocks its thread would block timers and signals with it.
        self.step = Step::Yield;
        Poll::Ready(())
    }

    fn poll_due(&mut self, cx: &mut Context<'_>, gave_way: bool) -> Poll<()> {
        if let Some(guards) = &mut self.guards {
            ready!(guards.poll_place(cx));
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
        if bus.is_congested() && (!gave_way || self.timer.is_armed()) {
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
        if let Some(permit) = &mut self.permit {
            ready!(permit.poll(&self.cell, cx));
            self.cell.bar_if_stopping();
        }
        #[cfg(feature = "fleet")]
        if let Some(polled) = self.poll_mark() {
            return polled;
        }
        self.begin();
        Poll::Ready(())
    }

    fn begin(&mut self) {
        if self.guards.is_some() && !self.may_begin() {
            return;
        }
        let Some((task, attempt)) = self.cell.begin() else { return self.take_turn(Duration::ZERO) };
        if self.guards.is_some() && !self.begins_guarded() {
            drop(task);
            return self.ended_apart(Ending::Dropped, None, Cut::Not);
        }
        if self.cell.policy().every.is_some() {
            let first = || Box::new(Grid { first: Instant::now(), ticks: Ticks::default() });
            let grid = self.grid.get_or_insert_with(first);
            grid.ticks.started = grid.first.elapsed();
        }
        self.observed.begin(&self.cell, shown(attempt));
        let built = if self.observed.has_span() {
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

    /// Creates the future of the attempt in its span. Apart, so that other attempts keep their context in registers.
    #[inline(never)]
    fn build_in_span(&mut self, task: &TaskRef, attempt: u64) -> Result<BoxTaskFuture, TaskError> {
        let context = TaskContext::new(Arc::clone(&self.cell), attempt, self.observed.span());
        self.observed.in_span(|| build(task, context, attempt, &mut self.takes_context))
    }

    /// An attempt of a task with guards begins. Returns `false` if its lease is lost by now.
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

    fn poll_attempt(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut limit = None;
        if self.cell.has_news() {
            #[cfg(feature = "fleet")]
            if self.is_without_lease() {
                return Poll::Ready(());
            }
            let (heed, bound) = self.cell.heed(self.takes_context);
            match heed {
                Heed::GoOn => {}
                Heed::CleanUp(cut) => self.clean_up(cut),
                Heed::End(ending) => {
                    self.end_attempt(ending);
                    return Poll::Ready(());
                }
            }
            limit = bound.filter(|time| !time.is_zero()).and_then(deadline);
            if let Some(guards) = &mut self.guards {
                guards.heed_ready(&self.cell);
            }
            #[cfg(feature = "test-util")]
            if self.is_struck() {
                self.limit(limit);
                return Poll::Ready(());
            }
        }
        match self.poll_future(cx) {
            Poll::Pending => self.poll_pending(limit, cx),
            Poll::Ready(result) => {
                self.end_attempt(Ending::Result(result));
                self.limit(limit);
                Poll::Ready(())
            }
        }
    }

    #[allow(
        clippy::inline_always,
        reason = "with `tracing`, the compiler leaves 30 instructions of each poll to a call"
    )]
    #[inline(always)]
    fn poll_future(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TaskError>> {
        let Step::Attempt(attempt) = &mut self.step else { return Poll::Pending };
        let polled = self.observed.in_span(|| catch(|| attempt.future.as_mut().poll(cx)));
        polled.unwrap_or_else(|panic| Poll::Ready(Err(panic)))
    }

    /// Handles an attempt that is pending: its timeout, guards and deadlines.
    fn poll_pending(&mut self, limit: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        self.limit(limit);
        let Step::Attempt(attempt) = &mut self.step else { return Poll::Ready(()) };
        if attempt.began.is_none() {
            let now = Instant::now();
            attempt.began = Some(now);
            self.cell.lasts_since(now);
            self.observed.waits(now);
            if let Some(guards) = &mut self.guards {
                guards.attempt_goes_on(&self.cell);
            }
            if let (Cut::Not, Some(timeout)) = (attempt.cut, self.cell.policy().timeout) {
                self.timer.set(timeout);
                self.timer.set_sooner(attempt.stop_by());
            }
        }
        let exceeded = match (attempt.cut, &mut self.guards) {
            (Cut::Not, Some(guards)) => guards.poll(&self.cell, cx),
            _ => Poll::Pending,
        };
        if let Poll::Ready(exceeded) = exceeded {
            self.exceeds(exceeded, cx);
            return Poll::Ready(());
        }
        if !self.timer.is_armed() {
            return Poll::Pending;
        }
        ready!(self.timer.poll(cx));
        self.time_is_up(cx);
        Poll::Ready(())
    }

    /// Starts the clean-up of the attempt.
    fn clean_up(&mut self, cut: Cut) {
        let Step::Attempt(attempt) = &mut self.step else { return };
        if cut == Cut::HelperPanicked {
            self.cancel(cut, None);
        } else {
            // The deadline comes with the request.
            attempt.cut = cut;
            self.timer.clear();
        }
    }

    /// Gives the attempt its window to clean up after a violation: an exceeded limit, or the panic of a helper.
    fn cancel(&mut self, cut: Cut, exceeded: Option<Exceeded>) {
        let Step::Attempt(attempt) = &mut self.step else { return };
        let lived = attempt.age();
        attempt.cut = cut;
        let aside = attempt.aside.get_or_insert_default();
        (aside.exceeded, aside.lived) = (exceeded, lived);
        self.timer.set(self.cell.window());
        self.timer.set_sooner(attempt.stop_by());
    }

    /// Sets the deadline of the attempt. Called after its poll: most attempts end at once after a request, and need no
    /// timer.
    fn limit(&mut self, limit: Option<Instant>) {
        let Some(limit) = limit else { return };
        if let Step::Attempt(attempt) = &mut self.step {
            if attempt.cut == Cut::Not {
                attempt.aside.get_or_insert_default().stop_by = Some(limit);
            }
            self.timer.set_sooner(Some(limit));
        } else if let Step::Join(_) = &self.step {
            self.timer.set_sooner(Some(limit));
        }
    }

    /// Handles an elapsed timer of a running attempt: its timeout, or the end of its clean-up.
    fn time_is_up(&mut self, cx: &mut Context<'_>) {
        let Step::Attempt(attempt) = &mut self.step else { return };
        if attempt.stop_by().is_some_and(|stop_by| stop_by <= Instant::now()) {
            return self.abort(cx);
        }
        match (attempt.cut, self.cell.policy().timeout) {
            (Cut::Not, Some(timeout)) if attempt.is_granted(&self.timer, timeout) => {
                self.timer.set(timeout);
                self.timer.set_sooner(attempt.stop_by());
            }
            (Cut::Not, Some(timeout)) => self.exceeds(Exceeded::Timeout(timeout), cx),
            (Cut::Requested, _) => self.abort(cx),
            // The violation is known already; that the clean-up took too long adds nothing.
            (Cut::TimedOut | Cut::HelperPanicked | Cut::Not, _) => {
                self.cell.abort_helpers();
                self.end_attempt(Ending::Dropped);
            }
        }
    }

    /// Handles the end of the time for a stop.
    fn abort(&mut self, cx: &mut Context<'_>) {
        #[cfg(feature = "fleet")]
        if self.is_without_lease() {
            return;
        }
        // Completion wins a tie, as for a timeout.
        let ending = match self.poll_future(cx) {
            Poll::Ready(result) => Ending::Result(result),
            Poll::Pending => Ending::Aborted,
        };
        self.end_attempt(ending);
    }

    /// Handles an exceeded limit: the attempt is canceled, and may clean up.
    fn exceeds(&mut self, exceeded: Exceeded, cx: &mut Context<'_>) {
        // Time has passed since the last check, which was before the last poll.
        #[cfg(feature = "fleet")]
        if self.is_without_lease() {
            return;
        }
        // The attempt may have become ready since its last poll: completion wins a tie.
        if let Poll::Ready(result) = self.poll_future(cx) {
            return self.end_attempt(Ending::Result(result));
        }
        if !matches!(self.step, Step::Attempt(_)) {
            return;
        }
        // Another request came in the meantime, and is handled in the next poll.
        if !self.cell.exceed(exceeded.kind(), exceeded.limit()) {
            return;
        }
        self.observed.timed_out(&self.cell, exceeded.limit());
        self.cancel(Cut::TimedOut, Some(exceeded));
        if !self.takes_context || self.cell.window().is_zero() {
            self.end_attempt(Ending::Dropped);
        }
    }

    /// Drops the future of the attempt and determines its ending.
    fn end_attempt(&mut self, mut ending: Ending) {
        let Step::Attempt(attempt) = mem::replace(&mut self.step, Step::New) else { return };
        let lived;
        match attempt.cut {
            Cut::Not => lived = attempt.age(),
            // After a stop request the run time does not count.
            Cut::Requested => lived = None,
            Cut::TimedOut | Cut::HelperPanicked => (ending, lived) = violated(&attempt, ending),
        }
        let dropped = self.observed.in_span(|| drop_caught(attempt.future));
        if let Err(panic) = dropped {
            ending = ending.with_panic(panic);
        }
        if attempt.cut == Cut::Not {
            self.timer.clear();
        }
        self.attempt_ended(ending, lived, attempt.cut);
    }

    /// Begins to join the helpers of an attempt.
    fn join(&mut self, ending: Ending, lived: Option<Duration>, cut: Cut) {
        let window = self.cell.window();
        if matches!(ending, Ending::Aborted) || (cut == Cut::Not && window.is_zero()) {
            self.cell.abort_helpers();
        } else if cut == Cut::Not {
            self.timer.set(window);
        }
        self.step = Step::Join(Box::new(Joining { ending, lived }));
    }

    /// The same, where the attempt did not end by itself: before it began, or after its helpers were joined.
    #[cold]
    fn ended_apart(&mut self, ending: Ending, lived: Option<Duration>, cut: Cut) {
        self.attempt_ended(ending, lived, cut);
    }

    /// The future of the attempt is dropped: joins its helpers, or continues.
    #[allow(clippy::inline_always, reason = "the compiler leaves 20 instructions of each restart to a call")]
    #[inline(always)]
    fn attempt_ended(&mut self, ending: Ending, lived: Option<Duration>, cut: Cut) {
        let ticks = self.grid.as_mut().map(|grid| {
            grid.ticks.ended = grid.first.elapsed();
            &grid.ticks
        });
        let aborted = matches!(ending, Ending::Aborted);
        // Helpers that were joined took longer than one poll, and then the cut is not `Not`.
        let is_at_once = cut == Cut::Not && lived.is_none();
        let at_once = if is_at_once { self.at_once.saturating_add(1) } else { 0 };
        let mut guards = self.guards.as_deref_mut();
        if let Some(guards) = &mut guards {
            guards.attempt_ended(&self.cell);
        }
        let usual = if cut == Cut::Requested { self.cell.conclude_stop(&ending) } else { None };
        let next = match usual {
            Some(next) => next,
            None => match self.cell.conclude(ending, Ran { lived, at_once }, ticks, guards) {
                Ok(next) => next,
                Err(ending) => return self.join(ending, lived, cut),
            },
        };
        self.at_once = if matches!(next, Next::Repeat(_) | Next::Throttle { .. }) { at_once } else { 0 };
        self.observed.concluded(&self.cell, &next, aborted);
        self.release();
        let delay = match next {
            Next::End(outcome) => return self.finish(outcome),
            Next::Scheduled => {
                #[cfg(feature = "fleet")]
                self.run_has_succeeded();
                return self.run_is_over();
            }
            Next::GiveUp { error, .. } => {
                let _ = drop_caught(error);
                return self.run_is_over();
            }
            Next::Hold(error) => {
                let _ = drop_caught(error);
                self.run_is_interrupted();
                self.step = Step::Waiting { delay: Duration::ZERO };
                return self.cell.tell_group(Note::Held);
            }
            Next::Retry { delay, is_told, .. } => {
                if is_told {
                    self.guards.get_or_insert_with(Guards::telling);
                }
                if self.cell.awaits_its_group() {
                    self.step = Step::Waiting { delay };
                    let delay = self.backoff_in_group(delay);
                    return self.cell.tell_group(Note::Failed(RetryIn::new(delay, is_told)));
                }
                delay
            }
            Next::Restart(error) => {
                // The error is a user value, and its drop is user code.
                let _ = drop_caught(error);
                self.run_is_interrupted();
                #[cfg(feature = "fleet")]
                if self.cell.stands_by() {
                    return self.take_turn(Duration::ZERO);
                }
                Duration::ZERO
            }
            Next::Repeat(delay) => {
                if let (Some(grid), Some(every)) = (&mut self.grid, self.cell.policy().every) {
                    grid.ticks.due = grid.ticks.next(every);
                }
                delay
            }
            Next::Throttle { pause, .. } => pause,
        };
        // A zero delay does not touch the timer.
        if delay.is_zero() {
            self.enter(Step::Yield);
        } else if self.schedule().is_some() {
            self.take_turn(delay);
        } else {
            self.timer.set(delay);
            self.enter(Step::Waiting { delay });
        }
    }

    fn finish(&mut self, outcome: TaskOutcome) {
        self.enter(Step::Over);
        drop(self.permit.take());
        if let Some(schedule) = self.guards.as_mut().and_then(|guards| guards.schedule.as_ref()) {
            schedule.over(&self.cell, &outcome);
        }
        self.observed.ended(&self.cell, &outcome);
        self.cell.core().remove(&self.cell, outcome);
    }
}

/// Creates the future of an attempt. The first attempt tells whether the task takes the context.
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

impl Future for Actor {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let actor = &mut *self;
        let _current = ReentrancyGuard::enter(&actor.cell);
        loop {
            match actor.step {
                Step::New => {
                    actor.cell.listen(cx.waker());
                    let delay = actor.cell.first_delay();
                    if delay.is_zero() && actor.cell.member().is_none() && !actor.cell.has_news() {
                        actor.step = Step::Due { gave_way: false };
                        continue;
                    }
                    if actor.schedule().is_some() {
                        actor.cell.rest();
                    }
                    actor.take_turn(delay);
                    if matches!(actor.step, Step::Waiting { .. }) {
                        actor.cell.waits();
                    }
                }
                Step::Waiting { delay } if actor.cell.has_news() => actor.take_turn(delay),
                Step::Waiting { delay } => ready!(actor.poll_waiting(delay, cx)),
                Step::Yield => {
                    actor.enter(Step::Due { gave_way: false });
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Step::Due { .. } if actor.cell.has_news() => actor.take_turn(Duration::ZERO),
                Step::Due { gave_way } => {
                    if actor.poll_due(cx, gave_way).is_pending() {
                        actor.cell.waits();
                        return Poll::Pending;
                    }
                }
                Step::Attempt(_) => ready!(actor.poll_attempt(cx)),
                Step::Join(_) => ready!(actor.poll_join(cx)),
                Step::Over => return Poll::Ready(()),
            }
        }
    }
}

impl Drop for Actor {
    /// The runtime ends, and drops the attempt.
    fn drop(&mut self) {
        if matches!(self.step, Step::Over) {
            return;
        }
        let _ = self.observed.in_span(|| drop_caught(mem::replace(&mut self.step, Step::New)));
        self.cell.drop_task();
        self.finish(TaskOutcome::Aborted { error: None });
    }
}
