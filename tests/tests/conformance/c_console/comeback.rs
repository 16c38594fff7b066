//! What has ended with its group, and starts again with it; and what has failed for good.

use taskvisor::{
    Event, EventData, EventKind, Group, OutcomeKind, Problem, RestartPolicy, SlotSpec, SupervisorConfig, TaskContext,
    TaskFn, TaskOutcome, TaskSpec, TaskState, Tree, WaitingFor,
};
use tests::{FAIL, OK, Recorder, Script, Step, constant, cooperative, secs, settle};
use tokio::time::sleep;

use super::{Result, flat, node, started};

/// Checks the nodes of a snapshot and the single ones: they say the same.
fn pending(tree: &Tree, path: &str, waiting_for: &WaitingFor) {
    let whole = flat(tree.snapshot()).into_iter().find(|node| node.path == path).expect("a node in the snapshot");
    for node in [whole, node(tree, path)] {
        assert_eq!((node.state, node.outcome, node.ready), (TaskState::Pending, None, false), "{node:?}");
        assert_eq!(node.waiting_for.as_ref(), Some(waiting_for), "{node:?}");
        assert_eq!(node.problem, Some(Problem::NotReady(TaskState::Pending)), "{node:?}");
    }
}

/// `pool` fails once, and is ready again after a minute.
fn pool() -> TaskSpec {
    let is_first = |ctx: &TaskContext| ctx.attempt() == 1;
    let pool = TaskFn::arc("pool", move |ctx: TaskContext| async move {
        if is_first(&ctx) {
            ctx.ready();
            sleep(secs(1)).await;
            return Err(taskvisor::TaskError::error("lost"));
        }
        sleep(secs(60)).await;
        ctx.ready();
        ctx.cancelled().await;
        Ok(())
    });
    TaskSpec::inherit(pool).with_ready(taskvisor::Ready::Signal).with_restart(RestartPolicy::Always { interval: None })
}

