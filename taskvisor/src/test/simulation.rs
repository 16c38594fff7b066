//! Faults at random, by a seed, on paused time.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::time::Duration;

use tokio::time::Instant;

use super::storm::Storm;
use super::strikes::Rates;
use super::{FaultKind, SimulationReport};
use crate::tree::{Declared, Tree};

impl Tree {
    /// Prepares a simulation: the tasks of this tree, as it is, are struck by crashes, panics and hangs at random
    /// moments of paused time. The same seed gives the same faults, and the same run, jitter included, as long as your
    /// tasks do not draw lots themselves: by real IO or threads, by `select!` without `biased`, by the order of a
    /// `HashMap`.
    ///
    /// What must hold afterwards is yours to check. A simulation finds what only shows when things fail: a wrong
    /// strategy, a missing `after`, a task that never comes back, limits that are missing or too tight, a hang that no
    /// timeout or watchdog notices, and what an attempt leaves behind when it is dropped where it is, such as a lock
    /// file, a counter that is not put back, or half of a record. It does not find what takes two threads at once, a
    /// task that blocks its thread, the loss of the whole process, or a wrong answer from a real service: faults end
    /// attempts, they do not change what a task reads.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use taskvisor::Tree;
    /// use taskvisor::prelude::*;
    ///
    /// #[task(restart = "always", ready = "signal", watchdog = "5s")]
    /// async fn pool(ctx: TaskContext) {
    ///     ctx.ready();
    ///     while ctx.run_until_cancelled(tokio::time::sleep(Duration::from_secs(1))).await.is_some() {
    ///         ctx.heartbeat();
    ///     }
    /// }
    ///
    /// #[task(restart = "always")]
    /// async fn serve(ctx: TaskContext) {
    ///     ctx.cancelled().await;
    /// }
    ///
    /// fn app() -> Tree {
    ///     let config = SupervisorConfig::default();
    ///     let store = Group::rest_for_one("store").task(pool {});
    ///     Tree::builder(config).group(store).task(serve::spec().with_after(["store"])).build()
    /// }
    ///
    /// // In a test: #[tokio::test(start_paused = true)]
    /// #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// async fn main() -> Result<(), RuntimeError> {
    ///     let tree = app();
    ///     let minute = Duration::from_secs(60);
    ///     let report = tree
    ///         .simulate(42)
    ///         .tasks(["store/pool"])
    ///         .crashes_every(minute / 2)
    ///         .hangs_every(2 * minute)
    ///         .run_for(10 * minute)
    ///         .await;
    ///
    ///     tokio::time::sleep(minute).await; // time to recover
    ///     assert!(tree.health().is_ready(), "{report}\n{}", tree.snapshot());
    ///     tree.shutdown().await
    /// }
    /// ```
    pub fn simulate(&self, seed: u64) -> Simulation<'_> {
        Simulation { tree: self, seed, tasks: Vec::new(), rates: Rates::default() }
    }
}

/// A simulation that is being prepared; see [`Tree::simulate`].
///
/// Each `.._every` names a kind of fault and how much time passes between two of it in one task, on average; the times
/// are drawn from an exponential distribution. Below 1 ms counts as 1 ms. With none named it is a crash every 30 s and
/// a panic every 2 min. What strikes while no attempt runs is for the next: for its very begin, or for a moment within
/// it.
#[derive(Clone)]
#[must_use = "nothing is simulated yet"]
pub struct Simulation<'a> {
    tree: &'a Tree,
    pub(super) seed: u64,
    tasks: Vec<String>,
    pub(super) rates: Rates,
}

