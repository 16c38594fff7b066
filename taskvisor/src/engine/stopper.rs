//! Carries a shutdown out: requests the stops, waits, aborts, and gives the verdict.
//!
//! On a current-thread runtime it is a task of that runtime. On one with workers it belongs on the [watch](Watch), which
//! no user code can hold up; but a stop that is over in a few turns is not worth a thread, and is tried in place first.

use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::{AbortHandle, try_id};
use tokio::time::{Instant, timeout_at};

use super::alarm::{deadline, deadline_from};
use super::cell::{ABORT, Bound};
use super::core::Core;
use super::observe::{self, Background};
use super::registry::{Admission, Registry};
use super::share::{of_task, share};
use super::shutdown::Cut;
use super::turns::{Mobile, Route, TURNS, within};
use super::watch::{Watch, has_workers};
use crate::panics::drop_caught;

/// How often the runtime of the tasks is given a turn from outside during a stop: where the worker that drove its timers
/// is blocked, another one takes them over then.
const PULSE: Duration = Duration::from_millis(20);

/// Carries the shutdown out; dropped before its end, it leaves the verdict that holds then.
pub(super) struct Stopper {
    core: Arc<Core>,
    /// The runtime of the tasks.
    home: Handle,
    /// It has not left that runtime yet.
    trial: Option<Route>,
    lifeline: Option<Lifeline>,
    /// Dropped last: timers are made there.
    watch: Option<Watch>,
}

/// What is known when a shutdown is requested.
pub(super) struct Request {
    pub(super) here: Option<Handle>,
    pub(super) home: Option<Handle>,
    pub(super) drain: Duration,
    /// No task is registered, and nothing is to be published.
    pub(super) nothing_to_do: bool,
    /// A `run` waits for the verdict.
    pub(super) is_run: bool,
}

impl Stopper {
    /// Starts the shutdown that was requested.
    pub(super) fn start(core: &Arc<Core>, request: Request) {
        let Request { here, home, drain, nothing_to_do, is_run } = request;
        let elsewhere = matches!((&here, &home), (Some(here), Some(home)) if here.id() != home.id());
        let Some(runtime) = here.or_else(|| home.clone()) else { return core.abandon() };
        // What wakes a `run` must not be a worker that goes on with user code in this turn.
        let is_held_up = try_id().is_some() && has_workers(&runtime);
        if nothing_to_do && !(is_run && is_held_up) {
            return core.abandon();
        }
        let home = home.unwrap_or_else(|| runtime.clone());
        let mut stopper = Self { core: Arc::clone(core), home: home.clone(), trial: None, lifeline: None, watch: None };
        if elsewhere && !has_workers(&home) {
            // With its clock, unless nobody drives it.
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
                    // A worker keeps what it spawned last to itself, and this one may block in this turn.
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
        core.registry().admission = Admission::Stopping;
        let (mut stuck, mut cut) = (Vec::new(), Cut::Grace);
        if !self.stop_all().await {
            if let Some(after) = core.stop.verdict.forced() {
                cut = Cut::Forced(after);
            }
            core.roots().iter().for_each(|root| root.stop(Bound::Now));
            for cell in core.cells() {
                cell.stop(Bound::Now, false);
                release(cell);
            }
            // What can be aborted is given the time to show it, so that it is gone when `run` returns.
            self.wait(Registry::is_empty, deadline(ABORT), pending()).await;
            core.give_up();
            for cell in core.cells() {
                cell.declare_aborted();
                stuck.push((cell.id(), Arc::clone(cell.name())));
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
            // Forced once more, it does not even wait for subscribers.
            let end = pin!(core.stop.verdict.forced_again());
            until(pin!(core.bus.flush()), end, deadline(core.config.drain_timeout)).await;
        }
        observe::shutdown_over(&result);
        core.close_with(|| judge.give(result));
    }

    /// Requests all to stop, and waits until they have, within the grace. What was added at runtime stops before the
    /// declared tree, and has its share of the grace. Returns whether all have stopped.
    async fn stop_all(&mut self) -> bool {
        let core = Arc::clone(&self.core);
        let (grace, began) = (core.config.grace, Instant::now());
        let roots = core.roots();
        let (mut added, mut declared) = (Vec::new(), Vec::new());
        for cell in core.cells().into_iter().filter(|cell| cell.member().is_none()) {
            if cell.was_added() { added.push(cell) } else { declared.push(cell) }
        }
        let layers =
            roots.iter().map(|root| root.spec().layers()).max().unwrap_or(0).max(u32::from(!declared.is_empty()));
        let share = share(grace, grace, layers);
        let (now, mut longest) = (Some(core.clock.at(began)), Duration::ZERO);
        let is_first = !added.is_empty() && layers > 0;
        for cell in added {
            let bound = if layers == 0 {
                cell.bound_of_stop(Bound::Open)
            } else {
                let time = of_task(share, grace, cell.settings().stop_timeout);
                longest = longest.max(time);
                Bound::within(time)
            };
            cell.stop_at(now, bound, false);
            release(cell);
        }
        if is_first {
            // Past its share it is aborted; what does not show that either is given up on.
            let abort = ABORT.min(grace.saturating_sub(longest) / 2);
            let by = deadline(longest.saturating_add(abort).saturating_sub(began.elapsed()));
            self.wait(Registry::has_tree_only, by, core.stop.verdict.interrupted()).await;
        }
        for cell in declared {
            cell.stop(cell.bound_of_stop(Bound::Open), false);
            release(cell);
        }
        for root in roots {
            root.stop(Bound::within(grace.saturating_sub(began.elapsed())));
        }
        self.wait(Registry::is_empty, deadline_from(began, grace), core.stop.verdict.interrupted()).await
    }

    /// Waits until it is so, but not past `end` nor the deadline. Returns whether it is so.
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

    /// Leaves for the watch, if it has not.
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
        // Where its runtime is gone, tasks can live on another.
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

/// Gives the verdict if it is not given when all its time has passed.
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

/// A task on the runtime of the tasks, to learn of its end: while that lasts, a blocked thread of it holds what it ran,
/// and nothing else does. Dropped with the stopper.
struct Lifeline(AbortHandle);

/// Dropped with its runtime.
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

/// What it holds may be the last of a task of the user's.
fn release(cell: Arc<super::cell::Cell>) {
    let _ = drop_caught(cell);
}

/// Waits for either; whether it was the first.
async fn either(mut done: Pin<&mut impl Future<Output = ()>>, mut end: Pin<&mut impl Future<Output = ()>>) -> bool {
    poll_fn(|cx| {
        if done.as_mut().poll(cx).is_ready() {
            return Poll::Ready(true);
        }
        end.as_mut().poll(cx).map(|()| false)
    })
    .await
}

/// Waits for `done`, but not past `end` nor the deadline. Returns whether it is done.
pub(super) async fn until(
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
