//! Trees that run: attempts, clones, handles, and inherited options, compared with the builder.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use taskvisor::prelude::*;
use taskvisor::{TaskSpec, Tree};

#[task(backoff(first = "1ms"))]
async fn flaky(left: Arc<AtomicUsize>) -> Result<(), String> {
    match left.fetch_sub(1, Ordering::Relaxed) {
        1 => Ok(()),
        more => Err(format!("{more} left")),
    }
}

#[task(stop_timeout = "7s")]
async fn serve(ctx: TaskContext, stopped: Arc<AtomicUsize>) {
    ctx.cancelled().await;
    stopped.fetch_add(1, Ordering::Relaxed);
}

async fn runs_to_the_end() -> Result<(), RuntimeError> {
    let (left, stopped) = (Arc::new(AtomicUsize::new(3)), Arc::new(AtomicUsize::new(0)));
    let tree = supervise!(
        signals = false,
        tasks = [
            flaky { left: left.clone() },
            serve { stopped: stopped.clone() },
            other = serve { stopped: stopped.clone() },
        ],
    );
    tree.start().await?;
    let outcome = tree.tasks.flaky.outcome().await;
    assert!(matches!(outcome, Some(TaskOutcome::Completed { .. })), "{outcome:?}");
    assert_eq!(left.load(Ordering::Relaxed), 0);
    assert!(tree.tasks.other.cancel().await?);
    assert_eq!(stopped.load(Ordering::Relaxed), 1);
    assert!(tree.tasks.serve.cancel().await?);
    tree.run().await
}

async fn inherits_what_the_builder_would() -> Result<(), RuntimeError> {
    let stopped = Arc::new(AtomicUsize::new(0));
    let made = supervise!(
        signals = false,
        defaults(
            restart = "always",
            interval = "3s",
            timeout = "4s",
            stop_timeout = "5s",
            max_retries = 6,
            backoff(first = "1s", factor = 2.0, reset_after = "8s"),
        ),
        tasks = [
            plain = serve { stopped: stopped.clone() },
            changed = task(
                serve { stopped: stopped.clone() },
                restart = "never",
                timeout = "1s",
                initial_delay = "1h"
            ),
        ],
    );
    let mut config = SupervisorConfig::default();
    config.signals = Signals::NONE;
    config.restart = RestartPolicy::Always { interval: Some(Duration::from_secs(3)) };
    config.timeout = Duration::from_secs(4);
    config.stop_timeout = Some(Duration::from_secs(5));
    config.max_retries = Some(6);
    config.backoff = BackoffPolicy { first: Duration::from_secs(1), factor: 2.0, ..BackoffPolicy::default() };
    config.reset_after = Some(Duration::from_secs(8));
    let built = Tree::builder(config)
        .task(serve::spec(stopped.clone()).with_name("plain"))
        .task(
            serve::spec(stopped)
                .with_name("changed")
                .with_restart(RestartPolicy::Never)
                .with_timeout(Duration::from_secs(1))
                .with_initial_delay(Duration::from_secs(3600)),
        )
        .build();
    made.start().await?;
    built.start().await?;
    for (name, handle) in [("plain", &made.tasks.plain), ("changed", &made.tasks.changed)] {
        let made = handle.current().expect("it was started").spec();
        let built = built.child(name).current().expect("it was started").spec();
        assert_eq!(settings(&made), settings(&built));
    }
    Ok(())
}

/// What `run_until` takes: as its message says, and what has no type of its own.
async fn runs_until() -> Result<(), RuntimeError> {
    let stopped = Arc::new(AtomicUsize::new(0));
    let tree = supervise!(tasks = [serve { stopped: stopped.clone() }]);
    let (send, stop) = tokio::sync::oneshot::channel::<()>();
    let never = [
        tree.run_until(async { tokio::signal::ctrl_c().await.ok(); }).boxed(),
        tree.run_until(std::future::pending()).boxed(),
        tree.run_until(async {
            loop {
                tokio::task::yield_now().await;
            }
        })
        .boxed(),
    ];
    drop((never, send));
    tree.run_until(async { stop.await.ok(); }).await
}

/// Gives futures one type.
trait Boxed<'a>: Future<Output = Result<(), RuntimeError>> + Sized + 'a {
    fn boxed(self) -> std::pin::Pin<Box<dyn Future<Output = Result<(), RuntimeError>> + 'a>> {
        Box::pin(self)
    }
}

impl<'a, F: Future<Output = Result<(), RuntimeError>> + 'a> Boxed<'a> for F {}

fn settings(spec: &TaskSpec) -> String {
    let (restart, backoff) = (spec.restart(), spec.backoff());
    let times = (spec.timeout(), spec.stop_timeout(), spec.every(), spec.initial_delay(), spec.reset_after());
    format!("{} {restart:?} {backoff:?} {times:?} {:?}", spec.name(), spec.max_retries())
}

#[tokio::main]
async fn main() -> Result<(), RuntimeError> {
    runs_to_the_end().await?;
    runs_until().await?;
    inherits_what_the_builder_would().await
}
