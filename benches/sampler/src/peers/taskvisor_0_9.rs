//! `taskvisor` 0.9 from the registry.
//!
//! The limits on registered tasks, ownership and slots are lifted; bus and subscriber queues keep their defaults.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use taskvisor_0_9::{
    BackoffPolicy, ControllerConfig, ControllerSpec, Event, EventKind, RestartPolicy, Subscribe, Supervisor,
    SupervisorConfig, SupervisorHandle, TaskContext, TaskError, TaskFn, TaskOutcome, TaskRef, TaskSpec,
};
use tokio::task::yield_now;

use crate::contender::{Contender, Measured};
use crate::countdown::{Countdown, PollAgain, check};
use crate::sample::{Heard, Meter};
use crate::work::Slot;

/// The released version.
pub(crate) struct Taskvisor09;

impl Contender for Taskvisor09 {
    /// It passes a context to every attempt.
    async fn restart(&self, size: u64, _takes_token: bool, subscribers: u64) -> Measured {
        let (supervisor, heard) = supervisor(subscribers);
        let left = Countdown::new(size);
        let spec = failing("task", &left);
        let meter = Meter::start();
        supervisor.run_until(vec![spec], std::future::pending::<()>()).await?;
        let sample = meter.finish(size);
        left.check()?;
        Ok(Some(sample.with_each_heard(&heard, events_of(size))?))
    }

    async fn once(&self, size: u64, _takes_token: bool) -> Measured {
        let handle = serve()?;
        let left = Countdown::new(size);
        let meter = Meter::start();
        let mut waiters = Vec::new();
        for number in 0..size {
            waiters.push(handle.add(job(format!("task-{number}"), &left)).watch().execute().await?);
        }
        let mut completed = 0;
        for waiter in waiters {
            completed += u64::from(is_completed(&waiter.wait().await?));
        }
        let sample = meter.finish(size);
        check("completed", completed, size)?;
        handle.shutdown().await?;
        Ok(Some(sample))
    }

    async fn idle(&self, size: u64, _takes_token: bool) -> Measured {
        let handle = serve()?;
        let started = Countdown::new(size);
        let meter = Meter::start();
        for number in 0..size {
            handle.add(waiting(format!("task-{number}"), &started)).await?;
        }
        started.wait().await;
        let sample = meter.finish(size);
        handle.shutdown().await?;
        Ok(Some(sample))
    }

    async fn cancel(&self, size: u64, others: u64, has_started: bool) -> Measured {
        let handle = serve()?;
        let started = Countdown::new(others);
        for number in 0..others {
            handle.add(waiting(format!("other-{number}"), &started)).await?;
        }
        started.wait().await;
        let begun = Countdown::of_started(size, has_started);
        let mut cancelled = 0;
        let meter = Meter::start();
        for number in 0..size {
            let id = handle.add(waiting(format!("task-{number}"), &begun)).await?;
            if has_started {
                yield_now().await;
            }
            cancelled += u64::from(handle.cancel(id).execute().await?);
        }
        let sample = meter.finish(size);
        begun.check_started(has_started)?;
        check("cancelled", cancelled, size)?;
        handle.shutdown().await?;
        Ok(Some(sample))
    }

    async fn stop(&self, size: u64) -> Measured {
        let handle = serve()?;
        let started = Countdown::new(size);
        for number in 0..size {
            handle.add(waiting(format!("task-{number}"), &started)).await?;
        }
        started.wait().await;
        let meter = Meter::start();
        handle.shutdown().await?;
        Ok(Some(meter.finish(size)))
    }

    /// Measures the cost of restarts with subscribers beyond that of restarts without, lost events included.
    async fn deliver(&self, size: u64, subscribers: u64) -> Measured {
        let restarts = size / EVENTS_A_RESTART;
        let deaf = self.restart(restarts, true, 0).await?;
        let heard = self.restart(restarts, true, subscribers).await?;
        Ok(deaf.zip(heard).map(|(deaf, heard)| heard.beyond(&deaf, restarts * EVENTS_A_RESTART)))
    }

    async fn burst(&self, size: u64, tasks: u64) -> Measured {
        let (supervisor, heard) = supervisor(1);
        let restarts = size / EVENTS_A_RESTART / tasks;
        let specs = (0..tasks).map(|number| failing(&format!("task-{number}"), &Countdown::new(restarts))).collect();
        let meter = Meter::start();
        supervisor.run_until(specs, std::future::pending::<()>()).await?;
        let events = events_of(restarts) * tasks;
        Ok(Some(meter.finish(events).with_each_heard(&heard, events)?))
    }

