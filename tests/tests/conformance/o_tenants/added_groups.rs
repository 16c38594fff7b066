//! O21: groups that are added at run time.

use std::sync::Arc;

use taskvisor::{
    Dynamic, EventKind, Group, GroupHandle, Problem, RestartPolicy, RuntimeError, StopReason, SupervisorConfig,
    TaskContext, TaskFn, TaskOutcome, TaskState, Tree,
};
use tests::{FAIL, OK, Recorder, Script, constant, cooperative, deaf, secs, settle};
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::journal::{Journal, Poke};

pub(super) type Result = std::result::Result<(), RuntimeError>;

pub(super) fn tree(group: Group) -> (Tree, Arc<Recorder>) {
    let recorder = Recorder::new();
    (Tree::builder(SupervisorConfig::default()).with_subscriber(recorder.clone()).group(group).build(), recorder)
}

/// A group that fails with its child `a`, and restarts after 5 s.
pub(super) fn failing(journal: &Journal) -> (Group, Poke) {
    let (a, poke) = journal.child("a");
    let group = Group::rest_for_one("g").with_limit(0, secs(60)).with_backoff(constant(secs(5)));
    (group.task(a), poke)
}

/// A group with one cooperative task.
pub(super) fn simple(name: &str) -> Group {
    Group::one_for_one(name).task(cooperative("t"))
}

pub(super) async fn paths(tree: &Tree) -> Vec<String> {
    tree.supervisor().list_tasks().await.iter().map(ToString::to_string).collect()
}

/// The paths in a snapshot, without those of the root and of `g`.
fn shown(tree: &Tree) -> Vec<String> {
    let snapshot = tree.snapshot();
    let lines = snapshot.to_string();
    lines.lines().skip(2).map(|line| line.trim_start_matches(['│', '├', '└', '─', ' ']).to_owned()).collect()
}

pub(super) fn is_free(group: &GroupHandle) -> bool {
    group.status().is_none() && group.snapshot().is_none()
}

