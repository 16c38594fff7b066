//! `trigger` of a periodic task that runs: it owes one more run.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use taskvisor::{RestartPolicy, RuntimeError, TaskContext, TaskFn, TaskSpec, TaskState};
use tests::{ALWAYS, FAIL, Script, Step, constant, cooperative, ms, secs, settle, supervisor};
use tokio::time::{Instant, sleep, timeout};

const EVERY_MINUTE: RestartPolicy = RestartPolicy::Always { interval: Some(secs(60)) };

#[tokio::test(start_paused = true)]
async fn o30_a_running_periodic_task_owes_one_more_run() -> Result<(), RuntimeError> {
    for every in [false, true] {
        let supervisor = supervisor();
        let script = Script::new([Step::Succeed(secs(10))]);
        let spec = script.spec("poll");
        let spec = if every { spec.with_restart(ALWAYS).with_every(secs(60)) } else { spec.with_restart(EVERY_MINUTE) };
        let start = Instant::now();
        let task = supervisor.add_task(spec).await?;
        sleep(secs(4)).await;
        assert!(task.trigger() && task.trigger(), "however often it is triggered");
        sleep(secs(8)).await;
        assert!(task.trigger(), "also the owed run can be triggered");
        sleep(secs(120)).await;
        let expected: &[u128] =
            if every { &[0, 10_000, 20_000, 60_000, 120_000] } else { &[0, 10_000, 20_000, 90_000] };
        assert_eq!(script.begun_ms(start), expected);
        supervisor.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o30_a_retry_is_the_owed_run() -> Result<(), RuntimeError> {
    let supervisor = supervisor();
    let script = Script::new([Step::Fail(secs(1)), Step::Succeed(secs(1))]);
    let spec = script.spec("poll").with_restart(EVERY_MINUTE).with_backoff(constant(secs(5)));
    let start = Instant::now();
    let task = supervisor.add_task(spec).await?;
    settle().await;
    assert!(task.trigger());
    sleep(secs(30)).await;
    assert_eq!(script.begun_ms(start), [0, 6_000], "the backoff stays");
    assert_eq!(task.status().state, TaskState::Interval);
    supervisor.shutdown().await
}

/// The result stands while helpers are joined, and the trigger is not lost.
#[tokio::test(start_paused = true)]
async fn o30_a_trigger_while_helpers_are_joined_owes_a_run() -> Result<(), RuntimeError> {
    let supervisor = supervisor();
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let task = TaskFn::arc("poll", move |ctx: TaskContext| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move {
            ctx.spawn(sleep(secs(2)));
            Ok(())
        }
    });
    let task =
        supervisor.add_task(TaskSpec::inherit(task).with_restart(EVERY_MINUTE).with_stop_timeout(secs(30))).await?;
    sleep(secs(1)).await;
    assert!(task.trigger());
    sleep(ms(1_500)).await;
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    sleep(secs(10)).await;
    assert_eq!((runs.load(Ordering::SeqCst), task.status().state), (2, TaskState::Interval));
    supervisor.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o30_other_tasks_owe_nothing() -> Result<(), RuntimeError> {
    let supervisor = supervisor();
    let once = supervisor.add_task(cooperative("once")).await?;
    let loops = supervisor.add_task(cooperative("loops").with_restart(ALWAYS)).await?;
    let ended = supervisor.add_task(Script::new([FAIL]).spec("ended").with_max_retries(0)).await?;
    let slow = Script::new([Step::Deaf]).spec("slow").with_restart(EVERY_MINUTE);
    let stopping = supervisor.add_task(slow.with_stop_timeout(secs(5))).await?;
    settle().await;
    assert!(!once.trigger() && !loops.trigger() && !ended.trigger());
    assert!(timeout(Duration::ZERO, stopping.cancel()).await.is_err());
    assert!(!stopping.trigger(), "no run follows");
    supervisor.shutdown().await.ok();
    Ok(())
}
