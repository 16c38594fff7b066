//! The pause of a task: no attempt begins, and everything else goes on.

use taskvisor::{EventKind, Ready, RestartPolicy, StopReason, TaskContext, TaskFn, TaskOutcome, TaskSpec, TaskState};
use tests::{ALWAYS, FAIL, OK, Script, Step, constant, cooperative, ms, secs, settle, supervisor};
use tokio::time::{Instant, advance};

use super::{Result, not_ready, started, state};

fn every(seconds: u64) -> RestartPolicy {
    RestartPolicy::Always { interval: Some(secs(seconds)) }
}

#[tokio::test(start_paused = true)]
async fn t2_a_running_attempt_goes_on_and_no_other_begins() -> Result {
    let script = Script::new([Step::Succeed(secs(5)), Step::Wait]);
    let (tree, _) = started(|tree| tree.task(script.spec("t").with_restart(ALWAYS))).await?;
    let task = tree.child("t");
    assert!(task.pause() && !task.pause() && task.is_paused());
    settle().await;
    let status = task.status().unwrap();
    assert_eq!((status.state, status.paused, script.running()), (TaskState::Running, true, 1));
    assert!(tree.health().is_ready(), "a running attempt is as ready as ever");
    advance(secs(5)).await;
    settle().await;
    assert_eq!((state(&tree, "t"), script.attempts(), script.running()), (TaskState::Paused, 1, 0));
    assert_eq!(not_ready(&tree), ["t: not ready: paused"]);
    assert!(tree.health().is_live());
    assert!(task.resume() && !task.resume() && !task.is_paused());
    settle().await;
    assert_eq!((state(&tree, "t"), script.attempts()), (TaskState::Running, 2));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_a_backoff_runs_on_and_what_fell_due_starts_once() -> Result {
    let script = Script::new([FAIL, Step::Wait]);
    let (tree, _) = started(|tree| tree.task(script.spec("t").with_backoff(constant(secs(10))))).await?;
    let start = Instant::now();
    let task = tree.child("t");
    // given a pause within the backoff, then it runs on
    assert!(task.pause());
    advance(secs(4)).await;
    settle().await;
    assert_eq!((state(&tree, "t"), not_ready(&tree)), (TaskState::Backoff, vec!["t: not ready: backoff".to_owned()]));
    assert!(task.resume());
    settle().await;
    assert_eq!(script.attempts(), 1, "the backoff is not over");
    // when the backoff ends within another pause, then the attempt begins with the resume
    assert!(task.pause());
    advance(secs(20)).await;
    settle().await;
    assert_eq!((state(&tree, "t"), script.attempts()), (TaskState::Paused, 1));
    assert_eq!(task.status().unwrap().failures, 1, "a pause resets nothing");
    assert!(task.resume());
    settle().await;
    assert_eq!(script.begun_ms(start), [0, 24_000]);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_occurrences_in_a_pause_are_skipped() -> Result {
    let (interval, rate) = (Script::new([OK]), Script::new([OK]));
    let (tree, _) = started(|tree| {
        let rate = rate.spec("rate").with_restart(ALWAYS).with_every(secs(10));
        tree.task(interval.spec("interval").with_restart(every(10))).task(rate)
    })
    .await?;
    let start = Instant::now();
    for path in ["interval", "rate"] {
        assert!(tree.child(path).pause());
    }
    advance(secs(5)).await;
    settle().await;
    assert_eq!((state(&tree, "rate"), tree.health().is_ready()), (TaskState::Interval, true), "it is not due");
    advance(secs(42)).await;
    settle().await;
    assert_eq!(not_ready(&tree), ["interval: not ready: paused", "rate: not ready: paused"]);
    for path in ["interval", "rate"] {
        assert!(tree.child(path).resume());
    }
    settle().await;
    for _ in 0..3 {
        advance(secs(1)).await;
        settle().await;
    }
    // Four ticks were due in the pause, and one attempt makes up for all of them; the rate keeps its grid.
    assert_eq!(interval.begun_ms(start), [0, 47_000]);
    assert_eq!(rate.begun_ms(start), [0, 47_000, 50_000]);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_an_initial_delay_runs_on() -> Result {
    let script = Script::new([Step::Wait]);
    let (tree, _) = started(|tree| tree.task(script.spec("t").with_initial_delay(secs(10)))).await?;
    assert!(tree.child("t").pause());
    advance(secs(1)).await;
    settle().await;
    assert_eq!((state(&tree, "t"), tree.health().is_ready()), (TaskState::Delayed, true));
    advance(secs(9)).await;
    settle().await;
    assert_eq!((state(&tree, "t"), script.attempts()), (TaskState::Paused, 0));
    assert!(tree.child("t").resume());
    settle().await;
    assert_eq!(script.attempts(), 1);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_pause_and_stop_is_no_failure_and_resets_the_streak() -> Result {
    let script = Script::new([FAIL, FAIL, Step::Wait]);
    let (tree, recorder) =
        started(|tree| tree.task(script.spec("t").with_backoff(constant(ms(1))).with_max_retries(2))).await?;
    advance(ms(1)).await;
    settle().await;
    advance(ms(1)).await;
    settle().await;
    let task = tree.child("t");
    assert_eq!((task.status().unwrap().failures, script.running()), (2, 1));
    // when
    assert!(task.pause_and_stop());
    settle().await;
    // then
    let status = task.status().unwrap();
    assert_eq!((status.state, status.failures, script.running()), (TaskState::Paused, 0, 0));
    let stopped: Vec<_> = recorder.seen().into_iter().filter(|seen| seen.kind == EventKind::TaskStopped).collect();
    assert_eq!((stopped[0].stop.as_ref(), stopped[0].reason.as_deref()), (Some(&StopReason::Paused), Some("paused")));
    assert!(!task.pause_and_stop(), "nothing is left to do");
    assert!(task.resume());
    settle().await;
    assert_eq!((script.attempts(), task.status().unwrap().attempt), (4, 4));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_an_attempt_reads_why_it_is_to_stop() -> Result {
    let read = std::sync::Arc::new(std::sync::Mutex::new(None));
    let seen = read.clone();
    let task = TaskFn::arc("t", move |ctx: TaskContext| {
        let seen = seen.clone();
        async move {
            let why = ctx.cancelled().await;
            seen.lock().unwrap().get_or_insert(why);
            Ok(())
        }
    });
    let (tree, _) = started(|tree| tree.task(TaskSpec::inherit(task))).await?;
    let task = tree.child("t");
    // A pause first, and then its stop.
    assert!(task.pause() && task.pause_and_stop() && !task.pause_and_stop());
    settle().await;
    assert_eq!(*read.lock().unwrap(), Some(StopReason::Paused));
    // A task that runs once is told as any other, and runs again: it has not completed.
    assert_eq!(state(&tree, "t"), TaskState::Paused);
    assert!(task.resume());
    settle().await;
    assert_eq!(task.status().unwrap().attempt, 2);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_pause_and_stop_in_a_backoff_only_pauses() -> Result {
    let script = Script::new([FAIL, Step::Wait]);
    let (tree, _) = started(|tree| tree.task(script.spec("t").with_backoff(constant(secs(10))))).await?;
    assert!(tree.child("t").pause_and_stop());
    settle().await;
    let status = tree.child("t").status().unwrap();
    assert_eq!((status.state, status.failures), (TaskState::Backoff, 1));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_an_attempt_that_ignores_the_stop_is_dropped_in_time() -> Result {
    let script = Script::new([Step::Deaf]);
    let (tree, _) = started(|tree| tree.task(script.spec("t").with_stop_timeout(secs(3)))).await?;
    assert!(tree.child("t").pause_and_stop());
    settle().await;
    advance(secs(3)).await;
    settle().await;
    assert_eq!((state(&tree, "t"), script.running()), (TaskState::Paused, 0));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_trigger_runs_one_attempt() -> Result {
    let script = Script::new([OK]);
    let (tree, _) = started(|tree| tree.task(script.spec("t").with_restart(every(10)))).await?;
    let task = tree.child("t");
    assert!(task.pause() && task.trigger());
    settle().await;
    assert_eq!((script.attempts(), state(&tree, "t")), (2, TaskState::Interval), "it ends the wait");
    advance(secs(10)).await;
    settle().await;
    assert_eq!((script.attempts(), state(&tree, "t")), (2, TaskState::Paused));
    assert!(task.trigger() && task.is_paused());
    settle().await;
    assert_eq!((script.attempts(), state(&tree, "t")), (3, TaskState::Interval), "what was due begins, once");
    // A run that owes one more begins one more.
    let slow = Script::new([Step::Succeed(secs(1))]);
    let slow_task = tree.supervisor().add_task(slow.spec("slow").with_restart(every(10))).await?;
    settle().await;
    assert!(slow_task.pause() && slow_task.trigger() && slow_task.trigger());
    for _ in 0..3 {
        advance(secs(1)).await;
        settle().await;
    }
    assert_eq!((slow.attempts(), slow_task.status().state), (2, TaskState::Interval));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_a_pause_after_a_trigger_outranks_it() -> Result {
    let slow = Script::new([Step::Succeed(secs(1))]);
    let (tree, _) = started(|tree| tree.task(slow.spec("t").with_restart(every(10)))).await?;
    let task = tree.child("t");
    assert!(task.trigger() && task.pause());
    advance(secs(1)).await;
    settle().await;
    assert_eq!((slow.attempts(), state(&tree, "t")), (1, TaskState::Paused), "the owed run is due, and waits");
    assert!(task.resume());
    settle().await;
    assert_eq!(slow.attempts(), 2);
    // Also a pause above a task that is paused by itself.
    assert!(task.pause());
    advance(secs(1)).await;
    settle().await;
    advance(secs(10)).await;
    settle().await;
    assert!(task.trigger() && tree.group("").pause());
    settle().await;
    assert_eq!((slow.attempts(), state(&tree, "t")), (2, TaskState::Paused));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_restart_begins_nothing_in_a_pause() -> Result {
    let script = Script::new([FAIL, Step::Wait]);
    let (tree, _) = started(|tree| tree.task(script.spec("t").with_backoff(constant(secs(10))))).await?;
    let task = tree.child("t");
    assert!(task.pause() && task.restart());
    settle().await;
    let status = task.status().unwrap();
    assert_eq!((status.state, status.failures, script.attempts()), (TaskState::Paused, 0, 1));
    assert!(task.resume());
    settle().await;
    assert!(task.pause() && task.restart(), "a running attempt ends");
    settle().await;
    assert_eq!((state(&tree, "t"), script.attempts()), (TaskState::Paused, 2));
    let again = tokio::spawn({
        let task = task.clone();
        async move { task.restart_and_wait().await }
    });
    settle().await;
    assert!(!again.is_finished() && task.resume());
    settle().await;
    assert!(again.await.unwrap(), "it waits for the end of the pause");
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_a_pause_survives_the_registration_at_its_place() -> Result {
    let script = Script::new([Step::Fatal, Step::Wait]);
    let (tree, _) = started(|tree| tree.task(script.spec("t"))).await?;
    let task = tree.child("t");
    let first = task.current().unwrap();
    assert!(matches!(first.outcome().await, TaskOutcome::Fatal { .. }));
    assert!(!first.pause() && !first.resume() && !first.is_paused(), "that registration has ended");
    assert!(task.pause() && task.is_paused(), "the place is there");
    assert!(task.restart());
    settle().await;
    assert_eq!((state(&tree, "t"), script.attempts()), (TaskState::Paused, 1));
    assert!(task.current().unwrap().resume());
    settle().await;
    assert_eq!(script.attempts(), 2);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_the_pause_of_an_added_task_ends_when_its_name_is_free() -> Result {
    let supervisor = supervisor();
    let first = supervisor.add_task(cooperative("t")).await?;
    settle().await;
    assert!(first.pause() && first.cancel().await?);
    let again = supervisor.add_task(cooperative("t")).await?;
    assert!(!again.is_paused());
    settle().await;
    assert_eq!(again.status().state, TaskState::Running);
    // A replacement gets the name while it is taken, and the pause with it.
    assert!(again.pause());
    let replaced = supervisor.replace(cooperative("t")).await?;
    settle().await;
    assert_eq!((replaced.is_paused(), replaced.status().state), (true, TaskState::Paused));
    assert!(!again.resume() && replaced.resume());
    settle().await;
    assert_eq!(replaced.status().state, TaskState::Running);
    supervisor.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_the_pause_of_a_task_of_a_batch_ends_with_its_name() -> Result {
    let supervisor = supervisor();
    let run = {
        let supervisor = supervisor.clone();
        tokio::spawn(async move { supervisor.run(vec![cooperative("t"), cooperative("other")]).await })
    };
    settle().await;
    let task = supervisor.task("t").expect("it is registered");
    assert!(task.pause() && task.cancel().await?);
    let again = supervisor.add_task(cooperative("t")).await?;
    settle().await;
    assert_eq!((again.is_paused(), again.status().state), (false, TaskState::Running));
    supervisor.shutdown().await?;
    run.await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn t2_nothing_is_paused_before_the_start_or_in_a_shutdown() -> Result {
    let tree = taskvisor::Tree::builder(taskvisor::SupervisorConfig::default()).task(cooperative("t")).build();
    let task = tree.child("t");
    assert!(!task.pause() && !task.pause_and_stop() && !task.resume() && !task.is_paused());
    tree.start().await?;
    assert!(!tree.child("absent").pause() && !tree.group("t").pause());
    let current = task.current().unwrap();
    tree.shutdown().await?;
    assert!(!task.pause() && !task.resume() && !task.is_paused() && !current.pause());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t2_readiness_by_first_success_stays_in_a_pause() -> Result {
    let script = Script::new([OK]);
    let task = script.spec("t").with_restart(every(10)).with_ready(Ready::FirstSuccess);
    let (tree, _) = started(|tree| tree.task(task)).await?;
    assert!(tree.child("t").pause());
    advance(secs(10)).await;
    settle().await;
    assert_eq!((state(&tree, "t"), not_ready(&tree)), (TaskState::Paused, vec![]), "as if it was not paused");
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_a_panic_and_a_failure_in_a_pause_count_as_ever() -> Result {
    let script = Script::new([Step::Panic(secs(1)), Step::Fail(secs(1))]);
    let task = script.spec("t").with_backoff(constant(secs(1))).with_max_retries(1);
    let (tree, recorder) = started(|tree| tree.task(task)).await?;
    let task = tree.child("t");
    assert!(task.pause());
    advance(secs(1)).await;
    settle().await;
    assert_eq!((state(&tree, "t"), task.status().unwrap().failures), (TaskState::Backoff, 1));
    advance(secs(1)).await;
    settle().await;
    assert!(task.trigger());
    settle().await;
    advance(secs(1)).await;
    settle().await;
    assert!(matches!(task.outcome().await, Some(TaskOutcome::Exhausted { failures: 2, .. })));
    assert_eq!(recorder.count(EventKind::TaskFailed), 2);
    tree.shutdown().await
}
