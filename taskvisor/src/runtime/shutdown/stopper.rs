//! Carries out a shutdown: requests the stops, waits, aborts, and gives the verdict.
//!
//! On a current-thread runtime the stopper is a task of that runtime. On a multi-thread runtime it belongs on the
//! [watch](Watch), which user code cannot block. A stop that ends in a few turns needs no thread, so the stopper first
//! runs in place.

use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::{AbortHandle, try_id};
use tokio::time::{Instant, timeout_at};

use super::super::core::Core;
use super::super::observe::{self, Background};
use super::super::registry::{Admission, Registry};
use super::super::task::{ABORT, Bound, Cell, StopBy};
use super::super::timer::{deadline, deadline_from};
use super::request::{Cut, Layer};
use super::turns::{Mobile, Route, TURNS, within};
use super::watch::{Watch, has_workers};
use crate::panics::drop_caught;
use crate::supervisor::StopLimit;
use crate::task::StopReason;

/// The period at which the stopper wakes the runtime of the tasks during a stop. If the worker that drives its timers
/// is blocked, another worker then takes over.
const PULSE: Duration = Duration::from_millis(20);

/// Carries out the shutdown. If it is dropped early, it gives the verdict that holds then.
pub(in crate::runtime) struct Stopper {
    core: Arc<Core>,
    /// The runtime of the tasks.
    home: Handle,
    /// `true` while it runs on the runtime of the tasks.
    trial: Option<Route>,
    lifeline: Option<Lifeline>,
    /// Dropped last, because timers are created on it.
    watch: Option<Watch>,
}

/// The facts at the request of a shutdown.
pub(in crate::runtime) struct Request {
    pub(in crate::runtime) here: Option<Handle>,
    pub(in crate::runtime) home: Option<Handle>,
    pub(in crate::runtime) drain: Duration,
    /// `true` if no task is registered and no event is to be published.
    pub(in crate::runtime) nothing_to_do: bool,
    /// `true` if a `run` waits for the verdict.
    pub(in crate::runtime) is_run: bool,
}

impl Stopper {
    /// Starts a requested shutdown.
    pub(in crate::runtime) fn start(core: &Arc<Core>, request: Request) {
        let Request { here, home, drain, nothing_to_do, is_run } = request;
        let elsewhere = matches!((&here, &home), (Some(here), Some(home)) if here.id() != home.id());
        let Some(runtime) = here.or_else(|| home.clone()) else { return core.abandon() };
        // A worker that continues with user code in this turn must not be the one that wakes `run`.
        let is_held_up = try_id().is_some() && has_workers(&runtime);
        if nothing_to_do && !(is_run && is_held_up) {
            return core.abandon();
        }
        let home = home.unwrap_or_else(|| runtime.clone());
        let mut stopper = Self { core: Arc::clone(core), home: home.clone(), trial: None, lifeline: None, watch: None };
        if elsewhere && !has_workers(&home) {
            // Uses the clock of that runtime, if it has workers.
            stopper.spawn(&home, drain);
            return see_to_the_end(core, drain);
        }
        if elsewhere || has_workers(&runtime) {
            if !elsewhere && drain.is_zero() && !core.bus.is_active() {
                let route = Route::default();
                stopper.trial = Some(route.clone());
                let mobile = Mobile::new(Box::pin(stopper.drive(drain)), route);
                let driving: Background = Box::pin(mobile);
                observe::spawn(&runtime, driving, |_| "shutdown".into());
                if is_held_up {
                    // A worker keeps its last spawned task in its LIFO slot, and this worker may block in this turn.
                    runtime.spawn(async {});
                }
                return;
            }
            if let Some(watch) = Watch::get() {
                return stopper.spawn_on(watch, drain);
            }
        }
        stopper.spawn(&runtime, drain);
    }

    fn spawn_on(mut self, watch: Watch, drain: Duration) {
        let runtime = watch.runtime().clone();
        self.watch = Some(watch);
        self.lifeline = Some(Lifeline::new(&self.core, &self.home));
        self.spawn(&runtime, drain);
    }

    fn spawn(self, runtime: &Handle, drain: Duration) {
        let driving: Background = Box::pin(self.drive(drain));
        observe::spawn(runtime, driving, |_| "shutdown".into());
    }

