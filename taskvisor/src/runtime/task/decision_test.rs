//! Tests what follows each end of an attempt.

use super::*;
use crate::policy::Overrides;
use crate::supervisor::SupervisorConfig;

fn policy(restart: RestartPolicy, max_retries: Option<u32>) -> ResolvedPolicy {
    let overrides = Overrides { restart: Some(restart), max_retries: Some(max_retries), ..Overrides::default() };
    overrides.resolve(&SupervisorConfig::default())
}

fn facts(policy: &ResolvedPolicy, request: Request, streak: u32) -> Facts<'_> {
    Facts { policy, request, late: false, streak, lived: None, at_once: 0, ticks: None, stopped: None }
}

fn fail() -> Ending {
    Ending::Result(Err(TaskError::Fail { reason: "x".into() }))
}

#[test]
fn what_was_told_outranks_the_result() {
    for restart in [RestartPolicy::Never, RestartPolicy::OnFailure, RestartPolicy::Always { interval: None }] {
        let policy = policy(restart, Some(0));
        let stop = facts(&policy, Request::Stop, 0);
        assert!(matches!(
            decide(&stop, fail()),
            Next::End(TaskOutcome::Canceled { error: Some(_), finished: false, .. })
        ));
        for (ending, returned_ok) in [
            (Ending::Result(Ok(())), true),
            (Ending::Dropped, false),
            (Ending::Result(Err(TaskError::Canceled)), false),
        ] {
            let Next::End(TaskOutcome::Canceled { error: None, finished, .. }) = decide(&stop, ending) else {
                panic!()
            };
            assert_eq!(finished, returned_ok);
        }
        assert!(matches!(decide(&stop, Ending::Aborted), Next::End(TaskOutcome::Aborted { .. })));
        let restart = facts(&policy, Request::Restart, 9);
        assert!(matches!(decide(&restart, fail()), Next::Restart(Some(_))));
        assert!(matches!(decide(&restart, Ending::Aborted), Next::Restart(None)));
    }
}

#[cfg(feature = "cron")]
#[test]
fn a_run_is_over_with_a_success_and_with_the_last_retry() {
    let policy = policy(RestartPolicy::Always { interval: None }, Some(1));
    let canceled = || Ending::Result(Err(TaskError::Canceled));
    let fatal = || Ending::Result(Err(TaskError::Permanent("x".into())));
    let failed = || Ending::Failed(Arc::new(TaskError::Fail { reason: "x".into() }));
    for (ending, streak, expected) in [
        (Ending::Result(Ok(())), 0, true),
        (fail(), 0, false),
        (fail(), 1, true),
        (failed(), 0, false),
        (failed(), 1, true),
        // These end the registration.
        (fatal(), 0, false),
        (fatal(), 1, false),
        (canceled(), 1, false),
        (Ending::Dropped, 1, false),
        (Ending::Aborted, 1, false),
    ] {
        assert_eq!(ends_run(&facts(&policy, Request::Restart, streak), &ending), expected, "{streak} {ending:?}");
    }
}

#[test]
fn only_the_usual_end_after_a_stop_is_decided_the_short_way() {
    for (ending, returned_ok) in [(Ending::Result(Ok(())), true), (Ending::Result(Err(TaskError::Canceled)), false)] {
        let next = after_stop(&ending, || StopReason::Canceled);
        let Some(Next::End(TaskOutcome::Canceled { error: None, reason: StopReason::Canceled, finished })) = next
        else {
            panic!("{next:?}")
        };
        assert_eq!(finished, returned_ok);
    }
    for ending in [fail(), Ending::Dropped, Ending::Aborted] {
        assert!(after_stop(&ending, || unreachable!("it is not decided")).is_none());
    }
}

