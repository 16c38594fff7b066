//! O21: the ends of groups that are added at run time: in races, in drops, and with what is around them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use taskvisor::{
    Dynamic, Group, GroupHandle, RestartPolicy, RuntimeError, SupervisorConfig, TaskContext, TaskError, TaskFn,
    TaskRef, TaskSpec, TaskState, Tree,
};
use tests::{OK, Script, constant, cooperative, ms, polled_once, secs, settle};
use tokio::time::{Instant, sleep};

use super::added_groups::{Result, failing, is_free, paths, simple, tree};
use crate::journal::Journal;

/// A fresh group makes its declared children anew, and those that were added stay. One that it makes must not have the name
/// of an added group.
#[tokio::test(start_paused = true)]
async fn o21_a_fresh_group_keeps_added_groups_and_their_names() -> Result {
    let name = Arc::new(Mutex::new("t"));
    let made = Arc::clone(&name);
    let fresh = Group::one_for_one("g").with_backoff(constant(secs(5))).fresh(move || {
        let child = cooperative(*made.lock().unwrap());
        async move { Ok::<_, TaskError>(vec![child]) }
    });
    let (tree, _) = tree(fresh);
    tree.start().await?;
    settle().await;
    let group = tree.group("g");
    let added = group.add_group(simple("n"))?;
    assert!(group.restart_and_wait().await);
    assert_eq!(paths(&tree).await, ["g/n/t", "g/t"]);
    *name.lock().unwrap() = "n";
    assert!(group.restart());
    sleep(secs(1)).await;
    assert_eq!((group.status(), paths(&tree).await), (Some(TaskState::Backoff), vec![]));
    assert!(tree.supervisor().node("g").unwrap().last_error.unwrap().contains("g/n"));
    assert!(added.cancel().await?, "it is withdrawn");
    sleep(secs(10)).await;
    assert_eq!(paths(&tree).await, ["g/n"]);
    assert!(matches!(group.add_group(simple("n")), Err(RuntimeError::TaskAlreadyExists { .. })));
    tree.shutdown().await
}

/// Calls the group when it is dropped, and counts that.
struct Calls(GroupHandle, Arc<AtomicUsize>);

impl Drop for Calls {
    fn drop(&mut self) {
        let Self(group, dropped) = self;
        let _ = group.add_group(simple("of-drop"));
        let _ = (group.snapshot(), group.health());
        let _ = (group.group("n").restart(), group.group("n").pause(), group.group("n").resume());
        dropped.fetch_add(1, Ordering::SeqCst);
        panic!("by a test");
    }
}

#[tokio::test(start_paused = true)]
async fn o21_the_tasks_of_an_added_group_are_dropped_with_no_lock_held() -> Result {
    for ends in 0..4 {
        let (tree, _) = tree(simple("g").with_dynamic(if ends == 0 { Dynamic::Drop } else { Dynamic::Keep }));
        tree.start().await?;
        let group = tree.group("g");
        let dropped = Arc::new(AtomicUsize::new(0));
        let with_value = |name: &str| {
            let value = Calls(group.clone(), Arc::clone(&dropped));
            let task = TaskFn::arc(name, move |ctx: TaskContext| {
                let _ = &value;
                async move {
                    ctx.cancelled().await;
                    Ok(())
                }
            });
            Group::one_for_one("n").task(task)
        };
        let refused = Group::one_for_one("g").task(cooperative("x")).group(with_value("x")).with_after(["t"]);
        assert!(group.add_group(refused).is_err());
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
        assert!(group.group("of-drop").cancel().await?);
        let added = group.add_group(with_value("x"))?;
        settle().await;
        match ends {
            0 => assert!(group.restart_and_wait().await),
            1 => assert!(added.cancel().await?),
            2 => assert!(group.cancel().await?),
            _ => {}
        }
        settle().await;
        assert_eq!((is_free(&added), dropped.load(Ordering::SeqCst)), if ends == 3 { (false, 1) } else { (true, 2) });
        assert_eq!(group.group("of-drop").status().is_some(), ends < 2, "{ends}");
        tree.shutdown().await?;
        assert_eq!(dropped.load(Ordering::SeqCst), 2);
    }
    Ok(())
}

/// A task that takes a second to stop.
fn slow(name: &str) -> TaskRef {
    TaskFn::arc(name, |ctx: TaskContext| async move {
        ctx.cancelled().await;
        sleep(secs(1)).await;
        Ok(())
    })
}

