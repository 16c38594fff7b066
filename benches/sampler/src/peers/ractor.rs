//! `ractor` 0.16.
//!
//! A task is an actor that works when it starts and takes no messages. A hand-written supervisor restarts it: on the
//! report of a failure it spawns the child again. Names are those of the global registry. It has no events and no
//! slots. A group is a hand-written supervisor as well: on the report of a failure it stops the other children, waits for
//! them, and spawns all again.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ractor::{Actor, ActorProcessingErr, ActorRef, SpawnErr, SupervisionEvent};
use tokio::task::yield_now;

use crate::contender::{Contender, Measured};
use crate::countdown::{Countdown, PollAgain, all_started, check};
use crate::sample::Meter;
use crate::work::GroupLife;

pub(crate) struct Ractor;

impl Contender for Ractor {
    /// An actor is stopped through its mailbox, so that there is no token to pass.
    async fn restart(&self, size: u64, _takes_token: bool, subscribers: u64) -> Measured {
        if subscribers > 0 {
            return Ok(None);
        }
        let (failures, done) = (Countdown::new(size), Countdown::new(1));
        let job = Job::Fail { failures, done: Arc::clone(&done) };
        let meter = Meter::start();
        let (root, ended) = Actor::spawn(None, Root, Some(job)).await?;
        done.wait().await;
        let sample = meter.finish(size);
        root.stop(None);
        ended.await?;
        Ok(Some(sample))
    }

    async fn once(&self, size: u64, _takes_token: bool) -> Measured {
        let (root, ended) = Actor::spawn(None, Root, None).await?;
        let left = Countdown::new(size);
        let meter = Meter::start();
        let mut children = Vec::new();
        for number in 0..size {
            let job = Job::Once { left: Arc::clone(&left) };
            children.push(Actor::spawn_linked(Some(name(number)), Worker, job, root.get_cell()).await?.1);
        }
        for child in children {
            child.await?;
        }
        let sample = meter.finish(size);
        left.check()?;
        root.stop(None);
        ended.await?;
        Ok(Some(sample))
    }

    async fn idle(&self, size: u64, _takes_token: bool) -> Measured {
        let root = root().await?;
        let meter = Meter::start();
        start_waiting(size, &root).await?;
        Ok(Some(meter.finish(size)))
    }

    async fn cancel(&self, size: u64, others: u64, has_started: bool) -> Measured {
        let root = root().await?;
        start_waiting(others, &root).await?;
        let begun = Countdown::of_started(size, has_started);
        let meter = Meter::start();
        for number in others..others + size {
            let job = Job::Wait { started: Arc::clone(&begun) };
            let (actor, ended) = Actor::spawn_linked(Some(name(number)), Worker, job, root.get_cell()).await?;
            if has_started {
                yield_now().await;
            }
            actor.stop(None);
            ended.await?;
        }
        let sample = meter.finish(size);
        begun.check_started(has_started)?;
        Ok(Some(sample))
    }

    async fn stop(&self, size: u64) -> Measured {
        let root = root().await?;
        start_waiting(size, &root).await?;
        let meter = Meter::start();
        root.stop_children_and_wait(None, None).await;
        Ok(Some(meter.finish(size)))
    }

    async fn group(&self, size: u64, life: GroupLife) -> Measured {
        let started = Arc::new(AtomicU64::new(0));
        let count = if life == GroupLife::Add { 1 } else { size };
        let children = Children { count, started: Arc::clone(&started) };
        let meter = Meter::start();
        let (group, ended) = Actor::spawn(None, Group, children).await?;
        all_started(&started, count).await;
        match life {
            GroupLife::Start => {}
            GroupLife::Stop => {
                group.stop_children_and_wait(None, None).await;
                check("left", group.get_children().len() as u64, 0)?;
                group.stop(None);
                ended.await?;
            }
            GroupLife::Restart => {
                let child = ActorRef::<()>::where_is(name(0)).ok_or("the first child is gone")?;
                child.send_message(())?;
                all_started(&started, 2 * count).await;
            }
            GroupLife::Add => {
                let left = Countdown::new(size);
                for number in count..count + size {
                    let job = Job::Once { left: Arc::clone(&left) };
                    Actor::spawn_linked(Some(name(number)), Worker, job, group.get_cell()).await?.1.await?;
                }
                left.check()?;
            }
            GroupLife::Cancel | GroupLife::PlainStart | GroupLife::PlainStop => return Ok(None),
        }
        Ok(Some(meter.finish(size)))
    }

