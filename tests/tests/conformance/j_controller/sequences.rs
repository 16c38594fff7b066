//! I01. The exact sequences of slot events.

use std::fmt::Write as _;

use taskvisor::{ControllerSpec, RuntimeError};
use tests::{OK, Recorder, Script, Step, cooperative, recorded, secs, settle};

use super::{Result, controlled, queued};

/// One line for each event: kind, task, attempt, slot, the number waiting there, and reason.
fn told(recorder: &Recorder) -> Vec<String> {
    let seen = recorder.seen();
    assert!(seen.iter().map(|seen| seen.seq).eq(1..=seen.len() as u64), "none is missing");
    let line = |seen: tests::Seen| {
        let mut line = seen.kind.to_string();
        assert_eq!(seen.task.is_some(), seen.id.is_some());
        assert_eq!(seen.slot.is_some(), seen.count.is_some());
        assert_eq!(seen.slot.is_some(), line.starts_with("Controller"));
        let _ = seen.task.map(|task| write!(line, " {task}"));
        let _ = seen.attempt.map(|attempt| write!(line, " #{attempt}"));
        let _ = seen.slot.zip(seen.count).map(|(slot, count)| write!(line, " in {slot} ({count})"));
        let _ = seen.reason.map(|reason| write!(line, ": {reason}"));
        line
    };
    seen.into_iter().map(line).collect()
}

async fn expect<const N: usize>(recorder: &Recorder, since: usize, expected: [&str; N]) -> usize {
    tokio::time::sleep(secs(1)).await;
    let told = told(recorder);
    assert_eq!(told[since..], expected);
    told.len()
}

