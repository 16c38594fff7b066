//! The transitions of slots: each begins where the one before it ended.

use std::sync::Arc;

use taskvisor::{EventKind, RuntimeError, SlotSpec, SupervisorConfig, Tree, TreeBuilder};
use tests::{Recorder, Script, Step, cooperative, deaf, ms, secs, settle};

type Result = std::result::Result<(), RuntimeError>;

async fn started(slot: SlotSpec) -> std::result::Result<(Tree, Arc<Recorder>), RuntimeError> {
    let recorder = Recorder::new();
    let builder: TreeBuilder = Tree::builder(SupervisorConfig::default()).with_subscriber(Arc::clone(&recorder));
    let tree = builder.with_slot(slot).build();
    tree.start().await?;
    Ok((tree, recorder))
}

fn transitions(recorder: &Recorder) -> Vec<String> {
    let seen = recorder.seen().into_iter().filter(|seen| seen.kind == EventKind::ControllerSlotTransition);
    seen.filter_map(|seen| seen.reason).collect()
}

#[tokio::test(start_paused = true)]
async fn o31_a_key_that_gets_the_place_of_its_own_job_never_waited() -> Result {
    let (tree, recorder) = started(SlotSpec::new("jobs").with_keys().with_max_concurrent(1)).await?;
    let key = tree.slot("jobs").key("a");
    let job = Script::new([Step::Succeed(secs(1))]);
    let first = key.submit(job.spec("first")).await.unwrap();
    let second = key.submit(job.spec("second")).await.unwrap();
    assert!(first.outcome().await.is_completed() && second.outcome().await.is_completed());
    tree.shutdown().await?;
    assert_eq!(transitions(&recorder), ["idle -> running", "running -> running", "running -> idle"]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o31_a_slot_with_two_places_is_stopping_until_its_oldest_job_has_ended() -> Result {
    let (tree, recorder) = started(SlotSpec::new("jobs").with_concurrency(2)).await?;
    let slot = tree.slot("jobs");
    let oldest = slot.submit(deaf("oldest").with_stop_timeout(secs(1))).await.unwrap();
    let other = slot.submit(Script::new([Step::Succeed(ms(100))]).spec("other")).await.unwrap();
    settle().await;
    let newest = slot.replace(cooperative("newest")).await.unwrap();
    assert!(other.outcome().await.is_completed());
    oldest.outcome().await;
    assert!(newest.cancel().await?);
    tree.shutdown().await?;
    assert_eq!(
        transitions(&recorder),
        [
            "idle -> running",
            "running -> running",
            "running -> stopping",
            "stopping -> stopping",
            "stopping -> running",
            "running -> idle"
        ]
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j05_a_slot_whose_jobs_are_rejected_at_the_shutdown_is_idle() -> Result {
    let (tree, recorder) = started(SlotSpec::new("jobs")).await?;
    tree.slot("jobs").pause();
    let job = tree.slot("jobs").submit(cooperative("job")).await.unwrap();
    settle().await;
    tree.shutdown().await?;
    assert_eq!(job.outcome().await.as_label(), "rejected");
    assert_eq!(transitions(&recorder), ["idle -> waiting", "waiting -> idle"]);
    assert_eq!(recorder.kinds().last(), Some(&EventKind::AllStoppedWithinGrace));
    Ok(())
}
