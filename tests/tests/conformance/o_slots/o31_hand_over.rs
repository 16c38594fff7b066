//! The hand-over of slots with places, a rate or a time: the phases that are told, and who starts next.

use std::sync::Arc;

use taskvisor::{
    AdmissionPolicy, EventKind, RejectReason, SlotHandle, SlotPhase, SlotSpec, SupervisorConfig, TaskHandle,
    TaskOutcome, Tree,
};
use tests::{OK, Recorder, Script, Step, cooperative, secs, settle};
use tokio::time::{Instant, sleep};

use super::runs;

type Result = std::result::Result<(), Box<dyn std::error::Error>>;

fn tree_with(slot: SlotSpec) -> (Tree, Arc<Recorder>) {
    let recorder = Recorder::new();
    let tree =
        Tree::builder(SupervisorConfig::default()).with_subscriber(Arc::clone(&recorder)).with_slot(slot).build();
    (tree, recorder)
}

/// The transitions of a slot that were told so far.
async fn transitions(recorder: &Recorder, slot: &str) -> Vec<String> {
    settle().await;
    let is_of =
        |seen: &tests::Seen| seen.kind == EventKind::ControllerSlotTransition && seen.slot.as_deref() == Some(slot);
    recorder.seen().into_iter().filter(is_of).filter_map(|seen| seen.reason).collect()
}

async fn submitted(slot: &SlotHandle, names: &[&str]) -> Vec<TaskHandle> {
    let mut handles = Vec::new();
    for name in names {
        handles.push(slot.submit(cooperative(name)).await.unwrap());
    }
    handles
}

/// A key whose job starts in the place that another key left is told its own phases, and stands in the line again.
#[tokio::test(start_paused = true)]
async fn o31_a_place_that_a_key_leaves_goes_to_all_jobs_of_another_key() -> Result {
    let (tree, recorder) = tree_with(SlotSpec::new("jobs").with_keys().with_concurrency(2).with_max_concurrent(2));
    let slot = tree.slot("jobs");
    let (a, b) = (slot.key("a"), slot.key("b"));
    let of_a = submitted(&a, &["1", "2"]).await;
    let of_b = submitted(&b, &["1", "2"]).await;
    assert!(of_a[0].cancel().await?);
    settle().await;
    assert!(runs(&of_b[0]) && !runs(&of_b[1]));
    assert!(of_a[1].cancel().await?);
    settle().await;
    assert!(runs(&of_b[1]), "the key that has left has no more jobs, and the other one has");
    let running = ["idle -> running", "running -> running", "running -> idle"];
    assert_eq!(transitions(&recorder, "jobs/a").await, running);
    let waiting = ["idle -> waiting", "waiting -> running", "running -> running"];
    assert_eq!(transitions(&recorder, "jobs/b").await, waiting);
    tree.shutdown().await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o31_a_key_that_gets_its_own_place_again_goes_on_running() -> Result {
    let (tree, recorder) = tree_with(SlotSpec::new("jobs").with_keys().with_max_concurrent(1));
    let key = tree.slot("jobs").key("a");
    let jobs = submitted(&key, &["1", "2"]).await;
    assert!(jobs[0].cancel().await?);
    settle().await;
    assert!(runs(&jobs[1]));
    assert_eq!(transitions(&recorder, "jobs/a").await, ["idle -> running", "running -> running"]);
    tree.shutdown().await?;
    Ok(())
}

/// The slot that an owner has left is told to be idle once, with the phase that was told before.
#[tokio::test(start_paused = true)]
async fn o31_a_slot_whose_next_job_is_refused_goes_from_running_to_idle() -> Result {
    let (tree, recorder) = tree_with(SlotSpec::new("jobs").with_rate(2, secs(10)));
    let slot = tree.slot("jobs");
    let taken = tree.supervisor().add_task(cooperative("taken")).await?;
    let jobs = submitted(&slot, &["runs", "taken"]).await;
    assert!(jobs[0].cancel().await?);
    assert!(matches!(jobs[1].outcome().await, TaskOutcome::Rejected { reason: RejectReason::Refused { .. } }));
    assert!(runs(&taken) && slot.is_idle());
    assert_eq!(transitions(&recorder, "jobs").await, ["idle -> running", "running -> idle"]);
    tree.shutdown().await?;
    Ok(())
}

/// The jobs of an ended runtime do not wait for the rate: they are aborted at once.
#[test]
fn o31_the_end_of_a_runtime_ends_what_waits_there_for_the_rate() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let (main, doomed) = (runtime(), runtime());
    let (tree, _) = tree_with(SlotSpec::new("jobs").with_rate(1, secs(10)));
    let slot = tree.slot("jobs");
    main.block_on(async {
        let first = slot.submit(Script::new([OK]).spec("first")).await.unwrap();
        assert!(first.outcome().await.is_completed());
    });
    let gone = doomed.block_on(slot.submit(cooperative("gone"))).unwrap();
    assert_eq!(slot.snapshot().phase, SlotPhase::Waiting);
    drop(doomed);
    main.block_on(async {
        assert!(matches!(gone.outcome().await, TaskOutcome::Aborted { .. }));
        assert!(slot.is_idle());
    });
}

/// The alarm of a debounced job that finds the place taken is over, and does not ring again and again.
#[tokio::test(start_paused = true)]
async fn o30_a_debounced_job_whose_time_comes_while_another_runs_starts_after_it() -> Result {
    let slot = SlotSpec::new("s").with_admission(AdmissionPolicy::Latest).with_debounce(secs(2));
    let (tree, _) = tree_with(slot);
    let slot = tree.slot("s");
    let script = Script::new([OK]);
    let start = Instant::now();
    let waits = slot.submit(script.spec("waits")).await?;
    let queued = slot.queue(Script::new([Step::Succeed(secs(5))]).spec("queued")).await?;
    sleep(secs(3)).await;
    assert!(runs(&queued) && slot.snapshot().phase == SlotPhase::Running);
    assert!(queued.outcome().await.is_completed() && waits.outcome().await.is_completed());
    assert_eq!(script.begun_ms(start), [5_000]);
    tree.shutdown().await?;
    Ok(())
}
