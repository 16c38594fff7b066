//! What follows from the end of an attempt: a plain function of what is known.

use std::sync::Arc;
use std::time::Duration;

use crate::inspect::TaskOutcome;
use crate::policy::{RestartPolicy, Settings, Ticks};
use crate::task::TaskError;

/// What was requested of a registration from outside. A stop is never taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::runtime) enum Request {
    Nothing,
    Restart,
    /// To end the attempt and wait to be started again with its siblings.
    Hold,
    Stop,
}

/// How an attempt ended.
#[derive(Debug)]
pub(in crate::runtime) enum Ending {
    /// With a result: its own, a panic, or its timeout.
    Result(Result<(), TaskError>),
    /// Dropped because it was told to stop, and takes no context that could tell it.
    Dropped,
    /// Dropped because it did not stop in time.
    Aborted,
}

impl Ending {
    /// A panic makes a failure of what would have been none.
    pub(in crate::runtime) fn with_panic(self, panic: TaskError) -> Self {
        match self {
            Self::Result(Ok(()) | Err(TaskError::Canceled)) | Self::Dropped => Self::Result(Err(panic)),
            other => other,
        }
    }
}

/// What is known when an attempt has ended.
pub(in crate::runtime) struct Facts<'a> {
    pub(in crate::runtime) settings: &'a Settings,
    pub(in crate::runtime) request: Request,
    /// It was requested after the attempt had ended, while helpers were waited for.
    pub(in crate::runtime) late: bool,
    /// Failures in a row before this attempt.
    pub(in crate::runtime) streak: u32,
    /// How long the attempt lived; `None` if it ended in its first poll.
    pub(in crate::runtime) lived: Option<Duration>,
    /// For a fixed rate.
    pub(in crate::runtime) ticks: Option<&'a Ticks>,
}

/// What to do about it.
#[derive(Debug)]
pub(in crate::runtime) enum Next {
    /// The registration is over.
    End(TaskOutcome),
    /// Told to restart: the next attempt is due, with no failure counted.
    Restart(Option<Arc<TaskError>>),
    /// Told to hold: the next attempt waits for its siblings.
    Hold(Option<Arc<TaskError>>),
    /// The attempt succeeded, the next waits.
    Repeat(Duration),
    /// The attempt failed, the next waits.
    Retry { error: Arc<TaskError>, delay: Duration, streak: u32 },
}

impl Facts<'_> {
    /// Whether it is to be started again with its siblings. One that runs once is not.
    fn comes_back(&self) -> bool {
        self.request == Request::Hold && self.settings.restart != RestartPolicy::Never
    }

    /// The failures in a row before this attempt; none if it lived long enough.
    fn streak_before(&self) -> u32 {
        let healthy = self.lived.is_some_and(|lived| lived >= self.settings.reset_after);
        if healthy { 0 } else { self.streak }
    }

    fn exhausts(&self, streak: u32) -> bool {
        self.settings.max_retries.is_some_and(|retries| streak > retries)
    }
}

pub(in crate::runtime) fn decide(facts: &Facts<'_>, ending: Ending) -> Next {
    if facts.request >= Request::Hold && facts.late {
        // The result was taken before, and stands; only what would have come next does not come.
        return match decide(&Facts { request: Request::Nothing, ..*facts }, ending) {
            Next::End(outcome) => Next::End(outcome),
            Next::Retry { error, .. } if facts.comes_back() => Next::Hold(Some(error)),
            _ if facts.comes_back() => Next::Hold(None),
            Next::Retry { error, .. } => Next::End(TaskOutcome::Canceled { error: Some(error) }),
            Next::Repeat(_) | Next::Restart(_) | Next::Hold(_) => Next::End(TaskOutcome::Canceled { error: None }),
        };
    }
    let result = match (facts.request, ending) {
        (Request::Nothing, Ending::Result(result)) => result,
        (Request::Nothing, Ending::Dropped) => Err(TaskError::Canceled),
        (Request::Hold, ending) if facts.comes_back() => return Next::Hold(error_of(ending)),
        (Request::Restart, ending) => return Next::Restart(error_of(ending)),
        (_, Ending::Aborted) => {
            return Next::End(TaskOutcome::Aborted { error: None });
        }
        (Request::Stop | Request::Hold, ending) => return Next::End(TaskOutcome::Canceled { error: error_of(ending) }),
    };
    match result {
        Ok(()) => after_success(facts),
        Err(TaskError::Canceled) => Next::End(TaskOutcome::Canceled { error: None }),
        Err(error) if error.is_fatal() => Next::End(TaskOutcome::Fatal { error: Arc::new(error) }),
        Err(error) => after_failure(facts, Arc::new(error)),
    }
}

