//! Paths: slots, and trees that share a history.

use std::sync::Arc;

use taskvisor::{ControllerSpec, History, SlotSpec, Supervisor, Tree};
use tests::{FAIL, OK, Script, Step, constant, cooperative, ms, secs, settle};
use tokio::time::sleep;

use super::{Result, config, kept, shown};

#[tokio::test(start_paused = true)]
async fn t4_jobs_are_pooled_by_their_slot() -> Result {
    let history = History::new();
    let tree = Tree::builder(config()).with_subscriber(history.clone()).with_slot(SlotSpec::new("deploy")).build();
    tree.start().await?;
    let slot = tree.slot("deploy");
    let first = slot.submit(Script::new([FAIL, OK]).spec("api").with_backoff(constant(ms(10)))).await?;
    first.outcome().await;
    let mut jobs = Vec::new();
    for name in ["web", "db"] {
        jobs.push(slot.queue(Script::new([Step::Succeed(secs(1))]).spec(name)).await?);
    }
    for job in &jobs {
        job.outcome().await;
    }
    slot.submit(cooperative("old")).await?;
    sleep(secs(1)).await;
    slot.replace(cooperative("new")).await?;
    let dropped = slot.drop_if_running(cooperative("never")).await?;
    dropped.outcome().await;
    sleep(secs(1)).await;
    assert_eq!(
        shown(&history, "deploy"),
        [
            "api #1 failed after 0ms: failure 1",
            "api #2 completed after 0ms",
            "web #1 completed after 1s",
            "db #1 completed after 1s",
            "old #1 canceled (replaced) after 1s",
            "new #1 running",
        ]
    );
    assert_eq!(history.paths(), ["deploy".into()], "a job has no path of its own, and one that never ran is not shown");
    let deploy = history.of("deploy");
    assert!(deploy.attempts().all(|attempt| attempt.slot.as_deref() == Some("deploy")));
    assert_eq!((&*deploy.path, deploy.attempts().next().unwrap().id), ("deploy", first.id()));
    tree.shutdown().await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t4_jobs_that_run_at_once_share_their_slot() -> Result {
    let history = History::new();
    let slots = SlotSpec::new("pool").with_concurrency(3);
    let keyed = SlotSpec::new("keyed").with_keys();
    let tree = Tree::builder(config()).with_subscriber(history.clone()).with_slot(slots).with_slot(keyed).build();
    tree.start().await?;
    for (number, seconds) in [(1, 30), (2, 10), (3, 20), (4, 5)] {
        tree.slot("pool").queue(Script::new([Step::Succeed(secs(seconds))]).spec(&number.to_string())).await?;
    }
    for key in ["a", "b"] {
        tree.slot("keyed").key(key).submit(cooperative("t")).await?;
    }
    sleep(secs(60)).await;
    assert_eq!(
        shown(&history, "pool"),
        ["1 #1 completed after 30s", "2 #1 completed after 10s", "3 #1 completed after 20s", "4 #1 completed after 5s"],
        "in the order of their begin"
    );
    assert_eq!(history.paths(), ["keyed/a".into(), "keyed/b".into(), "pool".into()]);
    assert_eq!(shown(&history, "keyed/a"), ["keyed/a/t #1 running"]);
    tree.shutdown().await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t4_a_slot_with_the_name_of_its_job_is_one_path() -> Result {
    let (supervisor, history) = kept();
    for _ in 0..2 {
        let spec = ControllerSpec::queue(Script::new([Step::Succeed(secs(1))]).spec("own"));
        supervisor.submit(spec).await?.outcome().await;
    }
    settle().await;
    assert_eq!(shown(&history, "own"), ["own #1 completed after 1s", "own #1 completed after 1s"]);
    assert_eq!(history.of("own").last().unwrap().slot.as_deref(), Some("own"));
    supervisor.add_task(cooperative("own")).await?;
    settle().await;
    let own = history.of("own");
    assert_eq!((own.entries.len(), own.last().unwrap().slot.as_deref()), (3, None), "a task is told apart");
    supervisor.shutdown().await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t4_trees_that_share_a_history_share_equal_paths_and_have_no_gaps() -> Result {
    // given
    let history = History::new();
    let supervisors =
        [(); 2].map(|()| Supervisor::new(config(), vec![Arc::new(history.clone()) as Arc<dyn taskvisor::Subscribe>]));
    // when
    let mut ids = Vec::new();
    for round in 0..3 {
        for (number, supervisor) in supervisors.iter().enumerate() {
            let handle = supervisor.add_task(Script::new([Step::Succeed(secs(1))]).spec("t")).await?;
            ids.push(handle.id());
            // The numbers of their events differ.
            for extra in 0..number * 5 {
                let spec = cooperative(&format!("{round}-{extra}")).with_initial_delay(secs(9));
                supervisor.add_task(spec).await?;
            }
        }
        sleep(secs(2)).await;
    }
    // then
    let t = history.of("t");
    assert!(t.attempts().map(|attempt| attempt.id).eq(ids), "told apart by their ids");
    assert_eq!(shown(&history, "t"), ["t #1 completed after 1s"; 6]);
    assert!(history.gaps().is_empty(), "each clone follows one supervisor");
    for supervisor in supervisors {
        supervisor.shutdown().await?;
    }
    Ok(())
}