#[tokio::test(start_paused = true)]
async fn c01_children_of_a_group_that_waits_for_a_sibling_wait_as_well() -> Result {
    let stages = Group::one_for_one("stages").task(cooperative("work")).group(
        Group::one_for_one("deep").task(cooperative("a")).task(Script::new([Step::Succeed(secs(0))]).spec("done")),
    );
    let feed = Group::rest_for_one("feed")
        .task(pool())
        .group(stages)
        .task(cooperative("plain"))
        .group(Group::one_for_one("tenants").task(cooperative("first")));
    let (tree, _) = started(|tree| tree.group(feed)).await?;
    tree.group("feed/tenants").add_task(cooperative("acme")).await?;
    assert_eq!(node(&tree, "feed/stages/deep/done").outcome, Some(OutcomeKind::Completed), "it has ended in its run");
    sleep(secs(10)).await;
    settle().await;
    let after = |path: &str| WaitingFor::After(vec![path.to_owned()]);
    pending(&tree, "feed/stages", &after("feed/pool"));
    pending(&tree, "feed/stages/work", &after("feed/pool"));
    pending(&tree, "feed/stages/deep", &after("feed/pool"));
    pending(&tree, "feed/stages/deep/a", &WaitingFor::Group);
    pending(&tree, "feed/stages/deep/done", &WaitingFor::Group);
    pending(&tree, "feed/plain", &after("feed/stages"));
    pending(&tree, "feed/tenants/first", &after("feed/plain"));
    pending(&tree, "feed/tenants/acme", &after("feed/plain"));
    let tenants: Vec<_> = tree.group("feed/tenants").snapshot().unwrap().root.children;
    assert_eq!(tenants.iter().map(|child| &*child.name).collect::<Vec<_>>(), ["first", "acme"]);
    sleep(secs(60)).await;
    settle().await;
    for path in ["feed/stages/work", "feed/stages/deep/a", "feed/plain", "feed/tenants/first", "feed/tenants/acme"] {
        assert_eq!(node(&tree, path).state, TaskState::Running, "{path}");
    }
    tree.group("feed/tenants").cancel().await?;
    for path in ["feed/tenants", "feed/tenants/first"] {
        let ended = node(&tree, path);
        assert_eq!(
            (ended.state, ended.outcome),
            (TaskState::Ended, Some(OutcomeKind::Canceled)),
            "it does not come back"
        );
    }
    assert!(tree.supervisor().node("feed/tenants/acme").is_none());
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn c01_children_of_a_group_in_its_backoff_wait_for_it() -> Result {
    let leaf = Script::new([FAIL, Step::Wait]).spec("leaf").with_max_retries(0).critical();
    let inner = Group::one_for_one("inner").task(cooperative("a"));
    let group = Group::one_for_one("g").with_backoff(constant(secs(5))).task(leaf).group(inner);
    let (tree, _) = started(|tree| tree.group(group)).await?;
    assert_eq!(node(&tree, "g").state, TaskState::Backoff);
    pending(&tree, "g/leaf", &WaitingFor::Delay);
    assert_eq!(node(&tree, "g/leaf").next_at, node(&tree, "g").next_at);
    assert_eq!(node(&tree, "g/leaf").last_error.as_deref(), Some("failure 1"), "what made the group fail");
    pending(&tree, "g/inner", &WaitingFor::Delay);
    pending(&tree, "g/inner/a", &WaitingFor::Group);
    sleep(secs(5)).await;
    settle().await;
    assert_eq!(node(&tree, "g/inner/a").state, TaskState::Running);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn c01_what_ended_in_the_run_of_an_inner_group_waits_once_that_stops() -> Result {
    let slow = |name: &str| Script::new([Step::Deaf, Step::Wait]).spec(name).with_stop_timeout(secs(5));
    let inner = Group::one_for_one("inner").task(slow("slow")).task(Script::new([OK]).spec("done"));
    let group = Group::rest_for_one("g").group(inner).task(slow("later"));
    let (tree, _) = started(|tree| tree.group(group)).await?;
    assert!(tree.group("g").restart());
    settle().await;
    let states = || ["g", "g/inner"].map(|path| node(&tree, path).state);
    assert_eq!(states(), [TaskState::Stopping, TaskState::Running]);
    let whole = flat(tree.snapshot()).into_iter().find(|node| node.path == "g/inner/done").unwrap();
    for done in [whole, node(&tree, "g/inner/done")] {
        assert_eq!((done.state, done.outcome), (TaskState::Ended, Some(OutcomeKind::Completed)), "{done:?}");
    }
    // It is stopped for good, and comes back with the next run of the group around it.
    let inner = tree.group("g/inner");
    let canceled = tokio::spawn(async move { inner.cancel().await });
    settle().await;
    assert_eq!(states(), [TaskState::Stopping; 2]);
    pending(&tree, "g/inner/done", &WaitingFor::Group);
    sleep(secs(20)).await;
    settle().await;
    assert!(canceled.await.unwrap()?);
    assert_eq!(states(), [TaskState::Running; 2]);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn c01_a_root_that_failed_has_failed_also_if_a_task_was_aborted() -> Result {
    for stuck in [false, true] {
        let recorder = Recorder::new();
        let config = SupervisorConfig { grace: secs(2), ..SupervisorConfig::default() };
        let feed = Script::new([FAIL]).spec("feed").with_restart(RestartPolicy::Never).critical();
        let late = TaskFn::arc("stuck", |_: TaskContext| std::future::pending());
        let tree = Tree::builder(config).with_subscriber(recorder.clone()).task(feed);
        let tree = if stuck { tree.task(late) } else { tree }.build();
        let error = tree.run().await.unwrap_err();
        assert!(error.to_string().starts_with("`feed` failed"), "{error}");
        let outcome = tree.group("").outcome().await.unwrap();
        assert!(matches!(outcome, TaskOutcome::Failed { .. }), "{outcome:?}");
        let root = tree.snapshot().root;
        assert_eq!((root.state, root.outcome), (TaskState::Ended, Some(OutcomeKind::Failed)));
        assert_eq!((root.ready, root.problem), (false, Some(Problem::Failed)), "with a stuck task: {stuck}");
        let feed = node(&tree, "feed");
        assert_eq!((feed.ready, feed.outcome, feed.problem), (false, Some(OutcomeKind::Failed), Some(Problem::Failed)));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn c01_what_failed_is_not_ready_after_the_stop_either() -> Result {
    let once = |name: &str| Script::new([FAIL]).spec(name).with_restart(RestartPolicy::Never);
    let (tree, _) = started(|tree| tree.tasks(["a", "seen"].map(once)).task(cooperative("b"))).await?;
    assert!(tree.supervisor().acknowledge("seen"));
    let is_ready = |path: &str| node(&tree, path).ready;
    assert_eq!((is_ready("a"), is_ready("seen")), (false, true));
    tree.shutdown().await?;
    assert_eq!((is_ready("a"), is_ready("seen"), is_ready("b")), (false, true, true));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn c01_the_last_failure_of_a_group_has_its_number() -> Result {
    let leaf = Script::new([FAIL]).spec("leaf").with_max_retries(0).critical();
    let group = Group::one_for_one("g").with_max_retries(2).with_backoff(constant(secs(1))).not_critical().task(leaf);
    let recorder = Recorder::new();
    let tree = Tree::builder(SupervisorConfig::default()).with_subscriber(recorder.clone()).group(group).build();
    let mut events = tree.supervisor().events().of_kinds([EventKind::GroupFailed]);
    tree.run().await?;
    drop(tree);
    let mut failed = Vec::new();
    while let Some(Ok(event)) = events.next().await {
        let told: &Event = &event;
        let EventData::GroupFailed { failures, delay, .. } = told.data() else { panic!("{event:?}") };
        failed.push((failures, delay));
    }
    assert_eq!(failed, [(1, Some(secs(1))), (2, Some(secs(1))), (3, None)]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn c01_a_tree_with_slots_alone_runs() -> Result {
    let tree = Tree::builder(SupervisorConfig::default()).with_slot(SlotSpec::new("jobs")).build();
    assert_eq!(tree.snapshot().root.state, TaskState::Pending);
    tree.start().await?;
    assert_eq!(tree.snapshot().root.state, TaskState::Running);
    assert_eq!(tree.group("").status(), Some(TaskState::Running));
    tree.shutdown().await?;
    assert_eq!(tree.snapshot().root.state, TaskState::Ended);
    Ok(())
}
