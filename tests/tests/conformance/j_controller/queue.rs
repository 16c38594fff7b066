//! Queues: their order, at most one running task, and full slots.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use taskvisor::{
    AdmissionPolicy, ControllerSpec, EventKind, SlotSpec, Supervisor, SupervisorConfig, TaskId, TaskState,
};
use tests::{FAIL, OK, Script, Step, cooperative, ms, secs, settle, supervisor};
use tokio::time::Instant;

use super::{Result, controlled, end_of, ends_of, ids, queue_all, queued, started, surely};

#[tokio::test(start_paused = true)]
async fn j01_a_queue_is_first_come_first_served_and_never_runs_two_at_once() -> Result {
    // given
    let (supervisor, recorder) = controlled(1024, 100);
    let slot = supervisor.slot("s");
    let script = Script::new([Step::Succeed(secs(1))]);
    let start = Instant::now();
    // when
    let handles = queue_all(&slot, &script.spec("x"), 50).await?;
    assert_eq!(slot.len(), 50);
    // then
    assert_eq!(ends_of(&handles).await, ["completed"; 50]);
    assert_eq!(start.elapsed(), secs(50));
    assert_eq!(started(&recorder), ids(&handles));
    assert_eq!(script.most(), 1);
    assert!(slot.is_idle());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j01_the_next_starts_whatever_became_of_the_owner() -> Result {
    let supervisor = supervisor();
    let slot = supervisor.slot("s");
    let owners = [Step::Fatal, Step::Panic(ms(1)), Step::Cancel, FAIL, Step::Wait, Step::Deaf];
    let mut handles = Vec::new();
    for step in owners {
        let spec = Script::new([step]).spec("x").with_max_retries(0).with_stop_timeout(ms(1));
        handles.push(slot.queue(spec).await?);
    }
    let last = slot.queue(Script::new([OK]).spec("x")).await?;
    tokio::time::sleep(secs(1)).await;
    assert_eq!(slot.len(), 3, "two that run on, and the last");
    assert!(handles[4].cancel().await?);
    assert!(handles[5].cancel().await?);
    let ends = ["fatal", "exhausted", "canceled", "exhausted", "canceled", "aborted"];
    assert_eq!(ends_of(&handles).await, ends);
    assert_eq!(end_of(&last).await, "completed");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j01_an_owner_that_retries_keeps_its_slot_until_it_is_exhausted() -> Result {
    let supervisor = supervisor();
    let slot = supervisor.slot("s");
    let owner =
        slot.queue(Script::new([FAIL]).spec("x").with_max_retries(3).with_backoff(tests::constant(secs(1)))).await?;
    let next = Script::new([OK]);
    let start = Instant::now();
    let waits = slot.queue(next.spec("x")).await?;
    assert_eq!(end_of(&waits).await, "completed");
    assert_eq!(next.begun_ms(start), [3000]);
    assert_eq!(owner.outcome().await.to_string(), "exhausted after 4 failures: failure 4");
    Ok(())
}

/// Hundreds of submissions from many tasks at once, to one slot.
async fn crowd() -> Result {
    const CROWD: usize = 8;
    const EACH: usize = 100;
    // given a small queue
    let (supervisor, _) = controlled(16, 10_000);
    let order: Arc<Mutex<Vec<TaskId>>> = Arc::default();
    let script = Script::new([OK]);
    // when
    let crowd: Vec<_> = (0..CROWD)
        .map(|_| {
            let (slot, script, order) = (supervisor.slot("s"), script.clone(), Arc::clone(&order));
            tokio::spawn(async move {
                let mut handles = Vec::new();
                for _ in 0..EACH {
                    let (script, order) = (script.clone(), Arc::clone(&order));
                    let task = taskvisor::TaskFn::arc("x", move |ctx: taskvisor::TaskContext| {
                        order.lock().unwrap().push(ctx.id());
                        let attempt = script.task("x");
                        async move {
                            let attempt = attempt.attempt(ctx);
                            tokio::task::yield_now().await;
                            attempt.await
                        }
                    });
                    handles.push(slot.queue(task).await.unwrap());
                }
                handles
            })
        })
        .collect();
    // then
    let mut numbers = HashMap::new();
    for (of, member) in crowd.into_iter().enumerate() {
        let handles = surely(member).await.unwrap();
        assert_eq!(ends_of(&handles).await, ["completed"; EACH]);
        numbers.extend(handles.iter().enumerate().map(|(number, handle)| (handle.id(), (of, number))));
    }
    assert_eq!(script.most(), 1, "two at once");
    let order = order.lock().unwrap();
    assert_eq!(order.len(), CROWD * EACH);
    for member in 0..CROWD {
        let own = order.iter().map(|id| numbers[id]).filter(|(of, _)| *of == member);
        assert!(own.map(|(_, number)| number).eq(0..EACH), "each one's own come in their order");
    }
    Ok(())
}

#[tokio::test]
async fn j01_a_crowd_on_one_thread() -> Result {
    crowd().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn j01_a_crowd_on_two_threads() -> Result {
    for _ in 0..5 {
        crowd().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j01_a_full_slot_rejects_and_others_do_not_care() -> Result {
    // given
    let (supervisor, recorder) = controlled(1024, 2);
    let slot = supervisor.slot("s");
    let handles = queue_all(&slot, &cooperative("x"), 3).await?;
    // when one more is submitted, it is accepted and rejected at once
    let full = slot.queue(cooperative("x")).await?;
    assert_eq!(full.status().state, TaskState::Ended);
    assert_eq!(full.outcome().await.to_string(), "rejected: the queue of its slot is full");
    assert_eq!(end_of(&slot.try_submit(cooperative("x"))?).await, "full");
    assert!(!full.cancel().await? && !full.restart() && !full.trigger());
    assert_eq!(slot.len(), 3);
    // then another slot takes one, and so does this slot when one has left
    supervisor.submit(ControllerSpec::queue(cooperative("y"))).await?;
    assert!(handles[1].cancel().await?);
    let late = slot.queue(cooperative("x")).await?;
    assert_eq!(late.status().state, TaskState::Queued);
    settle().await;
    assert_eq!(recorder.count(EventKind::ControllerRejected), 3, "two that were too many, and the canceled one");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j01_one_that_replaces_waits_beside_a_full_queue() -> Result {
    let (supervisor, _) = controlled(1024, 1);
    let slot = supervisor.slot("s");
    let first = slot.queue(tests::deaf("x").with_stop_timeout(secs(1))).await?;
    let tail = slot.queue(cooperative("x")).await?;
    settle().await;
    let replaces = slot.replace(Script::new([OK]).spec("x")).await?;
    assert_eq!(slot.len(), 3);
    assert_eq!(end_of(&slot.queue(cooperative("x")).await?).await, "full");
    assert_eq!(end_of(&first).await, "aborted");
    assert_eq!(end_of(&replaces).await, "completed");
    settle().await;
    assert_eq!(tail.status().state, TaskState::Running);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j01_a_declared_capacity_and_policy_are_the_slots_own() -> Result {
    let small = SlotSpec::new("small").with_capacity(1);
    let eager = SlotSpec::new("eager").with_admission(AdmissionPolicy::DropIfRunning);
    let supervisor = Supervisor::builder(SupervisorConfig::default()).with_slot(small).with_slot(eager).build();
    let (small, eager, other) = (supervisor.slot("small"), supervisor.slot("eager"), supervisor.slot("other"));
    for (slot, ends) in [(&small, ["queued", "full"]), (&eager, ["busy", "busy"]), (&other, ["queued", "queued"])] {
        slot.submit(cooperative(slot.name())).await?;
        for end in ends {
            let handle = slot.submit(cooperative(slot.name())).await?;
            let state = handle.status().state;
            let seen = if state == TaskState::Queued { "queued" } else { end_of(&handle).await };
            assert_eq!(seen, end, "{slot:?}");
        }
    }
    assert_eq!(eager.admission(), AdmissionPolicy::DropIfRunning);
    // the policy of a submission takes precedence over that of its slot
    let says_so = supervisor.submit(queued(cooperative("z")).with_slot("eager")).await?;
    assert_eq!(says_so.status().state, TaskState::Queued);
    Ok(())
}