#[test]
fn a_failure_takes_the_place_of_the_last_one_unless_somebody_has_that() {
    let reason = |error: &TaskError| matches!(error, TaskError::Fail { reason } if reason == "x");
    let mut last = Some(Arc::new(TaskError::Timeout { timeout: Duration::ZERO }));
    let place = last.as_ref().map(Arc::as_ptr);
    let mut ending = fail();
    let before = ending.share(&mut last);
    assert!(matches!(before, Some(TaskError::Timeout { .. })));
    let Ending::Failed(error) = ending else { panic!() };
    assert!(reason(&error) && last.is_none());
    assert_eq!(Some(Arc::as_ptr(&error)), place);

    let policy = policy(RestartPolicy::OnFailure, None);
    assert!(!is_final(&facts(&policy, Request::Nothing, 0), &Ending::Failed(Arc::clone(&error))));
    let next = |request| decide(&facts(&policy, request, 0), Ending::Failed(Arc::clone(&error)));
    assert!(matches!(next(Request::Nothing), Next::Retry { streak: 1, .. }));
    assert!(matches!(next(Request::Restart), Next::Restart(Some(_))));

    // The allocation is not reused if the last error is shared, if there is none, and if the error has a delay or is
    // fatal.
    last = Some(Arc::clone(&error));
    let stays = |mut ending: Ending, last: &mut Option<Arc<TaskError>>| {
        assert!(ending.share(last).is_none());
        assert!(matches!(ending, Ending::Result(Err(_))));
    };
    stays(fail(), &mut last);
    assert!(last.is_some());
    stays(fail(), &mut None);
    drop(error);
    assert_eq!(last.as_ref().map(Arc::strong_count), Some(1));
    for other in [
        TaskError::Canceled,
        TaskError::Fatal { reason: "x".into() },
        TaskError::Fail { reason: "x".into() }.retry_after(Duration::ZERO),
    ] {
        stays(Ending::Result(Err(other)), &mut last);
    }
    assert!(last.is_some());
}

#[test]
fn exactly_max_retries_are_allowed() {
    let policy = policy(RestartPolicy::OnFailure, Some(2));
    for (streak, ends) in [(0, false), (1, false), (2, true)] {
        let next = decide(&facts(&policy, Request::Nothing, streak), fail());
        assert_eq!(matches!(next, Next::End(TaskOutcome::Exhausted { failures: 3, .. })), ends, "{streak}");
        assert_eq!(matches!(next, Next::Retry { .. }), !ends, "{streak}");
    }
}

#[test]
fn o15_successes_at_once_are_throttled_and_only_without_an_interval() {
    let always = |interval| policy(RestartPolicy::Always { interval }, None);
    let pauses = |policy: &ResolvedPolicy| {
        (0..=u8::MAX)
            .map(|at_once| {
                match decide(&Facts { at_once, ..facts(policy, Request::Nothing, 0) }, Ending::Result(Ok(()))) {
                    Next::Repeat(delay) => (delay, None),
                    Next::Throttle { pause, is_first } => (pause, Some(is_first)),
                    other => panic!("{other:?}"),
                }
            })
            .collect::<Vec<_>>()
    };
    let throttled = pauses(&always(None));
    assert!(throttled[..10].iter().all(|pause| *pause == (Duration::ZERO, None)));
    let ms: Vec<_> = throttled[10..].iter().map(|(pause, _)| pause.as_millis()).collect();
    assert_eq!(ms[..9], [1, 2, 4, 8, 16, 32, 64, 100, 100]);
    assert!(ms[9..].iter().all(|pause| *pause == 100));
    assert_eq!(throttled.iter().filter(|(_, first)| *first == Some(true)).count(), 1);
    for interval in [Duration::ZERO, Duration::from_secs(1)] {
        assert!(pauses(&always(Some(interval))).iter().all(|pause| *pause == (interval, None)));
    }
    let every = ResolvedPolicy { every: Some(Duration::from_secs(1)), ..always(None) };
    let ticks = Ticks::default();
    let next = decide(
        &Facts { at_once: 99, ticks: Some(&ticks), ..facts(&every, Request::Nothing, 0) },
        Ending::Result(Ok(())),
    );
    assert!(matches!(next, Next::Repeat(_)), "a fixed rate has its pauses");
}

