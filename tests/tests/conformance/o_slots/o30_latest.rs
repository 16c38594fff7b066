//! The admission policy `latest`, and its `debounce`.

use std::sync::Arc;
use std::time::Duration;

use taskvisor::{
    AdmissionPolicy, ControllerError, ControllerSpec, EventKind, RejectReason, RuntimeError, SlotPhase, SlotSpec,
    SupervisorConfig, TaskHandle, TaskOutcome, Tree,
};
use tests::{OK, Recorder, Script, Step, cooperative, ms, recorded, secs, settle, supervisor};
use tokio::time::{Instant, sleep};

use super::{is_canceled, runs};

type Result = std::result::Result<(), Box<dyn std::error::Error>>;

fn latest(name: &str) -> SlotSpec {
    SlotSpec::new(name).with_admission(AdmissionPolicy::Latest)
}

fn tree_with(slot: SlotSpec) -> (Tree, Arc<Recorder>) {
    let recorder = Recorder::new();
    let tree =
        Tree::builder(SupervisorConfig::default()).with_subscriber(Arc::clone(&recorder)).with_slot(slot).build();
    (tree, recorder)
}

async fn is_superseded(handle: &TaskHandle) -> bool {
    matches!(handle.outcome().await, TaskOutcome::Rejected { reason: RejectReason::Superseded })
}

fn transitions(recorder: &Recorder) -> Vec<String> {
    let seen = recorder.seen().into_iter().filter(|seen| seen.kind == EventKind::ControllerSlotTransition);
    seen.filter_map(|seen| seen.reason).collect()
}

#[tokio::test(start_paused = true)]
async fn o30_the_owner_runs_on_and_the_latest_of_those_that_wait_runs() -> Result {
    let (supervisor, recorder) = recorded();
    let script = Script::new([Step::Succeed(secs(1))]);
    let start = Instant::now();
    let mut handles = Vec::new();
    for number in 0..5 {
        let spec = ControllerSpec::latest(script.spec(&format!("t{number}"))).with_slot("s");
        handles.push(supervisor.submit(spec).await?);
        settle().await;
    }
    for handle in &handles[1..4] {
        assert!(is_superseded(handle).await);
    }
    assert!(handles[0].outcome().await.is_completed() && handles[4].outcome().await.is_completed());
    assert_eq!((script.begun_ms(start), script.most()), (vec![0, 1_000], 1));
    settle().await;
    assert_eq!(transitions(&recorder), ["idle -> running", "running -> running", "running -> idle"]);
    Ok(())
}

