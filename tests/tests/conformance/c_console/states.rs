//! Each state of a task, with what belongs to it.

use taskvisor::{
    OutcomeKind, Problem, Ready, RestartPolicy, Schedule, TaskContext, TaskFn, TaskSpec, TaskState, WaitingFor,
};
use tests::{ALWAYS, FAIL, OK, PANIC, Script, Step, constant, cooperative, deaf, ms, secs, settle};
use tokio::time::advance;

use super::{Result, left, node, started};

#[tokio::test(start_paused = true)]
async fn c01_before_the_start_nothing_waits_and_nothing_is_ready() -> Result {
    let tree = taskvisor::Tree::builder(taskvisor::SupervisorConfig::default())
        .task(cooperative("t"))
        .group(taskvisor::Group::one_for_all("g").task(cooperative("a")))
        .build();
    for path in ["", "t", "g", "g/a"] {
        let node = node(&tree, path);
        assert_eq!((node.state, node.ready, node.id), (TaskState::Pending, false, None), "{path}");
        assert_eq!((node.waiting_for, node.next_at, node.outcome, node.problem), (None, None, None, None), "{path}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn c01_a_running_task_waits_for_nothing() -> Result {
    let (tree, _) = started(|tree| tree.task(cooperative("t"))).await?;
    let running = node(&tree, "t");
    assert_eq!((running.state, running.ready, running.failures, running.attempt), (TaskState::Running, true, 0, 1));
    assert_eq!((running.waiting_for, running.next_at, running.outcome, running.problem), (None, None, None, None));
    assert_eq!(running.id, Some(tree.child("t").current().unwrap().id()));
    assert!(node(&tree, "").ready);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn c01_a_running_task_that_has_not_signaled_is_not_ready() -> Result {
    let (tree, _) = started(|tree| tree.task(cooperative("t").with_ready(Ready::Signal))).await?;
    let running = node(&tree, "t");
    assert!(!running.ready && !node(&tree, "").ready);
    assert_eq!(running.problem, Some(Problem::NotReady(TaskState::Running)));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn c01_an_initial_delay_has_its_end() -> Result {
    let (tree, _) = started(|tree| tree.task(cooperative("t").with_initial_delay(secs(60)))).await?;
    let waits = node(&tree, "t");
    assert_eq!(
        (waits.state, waits.ready, waits.waiting_for.clone()),
        (TaskState::Delayed, true, Some(WaitingFor::Delay))
    );
    assert_eq!(left(&waits), Some(60_000));
    advance(secs(20)).await;
    assert_eq!(left(&node(&tree, "t")), Some(40_000));
    assert!(tree.child("t").trigger());
    assert_eq!(node(&tree, "t").next_at, None);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn c01_a_backoff_has_its_end_its_failures_and_its_error() -> Result {
    let script = Script::new([FAIL, FAIL, Step::Wait]);
    let (tree, _) = started(|tree| tree.task(script.spec("t").with_backoff(constant(secs(5))))).await?;
    let waits = node(&tree, "t");
    assert_eq!((waits.state, waits.ready, waits.failures), (TaskState::Backoff, false, 1));
    assert_eq!((waits.waiting_for.clone(), left(&waits)), (Some(WaitingFor::Delay), Some(5_000)));
    assert_eq!(waits.problem, Some(Problem::NotReady(TaskState::Backoff)));
    assert_eq!(waits.last_error.as_deref(), Some("failure 1"));
    advance(secs(5)).await;
    settle().await;
    assert_eq!((node(&tree, "t").failures, left(&node(&tree, "t"))), (2, Some(5_000)));
    advance(secs(5)).await;
    settle().await;
    let running = node(&tree, "t");
    assert_eq!((running.state, running.failures, running.next_at, running.ready), (TaskState::Running, 2, None, true));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn c01_intervals_and_pauses_of_a_throttle_have_their_ends() -> Result {
    let interval = RestartPolicy::Always { interval: Some(secs(30)) };
    let (tree, _) = started(|tree| {
        tree.task(Script::new([OK]).spec("interval").with_restart(interval))
            .task(Script::new([Step::Succeed(secs(1))]).spec("every").with_restart(ALWAYS).with_every(secs(10)))
            .task(Script::new([OK]).spec("throttled").with_restart(ALWAYS))
    })
    .await?;
    let waits = node(&tree, "interval");
    assert_eq!((waits.state, waits.ready, left(&waits)), (TaskState::Interval, true, Some(30_000)));
    assert_eq!(waits.waiting_for, Some(WaitingFor::Delay));
    advance(secs(2)).await;
    settle().await;
    let every = node(&tree, "every");
    assert_eq!((every.state, left(&every)), (TaskState::Interval, Some(8_000)));
    let throttled = node(&tree, "throttled");
    assert_eq!((throttled.state, throttled.waiting_for.clone()), (TaskState::Throttled, Some(WaitingFor::Delay)));
    assert!(throttled.next_at.is_some());
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn c01_a_schedule_has_its_next_time_and_a_backoff_in_it_the_earlier() -> Result {
    let daily = Schedule::cron("0 0 1 1 *");
    let (tree, _) = started(|tree| {
        tree.task(
            Script::new([FAIL]).spec("t").with_restart(ALWAYS).with_schedule(daily).with_backoff(constant(secs(5))),
        )
    })
    .await?;
    let waits = node(&tree, "t");
    assert_eq!((waits.state, waits.ready, waits.waiting_for), (TaskState::Scheduled, true, Some(WaitingFor::Delay)));
    assert!(waits.next_at.is_some() && waits.next_at == waits.next_run);
    assert!(tree.child("t").trigger());
    settle().await;
    let waits = node(&tree, "t");
    assert_eq!((waits.state, left(&waits)), (TaskState::Backoff, Some(5_000)));
    assert!(waits.next_run > waits.next_at);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn c01_a_stopping_task_is_not_ready_and_past_its_time_it_says_so() -> Result {
    let (tree, _) = started(|tree| tree.task(deaf("t").with_stop_timeout(secs(60)))).await?;
    let handle = tree.child("t").current().unwrap();
    let cancel = tokio::spawn(async move { handle.cancel().await });
    settle().await;
    let stopping = node(&tree, "t");
    assert_eq!((stopping.state, stopping.ready), (TaskState::Stopping, false));
    assert_eq!(stopping.problem, Some(Problem::NotReady(TaskState::Stopping)));
    assert_eq!((stopping.waiting_for, stopping.next_at, stopping.outcome), (None, None, None));
    advance(secs(61)).await;
    settle().await;
    cancel.await.unwrap()?;
    assert_eq!(node(&tree, "t").outcome, Some(OutcomeKind::Aborted));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn c01_an_attempt_past_its_watchdog_is_quiet_and_then_silent() -> Result {
    let beats = TaskFn::arc("t", |ctx: TaskContext| async move {
        ctx.heartbeat();
        ctx.cancelled().await;
        Ok(())
    });
    let (tree, _) = started(|tree| tree.task(TaskSpec::inherit(beats).with_watchdog(secs(40)))).await?;
    assert!(node(&tree, "t").ready);
    advance(secs(31)).await;
    let quiet = node(&tree, "t");
    assert!(matches!(quiet.problem, Some(Problem::Quiet { .. })) && !quiet.ready, "{quiet:?}");
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn c01_each_end_has_its_outcome() -> Result {
    let never = RestartPolicy::Never;
    let (tree, _) = started(|tree| {
        tree.task(Script::new([OK]).spec("completed"))
            .task(Script::new([FAIL]).spec("failed").with_restart(never))
            .task(Script::new([FAIL]).spec("exhausted").with_max_retries(1).with_backoff(constant(ms(1))))
            .task(Script::new([Step::Fatal]).spec("fatal"))
            .task(Script::new([PANIC]).spec("panicked").with_restart(never))
            .task(Script::new([Step::Cancel]).spec("canceled"))
            .task(cooperative("runs"))
    })
    .await?;
    advance(ms(20)).await;
    settle().await;
    let kinds = [
        OutcomeKind::Completed,
        OutcomeKind::Failed,
        OutcomeKind::Exhausted,
        OutcomeKind::Fatal,
        OutcomeKind::Panicked,
        OutcomeKind::Canceled,
    ];
    for kind in kinds {
        let ended = node(&tree, kind.as_label());
        assert_eq!((ended.state, ended.outcome), (TaskState::Ended, Some(kind)));
        let is_well = matches!(kind, OutcomeKind::Completed | OutcomeKind::Canceled);
        assert_eq!((ended.ready, ended.problem), (is_well, (!is_well).then_some(Problem::Failed)), "{kind}");
        assert_eq!((ended.waiting_for, ended.next_at), (None, None));
        assert_eq!(tree.child(kind.as_label()).outcome().await.unwrap().kind(), kind);
    }
    assert!(tree.supervisor().acknowledge("fatal") && node(&tree, "fatal").ready);
    tree.shutdown().await
}

/// A place shows how long its task has ended.
#[tokio::test(start_paused = true)]
async fn c01_an_ended_task_shows_when_it_has_ended() -> Result {
    let (tree, _) =
        started(|tree| tree.task(Script::new([Step::Succeed(secs(10))]).spec("t")).task(cooperative("runs"))).await?;
    let began = node(&tree, "t").since.unwrap();
    advance(secs(10)).await;
    settle().await;
    advance(secs(60)).await;
    let ended = node(&tree, "t");
    assert_eq!(ended.state, TaskState::Ended);
    let lived = ended.since.unwrap().duration_since(began).unwrap();
    assert!((secs(10)..secs(60)).contains(&lived), "{lived:?}");
    tree.shutdown().await
}
