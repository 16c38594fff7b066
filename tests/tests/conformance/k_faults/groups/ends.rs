//! User values in a group that panic or call back, and the end of drivers.

use std::error::Error;
use std::fmt;
use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use taskvisor::{
    Group, RuntimeError, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskOutcome, TaskSpec, TaskState, Tree,
};
use tests::{constant, cooperative, ms, secs, settle};
use tokio::runtime::{Builder, Runtime};
use tokio::time::sleep;

use super::{Result, tree};

/// An error that panics when formatted or dropped, as configured.
struct Bomb {
    shown: bool,
    dropped: bool,
}

impl fmt::Debug for Bomb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Bomb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        assert!(!self.shown, "shown");
        f.write_str("bomb")
    }
}

impl Error for Bomb {}

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(!self.dropped || std::thread::panicking(), "dropped");
    }
}

/// A task that fails with a bomb as long as `fails` is set. `running` counts its live attempts.
fn bomber(name: &str, fails: &Arc<AtomicBool>, running: &Arc<AtomicUsize>, shown: bool, dropped: bool) -> TaskSpec {
    let (fails, running) = (Arc::clone(fails), Arc::clone(running));
    let task = TaskFn::arc(name, move |ctx: TaskContext| {
        let (fails, running) = (Arc::clone(&fails), Counted::new(&running));
        async move {
            let _running = running;
            sleep(secs(1)).await;
            if fails.load(Ordering::Relaxed) {
                return Err(TaskError::error(Bomb { shown, dropped }));
            }
            ctx.cancelled().await;
            Ok(())
        }
    });
    TaskSpec::inherit(task).with_max_retries(0)
}

struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn counted(name: &str, running: &Arc<AtomicUsize>) -> TaskSpec {
    let running = Arc::clone(running);
    let task = TaskFn::arc(name, move |ctx: TaskContext| {
        let running = Counted::new(&running);
        async move {
            let _running = running;
            ctx.cancelled().await;
            Ok(())
        }
    });
    TaskSpec::inherit(task)
}

