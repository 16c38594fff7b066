//! Simulations: faults, their targets and times, and the bugs that they find.

mod bugs;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use taskvisor::test::{FaultKind, Recorder, Script, SimulationReport};
use taskvisor::{
    EventKind, Group, Ready, RestartPolicy, RuntimeError, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskSpec,
    TaskState, Tree,
};
use tests::{constant, ms, secs};
use tokio::time::{Instant, sleep};

use crate::{full, panic_of, tree};

const MINUTE: Duration = secs(60);

fn daemon(name: &str) -> TaskSpec {
    Script::new(name).waits().into()
}

/// A job that runs for two seconds in every ten minutes.
fn job(name: &str) -> TaskSpec {
    TaskSpec::from(Script::new(name).runs(secs(2)).succeeds().repeats_last())
        .with_restart(RestartPolicy::Always { interval: Some(secs(598)) })
}

/// A tree with groups, order, readiness, jitter and a job.
fn app() -> Tree {
    let pool = Script::new("pool").runs(ms(300)).becomes_ready().beats_every(secs(1)).waits().repeats_last();
    let store = Group::rest_for_one("store")
        .with_limit(50, MINUTE)
        .task(TaskSpec::from(pool).with_ready(Ready::Signal).with_watchdog(secs(5)).with_stop_timeout(secs(1)))
        .task(TaskSpec::from(Script::new("migrate").runs(secs(1)).succeeds()).with_ready(Ready::Completed))
        .task(daemon("writer").with_backoff(full(secs(3))));
    let config = SupervisorConfig::default();
    Tree::builder(config).group(store).task(daemon("serve").with_after(["store"])).task(job("sync")).build()
}

async fn storm(seed: u64) -> SimulationReport {
    let tree = app();
    let simulation = tree.simulate(seed).crashes_every(secs(30)).panics_every(MINUTE).hangs_every(MINUTE);
    let report = simulation.run_for(30 * MINUTE).await;
    sleep(MINUTE).await;
    assert!(tree.health().is_ready(), "{report}\n{}", tree.snapshot());
    // A task that hangs and has no watchdog is still hanging.
    let _ = tree.shutdown().await;
    report
}

/// The number of faults of this kind.
fn count(report: &SimulationReport, kind: FaultKind) -> usize {
    report.faults().iter().filter(|fault| fault.kind == kind).count()
}

#[tokio::test(start_paused = true)]
async fn one_seed_is_one_run() {
    let first = storm(42).await;
    assert_eq!(storm(42).await, first);
    assert_ne!(storm(43).await.faults(), first.faults());

    assert_eq!((first.seed(), first.lasted()), (42, 30 * MINUTE));
    for kind in [FaultKind::Crash, FaultKind::Panic, FaultKind::Hang] {
        assert!(count(&first, kind) > 20, "{first}");
    }
    assert!(first.events().len() > 500);
    let lines = first.to_string();
    assert!(lines.starts_with("simulation with seed 42: "), "{lines}");
    assert_eq!(lines.lines().count(), first.faults().len() + 1);
    assert!(lines.lines().nth(1).unwrap().trim_start().starts_with(&first.faults()[0].to_string()), "{lines}");
}

/// A run on another runtime, with other ids and another clock, is the same.
#[test]
fn one_seed_is_one_run_on_every_runtime() {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(storm(7))
    };
    let other = std::thread::spawn(run);
    assert_eq!(run(), other.join().unwrap());
}

