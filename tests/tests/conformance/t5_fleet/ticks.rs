//! Periodic singletons: the ticks of all replicas are those of the store.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use taskvisor::fleet::{LocalStore, Ticks};
use taskvisor::test::{set_wall_clock, shift_wall_clock};
use taskvisor::{
    BackoffPolicy, EventKind, Missed, RestartPolicy, Schedule, TaskContext, TaskError, TaskFn, TaskSpec, TaskState,
};
use tokio::time::sleep;

use super::{Log, Replica, Result, TTL, replica, secs};

/// A time between two minutes, for tests that count ticks.
const BETWEEN: &str = "2026-06-30T00:29:30Z";

/// The runs of all replicas: the replica, and the time of the schedule.
#[derive(Clone, Default)]
pub(super) struct Runs(Arc<Mutex<Vec<(usize, u64)>>>);

impl Runs {
    pub(super) fn seen(&self) -> Vec<(usize, u64)> {
        self.0.lock().unwrap().clone()
    }

    pub(super) fn ticks(&self) -> Vec<u64> {
        self.seen().iter().map(|(_, tick)| *tick).collect()
    }
}

/// A task that notes its ticks, and takes this time. It fails while `fails` is not zero.
pub(super) fn tick(runs: &Runs, n: usize, takes: Duration, fails: &Arc<AtomicU64>) -> TaskSpec {
    let (runs, fails) = (runs.clone(), Arc::clone(fails));
    let task = TaskFn::arc("report", move |ctx: TaskContext| {
        let (runs, fails) = (runs.clone(), Arc::clone(&fails));
        async move {
            // A run for no tick is noted as one of 1970.
            let at = ctx.scheduled_for().unwrap_or(SystemTime::UNIX_EPOCH);
            let at = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
            runs.0.lock().unwrap().push((n, at));
            if ctx.run_until_cancelled(sleep(takes)).await.is_none() {
                return Ok(());
            }
            if fails.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                return Err(TaskError::Fail { reason: "no".into() });
            }
            Ok(())
        }
    });
    TaskSpec::inherit(task).with_restart(RestartPolicy::Always { interval: None }).with_singleton()
}

#[tokio::test(start_paused = true)]
async fn t5_a_store_within_the_process_begins_with_the_clock_that_a_test_has_set() -> Result {
    set_wall_clock("2026-06-30T00:29:00.7Z");
    let runs = Runs::default();
    let schedule = Schedule::cron("30 2 * * *").zone("Europe/Berlin");
    let spec = tick(&runs, 0, Duration::ZERO, &Arc::default()).with_schedule(schedule);
    let replica = replica(&LocalStore::new(), 0, |tree| tree.task(spec)).await?;
    let half_past = SystemTime::UNIX_EPOCH + Duration::from_secs(1_782_779_400);
    sleep(secs(1.0)).await;
    // What is shown is on the pattern, though both clocks are read one after the other.
    assert_eq!(replica.tree.child("report").status().unwrap().next_run, Some(half_past));
    sleep(secs(60.0)).await;
    assert_eq!(runs.seen(), [(0, 1_782_779_400)]);
    let next = half_past + Duration::from_secs(86_400);
    assert_eq!(replica.tree.child("report").status().unwrap().next_run, Some(next));
    replica.tree.shutdown().await
}

async fn two(
    runs: &Runs,
    takes: Duration,
    set: impl Fn(TaskSpec) -> TaskSpec,
) -> std::result::Result<Vec<Replica>, taskvisor::RuntimeError> {
    let store = LocalStore::new();
    let mut replicas = Vec::new();
    for n in 0..2 {
        let spec = set(tick(runs, n, takes, &Arc::default()));
        replicas.push(replica(&store, n, |tree| tree.task(spec)).await?);
        sleep(secs(0.2)).await;
    }
    sleep(secs(0.5)).await;
    Ok(replicas)
}

fn every(seconds: u64) -> impl Fn(TaskSpec) -> TaskSpec {
    move |spec| spec.with_every(Duration::from_secs(seconds))
}

