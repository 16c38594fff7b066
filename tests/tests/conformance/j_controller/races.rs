//! Races on two threads.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use taskvisor::{ControllerSpec, EventKind, TaskContext, TaskError, TaskFn, TaskHandle, TaskSpec, TaskState};
use tests::{OK, Script, cooperative, supervisor};
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::{Result, controlled, end_of, queued, surely};

const ROUNDS: usize = 10_000;

/// A task that ends when notified or requested to stop.
fn until(go: &Arc<Notify>, name: &str) -> TaskSpec {
    let go = Arc::clone(go);
    let task = TaskFn::arc(name, move |ctx: TaskContext| {
        let go = Arc::clone(&go);
        async move { ctx.run_until_cancelled(go.notified()).await.ok_or(TaskError::Canceled) }
    });
    TaskSpec::inherit(task)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn j01_cancel_of_a_queued_one_against_its_start() -> Result {
    let supervisor = supervisor();
    let slot = supervisor.slot("s");
    let (mut ran, mut never) = (0, 0);
    let script = Script::new([OK]);
    for round in 0..ROUNDS {
        // given an owner that is about to end, and a queued submission
        let go = Arc::new(Notify::new());
        let owner = slot.queue(until(&go, "x")).await?;
        let begun = script.attempts();
        let waits = slot.queue(script.spec("x")).await?;
        let other = slot.queue(script.spec("x")).await?;
        // when
        let cancel = tokio::spawn({
            let waits = waits.clone();
            async move { waits.cancel().await }
        });
        if round % 2 == 0 {
            std::thread::yield_now();
        }
        go.notify_one();
        let told = surely(cancel).await.unwrap()?;
        // then the result of the cancel and the outcome agree
        let end = end_of(&waits).await;
        match (told, end) {
            (true, "canceled") => never += 1,
            // It had completed before, or at the same moment as the cancel.
            (_, "completed") => ran += 1,
            other => panic!("round {round}: {other:?}"),
        }
        assert_eq!((end_of(&owner).await, end_of(&other).await), ("completed", "completed"), "round {round}");
        assert!(script.attempts() - begun <= 2 && slot.is_idle());
    }
    println!("{ran} ran, {never} did not");
    assert_eq!(script.most(), 1);
    assert!(never > 0, "no race");
    Ok(())
}

/// The end of the owner starts a submission that is canceled at this moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn j01_a_cancel_is_told_after_the_start_that_it_meets() -> Result {
    let (supervisor, recorder) = controlled(1024, 100);
    let slot = supervisor.slot("s");
    let mut canceled = Vec::new();
    for round in 0..ROUNDS / 5 {
        let go = Arc::new(Notify::new());
        let owner = slot.queue(until(&go, "x")).await?;
        let waits = slot.queue(cooperative("x")).await?;
        let cancel = std::thread::spawn({
            let (waits, runtime) = (waits.clone(), Handle::current());
            move || {
                while waits.status().state == TaskState::Queued {
                    std::hint::spin_loop();
                }
                runtime.block_on(waits.cancel())
            }
        });
        go.notify_one();
        assert_eq!((end_of(&owner).await, end_of(&waits).await), ("completed", "canceled"), "round {round}");
        assert!(cancel.join().unwrap()?, "round {round}");
        canceled.push(waits.id());
    }
    supervisor.shutdown().await?;
    let seen = recorder.seen();
    let mut begun = HashSet::new();
    for seen in &seen {
        match (seen.kind, seen.id) {
            (EventKind::TaskAdded, Some(id)) => assert!(begun.insert(id), "added again: {seen:?}"),
            (EventKind::TaskRemoveRequested, Some(id)) => assert!(begun.contains(&id), "told too early: {seen:?}"),
            _ => {}
        }
    }
    assert!(canceled.iter().all(|id| begun.contains(id)), "each has started");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn j02_replace_against_the_natural_end_of_the_owner() -> Result {
    let (supervisor, recorder) = controlled(1024, 100);
    let slot = supervisor.slot("s");
    let script = Script::new([OK]);
    let (mut natural, mut told) = (0, 0);
    for round in 0..ROUNDS {
        let go = Arc::new(Notify::new());
        let owner = slot.queue(until(&go, "x")).await?;
        let tail = slot.queue(script.spec("x")).await?;
        let replace = tokio::spawn({
            let (slot, spec) = (slot.clone(), script.spec("x"));
            async move { slot.replace(spec).await }
        });
        go.notify_one();
        let replaces = surely(replace).await.unwrap()?;
        // The submission at the tail may have become the owner, and been replaced itself.
        match end_of(&owner).await {
            "completed" => natural += 1,
            "canceled" => told += 1,
            other => panic!("round {round}: {other}"),
        }
        assert_eq!(end_of(&replaces).await, "completed", "round {round}");
        assert!(matches!(end_of(&tail).await, "completed" | "canceled"), "round {round}");
        assert!(slot.is_idle());
    }
    println!("{natural} ended by themselves, {told} were told");
    assert!(recorder.count(EventKind::TaskRemoveRequested) <= ROUNDS);
    assert_eq!(script.most(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn j05_shutdown_against_submissions() -> Result {
    for round in 0..1000 {
        let (supervisor, _) = controlled(4, 100);
        let (script, taken) = (Script::new([OK]), Arc::new(AtomicUsize::new(0)));
        let crowd: Vec<_> = (0..4)
            .map(|member| {
                let (supervisor, script, taken) = (Arc::clone(&supervisor), script.clone(), Arc::clone(&taken));
                tokio::spawn(async move {
                    let mut handles: Vec<TaskHandle> = Vec::new();
                    // Until a submission is refused.
                    while let Ok(handle) =
                        supervisor.submit(queued(script.spec("x")).with_slot(["s", "t"][member % 2])).await
                    {
                        handles.push(handle);
                        taken.fetch_add(1, Ordering::SeqCst);
                    }
                    handles
                })
            })
            .collect();
        let until = round % 20;
        surely(async {
            while taken.load(Ordering::SeqCst) < until {
                tokio::task::yield_now().await;
            }
        })
        .await;
        surely(supervisor.shutdown()).await?;
        for member in crowd {
            for handle in surely(member).await.unwrap() {
                let end = end_of(&handle).await;
                let known = ["completed", "canceled", "refused", "shutting_down"];
                assert!(known.contains(&end), "round {round}: {end}");
            }
        }
        assert!(supervisor.slot("s").is_idle() && supervisor.slot("t").is_idle());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn j01_dropping_submits_that_wait_for_room_while_room_comes_and_goes() -> Result {
    const ROOM: usize = 3;
    let (supervisor, _) = controlled(ROOM, 100);
    let slot = supervisor.slot("s");
    let owner = slot.queue(cooperative("x")).await?;
    for round in 0..2000 {
        let taken: Vec<_> = std::iter::from_fn(|| slot.try_submit(cooperative("x")).ok()).collect();
        assert_eq!(taken.len(), ROOM, "round {round}");
        let waiters: Vec<_> = (0..4)
            .map(|_| {
                let slot = slot.clone();
                tokio::spawn(async move { slot.queue(cooperative("x")).await })
            })
            .collect();
        tokio::task::yield_now().await;
        let cancels = tokio::spawn(async move {
            for taken in taken {
                taken.cancel().await.unwrap();
            }
        });
        for waiter in &waiters {
            waiter.abort();
        }
        surely(cancels).await.unwrap();
        for waiter in waiters {
            if let Ok(submitted) = surely(waiter).await {
                submitted?.cancel().await?;
            }
        }
        // A waiter that was aborted just as it completed has left its submission behind.
        while slot.len() > 1 {
            slot.cancel_all().await?;
            slot.queue(cooperative("x")).await?;
        }
    }
    owner.cancel().await?;
    supervisor.shutdown().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn j04_an_added_task_against_a_queued_start_of_its_name() -> Result {
    let supervisor = supervisor();
    let slot = supervisor.slot("s");
    let script = Script::new([OK]);
    for round in 0..ROUNDS {
        let go = Arc::new(Notify::new());
        slot.queue(until(&go, "owner")).await?;
        let waits = slot.queue(script.spec("x")).await?;
        let next = slot.queue(script.spec("y")).await?;
        let add = tokio::spawn({
            let (supervisor, spec) = (Arc::clone(&supervisor), script.spec("x"));
            async move { supervisor.add_task(spec).await }
        });
        go.notify_one();
        let added = surely(add).await.unwrap();
        let end = end_of(&waits).await;
        assert!(matches!((&added, end), (_, "completed") | (Ok(_), "refused")), "round {round}: {added:?}, {end}");
        if let Ok(added) = added {
            assert_eq!(end_of(&added).await, "completed");
        }
        assert_eq!(end_of(&next).await, "completed", "round {round}");
    }
    let busy = supervisor.submit(ControllerSpec::drop_if_running(script.spec("x")).with_slot("s")).await?;
    assert_eq!(end_of(&busy).await, "completed");
    Ok(())
}
