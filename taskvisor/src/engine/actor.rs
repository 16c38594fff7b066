//! The Tokio task that drives one registration: it waits, runs an attempt in place, and does what the decision says.

mod attempt;
mod join;
mod permit;
mod step;
#[cfg(feature = "test-util")]
mod strike;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use self::attempt::{Attempt, Cut, Joining};
use self::permit::Permit;
use self::step::Step;
use super::alarm::{Alarm, deadline};
use super::cell::{Bound, Cell, Concluded, News, Parked};
use super::current::Current;
use super::decision::{Ending, Next, Told};
use super::group::Note;
use super::guards::Guards;
use super::observe::{self, Observed};
use crate::context::TaskContext;
use crate::error::TaskError;
use crate::outcome::TaskOutcome;
use crate::panics::{catch, drop_caught};

/// How long the start of an attempt gives way to subscribers that have a lot to catch up with.
const GIVE_WAY: Duration = Duration::from_millis(1);

pub(super) struct Actor {
    cell: Arc<Cell>,
    step: Step,
    alarm: Alarm,
    permit: Option<Box<Permit>>,
    takes_context: bool,
    finished: bool,
    guards: Option<Box<Guards>>,
    ticks: Option<Box<Ticks>>,
    observed: Observed,
}

/// A fixed rate.
struct Ticks {
    first: Instant,
    started: Instant,
}

impl Actor {
    /// Spawns the actor of a task that was registered.
    pub(super) fn spawn(cell: Arc<Cell>, runtime: &Handle) {
        observe::added(&cell);
        observe::spawn(runtime, Self::new(cell), |actor| Arc::clone(actor.cell.name()));
    }

    fn new(cell: Arc<Cell>) -> Self {
        let permit = Permit::of(&cell);
        let guards = Guards::of(&cell);
        let takes_context = catch(|| cell.task().takes_context()).unwrap_or(true);
        Self {
            cell,
            step: Step::New,
            alarm: Alarm::default(),
            permit,
            takes_context,
            finished: false,
            guards,
            ticks: None,
            observed: Observed::default(),
        }
    }

    fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.cell.has_news() {
            let news = self.cell.take_news();
            if self.heeds_while_waiting(news.told) {
                return Poll::Ready(());
            }
            if news.due {
                self.alarm.clear();
                self.step = Step::Due { gave_way: false };
                return Poll::Ready(());
            }
        }
        ready!(self.alarm.poll(cx));
        self.cell.due();
        // Not in this turn, which is the driver's: an attempt that blocks its thread would take timers and signals with
        // it, where another thread is free to turn the driver.
        self.step = Step::Yield;
        Poll::Ready(())
    }

    /// Does what it was told while no attempt runs.
    fn heeds_while_waiting(&mut self, told: Told) -> bool {
        match told {
            Told::Stop => self.finish(TaskOutcome::Canceled { error: None }),
            Told::Hold => match self.cell.park() {
                Parked::Over => self.finish(TaskOutcome::Canceled { error: None }),
                Parked::Waits => {
                    self.alarm.clear();
                    // Not even a place in the queue is kept.
                    self.permit = Permit::of(&self.cell);
                    self.step = Step::Parked { backoff: None };
                }
            },
            Told::Nothing | Told::Restart => return false,
        }
        true
    }

    fn poll_parked(&mut self, backoff: Option<Duration>) -> Poll<()> {
        if self.cell.has_news() {
            let told = self.cell.take_news().told;
            if self.heeds_while_waiting(told) {
                return Poll::Ready(());
            }
        }
        if self.cell.is_shut() {
            return Poll::Pending;
        }
        self.step = match backoff {
            None if self.cell.is_delayed() => {
                self.alarm.set(self.cell.settings().initial_delay);
                Step::Wait
            }
            Some(delay) if self.cell.is_backing_off() && !delay.is_zero() => {
                self.alarm.set(delay);
                Step::Wait
            }
            _ => Step::Yield,
        };
        Poll::Ready(())
    }

    fn poll_due(&mut self, cx: &mut Context<'_>, gave_way: bool) -> Poll<()> {
        if self.cell.has_news() {
            let told = self.cell.take_news().told;
            if self.heeds_while_waiting(told) {
                return Poll::Ready(());
            }
        }
        if let Some(guards) = &mut self.guards {
            guards.start_is_due(&self.cell);
            if let Poll::Ready(timeout) = guards.poll_start(&self.cell, cx) {
                // It never began, and has failed all the same.
                self.permit = Permit::of(&self.cell);
                self.attempt_ended(Ending::Result(Err(TaskError::Timeout { timeout })), None, Cut::Not);
                return Poll::Ready(());
            }
        }
        let bus = &self.cell.core().bus;
        if bus.is_congested() && (!gave_way || self.alarm.is_armed()) {
            if !gave_way {
                self.alarm.set(GIVE_WAY);
                self.step = Step::Due { gave_way: true };
            }
            if self.alarm.poll(cx).is_ready() {
                bus.stop_giving_way();
            } else {
                ready!(bus.poll_room(cx));
            }
        }
        self.alarm.clear();
        if let Some(permit) = &mut self.permit {
            if permit.held.is_none() {
                permit.held = ready!(permit.semaphore.poll_acquire(cx));
            }
        }
        self.begin();
        Poll::Ready(())
    }

    fn begin(&mut self) {
        let attempt = match self.cell.begin() {
            Ok(attempt) => attempt,
            Err(told) => {
                if !self.heeds_while_waiting(told) {
                    // Its gate was shut for good: it waits to be stopped.
                    self.permit = Permit::of(&self.cell);
                    self.step = Step::Parked { backoff: None };
                }
                return;
            }
        };
        if self.cell.settings().every.is_some() {
            let started = Instant::now();
            let first = self.ticks.as_ref().map_or(started, |ticks| ticks.first);
            self.ticks = Some(Box::new(Ticks { first, started }));
        }
        self.observed.begin(&self.cell, attempt);
        let context = TaskContext::new(Arc::clone(&self.cell), attempt, self.observed.span());
        let in_span = self.observed.in_span();
        let built = catch(|| self.cell.task().attempt(context));
        drop(in_span);
        match built {
            Ok(future) => self.step = Step::Attempt(Attempt::new(future)),
            Err(panic) => self.attempt_ended(Ending::Result(Err(panic)), None, Cut::Not),
        }
    }

    fn poll_attempt(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut limit = None;
        if self.cell.has_news() {
            let news = self.cell.take_news();
            if let Some(ending) = self.heed(&news) {
                self.end_attempt(ending);
                return Poll::Ready(());
            }
            limit = news.bound.and_then(Bound::time).and_then(deadline);
            #[cfg(feature = "test-util")]
            if self.is_struck() {
                self.limit(limit);
                return Poll::Ready(());
            }
        }
        let Step::Attempt(attempt) = &mut self.step else { return Poll::Ready(()) };
        let in_span = self.observed.in_span();
        let polled = catch(|| attempt.future.as_mut().poll(cx));
        drop(in_span);
        let result = match polled {
            Ok(Poll::Pending) => return self.poll_pending(limit, cx),
            Ok(Poll::Ready(result)) => result,
            Err(panic) => Err(panic),
        };
        self.end_attempt(Ending::Result(result));
        self.limit(limit);
        Poll::Ready(())
    }

    /// Looks after an attempt that goes on.
    fn poll_pending(&mut self, limit: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        self.limit(limit);
        let Step::Attempt(attempt) = &mut self.step else { return Poll::Ready(()) };
        if attempt.began.is_none() {
            let now = Instant::now();
            attempt.began = Some(now);
            self.cell.lasts_since(now);
            if let Some(guards) = &mut self.guards {
                guards.attempt_goes_on(&self.cell);
            }
            if let (Cut::Not, Some(timeout)) = (attempt.cut, self.cell.settings().timeout) {
                self.alarm.set(timeout);
            }
        }
        let cut = attempt.cut;
        if let (Cut::Not, Some(guards)) = (cut, &mut self.guards) {
            if let Poll::Ready(exceeded) = guards.poll(&self.cell, cx) {
                self.exceeds(exceeded);
                return Poll::Ready(());
            }
        }
        if !self.alarm.is_armed() {
            return Poll::Pending;
        }
        ready!(self.alarm.poll(cx));
        self.time_is_up();
        Poll::Ready(())
    }

    /// Does what the attempt's cell says; an ending ends the attempt here and now.
    fn heed(&mut self, news: &News) -> Option<Ending> {
        let Step::Attempt(attempt) = &mut self.step else { return None };
        if news.told == Told::Nothing {
            if news.helper_panicked && attempt.cut == Cut::Not {
                attempt.cut(Cut::HelperPanicked, Duration::ZERO);
                self.alarm.set(self.cell.window());
            }
            return None;
        }
        if matches!(news.bound, Some(Bound::Now(_))) {
            return Some(if self.takes_context { Ending::Aborted } else { Ending::Dropped });
        }
        if !self.takes_context {
            return Some(Ending::Dropped);
        }
        // An attempt that is cleaning up already keeps the deadline of that, unless it is given less time.
        if attempt.cut == Cut::Not {
            attempt.cut = Cut::Told;
            self.alarm.clear();
        }
        None
    }

    /// Gives what is left of the attempt until then. Looked at after a turn of it, which counts: most end as soon as they
    /// are told to, and need no alarm.
    fn limit(&mut self, limit: Option<Instant>) {
        if let (Step::Attempt(_) | Step::Join(_), Some(limit)) = (&self.step, limit) {
            self.alarm.set_sooner_at(limit);
        }
    }

    /// The alarm rang while an attempt ran: its timeout, or the end of its clean-up.
    fn time_is_up(&mut self) {
        let Step::Attempt(attempt) = &mut self.step else { return };
        match (attempt.cut, self.cell.settings().timeout) {
            (Cut::Not, Some(timeout)) => self.exceeds(timeout),
            (Cut::Told, _) => self.end_attempt(Ending::Aborted),
            // What it did wrong is known; that it did not clean up either is no news.
            (Cut::TimedOut | Cut::HelperPanicked | Cut::Not, _) => {
                self.cell.abort_helpers();
                self.end_attempt(Ending::Dropped);
            }
        }
    }

    /// The attempt exceeds a limit: it is told, and may clean up.
    fn exceeds(&mut self, timeout: Duration) {
        let Step::Attempt(attempt) = &mut self.step else { return };
        // Told to stop in the meantime: the news is on its way.
        if !self.cell.time_out(timeout) {
            return;
        }
        self.observed.timed_out(&self.cell, timeout);
        let window = self.cell.window();
        if self.takes_context && !window.is_zero() {
            attempt.cut(Cut::TimedOut, timeout);
            self.alarm.set(window);
        } else {
            self.end_attempt(Ending::Result(Err(TaskError::Timeout { timeout })));
        }
    }

    /// Drops the attempt's future and settles what it ended with.
    fn end_attempt(&mut self, ending: Ending) {
        let Step::Attempt(attempt) = std::mem::replace(&mut self.step, Step::Over) else { return };
        let misdeed = attempt.misdeed.as_deref();
        let ending = match (ending, attempt.cut) {
            (Ending::Aborted, _) => Ending::Aborted,
            // Whatever it returned: it had timed out, or its helper had panicked, which is concluded with.
            (other, Cut::TimedOut) => {
                let timeout = misdeed.map(|misdeed| misdeed.timeout).unwrap_or_default();
                let _ = drop_caught(other);
                Ending::Result(Err(TaskError::Timeout { timeout }))
            }
            (other, Cut::HelperPanicked) => {
                let _ = drop_caught(other);
                Ending::Dropped
            }
            (other, _) => other,
        };
        let lived = match (misdeed, attempt.cut) {
            (Some(misdeed), _) => misdeed.lived,
            // It does not count how long that lived which is told to stop.
            (None, Cut::Told) => None,
            (None, _) => attempt.age(),
        };
        let in_span = self.observed.in_span();
        let dropped = drop_caught(attempt.future);
        drop(in_span);
        let ending = match dropped {
            Ok(()) => ending,
            Err(panic) => ending.with_panic(panic),
        };
        if attempt.cut == Cut::Not {
            self.alarm.clear();
        }
        self.attempt_ended(ending, lived, attempt.cut);
    }

    /// The attempt's future is gone: waits for its helpers, or goes on.
    fn attempt_ended(&mut self, ending: Ending, lived: Option<Duration>, cut: Cut) {
        let Some((ending, untold)) = self.conclude(ending, lived, false) else { return };
        let window = self.cell.window();
        if matches!(ending, Ending::Aborted) || (cut == Cut::Not && window.is_zero()) {
            self.cell.abort_helpers();
        } else if cut == Cut::Not {
            self.alarm.set(window);
        }
        self.step = Step::Join(Box::new(Joining { ending, lived, untold }));
    }

    /// Goes on after an attempt. Its ending comes back if it has helpers that have not ended.
    fn conclude(&mut self, ending: Ending, lived: Option<Duration>, untold: bool) -> Option<(Ending, bool)> {
        let ticks = self.ticks.as_ref().map(|ticks| (ticks.started - ticks.first, ticks.first.elapsed()));
        let aborted = matches!(ending, Ending::Aborted);
        let concluded = self.cell.conclude(ending, &Concluded { lived, ticks, untold });
        let next = match concluded {
            Ok(next) => next,
            Err(joining) => return Some(joining),
        };
        self.observed.concluded(&self.cell, &next, aborted);
        if let Some(permit) = &mut self.permit {
            permit.held = None;
        }
        if let Some(guards) = &mut self.guards {
            guards.attempt_is_over();
        }
        self.alarm.clear();
        let delay = match next {
            Next::End(outcome) => {
                self.finish(outcome);
                return None;
            }
            Next::Hold(error) => {
                let _ = drop_caught(error);
                self.step = Step::Parked { backoff: None };
                self.cell.report(Note::Held);
                return None;
            }
            Next::Retry { delay, .. } if self.cell.is_managed() => {
                self.step = Step::Parked { backoff: Some(delay) };
                self.cell.report(Note::Failed(delay));
                return None;
            }
            Next::Restart(error) => {
                // The error is the user's, and so is its drop.
                let _ = drop_caught(error);
                Duration::ZERO
            }
            Next::Repeat(delay) | Next::Retry { delay, .. } => delay,
        };
        // A zero delay does not touch the timer.
        self.step = if delay.is_zero() {
            Step::Yield
        } else {
            self.alarm.set(delay);
            Step::Wait
        };
        None
    }

    fn finish(&mut self, outcome: TaskOutcome) {
        self.step = Step::Over;
        self.finished = true;
        self.permit = None;
        self.observed.ended(&self.cell, &outcome);
        self.cell.core().remove(&self.cell, outcome);
    }
}

impl Future for Actor {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let actor = &mut *self;
        let _current = Current::enter(&actor.cell);
        loop {
            match actor.step {
                Step::New => {
                    actor.cell.listen(cx.waker());
                    let delay = actor.cell.settings().initial_delay;
                    actor.step = if actor.cell.is_shut() {
                        Step::Parked { backoff: None }
                    } else if delay.is_zero() {
                        Step::Due { gave_way: false }
                    } else {
                        actor.alarm.set(delay);
                        Step::Wait
                    };
                    if !matches!(actor.step, Step::Due { .. }) {
                        actor.cell.waits();
                    }
                }
                Step::Parked { backoff } => ready!(actor.poll_parked(backoff)),
                Step::Wait => ready!(actor.poll_wait(cx)),
                Step::Yield => {
                    actor.step = Step::Due { gave_way: false };
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
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
    /// The runtime goes away, and the attempt with it.
    fn drop(&mut self) {
        let in_span = self.observed.in_span();
        let _ = drop_caught(std::mem::replace(&mut self.step, Step::Over));
        drop(in_span);
        if !self.finished {
            self.finish(TaskOutcome::Aborted { error: None });
        }
    }
}
