//! The events of readiness and of groups.

use std::error::Error;

use taskvisor::{
    Event, EventKind, FailureChain, Group, Ready, RestartPolicy, StopReason, TaskContext, TaskFn, TaskSpec, TaskState,
    Tree,
};
use tests::{FAIL, OK, Script, Step, constant, cooperative, secs, settle};
use tokio::time::sleep;

use super::{Result, node, started};

#[tokio::test(start_paused = true)]
async fn c03_ready_is_told_once_an_attempt_has_signaled() -> Result {
    let task = TaskFn::arc("t", |ctx: TaskContext| async move {
        sleep(secs(1)).await;
        ctx.ready();
        ctx.ready();
        ctx.cancelled().await;
        Ok(())
    });
    let (tree, recorder) = started(|tree| tree.task(TaskSpec::inherit(task).with_ready(Ready::Signal))).await?;
    assert_eq!(recorder.count(EventKind::TaskReady), 0);
    sleep(secs(2)).await;
    assert!(tree.child("t").restart());
    sleep(secs(2)).await;
    let told: Vec<_> = recorder.seen().into_iter().filter(|seen| seen.kind == EventKind::TaskReady).collect();
    assert_eq!(
        told.iter().map(|seen| (seen.task.as_deref(), seen.attempt)).collect::<Vec<_>>(),
        [(Some("t"), Some(1)), (Some("t"), Some(2))]
    );
    assert_eq!(told[0].id, Some(tree.child("t").current().unwrap().id()));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn c03_ready_is_told_at_the_first_success_and_after_a_loss_of_readiness() -> Result {
    use EventKind::{BackoffScheduled, TaskFailed, TaskReady, TaskStarting, TaskStopped};
    let script = Script::new([OK, OK, FAIL, OK, Step::Wait]);
    let task = script
        .spec("t")
        .with_restart(RestartPolicy::Always { interval: Some(secs(1)) })
        .with_backoff(constant(secs(1)))
        .with_ready(Ready::FirstSuccess)
        .with_unready_after(1);
    let (tree, recorder) = started(|tree| tree.task(task)).await?;
    sleep(secs(10)).await;
    let expected = [
        [TaskStarting, TaskStopped, TaskReady, BackoffScheduled].as_slice(),
        &[TaskStarting, TaskStopped, BackoffScheduled],
        &[TaskStarting, TaskFailed, BackoffScheduled],
        &[TaskStarting, TaskStopped, TaskReady, BackoffScheduled],
        &[TaskStarting],
    ];
    assert_eq!(recorder.kinds_of("t")[2..], expected.concat());
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn c03_the_default_readiness_costs_no_event() -> Result {
    let (tree, recorder) = started(|tree| tree.task(cooperative("t"))).await?;
    tree.shutdown().await?;
    assert_eq!(recorder.count(EventKind::TaskReady), 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn c03_a_group_tells_its_failures_its_restarts_and_its_end() -> Result {
    use EventKind::{GroupEnded, GroupFailed, GroupRestarted};
    let leaf = Script::new([FAIL]).spec("leaf").with_max_retries(0).critical();
    let group = Group::one_for_one("g").with_backoff(constant(secs(5))).with_max_retries(1).not_critical().task(leaf);
    let (tree, recorder) = started(|tree| tree.group(group).task(cooperative("t"))).await?;
    sleep(secs(6)).await;
    let told: Vec<_> = recorder.seen().into_iter().filter(|seen| seen.task.as_deref() == Some("g")).collect();
    let kinds: Vec<_> = told.iter().map(|seen| (seen.kind, seen.count, seen.delay_ms)).collect();
    let expected = [
        (GroupFailed, Some(1), Some(5_000)),
        (GroupRestarted, Some(1), None),
        (GroupFailed, Some(2), None),
        (GroupEnded, None, None),
    ];
    assert_eq!(kinds, expected);
    assert_eq!(told[3].stop, None);
    assert!(told[3].reason.as_deref().is_some_and(|reason| reason.contains("`g/leaf` failed")), "{told:?}");
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn c03_a_failure_of_a_group_has_its_chain_and_its_level() -> Result {
    use std::sync::{Arc, Mutex};
    struct Keep(Mutex<Vec<Event>>);
    #[async_trait::async_trait]
    impl taskvisor::Subscribe for Keep {
        async fn on_event(&self, event: &Event) {
            self.0.lock().unwrap().push(event.clone());
        }
    }
    let keep = Arc::new(Keep(Mutex::default()));
    let leaf = Script::new([FAIL]).spec("leaf").with_max_retries(0).critical();
    let group = Group::one_for_one("g").with_backoff(constant(secs(5))).with_max_retries(1).not_critical().task(leaf);
    let tree = Tree::builder(taskvisor::SupervisorConfig::default()).with_subscriber(keep.clone()).group(group).build();
    tree.start().await?;
    sleep(secs(6)).await;
    let events = keep.0.lock().unwrap().clone();
    let failed: Vec<_> = events.iter().filter(|event| event.kind == EventKind::GroupFailed).collect();
    let level = |event: &&Event| taskvisor::LogLevel::of(event);
    assert_eq!(failed.iter().map(level).collect::<Vec<_>>(), [taskvisor::LogLevel::Warn, taskvisor::LogLevel::Error]);
    let error = failed[0].error().unwrap();
    let chain = error.source().and_then(|source| source.downcast_ref::<FailureChain>()).unwrap();
    assert_eq!(chain.links().last().unwrap().path, "g");
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn c03_requested_restarts_and_stops_are_told() -> Result {
    use EventKind::{GroupEnded, GroupRestarted};
    let outer =
        Group::one_for_all("outer").group(Group::one_for_one("g").task(cooperative("a"))).task(cooperative("b"));
    let (tree, recorder) = started(|tree| tree.group(outer).task(cooperative("t"))).await?;
    assert!(tree.group("outer/g").restart_and_wait().await);
    assert!(tree.group("outer/g").cancel().await?);
    settle().await;
    let told: Vec<_> = recorder.seen().into_iter().filter(|seen| seen.task.as_deref() == Some("outer/g")).collect();
    assert_eq!(told.iter().map(|seen| seen.kind).collect::<Vec<_>>(), [GroupRestarted, GroupEnded]);
    assert_eq!(told[1].stop, Some(StopReason::Canceled));
    assert!(tree.group("outer").restart_and_wait().await);
    tree.shutdown().await?;
    let kinds = recorder.kinds();
    assert_eq!(recorder.kinds_of("outer"), [GroupRestarted, GroupEnded]);
    let last = recorder.seen().into_iter().rev().find(|seen| seen.kind == GroupEnded).unwrap();
    assert_eq!((last.task.as_deref(), last.stop), (Some("outer"), Some(StopReason::Shutdown)));
    assert_eq!(kinds.last(), Some(&EventKind::AllStoppedWithinGrace), "the ends of groups come before that of all");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn c03_a_group_has_ended_when_its_event_is_there() -> Result {
    let group = Group::one_for_one("g").task(Script::new([Step::Succeed(secs(1))]).spec("a"));
    let (tree, _) = started(|tree| tree.group(group).task(cooperative("t"))).await?;
    let mut events = tree.supervisor().events();
    let ended = loop {
        match events.next().await {
            Some(Ok(event)) if event.kind == EventKind::GroupEnded => break event,
            Some(_) => {}
            None => panic!("the stream is over"),
        }
    };
    assert_eq!((ended.task.as_deref(), ended.reason.is_none()), (Some("g"), true));
    assert_eq!(node(&tree, "g").state, TaskState::Ended);
    assert!(node(&tree, "g").outcome.is_some());
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn c03_the_root_has_no_failure_and_no_end() -> Result {
    for limit in [None, Some(1)] {
        let (tree, recorder) = started(|tree| match limit {
            Some(limit) => tree.task(cooperative("a")).with_limit(limit, secs(60)),
            None => tree.task(cooperative("a")),
        })
        .await?;
        tree.shutdown().await?;
        assert_eq!(recorder.count(EventKind::GroupEnded) + recorder.count(EventKind::GroupFailed), 0);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn c03_a_further_run_of_a_periodic_task_is_of_a_lower_level_unless_it_failed_before() -> Result {
    use EventKind::{TaskFailed, TaskStarting, TaskStopped};
    use taskvisor::LogLevel::{self, Debug, Info, Warn};
    let poll = Script::new([OK, OK, FAIL, OK, OK]).spec("poll").with_backoff(constant(secs(1)));
    let poll = poll.with_restart(RestartPolicy::Always { interval: Some(secs(10)) });
    let once = Script::new([FAIL, OK]).spec("once").with_backoff(constant(secs(1)));
    let tree = Tree::builder(taskvisor::SupervisorConfig::default()).task(poll).task(once).build();
    let recorder = taskvisor::test::Recorder::attach(tree.supervisor());
    tree.start().await?;
    sleep(secs(35)).await;
    let of = |path: &str| {
        let ran = [TaskStarting, TaskStopped, TaskFailed];
        let mut seen = recorder.events();
        seen.retain(|seen| seen.task.as_deref() == Some(path) && ran.contains(&seen.kind));
        let level = |kind, routine| {
            let mut event = Event::new(kind);
            event.routine = routine;
            LogLevel::of(&event)
        };
        seen.into_iter().map(|seen| (seen.kind, level(seen.kind, seen.routine))).collect::<Vec<_>>()
    };
    let run = |starts: LogLevel, end, ends: LogLevel| [(TaskStarting, starts), (end, ends)];
    let polls = [
        run(Info, TaskStopped, Info),
        run(Debug, TaskStopped, Debug),
        run(Debug, TaskFailed, Warn),
        run(Info, TaskStopped, Info),
        run(Debug, TaskStopped, Debug),
    ];
    assert_eq!(of("poll"), polls.concat());
    assert_eq!(of("once"), [run(Info, TaskFailed, Warn), run(Info, TaskStopped, Info)].concat());
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn c03_a_periodic_task_that_starts_again_with_its_siblings_is_told() -> Result {
    let every = |interval| RestartPolicy::Always { interval: Some(interval) };
    // One that waits for its interval when its sibling fails, and one that runs.
    let waits = Script::new([OK; 8]).spec("waits").with_restart(every(secs(10)));
    let runs = TaskFn::arc("runs", |ctx: TaskContext| async move {
        ctx.run_until_cancelled(sleep(secs(10))).await.ok_or(taskvisor::TaskError::Canceled)
    });
    let runs = TaskSpec::inherit(runs).with_restart(every(secs(1)));
    let fails = TaskFn::arc("fails", |ctx: TaskContext| async move {
        ctx.run_until_cancelled(sleep(secs(if ctx.attempt() == 1 { 25 } else { 3_600 }))).await;
        Err::<(), _>(taskvisor::TaskError::Fail { reason: "lost".into() })
    });
    let group =
        Group::one_for_all("g").task(TaskSpec::inherit(fails).with_backoff(constant(secs(1)))).task(waits).task(runs);
    let tree = Tree::builder(taskvisor::SupervisorConfig::default()).group(group).build();
    let recorder = taskvisor::test::Recorder::attach(tree.supervisor());
    tree.start().await?;
    sleep(secs(45)).await;
    let routine = |path: &str| {
        let mut seen = recorder.events();
        seen.retain(|seen| seen.task.as_deref() == Some(path) && seen.kind == EventKind::TaskStarting);
        seen.into_iter().map(|seen| (seen.at.as_secs(), seen.routine)).collect::<Vec<_>>()
    };
    assert_eq!(routine("g/waits"), [(0, false), (10, true), (20, true), (26, false), (36, true)]);
    assert_eq!(routine("g/runs"), [(0, false), (11, true), (22, true), (26, false), (37, true)]);
    tree.shutdown().await
}

/// A loop whose body is an attempt.
#[tokio::test(start_paused = true)]
async fn c03_runs_without_an_interval_are_routine_after_ten_successes_in_a_row() -> Result {
    let handles = TaskFn::arc("handles", |ctx: TaskContext| async move {
        ctx.run_until_cancelled(sleep(secs(1))).await.ok_or(taskvisor::TaskError::Canceled)?;
        if ctx.attempt() == 13 { Err(taskvisor::TaskError::Fail { reason: "lost".into() }) } else { Ok(()) }
    });
    let handles = TaskSpec::inherit(handles).with_restart(RestartPolicy::Always { interval: None });
    let tree =
        Tree::builder(taskvisor::SupervisorConfig::default()).task(handles.with_backoff(constant(secs(1)))).build();
    let recorder = taskvisor::test::Recorder::attach(tree.supervisor());
    tree.start().await?;
    sleep(tests::ms(25_500)).await;
    assert!(tree.child("handles").restart_and_wait().await);
    let routine = |kind: EventKind| {
        let mut seen = recorder.events();
        seen.retain(|seen| seen.task.as_deref() == Some("handles") && seen.kind == kind && seen.routine);
        seen.into_iter().filter_map(|seen| seen.attempt).collect::<Vec<_>>()
    };
    // The 13th fails, and the 25th is restarted.
    assert_eq!(routine(EventKind::TaskStarting), [11, 12, 13, 24, 25]);
    assert_eq!(routine(EventKind::TaskStopped), [11, 12, 24]);
    assert_eq!(recorder.events().last().map(|seen| (seen.kind, seen.routine)), Some((EventKind::TaskStarting, false)));
    // They are counted up to 255.
    sleep(secs(300)).await;
    let starts = routine(EventKind::TaskStarting);
    assert_eq!(starts[5..], (36..=starts[starts.len() - 1]).collect::<Vec<_>>());
    assert!(starts.len() > 260, "{starts:?}");
    tree.shutdown().await
}
