//! Carries out a shutdown: requests the stops, waits, aborts, and gives the verdict.
//!
//! On a current-thread runtime the stopper is a task of that runtime. On a multi-thread runtime it moves to the
//! [watch](Watch), which user code cannot block. A stop that ends within a few polls needs no thread, so the stopper
//! first runs in place.

use std::future::{Future, pending, poll_fn};
use std::mem;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::try_id;
use tokio::time::{Instant, timeout_at};

use super::super::core::{Core, nudge};
use super::super::observe::{self, Background, RequestLines};
use super::super::registry::{Admission, Registry};
use super::super::task::{ABORT, Bound, StopBy, TimeLeft};
use super::super::timer::{deadline, deadline_from};
use super::lifeline::{lifeline, see_to_the_end};
use super::request::{Layer, Stopping};
use super::result::{ShutdownResult, Stuck};
use super::turns::{Mobile, Route, TURNS, within};
use super::waiting::Reports;
use super::watch::{Watch, has_workers};
use crate::inspect::TaskId;
use crate::supervisor::StopLimit;
use crate::task::StopKind;

/// The time that a log has for a line about the shutdown.
const PATIENCE: Duration = Duration::from_millis(250);

/// The period at which the stopper wakes the runtime of the tasks during a stop, so that another worker takes over if
/// the worker that drives the timers is blocked.
const PULSE: Duration = Duration::from_millis(20);

/// Carries out the shutdown. If it is dropped early, it gives a verdict for the state at that time.
pub(in crate::runtime) struct Stopper {
    core: Arc<Core>,
    /// The runtime of the tasks.
    home: Handle,
    /// `true` while it runs on the runtime of the tasks, and may have to move to the watch.
    trial: bool,
    route: Route,
    lifeline: Option<oneshot::Sender<()>>,
    /// The reports of a slow stop, once tasks are requested to stop.
    reports: Option<Reports>,
    /// Dropped last, because timers are created on it.
    watch: Option<Watch>,
}

impl Stopper {
    /// Starts a shutdown that was requested on the runtime `here`, for tasks on the runtime `home`. `is_idle` is `true`
    /// if no task is registered and no event is to be published, `is_run` if a `run` waits for the verdict.
    pub(in crate::runtime) fn start(
        core: &Arc<Core>,
        here: Option<Handle>,
        home: Option<Handle>,
        drain: Duration,
        is_idle: bool,
        is_run: bool,
    ) {
        let elsewhere = matches!((&here, &home), (Some(here), Some(home)) if here.id() != home.id());
        let Some(runtime) = here.or_else(|| home.clone()) else { return core.abandon() };
        // A worker that continues with user code after this call must not wake `run` itself, because `run` would wait
        // for that code.
        let is_held_up = try_id().is_some() && has_workers(&runtime);
        if is_idle && !(is_run && is_held_up) {
            return core.abandon();
        }
        // Where nothing has run, there can be no timers.
        let lacks_timers = home.is_none() && !core.has_timers(&runtime);
        let home = home.unwrap_or_else(|| runtime.clone());
        let mut stopper = Self::new(core, &home);
        if elsewhere && !has_workers(&home) {
            // Uses the clock of that runtime, if it has workers.
            stopper.spawn(&home, drain);
            return see_to_the_end(core, drain);
        }
        if elsewhere || lacks_timers || has_workers(&runtime) {
            if !elsewhere && drain.is_zero() && !core.bus.is_active() {
                stopper.trial = true;
                stopper.spawn(&runtime, drain);
                if is_held_up {
                    // A worker keeps its last spawned task in its LIFO slot, and this worker may block in this turn.
                    drop(nudge(&runtime));
                }
                return;
            }
            if let Some(watch) = Watch::get() {
                return stopper.spawn_on(watch, drain);
            }
        }
        stopper.spawn(&runtime, drain);
    }

    fn new(core: &Arc<Core>, home: &Handle) -> Self {
        let (core, home) = (Arc::clone(core), home.clone());
        Self { core, home, trial: false, route: Route::default(), lifeline: None, reports: None, watch: None }
    }

    fn spawn_on(mut self, watch: Watch, drain: Duration) {
        let runtime = self.stay_on(watch);
        self.spawn(&runtime, drain);
    }

    /// Keeps the watch, and detects the end of the runtime of the tasks. Returns the runtime of the watch.
    fn stay_on(&mut self, watch: Watch) -> Handle {
        self.lifeline = Some(lifeline(&self.core, &self.home));
        self.watch.insert(watch).runtime().clone()
    }

    fn spawn(self, runtime: &Handle, drain: Duration) {
        let route = self.route.clone();
        let driving: Background = Box::pin(Mobile::new(Box::pin(self.drive(drain)), route));
        observe::spawn(runtime, driving, |_| "shutdown".into());
    }

