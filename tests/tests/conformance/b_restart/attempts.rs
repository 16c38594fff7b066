//! B13 and B14: the helpers, the timeout and the end of an attempt.

use std::future::{Future, pending};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use taskvisor::EventKind::{BackoffScheduled, TaskFailed, TaskStarting, TaskStopped, TimeoutHit};
use taskvisor::{
    EventKind, RestartPolicy, RuntimeError, Supervisor, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskOutcome,
    TaskSpec,
};
use tests::{ALWAYS, Recorder, Script, Step, constant, deaf, ms, recorded, recorded_with, secs, settle, supervisor};
use tokio::time::{Instant, sleep};

use super::by_hand;

/// A task from a closure that takes the context.
fn task<F, Fut>(name: &str, start: F) -> TaskSpec
where
    F: Fn(TaskContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), TaskError>> + Send + 'static,
{
    TaskSpec::inherit(TaskFn::arc(name, start)).with_backoff(constant(secs(1)))
}

/// Records whether a value has been dropped.
#[derive(Clone, Default)]
struct Dropped(Arc<AtomicBool>);

struct NotesItsDrop(Dropped);

impl Dropped {
    /// A value whose drop is recorded here.
    fn note(&self) -> NotesItsDrop {
        NotesItsDrop(self.clone())
    }

