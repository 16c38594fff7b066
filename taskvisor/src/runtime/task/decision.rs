//! Decides what follows the end of an attempt. A pure function.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use crate::inspect::TaskOutcome;
use crate::policy::{BackoffPolicy, ResolvedPolicy, RestartPolicy, Ticks};
use crate::task::{StopReason, TaskError};

/// A request to a registration from outside. A stop is never withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::runtime) enum Request {
    Nothing,
    Restart,
    /// End the attempt, and wait to be started again with the siblings.
    Hold,
    Stop,
}

/// The end of an attempt.
#[derive(Debug)]
pub(in crate::runtime) enum Ending {
    /// The attempt has a result: its own, a panic, or a timeout.
    Result(Result<(), TaskError>),
    /// The attempt failed with this retryable error, without a delay of its own. See [`share`](Self::share).
    Failed(Arc<TaskError>),
    /// The attempt succeeded, and told the time until the next one. See [`tell`](Self::tell).
    Told(Duration),
    /// The attempt was dropped after a stop request, because it takes no context.
    Dropped,
    /// The attempt was dropped because it did not stop in time.
    Aborted,
}

impl Ending {
    /// Replaces a success by a failure with this panic.
    pub(in crate::runtime) fn with_panic(self, panic: TaskError) -> Self {
        match self {
            Self::Result(Ok(()) | Err(TaskError::Canceled)) | Self::Dropped => Self::Result(Err(panic)),
            other => other,
        }
    }

    /// Adds the time until the next attempt that the attempt has told. Only a success has one.
    #[cold]
    pub(in crate::runtime) fn tell(self, delay: Duration) -> Self {
        match self {
            Self::Result(Ok(())) => Self::Told(delay),
            other => other,
        }
    }

    /// Reuses the allocation of the last failure for this one, if it is not shared: a task that fails repeatedly needs
    /// no other allocation. Returns the last failure, whose drop is user code.
    #[inline]
    pub(in crate::runtime) fn share(&mut self, last: &mut Option<Arc<TaskError>>) -> Option<TaskError> {
        let place = last.as_mut().and_then(Arc::get_mut)?;
        match self {
            Self::Result(Err(error)) if error.is_retryable() && !matches!(error, TaskError::RetryAfter(_)) => {
                mem::swap(place, error);
            }
            _ => return None,
        }
        match mem::replace(self, Self::Failed(last.take()?)) {
            Self::Result(Err(before)) => Some(before),
            _ => None,
        }
    }
}

/// The facts about an attempt that has ended.
pub(in crate::runtime) struct Facts<'a> {
    pub(in crate::runtime) policy: &'a ResolvedPolicy,
    pub(in crate::runtime) request: Request,
    /// `true` if the request came after the attempt had ended, while its helpers were joined.
    pub(in crate::runtime) late: bool,
    /// The consecutive failures before this attempt.
    pub(in crate::runtime) streak: u32,
    /// The run time of the attempt; `None` if it ended in its first poll.
    pub(in crate::runtime) lived: Option<Duration>,
    /// The number of successes in a row in the first poll of their attempt, including this one.
    pub(in crate::runtime) at_once: u8,
    /// The ticks of a fixed rate.
    pub(in crate::runtime) ticks: Option<&'a Ticks>,
    /// The reason of the stop request, if there was one.
    pub(in crate::runtime) stopped: Option<&'a StopReason>,
}

/// The decision about what follows an attempt.
#[derive(Debug)]
pub(in crate::runtime) enum Next {
    /// The registration ends.
    End(TaskOutcome),
    /// A restart was requested: the next attempt is due, and no failure is counted.
    Restart(Option<Arc<TaskError>>),
    /// A hold was requested: the next attempt waits for its siblings.
    Hold(Option<Arc<TaskError>>),
    /// The attempt succeeded; the next one waits for this time.
    Repeat(Duration),
    /// The attempt succeeded at once, like those before it; the next one waits for this time. `is_first` for the first
    /// pause of the series.
    Throttle { pause: Duration, is_first: bool },
    /// The attempt succeeded; the next one waits for its time of the schedule.
    Scheduled,
    /// The run of a schedule failed, and is not retried: the next attempt waits for its time.
    GiveUp { error: Arc<TaskError>, failures: u32 },
    /// The attempt failed; the next one waits for this time. `is_told` if the delay is from the error and not from the
    /// backoff.
    Retry { error: Arc<TaskError>, delay: Duration, streak: u32, is_told: bool },
}

