//! Calls that are counted: of restarts, and of replicas with many keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fleet_tests::Proxy;
use taskvisor::fleet::Fleet;
use taskvisor::{BackoffPolicy, RestartPolicy, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskSpec, Tree};
use tokio::time::sleep;

use crate::servers::{ENGINES, Servers, store};
use crate::{Effort, Failure};

const RESTARTS: u64 = 1_000;
const KEYS: usize = 10_000;
const REPLICAS: usize = 3;

/// A restart of a singleton costs no call.
pub(crate) async fn restarts(servers: &Servers) -> Result<(), Failure> {
    println!("| engine | restarts of a singleton | calls for them | calls in all, without renewals |");
    println!("| --- | --- | --- | --- |");
    for engine in ENGINES {
        let store = store(engine, &servers.url(engine)).await?;
        let (calls, runs) = (Arc::clone(&store.calls), Arc::new(AtomicU64::new(0)));
        let counted = Arc::clone(&runs);
        let task = TaskFn::arc("ledger", move |ctx: TaskContext| {
            let run = counted.fetch_add(1, Ordering::Relaxed);
            async move {
                if run < RESTARTS {
                    return Err(TaskError::error("it fails"));
                }
                ctx.cancelled().await;
                Ok(())
            }
        });
        let tree = Tree::builder(config())
            .with_fleet(Fleet::new(store).name("restarts"))
            .task(TaskSpec::inherit(task).with_singleton())
            .build();
        tree.start().await?;
        until(|| runs.load(Ordering::Relaxed) > 0).await?;
        let [_, acquisitions, others] = calls.now();
        until(|| runs.load(Ordering::Relaxed) > RESTARTS).await?;
        let [_, more, more_others] = calls.now();
        let (before, after) = (acquisitions + others, more + more_others);
        println!("| {engine} | {RESTARTS} | {} | {after} |", after - before);
        tree.shutdown().await?;
        if after != before {
            return Err(format!("{engine}: restarts took {} calls, expected none", after - before).into());
        }
    }
    println!();
    Ok(())
}

/// Replicas that share many keys.
pub(crate) async fn many_keys(servers: &Servers, effort: &Effort) -> Result<(), Failure> {
    println!("{REPLICAS} replicas with {KEYS} keys, ttl 15 s, watched for {} s", effort.watching.as_secs());
    println!(
        "| engine | all keys run after | renewals a second, in all | questions for keys a second, in all | bytes a second, in all |"
    );
    println!("| --- | --- | --- | --- | --- |");
    for engine in ENGINES {
        let (mut trees, mut calls, mut proxies) = (Vec::new(), Vec::new(), Vec::new());
        let running = Arc::new(AtomicU64::new(0));
        let begin = Instant::now();
        for _ in 0..REPLICAS {
            let proxy = Proxy::start(servers.address(engine)).await?;
            let store = servers.store_by(engine, proxy.address()).await?;
            calls.push(Arc::clone(&store.calls));
            proxies.push(proxy);
            let mut tree = Tree::builder(config()).with_fleet(Fleet::new(store).name("many"));
            for number in 0..KEYS {
                let running = Arc::clone(&running);
                let task = TaskFn::arc(format!("tenant-{number:05}"), move |ctx: TaskContext| {
                    running.fetch_add(1, Ordering::Relaxed);
                    async move {
                        ctx.cancelled().await;
                        Ok(())
                    }
                });
                tree = tree.task(TaskSpec::inherit(task).with_singleton());
            }
            let tree = tree.build();
            tree.start().await?;
            trees.push(tree);
        }
        until(|| running.load(Ordering::Relaxed) >= KEYS as u64).await?;
        let took = begin.elapsed();
        // The first questions are over.
        sleep(Duration::from_secs(5)).await;
        let now = || {
            let sums = calls.iter().fold([0; 3], |sum: [u64; 3], calls| {
                let [a, b, c] = calls.now();
                [sum[0] + a, sum[1] + b, sum[2] + c]
            });
            let bytes: u64 = proxies.iter().map(|proxy| proxy.bytes().0 + proxy.bytes().1).sum();
            (sums, bytes)
        };
        let (before, bytes_before) = now();
        sleep(effort.watching).await;
        let (after, bytes) = now();
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let rate = |count: u64| count as f64 / effort.watching.as_secs_f64();
        let renewals = rate(after[0] - before[0]);
        let (asked, sent) = (rate(after[1] - before[1]), rate(bytes - bytes_before));
        println!("| {engine} | {:.1} s | {renewals:.2} | {asked:.2} | {sent:.0} |", took.as_secs_f64());
        for tree in trees {
            tree.shutdown().await?;
        }
        if renewals > 1.0 {
            return Err(format!("{engine}: {renewals:.2} renewals a second, expected at most 1").into());
        }
    }
    println!();
    Ok(())
}

fn config() -> SupervisorConfig {
    let backoff = BackoffPolicy { first: Duration::ZERO, max: Duration::ZERO, ..BackoffPolicy::default() };
    SupervisorConfig { backoff, restart: RestartPolicy::OnFailure, ..SupervisorConfig::default() }
}

async fn until(is_so: impl Fn() -> bool) -> Result<(), Failure> {
    for _ in 0..6_000 {
        if is_so() {
            return Ok(());
        }
        sleep(Duration::from_millis(10)).await;
    }
    Err("it takes more than a minute".into())
}
