//! O20: a task with its own limit of failures.

use taskvisor::{Group, RestartPolicy, RuntimeError, SupervisorConfig, TaskOutcome, TaskSpec, TaskState, Tree};
use tests::{ALWAYS, FAIL, OK, Script, Step, constant, secs, settle, supervisor};
use tokio::time::{Instant, sleep};

type Result = std::result::Result<(), RuntimeError>;

fn failing(script: &std::sync::Arc<Script>, name: &str) -> TaskSpec {
    script.spec(name).with_backoff(constant(secs(1)))
}

#[tokio::test(start_paused = true)]
async fn o20_past_its_limit_a_task_ends_alone() -> Result {
    for group in [Group::one_for_one("g").with_limit(100, secs(60)), Group::one_for_one("g")] {
        let (bad, good) = (Script::new([FAIL]), Script::new([Step::Wait]));
        let group = group.task(good.spec("good")).task(failing(&bad, "bad").with_limit(2, secs(60)));
        let tree = Tree::builder(SupervisorConfig::default()).group(group).build();
        tree.start().await?;
        let outcome = tree.child("g/bad").outcome().await.unwrap();
        assert!(matches!(outcome, TaskOutcome::Exhausted { failures: 3, .. }), "{outcome}");
        assert_eq!(outcome.to_string(), "exhausted after 3 failures: failure 3");
        sleep(secs(60)).await;
        assert_eq!((bad.attempts(), good.attempts(), good.running()), (3, 1, 1));
        assert_eq!(tree.group("g").status(), Some(TaskState::Running));
        assert_eq!(tree.health().not_ready.len(), 1);
        assert!(tree.child("g/bad").restart(), "and it starts again from zero");
        let outcome = tree.child("g/bad").outcome().await.unwrap();
        assert!(matches!(outcome, TaskOutcome::Exhausted { failures: 3, .. }), "{outcome}");
        assert_eq!(bad.attempts(), 6);
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o20_the_last_failure_restarts_no_sibling() -> Result {
    let (bad, good) = (Script::new([Step::Fail(secs(1))]), Script::new([Step::Wait]));
    let group = Group::one_for_all("g").task(good.spec("good")).task(failing(&bad, "bad").with_limit(1, secs(60)));
    let tree = Tree::builder(SupervisorConfig::default()).group(group).build();
    tree.start().await?;
    sleep(secs(60)).await;
    // The first failure restarts the sibling, and the second does not.
    assert_eq!((bad.attempts(), good.attempts(), good.running()), (2, 2, 1));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o20_a_critical_task_past_its_limit_fails_its_group() -> Result {
    let bad = Script::new([FAIL]);
    let group = Group::one_for_one("g").with_restart(RestartPolicy::Never);
    let group = group.task(failing(&bad, "bad").with_limit(1, secs(60)).critical());
    let tree = Tree::builder(SupervisorConfig::default()).group(group).build();
    let error = tree.run_until(std::future::pending()).await.unwrap_err();
    assert!(matches!(error, RuntimeError::Failed { .. }), "{error}");
    assert_eq!(bad.attempts(), 2);
    Ok(())
}

/// The window slides: failures that are older than `within` do not count, whatever comes between.
#[tokio::test(start_paused = true)]
async fn o20_the_window_slides_and_neither_success_nor_a_restart_ends_it() -> Result {
    let supervisor = supervisor();
    let steps = [FAIL, OK, FAIL, OK, FAIL, OK];
    let script = Script::new([&steps[..], &[FAIL]].concat());
    let start = Instant::now();
    let every = RestartPolicy::Always { interval: Some(secs(4)) };
    let spec = failing(&script, "x").with_restart(every).with_limit(2, secs(9));
    let outcome = supervisor.add_task(spec).await?.outcome().await;
    assert!(matches!(outcome, TaskOutcome::Exhausted { failures: 3, .. }), "{outcome}");
    // A failure each 5 s: two of them are within 9 s. Then one each second.
    assert_eq!(script.begun_ms(start), [0, 1_000, 5_000, 6_000, 10_000, 11_000, 15_000, 16_000]);

    let script = Script::new([FAIL]);
    let task = supervisor.add_task(failing(&script, "y").with_limit(2, secs(60))).await?;
    settle().await;
    assert!(task.restart());
    settle().await;
    assert!(task.restart());
    assert!(matches!(task.outcome().await, TaskOutcome::Exhausted { failures: 3, .. }));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o20_zero_is_none_at_all_and_a_window_of_zero_is_refused() -> Result {
    let supervisor = supervisor();
    let script = Script::new([FAIL]);
    let task = supervisor.add_task(script.spec("x").with_restart(ALWAYS).with_limit(0, secs(1))).await?;
    assert!(matches!(task.outcome().await, TaskOutcome::Exhausted { failures: 1, .. }));
    assert_eq!(task.spec().limit(), Some((0, secs(1))));
    let refused = supervisor.add_task(script.spec("x").with_limit(5, secs(0))).await.unwrap_err();
    assert!(
        refused.to_string().contains("`limit.within`") || refused.to_string().contains("limit.within"),
        "{refused}"
    );
    Ok(())
}
