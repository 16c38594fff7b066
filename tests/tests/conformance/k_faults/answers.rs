//! Errors, health, options and warnings.

use taskvisor::{RestartPolicy, RuntimeError, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskOutcome, TaskSpec};
use tests::{constant, cooperative, ms, secs, supervisor};
use tokio::time::{Instant, sleep};

type Result = std::result::Result<(), RuntimeError>;

/// A task that ignores its token.
fn careless(name: &str) -> TaskSpec {
    TaskSpec::inherit(TaskFn::arc(name, |_: TaskContext| async {
        sleep(secs(3600)).await;
        Err(TaskError::Canceled)
    }))
    .with_restart(RestartPolicy::Never)
}

#[tokio::test(start_paused = true)]
async fn k6f_cleanup_bounds_what_follows_a_timeout_and_stop_timeout_a_stop() -> Result {
    let config = SupervisorConfig { cleanup: Some(secs(2)), ..SupervisorConfig::default() };
    let supervisor = taskvisor::Supervisor::new(config, vec![]);
    let spec = careless("a").with_timeout(secs(1)).with_stop_timeout(secs(9));
    for (spec, expected) in [(spec.clone(), secs(3)), (spec.with_cleanup(ms(500)), ms(1500))] {
        let start = Instant::now();
        let outcome = supervisor.add_task(spec.clone()).await?.outcome().await;
        assert!(matches!(outcome, TaskOutcome::Failed { .. }), "{outcome}");
        assert_eq!(start.elapsed(), expected);

        let start = Instant::now();
        let task = supervisor.add_task(spec.with_timeout(None)).await?;
        sleep(secs(1)).await;
        assert!(task.cancel().await?);
        assert_eq!(start.elapsed(), secs(10));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k6d_a_final_attempt_of_a_task_that_runs_once_is_refused() -> Result {
    let supervisor = supervisor();
    let spec = cooperative("a").with_final_attempt().with_backoff(constant(ms(1)));
    let once = spec.clone().with_restart(RestartPolicy::Never);
    let error = supervisor.add_task(once).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "task `a`: `final_attempt` is set, expected a task that runs again: not the restart policy `Never`"
    );
    assert!(supervisor.add_task(spec).await?.spec().has_final_attempt());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k6j_a_metric_label_is_not_empty_and_part_of_what_the_task_runs_by() -> Result {
    let supervisor = supervisor();
    let error = supervisor.add_task(cooperative("a").with_metric_label("")).await.unwrap_err();
    assert_eq!(error.to_string(), "task `a`: `metric_label` is \"\", expected a label that is not empty");
    // Specs that differ in nothing else.
    for label in [Some("one"), Some("two"), None] {
        let spec = cooperative(label.unwrap_or("none"));
        let spec = label.into_iter().fold(spec, TaskSpec::with_metric_label);
        assert_eq!(supervisor.add_task(spec).await?.spec().metric_label(), label);
    }
    Ok(())
}
