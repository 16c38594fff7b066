//! K5i: submissions in the wait queue that are not polled.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use taskvisor::{ControllerError, ControllerSpec, Supervisor, TaskHandle, TaskState};
use tests::{cooperative, ms, settle};
use tokio::runtime::Builder;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{Result, controlled, surely};

type Submitted = std::result::Result<TaskHandle, ControllerError>;
type Submit<'a> = Pin<Box<dyn Future<Output = Submitted> + Send + 'a>>;

/// How long a submission that is not polled keeps its turn.
const PATIENCE: std::time::Duration = ms(100);

fn to(slot: &str) -> ControllerSpec {
    ControllerSpec::queue(cooperative(slot)).with_slot(slot.to_owned())
}

/// Submits, and polls the future only once.
fn abandoned<'a>(supervisor: &'a Supervisor, slot: &str) -> Submit<'a> {
    let mut submit: Submit<'_> = Box::pin(supervisor.submit(to(slot)));
    assert!(submit.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    submit
}

/// Submits from a spawned task.
async fn waiter(supervisor: &Arc<Supervisor>, slot: &str) -> JoinHandle<Submitted> {
    let (supervisor, spec) = (Arc::clone(supervisor), to(slot));
    let waiter = tokio::spawn(async move { supervisor.submit(spec).await });
    settle().await;
    waiter
}

/// Two slots with an owner each; the only room in the queues is taken.
async fn full() -> std::result::Result<(Arc<Supervisor>, TaskHandle), ControllerError> {
    let supervisor = controlled(1);
    for slot in ["a", "b"] {
        supervisor.submit(to(slot)).await?;
    }
    let waits = supervisor.submit(to("a")).await?;
    Ok((supervisor, waits))
}