#[test]
fn a_long_life_starts_the_streak_again_and_a_shorter_one_does_not() {
    let policy = policy(RestartPolicy::OnFailure, None);
    let after = |lived| Facts { lived: Some(lived), ..facts(&policy, Request::Nothing, 7) };
    let long = decide(&after(policy.reset_after), fail());
    assert!(matches!(long, Next::Retry { streak: 1, .. }));
    let short = decide(&after(policy.reset_after.saturating_sub(Duration::from_nanos(1))), fail());
    assert!(matches!(short, Next::Retry { streak: 8, .. }));
}

#[test]
fn o26_a_success_that_tells_a_delay_is_a_success_for_every_request() {
    let told = || Ending::Result(Ok(())).tell(Duration::from_secs(7));
    let ticks = Ticks::default();
    for restart in [RestartPolicy::Never, RestartPolicy::OnFailure, RestartPolicy::Always { interval: None }] {
        for every in [None, Some(Duration::from_secs(1))] {
            let policy = ResolvedPolicy { every, ..policy(restart, None) };
            for request in [Request::Nothing, Request::Restart, Request::Hold, Request::Stop] {
                for late in [false, true] {
                    let facts = Facts { late, ticks: every.map(|_| &ticks), ..facts(&policy, request, 0) };
                    let plain = decide(&facts, Ending::Result(Ok(())));
                    let next = decide(&facts, told());
                    if matches!(plain, Next::Repeat(_)) && every.is_none() {
                        assert!(matches!(next, Next::Repeat(delay) if delay == Duration::from_secs(7)), "{next:?}");
                    } else {
                        assert_eq!(format!("{next:?}"), format!("{plain:?}"));
                    }
                    assert_eq!(is_final(&facts, &told()), is_final(&facts, &Ending::Result(Ok(()))));
                }
            }
        }
    }
    assert!(matches!(fail().tell(Duration::ZERO), Ending::Result(Err(_))));
    assert!(matches!(Ending::Dropped.tell(Duration::ZERO), Ending::Dropped));
}

#[test]
fn o26_a_told_delay_counts_as_a_failure_and_is_no_step_of_the_backoff() {
    let backoff = BackoffPolicy { first: Duration::from_secs(1), factor: 2.0, ..BackoffPolicy::default() };
    let policy = ResolvedPolicy { backoff, ..policy(RestartPolicy::OnFailure, None) };
    let tells = || Ending::Result(Err(TaskError::Fail { reason: "x".into() }.retry_after(Duration::MAX)));
    let (mut failures, mut told, mut delays) = (0, Told::default(), Vec::new());
    for (ending, healthy) in [
        (fail(), false),
        (tells(), false),
        (tells(), false),
        (fail(), false),
        (fail(), false),
        // The first in a row again.
        (tells(), true),
        (fail(), false),
        (fail(), true),
        (fail(), false),
    ] {
        let lived = healthy.then_some(policy.reset_after);
        let facts = Facts { lived, ..facts(&policy, Request::Nothing, failures) };
        let mut next = decide(&facts, ending);
        told.correct(&mut next, &policy.backoff);
        let Next::Retry { error, delay, streak, is_told } = next else { panic!("{next:?}") };
        assert!(matches!(*error, TaskError::Fail { .. }) && is_told == (delay == Duration::MAX));
        assert_eq!(streak, if healthy { 1 } else { failures + 1 });
        failures = streak;
        delays.push(if is_told { 0 } else { delay.as_secs() });
    }
    assert_eq!(delays, [1, 0, 0, 2, 4, 0, 1, 1, 2]);
    let restart = decide(&facts(&policy, Request::Restart, 0), tells());
    let Next::Restart(Some(error)) = restart else { panic!("{restart:?}") };
    assert!(matches!(*error, TaskError::Fail { .. }));
}

