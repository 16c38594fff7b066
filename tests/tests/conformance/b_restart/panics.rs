//! B09 and B10: panics are failures like any other.

use std::fmt;
use std::future::Future;
use std::panic::panic_any;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use taskvisor::{
    BoxTaskFuture, EventKind, RestartPolicy, RuntimeError, TaskContext, TaskError, TaskFn, TaskOutcome, TaskSpec,
    TaskState,
};
use tests::{ALWAYS, OK, Script, Step, constant, recorded, secs, settle, supervisor};
use tokio::time::{Instant, sleep};

use super::by_hand;

/// A payload whose drop panics.
struct Rude;

impl Drop for Rude {
    fn drop(&mut self) {
        panic!("the payload's drop");
    }
}

/// A payload whose drop panics with another such payload, without end.
struct Endless;

impl Drop for Endless {
    fn drop(&mut self) {
        panic_any(Endless);
    }
}

const PAYLOADS: [(fn(), &str); 6] = [
    (|| panic!("plain text"), "panicked: plain text"),
    (|| panic!("formatted {}", "text".len()), "panicked: formatted 4"),
    (|| panic_any(String::from("a string")), "panicked: a string"),
    (|| panic_any(42_u8), "panicked: a panic whose payload is not a string"),
    (|| panic_any(Rude), "panicked: a panic whose payload is not a string"),
    (|| panic_any(Endless), "panicked: a panic whose payload is not a string"),
];