impl Next {
    /// Returns the delay of the next attempt; zero if there is none, or if the attempt waits for its schedule.
    pub(in crate::runtime) fn delay(&self) -> Duration {
        match self {
            Self::Repeat(delay) | Self::Throttle { pause: delay, .. } | Self::Retry { delay, .. } => *delay,
            Self::End(_) | Self::Restart(_) | Self::Hold(_) | Self::Scheduled | Self::GiveUp { .. } => Duration::ZERO,
        }
    }

    /// Returns `true` if the task ends for good because its supervisor, which `is_stopping`, has refused something. The
    /// refusal was the first that the task heard of the shutdown. So its end becomes that of a stopped task.
    pub(in crate::runtime) fn excuse(&mut self, is_stopping: impl FnOnce() -> bool) -> bool {
        let Self::End(outcome) = self else { return false };
        let (TaskOutcome::Failed { error } | TaskOutcome::Exhausted { error, .. } | TaskOutcome::Fatal { error }) =
            outcome
        else {
            return false;
        };
        if !error.is_refusal() || !is_stopping() {
            return false;
        }
        let error = Some(Arc::clone(error));
        *outcome = TaskOutcome::Canceled { error, reason: StopReason::Shutdown, finished: false };
        true
    }
}

impl Facts<'_> {
    /// Returns `true` if the task starts again with its siblings. A task with the restart policy `Never` does not.
    fn comes_back(&self) -> bool {
        self.request == Request::Hold && self.policy.restart != RestartPolicy::Never
    }

    /// Returns the consecutive failures before this attempt; zero if it ran for `reset_after`.
    fn streak_before(&self) -> u32 {
        let healthy = self.lived.is_some_and(|lived| lived >= self.policy.reset_after);
        if healthy { 0 } else { self.streak }
    }

    /// Ends the registration after a stop request or [`TaskError::Canceled`].
    fn canceled(&self, error: Option<Arc<TaskError>>, finished: bool) -> Next {
        let reason = self.stopped.cloned().unwrap_or(StopReason::Canceled);
        Next::End(TaskOutcome::Canceled { error, reason, finished })
    }

    fn exhausts(&self, streak: u32) -> bool {
        self.policy.max_retries.is_some_and(|retries| streak > retries)
    }
}

#[inline]
pub(in crate::runtime) fn decide(facts: &Facts<'_>, ending: Ending) -> Next {
    match ending {
        Ending::Failed(error) if facts.request == Request::Nothing => after_failure(facts, error),
        Ending::Result(result) if facts.request == Request::Nothing => after_result(facts, result),
        ending => decide_apart(facts, ending),
    }
}

/// Like [`decide`], for the usual end of an attempt that was requested to stop before it ended: it is complete, or
/// returned [`TaskError::Canceled`]. Returns `None` for any other end.
#[allow(clippy::inline_always, reason = "the compiler leaves 10 instructions of each stop to a call")]
#[inline(always)]
pub(in crate::runtime) fn after_stop(ending: &Ending, stopped: impl FnOnce() -> StopReason) -> Option<Next> {
    let finished = match ending {
        Ending::Result(Ok(())) => true,
        Ending::Result(Err(TaskError::Canceled)) => false,
        _ => return None,
    };
    Some(Next::End(TaskOutcome::Canceled { error: None, reason: stopped(), finished }))
}

