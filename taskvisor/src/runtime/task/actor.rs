//! The Tokio task that drives one registration: it waits, polls the attempt in place, and carries out the decisions.

mod attempt;
mod begin;
mod cut;
mod end;
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

#[cfg(feature = "test-util")]
use attempt::Attempt;
use attempt::Step;
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::super::observe::{self, Observed};
use super::super::permits::Claimed;
use super::super::reentrancy::ReentrancyGuard;
use super::super::timer::Timer;
use super::cell::{Cell, TimeLeft};
use super::decision::Ending;
use super::guards::Guards;
use super::machine::{Cut, Heed, Turn};
use crate::inspect::TaskOutcome;
use crate::panics::{catch, drop_caught};
use crate::policy::Ticks;
use crate::task::TaskError;

/// The time by which the start of an attempt is delayed while subscribers are behind.
const GIVE_WAY: Duration = Duration::from_millis(1);

pub(in crate::runtime) struct Actor {
    cell: Arc<Cell>,
    step: Step,
    timer: Timer,
    permit: Option<Claimed>,
    /// `true` if attempts take their context or token. Valid from the first attempt on.
    takes_context: bool,
    /// The number of successes in a row in the first poll of their attempt.
    at_once: u8,
    /// The number of successes in a row, up to 255, of a task without a schedule.
    successes: u8,
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
    /// Spawns the actor of a registered task. Returns `true` if the actor has already ended, for example because its
    /// runtime refused it.
    pub(in crate::runtime) fn spawn(cell: Arc<Cell>, runtime: &Handle) -> bool {
        observe::added(&cell);
        let actor = Self {
            step: Step::New,
            timer: Timer::default(),
            permit: cell.core().limits.claims_of(&cell),
            takes_context: true,
            at_once: 0,
            successes: 0,
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
            Turn::Over => self.finish_untold(self.cell.canceled_for(why)),
            Turn::Parked => {
                // While its group holds the task, it leaves the queue of permits, and its start timeout does not run.
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

    /// Moves on to another step. The drop of the previous step is called only if the step has something to drop.
    #[allow(clippy::inline_always, reason = "the compiler leaves 10 instructions of each restart to a call")]
    #[inline(always)]
    fn enter(&mut self, step: Step) {
        let before = mem::replace(&mut self.step, step);
        match before {
            Step::Attempt(_) | Step::Join(_) => drop(before),
            Step::New | Step::Waiting { .. } | Step::Yield | Step::Due { .. } | Step::Over => mem::forget(before),
        }
    }

    fn poll_waiting(&mut self, delay: Duration, cx: &mut Context<'_>) -> Poll<()> {
        // While the task is parked, the timer is not set, so this is never ready.
        ready!(self.timer.poll(cx));
        if self.schedule().is_some() {
            self.await_schedule(delay);
            return Poll::Ready(());
        }
        self.cell.waited();
        // The attempt begins in another turn, because this turn belongs to the timer driver of Tokio: an attempt that
        // blocks its thread here would also block timers and signals.
        self.step = Step::Yield;
        Poll::Ready(())
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
            limit = bound.and_then(TimeLeft::deadline);
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

    /// Handles the timeout, guards and deadlines of an attempt that is pending.
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
}

impl Future for Actor {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let actor = &mut *self;
        let _current = ReentrancyGuard::enter(&actor.cell);
        let mut has_ended = false;
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
                // The next attempt was requested by code that ran at the end of this one: others run in between.
                Step::Due { .. } if has_ended => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Step::Due { gave_way } => {
                    if actor.poll_due(cx, gave_way).is_pending() {
                        actor.cell.waits();
                        return Poll::Pending;
                    }
                }
                Step::Attempt(_) => {
                    ready!(actor.poll_attempt(cx));
                    has_ended = true;
                }
                Step::Join(_) => {
                    ready!(actor.poll_join(cx));
                    has_ended = true;
                }
                Step::Over => return Poll::Ready(()),
            }
        }
    }
}

impl Drop for Actor {
    /// Ends the registration if the runtime drops the actor.
    fn drop(&mut self) {
        if matches!(self.step, Step::Over) {
            return;
        }
        let _ = self.observed.in_span(|| drop_caught(mem::replace(&mut self.step, Step::New)));
        self.cell.drop_task();
        self.finish_untold(TaskOutcome::Aborted { error: None });
    }
}
