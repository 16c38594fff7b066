//! K1a. A task that comes to a group and goes leaves no memory behind. This test has its own binary, since it counts
//! every byte of the process.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use taskvisor::{Group, SupervisorConfig, Tree};
use tests::{OK, Script, cooperative, settle};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const TASKS: usize = 1_500;

fn live() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

/// Adds tasks and lets them end: one after another, and all at once.
async fn use_group(tree: &Tree) {
    let (group, job) = (tree.group("g"), Script::new([OK]));
    for n in 0..TASKS {
        let task = group.add_task(job.spec(&format!("job {n}"))).await.unwrap();
        assert!(task.outcome().await.is_completed());
    }
    let mut handles = Vec::new();
    for n in 0..TASKS {
        handles.push(group.add_task(cooperative(&format!("task {n}"))).await.unwrap());
    }
    // In another order than they were added.
    for handle in handles.iter().step_by(2).chain(handles.iter().skip(1).step_by(2)) {
        assert!(handle.cancel().await.unwrap());
    }
    drop(handles);
    settle().await;
}

#[tokio::test]
async fn k1a_a_task_that_comes_and_goes_leaves_nothing() {
    for strategy in [Group::one_for_one, Group::one_for_all, Group::rest_for_one] {
        let group = strategy("g").task(cooperative("a")).task(cooperative("b"));
        let tree = Tree::builder(SupervisorConfig::default()).group(group).build();
        tree.start().await.unwrap();
        tree.wait_ready().await;
        use_group(&tree).await;
        let mut left = Vec::new();
        for _ in 0..3 {
            use_group(&tree).await;
            left.push(live());
        }
        println!("{left:?}");
        // The script, which records each attempt, has been dropped by then. What remains are tables at their final
        // size.
        assert!(left[2] <= left[0] + 256, "it grows: {left:?}");
        tree.shutdown().await.unwrap();
    }
}
