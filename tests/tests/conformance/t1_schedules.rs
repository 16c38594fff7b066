//! T1: calendar schedules.

mod groups;
mod late;
mod look;
mod missed;
mod pauses;
mod retries;

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use taskvisor::test::{Recorder, set_wall_clock, shift_wall_clock};
use taskvisor::{
    BackoffPolicy, EventKind, JitterPolicy, Missed, Ready, RestartPolicy, RuntimeError, Schedule, Supervisor,
    SupervisorConfig, TaskContext, TaskError, TaskFn, TaskSpec, TaskState, Tree, TreeBuilder,
};
use tests::{ALWAYS, secs};
use tokio::time::{Instant, sleep};

type Result = std::result::Result<(), RuntimeError>;

const HOUR: Duration = secs_of(3_600);

const fn secs_of(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// When an attempt began on Tokio's clock, and for which time.
type Begun = (Duration, Option<SystemTime>);

/// The attempts of a task.
#[derive(Clone)]
struct Runs {
    begun: Arc<Mutex<Vec<Begun>>>,
    start: Instant,
}

impl Runs {
    /// Sets the wall clock, and counts from now on.
    fn from(clock: &str) -> Self {
        set_wall_clock(clock);
        Self { begun: Arc::default(), start: Instant::now() }
    }

    /// A task whose attempts take this time, and whose result is that of `run` of the number of the attempt.
    fn task(
        &self,
        name: &str,
        takes: Duration,
        run: impl Fn(u32) -> std::result::Result<(), TaskError> + Clone + Send + Sync + 'static,
    ) -> TaskSpec {
        let runs = self.clone();
        let task = TaskFn::arc(name, move |ctx: TaskContext| {
            let (runs, run) = (runs.clone(), run.clone());
            async move {
                runs.begun.lock().unwrap().push((runs.start.elapsed(), ctx.scheduled_for()));
                if !takes.is_zero() && ctx.run_until_cancelled(sleep(takes)).await.is_none() {
                    return Err(TaskError::Canceled);
                }
                run(ctx.attempt())
            }
        });
        TaskSpec::inherit(task).with_restart(ALWAYS)
    }

    fn ok(&self, name: &str, pattern: &str) -> TaskSpec {
        self.task(name, Duration::ZERO, |_| Ok(())).with_schedule(Schedule::cron(pattern))
    }

    /// The seconds at which attempts began.
    fn begun(&self) -> Vec<u64> {
        self.begun.lock().unwrap().iter().map(|(at, _)| at.as_secs()).collect()
    }

    /// The times for which they began, in seconds from this one on.
    fn scheduled_for(&self, from: u64) -> Vec<Option<u64>> {
        let since = |at: SystemTime| at.duration_since(UNIX_EPOCH).unwrap().as_secs() - from;
        self.begun.lock().unwrap().iter().map(|(_, at)| at.map(since)).collect()
    }
}

fn tree() -> TreeBuilder {
    Tree::builder(SupervisorConfig::default())
}

fn backoff(first: u64) -> BackoffPolicy {
    BackoffPolicy { first: secs(first), max: secs(100_000), factor: 2.0, jitter: JitterPolicy::None }
}

fn fail() -> std::result::Result<(), TaskError> {
    Err(TaskError::Fail { reason: "no route".into() })
}

/// What was told of missed runs: the number, and the reason.
fn told(recorder: &Recorder) -> Vec<(u64, String)> {
    let missed = recorder.events().into_iter().filter(|event| event.kind == EventKind::RunsMissed);
    missed.map(|event| (event.count.unwrap(), event.reason.unwrap().to_string())).collect()
}

/// 2026-03-28T00:00:00Z.
const DAY: &str = "2026-03-28T00:00:00Z";
const DAY_SECS: u64 = 1_774_656_000;

#[tokio::test(start_paused = true)]
async fn t1_the_first_run_is_the_first_time_and_each_has_the_time_that_it_is_for() -> Result {
    let runs = Runs::from("2026-03-28T00:10:00Z");
    let tree = tree().task(runs.ok("a", "0 * * * *")).build();
    tree.start().await?;
    sleep(secs(60) * 60 * 3).await;
    assert_eq!(runs.begun(), [3_000, 6_600, 10_200]);
    assert_eq!(runs.scheduled_for(DAY_SECS), [Some(3_600), Some(7_200), Some(10_800)]);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t1_a_fixed_time_has_one_run_in_a_gap_and_one_in_a_fold() -> Result {
    for (from, runs_at) in [
        // 02:30 does not exist: 03:00 summer time is 01:00 UTC. On the next day it is 00:30 UTC.
        ("2026-03-29T00:00:00Z", vec![3_600, 86_400 + 1_800]),
        // 02:30 comes twice, at 00:30 and 01:30 UTC. On the next day it is 01:30 UTC.
        ("2026-10-25T00:00:00Z", vec![1_800, 86_400 + 5_400]),
    ] {
        let runs = Runs::from(from);
        let spec = runs.ok("a", "30 2 * * *").with_schedule(Schedule::cron("30 2 * * *").zone("Europe/Berlin"));
        let tree = tree().task(spec).build();
        tree.start().await?;
        sleep(HOUR * 40).await;
        assert_eq!(runs.begun(), runs_at);
        tree.shutdown().await?;
    }
    // Real time: both passes, and none in the gap.
    for (from, count) in [("2026-03-28T23:59:00Z", 2), ("2026-10-24T23:59:00Z", 4)] {
        let runs = Runs::from(from);
        let schedule = Schedule::cron("*/30 2,3 * * *").zone("Europe/Berlin");
        let tree = tree().task(runs.ok("a", "@daily").with_schedule(schedule)).build();
        tree.start().await?;
        sleep(HOUR * 2).await;
        assert_eq!(runs.begun().len(), count, "{from}: {:?}", runs.begun());
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t1_a_scheduled_task_is_ready_while_it_waits_for_its_time() -> Result {
    let runs = Runs::from(DAY);
    let after = runs.task("after", HOUR * 900, |_| Ok(())).with_after(["a"]);
    let tree = tree().task(runs.ok("a", "@hourly")).task(after).build();
    tree.start().await?;
    tree.wait_ready().await;
    sleep(secs(1)).await;
    assert_eq!(runs.begun(), [0], "its sibling has begun");
    let status = tree.child("a").status().unwrap();
    assert_eq!((status.state, status.attempt), (TaskState::Scheduled, 0));
    assert_eq!(status.next_run, Some(UNIX_EPOCH + secs_of(DAY_SECS + 3_600)));
    assert!(tree.health().is_ready(), "{:?}", tree.health());
    sleep(HOUR).await;
    let status = tree.child("a").status().unwrap();
    assert_eq!((status.state, status.attempt), (TaskState::Scheduled, 1));
    let shown = tree.snapshot().to_string();
    assert!(shown.contains("scheduled") && shown.contains("next=2026-03-28T02:00:00Z"), "{shown}");
    tree.shutdown().await?;
    // Without siblings that are after it, the tree is plain.
    let tree = self::tree().task(runs.ok("a", "@hourly")).build();
    tree.start().await?;
    tree.wait_ready().await;
    assert!(tree.health().is_ready());
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t1_a_trigger_runs_now_and_uses_up_no_time() -> Result {
    let runs = Runs::from(DAY);
    let task = runs.task("a", secs(100), |_| Ok(())).with_schedule(Schedule::cron("@hourly"));
    let tree = tree().task(task).build();
    tree.start().await?;
    sleep(secs(10)).await;
    assert!(tree.child("a").trigger());
    sleep(secs(10)).await;
    // A running one owes one more.
    assert!(tree.child("a").trigger() && tree.child("a").trigger());
    sleep(HOUR).await;
    assert_eq!(runs.begun(), [10, 110, 3_600]);
    assert_eq!(runs.scheduled_for(DAY_SECS), [None, None, Some(3_600)]);
    // A restart of a waiting task runs now as well.
    sleep(HOUR / 2).await;
    assert!(tree.child("a").restart());
    sleep(HOUR).await;
    assert_eq!(runs.begun()[3..], [3_600 + 1_820, 7_200]);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t1_a_splay_shifts_each_run_by_the_same_and_not_the_time_that_it_is_for() -> Result {
    let runs = Runs::from(DAY);
    let config = SupervisorConfig { instance: Some("one".into()), ..SupervisorConfig::default() };
    let mut builder = Tree::builder(config);
    for name in ["a", "b", "c"] {
        builder = builder.task(runs.ok(name, "@hourly").with_splay(secs(600)));
    }
    let tree = builder.build();
    let planned: Vec<u64> = tree
        .schedule(6)?
        .iter()
        .map(|run| {
            assert!(run.scheduled_for <= run.at && run.at < run.scheduled_for + secs(600));
            run.at.duration_since(UNIX_EPOCH).unwrap().as_secs() - DAY_SECS
        })
        .collect();
    tree.start().await?;
    sleep(HOUR + secs(600)).await;
    assert_eq!(runs.begun(), planned);
    let mut distinct = planned.clone();
    distinct.dedup();
    assert_eq!(distinct.len(), 6, "not together");
    let of = |hour: u64| Some(hour * 3_600);
    assert_eq!(runs.scheduled_for(DAY_SECS), [of(0), of(0), of(0), of(1), of(1), of(1)]);
    assert_eq!(
        tree.child("a").status().unwrap().next_run,
        tree.schedule(3)?.iter().find(|run| run.path == "a").map(|run| run.at)
    );
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t1_what_is_wrong_is_refused_with_what_is_right() {
    let runs = Runs::from(DAY);
    let refused = |spec: TaskSpec| tree().task(spec).try_build().unwrap_err().to_string();
    let of = |pattern: &str| runs.ok("a", pattern);
    let zone = |zone: &str| of("@daily").with_schedule(Schedule::cron("@daily").zone(zone));
    for (spec, message) in [
        (
            of("0 0 2 * * *"),
            "`cron` is \"0 0 2 * * *\", expected a cron pattern: \"0 0 2 * * *\" has 6 fields, expected 5: \
                            leave out the seconds: \"0 2 * * *\"",
        ),
        (
            of("0 0 30 2 *"),
            "`cron` is \"0 0 30 2 *\", expected a cron pattern: \"0 0 30 2 *\" never comes: February has no \
                           day 30",
        ),
        (
            zone("Europe/Berlim"),
            "`zone` is \"Europe/Berlim\", expected a time zone: unknown zone \"Europe/Berlim\", did you mean \
                                 \"Europe/Berlin\"?",
        ),
        (of("@daily").with_every(secs(1)), "`cron` is \"@daily\", expected either `cron` or `every`, not both"),
        (
            of("@daily").with_restart(RestartPolicy::Always { interval: Some(secs(1)) }),
            "`cron` is \"@daily\", expected either `cron` or `interval`, not both",
        ),
        (
            of("@daily").with_restart(RestartPolicy::OnFailure),
            "`cron` is \"@daily\", expected the restart policy `Always` beside it",
        ),
        (
            of("@daily").with_initial_delay(secs(1)),
            "`cron` is \"@daily\", expected no `initial_delay` beside it: the first run is the first time of the schedule",
        ),
        (
            of("@daily").with_ready(Ready::Signal),
            "`cron` is \"@daily\", expected `Ready::Start` beside it: a scheduled task is ready while it waits for its time",
        ),
        (
            of("@daily").with_schedule(Schedule::cron("@daily").late(Duration::ZERO)),
            "`late` is 0ns, expected at least 1s",
        ),
        (
            runs.task("a", Duration::ZERO, |_| Ok(())).with_last_run(UNIX_EPOCH),
            "`last_run` is set, expected a schedule beside it: `cron`",
        ),
    ] {
        assert_eq!(refused(spec), format!("task `a`: {message}"));
    }
    let config = SupervisorConfig { zone: Some("Nowhere".into()), ..SupervisorConfig::default() };
    let error = Tree::builder(config).task(of("@daily")).try_build().unwrap_err().to_string();
    assert!(error.starts_with("config: `zone` is \"Nowhere\""), "{error}");
    let config = SupervisorConfig { zone: Some("Europe/Berlin".into()), ..SupervisorConfig::default() };
    // A task without a schedule has no zone, and the options of a registration can be given again.
    let supervisor = Supervisor::new(config, vec![]);
    let task = supervisor.add_task(runs.task("b", HOUR, |_| Ok(()))).await.unwrap();
    let spec = task.spec();
    task.cancel().await.unwrap();
    assert!(supervisor.add_task(spec).await.is_ok());
    supervisor.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn t1_the_zone_of_the_config_is_that_of_schedules_that_set_none() -> Result {
    let runs = Runs::from(DAY);
    let config = SupervisorConfig { zone: Some("Asia/Kolkata".into()), ..SupervisorConfig::default() };
    let utc = runs.ok("utc", "@daily").with_schedule(Schedule::cron("@daily").zone("UTC"));
    let tree = Tree::builder(config).task(runs.ok("kolkata", "@daily")).task(utc).build();
    let runs: Vec<String> = tree.schedule(2)?.iter().map(ToString::to_string).collect();
    assert_eq!(runs, ["2026-03-29T00:00:00+05:30 kolkata", "2026-03-29T00:00:00+00:00 utc"]);
    Ok(())
}

/// Three schedules over a year.
#[tokio::test(start_paused = true)]
async fn t1_a_year_of_schedules_passes_in_one_test() -> Result {
    let runs = Runs::from("2026-01-01T00:00:00Z");
    let [hourly, daily, monthly] = ["17 * * * *", "30 2 * * *", "0 4 1 * *"];
    let berlin = |pattern: &str| Schedule::cron(pattern).zone("Europe/Berlin");
    let tree = tree()
        .task(runs.ok("hourly", hourly).with_schedule(berlin(hourly)))
        .task(runs.ok("daily", daily).with_schedule(berlin(daily)))
        .task(runs.ok("monthly", monthly).with_schedule(berlin(monthly)))
        .build();
    let recorder = Recorder::attach(tree.supervisor());
    tree.start().await?;
    sleep(HOUR * 24 * 365).await;
    assert_eq!(runs.begun().len(), 8_760 + 365 + 12);
    assert_eq!(recorder.count(EventKind::RunsMissed), 0);
    tree.shutdown().await
}
