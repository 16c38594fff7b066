//! The state of one registration.
//!
//! Everybody who wants something of a task writes it into its cell and wakes its actor. What listeners are told of a
//! task is published under the lock of its cell, so that they see its transitions in the order in which they happened.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::alarm::deadline;
use super::core::Core;
use super::decision::{Ending, Facts, Next, Told, decide};
use super::helpers::{Helper, Helpers};
use crate::error::TaskError;
use crate::events::{Event, EventKind, millis};
use crate::outcome::TaskOutcome;
use crate::panics::drop_caught;
use crate::runtime_error::RuntimeError;
use crate::settings::Settings;
use crate::status::{TaskId, TaskState, TaskStatus};
use crate::sync::lock;
use crate::task::TaskRef;

/// How long an abort may take to show, once it is due: the scheduler has to get to it.
pub(super) const ABORT: Duration = Duration::from_millis(100);

/// One registration of a task.
pub(crate) struct Cell {
    id: TaskId,
    name: Arc<str>,
    task: TaskRef,
    settings: Arc<Settings>,
    core: Arc<Core>,
    /// Set when there is news for the actor, so that it need not lock to find out that there is none.
    news: AtomicBool,
    state: Mutex<State>,
    /// The outcome is known, or the registration has ended.
    changed: Notify,
}

/// How long the present attempt may take to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    /// No time at all.
    Now,
    Within(Duration),
    /// Until whoever told it to stop comes back and aborts it.
    Open,
}

pub(super) struct State {
    phase: TaskState,
    told: Told,
    bound: Option<Bound>,
    /// The present wait is over.
    skip: bool,
    /// The streak of failures is forgotten.
    fresh: bool,
    /// It counts for the readiness of its batch, and no attempt has begun.
    unready: bool,
    progress: Progress,
    /// The attempt's token is cancelled.
    cancelled: bool,
    attempt: u32,
    waker: Option<Waker>,
    token: Option<CancellationToken>,
    helpers: Option<Box<Helpers>>,
    last_error: Option<Arc<TaskError>>,
    outcome: Option<TaskOutcome>,
}

/// How far the present attempt is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// There is none.
    Idle,
    Running,
    /// Its future is gone, its helpers are not.
    Joining,
}

/// What an actor finds when it looks for news.
pub(super) struct News {
    pub(super) told: Told,
    pub(super) bound: Option<Bound>,
    pub(super) skip: bool,
    pub(super) helper_panicked: bool,
}

/// An attempt that may begin.
pub(super) struct Begun {
    pub(super) attempt: u32,
    /// The streak of failures starts again.
    pub(super) fresh: bool,
}

impl Cell {
    pub(super) fn new(task: TaskRef, name: Arc<str>, settings: Arc<Settings>, core: Arc<Core>, unready: bool) -> Self {
        Self {
            id: TaskId::next(),
            name,
            task,
            settings,
            core,
            news: AtomicBool::new(false),
            state: Mutex::new(State {
                phase: TaskState::Pending,
                told: Told::Nothing,
                bound: None,
                skip: false,
                fresh: false,
                unready,
                progress: Progress::Idle,
                cancelled: false,
                attempt: 0,
                waker: None,
                token: None,
                helpers: None,
                last_error: None,
                outcome: None,
            }),
            changed: Notify::new(),
        }
    }

