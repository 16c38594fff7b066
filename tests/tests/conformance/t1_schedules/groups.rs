//! Restarts by request and with siblings and groups.

use super::*;
use taskvisor::{Group, Strategy, Tree};

#[tokio::test(start_paused = true)]
async fn t1_a_waiting_task_keeps_its_time_when_its_siblings_restart() -> Result {
    for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
        let runs = Runs::from(DAY);
        let failing = Runs::from(DAY).task("first", secs(1_000), |attempt| if attempt == 1 { fail() } else { Ok(()) });
        let failing = failing.with_restart(RestartPolicy::OnFailure);
        let tree = tree().with_strategy(strategy).task(failing).task(runs.ok("a", "@hourly")).build();
        let recorder = Recorder::attach(tree.supervisor());
        tree.start().await?;
        sleep(HOUR * 2 + secs(1)).await;
        assert_eq!(runs.begun(), [3_600, 7_200], "{strategy:?}");
        assert_eq!(recorder.count(EventKind::RunsMissed), 0);
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t1_a_run_that_its_siblings_interrupt_runs_again_for_the_same_time() -> Result {
    let runs = Runs::from(DAY);
    let failing = Runs::from(DAY).task("first", secs(4_000), |attempt| if attempt == 1 { fail() } else { Ok(()) });
    let task = runs.task("a", secs(1_000), |_| Ok(())).with_schedule(Schedule::cron("@hourly"));
    let tree = tree()
        .with_strategy(Strategy::OneForAll)
        .task(failing.with_restart(RestartPolicy::OnFailure))
        .task(task)
        .build();
    let recorder = Recorder::attach(tree.supervisor());
    tree.start().await?;
    sleep(HOUR * 2 + secs(1)).await;
    assert_eq!(runs.begun(), [3_600, 4_000, 7_200]);
    assert_eq!(runs.scheduled_for(DAY_SECS), [Some(3_600), Some(3_600), Some(7_200)]);
    assert_eq!(recorder.count(EventKind::RunsMissed), 0);
    tree.shutdown().await
}

/// What a sibling interrupts and a later time replaces is missed, and what is after the task does not wait for it.
#[tokio::test(start_paused = true)]
async fn t1_an_interrupted_run_that_a_later_time_replaces_is_missed() -> Result {
    let one = |comes: &str| (1, format!("1 run was missed, that of 2026-03-28T01:00:00+00:00; {comes}"));
    let two = |comes: &str| {
        let latest = "2026-03-28T02:00:00+00:00";
        (2, format!("2 runs were missed, the latest that of {latest}; {comes}"))
    };
    for (missed, down_until, times, expected) in [
        (Missed::Once, 7_230, vec![3_600, 7_200], one("this attempt makes up for it")),
        (Missed::Once, 8_000, vec![3_600, 7_200], two("this attempt makes up for them")),
        (Missed::Skip, 7_230, vec![3_600, 7_200], one("it is skipped")),
        (Missed::Skip, 8_000, vec![3_600], two("they are skipped")),
    ] {
        let (runs, after) = (Runs::from(DAY), Runs::from(DAY));
        let failing = Runs::from(DAY).task("first", secs(4_000), |attempt| if attempt == 1 { fail() } else { Ok(()) });
        let task = runs.task("a", secs(1_000), |_| Ok(())).with_schedule(Schedule::cron("@hourly").missed(missed));
        let tree = tree()
            .with_strategy(Strategy::OneForAll)
            .task(failing.with_restart(RestartPolicy::OnFailure).with_backoff(backoff(down_until - 4_000)))
            .task(task)
            .task(after.task("after", HOUR * 900, |_| Ok(())).with_after(["a"]))
            .build();
        let recorder = Recorder::attach(tree.supervisor());
        tree.start().await?;
        sleep(secs(down_until + 100)).await;
        assert_eq!(runs.scheduled_for(DAY_SECS), times.into_iter().map(Some).collect::<Vec<_>>());
        assert_eq!(told(&recorder), [expected]);
        assert_eq!(after.begun(), [0, down_until], "{missed:?}");
        tree.wait_ready().await;
        assert!(tree.health().is_ready(), "{:?}", tree.health());
        tree.shutdown().await?;
    }
    Ok(())
}

fn failing_group(runs: &Runs, ends_after: Duration, task: TaskSpec) -> Tree {
    let critical = runs.task("critical", ends_after, |_| fail()).with_restart(RestartPolicy::Never).critical();
    let critical = TaskSpec::clone(&critical);
    tree().group(Group::one_for_one("group").task(critical).task(task)).build()
}

#[tokio::test(start_paused = true)]
async fn t1_a_group_that_starts_again_goes_on_with_the_schedules_of_its_tasks() -> Result {
    // The group fails during the run of 01:00, waits for its backoff, and is down at none of its times.
    let (runs, other) = (Runs::from(DAY), Runs::from(DAY));
    let task = runs.task("a", secs(1_000), |_| Ok(())).with_schedule(Schedule::cron("@hourly"));
    let tree = failing_group(&other, secs(4_000), task);
    let recorder = Recorder::attach(tree.supervisor());
    tree.start().await?;
    sleep(HOUR * 2 + secs(1)).await;
    assert_eq!(runs.scheduled_for(DAY_SECS), [Some(3_600), Some(3_600), Some(7_200)], "{:?}", runs.begun());
    assert_eq!(recorder.count(EventKind::RunsMissed), 0);
    tree.shutdown().await?;

    // An operator who cancels a task and brings it back later has no run made up for.
    let runs = Runs::from(DAY);
    let sibling = Runs::from(DAY).task("sibling", HOUR * 900, |_| Ok(()));
    let tree = self::tree().group(Group::one_for_one("group").task(runs.ok("a", "@hourly")).task(sibling)).build();
    let recorder = Recorder::attach(tree.supervisor());
    tree.start().await?;
    sleep(secs(10)).await;
    let child = tree.child("group/a");
    child.current().unwrap().cancel().await?;
    sleep(HOUR * 5).await;
    assert!(child.restart());
    sleep(HOUR).await;
    assert_eq!((runs.begun().len(), recorder.count(EventKind::RunsMissed)), (1, 0), "{:?}", runs.begun());
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t1_a_restart_interrupts_a_run_that_runs_again() -> Result {
    let runs = Runs::from(DAY);
    let task = runs.task("a", secs(1_000), |_| Ok(())).with_schedule(Schedule::cron("@hourly"));
    let tree = tree().task(task).build();
    tree.start().await?;
    sleep(HOUR + secs(100)).await;
    assert!(tree.child("a").restart());
    sleep(HOUR).await;
    assert_eq!(runs.begun(), [3_600, 3_700, 7_200]);
    assert_eq!(runs.scheduled_for(DAY_SECS), [Some(3_600), Some(3_600), Some(7_200)]);
    tree.shutdown().await
}

/// Triggers, restarts, pauses, siblings that fail and a clock that jumps, at once: nothing is begun twice, and the tree
/// ends.
async fn race(seed: u64) {
    let runs = Runs::from(DAY);
    let other = Runs::from(DAY).task("other", secs(300 + seed % 700), |_| fail());
    let task = runs.task("a", secs(seed % 900), move |attempt| if attempt % 3 == 0 { fail() } else { Ok(()) });
    let task = task.with_schedule(Schedule::cron("*/10 * * * *")).with_max_retries(1);
    let group = Group::one_for_all("group").task(other.with_restart(RestartPolicy::OnFailure)).task(task);
    let tree = tree().group(group).build();
    tree.start().await.unwrap();
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..60 {
        sleep(Duration::from_millis(random.u64(1..400_000))).await;
        match random.u8(0..9) {
            0 => drop(tree.child("group/a").trigger()),
            1 => drop(tree.child("group/a").restart()),
            2 => drop(tree.group("group").restart()),
            3 => shift_wall_clock(random.i64(-5_000..20_000)),
            4 => drop(tree.child("group/a").pause()),
            5 => drop(tree.child("group/a").pause_and_stop()),
            6 | 7 => drop(tree.child("group/a").resume()),
            _ => {}
        }
    }
    let before = runs.begun().len();
    let next = tree.child("group/a").status().and_then(|status| status.next_run);
    // A clock that was set back a little repeats no run.
    let listed = tree.schedule(1).unwrap().first().map(|run| run.at);
    assert!(next.is_none() || next >= listed, "{seed}: {next:?} {listed:?}");
    tree.shutdown().await.unwrap();
    assert!(before > 10, "{seed}: {before}");
}

#[tokio::test(start_paused = true)]
async fn t1_schedules_race_with_everything() {
    for seed in 0..40 {
        race(seed).await;
    }
}

fn since(hours: u64) -> SystemTime {
    UNIX_EPOCH + secs_of(DAY_SECS) - HOUR * u32::try_from(hours).unwrap()
}

#[tokio::test(start_paused = true)]
async fn t1_a_task_that_is_added_at_the_path_of_an_ended_one_has_a_schedule_of_its_own() -> Result {
    let (runs, own) = (Runs::from(DAY), Runs::from(DAY));
    let ends = runs.task("a", Duration::ZERO, |_| Err(TaskError::Fatal { reason: "gone".into() }));
    let sibling = Runs::from(DAY).task("sibling", HOUR * 900, |_| Ok(()));
    let group = Group::one_for_one("group").task(ends.with_schedule(Schedule::cron("@hourly"))).task(sibling);
    let tree = tree().group(group).build();
    let recorder = Recorder::attach(tree.supervisor());
    tree.start().await?;
    sleep(HOUR + secs(100)).await;
    assert_eq!(runs.begun(), [3_600]);
    let added = tree.group("group").add_task(own.ok("a", "@hourly").with_last_run(since(2))).await?;
    assert_eq!(added.status().next_run, Some(since(0) + HOUR * 2));
    sleep(HOUR).await;
    assert_eq!((own.begun(), own.scheduled_for(DAY_SECS)), (vec![3_700, 7_200], vec![Some(3_600), Some(7_200)]));
    let missed = "3 runs were missed, the latest that of 2026-03-28T01:00:00+00:00; this attempt makes up for them";
    assert_eq!(told(&recorder), [(3, missed.to_owned())]);
    tree.shutdown().await
}

/// What `last_run` makes up for is made up for once.
#[tokio::test(start_paused = true)]
async fn t1_a_task_that_comes_back_does_not_begin_at_its_last_run_again() -> Result {
    // An operator cancels it and brings it back.
    let runs = Runs::from(DAY);
    let tree = tree().task(runs.ok("a", "@hourly").with_last_run(since(3))).build();
    let sibling = Runs::from(DAY).task("sibling", HOUR * 900, |_| Ok(()));
    tree.start().await?;
    let _sibling = tree.group("").add_task(sibling).await?;
    sleep(secs(10)).await;
    assert_eq!(runs.begun(), [0]);
    tree.child("a").current().unwrap().cancel().await?;
    sleep(HOUR * 2).await;
    assert!(tree.child("a").restart());
    sleep(HOUR).await;
    assert_eq!(runs.begun(), [0, 10_800], "and none is due from the time in between");
    tree.shutdown().await?;

    // It was added, and its group restarts during its second run.
    let runs = Runs::from(DAY);
    let tree = failing_group(&Runs::from(DAY), secs(4_000), Runs::from(DAY).ok("declared", "@daily"));
    let recorder = Recorder::attach(tree.supervisor());
    tree.start().await?;
    let added = runs.task("a", secs(1_000), |_| Ok(())).with_schedule(Schedule::cron("@hourly"));
    tree.group("group").add_task(added.with_last_run(since(3))).await?;
    sleep(HOUR * 2 + secs(1)).await;
    assert_eq!(runs.scheduled_for(DAY_SECS), [Some(0), Some(3_600), Some(3_600), Some(7_200)], "{:?}", runs.begun());
    assert_eq!(told(&recorder).len(), 1);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t1_an_added_group_keeps_its_schedules_while_it_comes_back_and_loses_them_with_its_end() -> Result {
    let runs = Runs::from(DAY);
    let sibling = Runs::from(DAY).task("sibling", HOUR * 900, |_| Ok(()));
    let tree = tree().group(Group::one_for_one("group").task(sibling)).build();
    let recorder = Recorder::attach(tree.supervisor());
    tree.start().await?;
    let group = tree.group("group");
    let hourly = || {
        let task = runs.task("a", secs(1_000), |_| Ok(())).with_schedule(Schedule::cron("@hourly"));
        Group::one_for_one("n").task(task)
    };
    let added = group.add_group(hourly())?;
    assert_eq!(tree.schedule(1).unwrap().first().map(|run| &*run.path), Some("group/n/a"));
    // It is interrupted in its first run, which is repeated for its time.
    sleep(HOUR + secs(100)).await;
    assert!(group.restart_and_wait().await);
    sleep(HOUR).await;
    assert_eq!(runs.begun(), [3_600, 3_700, 7_200]);
    assert_eq!(runs.scheduled_for(DAY_SECS), [Some(3_600), Some(3_600), Some(7_200)]);

    assert!(added.cancel().await?);
    assert!(tree.schedule(1).unwrap().is_empty());
    sleep(HOUR * 3).await;
    let _ = group.add_group(hourly())?;
    sleep(HOUR).await;
    assert_eq!(runs.begun()[3..], [21_600], "and none is due from the time in between");
    assert_eq!(recorder.count(EventKind::RunsMissed), 0);
    tree.shutdown().await
}