    /// Submissions are not watched unless their outcome is needed.
    async fn slot(&self, size: u64, slot: Slot) -> Measured {
        let controller = ControllerConfig::default()
            .with_max_slot_queue(1 << 20)
            .with_max_controller_slots(None)
            .with_max_total_pending(None);
        let handle = Supervisor::builder(config()).with_controller(controller).build().serve()?;
        let name: Arc<str> = "slot".into();
        let sample = match slot {
            Slot::Drop | Slot::Replace => {
                let endless = Countdown::endless();
                let owner = ControllerSpec::queue(waiting("owner".to_owned(), &endless));
                handle.submit(owner.with_slot(Arc::clone(&name))).execute().await?;
                let spec = waiting("next".to_owned(), &endless);
                let submission = || {
                    let submission = match slot {
                        Slot::Drop => ControllerSpec::drop_if_running(spec.clone()),
                        _ => ControllerSpec::replace(spec.clone()),
                    };
                    submission.with_slot(Arc::clone(&name))
                };
                let meter = Meter::start();
                for _ in 0..size {
                    handle.submit(submission()).execute().await?;
                }
                let sample = meter.finish(size);
                if slot == Slot::Drop {
                    let outcome = handle.submit(submission()).watch().execute().await?.wait().await?;
                    check("rejected", u64::from(matches!(outcome, TaskOutcome::Rejected { .. })), 1)?;
                }
                sample
            }
            Slot::Queue => {
                let left = Countdown::new(size);
                let meter = Meter::start();
                let mut waiters = Vec::new();
                let mut completed = 0;
                for number in 0..size {
                    let submission = ControllerSpec::queue(job(format!("task-{number}"), &left));
                    waiters.push(handle.submit(submission.with_slot(Arc::clone(&name))).watch().execute().await?);
                    if waiters.len() == QUEUED {
                        for waiter in waiters.drain(..) {
                            completed += u64::from(is_completed(&waiter.wait().await?));
                        }
                    }
                }
                for waiter in waiters {
                    completed += u64::from(is_completed(&waiter.wait().await?));
                }
                let sample = meter.finish(size);
                check("completed", completed, size)?;
                sample
            }
            Slot::Distinct => {
                let left = Countdown::new(size);
                let meter = Meter::start();
                let mut waiters = Vec::new();
                let mut completed = 0;
                for number in 0..size {
                    let submission = ControllerSpec::queue(job(format!("slot-{number}"), &left));
                    waiters.push(handle.submit(submission).watch().execute().await?);
                }
                for waiter in waiters {
                    completed += u64::from(is_completed(&waiter.wait().await?));
                }
                let sample = meter.finish(size);
                check("completed", completed, size)?;
                sample
            }
        };
        handle.shutdown().await?;
        Ok(Some(sample))
    }

    async fn poll(&self, size: u64) -> Measured {
        let handle = serve()?;
        let task: TaskRef = TaskFn::arc(move |_: TaskContext| async move {
            for _ in 0..size {
                PollAgain::default().await;
            }
            Ok(())
        });
        let meter = Meter::start();
        let outcome = handle.add(TaskSpec::once("task", task)).watch().execute().await?.wait().await?;
        let sample = meter.finish(size);
        check("completed", u64::from(is_completed(&outcome)), 1)?;
        handle.shutdown().await?;
        Ok(Some(sample))
    }

    async fn lifecycle(&self, size: u64) -> Measured {
        let left = Countdown::new(size);
        let meter = Meter::start();
        for _ in 0..size {
            let handle = serve()?;
            handle.add(job("task".to_owned(), &left)).watch().execute().await?.wait().await?;
            handle.shutdown().await?;
        }
        let sample = meter.finish(size);
        left.check()?;
        Ok(Some(sample))
    }
}

/// Failed, scheduled and started.
const EVENTS_A_RESTART: u64 = 3;

/// The maximum number of submissions that wait in one slot.
const QUEUED: usize = 100;

/// The number of counted events: the first start, and the restarts.
fn events_of(restarts: u64) -> u64 {
    restarts * EVENTS_A_RESTART + 1
}

fn is_completed(outcome: &TaskOutcome) -> bool {
    matches!(outcome, TaskOutcome::Completed)
}

fn config() -> SupervisorConfig {
    SupervisorConfig::default()
        .with_max_registered_tasks(None)
        .with_ownership_capacity(None)
        .with_registry_queue_capacity(NonZeroUsize::MIN.saturating_add(1 << 16))
}

/// A supervisor, and the counter of each subscriber.
fn supervisor(subscribers: u64) -> (Arc<Supervisor>, Vec<Heard>) {
    let heard: Vec<_> = (0..subscribers).map(|_| Heard::default()).collect();
    let listener = |heard: &Heard| Arc::new(Listener { heard: heard.clone() }) as Arc<dyn Subscribe>;
    (Supervisor::new(config(), heard.iter().map(listener).collect()), heard)
}

fn serve() -> Result<SupervisorHandle, taskvisor_0_9::RuntimeError> {
    supervisor(0).0.serve()
}

fn failing(name: &str, failures: &Arc<Countdown>) -> TaskSpec {
    let failures = Arc::clone(failures);
    let task: TaskRef = TaskFn::arc(move |_: TaskContext| {
        let failures = Arc::clone(&failures);
        async move { if failures.take() { Err(TaskError::fail("boom")) } else { Ok(()) } }
    });
    TaskSpec::new(name, task, RestartPolicy::OnFailure, BackoffPolicy::constant(Duration::ZERO), None)
}

fn job(name: String, left: &Arc<Countdown>) -> TaskSpec {
    let left = Arc::clone(left);
    let task: TaskRef = TaskFn::arc(move |_: TaskContext| {
        let left = Arc::clone(&left);
        async move {
            left.finish();
            Ok(())
        }
    });
    TaskSpec::once(name, task)
}

fn waiting(name: String, started: &Arc<Countdown>) -> TaskSpec {
    let started = Arc::clone(started);
    let task: TaskRef = TaskFn::arc(move |context: TaskContext| {
        let started = Arc::clone(&started);
        async move {
            started.finish();
            drop(started);
            context.cancelled().await;
            Err(TaskError::Canceled)
        }
    });
    TaskSpec::once(name, task)
}

/// Counts the events of restarts.
struct Listener {
    heard: Heard,
}

impl Subscribe for Listener {
    fn on_event(&self, event: &Event) {
        if matches!(event.kind, EventKind::AttemptFailed | EventKind::BackoffScheduled | EventKind::AttemptStarting) {
            self.heard.one();
        }
    }
}
