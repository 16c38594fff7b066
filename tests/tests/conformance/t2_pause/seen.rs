//! How pauses are seen: status, snapshots, health, events and their order.

use taskvisor::{EventKind, Group, TaskState};
use tests::{OK, Script, Step, cooperative, secs, settle};
use tokio::time::advance;

use super::{Result, started};

#[tokio::test(start_paused = true)]
async fn t2_snapshots_show_pauses() -> Result {
    let group = Group::one_for_one("g").task(cooperative("runs")).task(Script::new([Step::Succeed(secs(1))]).spec("t"));
    let (tree, _) = started(|tree| tree.group(group).task(cooperative("other"))).await?;
    assert!(tree.group("g").pause() && tree.child("g/t").restart());
    advance(secs(1)).await;
    settle().await;
    let snapshot = tree.snapshot();
    let group = &snapshot.root.children[0];
    let paused: Vec<_> = group.children.iter().map(|node| (&*node.name, node.paused, node.state)).collect();
    assert_eq!(paused, [("runs", true, TaskState::Running), ("t", true, TaskState::Paused)]);
    assert!(group.paused && !snapshot.root.paused && !snapshot.root.children[1].paused);
    let text = snapshot.to_string();
    let lines: Vec<_> = text.lines().map(|line| line.matches("paused").count()).collect();
    assert_eq!(lines, [0, 1, 1, 1, 0], "{text}");
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_the_start_of_a_pause_that_holds_back_is_the_start_of_its_state() -> Result {
    let (tree, _) =
        started(|tree| tree.task(Script::new([Step::Succeed(secs(5)), OK]).spec("t").with_restart(tests::ALWAYS)))
            .await?;
    assert!(tree.child("t").pause());
    advance(secs(5)).await;
    settle().await;
    let since = tree.health().not_ready[0].since;
    assert_eq!(tree.snapshot().root.children[0].since, Some(since));
    advance(secs(60)).await;
    settle().await;
    assert_eq!(tree.health().not_ready[0].since, since);
    let line = tree.health().not_ready[0].to_string();
    assert!(line.starts_with("t: not ready: paused, since "), "{line}");
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_what_does_not_count_is_reported_and_the_tree_stays_ready() -> Result {
    let (tree, _) = started(|tree| tree.task(cooperative("t").without_readiness().with_paused(true))).await?;
    assert!(tree.health().is_ready());
    assert_eq!(tree.health().not_counted[0].problem.to_string(), "not ready: paused");
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_events_are_in_the_order_of_what_happens() -> Result {
    use EventKind::{TaskAddRequested, TaskAdded, TaskPaused, TaskRemoved, TaskResumed, TaskStarting, TaskStopped};
    let (tree, recorder) = started(|tree| tree.task(cooperative("t").with_paused(true))).await?;
    let task = tree.child("t");
    assert!(task.resume() && task.pause());
    settle().await;
    assert!(task.resume());
    settle().await;
    assert!(task.pause_and_stop());
    settle().await;
    tree.shutdown().await?;
    assert_eq!(
        recorder.kinds_of("t"),
        [
            TaskAddRequested,
            TaskAdded,
            TaskPaused,
            TaskResumed,
            TaskPaused,
            TaskResumed,
            TaskStarting,
            TaskPaused,
            TaskStopped,
            TaskRemoved,
        ]
    );
    let ids: Vec<_> = recorder.seen().into_iter().filter(|seen| seen.task.as_deref() == Some("t")).collect();
    assert!(ids.iter().all(|seen| seen.id == ids[0].id), "each event names the registration");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t2_the_root_has_an_empty_path_in_events() -> Result {
    let (tree, recorder) = started(|tree| tree.task(cooperative("t"))).await?;
    assert!(tree.group("").pause() && tree.group("").resume());
    settle().await;
    let seen =
        recorder.seen().into_iter().filter(|seen| matches!(seen.kind, EventKind::TaskPaused | EventKind::TaskResumed));
    let seen: Vec<_> = seen.map(|seen| (seen.kind, seen.task, seen.slot)).collect();
    let root = Some(String::new());
    assert_eq!(seen, [(EventKind::TaskPaused, root.clone(), None), (EventKind::TaskResumed, root, None)]);
    tree.shutdown().await
}

/// Of what is paused by itself: also of a task that is not due.
#[tokio::test(start_paused = true)]
async fn t2_snapshots_show_since_when_it_is_paused() -> Result {
    let poll =
        Script::new([OK]).spec("poll").with_restart(taskvisor::RestartPolicy::Always { interval: Some(secs(60)) });
    let group = Group::one_for_one("g").task(poll).task(cooperative("runs"));
    let (tree, _) = started(|tree| tree.group(group)).await?;
    let supervisor = tree.supervisor();
    let since = |path: &str| supervisor.node(path).unwrap().paused_since;
    let ago = |path: &str| taskvisor::Event::new(EventKind::Warning).at.duration_since(since(path).unwrap()).unwrap();
    assert_eq!(since("g/poll"), None);
    assert!(tree.child("g/poll").pause());
    advance(secs(5)).await;
    assert!(tree.group("g").pause() && tree.slot("s").pause() && !tree.child("g/poll").pause());
    advance(secs(2)).await;
    let node = supervisor.node("g/poll").unwrap();
    assert_eq!((node.state, node.paused), (TaskState::Interval, true));
    assert_eq!((ago("g/poll"), ago("g"), since("g/runs")), (secs(7), secs(2), None));
    let tree_of = tree.snapshot().root;
    let group = &tree_of.children[0];
    assert_eq!((tree_of.paused_since, group.paused_since), (None, since("g")));
    assert_eq!(group.children.iter().map(|node| node.paused_since).collect::<Vec<_>>(), [since("g/poll"), None]);
    assert_eq!(tree.group("g").snapshot().unwrap().root.paused_since, since("g"));
    assert_eq!(tree.slot("s").snapshot().paused_since, since("g"));
    assert!(tree.child("g/poll").resume() && tree.group("g").resume() && tree.slot("s").resume());
    assert_eq!((since("g/poll"), since("g"), tree.slot("s").snapshot().paused_since), (None, None, None));
    tree.shutdown().await
}
