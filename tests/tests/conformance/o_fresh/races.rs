//! Calls of the function beside restarts, additions, stops and shutdowns, on one thread and on two.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use taskvisor::{Group, RuntimeError, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskSpec, Tree};
use tests::{constant, cooperative, ms, settle};
use tokio::task::yield_now;

use super::{Calls, Result};

/// What the children of one run share; two must not exist at a time.
struct Alone(Arc<AtomicUsize>);

impl Alone {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        assert_eq!(count.fetch_add(1, Ordering::SeqCst), 0, "what the last run shared is dropped before");
        Self(Arc::clone(count))
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn fresh(calls: &Calls, alive: &Arc<AtomicUsize>) -> Group {
    let (calls, alive) = (calls.clone(), Arc::clone(alive));
    let make = move || {
        let (call, alive) = (calls.next(), Arc::clone(&alive));
        async move {
            let shared = Arc::new(Alone::new(&alive));
            for _ in 0..call % 3 {
                yield_now().await;
            }
            if call % 5 == 4 {
                return Err("refused");
            }
            let child = |index: usize| {
                let shared = Arc::clone(&shared);
                let task = TaskFn::arc(format!("c{index}"), move |ctx: TaskContext| {
                    let shared = Arc::clone(&shared);
                    async move {
                        if call % 4 == 2 && index == 1 {
                            return Err(TaskError::Fail { reason: "down".into() });
                        }
                        ctx.cancelled().await;
                        drop(shared);
                        Ok(())
                    }
                });
                TaskSpec::inherit(task)
            };
            Ok((0..call % 4).map(child).collect::<Vec<_>>())
        }
    };
    let group = Group::one_for_all("g").with_limit(0, ms(1)).with_backoff(constant(ms(1)));
    group.fresh(make)
}

async fn round(seed: usize) -> Result {
    let (calls, alive) = (Calls::default(), Arc::new(AtomicUsize::new(0)));
    let outer = Group::one_for_all("outer").with_backoff(constant(ms(1))).group(fresh(&calls, &alive));
    let tree = Arc::new(Tree::builder(SupervisorConfig::default()).group(outer).build());
    tree.start().await?;
    let mut acts = Vec::new();
    for act in 0..4 {
        let tree = Arc::clone(&tree);
        acts.push(tokio::spawn(async move {
            let (outer, group) = (tree.group("outer"), tree.group("outer/g"));
            for turn in 0..6 {
                match (seed + act + turn) % 6 {
                    0 => drop(group.restart()),
                    1 => drop(outer.restart()),
                    2 => match group.add_task(cooperative(&format!("x{act}"))).await {
                        Ok(_)
                        | Err(
                            RuntimeError::TaskAlreadyExists { .. }
                            | RuntimeError::GroupNotRunning { .. }
                            | RuntimeError::ShuttingDown,
                        ) => {}
                        Err(other) => panic!("{other}"),
                    },
                    3 => drop(group.child("c0").restart()),
                    4 if seed % 3 == 0 => drop(group.cancel().await.unwrap()),
                    _ => {}
                }
                for _ in 0..(seed * 7 + act * 3 + turn) % 9 {
                    yield_now().await;
                }
                drop((tree.snapshot(), tree.health()));
            }
        }));
    }
    if seed % 2 == 0 {
        for act in acts {
            act.await.unwrap();
        }
        if seed % 3 != 0 {
            tree.wait_ready().await;
        }
        tree.shutdown().await?;
    } else {
        tree.shutdown().await?;
        for act in acts {
            act.await.unwrap();
        }
    }
    settle().await;
    drop(tree);
    assert_eq!(alive.load(Ordering::SeqCst), 0, "round {seed}: nothing of any run is left");
    assert_eq!(Arc::strong_count(&calls.0), 1, "round {seed}: the function is dropped");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o52_nothing_is_left_of_any_run_on_one_thread() -> Result {
    for seed in 0..200 {
        round(seed).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o52_nothing_is_left_of_any_run_on_two_threads() -> Result {
    for seed in 0..200 {
        round(seed).await?;
    }
    Ok(())
}
