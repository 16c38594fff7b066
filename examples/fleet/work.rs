//! The work of the replicas: a task, a group and a slot, each once in the fleet.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use taskvisor::fleet::Fleet;
use taskvisor::prelude::*;
use taskvisor::{ControllerSpec, Group, SlotSpec, Tree};
use tokio::time::Instant;

use crate::console::Attached;
use crate::counter::Counter;
use crate::log::{DEPLOY, FEEDS, LEDGER, Log, What, is_clock_set};

/// The time between two pieces of work.
const BEAT: Duration = Duration::from_millis(50);
/// The duration of a job.
const JOB: Duration = Duration::from_millis(300);

/// One life of a replica: from a start to its end.
#[derive(Clone)]
struct Life {
    log: Log,
    counter: Counter,
    random: Arc<Mutex<fastrand::Rng>>,
    /// The tokens that this life has had.
    tokens: Arc<Mutex<Vec<(&'static str, u64)>>>,
}

impl Life {
    fn between(&self, least: u64, most: u64) -> Duration {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        Duration::from_millis(random.u64(least..=most))
    }

    /// Works for a time, or until it is requested to stop. Each piece of work ends with a write behind the fence.
    async fn work(&self, ctx: &TaskContext, key: &'static str, time: Duration) -> Result<(), TaskError> {
        let reason = "it runs without a lease".to_owned();
        let token = ctx.fencing_token().ok_or(TaskError::Fatal { reason })?.number();
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).push((key, token));
        let run = self.log.begin(key, ctx.name(), token);
        let end = Instant::now() + time;
        run.during(async {
            while Instant::now() < end {
                run.write(What::Work);
                let answer = self.counter.increment(key, token).await;
                run.write(What::Wrote(answer));
                if !ctx.sleep(BEAT).await {
                    break;
                }
            }
        })
        .await;
        Ok(())
    }

    /// A task that works for a while and fails, again and again: a restart keeps the lease.
    fn ledger(&self) -> TaskSpec {
        let life = self.clone();
        TaskSpec::inherit(TaskFn::arc("ledger", move |ctx: TaskContext| {
            let life = life.clone();
            async move {
                let time = life.between(500, 4_000);
                life.work(&ctx, LEDGER, time).await?;
                if ctx.is_cancelled() { Ok(()) } else { Err(TaskError::error("the ledger is torn")) }
            }
        }))
        .with_singleton()
    }

    /// A member of the group.
    fn feed(&self, name: &'static str) -> TaskSpec {
        let life = self.clone();
        TaskSpec::inherit(TaskFn::arc(name, move |ctx: TaskContext| {
            let life = life.clone();
            async move { life.work(&ctx, FEEDS, Duration::MAX / 4).await }
        }))
    }

    /// Submits jobs to the slot, one after another.
    fn release(&self) -> TaskSpec {
        let life = self.clone();
        TaskSpec::inherit(TaskFn::arc("release", move |ctx: TaskContext| {
            let life = life.clone();
            async move {
                let mut number = 0;
                while ctx.sleep(life.between(200, 1_500)).await {
                    number += 1;
                    let job = ControllerSpec::queue(life.job(number)).with_slot("deploy");
                    let Ok(job) = ctx.supervisor().submit(job).await else { break };
                    ctx.run_until_cancelled(job.outcome()).await;
                }
                Ok(())
            }
        }))
    }

    /// Writes with old tokens, as a former owner does that has not noticed the loss of its lease. The fence must refuse
    /// them.
    fn ghost(&self) -> TaskSpec {
        let life = self.clone();
        TaskSpec::inherit(TaskFn::arc("ghost", move |ctx: TaskContext| {
            let life = life.clone();
            async move {
                while ctx.sleep(life.between(200, 800)).await {
                    if is_clock_set() {
                        life.log.note(What::ClockIsSet);
                    }
                    let Some((key, token)) = life.old_token() else { continue };
                    let answer = life.counter.increment(key, token).await;
                    life.log.note(What::Stale { key: key.to_owned(), answer });
                }
                Ok(())
            }
        }))
    }

    /// Returns an old token of this life, after which a greater one was issued.
    fn old_token(&self) -> Option<(&'static str, u64)> {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let is_old = |(key, token): &&(_, u64)| tokens.iter().any(|(other, later)| other == key && later > token);
        let old: Vec<_> = tokens.iter().filter(is_old).copied().collect();
        drop(tokens);
        self.random.lock().unwrap_or_else(PoisonError::into_inner).choice(old)
    }

    fn job(&self, number: usize) -> TaskSpec {
        let life = self.clone();
        TaskSpec::inherit(TaskFn::arc(format!("deploy-{number}"), move |ctx: TaskContext| {
            let life = life.clone();
            async move { life.work(&ctx, DEPLOY, JOB).await }
        }))
    }
}

/// Logs work that outlives its lease.
struct Overruns(Log);

#[async_trait::async_trait]
impl Subscribe for Overruns {
    async fn on_event(&self, event: &Event) {
        if event.kind == EventKind::LeaseOverrun {
            self.0.note(What::Overrun);
        }
    }
}

/// Returns the tree of one life of a replica.
pub(crate) fn replica(fleet: Fleet, log: &Log, counter: Counter, seed: u64, console: Attached) -> Tree {
    let random = Arc::new(Mutex::new(fastrand::Rng::with_seed(seed)));
    let life = Life { log: log.clone(), counter, random, tokens: Arc::default() };
    let feeds = Group::one_for_all("feeds")
        .with_singleton()
        .task(life.feed("read"))
        .task(life.feed("write").with_after(["read"]));
    let mut builder = Tree::builder(SupervisorConfig::default());
    for subscriber in console.subscribers {
        builder = builder.with_subscriber(subscriber);
    }
    builder
        .with_subscriber(Overruns(log.clone()))
        .with_fleet(fleet)
        .with_slot(SlotSpec::new("deploy").with_fleet())
        .task(life.ledger())
        .group(feeds)
        .task(life.release())
        .task(life.ghost())
        .tasks(console.task)
        .build()
}