/// Each policy sees what waits ahead of the queue.
#[tokio::test(start_paused = true)]
async fn o30_latest_beside_the_other_policies() -> Result {
    let supervisor = supervisor();
    let slot = supervisor.slot("s");
    let owner = slot.submit(cooperative("owner")).await?;
    let queued = slot.queue(cooperative("queued")).await?;
    let latest = slot.latest(cooperative("latest")).await?;
    let busy = slot.drop_if_running(cooperative("busy")).await?;
    assert!(matches!(busy.outcome().await, TaskOutcome::Rejected { reason: RejectReason::Busy }));
    settle().await;
    assert_eq!(slot.snapshot().phase, SlotPhase::Running, "no task was requested to stop");
    let replacement = slot.replace(cooperative("replacement")).await?;
    assert!(is_superseded(&latest).await);
    // A latest one supersedes the replacement. The owner stops all the same.
    let newest = slot.latest(cooperative("newest")).await?;
    assert!(is_superseded(&replacement).await);
    assert!(matches!(owner.outcome().await, TaskOutcome::Canceled { .. }));
    settle().await;
    assert!(runs(&newest) && !runs(&queued), "ahead of the queue");
    assert_eq!(slot.cancel_all().await?, 2);
    assert!(slot.is_idle());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o30_debounce_waits_for_quiet_and_at_most_for_its_maximum() -> Result {
    let (tree, recorder) = tree_with(latest("s").with_debounce(secs(2)).with_debounce_max(secs(5)));
    let slot = tree.slot("s");
    let script = Script::new([OK]);
    let start = Instant::now();
    let first = slot.submit(script.spec("a")).await?;
    assert_eq!((slot.len(), slot.snapshot().phase), (1, SlotPhase::Waiting));
    sleep(ms(1_900)).await;
    let second = slot.submit(script.spec("a")).await?;
    assert!(is_superseded(&first).await);
    assert!(second.outcome().await.is_completed());
    assert_eq!(script.begun_ms(start), [3_900]);
    // Submissions without a pause: the last of them at the end of the maximum, and the next ones wait anew.
    let start = Instant::now();
    let mut handles = Vec::new();
    for _ in 0..7 {
        handles.push(slot.submit(script.spec("a")).await?);
        sleep(secs(1)).await;
    }
    let last = handles.pop().unwrap();
    assert!(last.outcome().await.is_completed());
    let began: Vec<_> = script.begun_ms(start);
    assert_eq!(began.len(), 3, "{began:?}");
    let ran: Vec<bool> = futures_of(&handles).await;
    assert_eq!(ran.iter().filter(|ran| **ran).count(), 1, "{ran:?}");
    assert!(start.elapsed() <= secs(9));
    settle().await;
    assert_eq!(
        transitions(&recorder)[..4],
        ["idle -> waiting", "waiting -> running", "running -> idle", "idle -> waiting"]
    );
    assert!(slot.is_idle() && slot.snapshot().phase == SlotPhase::Idle);
    Ok(())
}

async fn futures_of(handles: &[TaskHandle]) -> Vec<bool> {
    let mut ran = Vec::new();
    for handle in handles {
        ran.push(handle.outcome().await.is_completed());
    }
    ran
}

#[tokio::test(start_paused = true)]
async fn o30_a_debounced_submission_waits_also_when_the_owner_ends_before() -> Result {
    let (tree, recorder) = tree_with(latest("s").with_debounce(secs(2)));
    let slot = tree.slot("s");
    let script = Script::new([Step::Succeed(secs(3)), Step::Succeed(secs(10)), OK]);
    let start = Instant::now();
    let owner = slot.submit(script.spec("a")).await?;
    sleep(ms(4_500)).await;
    assert!(runs(&owner));
    // Its time is over after the owner has ended at 5 s.
    let next = slot.submit(script.spec("b")).await?;
    assert!(owner.outcome().await.is_completed());
    settle().await;
    assert_eq!(slot.snapshot().phase, SlotPhase::Waiting);
    sleep(secs(2)).await;
    assert!(runs(&next));
    // Its time is over before the owner ends at 16.5 s.
    let last = slot.submit(script.spec("c")).await?;
    assert!(last.outcome().await.is_completed());
    assert_eq!(script.begun_ms(start), [2_000, 6_500, 16_500]);
    let expected = ["idle -> waiting", "waiting -> running", "running -> waiting", "waiting -> running"];
    assert_eq!(transitions(&recorder)[..4], expected);
    Ok(())
}

/// Other policies do not wait for a submission that waits for its time.
#[tokio::test(start_paused = true)]
async fn o30_other_submissions_start_while_a_debounced_one_waits() -> Result {
    let (tree, _) = tree_with(latest("s").with_debounce(secs(2)));
    let slot = tree.slot("s");
    let waits = slot.submit(cooperative("waits")).await?;
    let queued = slot.queue(Script::new([Step::Succeed(secs(1))]).spec("queued")).await?;
    settle().await;
    assert!(runs(&queued));
    sleep(secs(3)).await;
    assert!(runs(&waits));
    assert!(waits.cancel().await?);
    // A replacement supersedes what waits.
    let older = slot.submit(cooperative("older")).await?;
    let newer = slot.replace(cooperative("newer")).await?;
    settle().await;
    assert!(runs(&newer) && is_superseded(&older).await);
    assert!(newer.cancel().await?);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o30_a_debounced_submission_can_be_canceled_and_is_rejected_by_a_shutdown() -> Result {
    let (tree, recorder) = tree_with(latest("s").with_debounce(secs(2)));
    let slot = tree.slot("s");
    let canceled = slot.submit(cooperative("a")).await?;
    assert!(canceled.cancel().await?);
    assert!(matches!(canceled.outcome().await, TaskOutcome::Canceled { .. }));
    assert!(slot.is_idle());
    sleep(secs(1)).await;
    // The time counts from this one.
    let start = Instant::now();
    let script = Script::new([OK]);
    assert!(slot.submit(script.spec("b")).await?.outcome().await.is_completed());
    assert_eq!(script.begun_ms(start), [2_000]);
    let withdrawn = slot.submit(cooperative("c")).await?;
    assert_eq!(slot.cancel_all().await?, 1);
    assert!(is_canceled(&withdrawn.outcome().await));
    let rejected = slot.submit(cooperative("d")).await?;
    tree.shutdown().await?;
    assert!(matches!(rejected.outcome().await, TaskOutcome::Rejected { reason: RejectReason::ShuttingDown }));
    assert!(slot.is_idle());
    settle().await;
    assert_eq!(transitions(&recorder)[..2], ["idle -> waiting", "waiting -> idle"]);
    assert!(matches!(slot.submit(cooperative("e")).await, Err(ControllerError::ShuttingDown)));
    Ok(())
}

/// The alarm is on the runtime of the submission. If that ends, its submission does, and those of others run.
#[test]
fn o30_the_end_of_a_runtime_does_not_lose_what_waits_on_another() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let (main, doomed) = (runtime(), runtime());
    let (tree, _) = tree_with(latest("s").with_debounce(secs(2)));
    let slot = tree.slot("s");
    let gone = doomed.block_on(slot.submit(cooperative("gone"))).unwrap();
    let stays = main.block_on(slot.submit(Script::new([OK]).spec("stays"))).unwrap();
    drop(doomed);
    main.block_on(async {
        assert!(is_superseded(&gone).await);
        assert!(stays.outcome().await.is_completed());
        assert!(slot.is_idle());
    });
    let doomed = runtime();
    let gone = doomed.block_on(slot.submit(cooperative("gone"))).unwrap();
    drop(doomed);
    main.block_on(async {
        assert!(matches!(gone.outcome().await, TaskOutcome::Aborted { .. }));
        assert!(slot.is_idle());
        let next = slot.submit(Script::new([OK]).spec("next")).await.unwrap();
        assert!(next.outcome().await.is_completed());
    });
}

#[tokio::test(start_paused = true)]
async fn o30_options_that_contradict_each_other_are_refused() {
    let refused = |slot: SlotSpec| match Tree::builder(SupervisorConfig::default()).with_slot(slot).try_build() {
        Err(RuntimeError::InvalidOption(invalid)) => {
            (invalid.option, invalid.value.clone(), invalid.expected.to_string())
        }
        other => panic!("{other:?}"),
    };
    let expect = |option, value: &str, expected: &str| (option, value.to_owned(), expected.to_owned());
    let policy = "the admission policy `Latest` beside it";
    assert_eq!(refused(SlotSpec::new("s").with_debounce(secs(1))), expect("debounce", "set", policy));
    let longer = "a time longer than zero";
    assert_eq!(refused(latest("s").with_debounce(Duration::ZERO)), expect("debounce", "0ns", longer));
    let beside = "`debounce` beside it";
    assert_eq!(refused(latest("s").with_debounce_max(secs(1))), expect("debounce_max", "set", beside));
    let least = "at least `debounce`";
    let shorter = latest("s").with_debounce(secs(2)).with_debounce_max(secs(1));
    assert_eq!(refused(shorter), expect("debounce_max", "1s", least));
    let equal = latest("s").with_debounce(secs(2)).with_debounce_max(secs(2));
    assert!(Tree::builder(SupervisorConfig::default()).with_slot(equal).try_build().is_ok());
}