#[test]
fn a_request_that_comes_after_the_result_drops_only_the_next_attempt() {
    let late = |policy, request| Facts { late: true, ..facts(policy, request, 0) };
    let on_failure = policy(RestartPolicy::OnFailure, Some(1));
    for request in [Request::Hold, Request::Stop] {
        let success = decide(&late(&on_failure, request), Ending::Result(Ok(())));
        assert!(matches!(success, Next::End(TaskOutcome::Completed)));
    }
    assert!(matches!(decide(&late(&on_failure, Request::Hold), fail()), Next::Hold(Some(_))));
    let stopped = decide(&late(&on_failure, Request::Stop), fail());
    assert!(matches!(stopped, Next::End(TaskOutcome::Canceled { error: Some(_), finished: false, .. })));
    let once = policy(RestartPolicy::Never, None);
    let failed = decide(&late(&once, Request::Hold), fail());
    assert!(matches!(failed, Next::End(TaskOutcome::Failed { .. })));
    let always = policy(RestartPolicy::Always { interval: None }, Some(0));
    let success = |request| decide(&late(&always, request), Ending::Result(Ok(())));
    assert!(matches!(success(Request::Hold), Next::Hold(None)));
    let Next::End(TaskOutcome::Canceled { error: None, finished: true, .. }) = success(Request::Stop) else {
        panic!("its last attempt succeeded")
    };
}

#[test]
#[cfg(feature = "cron")]
fn a_run_of_a_schedule_that_is_over_is_not_run_again_by_a_late_hold() {
    let always = policy(RestartPolicy::Always { interval: None }, Some(0));
    let scheduled = ResolvedPolicy { cron: Some("@daily".into()), ..always };
    for late in [false, true] {
        let request = if late { Request::Hold } else { Request::Nothing };
        let facts = Facts { late, ..facts(&scheduled, request, 0) };
        assert!(matches!(decide(&facts, Ending::Result(Ok(()))), Next::Scheduled));
        assert!(matches!(decide(&facts, fail()), Next::GiveUp { failures: 1, .. }));
    }
    let stop = Facts { late: true, ..facts(&scheduled, Request::Stop, 0) };
    let after = |ending| decide(&stop, ending);
    let success = after(Ending::Result(Ok(())));
    assert!(matches!(success, Next::End(TaskOutcome::Canceled { error: None, finished: true, .. })));
    let failure = after(fail());
    assert!(matches!(failure, Next::End(TaskOutcome::Canceled { error: Some(_), finished: false, .. })));
}

#[test]
fn a_task_that_runs_once_does_not_come_back_after_a_hold() {
    let once = policy(RestartPolicy::Never, None);
    let hold = facts(&once, Request::Hold, 0);
    let after = |ending| decide(&hold, ending);
    let success = after(Ending::Result(Ok(())));
    assert!(matches!(success, Next::End(TaskOutcome::Canceled { finished: true, .. })));
    assert!(matches!(after(Ending::Aborted), Next::End(TaskOutcome::Aborted { .. })));
    let again = policy(RestartPolicy::OnFailure, None);
    let hold = facts(&again, Request::Hold, 0);
    assert!(matches!(decide(&hold, Ending::Dropped), Next::Hold(None)));
    assert!(matches!(decide(&facts(&again, Request::Stop, 0), Ending::Dropped), Next::End(_)));
}

