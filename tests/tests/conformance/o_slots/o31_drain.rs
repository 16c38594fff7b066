//! "Finish what was taken": the jobs of keys in the drain of a shutdown.

use std::time::Duration;

use taskvisor::{Group, RuntimeError, SlotSpec, SupervisorConfig, TaskContext, TaskFn, TaskOutcome, TaskSpec, Tree};
use tests::{ALWAYS, Script, Step, cooperative, secs, settle};
use tokio::sync::mpsc;
use tokio::time::Instant;

type Result = std::result::Result<(), RuntimeError>;

const PAST_ITS_TIME: &str =
    "1 task not stopped in time: service/feed (past its `stop_timeout`: its function has returned, 1 helper runs)";

/// A task that submits three jobs, and whose helpers wait for their outcomes.
fn feed(jobs: TaskSpec, ends: mpsc::UnboundedSender<TaskOutcome>) -> TaskSpec {
    let task = TaskFn::arc("feed", move |ctx: TaskContext| {
        let (job, ends) = (jobs.clone(), ends.clone());
        async move {
            for key in ["acme", "acme", "zeta"] {
                let job = ctx.supervisor().slot("jobs").key(key).submit(job.clone()).await.unwrap();
                let ends = ends.clone();
                ctx.spawn(async move {
                    let _ = ends.send(job.outcome().await);
                });
            }
            ctx.cancelled().await;
            Ok(())
        }
    });
    TaskSpec::inherit(task).with_restart(ALWAYS).with_stop_timeout(secs(30)).with_cleanup(secs(30))
}

/// A tree whose tasks are in one group, with jobs that take so long.
fn started(time: Duration) -> (Tree, mpsc::UnboundedReceiver<TaskOutcome>) {
    let (sender, ends) = mpsc::unbounded_channel();
    let feed = feed(Script::new([Step::Succeed(time)]).spec("export"), sender);
    let service = Group::one_for_one("service").task(feed).task(cooperative("serve").with_after(["feed"]));
    let config = SupervisorConfig { drain: secs(40), grace: secs(10), ..SupervisorConfig::default() };
    let tree = Tree::builder(config).with_slot(SlotSpec::new("jobs").with_keys()).group(service).build();
    (tree, ends)
}

/// What the guide does at the request for a shutdown: it cancels the task that submits, and then the group.
async fn cancel(tree: &Tree) -> Result {
    let feed = tree.child("service/feed").current().expect("it was started");
    let _ = feed.cancel().await;
    tree.group("service").cancel().await?;
    Ok(())
}

fn read(mut ends: mpsc::UnboundedReceiver<TaskOutcome>) -> Vec<String> {
    let mut read = Vec::new();
    while let Ok(end) = ends.try_recv() {
        read.push(end.as_label().to_owned());
    }
    read
}

#[tokio::test(start_paused = true)]
async fn o31_a_feeder_that_is_canceled_in_the_drain_finishes_its_jobs_and_the_drain_ends_with_its_group() -> Result {
    let (tree, ends) = started(secs(4));
    tree.start().await?;
    tree.slot("jobs").key("acme").pause();
    settle().await;
    let start = Instant::now();
    let shutdown = tree.shutdown();
    for slot in tree.supervisor().slots().iter().filter(|slot| slot.paused) {
        assert!(tree.slot(&slot.name).resume());
    }
    cancel(&tree).await?;
    shutdown.await?;
    assert_eq!(start.elapsed(), secs(8));
    assert_eq!(read(ends), ["completed"; 3]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o31_a_paused_key_holds_its_feeder_up_for_the_whole_stop_timeout() -> Result {
    let (tree, ends) = started(secs(4));
    tree.start().await?;
    settle().await;
    assert!(tree.slot("jobs").key("acme").pause());
    let start = Instant::now();
    let shutdown = tree.shutdown();
    cancel(&tree).await?;
    assert!(matches!(tree.child("service/feed").outcome().await, Some(TaskOutcome::Aborted { .. })));
    assert_eq!(start.elapsed(), secs(30));
    assert_eq!(shutdown.await.unwrap_err().to_string(), PAST_ITS_TIME);
    assert_eq!(start.elapsed(), secs(30), "a drain does not wait for what is paused");
    assert_eq!(read(ends), ["completed"; 2]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o31_jobs_of_an_aborted_feeder_go_on_in_the_drain() -> Result {
    let (tree, _ends) = started(secs(18));
    tree.start().await?;
    settle().await;
    let start = Instant::now();
    let shutdown = tree.shutdown();
    cancel(&tree).await?;
    assert!(matches!(tree.child("service/feed").outcome().await, Some(TaskOutcome::Aborted { .. })));
    assert_eq!((start.elapsed(), tree.slot("jobs").key("acme").len()), (secs(30), 1));
    assert_eq!(shutdown.await.unwrap_err().to_string(), PAST_ITS_TIME);
    assert_eq!(start.elapsed(), secs(36));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o31_to_cancel_the_root_has_no_effect_in_the_drain() -> Result {
    let (tree, ends) = started(secs(4));
    tree.start().await?;
    settle().await;
    let start = Instant::now();
    let shutdown = tree.shutdown();
    assert!(!tree.group("").cancel().await?);
    shutdown.await?;
    assert_eq!((start.elapsed(), read(ends)), (secs(40), vec!["completed".to_owned(); 3]));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o31_to_cancel_the_group_alone_gives_the_feeder_the_grace_at_most() -> Result {
    let (tree, _ends) = started(secs(18));
    tree.start().await?;
    settle().await;
    let start = Instant::now();
    let shutdown = tree.shutdown();
    assert!(tree.group("service").cancel().await?);
    assert!(matches!(tree.child("service/feed").outcome().await, Some(TaskOutcome::Aborted { .. })));
    assert_eq!(start.elapsed(), secs(10));
    let message = "1 task not stopped in time (grace 10s): service/feed (its function has returned, 3 helpers run)";
    assert_eq!(shutdown.await.unwrap_err().to_string(), message);
    Ok(())
}