    async fn drive(mut self, drain: Duration) {
        let core = Arc::clone(&self.core);
        if !drain.is_zero() {
            self.wait(Registry::is_drained, deadline(drain), core.stop.verdict.interrupted()).await;
        }
        self.end_drain();
        let (mut stuck, mut cut) = (Vec::new(), Cut::Grace);
        if !self.stop_all().await {
            let mut limit = StopLimit::Grace;
            if let Some(after) = core.stop.verdict.forced() {
                (cut, limit) = (Cut::Forced(after), StopLimit::Forced);
            }
            self.release_relied();
            core.stops_layer(Layer::Relied);
            for root in core.roots() {
                root.stop(StopBy::now(limit));
            }
            for cell in core.cells() {
                cell.stop(Bound::now(limit), StopReason::Shutdown);
                release(cell);
            }
            // Aborted tasks get time to end, so that they are gone when `run` returns.
            self.wait(Registry::is_empty, deadline(ABORT), pending()).await;
            core.give_up();
            for cell in core.cells() {
                cell.declare_aborted();
                stuck.push((cell.id(), Arc::clone(cell.name()), cell.lock().machine().limit));
                release(cell);
            }
        }
        if core.bus.is_active() {
            self.leave().await;
        }
        let Some(judge) = core.stop.verdict.judge() else { return };
        let result = core.judge(stuck, cut);
        if core.bus.is_active() {
            core.bus.publish_surely(core.event_of(&result));
            // A second force skips the wait for subscribers.
            let end = pin!(core.stop.verdict.forced_again());
            until(pin!(core.bus.flush()), end, deadline(core.config.drain_timeout)).await;
        }
        observe::shutdown_over(&result);
        core.close_with(|| judge.give(result));
    }

    /// Begins to request stops. Waiting submissions are rejected, except in slots that a task of the tree is after.
    fn end_drain(&self) {
        let mut registry = self.core.registry();
        registry.admission = Admission::Stopping;
        #[cfg(feature = "controller")]
        {
            let aftermath = registry.narrow_intake();
            drop(registry);
            aftermath.carry_out(&self.core);
        }
    }

    /// Closes the slots that tasks of the tree are after, and rejects their waiting submissions.
    #[cfg_attr(not(feature = "controller"), expect(clippy::unused_self, reason = "there are no slots"))]
    fn release_relied(&self) {
        #[cfg(feature = "controller")]
        {
            let aftermath = self.core.registry().release_relied();
            aftermath.carry_out(&self.core);
        }
    }

    /// Requests all tasks to stop and waits for them within the grace. Tasks that were added at run time stop before
    /// the declared tree, and slots that a task of the tree is after stop last. Each layer has its share of the grace.
    /// Returns `true` if all have stopped.
    async fn stop_all(&mut self) -> bool {
        let core = Arc::clone(&self.core);
        let (grace, began) = (core.config.grace, Instant::now());
        let roots = core.roots();
        let (mut added, mut declared) = (Vec::new(), Vec::new());
        let cells = core.cells();
        let relied = core.registry().has_relied();
        let stops_last = |cell: &Arc<Cell>| relied && core.registry().is_relied(cell);
        for cell in cells {
            match (cell.member(), cell.was_added()) {
                (None, true) if !stops_last(&cell) => added.push(cell),
                (None, false) => declared.push(cell),
                _ => release(cell),
            }
        }
        let layers = roots.iter().map(|root| root.declared().layers);
        let layers = layers.max().unwrap_or(0).max(u32::from(!declared.is_empty())) + u32::from(relied);
        let by = StopBy::within(grace);
        let first = by.share(began, layers, grace);
        let (now, mut longest) = (Some(core.clock.at(began)), Duration::ZERO);
        let is_first = !added.is_empty() && layers > 0;
        core.stops_layer(Layer::Added);
        for cell in added {
            // If no layer stops after this one, the stopper itself aborts its tasks, and they need no timer.
            let bound = match (layers, cell.policy().stop_timeout) {
                (0, None) => Bound::OPEN,
                (_, timeout) => first.bound(began, timeout),
            };
            longest = longest.max(bound.time);
            cell.stop_at(now, bound, StopReason::Shutdown);
            release(cell);
        }
        if is_first {
            // Tasks that exceed their share are aborted. Tasks that ignore the abort are no longer waited for.
            let abort = ABORT.min(grace.saturating_sub(longest) / 2);
            let given_up = deadline(longest.saturating_add(abort).saturating_sub(began.elapsed()));
            self.wait(Registry::has_tree_only, given_up, core.stop.verdict.interrupted()).await;
        }
        let now = Instant::now();
        let tree_by = by.share(now, u32::from(relied), grace);
        core.stops_layer(Layer::Tree);
        for cell in declared {
            let timeout = cell.policy().stop_timeout;
            let is_open = timeout.is_none() && !relied;
            let bound = if is_open { Bound::OPEN } else { tree_by.bound(now, timeout) };
            cell.stop(bound, StopReason::Shutdown);
            release(cell);
        }
        for root in roots {
            root.stop(tree_by);
        }
        if relied {
            self.stop_relied(by, tree_by).await;
        }
        self.wait(Registry::is_empty, deadline_from(began, grace), core.stop.verdict.interrupted()).await
    }

    /// Waits for the end of the tree, and then stops the slots that its tasks were after.
    async fn stop_relied(&mut self, by: StopBy, tree_by: StopBy) {
        let core = Arc::clone(&self.core);
        let now = Instant::now();
        let mut longest = Duration::ZERO;
        for cell in core.cells() {
            if !cell.is_beside_tree() {
                longest = longest.max(tree_by.bound(now, cell.policy().stop_timeout).time);
            }
            release(cell);
        }
        // As for added tasks: tasks that ignore the abort are no longer waited for.
        let given_up = deadline(longest.saturating_add(ABORT));
        self.wait(Registry::has_relied_only, given_up, core.stop.verdict.interrupted()).await;
        self.release_relied();
        core.stops_layer(Layer::Relied);
        let now = Instant::now();
        for cell in core.cells() {
            if cell.is_beside_tree() {
                let timeout = cell.policy().stop_timeout;
                let bound = if timeout.is_none() { Bound::OPEN } else { by.bound(now, timeout) };
                cell.stop(bound, StopReason::Shutdown);
            }
            release(cell);
        }
    }

