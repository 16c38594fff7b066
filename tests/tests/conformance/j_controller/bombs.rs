//! Tasks that panic when dropped: the panic must not reach any other task or caller.

use taskvisor::{ControllerSpec, TaskContext, TaskFn, TaskHandle, TaskSpec, TaskState};
use tests::{OK, Script, cooperative, deaf, secs, settle};

use super::{Result, controlled, end_of, queued, surely};

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "a bomb");
    }
}

/// A task whose value panics when dropped. The supervisor holds the last reference once it is submitted and its handle
/// is dropped.
fn bomb(name: &str) -> TaskSpec {
    let bomb = Bomb;
    let task = TaskFn::arc(name, move |_: TaskContext| {
        let _ = &bomb;
        async { Ok(()) }
    });
    TaskSpec::inherit(task)
}

/// Checks that the call to the supervisor returns, without the panic of another task's drop.
async fn unharmed<T: Send + 'static>(call: impl Future<Output = T> + Send + 'static) -> T {
    surely(tokio::spawn(call)).await.expect("a panic in the drop of a task that waited reached the caller")
}

#[tokio::test(start_paused = true)]
async fn j02_a_displaced_task_that_panics_when_dropped_does_not_save_the_owner() -> Result {
    let (supervisor, _) = controlled(1024, 100);
    let slot = supervisor.slot("s");
    let owner = slot.queue(deaf("x").with_stop_timeout(secs(1))).await?;
    settle().await;
    drop(slot.replace(bomb("y")).await?);
    let next = unharmed({
        let slot = slot.clone();
        async move { slot.replace(Script::new([OK]).spec("z")).await }
    })
    .await?;
    assert_eq!((end_of(&owner).await, end_of(&next).await), ("aborted", "completed"));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j04_a_refused_task_that_panics_when_dropped_does_not_block_the_slot() -> Result {
    let (supervisor, _) = controlled(1024, 100);
    let slot = supervisor.slot("s");
    let owner = slot.queue(cooperative("x")).await?;
    drop(slot.queue(bomb("taken")).await?);
    let refused = slot.queue(cooperative("taken")).await?;
    let next = slot.queue(Script::new([OK]).spec("y")).await?;
    supervisor.add_task(cooperative("taken")).await?;
    settle().await;
    assert!(owner.cancel().await?);
    assert_eq!((end_of(&refused).await, end_of(&next).await), ("refused", "completed"));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j01_clearing_a_slot_survives_tasks_that_panic_when_dropped() -> Result {
    let (supervisor, _) = controlled(1024, 100);
    let slot = supervisor.slot("s");
    let owner = slot.queue(cooperative("x")).await?;
    drop(slot.queue(bomb("y")).await?);
    let waits = slot.queue(cooperative("z")).await?;
    let outcome = tokio::spawn({
        let waits = waits.clone();
        async move { waits.outcome().await }
    });
    settle().await;
    let told = unharmed(async move { slot.cancel_all().await }).await?;
    assert_eq!((told, end_of(&owner).await), (3, "canceled"));
    assert!(surely(outcome).await.is_ok(), "those who wait are woken");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j05_a_shutdown_survives_tasks_that_panic_when_dropped() -> Result {
    let (supervisor, _) = controlled(1024, 100);
    let owner = supervisor.submit(queued(cooperative("x"))).await?;
    drop(supervisor.submit(queued(bomb("y"))).await?);
    let waits = supervisor.submit(queued(cooperative("z"))).await?;
    let shutdown = supervisor.handle();
    unharmed(async move { shutdown.shutdown().await }).await?;
    assert_eq!((end_of(&waits).await, end_of(&owner).await), ("shutting_down", "canceled"));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j03_a_busy_task_that_panics_when_dropped_disturbs_nobody() -> Result {
    let (supervisor, _) = controlled(1024, 100);
    let owner = supervisor.submit(queued(cooperative("x"))).await?;
    let busy: TaskHandle = supervisor.submit(ControllerSpec::drop_if_running(bomb("y")).with_slot("s")).await?;
    assert_eq!(end_of(&busy).await, "busy");
    drop(busy);
    settle().await;
    assert_eq!(owner.status().state, TaskState::Running);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j01_an_owner_that_panics_when_dropped_hands_its_slot_over() -> Result {
    let (supervisor, _) = controlled(1024, 100);
    let slot = supervisor.slot("s");
    for _ in 0..3 {
        drop(slot.queue(bomb("x")).await?);
    }
    let last = slot.queue(Script::new([OK]).spec("y")).await?;
    assert_eq!(end_of(&last).await, "completed");
    Ok(())
}