    async fn drive(mut self, drain: Duration) {
        let core = Arc::clone(&self.core);
        #[cfg(feature = "fleet")]
        let has_leases = core.fleet.as_ref().is_some_and(|engine| engine.shut_down());
        if !drain.is_zero() {
            self.let_lines_pass().await;
            core.end_pauses();
            self.wait(Registry::ends_drain, deadline(drain), core.stop.verdict.interrupted()).await;
        }
        self.let_lines_pass().await;
        self.end_drain();
        let (mut stuck, mut forced) = (Vec::new(), None);
        if !self.stop_all().await {
            forced = core.stop.verdict.forced();
            self.reports = None;
            self.release_relied();
            core.stop_at_once(if forced.is_some() { StopLimit::Forced } else { StopLimit::Grace });
            // Aborted tasks get time to end, so that they have terminated when `run` returns.
            self.wait(Registry::is_empty, deadline(ABORT), pending()).await;
            core.stop.gave_up.store(true, Ordering::Release);
            for cell in core.cells() {
                cell.declare_aborted();
                let limit = cell.lock().machine().limit;
                stuck.push(Stuck::of(&cell, limit));
            }
            // A group that was requested to stop still makes its children only if the function blocks its thread.
            let limit = if forced.is_some() { StopLimit::Forced } else { StopLimit::Grace };
            stuck.extend(core.making().into_iter().map(|path| Stuck { id: TaskId::next(), path, limit, helpers: 0 }));
        }
        #[cfg(feature = "fleet")]
        if has_leases {
            self.close_leases().await;
        }
        if core.bus.is_active() {
            self.leave().await;
        }
        let Some(judge) = core.stop.verdict.judge() else { return };
        let result = core.judge(stuck, forced);
        if core.bus.is_active() {
            // A second force skips the wait for subscribers, also if it comes from one that reads the end.
            let end = pin!(core.stop.verdict.forced_again());
            core.tell_end(&result);
            until(pin!(core.bus.flush()), end, deadline(core.config.drain_timeout)).await;
        }
        self.tell_over(&result).await;
        core.close_with(judge, result);
    }

    /// Logs the end of the shutdown, before those who wait for it are told. On the watch, a log that blocks its thread is
    /// not waited for for long.
    async fn tell_over(&self, result: &ShutdownResult) {
        let core = &self.core;
        if self.watch.is_none() {
            return observe::shutdown_over(result);
        }
        let (flows, result) = (core.stop.lines.are_written(), result.clone());
        RequestLines::write_apart(core, move || observe::shutdown_over(&result));
        if flows && !core.stop.lines.are_written() {
            until(pin!(core.stop.lines.written()), pin!(core.stop.verdict.forced_again()), deadline(PATIENCE)).await;
        }
    }

    /// Waits until the leases are released, so that other replicas can take them at once. If the store does not answer,
    /// the wait ends with the grace, or a moment later.
    #[cfg(feature = "fleet")]
    async fn close_leases(&mut self) {
        const LEAST: Duration = Duration::from_millis(500);
        let core = Arc::clone(&self.core);
        let Some(engine) = &core.fleet else { return };
        self.leave().await;
        let (began, ends) = (Instant::now(), core.stop.stopping.get().and_then(|stopping| stopping.deadline));
        let left = ends.map_or(Duration::MAX, |ends| ends.saturating_duration_since(began));
        let by = deadline(engine.time_to_close().min(left.max(LEAST)));
        if !until(pin!(engine.closed()), pin!(core.stop.verdict.forced_again()), by).await {
            engine.is_given_up(began.elapsed());
        }
    }

    /// Waits for the log lines about the requests of the shutdown, so that they come before those of the tasks that stop. A
    /// log that blocks its thread is not waited for for long.
    async fn let_lines_pass(&mut self) {
        let core = Arc::clone(&self.core);
        if core.stop.lines.are_written() {
            return;
        }
        let mut written = pin!(core.stop.lines.written());
        if within(TURNS, written.as_mut()).await.is_none() {
            self.leave().await;
            until(written, pin!(core.stop.verdict.interrupted()), deadline(PATIENCE)).await;
        }
    }

    /// Begins to request stops. Waiting submissions are rejected, except in slots that a task of the tree is after.
    fn end_drain(&self) {
        let mut registry = self.core.registry();
        registry.admission = Admission::Stopping;
        #[cfg(feature = "controller")]
        {
            let aftermath = registry.narrow_intake(&self.core);
            drop(registry);
            aftermath.carry_out(&self.core);
        }
    }

    /// Closes the slots that tasks of the tree are after, and rejects their waiting submissions.
    #[cfg_attr(not(feature = "controller"), expect(clippy::unused_self, reason = "there are no slots"))]
    fn release_relied(&self) {
        #[cfg(feature = "controller")]
        {
            let aftermath = self.core.registry().release_relied(&self.core);
            aftermath.carry_out(&self.core);
        }
    }

