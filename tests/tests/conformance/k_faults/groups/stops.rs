//! How the layers of a stop share the grace.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use taskvisor::{Group, RuntimeError, StopLimit, SupervisorConfig, TaskContext, TaskFn, TaskSpec, Tree};
use tests::{deaf, ms, secs};
use tokio::time::{Instant, sleep};

use super::Result;
use crate::journal::Journal;

fn with_grace(grace: std::time::Duration) -> SupervisorConfig {
    SupervisorConfig { grace, ..SupervisorConfig::default() }
}

fn timed(journal: &Journal) -> Vec<(u128, String)> {
    journal.timed()
}

#[tokio::test(start_paused = true)]
async fn k6a_a_stop_timeout_that_was_said_is_kept_whole() -> Result {
    let journal = Journal::new();
    let [(first, _), (second, _)] = ["first", "second"].map(|name| journal.slow(name, ms(300)));
    let (third, _) = journal.slow("third", ms(7_900));
    let third = third.with_stop_timeout(secs(8)).with_after(["second"]);
    let tree = Tree::builder(with_grace(secs(9))).task(first).task(second.with_after(["first"])).task(third).build();
    tree.start().await?;
    tree.wait_ready().await;
    sleep(secs(1)).await;
    journal.take();
    tree.shutdown().await?;
    let expected = [(8_900, "-third"), (9_200, "-second"), (9_500, "-first")];
    assert_eq!(timed(&journal), expected.map(|(at, what)| (at, what.to_owned())));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k6a_a_task_that_needs_two_seconds_of_five_has_them() -> Result {
    let journal = Journal::new();
    let (request, _) = journal.slow("request", secs(2));
    let [(pool, _), (store, _)] = journal.children(["pool", "store"]);
    let tree = Tree::builder(with_grace(secs(5)))
        .task(store)
        .task(pool.with_after(["store"]))
        .task(request.with_after(["pool"]))
        .build();
    tree.start().await?;
    tree.wait_ready().await;
    journal.take();
    tree.shutdown().await?;
    assert_eq!(journal.take(), ["-request", "-pool", "-store"]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k6a_two_thousand_layers_share_the_grace() -> Result {
    let names: Vec<String> = (0..2_000).map(|n| format!("t{n}")).collect();
    let group = names.iter().fold(Group::rest_for_one("g"), |group, name| {
        group.task(if name == "t1999" { deaf(name) } else { tests::cooperative(name) })
    });
    let tree = Tree::builder(with_grace(secs(10))).group(group).build();
    tree.start().await?;
    tree.wait_ready().await;
    let start = Instant::now();
    let Err(RuntimeError::GraceExceeded { stuck, limits, .. }) = tree.shutdown().await else { panic!() };
    assert_eq!((stuck.as_slice(), limits.as_slice()), (&["g/t1999".to_owned()][..], &[StopLimit::Share][..]));
    assert_eq!(start.elapsed(), secs(5), "half of it is for the others");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k6a_the_verdict_says_which_bound_was_exceeded() -> Result {
    let tree = Tree::builder(with_grace(secs(10)))
        .task(deaf("last"))
        .task(deaf("layer").with_after(["last"]))
        .task(deaf("own").with_stop_timeout(secs(2)).with_after(["last"]))
        .build();
    tree.start().await?;
    tree.wait_ready().await;
    let error = tree.shutdown().await.unwrap_err();
    let text = "3 tasks not stopped in time (grace 10s): last, layer (past the share of its layer), own (past its \
                `stop_timeout`)";
    assert_eq!(error.to_string(), text);
    let RuntimeError::GraceExceeded { stuck, limits, .. } = error else { panic!() };
    assert_eq!(stuck, ["last", "layer", "own"]);
    assert_eq!(limits, [StopLimit::Grace, StopLimit::Share, StopLimit::StopTimeout]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k6a_a_forced_shutdown_is_said_to_be_forced() -> Result {
    let tree = Tree::builder(with_grace(secs(10))).task(deaf("a")).task(deaf("b").with_after(["a"])).build();
    tree.start().await?;
    tree.wait_ready().await;
    let shutdown = tree.shutdown();
    sleep(secs(1)).await;
    drop(tree.supervisor().shutdown_now());
    let Err(RuntimeError::ShutdownForced { after, stuck, .. }) = shutdown.await else { panic!() };
    assert_eq!((after, stuck), (secs(1), vec!["a".to_owned(), "b".to_owned()]));
    Ok(())
}

/// Added tasks are a layer of their own, which stops before the tree.
#[tokio::test(start_paused = true)]
async fn k6a_added_tasks_leave_the_tree_its_reserve() -> Result {
    let journal = Journal::new();
    let [(a, _), (b, _)] = ["a", "b"].map(|name| journal.slow(name, ms(900)));
    let tree = Tree::builder(with_grace(secs(10))).task(a).task(b.with_after(["a"])).build();
    tree.start().await?;
    tree.wait_ready().await;
    tree.supervisor().add_task(deaf("added")).await?;
    journal.take();
    let error = tree.shutdown().await.unwrap_err();
    assert_eq!(error.to_string(), "1 task not stopped in time (grace 10s): added (past the share of its layer)");
    let expected = [(8_900, "-b"), (9_800, "-a")];
    assert_eq!(timed(&journal), expected.map(|(at, what)| (at, what.to_owned())));
    Ok(())
}

/// An unlimited grace is unlimited for each layer.
#[tokio::test(start_paused = true)]
async fn k6a_a_grace_without_end_has_no_shares() -> Result {
    let journal = Journal::new();
    let [(a, _), (b, _), (added, _)] = ["a", "b", "added"].map(|name| journal.slow(name, secs(100_000)));
    let tree = Tree::builder(with_grace(std::time::Duration::MAX)).task(a).task(b.with_after(["a"])).build();
    tree.start().await?;
    tree.wait_ready().await;
    tree.supervisor().add_task(added).await?;
    sleep(secs(1)).await;
    journal.take();
    tree.shutdown().await?;
    assert_eq!(journal.take(), ["-added", "-b", "-a"]);
    Ok(())
}

/// A task that blocks its thread until the sender is dropped, and the flag that it does.
fn blocked(name: &'static str) -> (TaskSpec, mpsc::Sender<()>, Arc<AtomicBool>) {
    let ((free, wait), blocks) = (mpsc::channel::<()>(), Arc::new(AtomicBool::new(false)));
    let (wait, told) = (Arc::new(Mutex::new(wait)), Arc::clone(&blocks));
    let task = TaskFn::arc(name, move |_: TaskContext| {
        let (wait, told) = (Arc::clone(&wait), Arc::clone(&told));
        async move {
            tokio::task::yield_now().await;
            told.store(true, Ordering::SeqCst);
            let _ = wait.lock().unwrap().recv();
            Ok(())
        }
    });
    (TaskSpec::inherit(task), free, blocks)
}

/// The stop gives up on a blocked task after its share; the tasks that it comes after are then stopped in order.
#[test]
fn k3b_a_layer_that_ignores_its_abort_does_not_eat_the_grace() {
    for nested in [false, true] {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(3).enable_all().build().unwrap();
        let journal = runtime.block_on(async { Journal::new() });
        let [(first, _), (second, _)] = ["first", "second"].map(|name| journal.slow(name, ms(1)));
        let (third, free, blocks) = blocked("third");
        let builder = Tree::builder(with_grace(secs(20)));
        let third = third.with_stop_timeout(ms(50));
        let tree = if nested {
            let inner = Group::rest_for_one("inner")
                .with_after(["first"])
                .task(second)
                .group(Group::one_for_one("g").task(third));
            builder.task(first).group(inner).build()
        } else {
            builder.task(first).task(second.with_after(["first"])).task(third.with_after(["second"])).build()
        };
        runtime.block_on(async {
            tree.start().await.unwrap();
            while journal.len_so_far() < 2 || !blocks.load(Ordering::SeqCst) {
                sleep(ms(1)).await;
            }
            journal.take();
            let shutdown = tree.shutdown();
            // Both have stopped long before the grace is over.
            while journal.len_so_far() < 2 {
                sleep(ms(5)).await;
            }
            assert_eq!(journal.take(), ["-second", "-first"]);
            drop(free);
            // The task returned before the grace was over.
            shutdown.await.unwrap();
        });
        thread::spawn(move || drop(runtime)).join().unwrap();
    }
}
