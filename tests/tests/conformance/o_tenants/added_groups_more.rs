//! O21: more of groups that are added at run time.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use taskvisor::{
    Group, GroupHandle, RestartPolicy, RuntimeError, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskState, Tree,
};
use tests::{FAIL, Script, constant, cooperative, secs, settle};
use tokio::task::yield_now;
use tokio::time::sleep;

use super::added_groups::{Result, failing, is_free, paths, simple, tree};
use crate::journal::Journal;

/// Clones of one group can be added, at one time and one after another: each has its own tasks.
#[tokio::test(start_paused = true)]
async fn o21_clones_of_a_group_are_added() -> Result {
    let builder = Tree::builder(SupervisorConfig::default());
    let tree = builder.group(Group::one_for_one("g")).group(Group::one_for_one("h")).build();
    tree.start().await?;
    let template = Group::one_for_all("n").group(simple("deep")).task(cooperative("u"));
    let first = tree.group("g").add_group(template.clone())?;
    let other = tree.group("h").add_group(template.clone())?;
    settle().await;
    assert!(first.group("deep").close());
    assert!(other.group("deep").add_task(cooperative("v")).await.is_ok(), "it is not closed");
    assert!(first.cancel().await?);
    assert!(other.restart_and_wait().await, "it keeps its tasks");
    assert_eq!(paths(&tree).await, ["h/n/deep/t", "h/n/deep/v", "h/n/u"]);
    let first = tree.group("g").add_group(template)?;
    settle().await;
    assert_eq!(first.group("deep").child("t").status().map(|status| status.attempt), Some(1));
    tree.shutdown().await
}

/// While a group is down, the names of what returns to it are taken, and the error says by what.
#[tokio::test(start_paused = true)]
async fn o21_the_name_of_a_group_that_returns_is_that_of_a_group() -> Result {
    let (group, poke) = failing(&Journal::new());
    let (tree, _) = tree(group);
    tree.start().await?;
    let group = tree.group("g");
    let _ = group.add_group(simple("n"))?;
    group.add_task(cooperative("task")).await?;
    settle().await;
    poke.fail();
    sleep(secs(2)).await;
    let name = "g/n";
    assert!(matches!(group.add_group(simple("n")), Err(RuntimeError::GroupAlreadyExists { name: it }) if it == name));
    let error = group.add_task(cooperative("n")).await.unwrap_err();
    assert!(matches!(&error, RuntimeError::GroupAlreadyExists { name: it } if it == name), "{error}");
    let error = group.reconcile([cooperative("n")]).await.unwrap_err();
    assert!(matches!(&error, RuntimeError::GroupAlreadyExists { name: it } if it == name), "{error}");
    let error = group.add_group(simple("task")).unwrap_err();
    assert!(matches!(&error, RuntimeError::TaskAlreadyExists { .. }), "{error}");
    tree.shutdown().await
}

/// A new group starts without the failures of one that had its name.
#[tokio::test(start_paused = true)]
async fn o21_the_failures_of_the_group_before_are_not_those_of_the_next() -> Result {
    let (tree, _) = tree(Group::one_for_one("g"));
    tree.start().await?;
    let group = tree.group("g");
    let fails = Script::new([FAIL]).spec("x").with_max_retries(0).critical();
    let added =
        group.add_group(Group::one_for_one("n").not_critical().with_restart(RestartPolicy::Never).task(fails))?;
    sleep(secs(60)).await;
    assert!(is_free(&added));
    let added = group.add_group(Group::one_for_one("n").not_critical().task(cooperative("other")))?;
    settle().await;
    assert!(added.health().is_ready(), "{:?}", added.health());
    assert!(tree.health().is_ready(), "{:?}", tree.health());
    tree.shutdown().await
}

/// A task that returns in a group within the one that is down is withdrawn by its name.
#[tokio::test(start_paused = true)]
async fn o21_a_task_in_an_added_group_is_withdrawn() -> Result {
    let (group, poke) = failing(&Journal::new());
    let (tree, _) = tree(group.group(simple("declared")));
    tree.start().await?;
    let added = tree.group("g").add_group(simple("n"))?;
    added.add_task(cooperative("x")).await?;
    added.add_task(cooperative("y")).await?;
    tree.group("g/declared").add_task(cooperative("z")).await?;
    tree.group("g/declared").add_task(cooperative("zz")).await?;
    settle().await;
    poke.fail();
    sleep(secs(2)).await;
    assert!(tree.supervisor().cancel("g/declared/z").await?);
    assert!(tree.supervisor().cancel("g/n/x").await?);
    assert!(!tree.supervisor().cancel("g/n/x").await?);
    sleep(secs(9)).await;
    assert_eq!(paths(&tree).await, ["g/a", "g/declared/t", "g/declared/zz", "g/n/t", "g/n/y"]);
    tree.shutdown().await
}

