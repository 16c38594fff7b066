//! An attempt that its supervisor had to end is never healthy, however long it lived.

use std::convert::Infallible;
use std::future::pending;

use taskvisor::{
    BackoffPolicy, JitterPolicy, Ready, RuntimeError, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskOutcome,
    TaskSpec, Tree, task,
};
use tests::{constant, deaf, ms, secs, settle, supervisor};
use tokio::time::{Instant, sleep};

type Result = std::result::Result<(), RuntimeError>;

/// Hangs, and takes no context: it is dropped at its timeout.
#[task]
async fn hangs() -> Infallible {
    pending().await
}

/// The number of failures with which the task is exhausted, and its attempts.
async fn exhausted(spec: TaskSpec) -> (u32, u32) {
    let supervisor = supervisor();
    let task = supervisor.add_task(spec.with_max_retries(3)).await.unwrap();
    let outcome = task.outcome().await;
    let TaskOutcome::Exhausted { failures, error } = outcome else { panic!("{outcome}") };
    assert!(error.is_retryable(), "{error}");
    (failures, task.status().attempt)
}

#[tokio::test(start_paused = true)]
async fn o10_a_task_that_hangs_is_exhausted_after_its_retries() {
    // Each attempt lives for as long as `reset_after`, and longer.
    for timeout in [secs(30), secs(3600)] {
        assert_eq!(exhausted(hangs::spec().with_timeout(timeout)).await, (4, 4));
        assert_eq!(exhausted(deaf("t").with_timeout(timeout)).await, (4, 4));
        assert_eq!(exhausted(deaf("t").with_timeout(timeout).with_cleanup(ms(0))).await, (4, 4));
    }
}

#[tokio::test(start_paused = true)]
async fn o10_so_is_one_that_is_silent_or_never_ready() {
    assert_eq!(exhausted(deaf("t").with_watchdog(secs(60))).await, (4, 4));
    assert_eq!(exhausted(deaf("t").with_ready(Ready::Signal).with_start_timeout(secs(60))).await, (4, 4));
}

#[tokio::test(start_paused = true)]
async fn o10_what_it_returns_in_its_clean_up_changes_nothing() {
    for result in [|| Ok(()), || Err(TaskError::Fail { reason: "late".into() }), || panic!("late")] {
        let task = TaskFn::arc("t", move |ctx: TaskContext| async move {
            ctx.cancelled().await;
            result()
        });
        assert_eq!(exhausted(TaskSpec::inherit(task).with_timeout(secs(60))).await, (4, 4));
    }
}

#[tokio::test(start_paused = true)]
async fn o10_its_backoff_grows() -> Result {
    let backoff = BackoffPolicy { first: secs(1), max: secs(8), factor: 2.0, jitter: JitterPolicy::None };
    let supervisor = supervisor();
    let start = Instant::now();
    let spec = hangs::spec().with_timeout(secs(20)).with_backoff(backoff).with_reset_after(secs(10));
    let task = supervisor.add_task(spec.with_max_retries(4)).await?;
    assert!(matches!(task.outcome().await, TaskOutcome::Exhausted { failures: 5, .. }));
    assert_eq!(start.elapsed().as_secs(), 5 * 20 + 1 + 2 + 4 + 8);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o10_a_critical_one_fails_its_tree() {
    let spec = hangs::spec().with_timeout(secs(60)).with_max_retries(3).critical();
    let tree = Tree::builder(SupervisorConfig::default()).task(spec).build();
    let start = Instant::now();
    let error = tree.run().await.unwrap_err();
    assert!(matches!(error, RuntimeError::Failed { .. }), "{error}");
    assert_eq!(start.elapsed().as_secs(), 240, "four attempts, and three pauses of 100 ms");
}

#[tokio::test(start_paused = true)]
async fn o10_a_failure_of_its_own_after_a_long_life_is_the_first_again() -> Result {
    let fails = || {
        TaskFn::arc("fails", |_: TaskContext| async {
            sleep(secs(60)).await;
            Err(TaskError::Fail { reason: "connection lost".into() })
        })
    };
    let helper_panics = TaskFn::arc("helper", |ctx: TaskContext| async move {
        ctx.spawn(async {
            sleep(secs(60)).await;
            panic!("in a helper");
        });
        pending().await
    });
    let supervisor = supervisor();
    let specs = [TaskSpec::inherit(fails()), TaskSpec::inherit(helper_panics)];
    for spec in specs {
        let task = supervisor.add_task(spec.with_max_retries(1).with_backoff(constant(ms(1)))).await?;
        sleep(secs(1000)).await;
        settle().await;
        assert_eq!((task.status().failures, task.try_outcome().is_none()), (1, true), "{}", task.name());
        assert!(task.status().attempt > 10);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o10_progress_before_it_hangs_still_counts() -> Result {
    let task = TaskFn::arc("t", |ctx: TaskContext| async move {
        ctx.progress();
        pending().await
    });
    let supervisor = supervisor();
    let task = supervisor.add_task(TaskSpec::inherit(task).with_timeout(secs(1)).with_max_retries(1)).await?;
    sleep(secs(100)).await;
    assert!(task.try_outcome().is_none(), "each attempt has made progress");
    Ok(())
}
