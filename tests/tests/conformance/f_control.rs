//! F. Runtime control.

mod dropped_waits;
mod restart_and_wait;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use taskvisor::{
    BackoffPolicy, BoxTaskFuture, CancellationToken, EventKind, JitterPolicy, RestartPolicy, RuntimeError,
    SupervisorConfig, SupervisorHandle, Task, TaskContext, TaskError, TaskFn, TaskOutcome, TaskSpec, TaskState,
};
use tests::{
    ALWAYS, FAIL, OK, Script, Step, constant, cooperative, deaf, ms, recorded, recorded_with, secs, settle, supervisor,
};
use tokio::time::Instant;

type Result = std::result::Result<(), RuntimeError>;

/// A generous limit on real time, against hanging.
const FOREVER: Duration = secs(60);

/// A backoff that grows tenfold with each failure.
fn tenfold() -> BackoffPolicy {
    BackoffPolicy { first: secs(1), max: secs(100_000), factor: 10.0, jitter: JitterPolicy::None }
}

#[tokio::test(start_paused = true)]
async fn f01_a_duplicate_is_refused_and_the_incumbent_knows_nothing_of_it() -> Result {
    // given
    let (supervisor, recorder) = recorded();
    let incumbent = supervisor.add_task(cooperative("x")).await?;
    settle().await;
    let intruder = Script::new([OK]);
    // when
    let refused = supervisor.add_task(intruder.spec("x")).await;
    settle().await;
    // then
    assert!(matches!(refused, Err(RuntimeError::TaskAlreadyExists { name }) if name == "x"));
    assert_eq!(intruder.attempts(), 0);
    assert!(supervisor.is_alive("x").await);
    assert_eq!(supervisor.list_tasks().await, ["x"]);
    assert_eq!(supervisor.task("x").unwrap().id(), incumbent.id());
    assert_eq!(incumbent.status().attempt, 1);
    assert_eq!(recorder.kinds().len(), 3, "no event");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn f01_a_batch_with_a_taken_name_starts_nothing() -> Result {
    let (supervisor, recorder) = recorded();
    supervisor.add_task(cooperative("x")).await?;
    settle().await;
    let other = Script::new([OK]);
    let refused = supervisor.run(vec![other.spec("other"), other.spec("x")]).await;
    settle().await;
    assert!(matches!(refused, Err(RuntimeError::TaskAlreadyExists { name }) if name == "x"));
    assert_eq!((other.attempts(), recorder.kinds().len()), (0, 3));
    assert_eq!(supervisor.list_tasks().await, ["x"]);
    assert!(supervisor.add_task(cooperative("other")).await.is_ok(), "its name is free");
    Ok(())
}

/// Calls the supervisor when dropped.
struct Inquisitive(SupervisorHandle);

impl Drop for Inquisitive {
    fn drop(&mut self) {
        let _ = self.0.snapshot();
    }
}

impl Task for Inquisitive {
    fn name(&self) -> &'static str {
        "x"
    }

    fn spawn(&self, token: CancellationToken) -> BoxTaskFuture {
        Box::pin(async move {
            token.cancelled().await;
            Ok(())
        })
    }
}

#[test]
fn f01_a_task_that_calls_back_when_it_is_dropped_finds_no_lock_held() {
    // given a separate thread, which is leaked if it hangs
    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let supervisor = supervisor();
            let spec = || TaskSpec::inherit(Arc::new(Inquisitive(supervisor.handle())));
            // when a task is refused, a batch is refused, and a task ends
            let one = supervisor.add_task(spec()).await.unwrap();
            assert!(supervisor.add_task(spec()).await.is_err());
            let named = |name: &str| spec().with_name(name.to_owned());
            assert!(supervisor.run(vec![named("y"), spec(), named("z")]).await.is_err());
            assert!(one.cancel().await.unwrap());
            drop(one);
            supervisor.shutdown().await.unwrap();
            assert!(supervisor.add_task(spec()).await.is_err());
            assert!(supervisor.run(vec![spec(), spec()]).await.is_err());
        });
        done.send(()).unwrap();
    });
    // then
    assert!(is_done.recv_timeout(FOREVER).is_ok(), "a lock was held");
}

