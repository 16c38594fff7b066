//! What makes a supervisor ready, and what takes it out of rotation.

use std::sync::Arc;

use taskvisor::{
    ControllerSpec, EventKind, Group, Health, Problem, Ready, RestartPolicy, RuntimeError, Supervisor,
    SupervisorConfig, TaskContext, TaskError, TaskFn, TaskSpec, TaskState, Tree,
};
use tests::{ALWAYS, FAIL, OK, PANIC, Recorder, Script, Step, constant, cooperative, ms, secs, settle, supervisor};
use tokio::time::{sleep, timeout};

type Result = std::result::Result<(), RuntimeError>;

fn tree(specs: impl IntoIterator<Item = TaskSpec>) -> Tree {
    Tree::builder(SupervisorConfig::default()).tasks(specs).build()
}

fn fatal(name: &str) -> TaskSpec {
    Script::new([Step::Fatal]).spec(name)
}

/// The paths of the tasks that are not ready, and of those that do not count.
fn unready(health: &Health) -> (Vec<&str>, Vec<&str>) {
    (health.not_ready.iter().map(|one| &*one.path).collect(), health.not_counted.iter().map(|one| &*one.path).collect())
}

#[tokio::test(start_paused = true)]
async fn k6b_a_task_that_waits_for_its_time_is_ready() -> Result {
    let delayed = || cooperative("delayed").with_initial_delay(secs(600));
    let interval = RestartPolicy::Always { interval: Some(secs(600)) };
    let pausing = || Script::new([OK]).spec("pausing").with_restart(interval);
    let ticking = || Script::new([OK]).spec("ticking").with_restart(ALWAYS).with_every(secs(600));
    let silent = || Script::new([OK]).spec("silent").with_restart(interval).with_ready(Ready::Signal);
    let plain = tree([delayed(), pausing(), ticking(), cooperative("other")]);
    let grouped = tree([delayed(), pausing(), ticking(), silent()]);
    for tree in [plain, grouped] {
        tree.start().await?;
        settle().await;
        assert_eq!(tree.child("delayed").status().unwrap().state, TaskState::Delayed);
        assert_eq!(tree.child("pausing").status().unwrap().state, TaskState::Interval);
        let probe = tree.health().readyz();
        assert_eq!((probe.status, &*probe.body), (200, "ok\n"));
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k6b_nobody_waits_for_an_initial_delay_to_be_ready() -> Result {
    for specs in [
        vec![cooperative("a").with_initial_delay(secs(600)), cooperative("b")],
        vec![cooperative("a").with_initial_delay(secs(600))],
        vec![cooperative("a").without_readiness()],
    ] {
        let tree = tree(specs);
        tree.start().await?;
        timeout(secs(1), tree.wait_ready()).await.expect("ready at once");
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k6b_the_gate_of_those_after_it_waits_for_the_attempt() -> Result {
    let tree = tree([
        cooperative("first").with_initial_delay(secs(600)),
        cooperative("second").with_after(["first"]),
        cooperative("third").with_initial_delay(secs(60)).with_after(["first"]),
    ]);
    tree.start().await?;
    sleep(secs(599)).await;
    assert_eq!(tree.child("second").status().unwrap().attempt, 0);
    assert_eq!(unready(&tree.health()).0, ["second", "third"], "they wait for another, not for their time");
    sleep(secs(2)).await;
    assert_eq!(tree.child("second").status().unwrap().attempt, 1);
    assert!(tree.health().is_ready(), "the third waits for its time now");
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn k6c_a_task_that_ended_in_failure_is_not_ready_by_name_and_error() -> Result {
    let backoff = constant(ms(1));
    let tree = tree([
        fatal("fatal"),
        Script::new([FAIL]).spec("exhausted").with_max_retries(1).with_backoff(backoff),
        Script::new([FAIL]).spec("failed").with_restart(RestartPolicy::Never),
        Script::new([PANIC]).spec("panicked").with_restart(RestartPolicy::Never),
        Script::new([OK]).spec("completed"),
        Script::new([Step::Cancel]).spec("gave_up"),
        cooperative("running"),
    ]);
    tree.start().await?;
    sleep(secs(1)).await;

    let health = tree.health();
    assert!(health.is_live() && !health.is_ready());
    let errors: Vec<_> = health.not_ready.iter().map(|one| one.error.as_deref().map(tests::placeless)).collect();
    let named = health.not_ready.iter().zip(&errors);
    let named: Vec<_> = named.map(|(one, error)| (&*one.path, one.problem.clone(), error.as_deref())).collect();
    assert_eq!(
        named,
        [
            ("exhausted", Problem::Failed, Some("failure 2")),
            ("failed", Problem::Failed, Some("failure 1")),
            ("fatal", Problem::Failed, Some("fatal")),
            ("panicked", Problem::Failed, Some("panicked: panic 1")),
        ]
    );
    let probe = health.readyz();
    assert_eq!(probe.status, 503);
    assert!(probe.body.starts_with("not ready\nexhausted: failed: failure 2, since "), "{}", probe.body);

    assert!(tree.child("fatal").acknowledge());
    assert!(!tree.child("fatal").acknowledge(), "once");
    assert!(tree.child("failed").current().unwrap().acknowledge());
    let removed = tree.supervisor().remove_task("panicked").await;
    assert!(matches!(removed, Err(RuntimeError::TaskNotFound { .. })), "it has ended");
    assert_eq!(unready(&tree.health()).0, ["exhausted"]);
    assert!(tree.supervisor().acknowledge("exhausted"));
    assert!(tree.health().is_ready());
    assert!(!tree.supervisor().acknowledge(""));
    tree.shutdown().await
}

/// A supervisor that is running and ready, to which tests add tasks.
async fn up() -> Arc<Supervisor> {
    let supervisor = supervisor();
    let run = Arc::clone(&supervisor);
    tokio::spawn(async move { run.run(vec![cooperative("daemon")]).await });
    supervisor.wait_ready().await;
    assert!(supervisor.health().is_ready());
    supervisor
}

#[tokio::test(start_paused = true)]
async fn k6c_a_new_registration_of_the_name_clears_it_and_so_does_its_end() -> Result {
    let supervisor = up().await;
    let failed = supervisor.add_task(fatal("job")).await?;
    failed.outcome().await;
    assert_eq!(unready(&supervisor.health()).0, ["job"]);

    let again = supervisor.add_task(cooperative("job")).await?;
    settle().await;
    assert!(supervisor.health().is_ready(), "while it runs");
    again.cancel().await?;
    assert!(supervisor.health().is_ready(), "and when it has ended");
    assert!(!failed.acknowledge());

    // Only the newest registration counts.
    let first = supervisor.add_task(fatal("job")).await?;
    first.outcome().await;
    let second = supervisor.add_task(fatal("job")).await?;
    second.outcome().await;
    assert!(!first.acknowledge());
    assert_eq!(unready(&supervisor.health()).0, ["job"]);
    assert!(second.acknowledge());
    supervisor.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn k6c_readiness_false_names_a_task_and_stays_ready() -> Result {
    let relay = Script::new([FAIL]).spec("relay").with_backoff(constant(secs(60)));
    let tree = Tree::builder(SupervisorConfig::default())
        .task(relay.without_readiness())
        .task(fatal("import").without_readiness())
        .group(Group::one_for_one("extras").without_readiness().task(fatal("dead")).group(
            Group::one_for_one("inner").task(Script::new([FAIL]).spec("flaky").with_backoff(constant(secs(60)))),
        ))
        .task(cooperative("serve"))
        .build();
    tree.start().await?;
    settle().await;
    let added = tree.group("extras").add_task(fatal("added")).await?;
    added.outcome().await;

    let health = tree.health();
    let (not_ready, not_counted) = unready(&health);
    assert_eq!(not_ready, [""; 0]);
    assert_eq!(not_counted, ["extras/added", "extras/dead", "import", "relay", "extras/inner/flaky"]);
    let probe = health.readyz();
    assert_eq!(probe.status, 200);
    let lines: Vec<&str> = probe.body.lines().map(|line| line.split(", since").next().unwrap()).collect();
    assert_eq!(
        lines,
        [
            "ok",
            "does not count: extras/added: failed: fatal",
            "does not count: extras/dead: failed: fatal",
            "does not count: import: failed: fatal",
            "does not count: relay: not ready: backoff",
            "does not count: extras/inner/flaky: not ready: backoff",
        ]
    );
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn k6c_a_group_that_ended_in_failure_is_not_ready_until_it_is_acknowledged() -> Result {
    let failing = Script::new([FAIL]).spec("leaf").with_backoff(constant(ms(1)));
    let tree = Tree::builder(SupervisorConfig::default())
        .group(Group::one_for_one("store").with_limit(1, secs(60)).with_max_retries(0).not_critical().task(failing))
        .task(cooperative("serve"))
        .build();
    tree.start().await?;
    sleep(secs(1)).await;

    let health = tree.health();
    assert_eq!(unready(&health).0, ["store"]);
    let expected = "`store/leaf` failed (failure 2), `store` exceeded 1 restart within 60s";
    assert_eq!(health.not_ready[0].error.as_deref(), Some(expected));
    assert!(tree.supervisor().acknowledge("store"));
    assert!(tree.health().is_ready());
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn k6c_a_group_that_is_restarted_or_stopped_forgets_what_failed_in_it() -> Result {
    let script = Script::new([Step::Fatal, Step::Wait]);
    let tree = Tree::builder(SupervisorConfig::default())
        .group(Group::one_for_one("g").task(script.spec("once")).task(cooperative("other")))
        .task(cooperative("serve"))
        .build();
    tree.start().await?;
    settle().await;
    tree.group("g").add_task(fatal("added")).await?.outcome().await;
    assert_eq!(unready(&tree.health()).0, ["g/added", "g/once"]);
    assert_eq!(unready(&tree.group("g").health()).0, ["g/added", "g/once"]);

    assert!(tree.group("g").restart());
    settle().await;
    assert!(tree.health().is_ready(), "{:?}", tree.health());

    tree.group("g").add_task(fatal("added")).await?.outcome().await;
    assert_eq!(unready(&tree.health()).0, ["g/added"]);
    tree.group("g").cancel().await?;
    assert!(tree.health().is_ready(), "{:?}", tree.health());
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn k6c_the_outcome_of_a_submission_tells_and_health_does_not() -> Result {
    let supervisor = up().await;
    let job = supervisor.submit(ControllerSpec::queue(fatal("upload"))).await.unwrap();
    job.outcome().await;
    let job = supervisor.submit(ControllerSpec::queue(fatal("upload")).with_slot("other")).await.unwrap();
    job.outcome().await;
    assert!(supervisor.health().is_ready());
    supervisor.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn k6c_what_is_remembered_is_bounded() -> Result {
    let supervisor = up().await;
    for number in 0..1100 {
        supervisor.add_task(fatal(&format!("job-{number}"))).await?.outcome().await;
    }
    let health = supervisor.health();
    assert_eq!(health.not_ready.len(), 1024);
    assert!(health.readyz().body.ends_with("\nand 1068 more\n"), "{}", health.readyz().body);
    assert!(health.readyz().body.len() <= 16 * 1024);
    let first: Vec<String> = health.not_ready.iter().map(|one| one.path.clone()).collect();
    assert!(first.iter().all(|path| supervisor.acknowledge(path)));
    assert!(!supervisor.health().is_ready(), "76 are left that nobody can name");
    assert!(supervisor.acknowledge(""));
    assert!(supervisor.health().is_ready());
    supervisor.shutdown().await
}

/// Failures that do not count for readiness neither make the service unready nor displace those that count.
#[tokio::test(start_paused = true)]
async fn k6c_many_failures_that_do_not_count_leave_the_service_ready() -> Result {
    let quiet = Group::one_for_one("quiet").without_readiness();
    let loud = Group::one_for_one("loud");
    let tree = Tree::builder(SupervisorConfig::default()).group(quiet).group(loud).build();
    tree.start().await?;
    let fail = async |group: &str, numbers: std::ops::Range<usize>| {
        for number in numbers {
            let added = tree.group(group).add_task(fatal(&format!("job-{number}"))).await;
            added.unwrap().outcome().await;
        }
    };
    fail("quiet", 0..1100).await;
    let health = tree.health();
    assert!(health.is_ready(), "{}", health.readyz().body);
    assert_eq!(health.not_counted.len(), 1024);
    assert!(health.readyz().body.ends_with("\nand 1068 more\n"), "{}", health.readyz().body);
    assert!(tree.group("quiet").health().readyz().body.ends_with("\nand 1068 more\n"));
    assert_eq!(tree.group("loud").health().readyz().body, "ok\n");

    fail("loud", 0..1030).await;
    let health = tree.health();
    assert_eq!((health.not_ready.len(), health.is_ready()), (1024, false));
    // A group takes its failures along that are only counted.
    assert!(tree.supervisor().acknowledge("loud"));
    assert!(tree.health().is_ready());
    assert!(!tree.supervisor().acknowledge("loud"));
    assert!(tree.group("quiet").cancel().await?);
    assert_eq!(tree.health().readyz().body, "ok\n");
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn k6c_what_a_remembered_error_does_when_it_is_dropped_is_contained() -> Result {
    #[derive(Debug)]
    struct Bomb(Arc<Supervisor>);
    impl std::fmt::Display for Bomb {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(if self.0.task("daemon").is_some() { "live" } else { "dead" })
        }
    }
    impl std::error::Error for Bomb {}
    impl Drop for Bomb {
        fn drop(&mut self) {
            let _ = self.0.health();
            panic!("dropped");
        }
    }
    let supervisor = up().await;
    for _ in 0..2 {
        let owner = Arc::clone(&supervisor);
        let task = TaskFn::arc("job", move |_: TaskContext| {
            let error = TaskError::permanent(Bomb(Arc::clone(&owner)));
            async move { Err(error) }
        });
        let task = supervisor.add_task(TaskSpec::inherit(task)).await?;
        // The outcome holds the error as well, so that its drop has to be caught here.
        let outcome = std::panic::AssertUnwindSafe(task.outcome().await);
        assert_eq!(supervisor.health().not_ready[0].error.as_deref(), Some("live"));
        drop(task);
        let _ = std::panic::catch_unwind(move || drop(outcome));
    }
    assert!(supervisor.acknowledge("job"));
    supervisor.shutdown().await
}

const WARNING: &str = "it has failed 10 times in a row, and is retried without end: `critical` needs `max_retries` to \
                       have an effect";

#[tokio::test(start_paused = true)]
async fn k6i_a_critical_task_that_is_retried_without_end_is_warned_of_once_a_streak() -> Result {
    let recorder = Recorder::new();
    let mut steps = vec![FAIL; 25];
    steps.push(Step::Succeed(secs(1)));
    steps.extend([FAIL; 10]);
    steps.push(Step::Wait);
    let backoff = constant(ms(1));
    let busy = Script::new(steps);
    let always = |script: &Arc<Script>, name| script.spec(name).with_restart(ALWAYS).with_backoff(backoff);
    let other = Script::new([FAIL]);
    let tree = Tree::builder(SupervisorConfig::default())
        .with_subscriber(recorder.clone())
        .task(always(&busy, "busy").critical())
        .task(always(&other, "bounded").critical().with_max_retries(100_000))
        .task(always(&other, "not_needed"))
        .build();
    tree.start().await?;
    sleep(secs(2)).await;

    let warnings: Vec<_> = recorder.seen().into_iter().filter(|seen| seen.kind == EventKind::Warning).collect();
    let told: Vec<_> = warnings.iter().map(|seen| (seen.task.as_deref().unwrap(), seen.attempt)).collect();
    assert_eq!(told, [("busy", Some(10)), ("busy", Some(36))]);
    assert!(warnings.iter().all(|seen| seen.reason.as_deref() == Some(WARNING)));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn k6i_a_group_that_is_retried_without_end_is_warned_of() -> Result {
    let recorder = Recorder::new();
    let leaf = || Script::new([FAIL]).spec("leaf").with_restart(RestartPolicy::Never).critical();
    let group = |name: &str| Group::one_for_one(name).with_backoff(constant(ms(1))).task(leaf());
    let tree = Tree::builder(SupervisorConfig::default())
        .with_subscriber(recorder.clone())
        .group(group("needed"))
        .group(group("bounded").with_max_retries(100_000))
        .group(group("not_needed").not_critical())
        .build();
    tree.start().await?;
    sleep(ms(100)).await;
    let seen = recorder.seen();
    let told: Vec<_> = seen.iter().filter(|seen| seen.reason.as_deref() == Some(WARNING)).collect();
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].kind, told[0].task.as_deref()), (EventKind::Warning, Some("needed")));
    tree.shutdown().await
}

/// While a group waits for its next run, none of its tasks is registered that could be named.
#[tokio::test(start_paused = true)]
async fn k6c_a_group_that_waits_for_its_next_run_is_not_ready() -> Result {
    let fails = Script::new([FAIL]);
    let leaf = || fails.spec("leaf").with_restart(ALWAYS).with_backoff(constant(ms(1)));
    let inner = || Group::one_for_one("inner").with_limit(1, secs(60)).with_backoff(constant(secs(4))).task(leaf());
    let outer = |name: &str| Group::one_for_one(name).group(inner());
    let tree = Tree::builder(SupervisorConfig::default())
        .group(outer("counts"))
        .group(outer("does_not").without_readiness())
        .build();
    tree.start().await?;
    sleep(secs(2)).await;
    let health = tree.health();
    let named = |list: &[taskvisor::Unhealthy]| -> Vec<(String, taskvisor::Problem)> {
        list.iter().map(|one| (one.path.clone(), one.problem.clone())).collect()
    };
    let waits = taskvisor::Problem::NotReady(TaskState::Backoff);
    assert_eq!(named(&health.not_ready), [("counts/inner".to_owned(), waits.clone())]);
    assert_eq!(named(&health.not_counted), [("does_not/inner".to_owned(), waits)]);
    assert!(health.not_ready[0].error.as_deref().is_some_and(|error| error.contains("exceeded")), "{health:?}");
    assert_eq!(tree.health().readyz().status, 503);
    assert!(!tree.group("counts").health().is_ready());
    tree.shutdown().await
}

/// A group restarts by default, so without an event its failures would show nowhere.
#[tokio::test(start_paused = true)]
async fn k6i_each_failure_of_a_group_is_an_event() -> Result {
    let recorder = Recorder::new();
    let leaf = Script::new([FAIL]).spec("leaf").with_restart(RestartPolicy::Never).critical();
    let group = Group::one_for_one("group").with_backoff(constant(ms(1))).with_max_retries(1).not_critical();
    let tree =
        Tree::builder(SupervisorConfig::default()).with_subscriber(recorder.clone()).group(group.task(leaf)).build();
    tree.start().await?;
    sleep(ms(100)).await;
    let seen = recorder.seen().into_iter().filter(|seen| seen.kind == EventKind::GroupFailed);
    let told: Vec<_> = seen.map(|seen| (seen.task.unwrap(), seen.reason.unwrap(), seen.delay_ms, seen.count)).collect();
    let expected = |failure: u64, delay, count| {
        let reason = format!("`group/leaf` failed (failure {failure}), which `group` needs");
        ("group".to_owned(), reason, delay, count)
    };
    assert_eq!(told, [expected(1, Some(1), Some(1)), expected(2, None, Some(2))]);
    tree.shutdown().await
}
