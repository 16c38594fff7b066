//! Runs that did not begin on time.

use super::*;
use taskvisor::Tree;

fn build(spec: TaskSpec) -> (Tree, Recorder) {
    let tree = tree().task(spec).build();
    let recorder = Recorder::attach(tree.supervisor());
    (tree, recorder)
}

#[tokio::test(start_paused = true)]
async fn t1_runs_that_were_due_while_an_attempt_ran_are_made_up_by_one_or_skipped() -> Result {
    for (missed, begun, comes) in [
        (Missed::Once, vec![3_600, 3_600 + 9_000, 14_400], "this attempt makes up for them"),
        (Missed::Skip, vec![3_600, 14_400], "they are skipped"),
    ] {
        let runs = Runs::from(DAY);
        let spec = {
            let runs = runs.clone();
            let task = TaskFn::arc("a", move |ctx: TaskContext| {
                runs.begun.lock().unwrap().push((runs.start.elapsed(), ctx.scheduled_for()));
                async move {
                    sleep(if ctx.attempt() == 1 { secs(9_000) } else { secs(1) }).await;
                    Ok(())
                }
            });
            TaskSpec::inherit(task).with_restart(ALWAYS).with_schedule(Schedule::cron("@hourly").missed(missed))
        };
        let (tree, recorder) = build(spec);
        tree.start().await?;
        sleep(HOUR * 4 + secs(10)).await;
        assert_eq!(runs.begun(), begun);
        let reason = format!("2 runs were missed, the latest that of 2026-03-28T03:00:00+00:00; {comes}");
        assert_eq!(told(&recorder), [(2, reason)]);
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t1_a_jump_of_the_clock_misses_runs_and_late_bounds_how_late_one_may_be() -> Result {
    let once = || Schedule::cron("@hourly");
    for (schedule, runs_at_once, comes) in [
        (once(), true, "this attempt makes up for them"),
        (once().late(secs(1_800)), true, "this attempt makes up for them"),
        (once().late(secs(1_799)), false, "they are skipped"),
        (once().missed(Missed::Skip), false, "they are skipped"),
    ] {
        let runs = Runs::from("2026-03-28T00:30:00Z");
        let (tree, recorder) = build(runs.ok("a", "@daily").with_schedule(schedule));
        tree.start().await?;
        sleep(secs(10)).await;
        shift_wall_clock(5 * 3_600 - 10);
        sleep(secs(1)).await;
        // The clock shows 05:30, and 06:00 is on time.
        sleep(HOUR / 2).await;
        let begun = runs.begun();
        assert_eq!(begun, if runs_at_once { vec![10, 1_810] } else { vec![1_810] });
        let reason = format!("5 runs were missed, the latest that of 2026-03-28T05:00:00+00:00; {comes}");
        assert_eq!(told(&recorder), [(5, reason)]);
        assert_eq!(runs.scheduled_for(DAY_SECS).last(), Some(&Some(6 * 3_600)));
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t1_a_clock_that_is_set_back_by_less_than_three_hours_repeats_nothing() -> Result {
    let runs = Runs::from("2026-03-28T00:30:00Z");
    let (tree, recorder) = build(runs.ok("a", "@hourly"));
    tree.start().await?;
    sleep(HOUR).await; // 01:30, and 01:00 has run.
    shift_wall_clock(-3_600);
    sleep(HOUR).await; // 01:30 again.
    assert_eq!(runs.begun(), [1_800]);
    sleep(HOUR).await; // 02:30
    assert_eq!(runs.begun(), [1_800, 9_000]);
    // By three hours and more, it is computed anew: 23:30 of the day before.
    shift_wall_clock(-3 * 3_600);
    sleep(secs(1)).await;
    let next = tree.child("a").status().unwrap().next_run;
    assert_eq!(next, Some(UNIX_EPOCH + secs_of(DAY_SECS)));
    sleep(HOUR).await;
    assert_eq!(runs.begun(), [1_800, 9_000, 10_800 + 1_800]);
    assert_eq!(told(&recorder), []);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t1_runs_since_the_last_run_of_the_program_are_missed() -> Result {
    let runs = Runs::from("2026-03-28T03:20:00Z");
    let last = UNIX_EPOCH + secs_of(DAY_SECS + 3_600);
    let (tree, recorder) = build(runs.ok("a", "@hourly").with_last_run(last));
    tree.start().await?;
    sleep(HOUR).await;
    assert_eq!(runs.begun(), [0, 2_400]);
    assert_eq!(runs.scheduled_for(DAY_SECS), [Some(3 * 3_600), Some(4 * 3_600)]);
    let reason = "2 runs were missed, the latest that of 2026-03-28T03:00:00+00:00; this attempt makes up for them";
    assert_eq!(told(&recorder), [(2, reason.to_owned())]);
    tree.shutdown().await?;
    // None were due, and none were stored.
    for last_run in [Some(UNIX_EPOCH + secs_of(DAY_SECS + 3 * 3_600)), None] {
        let runs = Runs::from("2026-03-28T03:20:00Z");
        let (tree, recorder) = build(runs.ok("a", "@hourly").with_last_run(last_run));
        tree.start().await?;
        sleep(HOUR).await;
        assert_eq!((runs.begun(), told(&recorder)), (vec![2_400], vec![]));
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t1_a_run_that_waits_for_a_permit_is_late() -> Result {
    for (missed, begun) in [(Missed::Once, vec![7_000, 7_200]), (Missed::Skip, vec![7_200])] {
        let runs = Runs::from(DAY);
        let config = SupervisorConfig { max_concurrent: 1, ..SupervisorConfig::default() };
        let other = Runs::from(DAY).task("other", secs(7_000), |_| Ok(())).with_restart(RestartPolicy::Never);
        let task = runs.ok("a", "@daily").with_schedule(Schedule::cron("@hourly").missed(missed));
        let tree = Tree::builder(config).task(other).task(task).build();
        let recorder = Recorder::attach(tree.supervisor());
        tree.start().await?;
        sleep(HOUR * 2 + secs(1)).await;
        assert_eq!(runs.begun(), begun);
        assert_eq!(told(&recorder).len(), 1);
        tree.shutdown().await?;
    }
    Ok(())
}

/// A run that is due for a permit and is skipped there begins all the same if it was triggered meanwhile.
#[tokio::test(start_paused = true)]
async fn t1_a_trigger_while_a_late_run_waits_for_its_permit_is_not_lost() -> Result {
    let runs = Runs::from(DAY);
    let config = SupervisorConfig { max_concurrent: 1, ..SupervisorConfig::default() };
    let other = Runs::from(DAY).task("other", secs(7_000), |_| Ok(())).with_restart(RestartPolicy::Never);
    let task = runs.ok("a", "@daily").with_schedule(Schedule::cron("@hourly").missed(Missed::Skip));
    let tree = Tree::builder(config).task(other).task(task).build();
    tree.start().await?;
    sleep(secs(5_000)).await;
    assert_eq!(tree.child("a").status().unwrap().state, TaskState::Pending);
    assert!(tree.child("a").trigger());
    sleep(HOUR).await;
    assert_eq!(runs.begun(), [7_000, 7_200]);
    assert_eq!(runs.scheduled_for(DAY_SECS), [None, Some(7_200)]);
    tree.shutdown().await
}
