//! Simulations: random faults from a seed, on paused time.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::time::Duration;

use tokio::time::Instant;

use super::storm::Storm;
use super::strikes::Rates;
use super::{FaultKind, SimulationReport};
use crate::runtime::is_within;
use crate::tree::{Declared, Tree};

impl Tree {
    /// Prepares a simulation, which strikes the tasks of this tree with crashes, panics and hangs at random moments of
    /// paused time. The same seed gives the same faults and the same run, with the same jitter, unless your tasks are
    /// random themselves: by real IO or threads, by `select!` without `biased`, or by the order of a `HashMap`.
    ///
    /// Check your own invariants after the simulation. It finds errors that only show after failures: a wrong strategy,
    /// a missing `after`, a task that never recovers, limits that are missing or too strict, a hang that no timeout or
    /// watchdog detects, and traces of an attempt that is dropped at an await point, such as a lock file, a counter
    /// that is not reset, or half of a record. It does not find errors that need two threads at the same time, a task
    /// that blocks its thread, the loss of the whole process, or a wrong answer from a real service: faults end
    /// attempts, and do not change their input.
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
    ///     while ctx.sleep(Duration::from_secs(1)).await {
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

/// A prepared simulation; see [`Tree::simulate`].
///
/// Each `.._every` sets a kind of fault and its average interval in one task. The times have an exponential
/// distribution. An interval below 1 ms counts as 1 ms. The default is a crash every 30 s and a panic every 2 min. A
/// fault while no attempt runs strikes the next attempt, at its beginning or at some moment within it.
#[derive(Clone)]
#[must_use = "nothing is simulated yet"]
pub struct Simulation<'a> {
    tree: &'a Tree,
    pub(super) seed: u64,
    tasks: Vec<String>,
    pub(super) rates: Rates,
}

impl Simulation<'_> {
    /// Strikes only these tasks, by path; the path of a group includes all its tasks, and the empty path those of the whole
    /// tree. Default: every task, with those that are added or submitted during the simulation.
    pub fn tasks(mut self, paths: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.tasks.extend(paths.into_iter().map(Into::into));
        self
    }

    /// Adds crashes: an attempt is dropped at its current await point, and fails with a retryable error.
    pub fn crashes_every(self, mean: Duration) -> Self {
        self.rate(FaultKind::Crash, mean)
    }

    /// Adds panics: an attempt is dropped at its current await point while the thread unwinds, as after a panic. The
    /// panic hook is not called. A panic in a drop then aborts the process, as it does after a real panic.
    pub fn panics_every(self, mean: Duration) -> Self {
        self.rate(FaultKind::Panic, mean)
    }

    /// Adds hangs: an attempt is no longer polled and ignores its token, until its timeout, watchdog or stop deadline
    /// drops it. A task without a timeout and a watchdog hangs until a stop request or another fault, also after the
    /// simulation.
    pub fn hangs_every(self, mean: Duration) -> Self {
        self.rate(FaultKind::Hang, mean)
    }

    /// Adds fatal failures: an attempt is dropped at its current await point, and fails with an error that is not
    /// retried, which ends its task.
    pub fn fatal_errors_every(self, mean: Duration) -> Self {
        self.rate(FaultKind::Fatal, mean)
    }

    fn rate(mut self, kind: FaultKind, mean: Duration) -> Self {
        self.rates.set(kind, mean);
        self
    }

    /// Starts the tree, unless it is started, and strikes its tasks for this time, or until a shutdown is over. Give
    /// the tree time to recover before you check it.
    ///
    /// # Panics
    /// If time is not paused, because the simulation would take real time; if the tree cannot start; and if one of the
    /// [`tasks`](Self::tasks) is neither declared nor registered.
    ///
    /// # Cancel safety
    /// Dropping the future ends the simulation. The tree continues.
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
        let mut storm = Storm::new(&supervisor.core, &self);
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
        let is_registered = |path| self.tree.supervisor().core.paths().iter().any(|task| is_within(task, path));
        path.is_empty() || declares(&self.tree.root, path) || is_registered(path)
    }

    pub(super) fn aims_at(&self, task: &str) -> bool {
        self.tasks.is_empty() || self.tasks.iter().any(|path| is_within(task, path))
    }
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

/// Tokio has no query for a paused clock. A clock that does not advance with real time is paused.
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
