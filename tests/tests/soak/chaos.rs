//! The operator: commands at random, many at a time.

use std::sync::{Arc, Mutex};

use fastrand::Rng;
use taskvisor::{Group, Problem, Ready, RuntimeError, SlotHandle, TaskHandle, TaskId, TaskSpec};
use tests::{ALWAYS, ms, secs};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::app::{Replica, upload};
use crate::work::Kind;
use crate::world::{Bounds, lock};

const TASKS: &[&str] = &[
    "store/pool",
    "store/migrate",
    "store/writer",
    "feeds/a",
    "feeds/b",
    "feeds/inner/c",
    "feeds/inner/d",
    "feeds/inner/e",
    "fresh/f0",
    "fresh/f1",
    "tenants/t0",
    "tenants/t3",
    "guests/g0",
    "guests/n0/x",
    "leaders/first",
    "leaders/second",
    "serve",
    "sync",
    "poll",
    "nightly",
    "ledger",
    "reader",
    "added-0",
    "added-1",
];
const GROUPS: &[&str] = &["store", "feeds", "feeds/inner", "fresh", "tenants", "guests", "guests/n0", "leaders"];
const SLOTS: &[&str] = &["uploads", "mail", "report", "deploy"];

/// The operator of one replica.
pub(crate) struct Operator {
    pub(crate) replica: Arc<Replica>,
    is_long: bool,
    random: Rng,
    commands: JoinSet<()>,
    watchers: JoinSet<()>,
    /// Every registration that was accepted.
    accepted: Arc<Mutex<Vec<TaskId>>>,
    handles: Arc<Mutex<Vec<TaskHandle>>>,
    next: u64,
    message: u64,
}

impl Operator {
    pub(crate) fn new(replica: Replica, seed: u64, is_long: bool) -> Self {
        let random = Rng::with_seed(seed ^ u64::from(replica.life).wrapping_mul(0x9E37_79B9));
        let accepted = Vec::with_capacity(if is_long { 1 << 18 } else { 0 });
        let (commands, watchers) = (JoinSet::new(), JoinSet::new());
        let replica = Arc::new(replica);
        let accepted = Arc::new(Mutex::new(accepted));
        Self { replica, is_long, random, commands, watchers, accepted, handles: Arc::default(), next: 0, message: 0 }
    }

