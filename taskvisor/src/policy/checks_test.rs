//! Tests each refused value and combination, and the nearest one that is accepted.
#![allow(clippy::unchecked_time_subtraction, reason = "the later time is first")]

use super::*;
use crate::supervisor::SupervisorConfig;

const SECOND: Duration = Duration::from_secs(1);
const ALWAYS: RestartPolicy = RestartPolicy::Always { interval: None };
const REPEATED: RestartPolicy = RestartPolicy::Always { interval: Some(SECOND) };
const AT_ONCE: RestartPolicy = RestartPolicy::Always { interval: Some(Duration::ZERO) };

/// Makes [`Overrides`] that set these options.
macro_rules! set {
    ($($option:ident: $value:expr),*) => { Overrides { $($option: Some($value),)* ..Overrides::default() } };
}

fn policy(set: &Overrides) -> ResolvedPolicy {
    set.resolve(&SupervisorConfig::default())
}

#[track_caller]
fn accepted(set: &Overrides) {
    assert_eq!(policy(set).check("x").map_err(|error| error.to_string()), Ok(()));
}

/// Asserts that `set` is refused, with this option, this value and this part of the expected value in the error.
#[track_caller]
fn refused(set: &Overrides, option: &str, value: &str, expected: &str) {
    let error = policy(set).check("x").unwrap_err();
    assert_eq!((&*error.subject, error.option, &*error.value), ("task `x`", option, value));
    assert!(error.expected.contains(expected), "{error}");
}

#[test]
fn values_of_tasks() {
    let backoff = BackoffPolicy::default();
    for (factor, value) in [
        (f64::NAN, "NaN"),
        (f64::INFINITY, "inf"),
        (f64::NEG_INFINITY, "-inf"),
        (-0.5, "-0.5"),
        (-12.0625, "-12.063"),
        (-1e-9, "-0.001"),
    ] {
        refused(&set! { backoff: BackoffPolicy { factor, ..backoff } }, "backoff.factor", value, "finite");
    }
    accepted(&set! { backoff: BackoffPolicy { factor: 0.0, ..backoff } });
    let first = BackoffPolicy { first: 2 * SECOND, max: SECOND, ..backoff };
    refused(&set! { backoff: first }, "backoff.first", "2s, above `backoff.max`, which is 1s", "at most");
    accepted(&set! { backoff: BackoffPolicy { first: SECOND, max: SECOND, ..backoff } });
    refused(&set! { limit: Some((1, Duration::ZERO)) }, "limit.within", "0ns", "longer than zero");
    accepted(&set! { limit: Some((0, SECOND)) });
    refused(&set! { watchdog: Some(Duration::ZERO) }, "watchdog", "0ns", "longer than zero");
    accepted(&set! { watchdog: Some(SECOND) });
    refused(&set! { start_timeout: Some(Duration::ZERO) }, "start_timeout", "0ns", "longer than zero");
    accepted(&set! { start_timeout: Some(SECOND) });
    refused(&set! { metric_label: Some("".into()) }, "metric_label", "\"\"", "not empty");
    accepted(&set! { metric_label: Some("a".into()) });
}

#[test]
fn combinations_of_tasks() {
    refused(&set! { final_attempt: true, restart: RestartPolicy::Never }, "final_attempt", "set", "runs again");
    accepted(&set! { final_attempt: true });
    accepted(&set! { restart: RestartPolicy::Never });
    refused(&set! { significant: true, restart: ALWAYS }, "significant", "set", "can end");
    accepted(&set! { significant: true, restart: RestartPolicy::Never, critical: Critical::Failure });
    refused(&set! { significant: true, critical: Critical::AnyEnd }, "significant", "set", "may end");
    accepted(&set! { restart: ALWAYS, critical: Critical::AnyEnd });
    refused(&set! { ready: Ready::Completed, critical: Critical::AnyEnd }, "ready", "Completed", "may end");
    refused(&set! { ready: Ready::Completed, restart: ALWAYS }, "ready", "Completed", "can end");
    accepted(&set! { ready: Ready::Completed, critical: Critical::Failure });
    accepted(&set! { ready: Ready::Signal, restart: ALWAYS, critical: Critical::AnyEnd });
}

