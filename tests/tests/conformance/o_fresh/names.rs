//! Handles and names across the runs of a fresh group.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use taskvisor::{RuntimeError, StopReason, TaskContext, TaskFn, TaskOutcome, TaskSpec, TaskState};
use tests::{OK, Script, cooperative, secs, settle};
use tokio::time::sleep;

use super::{Result, group, tree};

/// A function that makes the children that are set.
#[derive(Clone, Default)]
struct Next(Arc<Mutex<Vec<TaskSpec>>>);

impl Next {
    fn set(&self, specs: impl IntoIterator<Item = TaskSpec>) {
        *self.0.lock().unwrap() = specs.into_iter().collect();
    }

    fn maker(&self) -> impl Fn() -> std::future::Ready<std::result::Result<Vec<TaskSpec>, Infallible>> + use<> {
        let next = self.clone();
        move || std::future::ready(Ok(next.0.lock().unwrap().clone()))
    }
}

#[tokio::test(start_paused = true)]
async fn o52_a_handle_of_a_place_follows_and_one_of_a_registration_does_not() -> Result {
    let next = Next::default();
    next.set(["a", "b"].map(cooperative));
    let (tree, _) = tree(group("g").fresh(next.maker()));
    let handle = tree.group("g");
    assert!(handle.child("a").current().is_none(), "it is not known yet");
    assert!(tree.snapshot().to_string().contains("fresh"), "{}", tree.snapshot());
    tree.start().await?;
    settle().await;
    let (a, b) = (handle.child("a").current().unwrap(), handle.child("b").current().unwrap());

    next.set(["c", "a"].map(cooperative));
    assert!(handle.restart_and_wait().await);
    let names: Vec<_> = tree.snapshot().root.children[0].children.iter().map(|node| node.name.clone()).collect();
    assert_eq!(names, ["c", "a"]);
    assert_eq!(tree.supervisor().list_tasks().await, ["g/a", "g/c"]);
    assert!(handle.child("b").current().is_none() && handle.child("b").status().is_none());
    assert!(!handle.child("b").restart() && !handle.child("b").cancel().await?);
    assert_ne!(handle.child("a").current().unwrap().id(), a.id());
    for old in [&a, &b] {
        let Some(TaskOutcome::Canceled { reason, .. }) = old.try_outcome() else { panic!() };
        assert_eq!(reason, StopReason::GroupStopped);
        assert!(!old.restart() && !old.trigger() && !old.cancel().await?);
    }
    // A name that was not made again is free, and one that was made is taken.
    let b = handle.add_task(cooperative("b")).await?;
    let taken = handle.add_task(cooperative("c")).await;
    assert!(matches!(taken, Err(RuntimeError::TaskAlreadyExists { name }) if name == "g/c"));
    let replaced = handle.replace(cooperative("c")).await;
    assert!(matches!(replaced, Err(RuntimeError::TaskAlreadyExists { name }) if name == "g/c"));
    assert!(handle.replace(cooperative("b")).await?.id() != b.id());

    // The function makes the name of an added task: the start fails, until that is removed.
    next.set(["b"].map(cooperative));
    assert!(handle.restart());
    sleep(secs(7)).await;
    assert_eq!(handle.status(), Some(TaskState::Backoff));
    assert!(handle.health().not_ready[0].to_string().contains("`g/b`"), "{:?}", handle.health());
    assert!(tree.supervisor().cancel("g/b").await?);
    sleep(secs(5)).await;
    assert_eq!(tree.supervisor().list_tasks().await, ["g/b"]);
    assert!(tree.health().is_ready());
    tree.shutdown().await
}

