//! What a restart of the group makes anew, and when.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use taskvisor::{Group, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskSpec, TaskState, Tree};
use tests::{constant, cooperative, secs, settle};
use tokio::time::sleep;

use super::{Calls, Result, Shared, group, tree};
use crate::journal::Journal;

#[tokio::test(start_paused = true)]
async fn o52_a_restart_heals_a_poisoned_mutex() -> Result {
    let calls = Calls::default();
    let counted = calls.clone();
    let make = move || {
        let run = counted.next();
        async move {
            let shared = Arc::new(Mutex::new(()));
            let task = |name: &str, panics: bool| {
                let shared = Arc::clone(&shared);
                TaskSpec::inherit(TaskFn::arc(name, move |ctx: TaskContext| {
                    let shared = Arc::clone(&shared);
                    async move {
                        sleep(secs(1)).await;
                        {
                            let _held = shared.lock().map_err(|_| TaskError::Fail { reason: "poisoned".into() })?;
                            assert!(!panics, "while it holds the lock");
                        }
                        ctx.cancelled().await;
                        Ok(())
                    }
                }))
            };
            Ok::<_, Infallible>([task("a", run == 1), task("b", false)])
        }
    };
    let (tree, _) = tree(Group::one_for_one("g").with_limit(2, secs(60)).with_backoff(constant(secs(1))).fresh(make));
    tree.start().await?;
    sleep(secs(60)).await;
    assert_eq!(calls.count(), 2);
    assert!(tree.health().is_ready(), "{:?}", tree.health());
    for child in ["a", "b"] {
        assert_eq!(tree.group("g").child(child).status().unwrap().attempt, 1, "it has not failed again");
    }
    assert_eq!(tree.snapshot().root.children[0].restarts, 1);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o52_what_was_made_is_dropped_before_the_next_is() -> Result {
    let journal = Journal::new();
    let (fails, poke) = journal.child("fails");
    let (calls, noted) = (Calls::default(), journal.clone());
    let counted = calls.clone();
    let make = move || {
        let shared = Shared::new(&noted, counted.next());
        let children = vec![fails.clone(), shared.child("a"), shared.child("b")];
        async move { Ok::<_, Infallible>(children) }
    };
    let (tree, _) = tree(group("g").fresh(make));
    tree.start().await?;
    settle().await;
    assert_eq!(journal.take(), ["made 1", "+fails"]);
    poke.fail();
    sleep(secs(2)).await;
    assert_eq!(tree.group("g").status(), Some(TaskState::Backoff));
    assert_eq!(journal.take(), ["-fails", "dropped 1"], "in the backoff nothing of it is left");
    sleep(secs(5)).await;
    assert_eq!(journal.take(), ["made 2", "+fails"]);
    for run in 3..6 {
        assert!(tree.group("g").restart_and_wait().await);
        assert_eq!(journal.take(), ["-fails", &format!("dropped {}", run - 1), &format!("made {run}"), "+fails"]);
    }
    // A group that is told to end drops what was made for it, and the function. The children have their parts of it.
    assert!(tree.group("g").cancel().await?);
    assert_eq!(journal.take(), ["dropped 5", "-fails"]);
    let left = Arc::downgrade(&calls.0);
    drop(calls);
    assert_eq!(left.strong_count(), 0);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o52_it_is_made_when_the_siblings_before_are_ready_and_those_after_wait_for_it() -> Result {
    let journal = Journal::new();
    let [(pool, pool_poke), (a, _), (b, b_poke), (serve, _)] = journal.children(["pool", "a", "b", "serve"]);
    let noted = journal.clone();
    let make = move || {
        let (noted, a, b) = (noted.clone(), a.clone(), b.clone().with_ready(taskvisor::Ready::Signal));
        async move {
            noted.add("making".into());
            sleep(secs(3)).await;
            Ok::<_, Infallible>([b, a.with_after(["b"])])
        }
    };
    let tree = Tree::builder(SupervisorConfig::default())
        .task(pool.with_ready(taskvisor::Ready::Signal))
        .group(group("g").with_after(["pool"]).fresh(make))
        .task(serve.with_after(["g"]))
        .build();
    tree.start().await?;
    sleep(secs(1)).await;
    assert_eq!(journal.take(), ["+pool"]);
    let waits = |path: &str| {
        let health = tree.health();
        health.not_ready.into_iter().find(|it| it.path == path).map(|it| (it.problem.to_string(), it.awaits))
    };
    assert_eq!(waits("g"), Some(("not ready: pending".into(), vec!["pool".into()])));
    assert_eq!(waits("serve"), Some(("not ready: pending".into(), vec!["g".into()])));
    pool_poke.ready();
    sleep(secs(1)).await;
    assert_eq!(journal.take(), ["making"]);
    assert_eq!(waits("g"), Some(("not ready: its children are being made".into(), Vec::new())));
    assert_eq!(waits("serve"), Some(("not ready: pending".into(), vec!["g".into()])));
    sleep(secs(3)).await;
    assert_eq!(journal.take(), ["+b"]);
    assert_eq!((waits("g"), waits("g/a")), (None, Some(("not ready: pending".into(), vec!["g/b".into()]))));
    b_poke.ready();
    settle().await;
    assert_eq!(journal.take(), ["+a", "+serve"]);
    tree.wait_ready().await;
    assert!(tree.health().is_ready());
    tree.shutdown().await?;
    assert_eq!(journal.take(), ["-serve", "-a", "-b", "-pool"]);
    Ok(())
}

/// The strategy of the parent restarts the group, and the children are made anew.
#[tokio::test(start_paused = true)]
async fn o52_a_restart_by_its_parent_makes_them_anew() -> Result {
    let journal = Journal::new();
    let (sibling, poke) = journal.child("sibling");
    let (calls, noted) = (Calls::default(), journal.clone());
    let counted = calls.clone();
    let make = move || {
        let shared = Shared::new(&noted, counted.next());
        async move { Ok::<_, Infallible>([shared.child("a")]) }
    };
    // As a sibling of what fails, as a child of a group that restarts, and deep in one.
    let fresh = Group::one_for_one("fresh").fresh(make);
    let deep = Group::one_for_one("deep").group(fresh);
    let outer = Group::one_for_all("outer").with_limit(1, secs(60)).with_backoff(constant(secs(1)));
    let (tree, _) = tree(outer.task(sibling).group(deep));
    tree.start().await?;
    settle().await;
    let fresh = tree.group("outer/deep/fresh");
    let x = fresh.add_task(cooperative("x")).await?;
    settle().await;
    let mut last = fresh.child("a").current().unwrap().id();
    journal.take();
    for (run, how) in [(2, "siblings"), (3, "the limit"), (4, "request")] {
        match how {
            "request" => assert!(tree.group("outer").restart_and_wait().await),
            _ => poke.fail(),
        }
        sleep(secs(20)).await;
        let noted: Vec<_> = journal.take().into_iter().filter(|what| !what.contains("sibling")).collect();
        assert_eq!(noted, [format!("dropped {}", run - 1), format!("made {run}")], "{how}");
        let a = fresh.child("a").current().unwrap();
        assert_ne!(a.id(), last);
        last = a.id();
        assert_eq!(a.status().state, TaskState::Running);
        let mut names = tree.supervisor().list_tasks().await;
        names.sort_unstable();
        assert_eq!(names, ["outer/deep/fresh/a", "outer/deep/fresh/x", "outer/sibling"], "{how}");
        assert!(tree.health().is_ready(), "{:?}", tree.health());
    }
    assert!(x.try_outcome().is_some(), "the registration from before has ended");
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o52_without_children_it_runs_and_takes_tasks() -> Result {
    let calls = Calls::default();
    let counted = calls.clone();
    let make = move || {
        counted.next();
        async { Ok::<[TaskSpec; 0], Infallible>([]) }
    };
    let (tree, _) = tree(group("g").fresh(make));
    tree.start().await?;
    tree.wait_ready().await;
    let group = tree.group("g");
    assert_eq!((group.status(), tree.health().is_ready()), (Some(TaskState::Running), true));
    let x = group.add_task(cooperative("x")).await?;
    settle().await;
    assert_eq!(x.status().state, TaskState::Running);
    assert!(group.restart_and_wait().await);
    assert_eq!((calls.count(), tree.supervisor().list_tasks().await), (2, vec!["g/x".into()]));
    tree.shutdown().await
}

/// Children that all complete end the group, and the function is not called again.
#[tokio::test(start_paused = true)]
async fn o52_it_completes_with_its_children() -> Result {
    let calls = Calls::default();
    let counted = calls.clone();
    let make = move || {
        counted.next();
        async { Ok::<_, Infallible>([tests::Script::new([tests::OK]).spec("a")]) }
    };
    let (tree, _) = tree(group("g").fresh(make));
    tree.run().await?;
    assert_eq!(calls.count(), 1);
    Ok(())
}
