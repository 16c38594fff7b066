//! Random operations on a tree, from one of several tasks.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use taskvisor::{EventKind, TaskHandle, TaskOutcome, TaskSpec, TaskState};
use tokio::task::yield_now;

use crate::declared::SLOTS;
use crate::world::{World, lock, task};

/// The number of names that are added in each group, and beside the tree.
const NAMES: usize = 3;

pub(crate) struct Operator {
    world: Arc<World>,
    random: fastrand::Rng,
    /// The last registrations that it has a handle of.
    recent: Vec<TaskHandle>,
    tasks: Vec<String>,
    groups: Vec<String>,
}

impl Operator {
    pub(crate) fn new(world: &Arc<World>, random: fastrand::Rng) -> Self {
        let known = lock(&world.known);
        let (tasks, groups) = (known.tasks.iter().cloned().collect(), known.groups.iter().cloned().collect());
        drop(known);
        Self { world: Arc::clone(world), random, recent: Vec::new(), tasks, groups }
    }

    /// Operates until the shutdown, which the last operation requests.
    pub(crate) async fn operate(mut self) {
        while !self.world.is_down.load(Ordering::Relaxed) {
            let left = self.world.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
            if left == Ok(1) {
                self.world.is_down.store(true, Ordering::Relaxed);
                return self.shut_down().await;
            }
            if left.is_err() {
                break;
            }
            self.step().await;
            for _ in 0..self.random.u8(..4) {
                yield_now().await;
            }
        }
        // Some go on during the shutdown.
        for _ in 0..self.random.u8(..12) {
            self.step().await;
        }
    }

    async fn shut_down(&mut self) {
        if self.random.u8(..4) > 0 {
            let _ = self.world.tree.shutdown().await;
            return;
        }
        let requested = self.random.bool().then(|| self.world.tree.shutdown());
        for _ in 0..self.random.u8(..8) {
            yield_now().await;
        }
        let _ = self.world.tree.supervisor().shutdown_now().await;
        drop(requested);
    }

    fn keep(&mut self, handle: TaskHandle) {
        lock(&self.world.handles).insert(handle.id(), handle.clone());
        if self.recent.len() >= 8 {
            self.recent.remove(0);
        }
        self.recent.push(handle);
    }

    fn any_task(&mut self) -> String {
        if self.random.u8(..3) > 0 {
            let place = self.random.usize(..self.tasks.len());
            return self.tasks[place].clone();
        }
        let name = self.any_name();
        match self.any_group() {
            Some(group) => format!("{group}/{name}"),
            None => name,
        }
    }

    fn any_name(&mut self) -> String {
        format!("x{}", self.random.usize(..NAMES))
    }

    fn any_group(&mut self) -> Option<String> {
        let place = self.random.usize(..=self.groups.len());
        self.groups.get(place).cloned()
    }

    fn spec(&mut self) -> TaskSpec {
        let name = self.any_name();
        task(&mut self.random, &name).with_revision(self.random.u8(..3))
    }

    fn recent(&mut self) -> Option<TaskHandle> {
        if self.recent.is_empty() {
            return None;
        }
        let place = self.random.usize(..self.recent.len());
        Some(self.recent[place].clone())
    }

    async fn step(&mut self) {
        match self.random.u8(..24) {
            0..=2 => self.command_a_place().await,
            3..=6 => self.command_a_registration().await,
            7..=9 => self.pause(),
            10..=12 => self.add().await,
            13 | 14 => self.remove().await,
            15 => self.reconcile().await,
            16 => self.command_a_group().await,
            17..=20 => self.submit().await,
            21 => self.clear_a_slot().await,
            22 => {
                let _ = (self.world.tree.health(), self.world.tree.snapshot());
            }
            _ => self.look(),
        }
    }

    fn triggers(&self, path: &str) {
        *lock(&self.world.known).triggers.entry(path.to_owned()).or_default() += 1;
    }

    async fn command_a_place(&mut self) {
        let path = self.any_task();
        let child = self.world.tree.child(&path);
        match self.random.u8(..6) {
            0 => drop(child.cancel().await),
            1 => {
                self.triggers(&path);
                child.trigger();
            }
            2 => _ = child.resign(),
            3 => {
                if let Some(handle) = child.current() {
                    self.keep(handle);
                }
            }
            _ => _ = child.restart(),
        }
    }

    async fn command_a_registration(&mut self) {
        let Some(handle) = self.recent() else { return };
        match self.random.u8(..6) {
            0 => {
                self.triggers(handle.path());
                handle.trigger();
            }
            1 => _ = handle.restart(),
            2 => _ = handle.resign(),
            _ => {
                if handle.cancel().await.is_ok() {
                    self.must_be_told(&handle, &handle.outcome().await);
                }
            }
        }
    }