/// What is added while a group is down returns also if the group around it restarts before.
#[tokio::test(start_paused = true)]
async fn o21_what_waits_for_the_next_run_waits_for_that_of_the_group_around() -> Result {
    let (inner, poke) = failing(&Journal::new());
    let (tree, _) = tree(Group::one_for_one("out").group(inner).with_limit(100, secs(1)));
    tree.start().await?;
    settle().await;
    poke.fail();
    sleep(secs(2)).await;
    let group = tree.group("out/g");
    let _ = group.add_group(simple("n"))?;
    group.add_task(cooperative("x")).await?;
    assert!(tree.group("out").restart());
    sleep(secs(20)).await;
    assert_eq!(paths(&tree).await, ["out/g/a", "out/g/n/t", "out/g/x"]);
    // In one step.
    poke.fail();
    sleep(secs(2)).await;
    let _ = group.add_group(simple("m"))?;
    group.add_task(cooperative("y")).await?;
    sleep(secs(20)).await;
    let _ = group.add_group(simple("k"))?;
    group.add_task(cooperative("z")).await?;
    assert!(tree.group("out").restart());
    sleep(secs(20)).await;
    assert_eq!(paths(&tree).await, ["out/g/a", "out/g/k/t", "out/g/m/t", "out/g/n/t", "out/g/x", "out/g/y", "out/g/z"]);
    tree.shutdown().await
}

/// Adds again what is dropped.
struct AddsAgain(GroupHandle, Arc<Mutex<Option<Group>>>);

impl Drop for AddsAgain {
    fn drop(&mut self) {
        if let Some(again) = self.1.lock().unwrap().take() {
            let _ = self.0.add_group(again).unwrap();
        }
    }
}

/// The drop of a task adds a group of the same name, with a paused task where the group before had an added one.
#[tokio::test(start_paused = true)]
async fn o21_the_pause_of_the_next_group_stays() -> Result {
    let (group, poke) = failing(&Journal::new());
    let (tree, _) = tree(group);
    tree.start().await?;
    let group = tree.group("g");
    let t = cooperative("x").with_paused(true);
    let again = Arc::new(Mutex::new(Some(Group::one_for_one("n").task(t))));
    let adds = AddsAgain(group.clone(), again);
    let task = TaskFn::arc("t", move |ctx: TaskContext| {
        let _kept = &adds;
        async move {
            ctx.cancelled().await;
            Ok(())
        }
    });
    let added = group.add_group(Group::one_for_one("n").task(task))?;
    added.add_task(cooperative("x")).await?;
    settle().await;
    poke.fail();
    sleep(secs(2)).await;
    assert!(added.cancel().await?);
    assert!(added.child("x").is_paused());
    sleep(secs(9)).await;
    assert_eq!(added.child("x").status().unwrap().state, TaskState::Paused);
    tree.shutdown().await
}

