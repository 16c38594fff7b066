//! The work of the tasks. What an attempt does is drawn at random.

use std::hint::black_box;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use taskvisor::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use crate::world::{Bounds, Life, World};

/// What a task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Runs until it is requested to stop, or fails before.
    Daemon,
    /// The same, and says when it is ready.
    Server,
    /// Ends within 100 ms.
    Job,
}

/// What the tasks of one life share.
#[derive(Clone)]
pub(crate) struct Works {
    pub(crate) world: Arc<World>,
    pub(crate) life: Life,
}

pub(crate) fn ms(number: u64) -> Duration {
    Duration::from_millis(number)
}

fn failure() -> TaskError {
    TaskError::Fail { reason: "drawn".into() }
}

fn panics() -> ! {
    // Like `panic!`, without the message on standard error.
    resume_unwind(Box::new("drawn"))
}

/// Keeps a core busy.
pub(crate) fn burn(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        black_box((0..1000u64).fold(0, |sum, n| black_box(sum ^ n)));
    }
}

impl Works {
    pub(crate) fn task(&self, name: &str, kind: Kind, bounds: Bounds) -> TaskSpec {
        let works = self.clone();
        let task = TaskFn::arc(name, move |ctx: TaskContext| {
            let works = works.clone();
            async move { works.attempt(&ctx, kind, bounds).await }
        });
        TaskSpec::inherit(task)
    }

    pub(crate) fn plain(&self, name: &str, kind: Kind) -> TaskSpec {
        self.task(name, kind, Bounds::default())
    }

    async fn attempt(&self, ctx: &TaskContext, kind: Kind, bounds: Bounds) -> Result<(), TaskError> {
        let inside = self.world.enter(self.life, ctx, bounds);
        if fastrand::u8(..4) == 0 {
            let (helper, token, late) = (inside.helper(), ctx.token(), ms(fastrand::u64(..20)));
            ctx.spawn(async move {
                token.run_until_cancelled(sleep(ms(fastrand::u64(..500)))).await;
                sleep(late).await;
                drop(helper);
            });
        }
        if kind == Kind::Server {
            sleep(ms(5)).await;
            ctx.ready();
        }
        let time = if kind == Kind::Job { fastrand::u64(..100) } else { 1 << fastrand::u32(..14) };
        let end = Instant::now() + ms(time);
        let beats = async {
            while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
                ctx.heartbeat();
                burn(Duration::from_micros(fastrand::u64(..200)));
                sleep(left.min(ms(300))).await;
            }
        };
        if ctx.run_until_cancelled(beats).await.is_some() {
            return self.end(kind).await;
        }
        match fastrand::u8(..100) {
            0 => panics(),
            1..20 => sleep(ms(fastrand::u64(..100))).await,
            _ => {}
        }
        Ok(())
    }

    /// How an attempt ends by itself.
    async fn end(&self, kind: Kind) -> Result<(), TaskError> {
        match fastrand::u8(..100) {
            0..70 if kind == Kind::Job => Ok(()),
            0..50 => Err(failure()),
            50..60 => Err(failure().retry_after(ms(fastrand::u64(..200)))),
            60..85 => panics(),
            85..87 => Err(TaskError::Fatal { reason: "drawn".into() }),
            // A timeout or the watchdog has to end it.
            87..90 if !self.world.is_over() => std::future::pending().await,
            _ => Ok(()),
        }
    }

    fn block(&self, ctx: &TaskContext, time: Duration) -> Result<(), TaskError> {
        let _inside = self.world.enter(self.life, ctx, Bounds::default());
        let start = Instant::now();
        while start.elapsed() < time && !ctx.is_cancelled() {
            std::thread::sleep(ms(3));
            burn(Duration::from_micros(200));
        }
        match fastrand::u8(..10) {
            0..4 => Err(failure()),
            4 => panics(),
            _ => Ok(()),
        }
    }
}

/// Blocks a thread of its own.
#[task(blocking, restart = "always", stop_timeout = "2s")]
pub(crate) fn own_thread(ctx: TaskContext, works: Works) -> Result<(), TaskError> {
    works.block(&ctx, ms(1 << fastrand::u32(..10)))
}

/// Blocks a thread of the pool.
#[task(blocking = "pool", restart = "always", stop_timeout = "2s", interval = "5ms")]
pub(crate) fn pool_thread(ctx: TaskContext, works: Works) -> Result<(), TaskError> {
    works.block(&ctx, ms(fastrand::u64(..20)))
}

/// Uses a third of a core, all of it for 3 s in each 20 s, and blocks its worker for 100 ms now and then.
#[task(restart = "always")]
pub(crate) async fn load(ctx: TaskContext, works: Works) -> Result<(), TaskError> {
    let _inside = works.world.enter(works.life, &ctx, Bounds::default());
    let start = Instant::now();
    while !ctx.is_cancelled() {
        let is_burst = start.elapsed().as_secs() % 20 >= 17;
        burn(ms(if fastrand::u16(..2000) == 0 { 100 } else { 2 }));
        if is_burst { tokio::task::yield_now().await } else { sleep(ms(4)).await }
    }
    Ok(())
}

/// Answers on a socket that each attempt binds anew, and asks itself. Each connection is a helper of the attempt.
#[task(restart = "always", backoff(first = "20ms", max = "200ms", factor = 2.0, jitter = "equal"))]
pub(crate) async fn serve(ctx: TaskContext, works: Works) -> std::io::Result<()> {
    let _inside = works.world.enter(works.life, &ctx, Bounds::default());
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    for _ in 0..fastrand::u32(1..200) {
        ctx.spawn(async move {
            let Ok(mut stream) = TcpStream::connect(address).await else { return };
            _ = stream.write_all(b"?").await;
            _ = stream.read(&mut [0]).await;
        });
        let Some(accepted) = ctx.run_until_cancelled(listener.accept()).await else { return Ok(()) };
        let (mut stream, _) = accepted?;
        ctx.spawn(async move {
            _ = stream.read(&mut [0]).await;
            sleep(ms(fastrand::u64(..200))).await;
            _ = stream.write_all(b"!").await;
        });
        sleep(ms(20)).await;
    }
    Err(std::io::Error::other("drawn"))
}
