//! The operator: commands at random, many at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use taskvisor::prelude::*;
use taskvisor::{SlotHandle, Tree};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::tree::{DEPLOY, UPLOADS};
use crate::work::{Kind, Works, ms};
use crate::world::Bounds;

const TASKS: &[&str] = &[
    "store/pool",
    "store/writer",
    "feeds/a",
    "feeds/b",
    "feeds/inner/c",
    "feeds/inner/d",
    "feeds/inner/e",
    "fresh/f0",
    "tenants/t0",
    "tenants/t3",
    "guests/g0",
    "leaders/first",
    "leaders/second",
    "poll",
    "serve",
    "own-0",
    "own-1",
    "pool-0",
    "pool-1",
    "load-3",
    "added-0",
    "added-1",
];
const GROUPS: &[&str] = &["store", "feeds", "feeds/inner", "fresh", "tenants", "guests", "leaders"];
const SLOTS: &[&str] = &["uploads", "mail", "report", "deploy"];

/// A command or an outcome that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// How many registrations were accepted, and how many of them have an outcome.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    pub(crate) accepted: AtomicU64,
    pub(crate) settled: AtomicU64,
}

pub(crate) struct Operator {
    tree: Arc<Tree>,
    works: Works,
    outcomes: Arc<Outcomes>,
    commands: JoinSet<()>,
}

fn pick(of: &[&'static str]) -> &'static str {
    of[fastrand::usize(..of.len())]
}

impl Operator {
    pub(crate) fn new(tree: &Arc<Tree>, works: &Works, outcomes: &Arc<Outcomes>) -> Self {
        let (tree, works, outcomes) = (Arc::clone(tree), works.clone(), Arc::clone(outcomes));
        Self { tree, works, outcomes, commands: JoinSet::new() }
    }

    /// Gives commands until the load is over, and returns those that have not returned.
    pub(crate) async fn work(mut self) -> JoinSet<()> {
        while !self.works.world.is_over() {
            self.step();
            while self.commands.try_join_next().is_some() {}
            sleep(ms(fastrand::u64(..30))).await;
        }
        self.commands
    }

    fn step(&mut self) {
        let (child, group) = (self.tree.child(pick(TASKS)), self.tree.group(pick(GROUPS)));
        match fastrand::u8(..32) {
            0 | 1 => _ = child.restart(),
            2 => _ = child.trigger(),
            3 => self.command("cancel", async move { drop(child.cancel().await) }),
            // What has ended comes back.
            4..=8 if child.status().is_none_or(|status| status.state == TaskState::Ended) => _ = child.restart(),
            9 => _ = child.pause(),
            10 => _ = child.pause_and_stop(),
            11 => _ = child.resume(),
            12 => _ = group.restart(),
            13 => _ = group.pause_and_stop(),
            // Nothing stays paused for long.
            14..=16 => self.resume(),
            17 => _ = child.resign(),
            18 => _ = group.resign(),
            19..=21 => self.add(),
            22 => {
                let slot = self.tree.slot(pick(SLOTS));
                self.command("cancel_all", async move { drop(slot.cancel_all().await) });
            }
            23 => _ = self.tree.slot(pick(SLOTS)).pause(),
            24 => drop((self.tree.snapshot(), self.tree.health())),
            _ => self.submit(),
        }
    }

    fn resume(&self) {
        for path in TASKS {
            self.tree.child(path).resume();
        }
        for path in GROUPS {
            self.tree.group(path).resume();
        }
        for slot in SLOTS {
            self.tree.slot(slot).resume();
        }
    }

    fn command(&mut self, what: &'static str, command: impl Future<Output = ()> + Send + 'static) {
        let world = Arc::clone(&self.works.world);
        self.commands.spawn(async move {
            if timeout(LIMIT, command).await.is_err() {
                world.violated(format_args!("`{what}` did not return"));
            }
        });
    }

    fn add(&mut self) {
        let kind = if fastrand::bool() { Kind::Daemon } else { Kind::Job };
        let name = format!("{}{}", if fastrand::bool() { "added-" } else { "g" }, fastrand::u8(..3));
        let is_guest = name.starts_with('g');
        let spec = self.works.plain(&name, kind).with_timeout(ms(3000)).with_max_retries(4);
        let (tree, outcomes, works) = (Arc::clone(&self.tree), Arc::clone(&self.outcomes), self.works.clone());
        self.command("add", async move {
            let added = if is_guest {
                tree.group("guests").add_task(spec).await
            } else if fastrand::bool() {
                tree.supervisor().replace(spec).await
            } else {
                tree.supervisor().add_task(spec).await
            };
            if let Ok(handle) = added {
                tokio::spawn(watch(handle, outcomes, works));
            }
        });
    }

    /// Submits some tasks at once.
    fn submit(&mut self) {
        for _ in 0..fastrand::u8(1..5) {
            let name = pick(SLOTS);
            let (slot, bounds) = match name {
                "uploads" => (self.tree.slot(name).key(&format!("k{}", fastrand::u8(..5))), UPLOADS),
                "deploy" => (self.tree.slot(name), DEPLOY),
                _ => (self.tree.slot(name), Bounds::default()),
            };
            // The name is free once its owner has ended.
            let job = format!("job-{}", self.outcomes.accepted.load(Ordering::Relaxed) * 16 + fastrand::u64(..16));
            let spec = self.works.task(&job, Kind::Job, bounds).with_timeout(ms(500)).with_max_retries(1);
            let (outcomes, works) = (Arc::clone(&self.outcomes), self.works.clone());
            let gives_up = fastrand::u8(..20) == 0;
            self.command("submit", async move {
                let limit = if gives_up { ms(5) } else { LIMIT / 2 };
                if let Ok(Ok(handle)) = timeout(limit, send(&slot, spec)).await {
                    tokio::spawn(watch(handle, outcomes, works));
                }
            });
        }
    }
}

async fn send(slot: &SlotHandle, spec: TaskSpec) -> Result<TaskHandle, ControllerError> {
    match fastrand::u8(..6) {
        0 if slot.name() != "deploy" => slot.replace(spec).await,
        1 => slot.drop_if_running(spec).await,
        2 => slot.queue(spec).await,
        _ => slot.submit(spec).await,
    }
}

/// Waits for the outcome of a registration, twice: it is one and the same.
async fn watch(handle: TaskHandle, outcomes: Arc<Outcomes>, works: Works) {
    outcomes.accepted.fetch_add(1, Ordering::Relaxed);
    let (first, second) = tokio::join!(handle.outcome(), handle.outcome());
    let kept = handle.try_outcome().map(|outcome| outcome.as_label());
    if first.as_label() != second.as_label() || kept != Some(first.as_label()) {
        works.world.violated(format_args!("{handle:?} has the outcomes {first:?}, {second:?} and {kept:?}"));
    }
    outcomes.settled.fetch_add(1, Ordering::Relaxed);
}
