//! Tasks with a thread of their own: their log lines, and the end of their span.

use std::sync::{Arc, Mutex, mpsc};

use taskvisor::{RestartPolicy, RuntimeError, Supervisor, SupervisorConfig, TaskContext, TaskError, TaskOutcome, task};
use tests::{constant, ms, secs, settle, supervisor};
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::advance;
use tracing::dispatcher::{self, Dispatch};
use tracing::info;

use super::log::{Entry, Log, What};
use super::spans::Farewell;

/// Runs a future as `run` does, and makes this log the subscriber of the pool's threads as well.
fn run_logged<F: Future>(log: &Log, future: F) -> F::Output {
    let dispatch = Dispatch::new(log.subscriber());
    let of_threads = dispatch.clone();
    let mut builder = Builder::new_current_thread();
    builder.on_thread_start(move || std::mem::forget(dispatcher::set_default(&of_threads)));
    let runtime = builder.enable_all().start_paused(true).build().unwrap();
    dispatcher::with_default(&dispatch, || runtime.block_on(future))
}

/// Logs, waits for the test, and fails in its first attempt.
#[task(blocking = "pool")]
fn grind(ctx: TaskContext, begun: UnboundedSender<()>, go: Arc<Mutex<mpsc::Receiver<()>>>) -> Result<(), TaskError> {
    let me = format!("{}#{}", ctx.name(), ctx.attempt());
    let _farewell = Farewell(me.clone());
    info!(of = me, "works");
    begun.send(()).unwrap();
    go.lock().unwrap().recv().unwrap();
    info!(of = me, "returns");
    if ctx.attempt() == 1 { Err(TaskError::Fail { reason: "again".into() }) } else { Ok(()) }
}

/// The log of one attempt, in order: its span, and the lines of the task.
fn told(log: &Log, attempt: &str) -> Vec<String> {
    let entries = log.entries();
    let said = entries.iter().filter(|entry| entry.field("of") == attempt);
    for entry in said {
        assert_eq!(entry.span.as_deref(), Some(attempt), "{entry:?}");
    }
    let text = |entry: &Entry| match entry.what {
        What::Opened => Some("opened".to_owned()),
        What::Closed => Some("closed".to_owned()),
        What::Event if entry.field("of") == attempt => Some(entry.message().to_owned()),
        _ => None,
    };
    entries.iter().filter(|entry| entry.span.as_deref() == Some(attempt)).filter_map(text).collect()
}

#[test]
fn what_it_logs_on_its_thread_is_in_the_span_of_the_attempt() {
    // given
    let log = Log::default();
    let (begun, _begun) = unbounded_channel();
    let (go, going) = mpsc::channel();
    for () in [(), ()] {
        go.send(()).unwrap();
    }
    let spec = grind::spec(begun, Arc::new(Mutex::new(going))).with_backoff(constant(ms(1)));
    // when
    let outcome = run_logged(&log, async { supervisor().add_task(spec).await.unwrap().outcome().await });
    // then
    assert!(outcome.is_completed(), "{outcome}");
    for attempt in ["grind#1", "grind#2"] {
        assert_eq!(told(&log, attempt), ["opened", "works", "returns", "dropped", "closed"], "{attempt}");
    }
    let entries = log.entries();
    let works = entries.iter().find(|entry| entry.message() == "works").unwrap();
    assert_ne!(works.thread, std::thread::current().id());
}

#[test]
fn the_span_of_one_that_cannot_be_stopped_is_open_until_it_has_returned() -> Result<(), RuntimeError> {
    // given
    let log = Log::default();
    let (begun, mut has_begun) = unbounded_channel();
    let (go, going) = mpsc::channel();
    let spec = grind::spec(begun, Arc::new(Mutex::new(going))).with_restart(RestartPolicy::Never);
    run_logged(&log, async {
        // Dropped with this future, so that a failing test releases the thread.
        let go = go;
        let config = SupervisorConfig { grace: secs(1), ..SupervisorConfig::default() };
        let supervisor = Supervisor::new(config, vec![]);
        let task = supervisor.add_task(spec).await?;
        has_begun.recv().await.unwrap();
        // when
        let shutdown = tokio::spawn(supervisor.shutdown());
        settle().await;
        for _ in 0..2 {
            advance(secs(1)).await;
            settle().await;
        }
        let outcome = task.outcome().await;
        // then
        assert!(matches!(outcome, TaskOutcome::Aborted { .. }), "{outcome}");
        settle().await;
        assert_eq!(told(&log, "grind#1"), ["opened", "works"]);
        // when
        go.send(()).unwrap();
        while !supervisor.list_tasks().await.is_empty() {
            tokio::task::yield_now().await;
        }
        settle().await;
        // then
        assert_eq!(told(&log, "grind#1"), ["opened", "works", "returns", "dropped", "closed"]);
        assert!(shutdown.await.unwrap().is_err());
        Ok(())
    })
}
