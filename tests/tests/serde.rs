//! The serialized form matches its documentation.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json, to_value};
use taskvisor::{
    AttemptOutcome, Event, EventKind, Group, History, RejectReason, RuntimeError, Schedule, StopReason, Subscribe,
    SupervisorConfig, TaskContext, TaskError, TaskFn, TaskId, TaskOutcome, TaskSpec, TaskState, TaskStatus, Tree,
    TreeSnapshot, WaitingFor,
};
use tests::{ALWAYS, FAIL, OK, Script, constant, cooperative, secs, settle, supervisor};

/// The examples under a heading of the documentation.
fn documented(heading: &str) -> VecDeque<Value> {
    let text = include_str!("../../taskvisor/src/inspect/json.md");
    let (_, section) = text.split_once(&format!("\n# `{heading}`\n")).expect("there is such a heading");
    let section = section.split("\n# ").next().unwrap();
    let blocks = section.split("```json\n").skip(1).map(|block| block.split("```").next().unwrap());
    blocks.map(|block| serde_json::from_str(block).unwrap()).collect()
}

/// 2026-11-23T08:15:30.123Z
fn then() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_421_730_123)
}

#[derive(Debug)]
struct Unreadable(std::io::Error);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot read the catalogue")
    }
}

impl Error for Unreadable {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

async fn an_id() -> TaskId {
    supervisor().add_task(Script::new([OK]).spec("x")).await.unwrap().id()
}

#[tokio::test]
async fn events() {
    let mut documented = documented("Event");
    let mut failed = Event::new(EventKind::TaskFailed);
    (failed.seq, failed.at, failed.task, failed.attempt) = (17, then(), Some("store/pool".into()), Some(3));
    failed.id = Some(an_id().await);
    let refused = TaskError::error(Unreadable(std::io::Error::other("connection refused")));
    failed.reason = Some(Arc::new(refused).into());
    let mut expected = documented.pop_front().unwrap();
    expected["id"] = json!(failed.id.unwrap().to_string().parse::<u64>().unwrap());
    assert_eq!(to_value(&failed).unwrap(), expected);
    assert!(serde_json::to_string(&failed).unwrap().starts_with(r#"{"kind":"TaskFailed","seq":17,"at":"2026-"#));

    let mut moves = Event::new(EventKind::ControllerSlotTransition);
    (moves.seq, moves.at) = (18, then() + Duration::from_millis(1));
    (moves.task, moves.slot) = (Some("deploy".into()), Some("deploy".into()));
    (moves.id, moves.count, moves.reason) = (failed.id, Some(2), Some("idle -> running".into()));
    let mut expected = documented.pop_front().unwrap();
    expected["id"] = to_value(moves.id).unwrap();
    assert_eq!(to_value(&moves).unwrap(), expected);

    let mut lease = Event::new(EventKind::LeaseAcquired);
    (lease.seq, lease.at, lease.task) = (19, then() + Duration::from_millis(2), Some("bill".into()));
    (lease.id, lease.count, lease.reason) = (failed.id, Some(1_795_855_823_473_000), Some("eu/bill".into()));
    let mut expected = documented.pop_front().unwrap();
    expected["id"] = to_value(lease.id).unwrap();
    assert_eq!(to_value(&lease).unwrap(), expected);
    assert!(documented.is_empty(), "an example that is not tested");
    let text = include_str!("../../taskvisor/src/inspect/json.md");
    for (kind, names) in [
        (EventKind::ControllerSlotTransition, "task change waiting delay_ms timeout_ms"),
        (EventKind::LeaseReleased, "task key token delay_ms timeout_ms"),
        (EventKind::LeaseOverrun, "task key count delay_ms timeout_ms"),
        (EventKind::GroupFailed, "task reason failures delay_ms timeout_ms"),
        (EventKind::GroupRestarted, "task reason restarts delay_ms timeout_ms"),
        (EventKind::ShutdownWaiting, "task reason waiting since_ms left_ms"),
        (EventKind::SubscriberPanicked, "subscriber reason count delay_ms timeout_ms"),
        (EventKind::SubscriberOverflow, "subscriber reason lost delay_ms timeout_ms"),
    ] {
        let mut event = Event::new(kind);
        (event.task, event.reason, event.count) = (Some("t".into()), Some("r".into()), Some(1));
        (event.delay_ms, event.timeout_ms) = (Some(1), Some(1));
        let value = to_value(&event).unwrap();
        let mut found: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
        found.retain(|name| !matches!(*name, "kind" | "seq" | "at"));
        found.sort_unstable();
        let mut names: Vec<_> = names.split(' ').collect();
        names.sort_unstable();
        assert_eq!(found, names, "{kind}");
        let usual = ["task", "reason", "count", "delay_ms", "timeout_ms"];
        let row = text.lines().find(|line| line.starts_with('|') && line.contains(&format!("`{kind}`"))).unwrap();
        let mut others = names.iter().filter(|name| !usual.contains(name));
        assert!(others.all(|name| row.contains(&format!("`{name}`"))), "{kind}");
    }

    let mut waits = Event::new(EventKind::BackoffScheduled);
    (waits.at, waits.delay_ms, waits.timeout_ms) = (then(), Some(400), Some(5));
    let expected = json!({
        "kind": "BackoffScheduled", "seq": 0, "at": "2026-11-23T08:15:30.123Z", "delay_ms": 400, "timeout_ms": 5,
    });
    assert_eq!(to_value(&waits).unwrap(), expected);
}

#[test]
fn outcomes() {
    let fail = |reason: &str| Arc::new(TaskError::Fail { reason: reason.into() });
    let taken = Arc::new(RuntimeError::TaskAlreadyExists { name: "deploy".into() });
    let refused = RejectReason::Refused { error: taken };
    let mut documented: Vec<_> = documented("TaskOutcome").into();
    documented.remove(2);
    let shown = [
        TaskOutcome::Completed,
        TaskOutcome::Canceled { error: None, reason: StopReason::Shutdown, finished: true },
        TaskOutcome::Exhausted { error: Arc::new(TaskError::Timeout { timeout: secs(5) }), failures: 4 },
        TaskOutcome::Rejected { reason: refused.clone() },
    ];
    assert_eq!(shown.map(|outcome| to_value(outcome).unwrap()).to_vec(), documented);

    let mut alone = documented[3].clone();
    alone.as_object_mut().unwrap().remove("outcome");
    assert_eq!(to_value(refused).unwrap(), alone);
    assert_eq!(to_value(RejectReason::Busy).unwrap(), json!({ "reason": "busy" }));

    let error = json!({ "label": "task_failed", "message": "no" });
    for (outcome, expected) in [
        (
            TaskOutcome::Canceled {
                error: None,
                reason: StopReason::SiblingRestart { failed: Arc::new("a/b".into()) },
                finished: false,
            },
            json!({ "outcome": "canceled", "reason": "sibling_restart", "failed": "a/b", "finished": false }),
        ),
        (
            TaskOutcome::Canceled { error: Some(fail("no")), reason: StopReason::Removed, finished: false },
            json!({ "outcome": "canceled", "reason": "removed", "finished": false, "error": error }),
        ),
        (TaskOutcome::Failed { error: fail("no") }, json!({ "outcome": "failed", "error": error })),
        (TaskOutcome::Aborted { error: None }, json!({ "outcome": "aborted" })),
    ] {
        assert_eq!(to_value(outcome).unwrap(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn outcomes_of_a_group_that_failed() {
    let pool = Script::new([tests::Step::Fatal]).spec("pool").critical();
    let store = Group::one_for_one("store").task(cooperative("index")).task(pool);
    let tree = Tree::builder(SupervisorConfig::default()).group(store.not_critical()).build();
    tree.start().await.unwrap();
    let outcome = tree.group("store").child("index").current().unwrap().outcome().await;
    let mut shown = to_value(outcome).unwrap();
    shown["failure"] = shown["failure"].as_str().unwrap().replace("(fatal)", "(connection refused)").into();
    assert_eq!(shown, documented("TaskOutcome")[2]);
}

#[tokio::test(start_paused = true)]
async fn slots() {
    let tree = Tree::builder(SupervisorConfig::default()).with_slot(taskvisor::SlotSpec::new("deploy")).build();
    tree.start().await.unwrap();
    for name in ["api", "web"] {
        let _ = tree.slot("deploy").submit(cooperative(name)).await.unwrap();
    }
    settle().await;
    let mut expected = documented("SlotSnapshot")[0].clone();
    let snapshot = tree.slot("deploy").snapshot();
    expected["owners"][0]["id"] = to_value(snapshot.owners[0].id).unwrap();
    expected["queue"][0]["id"] = to_value(snapshot.queue[0].id).unwrap();
    assert_eq!(to_value(snapshot).unwrap(), expected);
    let keyed = taskvisor::SlotSpec::new("jobs").with_keys();
    let tree = Tree::builder(SupervisorConfig::default()).with_slot(keyed).build();
    assert_eq!(to_value(tree.slot("jobs").snapshot()).unwrap(), documented("SlotSnapshot")[1]);
}

/// A tree with a task that fails and a task that waits for it.
async fn tree() -> Tree {
    let pool = Script::new([FAIL]).spec("pool").with_backoff(constant(secs(50))).with_ready(taskvisor::Ready::Signal);
    let tree = Tree::builder(SupervisorConfig::default())
        .with_name("app")
        .task(pool)
        .task(cooperative("serve").with_after(["pool"]))
        .build();
    tree.start().await.unwrap();
    settle().await;
    tree
}

#[tokio::test(start_paused = true)]
async fn statuses() {
    let failing = Script::new([FAIL]).spec("x").with_backoff(constant(secs(10)));
    let supervisor = supervisor();
    let task = supervisor.add_task(failing).await.unwrap();
    tokio::time::sleep(secs(15)).await;
    let mut status: TaskStatus = task.status();
    status.last_error = Some(Arc::new(TaskError::Fail { reason: "connection refused".into() }));
    assert_eq!(to_value(status).unwrap(), documented("TaskStatus")[0]);
    assert_eq!(to_value(TaskState::Queued).unwrap(), json!("queued"));
    taskvisor::test::set_wall_clock("2026-11-23T00:00:00Z");
    let nightly = Script::new([OK]).spec("nightly").with_restart(ALWAYS);
    let nightly = supervisor.add_task(nightly.with_schedule(Schedule::cron("30 2 * * *"))).await.unwrap();
    settle().await;
    assert_eq!(to_value(nightly.status()).unwrap(), documented("TaskStatus")[1]);
    let tree = Tree::builder(SupervisorConfig::default()).task(nightly.spec()).build();
    tree.start().await.unwrap();
    settle().await;
    let node = &to_value(tree.snapshot()).unwrap()["root"]["children"][0];
    assert_eq!((&node["state"], &node["next_run"]), (&json!("scheduled"), &json!("2026-11-23T02:30:00.000Z")));
}

#[tokio::test(start_paused = true)]
async fn health() {
    let tree = Tree::builder(SupervisorConfig::default())
        .group(Group::one_for_one("store").task(Script::new([FAIL]).spec("pool").with_backoff(constant(secs(50)))))
        .build();
    tree.start().await.unwrap();
    settle().await;
    let mut health = tree.health();
    health.not_ready[0].since = then();
    assert_eq!(to_value(&health).unwrap(), documented("Health")[0]);
    health.not_ready[0].problem = taskvisor::Problem::PastStop;
    let unwell = json!({ "path": "store/pool", "problem": "past_stop", "since": "2026-11-23T08:15:30.123Z" });
    assert_eq!(to_value(&health.not_ready[0]).unwrap(), unwell);
    let quiet = taskvisor::Problem::Quiet { silence: secs(46), watchdog: secs(60) };
    health.not_ready[0].problem = quiet;
    assert_eq!(to_value(&health.not_ready[0]).unwrap()["problem"], json!("quiet"));
    health.not_ready[0].path = "serve".into();
    health.not_ready[0].problem = taskvisor::Problem::NotReady(TaskState::Pending);
    health.not_ready[0].awaits = vec!["store".into()];
    assert_eq!(to_value(&health.not_ready[0]).unwrap(), documented("Health")[1]);
    health.not_ready[0].awaits.clear();
    health.not_ready[0].path = "sync".into();
    health.not_ready[0].problem = taskvisor::Problem::Failed;
    health.not_ready[0].error = Some("connection refused".into());
    assert_eq!(to_value(&health.not_ready[0]).unwrap(), documented("Health")[2]);
    health.not_counted = std::mem::take(&mut health.not_ready);
    assert_eq!(to_value(&health).unwrap()["not_counted"][0], documented("Health")[2]);
}

#[tokio::test(start_paused = true)]
async fn a_group_that_makes_its_children() {
    let make = || std::future::pending::<Result<Vec<taskvisor::TaskSpec>, TaskError>>();
    let tree = Tree::builder(SupervisorConfig::default()).group(Group::one_for_one("store").fresh(make)).build();
    tree.start().await.unwrap();
    settle().await;
    let mut health = tree.health();
    health.not_ready[0].since = then();
    let making = json!({
        "path": "store", "problem": "making", "state": "running", "since": "2026-11-23T08:15:30.123Z",
    });
    assert_eq!(to_value(&health.not_ready[0]).unwrap(), making);
    assert_eq!(to_value(tree.snapshot()).unwrap()["root"]["children"][0]["fresh"], json!(true));
}

#[tokio::test(start_paused = true)]
async fn snapshots() {
    let tree = tree().await;
    let mut snapshot: TreeSnapshot = tree.snapshot();
    for child in &mut snapshot.root.children {
        child.since = child.since.map(|_| then());
        child.last_error = child.last_error.take().map(|_| "connection refused".into());
        child.next_at = child.next_at.map(|_| then() + secs(5));
    }
    let mut expected = documented("TreeSnapshot")[0].clone();
    for (index, child) in snapshot.root.children.iter().enumerate() {
        expected["root"]["children"][index]["id"] = to_value(child.id).unwrap();
    }
    assert_eq!(to_value(&snapshot).unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn details() {
    let error = || TaskError::error(Unreadable(std::io::Error::other("connection refused")));
    let pool = TaskFn::arc("pool", move |_: TaskContext| async move { Err(error()) });
    let store =
        Group::one_for_one("store").task(TaskSpec::inherit(pool).with_max_retries(5).with_backoff(constant(secs(1))));
    let tree = Tree::builder(SupervisorConfig::default()).group(store).build();
    tree.start().await.unwrap();
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let mut detail = tree.supervisor().detail("store/pool").unwrap();
    (detail.node.since, detail.node.next_at) = (Some(then()), Some(then() + secs(5)));
    detail.options.retain(|(name, _)| ["restart", "max_retries", "backoff.first"].contains(name));
    detail.options.iter_mut().filter(|(name, _)| *name == "backoff.first").for_each(|(_, text)| *text = "100ms".into());
    let mut expected = documented("NodeDetail")[0].clone();
    expected["node"]["id"] = to_value(detail.node.id).unwrap();
    assert_eq!(to_value(&detail).unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn fleets() {
    let runs = |name: &str| {
        let task = TaskFn::arc(name, |ctx: TaskContext| async move {
            ctx.cancelled().await;
            Ok(())
        });
        TaskSpec::inherit(task).with_singleton()
    };
    let store = taskvisor::fleet::LocalStore::new();
    let replica = |label: &'static str, task: &str| {
        let fleet = taskvisor::fleet::Fleet::new(store.clone()).name("f").label(label);
        Tree::builder(SupervisorConfig::default()).with_fleet(fleet).task(runs(task))
    };
    let other = replica("web-2", "sync").build();
    other.start().await.unwrap();
    tokio::time::sleep(secs(1)).await;
    let tree = replica("web-1", "bill").task(runs("sync")).build();
    tree.start().await.unwrap();
    tokio::time::sleep(secs(1)).await;
    let mut expected = documented("FleetSnapshot")[0].clone();
    let fleet = tree.supervisor().fleet().unwrap();
    expected["leases"][0]["token"] = to_value(fleet.leases[0].token).unwrap();
    assert_eq!(to_value(&fleet).unwrap(), expected);
}

#[test]
fn what_is_waited_for() {
    for (waiting_for, expected) in [
        (WaitingFor::After(vec!["a/b".into()]), json!({ "for": "after", "names": ["a/b"] })),
        (WaitingFor::Permit, json!({ "for": "permit" })),
        (WaitingFor::Limit("db".into()), json!({ "for": "limit", "name": "db" })),
        (WaitingFor::Group, json!({ "for": "group" })),
        (WaitingFor::Slot(3), json!({ "for": "slot", "position": 3 })),
        (WaitingFor::Delay, json!({ "for": "delay" })),
        (WaitingFor::Lease(Some("r0".into())), json!({ "for": "lease", "owner": "r0" })),
        (WaitingFor::Lease(None), json!({ "for": "lease" })),
        (WaitingFor::Paused, json!({ "for": "paused" })),
    ] {
        assert_eq!(to_value(&waiting_for).unwrap(), expected);
    }
}

/// An event about an attempt of `store/pool`, with this number and this time after `then`.
fn of_attempt(kind: EventKind, id: TaskId, attempt: u32, seq: u64, ms: u64) -> Event {
    let mut event = Event::new(kind);
    (event.task, event.id, event.attempt) = (Some("store/pool".into()), Some(id), Some(attempt));
    (event.seq, event.at) = (seq, then() + Duration::from_millis(ms));
    if kind == EventKind::TaskFailed {
        event.reason = Some(Arc::new(TaskError::Fail { reason: "connection refused".into() }).into());
    }
    event
}

#[tokio::test]
async fn histories() {
    let (history, id) = (History::new().with_attempts(2), an_id().await);
    for event in [
        of_attempt(EventKind::TaskStarting, id, 1, 1, 0),
        of_attempt(EventKind::TaskFailed, id, 1, 2, 0),
        of_attempt(EventKind::TaskStarting, id, 2, 3, 0),
        of_attempt(EventKind::TaskFailed, id, 2, 4, 1_204),
        of_attempt(EventKind::TaskStarting, id, 4, 17, 2_204),
    ] {
        history.on_event(&event).await;
    }
    let mut expected = documented("PathHistory")[0].clone();
    for entry in [0, 2] {
        expected["entries"][entry]["id"] = to_value(id).unwrap();
    }
    assert_eq!(to_value(history.of("store/pool")).unwrap(), expected);
    assert_eq!(to_value(history.of("other")).unwrap(), json!({ "path": "other", "dropped": 0 }));

    let mut stopped = of_attempt(EventKind::TaskStopped, id, 4, 18, 2_204);
    (stopped.stop, stopped.reason) = (Some(StopReason::Shutdown), Some("shutdown".into()));
    history.on_event(&stopped).await;
    let last = to_value(history.of("store/pool").last().unwrap()).unwrap();
    assert_eq!(
        (&last["outcome"], &last["stop"], &last["duration_ms"]),
        (&json!("canceled"), &json!("shutdown"), &json!(0))
    );
    let lines = "\
2026-11-23T08:15:30.123Z store/pool #2 failed after 1.204s: connection refused
2026-11-23T08:15:31.327Z to 2026-11-23T08:15:32.327Z: 12 events lost
2026-11-23T08:15:32.327Z store/pool #4 canceled (shutdown) after 0ms
";
    assert_eq!(history.of("store/pool").to_string(), lines);
    assert_eq!(history.to_string(), lines);
}

#[test]
fn labels_are_stable() {
    use EventKind as Kind;
    let kinds = [
        (Kind::TaskStarting, "TaskStarting"),
        (Kind::TaskStopped, "TaskStopped"),
        (Kind::TaskFailed, "TaskFailed"),
        (Kind::TimeoutHit, "TimeoutHit"),
        (Kind::BackoffScheduled, "BackoffScheduled"),
        (Kind::ActorExhausted, "ActorExhausted"),
        (Kind::ActorDead, "ActorDead"),
        (Kind::TaskAdded, "TaskAdded"),
        (Kind::TaskRemoved, "TaskRemoved"),
        (Kind::TaskReady, "TaskReady"),
        (Kind::GroupFailed, "GroupFailed"),
        (Kind::GroupRestarted, "GroupRestarted"),
        (Kind::GroupEnded, "GroupEnded"),
        (Kind::TaskAddRequested, "TaskAddRequested"),
        (Kind::TaskRemoveRequested, "TaskRemoveRequested"),
        (Kind::TaskPaused, "TaskPaused"),
        (Kind::TaskResumed, "TaskResumed"),
        (Kind::ShutdownRequested, "ShutdownRequested"),
        (Kind::AllStoppedWithinGrace, "AllStoppedWithinGrace"),
        (Kind::GraceExceeded, "GraceExceeded"),
        (Kind::ControllerSubmitted, "ControllerSubmitted"),
        (Kind::ControllerRejected, "ControllerRejected"),
        (Kind::ControllerSlotTransition, "ControllerSlotTransition"),
        (Kind::Warning, "Warning"),
        (Kind::SubscriberPanicked, "SubscriberPanicked"),
        (Kind::SubscriberOverflow, "SubscriberOverflow"),
    ];
    for (kind, label) in kinds {
        assert_eq!(to_value(kind).unwrap(), json!(label));
    }
    let states = [
        (TaskState::Queued, "queued"),
        (TaskState::Delayed, "delayed"),
        (TaskState::Pending, "pending"),
        (TaskState::Running, "running"),
        (TaskState::Backoff, "backoff"),
        (TaskState::Interval, "interval"),
        (TaskState::Throttled, "throttled"),
        (TaskState::Paused, "paused"),
        (TaskState::Stopping, "stopping"),
        (TaskState::Ended, "ended"),
    ];
    for (state, label) in states {
        assert_eq!(to_value(state).unwrap(), json!(label));
    }
    let attempts = [
        (AttemptOutcome::Running, "running"),
        (AttemptOutcome::Completed, "completed"),
        (AttemptOutcome::Failed, "failed"),
        (AttemptOutcome::TimedOut, "timeout"),
        (AttemptOutcome::Silent, "silent"),
        (AttemptOutcome::Panicked, "panicked"),
        (AttemptOutcome::Fatal, "fatal"),
        (AttemptOutcome::Canceled, "canceled"),
        (AttemptOutcome::Aborted, "aborted"),
        (AttemptOutcome::Unknown, "unknown"),
    ];
    for (outcome, label) in attempts {
        assert_eq!((to_value(outcome).unwrap(), outcome.as_label()), (json!(label), label));
    }
    let error = Arc::new(TaskError::Canceled);
    let outcomes = [
        (TaskOutcome::Completed, "completed"),
        (TaskOutcome::Canceled { error: None, reason: StopReason::Canceled, finished: false }, "canceled"),
        (TaskOutcome::Failed { error: error.clone() }, "failed"),
        (TaskOutcome::Exhausted { error: error.clone(), failures: 1 }, "exhausted"),
        (TaskOutcome::Fatal { error: error.clone() }, "fatal"),
        (TaskOutcome::Panicked { error }, "panicked"),
        (TaskOutcome::Aborted { error: None }, "aborted"),
        (TaskOutcome::Rejected { reason: RejectReason::Busy }, "rejected"),
    ];
    for (outcome, label) in outcomes {
        assert_eq!(to_value(&outcome).unwrap()["outcome"], json!(label), "{outcome:?}");
    }
    let refused = RejectReason::Refused { error: Arc::new(RuntimeError::ShuttingDown) };
    let reasons = [
        (RejectReason::Busy, "busy"),
        (RejectReason::Paused, "paused"),
        (RejectReason::Superseded, "superseded"),
        (RejectReason::Full, "full"),
        (RejectReason::ShuttingDown, "shutting_down"),
        (refused, "refused"),
    ];
    for (reason, label) in reasons {
        let text = to_value(TaskOutcome::Rejected { reason }).unwrap().to_string();
        assert!(text.contains(&format!("\"{label}\"")), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn t2_what_is_paused_says_so_and_the_rest_says_nothing() {
    let tree = Tree::builder(SupervisorConfig::default()).task(cooperative("t")).build();
    tree.start().await.unwrap();
    settle().await;
    let look = || {
        let (status, slot) = (tree.child("t").status(), tree.slot("s").snapshot());
        let values =
            [to_value(status).unwrap(), to_value(slot).unwrap(), to_value(tree.snapshot()).unwrap()["root"].clone()];
        values.map(|value| value.get("paused").cloned())
    };
    assert_eq!(look(), [None, None, None]);
    assert!(tree.group("").pause_and_stop());
    settle().await;
    assert_eq!(look(), [Some(json!(true)), Some(json!(true)), Some(json!(true))]);
    let health = to_value(tree.health()).unwrap();
    assert_eq!(health["not_ready"][0]["state"], json!("paused"));
    assert_eq!(to_value(StopReason::Paused.as_label()).unwrap(), json!("paused"));
    tree.shutdown().await.unwrap();
}