#[tokio::test(start_paused = true)]
async fn b09_a_panic_is_a_failure_like_any_other_whatever_its_payload() -> Result<(), RuntimeError> {
    for (payload, expected) in PAYLOADS {
        let (supervisor, recorder) = recorded();
        let sibling = Script::new([Step::Wait]);
        supervisor.add_task(sibling.spec("sibling")).await?;
        let last_error = Arc::new(Mutex::new(None));
        let seen = Arc::clone(&last_error);
        let task = TaskFn::arc("volatile", move |ctx: TaskContext| {
            let seen = Arc::clone(&seen);
            async move {
                let Some(error) = ctx.last_error() else {
                    payload();
                    return Ok(());
                };
                *seen.lock().unwrap() = Some((error.as_label(), error.to_string()));
                Ok(())
            }
        });
        let start = Instant::now();

        let handle = supervisor.add_task(TaskSpec::inherit(task).with_backoff(constant(secs(1)))).await?;

        assert!(handle.outcome().await.is_completed(), "{expected}");
        assert_eq!((start.elapsed(), handle.status().attempt), (secs(1), 2), "{expected}");
        let last_error = last_error.lock().unwrap().take().map(|(label, text)| (label, tests::placeless(text)));
        assert_eq!(last_error, Some(("task_panicked", expected.to_owned())));
        settle().await;
        let failed: Vec<_> = recorder.seen().into_iter().filter(|seen| seen.kind == EventKind::TaskFailed).collect();
        assert_eq!(failed.len(), 1);
        assert_eq!((failed[0].attempt, failed[0].reason.as_deref()), (Some(1), Some(expected)));
        assert_eq!((sibling.attempts(), sibling.running()), (1, 1), "siblings are untouched");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn b09_a_panic_under_never_ends_the_task_as_panicked() -> Result<(), RuntimeError> {
    let supervisor = supervisor();
    for (payload, expected) in PAYLOADS {
        let spec = by_hand(move || {
            Box::pin(async move {
                payload();
                Ok(())
            })
        });
        let outcome = supervisor.add_task(spec.with_restart(RestartPolicy::Never)).await?.outcome().await;
        assert!(
            matches!(&outcome, TaskOutcome::Panicked { error } if tests::placeless(error) == expected),
            "{outcome}"
        );
    }
    Ok(())
}

/// A future that panics when dropped, whether it has completed or not.
struct Bomb(Poll<Option<Result<(), TaskError>>>);

impl Future for Bomb {
    type Output = Result<(), TaskError>;

    fn poll(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Poll::Ready(result) => Poll::Ready(result.take().expect("in poll")),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("in drop");
    }
}

fn bomb(result: Result<(), TaskError>) -> BoxTaskFuture {
    Box::pin(Bomb(Poll::Ready(Some(result))))
}

type Attempt = fn() -> BoxTaskFuture;

/// Attempts that panic or fail, and the outcome of each under `Never`.
const WRONGS: [(Attempt, &str); 8] = [
    (|| panic!("in spawn"), "panicked: in spawn"),
    (|| Box::pin(async { panic!("in the first poll") }), "panicked: in the first poll"),
    (
        || {
            Box::pin(async {
                sleep(secs(1)).await;
                panic!("in a later poll")
            })
        },
        "panicked: in a later poll",
    ),
    (|| bomb(Ok(())), "panicked: in drop"),
    (|| bomb(Err(TaskError::Canceled)), "panicked: in drop"),
    (|| Box::pin(Bomb(Poll::Ready(None))), "panicked: in poll"),
    (|| bomb(Err(TaskError::Fail { reason: "its own".into() })), "failed: its own"),
    (|| bomb(Err(TaskError::Fatal { reason: "its own".into() })), "fatal: its own"),
];

#[tokio::test(start_paused = true)]
async fn b10_a_panic_in_spawn_poll_or_drop_is_classified() {
    for (start, expected) in WRONGS {
        let (supervisor, recorder) = recorded();
        let sibling = Script::new([Step::Succeed(secs(10))]);

        let batch = vec![sibling.spec("sibling"), by_hand(start).with_restart(RestartPolicy::Never)];
        let (result, outcome) =
            tokio::join!(supervisor.run(batch), async { supervisor.task("by_hand").unwrap().outcome().await });

        assert!(result.is_ok(), "{result:?}");
        assert_eq!(tests::placeless(outcome), expected);
        assert_eq!(sibling.attempts(), 1);
        assert_eq!(recorder.count(EventKind::TaskFailed), 1, "{expected}");
        assert_eq!(recorder.kinds_of("by_hand").last(), Some(&EventKind::TaskRemoved));
    }
}

#[tokio::test(start_paused = true)]
async fn b10_a_panic_in_spawn_poll_or_drop_is_retried() -> Result<(), RuntimeError> {
    for (start, expected) in WRONGS {
        let supervisor = supervisor();
        let begun = Arc::new(Mutex::new(Vec::new()));
        let (beginning, zero) = (Arc::clone(&begun), Instant::now());
        let spec = by_hand(move || {
            let attempt = {
                let mut begun = beginning.lock().unwrap();
                begun.push(zero.elapsed().as_secs());
                begun.len()
            };
            if attempt == 1 { start() } else { Box::pin(async { Ok(()) }) }
        });

        let handle = supervisor.add_task(spec.with_restart(ALWAYS).with_backoff(constant(secs(20)))).await?;
        sleep(secs(10)).await;
        let status = handle.status();

        if expected.starts_with("fatal") {
            assert!(matches!(handle.outcome().await, TaskOutcome::Fatal { .. }));
            continue;
        }
        assert_eq!((status.state, status.attempt), (TaskState::Backoff, 1), "{expected}");
        let error = expected.trim_start_matches("failed: ");
        assert_eq!(status.last_error.map(tests::placeless).as_deref(), Some(error));
        assert!(handle.trigger());
        settle().await;
        assert_eq!(begun.lock().unwrap()[..2], [0, 10]);
        assert!(handle.cancel().await?);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn b10_a_panic_in_the_drop_of_a_stopped_attempt_is_kept() -> Result<(), RuntimeError> {
    let supervisor = supervisor();
    let handle = supervisor.add_task(by_hand(|| Box::pin(Bomb(Poll::Pending)))).await?;
    settle().await;

    assert!(handle.cancel().await?);

    let outcome = handle.outcome().await;
    assert!(matches!(outcome, TaskOutcome::Canceled { error: Some(_), .. }), "{outcome}");
    assert_eq!(tests::placeless(outcome), "canceled: panicked: in drop");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn b10_a_timed_out_attempt_whose_drop_panics_has_timed_out() -> Result<(), RuntimeError> {
    let supervisor = supervisor();
    let start = Instant::now();
    let deaf = TaskFn::arc("deaf", |_: TaskContext| Bomb(Poll::Pending));

    for (spec, after) in [(by_hand(|| Box::pin(Bomb(Poll::Pending))), 1), (TaskSpec::inherit(deaf), 1 + 1 + 5)] {
        let spec = spec.with_timeout(secs(1)).with_restart(RestartPolicy::Never);
        let outcome = supervisor.add_task(spec).await?.outcome().await;
        assert_eq!(outcome.to_string(), "failed: timed out after 1s");
        assert_eq!(start.elapsed(), secs(after));
    }
    Ok(())
}

#[test]
fn b10_a_drop_that_panics_is_contained_when_the_runtime_goes_away() {
    let supervisor = supervisor();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let handle = runtime.block_on(async {
        let handle = supervisor.add_task(by_hand(|| Box::pin(Bomb(Poll::Pending)))).await.unwrap();
        settle().await;
        handle
    });

    drop(runtime);

    assert_eq!(handle.status().state, TaskState::Ended);
}

/// An error whose drop panics.
#[derive(Debug)]
struct RudeError;

impl fmt::Display for RudeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rude")
    }
}

impl std::error::Error for RudeError {}

impl Drop for RudeError {
    fn drop(&mut self) {
        panic!("the error's drop");
    }
}

#[tokio::test(start_paused = true)]
async fn b10_an_error_whose_drop_panics_is_a_failure_like_any_other() -> Result<(), RuntimeError> {
    let supervisor = supervisor();
    let task = TaskFn::arc("rude", |ctx: TaskContext| async move {
        match ctx.attempt() {
            1 | 2 => Err(TaskError::error(RudeError)),
            3 => Ok(()),
            _ => {
                ctx.cancelled().await;
                Err(TaskError::error(RudeError))
            }
        }
    });
    let spec = TaskSpec::inherit(task).with_restart(ALWAYS).with_backoff(constant(secs(1)));
    let handle = supervisor.add_task(spec).await?;
    sleep(secs(10)).await;
    let status = handle.status();
    assert_eq!((status.state, status.attempt), (TaskState::Running, 4));

    assert!(handle.restart());
    settle().await;

    let status = handle.status();
    assert_eq!((status.state, status.attempt), (TaskState::Running, 5), "the panic took down the task");
    Ok(())
}

#[test]
fn b10_an_error_whose_drop_panics_is_contained_when_the_runtime_goes_away() {
    let supervisor = supervisor();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let task = TaskFn::arc("rude", |ctx: TaskContext| async move {
        ctx.spawn(std::future::pending());
        Err(TaskError::error(RudeError))
    });
    let handle = runtime.block_on(async {
        let handle = supervisor.add_task(TaskSpec::inherit(task)).await.unwrap();
        settle().await;
        handle
    });

    // The attempt has ended; its helper has not.
    drop(runtime);

    assert_eq!(handle.status().state, TaskState::Ended);
}

#[tokio::test(start_paused = true)]
async fn b10_a_task_whose_own_drop_panics_takes_nothing_down() -> Result<(), RuntimeError> {
    let (supervisor, sibling) = (supervisor(), Script::new([Step::Wait]));
    let rude = Arc::new(Mutex::new(Rude));
    let spec = by_hand(move || {
        drop(rude.lock().unwrap());
        Box::pin(async { Ok(()) })
    });
    supervisor.add_task(sibling.spec("sibling")).await?;

    drop(supervisor.add_task(spec).await?);
    sleep(secs(1)).await;

    assert_eq!(supervisor.snapshot(), ["sibling"]);
    assert!(supervisor.add_task(Script::new([OK]).spec("by_hand")).await?.outcome().await.is_completed());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn b04_a_context_that_outlives_its_attempt_knows_no_failure() -> Result<(), RuntimeError> {
    let (supervisor, contexts) = (supervisor(), Arc::new(Mutex::new(Vec::<TaskContext>::new())));
    let kept = Arc::clone(&contexts);
    let task = TaskFn::arc("flaky", move |ctx: TaskContext| {
        kept.lock().unwrap().push(ctx.clone());
        async move {
            if ctx.attempt() == 1 {
                return Err(TaskError::Fail { reason: "first".into() });
            }
            ctx.cancelled().await;
            Ok(())
        }
    });
    let spec = TaskSpec::inherit(task).with_backoff(constant(secs(2)));
    let task = supervisor.add_task(spec).await?;
    let known = || -> Vec<_> {
        let contexts = contexts.lock().unwrap();
        contexts.iter().map(|ctx| ctx.last_error().map(|error| error.to_string())).collect()
    };
    sleep(secs(1)).await;
    assert_eq!(known(), [None], "in the backoff, its own failure is not one before it");
    sleep(secs(2)).await;
    assert_eq!(known(), [None, Some("first".to_owned())]);
    task.cancel().await?;
    assert_eq!(known(), [None, None]);
    Ok(())
}
