//! Tasks that block their thread: `#[task(blocking)]` and `#[task(blocking = "pool")]`.

use std::sync::{Arc, Mutex, mpsc};
use std::thread::ThreadId;
use std::time::Duration;

use taskvisor::{
    CancellationToken, EventKind, RestartPolicy, RuntimeError, Supervisor, SupervisorConfig, TaskContext, TaskError,
    TaskOutcome, TaskSpec, TaskState, task,
};
use tests::{OK, Script, constant, ms, recorded, recorded_with, secs, settle, supervisor};
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::advance;

type Result<T = (), E = RuntimeError> = std::result::Result<T, E>;
type Work = fn() -> Result<(), TaskError>;

/// The threads of blocking attempts. The test sends each one its order.
#[derive(Clone)]
struct Pool {
    begun: UnboundedSender<ThreadId>,
    orders: Arc<Mutex<mpsc::Receiver<Work>>>,
}

/// The test's side of a [`Pool`].
struct Held {
    begun: UnboundedReceiver<ThreadId>,
    orders: mpsc::Sender<Work>,
}

impl Pool {
    fn new() -> (Self, Held) {
        let ((begun, seen), (orders, taken)) = (unbounded_channel(), mpsc::channel());
        (Self { begun, orders: Arc::new(Mutex::new(taken)) }, Held { begun: seen, orders })
    }

    fn begin(&self) {
        self.begun.send(std::thread::current().id()).unwrap();
    }

    fn obey(&self) -> Result<(), TaskError> {
        let order = self.orders.lock().unwrap().recv().unwrap();
        order()
    }
}

impl Held {
    /// Waits until an attempt has begun on a thread.
    async fn begun(&mut self) -> ThreadId {
        self.begun.recv().await.unwrap()
    }

    fn has_begun(&mut self) -> bool {
        self.begun.try_recv().is_ok()
    }

    fn go(&self, order: Work) {
        self.orders.send(order).unwrap();
    }
}

/// Runs the order of the test. It cannot observe a stop request.
#[task(blocking)]
fn deaf(pool: Pool) -> Result<(), TaskError> {
    pool.begin();
    pool.obey()
}

/// The same on Tokio's blocking pool.
#[task(blocking = "pool")]
fn pooled(pool: Pool) -> Result<(), TaskError> {
    pool.begin();
    pool.obey()
}

/// Waits until it is requested to stop, then runs the order of the test.
#[task(blocking)]
fn listening(token: CancellationToken, pool: Pool) -> Result<(), TaskError> {
    pool.begin();
    while !token.is_cancelled() {
        std::thread::yield_now();
    }
    pool.obey()
}

#[task(blocking = "pool")]
fn listening_on_pool(token: CancellationToken, pool: Pool) -> Result<(), TaskError> {
    listening(token, pool)
}

/// Records the number of each attempt.
#[task(blocking, retry_if = TaskError::is_retryable)]
fn third_time_lucky(ctx: TaskContext, attempts: Arc<Mutex<Vec<u32>>>) -> Result<(), TaskError> {
    attempts.lock().unwrap().push(ctx.attempt());
    match ctx.attempt() {
        1 => Err(TaskError::Fail { reason: "first".into() }),
        2 => panic!("second"),
        _ => Ok(()),
    }
}

#[task(blocking)]
fn quiet(sender: mpsc::Sender<ThreadId>) {
    sender.send(std::thread::current().id()).unwrap();
}

/// Returns the handle of a task that has begun, was canceled, and still runs after every deadline.
async fn aborted(spec: TaskSpec, held: &mut Held, supervisor: &Supervisor) -> Result<taskvisor::TaskHandle> {
    let handle = supervisor.add_task(spec).await?;
    held.begun().await;
    let cancel = tokio::spawn({
        let handle = handle.clone();
        async move { handle.cancel().await }
    });
    settle().await;
    advance(secs(3600)).await;
    settle().await;
    advance(secs(1)).await;
    let result = cancel.await.unwrap();
    assert!(matches!(result, Err(RuntimeError::TaskRemoveTimeout { .. })), "{result:?}");
    Ok(handle)
}

fn is_taken(result: &Result<taskvisor::TaskHandle>) -> bool {
    matches!(result, Err(RuntimeError::TaskAlreadyExists { .. }))
}

