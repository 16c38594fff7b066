//! `kameo` 0.22.
//!
//! A task is an actor that works when it starts. A task that fails does so on a message that it sends to itself, since
//! a failure to start is not restarted. In the rows that need names, they are those of the global registry. The restart
//! limit is lifted. It has no events and no slots. A group is a supervisor with the strategy `OneForAll`; its children
//! have no names. A child that fails restarts them all.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kameo::actor::{Actor, ActorRef, Spawn};
use kameo::error::Infallible;
use kameo::message::{Context, Message};
use kameo::supervision::{RestartPolicy, SupervisionStrategy};
use tokio::task::yield_now;

use crate::contender::{Contender, Measured};
use crate::countdown::{Countdown, PollAgain, all_started, check};
use crate::sample::Meter;
use crate::work::GroupLife;

pub(crate) struct Kameo;

impl Contender for Kameo {
    /// An actor is stopped through its mailbox, so that there is no token to pass.
    async fn restart(&self, size: u64, _takes_token: bool, subscribers: u64) -> Measured {
        if subscribers > 0 {
            return Ok(None);
        }
        let (failures, done) = (Countdown::new(size), Countdown::new(1));
        let root = Root::spawn(Root);
        let meter = Meter::start();
        supervise(&root, Job::Fail { failures, done: Arc::clone(&done) }).await;
        done.wait().await;
        let sample = meter.finish(size);
        root.kill();
        Ok(Some(sample))
    }

    async fn once(&self, size: u64, _takes_token: bool) -> Measured {
        let left = Countdown::new(size);
        let meter = Meter::start();
        let mut workers = Vec::new();
        for number in 0..size {
            workers.push(start(number, Job::Once { left: Arc::clone(&left) })?);
        }
        for worker in workers {
            worker.wait_for_shutdown().await;
        }
        let sample = meter.finish(size);
        left.check()?;
        Ok(Some(sample))
    }

    async fn idle(&self, size: u64, _takes_token: bool) -> Measured {
        let meter = Meter::start();
        let started = Countdown::new(size);
        let mut workers = Vec::new();
        for number in 0..size {
            workers.push(start(number, Job::Wait { started: Arc::clone(&started) })?);
        }
        started.wait().await;
        let sample = meter.finish(size);
        drop(workers);
        Ok(Some(sample))
    }

    async fn cancel(&self, size: u64, others: u64, has_started: bool) -> Measured {
        let others_alive = start_waiting(others).await;
        let begun = Countdown::of_started(size, has_started);
        let meter = Meter::start();
        for _ in 0..size {
            let worker = Worker::spawn(Job::Wait { started: Arc::clone(&begun) });
            if has_started {
                yield_now().await;
            }
            worker.stop_gracefully().await?;
            worker.wait_for_shutdown().await;
        }
        let sample = meter.finish(size);
        begun.check_started(has_started)?;
        drop(others_alive);
        Ok(Some(sample))
    }

    async fn stop(&self, size: u64) -> Measured {
        let workers = start_waiting(size).await;
        let meter = Meter::start();
        for worker in &workers {
            worker.stop_gracefully().await?;
        }
        for worker in &workers {
            worker.wait_for_shutdown().await;
        }
        Ok(Some(meter.finish(size)))
    }

    async fn group(&self, size: u64, life: GroupLife) -> Measured {
        let started = Arc::new(AtomicU64::new(0));
        let count = if life == GroupLife::Add { 1 } else { size };
        let meter = Meter::start();
        let group = Group::spawn(Group);
        let mut children = Vec::new();
        for _ in 0..count {
            children.push(supervise(&group, Job::Count { started: Arc::clone(&started) }).await);
        }
        all_started(&started, count).await;
        match life {
            GroupLife::Start => {}
            GroupLife::Stop => {
                group.stop_gracefully().await?;
                group.wait_for_shutdown().await;
                let alive = children.iter().filter(|child| child.is_alive()).count();
                check("alive", alive as u64, 0)?;
            }
            GroupLife::Restart => {
                children.first().ok_or("there is no child")?.tell(Attempt).await?;
                all_started(&started, 2 * count).await;
            }
            GroupLife::Add => {
                let left = Countdown::new(size);
                for _ in 0..size {
                    supervise(&group, Job::Once { left: Arc::clone(&left) }).await.wait_for_shutdown().await;
                }
                left.check()?;
            }
            GroupLife::Cancel | GroupLife::PlainStart | GroupLife::PlainStop => return Ok(None),
        }
        Ok(Some(meter.finish(size)))
    }

