//! Pauses of groups and of the root.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use taskvisor::{EventKind, Group, Ready, SupervisorConfig, TaskState, Tree};
use tests::{FAIL, Script, Step, constant, cooperative, ms, secs, settle};
use tokio::time::advance;

use super::{Result, not_ready, started, state};

#[tokio::test(start_paused = true)]
async fn t2_a_group_pauses_what_is_below_it_and_nothing_else() -> Result {
    let inner = Group::one_for_one("inner").task(cooperative("a"));
    let group = Group::one_for_one("g").task(cooperative("b")).group(inner);
    let (tree, recorder) = started(|tree| tree.group(group).task(cooperative("gg"))).await?;
    assert!(tree.group("g").pause_and_stop() && !tree.group("g").pause_and_stop());
    settle().await;
    let paused = ["g/inner/a", "g/b", "gg"].map(|path| tree.child(path).is_paused());
    assert_eq!(paused, [true, true, false]);
    assert_eq!(not_ready(&tree), ["g/b: not ready: paused", "g/inner/a: not ready: paused"]);
    assert!(tree.group("g/inner").is_paused() && !tree.group("").is_paused());
    // What is paused by itself stays paused when the group is resumed.
    assert!(tree.child("g/inner/a").pause() && tree.group("g").resume());
    settle().await;
    assert_eq!((state(&tree, "g/b"), state(&tree, "g/inner/a")), (TaskState::Running, TaskState::Paused));
    assert!(tree.child("g/inner/a").resume());
    // A resume below a paused group changes nothing yet.
    assert!(tree.group("g/inner").pause_and_stop() && tree.group("g").pause() && tree.group("g/inner").resume());
    settle().await;
    assert_eq!(state(&tree, "g/inner/a"), TaskState::Paused);
    assert!(tree.group("g").resume());
    settle().await;
    assert_eq!(state(&tree, "g/inner/a"), TaskState::Running);
    let paused = recorder.seen().into_iter().filter(|seen| seen.kind == EventKind::TaskPaused);
    let paused: Vec<_> = paused.map(|seen| seen.task.unwrap()).collect();
    assert_eq!(paused, ["g", "g/inner/a", "g/inner", "g"]);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_the_root_is_paused_before_the_start_and_with_all_that_is_added() -> Result {
    for plain in [true, false] {
        let tree = Tree::builder(SupervisorConfig::default()).task(cooperative("t"));
        let tree = if plain { tree } else { tree.group(Group::one_for_all("g").task(cooperative("c"))) }.build();
        let root = tree.group("");
        assert!(root.pause() && !root.pause() && root.is_paused());
        tree.start().await?;
        settle().await;
        assert_eq!((state(&tree, "t"), tree.health().is_ready()), (TaskState::Paused, false));
        let added = tree.supervisor().add_task(cooperative("added")).await?;
        settle().await;
        assert_eq!((added.status().state, added.is_paused()), (TaskState::Paused, true));
        assert!(root.resume());
        tree.wait_ready().await;
        settle().await;
        assert_eq!((state(&tree, "t"), added.status().state), (TaskState::Running, TaskState::Running));
        tree.shutdown().await?;
        assert!(!root.pause() && !root.resume());
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t2_members_that_wait_for_siblings_stay_pending() -> Result {
    // given a chain whose first member is paused
    let group = Group::one_for_one("g")
        .task(cooperative("a").with_ready(Ready::Start))
        .task(cooperative("b").with_after(["a"]))
        .task(cooperative("c").with_after(["b"]));
    let (tree, _) = started(|tree| tree.group(group.with_paused(true))).await?;
    let states = || ["g/a", "g/b", "g/c"].map(|path| state(&tree, path));
    assert_eq!(states(), [TaskState::Paused, TaskState::Pending, TaskState::Pending]);
    let health = tree.health();
    let b = health.not_ready.iter().find(|it| it.path == "g/b").unwrap();
    assert_eq!((b.problem.to_string(), &b.awaits), ("not ready: pending".to_owned(), &vec!["g/a".to_owned()]));
    // when one member is triggered, then its attempt opens the gate of the next, which is paused then
    assert!(tree.child("g/a").trigger());
    settle().await;
    assert_eq!(states(), [TaskState::Running, TaskState::Paused, TaskState::Pending]);
    // A trigger of one that waits for its gate counts when the gate opens.
    assert!(tree.child("g/c").trigger() && !tree.child("g/c").trigger());
    settle().await;
    assert_eq!(states(), [TaskState::Running, TaskState::Paused, TaskState::Pending]);
    assert!(tree.child("g/b").trigger());
    settle().await;
    assert_eq!(states(), [TaskState::Running; 3]);
    assert!(tree.group("g").resume());
    settle().await;
    assert_eq!(states(), [TaskState::Running; 3]);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_a_pause_survives_the_restart_of_its_group() -> Result {
    let group = Group::one_for_all("g").task(cooperative("a")).task(cooperative("b"));
    let (tree, _) = started(|tree| tree.group(group)).await?;
    let added = tree.group("g").add_task(cooperative("x")).await?;
    settle().await;
    assert!(tree.child("g/a").pause() && added.pause());
    // The running attempts go on; the restart ends them.
    assert_eq!(["g/a", "g/x"].map(|path| state(&tree, path)), [TaskState::Running; 2]);
    assert!(tree.group("g").restart());
    settle().await;
    let states = || ["g/a", "g/b", "g/x"].map(|path| state(&tree, path));
    assert_eq!(states(), [TaskState::Paused, TaskState::Running, TaskState::Paused]);
    assert!(!added.is_paused(), "that registration has ended");
    assert!(tree.child("g/a").resume() && tree.child("g/x").resume());
    settle().await;
    assert_eq!(states(), [TaskState::Running; 3]);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_a_task_is_paused_and_resumed_while_its_group_waits_for_its_next_run() -> Result {
    let fails = Script::new([Step::Wait, FAIL, Step::Wait]);
    let group = Group::one_for_all("g")
        .with_limit(0, secs(60))
        .with_backoff(constant(secs(10)))
        .task(fails.spec("fails"))
        .task(cooperative("other"));
    let (tree, _) = started(|tree| tree.group(group)).await?;
    let added = tree.group("g").add_task(cooperative("x")).await?;
    settle().await;
    assert!(tree.child("g/fails").restart());
    settle().await;
    assert_eq!(tree.group("g").status(), Some(TaskState::Backoff));
    assert!(added.try_outcome().is_some());
    assert!(tree.child("g/other").pause() && tree.child("g/x").pause() && tree.child("g/x").is_paused());
    advance(secs(10)).await;
    settle().await;
    let states = ["g/fails", "g/other", "g/x"].map(|path| state(&tree, path));
    assert_eq!(states, [TaskState::Running, TaskState::Paused, TaskState::Paused]);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_a_group_is_paused_and_resumed_while_the_group_around_it_waits_for_its_next_run() -> Result {
    let fails = Script::new([FAIL, FAIL, Step::Wait]);
    let group = Group::one_for_all("g")
        .with_limit(0, secs(60))
        .with_backoff(constant(secs(10)))
        .task(fails.spec("fails"))
        .group(Group::one_for_one("inner").task(cooperative("a")));
    let (tree, _) = started(|tree| tree.group(group)).await?;
    let inner = tree.group("g/inner");
    assert_eq!((tree.group("g").status(), inner.is_paused()), (Some(TaskState::Backoff), false));
    assert!(inner.pause() && inner.is_paused() && inner.resume() && !inner.is_paused() && inner.pause());
    advance(secs(10)).await;
    settle().await;
    assert!(inner.resume() && inner.pause());
    assert_eq!(tree.group("g").status(), Some(TaskState::Backoff));
    advance(secs(10)).await;
    settle().await;
    assert_eq!((state(&tree, "g/fails"), state(&tree, "g/inner/a")), (TaskState::Running, TaskState::Paused));
    assert!(inner.resume());
    settle().await;
    assert_eq!(state(&tree, "g/inner/a"), TaskState::Running);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_the_pause_of_an_added_task_ends_with_its_return() -> Result {
    let group = Group::one_for_all("g").task(cooperative("a"));
    let (tree, _) = started(|tree| tree.group(group)).await?;
    let added = tree.group("g").add_task(cooperative("x")).await?;
    assert!(added.pause());
    settle().await;
    // given a restart that would bring it back, and a removal in between
    assert!(tree.group("g").restart());
    tree.supervisor().remove_task("g/x").await?;
    settle().await;
    let again = tree.group("g").add_task(cooperative("x")).await?;
    settle().await;
    assert_eq!((again.is_paused(), state(&tree, "g/x")), (false, TaskState::Running));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_the_backoff_of_a_group_runs_on() -> Result {
    let fails = Script::new([FAIL, Step::Wait]);
    let group = Group::one_for_all("g").with_limit(0, secs(60)).with_backoff(constant(secs(10))).task(fails.spec("t"));
    let (tree, _) = started(|tree| tree.group(group)).await?;
    assert!(tree.group("g").pause());
    advance(secs(10)).await;
    settle().await;
    assert_eq!((tree.group("g").status(), state(&tree, "g/t")), (Some(TaskState::Running), TaskState::Paused));
    assert_eq!(fails.attempts(), 1);
    assert!(tree.group("g").resume());
    settle().await;
    assert_eq!(fails.attempts(), 2);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_a_failure_in_a_paused_group_restarts_the_siblings_into_the_pause() -> Result {
    let fails = Script::new([Step::Fail(secs(1)), Step::Wait]);
    let group = Group::one_for_all("g").task(fails.spec("a").with_backoff(constant(ms(1)))).task(cooperative("b"));
    let (tree, _) = started(|tree| tree.group(group)).await?;
    assert!(tree.group("g").pause());
    advance(secs(1)).await;
    settle().await;
    advance(ms(1)).await;
    settle().await;
    assert_eq!((state(&tree, "g/a"), state(&tree, "g/b")), (TaskState::Paused, TaskState::Paused));
    assert!(tree.group("g").resume());
    settle().await;
    assert_eq!((state(&tree, "g/a"), state(&tree, "g/b")), (TaskState::Running, TaskState::Running));
    tree.shutdown().await
}

/// A fresh group whose function takes a second, and the number of its calls.
fn fresh() -> (Group, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let group = Group::one_for_all("g").with_limit(0, secs(60)).with_backoff(constant(secs(10))).fresh(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        async {
            tokio::time::sleep(secs(1)).await;
            Ok::<_, String>([cooperative("c"), cooperative("declared").with_paused(true)])
        }
    });
    (group, calls)
}

#[tokio::test(start_paused = true)]
async fn t2_a_running_call_of_a_fresh_group_goes_on_and_no_other_begins() -> Result {
    let (group, calls) = fresh();
    let (tree, _) = started(|tree| tree.group(group)).await?;
    let group = tree.group("g");
    assert!(calls.load(Ordering::SeqCst) == 1 && group.pause());
    advance(secs(1)).await;
    settle().await;
    assert_eq!((state(&tree, "g/c"), group.status()), (TaskState::Paused, Some(TaskState::Running)));
    // when it starts anew, then the call waits for the end of the pause
    assert!(group.restart());
    settle().await;
    assert_eq!((calls.load(Ordering::SeqCst), group.status()), (1, Some(TaskState::Paused)));
    assert_eq!(not_ready(&tree), ["g: not ready: paused"]);
    assert!(tree.health().is_live() && group.restart());
    settle().await;
    assert!(calls.load(Ordering::SeqCst) == 1 && group.resume());
    settle().await;
    assert_eq!((calls.load(Ordering::SeqCst), group.status()), (2, Some(TaskState::Running)));
    advance(secs(1)).await;
    settle().await;
    assert_eq!(state(&tree, "g/c"), TaskState::Running);
    // A child that is declared as paused is paused by its first start only.
    assert_eq!(state(&tree, "g/declared"), TaskState::Paused);
    assert!(tree.child("g/declared").resume() && group.restart());
    settle().await;
    advance(secs(1)).await;
    settle().await;
    assert_eq!(state(&tree, "g/declared"), TaskState::Running);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_the_pause_of_a_made_child_lasts_as_long_as_it_is_made() -> Result {
    let calls = AtomicUsize::new(0);
    let group = Group::one_for_all("g").fresh(move || {
        let call = calls.fetch_add(1, Ordering::SeqCst);
        async move { Ok::<_, String>([if call == 2 { cooperative("other") } else { cooperative("c") }]) }
    });
    let (tree, _) = started(|tree| tree.group(group)).await?;
    assert!(tree.child("g/c").pause() && tree.group("g").restart());
    settle().await;
    assert_eq!(state(&tree, "g/c"), TaskState::Paused, "it is made again");
    assert!(tree.group("g").restart());
    settle().await;
    assert!(!tree.child("g/c").is_paused() && tree.child("g/c").current().is_none(), "it is no place any more");
    let added = tree.group("g").add_task(cooperative("c")).await?;
    settle().await;
    assert_eq!(added.status().state, TaskState::Running);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_a_paused_fresh_group_is_stopped_and_held() -> Result {
    let (group, calls) = fresh();
    let (tree, _) = started(|tree| tree.group(Group::one_for_all("outer").group(group.with_paused(true)))).await?;
    assert_eq!((calls.load(Ordering::SeqCst), tree.group("outer/g").status()), (0, Some(TaskState::Paused)));
    assert!(tree.group("outer").restart());
    settle().await;
    assert_eq!((calls.load(Ordering::SeqCst), tree.group("outer/g").status()), (0, Some(TaskState::Paused)));
    assert!(tree.group("outer/g").cancel().await?);
    assert_eq!(tree.group("outer/g").status(), Some(TaskState::Ended));
    tree.shutdown().await
}
