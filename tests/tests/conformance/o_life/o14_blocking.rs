//! Tasks that block: each attempt has an OS thread of its own, or with `blocking = "pool"` one of Tokio's pool.

use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

use taskvisor::{
    CancellationToken, EventKind, Problem, RuntimeError, TaskContext, TaskError, TaskOutcome, TaskState, task,
};
use tests::{constant, ms, supervisor};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

type Result = std::result::Result<(), RuntimeError>;

const FOREVER: Duration = Duration::from_secs(60);

/// A gate that blocks threads until the test opens it.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn pass(&self) {
        let (is_open, opened) = &*self.0;
        drop(opened.wait_while(is_open.lock().unwrap(), |is_open| !*is_open).unwrap());
    }

    fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

/// Opens the gate at the end of the test, so that a failed one ends as well.
struct Opens(Gate);

impl Drop for Opens {
    fn drop(&mut self) {
        self.0.open();
    }
}

type Seen = (Option<String>, ThreadId);

fn seen() -> Seen {
    (thread::current().name().map(str::to_owned), thread::current().id())
}

/// Tells its thread, and waits at the gate.
#[task(blocking)]
fn grind(begun: UnboundedSender<Seen>, gate: Gate) {
    begun.send(seen()).unwrap();
    gate.pass();
}

#[task(blocking = "pool")]
fn pooled(begun: UnboundedSender<Seen>, gate: Gate) {
    grind(begun, gate);
}

/// Fails twice, each attempt on a thread of its own.
#[task(blocking, backoff(first = "1ms"))]
fn thrice(ctx: TaskContext, begun: UnboundedSender<Seen>) -> std::result::Result<(), TaskError> {
    begun.send(seen()).unwrap();
    if ctx.attempt() < 3 { Err(TaskError::Fail { reason: "again".into() }) } else { Ok(()) }
}

#[task(blocking)]
fn uses_runtime(token: CancellationToken) {
    let value = Handle::current().block_on(async { tokio::spawn(async { 5 }).await.unwrap() });
    assert_eq!((value, token.is_cancelled()), (5, false));
}

/// A runtime whose pool has one thread.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap()
}

#[test]
fn o14_the_pool_of_tokio_stays_free() {
    runtime().block_on(async {
        let (gate, (begun, mut seen)) = (Gate::default(), unbounded_channel());
        let _opens = Opens(gate.clone());
        let supervisor = supervisor();
        let mut handles = Vec::new();
        for n in 0..8 {
            let spec = grind::spec(begun.clone(), gate.clone()).with_name(format!("grind-{n}"));
            handles.push(supervisor.add_task(spec).await.unwrap());
        }
        // All run at once.
        let mut threads = Vec::new();
        for _ in 0..8 {
            threads.push(timeout(FOREVER, seen.recv()).await.expect("a thread is missing").unwrap());
        }
        let mut names: Vec<_> = threads.iter().filter_map(|(name, _)| name.clone()).collect();
        names.sort_unstable();
        assert_eq!(names, (0..8).map(|n| format!("grind-{n}")).collect::<Vec<_>>(), "named after the task");
        // And the one thread of the pool is free.
        assert_eq!(timeout(FOREVER, spawn_blocking(|| 5)).await.expect("the pool is taken").unwrap(), 5);
        gate.open();
        for handle in handles {
            assert!(handle.outcome().await.is_completed());
        }
    });
}

#[test]
fn o14_short_jobs_can_use_the_pool() {
    runtime().block_on(async {
        let (gate, (begun, mut seen)) = (Gate::default(), unbounded_channel());
        let _opens = Opens(gate.clone());
        let supervisor = supervisor();
        let first = supervisor.add_task(pooled::spec(begun.clone(), gate.clone()).with_name("first")).await.unwrap();
        timeout(FOREVER, seen.recv()).await.unwrap().unwrap();
        let second = supervisor.add_task(pooled::spec(begun, gate.clone()).with_name("second")).await.unwrap();
        while second.status().state != TaskState::Running {
            tokio::task::yield_now().await;
        }
        assert!(seen.try_recv().is_err(), "it waits for the thread");
        assert!(second.cancel().await.unwrap(), "and ends at once");
        gate.open();
        assert!(first.outcome().await.is_completed());
        assert!(seen.try_recv().is_err(), "it never ran");
    });
}

#[tokio::test]
async fn o14_each_attempt_has_a_thread_of_its_own() -> Result {
    let (begun, mut seen) = unbounded_channel();
    let supervisor = supervisor();
    let task = supervisor.add_task(thrice { begun }).await?;
    assert!(task.outcome().await.is_completed());
    let mut threads = Vec::new();
    while let Ok((name, thread)) = seen.try_recv() {
        assert_eq!(name.as_deref(), Some("thrice"));
        threads.push(thread);
    }
    threads.dedup();
    assert_eq!((threads.len(), task.status().attempt), (3, 3));
    Ok(())
}

#[tokio::test]
async fn o14_a_thread_has_the_name_in_the_group_and_any_name_is_possible() -> Result {
    let supervisor = supervisor();
    for (name, expected) in [("a\0b", "ab"), ("ü", "ü"), (&*"long".repeat(50), &*"long".repeat(50))] {
        let (begun, mut seen) = unbounded_channel();
        let gate = Gate::default();
        gate.open();
        let task = supervisor.add_task(grind::spec(begun, gate).with_name(name)).await?;
        assert!(task.outcome().await.is_completed());
        assert_eq!(seen.recv().await.unwrap().0.as_deref(), Some(expected));
    }
    Ok(())
}

