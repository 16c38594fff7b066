//! Limits with names, and `max_concurrent` of groups.

use std::sync::Arc;

use TaskState::{Pending, Running};
use taskvisor::{
    ControllerSpec, EventKind, Group, Problem, Ready, RuntimeError, SlotSpec, Supervisor, SupervisorConfig, TaskError,
    TaskSpec, TaskState, Tree, TreeBuilder,
};
use tests::{ALWAYS, FAIL, OK, Recorder, Script, Step, constant, cooperative, ms, secs, settle};
use tokio::time::{Instant, sleep};

fn builder() -> TreeBuilder {
    Tree::builder(SupervisorConfig::default())
}

fn states(tree: &Tree, paths: &[&str]) -> Vec<TaskState> {
    paths.iter().map(|path| tree.child(path).current().unwrap().status().state).collect()
}

#[tokio::test(start_paused = true)]
async fn o25_a_limit_with_a_name_bounds_the_attempts_that_need_it_wherever_they_are() -> Result<(), RuntimeError> {
    let script = Script::new([Step::Succeed(secs(1))]);
    let free = Script::new([Step::Succeed(secs(1))]);
    let limited = |name: &str| script.spec(name).with_named_limit("db");
    let start = Instant::now();
    let tree = builder()
        .with_named_limit("db", 2)
        .tasks([limited("a"), free.spec("free"), limited("b")])
        .group(Group::one_for_one("inner").with_named_limit("db").tasks([script.spec("c"), script.spec("d")]))
        .group(Group::one_for_one("outer").task(free.spec("free")).group(Group::one_for_one("g").task(limited("e"))))
        .build();
    tree.run().await?;
    assert_eq!(script.begun_ms(start), [0, 0, 1_000, 1_000, 2_000], "first come, first served");
    assert_eq!((script.most(), free.begun_ms(start)), (2, vec![0, 0]));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o25_max_concurrent_of_a_group_counts_the_attempts_in_nested_groups() -> Result<(), RuntimeError> {
    let script = Script::new([Step::Succeed(secs(1))]);
    let outside = Script::new([Step::Succeed(secs(1))]);
    let start = Instant::now();
    // `c` and `d` come first. Then `a` has both permits, and `b` waits for that of `inner`.
    let inner = Group::one_for_one("inner").with_max_concurrent(1).tasks(["a", "b"].map(|name| script.spec(name)));
    let outer = Group::one_for_one("outer").with_max_concurrent(2).group(inner);
    let tree = builder().group(outer.tasks(["c", "d"].map(|name| script.spec(name)))).task(outside.spec("e")).build();
    tree.run().await?;
    assert_eq!((script.most(), script.begun_ms(start)), (2, vec![0, 0, 1_000, 2_000]));
    assert_eq!(outside.begun_ms(start), [0]);
    Ok(())
}

/// The innermost permit is granted first, and is held while the next is waited for.
#[tokio::test(start_paused = true)]
async fn o25_permits_are_granted_from_the_inside() -> Result<(), RuntimeError> {
    let config = SupervisorConfig { max_concurrent: 2, ..SupervisorConfig::default() };
    let tree = Tree::builder(config)
        .with_named_limit("db", 1)
        .task(cooperative("holds").with_named_limit("db"))
        .group(Group::one_for_one("g").with_max_concurrent(1).tasks([
            // It has the permit of the group, and waits for that of `db`.
            cooperative("waits").with_named_limit("db"),
            cooperative("behind"),
        ]))
        .task(cooperative("free"))
        .task(cooperative("last"))
        .build();
    tree.start().await?;
    settle().await;
    let paths = ["holds", "g/waits", "g/behind", "free", "last"];
    assert_eq!(states(&tree, &paths), [Running, Pending, Pending, Running, Pending]);

    // Without `waits`, the permit of the group goes to `behind`, which then waits for that of the supervisor.
    assert!(tree.child("g/waits").cancel().await?);
    settle().await;
    assert_eq!(states(&tree, &["g/behind", "last"]), [Pending, Pending]);
    assert!(tree.child("free").cancel().await?);
    settle().await;
    assert_eq!(states(&tree, &["g/behind", "last"]), [Pending, Running], "`last` has waited for longer");
    tree.shutdown().await
}

/// A limit that the task and the groups around it name is needed once.
#[tokio::test(start_paused = true)]
async fn o25_a_limit_that_is_named_twice_is_needed_once() -> Result<(), RuntimeError> {
    let script = Script::new([OK]);
    let spec = |name: &str| script.spec(name).with_named_limit("db");
    let inner = Group::one_for_one("inner").with_named_limit("db").task(spec("a"));
    let outer = Group::one_for_one("outer").with_named_limit("db").group(inner).task(spec("b"));
    builder().with_named_limit("db", 1).group(outer).build().run().await?;
    assert_eq!(script.attempts(), 2);
    Ok(())
}

/// Two orders of one pair of limits would be a deadlock: a task of `g` has the permit of the group and waits for `db`,
/// another has that of `db` and waits for the group.
#[tokio::test(start_paused = true)]
async fn o25_all_attempts_follow_one_order() -> Result<(), RuntimeError> {
    let script = Script::new([Step::Succeed(secs(1))]);
    let both = |name: &str, limit: &str| script.spec(name).with_named_limit(limit);
    let g = Group::one_for_one("g").with_max_concurrent(1).with_named_limit("db");
    let h = Group::one_for_one("h").with_max_concurrent(1).with_named_limit("cpu");
    let start = Instant::now();
    builder()
        .with_named_limit("db", 1)
        .with_named_limit("cpu", 1)
        .group(g.tasks([both("a", "cpu"), both("b", "db")]))
        .group(h.tasks([both("c", "db"), both("d", "cpu")]))
        .build()
        .run()
        .await?;
    assert_eq!(script.begun_ms(start).len(), 4);
    assert!(start.elapsed() <= secs(4));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o25_permits_are_given_back_by_failures_restarts_and_stops() -> Result<(), RuntimeError> {
    let flaky = Script::new([FAIL, Step::Wait]);
    let other = Script::new([Step::Succeed(secs(1)), Step::Wait]);
    let g = Group::one_for_all("g").with_max_concurrent(1).with_backoff(constant(secs(1)));
    let flaky_spec = flaky.spec("flaky").with_backoff(constant(secs(10)));
    let tree = builder().group(g.tasks([flaky_spec, other.spec("other").with_restart(ALWAYS)])).build();
    tree.start().await?;
    sleep(secs(30)).await;
    assert!(flaky.attempts() >= 2 && other.attempts() >= 1, "{} {}", flaky.attempts(), other.attempts());
    assert_eq!(flaky.running() + other.running(), 1);
    assert!(tree.group("g").restart());
    settle().await;
    assert_eq!(flaky.running() + other.running(), 1);
    assert!(tree.child("g/flaky").cancel().await? || tree.child("g/other").cancel().await?);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o25_submitted_tasks_need_the_limit_of_their_slot_and_their_own() -> Result<(), Box<dyn std::error::Error>> {
    let tree = builder()
        .with_named_limit("db", 1)
        .with_slot(SlotSpec::new("reports").with_named_limit("db"))
        .task(cooperative("holds").with_named_limit("db"))
        .build();
    tree.start().await?;
    settle().await;
    let report = tree.slot("reports").submit(cooperative("report")).await?;
    let own = tree.submit_own().await?;
    let free = tree.supervisor().submit(ControllerSpec::queue(cooperative("free"))).await?;
    settle().await;
    let state = |handle: &taskvisor::TaskHandle| handle.status().state;
    assert_eq!([state(&report), state(&own), state(&free)], [Pending, Pending, Running]);
    assert!(tree.child("holds").cancel().await?);
    settle().await;
    assert_eq!([state(&report), state(&own)], [Running, Pending]);
    tree.shutdown().await?;
    Ok(())
}

trait SubmitOwn {
    async fn submit_own(&self) -> Result<taskvisor::TaskHandle, taskvisor::ControllerError>;
}

impl SubmitOwn for Tree {
    async fn submit_own(&self) -> Result<taskvisor::TaskHandle, taskvisor::ControllerError> {
        self.supervisor().submit(ControllerSpec::queue(cooperative("own").with_named_limit("db"))).await
    }
}

#[tokio::test(start_paused = true)]
async fn o25_a_start_timeout_names_the_limit_that_was_waited_for() -> Result<(), RuntimeError> {
    let recorder = Recorder::new();
    let waits = |name: &str| {
        let spec = cooperative(name).with_ready(Ready::Signal).with_start_timeout(secs(5)).with_max_retries(0);
        spec.with_named_limit("db")
    };
    let g = Group::one_for_one("g").with_max_concurrent(1).tasks([cooperative("holds"), waits("grouped")]);
    let tree = builder()
        .with_subscriber(Arc::clone(&recorder))
        .with_named_limit("db", 1)
        .task(cooperative("holds").with_named_limit("db"))
        .task(waits("waits"))
        .group(g)
        .build();
    tree.start().await?;
    sleep(secs(6)).await;
    for (path, limit) in [("waits", "limit db"), ("g/grouped", "max_concurrent of g")] {
        let error = tree.child(path).current().unwrap().status().last_error.unwrap();
        assert!(
            matches!(&*error, TaskError::PermitTimeout { timeout, limit: named } if *timeout == secs(5) && **named == *limit),
            "{error:?}"
        );
        assert_eq!(error.to_string(), format!("timed out after 5s, waiting for a permit ({limit})"));
        assert_eq!((error.as_label(), error.is_retryable()), ("task_timeout", true));
    }
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o25_health_and_warnings_name_the_limit_that_is_waited_for() -> Result<(), RuntimeError> {
    let recorder = Recorder::new();
    let g = Group::one_for_one("g").with_max_concurrent(1).tasks(["a", "b"].map(cooperative));
    let tree = builder()
        .with_subscriber(Arc::clone(&recorder))
        .with_named_limit("db", 1)
        .tasks(["c", "d"].map(|name| cooperative(name).with_named_limit("db")))
        .group(g)
        .build();
    tree.start().await?;
    sleep(ms(10_001)).await;
    settle().await;
    let problems: Vec<_> = tree.health().not_ready.into_iter().map(|one| (one.path, one.problem)).collect();
    let awaits = |name: &str| Problem::AwaitsPermit { limit: 1, name: name.into() };
    assert!(problems.contains(&("d".into(), awaits("limit db"))), "{problems:?}");
    assert!(problems.contains(&("g/b".into(), awaits("max_concurrent of g"))), "{problems:?}");
    let body = tree.health().readyz().body;
    assert!(body.contains("d: not ready: pending, all permits are held (limit db = 1) by c"), "{body}");
    let warnings: Vec<_> = recorder.seen().into_iter().filter(|seen| seen.kind == EventKind::Warning).collect();
    let reasons: Vec<_> = warnings.iter().filter_map(|seen| seen.reason.as_deref()).collect();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(reasons.contains(&"waits for the only permit (limit db) for 10 s; held by `c`"), "{reasons:?}");
    assert!(
        reasons.contains(&"waits for the only permit (max_concurrent of g) for 10 s; held by `g/a`"),
        "{reasons:?}"
    );
    // A later wait for another limit is watched as well.
    tree.supervisor().add_task(cooperative("e").with_named_limit("db")).await?;
    sleep(secs(11)).await;
    settle().await;
    assert_eq!(recorder.count(EventKind::Warning), 3);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o25_limits_that_are_wrong_are_refused() {
    let task = || cooperative("a");
    let undeclared = "the name of a limit that is declared, with `with_named_limit` or in `limits`";
    let invalid = |tree: TreeBuilder| match tree.try_build() {
        Err(RuntimeError::InvalidOption(invalid)) => {
            (invalid.subject.clone(), invalid.option.to_string(), invalid.value.clone(), invalid.expected.to_string())
        }
        other => panic!("{other:?}"),
    };
    let cases = [
        (builder().task(task().with_named_limit("db")), ("task `a`", "limit", "`db`", undeclared)),
        (
            builder().group(Group::one_for_one("g").with_named_limit("db").task(task())),
            ("group `g`", "limit", "`db`", undeclared),
        ),
        (
            builder().with_named_limit("cpu", 1).with_slot(SlotSpec::new("s").with_named_limit("db")),
            ("slot `s`", "limit", "`db`", undeclared),
        ),
        (builder().with_named_limit("db", 0), ("limit `db`", "max_concurrent", "0", "at least 1")),
        (builder().with_named_limit("", 1), ("limit ``", "name", "\"\"", "a name that is not empty")),
        (
            builder().with_named_limit("db", 1).with_named_limit("db", 2),
            ("limit `db`", "name", "declared twice", "one limit of each name"),
        ),
        (
            builder().group(Group::one_for_one("g").with_max_concurrent(0).task(task())),
            ("group `g`", "max_concurrent", "0", "at least 1"),
        ),
    ];
    for (tree, (subject, option, value, expected)) in cases {
        assert_eq!(invalid(tree), (subject.into(), option.into(), value.into(), expected.into()));
    }
    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
    let added = supervisor.add_task(TaskSpec::with_named_limit(task(), "db")).await;
    assert!(matches!(added, Err(RuntimeError::InvalidOption(_))), "{added:?}");
}