    fn pause(&mut self) {
        let (choice, stops) = (self.random.u8(..3), self.random.bool());
        let tree = &self.world.tree;
        match self.random.u8(..5) {
            0 => {
                let path = self.any_task();
                let child = self.world.tree.child(&path);
                match (choice, stops) {
                    (0, true) => child.pause_and_stop(),
                    (0, false) => child.pause(),
                    _ => child.resume(),
                };
            }
            1 => {
                let Some(handle) = self.recent() else { return };
                match (choice, stops) {
                    (0, true) => handle.pause_and_stop(),
                    (0, false) => handle.pause(),
                    _ => handle.resume(),
                };
            }
            2 | 3 => {
                let slot = SLOTS[self.random.usize(..SLOTS.len())];
                let mut slot = tree.slot(slot);
                if slot.name() == "keyed" && self.random.bool() {
                    slot = slot.key("a");
                }
                match (choice, stops) {
                    (0, true) => slot.pause_and_stop(),
                    (0, false) => slot.pause(),
                    _ => slot.resume(),
                };
            }
            _ => {
                let path = self.any_group().unwrap_or_default();
                let group = self.world.tree.group(&path);
                match (choice, stops) {
                    (0, true) => group.pause_and_stop(),
                    (0, false) => group.pause(),
                    _ => group.resume(),
                };
            }
        }
    }

    async fn add(&mut self) {
        let spec = self.spec();
        let world = Arc::clone(&self.world);
        let added = match self.any_group() {
            Some(group) => world.tree.group(&group).add_task(spec).await,
            None => world.tree.supervisor().add_task(spec).await,
        };
        if let Ok(handle) = added {
            self.keep(handle);
        }
    }

    async fn remove(&mut self) {
        let path = self.any_task();
        let world = Arc::clone(&self.world);
        if self.random.bool() {
            let _ = world.tree.supervisor().remove_task(&path).await;
        } else {
            let _ = world.tree.supervisor().cancel(&path).await;
        }
    }

    async fn reconcile(&mut self) {
        let world = Arc::clone(&self.world);
        let group = self.any_group().map(|group| world.tree.group(&group));
        if self.random.bool() {
            let spec = self.spec();
            let replaced = match &group {
                Some(group) => group.replace(spec).await,
                None => world.tree.supervisor().replace(spec).await,
            };
            if let Ok(handle) = replaced {
                self.keep(handle);
            }
            return;
        }
        let mut specs = Vec::new();
        for place in 0..NAMES {
            if self.random.bool() {
                specs.push(task(&mut self.random, &format!("x{place}")).with_revision(self.random.u8(..3)));
            }
        }
        let changed = match &group {
            Some(group) => group.reconcile(specs).await,
            None => world.tree.supervisor().reconcile(specs).await,
        };
        if let Ok(changed) = changed {
            changed.remaining().for_each(|handle| self.keep(handle.clone()));
        }
    }

    async fn command_a_group(&mut self) {
        let Some(path) = self.any_group() else { return };
        let group = self.world.tree.group(&path);
        match self.random.u8(..6) {
            0 => drop(group.cancel().await),
            1 => _ = group.resign(),
            _ => _ = group.restart(),
        }
    }

    async fn submit(&mut self) {
        let world = Arc::clone(&self.world);
        let mut slot = world.tree.slot(SLOTS[self.random.usize(..SLOTS.len())]);
        if slot.name() == "keyed" {
            slot = slot.key(if self.random.bool() { "a" } else { "b" });
        }
        let name = format!("{}-job{}", slot.name().replace('/', "-"), self.random.u8(..3));
        let spec = task(&mut self.random, &name);
        let submitted = match self.random.u8(..6) {
            0 => slot.replace(spec).await,
            1 => slot.drop_if_running(spec).await,
            2 => slot.latest(spec).await,
            3 | 4 => slot.try_submit(spec),
            _ => slot.submit(spec).await,
        };
        let Ok(handle) = submitted else { return };
        self.keep(handle.clone());
        if self.random.u8(..4) == 0 && handle.cancel().await.is_ok() {
            self.must_be_told(&handle, &handle.outcome().await);
        }
    }

    async fn clear_a_slot(&mut self) {
        let slot = SLOTS[self.random.usize(..SLOTS.len())];
        let _ = self.world.tree.slot(slot).cancel_all().await;
    }

    /// An outcome other than *aborted* is visible only after the end is told.
    fn must_be_told(&self, handle: &TaskHandle, outcome: &TaskOutcome) {
        let Some(tap) = &self.world.tap else { return };
        if matches!(outcome, TaskOutcome::Aborted { .. }) {
            return;
        }
        let is_end = |kind| matches!(kind, EventKind::TaskRemoved | EventKind::ControllerRejected);
        if !tap.events().iter().any(|event| event.id == Some(handle.id()) && is_end(event.kind)) {
            self.world.is_wrong(format!("{} #{} has ended, and no event says so", handle.path(), handle.id()));
        }
    }

    /// What a handle shows was told.
    fn look(&mut self) {
        let Some(handle) = self.recent() else { return };
        let status = handle.status();
        let Some(tap) = &self.world.tap else { return };
        let events = tap.events();
        let mut of_task = events.iter().filter(|event| event.id == Some(handle.id()));
        let is_told = match status.state {
            TaskState::Running => {
                of_task.any(|event| event.kind == EventKind::TaskStarting && event.attempt == Some(status.attempt))
            }
            TaskState::Ended => {
                of_task.any(|event| matches!(event.kind, EventKind::TaskRemoved | EventKind::ControllerRejected))
            }
            _ => true,
        };
        if !is_told {
            self.world.is_wrong(format!("{} #{} is {:?}, which no event says", handle.path(), handle.id(), status));
        }
    }
}