    fn pick(&mut self, of: &[&'static str]) -> &'static str {
        of[self.random.usize(..of.len())]
    }

    /// Begins one command. It goes on beside later ones.
    pub(crate) fn step(&mut self) {
        while self.commands.try_join_next().is_some() {}
        while self.watchers.try_join_next().is_some() {}
        let fresh: Vec<TaskHandle> = lock(&self.handles).drain(..).collect();
        for handle in fresh {
            self.watch(handle);
        }
        let replica = Arc::clone(&self.replica);
        let (task, group) = (self.pick(TASKS), self.pick(GROUPS));
        let child = replica.tree.child(task);
        match self.random.u8(..26) {
            0 => {
                _ = child.restart();
            }
            1 => {
                replica.ledger.triggers(task);
                child.trigger();
            }
            2 => self.command("cancel", async move { drop(child.cancel().await) }),
            // What has ended comes back.
            3..=6 if child.status().is_none_or(|status| status.state == taskvisor::TaskState::Ended) => {
                _ = child.restart();
            }
            7 => {
                _ = child.pause();
            }
            8 => {
                _ = child.pause_and_stop();
            }
            9 | 10 => {
                _ = child.resume();
            }
            11 => self.on_group(group),
            12 | 13 => {
                for path in GROUPS {
                    replica.tree.group(path).resume();
                }
                for slot in SLOTS {
                    replica.tree.slot(slot).resume();
                }
            }
            14 | 15 => self.reconcile(),
            16 if self.random.bool() => self.add_group(),
            16 => self.add(),
            17 => self.network(),
            18 => {
                _ = child.resign();
            }
            19 => self.on_slot(),
            20 => self.send(),
            _ => self.submit(),
        }
    }

    fn command(&mut self, what: &'static str, command: impl Future<Output = ()> + Send + 'static) {
        let world = Arc::clone(&self.replica.works.world);
        self.commands.spawn(async move {
            if timeout(secs(7200), command).await.is_err() {
                world.violated(format_args!("`{what}` did not return"));
            }
        });
    }

    /// Compares the outcome of a registration with its events.
    fn watch(&mut self, handle: TaskHandle) {
        lock(&self.accepted).push(handle.id());
        let replica = Arc::clone(&self.replica);
        self.watchers.spawn(async move {
            let label = handle.outcome().await.as_label();
            replica.ledger.settled(handle.id(), label, handle.path());
            let again = handle.try_outcome().map(|outcome| outcome.as_label());
            if again != Some(label) {
                replica.works.world.violated(format_args!("{handle:?} has the outcomes {label} and {again:?}"));
            }
        });
    }

    fn on_group(&mut self, path: &'static str) {
        let group = self.replica.tree.group(path);
        match self.random.u8(..8) {
            0 | 1 => {
                _ = group.restart();
            }
            2 => self.command("restart_and_wait", async move {
                // It lasts until the group is ready, which a pause can hold up.
                _ = timeout(secs(600), group.restart_and_wait()).await;
            }),
            // A group that was canceled has ended for good.
            3 if !self.is_long => self.command("cancel of a group", async move { drop(group.cancel().await) }),
            4 => {
                _ = group.pause();
            }
            5 => {
                _ = group.pause_and_stop();
            }
            6 => {
                _ = group.resume();
            }
            _ => {
                _ = group.resign();
            }
        }
    }

    fn tenants(&mut self, all: bool) -> Vec<TaskSpec> {
        let mut specs = Vec::new();
        for n in 0..6 {
            let (is_in, revision) = (self.random.u8(..10) < 7, self.random.u32(..3));
            if all || is_in {
                let spec = self.replica.works.plain(&format!("t{n}"), Kind::Server).with_ready(Ready::Signal);
                specs.push(spec.with_restart(ALWAYS).with_timeout(secs(7200)).with_revision(if all {
                    9
                } else {
                    revision
                }));
            }
        }
        specs
    }

    fn reconcile(&mut self) {
        let (specs, replica, handles) = (self.tenants(false), Arc::clone(&self.replica), Arc::clone(&self.handles));
        self.command("reconcile", async move {
            if let Ok(done) = replica.tree.group("tenants").reconcile(specs).await {
                lock(&handles).extend(done.added.into_iter().chain(done.replaced));
            }
        });
    }

    fn add(&mut self) {
        let (n, where_to) = (self.random.u8(..3), self.random.u8(..3));
        let (replica, handles) = (Arc::clone(&self.replica), Arc::clone(&self.handles));
        let kind = if self.random.bool() { Kind::Daemon } else { Kind::Job };
        let added = replica.works.plain(&format!("added-{n}"), kind).with_timeout(secs(3600)).with_max_retries(4);
        let guest = replica.works.plain(&format!("g{n}"), kind).with_timeout(secs(3600)).with_initial_delay(secs(5));
        self.command("add", async move {
            let result = match where_to {
                0 => replica.tree.supervisor().add_task(added).await,
                1 => replica.tree.supervisor().replace(added).await,
                _ => replica.tree.group("guests").add_task(guest).await,
            };
            match result {
                Ok(handle) => lock(&handles).push(handle),
                Err(error) => {
                    if matches!(error, RuntimeError::InvalidOption { .. }) {
                        replica.works.world.violated(error);
                    }
                }
            }
        });
    }

    /// Adds a group to one that is added to, or removes it.
    fn add_group(&mut self) {
        let (n, removes) = (self.random.u8(..3), self.random.u8(..3) == 0);
        let kind = if self.random.bool() { Kind::Daemon } else { Kind::Job };
        let task = |name| self.replica.works.plain(name, kind).with_timeout(secs(3600)).with_max_retries(2);
        let inner = Group::one_for_one("inner").task(task("z"));
        let group = Group::rest_for_one(format!("n{n}")).task(task("x")).task(task("y")).group(inner).not_critical();
        let replica = Arc::clone(&self.replica);
        self.command("add_group", async move {
            let guests = replica.tree.group("guests");
            if removes {
                drop(guests.group(&format!("n{n}")).cancel().await);
            } else if let Err(error @ RuntimeError::InvalidOption { .. }) = guests.add_group(group) {
                replica.works.world.violated(error);
            }
        });
    }

    fn network(&mut self) {
        let (kind, time) = (self.random.u8(..3), ms(self.random.u64(..60_000)));
        let net = self.replica.net.clone();
        self.command("network", async move {
            match kind {
                0 => net.cut(true),
                1 => net.mute(true),
                _ => {}
            }
            sleep(time).await;
            net.cut(false);
            net.mute(false);
        });
    }

    fn slot(&mut self) -> (SlotHandle, Option<String>) {
        let name = self.pick(SLOTS);
        let slot = self.replica.tree.slot(name);
        if name == "uploads" {
            let key = format!("k{}", self.random.u8(..4));
            return (slot.key(&key), Some(key));
        }
        (slot, None)
    }

    fn on_slot(&mut self) {
        let (slot, _) = self.slot();
        match self.random.u8(..6) {
            0 => {
                _ = slot.pause();
            }
            1 => {
                _ = slot.pause_and_stop();
            }
            2 => self.command("cancel_all", async move { drop(slot.cancel_all().await) }),
            _ => {
                _ = slot.resume();
            }
        }
    }

    /// Submits some tasks at once.
    fn submit(&mut self) {
        for _ in 0..self.random.u8(1..6) {
            let (slot, key) = self.slot();
            self.next += 1;
            let bounds = key.as_deref().map_or_else(Bounds::default, upload);
            let name = format!("job-{}", self.next);
            let spec = self.replica.works.task(&name, Kind::Job, bounds).with_timeout(secs(60)).with_max_retries(1);
            let (how, gives_up) = (self.random.u8(..8), self.random.u8(..20) == 0);
            let (handles, world) = (Arc::clone(&self.handles), Arc::clone(&self.replica.works.world));
            self.command("submit", async move {
                let submit = match how {
                    0 => slot.queue(spec),
                    1 if slot.name() != "deploy" => slot.replace(spec),
                    2 => slot.drop_if_running(spec),
                    3 => slot.latest(spec),
                    _ => slot.submit(spec),
                };
                let limit = if gives_up { secs(1) } else { secs(3600) };
                match timeout(limit, submit).await {
                    Ok(Ok(handle)) => lock(&handles).push(handle),
                    Ok(Err(error)) => world.violated(format_args!("a submission was refused: {error}")),
                    // It gave its place in the line up.
                    Err(_) => {}
                }
            });
        }
    }

    fn send(&mut self) {
        for _ in 0..self.random.u8(1..20) {
            if self.replica.messages.try_send(self.message + 1).is_ok() {
                self.message += 1;
            }
        }
    }

    /// Brings the replica to one and the same state: nothing is paused, added or submitted, and all that is declared
    /// runs.
    pub(crate) async fn calm(&mut self) {
        let replica = Arc::clone(&self.replica);
        let supervisor = replica.tree.supervisor();
        supervisor.group("").resume();
        for path in GROUPS {
            replica.tree.group(path).resume();
        }
        for path in TASKS {
            replica.tree.child(path).resume();
        }
        for slot in SLOTS {
            replica.tree.slot(slot).resume();
            for key in 0..4 {
                replica.tree.slot(slot).key(&format!("k{key}")).resume();
            }
        }
        let none: [TaskSpec; 0] = [];
        for result in [supervisor.reconcile(none.clone()).await, replica.tree.group("guests").reconcile(none).await] {
            drop(result);
        }
        while self.commands.join_next().await.is_some() {}
        for n in 0..3 {
            drop(replica.tree.group(&format!("guests/n{n}")).cancel().await);
        }
        sleep(secs(3600)).await;
        for path in ["store", "feeds", "fresh", "tenants", "guests", "leaders"] {
            replica.tree.group(path).restart();
        }
        sleep(secs(600)).await;
        for path in TASKS {
            replica.tree.child(path).restart();
        }
        sleep(secs(600)).await;
        let specs = self.tenants(true);
        drop(replica.tree.group("tenants").reconcile(specs).await);
        sleep(secs(3600)).await;
        let fresh: Vec<TaskHandle> = lock(&self.handles).drain(..).collect();
        for handle in fresh {
            self.watch(handle);
        }
        sleep(secs(60)).await;
        while self.watchers.try_join_next().is_some() {}
        self.replica.ledger.compare();
        // All that has failed, was canceled or was paused works again.
        for n in 0..3 {
            supervisor.acknowledge(&format!("added-{n}"));
            supervisor.acknowledge(&format!("guests/g{n}"));
            supervisor.acknowledge(&format!("guests/n{n}"));
        }
        let health = replica.tree.health();
        // More tasks than `feeds/inner` may run at once are declared in it.
        let is_well = health.not_ready.iter().all(|it| matches!(it.problem, Problem::AwaitsPermit { .. }));
        if !is_well || !health.is_live() {
            replica.works.world.violated(format_args!("not ready in quiet: {health:?}\n{}", replica.tree.snapshot()));
        }
    }

    /// Shuts the replica down in the midst of it all, and checks that it is over.
    pub(crate) async fn down(mut self, is_forced: bool) {
        let replica = Arc::clone(&self.replica);
        let result =
            if is_forced { replica.tree.supervisor().shutdown_now().await } else { replica.tree.shutdown().await };
        let _ = result;
        replica.works.world.down(replica.life);
        while self.commands.join_next().await.is_some() {}
        let fresh: Vec<TaskHandle> = lock(&self.handles).drain(..).collect();
        for handle in fresh {
            self.watch(handle);
        }
        if timeout(secs(60), async { while self.watchers.join_next().await.is_some() {} }).await.is_err() {
            replica.works.world.violated("an outcome did not come after the shutdown");
        }
        sleep(secs(1)).await;
        replica.ledger.close(&lock(&self.accepted));
    }
}
