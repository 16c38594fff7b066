//! This crate, used only through its public API. `restart` has the works that restart one task; what is left is here.

mod restart;
#[cfg(feature = "tracing")]
mod tracer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use taskvisor::{
    BackoffPolicy, BoxTaskFuture, CancellationToken, Event, EventKind, Group, JitterPolicy, RestartPolicy, Subscribe,
    Supervisor, SupervisorConfig, Task, TaskContext, TaskError, TaskFn, TaskOutcome, TaskSpec, Tree,
};
#[cfg(feature = "controller")]
use taskvisor::{ControllerConfig, ControllerSpec, RejectReason};
use tokio::task::yield_now;

use crate::contender::{Contender, Measured};
use crate::countdown::{Countdown, PollAgain, all_started, check};
use crate::sample::{Heard, Meter};
#[cfg(feature = "controller")]
use crate::work::Slot;
use crate::work::{GroupLife, Others};

/// This crate.
pub(crate) struct Taskvisor;

impl Contender for Taskvisor {
    async fn restart(&self, size: u64, takes_token: bool, subscribers: u64) -> Measured {
        restart::alone(size, takes_token, subscribers).await
    }

    #[cfg(feature = "console")]
    async fn restart_beside_console(&self, size: u64) -> Measured {
        restart::beside_console(size).await
    }

    async fn restart_beside(&self, size: u64, others: Others) -> Measured {
        restart::beside(size, others).await
    }

    #[cfg(feature = "metrics")]
    async fn restart_with_metrics(&self, size: u64) -> Measured {
        restart::with_metrics(size).await
    }

    #[cfg(feature = "tracing")]
    async fn restart_with_tracing(&self, size: u64) -> Measured {
        restart::with_tracing(size).await
    }

    async fn once(&self, size: u64, takes_token: bool) -> Measured {
        let (supervisor, _) = supervisor(0);
        let left = Countdown::new(size);
        let meter = Meter::start();
        let mut handles = Vec::new();
        for number in 0..size {
            let spec = if takes_token { job_with_token(&left) } else { job(&left) };
            handles.push(supervisor.add_task(spec.with_name(format!("task-{number}"))).await?);
        }
        let mut completed = 0;
        for handle in handles {
            completed += u64::from(is_completed(&handle.outcome().await));
        }
        let sample = meter.finish(size);
        check("completed", completed, size)?;
        Ok(Some(sample))
    }

    async fn idle(&self, size: u64, takes_token: bool) -> Measured {
        let (supervisor, _) = supervisor(0);
        let started = Countdown::new(size);
        let meter = Meter::start();
        for number in 0..size {
            let name = format!("task-{number}");
            if takes_token {
                supervisor.add_task(waiting_with_token(name, &started)).await?;
            } else {
                let started = Arc::clone(&started);
                let task = Plain(move || {
                    let started = Arc::clone(&started);
                    async move {
                        started.finish();
                        drop(started);
                        std::future::pending().await
                    }
                });
                supervisor.add_task(TaskSpec::inherit(Arc::new(task)).with_name(name)).await?;
            }
        }
        started.wait().await;
        Ok(Some(meter.finish(size)))
    }

    async fn cancel(&self, size: u64, others: u64, has_started: bool) -> Measured {
        let (supervisor, _) = supervisor(0);
        let started = Countdown::new(others);
        for number in 0..others {
            supervisor.add_task(waiting(format!("other-{number}"), &started)).await?;
        }
        started.wait().await;
        let begun = Countdown::of_started(size, has_started);
        let mut cancelled = 0;
        let meter = Meter::start();
        for number in 0..size {
            let handle = supervisor.add_task(waiting(format!("task-{number}"), &begun)).await?;
            if has_started {
                yield_now().await;
            }
            cancelled += u64::from(handle.cancel().await?);
        }
        let sample = meter.finish(size);
        begun.check_started(has_started)?;
        check("cancelled", cancelled, size)?;
        Ok(Some(sample))
    }

    async fn stop(&self, size: u64) -> Measured {
        let (supervisor, _) = supervisor(0);
        let started = Countdown::new(size);
        for number in 0..size {
            supervisor.add_task(waiting(format!("task-{number}"), &started)).await?;
        }
        started.wait().await;
        let meter = Meter::start();
        supervisor.shutdown().await?;
        Ok(Some(meter.finish(size)))
    }

