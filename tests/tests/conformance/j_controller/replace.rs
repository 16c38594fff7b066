//! Replacing: many replacements at once, and owners in every state.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use taskvisor::{EventKind, RestartPolicy, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskSpec, TaskState};
use tests::{ALWAYS, FAIL, OK, Script, Step, constant, cooperative, deaf, ms, secs, settle};
use tokio::time::Instant;

use super::{Result, controlled, controlled_with, end_of, ends_of, queue_all, started, surely};

const STORM: usize = 10_000;

#[tokio::test(start_paused = true)]
async fn j02_a_replace_storm_of_10_000_cancels_the_owner_once_and_runs_the_last() -> Result {
    // given an owner that counts its stop requests and takes a second to stop, and a tail
    let (supervisor, recorder) = controlled(1024, 100);
    let slot = supervisor.slot("s");
    let told = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&told);
    let owner = TaskFn::arc("x", move |ctx: TaskContext| {
        let counts = Arc::clone(&counts);
        async move {
            ctx.cancelled().await;
            counts.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(secs(1)).await;
            Err(TaskError::Canceled)
        }
    });
    let owner = slot.queue(owner).await?;
    let script = Script::new([OK]);
    let tail = queue_all(&slot, &script.spec("tail"), 3).await?;
    settle().await;
    // when
    let mut storm = Vec::new();
    for _ in 0..STORM {
        storm.push(slot.replace(script.spec("x")).await?);
    }
    assert_eq!(slot.len(), 5, "the owner, the last, and the tail");
    let last = storm.pop().unwrap();
    for displaced in &storm {
        assert_eq!(displaced.status().state, TaskState::Ended);
        assert_eq!(end_of(displaced).await, "superseded");
    }
    // then
    assert_eq!(end_of(&last).await, "completed");
    assert_eq!(ends_of(&tail).await, ["completed"; 3]);
    assert_eq!((end_of(&owner).await, told.load(Ordering::SeqCst)), ("canceled", 1));
    settle().await;
    let order = [&owner, &last, &tail[0], &tail[1], &tail[2]].map(taskvisor::TaskHandle::id);
    assert_eq!(started(&recorder), order);
    assert_eq!(recorder.count(EventKind::TaskRemoveRequested), 1);
    assert_eq!(recorder.count(EventKind::ControllerRejected), STORM - 1);
    assert!(slot.is_idle());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn j02_a_replace_storm_from_many_threads() -> Result {
    let (supervisor, recorder) = controlled(1024, 100);
    let script = Script::new([Step::Wait]);
    let storm: Vec<_> = (0..4)
        .map(|_| {
            let (slot, script) = (supervisor.slot("s"), script.clone());
            tokio::spawn(async move {
                let mut handles = Vec::new();
                for n in 0..STORM / 4 {
                    handles.push(slot.replace(script.spec("x")).await.unwrap());
                    if n % 64 == 0 {
                        tokio::task::yield_now().await;
                    }
                }
                handles
            })
        })
        .collect();
    let mut handles = Vec::new();
    for part in storm {
        handles.extend(surely(part).await.unwrap());
    }
    handles.sort_by_key(taskvisor::TaskHandle::id);
    let last = handles.pop().unwrap();
    for handle in &handles {
        let end = end_of(handle).await;
        assert!(end == "superseded" || end == "canceled", "{end}");
    }
    surely(async {
        // The state comes before the first poll of the attempt, which another thread makes.
        while last.status().state != TaskState::Running || script.running() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!((script.most(), script.running(), supervisor.slot("s").len()), (1, 1, 1));
    supervisor.shutdown().await?;
    let (asked, stopped) = (recorder.count(EventKind::TaskRemoveRequested), recorder.count(EventKind::TaskRemoved) - 1);
    assert_eq!(asked, stopped, "each owner was told once");
    Ok(())
}

/// Replaces an owner in this state; checks when the replacement began, in milliseconds, and how the owner ended.
async fn replaced_after(owner: TaskSpec, state: TaskState, expected_ms: u128, end: &str) -> Result {
    let (supervisor, recorder) = controlled(1024, 100);
    let slot = supervisor.slot("s");
    let (first, next, tail) = (slot.queue(owner).await?, Script::new([OK]), Script::new([OK]));
    let tail_handle = slot.queue(tail.spec("tail")).await?;
    tokio::time::sleep(ms(500)).await;
    assert_eq!(first.status().state, state);
    let start = Instant::now();
    let displaced = slot.replace(next.spec("x")).await?;
    let replaces = slot.replace(next.spec("x")).await?;
    assert_eq!(ends_of(&[displaced, replaces, tail_handle]).await, ["superseded", "completed", "completed"]);
    assert_eq!((next.begun_ms(start), tail.begun_ms(start)), (vec![expected_ms], vec![expected_ms]), "{state}");
    assert_eq!(end_of(&first).await, end, "{state}");
    settle().await;
    assert_eq!(recorder.count(EventKind::TaskRemoveRequested), 1, "{state}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j02_replace_cuts_every_wait_short() -> Result {
    let interval = RestartPolicy::Always { interval: Some(secs(100)) };
    let backoff = Script::new([FAIL]).spec("x").with_backoff(constant(secs(100)));
    replaced_after(backoff, TaskState::Backoff, 0, "canceled").await?;
    replaced_after(Script::new([OK]).spec("x").with_restart(interval), TaskState::Interval, 0, "canceled").await?;
    replaced_after(cooperative("x").with_initial_delay(secs(100)), TaskState::Delayed, 0, "canceled").await?;
    replaced_after(cooperative("x").with_restart(ALWAYS), TaskState::Running, 0, "canceled").await?;
    replaced_after(deaf("x").with_stop_timeout(secs(2)), TaskState::Running, 2000, "aborted").await
}

#[tokio::test(start_paused = true)]
async fn j02_replace_of_an_owner_that_stops_already_waits_for_its_end() -> Result {
    let (supervisor, recorder) = controlled(1024, 100);
    let slot = supervisor.slot("s");
    let owner = slot.queue(deaf("x").with_stop_timeout(secs(2))).await?;
    settle().await;
    supervisor.remove_task("x").await?;
    tokio::time::sleep(secs(1)).await;
    assert!(!owner.restart() && !owner.trigger());
    let (next, start) = (Script::new([OK]), Instant::now());
    let replaces = slot.replace(next.spec("x")).await?;
    assert_eq!(ends_of(&[owner, replaces]).await, ["aborted", "completed"]);
    assert_eq!(next.begun_ms(start), [1000], "a second stop does not put its deadline off");
    settle().await;
    assert_eq!(recorder.count(EventKind::TaskRemoveRequested), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j02_replace_before_the_first_poll() -> Result {
    let (supervisor, recorder) = controlled(1024, 100);
    let slot = supervisor.slot("s");
    let (never, next) = (Script::new([OK]), Script::new([OK]));
    let owner = slot.queue(never.spec("x")).await?;
    let replaces = slot.replace(next.spec("x")).await?;
    assert_eq!(ends_of(&[owner, replaces]).await, ["canceled", "completed"]);
    assert_eq!((never.attempts(), next.attempts()), (0, 1));
    settle().await;
    assert_eq!(recorder.count(EventKind::TaskStarting), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j02_replace_of_an_owner_that_waits_for_a_permit() -> Result {
    let config = SupervisorConfig { max_concurrent: 1, ..SupervisorConfig::default() };
    let (supervisor, _) = controlled_with(config, 1024, 100);
    let hog = supervisor.add_task(cooperative("hog")).await?;
    settle().await;
    let slot = supervisor.slot("s");
    let (never, next) = (Script::new([OK]), Script::new([OK]));
    let owner = slot.queue(never.spec("x")).await?;
    settle().await;
    let replaces = slot.replace(next.spec("x")).await?;
    assert_eq!(end_of(&owner).await, "canceled");
    settle().await;
    assert_eq!((replaces.status().state, slot.len()), (TaskState::Pending, 1));
    assert!(hog.cancel().await?);
    assert_eq!((end_of(&replaces).await, never.attempts()), ("completed", 0));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j02_a_replacement_that_is_cancelled_while_it_waits_leaves_the_slot_to_the_tail() -> Result {
    let (supervisor, _) = controlled(1024, 100);
    let slot = supervisor.slot("s");
    let owner = slot.queue(deaf("x").with_stop_timeout(secs(1))).await?;
    let tail = slot.queue(Script::new([OK]).spec("tail")).await?;
    settle().await;
    let replaces = slot.replace(cooperative("x")).await?;
    assert!(replaces.cancel().await?);
    assert_eq!(ends_of(&[replaces, owner, tail]).await, ["canceled", "aborted", "completed"]);
    assert!(slot.is_idle());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j02_replace_of_an_idle_slot_starts_at_once() -> Result {
    let (supervisor, recorder) = controlled(1024, 100);
    let replaces = supervisor.slot("s").replace(Script::new([OK]).spec("x")).await?;
    assert_eq!(end_of(&replaces).await, "completed");
    settle().await;
    assert_eq!(recorder.count(EventKind::TaskRemoveRequested), 0);
    Ok(())
}