#[tokio::test(start_paused = true)]
async fn k5i_one_that_is_not_polled_does_not_starve_other_slots() -> Result {
    let (supervisor, waits) = full().await?;
    let _first = abandoned(&supervisor, "a");
    let second = waiter(&supervisor, "b").await;
    assert!(waits.cancel().await?);
    settle().await;
    assert!(!second.is_finished(), "it is not the first in line");
    let start = Instant::now();
    let second = surely(second).await??;
    assert!(start.elapsed() <= PATIENCE, "{:?}", start.elapsed());
    assert_eq!(second.status().state, TaskState::Queued);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k5i_one_that_is_not_polled_does_not_starve_its_own_slot() -> Result {
    let (supervisor, waits) = full().await?;
    let _first = abandoned(&supervisor, "a");
    let second = waiter(&supervisor, "a").await;
    assert!(waits.cancel().await?);
    let start = Instant::now();
    surely(second).await??;
    assert!(start.elapsed() <= PATIENCE, "{:?}", start.elapsed());
    Ok(())
}

/// An idle slot is not kept for a submission that is not polled.
#[tokio::test(start_paused = true)]
async fn k5i_one_that_is_not_polled_does_not_keep_its_slot_idle() -> Result {
    let (supervisor, _waits) = full().await?;
    let _first = abandoned(&supervisor, "b");
    let second = waiter(&supervisor, "b").await;
    supervisor.cancel("b").await?;
    let start = Instant::now();
    let second = surely(second).await??;
    assert!(start.elapsed() <= PATIENCE, "{:?}", start.elapsed());
    settle().await;
    assert_eq!(second.status().state, TaskState::Running);
    Ok(())
}

/// The check for it ends with the runtime that it runs on, and goes on with the next submission that waits, or one that
/// waits by then.
#[test]
fn k5i_one_that_is_not_polled_starves_nobody_when_the_runtime_of_its_check_has_ended() -> Result {
    for waits_by_then in [false, true] {
        let runtime = |paused| Builder::new_current_thread().enable_all().start_paused(paused).build();
        let began = std::time::Instant::now();
        let (stays, ends) = (runtime(true)?, runtime(false)?);
        let (supervisor, waits) = stays.block_on(full())?;
        let _first = abandoned(&supervisor, "a");
        let by_then = waits_by_then.then(|| stays.block_on(waiter(&supervisor, "b")));
        assert!(ends.block_on(waits.cancel())?);
        drop(ends);
        // The clock of the one that stays stood still meanwhile, and that of the other did not.
        let patience = PATIENCE + began.elapsed();
        let took = stays.block_on(async {
            let start = Instant::now();
            let submitted = match by_then {
                Some(second) => surely(second).await?,
                None => surely(supervisor.submit(to("b"))).await,
            };
            submitted?;
            Ok::<_, Box<dyn Error>>(start.elapsed())
        })?;
        assert!(took <= patience, "{took:?}");
    }
    Ok(())
}

/// The room of such a submission goes to newer ones, even if those cannot wait.
#[tokio::test(start_paused = true)]
async fn k5i_places_of_those_that_are_not_polled_go_to_those_that_come_anew() -> Result {
    let (supervisor, waits) = full().await?;
    let _abandoned = ["a", "b", "a"].map(|slot| abandoned(&supervisor, slot));
    assert!(waits.cancel().await?);
    assert!(supervisor.try_submit(to("b")).is_err(), "their turn comes first");
    tokio::time::sleep(PATIENCE * 3).await;
    let taken = supervisor.try_submit(to("a"))?;
    assert!(taken.cancel().await?);
    tokio::time::sleep(PATIENCE * 3).await;
    supervisor.try_submit(to("b"))?;
    assert!(matches!(supervisor.try_submit(to("b")), Err(ControllerError::Full { capacity: 1 })));
    Ok(())
}

/// When polled again, it is admitted by its position, before later submissions to its slot.
#[tokio::test(start_paused = true)]
async fn k5i_one_that_is_polled_late_keeps_its_position() -> Result {
    let (supervisor, waits) = full().await?;
    let mut first = abandoned(&supervisor, "a");
    assert!(waits.cancel().await?);
    tokio::time::sleep(PATIENCE * 2).await;
    let taken = supervisor.try_submit(to("b"))?;
    let second = waiter(&supervisor, "a").await;
    let polled = tokio::time::timeout(ms(1), first.as_mut()).await;
    assert!(polled.is_err() && !second.is_finished());
    assert!(taken.cancel().await?);
    let first = surely(first).await?;
    settle().await;
    assert!(!second.is_finished());
    assert!(first.cancel().await?);
    surely(second).await??;
    Ok(())
}

/// Submissions that are polled are admitted in the order of their arrival, whatever is between them.
#[tokio::test(start_paused = true)]
async fn k5i_those_that_are_polled_keep_their_order() -> Result {
    let (supervisor, mut waits) = full().await?;
    let mut abandoned_ones = Vec::new();
    let mut waiters = Vec::new();
    for round in 0..20 {
        if round % 3 == 0 {
            abandoned_ones.push(abandoned(&supervisor, if round % 2 == 0 { "a" } else { "b" }));
        }
        waiters.push(waiter(&supervisor, if round % 2 == 0 { "a" } else { "b" }).await);
    }
    for waiter in waiters {
        assert!(!waiter.is_finished(), "nobody overtakes");
        assert!(waits.cancel().await?);
        waits = surely(waiter).await??;
    }
    Ok(())
}

/// The room is free again when the submissions in the wait queue are dropped, in any state.
#[tokio::test(start_paused = true)]
async fn k5i_dropping_one_that_lost_its_turn_loses_no_room() -> Result {
    let (supervisor, mut waits) = full().await?;
    for round in 0..10_u32 {
        let first = abandoned(&supervisor, "a");
        let second = abandoned(&supervisor, "b");
        assert!(waits.cancel().await?);
        tokio::time::sleep(ms(50) * (round % 5)).await;
        drop(if round % 2 == 0 { (first, second) } else { (second, first) });
        waits = supervisor.try_submit(to("a"))?;
        assert!(supervisor.try_submit(to("a")).is_err(), "round {round}: there is room for one");
    }
    Ok(())
}

/// Room is free, and its slot is idle. Its turn is over when it is not polled for long.
#[tokio::test(start_paused = true)]
async fn j01_a_newcomer_to_a_queue_comes_after_one_that_was_called_and_is_not_polled_yet() -> Result {
    for queues in [true, false] {
        // given one that waits for room in the queue of a slot whose owner then ends
        let (supervisor, _waits) = full().await?;
        let owner = supervisor.submit(to("c")).await?;
        let mut called = abandoned(&supervisor, "c");
        assert!(owner.cancel().await?);
        assert!(supervisor.slot("c").is_idle());
        // when
        let newcomer = if queues { to("c") } else { ControllerSpec::drop_if_running(cooperative("c")).with_slot("c") };
        let newcomer = supervisor.try_submit(newcomer);
        let polled = called.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        // then
        if queues {
            assert!(matches!(newcomer, Err(ControllerError::Full { capacity: 1 })), "{newcomer:?}");
            assert!(matches!(polled, Poll::Ready(Ok(_))) && supervisor.slot("c").len() == 1);
        } else {
            assert_ne!(newcomer?.status().state, TaskState::Queued, "it waits for nobody");
            assert!(polled.is_pending());
        }
    }
    Ok(())
}