    /// Measures the cost of restarts with subscribers beyond that of restarts without.
    async fn deliver(&self, size: u64, subscribers: u64) -> Measured {
        let restarts = size / EVENTS_A_RESTART;
        let deaf = self.restart(restarts, false, 0).await?;
        let heard = self.restart(restarts, false, subscribers).await?;
        Ok(deaf.zip(heard).map(|(deaf, heard)| heard.beyond(&deaf, restarts * EVENTS_A_RESTART)))
    }

    async fn burst(&self, size: u64, tasks: u64) -> Measured {
        let (supervisor, heard) = supervisor(1);
        let restarts = size / EVENTS_A_RESTART / tasks;
        let specs = (0..tasks).map(|number| {
            let failures = Countdown::new(restarts);
            let task = Plain(move || restart::attempt(Arc::clone(&failures)));
            TaskSpec::inherit(Arc::new(task)).with_name(format!("task-{number}"))
        });
        let meter = Meter::start();
        supervisor.run_until(specs.collect(), std::future::pending()).await?;
        let events = events_of(restarts) * tasks;
        Ok(Some(meter.finish(events).with_each_heard(&heard, events)?))
    }

    #[cfg(feature = "controller")]
    async fn slot(&self, size: u64, slot: Slot) -> Measured {
        let controller = ControllerConfig { queue_capacity: 1 << 20, slot_capacity: 1 << 20 };
        let supervisor = Supervisor::builder(config()).with_controller(controller).build();
        let name: Arc<str> = "slot".into();
        match slot {
            Slot::Drop | Slot::Replace => {
                let endless = Countdown::endless();
                let owner = ControllerSpec::queue(waiting("owner".to_owned(), &endless));
                supervisor.submit(owner.with_slot(Arc::clone(&name))).await?;
                let spec = waiting("next".to_owned(), &endless);
                let submission = || {
                    let submission = match slot {
                        Slot::Drop => ControllerSpec::drop_if_running(spec.clone()),
                        _ => ControllerSpec::replace(spec.clone()),
                    };
                    submission.with_slot(Arc::clone(&name))
                };
                let mut looked_at = Vec::new();
                let meter = Meter::start();
                for number in 0..size {
                    let handle = supervisor.submit(submission()).await?;
                    if number % LOOKED_AT == 0 {
                        looked_at.push(handle);
                    }
                }
                let sample = meter.finish(size);
                // Replaces the last submission.
                supervisor.submit(submission()).await?;
                for handle in looked_at {
                    match (slot, handle.outcome().await) {
                        (Slot::Drop, TaskOutcome::Rejected { reason: RejectReason::Busy })
                        | (Slot::Replace, TaskOutcome::Rejected { reason: RejectReason::Superseded }) => {}
                        (_, outcome) => return Err(format!("a submission to the busy slot was {outcome}").into()),
                    }
                }
                Ok(Some(sample))
            }
            Slot::Queue => {
                let left = Countdown::new(size);
                let meter = Meter::start();
                let mut handles = Vec::new();
                let mut completed = 0;
                for number in 0..size {
                    let spec = job(&left).with_name(format!("task-{number}"));
                    handles.push(supervisor.submit(ControllerSpec::queue(spec).with_slot(Arc::clone(&name))).await?);
                    if handles.len() == QUEUED {
                        for handle in handles.drain(..) {
                            completed += u64::from(is_completed(&handle.outcome().await));
                        }
                    }
                }
                for handle in handles {
                    completed += u64::from(is_completed(&handle.outcome().await));
                }
                let sample = meter.finish(size);
                check("completed", completed, size)?;
                Ok(Some(sample))
            }
            Slot::Distinct => {
                let left = Countdown::new(size);
                let meter = Meter::start();
                let mut handles = Vec::new();
                for number in 0..size {
                    let spec = job(&left).with_name(format!("slot-{number}"));
                    handles.push(supervisor.submit(ControllerSpec::queue(spec)).await?);
                }
                let mut completed = 0;
                for handle in handles {
                    completed += u64::from(is_completed(&handle.outcome().await));
                }
                let sample = meter.finish(size);
                check("completed", completed, size)?;
                Ok(Some(sample))
            }
        }
    }