    /// Requests all tasks to stop, layer by layer, and waits for them within the grace. Tasks that were added at run
    /// time stop before the declared tree, and slots that a task of the tree is after stop last. Each layer has its
    /// share of the grace. Returns `true` if all tasks have stopped.
    async fn stop_all(&mut self) -> bool {
        let core = Arc::clone(&self.core);
        let (grace, began) = (core.config.grace, Instant::now());
        let tasks = core.registry().count();
        let _ = core.stop.stopping.set(Stopping { began, deadline: deadline_from(began, grace), tasks });
        self.reports = Some(Reports::new(began));
        let by = StopBy::within(grace);
        let (has_added, has_declared, relied) = {
            let registry = core.registry();
            (!registry.has_tree_only(), registry.has_tree_tasks(), u32::from(registry.has_relied()))
        };
        let tree = core.roots().iter().map(|root| root.declared.layers).max().unwrap_or(0);
        let tree = tree.max(u32::from(has_declared));
        if has_added {
            self.stop_layer(Layer::Added, by, tree + relied, Registry::has_tree_only).await;
        }
        if tree > 0 {
            self.stop_layer(Layer::Tree, by, relied, Registry::has_relied_only).await;
        }
        if relied > 0 {
            self.release_relied();
            self.stop_layer(Layer::Relied, by, 0, Registry::is_empty).await;
        }
        self.wait(Registry::is_empty, deadline_from(began, grace), core.stop.verdict.interrupted()).await
    }

    /// Requests the tasks of a layer to stop. If `below` layers stop after it, the layer has its share of the time, and
    /// the call waits until the layer is over.
    async fn stop_layer(&mut self, layer: Layer, by: StopBy, below: u32, is_over: fn(&Registry) -> bool) {
        let core = Arc::clone(&self.core);
        let (grace, now, mut longest) = (core.config.grace, Instant::now(), TimeLeft::ZERO);
        let by = by.share(now, below, grace);
        let kind = core.stop_kind().unwrap_or(StopKind::Shutdown);
        core.stops_layer(layer);
        let at = core.clock.at(now);
        // Only the stopper can change this now.
        let has_relied = core.registry().has_relied();
        for cell in core.cells_in_order() {
            let is_beside = cell.is_beside_tree();
            let is_in = match layer {
                Layer::Added => is_beside && !(has_relied && core.registry().is_relied(&cell)),
                Layer::Tree => !is_beside,
                Layer::Relied => is_beside,
            };
            if is_in {
                // If no layer stops after this one, the stopper itself aborts its tasks, and they need no timer.
                let bound = match cell.policy().stop_timeout {
                    None if below == 0 => Bound::OPEN,
                    timeout => by.bound(now, timeout),
                };
                longest = longest.max(bound.time);
                if cell.member().is_none() {
                    if bound == Bound::OPEN {
                        cell.stop_with_all(at, kind);
                    } else {
                        cell.stop_at(Some(at), bound, kind);
                    }
                }
            }
        }
        if layer == Layer::Tree {
            for root in core.roots() {
                root.stop(None, by);
            }
        }
        if below > 0 {
            let longest = longest.time();
            // Tasks that exceed their time are aborted. Tasks that ignore the abort are no longer waited for.
            let abort = ABORT.min(grace.saturating_sub(longest) / 2);
            let given_up = deadline_from(now, longest.saturating_add(abort));
            self.wait(is_over, given_up, core.stop.verdict.interrupted()).await;
        }
    }

    /// Waits until `is_so` returns `true`, but not past `end` or the deadline `by`. Returns `true` if it has.
    async fn wait(&mut self, is_so: fn(&Registry) -> bool, by: Option<Instant>, end: impl Future<Output = ()>) -> bool {
        let core = Arc::clone(&self.core);
        let mut done = pin!(core.vacant.wait(|| is_so(&core.registry()).then_some(())));
        let mut end = pin!(end);
        if self.trial {
            let tried = within(TURNS, pin!(either(done.as_mut(), end.as_mut()))).await;
            match tried {
                Some(done) => return done,
                None => self.leave().await,
            }
        }
        loop {
            let pulse = self.watch.is_some().then(|| Instant::now() + PULSE);
            let report = self.reports.as_ref().map(Reports::next);
            let Some(next) = by.into_iter().chain(pulse).chain(report).min() else {
                return either(done.as_mut(), end.as_mut()).await;
            };
            match timeout_at(next, either(done.as_mut(), end.as_mut())).await {
                Ok(done) => return done,
                Err(_) if Some(next) == by => return false,
                Err(_) if pulse.is_some() => drop(nudge(&self.home)),
                Err(_) => {}
            }
            if let Some(reports) = &mut self.reports {
                reports.report(&core, self.watch.is_some());
            }
        }
    }

    /// Moves to the watch, unless it is there.
    async fn leave(&mut self) {
        if mem::take(&mut self.trial) {
            let Some(watch) = Watch::get() else { return };
            let runtime = self.stay_on(watch);
            self.route.leave_for(&runtime).await;
        }
    }
}

impl Drop for Stopper {
    fn drop(&mut self) {
        if self.core.stop.verdict.is_given() {
            return;
        }
        // The runtime of the tasks has ended, but tasks can run on another.
        if self.watch.is_none() && self.core.registry().lives_elsewhere() {
            if let Some(watch) = Watch::get() {
                return Self::new(&self.core, &self.home).spawn_on(watch, Duration::ZERO);
            }
        }
        self.core.abandon();
    }
}

/// Waits for either future. Returns `true` if the first one completed.
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
