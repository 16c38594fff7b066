//! Tests of dropped and restarted declared tasks.

use super::*;
use crate::{RuntimeError, SupervisorConfig, TaskContext, TaskFn, Tree};

/// A task that holds a clone of `value`, so that its references can be counted.
fn keeps(name: &str, value: &Arc<()>) -> TaskSpec {
    let value = Arc::clone(value);
    TaskSpec::inherit(TaskFn::arc(name, move |ctx: TaskContext| {
        let value = Arc::clone(&value);
        async move {
            ctx.cancelled().await;
            drop(value);
            Ok(())
        }
    }))
}

fn declared(value: &Arc<()>) -> Group {
    let inner = Group::rest_for_one("inner").task(keeps("b", value)).task(keeps("c", value));
    Group::one_for_all("g").task(keeps("a", value)).group(inner)
}

#[test]
fn k4d_what_is_kept_to_be_started_again_can_be_forgotten() {
    let value = Arc::new(());
    let group = Declared::new(declared(&value));
    assert_eq!(Arc::strong_count(&value), 4);
    group.forget_tasks();
    assert_eq!(Arc::strong_count(&value), 1);
    // Names and order are kept.
    assert_eq!((group.place("a"), group.place("inner"), group.layers), (Some(0), Some(1), 2));
    assert!(group.task(0).is_none() && format!("{group:?}").contains("\"c\""));
}

#[test]
fn k4d_dropping_a_declaration_drops_each_task_once() {
    let value = Arc::new(());
    drop(Declared::new(declared(&value)));
    assert_eq!(Arc::strong_count(&value), 1);
}

fn tree(value: &Arc<()>) -> Tree {
    Tree::builder(SupervisorConfig::default()).group(declared(value)).build()
}

fn keeps_tasks(tree: &Tree) -> [bool; 2] {
    let group = tree.root.children[0].group.as_ref().unwrap();
    let inner = group.children[1].group.as_ref().unwrap();
    [group.task(0).is_some(), inner.task(0).is_some()]
}

#[tokio::test(start_paused = true)]
async fn k4d_a_shutdown_forgets_what_groups_keep_to_be_started_again() -> Result<(), RuntimeError> {
    let value = Arc::new(());
    let tree = tree(&value);
    tree.start().await?;
    tree.wait_ready().await;
    assert_eq!(keeps_tasks(&tree), [true; 2]);
    // A canceled group may be started again with its parent.
    assert!(tree.group("g/inner").cancel().await?);
    assert_eq!(keeps_tasks(&tree), [true; 2]);
    assert!(tree.group("g").restart());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(tree.health().is_ready() && tree.group("g/inner").status().is_some());
    tree.shutdown().await?;
    assert_eq!(keeps_tasks(&tree), [false; 2]);
    assert_eq!(tree.snapshot().root.children[0].children.len(), 2);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k4d_a_stop_for_good_forgets_them_as_well() -> Result<(), RuntimeError> {
    let value = Arc::new(());
    let tree = tree(&value);
    tree.start().await?;
    assert!(tree.group("g").cancel().await?);
    assert_eq!(keeps_tasks(&tree), [false; 2]);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn k4d_a_plain_root_keeps_no_tasks_once_it_has_started() -> Result<(), RuntimeError> {
    let value = Arc::new(());
    let tree = Tree::builder(SupervisorConfig::default()).task(keeps("a", &value)).build();
    assert!(tree.root.task(0).is_some());
    tree.start().await?;
    assert!(tree.root.task(0).is_none());
    tree.start().await?;
    let run = tree.run_until(async { tokio::time::sleep(Duration::from_secs(1)).await });
    run.await
}

/// A refused start can be repeated.
#[test]
fn k4d_a_start_that_was_refused_forgets_nothing() {
    let value = Arc::new(());
    let tree = Tree::builder(SupervisorConfig::default()).task(keeps("a", &value)).build();
    let mut start = Box::pin(tree.start());
    let waker = std::task::Waker::noop();
    let polled = start.as_mut().poll(&mut std::task::Context::from_waker(waker));
    assert!(matches!(polled, std::task::Poll::Ready(Err(RuntimeError::NoRuntime))));
    assert!(tree.root.task(0).is_some());
}