    async fn poll(&self, size: u64) -> Measured {
        let (supervisor, _) = supervisor(0);
        let task = Plain(move || async move {
            for _ in 0..size {
                PollAgain::default().await;
            }
            Ok(())
        });
        let meter = Meter::start();
        let outcome = supervisor.add_task(TaskSpec::inherit(Arc::new(task))).await?.outcome().await;
        let sample = meter.finish(size);
        check("completed", u64::from(is_completed(&outcome)), 1)?;
        Ok(Some(sample))
    }

    async fn group(&self, size: u64, life: GroupLife) -> Measured {
        let started = Arc::new(AtomicU64::new(0));
        let children = if life == GroupLife::Add { 1 } else { size };
        let specs = (0..children).map(|number| counted(format!("task-{number}"), &started));
        let builder = Tree::builder(config());
        let tree = match life {
            GroupLife::PlainStart | GroupLife::PlainStop => builder.tasks(specs).build(),
            _ => builder.group(Group::one_for_all("group").tasks(specs)).build(),
        };
        let meter = Meter::start();
        tree.start().await?;
        all_started(&started, children).await;
        let group = tree.group("group");
        match life {
            GroupLife::Start | GroupLife::PlainStart => {}
            GroupLife::Stop | GroupLife::PlainStop => tree.shutdown().await?,
            GroupLife::Cancel => check("cancelled", u64::from(group.cancel().await?), 1)?,
            GroupLife::Restart => {
                check("restarted", u64::from(group.restart()), 1)?;
                all_started(&started, 2 * children).await;
            }
            GroupLife::Add => {
                let left = Countdown::new(size);
                let mut completed = 0;
                for number in 0..size {
                    let handle = group.add_task(job(&left).with_name(format!("job-{number}"))).await?;
                    completed += u64::from(is_completed(&handle.outcome().await));
                }
                check("completed", completed, size)?;
            }
        }
        Ok(Some(meter.finish(size)))
    }

    async fn lifecycle(&self, size: u64) -> Measured {
        let left = Countdown::new(size);
        let mut completed = 0;
        let meter = Meter::start();
        for _ in 0..size {
            let (supervisor, _) = supervisor(0);
            completed += u64::from(is_completed(&supervisor.add_task(job(&left)).await?.outcome().await));
            supervisor.shutdown().await?;
        }
        let sample = meter.finish(size);
        check("completed", completed, size)?;
        left.check()?;
        Ok(Some(sample))
    }

    async fn backoff(&self, size: u64, seconds: u64) -> Measured {
        let heard = Heard::default();
        let backoff =
            BackoffPolicy { first: Duration::from_secs(1), jitter: JitterPolicy::Equal, ..BackoffPolicy::default() };
        let config = SupervisorConfig { backoff, ..config() };
        let supervisor = Supervisor::new(config, vec![Arc::new(Listener { heard: heard.clone() })]);
        let attempts = Arc::new(AtomicU64::new(0));
        let meter = Meter::start();
        for number in 0..size {
            let attempts = Arc::clone(&attempts);
            let task = Plain(move || {
                attempts.fetch_add(1, Ordering::Relaxed);
                async { Err(boom()) }
            });
            supervisor.add_task(TaskSpec::inherit(Arc::new(task)).with_name(format!("task-{number}"))).await?;
        }
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        let sample = meter.finish(attempts.load(Ordering::Relaxed));
        supervisor.shutdown().await?;
        tokio::time::sleep(Duration::from_millis(100)).await;
        // An attempt starts and fails; a task is requested, added and removed. The shutdown has events of its own, but
        // schedules no retry for an attempt that it finds running.
        let least = attempts.load(Ordering::Relaxed) * EVENTS_A_RESTART + size * 3;
        Ok(Some(sample.with_heard(heard.count(), least)))
    }
}

/// Failed and started: a backoff of zero has no event.
const EVENTS_A_RESTART: u64 = 2;

/// The outcome of one in this many submissions to a busy slot is checked, so that few handles are kept.
#[cfg(feature = "controller")]
const LOOKED_AT: u64 = 1_000;