#[tokio::test(start_paused = true)]
async fn k4e_errors_that_panic_kill_no_driver() -> Result {
    for (shown, dropped) in [(true, false), (false, true), (true, true)] {
        let (fails, running) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
        let group = Group::one_for_all("g")
            .with_backoff(constant(secs(1)))
            .task(bomber("bomber", &fails, &running, shown, dropped).critical())
            .task(counted("other", &running));
        let tree = tree(group);
        tree.start().await?;
        for _ in 0..3 {
            sleep(ms(1_900)).await;
            assert!(tree.snapshot().to_string().contains("one_for_all"));
        }
        fails.store(false, Ordering::Relaxed);
        sleep(secs(10)).await;
        assert_eq!(tree.group("g").status(), Some(TaskState::Running));
        assert_eq!(running.load(Ordering::Relaxed), 2, "each runs once");
        tree.shutdown().await?;
        assert_eq!(running.load(Ordering::Relaxed), 0);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k4c_a_critical_error_that_cannot_be_shown_ends_the_tree() {
    let (fails, running) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
    let tree = Tree::builder(SupervisorConfig::default())
        .task(bomber("bomber", &fails, &running, true, false).critical())
        .task(counted("other", &running))
        .build();
    let error = tree.run_until(pending()).await.unwrap_err();
    assert_eq!(error.as_label(), "runtime_failed");
    assert_eq!(running.load(Ordering::Relaxed), 0);
}

/// A value that panics when dropped.
struct Fuse(Arc<AtomicUsize>);

impl Drop for Fuse {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
        assert!(std::thread::panicking(), "dropped");
    }
}

#[tokio::test(start_paused = true)]
async fn k4e_tasks_that_panic_when_they_are_dropped_kill_no_driver() -> Result {
    let (running, dropped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let tree = tree(Group::one_for_all("g").task(counted("a", &running)));
    tree.start().await?;
    for _ in 0..3 {
        let fuse = Fuse(Arc::clone(&dropped));
        let task = TaskFn::arc("x", move |_: TaskContext| {
            let _fuse = &fuse;
            async { Ok(()) }
        });
        // The supervisor holds the last reference to the task, not the handle.
        drop(tree.group("g").add_task(TaskSpec::inherit(task)).await?);
        settle().await;
        tree.group("g").restart();
        sleep(secs(1)).await;
        assert_eq!((tree.group("g").status(), running.load(Ordering::Relaxed)), (Some(TaskState::Running), 1));
    }
    assert_eq!(dropped.load(Ordering::Relaxed), 3);
    tree.shutdown().await?;
    assert_eq!(running.load(Ordering::Relaxed), 0);
    Ok(())
}

/// A value that reads the tree when dropped.
struct Looks(Arc<OnceLock<Tree>>, Arc<AtomicUsize>);

impl Drop for Looks {
    fn drop(&mut self) {
        if let Some(tree) = self.0.get() {
            assert!(!tree.snapshot().to_string().is_empty());
            assert!(tree.supervisor().snapshot().len() < 100);
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn k4c_a_task_that_is_refused_is_dropped_with_no_lock_held() -> Result {
    let place: Arc<OnceLock<Tree>> = Arc::default();
    let looked = Arc::new(AtomicUsize::new(0));
    let looks = || {
        let looks = Looks(Arc::clone(&place), Arc::clone(&looked));
        TaskSpec::inherit(TaskFn::arc("x", move |_: TaskContext| {
            let _looks = &looks;
            async { Ok(()) }
        }))
    };
    let tree = Tree::builder(SupervisorConfig::default())
        .task(cooperative("a"))
        .group(Group::one_for_one("g").task(cooperative("b")))
        .group(Group::one_for_one("x").task(cooperative("c")))
        .build();
    let tree = place.get_or_init(|| tree);
    tree.start().await?;
    sleep(secs(1)).await;
    // Refused for its name, then accepted, and then refused because the group stops or has ended.
    assert!(matches!(tree.supervisor().add_task(looks()).await, Err(RuntimeError::GroupAlreadyExists { .. })));
    assert!(tree.group("g").add_task(looks()).await.is_ok());
    settle().await;
    let group = tree.group("g");
    let (cancel, add) = tokio::join!(group.cancel(), group.add_task(looks()));
    assert!(cancel? && add.is_err());
    assert!(group.add_task(looks()).await.is_err());
    assert_eq!(looked.load(Ordering::Relaxed), 4);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn k4c_a_spec_that_changes_nothing_is_dropped_with_no_lock_held() -> Result {
    let place: Arc<OnceLock<Tree>> = Arc::default();
    let looked = Arc::new(AtomicUsize::new(0));
    let looks = |name: &str, revision| {
        let looks = Looks(Arc::clone(&place), Arc::clone(&looked));
        let task = TaskFn::arc(name, move |ctx: TaskContext| {
            let _looks = &looks;
            async move {
                ctx.cancelled().await;
                Ok(())
            }
        });
        TaskSpec::inherit(task).with_revision(revision)
    };
    let tree = Tree::builder(SupervisorConfig::default()).group(Group::one_for_one("g").task(cooperative("b"))).build();
    let tree = place.get_or_init(|| tree);
    tree.start().await?;
    let count = || looked.swap(0, Ordering::Relaxed);
    let (supervisor, group) = (tree.supervisor(), tree.group("g"));
    // The task is kept; and so is its heir, which has an equal spec.
    assert_eq!(group.reconcile([looks("x", 0)]).await?.added.len(), 1);
    assert_eq!(group.reconcile([looks("x", 0)]).await?.kept.len(), 1);
    assert_eq!(count(), 1);
    let (replaced, kept) = tokio::join!(group.reconcile([looks("x", 1)]), group.reconcile([looks("x", 1)]));
    assert_eq!((replaced?.replaced.len(), kept?.kept.len(), count()), (1, 1, 2));
    // A name is taken, among others that are free, and the group has ended.
    assert!(supervisor.reconcile([looks("x", 0), looks("g", 0), looks("y", 0)]).await.is_err());
    assert!(group.reconcile([looks("y", 0), looks("b", 0), looks("z", 0)]).await.is_err());
    assert_eq!(count(), 6);
    assert!(group.cancel().await?);
    assert!(group.reconcile([looks("y", 0), looks("z", 0)]).await.is_err());
    assert!(group.replace(looks("x", 2)).await.is_err());
    assert_eq!(count(), 4);
    tree.shutdown().await
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// Waits for a condition that other threads make true.
fn wait_for(what: impl Fn() -> bool) {
    while !what() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// When the runtime of a driver ends, its members end first and then it reports to its parent.
#[test]
fn k4e_a_group_ends_with_its_runtime_and_after_its_members() {
    let running = Arc::new(AtomicUsize::new(0));
    for workers in [0, 2] {
        let runtime = match workers {
            0 => Builder::new_current_thread().enable_all().build().unwrap(),
            n => Builder::new_multi_thread().worker_threads(n).enable_all().build().unwrap(),
        };
        let inner = Group::rest_for_one("inner").task(counted("a", &running)).task(counted("b", &running));
        let tree = tree(Group::one_for_all("g").task(counted("c", &running)).group(inner));
        runtime.block_on(async {
            tree.start().await.unwrap();
            tree.wait_ready().await;
        });
        drop(runtime);
        assert_eq!(running.load(Ordering::Relaxed), 0);
        assert_eq!([tree.group("g/inner").status(), tree.group("g").status()], [Some(TaskState::Ended); 2]);
        let other = self::runtime();
        assert!(other.block_on(tree.supervisor().list_tasks()).is_empty());
    }
}

/// When the runtime of a driver ends, the group continues on the runtime of a member that was added from there.
#[test]
fn k5p_a_group_goes_on_where_its_members_are() {
    let (first, second) = (runtime(), runtime());
    let running = Arc::new(AtomicUsize::new(0));
    let inner = Group::one_for_one("inner").task(cooperative("a"));
    let tree = Tree::builder(SupervisorConfig::default()).group(Group::one_for_one("g").group(inner)).build();
    first.block_on(async {
        tree.start().await.unwrap();
        tree.wait_ready().await;
    });
    let member = second.block_on(tree.group("g/inner").add_task(counted("x", &running))).unwrap();
    wait_for(|| running.load(Ordering::Relaxed) == 1);
    drop(first);
    // The group learns of the end of `a`, and accepts more members.
    wait_for(|| tree.group("g/inner").child("a").status().unwrap().state == TaskState::Ended);
    assert_eq!((running.load(Ordering::Relaxed), tree.group("g/inner").status()), (1, Some(TaskState::Running)));
    let more = second.block_on(tree.group("g/inner").add_task(counted("y", &running))).unwrap();
    wait_for(|| running.load(Ordering::Relaxed) == 2);
    assert!(second.block_on(tree.group("g/inner").cancel()).unwrap());
    assert_eq!(running.load(Ordering::Relaxed), 0);
    for handle in [member, more] {
        let outcome = second.block_on(handle.outcome());
        assert!(matches!(outcome, TaskOutcome::Canceled { .. }), "{outcome}");
    }
    second.block_on(async { tree.shutdown().await }).unwrap();
    assert_eq!([tree.group("g").status(), tree.group("").status()], [Some(TaskState::Ended); 2]);
}

/// A group whose runtime ends for the second time moves to that of a member that was elsewhere all the time.
#[test]
fn k5p_a_group_that_has_moved_moves_on() {
    let (first, second, third) = (runtime(), runtime(), runtime());
    let running = Arc::new(AtomicUsize::new(0));
    let group = |name: &str| Group::one_for_one(name).task(cooperative("a"));
    let tree = Tree::builder(SupervisorConfig::default()).group(group("g").not_critical()).group(group("h")).build();
    first.block_on(async {
        tree.start().await.unwrap();
        tree.wait_ready().await;
    });
    let (g, h) = (tree.group("g"), tree.group("h"));
    let before = second.block_on(g.add_task(counted("x", &running))).unwrap();
    let last = third.block_on(h.add_task(counted("y", &running))).unwrap();
    wait_for(|| running.load(Ordering::Relaxed) == 2);
    drop(first);
    wait_for(|| [&g, &h].iter().all(|group| group.child("a").status().unwrap().state == TaskState::Ended));
    drop(second);
    assert!(matches!(third.block_on(before.outcome()), TaskOutcome::Aborted { .. }));
    wait_for(|| g.status() == Some(TaskState::Ended));
    // The root has moved on, so the other group accepts more members.
    let more = third.block_on(h.add_task(counted("z", &running))).unwrap();
    wait_for(|| running.load(Ordering::Relaxed) == 2);
    assert_eq!((h.status(), last.status().state), (Some(TaskState::Running), TaskState::Running));
    third.block_on(async { tree.shutdown().await }).unwrap();
    assert!(matches!(third.block_on(more.outcome()), TaskOutcome::Canceled { .. }));
}

/// Members of a nested group are on two runtimes besides that of the drivers, which end one after the other.
#[test]
fn k5p_the_groups_around_go_where_the_last_of_its_members_are() {
    let (first, second, third) = (runtime(), runtime(), runtime());
    let running = Arc::new(AtomicUsize::new(0));
    let inner = Group::one_for_one("inner").task(cooperative("a"));
    let tree = Tree::builder(SupervisorConfig::default()).group(Group::one_for_one("g").group(inner)).build();
    first.block_on(async {
        tree.start().await.unwrap();
        tree.wait_ready().await;
    });
    let inner = tree.group("g/inner");
    let before = second.block_on(inner.add_task(counted("x", &running))).unwrap();
    let last = third.block_on(inner.add_task(counted("y", &running))).unwrap();
    wait_for(|| running.load(Ordering::Relaxed) == 2);
    drop(first);
    wait_for(|| inner.child("a").status().unwrap().state == TaskState::Ended);
    drop(second);
    assert!(matches!(third.block_on(before.outcome()), TaskOutcome::Aborted { .. }));
    let more = third.block_on(inner.add_task(counted("z", &running))).unwrap();
    wait_for(|| running.load(Ordering::Relaxed) == 2);
    assert_eq!((inner.status(), last.status().state), (Some(TaskState::Running), TaskState::Running));
    third.block_on(async { tree.shutdown().await }).unwrap();
    assert!(matches!(third.block_on(more.outcome()), TaskOutcome::Canceled { .. }));
}
