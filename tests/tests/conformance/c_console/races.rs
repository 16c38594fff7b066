//! Snapshots while everything changes: no node says what cannot be at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use taskvisor::fleet::Fleet;
use taskvisor::{Group, Ready, RestartPolicy, SlotSpec, SupervisorConfig, Tree};
use tests::{ALWAYS, FAIL, OK, PANIC, Script, Step, constant, cooperative, ms, secs};
use tokio::task::yield_now;
use tokio::time::{advance, sleep};

use super::{Result, check, flat};

/// A tree in which everything happens all the time.
fn storm() -> Tree {
    let steps = [FAIL, OK, PANIC, Step::Succeed(ms(1))].into_iter().cycle().take(1_000);
    let flaky = |name: &str| Script::new(steps.clone().collect::<Vec<_>>()).spec(name).with_backoff(constant(ms(1)));

    let interval = RestartPolicy::Always { interval: Some(ms(1)) };
    let made =
        || async { Ok::<_, taskvisor::TaskError>(vec![cooperative("x"), Script::new([Step::Fail(ms(2))]).spec("y")]) };
    Tree::builder(SupervisorConfig { max_concurrent: 12, ..SupervisorConfig::default() })
        .with_fleet(Fleet::local())
        .with_slot(SlotSpec::new("s"))
        .with_named_limit("db", 1)
        .task(flaky("a").with_restart(interval).with_named_limit("db"))
        .task(flaky("b").with_restart(interval).with_named_limit("db").with_ready(Ready::FirstSuccess))
        .task(flaky("single").with_restart(ALWAYS).with_singleton())
        .group(
            Group::rest_for_one("g")
                .with_limit(1_000_000, secs(3_600))
                .with_max_starting(1)
                .task(flaky("c").with_restart(interval))
                .task(cooperative("d").with_after(["c"]).with_initial_delay(ms(1)))
                .group(
                    Group::one_for_all("inner")
                        .with_backoff(constant(ms(1)))
                        .with_limit(1, ms(1))
                        .task(flaky("e").with_restart(ALWAYS)),
                ),
        )
        .group(Group::one_for_one("made").with_backoff(constant(ms(1))).with_limit(0, secs(1)).fresh(made))
        .build()
}

/// Reads, while other calls restart, pause, trigger and submit.
async fn everything_at_once(rounds: usize, is_paused: bool) -> Result {
    let tree = Arc::new(storm());
    tree.start().await?;
    let (over, looks) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let reads = tokio::spawn({
        let (tree, over, looks) = (Arc::clone(&tree), Arc::clone(&over), Arc::clone(&looks));
        async move {
            while !over.load(Ordering::SeqCst) {
                for node in flat(tree.snapshot()) {
                    check(&node);
                    if let Some(node) = tree.supervisor().node(&node.path) {
                        check(&node);
                    }
                    let _ = tree.supervisor().detail(&node.path);
                }
                looks.fetch_add(1, Ordering::SeqCst);
                yield_now().await;
            }
        }
    });
    let paths = ["a", "b", "single", "g/c", "g/d", "g/inner/e"];
    for round in 0.. {
        // It is looked at while things change.
        if round >= rounds && looks.load(Ordering::SeqCst) > 10 {
            break;
        }
        let path = paths[round % paths.len()];
        let child = tree.child(path);
        match round % 7 {
            0 => drop(child.restart()),
            1 => drop(child.trigger()),
            2 => drop(child.pause()),
            3 => drop(child.resume()),
            4 => drop(tree.group("g").restart()),
            5 => drop(tree.slot("s").submit(cooperative(&format!("job {round}"))).await),
            _ => drop(tree.group("g").pause() && tree.group("g").resume()),
        }
        if round % 5 == 0 {
            let job = tree.slot("s").snapshot().owners.into_iter().next();
            if let Some(job) = job {
                let _ = tree.supervisor().remove_task(&job.path).await;
            }
        }
        if round % 16 == 0 {
            // The reader is never idle, so paused time does not advance by itself.
            if is_paused { advance(ms(1)).await } else { sleep(ms(1)).await }
        }
        yield_now().await;
    }
    over.store(true, Ordering::SeqCst);
    reads.await.expect("no node says what cannot be at once");
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn c01_no_node_says_what_cannot_be_on_one_thread() -> Result {
    everything_at_once(1_000, true).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c01_no_node_says_what_cannot_be_on_two_workers() -> Result {
    everything_at_once(1_000, false).await
}
