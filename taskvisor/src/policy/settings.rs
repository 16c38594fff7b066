//! What a spec says, made whole by what the config says.

use std::sync::Arc;
use std::time::Duration;

use super::ready::Ready;
use super::{BackoffPolicy, RestartPolicy};
use crate::supervisor::{InvalidOption, SupervisorConfig};

/// The shortest healthy life that makes a failure count as the first again, unless it is set.
const RESET_AFTER: Duration = Duration::from_secs(10);

/// What was set on a spec; the rest is inherited at registration.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(crate) struct Overrides {
    pub(crate) restart: Option<RestartPolicy>,
    pub(crate) every: Option<Duration>,
    pub(crate) initial_delay: Option<Duration>,
    pub(crate) backoff: Option<BackoffPolicy>,
    pub(crate) reset_after: Option<Duration>,
    pub(crate) max_retries: Option<u32>,
    /// Zero is a spec that says: no timeout.
    pub(crate) timeout: Option<Duration>,
    pub(crate) stop_timeout: Option<Duration>,
    pub(crate) cleanup: Option<Duration>,
    pub(crate) ready: Ready,
    pub(crate) start_timeout: Option<Duration>,
    pub(crate) watchdog: Option<Duration>,
    pub(crate) critical: bool,
    pub(crate) significant: bool,
    pub(crate) final_attempt: bool,
    pub(crate) without_readiness: bool,
}

/// The settings that a registration runs by. Equal ones are shared between registrations.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(crate) struct Settings {
    pub(crate) restart: RestartPolicy,
    pub(crate) every: Option<Duration>,
    pub(crate) initial_delay: Duration,
    pub(crate) backoff: BackoffPolicy,
    pub(crate) reset_after: Duration,
    pub(crate) max_retries: Option<u32>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) stop_timeout: Option<Duration>,
    /// How long the clean-up after a timeout may take. `None` if neither the task nor the config says.
    pub(crate) cleanup: Option<Duration>,
    pub(crate) ready: Ready,
    pub(crate) start_timeout: Duration,
    pub(crate) watchdog: Option<Duration>,
    pub(crate) critical: bool,
    pub(crate) significant: bool,
    /// A stop that finds the task waiting begins one more attempt.
    pub(crate) final_attempt: bool,
    /// Its state counts for the readiness of the whole.
    pub(crate) readiness: bool,
    /// What metrics name it by, if not by its place in the tree.
    pub(crate) metric_label: Option<Arc<str>>,
}

impl Overrides {
    /// Nothing is set.
    pub(crate) const NONE: Self = Self {
        restart: None,
        every: None,
        initial_delay: None,
        backoff: None,
        reset_after: None,
        max_retries: None,
        timeout: None,
        stop_timeout: None,
        cleanup: None,
        ready: Ready::Start,
        start_timeout: None,
        watchdog: None,
        critical: false,
        significant: false,
        final_attempt: false,
        without_readiness: false,
    };

    pub(crate) fn resolve(&self, config: &SupervisorConfig) -> Settings {
        let backoff = self.backoff.unwrap_or(config.backoff);
        Settings {
            restart: self.restart.unwrap_or(config.restart),
            every: self.every,
            initial_delay: self.initial_delay.unwrap_or_default(),
            backoff,
            reset_after: self.reset_after.or(config.reset_after).unwrap_or(backoff.max.max(RESET_AFTER)),
            max_retries: self.max_retries.or(config.max_retries),
            timeout: Some(self.timeout.unwrap_or(config.timeout)).filter(|timeout| !timeout.is_zero()),
            stop_timeout: self.stop_timeout.or(config.stop_timeout),
            cleanup: self.cleanup.or(config.cleanup),
            ready: self.ready,
            start_timeout: self.start_timeout.unwrap_or(config.start_timeout),
            watchdog: self.watchdog,
            critical: self.critical,
            significant: self.significant,
            final_attempt: self.final_attempt,
            readiness: !self.without_readiness,
            metric_label: None,
        }
    }

    /// The same settings as a spec that sets them all.
    pub(crate) fn of(settings: &Settings) -> Self {
        Self {
            restart: Some(settings.restart),
            every: settings.every,
            initial_delay: Some(settings.initial_delay),
            backoff: Some(settings.backoff),
            reset_after: Some(settings.reset_after),
            max_retries: settings.max_retries,
            timeout: Some(settings.timeout.unwrap_or_default()),
            stop_timeout: settings.stop_timeout,
            cleanup: settings.cleanup,
            ready: settings.ready,
            start_timeout: Some(settings.start_timeout),
            watchdog: settings.watchdog,
            critical: settings.critical,
            significant: settings.significant,
            final_attempt: settings.final_attempt,
            without_readiness: !settings.readiness,
        }
    }
}

impl Settings {
    pub(crate) fn check(&self, name: &str) -> Result<(), InvalidOption> {
        let subject = || format!("task `{name}`");
        let invalid = |option, value, expected| Err(InvalidOption { subject: subject(), option, value, expected });
        check_backoff(&self.backoff, &subject)?;
        if self.watchdog.is_some_and(|watchdog| watchdog.is_zero()) {
            return invalid("watchdog", "0ns".into(), "a silence longer than zero");
        }
        if self.start_timeout.is_zero() {
            return invalid("start_timeout", "0ns".into(), "a time longer than zero");
        }
        if self.metric_label.as_deref() == Some("") {
            return invalid("metric_label", "\"\"".into(), "a label that is not empty");
        }
        if self.final_attempt && self.restart == RestartPolicy::Never {
            return invalid("final_attempt", "set".into(), "a task that runs again: not the restart policy `Never`");
        }
        if matches!(self.restart, RestartPolicy::Always { .. }) {
            if self.significant {
                return invalid("significant", "set".into(), "a task that can end: not the restart policy `Always`");
            }
            if self.ready == Ready::Completed {
                return invalid("ready", "Completed".into(), "a task that can end: not the restart policy `Always`");
            }
        }
        match (self.every, self.restart) {
            (Some(every), _) if every.is_zero() => invalid("every", "0ns".into(), "a period longer than zero"),
            (Some(every), RestartPolicy::Always { interval: Some(_) }) => {
                invalid("every", format!("{every:?}"), "either `every` or `interval`, not both")
            }
            (Some(every), RestartPolicy::Never | RestartPolicy::OnFailure) => {
                invalid("every", format!("{every:?}"), "the restart policy `Always` beside it")
            }
            _ => Ok(()),
        }
    }
}

pub(crate) fn check_backoff(backoff: &BackoffPolicy, subject: &dyn Fn() -> String) -> Result<(), InvalidOption> {
    let BackoffPolicy { first, max, factor, .. } = *backoff;
    if !factor.is_finite() || factor < 0.0 {
        return Err(InvalidOption {
            subject: subject(),
            option: "backoff.factor",
            value: factor.to_string(),
            expected: "a finite number of at least 0",
        });
    }
    if first > max {
        return Err(InvalidOption {
            subject: subject(),
            option: "backoff.first",
            value: format!("{first:?}, above `backoff.max`, which is {max:?}"),
            expected: "at most `backoff.max`",
        });
    }
    Ok(())
}