#[tokio::test(start_paused = true)]
async fn o21_an_added_group_runs_stops_in_order_and_leaves_nothing() -> Result {
    let journal = Journal::new();
    let [(x, poke), (y, _)] = journal.children(["x", "y"]);
    let (tree, recorder) = tree(simple("g"));
    tree.start().await?;
    let added = tree.group("g").add_group(Group::rest_for_one("n").task(x).task(y))?;
    assert_eq!(added.path(), "g/n");
    settle().await;
    assert_eq!(journal.take(), ["+x", "+y"]);
    assert_eq!(paths(&tree).await, ["g/n/x", "g/n/y", "g/t"]);
    assert_eq!(added.status(), Some(TaskState::Running));
    let inner = added.snapshot().unwrap().root;
    assert_eq!(inner.children.iter().map(|it| &*it.path).collect::<Vec<_>>(), ["g/n/x", "g/n/y"]);
    assert_eq!(tree.supervisor().node("g/n").unwrap().state, TaskState::Running);
    assert!(tree.supervisor().detail("g/n").is_some() && tree.supervisor().detail("g/n/x").is_some());
    assert!(tree.health().is_ready());

    // Its strategy holds.
    poke.fail();
    sleep(secs(5)).await;
    assert_eq!(journal.take(), ["-x", "-y", "+x", "+y"]);

    let outcome = added.child("x");
    assert!(added.cancel().await?);
    assert_eq!(journal.take(), ["-y", "-x"]);
    assert!(is_free(&added) && outcome.status().is_none());
    assert!(!added.cancel().await? && !added.restart() && !added.pause());
    assert!(tree.supervisor().node("g/n").is_none() && tree.supervisor().node("g/n/x").is_none());
    assert_eq!((paths(&tree).await, shown(&tree).len()), (vec!["g/t".to_owned()], 1));
    let ended = recorder.seen().into_iter().filter(|it| it.kind == EventKind::GroupEnded);
    assert_eq!(ended.map(|it| it.task.unwrap()).collect::<Vec<_>>(), ["g/n"]);

    // The names are free for others.
    tree.group("g").add_task(cooperative("n")).await?;
    settle().await;
    assert_eq!(paths(&tree).await, ["g/n", "g/t"]);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o21_an_added_group_is_refused_as_a_whole() -> Result {
    let (tree, _) = tree(simple("g").group(simple("inner")).task(Script::new([OK]).spec("done")));
    let group = tree.group("g");
    let add = |added: Group| group.add_group(added).map(drop);
    assert!(matches!(add(simple("n")), Err(RuntimeError::GroupNotRunning { name }) if name == "g"));
    tree.start().await?;
    settle().await;
    assert!(matches!(add(simple("inner")), Err(RuntimeError::GroupAlreadyExists { name }) if name == "g/inner"));
    assert!(matches!(add(simple("t")), Err(RuntimeError::TaskAlreadyExists { name }) if name == "g/t"));
    assert!(matches!(add(simple("done")), Err(RuntimeError::TaskAlreadyExists { name }) if name == "g/done"));
    let twice = simple("n").task(cooperative("t"));
    assert!(matches!(add(twice), Err(RuntimeError::TaskAlreadyExists { name }) if name == "g/n/t"));
    let refused = |added: Group, text: &str| {
        let error = add(added).expect_err(text);
        assert!(matches!(error, RuntimeError::InvalidOption(_)) && error.to_string().contains(text), "{error}");
    };
    refused(simple("n").with_after(["t"]), "no siblings");
    refused(simple("a/b"), "a/b");
    refused(simple("n").group(Group::one_for_one("m").task(cooperative("x/y"))), "x/y");
    refused(simple("n").with_named_limit("none"), "none");
    let deep = (0..1_023).fold(simple("n"), |inner, _| Group::one_for_one("n").group(inner));
    refused(deep, "1024");
    assert!(group.close());
    assert!(matches!(add(simple("n")), Err(RuntimeError::GroupClosed { name }) if name == "g"));
    assert!(group.reopen());
    assert_eq!(paths(&tree).await, ["g/inner/t", "g/t"]);

    // The next call is not affected.
    add(simple("n"))?;
    assert!(matches!(add(simple("n")), Err(RuntimeError::GroupAlreadyExists { name }) if name == "g/n"));
    assert!(matches!(
        group.add_task(cooperative("n")).await,
        Err(RuntimeError::GroupAlreadyExists { name }) if name == "g/n"
    ));
    let _ = group.group("n").add_group(simple("n"))?;
    settle().await;
    assert_eq!(paths(&tree).await, ["g/inner/t", "g/n/n/t", "g/n/t", "g/t"]);
    tree.shutdown().await?;
    assert!(matches!(add(simple("late")), Err(RuntimeError::GroupNotRunning { .. } | RuntimeError::ShuttingDown)));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o21_a_root_with_a_driver_takes_groups_and_a_list_of_tasks_does_not() -> Result {
    let (driven, _) = tree(simple("g"));
    driven.start().await?;
    let added = driven.group("").add_group(simple("n"))?;
    settle().await;
    assert_eq!((added.path(), paths(&driven).await), ("n", vec!["g/t".to_owned(), "n/t".into()]));
    assert!(added.cancel().await? && is_free(&added));
    let _ = driven.group("").add_group(simple("n"))?;
    driven.shutdown().await?;

    let plain = Tree::builder(SupervisorConfig::default()).with_name("app").task(cooperative("t")).build();
    plain.start().await?;
    let refused = plain.group("").add_group(simple("n"));
    assert!(matches!(refused, Err(RuntimeError::GroupNotRunning { name }) if name == "app"));
    plain.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o21_an_added_group_is_registered_again_with_everything_in_it() -> Result {
    let journal = Journal::new();
    let (group, poke) = failing(&journal);
    let [(x, _), (y, _), (z, _), (late, _)] = journal.children(["x", "y", "z", "late"]);
    let (tree, _) = tree(group);
    tree.start().await?;
    let group = tree.group("g");
    let before = group.add_task(journal.child("before").0).await?;
    let added = group.add_group(Group::rest_for_one("n").task(x))?;
    settle().await;
    added.add_task(y).await?;
    let _ = added.add_group(Group::one_for_one("deep").task(z))?;
    settle().await;
    assert_eq!(journal.take(), ["+a", "+before", "+x", "+y", "+z"]);
    let all = ["g/a", "g/before", "g/n/deep/z", "g/n/x", "g/n/y"];
    assert_eq!(paths(&tree).await, all);

    poke.fail();
    sleep(secs(2)).await;
    assert_eq!(journal.take(), ["-a", "-z", "-y", "-x", "-before"]);
    // In the meantime it waits for its group, and its names are taken.
    let node = tree.supervisor().node("g/n").unwrap();
    assert_eq!((node.state, node.outcome), (TaskState::Pending, None));
    assert_eq!(tree.supervisor().node("g/n/deep/z").unwrap().state, TaskState::Pending);
    let tree_shown = tree.snapshot().to_string();
    for name in ["n ", "deep ", "x ", "y ", "z ", "before "] {
        assert!(tree_shown.contains(&format!("─ {name}")), "{name}: {tree_shown}");
    }
    assert!(!tree_shown.contains("ended"), "{tree_shown}");
    assert!(matches!(
        group.add_group(simple("n")),
        Err(RuntimeError::GroupAlreadyExists { .. } | RuntimeError::TaskAlreadyExists { .. })
    ));
    let _ = group.add_group(Group::one_for_one("m").task(late))?;
    sleep(secs(9)).await;
    assert_eq!(journal.take(), ["+a", "+before", "+x", "+y", "+z", "+late"]);
    assert!(tree.health().is_ready(), "{:?}", tree.health());
    for _ in 0..3 {
        assert!(group.restart_and_wait().await);
        settle().await;
        assert_eq!(
            journal.take(),
            ["-late", "-z", "-y", "-x", "-before", "-a", "+a", "+before", "+x", "+y", "+z", "+late"]
        );
        assert!(added.restart_and_wait().await);
        settle().await;
        assert_eq!(journal.take(), ["-z", "-y", "-x", "+x", "+y", "+z"]);
    }
    assert_eq!(paths(&tree).await, ["g/a", "g/before", "g/m/late", "g/n/deep/z", "g/n/x", "g/n/y"]);
    drop(before);
    tree.shutdown().await?;
    assert_eq!(journal.take(), ["-late", "-z", "-y", "-x", "-before", "-a"]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o21_an_added_group_does_not_come_back_if_its_group_drops_it_or_it_was_canceled() -> Result {
    for dynamic in [Dynamic::Drop, Dynamic::Keep] {
        let journal = Journal::new();
        let (group, poke) = failing(&journal);
        let (tree, _) = tree(group.with_dynamic(dynamic));
        tree.start().await?;
        let (sender, mut receiver) = mpsc::channel::<()>(1);
        let task = TaskFn::arc("x", move |ctx: TaskContext| {
            let _kept = &sender;
            async move {
                ctx.cancelled().await;
                Ok(())
            }
        });
        let added = tree.group("g").add_group(Group::one_for_one("n").task(task))?;
        settle().await;
        let handle = tree.supervisor().task("g/n/x").unwrap();
        poke.fail();
        sleep(secs(2)).await;
        assert_eq!(added.cancel().await?, dynamic == Dynamic::Keep, "it is withdrawn");
        assert!(is_free(&added));
        assert_eq!(receiver.try_recv(), Err(mpsc::error::TryRecvError::Disconnected), "its fields are dropped");
        sleep(secs(10)).await;
        assert!(is_free(&added) && tree.group("g").restart_and_wait().await && is_free(&added));
        assert_eq!(paths(&tree).await, ["g/a"]);
        assert!(matches!(handle.outcome().await, TaskOutcome::Canceled { reason: StopReason::GroupFailed { .. }, .. }));
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o21_a_sibling_restart_holds_an_added_group() -> Result {
    let journal = Journal::new();
    let [(a, poke), (x, _)] = journal.children(["a", "x"]);
    let (tree, _) =
        tree(Group::one_for_all("g").with_backoff(constant(secs(1))).task(a.with_backoff(constant(secs(1)))));
    tree.start().await?;
    let added = tree.group("g").add_group(Group::one_for_one("n").task(x))?;
    settle().await;
    journal.take();
    poke.fail();
    sleep(secs(3)).await;
    assert_eq!(journal.take(), ["-a", "-x", "+a", "+x"]);
    assert_eq!(added.status(), Some(TaskState::Running));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o21_the_failure_of_an_added_group_is_that_of_any_child() -> Result {
    let exhausted = || {
        let task = Script::new([FAIL]).spec("x").with_max_retries(0).critical();
        Group::one_for_one("n").with_restart(RestartPolicy::Never).task(task)
    };
    // Not critical: it ends alone, and is reported until it is acknowledged.
    let (alone, _) = tree(simple("g"));
    alone.start().await?;
    let added = alone.group("g").add_group(exhausted().not_critical())?;
    sleep(secs(1)).await;
    assert!(is_free(&added));
    let health = alone.health();
    assert_eq!(health.not_ready.iter().map(|it| &*it.path).collect::<Vec<_>>(), ["g/n", "g/n/x"]);
    assert!(health.not_ready.iter().all(|it| it.problem == Problem::Failed));
    assert!(alone.supervisor().acknowledge("g/n") && alone.health().is_ready());
    let _ = alone.group("g").add_group(simple("n"))?;
    alone.shutdown().await?;

    // Critical, as groups are by default.
    let (whole, _) = tree(simple("g").with_restart(RestartPolicy::Never));
    whole.start().await?;
    let added = whole.group("g").add_group(exhausted())?;
    let Err(error) = whole.run().await else { panic!() };
    assert!(error.to_string().contains("g/n"), "{error}");
    drop(added);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o21_an_added_group_that_completes_frees_its_name() -> Result {
    let (tree, _) = tree(simple("g"));
    tree.start().await?;
    for _ in 0..3 {
        let done = Group::one_for_one("n").task(Script::new([OK]).spec("x"));
        let added = tree.group("g").add_group(done)?;
        sleep(secs(1)).await;
        assert!(is_free(&added));
    }
    assert!(tree.health().is_ready());
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o21_what_was_added_is_lost_with_the_group_above() -> Result {
    let journal = Journal::new();
    let (group, poke) = failing(&journal);
    let (tree, recorder) = tree(group.with_restart(RestartPolicy::Never).not_critical());
    tree.start().await?;
    let added = tree.group("g").add_group(simple("n"))?;
    settle().await;
    poke.fail();
    tree.group("g").outcome().await;
    settle().await;
    assert!(is_free(&added));
    let seen = recorder.seen();
    let lost = seen.iter().find(|seen| seen.kind == EventKind::Warning && seen.task.as_deref() == Some("g/n")).unwrap();
    assert!(lost.reason.as_ref().unwrap().starts_with("lost with its group: `g/a` failed (poked)"), "{lost:?}");
    let health = tree.health();
    assert_eq!(health.not_ready.iter().map(|it| &*it.path).collect::<Vec<_>>(), ["g", "g/n"]);
    assert!(tree.supervisor().acknowledge("g") && tree.health().is_ready());
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o21_a_pause_of_an_added_group_ends_with_it() -> Result {
    let (tree, _) = tree(simple("g"));
    tree.start().await?;
    let added = tree.group("g").add_group(simple("n").with_paused(true).task(cooperative("u").with_paused(true)))?;
    settle().await;
    assert!(added.is_paused() && added.child("t").is_paused());
    assert!(added.resume());
    settle().await;
    assert!(!added.child("t").is_paused() && added.child("u").is_paused());
    assert!(added.pause());
    assert!(added.cancel().await?);
    let again = tree.group("g").add_group(simple("n").task(cooperative("u")))?;
    settle().await;
    assert!(!again.is_paused() && !again.child("t").is_paused() && !again.child("u").is_paused());
    assert!(tree.health().is_ready());
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o21_a_shutdown_stops_added_groups_in_their_place() -> Result {
    let journal = Journal::new();
    let [(first, _), (x, _), (y, _), (last, _)] = journal.children(["first", "x", "y", "last"]);
    let (tree, _) = tree(Group::rest_for_one("g").task(first));
    tree.start().await?;
    let group = tree.group("g");
    let added = group.add_group(Group::rest_for_one("n").task(x).task(y))?;
    group.add_task(last).await?;
    settle().await;
    assert_eq!(journal.take(), ["+first", "+x", "+y", "+last"]);
    let outcome = tokio::spawn(async move { added.outcome().await });
    settle().await;
    tree.shutdown().await?;
    assert_eq!(journal.take(), ["-last", "-y", "-x", "-first"]);
    assert!(matches!(outcome.await.unwrap(), Some(TaskOutcome::Canceled { reason: StopReason::Shutdown, .. })));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o21_an_added_group_that_does_not_stop_is_named() -> Result {
    let (tree, _) = tree(simple("g"));
    tree.start().await?;
    let _ = tree.group("g").add_group(Group::one_for_one("n").task(deaf("x")))?;
    settle().await;
    let Err(RuntimeError::GraceExceeded { stuck, .. }) = tree.shutdown().await else { panic!() };
    assert_eq!(stuck.len(), 1);
    assert!(format!("{stuck:?}").contains("g/n/x"), "{stuck:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o21_the_limits_of_an_added_group_hold() -> Result {
    let (tree, _) = tree(simple("g"));
    tree.start().await?;
    // No other limit is in use.
    let limited = Group::one_for_one("n").with_max_concurrent(1).task(cooperative("x")).task(cooperative("y"));
    let added = tree.group("g").add_group(limited)?;
    settle().await;
    let states = || ["x", "y"].map(|name| added.child(name).status().unwrap().state);
    assert_eq!(states(), [TaskState::Running, TaskState::Pending]);
    let shown = tree.snapshot().to_string();
    assert!(shown.contains("waits for a permit"), "{shown}");
    assert!(tree.supervisor().cancel("g/n/x").await?);
    settle().await;
    assert_eq!(states(), [TaskState::Ended, TaskState::Running]);
    tree.shutdown().await
}