#[tokio::test(start_paused = true)]
async fn t5_a_period_is_aligned_to_the_clock_of_the_store_and_each_tick_runs_once() -> Result {
    set_wall_clock(BETWEEN);
    let (runs, log) = (Runs::default(), Log::new());
    let replicas = two(&runs, secs(1.0), every(60)).await?;
    assert_eq!(replicas[0].state("report"), TaskState::Scheduled);
    sleep(secs(600.0)).await;
    let ticks = runs.ticks();
    assert_eq!(ticks.len(), 10, "{ticks:?}");
    assert!(
        ticks.iter().all(|tick| tick % 60 == 0) && ticks.windows(2).all(|pair| pair[1] == pair[0] + 60),
        "{ticks:?}"
    );
    assert!(runs.seen().iter().all(|(n, _)| *n == 0));
    assert_eq!(replicas[0].net.calls().iter().filter(|call| **call == "mark").count(), 10);
    // The next owner goes on where the last one was.
    replicas[0].tree.shutdown().await?;
    sleep(secs(600.0)).await;
    let ticks = runs.ticks();
    assert_eq!(ticks.len(), 20, "{ticks:?}");
    assert!(ticks.windows(2).all(|pair| pair[1] == pair[0] + 60), "{ticks:?}");
    assert!(runs.seen()[10..].iter().all(|(n, _)| *n == 1));
    assert_eq!(replicas[1].count(EventKind::RunsMissed, "report"), 0);
    replicas[1].tree.shutdown().await?;
    drop(log);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_the_next_owner_makes_up_for_the_ticks_that_nobody_ran() -> Result {
    for missed in [Missed::Once, Missed::Skip] {
        let (runs, store) = (Runs::default(), LocalStore::new());
        let spec = |n| tick(&runs, n, secs(1.0), &Arc::default()).with_every(Duration::from_secs(60));
        let a = replica(&store, 0, |tree| tree.task(spec(0))).await?;
        while runs.ticks().len() < 2 {
            sleep(secs(1.0)).await;
        }
        sleep(secs(20.0)).await;
        a.tree.shutdown().await?;
        let before = runs.ticks();
        assert_eq!(before.len(), 2);
        // Nobody is there for five minutes.
        sleep(secs(300.0)).await;
        let b = replica(&store, 1, |tree| tree.task(spec(1).with_missed(missed))).await?;
        sleep(secs(0.5)).await;
        let caught = runs.ticks().len() - before.len();
        assert_eq!(caught, usize::from(missed == Missed::Once), "{missed:?}: {:?}", runs.seen());
        let told: Vec<_> = b.recorder.seen().into_iter().filter(|it| it.kind == EventKind::RunsMissed).collect();
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].count, Some(5), "{told:?}");
        sleep(secs(60.0)).await;
        assert_eq!(runs.ticks().len(), before.len() + caught + 1);
        b.tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_a_tick_whose_owner_loses_the_lease_is_not_repeated_or_is_as_it_was_asked() -> Result {
    for ticks in [Ticks::AtMostOnce, Ticks::AtLeastOnce] {
        let runs = Runs::default();
        let replicas = two(&runs, secs(50.0), |spec| every(600)(spec).with_ticks(ticks)).await?;
        while runs.ticks().is_empty() {
            sleep(secs(1.0)).await;
        }
        let tick = runs.ticks()[0];
        replicas[0].net.cut(true);
        sleep(secs(120.0)).await;
        let seen = runs.seen();
        let expected = if ticks == Ticks::AtMostOnce { vec![(0, tick)] } else { vec![(0, tick), (1, tick)] };
        assert_eq!(seen, expected, "{ticks:?}");
        replicas[0].net.cut(false);
        sleep(secs(600.0)).await;
        assert_eq!(runs.seen().len(), expected.len() + 1, "{:?}", runs.seen());
        for it in &replicas {
            it.tree.shutdown().await?;
        }
    }
    Ok(())
}

/// The lease is lost during a run, or during the backoff of one that has failed, and is back before the next tick.
#[tokio::test(start_paused = true)]
async fn t5_an_owner_that_gets_its_lease_back_runs_what_the_store_says() -> Result {
    for ticks in [Ticks::AtMostOnce, Ticks::AtLeastOnce] {
        for (takes, fails) in [(20.0, 0), (1.0, 1)] {
            for resigns in [false, true] {
                let (runs, store) = (Runs::default(), LocalStore::new());
                let backoff = BackoffPolicy { first: secs(60.0), max: secs(60.0), ..BackoffPolicy::default() };
                let spec = tick(&runs, 0, secs(takes), &Arc::new(AtomicU64::new(fails))).with_ticks(ticks);
                let spec = spec.with_every(Duration::from_secs(600)).with_backoff(backoff);
                let a = replica(&store, 0, |tree| tree.task(spec)).await?;
                while runs.ticks().is_empty() {
                    sleep(secs(1.0)).await;
                }
                sleep(secs(5.0)).await;
                if resigns {
                    assert!(a.tree.child("report").resign());
                } else {
                    a.net.cut(true);
                    sleep(secs(40.0)).await;
                    a.net.cut(false);
                }
                sleep(secs(300.0)).await;
                let first = runs.ticks()[0];
                let again = ticks == Ticks::AtLeastOnce;
                let expected = if again { vec![first, first] } else { vec![first] };
                assert_eq!(runs.ticks(), expected, "{ticks:?}, {takes} s, {fails} failures, resigns: {resigns}");
                sleep(secs(300.0)).await;
                assert_eq!(runs.ticks().last(), Some(&(first + 600)));
                assert_eq!(runs.ticks().len(), expected.len() + 1);
                a.tree.shutdown().await?;
            }
        }
    }
    Ok(())
}

/// The owner ends just after a run has succeeded, while its mark is on the way to the store.
#[tokio::test(start_paused = true)]
async fn t5_a_run_that_has_succeeded_is_not_repeated_by_the_next_owner() -> Result {
    for end in ["shutdown", "resign", "remove"] {
        let runs = Runs::default();
        let replicas = two(&runs, secs(1.0), |spec| every(600)(spec).with_ticks(Ticks::AtLeastOnce)).await?;
        replicas[0].net.delay_marks(secs(0.3));
        while runs.ticks().is_empty() {
            sleep(secs(0.1)).await;
        }
        sleep(secs(1.1)).await;
        assert_eq!(replicas[0].net.calls().last(), Some(&"mark"));
        let (tree, report) = (&replicas[0].tree, replicas[0].tree.child("report"));
        match end {
            "shutdown" => tree.shutdown().await?,
            "resign" => assert!(report.resign()),
            _ => assert!(report.cancel().await?),
        }
        sleep(secs(60.0)).await;
        assert_eq!(runs.seen().len(), 1, "{end}: {:?}", runs.seen());
        sleep(secs(600.0)).await;
        let seen = runs.seen();
        assert!(seen.len() == 2 && seen[1] == (1, seen[0].1 + 600), "{end}: {seen:?}");
        for it in &replicas {
            it.tree.shutdown().await?;
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_a_mark_whose_answer_is_lost_runs_the_tick_once() -> Result {
    let runs = Runs::default();
    let replicas = two(&runs, secs(1.0), every(60)).await?;
    for _ in 0..60 {
        // Of every third of a second, some answers are lost.
        replicas[0].net.mute(true);
        sleep(secs(3.0)).await;
        replicas[0].net.mute(false);
        sleep(secs(4.0)).await;
    }
    let mut ticks = runs.ticks();
    assert!(ticks.len() >= 6, "{ticks:?}");
    let all = ticks.len();
    ticks.dedup();
    assert_eq!(ticks.len(), all, "a tick ran twice: {:?}", runs.seen());
    for it in &replicas {
        it.tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_retries_belong_to_their_tick() -> Result {
    set_wall_clock(BETWEEN);
    let (runs, store) = (Runs::default(), LocalStore::new());
    let fails = Arc::new(AtomicU64::new(2));
    let spec = tick(&runs, 0, secs(0.1), &fails).with_every(Duration::from_secs(60));
    let a = replica(&store, 0, |tree| tree.task(spec)).await?;
    sleep(secs(61.0)).await;
    let ticks = runs.ticks();
    assert!(ticks.len() == 3 && ticks.iter().all(|tick| *tick == ticks[0]), "{ticks:?}");
    assert_eq!(a.net.calls().iter().filter(|call| **call == "mark").count(), 1);
    a.tree.shutdown().await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_a_schedule_follows_the_clock_of_the_store_and_not_that_of_the_host() -> Result {
    let runs = Runs::default();
    let hourly = |spec: TaskSpec| spec.with_schedule(Schedule::cron("0 * * * *"));
    // The clock of the hosts is an hour and a half ahead of that of the store.
    shift_wall_clock(5_400);
    let replicas = two(&runs, secs(1.0), hourly).await?;
    sleep(secs(4.0 * 3_600.0)).await;
    let ticks = runs.ticks();
    assert_eq!(ticks.len(), 4, "{ticks:?}");
    assert!(
        ticks.iter().all(|tick| tick % 3_600 == 0) && ticks.windows(2).all(|pair| pair[1] == pair[0] + 3_600),
        "{ticks:?}"
    );
    for it in &replicas {
        it.tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_a_period_of_a_singleton_has_whole_seconds() {
    let runs = Runs::default();
    let tree = |spec| {
        let tree = taskvisor::Tree::builder(taskvisor::SupervisorConfig::default());
        let tree = tree.with_fleet(taskvisor::fleet::Fleet::local()).task(spec).try_build();
        tree.err().map_or_else(String::new, |error| error.to_string())
    };
    let spec = tick(&runs, 0, TTL, &Arc::default());
    assert_eq!(
        tree(spec.clone().with_every(Duration::from_millis(1500))),
        "task `report`: `every` is 1.5s, expected whole seconds in a singleton: its ticks are the multiples of the period \
         by the clock of the store"
    );
    assert_eq!(tree(spec.with_every(Duration::from_secs(2))), "");
}

#[tokio::test(start_paused = true)]
async fn t5_an_owner_follows_the_clock_of_the_store_when_that_of_the_host_is_set() -> Result {
    let (runs, store) = (Runs::default(), LocalStore::new());
    let spec = tick(&runs, 0, secs(1.0), &Arc::default()).with_every(Duration::from_secs(60));
    let a = replica(&store, 0, |tree| tree.task(spec)).await?;
    sleep(secs(130.0)).await;
    for seconds in [5_400, -9_000] {
        shift_wall_clock(seconds);
        sleep(secs(600.0)).await;
    }
    a.tree.shutdown().await?;
    let ticks = runs.ticks();
    assert!(ticks.len() > 20 && ticks.windows(2).all(|pair| pair[1] == pair[0] + 60), "{ticks:?}");
    Ok(())
}