    pub(crate) fn id(&self) -> TaskId {
        self.id
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(crate) fn task(&self) -> &TaskRef {
        &self.task
    }

    pub(crate) fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    pub(crate) fn status(&self) -> TaskStatus {
        let state = self.lock();
        TaskStatus {
            state: state.phase,
            attempt: state.attempt,
            restarts: state.attempt.saturating_sub(1),
            last_error: state.last_error.clone(),
        }
    }

    pub(crate) fn last_error(&self) -> Option<Arc<TaskError>> {
        self.lock().last_error.clone()
    }

    /// Whether an attempt is under way.
    pub(crate) fn is_alive(&self) -> bool {
        self.lock().progress != Progress::Idle
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn publish(&self, event: impl FnOnce(Event) -> Event, kind: EventKind) {
        if self.core.bus.is_active() {
            self.core.bus.publish(event(Event { id: Some(self.id), ..Event::about(kind, &self.name) }));
        }
    }

    /// Publishes an event about the registration as a whole.
    pub(super) fn announce(&self, kind: EventKind) {
        self.publish(|event| event, kind);
    }

    /// Publishes an event about the present attempt.
    fn publish_attempt(&self, state: &State, kind: EventKind, more: impl FnOnce(Event) -> Event) {
        self.publish(|event| more(Event { attempt: Some(state.attempt), ..event }), kind);
    }
}

/// What others want.
impl Cell {
    /// Tells the task to stop. Whether this call was the first to do so; `None` if it has ended.
    pub(crate) fn stop(&self, bound: Bound, requested: bool) -> Option<bool> {
        let mut state = self.lock();
        if state.phase == TaskState::Ended {
            return None;
        }
        let first = state.told != Told::Stop;
        if first && requested {
            self.announce(EventKind::TaskRemoveRequested);
        }
        state.told = Told::Stop;
        state.bound = Some(state.bound.map_or(bound, |other| other.tighter(bound)));
        self.interrupt(state);
        Some(first)
    }

    /// Tells the task to stop, and does not wait.
    pub(crate) fn remove(&self) {
        self.stop(Bound::within(self.stop_bound()), true);
    }

    /// Ends a wait, or the running attempt, and begins anew.
    pub(crate) fn restart(&self) -> bool {
        let mut state = self.lock();
        if state.phase == TaskState::Ended || state.told == Told::Stop {
            return false;
        }
        state.fresh = true;
        if state.progress != Progress::Idle {
            let bound = Bound::within(self.stop_bound());
            state.told = Told::Restart;
            state.bound = Some(state.bound.map_or(bound, |other| other.tighter(bound)));
            self.interrupt(state);
        } else {
            self.skip_wait(state);
        }
        true
    }

    /// Ends a wait for an initial delay, an interval or a backoff. Whether there was one.
    pub(crate) fn trigger(&self) -> bool {
        let state = self.lock();
        let waits = match state.phase {
            TaskState::Backoff | TaskState::Interval => true,
            TaskState::Pending => state.attempt == 0 && !self.settings.initial_delay.is_zero() && !state.skip,
            _ => false,
        };
        if waits && state.told != Told::Stop {
            self.skip_wait(state);
            return true;
        }
        false
    }

    fn skip_wait(&self, mut state: MutexGuard<'_, State>) {
        state.phase = TaskState::Pending;
        state.skip = true;
        self.wake(state, None);
    }

    /// Cancels the token of the running attempt, if there is one, and wakes the actor.
    fn interrupt(&self, mut state: MutexGuard<'_, State>) {
        let token = if state.progress != Progress::Idle {
            state.phase = TaskState::Stopping;
            state.cancelled = true;
            state.token.take()
        } else {
            None
        };
        self.wake(state, token);
    }

    fn wake(&self, state: MutexGuard<'_, State>, token: Option<CancellationToken>) {
        self.news.store(true, Ordering::Release);
        let waker = state.waker.clone();
        drop(state);
        cancel(token);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// How long a stop by name or handle waits.
    pub(crate) fn stop_bound(&self) -> Duration {
        self.settings.stop_timeout.unwrap_or(self.core.config.grace)
    }

    /// How long the clean-up after a timeout may take.
    pub(super) fn window(&self) -> Duration {
        const WINDOW: Duration = Duration::from_secs(5);
        self.settings.stop_timeout.unwrap_or(WINDOW.min(self.core.config.grace))
    }

    /// Tells the task to stop and waits until it has ended. Whether this call was the first to tell it.
    pub(crate) async fn cancel(&self, within: Duration) -> Result<bool, RuntimeError> {
        let Some(first) = self.stop(Bound::within(within), true) else { return Ok(false) };
        match deadline(within.saturating_add(ABORT)) {
            None => self.ended().await,
            Some(deadline) => {
                if tokio::time::timeout_at(deadline, self.ended()).await.is_err() {
                    self.declare_aborted();
                    return Err(RuntimeError::TaskRemoveTimeout { name: self.name.to_string(), timeout: within });
                }
            }
        }
        Ok(first)
    }

    /// The time is up, whether the attempt can be ended or not: the outcome is settled. False if it was already.
    pub(super) fn declare_aborted(&self) -> bool {
        let mut state = self.lock();
        if state.outcome.is_some() {
            return false;
        }
        state.outcome = Some(TaskOutcome::Aborted { error: state.last_error.clone() });
        state.told = Told::Stop;
        state.bound = Some(Bound::Now);
        self.interrupt(state);
        self.changed.notify_waiters();
        true
    }

    pub(crate) async fn outcome(&self) -> TaskOutcome {
        self.when(|state| state.outcome.clone()).await
    }

    async fn ended(&self) {
        self.when(|state| (state.phase == TaskState::Ended).then_some(())).await;
    }

    async fn when<T>(&self, look: impl Fn(&State) -> Option<T>) -> T {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(found) = look(&self.lock()) {
                return found;
            }
            changed.await;
        }
    }
}

/// What the present attempt asks for.
impl Cell {
    pub(crate) fn is_cancelled(&self, attempt: u32) -> bool {
        let state = self.lock();
        state.attempt != attempt || state.cancelled
    }

    pub(crate) fn token(&self, attempt: u32) -> CancellationToken {
        let mut state = self.lock();
        if state.attempt == attempt && !state.cancelled {
            return state.token.get_or_insert_default().clone();
        }
        drop(state);
        let token = CancellationToken::new();
        token.cancel();
        token
    }

    pub(crate) fn spawn_helper<F>(self: &Arc<Self>, attempt: u32, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let abort = {
            let mut state = self.lock();
            if state.attempt != attempt || state.progress != Progress::Running {
                return;
            }
            let helpers = state.helpers.get_or_insert_default();
            helpers.running += 1;
            helpers.abort.clone()
        };
        let helper = Helper::new(future, abort, Arc::clone(self));
        if let Ok(runtime) = self.core.runtime() {
            runtime.spawn(helper);
        }
    }

    pub(super) fn helper_panicked(&self, panic: TaskError) {
        let mut state = self.lock();
        let Some(helpers) = &mut state.helpers else { return };
        helpers.panic.get_or_insert(panic);
        state.cancelled = true;
        let token = state.token.take();
        self.wake(state, token);
    }

    pub(super) fn helper_ended(&self) {
        let mut state = self.lock();
        if let Some(helpers) = &mut state.helpers {
            helpers.running -= 1;
            if helpers.running == 0 && state.progress == Progress::Joining {
                self.wake(state, None);
            }
        }
    }
}

/// What the actor does.
impl Cell {
    pub(super) fn listen(&self, waker: &Waker) {
        self.lock().waker = Some(waker.clone());
    }

    pub(super) fn has_news(&self) -> bool {
        self.news.load(Ordering::Acquire)
    }

    pub(super) fn take_news(&self) -> News {
        let mut state = self.lock();
        self.news.store(false, Ordering::Relaxed);
        News {
            told: state.told,
            bound: state.bound.take(),
            skip: state.skip,
            helper_panicked: state.helpers.as_ref().is_some_and(|helpers| helpers.panic.is_some()),
        }
    }

    /// Begins an attempt, unless it was told to stop.
    pub(super) fn begin(&self) -> Option<Begun> {
        let mut state = self.lock();
        if state.told == Told::Stop {
            return None;
        }
        state.told = Told::Nothing;
        state.bound = None;
        state.skip = false;
        state.progress = Progress::Running;
        state.cancelled = false;
        state.attempt = state.attempt.saturating_add(1);
        state.phase = TaskState::Running;
        let fresh = std::mem::take(&mut state.fresh);
        let ready = std::mem::take(&mut state.unready);
        let attempt = state.attempt;
        self.publish_attempt(&state, EventKind::TaskStarting, |event| event);
        drop(state);
        if ready {
            self.core.one_is_ready();
        }
        Some(Begun { attempt, fresh })
    }

    /// The attempt exceeded its timeout, unless it was told to stop before.
    pub(super) fn time_out(&self, timeout: Duration) -> bool {
        let mut state = self.lock();
        if state.told != Told::Nothing {
            return false;
        }
        let timeout_ms = Some(millis(timeout));
        self.publish_attempt(&state, EventKind::TimeoutHit, |event| Event { timeout_ms, ..event });
        state.cancelled = true;
        let token = state.token.take();
        drop(state);
        cancel(token);
        true
    }

    pub(super) fn is_told(&self) -> bool {
        self.lock().told != Told::Nothing
    }

    pub(super) fn has_helpers(&self) -> bool {
        self.lock().helpers.as_ref().is_some_and(|helpers| helpers.running > 0)
    }

    pub(super) fn abort_helpers(&self) {
        let abort = self.lock().helpers.as_ref().map(|helpers| helpers.abort.clone());
        if let Some(abort) = abort {
            abort.cancel();
        }
    }

    /// The attempt's future is gone: decides what follows, in one step with looking at what the task was told. While
    /// the attempt has helpers the ending is given back, to be concluded when they are gone.
    pub(super) fn conclude(&self, ending: Ending, attempt: &Concluded) -> Result<Next, Ending> {
        let mut state = self.lock();
        state.cancelled = true;
        let token = state.token.take();
        if state.helpers.as_ref().is_some_and(|helpers| helpers.running > 0) {
            state.progress = Progress::Joining;
            drop(state);
            cancel(token);
            return Err(ending);
        }
        let ending = match state.helpers.take().and_then(|helpers| helpers.panic) {
            Some(panic) => with_panic(ending, panic),
            None => ending,
        };
        let aborted = matches!(ending, Ending::Aborted);
        let Concluded { streak, lived, ticks } = *attempt;
        let mut next = decide(&Facts { settings: &self.settings, told: state.told, streak, lived, ticks }, ending);
        if let Next::End(TaskOutcome::Aborted { error }) = &mut next {
            error.clone_from(&state.last_error);
        }
        self.publish_end(&state, &next, aborted);
        state.progress = Progress::Idle;
        let last = match &next {
            Next::Retry { error, .. } => {
                state.phase = TaskState::Backoff;
                state.last_error.replace(Arc::clone(error))
            }
            Next::Repeat(_) => {
                state.phase = TaskState::Interval;
                state.last_error.take()
            }
            Next::Restart(_) => {
                state.phase = TaskState::Pending;
                None
            }
            Next::End(outcome) => outcome.error().cloned().and_then(|error| state.last_error.replace(error)),
        };
        drop(state);
        cancel(token);
        // The error is the user's, and so is its drop.
        let _ = drop_caught(last);
        Ok(next)
    }

    fn publish_end(&self, state: &State, next: &Next, aborted: bool) {
        if !self.core.bus.is_active() {
            return;
        }
        let because = |error: &Option<Arc<TaskError>>, event: Event| match error {
            Some(error) => event.because(Arc::clone(error)),
            None => event,
        };
        let stopped = |error| self.publish_attempt(state, EventKind::TaskStopped, |event| because(error, event));
        let failed = |error| self.publish_attempt(state, EventKind::TaskFailed, |event| because(error, event));
        let wait = |delay| {
            let delay_ms = Some(millis(delay));
            self.publish_attempt(state, EventKind::BackoffScheduled, |event| Event { delay_ms, ..event });
        };
        let last = |kind| self.publish_attempt(state, kind, |event| event);
        match next {
            _ if aborted => {
                self.publish_attempt(state, EventKind::TaskFailed, |event| {
                    event.because("aborted: did not stop in time")
                });
            }
            Next::Restart(error) | Next::End(TaskOutcome::Canceled { error }) => stopped(error),
            Next::Repeat(delay) => {
                stopped(&None);
                wait(*delay);
            }
            Next::Retry { error, delay, .. } => {
                failed(&Some(Arc::clone(error)));
                wait(*delay);
            }
            Next::End(TaskOutcome::Completed) => {
                stopped(&None);
                last(EventKind::ActorExhausted);
            }
            Next::End(outcome) => {
                failed(&outcome.error().cloned());
                let fatal = matches!(outcome, TaskOutcome::Fatal { .. });
                last(if fatal { EventKind::ActorDead } else { EventKind::ActorExhausted });
            }
        }
    }

    /// The registration is over. The caller holds the registry's lock and has freed the name.
    pub(super) fn finish(&self, outcome: TaskOutcome) -> Finished {
        let mut state = self.lock();
        self.announce(EventKind::TaskRemoved);
        state.phase = TaskState::Ended;
        state.progress = Progress::Idle;
        state.cancelled = true;
        let outcome = state.outcome.get_or_insert(outcome);
        Finished {
            aborted: matches!(outcome, TaskOutcome::Aborted { .. }),
            unready: std::mem::take(&mut state.unready),
            _waker: state.waker.take(),
            token: state.token.take(),
        }
    }

    /// Tells those who wait that the registration has ended. Called with no lock held.
    pub(super) fn finished(&self, finished: Finished) {
        cancel(finished.token);
        self.changed.notify_waiters();
    }
}

/// What the actor knows of the attempt that has ended.
pub(super) struct Concluded {
    pub(super) streak: u32,
    pub(super) lived: Option<Duration>,
    pub(super) ticks: Option<(Duration, Duration)>,
}

fn cancel(token: Option<CancellationToken>) {
    if let Some(token) = token {
        token.cancel();
    }
}

/// What is left to do, or to drop, when the registration has ended.
pub(super) struct Finished {
    pub(super) aborted: bool,
    pub(super) unready: bool,
    _waker: Option<Waker>,
    token: Option<CancellationToken>,
}

/// A panic makes a failure of what would have been none.
pub(super) fn with_panic(ending: Ending, panic: TaskError) -> Ending {
    match ending {
        Ending::Result(Ok(()) | Err(TaskError::Canceled)) | Ending::Dropped => Ending::Result(Err(panic)),
        other => other,
    }
}

impl Bound {
    pub(crate) fn within(time: Duration) -> Self {
        if time.is_zero() { Self::Now } else { Self::Within(time) }
    }

    fn tighter(self, other: Self) -> Self {
        match (self, other) {
            (Self::Now, _) | (_, Self::Now) => Self::Now,
            (Self::Within(a), Self::Within(b)) => Self::Within(a.min(b)),
            (Self::Within(a), Self::Open) | (Self::Open, Self::Within(a)) => Self::Within(a),
            (Self::Open, Self::Open) => Self::Open,
        }
    }
}