    fn is_noted(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl Drop for NotesItsDrop {
    fn drop(&mut self) {
        (self.0).0.store(true, Ordering::SeqCst);
    }
}

/// The number of events of this kind so far. The time of each event is not recorded.
async fn counted(recorder: &Recorder, kind: EventKind) -> usize {
    settle().await;
    recorder.count(kind)
}

fn fail(reason: &str) -> TaskError {
    TaskError::Fail { reason: reason.into() }
}

#[tokio::test(start_paused = true)]
async fn b13_a_helper_is_joined_when_the_attempt_ends() -> Result<(), RuntimeError> {
    let (supervisor, recorder) = recorded();
    let begun = Arc::new(Mutex::new(Vec::new()));
    let (beginning, start) = (Arc::clone(&begun), Instant::now());
    let spec = task("parent", move |ctx: TaskContext| {
        beginning.lock().unwrap().push(start.elapsed());
        async move {
            let context = ctx.clone();
            ctx.spawn(async move {
                context.cancelled().await;
                sleep(secs(2)).await;
            });
            sleep(secs(1)).await;
            Ok(())
        }
    });

    let handle = supervisor.add_task(spec.with_restart(RestartPolicy::Always { interval: Some(secs(10)) })).await?;
    sleep(ms(2_999)).await;
    assert_eq!(counted(&recorder, TaskStopped).await, 0, "its helper cleans up");
    assert_eq!(supervisor.snapshot(), ["parent"]);
    sleep(ms(2)).await;
    assert_eq!(counted(&recorder, TaskStopped).await, 1);
    assert!(supervisor.snapshot().is_empty());
    sleep(secs(20)).await;

    assert_eq!(*begun.lock().unwrap(), [secs(0), secs(13)], "the interval counts from the end of the last helper");
    assert!(handle.cancel().await?);
    Ok(())
}

/// How long a task ran and its outcome. Its attempt succeeds after 1 s and leaves a helper that never returns.
async fn end_of_deaf_helper(grace: Duration, stop_timeout: Option<Duration>) -> (Duration, TaskOutcome) {
    let (supervisor, dropped) = (
        Supervisor::new(SupervisorConfig { grace, stop_timeout, ..SupervisorConfig::default() }, vec![]),
        Dropped::default(),
    );
    let noted = dropped.clone();
    let spec = task("parent", move |ctx: TaskContext| {
        let stays = noted.note();
        async move {
            ctx.spawn(async move {
                let _stays = stays;
                pending::<()>().await;
            });
            sleep(secs(1)).await;
            Ok(())
        }
    });
    let start = Instant::now();
    let outcome = supervisor.add_task(spec).await.unwrap().outcome().await;
    assert!(dropped.is_noted());
    (start.elapsed(), outcome)
}

#[tokio::test(start_paused = true)]
async fn b13_a_helper_that_stays_is_aborted_past_the_window() {
    for (grace, stop_timeout, ends) in
        [(60, None, 6), (3, None, 4), (60, Some(2), 3), (60, Some(20), 21), (60, Some(0), 1)]
    {
        let (lasted, outcome) = end_of_deaf_helper(secs(grace), stop_timeout.map(secs)).await;
        assert!(outcome.is_completed(), "the attempt's own result stands: {outcome}");
        assert_eq!(lasted, secs(ends), "grace {grace}, stop_timeout {stop_timeout:?}");
    }
}

/// How and when a task under `Never` ends if its helper panics after 1 s.
async fn end_with_panicking_helper<F, Fut>(attempt: F) -> (String, Duration)
where
    F: Fn(TaskContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), TaskError>> + Send + 'static,
{
    let (supervisor, start) = (supervisor(), Instant::now());
    let spec = task("parent", move |ctx: TaskContext| {
        ctx.spawn(async {
            sleep(secs(1)).await;
            panic!("helper");
        });
        attempt(ctx)
    });
    let handle = supervisor.add_task(spec.with_restart(RestartPolicy::Never)).await.unwrap();
    (tests::placeless(handle.outcome().await), start.elapsed())
}

#[tokio::test(start_paused = true)]
async fn b13_a_panic_of_a_helper_is_the_attempts_failure() {
    let supervised = |ended: (String, Duration)| (ended.0, ended.1.as_secs());
    let panicked = |after| ("panicked: helper".to_owned(), after);

    let ended = end_with_panicking_helper(|ctx: TaskContext| async move {
        ctx.cancelled().await;
        sleep(secs(2)).await;
        Ok(())
    });
    assert_eq!(supervised(ended.await), panicked(3), "the attempt is told, and may clean up");

    let ended = end_with_panicking_helper(|_| pending());
    assert_eq!(supervised(ended.await), panicked(6), "one that does not is dropped after the window");

    let ended = end_with_panicking_helper(|_| async { Ok(()) });
    assert_eq!(supervised(ended.await), panicked(1), "the attempt was over, its helper was not");

    let ended = end_with_panicking_helper(|_| async { Err(fail("its own")) });
    assert_eq!(supervised(ended.await), ("failed: its own".to_owned(), 1), "it had failed before");
}

#[tokio::test(start_paused = true)]
async fn b13_what_an_attempt_answers_to_the_panic_of_its_helper_does_not_hide_it() {
    let answers: [fn() -> Result<(), TaskError>; 4] = [
        || Ok(()),
        || Err(TaskError::Canceled),
        || Err(TaskError::Fail { reason: "was cut short".into() }),
        || Err(TaskError::Fatal { reason: "was cut short".into() }),
    ];
    for answer in answers {
        let (ended, after) = end_with_panicking_helper(move |ctx: TaskContext| async move {
            ctx.cancelled().await;
            answer()
        })
        .await;
        assert_eq!((ended.as_str(), after), ("panicked: helper", secs(1)), "it answered {:?}", answer());
    }
}

#[tokio::test(start_paused = true)]
async fn b13_a_panic_of_a_helper_is_retried_and_the_next_attempt_is_whole() -> Result<(), RuntimeError> {
    let (supervisor, recorder) = recorded();
    let spec = task("parent", |ctx: TaskContext| async move {
        if ctx.attempt() == 1 {
            ctx.spawn(async { panic!("helper") });
        } else {
            ctx.spawn(async {});
        }
        ctx.run_until_cancelled(sleep(secs(3))).await.ok_or(TaskError::Canceled)
    });
    let start = Instant::now();

    let outcome = supervisor.add_task(spec).await?.outcome().await;

    assert!(outcome.is_completed(), "{outcome}");
    assert_eq!(start.elapsed(), secs(1 + 3));
    settle().await;
    assert_eq!(recorder.kinds_of("parent")[2..6], [TaskStarting, TaskFailed, BackoffScheduled, TaskStarting]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn b13_helpers_are_told_to_stop_with_their_attempt_and_end_before_the_name_is_free() -> Result<(), RuntimeError> {
    let (supervisor, start) = (supervisor(), Instant::now());
    let ended = Arc::new(Mutex::new(Vec::new()));
    let ending = Arc::clone(&ended);
    let spec = task("parent", move |ctx: TaskContext| {
        let ending = Arc::clone(&ending);
        async move {
            for n in 1..=3 {
                let (context, ending) = (ctx.clone(), Arc::clone(&ending));
                ctx.spawn(async move {
                    // A helper may spawn helpers.
                    let inner = context.clone();
                    context.spawn(async move { drop(inner.cancelled().await) });
                    context.cancelled().await;
                    sleep(secs(n)).await;
                    ending.lock().unwrap().push((n, start.elapsed()));
                });
            }
            ctx.cancelled().await;
            Err(TaskError::Canceled)
        }
    });
    let handle = supervisor.add_task(spec).await?;
    sleep(secs(10)).await;

    assert!(handle.cancel().await?);

    assert_eq!(*ended.lock().unwrap(), [(1, secs(11)), (2, secs(12)), (3, secs(13))]);
    assert_eq!(start.elapsed(), secs(13));
    assert!(matches!(handle.outcome().await, TaskOutcome::Canceled { error: None, .. }));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn b13_a_helper_can_cancel_its_own_task() -> Result<(), RuntimeError> {
    let supervisor = supervisor();
    let spec = task("parent", |ctx: TaskContext| async move {
        let context = ctx.clone();
        ctx.spawn(async move {
            let canceled = context.supervisor().cancel("parent").await;
            assert!(matches!(canceled, Ok(true)), "{canceled:?}");
        });
        ctx.cancelled().await;
        Ok(())
    });
    let start = Instant::now();

    let outcome = supervisor.add_task(spec).await?.outcome().await;

    assert_eq!(start.elapsed(), secs(0), "the task must not wait for the helper that waits for the task");
    assert!(matches!(outcome, TaskOutcome::Canceled { error: None, .. }), "{outcome}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn b13_a_stop_does_not_wait_for_a_helper_past_its_bound() -> Result<(), RuntimeError> {
    for is_waited_for in [true, false] {
        let (supervisor, dropped) = (supervisor(), Dropped::default());
        let noted = dropped.clone();
        let spec = task("parent", move |ctx: TaskContext| {
            let stays = noted.note();
            async move {
                ctx.spawn(async move {
                    let _stays = stays;
                    pending::<()>().await;
                });
                ctx.cancelled().await;
                Ok(())
            }
        });
        let handle = supervisor.add_task(spec.with_stop_timeout(secs(2))).await?;
        settle().await;
        let start = Instant::now();

        if is_waited_for {
            assert!(handle.cancel().await?);
        } else {
            supervisor.remove_task("parent").await?;
        }

        assert!(matches!(handle.outcome().await, TaskOutcome::Aborted { .. }));
        assert_eq!(start.elapsed(), secs(2));
        assert!(dropped.is_noted());
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn b13_a_result_stands_if_the_task_is_told_to_stop_while_helpers_are_joined() -> Result<(), RuntimeError> {
    let supervisor = supervisor();
    let spec = task("parent", |ctx: TaskContext| async move {
        let context = ctx.clone();
        ctx.spawn(async move {
            context.cancelled().await;
            sleep(secs(3)).await;
        });
        Ok(())
    });
    let start = Instant::now();
    let handle = supervisor.add_task(spec).await?;
    sleep(secs(1)).await;

    assert!(handle.cancel().await?);

    assert_eq!(start.elapsed(), secs(3));
    let outcome = handle.outcome().await;
    assert!(outcome.is_completed(), "it had succeeded before it was told to stop: {outcome}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn b13_a_helper_of_an_attempt_that_has_ended_is_dropped_without_being_run() -> Result<(), RuntimeError> {
    let (supervisor, kept) = (supervisor(), Arc::new(Mutex::new(None)));
    let keep = Arc::clone(&kept);
    let spec = task("parent", move |ctx: TaskContext| {
        keep.lock().unwrap().get_or_insert(ctx.clone());
        async move { if ctx.attempt() == 1 { Ok(()) } else { pending().await } }
    });
    supervisor.add_task(spec.with_restart(ALWAYS)).await?;
    sleep(secs(1)).await;
    let first = kept.lock().unwrap().take().unwrap();
    let (ran, dropped) = (Dropped::default(), Dropped::default());

    let (runs, drops) = (ran.note(), dropped.note());
    first.spawn(async move {
        drop(runs);
        drop(drops);
        unreachable!("its attempt is over");
    });

    assert!(ran.is_noted() && dropped.is_noted(), "it was dropped at once");
    settle().await;
    assert!(first.is_cancelled());
    assert_eq!(supervisor.snapshot(), ["parent"], "the present attempt does not mind");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn b13_the_token_is_cancelled_when_the_attempt_ends_however_it_ends() -> Result<(), RuntimeError> {
    for step in ["succeed", "fail", "panic", "panic in spawn", "time out", "be dropped"] {
        let (supervisor, stopped) = (supervisor(), Dropped::default());
        let noted = stopped.clone();
        let spec = task("parent", move |ctx: TaskContext| {
            let (token, noted) = (ctx.token(), noted.note());
            tokio::spawn(async move {
                token.cancelled().await;
                drop(noted);
            });
            assert_ne!(step, "panic in spawn");
            async move {
                match step {
                    "succeed" => Ok(()),
                    "fail" => Err(fail("x")),
                    "panic" => panic!("x"),
                    _ => pending().await,
                }
            }
        });
        let spec = spec.with_restart(RestartPolicy::Never).with_stop_timeout(secs(0));
        let spec = if step == "time out" { spec.with_timeout(secs(1)) } else { spec };

        let handle = supervisor.add_task(spec).await?;
        if step == "be dropped" {
            settle().await;
            handle.cancel().await?;
        }
        handle.outcome().await;

        settle().await;
        assert!(stopped.is_noted(), "{step}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn b14_a_cooperative_task_cleans_up_and_has_timed_out_whatever_it_returns() -> Result<(), RuntimeError> {
    let answers: [fn() -> Result<(), TaskError>; 5] = [
        || Ok(()),
        || Err(TaskError::Fail { reason: "x".into() }),
        || Err(TaskError::Fatal { reason: "x".into() }),
        || Err(TaskError::Canceled),
        || panic!("x"),
    ];
    for answer in answers {
        let (supervisor, recorder) = recorded();
        let cleaned_up = Arc::new(Mutex::new(Vec::new()));
        let (noted, start) = (Arc::clone(&cleaned_up), Instant::now());
        let spec = task("slow", move |ctx: TaskContext| {
            let noted = Arc::clone(&noted);
            async move {
                if ctx.attempt() == 2 {
                    return ctx.last_error().map(|_| ()).ok_or(TaskError::Canceled);
                }
                ctx.cancelled().await;
                noted.lock().unwrap().push(start.elapsed());
                sleep(secs(2)).await;
                noted.lock().unwrap().push(start.elapsed());
                answer()
            }
        });

        let handle = supervisor.add_task(spec.with_timeout(secs(5))).await?;
        let outcome = handle.outcome().await;

        assert!(outcome.is_completed(), "{outcome}");
        assert_eq!(*cleaned_up.lock().unwrap(), [secs(5), secs(7)]);
        assert_eq!(start.elapsed(), secs(7 + 1));
        settle().await;
        let kinds = recorder.kinds_of("slow");
        assert_eq!(kinds[2..7], [TaskStarting, TimeoutHit, TaskFailed, BackoffScheduled, TaskStarting]);
        let failed = recorder.seen().into_iter().find(|seen| seen.kind == TaskFailed);
        assert_eq!(failed.and_then(|seen| seen.reason).as_deref(), Some("timed out after 5s"));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn b14_a_deaf_task_is_dropped_after_the_window() {
    for (grace, stop_timeout, ends) in
        [(60, None, 10), (3, None, 8), (60, Some(2), 7), (60, Some(20), 25), (60, Some(0), 5)]
    {
        let config = SupervisorConfig { grace: secs(grace), ..SupervisorConfig::default() };
        let (supervisor, recorder) = recorded_with(config);
        let script = Script::new([Step::Deaf]);
        let spec = script.spec("deaf").with_timeout(secs(5)).with_restart(RestartPolicy::Never);
        let spec = stop_timeout.map(secs).into_iter().fold(spec, TaskSpec::with_stop_timeout);
        let start = Instant::now();

        let handle = supervisor.add_task(spec).await.unwrap();
        sleep(secs(ends).saturating_sub(ms(1))).await;
        assert_eq!(script.running(), 1, "grace {grace}, stop_timeout {stop_timeout:?}");
        let outcome = handle.outcome().await;

        assert_eq!(start.elapsed(), secs(ends));
        assert_eq!(script.running(), 0);
        assert_eq!(outcome.to_string(), "failed: timed out after 5s");
        assert_eq!(counted(&recorder, TimeoutHit).await, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn b14_a_task_without_context_is_dropped_at_once() -> Result<(), RuntimeError> {
    let (supervisor, dropped) = (supervisor(), Dropped::default());
    let noted = dropped.clone();
    let spec = by_hand(move || {
        let held = noted.note();
        Box::pin(async move {
            let _held = held;
            pending().await
        })
    });
    let start = Instant::now();

    let handle = supervisor.add_task(spec.with_timeout(secs(5)).with_restart(RestartPolicy::Never)).await?;
    let outcome = handle.outcome().await;

    assert_eq!(outcome.to_string(), "failed: timed out after 5s");
    assert_eq!(start.elapsed(), secs(5));
    assert!(dropped.is_noted());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn b14_told_to_stop_in_the_window_it_is_canceled_at_its_end() -> Result<(), RuntimeError> {
    let (supervisor, recorder) = recorded();
    let script = Script::new([Step::Deaf]);
    let start = Instant::now();
    let handle = supervisor.add_task(script.spec("deaf").with_timeout(secs(5))).await?;
    sleep(secs(6)).await;

    assert!(handle.cancel().await?);

    assert_eq!(start.elapsed(), secs(10), "the window, and not the 60 s that a stop may take");
    let outcome = handle.outcome().await;
    assert!(matches!(outcome, TaskOutcome::Canceled { error: Some(_), .. }), "{outcome}");
    assert_eq!(outcome.to_string(), "canceled: timed out after 5s");
    sleep(secs(60)).await;
    assert_eq!((script.attempts(), recorder.count(BackoffScheduled)), (1, 0));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn b14_told_to_stop_in_the_window_it_may_still_clean_up() -> Result<(), RuntimeError> {
    let supervisor = supervisor();
    let spec = task("slow", |ctx: TaskContext| async move {
        ctx.cancelled().await;
        sleep(secs(3)).await;
        Ok(())
    });
    let start = Instant::now();
    let handle = supervisor.add_task(spec.with_timeout(secs(5))).await?;
    sleep(secs(6)).await;

    assert!(handle.cancel().await?);

    assert_eq!(start.elapsed(), secs(8));
    assert_eq!(handle.outcome().await.to_string(), "canceled: timed out after 5s");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn b14_told_to_stop_in_the_window_with_less_time_it_ends_all_the_same() -> Result<(), RuntimeError> {
    let supervisor = supervisor();
    let handle = supervisor.add_task(deaf("deaf").with_timeout(secs(5))).await?;
    sleep(secs(6)).await;

    // The attempt may keep the 4 s left of the window or have the 1 s given here. It can be dropped, so neither is an
    // error.
    let canceled = supervisor.cancel_with_timeout("deaf", secs(1)).await;

    assert!(matches!(canceled, Ok(true)), "{canceled:?}");
    assert!(supervisor.list_tasks().await.is_empty());
    assert!(matches!(handle.outcome().await, TaskOutcome::Canceled { .. } | TaskOutcome::Aborted { .. }));
    Ok(())
}

/// The clean-up after the timeout has 60 s, and the stop has less: the stop is not a clean one.
#[tokio::test(start_paused = true)]
async fn b14_an_attempt_in_the_window_that_exceeds_its_stop_timeout_is_aborted_and_named() -> Result<(), RuntimeError> {
    let supervisor = supervisor();
    let spec = deaf("deaf").with_timeout(secs(5)).with_cleanup(secs(60)).with_stop_timeout(secs(2));
    let start = Instant::now();
    let handle = supervisor.add_task(spec).await?;
    sleep(secs(6)).await;

    let error = supervisor.shutdown().await.unwrap_err();

    assert_eq!(start.elapsed(), secs(8));
    assert!(matches!(handle.outcome().await, TaskOutcome::Aborted { .. }), "{}", handle.outcome().await);
    assert_eq!(error.to_string(), "1 task not stopped in time: deaf (past its `stop_timeout`)");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn b14_told_to_restart_in_the_window_it_keeps_the_deadline_and_begins_anew() -> Result<(), RuntimeError> {
    let (supervisor, recorder) = recorded();
    let script = Script::new([Step::Deaf, Step::Wait]);
    let start = Instant::now();
    let spec = script.spec("deaf").with_timeout(secs(5)).with_max_retries(0);
    let handle = supervisor.add_task(spec).await?;
    sleep(secs(6)).await;

    assert!(handle.restart());
    sleep(secs(5)).await;

    assert_eq!(script.begun_ms(start), [0, 10_000], "no failure is counted, and no backoff waited for");
    assert_eq!(recorder.count(TaskFailed), 0);
    assert!(handle.cancel().await?);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn b14_completion_wins_a_tie_with_the_timeout() -> Result<(), RuntimeError> {
    let (supervisor, recorder) = recorded();
    let script = Script::new([Step::Succeed(secs(5))]);

    let outcome = supervisor.add_task(script.spec("just").with_timeout(secs(5))).await?.outcome().await;

    assert!(outcome.is_completed(), "{outcome}");
    assert_eq!(counted(&recorder, TimeoutHit).await, 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn b14_each_attempt_has_the_whole_timeout_and_waits_do_not_count() -> Result<(), RuntimeError> {
    let (supervisor, recorder) = recorded();
    let script = Script::new([Step::Succeed(secs(4))]);
    let start = Instant::now();

    let spec = script.spec("tick").with_timeout(secs(5)).with_initial_delay(secs(10));
    let spec = spec.with_restart(RestartPolicy::Always { interval: Some(secs(3)) });
    supervisor.run_until(vec![spec], sleep(secs(25))).await?;

    assert_eq!(script.begun_ms(start), [10_000, 17_000, 24_000]);
    assert_eq!(recorder.count(TimeoutHit), 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn b14_zero_and_the_longest_timeout_never_come() -> Result<(), RuntimeError> {
    let (supervisor, recorder) = recorded();
    let script = Script::new([Step::Deaf]);
    for (name, timeout) in [("zero", Duration::ZERO), ("longest", Duration::MAX)] {
        supervisor.add_task(script.spec(name).with_timeout(timeout)).await?;
    }

    sleep(secs(100 * 24 * 3600)).await;

    assert_eq!((script.attempts(), script.running()), (2, 2));
    assert_eq!(recorder.count(TimeoutHit), 0);
    Ok(())
}

#[tokio::test]
async fn b14_an_attempt_that_is_always_busy_times_out_all_the_same() -> Result<(), RuntimeError> {
    let supervisor = supervisor();
    let spec = by_hand(|| {
        Box::pin(async {
            // Far more turns than fit into the timeout, but finite: if the timeout fails, the test fails instead of
            // hanging.
            for _ in 0..100_000_000 {
                tokio::task::coop::consume_budget().await;
            }
            Ok(())
        })
    });

    let spec = spec.with_timeout(ms(20)).with_restart(RestartPolicy::Never);
    let outcome = supervisor.add_task(spec).await?.outcome().await;

    assert_eq!(outcome.to_string(), "failed: timed out after 20ms");
    Ok(())
}