/// Decides after a request, or if the attempt was dropped.
#[inline(never)]
fn decide_apart(facts: &Facts<'_>, ending: Ending) -> Next {
    if facts.request >= Request::Hold && facts.late {
        // The result came before the request and stands; only the next attempt does not begin.
        return match decide(&Facts { request: Request::Nothing, ..*facts }, ending) {
            Next::End(outcome) => Next::End(outcome),
            // The run is over, so no attempt is due when the siblings start again.
            next @ (Next::Scheduled | Next::GiveUp { .. }) if facts.comes_back() => next,
            Next::Retry { error, .. } if facts.comes_back() => Next::Hold(Some(error)),
            _ if facts.comes_back() => Next::Hold(None),
            Next::Retry { error, .. } | Next::GiveUp { error, .. } => facts.canceled(Some(error), false),
            Next::Scheduled | Next::Repeat(_) | Next::Throttle { .. } | Next::Restart(_) | Next::Hold(_) => {
                facts.canceled(None, true)
            }
        };
    }
    match (facts.request, ending) {
        (Request::Nothing, Ending::Result(result)) => after_result(facts, result),
        (Request::Nothing, Ending::Failed(error)) => after_failure(facts, error),
        (Request::Nothing, Ending::Told(delay)) => after_told_success(facts, delay),
        (Request::Nothing, Ending::Dropped) => facts.canceled(None, false),
        (Request::Hold, ending) if facts.comes_back() => Next::Hold(error_of(ending)),
        (Request::Restart, ending) => Next::Restart(error_of(ending)),
        (_, Ending::Aborted) => Next::End(TaskOutcome::Aborted { error: None }),
        (Request::Stop | Request::Hold, ending) => {
            let finished = matches!(ending, Ending::Result(Ok(())) | Ending::Told(_));
            facts.canceled(error_of(ending), finished)
        }
    }
}

#[inline]
fn after_result(facts: &Facts<'_>, result: Result<(), TaskError>) -> Next {
    match result {
        Ok(()) => after_success(facts),
        Err(TaskError::Canceled) => facts.canceled(None, false),
        Err(error) if error.is_fatal() => Next::End(TaskOutcome::Fatal { error: Arc::new(error) }),
        Err(TaskError::RetryAfter(told)) => after_told(facts, TaskError::RetryAfter(told)),
        Err(error) => after_failure(facts, Arc::new(error)),
    }
}

/// Returns `true` if [`decide`] would end the registration.
pub(in crate::runtime) fn is_final(facts: &Facts<'_>, ending: &Ending) -> bool {
    let error = match (facts.request, ending) {
        (Request::Restart, _) => return false,
        (Request::Hold | Request::Stop, _) => return !facts.comes_back(),
        (Request::Nothing, Ending::Dropped | Ending::Aborted) => return true,
        (Request::Nothing, Ending::Result(Ok(())) | Ending::Told(_)) => {
            return !matches!(facts.policy.restart, RestartPolicy::Always { .. });
        }
        (Request::Nothing, Ending::Result(Err(error))) => error,
        (Request::Nothing, Ending::Failed(error)) => &**error,
    };
    !error.is_retryable()
        || facts.policy.restart == RestartPolicy::Never
        || (!facts.policy.is_scheduled() && facts.exhausts(facts.streak_before().saturating_add(1)))
}

/// Returns `true` if an attempt that ends so ends the run of its schedule: it succeeded, or is not retried.
#[cfg(feature = "cron")]
pub(in crate::runtime) fn ends_run(facts: &Facts<'_>, ending: &Ending) -> bool {
    let error = match ending {
        Ending::Result(Ok(())) | Ending::Told(_) => return true,
        Ending::Result(Err(error)) => error,
        Ending::Failed(error) => &**error,
        Ending::Dropped | Ending::Aborted => return false,
    };
    error.is_retryable() && facts.exhausts(facts.streak_before().saturating_add(1))
}

fn after_success(facts: &Facts<'_>) -> Next {
    match (facts.policy.restart, facts.policy.every, facts.ticks) {
        (RestartPolicy::Never | RestartPolicy::OnFailure, ..) => Next::End(TaskOutcome::Completed),
        (RestartPolicy::Always { .. }, ..) if facts.policy.is_scheduled() => Next::Scheduled,
        (RestartPolicy::Always { .. }, Some(every), Some(ticks)) => {
            Next::Repeat(ticks.next(every).saturating_sub(ticks.ended))
        }
        (RestartPolicy::Always { interval: None }, None, _) => repeat_at_once(facts.at_once),
        (RestartPolicy::Always { interval }, ..) => Next::Repeat(interval.unwrap_or_default()),
    }
}