#[tokio::test(start_paused = true)]
async fn f02_cancel_is_true_once() -> Result {
    let (supervisor, recorder) = recorded();
    let task = supervisor.add_task(cooperative("x")).await?;
    settle().await;
    assert!(supervisor.cancel("x").await?);
    assert_eq!(task.status().state, TaskState::Ended, "it waits for the end");
    assert!(!supervisor.cancel("x").await? && !task.cancel().await?);
    assert!(!supervisor.cancel("never there").await?);
    settle().await;
    assert_eq!(recorder.count(EventKind::TaskRemoveRequested), 1);
    assert_eq!(recorder.count(EventKind::TaskRemoved), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn f02_cancel_aborts_within_its_bound() -> Result {
    let supervisor = supervisor();
    for (name, bound) in [("a", secs(3)), ("b", Duration::ZERO)] {
        let task = supervisor.add_task(deaf(name)).await?;
        settle().await;
        let called = Instant::now();
        assert!(supervisor.cancel_with_timeout(name, bound).await?);
        assert_eq!(called.elapsed(), bound);
        assert!(matches!(task.outcome().await, TaskOutcome::Aborted { error: None }));
    }
    let own = supervisor.add_task(deaf("own").with_stop_timeout(secs(2))).await?;
    settle().await;
    let called = Instant::now();
    assert!(own.cancel().await?);
    assert_eq!(called.elapsed(), secs(2));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn f02_the_tightest_bound_of_several_holds() -> Result {
    let supervisor = supervisor();
    let task = supervisor.add_task(deaf("x")).await?;
    settle().await;
    let start = Instant::now();
    let (long, short) = tokio::join!(supervisor.cancel_with_timeout("x", secs(30)), async {
        tokio::time::sleep(secs(1)).await;
        supervisor.cancel_with_timeout("x", secs(4)).await
    });
    assert_eq!((long?, short?), (true, false));
    assert_eq!(start.elapsed(), secs(5));
    assert!(matches!(task.outcome().await, TaskOutcome::Aborted { error: None }));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn f02_a_cancel_hastens_the_clean_up_after_a_timeout() -> Result {
    let supervisor = supervisor();
    let task = supervisor.add_task(deaf("x").with_timeout(secs(1))).await?;
    tokio::time::sleep(secs(2)).await;
    let start = Instant::now();
    assert!(task.status().attempt == 1, "in the window of 5 s after its timeout");
    let canceled = supervisor.cancel_with_timeout("x", secs(1)).await;
    assert!(matches!(canceled, Ok(true)), "it does not block its thread: {canceled:?}");
    assert_eq!(start.elapsed(), secs(1));
    Ok(())
}

#[test]
fn f02_a_thread_without_a_runtime_may_cancel() {
    // given
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let supervisor = supervisor();
    let task = runtime.block_on(supervisor.add_task(cooperative("x"))).unwrap();
    // when polled outside of Tokio
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let mut cancel = std::pin::pin!(task.cancel());
    let told = cancel.as_mut().poll(&mut context);
    // then
    assert!(told.is_pending() || matches!(told, std::task::Poll::Ready(Ok(true))));
    let outcome = runtime.block_on(async { tokio::time::timeout(FOREVER, task.outcome()).await });
    assert!(matches!(outcome, Ok(TaskOutcome::Canceled { error: None, .. })));
}

#[tokio::test(start_paused = true)]
async fn f03_of_cancels_at_once_one_is_first_and_all_wait() -> Result {
    // given
    let (supervisor, recorder) = recorded();
    let slow = TaskFn::arc("x", |token: CancellationToken| async move {
        token.cancelled().await;
        tokio::time::sleep(secs(2)).await;
        Ok(())
    });
    let task = supervisor.add_task(TaskSpec::inherit(slow)).await?;
    settle().await;
    // when
    let start = Instant::now();
    let calls: Vec<_> = (0..10)
        .map(|n| {
            let (task, supervisor) = (task.clone(), supervisor.handle());
            tokio::spawn(async move { if n % 2 == 0 { task.cancel().await } else { supervisor.cancel("x").await } })
        })
        .collect();
    let mut first = 0;
    for call in calls {
        first += usize::from(call.await.unwrap()?);
        assert_eq!(start.elapsed(), secs(2));
    }
    // then
    assert_eq!(first, 1);
    settle().await;
    let end = [EventKind::TaskRemoveRequested, EventKind::TaskStopped, EventKind::TaskRemoved];
    assert_eq!(recorder.kinds()[3..], end);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn f04_a_task_that_is_canceled_right_after_it_was_added_never_runs() -> Result {
    let (supervisor, recorder) = recorded();
    let script = Script::new([Step::Wait]);
    let task = supervisor.add_task(script.spec("x")).await?;
    assert!(supervisor.cancel("x").await?);
    assert!(matches!(task.outcome().await, TaskOutcome::Canceled { error: None, .. }));
    tokio::time::sleep(secs(100)).await;
    assert_eq!(script.attempts(), 0);
    let all = [EventKind::TaskAddRequested, EventKind::TaskAdded, EventKind::TaskRemoveRequested];
    assert_eq!(recorder.kinds()[..3], all);
    assert_eq!(recorder.kinds()[3..], [EventKind::TaskRemoved]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f04_a_task_that_is_canceled_while_it_begins_has_ended_when_cancel_returns() -> Result {
    let supervisor = supervisor();
    for round in 0..2000 {
        let script = Script::new([Step::Wait]);
        supervisor.add_task(script.spec("x")).await?;
        for _ in 0..round % 32 {
            std::hint::spin_loop();
        }
        assert!(supervisor.cancel("x").await?);
        assert!(script.attempts() <= 1 && script.running() == 0, "round {round}");
    }
    assert!(supervisor.list_tasks().await.is_empty());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn f05_removing_an_unknown_name_is_an_error_and_nothing_else() -> Result {
    let (supervisor, recorder) = recorded();
    supervisor.add_task(cooperative("x")).await?;
    settle().await;
    for _ in 0..100 {
        let result = supervisor.remove_task("y").await;
        assert!(matches!(result, Err(RuntimeError::TaskNotFound { name }) if name == "y"));
    }
    settle().await;
    assert_eq!(recorder.kinds().len(), 3);
    assert_eq!(supervisor.list_tasks().await, ["x"]);
    assert!(supervisor.remove_task("x").await.is_ok());
    settle().await;
    assert!(matches!(supervisor.remove_task("x").await, Err(RuntimeError::TaskNotFound { .. })), "it has ended");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn f06_restart_in_backoff_skips_the_wait_and_clears_the_streak() -> Result {
    // given
    let (supervisor, recorder) = recorded();
    let start = Instant::now();
    let script = Script::new([FAIL]);
    let spec = script.spec("x").with_backoff(tenfold()).with_max_retries(2);
    let task = supervisor.add_task(spec).await?;
    tokio::time::sleep(secs(2)).await;
    assert_eq!(task.status().state, TaskState::Backoff);
    // when
    assert!(task.restart());
    let outcome = task.outcome().await;
    // then
    assert_eq!(script.begun_ms(start), [0, 1_000, 2_000, 3_000, 13_000]);
    assert!(matches!(outcome, TaskOutcome::Exhausted { failures: 3, .. }), "{outcome}");
    settle().await;
    let delays: Vec<_> = recorder.seen().iter().filter_map(|seen| seen.delay_ms).collect();
    assert_eq!(delays, [1_000, 10_000, 1_000, 10_000]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn f06_restart_of_a_running_task_ends_the_attempt_first_and_counts_no_failure() -> Result {
    // given
    let (supervisor, recorder) = recorded();
    let script = Script::new([Step::Wait]);
    let task = supervisor.add_task(script.spec("x").with_restart(RestartPolicy::Never)).await?;
    let other = supervisor.add_task(cooperative("other")).await?;
    settle().await;
    // when
    assert!(task.restart() && task.restart(), "two in one moment are one");
    settle().await;
    // then
    assert_eq!((script.attempts(), script.most(), script.running()), (2, 1, 1));
    assert_eq!((task.status().attempt, task.status().restarts), (2, 1));
    let after = [EventKind::TaskStopped, EventKind::TaskStarting];
    assert_eq!(recorder.kinds_of("x")[3..], after);
    assert_eq!(other.status().attempt, 1);
    assert!(task.cancel().await?);
    assert!(matches!(task.outcome().await, TaskOutcome::Canceled { error: None, .. }));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn f06_restart_of_a_deaf_task_aborts_the_attempt_at_its_stop_timeout() -> Result {
    let (supervisor, recorder) = recorded();
    let script = Script::new([Step::Deaf, Step::Wait]);
    let start = Instant::now();
    let task = supervisor.add_task(script.spec("x").with_stop_timeout(secs(3)).with_max_retries(0)).await?;
    settle().await;
    assert!(task.restart());
    assert_eq!(task.status().state, TaskState::Stopping);
    tokio::time::sleep(secs(10)).await;
    assert_eq!(script.begun_ms(start), [0, 3_000]);
    assert_eq!(script.most(), 1);
    assert_eq!(recorder.kinds_of("x")[3..], [EventKind::TaskFailed, EventKind::TaskStarting]);
    assert_eq!(task.status().state, TaskState::Running);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn f06_a_cancel_overrides_a_restart_and_not_the_other_way_round() -> Result {
    let supervisor = supervisor();
    let script = Script::new([Step::Wait]);
    let task = supervisor.add_task(script.spec("x")).await?;
    settle().await;
    assert!(task.restart());
    let canceled = tokio::spawn({
        let task = task.clone();
        async move { task.cancel().await }
    });
    assert!(canceled.await.unwrap()?);
    assert!(!task.restart());
    assert_eq!(script.attempts(), 1);
    assert!(matches!(task.outcome().await, TaskOutcome::Canceled { error: None, .. }));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn f07_trigger_skips_an_interval_a_backoff_and_an_initial_delay() -> Result {
    // given
    let supervisor = supervisor();
    let start = Instant::now();
    let script = Script::new([OK, FAIL, FAIL, Step::Wait]);
    let spec = script
        .spec("x")
        .with_restart(RestartPolicy::Always { interval: Some(secs(1_000)) })
        .with_backoff(tenfold())
        .with_initial_delay(secs(1_000));
    let task = supervisor.add_task(spec).await?;
    // when
    for _ in 0..3 {
        tokio::time::sleep(ms(100)).await;
        assert!(task.trigger());
        assert!(!task.trigger(), "the wait is over");
    }
    // then
    tokio::time::sleep(secs(100)).await;
    assert_eq!(script.begun_ms(start), [100, 200, 300, 10_300], "it forgets no failures");
    assert_eq!(task.status().state, TaskState::Running);
    assert!(task.trigger(), "a periodic task that runs owes one more run");
    assert_eq!(script.attempts(), 4);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn f07_a_wait_for_a_permit_is_pending_and_cannot_be_triggered() -> Result {
    // given tasks whose own wait is over, while the only permit is taken
    let config = SupervisorConfig { max_concurrent: 1, ..SupervisorConfig::default() };
    let (supervisor, _) = recorded_with(config);
    let script = Script::new([FAIL]);
    let retries = supervisor.add_task(script.spec("retries").with_backoff(constant(secs(1)))).await?;
    let delayed = supervisor.add_task(cooperative("delayed").with_initial_delay(secs(1))).await?;
    supervisor.add_task(cooperative("holder")).await?;
    tokio::time::sleep(secs(5)).await;
    // then
    for task in [retries, delayed] {
        assert_eq!(task.status().state, TaskState::Pending, "{}", task.name());
        assert!(!task.trigger(), "{} is in no wait that a trigger ends", task.name());
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn f09_removing_a_stuck_task_delays_no_other_command() -> Result {
    // given
    let supervisor = supervisor();
    for name in ["stuck", "other"] {
        supervisor.add_task(if name == "stuck" { deaf(name) } else { cooperative(name) }).await?;
    }
    settle().await;
    let start = Instant::now();
    // when
    supervisor.remove_task("stuck").await?;
    // then
    assert!(supervisor.cancel("other").await?);
    supervisor.add_task(cooperative("other")).await?;
    settle().await;
    assert_eq!(supervisor.snapshot(), ["other", "stuck"]);
    assert!(supervisor.task("other").unwrap().restart());
    supervisor.remove_task("stuck").await?;
    assert_eq!(start.elapsed(), Duration::ZERO);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn f10_a_task_that_is_canceled_in_backoff_never_starts_again() -> Result {
    let (supervisor, recorder) = recorded();
    let script = Script::new([FAIL]);
    let task = supervisor.add_task(script.spec("x").with_backoff(constant(secs(5)))).await?;
    settle().await;
    let start = Instant::now();
    assert!(supervisor.cancel("x").await?);
    assert_eq!(start.elapsed(), Duration::ZERO);
    tokio::time::sleep(secs(100)).await;
    assert_eq!(script.attempts(), 1);
    assert!(matches!(task.outcome().await, TaskOutcome::Canceled { error: None, .. }));
    let end = [EventKind::BackoffScheduled, EventKind::TaskRemoveRequested, EventKind::TaskRemoved];
    assert_eq!(recorder.kinds_of("x")[4..], end);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn f11_a_handle_of_an_earlier_registration_does_nothing_to_the_present_one() -> Result {
    let supervisor = supervisor();
    let earlier = supervisor.add_task(cooperative("x")).await?;
    earlier.cancel().await?;
    let present = supervisor.add_task(cooperative("x")).await?;
    settle().await;
    assert_ne!(earlier.id(), present.id());
    assert!(!earlier.restart() && !earlier.trigger() && !earlier.cancel().await?);
    assert_eq!(earlier.status().state, TaskState::Ended);
    settle().await;
    assert_eq!((present.status().state, present.status().attempt), (TaskState::Running, 1));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn f11_a_handle_of_another_supervisor_does_nothing_to_this_one() -> Result {
    let (here, there) = (supervisor(), supervisor());
    let (mine, theirs) = (here.add_task(cooperative("x")).await?, there.add_task(cooperative("x")).await?);
    settle().await;
    assert_ne!(mine.id(), theirs.id());
    assert!(theirs.restart() && theirs.cancel().await?);
    there.shutdown().await?;
    settle().await;
    assert_eq!((mine.status().state, mine.status().attempt), (TaskState::Running, 1));
    assert_eq!((here.snapshot(), there.snapshot()), (vec!["x".to_owned()], vec![]));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn f12_add_and_cancel_among_100_000_concern_their_own_registration_only() -> Result {
    // given
    let supervisor = supervisor();
    let forever = TaskFn::arc("idle", |_: TaskContext| std::future::pending());
    for n in 0..100_000 {
        supervisor.add_task(TaskSpec::inherit(forever.clone()).with_name(n.to_string())).await?;
    }
    let listed = supervisor.list_tasks().await;
    tokio::time::sleep(ms(1)).await;
    assert_eq!(supervisor.snapshot().len(), 100_000);
    // when
    for _ in 0..100 {
        let task = supervisor.add_task(cooperative("x")).await?;
        assert!(supervisor.cancel("x").await?);
        assert!(matches!(task.outcome().await, TaskOutcome::Canceled { error: None, .. }));
    }
    // then
    assert_eq!(supervisor.list_tasks().await, listed);
    assert_eq!(supervisor.snapshot(), listed);
    let [first, last] = ["0", "99999"].map(|name| supervisor.task(name).unwrap());
    assert_eq!([first.status().attempt, last.status().attempt], [1, 1]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn f13_a_task_adds_another_through_its_context() {
    // given
    let (supervisor, _) = recorded();
    let child = Script::new([Step::Succeed(secs(5))]);
    let parent = TaskFn::arc("parent", {
        let child = Arc::clone(&child);
        move |ctx: TaskContext| {
            let spec = child.spec("child");
            async move {
                let added = ctx.supervisor().add_task(spec).await.map_err(TaskError::error)?;
                assert_eq!(added.name(), "child");
                Ok(())
            }
        }
    });
    // when
    let start = Instant::now();
    let result = supervisor.run_until(vec![TaskSpec::inherit(parent)], std::future::pending()).await;
    // then
    assert!(result.is_ok());
    assert_eq!(start.elapsed(), secs(5), "`run` waits for what was added meanwhile");
    assert_eq!(child.attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn f13_a_task_removes_itself_and_goes_on_to_its_end() -> Result {
    let (supervisor, recorder) = recorded();
    let task = TaskFn::arc("x", |ctx: TaskContext| async move {
        ctx.supervisor().remove_task(ctx.path()).await.map_err(TaskError::error)?;
        assert!(ctx.is_cancelled());
        Ok(())
    });
    let task = supervisor.add_task(TaskSpec::inherit(task).with_restart(ALWAYS)).await?;
    assert!(matches!(task.outcome().await, TaskOutcome::Canceled { error: None, .. }));
    settle().await;
    assert_eq!(task.status().attempt, 1);
    let all = [EventKind::TaskRemoveRequested, EventKind::TaskStopped, EventKind::TaskRemoved];
    assert_eq!(recorder.kinds()[3..], all);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn f13_a_task_cancels_itself_and_does_not_wait_for_its_own_end() -> Result {
    let (supervisor, recorder) = recorded();
    let start = Instant::now();
    let cancels = TaskFn::arc("x", |ctx: TaskContext| async move {
        let first = ctx.supervisor().cancel(ctx.path()).await;
        let again = ctx.supervisor().task(ctx.path()).unwrap().cancel().await;
        assert!(matches!((first, again), (Ok(true), Ok(false))));
        assert!(ctx.is_cancelled());
        tokio::time::sleep(secs(1)).await;
        Ok(())
    });
    let task = supervisor.add_task(TaskSpec::inherit(cancels).with_restart(ALWAYS)).await?;
    assert!(matches!(task.outcome().await, TaskOutcome::Canceled { error: None, .. }));
    assert_eq!(start.elapsed(), secs(1), "its clean-up is its own affair");
    settle().await;
    assert_eq!(recorder.count(EventKind::TaskRemoveRequested), 1);
    assert_eq!((task.status().attempt, recorder.count(EventKind::TaskRemoved)), (1, 1));
    Ok(())
}

/// Removed now, or earlier.
fn assert_removed(result: &Result) {
    assert!(matches!(result, Ok(()) | Err(RuntimeError::TaskNotFound { .. })), "{result:?}");
}

/// Calls the verbs of a task from four concurrent callers; returns how many cancels were the first.
async fn storm(supervisor: &Arc<taskvisor::Supervisor>, round: usize, stops: bool) -> usize {
    let task = supervisor.task("x").unwrap();
    let first = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..4)
        .map(|caller| {
            let (task, supervisor, first) = (task.clone(), supervisor.handle(), Arc::clone(&first));
            tokio::spawn(async move {
                for call in 0..8 {
                    match (stops && call == 4, caller) {
                        (true, 0) => assert_removed(&supervisor.remove_task("x").await),
                        (true, 1) => {
                            _ = first.fetch_add(supervisor.cancel("x").await.unwrap().into(), Ordering::SeqCst);
                        }
                        (true, 2) => _ = first.fetch_add(task.cancel().await.unwrap().into(), Ordering::SeqCst),
                        _ if (call + caller + round) % 3 == 0 => _ = task.trigger(),
                        _ => _ = task.restart(),
                    }
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for caller in callers {
        tokio::time::timeout(FOREVER, caller).await.expect("hangs").unwrap();
    }
    first.load(Ordering::SeqCst)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f14_verbs_from_many_threads_stop_a_task_once() -> Result {
    for round in 0..150 {
        // given
        let (supervisor, recorder) = recorded();
        let script = Script::new([Step::Wait]);
        let task = supervisor.add_task(script.spec("x").with_restart(ALWAYS)).await?;
        // when
        let first = storm(&supervisor, round, true).await;
        // then
        let outcome = tokio::time::timeout(FOREVER, task.outcome()).await.expect("hangs");
        assert!(matches!(outcome, TaskOutcome::Canceled { error: None, .. }), "{outcome}");
        assert!(first <= 1, "{first} cancels were the first, or a removal");
        supervisor.shutdown().await?;
        assert!(!task.restart() && !task.trigger() && !task.cancel().await?);
        assert!(script.most() <= 1 && script.running() == 0);
        assert_eq!(script.attempts(), recorder.count(EventKind::TaskStarting));
        assert_eq!(script.attempts(), recorder.count(EventKind::TaskStopped));
        assert_eq!(task.status().attempt as usize, script.attempts());
        assert_eq!(recorder.count(EventKind::TaskRemoveRequested), 1);
        assert_eq!(recorder.count(EventKind::TaskRemoved), 1);
        assert_eq!(recorder.kinds_of("x").last(), Some(&EventKind::TaskRemoved));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f14_verbs_from_many_threads_leave_a_task_running_that_nobody_stopped() -> Result {
    for round in 0..150 {
        let supervisor = supervisor();
        let script = Script::new([Step::Wait]);
        let task = supervisor.add_task(script.spec("x").with_restart(RestartPolicy::Never)).await?;
        storm(&supervisor, round, false).await;
        // An accepted restart leads to a new attempt that is not requested to stop.
        let settled = async {
            while task.status().state != TaskState::Running || script.running() != 1 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(FOREVER, settled).await.expect("it stopped");
        assert_eq!(script.most(), 1);
        assert!((1..=33).contains(&script.attempts()));
        assert!(task.cancel().await?);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn f14_every_verb_is_false_on_a_task_that_ended_by_itself() -> Result {
    let (supervisor, recorder) = recorded();
    for (name, step) in [("ok", OK), ("fatal", Step::Fatal), ("canceled", Step::Cancel)] {
        let task = supervisor.add_task(Script::new([step]).spec(name)).await?;
        task.outcome().await;
        settle().await;
        let told = recorder.kinds().len();
        assert!(!task.restart() && !task.trigger() && !task.cancel().await?);
        assert!(!supervisor.cancel(name).await?);
        assert!(matches!(supervisor.remove_task(name).await, Err(RuntimeError::TaskNotFound { .. })));
        settle().await;
        assert_eq!(recorder.kinds().len(), told, "no event");
    }
    Ok(())
}
