//! `task-supervisor` 0.5.
//!
//! Restarts without limit and without delay. Only the status shows that a task has completed, so that a countdown waits
//! for one-shot tasks, and for many of them also the status of the last. It has no events and no slots.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use task_supervisor::{CancellationToken, SupervisedTask, SupervisorBuilder, SupervisorHandle, TaskResult, TaskStatus};
use tokio::task::yield_now;

use crate::contender::{Contender, Measured};
use crate::countdown::{Countdown, PollAgain};
use crate::sample::Meter;

pub(crate) struct TaskSupervisor;

impl Contender for TaskSupervisor {
    /// It passes a token to every attempt.
    async fn restart(&self, size: u64, _takes_token: bool, subscribers: u64) -> Measured {
        if subscribers > 0 {
            return Ok(None);
        }
        let supervisor = supervisor();
        let (failures, done) = (Countdown::new(size), Countdown::new(1));
        let meter = Meter::start();
        supervisor.add_task("task", Failing { failures, done: Arc::clone(&done) }).await?;
        done.wait().await;
        let sample = meter.finish(size);
        supervisor.shutdown().await?;
        Ok(Some(sample))
    }

    async fn once(&self, size: u64, _takes_token: bool) -> Measured {
        let supervisor = supervisor();
        let left = Countdown::new(size);
        let meter = Meter::start();
        for number in 0..size {
            supervisor.add_task(&format!("task-{number}"), Job { left: Arc::clone(&left) }).await?;
        }
        left.wait().await;
        if let Some(last) = size.checked_sub(1) {
            completed(&supervisor, &format!("task-{last}")).await?;
        }
        let sample = meter.finish(size);
        supervisor.shutdown().await?;
        Ok(Some(sample))
    }

    async fn idle(&self, size: u64, _takes_token: bool) -> Measured {
        let supervisor = supervisor();
        let started = Countdown::new(size);
        let meter = Meter::start();
        for number in 0..size {
            supervisor.add_task(&format!("task-{number}"), Waiting { started: Arc::clone(&started) }).await?;
        }
        started.wait().await;
        let sample = meter.finish(size);
        supervisor.shutdown().await?;
        Ok(Some(sample))
    }

    /// A killed task stays in the registry.
    async fn cancel(&self, size: u64, others: u64, has_started: bool) -> Measured {
        let supervisor = supervisor();
        let started = Countdown::new(others);
        for number in 0..others {
            supervisor.add_task(&format!("other-{number}"), Waiting { started: Arc::clone(&started) }).await?;
        }
        started.wait().await;
        let started = Countdown::of_started(size, has_started);
        let meter = Meter::start();
        for number in 0..size {
            let name = format!("task-{number}");
            supervisor.add_task(&name, Waiting { started: Arc::clone(&started) }).await?;
            if has_started {
                yield_now().await;
            }
            supervisor.kill_task(&name).await?;
        }
        let sample = meter.finish(size);
        started.check_started(has_started)?;
        supervisor.shutdown().await?;
        Ok(Some(sample))
    }

    async fn stop(&self, size: u64) -> Measured {
        let supervisor = supervisor();
        let started = Countdown::new(size);
        for number in 0..size {
            supervisor.add_task(&format!("task-{number}"), Waiting { started: Arc::clone(&started) }).await?;
        }
        started.wait().await;
        let meter = Meter::start();
        supervisor.shutdown().await?;
        Ok(Some(meter.finish(size)))
    }

    async fn poll(&self, size: u64) -> Measured {
        let supervisor = supervisor();
        let done = Countdown::new(1);
        let meter = Meter::start();
        supervisor.add_task("task", Polled { polls: size, done: Arc::clone(&done) }).await?;
        done.wait().await;
        let sample = meter.finish(size);
        supervisor.shutdown().await?;
        Ok(Some(sample))
    }

    async fn lifecycle(&self, size: u64) -> Measured {
        let meter = Meter::start();
        for _ in 0..size {
            let supervisor = supervisor();
            let left = Countdown::new(1);
            supervisor.add_task("task", Job { left: Arc::clone(&left) }).await?;
            left.wait().await;
            supervisor.shutdown().await?;
        }
        Ok(Some(meter.finish(size)))
    }
}

fn supervisor() -> SupervisorHandle {
    SupervisorBuilder::new()
        .with_unlimited_restarts()
        .with_base_restart_delay(Duration::ZERO)
        .with_max_restart_delay(Duration::ZERO)
        .with_restart_jitter(0.0)
        .spawn()
}

async fn completed(supervisor: &SupervisorHandle, name: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
    while supervisor.task_status(name).await? != TaskStatus::Completed {
        yield_now().await;
    }
    Ok(())
}

#[derive(Clone)]
struct Failing {
    failures: Arc<Countdown>,
    done: Arc<Countdown>,
}

impl SupervisedTask for Failing {
    async fn run(self, _: CancellationToken) -> TaskResult {
        if self.failures.take() {
            return Err("boom".into());
        }
        self.done.finish();
        Ok(())
    }
}

#[derive(Clone)]
struct Job {
    left: Arc<Countdown>,
}

impl SupervisedTask for Job {
    async fn run(self, _: CancellationToken) -> TaskResult {
        self.left.finish();
        Ok(())
    }
}

#[derive(Clone)]
struct Waiting {
    started: Arc<Countdown>,
}

impl SupervisedTask for Waiting {
    async fn run(self, token: CancellationToken) -> TaskResult {
        self.started.finish();
        token.cancelled().await;
        Ok(())
    }
}

#[derive(Clone)]
struct Polled {
    polls: u64,
    done: Arc<Countdown>,
}

impl SupervisedTask for Polled {
    async fn run(self, _: CancellationToken) -> TaskResult {
        for _ in 0..self.polls {
            PollAgain::default().await;
        }
        self.done.finish();
        Ok(())
    }
}