    /// Waits until `is_done`, but not past `end` or the deadline. Returns `true` if it is done.
    async fn wait(&mut self, is_so: fn(&Registry) -> bool, by: Option<Instant>, end: impl Future<Output = ()>) -> bool {
        let core = Arc::clone(&self.core);
        let mut done = pin!(core.vacant.wait(|| is_so(&core.registry()).then_some(())));
        let mut end = pin!(end);
        if self.trial.is_some() {
            let tried = within(TURNS, pin!(either(done.as_mut(), end.as_mut()))).await;
            match tried {
                Some(done) => return done,
                None => self.leave().await,
            }
        }
        if self.watch.is_none() {
            return until(done, end, by).await;
        }
        loop {
            let pulse = Instant::now() + PULSE;
            let next = by.map_or(pulse, |by| by.min(pulse));
            match timeout_at(next, either(done.as_mut(), end.as_mut())).await {
                Ok(done) => return done,
                Err(_) if Some(next) == by => return false,
                Err(_) => drop(self.home.spawn(async {})),
            }
        }
    }

    /// Moves to the watch, unless it is there.
    async fn leave(&mut self) {
        let Some(route) = self.trial.take() else { return };
        if let Some(watch) = Watch::get() {
            self.lifeline = Some(Lifeline::new(&self.core, &self.home));
            let runtime = self.watch.insert(watch).runtime().clone();
            route.leave_for(&runtime).await;
        }
    }
}

impl Drop for Stopper {
    fn drop(&mut self) {
        if self.core.stop.verdict.is_given() {
            return;
        }
        // If that runtime has ended, tasks can run on another.
        if self.watch.is_none() && self.core.registry().lives_elsewhere() {
            if let Some(watch) = Watch::get() {
                let (core, home) = (Arc::clone(&self.core), self.home.clone());
                let next = Self { core, home, trial: None, lifeline: None, watch: None };
                return next.spawn_on(watch, Duration::ZERO);
            }
        }
        self.core.abandon();
    }
}

/// Gives the verdict if it is not given at the end of its time.
fn see_to_the_end(core: &Arc<Core>, drain: Duration) {
    const SPARE: Duration = Duration::from_secs(1);
    if core.stop.verdict.is_given() {
        return;
    }
    let Some(watch) = Watch::get() else { return };
    let (runtime, core) = (watch.runtime().clone(), Arc::clone(core));
    let time = drain.saturating_add(core.config.grace).saturating_add(core.config.drain_timeout).saturating_add(SPARE);
    let waiting: Background = Box::pin(async move {
        let _watch = watch;
        let given = pin!(async { drop(core.verdict().await) });
        if !until(given, pin!(pending()), deadline(time)).await {
            core.abandon();
        }
    });
    runtime.spawn(waiting);
}

/// A task on the runtime of the tasks, which detects the end of that runtime. While that runtime shuts down, a blocked
/// thread keeps its tasks alive. Dropped with the stopper.
struct Lifeline(AbortHandle);

/// Dropped when its runtime ends.
struct Sentinel(Weak<Core>);

impl Lifeline {
    fn new(core: &Arc<Core>, home: &Handle) -> Self {
        let sentinel = Sentinel(Arc::downgrade(core));
        let waiting: Background = Box::pin(async move {
            let _sentinel = sentinel;
            pending::<()>().await;
        });
        Self(home.spawn(waiting).abort_handle())
    }
}

impl Drop for Lifeline {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        let Some(core) = self.0.upgrade() else { return };
        if !core.stop.verdict.is_given() && !core.registry().lives_elsewhere() {
            core.abandon();
        }
    }
}

/// It may hold the last reference to a user task.
fn release(cell: Arc<Cell>) {
    let _ = drop_caught(cell);
}

/// Waits for either future. Returns `true` if it was the first.
async fn either(mut done: Pin<&mut impl Future<Output = ()>>, mut end: Pin<&mut impl Future<Output = ()>>) -> bool {
    poll_fn(|cx| {
        if done.as_mut().poll(cx).is_ready() {
            return Poll::Ready(true);
        }
        end.as_mut().poll(cx).map(|()| false)
    })
    .await
}

/// Waits for `done`, but not past `end` or the deadline. Returns `true` if it is done.
pub(in crate::runtime) async fn until(
    done: Pin<&mut impl Future<Output = ()>>,
    end: Pin<&mut impl Future<Output = ()>>,
    by: Option<Instant>,
) -> bool {
    let either = either(done, end);
    match by {
        None => either.await,
        Some(by) => timeout_at(by, either).await.unwrap_or(false),
    }
}