/// The maximum number of submissions that wait in one slot.
#[cfg(feature = "controller")]
const QUEUED: usize = 100;

/// The events of a task that fails this often and then completes: requested, added, started, the restarts, stopped,
/// exhausted, removed.
fn events_of(restarts: u64) -> u64 {
    restarts * EVENTS_A_RESTART + 6
}

fn is_completed(outcome: &TaskOutcome) -> bool {
    matches!(outcome, TaskOutcome::Completed)
}

fn config() -> SupervisorConfig {
    let backoff = BackoffPolicy { first: Duration::ZERO, ..BackoffPolicy::default() };
    SupervisorConfig { backoff, ..SupervisorConfig::default() }
}

/// A supervisor, and the counter of each subscriber.
fn supervisor(subscribers: u64) -> (Arc<Supervisor>, Vec<Heard>) {
    let heard: Vec<_> = (0..subscribers).map(|_| Heard::default()).collect();
    let listener = |heard: &Heard| Arc::new(Listener { heard: heard.clone() }) as Arc<dyn Subscribe>;
    (Supervisor::new(config(), heard.iter().map(listener).collect()), heard)
}

fn boom() -> TaskError {
    TaskError::Fail { reason: "boom".to_owned() }
}

/// Ends at once.
fn job(left: &Arc<Countdown>) -> TaskSpec {
    let left = Arc::clone(left);
    let task = Plain(move || {
        let left = Arc::clone(&left);
        async move {
            left.finish();
            Ok(())
        }
    });
    TaskSpec::inherit(Arc::new(task)).with_restart(RestartPolicy::Never)
}

/// Ends at once, with a token that it does not use.
fn job_with_token(left: &Arc<Countdown>) -> TaskSpec {
    let left = Arc::clone(left);
    let task = TaskFn::arc("task", move |_: CancellationToken| {
        let left = Arc::clone(&left);
        async move {
            left.finish();
            Ok(())
        }
    });
    TaskSpec::inherit(task).with_restart(RestartPolicy::Never)
}

/// Waits until it is requested to stop.
fn waiting(name: String, started: &Arc<Countdown>) -> TaskSpec {
    let started = Arc::clone(started);
    TaskSpec::inherit(TaskFn::arc(name, move |ctx: TaskContext| {
        let started = Arc::clone(&started);
        async move {
            started.finish();
            drop(started);
            ctx.cancelled().await;
            Err(TaskError::Canceled)
        }
    }))
}

/// The same, with a token.
fn waiting_with_token(name: String, started: &Arc<Countdown>) -> TaskSpec {
    let started = Arc::clone(started);
    TaskSpec::inherit(TaskFn::arc(name, move |token: CancellationToken| {
        let started = Arc::clone(&started);
        async move {
            started.finish();
            drop(started);
            token.cancelled().await;
            Err(TaskError::Canceled)
        }
    }))
}

/// Waits until it is requested to stop, and counts its starts.
fn counted(name: String, started: &Arc<AtomicU64>) -> TaskSpec {
    let started = Arc::clone(started);
    TaskSpec::inherit(TaskFn::arc(name, move |ctx: TaskContext| {
        started.fetch_add(1, Ordering::Relaxed);
        async move {
            ctx.cancelled().await;
            Err(TaskError::Canceled)
        }
    }))
}

/// A task that takes no context, as `#[task]` makes from a function without one.
struct Plain<F>(F);

impl<F, Fut> Task for Plain<F>
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), TaskError>> + Send + 'static,
{
    fn name(&self) -> &'static str {
        "task"
    }

    fn spawn(&self, _: CancellationToken) -> BoxTaskFuture {
        Box::pin((self.0)())
    }

    fn attempt(&self, _: TaskContext) -> BoxTaskFuture {
        Box::pin((self.0)())
    }

    fn takes_context(&self) -> bool {
        false
    }
}

/// Counts events, except reports about subscribers, which occur only if events are lost.
struct Listener {
    heard: Heard,
}

#[async_trait::async_trait]
impl Subscribe for Listener {
    #[inline]
    async fn on_event(&self, event: &Event) {
        if !matches!(event.kind, EventKind::SubscriberOverflow | EventKind::SubscriberPanicked) {
            self.heard.one();
        }
    }
}
