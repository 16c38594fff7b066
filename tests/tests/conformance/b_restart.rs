//! B. Restart types.

mod attempts;
mod panics;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use taskvisor::EventKind::{
    ActorDead, ActorExhausted, BackoffScheduled, TaskAddRequested, TaskAdded, TaskFailed, TaskRemoveRequested,
    TaskRemoved, TaskStarting, TaskStopped,
};
use taskvisor::{
    BoxTaskFuture, CancellationToken, RestartPolicy, RuntimeError, Task, TaskContext, TaskError, TaskFn, TaskOutcome,
    TaskSpec,
};
use tests::{ALWAYS, FAIL, OK, PANIC, Script, Step, WITHOUT_PAUSE, constant, ms, recorded, secs, settle, supervisor};
use tokio::time::{Instant, sleep};

const EVERY_POLICY: [RestartPolicy; 3] = [RestartPolicy::Never, RestartPolicy::OnFailure, ALWAYS];

const fn always_each(interval: u64) -> RestartPolicy {
    RestartPolicy::Always { interval: Some(secs(interval)) }
}

/// A task that fails with the value of `error` in each attempt.
fn failing(name: &str, error: impl Fn() -> TaskError + Send + Sync + 'static) -> TaskSpec {
    TaskSpec::inherit(TaskFn::arc(name, move |_: TaskContext| {
        let error = error();
        async { Err(error) }
    }))
}