#[tokio::test(start_paused = true)]
async fn each_kind_ends_an_attempt_in_its_way() {
    type Set = for<'a> fn(taskvisor::test::Simulation<'a>) -> taskvisor::test::Simulation<'a>;
    let cases: [(Set, FaultKind, EventKind, &str); 4] = [
        (|s| s.crashes_every(secs(5)), FaultKind::Crash, EventKind::TaskFailed, "simulated crash"),
        (|s| s.panics_every(secs(5)), FaultKind::Panic, EventKind::TaskFailed, "panicked: simulated panic"),
        (|s| s.hangs_every(secs(5)), FaultKind::Hang, EventKind::TaskFailed, "silent for 60s"),
        (|s| s.fatal_errors_every(secs(5)), FaultKind::Fatal, EventKind::ActorDead, "simulated fatal error"),
    ];
    for (set, kind, event, reason) in cases {
        let script = Script::new("x").beats_every(secs(1)).waits().repeats_last();
        let tree = tree([TaskSpec::from(script.clone()).with_watchdog(MINUTE).with_backoff(constant(secs(1)))]);
        let report = set(tree.simulate(1)).run_for(10 * MINUTE).await;
        assert_eq!(count(&report, kind), report.faults().len(), "{report}");
        let found = report.events().iter().filter(|came| came.kind == event).collect::<Vec<_>>();
        assert!(!found.is_empty(), "{report}");
        assert!(found.iter().all(|came| came.reason.as_deref() == Some(reason)), "{found:?}");
        assert_eq!(script.tally().canceled, 0);
        let attempt = report.faults()[0].attempt;
        assert_eq!(found[0].attempt, Some(attempt));
        if kind == FaultKind::Fatal {
            assert_eq!((report.faults().len(), script.tally().dropped), (1, 1));
        } else {
            assert!(report.faults().len() > 5 && script.tally().dropped > 5, "{report}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_drops_what_the_attempt_holds_while_it_unwinds() {
    struct Held(Arc<[AtomicUsize; 2]>);
    impl Drop for Held {
        fn drop(&mut self) {
            self.0[usize::from(std::thread::panicking())].fetch_add(1, Ordering::Relaxed);
        }
    }
    let drops: Arc<[AtomicUsize; 2]> = Arc::default();
    let held = Arc::clone(&drops);
    let task = TaskFn::arc("x", move |ctx: TaskContext| {
        let held = Held(Arc::clone(&held));
        async move {
            ctx.cancelled().await;
            drop(held);
            Err(TaskError::Canceled)
        }
    });
    let tree = tree([TaskSpec::inherit(task)]);
    let report = tree.simulate(3).panics_every(secs(10)).crashes_every(secs(10)).run_for(5 * MINUTE).await;
    let dropped = |unwinding: usize| drops[unwinding].load(Ordering::Relaxed);
    assert_eq!((dropped(0), dropped(1)), (count(&report, FaultKind::Crash), count(&report, FaultKind::Panic)));
    assert!(dropped(0) > 0 && dropped(1) > 0, "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_hang_that_nobody_notices_lasts_until_the_stop() -> Result<(), RuntimeError> {
    let script = Script::new("x").becomes_ready().waits();
    let tree = tree([TaskSpec::from(script.clone()).with_stop_timeout(secs(7))]);
    let report = tree.simulate(1).hangs_every(secs(5)).run_for(MINUTE).await;
    assert!(!report.faults().is_empty());
    sleep(60 * MINUTE).await;
    assert_eq!((script.tally().attempts, script.tally().running), (1, 1));
    let start = Instant::now();
    let result = tree.shutdown().await;
    assert_eq!(start.elapsed(), secs(7), "it ignores its token");
    assert!(matches!(result, Err(RuntimeError::GraceExceeded { stuck, .. }) if stuck == ["x"]));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn it_strikes_whom_it_is_aimed_at() {
    let tree = app();
    let report = tree.simulate(5).tasks(["store/writer", "serve"]).run_for(20 * MINUTE).await;
    let struck = |path: &str| report.faults().iter().filter(|fault| &*fault.task == path).count();
    assert!(struck("store/writer") > 10 && struck("serve") > 10, "{report}");
    assert_eq!(struck("store/writer") + struck("serve"), report.faults().len(), "{report}");
    assert!(count(&report, FaultKind::Crash) > count(&report, FaultKind::Panic), "the default");
    assert!(count(&report, FaultKind::Panic) > 0, "the default");

    // A group path selects the tasks in the group, and not a task whose name begins with the group's name.
    let groups = Group::one_for_one("a").group(Group::one_for_one("b").task(daemon("x")));
    let tree = Tree::builder(SupervisorConfig::default()).group(groups).task(daemon("ab")).build();
    for path in ["a", "a/b", "a/b/x"] {
        let report = tree.simulate(5).tasks([path]).run_for(10 * MINUTE).await;
        assert!(report.faults().len() > 5 && report.faults().iter().all(|fault| &*fault.task == "a/b/x"), "{report}");
    }
}

#[tokio::test(start_paused = true)]
async fn it_strikes_what_runs_already_and_what_is_added_meanwhile() -> Result<(), RuntimeError> {
    let tree = tree([daemon("before")]);
    tree.start().await?;
    sleep(60 * MINUTE).await;
    let supervisor = tree.supervisor().handle();
    let adding = tokio::spawn(async move {
        sleep(secs(90)).await;
        supervisor.add_task(daemon("added")).await.unwrap();
    });
    let report = tree.simulate(1).run_for(10 * MINUTE).await;
    adding.await.unwrap();
    for path in ["before", "added"] {
        assert!(report.faults().iter().filter(|fault| &*fault.task == path).count() > 5, "{report}");
    }
    assert!(report.faults().iter().all(|fault| fault.at < 10 * MINUTE), "{report}");
    assert_eq!((report.faults()[0].attempt, &*report.faults()[0].task), (1, "before"));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn a_job_that_mostly_waits_is_struck_at_its_begin_and_in_its_midst() {
    let tree = tree([job("sync")]);
    let recorder = Recorder::attach(tree.supervisor());
    let report = tree.simulate(9).crashes_every(20 * MINUTE).run_for(10_000 * MINUTE).await;
    let (mut at_begin, mut in_midst) = (0, 0);
    let events = recorder.events();
    for fault in report.faults() {
        let began =
            events.iter().find(|event| event.kind == EventKind::TaskStarting && event.attempt == Some(fault.attempt));
        let into = fault.at.saturating_sub(began.unwrap().at);
        assert!(into < secs(2), "{fault}");
        if into.is_zero() { at_begin += 1 } else { in_midst += 1 }
    }
    assert!(at_begin > 100 && in_midst > 100, "{at_begin} {in_midst}");
    // About one fault every 20 minutes.
    assert!((350..650).contains(&report.faults().len()), "{}", report.faults().len());
}

#[tokio::test(start_paused = true)]
async fn it_is_over_when_it_says_and_when_the_tree_is() -> Result<(), RuntimeError> {
    let once = tree([daemon("x")]);
    // The job waits, so faults for it are still scheduled when the simulation ends. They must not strike later.
    once.supervisor().add_task(job("job").with_initial_delay(20 * MINUTE)).await?;
    let recorder = Recorder::attach(once.supervisor());
    let start = Instant::now();
    let report = once.simulate(1).crashes_every(secs(1)).run_for(10 * MINUTE).await;
    assert_eq!((start.elapsed(), report.lasted()), (10 * MINUTE, 10 * MINUTE));
    sleep(20 * MINUTE).await;
    let failures = recorder.count(EventKind::TaskFailed);
    assert_eq!((failures, recorder.attempts("x")), (report.faults().len(), report.faults().len() + 1));
    assert_eq!(once.child("x").status().unwrap().state, TaskState::Running);

    // Dropping the simulation ends it too.
    let _ = tokio::time::timeout(MINUTE, once.simulate(1).crashes_every(secs(1)).run_for(10 * MINUTE)).await;
    let failures = recorder.count(EventKind::TaskFailed);
    sleep(20 * MINUTE).await;
    assert_eq!(recorder.count(EventKind::TaskFailed), failures);

    let stopped = once.supervisor().handle();
    tokio::spawn(async move {
        sleep(MINUTE).await;
        let _ = stopped.shutdown().await;
    });
    assert_eq!(once.simulate(1).run_for(10 * MINUTE).await.lasted(), MINUTE);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_empty_path_is_that_of_the_whole_tree() -> Result<(), RuntimeError> {
    let tree = tree([daemon("pool")]);
    tree.start().await?;
    tree.supervisor().add_task(daemon("added")).await?;
    let report = tree.simulate(1).tasks([""]).crashes_every(secs(10)).run_for(10 * MINUTE).await;
    let struck = |path: &str| report.faults().iter().any(|fault| *fault.task == *path);
    assert!(struck("pool") && struck("added"), "{report}");
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn it_says_what_is_wrong_with_it() {
    let message = panic_of(async {
        tree([daemon("pool")]).simulate(1).tasks(["pol"]).run_for(MINUTE).await;
    })
    .await;
    assert!(message.starts_with("no task or group `pol` to simulate is in the tree, at "), "{message}");
    assert!(message.contains("pool"), "{message}");

    let message = panic_of(async {
        tree([daemon("x").with_watchdog(Duration::ZERO)]).simulate(1).run_for(MINUTE).await;
    })
    .await;
    assert!(message.starts_with("the tree that is to be simulated did not start: "), "{message}");
    assert!(message.contains("watchdog"), "{message}");
}

#[tokio::test]
async fn it_asks_for_paused_time() {
    let message = panic_of(async {
        tree([daemon("x")]).simulate(1).run_for(MINUTE).await;
    })
    .await;
    assert!(message.contains("`#[tokio::test(start_paused = true)]`, at tests/"), "{message}");
}
