//! J08. Used slots leave no memory behind. This test has its own binary, since it counts every byte of the process.

use std::alloc::System;
use std::sync::Arc;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use taskvisor::{ControllerConfig, Supervisor, SupervisorConfig, TaskHandle};
use tests::{OK, Script, cooperative, settle};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const SLOTS: usize = 10_000;
/// The size that small tables may keep after use, in bytes.
const ALLOWED: usize = 16 * 1024;

fn live() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

async fn end(handles: &[TaskHandle]) {
    for handle in handles {
        handle.outcome().await;
    }
}

/// Uses 10,000 slots, each once: one after another, and all at once. Returns the most bytes that were live.
async fn use_slots(supervisor: &Arc<Supervisor>, round: usize) -> usize {
    let script = Script::new([OK]);
    for n in 0..SLOTS {
        let name = format!("{round}, one by one, {n}");
        let slot = supervisor.slot(&name);
        end(&[slot.queue(script.spec(&name)).await.unwrap()]).await;
        assert!(slot.is_idle());
    }
    let mut handles = Vec::new();
    for n in 0..SLOTS {
        let name = format!("{round}, all at once, {n}");
        handles.push(supervisor.slot(&name).queue(cooperative(&name)).await.unwrap());
    }
    settle().await;
    let most = live();
    for handle in handles {
        assert!(handle.cancel().await.unwrap());
    }
    most
}

/// Queues 10,000 submissions in one slot, which are started, refused, canceled, displaced or rejected as busy.
async fn use_one(supervisor: &Arc<Supervisor>, round: usize) {
    let name = format!("one, {round}");
    let slot = supervisor.slot(&name);
    for ends in 0..3 {
        let incumbent = supervisor.add_task(cooperative("taken")).await.unwrap();
        let owner = slot.queue(cooperative(&name)).await.unwrap();
        let mut handles = Vec::new();
        for n in 0..SLOTS {
            let spec = if n % 2 == 0 { Script::new([OK]).spec(&name) } else { cooperative("taken") };
            handles.push(slot.queue(spec.clone()).await.unwrap());
            handles.push(slot.drop_if_running(spec).await.unwrap());
        }
        match ends {
            0 => assert_eq!(slot.cancel_all().await.unwrap(), SLOTS + 1),
            1 => assert!(owner.cancel().await.unwrap()),
            _ => {
                for _ in 0..SLOTS {
                    handles.push(slot.replace(Script::new([OK]).spec(&name)).await.unwrap());
                }
            }
        }
        end(&handles).await;
        assert!(incumbent.cancel().await.unwrap() && slot.is_idle());
    }
}

fn build() -> Arc<Supervisor> {
    let capacities = ControllerConfig { queue_capacity: SLOTS + 1, slot_capacity: SLOTS };
    Supervisor::builder(SupervisorConfig::default()).with_controller(capacities).build()
}

#[tokio::test]
async fn j08_slots_that_were_used_leave_no_memory_behind() {
    // given a runtime that another supervisor has used, and a supervisor that has used a few slots
    let warm = build();
    use_slots(&warm, 0).await;
    use_one(&warm, 0).await;
    warm.shutdown().await.unwrap();
    drop(warm);
    let supervisor = build();
    for n in 0..8 {
        end(&[supervisor.slot("few").queue(Script::new([OK]).spec(&format!("few, {n}"))).await.unwrap()]).await;
    }
    settle().await;
    let before = live();
    // when
    let mut left = Vec::new();
    for round in 1..4 {
        let most = use_slots(&supervisor, round).await;
        assert!(most > before + 100 * SLOTS, "busy slots take memory: the test sees it");
        use_one(&supervisor, round).await;
        settle().await;
        left.push(live());
    }
    // then
    println!("{before}, then {left:?}");
    assert!(left.iter().all(|left| *left <= before + ALLOWED), "{before} bytes before, then {left:?}");
    assert!(left[2] <= left[0] + 100, "it grows: {left:?}");
}
