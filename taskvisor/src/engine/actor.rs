//! The Tokio task that drives one registration: it waits, runs an attempt in place, and does what the decision says.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_util::sync::PollSemaphore;

use super::alarm::Alarm;
use super::cell::{Bound, Cell, Concluded, News};
use super::current::Current;
use super::decision::{Ending, Next, Told};
use crate::context::TaskContext;
use crate::error::TaskError;
use crate::outcome::TaskOutcome;
use crate::panics::{catch, drop_caught};
use crate::task::BoxTaskFuture;

/// How long the start of an attempt gives way to subscribers that have a lot to catch up with.
const GIVE_WAY: Duration = Duration::from_millis(1);

pub(super) struct Actor {
    cell: Arc<Cell>,
    step: Step,
    alarm: Alarm,
    permit: Option<Box<Permit>>,
    finished: bool,
    ticks: Option<Box<Ticks>>,
}

enum Step {
    /// Spawned, not polled yet.
    New,
    /// The next attempt waits for the alarm.
    Wait,
    /// The next attempt is due after a turn of the scheduler, so that a task that ends at once starves nobody.
    Yield,
    /// The next attempt is due.
    Due {
        gave_way: bool,
    },
    Attempt(Attempt),
    /// The attempt has ended, its helpers have not.
    Join {
        ending: Ending,
        lived: Option<Duration>,
        /// It had been told nothing when it ended.
        untold: bool,
    },
    Over,
}

struct Attempt {
    future: BoxTaskFuture,
    /// When it was first seen to take longer than one poll.
    began: Option<Instant>,
    /// How long it lived until it was cut.
    lived: Option<Duration>,
    cut: Cut,
}

/// Why the attempt's token is cancelled before its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    Not,
    TimedOut,
    HelperPanicked,
    Told,
}

/// A place among those that may run at once.
struct Permit {
    semaphore: PollSemaphore,
    held: Option<OwnedSemaphorePermit>,
}

/// A fixed rate.
struct Ticks {
    first: Instant,
    started: Instant,
}

impl Actor {
    pub(super) fn new(cell: Arc<Cell>) -> Self {
        let permit = cell
            .core()
            .permits
            .as_ref()
            .map(|permits| Box::new(Permit { semaphore: PollSemaphore::new(Arc::clone(permits)), held: None }));
        Self { cell, step: Step::New, alarm: Alarm::default(), permit, finished: false, ticks: None }
    }

    fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.cell.has_news() {
            let news = self.cell.take_news();
            if news.told == Told::Stop {
                self.finish(TaskOutcome::Canceled { error: None });
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

    fn poll_due(&mut self, cx: &mut Context<'_>, gave_way: bool) -> Poll<()> {
        if self.cell.has_news() && self.cell.take_news().told == Told::Stop {
            self.finish(TaskOutcome::Canceled { error: None });
            return Poll::Ready(());
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
        let Some(attempt) = self.cell.begin() else {
            self.finish(TaskOutcome::Canceled { error: None });
            return;
        };
        if self.cell.settings().every.is_some() {
            let started = Instant::now();
            let first = self.ticks.as_ref().map_or(started, |ticks| ticks.first);
            self.ticks = Some(Box::new(Ticks { first, started }));
        }
        let context = TaskContext::new(Arc::clone(&self.cell), attempt);
        match catch(|| self.cell.task().attempt(context)) {
            Ok(future) => self.step = Step::Attempt(Attempt { future, began: None, lived: None, cut: Cut::Not }),
            Err(panic) => self.attempt_ended(Ending::Result(Err(panic)), None, Cut::Not),
        }
    }

    fn poll_attempt(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.cell.has_news() {
            let news = self.cell.take_news();
            if let Some(ending) = self.heed(&news) {
                self.end_attempt(ending);
                return Poll::Ready(());
            }
        }
        let Step::Attempt(attempt) = &mut self.step else { return Poll::Ready(()) };
        let ended = match catch(|| attempt.future.as_mut().poll(cx)) {
            Ok(Poll::Pending) => None,
            Ok(Poll::Ready(result)) => Some(result),
            Err(panic) => Some(Err(panic)),
        };
        if let Some(result) = ended {
            self.end_attempt(Ending::Result(result));
            return Poll::Ready(());
        }
        if attempt.began.is_none() {
            attempt.began = Some(Instant::now());
            if let (Cut::Not, Some(timeout)) = (attempt.cut, self.cell.settings().timeout) {
                self.alarm.set(timeout);
            }
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
                attempt.cut(Cut::HelperPanicked);
                self.alarm.set(self.cell.window());
            }
            return None;
        }
        if news.bound == Some(Bound::Now) {
            return Some(if self.cell.task().takes_context() { Ending::Aborted } else { Ending::Dropped });
        }
        if !self.cell.task().takes_context() {
            return Some(Ending::Dropped);
        }
        // An attempt that is cleaning up already keeps the deadline of that, unless it is given less time.
        if attempt.cut == Cut::Not {
            attempt.cut(Cut::Told);
            self.alarm.clear();
        }
        if let Some(Bound::Within(bound)) = news.bound {
            self.alarm.set_sooner(bound);
        }
        None
    }

    /// The alarm rang while an attempt ran: its timeout, or the end of its clean-up.
    fn time_is_up(&mut self) {
        let Step::Attempt(attempt) = &mut self.step else { return };
        match (attempt.cut, self.cell.settings().timeout) {
            (Cut::Not, Some(timeout)) => {
                // Told to stop in the meantime: the news is on its way.
                if !self.cell.time_out(timeout) {
                    return;
                }
                let window = self.cell.window();
                if self.cell.task().takes_context() && !window.is_zero() {
                    attempt.cut(Cut::TimedOut);
                    self.alarm.set(window);
                } else {
                    self.end_attempt(Ending::Result(Err(TaskError::Timeout { timeout })));
                }
            }
            (Cut::Told, _) => self.end_attempt(Ending::Aborted),
            // What it did wrong is known; that it did not clean up either is no news.
            (Cut::TimedOut | Cut::HelperPanicked | Cut::Not, _) => {
                self.cell.abort_helpers();
                self.end_attempt(Ending::Dropped);
            }
        }
    }

    /// Drops the attempt's future and settles what it ended with.
    fn end_attempt(&mut self, ending: Ending) {
        let Step::Attempt(attempt) = std::mem::replace(&mut self.step, Step::Over) else { return };
        let timeout = self.cell.settings().timeout.unwrap_or_default();
        let ending = match ending {
            Ending::Aborted => Ending::Aborted,
            // Whatever it returned: it had timed out, or its helper had panicked, which is concluded with.
            other if attempt.cut == Cut::TimedOut => {
                let _ = drop_caught(other);
                Ending::Result(Err(TaskError::Timeout { timeout }))
            }
            other if attempt.cut == Cut::HelperPanicked => {
                let _ = drop_caught(other);
                Ending::Dropped
            }
            other => other,
        };
        let lived = attempt.lived.or_else(|| attempt.age());
        let ending = match drop_caught(attempt.future) {
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
        let Some(ending) = self.conclude(ending, lived, false) else { return };
        let window = self.cell.window();
        if matches!(ending, Ending::Aborted) || (cut == Cut::Not && window.is_zero()) {
            self.cell.abort_helpers();
        } else if cut == Cut::Not {
            self.alarm.set(window);
        }
        self.step = Step::Join { ending, lived, untold: !self.cell.is_told() };
    }

    fn poll_join(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.cell.has_news() {
            match self.cell.take_news().bound {
                Some(Bound::Now) => self.abort_helpers(),
                Some(Bound::Within(bound)) => self.alarm.set_sooner(bound),
                _ => {}
            }
        }
        if self.cell.has_helpers() {
            ready!(self.alarm.poll(cx));
            self.abort_helpers();
        } else if let Step::Join { ending, lived, untold } = std::mem::replace(&mut self.step, Step::Over) {
            if let Some(ending) = self.conclude(ending, lived, untold) {
                self.step = Step::Join { ending, lived, untold };
            }
        }
        Poll::Ready(())
    }

    fn abort_helpers(&mut self) {
        self.cell.abort_helpers();
        if let Step::Join { ending, .. } = &mut self.step {
            if self.cell.is_told() {
                let _ = drop_caught(std::mem::replace(ending, Ending::Aborted));
            }
        }
    }

    /// Goes on after an attempt. Its ending comes back if it has helpers that have not ended.
    fn conclude(&mut self, ending: Ending, lived: Option<Duration>, untold: bool) -> Option<Ending> {
        let ticks = self.ticks.as_ref().map(|ticks| (ticks.started - ticks.first, ticks.first.elapsed()));
        let concluded = self.cell.conclude(ending, &Concluded { lived, ticks, untold });
        let next = match concluded {
            Ok(next) => next,
            Err(ending) => return Some(ending),
        };
        if let Some(permit) = &mut self.permit {
            permit.held = None;
        }
        self.alarm.clear();
        let delay = match next {
            Next::End(outcome) => {
                self.finish(outcome);
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
        self.cell.core().remove(&self.cell, outcome);
    }
}

impl Attempt {
    /// How long it has lived; `None` if it ended in its first poll.
    fn age(&self) -> Option<Duration> {
        self.began.map(|began| began.elapsed())
    }

    fn cut(&mut self, cut: Cut) {
        self.lived = self.age();
        self.cut = cut;
    }
}

impl Future for Actor {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let actor = &mut *self;
        let _current = Current::enter(actor.cell.id(), actor.cell.core());
        loop {
            match actor.step {
                Step::New => {
                    actor.cell.listen(cx.waker());
                    let delay = actor.cell.settings().initial_delay;
                    actor.step = if delay.is_zero() { Step::Due { gave_way: false } } else { Step::Wait };
                    if !delay.is_zero() {
                        actor.alarm.set(delay);
                    }
                }
                Step::Wait => ready!(actor.poll_wait(cx)),
                Step::Yield => {
                    actor.step = Step::Due { gave_way: false };
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Step::Due { gave_way } => ready!(actor.poll_due(cx, gave_way)),
                Step::Attempt(_) => ready!(actor.poll_attempt(cx)),
                Step::Join { .. } => ready!(actor.poll_join(cx)),
                Step::Over => return Poll::Ready(()),
            }
        }
    }
}

impl Drop for Actor {
    /// The runtime goes away, and the attempt with it.
    fn drop(&mut self) {
        let _ = drop_caught(std::mem::replace(&mut self.step, Step::Over));
        if !self.finished {
            self.finish(TaskOutcome::Aborted { error: None });
        }
    }
}
