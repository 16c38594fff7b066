//! Planted bugs that a simulation finds, and their fixed versions, which pass.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use taskvisor::test::{Recorder, Script};
use taskvisor::{
    EventKind, Group, Ready, RestartPolicy, Strategy, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskSpec, Tree,
};
use tests::{ms, secs};
use tokio::time::sleep;

use super::MINUTE;
use crate::tree;

/// A set of lock files.
#[derive(Clone, Default)]
struct Disk(Arc<Mutex<BTreeSet<&'static str>>>);

impl Disk {
    fn create(&self, file: &'static str) -> bool {
        self.0.lock().unwrap().insert(file)
    }

    fn remove(&self, file: &'static str) {
        self.0.lock().unwrap().remove(file);
    }
}

/// Removes the lock file when dropped.
struct Guard(Disk);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.remove("lock");
    }
}

/// An import that holds a lock file and removes it at the end. With a guard, the file is also removed if the import
/// panics or is dropped.
fn import(disk: Disk, guarded: bool, imports: Arc<AtomicU32>) -> TaskSpec {
    let task = TaskFn::arc("import", move |_: TaskContext| {
        let (disk, imports) = (disk.clone(), Arc::clone(&imports));
        async move {
            if !disk.create("lock") {
                return Err(TaskError::Fail { reason: "another import runs".into() });
            }
            let guard = guarded.then(|| Guard(disk.clone()));
            sleep(secs(3)).await;
            imports.fetch_add(1, Ordering::Relaxed);
            disk.remove("lock");
            drop(guard);
            Ok(())
        }
    });
    TaskSpec::inherit(task).with_restart(RestartPolicy::Always { interval: Some(MINUTE) })
}

#[tokio::test(start_paused = true)]
async fn it_finds_a_lock_file_that_is_left_behind() {
    for (guarded, goes_on) in [(false, false), (true, true)] {
        let imports = Arc::new(AtomicU32::new(0));
        let tree = tree([import(Disk::default(), guarded, Arc::clone(&imports))]);
        let recorder = Recorder::attach(tree.supervisor());
        let report = tree.simulate(42).crashes_every(2 * MINUTE).run_for(60 * MINUTE).await;

        let before = imports.load(Ordering::Relaxed);
        sleep(10 * MINUTE).await;
        assert_eq!(imports.load(Ordering::Relaxed) > before, goes_on, "{report}");
        let locked = recorder.events().iter().any(|event| event.reason.as_deref() == Some("another import runs"));
        assert_eq!(locked, !goes_on);
    }
}

/// A pool that hands out connections, and a server that keeps the connection that it started with.
fn service(strategy: Strategy) -> (Tree, Arc<AtomicBool>) {
    let (generation, serving) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let opened = Arc::clone(&generation);
    let pool = TaskFn::arc("pool", move |ctx: TaskContext| {
        opened.fetch_add(1, Ordering::Relaxed);
        async move {
            ctx.ready();
            ctx.cancelled().await;
            Err(TaskError::Canceled)
        }
    });
    let answers = Arc::clone(&serving);
    let serve = TaskFn::arc("serve", move |ctx: TaskContext| {
        let (generation, answers) = (Arc::clone(&generation), Arc::clone(&answers));
        let connection = generation.load(Ordering::Relaxed);
        async move {
            while ctx.run_until_cancelled(sleep(ms(100))).await.is_some() {
                answers.store(connection == generation.load(Ordering::Relaxed), Ordering::Relaxed);
            }
            Err(TaskError::Canceled)
        }
    });
    let group = match strategy {
        Strategy::RestForOne => Group::rest_for_one("app"),
        _ => Group::one_for_one("app"),
    };
    let group = group.task(TaskSpec::inherit(pool).with_ready(Ready::Signal)).task(TaskSpec::inherit(serve));
    (Tree::builder(SupervisorConfig::default()).group(group).build(), serving)
}

#[tokio::test(start_paused = true)]
async fn it_finds_a_wrong_strategy() {
    for (strategy, holds) in [(Strategy::OneForOne, false), (Strategy::RestForOne, true)] {
        let (tree, serving) = service(strategy);
        let report = tree.simulate(1).tasks(["app/pool"]).run_for(10 * MINUTE).await;
        sleep(MINUTE).await;
        assert!(report.faults().len() > 5);
        assert!(tree.health().is_ready(), "all run, which is why nobody notices");
        assert_eq!(serving.load(Ordering::Relaxed), holds, "{strategy}: {report}");
    }
}

#[tokio::test(start_paused = true)]
async fn it_finds_a_hang_that_nothing_limits() {
    for (watchdog, recovers) in [(None, false), (Some(secs(30)), true)] {
        let work = Script::new("work").beats_every(secs(10)).waits().repeats_last();
        let mut spec = TaskSpec::from(work.clone());
        if let Some(silence) = watchdog {
            spec = spec.with_watchdog(silence);
        }
        let tree = tree([spec]);
        let report = tree.simulate(1).hangs_every(5 * MINUTE).run_for(60 * MINUTE).await;
        sleep(MINUTE).await;
        let cut = report.events().iter().filter(|event| event.kind == EventKind::TimeoutHit).count();
        assert_eq!(work.tally().attempts > 1 && cut > 0, recovers, "{report}");
    }
}

#[tokio::test(start_paused = true)]
async fn it_finds_a_limit_that_is_too_tight() {
    for (limit, survives) in [(1, false), (100, true)] {
        let group = Group::one_for_one("shards")
            .with_limit(limit, MINUTE)
            .with_max_retries(0)
            .task(TaskSpec::from(Script::new("a").waits().repeats_last()))
            .task(TaskSpec::from(Script::new("b").waits().repeats_last()));
        let tree = Tree::builder(SupervisorConfig::default()).group(group).build();
        let report = tree.simulate(2).crashes_every(secs(20)).run_for(10 * MINUTE).await;
        sleep(MINUTE).await;
        assert_eq!(tree.health().is_live(), survives, "{report}");
        assert_eq!(report.lasted() == 10 * MINUTE, survives, "{report}");
    }
}
