//! What is seen of a schedule.

use super::*;
use taskvisor::{Group, Tree};

fn nested(runs: &Runs) -> Tree {
    let berlin = |pattern: &str| Schedule::cron(pattern).zone("Europe/Berlin");
    let group = Group::one_for_one("reports").task(runs.ok("nightly", "@daily").with_schedule(berlin("30 2 * * *")));
    tree().group(group).task(runs.ok("hourly", "@hourly")).task(runs.task("plain", HOUR, |_| Ok(()))).build()
}

#[tokio::test(start_paused = true)]
async fn t1_the_next_runs_of_a_tree_are_known_before_and_after_the_start() -> Result {
    let runs = Runs::from("2026-03-28T23:30:00Z");
    let tree = nested(&runs);
    let shown = |runs: Vec<taskvisor::ScheduledRun>| runs.iter().map(ToString::to_string).collect::<Vec<_>>();
    let expected = [
        "2026-03-29T00:00:00+00:00 hourly",
        "2026-03-29T01:00:00+00:00 hourly",
        "2026-03-29T03:00:00+02:00 reports/nightly, for 02:30 which the clock skips",
        "2026-03-29T02:00:00+00:00 hourly",
    ];
    assert_eq!(shown(tree.schedule(4)?), expected);
    tree.start().await?;
    assert_eq!(shown(tree.schedule(4)?), expected);
    sleep(HOUR).await;
    assert_eq!(shown(tree.schedule(3)?), expected[1..]);
    let run = tree.schedule(2)?.remove(1);
    assert_eq!((run.path.as_str(), run.skipped.as_deref()), ("reports/nightly", Some("2026-03-29T02:30:00")));
    assert_eq!(run.at, run.scheduled_for);
    // A task that was added has a place in it.
    let added = tree.group("reports").add_task(runs.ok("added", "45 0 * * *")).await?;
    assert_eq!(shown(tree.schedule(1)?), ["2026-03-29T00:45:00+00:00 reports/added"]);
    added.cancel().await?;
    assert_eq!(shown(tree.schedule(1)?), expected[1..2]);
    tree.shutdown().await?;
    assert!(tree.schedule(0)?.is_empty());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t1_events_tell_of_the_wait_and_the_clock_of_tests_is_that_of_events() -> Result {
    let runs = Runs::from(DAY);
    let tree = tree().task(runs.ok("a", "@hourly")).build();
    let recorder = Recorder::attach(tree.supervisor());
    tree.start().await?;
    sleep(HOUR + secs(1)).await;
    let events = recorder.events();
    let starting = events.iter().find(|event| event.kind == EventKind::TaskStarting).unwrap();
    assert_eq!(starting.at.as_secs(), 3_600);
    let wait = events.iter().find(|event| event.kind == EventKind::BackoffScheduled).unwrap();
    assert_eq!(wait.reason.clone().unwrap().to_string(), "schedule");
    let delay = wait.delay.unwrap();
    assert!(delay.abs_diff(HOUR) < secs(1), "{delay:?}");
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t1_extreme_values_are_no_panic() -> Result {
    for clock in ["1970-01-01T00:00:00Z", "9998-12-31T23:59:00Z"] {
        for (splay, late) in [(Duration::MAX, Duration::MAX), (Duration::from_nanos(1), secs(1))] {
            let runs = Runs::from(clock);
            let extreme = Schedule::cron("* * * * *").splay(splay).late(late);
            let spec = runs.ok("a", "@hourly").with_schedule(extreme);
            let tree = tree().task(spec.with_last_run(UNIX_EPOCH)).build();
            assert_eq!(tree.schedule(3)?.len(), tree.schedule_after(UNIX_EPOCH, 3)?.len());
            tree.start().await?;
            sleep(HOUR).await;
            let _ = (tree.child("a").status(), tree.snapshot().to_string());
            shift_wall_clock(-100_000_000_000);
            sleep(secs(1)).await;
            shift_wall_clock(300_000_000_000);
            sleep(secs(1)).await;
            tree.shutdown().await?;
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t1_a_list_of_runs_has_an_end() -> Result {
    let runs = Runs::from(DAY);
    let tree = tree().task(runs.ok("a", "* * * * *")).task(runs.ok("b", "0 0 29 2 *")).build();
    let all = tree.schedule(usize::MAX)?;
    assert_eq!(all.len(), 10_000);
    assert_eq!(all[9_999].at, UNIX_EPOCH + secs_of(DAY_SECS + 60 * 10_000));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t1_a_part_of_a_second_of_the_clock_is_kept() -> Result {
    let runs = Runs::from("2026-03-28T00:59:59.25Z");
    let tree = tree().task(runs.ok("a", "@hourly")).build();
    tree.start().await?;
    sleep(Duration::from_millis(740)).await;
    assert_eq!(runs.begun().len(), 0);
    sleep(Duration::from_millis(20)).await;
    assert_eq!(runs.begun().len(), 1);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t1_an_attempt_without_a_schedule_is_for_no_time() -> Result {
    let runs = Runs::from(DAY);
    let tree = tree().task(runs.task("a", HOUR, |_| Ok(()))).build();
    tree.start().await?;
    sleep(secs(1)).await;
    assert_eq!(runs.scheduled_for(0), [None]);
    let status = tree.child("a").status().unwrap();
    assert_eq!((status.state, status.next_run), (TaskState::Running, None));
    assert!(tree.schedule(10)?.is_empty());
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t1_the_next_run_is_to_come_also_while_one_is_due() -> Result {
    let runs = Runs::from(DAY);
    let tree = tree().task(runs.task("a", secs(5_000), |_| Ok(())).with_schedule(Schedule::cron("@hourly"))).build();
    tree.start().await?;
    let next = || {
        let next = tree.child("a").status().unwrap().next_run.unwrap();
        assert_eq!(next, tree.schedule(1).unwrap()[0].at);
        next.duration_since(UNIX_EPOCH).unwrap().as_secs() - DAY_SECS
    };
    assert_eq!(next(), 3_600);
    sleep(HOUR + secs(1)).await;
    assert_eq!(next(), 7_200);
    // That of 02:00 is due, and the attempt goes on.
    sleep(HOUR).await;
    assert_eq!((runs.begun(), next()), (vec![3_600], 10_800));
    // In a pause.
    assert!(tree.child("a").pause());
    sleep(HOUR).await;
    assert_eq!((tree.child("a").status().unwrap().state, next()), (TaskState::Paused, 14_400));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t1_the_next_runs_of_a_group_that_is_down_are_known() -> Result {
    let runs = Runs::from(DAY);
    let critical = runs.task("critical", secs(100), |_| fail()).with_restart(RestartPolicy::Never).critical();
    let inner = Group::one_for_one("inner").task(runs.ok("b", "50 * * * *"));
    let group = Group::one_for_one("group").task(runs.ok("a", "@hourly")).task(critical).group(inner);
    let tree = tree().group(group.with_backoff(backoff(1_000))).task(runs.ok("c", "55 * * * *")).build();
    tree.start().await?;
    tree.group("group").add_task(runs.ok("added", "58 * * * *")).await?;
    let state = || tree.snapshot().root.children[0].state;
    let paths = || tree.schedule(4).unwrap().into_iter().map(|run| run.path).collect::<Vec<_>>();
    let all = ["group/inner/b", "c", "group/added", "group/a"];
    assert_eq!(paths(), all);
    sleep(secs(500)).await;
    assert_eq!(state(), TaskState::Backoff);
    assert_eq!(paths(), all);
    sleep(secs(601)).await;
    assert_eq!(state(), TaskState::Running);
    assert_eq!(paths(), all);
    // One that has ended alone does not come back.
    tree.child("group/a").current().unwrap().cancel().await?;
    assert_eq!(paths()[..3], all[..3]);
    assert!(!paths().contains(&"group/a".to_owned()));
    tree.shutdown().await
}
