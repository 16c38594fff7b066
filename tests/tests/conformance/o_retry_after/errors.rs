//! How a task says it: with its own error, with `?`, and boxed.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use taskvisor::{BoxError, RuntimeError, TaskError, TaskOutcome, TaskSpec, task};
use tests::{secs, supervisor};
use tokio::time::Instant;

use super::{Result, growing};

/// An error of a client, which knows when to come back.
#[derive(Debug)]
struct Refused {
    status: u16,
    retry_after: Option<Duration>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.status)
    }
}

impl Error for Refused {}

impl From<Refused> for TaskError {
    fn from(refused: Refused) -> Self {
        let delay = refused.retry_after;
        let error = TaskError::error(refused);
        match delay {
            Some(delay) => error.retry_after(delay),
            None => error,
        }
    }
}

fn get(retry_after: Option<Duration>) -> std::result::Result<(), Refused> {
    Err(Refused { status: 429, retry_after })
}

const TOLD: Option<Duration> = Some(secs(60));

#[task]
async fn with_own_error() -> std::result::Result<(), TaskError> {
    get(TOLD)?;
    Ok(())
}

#[task]
async fn boxed() -> std::result::Result<(), BoxError> {
    get(TOLD).map_err(TaskError::from)?;
    Ok(())
}

#[task]
async fn boxed_without_bounds() -> std::result::Result<(), Box<TaskError>> {
    get(TOLD).map_err(|error| Box::new(error.into()))
}

#[task(blocking = "pool")]
fn blocks() -> std::result::Result<(), TaskError> {
    Ok(get(TOLD)?)
}

#[task]
async fn never_ends() -> std::result::Result<std::convert::Infallible, TaskError> {
    Err(Refused { status: 503, retry_after: TOLD }.into())
}

#[task(retry_if = TaskError::is_retryable)]
async fn is_asked() -> std::result::Result<(), TaskError> {
    Ok(get(TOLD)?)
}

#[task]
async fn says_nothing() -> std::result::Result<(), TaskError> {
    Ok(get(None)?)
}

/// The text of the last error, its source and the time of two retries.
async fn two_retries(spec: TaskSpec) -> std::result::Result<(TaskOutcome, Duration), RuntimeError> {
    let (supervisor, start) = (supervisor(), Instant::now());
    let outcome = supervisor.add_task(spec.with_backoff(growing()).with_max_retries(2)).await?.outcome().await;
    Ok((outcome, start.elapsed()))
}

#[tokio::test(start_paused = true)]
async fn o26_each_way_to_return_an_error_can_tell_it() -> Result {
    for spec in [
        with_own_error {}.into(),
        boxed {}.into(),
        boxed_without_bounds {}.into(),
        blocks {}.into(),
        is_asked {}.into(),
    ] {
        let (outcome, took) = two_retries(spec).await?;
        assert_eq!((outcome.to_string().as_str(), took), ("exhausted after 3 failures: status 429", secs(120)));
        let error = outcome.error().unwrap();
        assert!(matches!(&**error, TaskError::Error(error) if error.is::<Refused>()), "{error:?}");
    }
    let (outcome, took) = two_retries(never_ends {}.into()).await?;
    assert_eq!((outcome.to_string().as_str(), took), ("exhausted after 3 failures: status 503", secs(120)));
    let (_, took) = two_retries(says_nothing {}.into()).await?;
    assert_eq!(took.as_millis(), 300);
    Ok(())
}

#[test]
fn o26_the_error_is_shown_as_what_it_is() {
    let io = || io::Error::other("disk full");
    for (plain, told) in [
        (TaskError::error(io()), TaskError::error(io()).retry_after(secs(1))),
        (TaskError::Fail { reason: "down".into() }, TaskError::Fail { reason: "down".into() }.retry_after(secs(1))),
    ] {
        assert_eq!(plain.to_string(), told.to_string());
        assert_eq!(format!("{plain:#}"), format!("{told:#}"));
        assert_eq!(plain.source().map(ToString::to_string), told.source().map(ToString::to_string));
        assert_eq!(plain.as_label(), told.as_label());
        assert!(told.is_retryable() && !told.is_fatal());
    }
    let twice = TaskError::error(io()).retry_after(secs(1)).retry_after(secs(2));
    let TaskError::RetryAfter(told) = twice else { panic!("{twice:?}") };
    assert_eq!(told.delay(), secs(2));
    assert!(matches!(told.error(), TaskError::Error(_)));
    for fatal in [TaskError::Fatal { reason: "x".into() }, TaskError::permanent("x"), TaskError::Canceled] {
        assert!(!matches!(fatal.retry_after(secs(1)), TaskError::RetryAfter(_)));
    }
    assert!(size_of::<TaskError>() <= 32, "it is moved with each result");
}

fn never(_: &TaskError) -> bool {
    false
}

#[task(retry_if = never)]
async fn is_denied() -> std::result::Result<(), TaskError> {
    Ok(get(TOLD)?)
}

#[tokio::test(start_paused = true)]
async fn o26_an_error_that_retry_if_denies_is_fatal() -> Result {
    let (outcome, took) = two_retries(is_denied {}.into()).await?;
    let TaskOutcome::Fatal { error } = &outcome else { panic!("{outcome}") };
    assert!(matches!(&**error, TaskError::Permanent(error) if error.is::<Refused>()), "{error:?}");
    assert_eq!(took, Duration::ZERO);
    Ok(())
}
