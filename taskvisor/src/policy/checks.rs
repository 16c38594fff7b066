//! The values and combinations of options that are refused.

use super::{BackoffPolicy, Ready, ResolvedPolicy, RestartPolicy};
use crate::supervisor::InvalidOption;

impl ResolvedPolicy {
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
        let expected = "a finite number of at least 0";
        return Err(InvalidOption::new(subject(), "backoff.factor", factor.to_string(), expected));
    }
    if first > max {
        let value = format!("{first:?}, above `backoff.max`, which is {max:?}");
        return Err(InvalidOption::new(subject(), "backoff.first", value, "at most `backoff.max`"));
    }
    Ok(())
}
