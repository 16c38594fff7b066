//! Start timeouts, watchdogs, health and snapshots.

use taskvisor::{
    EventKind, Group, Problem, Ready, RestartPolicy, RuntimeError, SupervisorConfig, TaskContext, TaskError, TaskFn,
    TaskOutcome, TaskSpec, TaskState, Tree, TreeSnapshot,
};
use tests::{
    ALWAYS, FAIL, Recorder, Script, Step, another_turn, constant, cooperative, deaf, ms, recorded, secs, settle,
    supervisor,
};
use tokio::time::{Instant, sleep};

#[tokio::test(start_paused = true)]
async fn d12_a_start_that_waits_for_a_permit_fails_past_its_timeout() -> Result<(), RuntimeError> {
    let config = SupervisorConfig { max_concurrent: 1, ..SupervisorConfig::default() };
    let recorder = Recorder::new();
    let awaited = cooperative("pool").with_start_timeout(secs(10)).with_restart(RestartPolicy::Never);
    let tree = Tree::builder(config)
        .with_subscriber(recorder.clone())
        .task(cooperative("daemon"))
        .group(Group::one_for_one("g").task(awaited).task(cooperative("serve").with_after(["pool"])).not_critical())
        .build();
    tree.start().await?;
    let start = Instant::now();

    let outcome = tree.group("g").child("pool").outcome().await.unwrap();

    assert_eq!(start.elapsed(), secs(10));
    let TaskOutcome::Failed { error } = &outcome else { panic!("{outcome}") };
    assert!(
        matches!(&**error, TaskError::PermitTimeout { timeout, limit } if *timeout == secs(10) && **limit == *"max_concurrent")
    );
    assert_eq!(recorder.kinds_of("g/pool").iter().filter(|kind| **kind == EventKind::TaskStarting).count(), 0);
    settle().await;
    assert_eq!(tree.group("g").child("serve").status().unwrap().attempt, 0);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn d12_a_task_that_does_not_signal_has_failed_to_start() -> Result<(), RuntimeError> {
    let (supervisor, recorder) = recorded();
    let spec = deaf("mute").with_ready(Ready::Signal).with_start_timeout(secs(3)).with_stop_timeout(secs(1));
    let start = Instant::now();
    let task = supervisor.add_task(spec.with_restart(RestartPolicy::Never)).await?;
    let outcome = task.outcome().await;
    assert_eq!(start.elapsed(), secs(4), "the timeout, then the clean-up in vain");
    assert_eq!(outcome.to_string(), "failed: timed out after 3s, before it was ready");
    assert_eq!(recorder.count(EventKind::TimeoutHit), 1);
    Ok(())
}

/// A task that is ready after one second and then gives five heartbeats, one each second.
fn beating(name: &str) -> TaskSpec {
    TaskSpec::inherit(TaskFn::arc(name, |ctx: TaskContext| async move {
        sleep(secs(1)).await;
        ctx.ready();
        for _ in 0..5 {
            ctx.heartbeat();
            sleep(secs(1)).await;
        }
        ctx.cancelled().await;
        Err(TaskError::Canceled)
    }))
}

#[tokio::test(start_paused = true)]
async fn a_silent_attempt_is_treated_like_one_that_timed_out() -> Result<(), RuntimeError> {
    let supervisor = supervisor();
    let start = Instant::now();
    let spec = beating("worker").with_watchdog(secs(3)).with_restart(RestartPolicy::Never);
    let outcome = supervisor.add_task(spec).await?.outcome().await;
    // The last heartbeat was after five seconds.
    assert_eq!((start.elapsed(), outcome.to_string()), (secs(8), "failed: silent for 3s".to_owned()));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn health_follows_the_present_attempts() -> Result<(), RuntimeError> {
    let flaky = Script::new([FAIL, tests::Step::Wait]).spec("flaky").with_backoff(constant(secs(5)));
    let tree = Tree::builder(SupervisorConfig::default())
        .task(beating("worker").with_ready(Ready::Signal))
        .group(Group::one_for_one("g").task(flaky))
        .build();
    let unready = |tree: &Tree| {
        let mut paths: Vec<_> = tree.health().not_ready.into_iter().map(|unwell| unwell.path).collect();
        paths.sort();
        paths
    };
    assert!(tree.health().is_live() && !tree.health().is_ready(), "not started");
    tree.start().await?;
    settle().await;
    assert_eq!(unready(&tree), ["g/flaky", "worker"]);
    let problem = tree.group("g").health().not_ready[0].problem.clone();
    assert_eq!(problem, Problem::NotReady(TaskState::Backoff));
    sleep(secs(2)).await;
    assert_eq!(unready(&tree), ["g/flaky"]);
    sleep(secs(4)).await;
    assert!(tree.health().is_ready());
    let shutdown = tree.shutdown();
    assert!(!tree.health().is_ready() && tree.health().is_live(), "unready at once");
    shutdown.await?;
    assert!(!tree.health().is_live());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_past_its_watchdog_by_the_clock_is_not_live() -> Result<(), RuntimeError> {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = std::sync::Arc::new(std::sync::Mutex::new(released));
    let stuck = TaskFn::arc("stuck", move |_: TaskContext| {
        let released = released.clone();
        async move {
            another_turn().await;
            let _ = released.lock().unwrap().recv();
            Ok(())
        }
    });
    let tree = Tree::builder(SupervisorConfig::default())
        .task(TaskSpec::inherit(stuck).with_watchdog(ms(20)).with_restart(RestartPolicy::Never))
        .build();
    tree.start().await?;
    let not_live = async {
        while tree.health().is_live() {
            sleep(ms(1)).await;
        }
    };
    assert!(tokio::time::timeout(secs(60), not_live).await.is_ok());
    assert_eq!(tree.health().not_live[0].path, "stuck");
    assert_eq!(tree.health().not_live[0].problem, Problem::Silent);
    release.send(()).unwrap();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_group_has_a_snapshot_of_what_is_in_it() -> Result<(), RuntimeError> {
    let inner = Group::one_for_all("inner").task(cooperative("deep"));
    let store = Group::one_for_one("store").task(cooperative("pool")).group(inner);
    let tree = Tree::builder(SupervisorConfig::default()).group(store).task(cooperative("serve")).build();
    let (store, inner) = (tree.group("store"), tree.group("store/inner"));
    let paths = |snapshot: &TreeSnapshot| -> Vec<_> {
        snapshot.root.children.iter().map(|child| (child.path.clone(), child.state)).collect()
    };
    let is = |path: &str, state| (path.to_owned(), state);

    let before = store.snapshot().unwrap();
    assert_eq!((&*before.root.path, &*before.root.name), ("store", "store"));
    assert_eq!(paths(&before), [is("store/pool", TaskState::Pending), is("store/inner", TaskState::Pending)]);

    tree.start().await?;
    store.add_task(cooperative("added")).await?;
    settle().await;
    let running = [is("store/pool", TaskState::Running), is("store/inner", TaskState::Running)];
    let after = store.snapshot().unwrap();
    assert_eq!(paths(&after), [&running[..], &[is("store/added", TaskState::Running)]].concat());
    assert_eq!(paths(&inner.snapshot().unwrap()), [is("store/inner/deep", TaskState::Running)]);
    assert_eq!(after.root.children[1].children[0].path, "store/inner/deep");
    assert_eq!(paths(&tree.group("").snapshot().unwrap()), paths(&tree.snapshot()));
    // A task, and what is not declared.
    for path in ["store/pool", "stroe", "store/", "store/inner/deep", "store/added"] {
        assert!(tree.group(path).snapshot().is_none(), "{path}");
    }

    tree.shutdown().await?;
    assert_eq!(store.snapshot().unwrap().root.children[0].state, TaskState::Ended);
    drop(tree);
    assert!(store.snapshot().is_none(), "the tree is dropped");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_is_the_tree_as_text_and_as_mermaid() -> Result<(), RuntimeError> {
    let flaky = Script::new([FAIL]).spec("cache").with_backoff(constant(secs(50))).with_restart(ALWAYS);
    let tree = Tree::builder(SupervisorConfig::default())
        .with_name("app")
        .group(Group::one_for_one("store").task(cooperative("pool")).task(flaky))
        .task(cooperative("serve").with_after(["store"]))
        .build();
    assert_eq!(tree.snapshot().root.children[1].state, TaskState::Pending);
    tree.start().await?;
    sleep(secs(1)).await;
    tree.supervisor().add_task(cooperative("added")).await?;
    settle().await;

    let snapshot = tree.snapshot();
    let text: Vec<_> = snapshot.to_string().lines().map(|line| line.trim_end().to_owned()).collect();
    assert_eq!(
        text,
        [
            "app                          running   one_for_one",
            "├─ store                     running   one_for_one",
            "│  ├─ pool                   running   #1 1s",
            "│  └─ cache                  backoff   #1 failures=1 1s in=49s \"failure 1\"",
            "├─ serve                     running   #1 1s",
            "└─ added                     running   #1 0s",
        ]
    );
    assert!(text.iter().all(|line| line.chars().count() <= 80));
    let mut long = snapshot.clone();
    long.root.children[0].last_error = Some("a \n long story ".repeat(20));
    assert!(long.to_string().lines().all(|line| line.chars().count() <= 80), "{long}");
    assert!(format!("{long:#}").contains(&"a \\n long story ".repeat(20)), "the alternate form has all of it");
    let cache = &snapshot.root.children[0].children[1];
    assert_eq!(
        (cache.path.as_str(), cache.attempt, cache.last_error.as_deref()),
        ("store/cache", 1, Some("failure 1"))
    );
    assert_eq!(
        snapshot.to_mermaid(),
        "flowchart TD\n    n0[[\"app: running\"]]\n    n1[[\"store: running\"]]\n    n2[\"pool: running\"]\n    \
         n1 --> n2\n    n3[\"cache: backoff\"]\n    n1 --> n3\n    n0 --> n1\n    n4[\"serve: running\"]\n    \
         n0 --> n4\n    n1 -.-> n4\n    n5[\"added: running\"]\n    n0 --> n5\n"
    );
    tree.shutdown().await?;
    assert_eq!(tree.snapshot().root.children[1].state, TaskState::Ended);
    Ok(())
}

#[test]
fn a_name_forges_no_line_of_a_snapshot() {
    let name = "a\nn9[\"b\"] #quot; \u{202e}c";
    let snapshot = Tree::builder(SupervisorConfig::default()).task(cooperative(name)).build().snapshot();
    let mermaid = r#"flowchart TD
    n0[["root: pending"]]
    n1["a\nn9[\#quot;b\#quot;] #35;quot; \u{202e}c: pending"]
    n0 --> n1
"#;
    assert_eq!(snapshot.to_mermaid(), mermaid);
    let text = "root                         pending   one_for_one\n└─ a\\nn9[\\\"b\\\"] #quot; \\u{202e}c pending\n";
    assert_eq!(snapshot.to_string(), text);
}

#[tokio::test(start_paused = true)]
async fn what_was_added_stops_before_what_was_declared() -> Result<(), RuntimeError> {
    let recorder = Recorder::new();
    let slow = |name: &str| {
        TaskSpec::inherit(TaskFn::arc(name, |ctx: TaskContext| async move {
            ctx.cancelled().await;
            sleep(secs(1)).await;
            Ok(())
        }))
    };
    let tree =
        Tree::builder(SupervisorConfig::default()).with_subscriber(recorder.clone()).task(slow("declared")).build();
    tree.start().await?;
    tree.supervisor().add_task(slow("added")).await?;
    settle().await;
    let start = Instant::now();
    tree.shutdown().await?;
    assert_eq!(start.elapsed(), secs(2), "one after the other");
    let removed = recorder.seen().into_iter().filter(|seen| seen.kind == EventKind::TaskRemoved);
    assert_eq!(removed.filter_map(|seen| seen.task).collect::<Vec<_>>(), ["added", "declared"]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_tree_that_is_over_is_remembered_by_its_owner_and_then_freed() -> Result<(), RuntimeError> {
    let recorder = Recorder::new();
    let job = Script::new([FAIL, tests::OK]).spec("job").with_backoff(constant(secs(1)));
    let tree = Tree::builder(SupervisorConfig::default())
        .with_subscriber(recorder.clone())
        .group(Group::one_for_all("g").task(job))
        .build();
    let (job, group) = (tree.group("g").child("job"), tree.group("g"));
    let (result, outcome) = tokio::join!(tree.run_until(std::future::pending()), job.outcome());
    result?;
    assert!(outcome.unwrap().is_completed());
    assert!(job.outcome().await.unwrap().is_completed() && group.outcome().await.unwrap().is_completed());
    assert_eq!((job.status().unwrap().attempt, group.status()), (2, Some(TaskState::Ended)));
    assert_eq!(tree.snapshot().root.children[0].state, TaskState::Ended);

    drop((tree, job, group));
    sleep(secs(1)).await;

    assert_eq!(std::sync::Arc::strong_count(&recorder), 1, "the supervisor is freed, and its subscribers with it");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_periodic_task_stays_ready_while_its_next_attempt_waits_for_a_permit() -> Result<(), RuntimeError> {
    let config = SupervisorConfig { max_concurrent: 1, ..SupervisorConfig::default() };
    let every_second = RestartPolicy::Always { interval: Some(secs(1)) };
    let tree = Tree::builder(config)
        .task(Script::new([tests::OK]).spec("poll").with_restart(every_second))
        .task(cooperative("daemon").with_initial_delay(ms(500)))
        .build();
    tree.start().await?;
    sleep(ms(700)).await;
    assert!(tree.health().is_ready());

    sleep(secs(1)).await;

    let poll = tree.child("poll");
    assert_eq!(poll.status().unwrap().state, TaskState::Pending);
    assert!(tree.health().is_ready(), "it was ready, and does nothing but wait");
    assert!(!poll.restart() || poll.status().unwrap().state == TaskState::Pending);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn a_task_that_has_not_begun_or_is_told_to_begin_anew_is_not_ready() -> Result<(), RuntimeError> {
    let config = SupervisorConfig { max_concurrent: 1, ..SupervisorConfig::default() };
    let tree = Tree::builder(config).task(cooperative("daemon")).task(cooperative("waits")).build();
    tree.start().await?;
    settle().await;
    let unready = |tree: &Tree| tree.health().not_ready.iter().map(|unwell| unwell.path.clone()).collect::<Vec<_>>();
    assert_eq!(unready(&tree), ["waits"]);

    // `waits` gets its permit, so that `daemon` begins last.
    assert!(tree.child("daemon").restart());
    settle().await;
    assert_eq!(unready(&tree), ["daemon"]);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn a_further_run_of_a_periodic_task_is_no_restart() -> Result<(), RuntimeError> {
    // given: runs at 0 s, 10 s and 20 s; the third fails, and is retried after 1 s, and so on
    let steps =
        || [Step::Succeed(ms(0)), Step::Succeed(ms(0)), Step::Fail(ms(0)), Step::Fail(ms(0)), Step::Succeed(ms(0))];
    let backoff = constant(secs(1));
    let interval = RestartPolicy::Always { interval: Some(secs(10)) };
    let of_interval = Script::new(steps()).spec("interval").with_restart(interval);
    let of_period = Script::new(steps()).spec("period").with_restart(ALWAYS).with_every(secs(10));
    let tree = Tree::builder(SupervisorConfig::default())
        .task(of_interval.with_backoff(backoff))
        .task(of_period.with_backoff(backoff))
        .build();
    // then
    let begun = Instant::now();
    tree.start().await?;
    for (at, attempt, restarts) in [(500, 1, 0), (10_500, 2, 0), (20_500, 3, 0), (21_500, 4, 1), (22_500, 5, 0)] {
        tokio::time::sleep_until(begun + ms(at)).await;
        for name in ["interval", "period"] {
            let status = tree.child(name).status().expect("it is registered");
            assert_eq!((status.attempt, status.restarts), (attempt, restarts), "{name} at {at}: {status:?}");
        }
        let snapshot = tree.snapshot().to_string();
        assert_eq!(snapshot.contains("restarts="), restarts > 0, "{snapshot}");
    }
    tree.shutdown().await
}
