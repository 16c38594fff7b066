//! O19: the whole error.

use std::error::Error;
use std::fmt;

use taskvisor::{EventKind, RestartPolicy, RuntimeError, TaskContext, TaskError, TaskFn, TaskSpec};
use tests::{recorded, settle};

type Result = std::result::Result<(), RuntimeError>;

/// An error with causes, of which each message repeats this many times.
#[derive(Debug)]
struct Link(&'static str, usize, Option<Box<Link>>);

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.repeat(self.1))
    }
}

impl Error for Link {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.2.as_ref().map(|below| &**below as &(dyn Error + 'static))
    }
}

/// Fails with `first`, caused by `refused`.
fn failing(name: &str, first: &'static str, times: usize) -> TaskSpec {
    let task = TaskFn::arc(name, move |_: TaskContext| async move {
        Err(TaskError::error(Link(first, times, Some(Box::new(Link("connection refused", 1, None))))))
    });
    TaskSpec::inherit(task).with_restart(RestartPolicy::Never)
}

#[tokio::test(start_paused = true)]
async fn o19_outcome_event_status_and_error_read_alike_and_name_each_cause_once() -> Result {
    let (supervisor, recorder) = recorded();
    let task = supervisor.add_task(failing("a", "sync failed", 1)).await?;
    let outcome = task.outcome().await;
    assert_eq!(outcome.to_string(), "failed: sync failed: connection refused");
    let error = outcome.error().unwrap();
    assert_eq!(format!("{error:#}"), "sync failed: connection refused");
    // A reporter that prints an error and its sources prints each cause once.
    let mut reported = vec![error.to_string()];
    let mut source = error.source();
    while let Some(cause) = source {
        reported.push(cause.to_string());
        source = cause.source();
    }
    assert_eq!(reported, ["the attempt failed", "sync failed", "connection refused"]);
    settle().await;
    let failed = recorder.seen().into_iter().find(|seen| seen.kind == EventKind::TaskFailed).unwrap();
    assert_eq!(failed.reason.as_deref(), Some("sync failed: connection refused"));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o19_a_long_error_is_cut_in_events_and_whole_in_the_outcome() -> Result {
    let (supervisor, recorder) = recorded();
    for (name, first, times) in [("ascii", "x", 5_000), ("wide", "ü", 5_000), ("fits", "x", 1_004)] {
        let outcome = supervisor.add_task(failing(name, first, times)).await?.outcome().await;
        assert!(outcome.to_string().ends_with(": connection refused"), "{name}");
        settle().await;
        let is_failure = |seen: &tests::Seen| seen.kind == EventKind::TaskFailed && seen.task.as_deref() == Some(name);
        let reason = recorder.seen().into_iter().find(is_failure).unwrap().reason.unwrap();
        assert!((1_021..=1_024).contains(&reason.len()), "{name}: {}", reason.len());
        assert_eq!(reason.ends_with('…'), name != "fits", "{name}");
    }
    Ok(())
}