#[test]
fn the_first_success_and_the_failures_after_it() {
    refused(&set! { ready: Ready::FirstSuccess }, "ready", "FirstSuccess", "`Always`");
    accepted(&set! { ready: Ready::FirstSuccess, restart: ALWAYS });
    let after = |failures, ready| set! { ready: ready, restart: ALWAYS, unready_after: Some(failures) };
    refused(&after(0, Ready::FirstSuccess), "unready_after", "0", "at least 1 failure");
    refused(&after(3, Ready::Start), "unready_after", "3", "`Ready::FirstSuccess`");
    accepted(&after(1, Ready::FirstSuccess));
}

#[test]
fn periods() {
    let splayed = |restart| set! { splay: SECOND, restart: restart };
    for restart in [RestartPolicy::OnFailure, ALWAYS, AT_ONCE] {
        refused(&splayed(restart), "splay", "1s", "a period, an interval or a schedule");
    }
    accepted(&splayed(REPEATED));
    accepted(&set! { splay: SECOND, every: Some(SECOND), restart: ALWAYS });
    accepted(&set! { restart: AT_ONCE });
    refused(&set! { every: Some(Duration::ZERO), restart: ALWAYS }, "every", "0ns", "longer than zero");
    refused(&set! { every: Some(SECOND), restart: REPEATED }, "every", "1s", "not both");
    refused(&set! { every: Some(SECOND) }, "every", "1s", "`Always`");
}

#[test]
#[cfg(feature = "cron")]
fn schedules() {
    let daily = || set! { cron: Some("@daily".into()), restart: ALWAYS };
    accepted(&daily());
    accepted(&Overrides { splay: Some(SECOND), ..daily() });
    let wrong = |value: &str| Overrides { cron: Some(Some(value.into())), ..daily() };
    refused(&wrong("* *"), "cron", "\"* *\"", "a cron pattern: ");
    let elsewhere = Overrides { zone: Some(Some("Mars".into())), ..daily() };
    refused(&elsewhere, "zone", "\"Mars\"", "a time zone: ");
    for (restart, expected) in [(REPEATED, "not both"), (RestartPolicy::OnFailure, "`Always`")] {
        refused(&Overrides { restart: Some(restart), ..daily() }, "cron", "\"@daily\"", expected);
    }
    for (set, expected) in [
        (Overrides { every: Some(Some(SECOND)), ..daily() }, "either `cron` or `every`"),
        (Overrides { initial_delay: Some(SECOND), ..daily() }, "no `initial_delay`"),
        (Overrides { ready: Some(Ready::Signal), ..daily() }, "`Ready::Start`"),
    ] {
        refused(&set, "cron", "\"@daily\"", expected);
    }
    let late = |late| Overrides { late: Some(Some(late)), ..daily() };
    refused(&late(SECOND - Duration::from_nanos(1)), "late", "999.999999ms", "at least 1s");
    accepted(&late(SECOND));
}

#[test]
#[cfg(feature = "fleet")]
fn singletons_with_a_period() {
    let singleton = || set! { singleton: Some(std::sync::Arc::default()), every: Some(SECOND), restart: ALWAYS };
    accepted(&singleton());
    accepted(&Overrides { every: Some(None), initial_delay: Some(SECOND), ..singleton() });
    let every = |every| Overrides { every: Some(Some(every)), ..singleton() };
    refused(&every(Duration::from_nanos(1_000_000_001)), "every", "1.000000001s", "whole seconds");
    refused(&every(Duration::ZERO), "every", "0ns", "longer than zero");
    accepted(&Overrides { singleton: None, ..every(Duration::from_millis(1_500)) });
    refused(&Overrides { initial_delay: Some(SECOND), ..singleton() }, "every", "1s", "no `initial_delay`");
    refused(&Overrides { ready: Some(Ready::Signal), ..singleton() }, "every", "1s", "`Ready::Start`");
    let late = Overrides { late: Some(Some(Duration::ZERO)), ..singleton() };
    refused(&late, "late", "0ns", "at least 1s");
}

#[test]
#[cfg(feature = "cron")]
fn what_is_for_a_schedule_needs_one() {
    let unset = Overrides::default();
    assert!(unset.check_schedule("x").is_ok());
    for (set, option, value) in [
        (set! { zone: Some("UTC".into()) }, "zone", "\"UTC\""),
        (set! { missed: crate::policy::Missed::Skip }, "missed", "Skip"),
        (set! { late: Some(SECOND) }, "late", "1s"),
        (set! { last_run: Some(std::time::UNIX_EPOCH) }, "last_run", "set"),
    ] {
        let error = set.check_schedule("x").unwrap_err();
        assert_eq!((&*error.subject, error.option, &*error.value), ("task `x`", option, value));
        assert!(Overrides { cron: Some(Some("@daily".into())), ..set.clone() }.check_schedule("x").is_ok());
        #[cfg(feature = "fleet")]
        {
            let alone = Overrides { every: Some(Some(SECOND)), ..set.clone() };
            let singleton = Overrides { singleton: Some(Some(std::sync::Arc::default())), ..set };
            let both = Overrides { every: alone.every, ..singleton.clone() };
            assert!(alone.check_schedule("x").is_err() && singleton.check_schedule("x").is_err());
            assert!(both.check_schedule("x").is_ok());
        }
    }
    assert!(set! { missed: crate::policy::Missed::Once }.check_schedule("x").is_ok());
}