#[test]
fn what_is_final_is_what_ends_the_registration() {
    let endings: [fn() -> Ending; 6] = [
        || Ending::Result(Ok(())),
        fail,
        || Ending::Result(Err(TaskError::Fatal { reason: "x".into() })),
        || Ending::Result(Err(TaskError::Canceled)),
        || Ending::Dropped,
        || Ending::Aborted,
    ];
    let requests = [Request::Nothing, Request::Restart, Request::Hold, Request::Stop];
    for restart in [RestartPolicy::Never, RestartPolicy::OnFailure, RestartPolicy::Always { interval: None }] {
        for max_retries in [None, Some(0), Some(1)] {
            let plain = policy(restart, max_retries);
            #[cfg(feature = "cron")]
            let scheduled = matches!(restart, RestartPolicy::Always { .. })
                .then(|| ResolvedPolicy { cron: Some("@daily".into()), ..plain.clone() });
            #[cfg(not(feature = "cron"))]
            let scheduled = None;
            let policies: Vec<_> = [plain].into_iter().chain(scheduled).collect();
            for (policy, streak) in policies.iter().flat_map(|policy| [(policy, 0), (policy, 1)]) {
                for (request, ending) in requests.into_iter().flat_map(|request| endings.map(|it| (request, it))) {
                    let facts = facts(policy, request, streak);
                    let ends = matches!(decide(&facts, ending()), Next::End(_));
                    assert_eq!(is_final(&facts, &ending()), ends, "{request:?} {:?} {policy:?}", ending());
                }
            }
        }
    }
}

#[test]
fn a_panic_of_a_task_that_runs_once_is_its_outcome() {
    let once = policy(RestartPolicy::Never, None);
    let panicked = Ending::Result(Err(TaskError::Panicked(Box::new(crate::task::Panic::new("x")))));
    let next = decide(&facts(&once, Request::Nothing, 0), panicked);
    assert!(matches!(next, Next::End(TaskOutcome::Panicked { .. })));
}

#[test]
fn the_delay_of_a_decision_is_what_the_next_attempt_waits_for() {
    let second = Duration::from_secs(1);
    let error = || Arc::new(TaskError::Fail { reason: "x".into() });
    let retry = Next::Retry { error: error(), delay: second, streak: 1, is_told: false };
    for next in [Next::Repeat(second), Next::Throttle { pause: second, is_first: true }, retry] {
        assert_eq!(next.delay(), second);
    }
    for next in [Next::Scheduled, Next::Restart(None), Next::Hold(None), Next::GiveUp { error: error(), failures: 1 }] {
        assert_eq!(next.delay(), Duration::ZERO);
    }
    assert_eq!((Told::first().steps(3), Told::default().steps(3)), (1, 2));
}

#[test]
fn e04_only_the_end_with_a_refusal_of_a_supervisor_that_stops_is_excused() {
    use crate::supervisor::RuntimeError;
    let outcomes = |error: TaskError| {
        let error = Arc::new(error);
        [
            TaskOutcome::Failed { error: Arc::clone(&error) },
            TaskOutcome::Exhausted { error: Arc::clone(&error), failures: 1 },
            TaskOutcome::Fatal { error },
        ]
    };
    let refusal = || TaskError::error(RuntimeError::ShuttingDown);
    let refusals = [
        refusal(),
        TaskError::permanent(RuntimeError::ShuttingDown),
        #[cfg(feature = "controller")]
        TaskError::error(crate::slots::ControllerError::ShuttingDown),
    ];
    for outcome in refusals.into_iter().flat_map(outcomes) {
        let mut next = Next::End(outcome);
        assert!(!next.excuse(|| false), "it does not stop");
        assert!(next.excuse(|| true), "{next:?}");
        assert!(matches!(
            next,
            Next::End(TaskOutcome::Canceled { error: Some(_), reason: StopReason::Shutdown, finished: false })
        ));
    }
    let others = [
        TaskError::Fail { reason: "the supervisor is shutting down".into() },
        TaskError::permanent("lost"),
        TaskError::error(RuntimeError::TaskAlreadyExists { name: "job".into() }),
        #[cfg(feature = "controller")]
        TaskError::error(crate::slots::ControllerError::Full { capacity: 1 }),
    ];
    let error = || Arc::new(refusal());
    let go_on = [
        Next::Retry { error: error(), delay: Duration::ZERO, streak: 1, is_told: false },
        Next::Restart(Some(error())),
        Next::Repeat(Duration::ZERO),
        Next::End(TaskOutcome::Completed),
    ];
    for mut next in others.into_iter().flat_map(outcomes).map(Next::End).chain(go_on) {
        assert!(!next.excuse(|| true), "{next:?}");
    }
}