    async fn poll(&self, size: u64) -> Measured {
        let meter = Meter::start();
        Worker::spawn(Job::Poll { polls: size }).wait_for_shutdown().await;
        Ok(Some(meter.finish(size)))
    }

    async fn lifecycle(&self, size: u64) -> Measured {
        let left = Countdown::new(size);
        let meter = Meter::start();
        for _ in 0..size {
            let root = Root::spawn(Root);
            supervise(&root, Job::Once { left: Arc::clone(&left) }).await.wait_for_shutdown().await;
            root.stop_gracefully().await?;
            root.wait_for_shutdown().await;
        }
        let sample = meter.finish(size);
        left.check()?;
        Ok(Some(sample))
    }
}

async fn supervise(root: &ActorRef<impl Actor>, job: Job) -> ActorRef<Worker> {
    Worker::supervise(root, job)
        .restart_policy(RestartPolicy::Transient)
        .restart_limit(u32::MAX, Duration::from_hours(1))
        .spawn()
        .await
}

/// Starts an actor with a name, for the rows that need names. The registry searches all names to remove one, so that
/// the end of many actors takes quadratic time.
fn start(number: u64, job: Job) -> Result<ActorRef<Worker>, Box<dyn Error + Send + Sync>> {
    let worker = Worker::spawn(job);
    worker.register(format!("task-{number}"))?;
    Ok(worker)
}

/// Starts actors without names.
async fn start_waiting(size: u64) -> Vec<ActorRef<Worker>> {
    let started = Countdown::new(size);
    let workers = (0..size).map(|_| Worker::spawn(Job::Wait { started: Arc::clone(&started) })).collect();
    started.wait().await;
    workers
}

struct Root;

impl Actor for Root {
    type Args = Self;
    type Error = Infallible;

    async fn on_start(root: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(root)
    }
}

struct Group;

impl Actor for Group {
    type Args = Self;
    type Error = Infallible;

    fn supervision_strategy() -> SupervisionStrategy {
        SupervisionStrategy::OneForAll
    }

    async fn on_start(group: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(group)
    }
}

#[derive(Clone)]
enum Job {
    Fail {
        failures: Arc<Countdown>,
        done: Arc<Countdown>,
    },
    Once {
        left: Arc<Countdown>,
    },
    Wait {
        started: Arc<Countdown>,
    },
    /// Waits, and fails on a message.
    Count {
        started: Arc<AtomicU64>,
    },
    Poll {
        polls: u64,
    },
}

struct Worker {
    job: Job,
}

impl Actor for Worker {
    type Args = Job;
    type Error = Infallible;

    async fn on_start(job: Job, worker: ActorRef<Self>) -> Result<Self, Infallible> {
        match &job {
            Job::Fail { .. } => drop(worker.tell(Attempt).try_send()),
            Job::Once { left } => {
                left.finish();
                // The mailbox is its own, and empty.
                let _ = worker.stop_gracefully().await;
            }
            Job::Wait { started } => started.finish(),
            Job::Count { started } => {
                started.fetch_add(1, Ordering::Relaxed);
            }
            Job::Poll { polls } => {
                for _ in 0..*polls {
                    PollAgain::default().await;
                }
                let _ = worker.stop_gracefully().await;
            }
        }
        Ok(Self { job })
    }
}

struct Attempt;

impl Message<Attempt> for Worker {
    type Reply = Result<(), String>;

    async fn handle(&mut self, _: Attempt, _: &mut Context<Self, Self::Reply>) -> Self::Reply {
        match &self.job {
            Job::Fail { failures, done } => {
                if failures.take() {
                    return Err("boom".to_owned());
                }
                done.finish();
                Ok(())
            }
            _ => Err("boom".to_owned()),
        }
    }
}
