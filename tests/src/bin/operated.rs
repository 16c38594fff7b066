//! A process that an operator stops: the tests send it signals.
//!
//! ```text
//! operated <run|exit|start|late|until> [key=value].. <task>..
//! ```
//! `run` and `exit` call `run` and `run_to_exit`. `start` starts the tree, waits until it is ready, and calls `run`.
//! `late` starts the tree and calls `run` after a line on standard input. `main` returns an `Exit`.
//!
//! The keys are `grace`, `drain` and `force_after` in milliseconds, `interrupt=drain`, `signals=none`, and
//! `runtime=current` for a current-thread runtime, and `log=stuck` for a log that blocks for ever at a line about the request
//! of the shutdown, as a full pipe does; `log=waits` and `log=over` do so at a line about the wait, and about the end. The
//! tasks are:
//! - `cooperative` returns when it is stopped, and prints the reason;
//! - `deaf` ignores that, `spin` prints `spinning` and blocks its thread;
//! - `slow` stops when it has a line on standard input;
//! - `migrate` never completes, and the tree is not ready before;
//! - `broken` is critical and fails after 50 ms;
//! - `wedge` prints `wedged` and blocks its thread when it is stopped.
//!
//! It prints `ready` when the tasks have begun, and the kind of each event about a shutdown.

use std::fmt::Debug;
use std::future::pending;
use std::io::BufRead as _;
use std::time::Duration;

use taskvisor::{
    Event, EventKind, Exit, Ready, RestartPolicy, RuntimeError, SignalAction, Signals, Subscribe, SupervisorConfig,
    TaskContext, TaskError, TaskFn, TaskSpec, Tree,
};
use tokio::time::sleep;
use tracing::field::Field;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

struct Announcer;

#[async_trait::async_trait]
impl Subscribe for Announcer {
    async fn on_event(&self, event: &Event) {
        let task = event.task.as_deref().unwrap_or_default();
        let reason = event.reason.as_deref().unwrap_or_default();
        match event.kind {
            EventKind::ShutdownRequested | EventKind::ShutdownForced => println!("{} {reason}", event.kind),
            EventKind::ShutdownWaiting => println!("{} {task}: {reason}", event.kind),
            _ => {}
        }
    }
}

/// A `tracing` layer that blocks its thread at lines that begin with one of these.
struct Stuck(&'static [&'static str]);

impl<S: tracing::Subscriber> Layer<S> for Stuck {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        event.record(&mut |_: &Field, value: &dyn Debug| {
            let line = format!("{value:?}");
            while self.0.iter().any(|stuck| line.starts_with(stuck)) {
                std::thread::park();
            }
        });
    }
}

fn spec(kind: &str) -> TaskSpec {
    let name = kind.to_owned();
    let task = TaskFn::arc(kind, move |ctx: TaskContext| {
        let name = name.clone();
        async move {
            match name.as_str() {
                "cooperative" => {
                    println!("stopped: {}", ctx.cancelled().await);
                    Ok(())
                }
                "slow" => {
                    ctx.cancelled().await;
                    let line = tokio::task::spawn_blocking(|| std::io::stdin().lock().lines().next());
                    let _ = line.await;
                    Ok(())
                }
                "wedge" => {
                    ctx.cancelled().await;
                    println!("wedged");
                    loop {
                        std::thread::park();
                    }
                }
                "spin" => {
                    println!("spinning");
                    loop {
                        std::thread::park();
                    }
                }
                "broken" => {
                    sleep(Duration::from_millis(50)).await;
                    Err(TaskError::Fatal { reason: "broken".into() })
                }
                _ => pending().await,
            }
        }
    });
    let spec = TaskSpec::inherit(task);
    match kind {
        "migrate" => {
            spec.with_ready(Ready::Completed).with_restart(RestartPolicy::Never).with_stop_timeout(Duration::ZERO)
        }
        "broken" => spec.critical(),
        // The others are ready, and print, before their thread is blocked.
        "spin" => spec.with_initial_delay(Duration::from_millis(100)),
        _ => spec,
    }
}

fn main() -> Exit {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut config = SupervisorConfig::default();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2);
    let mut kinds = Vec::new();
    for argument in &arguments[1..] {
        let millis = |value: &str| Duration::from_millis(value.parse().expect("milliseconds"));
        match argument.split_once('=') {
            Some(("grace", value)) => config.grace = millis(value),
            Some(("drain", value)) => config.drain = millis(value),
            Some(("force_after", value)) => config.signals.force_after = millis(value),
            Some(("interrupt", "drain")) => config.signals.interrupt = SignalAction::Drain,
            Some(("signals", "none")) => config.signals = Signals::NONE,
            Some(("log", at)) => {
                let stuck: &[_] = match at {
                    "stuck" => &["shutdown requested", "drain ended"],
                    "waits" => &["shutdown waits"],
                    "over" => &["shutdown complete", "shutdown failed"],
                    _ => panic!("unknown lines `{at}`"),
                };
                tracing_subscriber::registry().with(Stuck(stuck)).init();
            }
            Some(("runtime", "current")) => runtime = tokio::runtime::Builder::new_current_thread(),
            Some((key, _)) => panic!("unknown key `{key}`"),
            None => kinds.push(argument.as_str()),
        }
    }
    let tree = Tree::builder(config).with_subscriber(Announcer).tasks(kinds.into_iter().map(spec)).build();
    let runtime = runtime.enable_all().build().expect("a runtime");
    let result = runtime.block_on(serve(&arguments[0], &tree));
    // Does not wait for a blocked worker.
    runtime.shutdown_background();
    result.into()
}

async fn serve(how: &str, tree: &Tree) -> Result<(), RuntimeError> {
    let announce = async {
        tree.wait_ready().await;
        println!("ready");
        pending::<()>().await;
    };
    match how {
        "run" => tokio::select! { result = tree.run() => result, () = announce => unreachable!() },
        "exit" => tokio::select! { never = tree.run_to_exit() => never, () = announce => unreachable!() },
        "start" => {
            tree.start().await?;
            println!("started");
            tree.wait_ready().await;
            println!("waited");
            tree.run().await
        }
        "late" => {
            tree.start().await?;
            println!("started");
            let line = tokio::task::spawn_blocking(|| std::io::stdin().lock().lines().next());
            let _ = line.await;
            tree.run().await
        }
        other => panic!("unknown way to run: `{other}`"),
    }
}
