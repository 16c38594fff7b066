//! The work of the tasks: what an attempt does is drawn from the seed.

use std::sync::Arc;
use std::time::Duration;

use taskvisor::inbox::Inbox;
use taskvisor::{TaskContext, TaskError, TaskFn, TaskSpec};
use tests::{ms, secs};
use tokio::time::sleep;

use crate::rules;
use crate::world::{Bounds, Inside, Life, Who, World};

/// The message of every panic of the soak.
pub(crate) const PANIC: &str = "a panic of the soak";

/// What a task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Runs until it is requested to stop.
    Daemon,
    /// The same, and says when it is ready.
    Server,
    /// Ends in success after some seconds.
    Job,
}

/// How an attempt ends by itself.
enum End {
    Success,
    Failure,
    RetryAfter(Duration),
    Panic,
    Fatal,
    Canceled,
    Hang,
}

/// What the tasks of one life share.
#[derive(Clone)]
pub(crate) struct Works {
    pub(crate) world: Arc<World>,
    pub(crate) life: Life,
}

impl Works {
    /// A task of this kind. Each attempt counts for `max_concurrent` too.
    pub(crate) fn task(&self, name: &str, kind: Kind, mut bounds: Bounds) -> TaskSpec {
        bounds.limits.push(("all".into(), rules::ALL));
        let (works, bounds) = (self.clone(), Arc::new(bounds));
        let task = TaskFn::arc(name, move |ctx: TaskContext| {
            let (works, bounds) = (works.clone(), Arc::clone(&bounds));
            async move { works.attempt(ctx, kind, &bounds).await }
        });
        TaskSpec::inherit(task)
    }

    pub(crate) fn plain(&self, name: &str, kind: Kind) -> TaskSpec {
        self.task(name, kind, Bounds::default())
    }

    /// A reader of an inbox.
    pub(crate) fn reader(&self, name: &str, inbox: &Inbox<u64>) -> TaskSpec {
        let (works, inbox) = (self.clone(), inbox.clone());
        let task = TaskFn::arc(name, move |ctx: TaskContext| {
            let (works, inbox) = (works.clone(), inbox.clone());
            async move {
                let bounds = Bounds { limits: vec![("all".into(), rules::ALL)], lease: None };
                let _inside = works.world.enter(&Who::of(works.life, &ctx), &bounds);
                while let Some(number) = inbox.next(&ctx).await {
                    if !works.world.is_calm() && works.world.random(|random| random.u8(..10)) == 0 {
                        inbox.put_back(number);
                        return Err(TaskError::Fail { reason: "given back".into() });
                    }
                    works.world.took(works.life, number);
                    ctx.run_until_cancelled(sleep(secs(1))).await;
                }
                Ok(())
            }
        });
        TaskSpec::inherit(task)
    }

    async fn attempt(&self, ctx: TaskContext, kind: Kind, bounds: &Bounds) -> Result<(), TaskError> {
        let inside = self.world.enter(&Who::of(self.life, &ctx), bounds);
        if self.world.random(|random| random.u8(..4)) == 0 {
            self.help(&ctx, &inside);
        }
        if kind == Kind::Server {
            // Until it is ready, it holds a place of `max_starting` of the tenants.
            let starts = ctx.path().starts_with("tenants/");
            let place = starts.then(|| self.world.hold(self.life, "tenants that start", rules::STARTING, ctx.path()));
            sleep(ms(500)).await;
            drop(place);
            ctx.ready();
        }
        let (time, end) = self.plan(kind);
        let beats = async {
            let until = tokio::time::Instant::now() + time;
            while tokio::time::Instant::now() < until {
                ctx.heartbeat();
                sleep((until - tokio::time::Instant::now()).min(secs(600))).await;
            }
        };
        if ctx.run_until_cancelled(beats).await.is_some() {
            return end.come().await;
        }
        // It is requested to stop.
        match self.world.random(|random| (random.u8(..40), random.u64(..3000))) {
            (0, _) if !self.world.is_calm() => std::future::pending().await,
            (1, _) if !self.world.is_calm() => std::panic::panic_any(PANIC),
            (2..10, time) => sleep(ms(time)).await,
            _ => {}
        }
        Ok(())
    }

    /// Spawns a helper of the attempt, which ends on the stop request.
    fn help(&self, ctx: &TaskContext, inside: &Inside) {
        let (helper, token) = (inside.helper(), ctx.token());
        let late = self.world.random(|random| random.u64(..500));
        ctx.spawn(async move {
            token.run_until_cancelled(sleep(secs(3600))).await;
            sleep(ms(late)).await;
            drop(helper);
        });
    }

    /// Draws how long an attempt runs, and how it ends.
    fn plan(&self, kind: Kind) -> (Duration, End) {
        if self.world.is_calm() {
            let time = if kind == Kind::Job { secs(5) } else { secs(1_000_000_000) };
            return (time, End::Success);
        }
        self.world.random(|random| {
            let time = match kind {
                Kind::Job => ms(random.u64(..20_000)),
                // The times spread over all sizes: some attempts end at once.
                _ => ms(1 << random.u32(..26)).saturating_sub(ms(1)),
            };
            let end = match (kind, random.u8(..100)) {
                (Kind::Job, 0..70) => End::Success,
                (_, 0..45) => End::Failure,
                (_, 45..55) => End::RetryAfter(secs(random.u64(..60))),
                (_, 55..80) => End::Panic,
                (_, 80..84) => End::Fatal,
                (_, 84..86) => End::Canceled,
                (_, 86..92) => End::Hang,
                _ => End::Success,
            };
            (time, end)
        })
    }
}

impl End {
    async fn come(self) -> Result<(), TaskError> {
        let fail = || TaskError::Fail { reason: "drawn".into() };
        match self {
            Self::Success => Ok(()),
            Self::Failure => Err(fail()),
            Self::RetryAfter(delay) => Err(fail().retry_after(delay)),
            Self::Panic => std::panic::panic_any(PANIC),
            Self::Fatal => Err(TaskError::Fatal { reason: "drawn".into() }),
            Self::Canceled => Err(TaskError::Canceled),
            Self::Hang => std::future::pending().await,
        }
    }
}