#[tokio::test(start_paused = true)]
async fn o21_a_cancel_while_the_group_around_it_stops_removes_it_also_if_nobody_waits() -> Result {
    let (tree, _) = tree(simple("g"));
    tree.start().await?;
    let group = tree.group("g");
    let added = group.add_group(Group::one_for_one("n").task(slow("x")))?;
    let other = group.add_group(Group::one_for_one("m").task(slow("x")))?;
    settle().await;
    assert!(group.restart());
    sleep(ms(500)).await;
    assert_eq!(added.status(), Some(TaskState::Stopping));
    polled_once(added.cancel()).await;
    sleep(secs(5)).await;
    assert!(is_free(&added) && other.status() == Some(TaskState::Running));
    assert_eq!(paths(&tree).await, ["g/m/x", "g/t"]);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o21_what_was_added_to_a_group_that_does_not_come_back_goes_with_it() -> Result {
    let journal = Journal::new();
    let (group, poke) = failing(&journal);
    let (tree, _) = tree(group);
    tree.start().await?;
    let added = tree.group("g").add_group(simple("n"))?;
    let inner = added.add_group(simple("inner"))?;
    let innermost = inner.add_group(simple("innermost"))?;
    innermost.add_task(cooperative("late")).await?;
    settle().await;
    assert!(innermost.pause());
    poke.fail();
    sleep(secs(2)).await;
    assert_eq!(tree.supervisor().node("g/n/inner/innermost/late").unwrap().state, TaskState::Pending);
    assert!(added.cancel().await?);
    assert!(is_free(&added) && is_free(&inner) && is_free(&innermost) && !innermost.is_paused());
    assert!(tree.supervisor().node("g/n/inner/innermost/late").is_none());
    sleep(secs(10)).await;
    assert_eq!(paths(&tree).await, ["g/a"]);
    // All names are free.
    let again = tree.group("g").add_group(simple("n").group(simple("inner").group(simple("innermost"))))?;
    settle().await;
    assert!(again.status() == Some(TaskState::Running) && !innermost.is_paused());
    tree.shutdown().await
}

/// Groups are added while the group around them ends by itself: they run and end with it, or are refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o21_nothing_is_left_of_a_group_that_is_added_while_the_one_around_it_ends() -> Result {
    for _ in 0..200 {
        let once = Script::new([OK]).spec("once").with_initial_delay(ms(1));
        let group = Group::one_for_one("g").with_restart(RestartPolicy::Never).not_critical().task(once);
        let tree = Tree::builder(SupervisorConfig::default()).group(group).task(cooperative("t")).build();
        tree.start().await?;
        let group = tree.group("g");
        let adds = tokio::spawn({
            let group = group.clone();
            async move {
                let mut n = 0;
                while !matches!(
                    group.add_group(Group::one_for_one(format!("n{n}")).task(Script::new([OK]).spec("x"))),
                    Err(RuntimeError::GroupNotRunning { .. })
                ) {
                    n += 1;
                    tokio::task::yield_now().await;
                    if n > 20 {
                        sleep(ms(2)).await;
                    }
                }
                n
            }
        });
        assert!(matches!(group.outcome().await, Some(outcome) if outcome.is_completed()));
        for n in 0..adds.await.unwrap() {
            assert!(is_free(&group.group(&format!("n{n}"))), "{n}");
        }
        assert_eq!(paths(&tree).await, ["t"]);
        tree.shutdown().await?;
    }
    Ok(())
}

/// Adds and cancels groups while the group around them restarts.
async fn race(threads: usize) -> Result {
    let (tree, _) = tree(simple("g").with_backoff(constant(ms(0))));
    let tree = Arc::new(tree);
    tree.start().await?;
    let running = Arc::new(AtomicUsize::new(0));
    let mut adders = Vec::new();
    for adder in 0..4 * threads {
        let (tree, running) = (Arc::clone(&tree), Arc::clone(&running));
        adders.push(tokio::spawn(async move {
            for round in 0..40 {
                let name = format!("n{}", (adder + round) % 3);
                let running = Arc::clone(&running);
                let task = TaskFn::arc("x", move |ctx: TaskContext| {
                    let running = Arc::clone(&running);
                    async move {
                        running.fetch_add(1, Ordering::SeqCst);
                        ctx.cancelled().await;
                        running.fetch_sub(1, Ordering::SeqCst);
                        Ok(())
                    }
                });
                let group = tree.group("g");
                let added = group.add_group(Group::one_for_one(name.as_str()).task(TaskSpec::inherit(task)));
                if round % 3 == 0 {
                    group.restart();
                }
                if let Ok(added) = added {
                    if round % 2 == 0 {
                        added.add_task(cooperative("y")).await.ok();
                        tokio::task::yield_now().await;
                    }
                    added.cancel().await.unwrap();
                } else {
                    group.group(&name).cancel().await.unwrap();
                }
                tokio::task::yield_now().await;
            }
        }));
    }
    for adder in adders {
        adder.await.unwrap();
    }
    // What a call found that another had added is gone, too: each is canceled by the one that added it.
    let group = tree.group("g");
    for name in ["n0", "n1", "n2"] {
        group.group(name).cancel().await?;
        assert!(is_free(&group.group(name)), "{name}");
    }
    assert_eq!(running.load(Ordering::SeqCst), 0);
    assert!(group.restart_and_wait().await);
    assert_eq!(paths(&tree).await, ["g/t"]);
    let start = Instant::now();
    tree.shutdown().await?;
    assert!(start.elapsed() < secs(30));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o21_races_of_added_groups_on_one_thread() -> Result {
    race(1).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o21_races_of_added_groups_on_two_threads() -> Result {
    race(2).await
}

/// A driver is dropped with its runtime, and goes on where others of its tasks are.
#[test]
fn o21_an_added_group_ends_with_its_runtime() {
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (first, second) = (runtime(), runtime());
    let (tree, _) = tree(simple("g"));
    let added = first.block_on(async {
        tree.start().await.unwrap();
        tree.wait_ready().await;
        let _ = tree.group("g").add_group(simple("here").not_critical()).unwrap();
        tree.group("g").clone()
    });
    let elsewhere = second.block_on(async { added.add_group(simple("there")).unwrap() });
    first.shutdown_background();
    second.block_on(async {
        while !is_free(&added.group("here")) || elsewhere.status() == Some(TaskState::Pending) {
            tokio::task::yield_now().await;
        }
        assert_eq!(elsewhere.status(), Some(TaskState::Running));
        let _ = tree.shutdown().await;
    });
    assert!(is_free(&elsewhere) && is_free(&added.group("here")));
}
