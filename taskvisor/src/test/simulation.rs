//! Faults at random, by a seed, on paused time.

use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::journal::Journal;
use super::strikes::{Rates, Strikes};
use super::{Fault, FaultKind, FaultLog, RecordedEvent};
use crate::engine::{Core, mix};
use crate::events::EventKind;
use crate::events::tap::Tap;
use crate::group::{ChildSpec, Group};
use crate::tree::Tree;

impl Tree {
    /// Prepares a simulation: the tasks of this tree, as it is, are struck by crashes, panics and hangs at random moments
    /// of paused time. The same seed gives the same faults, and the same run, jitter included.
    ///
    /// What must hold afterwards is yours to check. A simulation finds what only shows when things fail: a wrong
    /// strategy, a missing `after`, a task that never comes back, limits that are too tight, a hang that no timeout or
    /// watchdog notices, and what an attempt leaves behind when it is dropped where it is, such as a lock file, a counter
    /// that is not put back, or half of a record. It does not find what takes two threads at once, a task that blocks its
    /// thread, the loss of the whole process, or a wrong answer from a real service: faults end attempts, they do not
    /// change what a task reads.
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
/// are drawn from an exponential distribution. Below 1 ms counts as 1 ms. With none named it is a crash every 30 s and a
/// panic every 2 min. What strikes while no attempt runs is for the next: for its very begin, or for a moment within it.
#[derive(Clone)]
#[must_use = "nothing is simulated yet"]
pub struct Simulation<'a> {
    tree: &'a Tree,
    seed: u64,
    tasks: Vec<String>,
    rates: Rates,
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
    pub fn panics_every(self, mean: Duration) -> Self {
        self.rate(FaultKind::Panic, mean)
    }

    /// Attempts are not polled any more and ignore their token, until their timeout, watchdog or stop deadline drops
    /// them. A task that has neither timeout nor watchdog hangs until it is told to stop, or another fault strikes it; so
    /// it does after the simulation.
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

    fn aims_at(&self, task: &str) -> bool {
        self.tasks.is_empty() || self.tasks.iter().any(|path| is_in(task, path))
    }
}

/// Whether a task has this path, or is in the group of this path.
fn is_in(task: &str, path: &str) -> bool {
    task.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn declares(group: &Group, path: &str) -> bool {
    group.children.iter().any(|child| match (path.strip_prefix(child.name()), child) {
        (Some(""), _) => true,
        (Some(rest), ChildSpec::Group(group)) => rest.strip_prefix('/').is_some_and(|rest| declares(group, rest)),
        _ => false,
    })
}

/// Tokio does not say whether its clock is paused; one that does not move while real time passes is.
fn time_is_paused() -> bool {
    let (real, virt) = (std::time::Instant::now(), Instant::now());
    while real.elapsed() < Duration::from_micros(100) {
        std::hint::spin_loop();
    }
    virt.elapsed().is_zero()
}

/// A simulation under way. Dropped, it lets the tree be.
struct Storm<'a> {
    core: &'a Arc<Core>,
    simulation: &'a Simulation<'a>,
    start: Instant,
    journal: Arc<Journal>,
    seen: usize,
    log: Arc<FaultLog>,
    /// By path, so that what is due at one moment strikes in a fixed order.
    strikes: BTreeMap<Arc<str>, Strikes>,
}

impl<'a> Storm<'a> {
    fn new(core: &'a Arc<Core>, simulation: &'a Simulation<'a>) -> Self {
        let start = Instant::now();
        let journal = Arc::new(Journal::new());
        core.bus.taps.open(journal.clone());
        Self { core, simulation, start, journal, seen: 0, log: FaultLog::new(start), strikes: BTreeMap::new() }
    }

    async fn rage(&mut self, time: Duration) {
        let core = self.core;
        let mut over = pin!(core.verdict());
        self.core.paths().into_iter().for_each(|path| self.target(path));
        loop {
            self.catch_up();
            let now = self.start.elapsed();
            if now >= time {
                return;
            }
            self.strike(now);
            let next = self.strikes.values().filter_map(Strikes::due).fold(time, Duration::min);
            let mut grows = pin!(self.journal.grows_beyond(self.seen));
            let wait = poll_fn(|cx| {
                if over.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(true);
                }
                grows.as_mut().poll(cx).map(|()| false)
            });
            let ended = match self.start.checked_add(next) {
                Some(next) => timeout_at(next, wait).await.unwrap_or(false),
                None => wait.await,
            };
            if ended {
                return;
            }
        }
    }

    fn target(&mut self, path: Arc<str>) {
        if self.simulation.aims_at(&path) && !self.strikes.contains_key(&path) {
            let random = fastrand::Rng::with_seed(mix(self.simulation.seed, &path));
            let strikes = Strikes::new(self.simulation.rates.clone(), random, self.start.elapsed());
            self.strikes.insert(path, strikes);
        }
    }

    /// Learns from the events what runs.
    fn catch_up(&mut self) {
        for event in self.journal.since(self.seen) {
            self.seen += 1;
            let Some(path) = event.task else { continue };
            if event.kind == EventKind::TaskAdded {
                self.target(path);
            } else if let Some(strikes) = self.strikes.get_mut(&path) {
                match event.kind {
                    EventKind::TaskStarting => strikes.begins(event.at),
                    EventKind::TaskStopped | EventKind::TaskFailed => strikes.ends(event.at),
                    _ => {}
                }
            }
        }
    }

    /// Sends the faults that are due.
    fn strike(&mut self, now: Duration) {
        for (path, strikes) in &mut self.strikes {
            if strikes.due().is_some_and(|due| due <= now) {
                if let Some(kind) = strikes.strike(now, self.core.has_attempt(path)) {
                    self.core.strike(path, kind, &self.log);
                }
            }
        }
    }

    fn report(&self) -> SimulationReport {
        SimulationReport {
            seed: self.simulation.seed,
            lasted: self.start.elapsed(),
            faults: self.log.take(),
            events: self.journal.since(0),
        }
    }
}

impl Drop for Storm<'_> {
    fn drop(&mut self) {
        let tap: Arc<dyn Tap> = self.journal.clone();
        self.core.bus.taps.close(&tap);
        self.core.spare_all();
    }
}

/// What a simulation did, and what came of it. Two of one seed and tree are equal. `Display` has the seed and the faults,
/// for the message of an assertion.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulationReport {
    seed: u64,
    lasted: Duration,
    faults: Vec<Fault>,
    events: Vec<RecordedEvent>,
}

impl SimulationReport {
    /// The seed, to repeat it with.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// How long it went on: as long as it was to, unless a shutdown ended it.
    #[must_use]
    pub fn lasted(&self) -> Duration {
        self.lasted
    }

    /// The faults that struck, in order.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// What happened meanwhile, in order.
    #[must_use]
    pub fn events(&self) -> &[RecordedEvent] {
        &self.events
    }
}

impl fmt::Display for SimulationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seed, count) = (self.seed, self.faults.len());
        write!(f, "simulation with seed {seed}: {count} faults in {:?}", self.lasted)?;
        self.faults.iter().try_for_each(|fault| write!(f, "\n    {fault}"))
    }
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