#[tokio::test(start_paused = true)]
async fn b01_always_after_success_runs_again_after_the_interval() -> Result<(), RuntimeError> {
    let (supervisor, recorder) = recorded();
    let script = Script::new([Step::Succeed(secs(2))]);
    let start = Instant::now();

    let spec = script.spec("tick").with_restart(always_each(10));
    supervisor.run_until(vec![spec], sleep(secs(25))).await?;

    assert_eq!(script.begun_ms(start), [0, 12_000, 24_000], "the interval counts from the end");
    let waits: Vec<_> = recorder.seen().into_iter().filter_map(|seen| seen.delay_ms).collect();
    assert_eq!(waits, [10_000, 10_000]);
    let one = [TaskStarting, TaskStopped, BackoffScheduled];
    let end = [TaskStarting, TaskStopped, TaskRemoved];
    assert_eq!(recorder.kinds_of("tick"), [&[TaskAddRequested, TaskAdded][..], &one, &one, &end].concat());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn b01_always_without_an_interval_runs_again_at_once() -> Result<(), RuntimeError> {
    for restart in [ALWAYS, always_each(0)] {
        let supervisor = supervisor();
        let script = Script::new([OK, OK, Step::Succeed(secs(1)), Step::Wait]);
        let start = Instant::now();
        supervisor.add_task(script.spec("again").with_restart(restart)).await?;
        sleep(secs(100)).await;
        assert_eq!(script.begun_ms(start), [0, 0, 0, 1_000], "{restart:?}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn b02_always_after_failure_runs_again_after_the_backoff() -> Result<(), RuntimeError> {
    let supervisor = supervisor();
    let script = Script::new([FAIL, PANIC, OK, FAIL, Step::Wait]);
    let start = Instant::now();

    supervisor.add_task(script.spec("poll").with_restart(always_each(10)).with_backoff(constant(secs(1)))).await?;
    sleep(secs(100)).await;

    assert_eq!(script.begun_ms(start), [0, 1_000, 2_000, 12_000, 13_000]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn b03_on_failure_after_success_ends_completed() -> Result<(), RuntimeError> {
    let (supervisor, recorder) = recorded();
    let script = Script::new([Step::Succeed(secs(1))]);
    let start = Instant::now();

    let outcome = supervisor.add_task(script.spec("once")).await?.outcome().await;

    assert!(matches!(outcome, TaskOutcome::Completed), "{outcome}");
    assert!(outcome.source().is_none());
    assert_eq!(start.elapsed(), secs(1));
    sleep(secs(3600)).await;
    assert_eq!(script.attempts(), 1);
    assert_eq!(
        recorder.kinds_of("once"),
        [TaskAddRequested, TaskAdded, TaskStarting, TaskStopped, ActorExhausted, TaskRemoved]
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b03_a_restart_that_is_granted_while_the_task_succeeds_is_a_new_run() -> Result<(), RuntimeError> {
    const ROUNDS: u32 = 4_000;
    let supervisor = supervisor();
    for round in 0..ROUNDS {
        let (go, runs) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (goes, counted) = (Arc::clone(&go), Arc::clone(&runs));
        let task = TaskFn::arc("once", move |_: TaskContext| {
            let (goes, first) = (Arc::clone(&goes), counted.fetch_add(1, Ordering::SeqCst) == 0);
            async move {
                while first && !goes.load(Ordering::SeqCst) {
                    tokio::task::yield_now().await;
                }
                Ok(())
            }
        });
        let handle = supervisor.add_task(TaskSpec::inherit(task)).await?;
        while runs.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }

        go.store(true, Ordering::SeqCst);
        (0..round).for_each(|_| std::hint::spin_loop());
        let granted = handle.restart();

        assert!(handle.outcome().await.is_completed());
        assert_eq!(runs.load(Ordering::SeqCst), 1 + usize::from(granted), "round {round}: restart() gave {granted}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn b04_on_failure_runs_again_after_failure_timeout_and_panic() -> Result<(), RuntimeError> {
    let (supervisor, recorder) = recorded();
    let script = Script::new([FAIL, Step::Wait, PANIC, OK]);
    let start = Instant::now();

    let spec = script.spec("flaky").with_backoff(constant(secs(1))).with_timeout(secs(5));
    let handle = supervisor.add_task(spec).await?;

    assert!(matches!(handle.outcome().await, TaskOutcome::Completed));
    assert_eq!(script.begun_ms(start), [0, 1_000, 7_000, 8_000]);
    settle().await;
    let failed = recorder.seen().into_iter().filter(|seen| seen.kind == TaskFailed);
    let failed: Vec<_> = failed.map(|seen| (seen.attempt.unwrap(), seen.reason.unwrap())).collect();
    let reason = |attempt, reason: &str| (attempt, reason.to_owned());
    assert_eq!(failed, [reason(1, "failure 1"), reason(2, "timed out after 5s"), reason(3, "panicked: panic 3")]);
    assert_eq!(recorder.count(BackoffScheduled), 3);
    assert_eq!(recorder.count(ActorExhausted), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn b04_an_attempt_knows_what_the_one_before_it_failed_with() -> Result<(), RuntimeError> {
    let (supervisor, errors) = (supervisor(), Arc::new(Mutex::new(Vec::new())));
    let seen = Arc::clone(&errors);
    let task = TaskFn::arc("flaky", move |ctx: TaskContext| {
        seen.lock().unwrap().push(ctx.last_error().map(|error| error.to_string()));
        async move {
            match ctx.attempt() {
                2 => return Ok(()),
                4 => drop(ctx.cancelled().await),
                _ => return Err(TaskError::Fail { reason: format!("failure {}", ctx.attempt()) }),
            }
            Ok(())
        }
    });
    let spec = TaskSpec::inherit(task).with_restart(ALWAYS).with_backoff(constant(secs(1)));
    let handle = supervisor.add_task(spec).await?;
    sleep(secs(10)).await;

    assert!(handle.restart());
    settle().await;

    let failure = |n| Some(format!("failure {n}"));
    assert_eq!(*errors.lock().unwrap(), [None, failure(1), None, failure(3), None], "the fourth did not fail");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn b05_never_ends_whatever_happens_and_frees_the_name_at_once() -> Result<(), RuntimeError> {
    let supervisor = supervisor();
    for (step, label, said) in [
        (OK, "completed", "completed"),
        (FAIL, "failed", "failed: failure 1"),
        (Step::Fail(secs(3600)), "failed", "failed: failure 1"),
        (Step::Wait, "failed", "failed: timed out after 7200s"),
        (PANIC, "panicked", "panicked: panic 1"),
        (Step::Fatal, "fatal", "fatal: fatal"),
        (Step::Cancel, "canceled", "canceled"),
    ] {
        let script = Script::new([step]);
        let spec = || script.spec("once").with_restart(RestartPolicy::Never).with_timeout(secs(7200));

        let outcome = supervisor.add_task(spec()).await?.outcome().await;

        assert_eq!((outcome.as_label(), tests::placeless(outcome).as_str()), (label, said));
        let again = supervisor.add_task(spec()).await.expect("its name is free");
        again.outcome().await;
        sleep(secs(3600)).await;
        assert_eq!(script.attempts(), 2, "one for each registration");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn b06_a_fatal_error_ends_the_task_under_any_policy() -> Result<(), RuntimeError> {
    for restart in EVERY_POLICY {
        let (supervisor, recorder) = recorded();
        let script = Script::new([Step::Fatal]);

        let handle = supervisor.add_task(script.spec("doomed").with_restart(restart)).await?;

        let outcome = handle.outcome().await;
        assert!(matches!(&outcome, TaskOutcome::Fatal { error } if error.is_fatal()), "{outcome}");
        assert_eq!(outcome.source().map(ToString::to_string).as_deref(), Some("fatal"));
        sleep(secs(3600)).await;
        assert_eq!(script.attempts(), 1, "{restart:?}");
        let doomed = [TaskAddRequested, TaskAdded, TaskStarting, TaskFailed, ActorDead, TaskRemoved];
        assert_eq!(recorder.kinds_of("doomed"), doomed);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn b07_an_error_that_says_cancelled_is_a_failure_like_any_other() -> Result<(), RuntimeError> {
    let errors: [fn() -> TaskError; 3] = [
        || TaskError::Fail { reason: "canceled".into() },
        || TaskError::error("operation was cancelled"),
        || TaskError::error(std::io::Error::new(std::io::ErrorKind::Interrupted, "cancelled")),
    ];
    for error in errors {
        let supervisor = supervisor();
        let start = Instant::now();

        let spec = failing("grumbles", error).with_backoff(constant(secs(1))).with_max_retries(2);
        let outcome = supervisor.add_task(spec).await?.outcome().await;

        assert!(matches!(outcome, TaskOutcome::Exhausted { failures: 3, .. }), "{outcome}");
        assert_eq!(start.elapsed(), secs(2));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn b08_a_task_that_gives_up_ends_canceled_and_run_returns() {
    for restart in EVERY_POLICY {
        let (supervisor, recorder) = recorded();
        let script = Script::new([Step::Cancel]);
        let start = Instant::now();

        let (result, outcome) = tokio::join!(supervisor.run(vec![script.spec("quits").with_restart(restart)]), async {
            supervisor.task("quits").unwrap().outcome().await
        });

        assert!(result.is_ok(), "{result:?}");
        assert!(matches!(outcome, TaskOutcome::Canceled { error: None, .. }), "{outcome}");
        assert_eq!((start.elapsed(), script.attempts()), (secs(0), 1), "{restart:?}");
        assert_eq!(recorder.kinds(), [TaskAddRequested, TaskAdded, TaskStarting, TaskStopped, TaskRemoved]);
    }
}

/// A task that ends at once with the value of `result`, and restarts until the flag is set. If it runs far more often
/// than the test allows, it has starved the task that sets the flag: it fails permanently.
fn busy(name: &str, flag: &Arc<AtomicBool>, result: fn() -> Result<(), TaskError>) -> TaskSpec {
    const STARVED: usize = 5_000_000;
    let (flag, runs) = (Arc::clone(flag), AtomicUsize::new(0));
    let task = TaskFn::arc(name, move |_: TaskContext| {
        let result = match (flag.load(Ordering::SeqCst), runs.fetch_add(1, Ordering::SeqCst)) {
            (true, _) => Err(TaskError::Canceled),
            (false, STARVED) => Err(TaskError::Fatal { reason: "starved its sibling".into() }),
            _ => result(),
        };
        async { result }
    });
    TaskSpec::inherit(task).with_restart(WITHOUT_PAUSE).with_backoff(constant(secs(0)))
}

#[tokio::test]
async fn b11_tasks_that_end_at_once_do_not_starve_a_sibling() -> Result<(), RuntimeError> {
    let supervisor = supervisor();
    let ticked = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&ticked);
    let ticks = TaskFn::arc("ticks", move |_: TaskContext| {
        let flag = Arc::clone(&flag);
        async move {
            for _ in 0..20 {
                sleep(ms(10)).await;
            }
            flag.store(true, Ordering::SeqCst);
            Ok(())
        }
    });

    let mut instant = Vec::new();
    for name in ["succeeds", "succeeds too"] {
        instant.push(supervisor.add_task(busy(name, &ticked, || Ok(()))).await?);
    }
    let fails = || Err(TaskError::Fail { reason: "again".into() });
    instant.push(supervisor.add_task(busy("fails", &ticked, fails)).await?);
    let ticks = supervisor.add_task(TaskSpec::inherit(ticks)).await?;

    assert!(ticks.outcome().await.is_completed());
    for handle in instant {
        let outcome = handle.outcome().await;
        assert!(matches!(outcome, TaskOutcome::Canceled { error: None, .. }), "{}: {outcome}", handle.name());
        assert!(handle.status().attempt > 20, "{} was not starved either", handle.name());
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn b12_every_keeps_to_the_grid_and_skips_what_was_missed() -> Result<(), RuntimeError> {
    let supervisor = supervisor();
    let runs = [ms(300), ms(300), ms(2_500), ms(300), ms(1_000), ms(2_000), ms(0), ms(999)].map(Step::Succeed);
    let script = Script::new([&runs[..], &[Step::Wait]].concat());
    let start = Instant::now();

    supervisor.add_task(script.spec("grid").with_restart(ALWAYS).with_every(secs(1))).await?;
    sleep(secs(100)).await;

    // A run that ends exactly on a tick does not miss that tick.
    assert_eq!(script.begun_ms(start), [0, 1_000, 2_000, 5_000, 6_000, 7_000, 9_000, 10_000, 11_000]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn b12_every_waits_for_the_backoff_after_a_failure_and_is_back_on_the_grid() -> Result<(), RuntimeError> {
    let supervisor = supervisor();
    let script = Script::new([OK, FAIL, FAIL, OK, OK, Step::Wait]);
    let start = Instant::now();

    let spec = script.spec("grid").with_restart(ALWAYS).with_every(secs(10)).with_backoff(constant(secs(3)));
    supervisor.add_task(spec).await?;
    sleep(secs(100)).await;

    assert_eq!(script.begun_ms(start), [0, 10_000, 13_000, 16_000, 20_000, 30_000]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn b12_an_initial_delay_delays_only_the_first_and_sets_the_grid() -> Result<(), RuntimeError> {
    let supervisor = supervisor();
    let fixed = Script::new([Step::Succeed(ms(300))]);
    let (fails, again) = (Script::new([FAIL]), Script::new([Step::Succeed(secs(1))]));
    let start = Instant::now();

    for spec in [
        fixed.spec("every").with_restart(ALWAYS).with_every(secs(10)),
        fails.spec("fails").with_backoff(constant(secs(10))),
        again.spec("interval").with_restart(always_each(9)),
    ] {
        supervisor.add_task(spec.with_initial_delay(secs(4))).await?;
    }
    sleep(secs(30)).await;

    for script in [fixed, fails, again] {
        assert_eq!(script.begun_ms(start), [4_000, 14_000, 24_000]);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn b12_a_task_that_is_stopped_in_its_initial_delay_never_starts() -> Result<(), RuntimeError> {
    let (supervisor, recorder) = recorded();
    let script = Script::new([OK]);
    let handle = supervisor.add_task(script.spec("late").with_initial_delay(secs(10))).await?;
    sleep(secs(9)).await;
    let start = Instant::now();

    assert!(handle.cancel().await?);

    assert!(matches!(handle.outcome().await, TaskOutcome::Canceled { error: None, .. }));
    assert_eq!(start.elapsed(), secs(0));
    sleep(secs(10)).await;
    assert_eq!(script.attempts(), 0);
    assert_eq!(recorder.kinds_of("late"), [TaskAddRequested, TaskAdded, TaskRemoveRequested, TaskRemoved]);
    Ok(())
}

/// A task that takes no context and whose `spawn` is a closure.
struct ByHand<F>(F);

impl<F: Fn() -> BoxTaskFuture + Send + Sync + 'static> Task for ByHand<F> {
    fn name(&self) -> &'static str {
        "by_hand"
    }

    fn spawn(&self, _token: CancellationToken) -> BoxTaskFuture {
        (self.0)()
    }

    fn takes_context(&self) -> bool {
        false
    }
}

/// A spec of such a task.
fn by_hand(start: impl Fn() -> BoxTaskFuture + Send + Sync + 'static) -> TaskSpec {
    TaskSpec::inherit(Arc::new(ByHand(start)))
}