/// Whether [`decide`] would end the registration.
pub(in crate::runtime) fn is_final(facts: &Facts<'_>, ending: &Ending) -> bool {
    let result = match (facts.request, ending) {
        (Request::Restart, _) => return false,
        (Request::Hold | Request::Stop, _) => return !facts.comes_back(),
        (Request::Nothing, Ending::Dropped | Ending::Aborted) => return true,
        (Request::Nothing, Ending::Result(result)) => result,
    };
    match result {
        Ok(()) => !matches!(facts.settings.restart, RestartPolicy::Always { .. }),
        Err(error) => {
            !error.is_retryable()
                || facts.settings.restart == RestartPolicy::Never
                || facts.exhausts(facts.streak_before().saturating_add(1))
        }
    }
}

fn after_success(facts: &Facts<'_>) -> Next {
    match (facts.settings.restart, facts.settings.every, facts.ticks) {
        (RestartPolicy::Never | RestartPolicy::OnFailure, ..) => Next::End(TaskOutcome::Completed),
        (RestartPolicy::Always { .. }, Some(every), Some(ticks)) => {
            Next::Repeat(ticks.next(every).saturating_sub(ticks.ended))
        }
        (RestartPolicy::Always { interval }, ..) => Next::Repeat(interval.unwrap_or_default()),
    }
}

fn after_failure(facts: &Facts<'_>, error: Arc<TaskError>) -> Next {
    let settings = facts.settings;
    if settings.restart == RestartPolicy::Never {
        return Next::End(match *error {
            TaskError::Panicked { .. } => TaskOutcome::Panicked { error },
            _ => TaskOutcome::Failed { error },
        });
    }
    let before = facts.streak_before();
    let streak = before.saturating_add(1);
    if facts.exhausts(streak) {
        return Next::End(TaskOutcome::Exhausted { error, failures: streak });
    }
    Next::Retry { error, delay: settings.backoff.next(before), streak }
}

fn error_of(ending: Ending) -> Option<Arc<TaskError>> {
    match ending {
        Ending::Result(Err(error)) if !matches!(error, TaskError::Canceled) => Some(Arc::new(error)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Overrides;
    use crate::supervisor::SupervisorConfig;

    fn settings(restart: RestartPolicy, max_retries: Option<u32>) -> Settings {
        let overrides = Overrides { restart: Some(restart), max_retries: Some(max_retries), ..Overrides::default() };
        overrides.resolve(&SupervisorConfig::default())
    }

    fn facts(settings: &Settings, request: Request, streak: u32) -> Facts<'_> {
        Facts { settings, request, late: false, streak, lived: None, ticks: None }
    }

    fn fail() -> Ending {
        Ending::Result(Err(TaskError::Fail { reason: "x".into() }))
    }

    #[test]
    fn what_was_told_outranks_the_result() {
        for restart in [RestartPolicy::Never, RestartPolicy::OnFailure, RestartPolicy::Always { interval: None }] {
            let settings = settings(restart, Some(0));
            let stop = facts(&settings, Request::Stop, 0);
            assert!(matches!(decide(&stop, fail()), Next::End(TaskOutcome::Canceled { error: Some(_) })));
            for ending in [Ending::Result(Ok(())), Ending::Dropped, Ending::Result(Err(TaskError::Canceled))] {
                assert!(matches!(decide(&stop, ending), Next::End(TaskOutcome::Canceled { error: None })));
            }
            assert!(matches!(decide(&stop, Ending::Aborted), Next::End(TaskOutcome::Aborted { .. })));
            let restart = facts(&settings, Request::Restart, 9);
            assert!(matches!(decide(&restart, fail()), Next::Restart(Some(_))));
            assert!(matches!(decide(&restart, Ending::Aborted), Next::Restart(None)));
        }
    }

    #[test]
    fn exactly_max_retries_are_allowed() {
        let settings = settings(RestartPolicy::OnFailure, Some(2));
        for (streak, ends) in [(0, false), (1, false), (2, true)] {
            let next = decide(&facts(&settings, Request::Nothing, streak), fail());
            assert_eq!(matches!(next, Next::End(TaskOutcome::Exhausted { failures: 3, .. })), ends, "{streak}");
        }
    }

    #[test]
    fn a_long_life_starts_the_streak_again_and_a_shorter_one_does_not() {
        let settings = settings(RestartPolicy::OnFailure, None);
        let after = |lived| Facts { lived: Some(lived), ..facts(&settings, Request::Nothing, 7) };
        let long = decide(&after(settings.reset_after), fail());
        assert!(matches!(long, Next::Retry { streak: 1, .. }));
        let short = decide(&after(settings.reset_after.saturating_sub(Duration::from_nanos(1))), fail());
        assert!(matches!(short, Next::Retry { streak: 8, .. }));
    }
}
