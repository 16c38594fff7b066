//! The capacity of all queues together, and submissions that wait for room.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};

use taskvisor::{ControllerError, ControllerSpec, RuntimeError, Supervisor, TaskHandle, TaskState};
use tests::{OK, Script, cooperative, deaf, secs, settle};
use tokio::task::JoinHandle;

use super::{Result, controlled, end_of, queued, surely};

type Submitted = std::result::Result<TaskHandle, ControllerError>;

/// Submits from a spawned task.
async fn waiter(supervisor: &Arc<Supervisor>, spec: ControllerSpec) -> JoinHandle<Submitted> {
    let supervisor = Arc::clone(supervisor);
    let waiter = tokio::spawn(async move { supervisor.submit(spec).await });
    settle().await;
    waiter
}

/// Fills the queue, and returns the handles.
fn take_all(supervisor: &Supervisor) -> Vec<TaskHandle> {
    std::iter::from_fn(|| supervisor.try_submit(queued(cooperative("x"))).ok()).collect()
}

#[tokio::test(start_paused = true)]
async fn j01_a_full_controller_says_so_and_tells_nothing() -> Result {
    // given two submissions that wait, in two slots
    let (supervisor, recorder) = controlled(2, 100);
    for name in ["a", "b", "a", "b"] {
        supervisor.try_submit(ControllerSpec::queue(cooperative(name)))?;
    }
    settle().await;
    let told = recorder.kinds().len();
    // when
    let full = supervisor.try_submit(ControllerSpec::queue(cooperative("a"))).unwrap_err();
    assert!(matches!(full, ControllerError::Full { capacity: 2 }));
    assert_eq!(full.to_string(), "the controller's queue is full: 2 submissions wait already");
    assert!(matches!(RuntimeError::from(full), RuntimeError::QueueFull { capacity: 2 }));
    settle().await;
    // then nothing has happened
    assert_eq!(recorder.kinds().len(), told);
    assert_eq!((supervisor.slot("a").len(), supervisor.slot("b").len()), (2, 2));
    // and submissions that need not wait are still decided
    let busy = supervisor.try_submit(ControllerSpec::drop_if_running(cooperative("a")))?;
    assert_eq!(end_of(&busy).await, "busy");
    supervisor.try_submit(ControllerSpec::queue(cooperative("c")))?;
    surely(supervisor.submit(ControllerSpec::replace(cooperative("d")))).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j01_one_that_replaces_needs_no_room_and_makes_none() -> Result {
    let (supervisor, _) = controlled(1, 100);
    let replace = || ControllerSpec::replace(deaf("x")).with_slot("s");
    supervisor.try_submit(replace())?;
    settle().await;
    let queue = supervisor.try_submit(queued(deaf("x")).with_slot("s"))?;
    let waits = waiter(&supervisor, queued(cooperative("x")).with_slot("s")).await;
    let displaced = supervisor.try_submit(replace())?;
    let last = supervisor.try_submit(replace())?;
    settle().await;
    assert_eq!(end_of(&displaced).await, "superseded");
    assert_eq!((last.status().state, queue.status().state), (TaskState::Queued, TaskState::Queued));
    assert_eq!(supervisor.slot("s").len(), 3);
    // A canceled replacement frees no room in the queue either.
    assert!(last.cancel().await?);
    settle().await;
    assert!(!waits.is_finished(), "nothing has become free");
    assert!(queue.cancel().await?);
    assert_eq!(surely(waits).await.unwrap()?.status().state, TaskState::Queued);
    Ok(())
}

/// How the queued submission leaves the queue.
#[derive(Debug, Clone, Copy)]
enum Leaves {
    Starts,
    IsCancelled,
    IsCleared,
    IsRefused,
}

#[tokio::test(start_paused = true)]
async fn j01_submit_waits_for_room_in_order_and_goes_on_when_one_leaves() -> Result {
    for leaves in [Leaves::Starts, Leaves::IsCancelled, Leaves::IsCleared, Leaves::IsRefused] {
        // given an owner, a queued submission, and two that wait for room
        let (supervisor, _) = controlled(1, 100);
        let slot = supervisor.slot("s");
        let owner = slot.queue(cooperative("x")).await?;
        let waits = slot.queue(cooperative("y")).await?;
        let first = waiter(&supervisor, queued(cooperative("first"))).await;
        let second = waiter(&supervisor, queued(cooperative("second"))).await;
        assert!(!first.is_finished() && !second.is_finished() && slot.len() == 2);
        // when
        match leaves {
            Leaves::Starts => assert!(owner.cancel().await?),
            Leaves::IsCancelled => assert!(waits.cancel().await?),
            Leaves::IsCleared => assert_eq!(slot.cancel_all().await?, 2),
            Leaves::IsRefused => {
                supervisor.add_task(cooperative("y")).await?;
                assert!(owner.cancel().await?);
            }
        }
        settle().await;
        // then the first one gets the room
        assert!(first.is_finished(), "{leaves:?}");
        let first = first.await.unwrap()?;
        match leaves {
            Leaves::Starts | Leaves::IsCancelled => {
                assert_eq!(first.status().state, TaskState::Queued);
                assert!(!second.is_finished(), "{leaves:?}");
                assert!(first.cancel().await?);
            }
            Leaves::IsCleared | Leaves::IsRefused => assert_eq!(first.status().state, TaskState::Running),
        }
        // and the second one the room after it
        let second = surely(second).await.unwrap()?;
        assert_eq!(second.status().state, TaskState::Queued, "{leaves:?}");
        assert!(supervisor.try_submit(queued(cooperative("third"))).is_err(), "{leaves:?}: there is room for one");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j01_one_that_waits_for_room_and_finds_none_in_its_slot_gives_the_room_to_the_next() -> Result {
    // given two slots that use all the room, and two more that allow one queued submission each
    let (supervisor, _) = controlled(2, 1);
    let mut taken = Vec::new();
    for name in ["a", "b"] {
        supervisor.submit(ControllerSpec::queue(cooperative(name))).await?;
        taken.push(supervisor.submit(ControllerSpec::queue(cooperative(name))).await?);
    }
    for name in ["c", "d"] {
        supervisor.submit(ControllerSpec::queue(cooperative(name))).await?;
    }
    let mut waiters = Vec::new();
    for name in ["c", "c", "d"] {
        waiters.push(waiter(&supervisor, ControllerSpec::queue(cooperative(name))).await);
    }
    assert!(waiters.iter().all(|waiter| !waiter.is_finished()));
    // when
    for taken in taken {
        assert!(taken.cancel().await?);
    }
    // then the second submission to the third slot exceeds the capacity of that slot
    let mut states = Vec::new();
    for waiter in waiters {
        states.push(surely(waiter).await.unwrap()?.status().state);
    }
    assert_eq!(states, [TaskState::Queued, TaskState::Ended, TaskState::Queued]);
    Ok(())
}

/// An idle slot accepts a submission at once, whatever the room in the queues.
#[tokio::test(start_paused = true)]
async fn j01_one_that_waits_for_room_starts_when_its_slot_is_idle() -> Result {
    // given a slot whose queue uses all the room, and a submission to another slot, which is busy
    let (supervisor, _) = controlled(1, 100);
    supervisor.submit(ControllerSpec::queue(cooperative("long"))).await?;
    supervisor.submit(ControllerSpec::queue(cooperative("long"))).await?;
    let short = supervisor.submit(ControllerSpec::queue(cooperative("short"))).await?;
    let waits = waiter(&supervisor, ControllerSpec::queue(cooperative("short"))).await;
    assert!(!waits.is_finished());
    // when the other slot is idle
    assert!(short.cancel().await?);
    settle().await;
    // then
    assert!(supervisor.slot("long").len() == 2 && waits.is_finished(), "it waits while its slot is idle");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j01_dropping_one_that_waits_for_room_loses_none() -> Result {
    const ROOM: usize = 3;
    let (supervisor, _) = controlled(ROOM, 100);
    let owner = supervisor.submit(queued(cooperative("x"))).await?;
    for round in 0..20 {
        // given a full queue, and some that wait for room
        let taken = take_all(&supervisor);
        assert_eq!(taken.len(), ROOM, "round {round}");
        let mut waiters = Vec::new();
        for _ in 0..5 {
            waiters.push(waiter(&supervisor, queued(Script::new([OK]).spec("y"))).await);
        }
        // when some are dropped while they wait, one of them after it was given room and before its next poll
        waiters[round % 5].abort();
        assert!(taken[0].cancel().await?);
        assert!(taken[1].cancel().await?);
        for waiter in &waiters {
            waiter.abort();
        }
        settle().await;
        assert!(taken[2].cancel().await?);
        for waiter in waiters {
            if let Ok(submitted) = waiter.await {
                submitted?.cancel().await?;
            }
        }
        // then
        assert_eq!(supervisor.slot("s").len(), 1, "round {round}");
    }
    assert!(owner.cancel().await?);
    supervisor.submit(queued(cooperative("x"))).await?;
    assert_eq!(take_all(&supervisor).len(), ROOM);
    Ok(())
}

/// A waker that reads the slot when woken and when dropped, and counts its drops.
struct Looks(Arc<Supervisor>, Arc<AtomicUsize>);

impl Wake for Looks {
    fn wake(self: Arc<Self>) {
        assert!(!self.0.slot("s").is_idle());
    }
}

impl Drop for Looks {
    fn drop(&mut self) {
        assert!(!self.0.slot("s").is_idle());
        self.1.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn j01_the_waker_of_one_that_waits_for_room_finds_no_lock_held() -> Result {
    // given one that waits for room
    let (supervisor, _) = controlled(1, 100);
    let dropped = Arc::new(AtomicUsize::new(0));
    let poll = |submit: std::pin::Pin<&mut dyn Future<Output = Submitted>>| {
        let waker = Waker::from(Arc::new(Looks(Arc::clone(&supervisor), Arc::clone(&dropped))));
        submit.poll(&mut Context::from_waker(&waker)).is_ready()
    };
    supervisor.submit(queued(cooperative("x"))).await?;
    let taken = supervisor.submit(queued(cooperative("x"))).await?;
    let mut submit = pin!(supervisor.submit(queued(cooperative("y"))));
    // then only its last waker is kept
    for before in 0..3 {
        assert!(!poll(submit.as_mut()));
        assert_eq!(dropped.load(Ordering::SeqCst), before);
    }
    assert!(taken.cancel().await?);
    assert_eq!(dropped.load(Ordering::SeqCst), 3, "it was woken");
    assert!(poll(submit.as_mut()));
    assert_eq!(dropped.load(Ordering::SeqCst), 4);
    // and the waker is dropped with the future
    {
        let mut submit = pin!(supervisor.submit(queued(cooperative("z"))));
        assert!(!poll(submit.as_mut()));
    }
    assert_eq!(dropped.load(Ordering::SeqCst), 5);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j05_those_that_wait_for_room_are_woken_by_a_shutdown() -> Result {
    let (supervisor, recorder) = controlled(1, 100);
    supervisor.submit(queued(cooperative("x"))).await?;
    let taken = supervisor.submit(queued(cooperative("x"))).await?;
    let mut waiters = Vec::new();
    for _ in 0..10 {
        waiters.push(waiter(&supervisor, queued(cooperative("x"))).await);
    }
    supervisor.shutdown().await?;
    assert_eq!(end_of(&taken).await, "shutting_down");
    for waiter in waiters {
        let error = surely(waiter).await.unwrap().unwrap_err();
        assert!(matches!(error, ControllerError::ShuttingDown));
        assert_eq!(error.to_string(), "the supervisor is shutting down");
    }
    assert_eq!(recorder.count(taskvisor::EventKind::ControllerRejected), 1);
    for refused in [supervisor.try_submit(queued(cooperative("x"))), supervisor.submit(queued(cooperative("x"))).await]
    {
        assert!(matches!(refused, Err(ControllerError::ShuttingDown)));
    }
    Ok(())
}

/// When the end of an owner is visible, the room of the submission that started instead is free.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn j01_room_is_free_when_the_end_of_an_owner_shows() -> Result {
    let (supervisor, _) = controlled(1, 100);
    let slot = supervisor.slot("s");
    for round in 0..10_000 {
        let owner = slot.queue(cooperative("x")).await?;
        let next = slot.queue(cooperative("y")).await?;
        let cancel = tokio::spawn({
            let owner = owner.clone();
            async move { owner.cancel().await }
        });
        surely(owner.outcome()).await;
        let other = slot.try_submit(cooperative("x"));
        assert!(other.is_ok(), "round {round}: {other:?}, while the next is {}", next.status().state);
        surely(slot.cancel_all()).await?;
        surely(next.outcome()).await;
        cancel.await.unwrap()?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j01_the_time_that_one_waits_for_room_is_not_limited() -> Result {
    let (supervisor, _) = controlled(1, 100);
    let owner = supervisor.submit(queued(cooperative("x"))).await?;
    supervisor.submit(queued(cooperative("x"))).await?;
    let waits = waiter(&supervisor, queued(cooperative("x"))).await;
    tokio::time::sleep(secs(100_000)).await;
    assert!(!waits.is_finished());
    assert!(owner.cancel().await?);
    assert!(surely(waits).await.unwrap().is_ok());
    Ok(())
}