struct Counts(Arc<AtomicUsize>);
impl Drop for Counts {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Nothing is kept of groups that returned and were removed.
#[tokio::test(start_paused = true)]
async fn o21_all_is_dropped() -> Result {
    for way in 0..4 {
        let (inner, poke) = failing(&Journal::new());
        let (tree, _) = tree(Group::one_for_one("out").group(inner).with_backoff(constant(secs(1))));
        tree.start().await?;
        let counted = Arc::new(AtomicUsize::new(0));
        let task = |name: &str| {
            let counts = Counts(Arc::clone(&counted));
            TaskFn::arc(name, move |ctx: TaskContext| {
                let _kept = &counts;
                async move {
                    ctx.cancelled().await;
                    Ok(())
                }
            })
        };
        let group = tree.group("out/g");
        let added = group.add_group(Group::one_for_one("n").task(task("t")))?;
        added.add_task(task("x")).await?;
        let deep = added.add_group(Group::one_for_one("deep").task(task("y")))?;
        deep.add_task(task("z")).await?;
        settle().await;
        if way != 3 {
            poke.fail();
        }
        sleep(secs(2)).await;
        match way {
            0 => assert!(tree.group("out").cancel().await?),
            1 => assert!(group.cancel().await?),
            2 => {
                tree.shutdown().await?;
            }
            _ => {
                assert!(tree.group("out").cancel().await?);
            }
        }
        settle().await;
        assert_eq!(counted.load(Ordering::SeqCst), 4, "{way}");
        if way != 2 {
            tree.shutdown().await?;
        }
    }
    Ok(())
}

/// A cancel that meets the restart of the group around it removes the group, whether it was about to return or has returned.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o21_a_cancel_removes_a_group_that_returns_at_this_moment() -> Result {
    let (tree, _) = tree(Group::one_for_one("g").task(cooperative("a")));
    tree.start().await?;
    let (group, is_over) = (tree.group("g"), Arc::new(AtomicBool::new(false)));
    let (restarted, until) = (group.clone(), Arc::clone(&is_over));
    let restarts =
        tokio::spawn(async move { while !until.load(Ordering::SeqCst) && restarted.restart_and_wait().await {} });
    for round in 0..5000 {
        let added = group.add_group(simple("n"))?;
        for _ in 0..round % 7 {
            yield_now().await;
        }
        // `false` if the group around it was the first to stop it.
        added.cancel().await?;
        assert!(is_free(&added), "round {round}: {:?}", added.status());
    }
    is_over.store(true, Ordering::SeqCst);
    restarts.await.unwrap();
    tree.shutdown().await
}

/// A fresh group that is added makes its children for each run, and keeps what was added and the pauses.
#[tokio::test(start_paused = true)]
async fn o21_an_added_fresh_group_returns() -> Result {
    let (group, poke) = failing(&Journal::new());
    let (tree, _) = tree(group);
    tree.start().await?;
    let calls = Arc::new(AtomicUsize::new(0));
    let made = Arc::clone(&calls);
    let fresh = Group::one_for_one("n").fresh(move || {
        let number = made.fetch_add(1, Ordering::SeqCst);
        async move { Ok::<_, TaskError>(vec![cooperative(&format!("m{number}")), cooperative("p").with_paused(true)]) }
    });
    let added = tree.group("g").add_group(fresh)?;
    settle().await;
    added.add_task(cooperative("x")).await?;
    let _ = added.add_group(simple("in"))?;
    settle().await;
    assert_eq!(paths(&tree).await, ["g/a", "g/n/in/t", "g/n/m0", "g/n/p", "g/n/x"]);
    assert!(added.child("p").resume());
    poke.fail();
    sleep(secs(12)).await;
    assert_eq!(paths(&tree).await, ["g/a", "g/n/in/t", "g/n/m1", "g/n/p", "g/n/x"]);
    assert!(!added.child("p").is_paused() && added.child("p").pause());
    assert!(added.restart());
    sleep(secs(1)).await;
    assert!(added.child("p").is_paused());
    assert_eq!(paths(&tree).await, ["g/a", "g/n/in/t", "g/n/m2", "g/n/p", "g/n/x"]);
    assert!(added.cancel().await?);
    assert!(is_free(&added) && !added.child("p").is_paused());
    tree.shutdown().await
}

/// The schedules of tasks in an added group are listed while it returns, and end with it.
#[tokio::test(start_paused = true)]
async fn o21_schedules_of_an_added_group() -> Result {
    let (group, poke) = failing(&Journal::new());
    let (tree, _) = tree(group);
    tree.start().await?;
    let group = Group::one_for_one("n")
        .task(cooperative("d").with_restart(RestartPolicy::Always { interval: None }).with_cron("0 3 * * *"));
    let added = tree.group("g").add_group(group)?;
    added
        .add_task(cooperative("e").with_restart(RestartPolicy::Always { interval: None }).with_cron("0 4 * * *"))
        .await?;
    settle().await;
    let listed = || tree.schedule(2).unwrap().iter().map(|run| run.path.clone()).collect::<Vec<_>>();
    let mut all = listed();
    all.sort();
    assert_eq!(all, ["g/n/d", "g/n/e"]);
    for _ in 0..2 {
        let before = listed();
        poke.fail();
        sleep(secs(2)).await;
        assert_eq!(listed(), before, "down");
        sleep(secs(9)).await;
        assert_eq!(listed(), before, "back");
    }
    poke.fail();
    sleep(secs(2)).await;
    assert!(added.cancel().await?);
    assert!(listed().is_empty());
    sleep(secs(9)).await;
    assert!(listed().is_empty());
    tree.shutdown().await
}
