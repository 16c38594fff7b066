//! Failures that a task excludes from retries: `#[task(retry_if = ..)]`.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use taskvisor::{EventKind, RuntimeError, TaskError, TaskOutcome, TaskSpec, task};
use tests::{constant, recorded, secs};
use tokio::sync::Mutex;

type Result<T = (), E = RuntimeError> = std::result::Result<T, E>;

/// The errors of the attempts, the last one first.
type Failures<E> = Arc<Mutex<Vec<E>>>;

async fn next<E>(failures: Failures<E>) -> Result<(), E> {
    failures.lock().await.pop().map_or(Ok(()), Err)
}

fn is_transient(error: &io::Error) -> bool {
    error.kind() == ErrorKind::TimedOut
}

#[task(retry_if = is_transient)]
async fn read(failures: Failures<io::Error>) -> io::Result<()> {
    next(failures).await
}

#[task(retry_if = TaskError::is_retryable)]
async fn own(failures: Failures<TaskError>) -> Result<(), TaskError> {
    next(failures).await
}

fn never<E>(_: &E) -> bool {
    false
}

#[task(retry_if = never)]
async fn never_own(failures: Failures<TaskError>) -> Result<(), TaskError> {
    next(failures).await
}

fn confused(error: &String) -> bool {
    panic!("what is {error}?")
}

#[task(retry_if = confused)]
async fn asks(failures: Failures<String>) -> Result<(), String> {
    next(failures).await
}

fn failures<E>(failures: impl Into<Vec<E>>) -> Failures<E> {
    Arc::new(Mutex::new(failures.into()))
}

/// The outcome of the task, and the kinds of its events after `TaskAdded`.
async fn outcome_of(spec: TaskSpec) -> Result<(TaskOutcome, Vec<EventKind>)> {
    let (supervisor, recorder) = recorded();
    let task = supervisor.add_task(spec.with_backoff(constant(secs(1)))).await?;
    let outcome = task.outcome().await;
    supervisor.shutdown().await?;
    let mut kinds = recorder.kinds_of(task.name());
    Ok((outcome, kinds.split_off(2)))
}

#[tokio::test(start_paused = true)]
async fn what_it_denies_ends_the_task_as_fatal_with_the_error_as_its_source() -> Result {
    let spec = read::spec(failures([ErrorKind::NotFound.into(), ErrorKind::TimedOut.into()]));
    let (outcome, kinds) = outcome_of(spec).await?;
    let TaskOutcome::Fatal { error } = &outcome else { panic!("{outcome}") };
    assert_eq!(error.as_label(), "task_fatal");
    let TaskError::Permanent(source) = &**error else { panic!("{error:?}") };
    assert_eq!(source.downcast_ref::<io::Error>().map(io::Error::kind), Some(ErrorKind::NotFound));
    assert_eq!(
        kinds,
        [
            EventKind::TaskStarting,
            EventKind::TaskFailed,
            EventKind::BackoffScheduled,
            EventKind::TaskStarting,
            EventKind::TaskFailed,
            EventKind::ActorDead,
            EventKind::TaskRemoved,
        ]
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_it_allows_is_retried() -> Result {
    let (outcome, _) =
        outcome_of(read::spec(failures([ErrorKind::TimedOut.into(), ErrorKind::TimedOut.into()]))).await?;
    assert!(outcome.is_completed(), "{outcome}");
    let spec = own::spec(failures([TaskError::Fail { reason: "x".into() }]));
    assert!(outcome_of(spec).await?.0.is_completed());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_error_of_our_own_keeps_its_meaning() -> Result {
    let (outcome, _) = outcome_of(never_own::spec(failures([TaskError::Canceled]))).await?;
    assert!(matches!(outcome, TaskOutcome::Canceled { error: None, .. }), "{outcome}");
    let (outcome, _) = outcome_of(never_own::spec(failures([TaskError::Fail { reason: "down".into() }]))).await?;
    assert_eq!(outcome.to_string(), "fatal: down");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn its_panic_is_a_failure_that_is_retried() -> Result {
    let spec = asks::spec(failures([String::from("this")]));
    let (outcome, kinds) = outcome_of(spec).await?;
    assert!(outcome.is_completed(), "{outcome}");
    assert!(kinds.contains(&EventKind::BackoffScheduled));
    let spec = asks::spec(failures([String::from("this")])).with_max_retries(0);
    let (outcome, _) = outcome_of(spec).await?;
    assert_eq!(tests::placeless(outcome), "exhausted after 1 failure: panicked: what is this?");
    Ok(())
}
