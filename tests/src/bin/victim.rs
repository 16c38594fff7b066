//! A process that receives signals. It runs a supervisor with the tasks that its arguments name, and exits with the
//! result of `run`.
//!
//! ```text
//! victim <grace in ms> <return|exit|spawned|spawned-quiet|beats-quiet> <task>..
//! ```
//! A task is one of `cooperative`, `deaf`, `blocking`, `blocking-later`, `blocking-reader`, which prints `blocked` when it
//! blocks the worker that waits for IO, `cleanup-blocks`, `drop-blocks`, `drop-late`, which ends some time after its abort,
//! and `beats-0` to `beats-9`, which have a watchdog
//! of as many ms as the variable `WATCHDOG` says. `spawned` runs the supervisor in a spawned task; `quiet` runs it without a
//! subscriber. `beats-quiet` prints `beaten` when ten tasks have sent a heartbeat after a pause of the process, or after
//! a restart, and at the end the number of attempts.
//!
//! It prints `ready` when the tasks have begun, and `stopping` when a shutdown is requested.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use taskvisor::{
    Event, EventKind, RuntimeError, Signals, Subscribe, Supervisor, SupervisorConfig, TaskContext, TaskError, TaskFn,
    TaskSpec,
};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::sleep;

struct Announcer;

#[async_trait::async_trait]
impl Subscribe for Announcer {
    async fn on_event(&self, event: &Event) {
        if event.kind == EventKind::ShutdownRequested {
            println!("stopping because of {}", event.reason.as_deref().unwrap_or_default());
        }
    }
}

struct BlocksInDrop;

impl Drop for BlocksInDrop {
    fn drop(&mut self) {
        block();
    }
}

struct LateInDrop;

impl Drop for LateInDrop {
    fn drop(&mut self) {
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// The attempts of tasks that beat, and the tasks that have sent a heartbeat after a pause of the process or a restart.
static ATTEMPTS: AtomicU32 = AtomicU32::new(0);
static BEATEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

fn watchdog() -> Duration {
    let time = std::env::var("WATCHDOG").ok().and_then(|time| time.parse().ok());
    Duration::from_millis(time.expect("its time in milliseconds"))
}

/// Sends five heartbeats in the time of the watchdog.
async fn beat(ctx: TaskContext, name: String) {
    ATTEMPTS.fetch_add(1, Ordering::SeqCst);
    let mut last = Instant::now();
    while ctx.run_until_cancelled(sleep(watchdog() / 5)).await.is_some() {
        ctx.heartbeat();
        let gap = std::mem::replace(&mut last, Instant::now()).elapsed();
        if gap > 2 * watchdog() || ctx.attempt() > 1 {
            let mut beaten = BEATEN.lock().expect("no panic");
            if beaten.insert(name.clone()) && beaten.len() == 10 {
                println!("beaten");
            }
        }
    }
}

fn block() {
    loop {
        std::thread::park();
    }
}

fn spec(kind: String, begun: Arc<Semaphore>) -> TaskSpec {
    let watchdog = kind.starts_with("beats").then(watchdog);
    let delay = Duration::from_millis(if kind.ends_with("later") { 50 } else { 0 });
    let task = TaskFn::arc(kind.clone(), move |ctx: TaskContext| {
        let (kind, begun) = (kind.clone(), Arc::clone(&begun));
        async move {
            begun.add_permits(1);
            match kind.as_str() {
                beats if beats.starts_with("beats") => beat(ctx, kind.clone()).await,
                "cooperative" => {
                    ctx.cancelled().await;
                    println!("cleaned up");
                }
                "blocking" | "blocking-later" => block(),
                "blocking-reader" => {
                    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                    let address = listener.local_addr().expect("it is bound");
                    std::thread::spawn(move || {
                        std::thread::sleep(Duration::from_millis(50));
                        let _connection = std::net::TcpStream::connect(address);
                        block();
                    });
                    listener.accept().await.expect("a connection");
                    println!("blocked");
                    block();
                }
                "cleanup-blocks" => {
                    ctx.cancelled().await;
                    println!("blocked");
                    block();
                }
                "drop-blocks" => {
                    let _blocks = BlocksInDrop;
                    std::future::pending::<()>().await;
                }
                "drop-late" => {
                    let _late = LateInDrop;
                    std::future::pending::<()>().await;
                }
                _ => std::future::pending().await,
            }
            Err(TaskError::Canceled)
        }
    });
    let spec = TaskSpec::inherit(task).with_initial_delay(delay);
    match watchdog {
        Some(silence) => spec.with_watchdog(silence),
        None => spec,
    }
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), RuntimeError> {
    let mut arguments = std::env::args().skip(1);
    let grace = arguments.next().and_then(|grace| grace.parse().ok()).expect("the grace in milliseconds");
    let how = arguments.next().expect("how it runs");
    let begun = Arc::new(Semaphore::new(0));
    let specs: Vec<TaskSpec> = arguments.map(|kind| spec(kind, Arc::clone(&begun))).collect();
    let count = u32::try_from(specs.len()).expect("a few");

    let signals = Signals { force_after: Duration::ZERO, ..Signals::default() };
    let config = SupervisorConfig { grace: Duration::from_millis(grace), signals, ..SupervisorConfig::default() };
    let subscribers: Vec<Arc<dyn Subscribe>> = if how.ends_with("quiet") { vec![] } else { vec![Arc::new(Announcer)] };
    let supervisor = Supervisor::new(config, subscribers);
    let ready = async {
        // Readiness does not wait for tasks with an initial delay.
        let _ = begun.acquire_many(count).await;
        println!("ready");
    };
    match how.as_str() {
        "exit" => tokio::join!(ready, supervisor.run_to_exit(specs)).1,
        "beats-quiet" => {
            let result = tokio::join!(ready, supervisor.run(specs)).1;
            println!("attempts: {}", ATTEMPTS.load(Ordering::SeqCst));
            result
        }
        "return" => tokio::join!(ready, supervisor.run(specs)).1,
        _ => {
            let run = Arc::clone(&supervisor);
            tokio::spawn(async move { run.run_to_exit(specs).await });
            ready.await;
            std::future::pending().await
        }
    }
}