#[test]
fn values_and_combinations_of_groups() {
    let limits = [Some(1), Some(1)];
    let check = |limit, limits, is_fresh, set: Overrides| check_group("g", limit, limits, is_fresh, &set);
    let accepted = |limit, limits, is_fresh, set| assert!(check(limit, limits, is_fresh, set).is_ok());
    let refused = |limit, limits, is_fresh, set, option, value: &str| {
        let error = check(limit, limits, is_fresh, set).unwrap_err();
        assert_eq!((&*error.subject, error.option, &*error.value), ("group `g`", option, value));
    };
    let none = Overrides::default;
    accepted(None, [None, None], false, none());
    accepted(Some((1, SECOND)), limits, false, none());
    refused(Some((1, Duration::ZERO)), limits, false, none(), "limit.within", "0ns");
    refused(None, [Some(0), Some(1)], false, none(), "max_starting", "0");
    refused(None, [Some(1), Some(0)], false, none(), "max_concurrent", "0");
    refused(None, limits, true, set! { start_timeout: Some(Duration::ZERO) }, "start_timeout", "0ns");
    refused(None, limits, false, set! { start_timeout: Some(SECOND) }, "start_timeout", "1s");
    accepted(None, limits, true, set! { start_timeout: Some(SECOND) });
    accepted(None, limits, false, set! { start_timeout: None });
    let backoff = BackoffPolicy { factor: -1.0, ..BackoffPolicy::default() };
    refused(None, limits, false, set! { backoff: backoff }, "backoff.factor", "-1");
    refused(None, limits, false, set! { significant: true, restart: ALWAYS }, "significant", "set");
    accepted(None, limits, false, set! { significant: false, restart: ALWAYS, critical: Critical::AnyEnd });
    accepted(None, limits, false, set! { significant: true, restart: RestartPolicy::Never });
    refused(None, limits, false, set! { significant: true, critical: Critical::AnyEnd }, "significant", "set");
    accepted(None, limits, false, set! { significant: true, critical: Critical::Failure });
}

#[test]
fn critical_has_no_effect_on_failures_that_are_retried_without_end() {
    let endless = set! { critical: Critical::Failure };
    assert!(policy(&endless).is_critical_without_end());
    for set in [
        set! { critical: Critical::No },
        Overrides { max_retries: Some(Some(3)), ..endless.clone() },
        Overrides { limit: Some(Some((3, SECOND))), ..endless.clone() },
    ] {
        assert!(!policy(&set).is_critical_without_end(), "{set:?}");
    }
    #[cfg(feature = "cron")]
    {
        let scheduled = Overrides { cron: Some(Some("@daily".into())), max_retries: Some(Some(3)), ..endless };
        assert!(policy(&scheduled).is_critical_without_end());
    }
}

#[test]
fn a_periodic_task_runs_again_at_a_time() {
    for restart in [RestartPolicy::OnFailure, ALWAYS] {
        assert!(!policy(&set! { restart: restart }).is_periodic());
        assert!(policy(&set! { restart: restart, every: Some(SECOND) }).is_periodic());
    }
    assert!(policy(&set! { restart: REPEATED }).is_periodic());
    #[cfg(feature = "cron")]
    assert!(policy(&set! { cron: Some("@daily".into()) }).is_periodic());
}

#[test]
fn a_first_attempt_waits_for_its_delay_or_its_shift() {
    assert!(!policy(&Overrides::default()).begins_later());
    assert!(policy(&set! { initial_delay: SECOND }).begins_later());
    assert!(policy(&set! { splay: SECOND }).begins_later());
}

#[test]
fn only_a_completion_and_a_first_success_come_with_an_end() {
    let come = |ready: Ready| ready.comes_with_an_end();
    assert!(come(Ready::Completed) && come(Ready::FirstSuccess) && !come(Ready::Start) && !come(Ready::Signal));
}