/// A child that has ended is brought back within its run, with what that run made.
#[tokio::test(start_paused = true)]
async fn o52_a_child_is_brought_back_within_its_run() -> Result {
    let next = Next::default();
    next.set([Script::new([OK, tests::Step::Wait]).spec("a"), cooperative("b")]);
    let (tree, _) = tree(group("g").fresh(next.maker()));
    tree.start().await?;
    settle().await;
    let a = tree.group("g").child("a");
    let first = a.current().unwrap();
    assert!(first.outcome().await.is_completed());
    assert!(a.restart() && a.current().unwrap().id() != first.id());
    settle().await;
    assert_eq!(a.status().unwrap().state, TaskState::Running);
    // An added task can take the place of a child that has ended, until the next run.
    assert!(a.cancel().await?);
    let added = tree.group("g").add_task(cooperative("a")).await?;
    settle().await;
    assert_eq!(added.status().state, TaskState::Running);
    next.set(["a", "b"].map(cooperative));
    assert!(tree.group("g").restart_and_wait().await);
    assert!(a.current().unwrap().id() != added.id() && added.try_outcome().is_some());
    assert_eq!(tree.supervisor().list_tasks().await, ["g/a", "g/b"]);
    tree.shutdown().await
}

/// Between two runs the names of the last are taken, and other tasks wait for the next run.
#[tokio::test(start_paused = true)]
async fn o52_tasks_are_added_between_two_runs() -> Result {
    let next = Next::default();
    next.set([Script::new([tests::Step::Fail(secs(1)), tests::Step::Wait]).spec("a")]);
    let (tree, _) = tree(group("g").fresh(next.maker()));
    tree.start().await?;
    let handle = tree.group("g");
    let early = handle.add_task(cooperative("early")).await?;
    sleep(secs(2)).await;
    assert_eq!(handle.status(), Some(TaskState::Backoff));
    let taken = handle.add_task(cooperative("a")).await;
    assert!(matches!(taken, Err(RuntimeError::TaskAlreadyExists { .. })));
    assert!(!handle.child("a").restart(), "the next run starts it");
    let late = handle.add_task(cooperative("late")).await?;
    settle().await;
    assert_eq!(late.status().state, TaskState::Pending);
    sleep(secs(6)).await;
    assert_eq!(late.status().state, TaskState::Running);
    assert!(early.try_outcome().is_some());
    assert_eq!(tree.supervisor().list_tasks().await, ["g/a", "g/early", "g/late"]);
    tree.shutdown().await
}

/// Names that change with each run leave nothing behind.
#[tokio::test(start_paused = true)]
async fn o52_names_of_earlier_runs_are_forgotten() -> Result {
    let next = Next::default();
    let (tree, _) = tree(group("g").fresh(next.maker()));
    next.set([cooperative("run0")]);
    tree.start().await?;
    settle().await;
    for run in 1..20 {
        next.set([cooperative(&format!("run{run}"))]);
        assert!(tree.group("g").restart_and_wait().await);
        for before in 0..run {
            assert!(tree.group("g").child(&format!("run{before}")).current().is_none(), "{before} after {run}");
        }
    }
    tree.shutdown().await
}

/// It does not come back with the next run, as its name is that of a child.
#[tokio::test(start_paused = true)]
async fn o52_an_added_task_at_the_place_of_a_child_is_dropped_when_it_ends() -> Result {
    let next = Next::default();
    next.set([cooperative("a"), Script::new([tests::Step::Fail(secs(10)), tests::Step::Wait]).spec("b")]);
    let (tree, _) = tree(group("g").fresh(next.maker()));
    tree.start().await?;
    settle().await;
    assert!(tree.group("g").child("a").cancel().await?);
    let held = Arc::new(());
    let kept = Arc::clone(&held);
    let task = TaskFn::arc("a", move |ctx: TaskContext| {
        let _ = &kept;
        async move {
            ctx.cancelled().await;
            Ok(())
        }
    });
    let added = tree.group("g").add_task(TaskSpec::inherit(task)).await?;
    settle().await;
    assert_eq!((added.status().state, Arc::strong_count(&held)), (TaskState::Running, 2));
    sleep(secs(11)).await;
    assert_eq!(tree.group("g").status(), Some(TaskState::Backoff));
    assert_eq!((added.status().state, Arc::strong_count(&held)), (TaskState::Ended, 1));
    tree.shutdown().await
}
