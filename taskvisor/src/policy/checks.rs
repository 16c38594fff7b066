//! Checks that refuse invalid values and combinations of options.

use std::time::Duration;

use super::{BackoffPolicy, Critical, Overrides, Ready, ResolvedPolicy, RestartPolicy};
use crate::supervisor::InvalidOption;

impl ResolvedPolicy {
    /// Returns `true` if `critical` has no effect on failures that are retried, because they are retried without end.
    pub(crate) fn is_critical_without_end(&self) -> bool {
        // After `max_retries`, a scheduled task waits for its next run.
        let is_retried = self.max_retries.is_none() || self.is_scheduled();
        self.critical.is_set() && is_retried && self.limit.is_none()
    }

    /// Returns `false`: calendar schedules need the feature `cron`.
    #[cfg(not(feature = "cron"))]
    #[expect(clippy::unused_self, reason = "it has the shape of the real one")]
    pub(crate) const fn is_scheduled(&self) -> bool {
        false
    }

    /// Returns `true` if another run is planned after a success: by a period, an interval or a schedule.
    pub(crate) fn is_periodic(&self) -> bool {
        self.every.is_some()
            || self.is_scheduled()
            || matches!(self.restart, RestartPolicy::Always { interval: Some(_) })
    }

    /// Returns `true` if the first attempt waits for a time.
    pub(crate) fn begins_later(&self) -> bool {
        !(self.initial_delay.is_zero() && self.splay.is_zero())
    }

    pub(crate) fn check(&self, name: &str) -> Result<(), InvalidOption> {
        const CAN_END: &str = "a task that can end: not the restart policy `Always`";
        const MAY_END: &str = "a task that may end: not `critical` at any end";
        const RUNS_AGAIN: &str = "a task that runs again: not the restart policy `Never`";
        let subject = || format!("task `{name}`");
        let reject_if = |is_wrong, option, value: &str, expected| {
            if is_wrong { Err(InvalidOption::new(subject(), option, value, expected)) } else { Ok(()) }
        };
        let runs_once = self.restart == RestartPolicy::Never;
        let is_always = matches!(self.restart, RestartPolicy::Always { .. });
        let has_interval = matches!(self.restart, RestartPolicy::Always { interval: Some(_) });
        check_backoff(&self.backoff, &subject)?;
        let limit_within = self.limit.map(|(_, within)| within);
        reject_if(limit_within == Some(Duration::ZERO), "limit.within", "0ns", "a time longer than zero")?;
        reject_if(self.watchdog == Some(Duration::ZERO), "watchdog", "0ns", "a silence longer than zero")?;
        reject_if(self.start_timeout == Some(Duration::ZERO), "start_timeout", "0ns", "a time longer than zero")?;
        reject_if(self.metric_label.as_deref() == Some(""), "metric_label", "\"\"", "a label that is not empty")?;
        reject_if(self.final_attempt && runs_once, "final_attempt", "set", RUNS_AGAIN)?;
        reject_if(self.significant && is_always, "significant", "set", CAN_END)?;
        let may_not_end = self.critical == Critical::AnyEnd;
        reject_if(self.significant && may_not_end, "significant", "set", MAY_END)?;
        reject_if(self.ready == Ready::Completed && may_not_end, "ready", "Completed", MAY_END)?;
        let waits_for_success = self.ready == Ready::FirstSuccess;
        reject_if(waits_for_success && !is_always, "ready", "FirstSuccess", "the restart policy `Always` beside it")?;
        if let Some(failures) = self.unready_after {
            let value = failures.to_string();
            reject_if(failures == 0, "unready_after", &value, "at least 1 failure: leave it out for never")?;
            reject_if(!waits_for_success, "unready_after", &value, "`Ready::FirstSuccess` beside it")?;
        }
        reject_if(self.ready == Ready::Completed && is_always, "ready", "Completed", CAN_END)?;
        let is_periodic = self.is_scheduled()
            || self.every.is_some()
            || matches!(self.restart, RestartPolicy::Always { interval: Some(pause) } if !pause.is_zero());
        let splay = format!("{:?}", self.splay);
        reject_if(
            !self.splay.is_zero() && !is_periodic,
            "splay",
            &splay,
            "a period, an interval or a schedule beside it",
        )?;
        #[cfg(feature = "cron")]
        self.check_schedule(&subject)?;
        let Some(every) = self.every else { return Ok(()) };
        let value = format!("{every:?}");
        reject_if(every.is_zero(), "every", &value, "a period longer than zero")?;
        reject_if(has_interval, "every", &value, "either `every` or `interval`, not both")?;
        reject_if(!is_always, "every", &value, "the restart policy `Always` beside it")
    }
}