    async fn poll(&self, size: u64) -> Measured {
        let meter = Meter::start();
        let (_, ended) = Actor::spawn(None, Worker, Job::Poll { polls: size }).await?;
        ended.await?;
        Ok(Some(meter.finish(size)))
    }

    async fn lifecycle(&self, size: u64) -> Measured {
        let left = Countdown::new(size);
        let meter = Meter::start();
        for _ in 0..size {
            let (root, ended) = Actor::spawn(None, Root, None).await?;
            let job = Job::Once { left: Arc::clone(&left) };
            Actor::spawn_linked(Some(name(0)), Worker, job, root.get_cell()).await?.1.await?;
            root.stop(None);
            ended.await?;
        }
        let sample = meter.finish(size);
        left.check()?;
        Ok(Some(sample))
    }
}

fn name(number: u64) -> String {
    format!("task-{number}")
}

async fn root() -> Result<ActorRef<()>, SpawnErr> {
    Actor::spawn(None, Root, None).await.map(|(root, _)| root)
}

async fn start_waiting(size: u64, root: &ActorRef<()>) -> Result<(), Box<dyn Error + Send + Sync>> {
    let started = Countdown::new(size);
    for number in 0..size {
        let job = Job::Wait { started: Arc::clone(&started) };
        Actor::spawn_linked(Some(name(number)), Worker, job, root.get_cell()).await?;
    }
    started.wait().await;
    Ok(())
}

/// Restarts its job after each failure.
struct Root;

impl Actor for Root {
    type Msg = ();
    type State = Option<Job>;
    type Arguments = Option<Job>;

    async fn pre_start(&self, root: ActorRef<()>, job: Option<Job>) -> Result<Option<Job>, ActorProcessingErr> {
        if let Some(job) = &job {
            Actor::spawn_linked(None, Worker, job.clone(), root.get_cell()).await?;
        }
        Ok(job)
    }

    async fn handle_supervisor_evt(
        &self,
        root: ActorRef<()>,
        event: SupervisionEvent,
        job: &mut Option<Job>,
    ) -> Result<(), ActorProcessingErr> {
        if let (SupervisionEvent::ActorFailed(..), Some(job)) = (event, job) {
            Actor::spawn_linked(None, Worker, job.clone(), root.get_cell()).await?;
        }
        Ok(())
    }
}

/// Restarts all children after the failure of one.
struct Group;

struct Children {
    count: u64,
    started: Arc<AtomicU64>,
}

impl Children {
    async fn spawn(&self, group: &ActorRef<()>) -> Result<(), SpawnErr> {
        for number in 0..self.count {
            let job = Job::Count { started: Arc::clone(&self.started) };
            Actor::spawn_linked(Some(name(number)), Worker, job, group.get_cell()).await?;
        }
        Ok(())
    }
}

impl Actor for Group {
    type Msg = ();
    type State = Children;
    type Arguments = Children;

    async fn pre_start(&self, group: ActorRef<()>, children: Children) -> Result<Children, ActorProcessingErr> {
        children.spawn(&group).await?;
        Ok(children)
    }

    async fn handle_supervisor_evt(
        &self,
        group: ActorRef<()>,
        event: SupervisionEvent,
        children: &mut Children,
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorFailed(..) = event {
            group.stop_children_and_wait(None, None).await;
            children.spawn(&group).await?;
        }
        Ok(())
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

struct Worker;

impl Actor for Worker {
    type Msg = ();
    type State = Job;
    type Arguments = Job;

    async fn pre_start(&self, _: ActorRef<()>, job: Job) -> Result<Job, ActorProcessingErr> {
        Ok(job)
    }

    async fn post_start(&self, worker: ActorRef<()>, job: &mut Job) -> Result<(), ActorProcessingErr> {
        match job {
            Job::Fail { failures, done } => {
                if failures.take() {
                    return Err("boom".into());
                }
                done.finish();
            }
            Job::Once { left } => {
                left.finish();
                worker.stop(None);
            }
            Job::Wait { started } => started.finish(),
            Job::Count { started } => {
                started.fetch_add(1, Ordering::Relaxed);
            }
            Job::Poll { polls } => {
                for _ in 0..*polls {
                    PollAgain::default().await;
                }
                worker.stop(None);
            }
        }
        Ok(())
    }

    async fn handle(&self, _: ActorRef<()>, (): (), _: &mut Job) -> Result<(), ActorProcessingErr> {
        Err("boom".into())
    }
}