#[tokio::test]
async fn o14_the_runtime_is_there_on_one_thread() -> Result {
    let supervisor = supervisor();
    let outcome = supervisor.add_task(uses_runtime {}).await?.outcome().await;
    assert!(outcome.is_completed(), "{outcome}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o14_the_runtime_is_there_on_two_threads() -> Result {
    let supervisor = supervisor();
    let outcome = supervisor.add_task(uses_runtime {}).await?.outcome().await;
    assert!(outcome.is_completed(), "{outcome}");
    Ok(())
}

#[test]
fn o14_a_runtime_that_ends_does_not_wait_for_its_thread() {
    let (gate, (begun, mut seen)) = (Gate::default(), unbounded_channel());
    let _opens = Opens(gate.clone());
    let supervisor = supervisor();
    let first = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let task = first.block_on(async {
        let task = supervisor.add_task(grind { begun, gate: gate.clone() }).await.unwrap();
        seen.recv().await.unwrap();
        task
    });
    drop(first);
    let outcome = runtime().block_on(async { timeout(FOREVER, task.outcome()).await.unwrap() });
    assert!(matches!(outcome, TaskOutcome::Aborted { .. }), "{outcome}");
}

/// Tells its attempt, and waits at the gate, longer than its watchdog allows.
#[task(blocking, restart = "always", watchdog = "20ms", stop_timeout = "30ms")]
fn silent(ctx: TaskContext, begun: UnboundedSender<u32>, gate: Gate) {
    begun.send(ctx.attempt()).unwrap();
    gate.pass();
}

/// A thread past its watchdog stays unhealthy after the stop request, and does not stop in time: before the clean-up
/// after the violation is over, and after that.
async fn past_its_watchdog(cleanup: Duration) {
    let (gate, (begun, mut attempts)) = (Gate::default(), unbounded_channel());
    let _opens = Opens(gate.clone());
    let supervisor = supervisor();
    let mut hits = supervisor.events().of_kinds([EventKind::TimeoutHit]);
    let spec = silent::spec(begun, gate.clone()).with_cleanup(cleanup).with_backoff(constant(ms(1)));
    let task = supervisor.add_task(spec).await.unwrap();
    // An attempt whose thread has not begun in the time of its watchdog is followed by another one.
    let attempt = timeout(FOREVER, attempts.recv()).await.unwrap();
    let hit = async { while hits.next().await.unwrap().unwrap().attempt != attempt {} };
    timeout(FOREVER, hit).await.unwrap();
    let problem = || supervisor.health().not_live.first().map(|one| one.problem.clone());
    // The end of the shorter clean-up.
    sleep(ms(50)).await;
    assert_eq!(problem(), Some(Problem::Silent));

    let open = async {
        let reached = async {
            while problem() != Some(Problem::PastStop) {
                let problem = problem().expect("it is live again");
                assert!(matches!(problem, Problem::Silent | Problem::PastStop), "{problem}");
                sleep(ms(1)).await;
            }
            // The deadline of the stop is in the past, so its timer fires first, and what it wakes has its turn.
            sleep(ms(20)).await;
            tests::settle().await;
        };
        timeout(FOREVER, reached).await.unwrap();
        gate.open();
    };
    let (error, ()) = tokio::join!(supervisor.shutdown(), open);

    assert_eq!(error.unwrap_err().to_string(), "1 task not stopped in time: silent (past its `stop_timeout`)");
    assert!(matches!(task.outcome().await, TaskOutcome::Aborted { .. }), "{}", task.outcome().await);
    assert_eq!(timeout(FOREVER, attempts.recv()).await.unwrap(), None, "no attempt beside the thread");
}

#[tokio::test]
async fn o14_a_thread_past_its_watchdog_that_does_not_stop_in_time_is_named() {
    past_its_watchdog(ms(1)).await;
}

#[tokio::test]
async fn o14_a_thread_past_its_watchdog_that_has_time_to_clean_up_is_named_too() {
    past_its_watchdog(FOREVER).await;
}

/// Starts and stops in quick succession: no thread is lost, and none runs twice.
async fn races() {
    let supervisor = supervisor();
    for _ in 0..200 {
        let (begun, mut seen) = unbounded_channel();
        let gate = Gate::default();
        gate.open();
        let spec = grind::spec(begun, gate).with_backoff(constant(ms(1)));
        let task = supervisor.add_task(spec).await.unwrap();
        tokio::task::yield_now().await;
        task.cancel().await.unwrap();
        let outcome = task.outcome().await;
        let ran = usize::from(seen.recv().await.is_some());
        let is_consistent = match &outcome {
            TaskOutcome::Completed => ran == 1,
            TaskOutcome::Canceled { error: None, .. } => ran <= 1,
            _ => false,
        };
        assert!(is_consistent && seen.recv().await.is_none(), "{outcome}: {ran}");
    }
    supervisor.shutdown().await.unwrap();
}

#[tokio::test]
async fn o14_a_stop_beside_the_start_of_a_thread_on_one_thread() {
    races().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o14_a_stop_beside_the_start_of_a_thread_on_two_threads() {
    races().await;
}

/// In a process that cannot create threads: their stacks would be too large.
#[cfg(unix)]
#[test]
fn o14_a_thread_that_cannot_be_made_is_a_failure_with_its_error() {
    let mut threadless = std::process::Command::new(env!("CARGO_BIN_EXE_threadless"));
    threadless.env("RUST_MIN_STACK", (usize::MAX / 8 * 7).to_string());
    let output = threadless.output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    let mut lines = out.lines();
    let outcome = lines.next().unwrap_or_default();
    assert!(outcome.starts_with("exhausted after 2 failures"), "{out}{err}");
    assert!(outcome.contains("cannot create a thread for the attempt: "), "{out}{err}");
    assert_eq!(lines.next(), Some("io errors in the chain: 1"), "{out}{err}");
}