#[tokio::test(start_paused = true)]
async fn i01_a_slot_that_is_used_once() -> Result {
    let (supervisor, recorder) = recorded();
    supervisor.submit(queued(Script::new([OK]).spec("x"))).await?;
    let expected = [
        "ControllerSubmitted x in s (0)",
        "ControllerSlotTransition x in s (0): idle -> running",
        "TaskAddRequested x",
        "TaskAdded x",
        "TaskStarting x #1",
        "TaskStopped x #1",
        "ActorExhausted x #1",
        "TaskRemoved x",
        "ControllerSlotTransition in s (0): running -> idle",
    ];
    expect(&recorder, 0, expected).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn i01_a_queue_of_two() -> Result {
    let (supervisor, recorder) = recorded();
    for name in ["x", "y", "z"] {
        supervisor.submit(queued(Script::new([OK]).spec(name))).await?;
    }
    let expected = [
        "ControllerSubmitted x in s (0)",
        "ControllerSlotTransition x in s (0): idle -> running",
        "TaskAddRequested x",
        "TaskAdded x",
        "ControllerSubmitted y in s (1)",
        "ControllerSubmitted z in s (2)",
        "TaskStarting x #1",
        "TaskStopped x #1",
        "ActorExhausted x #1",
        "TaskRemoved x",
        "ControllerSlotTransition y in s (1): running -> running",
        "TaskAddRequested y",
        "TaskAdded y",
        "TaskStarting y #1",
        "TaskStopped y #1",
        "ActorExhausted y #1",
        "TaskRemoved y",
        "ControllerSlotTransition z in s (0): running -> running",
        "TaskAddRequested z",
        "TaskAdded z",
        "TaskStarting z #1",
        "TaskStopped z #1",
        "ActorExhausted z #1",
        "TaskRemoved z",
        "ControllerSlotTransition in s (0): running -> idle",
    ];
    expect(&recorder, 0, expected).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn i01_a_replacement_and_a_superseded_one() -> Result {
    let (supervisor, recorder) = recorded();
    supervisor.submit(queued(cooperative("x"))).await?;
    let since = expect(
        &recorder,
        0,
        [
            "ControllerSubmitted x in s (0)",
            "ControllerSlotTransition x in s (0): idle -> running",
            "TaskAddRequested x",
            "TaskAdded x",
            "TaskStarting x #1",
        ],
    )
    .await;
    for name in ["y", "z"] {
        supervisor.submit(ControllerSpec::replace(cooperative(name)).with_slot("s")).await?;
    }
    let expected = [
        "ControllerSubmitted y in s (1)",
        "ControllerSlotTransition x in s (1): running -> stopping",
        "TaskRemoveRequested x",
        "ControllerSubmitted z in s (1)",
        "ControllerRejected y in s (1): superseded",
        "TaskStopped x #1: replaced in its slot",
        "TaskRemoved x",
        "ControllerSlotTransition z in s (0): stopping -> running",
        "TaskAddRequested z",
        "TaskAdded z",
        "TaskStarting z #1",
    ];
    expect(&recorder, since, expected).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn i01_a_replacement_that_is_cancelled_before_the_owner_has_ended() -> Result {
    let (supervisor, recorder) = recorded();
    let spec = tests::deaf("x").with_stop_timeout(secs(3));
    supervisor.submit(queued(spec)).await?;
    settle().await;
    let since = told(&recorder).len();
    let y = supervisor.submit(ControllerSpec::replace(cooperative("y")).with_slot("s")).await?;
    assert!(y.cancel().await?);
    tokio::time::sleep(secs(5)).await;
    let expected = [
        "ControllerSubmitted y in s (1)",
        "ControllerSlotTransition x in s (1): running -> stopping",
        "TaskRemoveRequested x",
        "TaskRemoveRequested y",
        "ControllerRejected y in s (0): canceled",
        "TaskFailed x #1: aborted: did not stop in time",
        "TaskRemoved x",
        "ControllerSlotTransition in s (0): stopping -> idle",
    ];
    expect(&recorder, since, expected).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn i01_busy_full_and_cancelled_in_the_queue() -> Result {
    let (supervisor, recorder) = controlled(1024, 1);
    supervisor.submit(queued(cooperative("x"))).await?;
    settle().await;
    let since = told(&recorder).len();
    supervisor.submit(ControllerSpec::drop_if_running(cooperative("busy")).with_slot("s")).await?;
    let waits = supervisor.submit(queued(cooperative("waits"))).await?;
    supervisor.submit(queued(cooperative("full"))).await?;
    assert!(waits.cancel().await?);
    assert!(!waits.cancel().await?);
    let expected = [
        "ControllerRejected busy in s (0): busy",
        "ControllerSubmitted waits in s (1)",
        "ControllerRejected full in s (1): full",
        "TaskRemoveRequested waits",
        "ControllerRejected waits in s (0): canceled",
    ];
    expect(&recorder, since, expected).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn i01_refused_at_once_and_when_its_turn_has_come() -> Result {
    let (supervisor, recorder) = recorded();
    let spec = Script::new([Step::Succeed(secs(1))]).spec("x");
    supervisor.submit(queued(spec)).await?;
    supervisor.submit(queued(cooperative("taken"))).await?;
    supervisor.add_task(cooperative("taken")).await?;
    settle().await;
    let since = told(&recorder).len();
    tokio::time::sleep(secs(2)).await;
    supervisor.submit(queued(cooperative("taken"))).await?;
    let expected = [
        "TaskStopped x #1",
        "ActorExhausted x #1",
        "TaskRemoved x",
        "ControllerRejected taken in s (0): refused",
        "ControllerSlotTransition in s (0): running -> idle",
        "ControllerRejected taken in s (0): refused",
    ];
    expect(&recorder, since, expected).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn i01_a_shutdown_with_queued_ones() -> std::result::Result<(), RuntimeError> {
    let (supervisor, recorder) = recorded();
    for name in ["x", "y", "z"] {
        supervisor.submit(queued(cooperative(name))).await?;
    }
    settle().await;
    let since = told(&recorder).len();
    supervisor.shutdown().await?;
    let expected = [
        "ShutdownRequested: shutdown()",
        "ControllerRejected y in s (0): shutting_down",
        "ControllerRejected z in s (0): shutting_down",
        "TaskStopped x #1: shutdown",
        "TaskRemoved x",
        "ControllerSlotTransition in s (0): running -> idle",
        "AllStoppedWithinGrace",
    ];
    expect(&recorder, since, expected).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn i01_an_owner_that_was_cancelled_by_hand() -> Result {
    let (supervisor, recorder) = recorded();
    let owner = supervisor.submit(queued(cooperative("x"))).await?;
    settle().await;
    let since = told(&recorder).len();
    assert!(owner.cancel().await?);
    let expected = [
        "TaskRemoveRequested x",
        "TaskStopped x #1: canceled",
        "TaskRemoved x",
        "ControllerSlotTransition in s (0): running -> idle",
    ];
    expect(&recorder, since, expected).await;
    Ok(())
}