#[tokio::test(start_paused = true)]
async fn it_runs_on_another_thread_and_completes() -> Result {
    let supervisor = supervisor();
    let (sender, receiver) = mpsc::channel();
    let outcome = supervisor.add_task(quiet { sender }).await?.outcome().await;
    assert!(matches!(outcome, TaskOutcome::Completed), "{outcome}");
    assert_ne!(receiver.recv().unwrap(), std::thread::current().id());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn failures_and_panics_are_retried() -> Result {
    // given
    let (supervisor, recorder) = recorded();
    let attempts = Arc::<Mutex<Vec<u32>>>::default();
    let spec = third_time_lucky::spec(Arc::clone(&attempts)).with_backoff(constant(secs(1)));
    // when
    let outcome = supervisor.add_task(spec).await?.outcome().await;
    supervisor.shutdown().await?;
    // then
    assert!(matches!(outcome, TaskOutcome::Completed), "{outcome}");
    assert_eq!(*attempts.lock().unwrap(), [1, 2, 3]);
    let failed = recorder.seen().into_iter().filter(|seen| seen.kind == EventKind::TaskFailed);
    let reasons: Vec<String> = failed.filter_map(|seen| seen.reason).collect();
    assert_eq!(reasons, ["first", "panicked: second"]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_an_outcome_with_its_message() -> Result {
    let (pool, held) = Pool::new();
    let supervisor = supervisor();
    let task = supervisor.add_task(deaf::spec(pool).with_restart(RestartPolicy::Never)).await?;
    held.go(|| panic!("number {}", 5));
    let outcome = task.outcome().await;
    assert!(matches!(outcome, TaskOutcome::Panicked { .. }), "{outcome}");
    assert_eq!(tests::placeless(outcome), "panicked: number 5");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn one_with_a_token_is_told_to_stop_and_its_error_is_kept() -> Result {
    let (pool, mut held) = Pool::new();
    let (supervisor, recorder) = recorded();
    let task = supervisor.add_task(listening { pool }).await?;
    held.begun().await;
    held.go(|| Err(TaskError::Fail { reason: "half way".into() }));
    assert!(task.cancel().await?);
    let outcome = task.outcome().await;
    assert!(matches!(outcome, TaskOutcome::Canceled { error: Some(_), .. }), "{outcome}");
    supervisor.shutdown().await?;
    assert_eq!(
        recorder.kinds_of("listening")[3..],
        [EventKind::TaskRemoveRequested, EventKind::TaskStopped, EventKind::TaskRemoved]
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn one_without_a_context_has_its_name_until_it_returns() -> Result {
    // given
    let (pool, mut held) = Pool::new();
    let supervisor = supervisor();
    let task = supervisor.add_task(deaf { pool: pool.clone() }).await?;
    held.begun().await;
    // when
    supervisor.remove_task("deaf").await?;
    settle().await;
    // then
    assert_eq!(task.status().state, TaskState::Stopping);
    assert!(is_taken(&supervisor.add_task(deaf { pool: pool.clone() }).await));
    held.go(|| Ok(()));
    let outcome = task.outcome().await;
    assert!(matches!(outcome, TaskOutcome::Canceled { error: None, .. }), "{outcome}");
    // and the name is free
    let next = supervisor.add_task(deaf { pool }).await?;
    held.go(|| Ok(()));
    assert!(next.outcome().await.is_completed());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn one_that_is_aborted_has_its_name_until_it_returns() -> Result {
    // given
    let (pool, mut held) = Pool::new();
    let (supervisor, recorder) = recorded();
    // when
    let task = aborted(deaf::spec(pool.clone()), &mut held, &supervisor).await?;
    // then
    let outcome = task.outcome().await;
    assert!(matches!(outcome, TaskOutcome::Aborted { error: None }), "{outcome}");
    assert!(supervisor.is_alive("deaf").await);
    assert!(is_taken(&supervisor.add_task(deaf { pool }).await));
    assert_eq!(recorder.count(EventKind::TaskRemoved), 0);
    // and
    held.go(|| Err(TaskError::Fail { reason: "too late".into() }));
    while supervisor.is_alive("deaf").await {
        tokio::task::yield_now().await;
    }
    assert!(supervisor.list_tasks().await.is_empty());
    assert!(matches!(task.outcome().await, TaskOutcome::Aborted { error: None }));
    supervisor.shutdown().await?;
    assert_eq!(recorder.kinds_of("deaf")[4..], [EventKind::TaskFailed, EventKind::TaskRemoved]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn after_its_timeout_the_next_attempt_waits_for_the_end_of_this_one() -> Result {
    // given
    let (pool, mut held) = Pool::new();
    let (supervisor, recorder) = recorded();
    let spec = deaf::spec(pool).with_timeout(secs(1)).with_stop_timeout(secs(1)).with_backoff(constant(secs(1)));
    let task = supervisor.add_task(spec).await?;
    held.begun().await;
    // when
    settle().await;
    for _ in 0..10 {
        advance(secs(1)).await;
        settle().await;
    }
    // then
    assert_eq!(recorder.kinds_of("deaf")[2..], [EventKind::TaskStarting, EventKind::TimeoutHit]);
    assert!(!held.has_begun());
    // and
    held.go(|| Ok(()));
    held.begun().await;
    held.go(|| Ok(()));
    let outcome = task.outcome().await;
    assert!(matches!(outcome, TaskOutcome::Completed), "{outcome}");
    assert_eq!(task.status().attempt, 2);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_names_the_one_that_is_stuck() -> Result {
    // given
    let (pool, mut held) = Pool::new();
    let config = SupervisorConfig { grace: secs(5), ..SupervisorConfig::default() };
    let (supervisor, recorder) = recorded_with(config);
    let task = supervisor.add_task(deaf { pool }).await?;
    held.begun().await;
    // when
    let shutdown = tokio::spawn(supervisor.shutdown());
    settle().await;
    advance(secs(5)).await;
    settle().await;
    advance(secs(1)).await;
    // then
    match shutdown.await.unwrap() {
        Err(RuntimeError::GraceExceeded { stuck, .. }) => assert_eq!(stuck, ["deaf"]),
        other => panic!("{other:?}"),
    }
    assert!(matches!(task.outcome().await, TaskOutcome::Aborted { .. }));
    assert_eq!(recorder.count(EventKind::TaskRemoved), 0);
    held.go(|| Ok(()));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn its_permit_is_held_until_it_returns() -> Result {
    // given
    let (pool, mut held) = Pool::new();
    let supervisor = Supervisor::new(SupervisorConfig { max_concurrent: 1, ..SupervisorConfig::default() }, vec![]);
    aborted(deaf::spec(pool), &mut held, &supervisor).await?;
    // when
    let script = Script::new([OK]);
    let next = supervisor.add_task(script.spec("next")).await?;
    settle().await;
    // then
    assert_eq!(script.attempts(), 0);
    held.go(|| Ok(()));
    assert!(next.outcome().await.is_completed());
    Ok(())
}

#[test]
fn one_that_waits_for_a_thread_is_dropped_at_once() -> Result {
    // given
    let runtime =
        Builder::new_current_thread().enable_all().start_paused(true).max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let (pool, mut held) = Pool::new();
        let supervisor = supervisor();
        let first = supervisor.add_task(pooled::spec(pool.clone()).with_name("first")).await?;
        held.begun().await;
        let second = supervisor.add_task(pooled::spec(pool.clone()).with_name("second")).await?;
        let third = supervisor.add_task(pooled::spec(pool).with_name("third").with_timeout(ms(1)).with_max_retries(0));
        let third = third.await?;
        settle().await;
        // when
        assert!(second.cancel().await?);
        // then
        assert!(matches!(second.outcome().await, TaskOutcome::Canceled { error: None, .. }));
        settle().await;
        advance(ms(1)).await;
        let outcome = third.outcome().await;
        assert!(matches!(outcome, TaskOutcome::Exhausted { .. }), "{outcome}");
        held.go(|| Ok(()));
        assert!(first.outcome().await.is_completed());
        assert!(!held.has_begun());
        Ok(())
    })
}

#[test]
fn it_does_not_keep_a_runtime_that_goes_away() {
    // given
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().max_blocking_threads(1).build().unwrap();
    let (pool, mut held) = Pool::new();
    held.go(|| Ok(()));
    let supervisor = supervisor();
    let (running, waiting) = runtime.block_on(async {
        let running = supervisor.add_task(listening_on_pool { pool: pool.clone() }).await.unwrap();
        held.begun().await;
        let waiting = supervisor.add_task(pooled { pool }).await.unwrap();
        while waiting.status().state != TaskState::Running {
            tokio::task::yield_now().await;
        }
        (running, waiting)
    });
    // when
    drop(runtime);
    // then
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for task in [running, waiting] {
            let outcome = tokio::time::timeout(Duration::from_secs(60), task.outcome()).await.unwrap();
            assert!(matches!(outcome, TaskOutcome::Aborted { .. }), "{outcome}");
        }
    });
}

#[test]
fn it_runs_outside_a_supervisor_as_well() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let (sender, receiver) = mpsc::channel();
    let task = quiet { sender };
    runtime.block_on(taskvisor::Task::spawn(&task, CancellationToken::new())).unwrap();
    assert!(receiver.recv().is_ok());
}
