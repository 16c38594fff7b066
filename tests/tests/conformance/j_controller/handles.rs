//! The handles of queued submissions and of slots.

use std::sync::{Arc, OnceLock};

use taskvisor::{
    ControllerSpec, Event, EventKind, LogLevel, RestartPolicy, Subscribe, Supervisor, SupervisorConfig,
    SupervisorHandle, TaskContext, TaskFn, TaskHandle, TaskState,
};
use tests::{FAIL, OK, Recorder, Script, Step, constant, cooperative, deaf, ms, secs, settle, supervisor};
use tokio::sync::mpsc;

use super::{Result, controlled, end_of, ends_of, label, queue_all, queued, surely};

#[tokio::test(start_paused = true)]
async fn j01_one_that_its_owner_cancels_or_supersedes_is_no_warning_and_one_that_is_rejected_is() -> Result {
    let (supervisor, _) = controlled(1024, 1);
    let mut rejections = supervisor.events().of_kinds([EventKind::ControllerRejected]);
    let slot = supervisor.slot("s");
    let owner = slot.queue(cooperative("x")).await?;
    let waits = slot.queue(cooperative("y")).await?;
    let full = slot.queue(cooperative("y")).await?;
    assert!(waits.cancel().await?);
    assert_eq!(ends_of(&[full, waits]).await, ["full", "canceled"]);
    let superseded = [slot.latest(cooperative("z")).await?, slot.latest(cooperative("z")).await?];
    let last = slot.replace(cooperative("z")).await?;
    assert_eq!(ends_of(&superseded).await, ["superseded"; 2]);
    assert_eq!(end_of(&owner).await, "canceled");
    assert!(last.cancel().await?);
    let levels = [("full", LogLevel::Warn), ("canceled", LogLevel::Info)];
    for (reason, level) in levels.into_iter().chain([("superseded", LogLevel::Info); 2]) {
        let event = rejections.next().await.unwrap().unwrap();
        assert_eq!((event.reason.as_deref(), LogLevel::of(&event)), (Some(reason), level));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j01_one_that_waits_is_queued_and_can_only_be_cancelled() -> Result {
    // given
    let (supervisor, recorder) = controlled(1024, 100);
    let slot = supervisor.slot("s");
    let owner = slot.queue(cooperative("x")).await?;
    let script = Script::new([OK]);
    let waits = slot.queue(script.spec("y").with_initial_delay(secs(5))).await?;
    // then
    let status = waits.status();
    assert_eq!((status.state, status.attempt, status.restarts, status.failures), (TaskState::Queued, 0, 0, 0));
    assert_eq!(TaskState::Queued.to_string(), "queued");
    assert_eq!(waits.name(), "y");
    assert_eq!(waits.spec().initial_delay(), secs(5));
    assert!(!waits.restart() && !waits.trigger());
    assert_eq!(waits.status().state, TaskState::Queued);
    tokio::time::sleep(secs(10)).await;
    assert_eq!(waits.status().state, TaskState::Queued, "no delay passes while it waits");
    // when
    assert!(waits.cancel().await?);
    assert!(!waits.cancel().await? && !waits.restart() && !waits.trigger());
    assert_eq!((end_of(&waits).await, waits.status().state), ("canceled", TaskState::Ended));
    assert_eq!(slot.len(), 1);
    assert!(owner.cancel().await?);
    settle().await;
    assert_eq!((script.attempts(), slot.is_idle()), (0, true));
    assert_eq!(recorder.count(EventKind::TaskStarting), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j01_a_queued_task_waits_for_its_initial_delay_when_its_turn_has_come() -> Result {
    let supervisor = supervisor();
    let slot = supervisor.slot("s");
    let script = Script::new([OK]);
    let start = tokio::time::Instant::now();
    slot.queue(Script::new([Step::Succeed(secs(3))]).spec("x")).await?;
    let waits = slot.queue(script.spec("x").with_initial_delay(secs(5))).await?;
    tokio::time::sleep(secs(4)).await;
    assert_eq!(waits.status().state, TaskState::Delayed);
    assert_eq!(end_of(&waits).await, "completed");
    assert_eq!(script.begun_ms(start), [8000]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j01_an_owner_obeys_its_handle_and_its_name() -> Result {
    let supervisor = supervisor();
    let slot = supervisor.slot("s");
    let script = Script::new([FAIL, Step::Wait]);
    let owner = slot.queue(script.spec("x").with_backoff(constant(secs(100)))).await?;
    let [second, third]: [TaskHandle; 2] = queue_all(&slot, &cooperative("x"), 2).await?.try_into().unwrap();
    settle().await;
    assert!(owner.trigger(), "in backoff");
    settle().await;
    assert!(owner.restart());
    settle().await;
    assert_eq!((script.attempts(), owner.status().state, slot.len()), (3, TaskState::Running, 3));
    // the name refers to the task that owns it now
    assert_eq!(supervisor.task("x").unwrap().id(), owner.id());
    assert!(supervisor.cancel("x").await?);
    assert_eq!((second.status().state, third.status().state), (TaskState::Running, TaskState::Queued));
    assert!(supervisor.cancel("x").await?);
    supervisor.remove_task("x").await?;
    assert_eq!(ends_of(&[owner, second, third]).await, ["canceled"; 3]);
    settle().await;
    assert!(slot.is_idle() && !supervisor.cancel("x").await?);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j01_cancel_all_empties_a_slot() -> Result {
    let (supervisor, recorder) = controlled(5, 100);
    let slot = supervisor.slot("s");
    assert_eq!(slot.cancel_all().await?, 0);
    let script = Script::new([Step::Wait]);
    let mut handles = queue_all(&slot, &script.spec("x"), 4).await?;
    settle().await;
    handles.insert(0, slot.replace(script.spec("x")).await?);
    settle().await;
    let others = supervisor.submit(ControllerSpec::queue(cooperative("other"))).await?;
    let told = slot.cancel_all().await?;
    assert_eq!(ends_of(&handles).await, ["canceled"; 5]);
    assert_eq!(told, 4, "the first had been replaced, and ended");
    settle().await;
    assert_eq!((slot.len(), script.attempts()), (0, 2));
    assert_eq!(recorder.count(EventKind::TaskRemoveRequested), 5);
    assert_eq!(others.status().state, TaskState::Running);
    // and the full capacity is free
    assert_eq!(slot.queue(cooperative("x")).await?.status().state, TaskState::Pending);
    assert_eq!(std::iter::from_fn(|| supervisor.try_submit(queued(cooperative("x"))).ok()).count(), 5);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j01_cancel_all_tells_all_when_it_is_polled_once_and_spares_what_comes_later() -> Result {
    let (supervisor, _) = controlled(5, 100);
    let slot = supervisor.slot("s");
    let owner = slot.queue(deaf("x").with_stop_timeout(secs(5))).await?;
    let waits = slot.queue(cooperative("x")).await?;
    settle().await;
    assert!(tokio::time::timeout(ms(1), slot.cancel_all()).await.is_err(), "the owner takes its time");
    let later = slot.queue(cooperative("x")).await?;
    assert_eq!((owner.status().state, end_of(&waits).await), (TaskState::Stopping, "canceled"));
    assert_eq!(end_of(&owner).await, "aborted");
    settle().await;
    assert_eq!(later.status().state, TaskState::Running);
    Ok(())
}

/// A task that submits from within: it queues behind itself, is rejected because it runs, and replaces itself.
#[tokio::test(start_paused = true)]
async fn j01_an_owner_submits_to_its_own_slot() -> Result {
    let supervisor = supervisor();
    let slot = supervisor.slot("s");
    let (sender, mut received) = mpsc::unbounded_channel();
    let script = Script::new([OK]);
    let within = {
        let (slot, script) = (slot.clone(), script.clone());
        TaskFn::arc("x", move |ctx: TaskContext| {
            let (slot, script, sender) = (slot.clone(), script.clone(), sender.clone());
            async move {
                let behind = slot.queue(script.spec("behind")).await.unwrap();
                let busy = slot.drop_if_running(script.spec("busy")).await.unwrap();
                let before = slot.replace(script.spec("before")).await.unwrap();
                assert!(ctx.is_cancelled(), "it has replaced itself");
                assert_eq!(slot.cancel_all().await.unwrap(), 2, "it does not wait for itself");
                let again = slot.queue(script.spec("again")).await.unwrap();
                sender.send([behind, busy, before, again]).unwrap();
                Ok(())
            }
        })
    };
    let owner = slot.queue(within).await?;
    let handles = surely(received.recv()).await.unwrap();
    assert_eq!(ends_of(&handles).await, ["canceled", "busy", "canceled", "completed"]);
    assert_eq!((end_of(&owner).await, script.attempts()), ("canceled", 1));
    Ok(())
}

/// Submits another task when dropped.
struct SubmitsInDrop(SupervisorHandle, mpsc::UnboundedSender<TaskHandle>);

impl Drop for SubmitsInDrop {
    fn drop(&mut self) {
        if let Ok(next) = self.0.try_submit(queued(Script::new([OK]).spec("next"))) {
            let _ = self.1.send(next);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn j01_a_submission_from_the_drop_of_a_future_or_a_task_finds_no_lock_held() -> Result {
    // given one in a future, and one in a task value
    let supervisor = supervisor();
    let (sender, mut received) = mpsc::unbounded_channel();
    let in_future = {
        let (handle, sender) = (supervisor.handle(), sender.clone());
        TaskFn::arc("x", move |_: TaskContext| {
            let submits = SubmitsInDrop(handle.clone(), sender.clone());
            async move {
                let _submits = submits;
                Ok(())
            }
        })
    };
    let in_task = || {
        let submits = SubmitsInDrop(supervisor.handle(), sender.clone());
        TaskFn::arc("y", move |_: TaskContext| {
            let _ = &submits;
            async { Ok(()) }
        })
    };
    supervisor.submit(queued(taskvisor::TaskSpec::inherit(in_future))).await?;
    supervisor.submit(queued(taskvisor::TaskSpec::inherit(in_task()))).await?;
    // when tasks end, are canceled, displaced, rejected as busy, or cleared
    let to = |spec: fn(taskvisor::TaskRef) -> ControllerSpec| spec(in_task()).with_slot("s");
    supervisor.submit(to(ControllerSpec::drop_if_running)).await?;
    for _ in 0..2 {
        supervisor.submit(to(ControllerSpec::replace)).await?;
    }
    supervisor.submit(to(ControllerSpec::queue)).await?.cancel().await?;
    supervisor.submit(to(ControllerSpec::queue)).await?;
    supervisor.slot("s").cancel_all().await?;
    settle().await;
    // then
    let mut ended = 0;
    while let Ok(next) = received.try_recv() {
        surely(next.outcome()).await;
        ended += 1;
    }
    assert!(ended >= 6, "{ended}");
    assert!(supervisor.slot("s").is_idle());
    supervisor.submit(queued(cooperative("z"))).await?;
    supervisor.submit(to(ControllerSpec::queue)).await?;
    supervisor.shutdown().await
}

/// A subscriber that submits a follower for each task that completes.
struct Submits {
    supervisor: OnceLock<SupervisorHandle>,
    sender: mpsc::UnboundedSender<TaskHandle>,
}

#[taskvisor::async_trait]
impl Subscribe for Submits {
    async fn on_event(&self, event: &Event) {
        let supervisor = self.supervisor.get().unwrap();
        if event.kind == EventKind::ActorExhausted && event.task.as_deref() == Some("x") {
            let spec = queued(Script::new([OK]).spec("follower"));
            let _ = self.sender.send(supervisor.submit(spec).await.unwrap());
        }
        if event.kind == EventKind::ControllerRejected {
            assert!(supervisor.slot("s").len() > 0);
        }
    }

    fn name(&self) -> &'static str {
        "submits"
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn j01_a_subscriber_submits() -> Result {
    let (sender, mut received) = mpsc::unbounded_channel();
    let submits = Arc::new(Submits { supervisor: OnceLock::new(), sender });
    let recorder = Recorder::new();
    let supervisor = Supervisor::builder(SupervisorConfig::default())
        .with_subscribers(vec![submits.clone(), recorder.clone()])
        .build();
    submits.supervisor.set(supervisor.handle()).unwrap();
    for _ in 0..100 {
        supervisor.submit(queued(Script::new([OK]).spec("x"))).await?;
    }
    for _ in 0..100 {
        assert_eq!(end_of(&surely(received.recv()).await.unwrap()).await, "completed");
    }
    supervisor.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn j01_dropping_handles_of_those_that_wait_does_nothing() -> Result {
    let supervisor = supervisor();
    let script = Script::new([OK]);
    let owner = supervisor.submit(queued(cooperative("x"))).await?;
    for _ in 0..3 {
        drop(supervisor.submit(queued(script.spec("y").with_restart(RestartPolicy::Never))).await?);
    }
    drop(supervisor.slot("s"));
    settle().await;
    assert!(owner.cancel().await?);
    settle().await;
    assert_eq!(script.attempts(), 3);
    assert_eq!(label(&owner.outcome().await), "canceled");
    Ok(())
}
