//! Schedules, slots, permits, overrides, and the seed of a test.

use taskvisor::test::set_wall_clock;
use taskvisor::{
    BackoffPolicy, ControllerSpec, Group, JitterPolicy, RuntimeError, Schedule, SupervisorConfig, TaskOutcome,
    TaskState, Tree,
};
use tests::{ALWAYS, FAIL, OK, Script, Step, secs, settle, supervisor};
use tokio::time::{Instant, sleep};

use super::{Result, growing, told};

const DAY: &str = "2026-03-28T00:00:00Z";

/// The next time ends the wait, as it ends a backoff, and begins the backoff again.
#[tokio::test(start_paused = true)]
async fn o26_the_next_time_of_a_schedule_ends_the_wait() -> Result {
    set_wall_clock(DAY);
    let (script, start) = (Script::new([FAIL, told(secs(60)), told(secs(7_200)), FAIL, OK]), Instant::now());
    let spec = script.spec("x").with_restart(ALWAYS).with_schedule(Schedule::cron("@hourly")).with_backoff(growing());
    let tree = Tree::builder(SupervisorConfig::default()).task(spec).build();
    tree.start().await?;
    sleep(secs(7_300)).await;
    assert_eq!(script.begun_ms(start), [3_600_000, 3_600_100, 3_660_100, 7_200_000, 7_200_100]);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o26_a_run_of_a_schedule_gives_up_past_its_retries() -> Result {
    set_wall_clock(DAY);
    let (script, start) = (Script::new([told(secs(60))]), Instant::now());
    let spec = script.spec("x").with_restart(ALWAYS).with_schedule(Schedule::cron("@hourly")).with_max_retries(1);
    let tree = Tree::builder(SupervisorConfig::default()).task(spec).build();
    tree.start().await?;
    sleep(secs(7_000)).await;
    assert_eq!(script.begun_ms(start), [3_600_000, 3_660_000]);
    assert_eq!(tree.child("x").status().unwrap().state, TaskState::Scheduled);
    tree.shutdown().await
}

/// The owner of a slot keeps it while it waits.
#[tokio::test(start_paused = true)]
async fn o26_a_slot_is_busy_in_the_wait_of_its_owner() -> Result {
    let (supervisor, start) = (supervisor(), Instant::now());
    let (first, second) = (Script::new([told(secs(60)), OK]), Script::new([OK]));
    let first_handle = supervisor.submit(ControllerSpec::queue(first.spec("a")).with_slot("s")).await?;
    let second_handle = supervisor.submit(ControllerSpec::queue(second.spec("b")).with_slot("s")).await?;
    assert!(first_handle.outcome().await.is_completed() && second_handle.outcome().await.is_completed());
    assert_eq!((first.begun_ms(start), second.begun_ms(start)), (vec![0, 60_000], vec![60_000]));
    supervisor.shutdown().await
}

/// The wait holds no permit.
#[tokio::test(start_paused = true)]
async fn o26_others_run_in_the_wait() -> Result {
    let config = SupervisorConfig { max_concurrent: 1, ..SupervisorConfig::default() };
    let supervisor = taskvisor::Supervisor::new(config, vec![]);
    let (waits, other, start) =
        (Script::new([told(secs(60)), OK]), Script::new([Step::Succeed(secs(10))]), Instant::now());
    let task = supervisor.add_task(waits.spec("waits")).await?;
    settle().await;
    assert!(supervisor.add_task(other.spec("other")).await?.outcome().await.is_completed());
    assert_eq!(start.elapsed(), secs(10));
    assert!(task.outcome().await.is_completed());
    assert_eq!(waits.begun_ms(start), [0, 60_000]);
    supervisor.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o26_an_override_of_the_backoff_does_not_change_it() -> Result {
    let (script, start) = (Script::new([FAIL, told(secs(60)), FAIL, Step::Wait]), Instant::now());
    let tree = Tree::builder(SupervisorConfig::default())
        .group(Group::one_for_one("g").task(script.spec("x").with_backoff(growing())))
        .with_overrides([("g.x.backoff.first", "2s"), ("g.x.backoff.max", "4s"), ("g.x.backoff.jitter", "none")])
        .build();
    tree.start().await?;
    sleep(secs(90)).await;
    assert_eq!(script.begun_ms(start), [0, 2_000, 62_000, 66_000]);
    tree.shutdown().await
}

/// A test that draws jitter from a seed draws no told time.
#[tokio::test(start_paused = true)]
async fn o26_a_seed_leaves_it_as_it_is() -> Result {
    let jitter = BackoffPolicy { jitter: JitterPolicy::Full, ..growing() };
    let run = async |steps: &[Step]| -> std::result::Result<Vec<u128>, RuntimeError> {
        let (supervisor, script, start) = (supervisor(), Script::new(steps), Instant::now());
        supervisor.seed_jitter(7);
        let task = supervisor.add_task(script.spec("x").with_backoff(jitter).with_max_retries(2)).await?;
        let outcome = task.outcome().await;
        assert!(matches!(outcome, TaskOutcome::Exhausted { .. }), "{outcome}");
        Ok(script.begun_ms(start))
    };
    assert_eq!(run(&[told(secs(60))]).await?, [0, 60_000, 120_000]);
    let begun = run(&[told(secs(60)), FAIL]).await?;
    assert!(begun[1] == 60_000 && begun[2] - begun[1] <= 100, "the first step of the backoff: {begun:?}");
    Ok(())
}
