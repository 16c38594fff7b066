//! O22: the tasks of a group become equal to a list of specs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use taskvisor::{
    EventKind, Group, RuntimeError, StopReason, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskHandle,
    TaskOutcome, TaskSpec, TaskState, Tree,
};
use tests::{OK, Recorder, Script, Step, cooperative, ms, secs, settle, supervisor};
use tokio::time::{Instant, sleep};

use crate::journal::Journal;

type Result = std::result::Result<(), RuntimeError>;

fn names(tasks: &[TaskHandle]) -> Vec<&str> {
    tasks.iter().map(TaskHandle::name).collect()
}

fn tree() -> Tree {
    Tree::builder(SupervisorConfig::default()).group(Group::one_for_one("g").task(cooperative("own"))).build()
}

fn of(name: &str, revision: u32) -> TaskSpec {
    cooperative(name).with_revision(revision)
}

#[tokio::test(start_paused = true)]
async fn o22_kept_added_replaced_and_removed() -> Result {
    let tree = tree();
    let group = tree.group("g");
    assert!(matches!(group.reconcile([of("a", 1)]).await, Err(RuntimeError::GroupNotRunning { .. })));
    tree.start().await?;
    let first = group.reconcile([of("a", 1), of("b", 1), of("c", 1), cooperative("d")]).await?;
    assert_eq!(names(&first.added), ["a", "b", "c", "d"]);
    assert!(first.kept.is_empty() && first.replaced.is_empty() && first.removed.is_empty());

    let second = group.reconcile([of("e", 1), of("b", 2), of("a", 1), cooperative("d")]).await?;
    assert_eq!((names(&second.kept), names(&second.added)), (vec!["a", "d"], vec!["e"]));
    assert_eq!((names(&second.replaced), names(&second.removed)), (vec!["b"], vec!["c"]));
    assert_eq!(second.remaining().count(), 4);
    assert_eq!(second.kept[0].id(), first.added[0].id());
    let reason = |handle: &TaskHandle| match handle.try_outcome() {
        Some(TaskOutcome::Canceled { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(reason(&first.added[1]), StopReason::Replaced, "it has ended");
    assert_eq!(reason(&second.removed[0]), StopReason::Removed);
    assert_ne!(second.replaced[0].id(), first.added[1].id());
    settle().await;
    assert_eq!(second.replaced[0].status().state, TaskState::Running);
    assert_eq!(tree.supervisor().list_tasks().await, ["g/a", "g/b", "g/d", "g/e", "g/own"]);

    // A revision that is set or taken away is a change; a task that ends is replaced, and one that has ended is added.
    let ending = group.child("a").current().unwrap();
    let (cancels, third) =
        tokio::join!(ending.cancel(), group.reconcile([of("a", 1), of("d", 1), cooperative("b"), of("e", 1)]));
    assert!(cancels?);
    let third = third?;
    assert_eq!((names(&third.replaced), names(&third.kept)), (vec!["a", "d", "b"], vec!["e"]));
    assert!(third.replaced[0].cancel().await?);
    assert_eq!(names(&group.reconcile([of("a", 1)]).await?.added), ["a"]);
    assert_eq!(group.reconcile(Vec::<TaskSpec>::new()).await?.removed.len(), 1);
    assert_eq!(tree.supervisor().list_tasks().await, ["g/own"]);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o22_beside_the_tree_too_and_one_alone() -> Result {
    use EventKind::{TaskAddRequested, TaskAdded, TaskRemoved, TaskStarting};

    let recorder = Recorder::new();
    let tree =
        Tree::builder(SupervisorConfig::default()).with_subscriber(recorder.clone()).task(cooperative("own")).build();
    tree.start().await?;
    let handle = tree.supervisor().handle();
    assert_eq!(handle.reconcile([of("a", 1), of("b", 1)]).await?.added.len(), 2);
    let slot = handle.slot("s").queue(cooperative("s")).await.unwrap();
    let second = handle.reconcile([of("a", 2)]).await?;
    assert_eq!((names(&second.replaced), names(&second.removed)), (vec!["a"], vec!["b"]));
    assert!(slot.try_outcome().is_none(), "slots are not its own");
    let again = handle.replace(of("a", 2)).await?;
    assert_ne!(again.id(), second.replaced[0].id(), "changed or not");
    assert_eq!(handle.replace(of("c", 1)).await?.name(), "c");
    assert!(matches!(handle.reconcile([of("own", 1)]).await, Err(RuntimeError::TaskAlreadyExists { .. })));
    assert!(matches!(handle.replace(of("s", 1)).await, Err(RuntimeError::TaskAlreadyExists { .. })));
    // The root of a tree without a driver has the tasks beside it.
    assert_eq!(names(&tree.group("").reconcile([of("a", 2)]).await?.kept), ["a"]);
    settle().await;
    let of_one = [TaskAddRequested, TaskAdded, TaskStarting];
    let told = recorder.kinds_of("a");
    assert!(told.ends_with(&of_one), "{told:?}");
    assert_eq!(told.iter().filter(|kind| **kind == TaskRemoved).count(), 2);
    tree.shutdown().await
}

type IsRefusal = fn(&RuntimeError) -> bool;

#[tokio::test(start_paused = true)]
async fn o22_nothing_is_touched_if_one_spec_is_refused() -> Result {
    let tree = Tree::builder(SupervisorConfig::default())
        .group(Group::one_for_one("g").task(cooperative("own")).group(Group::one_for_one("inner")))
        .build();
    tree.start().await?;
    let group = tree.group("g");
    let before = group.reconcile([of("a", 1), of("b", 1)]).await?;
    settle().await;
    let bad: [(TaskSpec, IsRefusal); 7] = [
        (of("a", 3), |error| {
            error.to_string()
                == "task `g/a`: `name` is given twice in the list, expected a name of its own for each task"
        }),
        (of("own", 1), |error| matches!(error, RuntimeError::TaskAlreadyExists { name } if name == "g/own")),
        (of("inner", 1), |error| matches!(error, RuntimeError::GroupAlreadyExists { name } if name == "g/inner")),
        (of("", 1), |error| matches!(error, RuntimeError::InvalidOption(_))),
        (of("x/y", 1), |error| matches!(error, RuntimeError::InvalidOption(_))),
        (of("x", 1).with_after(["a"]), |error| matches!(error, RuntimeError::InvalidOption(_))),
        (of("x", 1).with_watchdog(secs(0)), |error| matches!(error, RuntimeError::InvalidOption(_))),
    ];
    for (spec, is_right) in bad {
        let error = group.reconcile([of("a", 2), of("new", 1), spec]).await.unwrap_err();
        assert!(is_right(&error), "{error}");
        settle().await;
        assert!(before.added.iter().all(|task| task.status().state == TaskState::Running));
        assert_eq!(tree.supervisor().list_tasks().await, ["g/a", "g/b", "g/own"]);
    }
    assert!(group.close() && !group.close());
    let closed = group.reconcile([of("a", 1), of("new", 1)]).await.unwrap_err();
    assert!(matches!(&closed, RuntimeError::GroupClosed { name } if name == "g"), "{closed}");
    assert!(matches!(group.add_task(of("new", 1)).await, Err(RuntimeError::GroupClosed { .. })));
    assert!(before.added.iter().all(|task| task.status().state == TaskState::Running));
    assert!(group.restart_and_wait().await, "and stays closed");
    assert!(matches!(group.replace(of("new", 1)).await, Err(RuntimeError::GroupClosed { .. })));
    assert!(group.reopen() && !group.reopen());
    assert!(group.add_task(of("new", 1)).await.is_ok());
    tree.shutdown().await?;
    assert!(matches!(group.reconcile([of("a", 1)]).await, Err(RuntimeError::GroupNotRunning { .. })));
    assert!(matches!(tree.supervisor().reconcile([of("a", 1)]).await, Err(RuntimeError::ShuttingDown)));
    Ok(())
}

/// The successor begins when its predecessor has ended, and not before; the name is never free.
#[tokio::test(start_paused = true)]
async fn o22_a_successor_waits_for_the_physical_end() -> Result {
    let journal = Journal::new();
    let tree = tree();
    tree.start().await?;
    let (old, _) = journal.slow("a", secs(3));
    let (new, _) = journal.child("a");
    let group = tree.group("g");
    let old = group.add_task(old.with_revision(1)).await?;
    settle().await;
    let start = Instant::now();
    let replaced = tokio::spawn({
        let group = group.clone();
        async move { group.reconcile([new.with_revision(2)]).await }
    });
    settle().await;
    assert!(!replaced.is_finished());
    // While it waits, the same list changes nothing, and waits too; the name is taken.
    let again = group.reconcile([of("a", 2)]);
    assert!(matches!(group.add_task(of("a", 2)).await, Err(RuntimeError::TaskAlreadyExists { .. })));
    let again = again.await?;
    let replaced = replaced.await.unwrap()?;
    assert_eq!(start.elapsed(), secs(3));
    assert_eq!((again.kept.len(), again.kept[0].id()), (1, replaced.replaced[0].id()));
    settle().await;
    assert_eq!(journal.take(), ["+a", "-a", "+a"]);
    assert!(old.try_outcome().is_some());
    tree.shutdown().await
}

/// A later list stands, whatever an earlier one has requested, and a dropped call has requested all.
#[tokio::test(start_paused = true)]
async fn o22_the_last_list_stands() -> Result {
    let tree = tree();
    tree.start().await?;
    let group = tree.group("g");
    let slow = |revision: u32| {
        TaskSpec::inherit(TaskFn::arc("a", |ctx: TaskContext| async move {
            ctx.cancelled().await;
            sleep(secs(2)).await;
            Ok(())
        }))
        .with_revision(revision)
    };
    let revision = || group.child("a").current().map(|task| task.spec().revision());
    group.reconcile([slow(1)]).await?;
    settle().await;
    let wanted = slow(3).revision();
    let (second, third) = tokio::join!(group.reconcile([slow(2)]), group.reconcile([slow(3)]));
    assert_eq!((second?.replaced[0].id(), revision()), (third?.replaced[0].id(), Some(wanted)));
    settle().await;
    // Withdrawn before its predecessor has ended.
    let (four, none) = tokio::join!(group.reconcile([slow(4)]), group.reconcile(Vec::<TaskSpec>::new()));
    assert_eq!((four?.remaining().count(), none?.removed.len()), (0, 1));
    assert_eq!(tree.supervisor().list_tasks().await, ["g/own"]);

    group.reconcile([slow(1)]).await?;
    settle().await;
    assert!(tokio::time::timeout(ms(10), group.reconcile([slow(5), of("b", 1)])).await.is_err());
    sleep(secs(3)).await;
    assert_eq!(
        (revision(), group.child("b").status().map(|b| b.state)),
        (Some(slow(5).revision()), Some(TaskState::Running))
    );
    // A shutdown in the meantime: the successor never starts.
    let (last, down) = tokio::join!(group.reconcile([slow(6)]), async { tree.shutdown().await });
    assert_eq!(last?.remaining().count(), 0);
    down
}

/// A task in the group reconciles the group that it is in, and is itself replaced and removed.
#[tokio::test(start_paused = true)]
async fn o22_a_task_can_reconcile_its_own_group() -> Result {
    let tree = tree();
    tree.start().await?;
    let group = tree.group("g");
    let me = |next: Option<u32>| {
        TaskSpec::inherit(TaskFn::arc("me", move |ctx: TaskContext| async move {
            if ctx.stop_reason().is_none() {
                let specs = next.map(|next| of("me", next)).into_iter().chain([of("other", 1)]);
                let group = ctx.supervisor().group("g");
                let done = group.reconcile(specs).await.map_err(TaskError::error)?;
                assert_eq!((done.added.len(), done.replaced.len(), done.removed.len()), (1, 0, 0));
            }
            ctx.cancelled().await;
            Ok(())
        }))
    };
    for next in [Some(2), None] {
        let task = group.add_task(me(next)).await?;
        assert!(matches!(task.outcome().await, TaskOutcome::Canceled { error: None, .. }));
        settle().await;
        assert_eq!(group.child("me").status().map(|me| me.state), next.map(|_| TaskState::Running));
        group.reconcile(Vec::<TaskSpec>::new()).await?;
    }
    tree.shutdown().await
}

/// Another thread tries to take the name all the time, and never gets it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o22_the_name_is_never_free_while_it_is_replaced() -> Result {
    let tree = Arc::new(tree());
    tree.start().await?;
    let group = tree.group("g");
    group.reconcile([of("a", 0)]).await?;
    let (over, tries) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let thief = tokio::spawn({
        let (group, over, tries) = (group.clone(), Arc::clone(&over), Arc::clone(&tries));
        async move {
            while !over.load(Ordering::Relaxed) {
                let refused = group.add_task(cooperative("a")).await;
                assert!(matches!(refused, Err(RuntimeError::TaskAlreadyExists { .. })), "{refused:?}");
                tries.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        }
    });
    while tries.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    for revision in 1..3_000 {
        assert_eq!(group.reconcile([of("a", revision)]).await?.replaced.len(), 1);
    }
    over.store(true, Ordering::Relaxed);
    thief.await.unwrap();
    assert!(tries.load(Ordering::Relaxed) > 0);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o22_a_successor_of_a_task_that_ends_by_itself_starts_too() -> Result {
    let supervisor = supervisor();
    supervisor.reconcile([Script::new([Step::Succeed(secs(1)), OK]).spec("a").with_revision(1)]).await?;
    let done = supervisor.replace(of("a", 2)).await?;
    settle().await;
    assert_eq!(done.status().state, TaskState::Running);
    supervisor.shutdown().await
}
