//! Tasks that pass on what a supervisor refuses because it shuts down.

use std::pin::Pin;
use std::sync::Arc;

use taskvisor::{
    BoxError, ControllerSpec, EventKind, Group, RestartPolicy, RuntimeError, StopReason, Supervisor, SupervisorConfig,
    SupervisorHandle, TaskContext, TaskError, TaskFn, TaskOutcome, TaskSpec, Tree,
};
use tests::{Recorder, constant, cooperative, ms, secs, supervisor};
use tokio::time::sleep;

use super::Result;

type Added = std::result::Result<(), BoxError>;

/// Adds a job, or submits one.
type Adds = fn(SupervisorHandle) -> Pin<Box<dyn Future<Output = Added> + Send>>;

fn adds(supervisor: SupervisorHandle) -> Pin<Box<dyn Future<Output = Added> + Send>> {
    Box::pin(async move {
        supervisor.add_task(cooperative("job")).await?.cancel().await?;
        Ok(())
    })
}

fn submits(supervisor: SupervisorHandle) -> Pin<Box<dyn Future<Output = Added> + Send>> {
    Box::pin(async move {
        supervisor.submit(ControllerSpec::queue(cooperative("job"))).await?.cancel().await?;
        Ok(())
    })
}

/// A critical task that works until it is refused, and does not watch its context.
fn feed(adds: Adds, wrap: fn(BoxError) -> TaskError) -> TaskSpec {
    let task = TaskFn::arc("feed", move |ctx: TaskContext| async move {
        loop {
            adds(ctx.supervisor()).await.map_err(wrap)?;
            sleep(ms(100)).await;
        }
    });
    TaskSpec::inherit(task).critical()
}

async fn shut_down(feed: TaskSpec) -> (Result, Option<TaskOutcome>, Arc<Recorder>) {
    let recorder = Recorder::new();
    let config = SupervisorConfig { drain: secs(10), ..SupervisorConfig::default() };
    let tree = Tree::builder(config).with_subscriber(Arc::clone(&recorder)).task(feed).build();
    tree.start().await.unwrap();
    sleep(secs(1)).await;
    let result = tree.shutdown().await;
    (result, tree.child("feed").outcome().await, recorder)
}

#[tokio::test(start_paused = true)]
async fn e04_a_critical_task_that_ends_with_a_refusal_of_the_shutdown_fails_nothing() {
    let never = |spec: TaskSpec| spec.with_restart(RestartPolicy::Never);
    for spec in [
        never(feed(adds, TaskError::error)),
        never(feed(submits, TaskError::error)),
        feed(adds, TaskError::error).with_max_retries(0),
        feed(adds, TaskError::permanent),
    ] {
        // when
        let (result, outcome, recorder) = shut_down(spec).await;
        // then
        assert!(result.is_ok(), "{result:?}");
        let Some(TaskOutcome::Canceled { error: Some(error), reason: StopReason::Shutdown, finished: false }) = outcome
        else {
            panic!("{outcome:?}")
        };
        assert_eq!(format!("{error:#}"), "the supervisor is shutting down");
        assert_eq!((recorder.count(EventKind::TaskFailed), recorder.count(EventKind::ActorExhausted)), (0, 0));
        let mut seen = recorder.seen();
        seen.retain(|seen| seen.kind == EventKind::TaskStopped && seen.task.as_deref() == Some("feed"));
        let stops: Vec<_> = seen.into_iter().map(|seen| seen.stop).collect();
        assert!(matches!(stops[..], [Some(StopReason::Shutdown)]), "{stops:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn e04_another_failure_in_the_drain_and_the_refusal_of_another_supervisor_are_failures() -> Result {
    // given: a failure of its own
    let (result, ..) = shut_down(feed(adds, |_| TaskError::error("lost")).with_restart(RestartPolicy::Never)).await;
    assert!(matches!(result, Err(RuntimeError::Failed { .. })), "{result:?}");
    // given: another supervisor, which has stopped
    let other: Arc<Supervisor> = supervisor();
    other.shutdown().await?;
    let task = TaskFn::arc("feed", move |_: TaskContext| {
        let other = Arc::clone(&other);
        async move { other.add_task(cooperative("job")).await.map(drop).map_err(TaskError::error) }
    });
    let tree = Tree::builder(SupervisorConfig::default())
        .task(TaskSpec::inherit(task).critical().with_restart(RestartPolicy::Never))
        .build();
    assert!(matches!(tree.run().await, Err(RuntimeError::Failed { .. })));
    Ok(())
}

/// With retries left, it is refused again and again until the drain is over.
#[tokio::test(start_paused = true)]
async fn e04_refusals_of_the_shutdown_do_not_count_for_the_limit_of_a_group() {
    for strategy in [Group::one_for_one, Group::one_for_all, Group::rest_for_one] {
        for wrap in [TaskError::error, |error| TaskError::error(error).retry_after(ms(50))] {
            // given
            let recorder = Recorder::new();
            let config = SupervisorConfig { drain: secs(3), ..SupervisorConfig::default() };
            let feed = feed(adds, wrap).with_backoff(constant(ms(100)));
            let group = strategy("group").with_limit(5, secs(60)).task(feed).critical();
            let tree = Tree::builder(config)
                .with_subscriber(Arc::clone(&recorder))
                .with_limit(5, secs(60))
                .group(group)
                .task(cooperative("serve"))
                .build();
            tree.start().await.unwrap();
            sleep(secs(1)).await;
            // when
            let result = tree.shutdown().await;
            // then
            assert!(result.is_ok(), "{result:?}");
            assert!(recorder.count(EventKind::TaskFailed) > 6, "it is retried");
            assert_eq!(recorder.count(EventKind::GroupFailed), 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn e04_other_failures_in_the_drain_count_for_the_limit_of_a_group() {
    let feed = feed(adds, |_| TaskError::error("lost")).with_backoff(constant(ms(100)));
    let config = SupervisorConfig { drain: secs(3), ..SupervisorConfig::default() };
    let tree = Tree::builder(config).with_limit(5, secs(60)).task(feed).build();
    tree.start().await.unwrap();
    sleep(secs(1)).await;
    let result = tree.shutdown().await;
    assert!(result.unwrap_err().to_string().contains("exceeded 5 restarts"));
}