impl Simulation<'_> {
    /// Strikes these tasks only, by path; the path of a group stands for all tasks in it. Default: every task, those
    /// included that are added or submitted meanwhile.
    pub fn tasks(mut self, paths: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.tasks.extend(paths.into_iter().map(Into::into));
        self
    }

    /// Attempts are dropped where they are, and have failed with an error that is retried.
    pub fn crashes_every(self, mean: Duration) -> Self {
        self.rate(FaultKind::Crash, mean)
    }

    /// Attempts are dropped where they are, while the thread unwinds as of a panic. The panic hook is not called.
    /// If something in the attempt panics as it is dropped then, that ends the process, as it would after a real panic.
    pub fn panics_every(self, mean: Duration) -> Self {
        self.rate(FaultKind::Panic, mean)
    }

    /// Attempts are not polled any more and ignore their token, until their timeout, watchdog or stop deadline drops
    /// them. A task that has neither timeout nor watchdog hangs until it is told to stop, or another fault strikes it;
    /// so it does after the simulation.
    pub fn hangs_every(self, mean: Duration) -> Self {
        self.rate(FaultKind::Hang, mean)
    }

    /// Attempts are dropped where they are, and have failed with an error that is not retried, which ends their task.
    pub fn fatal_errors_every(self, mean: Duration) -> Self {
        self.rate(FaultKind::Fatal, mean)
    }

    fn rate(mut self, kind: FaultKind, mean: Duration) -> Self {
        self.rates.set(kind, mean);
        self
    }

    /// Starts the tree, unless it was started, and strikes its tasks for so long, or until a shutdown is over. Then no
    /// more faults come; give the tree some time to recover before you look at it.
    ///
    /// # Panics
    /// Without paused time, which it would take for real; if the tree cannot start; and if one of the
    /// [`tasks`](Self::tasks) is neither declared nor registered.
    ///
    /// # Cancel safety
    /// Dropping it ends the simulation; the tree goes on.
    #[track_caller]
    pub fn run_for(self, time: Duration) -> impl Future<Output = SimulationReport> + Send {
        self.run(time, Location::caller())
    }

    async fn run(mut self, time: Duration, caller: &Location<'_>) -> SimulationReport {
        assert!(
            time_is_paused(),
            "a simulation needs paused time, or it takes as long as it says: mark the test with \
             `#[tokio::test(start_paused = true)]`, at {caller}"
        );
        if self.rates.is_empty() {
            self.rates.set(FaultKind::Crash, Duration::from_secs(30));
            self.rates.set(FaultKind::Panic, Duration::from_secs(120));
        }
        let supervisor = self.tree.supervisor();
        supervisor.seed_jitter(self.seed);
        let mut storm = Storm::new(supervisor.core(), &self);
        if let Err(error) = self.tree.start().await {
            panic!("the tree that is to be simulated did not start: {error}, at {caller}");
        }
        if let Some(unknown) = self.tasks.iter().find(|task| !self.knows(task)) {
            panic!("no task or group `{unknown}` to simulate is in the tree, at {caller}:\n{}", self.tree.snapshot());
        }
        storm.rage(time).await;
        storm.report()
    }

    fn knows(&self, path: &str) -> bool {
        declares(&self.tree.root, path) || self.tree.supervisor().core().paths().iter().any(|task| is_in(task, path))
    }

    pub(super) fn aims_at(&self, task: &str) -> bool {
        self.tasks.is_empty() || self.tasks.iter().any(|path| is_in(task, path))
    }
}

/// Whether a task has this path, or is in the group of this path.
fn is_in(task: &str, path: &str) -> bool {
    task.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn declares(group: &Declared, path: &str) -> bool {
    let mut group = group;
    let mut names = path.split('/').peekable();
    while let Some(child) = names.next().and_then(|name| Some(&group.children[group.place(name)?])) {
        match (names.peek(), &child.group) {
            (None, _) => return true,
            (Some(_), Some(inner)) => group = inner,
            (Some(_), None) => return false,
        }
    }
    false
}

/// Tokio does not say whether its clock is paused; one that does not move while real time passes is.
fn time_is_paused() -> bool {
    let (real, virt) = (std::time::Instant::now(), Instant::now());
    while real.elapsed() < Duration::from_micros(100) {
        std::hint::spin_loop();
    }
    virt.elapsed().is_zero()
}

impl fmt::Debug for Simulation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation")
            .field("seed", &self.seed)
            .field("tasks", &self.tasks)
            .field("rates", &self.rates)
            .finish_non_exhaustive()
    }
}