/// Checks the options of a group. The two limits are `max_starting` and `max_concurrent`.
pub(crate) fn check_group(
    name: &str,
    limit: Option<(u32, Duration)>,
    [max_starting, max_concurrent]: [Option<usize>; 2],
    is_fresh: bool,
    overrides: &Overrides,
) -> Result<(), InvalidOption> {
    let subject = || format!("group `{name}`");
    let invalid = |option, value: &str, expected| Err(InvalidOption::new(subject(), option, value, expected));
    if limit.is_some_and(|(_, within)| within.is_zero()) {
        return invalid("limit.within", "0ns", "a time longer than zero");
    }
    if max_starting == Some(0) {
        return invalid("max_starting", "0", "at least 1: nothing could start");
    }
    if max_concurrent == Some(0) {
        return invalid("max_concurrent", "0", "at least 1");
    }
    let Overrides { backoff, significant, restart, critical, start_timeout, .. } = overrides;
    match start_timeout {
        Some(Some(Duration::ZERO)) => return invalid("start_timeout", "0ns", "a time longer than zero"),
        Some(Some(timeout)) if !is_fresh => {
            let expected = "a group with `fresh`: it limits that function";
            return invalid("start_timeout", &format!("{timeout:?}"), expected);
        }
        _ => {}
    }
    if let Some(backoff) = backoff {
        check_backoff(backoff, &subject)?;
    }
    if *significant == Some(true) && matches!(restart, Some(RestartPolicy::Always { .. })) {
        return invalid("significant", "set", "a group that can end: not the restart policy `Always`");
    }
    if *significant == Some(true) && *critical == Some(Critical::AnyEnd) {
        return invalid("significant", "set", "a group that may end: not `critical` at any end");
    }
    Ok(())
}

pub(crate) fn check_backoff(backoff: &BackoffPolicy, subject: &dyn Fn() -> String) -> Result<(), InvalidOption> {
    let BackoffPolicy { first, max, factor, .. } = *backoff;
    if !factor.is_finite() || factor < 0.0 {
        let expected = "a finite number of at least 0";
        return Err(InvalidOption::new(subject(), "backoff.factor", shown_factor(factor), expected));
    }
    if first > max {
        let value = format!("{first:?}, above `backoff.max`, which is {max:?}");
        return Err(InvalidOption::new(subject(), "backoff.first", value, "at most `backoff.max`"));
    }
    Ok(())
}

/// Formats a refused factor, rounded up to thousandths. To format an `f64` exactly would add 25 KiB of code for this
/// message alone.
#[cold]
fn shown_factor(factor: f64) -> String {
    let sign = if factor < 0.0 { "-" } else { "" };
    if factor.is_nan() {
        return "NaN".to_owned();
    }
    if factor.is_infinite() {
        return format!("{sign}inf");
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "what is too large is shown as the largest"
    )]
    let thousandths = (factor.abs() * 1e3).ceil() as u64;
    let shown = format!("{sign}{}.{:03}", thousandths / 1000, thousandths % 1000);
    shown.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
#[path = "checks_test.rs"]
mod tests;
