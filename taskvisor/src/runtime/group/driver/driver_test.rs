//! Tests of drivers that panic or are dropped.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use tokio::time::sleep;

use super::super::machine::Input;
use super::super::plan::{Note, RetryIn};
use crate::{Group, RuntimeError, SupervisorConfig, TaskContext, TaskFn, TaskOutcome, TaskSpec, Tree};

/// Returns a task that counts its running attempts, and takes a second to stop.
fn counted(name: &str, running: &Arc<AtomicUsize>) -> TaskSpec {
    let running = Arc::clone(running);
    let task = TaskFn::arc(name, move |ctx: TaskContext| {
        let running = Arc::clone(&running);
        running.fetch_add(1, Ordering::Relaxed);
        async move {
            ctx.cancelled().await;
            sleep(Duration::from_secs(1)).await;
            running.fetch_sub(1, Ordering::Relaxed);
            Ok(())
        }
    });
    TaskSpec::inherit(task)
}

fn tree(running: &Arc<AtomicUsize>, critical: bool) -> Tree {
    let inner = Group::rest_for_one("inner").task(counted("a", running)).task(counted("b", running));
    let group = Group::one_for_all("g").task(counted("c", running)).group(inner);
    let group = if critical { group } else { group.not_critical() };
    Tree::builder(SupervisorConfig::default()).group(group).task(counted("d", running)).build()
}

#[tokio::test(start_paused = true)]
async fn k4e_a_panic_of_a_driver_ends_its_group_after_all_in_it() {
    let running = Arc::new(AtomicUsize::new(0));
    let tree = tree(&running, true);
    let (group, core) = (tree.group("g"), tree.supervisor().core.clone());
    let run = tokio::spawn(async move { tree.run_until(pending()).await });
    sleep(Duration::from_secs(1)).await;
    assert_eq!(running.load(Ordering::Relaxed), 4);
    core.group("g").unwrap().send(Input::Panic, None);
    let outcome = group.outcome().await.unwrap();
    assert!(matches!(outcome, TaskOutcome::Panicked { .. }), "{outcome}");
    assert_eq!(running.load(Ordering::Relaxed), 1);
    let error = run.await.unwrap().unwrap_err();
    let RuntimeError::Failed { chain, stuck, .. } = &error else { panic!("{error}") };
    assert_eq!(chain.links()[0].path, "g");
    assert!(format!("{error:#}").contains("a fault of the driver") && stuck.is_empty(), "{error}");
    assert_eq!(running.load(Ordering::Relaxed), 0);
}

/// The parent restarts the group, and no task runs twice.
#[tokio::test(start_paused = true)]
async fn k4e_nothing_runs_twice_after_a_panic_of_a_driver() -> Result<(), RuntimeError> {
    let running = Arc::new(AtomicUsize::new(0));
    let tree = tree(&running, true);
    tree.start().await?;
    sleep(Duration::from_secs(1)).await;
    for _ in 0..3 {
        let inner = tree.supervisor().core.group("g/inner").unwrap();
        inner.send(Input::Panic, None);
        assert!(matches!(inner.outcome().await, TaskOutcome::Panicked { .. }));
        sleep(Duration::from_secs(60)).await;
        assert_eq!(running.load(Ordering::Relaxed), 4);
    }
    tree.shutdown().await?;
    assert_eq!(running.load(Ordering::Relaxed), 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k4e_the_others_go_on_if_they_do_not_need_it() -> Result<(), RuntimeError> {
    let running = Arc::new(AtomicUsize::new(0));
    let tree = tree(&running, false);
    tree.start().await?;
    sleep(Duration::from_secs(1)).await;
    let group = tree.supervisor().core.group("g").unwrap();
    group.send(Input::Panic, None);
    assert!(matches!(group.outcome().await, TaskOutcome::Panicked { .. }));
    sleep(Duration::from_secs(60)).await;
    assert_eq!(running.load(Ordering::Relaxed), 1);
    assert!(!tree.group("g").restart() && tree.group("g").add_task(counted("x", &running)).await.is_err());
    tree.shutdown().await?;
    assert_eq!(running.load(Ordering::Relaxed), 0);
    Ok(())
}

/// When the driver of the root panics, the tree fails.
#[tokio::test(start_paused = true)]
async fn k4e_a_panic_of_the_root_s_driver_ends_the_tree() {
    let running = Arc::new(AtomicUsize::new(0));
    let tree = tree(&running, true);
    let core = tree.supervisor().core.clone();
    let run = tokio::spawn(async move { tree.run_until(pending()).await });
    sleep(Duration::from_secs(1)).await;
    core.root().unwrap().send(Input::Panic, None);
    let error = run.await.unwrap().unwrap_err();
    assert!(format!("{error:#}").contains("a fault of the driver"), "{error}");
    assert_eq!(running.load(Ordering::Relaxed), 0);
}

/// A forced stop takes effect while the group collapses.
#[tokio::test(start_paused = true)]
async fn k4e_a_forced_shutdown_ends_a_collapse() {
    let running = Arc::new(AtomicUsize::new(0));
    let tree = tree(&running, true);
    tree.start().await.unwrap();
    sleep(Duration::from_secs(1)).await;
    let group = tree.supervisor().core.group("g").unwrap();
    group.send(Input::Panic, None);
    tokio::task::yield_now().await;
    let start = tokio::time::Instant::now();
    drop(tree.supervisor().shutdown_now().await);
    assert!(start.elapsed() < Duration::from_millis(200));
    assert!(matches!(group.outcome().await, TaskOutcome::Panicked { .. }));
}

/// K5s: a group does not wait for the backoff of a child that a caller has already restarted.
#[tokio::test(start_paused = true)]
async fn k5s_a_failure_that_was_skipped_waits_for_nothing() -> Result<(), RuntimeError> {
    let running = Arc::new(AtomicUsize::new(0));
    let group = Group::one_for_all("g").task(counted("a", &running)).task(counted("b", &running));
    let tree = Tree::builder(SupervisorConfig::default()).group(group).build();
    tree.start().await?;
    sleep(Duration::from_secs(1)).await;
    // This failure belongs to the first start. The child does not wait for a backoff, because it runs again.
    let failed = Note::Failed(RetryIn::Backoff(Duration::from_secs(3600)));
    tree.supervisor().core.group("g").unwrap().send(Input::Note { key: 0, epoch: 1, note: failed }, None);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(tree.group("g").child("b").status().unwrap().attempt, 2);
    tree.shutdown().await
}

/// Nobody reads the messages to a group that has ended. Its handles keep neither these nor the task of its driver.
#[tokio::test(start_paused = true)]
async fn k4e_an_ended_group_holds_no_message_and_no_waker() -> Result<(), RuntimeError> {
    struct Woken;
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {}
    }
    let running = Arc::new(AtomicUsize::new(0));
    let tree = tree(&running, true);
    tree.start().await?;
    let group = tree.supervisor().core.group("g").unwrap();
    let is_idle = || group.lock().messages.is_empty();
    group.send(Input::Wake, None);
    assert!(!is_idle());
    tree.shutdown().await?;
    assert!(is_idle());
    group.send(Input::Wake, None);
    assert!(is_idle());
    let driver = Arc::new(Woken);
    let waker = Waker::from(Arc::clone(&driver));
    while group.poll_bell(&Context::from_waker(&waker)).is_ready() {}
    drop(waker);
    assert_eq!(Arc::strong_count(&driver), 2);
    group.hang_up();
    assert_eq!(Arc::strong_count(&driver), 1);
    Ok(())
}
