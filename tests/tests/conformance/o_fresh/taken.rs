//! What a group takes in each of its states, and gives back: names, its function, its runtime.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use taskvisor::{EventKind, Group, RuntimeError, SupervisorConfig, TaskOutcome, Tree};
use tests::{constant, cooperative, ms, secs, settle};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{sleep, timeout};

use super::{Result, group, tree};

/// A generous limit on real time, against hanging.
const FOREVER: Duration = secs(60);

/// After a restart that brings an added task back, a child that has ended can be started again, and its name be taken.
#[tokio::test(start_paused = true)]
async fn o52_names_are_free_after_added_tasks_came_back() -> Result {
    let fresh = group("g").fresh(|| async { Ok::<_, Infallible>(["a", "b"].map(cooperative)) });
    let plain = group("g").task(cooperative("a")).task(cooperative("b"));
    let mut wrong = Vec::new();
    for (which, g) in [("fresh", fresh), ("plain", plain)] {
        for added in [false, true] {
            let outer = Group::one_for_one("outer").task(cooperative("sibling"));
            let (tree, _) = tree(outer.group(g.clone()));
            tree.start().await?;
            settle().await;
            let handle = tree.group("outer/g");
            if added {
                handle.add_task(cooperative("x")).await?;
                settle().await;
            }
            assert!(handle.restart_and_wait().await);
            settle().await;
            let a = handle.child("a");
            assert!(a.cancel().await?);
            let restarts = a.restart();
            settle().await;
            a.cancel().await?;
            let added_in_place = handle.add_task(cooperative("a")).await.is_ok();
            if !restarts || !added_in_place {
                wrong.push(format!("{which}, added: {added}: restarts: {restarts}, takes: {added_in_place}"));
            }
            tree.shutdown().await?;
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

/// A task that comes to the place of a child while a restart begins gives way to the next run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o52_no_start_fails_because_of_tasks_in_places() -> Result {
    let make = || async { Ok::<_, Infallible>(["a", "b"].map(cooperative)) };
    let g = Group::one_for_all("g").with_limit(0, secs(60)).with_backoff(constant(ms(1)));
    let (tree, recorder) = tree(g.fresh(make));
    let tree = Arc::new(tree);
    tree.start().await?;
    tree.wait_ready().await;
    let over = Arc::new(AtomicBool::new(false));
    let mut acts = Vec::new();
    for act in 0..3 {
        let (tree, over) = (Arc::clone(&tree), Arc::clone(&over));
        acts.push(tokio::spawn(async move {
            let g = tree.group("g");
            let mut turn = 0_usize;
            while !over.load(Ordering::SeqCst) {
                turn += 1;
                match act {
                    0 => {
                        drop(g.child("a").cancel().await);
                        drop(g.add_task(cooperative("a")).await);
                    }
                    1 => {
                        let _ = g.child("a").restart();
                        if turn % 3 == 0 {
                            drop(g.replace(cooperative("a")).await);
                        }
                    }
                    _ => drop(g.restart_and_wait().await),
                }
                for _ in 0..turn % 5 {
                    tokio::task::yield_now().await;
                }
            }
        }));
    }
    sleep(secs(5)).await;
    over.store(true, Ordering::SeqCst);
    for act in acts {
        timeout(FOREVER, act).await.expect("it hangs").unwrap();
    }
    let node = tree.snapshot().root.children.remove(0);
    assert_eq!(recorder.count(EventKind::GroupFailed), 0, "after {} restarts", node.restarts);
    assert_eq!(node.last_error, None, "after {} restarts", node.restarts);
    tree.shutdown().await
}

/// A shutdown tells that the function blocks its thread, so that something still runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o52_a_shutdown_names_a_group_whose_function_blocks() {
    let (begun, has_begun) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let make = move || {
        let (begun, released) = (begun.clone(), Arc::clone(&released));
        async move {
            begun.send(()).unwrap();
            let _ = released.lock().unwrap().recv();
            Ok::<_, Infallible>([cooperative("a")])
        }
    };
    let config = SupervisorConfig { grace: ms(100), ..SupervisorConfig::default() };
    let outer = Group::one_for_one("outer").group(group("g").fresh(make));
    let tree = Tree::builder(config).group(outer).build();
    tree.start().await.unwrap();
    while has_begun.try_recv().is_err() {
        sleep(ms(1)).await;
    }
    let error = tree.shutdown().await.expect_err("the function still runs");
    let RuntimeError::GraceExceeded { stuck, .. } = &error else { panic!("{error:?}") };
    assert_eq!(stuck, &["outer/g"], "{error}");
    drop(release);
}

/// Two trees from clones of one declaration: the first drops the function, and the second says that at its start.
#[tokio::test(start_paused = true)]
async fn o52_a_tree_whose_function_is_gone_does_not_start() -> Result {
    let fresh = group("g").fresh(|| async { Ok::<_, Infallible>([cooperative("a")]) });
    for g in [group("g").task(cooperative("a")), fresh] {
        let outer = Group::one_for_one("outer").group(g);
        let ((first, _), (second, _)) = (tree(outer.clone()), tree(outer));
        first.start().await?;
        settle().await;
        first.shutdown().await?;
        assert!(matches!(second.start().await, Err(RuntimeError::ShuttingDown)));
    }
    Ok(())
}

/// Groups whose runtime ends before the first turn of their drivers end with it.
#[test]
fn o52_a_group_ends_with_its_runtime_before_its_first_turn() {
    let fresh = group("g").fresh(|| async { Ok::<_, Infallible>([cooperative("a")]) });
    for g in [group("g").task(cooperative("a")), fresh] {
        let (first, second) = (runtime(), runtime());
        let tree = Tree::builder(SupervisorConfig::default()).group(Group::one_for_one("outer").group(g)).build();
        first.block_on(tree.start().into_future()).unwrap();
        drop(first);
        second.block_on(async {
            for path in ["outer/g", "outer"] {
                let outcome = timeout(FOREVER, tree.group(path).outcome()).await;
                assert!(matches!(outcome, Ok(Some(TaskOutcome::Aborted { .. }))), "{path}: {outcome:?}");
            }
        });
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}
