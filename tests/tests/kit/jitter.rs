//! Jitter from a seed.

use std::time::Duration;

use taskvisor::test::{Recorder, Script};
use taskvisor::{Group, RuntimeError, Strategy, SupervisorConfig, TaskSpec, Tree};
use tests::{constant, secs};

use crate::full;

fn failing(name: &str) -> TaskSpec {
    TaskSpec::from(Script::new(name).fails("boom").repeats_last()).with_backoff(full(secs(1_000_000)))
}

/// The first delays of the task `x`, in a tree with these other tasks.
async fn delays(seed: Option<u64>, others: &[&str]) -> Vec<Duration> {
    let tasks = others.iter().copied().chain(["x"]).map(failing);
    let tree = Tree::builder(SupervisorConfig::default()).tasks(tasks).build();
    let recorder = Recorder::attach(tree.supervisor());
    if let Some(seed) = seed {
        tree.supervisor().seed_jitter(seed);
    }
    tree.start().await.unwrap();
    tokio::time::sleep(secs(100_000_000)).await;
    let delays = recorder.events().into_iter().filter(|event| event.task.as_deref() == Some("x"));
    delays.filter_map(|event| event.delay).take(8).collect()
}

#[tokio::test(start_paused = true)]
async fn a_seed_repeats_the_delays_whoever_else_fails() {
    let first = delays(Some(1), &[]).await;
    assert_eq!(first.len(), 8);
    assert_eq!(delays(Some(1), &[]).await, first);
    assert_eq!(delays(Some(1), &["a", "y"]).await, first, "only path and attempt count");
    assert_ne!(delays(Some(2), &[]).await, first);
    assert_ne!(delays(None, &[]).await, delays(None, &[]).await, "random without a seed");
    assert!(first.windows(2).all(|pair| pair[0] != pair[1]), "each attempt draws anew: {first:?}");
    assert!(first.iter().all(|delay| *delay <= secs(1_000_000)), "{first:?}");
}

/// Like `start_paused`, but each of two threads has its own runtime. A seed affects only its own supervisor.
#[test]
fn supervisors_do_not_share_a_seed() {
    let run = |seed| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async move {
            let noise = Tree::builder(SupervisorConfig::default()).task(failing("x")).build();
            noise.supervisor().seed_jitter(99);
            noise.start().await.unwrap();
            delays(Some(seed), &[]).await
        })
    };
    let other = std::thread::spawn(move || run(1));
    assert_eq!(run(1), other.join().unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_seed_reaches_the_backoff_of_groups() -> Result<(), RuntimeError> {
    let run = async |seed| -> Result<Vec<Duration>, RuntimeError> {
        let child = TaskSpec::from(Script::new("x").fails("boom").repeats_last()).with_backoff(constant(secs(1)));
        let group = Group::one_for_one("g").with_limit(0, secs(60)).with_backoff(full(secs(1_000_000))).task(child);
        let tree = Tree::builder(SupervisorConfig::default()).with_strategy(Strategy::OneForOne).group(group).build();
        tree.supervisor().seed_jitter(seed);
        let recorder = Recorder::attach(tree.supervisor());
        tree.start().await?;
        tokio::time::sleep(secs(100_000_000)).await;
        let starts = recorder.events().into_iter().filter(|event| event.attempt == Some(1));
        Ok(starts.map(|event| event.at).take(12).collect())
    };
    let first = run(1).await?;
    assert_eq!(first.len(), 12);
    assert_eq!(run(1).await?, first);
    assert_ne!(run(2).await?, first);
    Ok(())
}
