//! J09. An owner that cannot be stopped.

use std::sync::mpsc;

use taskvisor::{EventKind, RuntimeError, SupervisorConfig, TaskContext, TaskFn, TaskSpec, TaskState};
use tests::{OK, Script, ms};

use super::{Result, controlled, controlled_with, end_of, started, surely};

/// A task that blocks its thread until it is released.
fn blocks(name: &str) -> (TaskSpec, mpsc::Sender<()>, tokio::sync::oneshot::Receiver<()>) {
    let (go, wait) = mpsc::channel();
    let (began, has_begun) = tokio::sync::oneshot::channel();
    let once = std::sync::Mutex::new(Some((wait, began)));
    let task = TaskFn::arc(name, move |_: TaskContext| {
        let once = once.lock().unwrap().take();
        async move {
            if let Some((wait, began)) = once {
                let _ = began.send(());
                let _ = wait.recv();
            }
            Ok(())
        }
    });
    (TaskSpec::inherit(task).with_stop_timeout(ms(10)), go, has_begun)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn j09_an_owner_that_blocks_past_its_abort_keeps_the_slot_until_it_ends() -> Result {
    // given
    let (supervisor, recorder) = controlled(1024, 100);
    let slot = supervisor.slot("s");
    let (spec, go, has_begun) = blocks("x");
    let owner = slot.queue(spec).await?;
    surely(has_begun).await.unwrap();
    let script = Script::new([OK]);
    let cleared = slot.queue(script.spec("y")).await?;
    // when
    let error = surely(slot.cancel_all()).await.unwrap_err();
    // then
    assert!(matches!(error, RuntimeError::TaskRemoveTimeout { name, timeout } if name == "x" && timeout == ms(10)));
    assert_eq!((end_of(&owner).await, end_of(&cleared).await), ("aborted", "canceled"));
    assert_eq!((slot.len(), owner.status().state), (1, TaskState::Stopping));
    assert!(surely(slot.cancel_all()).await.is_err(), "still");
    assert!(surely(owner.cancel()).await.is_err(), "still");
    // and the slot is busy for every policy
    assert_eq!(end_of(&slot.drop_if_running(script.spec("y")).await?).await, "busy");
    let tail = slot.queue(script.spec("tail")).await?;
    let displaced = slot.replace(script.spec("y")).await?;
    let next = slot.replace(script.spec("y")).await?;
    assert_eq!((end_of(&displaced).await, slot.len()), ("superseded", 3));
    tokio::time::sleep(ms(50)).await;
    assert_eq!(
        (script.attempts(), next.status().state, tail.status().state),
        (0, TaskState::Queued, TaskState::Queued)
    );
    // when it terminates
    go.send(()).unwrap();
    // then
    assert_eq!((end_of(&next).await, end_of(&tail).await), ("completed", "completed"));
    assert_eq!(end_of(&owner).await, "aborted", "its outcome was told before");
    supervisor.shutdown().await?;
    assert_eq!(started(&recorder), [owner.id(), next.id(), tail.id()]);
    let of_owner: Vec<_> = recorder.seen().into_iter().filter(|seen| seen.id == Some(owner.id())).collect();
    assert_eq!(of_owner.iter().filter(|seen| seen.kind == EventKind::TaskRemoveRequested).count(), 1);
    let removed = recorder.seen().into_iter().find(|seen| seen.kind == EventKind::TaskRemoved).unwrap();
    assert_eq!(removed.id, Some(owner.id()));
    let next_starts =
        recorder.seen().into_iter().find(|seen| seen.id == Some(next.id()) && seen.kind == EventKind::TaskAdded);
    assert!(removed.seq < next_starts.unwrap().seq);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn j09_a_shutdown_with_a_blocking_owner_resolves_all_and_names_it() -> Result {
    let config = SupervisorConfig { grace: ms(100), ..SupervisorConfig::default() };
    let (supervisor, recorder) = controlled_with(config, 1024, 100);
    let slot = supervisor.slot("s");
    let (spec, go, has_begun) = blocks("x");
    let owner = slot.queue(spec).await?;
    surely(has_begun).await.unwrap();
    let waits = slot.queue(tests::cooperative("y")).await?;
    let error = surely(supervisor.shutdown()).await.unwrap_err();
    assert!(matches!(error, RuntimeError::GraceExceeded { stuck, .. } if stuck == ["x"]));
    assert_eq!((end_of(&waits).await, end_of(&owner).await, slot.len()), ("shutting_down", "aborted", 1));
    go.send(()).unwrap();
    surely(async {
        while !slot.is_idle() || recorder.count(EventKind::ControllerSlotTransition) < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(owner.status().state, TaskState::Ended);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn j09_replacing_a_blocking_owner_starts_nobody_before_it_ends() -> Result {
    let (supervisor, _) = controlled(1024, 100);
    let slot = supervisor.slot("s");
    let (spec, go, has_begun) = blocks("x");
    let owner = slot.queue(spec).await?;
    surely(has_begun).await.unwrap();
    let script = Script::new([OK]);
    let replaces = slot.replace(script.spec("x")).await?;
    tokio::time::sleep(ms(300)).await;
    assert_eq!((script.attempts(), slot.len()), (0, 2));
    go.send(()).unwrap();
    assert_eq!(end_of(&replaces).await, "completed");
    assert!(matches!(end_of(&owner).await, "aborted" | "canceled"));
    assert!(!surely(owner.cancel()).await?);
    Ok(())
}
