//! Schedules of paused tasks.

use super::*;
use taskvisor::{Group, StopReason};

#[tokio::test(start_paused = true)]
async fn t2_runs_that_are_due_in_a_pause_are_skipped_but_one() -> Result {
    for (missed, begun) in [(Missed::Once, vec![3_600, 14_500, 18_000]), (Missed::Skip, vec![3_600, 18_000])] {
        let runs = Runs::from(DAY);
        let tree = tree().task(runs.ok("a", "@daily").with_schedule(Schedule::cron("@hourly").missed(missed))).build();
        let recorder = Recorder::attach(tree.supervisor());
        tree.start().await?;
        sleep(HOUR + secs(100)).await;
        let child = tree.child("a");
        assert!(child.pause());
        assert_eq!(child.status().unwrap().state, TaskState::Scheduled);
        assert!(tree.health().is_ready(), "it waits for its time: {:?}", tree.health());
        sleep(HOUR).await;
        assert_eq!(child.status().unwrap().state, TaskState::Paused, "a run is due");
        assert!(!tree.health().is_ready() && tree.health().is_live());
        sleep(HOUR * 2).await;
        assert_eq!(runs.begun(), [3_600]);
        // It is 04:01:40.
        assert!(child.resume());
        sleep(HOUR).await;
        assert_eq!(runs.begun().iter().map(|at| at / 100 * 100).collect::<Vec<_>>(), begun);
        let missed = recorder.events().into_iter().filter(|event| event.kind == EventKind::RunsMissed);
        let counts: Vec<_> = missed.filter_map(|event| event.count).collect();
        assert_eq!(counts, [3]);
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t2_a_run_that_is_due_at_the_end_of_a_pause_is_on_time() -> Result {
    let runs = Runs::from(DAY);
    let tree = tree().group(Group::one_for_one("group").task(runs.ok("a", "@hourly"))).build();
    let recorder = Recorder::attach(tree.supervisor());
    tree.start().await?;
    sleep(secs(10)).await;
    // What is above it is paused; and the pause ends before the time, and half a minute after it.
    let group = tree.group("group");
    assert!(group.pause());
    sleep(HOUR / 2).await;
    assert!(group.resume());
    sleep(HOUR).await;
    assert!(group.pause());
    sleep(HOUR / 2 + secs(20)).await;
    assert!(group.resume());
    sleep(HOUR).await;
    assert_eq!(runs.begun(), [3_600, 7_230, 10_800]);
    assert_eq!(runs.scheduled_for(DAY_SECS)[1], Some(7_200));
    assert_eq!(recorder.count(EventKind::RunsMissed), 0);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_a_run_that_a_pause_stops_runs_again_or_makes_way_for_the_latest() -> Result {
    for (paused_for, begun, of) in
        [(secs(1_000), [3_600, 4_700], 3_600), (HOUR * 3, [3_600, 3 * 3_600 + 3_700], 4 * 3_600)]
    {
        let runs = Runs::from(DAY);
        let task = runs.task("a", secs(500), |_| Ok(())).with_schedule(Schedule::cron("@hourly"));
        let tree = tree().task(task).build();
        let recorder = Recorder::attach(tree.supervisor());
        tree.start().await?;
        sleep(HOUR + secs(100)).await;
        let child = tree.child("a");
        assert!(child.pause_and_stop());
        sleep(paused_for).await;
        assert_eq!(child.status().unwrap().state, TaskState::Paused);
        assert!(child.resume());
        sleep(secs(600)).await;
        assert_eq!(runs.begun(), begun);
        assert_eq!(runs.scheduled_for(DAY_SECS)[1], Some(of));
        let stopped = recorder.events().into_iter().find(|event| event.kind == EventKind::TaskStopped).unwrap();
        assert_eq!(stopped.stop, Some(StopReason::Paused));
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t2_a_trigger_runs_a_paused_task_once_and_uses_up_no_time() -> Result {
    let runs = Runs::from(DAY);
    let tree = tree().task(runs.ok("a", "@hourly").with_paused(true)).build();
    tree.start().await?;
    sleep(secs(10)).await;
    let child = tree.child("a");
    assert!(child.trigger());
    sleep(HOUR).await;
    assert_eq!(runs.begun(), [10]);
    assert!(child.resume());
    sleep(secs(1)).await;
    assert_eq!((runs.begun(), runs.scheduled_for(DAY_SECS)), (vec![10, 3_610], vec![None, Some(3_600)]));
    tree.shutdown().await
}

/// What was due waits for the end of the pause, and no attempt ran at its time.
#[tokio::test(start_paused = true)]
async fn t2_a_trigger_of_a_paused_task_leaves_what_is_due() -> Result {
    for missed in [Missed::Once, Missed::Skip] {
        let runs = Runs::from(DAY);
        let tree = tree().task(runs.ok("a", "@daily").with_schedule(Schedule::cron("@hourly").missed(missed))).build();
        let recorder = Recorder::attach(tree.supervisor());
        tree.start().await?;
        let child = tree.child("a");
        assert!(child.pause());
        sleep(HOUR + secs(10)).await;
        assert_eq!(child.status().unwrap().state, TaskState::Paused);
        assert!(child.trigger());
        sleep(secs(20)).await;
        assert_eq!((runs.begun(), child.status().unwrap().state), (vec![3_610], TaskState::Paused));
        assert!(child.resume());
        sleep(secs(1)).await;
        assert_eq!((runs.begun(), runs.scheduled_for(DAY_SECS)), (vec![3_610, 3_630], vec![None, Some(3_600)]));
        assert_eq!(recorder.count(EventKind::RunsMissed), 0);
        tree.shutdown().await?;
    }
    // The same for a run that the pause stopped.
    let runs = Runs::from(DAY);
    let tree = tree().task(runs.task("a", secs(500), |_| Ok(())).with_schedule(Schedule::cron("@hourly"))).build();
    tree.start().await?;
    sleep(HOUR + secs(100)).await;
    let child = tree.child("a");
    assert!(child.pause_and_stop());
    sleep(secs(100)).await;
    assert!(child.trigger());
    sleep(secs(600)).await;
    assert!(child.resume());
    sleep(secs(600)).await;
    assert_eq!(runs.begun(), [3_600, 3_800, 4_400]);
    assert_eq!(runs.scheduled_for(DAY_SECS), [Some(3_600), None, Some(3_600)]);
    tree.shutdown().await
}