/// Like `after_success`, for an attempt that has told the time until the next one.
#[cold]
fn after_told_success(facts: &Facts<'_>, delay: Duration) -> Next {
    match after_success(facts) {
        next if facts.policy.every.is_some() => next,
        Next::Repeat(_) | Next::Throttle { .. } if delay.is_zero() => repeat_at_once(facts.at_once),
        Next::Repeat(_) | Next::Throttle { .. } => Next::Repeat(delay),
        next => next,
    }
}

/// Decides after a success without a time until the next attempt.
#[inline]
fn repeat_at_once(at_once: u8) -> Next {
    if at_once >= AT_ONCE {
        Next::Throttle { pause: pause_after(at_once), is_first: at_once == AT_ONCE }
    } else {
        Next::Repeat(Duration::ZERO)
    }
}

/// The number of successes in a row, each in the first poll of its attempt, from which on a task without an interval is
/// throttled.
const AT_ONCE: u8 = 10;

/// Returns the pause after this many such successes: 1 ms, doubled with each further success, up to 100 ms.
fn pause_after(at_once: u8) -> Duration {
    const LONGEST: u64 = 100;
    let doublings = u32::from(at_once.saturating_sub(AT_ONCE));
    Duration::from_millis(1_u64.checked_shl(doublings).unwrap_or(LONGEST).min(LONGEST))
}

#[inline]
fn after_failure(facts: &Facts<'_>, error: Arc<TaskError>) -> Next {
    let policy = facts.policy;
    if policy.restart == RestartPolicy::Never {
        return Next::End(match *error {
            TaskError::Panicked(_) => TaskOutcome::Panicked { error },
            _ => TaskOutcome::Failed { error },
        });
    }
    let before = facts.streak_before();
    let streak = before.saturating_add(1);
    if facts.exhausts(streak) && policy.is_scheduled() {
        return Next::GiveUp { error, failures: streak };
    }
    if facts.exhausts(streak) {
        return Next::End(TaskOutcome::Exhausted { error, failures: streak });
    }
    Next::Retry { error, delay: policy.backoff.next(before), streak, is_told: false }
}

/// Like `after_failure`, for an error with a delay of its own.
#[cold]
fn after_told(facts: &Facts<'_>, error: TaskError) -> Next {
    let (error, told) = error.split();
    match (after_failure(facts, Arc::new(error)), told) {
        (Next::Retry { error, streak, .. }, Some(delay)) => Next::Retry { error, delay, streak, is_told: true },
        (next, _) => next,
    }
}

/// The number of failures in a row that had a delay of their own. The backoff does not grow with them.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::runtime) struct Told(u32);

impl Told {
    /// Returns a count of one.
    pub(in crate::runtime) fn first() -> Self {
        Self(1)
    }

    /// Counts a failure that is retried, and corrects its backoff.
    pub(in crate::runtime) fn correct(&mut self, next: &mut Next, backoff: &BackoffPolicy) {
        let Next::Retry { delay, streak, is_told, .. } = next else { return };
        if *streak == 1 {
            // The failures before were reset.
            self.0 = 0;
        }
        if *is_told {
            self.0 = self.0.saturating_add(1);
        } else if self.0 > 0 {
            *delay = backoff.next(self.steps(*streak));
        }
    }

    /// Returns the number of steps of the backoff before the last of `streak` failures.
    pub(in crate::runtime) fn steps(self, streak: u32) -> u32 {
        streak.saturating_sub(1).saturating_sub(self.0)
    }
}

#[inline]
fn error_of(ending: Ending) -> Option<Arc<TaskError>> {
    match ending {
        Ending::Result(Err(error)) if !matches!(error, TaskError::Canceled) => Some(Arc::new(error.split().0)),
        Ending::Failed(error) => Some(error),
        _ => None,
    }
}

#[cfg(test)]
#[path = "decision_test.rs"]
mod tests;
