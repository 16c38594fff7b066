//! A paused slot is as if it was busy.

use std::time::Duration;

use taskvisor::{
    AdmissionPolicy, ControllerConfig, EventKind, RejectReason, SlotHandle, SlotPhase, SlotSpec, StopReason,
    SupervisorConfig, TaskHandle, TaskOutcome, TaskState, Tree,
};
use tests::{FAIL, OK, Recorder, Script, Step, constant, cooperative, ms, secs, settle};
use tokio::time::advance;

type Result = std::result::Result<(), Box<dyn std::error::Error>>;

fn tree(slot: SlotSpec) -> (Tree, SlotHandle) {
    let name = slot.name().to_owned();
    let tree = Tree::builder(SupervisorConfig::default()).with_slot(slot).build();
    let slot = tree.slot(&name);
    (tree, slot)
}

/// The reason of a rejection.
async fn rejected(task: &TaskHandle) -> &'static str {
    match task.outcome().await {
        TaskOutcome::Rejected { reason } => reason.as_label(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn t2_submissions_to_a_paused_slot_wait_and_start_in_order() -> Result {
    let recorder = Recorder::new();
    let tree = Tree::builder(SupervisorConfig::default())
        .with_subscriber(recorder.clone())
        .with_slot(SlotSpec::new("s").with_capacity(2))
        .build();
    let (slot, script) = (tree.slot("s"), Script::new([OK]));
    assert!(slot.pause() && slot.is_paused());
    let first = slot.submit(script.spec("first")).await?;
    let second = slot.submit(script.spec("second")).await?;
    let third = slot.submit(script.spec("third")).await?;
    let dropped = slot.drop_if_running(script.spec("dropped")).await?;
    settle().await;
    assert_eq!((rejected(&third).await, rejected(&dropped).await), ("full", "paused"));
    let snapshot = slot.snapshot();
    assert_eq!((snapshot.phase, snapshot.paused, snapshot.queued), (SlotPhase::Waiting, true, 2));
    assert_eq!((first.status().state, script.attempts(), slot.len()), (TaskState::Queued, 0, 2));
    assert!(slot.resume() && !slot.resume());
    assert!(first.outcome().await.is_completed() && second.outcome().await.is_completed());
    settle().await;
    assert!(slot.is_idle() && !slot.snapshot().paused);
    let changes: Vec<_> = recorder.seen().into_iter().filter(|seen| seen.slot.as_deref() == Some("s")).collect();
    let shown: Vec<_> =
        changes.iter().map(|seen| format!("{:?} {}", seen.kind, seen.reason.as_deref().unwrap_or(""))).collect();
    assert_eq!(
        shown,
        [
            "TaskPaused ",
            "ControllerSubmitted ",
            "ControllerSlotTransition idle -> waiting",
            "ControllerSubmitted ",
            "ControllerRejected full",
            "ControllerRejected paused",
            "TaskResumed ",
            "ControllerSlotTransition waiting -> running",
            "ControllerSlotTransition running -> running",
            "ControllerSlotTransition running -> idle",
        ]
    );
    assert_eq!(recorder.count(EventKind::TaskPaused), 1);
    Ok(tree.shutdown().await?)
}

#[tokio::test(start_paused = true)]
async fn t2_the_owner_goes_on_and_its_next_attempt_waits() -> Result {
    let (tree, slot) = tree(SlotSpec::new("s"));
    let script = Script::new([Step::Fail(secs(1)), Step::Wait]);
    let owner = slot.submit(script.spec("owner").with_backoff(constant(ms(1)))).await?;
    let waits = slot.submit(cooperative("waits")).await?;
    settle().await;
    assert!(slot.pause() && owner.is_paused() && waits.is_paused() && waits.status().paused);
    assert_eq!(script.running(), 1);
    advance(secs(1)).await;
    settle().await;
    advance(ms(1)).await;
    settle().await;
    assert_eq!((owner.status().state, waits.status().state), (TaskState::Paused, TaskState::Queued));
    assert!(slot.resume());
    settle().await;
    assert_eq!((owner.status().state, owner.is_paused(), waits.is_paused()), (TaskState::Running, false, false));
    // The owner is told, and keeps the slot.
    assert!(slot.pause_and_stop() && !slot.pause_and_stop());
    settle().await;
    assert_eq!((owner.status().state, waits.status().state), (TaskState::Paused, TaskState::Queued));
    // When the owner ends, the next waits for the resume.
    owner.cancel().await?;
    settle().await;
    assert_eq!((waits.status().state, slot.snapshot().phase), (TaskState::Queued, SlotPhase::Waiting));
    assert!(slot.resume());
    settle().await;
    assert_eq!(waits.status().state, TaskState::Running);
    Ok(tree.shutdown().await?)
}

#[tokio::test(start_paused = true)]
async fn t2_a_job_and_its_slot_are_paused_each_by_itself() -> Result {
    let (tree, slot) = tree(SlotSpec::new("s"));
    let script = Script::new([Step::Fail(secs(1)), Step::Wait]);
    let job = slot.submit(script.spec("job").with_backoff(constant(ms(1)))).await?;
    settle().await;
    assert!(job.pause() && slot.pause());
    advance(secs(1)).await;
    settle().await;
    advance(ms(1)).await;
    settle().await;
    // Each ends its own pause, and the other holds the job.
    assert!(slot.resume() && job.is_paused());
    settle().await;
    assert_eq!(job.status().state, TaskState::Paused);
    assert!(slot.pause() && job.resume() && job.is_paused());
    settle().await;
    assert_eq!(job.status().state, TaskState::Paused);
    assert!(slot.resume() && !job.is_paused());
    settle().await;
    assert_eq!(job.status().state, TaskState::Running);
    Ok(tree.shutdown().await?)
}

#[tokio::test(start_paused = true)]
async fn t2_replace_in_a_paused_slot_stops_the_owner() -> Result {
    for owner_runs in [true, false] {
        let (tree, slot) = tree(SlotSpec::new("s").with_admission(AdmissionPolicy::Replace));
        let owner = slot.submit(cooperative("owner")).await?;
        settle().await;
        assert!(if owner_runs { slot.pause() } else { slot.pause_and_stop() });
        settle().await;
        let first = slot.submit(cooperative("first")).await?;
        let next = slot.submit(cooperative("next")).await?;
        assert!(matches!(owner.outcome().await, TaskOutcome::Canceled { reason: StopReason::Replaced, .. }));
        assert_eq!(rejected(&first).await, "superseded");
        settle().await;
        assert_eq!((next.status().state, slot.snapshot().phase), (TaskState::Queued, SlotPhase::Waiting));
        assert!(slot.resume());
        settle().await;
        assert_eq!(next.status().state, TaskState::Running);
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t2_latest_and_its_debounce_in_a_pause() -> Result {
    let slot = SlotSpec::new("s").with_admission(AdmissionPolicy::Latest).with_debounce(secs(2));
    let (tree, slot) = tree(slot);
    let first = slot.submit(cooperative("first")).await?;
    assert!(slot.pause());
    advance(secs(5)).await;
    settle().await;
    assert_eq!(first.status().state, TaskState::Queued);
    let second = slot.submit(cooperative("second")).await?;
    assert_eq!(rejected(&first).await, "superseded");
    advance(secs(1)).await;
    assert!(slot.resume());
    settle().await;
    assert_eq!(second.status().state, TaskState::Queued, "its time is not over");
    advance(secs(1)).await;
    settle().await;
    assert_eq!(second.status().state, TaskState::Running);
    Ok(tree.shutdown().await?)
}

#[tokio::test(start_paused = true)]
async fn t2_a_key_is_paused_alone_or_with_its_slot() -> Result {
    let (tree, jobs) = tree(SlotSpec::new("jobs").with_keys().with_max_concurrent(1));
    let (acme, zeta) = (jobs.key("acme"), jobs.key("zeta"));
    let owner = acme.submit(cooperative("owner")).await?;
    let of_acme = acme.submit(cooperative("next")).await?;
    let of_zeta = zeta.submit(cooperative("next")).await?;
    settle().await;
    // given a paused key that is the next in the line, then the place goes to another
    assert!(acme.pause() && acme.is_paused() && !zeta.is_paused() && !jobs.is_paused());
    owner.cancel().await?;
    settle().await;
    assert_eq!((of_acme.status().state, of_zeta.status().state), (TaskState::Queued, TaskState::Running));
    of_zeta.cancel().await?;
    // A free place is not kept for a paused key.
    let again = zeta.submit(cooperative("again")).await?;
    settle().await;
    assert_eq!(again.status().state, TaskState::Running);
    // given the slot is paused, then all keys are
    assert!(jobs.pause() && zeta.is_paused() && again.is_paused());
    again.cancel().await?;
    let last = zeta.submit(cooperative("last")).await?;
    assert!(acme.resume() && acme.is_paused());
    settle().await;
    assert_eq!((of_acme.status().state, last.status().state), (TaskState::Queued, TaskState::Queued));
    assert!(jobs.resume());
    settle().await;
    let states = [of_acme.status().state, last.status().state];
    assert!(states.contains(&TaskState::Running) && states.contains(&TaskState::Queued), "{states:?}");
    Ok(tree.shutdown().await?)
}

#[tokio::test(start_paused = true)]
async fn t2_a_key_that_is_paused_in_the_line_is_passed_over() -> Result {
    let (tree, jobs) = tree(SlotSpec::new("jobs").with_keys().with_max_concurrent(1));
    let keys = ["a", "b", "c"].map(|key| jobs.key(key));
    let mut waiting = Vec::new();
    for key in &keys {
        waiting.push(key.submit(cooperative("job")).await?);
    }
    settle().await;
    let states = || waiting.iter().map(|job| job.status().state).collect::<Vec<_>>();
    assert_eq!(states(), [TaskState::Running, TaskState::Queued, TaskState::Queued]);
    assert!(keys[1].pause());
    waiting[0].cancel().await?;
    settle().await;
    assert_eq!(states(), [TaskState::Ended, TaskState::Queued, TaskState::Running]);
    // It does not stand in the way of a place that is free, and lines up again with its resume.
    waiting[2].cancel().await?;
    let other = keys[0].submit(cooperative("other")).await?;
    settle().await;
    assert!(other.status().state == TaskState::Running && keys[1].resume());
    settle().await;
    assert_eq!(states()[1], TaskState::Queued);
    other.cancel().await?;
    settle().await;
    assert_eq!(states()[1], TaskState::Running);
    Ok(tree.shutdown().await?)
}

#[tokio::test(start_paused = true)]
async fn t2_places_and_rates_in_a_pause() -> Result {
    let (tree, slot) = tree(SlotSpec::new("s").with_concurrency(3).with_rate(2, secs(60)));
    assert!(slot.pause());
    let mut jobs = Vec::new();
    for name in ["a", "b", "c", "d"] {
        jobs.push(slot.submit(cooperative(name)).await?);
    }
    let running = || jobs.iter().filter(|job| job.status().state == TaskState::Running).count();
    advance(secs(100)).await;
    settle().await;
    assert_eq!(running(), 0);
    assert!(slot.resume());
    settle().await;
    assert_eq!(running(), 2, "as many as the rate allows");
    assert!(slot.pause());
    advance(secs(61)).await;
    settle().await;
    assert_eq!(running(), 2);
    assert!(slot.resume());
    settle().await;
    assert_eq!(running(), 3, "as many as there are places");
    Ok(tree.shutdown().await?)
}

#[tokio::test(start_paused = true)]
async fn t2_room_in_the_queues_in_a_pause() -> Result {
    let config = ControllerConfig { queue_capacity: 1, ..ControllerConfig::default() };
    let tree = Tree::builder(SupervisorConfig::default()).with_controller(config).build();
    let (paused, other) = (tree.slot("paused"), tree.slot("other"));
    assert!(paused.pause());
    let owner = other.submit(cooperative("owner")).await?;
    let queued = other.submit(cooperative("queued")).await?;
    let waits = tokio::spawn({
        let paused = paused.clone();
        async move { paused.submit(cooperative("job")).await }
    });
    settle().await;
    assert!(!waits.is_finished(), "the queues are full");
    assert!(paused.resume());
    let job = tokio::time::timeout(Duration::from_secs(1), waits).await??.unwrap();
    settle().await;
    assert_eq!((job.status().state, queued.status().state), (TaskState::Running, TaskState::Queued));
    assert_eq!(owner.status().state, TaskState::Running);
    Ok(tree.shutdown().await?)
}

#[tokio::test(start_paused = true)]
async fn t2_the_root_pauses_its_slots() -> Result {
    let (tree, slot) = tree(SlotSpec::new("s"));
    assert!(tree.group("").pause() && slot.is_paused());
    let job = slot.submit(Script::new([FAIL]).spec("job")).await?;
    let dropped = slot.drop_if_running(cooperative("dropped")).await?;
    assert!(matches!(dropped.outcome().await, TaskOutcome::Rejected { reason: RejectReason::Paused }));
    assert_eq!((job.status().state, job.is_paused()), (TaskState::Queued, true));
    // It stays paused by itself.
    assert!(slot.pause() && tree.group("").resume());
    settle().await;
    assert_eq!((job.status().state, slot.is_paused()), (TaskState::Queued, true));
    assert!(slot.resume());
    settle().await;
    assert_eq!(job.status().state, TaskState::Backoff);
    Ok(tree.shutdown().await?)
}

#[tokio::test(start_paused = true)]
async fn t2_a_shutdown_rejects_what_waits_in_a_paused_slot() -> Result {
    let (tree, slot) = tree(SlotSpec::new("s"));
    let owner = slot.submit(cooperative("owner")).await?;
    settle().await;
    assert!(slot.pause_and_stop());
    let waits = slot.submit(cooperative("waits")).await?;
    settle().await;
    assert_eq!(owner.status().state, TaskState::Paused);
    tree.shutdown().await?;
    assert_eq!(rejected(&waits).await, "shutting_down");
    assert!(matches!(owner.outcome().await, TaskOutcome::Canceled { reason: StopReason::Shutdown, .. }));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t2_waiting_submissions_of_a_paused_slot_are_canceled() -> Result {
    let (tree, slot) = tree(SlotSpec::new("s"));
    assert!(slot.pause());
    let one = slot.submit(cooperative("one")).await?;
    let two = slot.submit(cooperative("two")).await?;
    assert!(one.cancel().await?);
    assert_eq!((slot.cancel_all().await?, slot.is_idle(), slot.is_paused()), (1, true, true));
    assert!(matches!(two.outcome().await, TaskOutcome::Canceled { .. }));
    assert_eq!(tree.supervisor().slots().iter().map(|slot| slot.paused).collect::<Vec<_>>(), [true]);
    assert!(tree.slot("undeclared").pause());
    assert_eq!(tree.supervisor().slots().len(), 2, "a paused slot is listed");
    Ok(tree.shutdown().await?)
}

#[tokio::test(start_paused = true)]
async fn t2_the_root_pauses_what_waits_in_slots_and_a_shutdown_ends_the_pauses_of_slots() -> Result {
    let (tree, slot) = tree(SlotSpec::new("s"));
    let owner = slot.submit(cooperative("owner")).await?;
    let waits = slot.submit(cooperative("waits")).await?;
    settle().await;
    assert!(tree.group("").pause());
    assert!(owner.is_paused() && waits.is_paused() && waits.status().paused);
    assert!(tree.group("").resume() && !waits.is_paused());
    assert!(slot.pause() && slot.is_paused() && slot.snapshot().paused);
    tree.shutdown().await?;
    assert!(!slot.is_paused() && !slot.snapshot().paused);
    Ok(())
}
