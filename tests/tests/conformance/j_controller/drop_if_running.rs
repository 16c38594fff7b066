//! Admission with `drop_if_running`: an owner in any state keeps others out.

use std::sync::Arc;
use std::time::Duration;

use taskvisor::{ControllerSpec, RestartPolicy, SupervisorConfig, TaskContext, TaskFn, TaskSpec, TaskState};
use tests::{ALWAYS, FAIL, OK, Script, Step, constant, cooperative, deaf, ms, secs, settle};

use super::{Result, controlled, controlled_with, end_of};

/// Checks that `drop_if_running` leaves an owner alone that is in this state after half a second.
async fn busy_in(owner: TaskSpec, state: TaskState, stops: bool) -> Result {
    let (supervisor, _) = controlled(1024, 100);
    let slot = supervisor.slot("s");
    let owner = slot.queue(owner).await?;
    let intruder = Script::new([OK]);
    assert_eq!(end_of(&slot.drop_if_running(intruder.spec("y")).await?).await, "busy", "before its first poll");
    settle().await;
    if stops {
        supervisor.remove_task("x").await?;
    }
    tokio::time::sleep(ms(500)).await;
    assert_eq!(owner.status().state, state);
    let dropped = slot.drop_if_running(intruder.spec("y")).await?;
    assert_eq!(dropped.status().state, TaskState::Ended);
    assert_eq!(dropped.outcome().await.to_string(), "rejected: its slot is busy");
    tokio::time::sleep(ms(100)).await;
    assert_eq!((owner.status().state, slot.len()), (state, 1), "the owner goes on");
    // when the owner has ended, the next submission is taken
    owner.cancel().await?;
    assert_eq!(end_of(&slot.drop_if_running(intruder.spec("y")).await?).await, "completed");
    assert_eq!(intruder.attempts(), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j03_drop_while_running_stopping_or_waiting_is_rejected_as_busy() -> Result {
    let interval = RestartPolicy::Always { interval: Some(secs(10)) };
    busy_in(cooperative("x"), TaskState::Running, false).await?;
    busy_in(deaf("x").with_stop_timeout(secs(2)), TaskState::Stopping, true).await?;
    busy_in(Script::new([FAIL]).spec("x").with_backoff(constant(secs(10))), TaskState::Backoff, false).await?;
    busy_in(Script::new([OK]).spec("x").with_restart(interval), TaskState::Interval, false).await?;
    busy_in(cooperative("x").with_initial_delay(secs(10)), TaskState::Delayed, false).await
}

#[tokio::test(start_paused = true)]
async fn j03_drop_while_the_owner_waits_for_a_permit_is_rejected_as_busy() -> Result {
    let config = SupervisorConfig { max_concurrent: 1, ..SupervisorConfig::default() };
    let (supervisor, _) = controlled_with(config, 1024, 100);
    let hog = supervisor.add_task(cooperative("hog")).await?;
    settle().await;
    let slot = supervisor.slot("s");
    let owner = slot.drop_if_running(Script::new([OK]).spec("x")).await?;
    settle().await;
    assert_eq!(owner.status().state, TaskState::Pending);
    assert_eq!(end_of(&slot.drop_if_running(cooperative("y")).await?).await, "busy");
    assert!(hog.cancel().await?);
    assert_eq!(end_of(&owner).await, "completed");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j03_drop_finds_a_slot_busy_that_hands_over() -> Result {
    let (supervisor, _) = controlled(1024, 100);
    let slot = supervisor.slot("s");
    let first = slot.queue(Script::new([OK]).spec("x")).await?;
    let second = slot.queue(Script::new([Step::Succeed(secs(1))]).spec("x")).await?;
    assert_eq!(end_of(&first).await, "completed");
    assert_eq!(end_of(&slot.drop_if_running(cooperative("x")).await?).await, "busy");
    assert_eq!(end_of(&second).await, "completed");
    assert_eq!(end_of(&slot.drop_if_running(Script::new([OK]).spec("x")).await?).await, "completed");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j03_an_owner_that_repeats_at_once_is_never_caught_idle() -> Result {
    let (supervisor, _) = controlled(1024, 100);
    let slot = supervisor.slot("s");
    let owner = slot.queue(Script::new([Step::Succeed(ms(1))]).spec("x").with_restart(ALWAYS)).await?;
    for _ in 0..1000 {
        assert_eq!(end_of(&slot.drop_if_running(cooperative("y")).await?).await, "busy");
        tokio::time::sleep(Duration::from_micros(100)).await;
    }
    assert!(owner.status().attempt > 10);
    let taken = supervisor.submit(ControllerSpec::drop_if_running(cooperative("y"))).await?;
    assert_eq!(taken.status().state, TaskState::Pending, "its own slot");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j03_a_task_that_is_rejected_is_dropped_though_its_handle_is_kept() -> Result {
    let (supervisor, _) = controlled(1024, 1);
    let slot = supervisor.slot("s");
    slot.queue(cooperative("owner")).await?;
    slot.queue(cooperative("behind")).await?;
    let held = Arc::new(());
    let task = || {
        let held = Arc::clone(&held);
        TaskFn::arc("x", move |_: TaskContext| {
            let _held = Arc::clone(&held);
            async { Ok(()) }
        })
    };
    let busy = slot.drop_if_running(task()).await?;
    let full = slot.queue(task()).await?;
    assert_eq!(Arc::strong_count(&held), 1, "nothing else holds it");
    assert_eq!((end_of(&busy).await, end_of(&full).await), ("busy", "full"));
    Ok(())
}
