//! A task that must not end: `critical = "any_end"`, and functions that never end in success.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;

use taskvisor::{
    Group, InvalidOption, Ready, RestartPolicy, RuntimeError, SupervisorConfig, TaskContext, TaskFn, TaskOutcome,
    TaskSpec, TaskState, Tree, task,
};
use tests::{ALWAYS, FAIL, OK, Script, Step, constant, cooperative, ms, secs, settle, supervisor};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

type Result = std::result::Result<(), RuntimeError>;

fn tree(specs: impl IntoIterator<Item = TaskSpec>) -> Tree {
    Tree::builder(SupervisorConfig::default()).tasks(specs).build()
}

fn ends(steps: impl Into<Vec<Step>>) -> TaskSpec {
    Script::new(steps).spec("serve").with_backoff(constant(ms(1)))
}

fn refused(result: std::result::Result<(), RuntimeError>) -> Arc<InvalidOption> {
    match result {
        Err(RuntimeError::InvalidOption(invalid)) => invalid,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn o11_its_end_in_success_fails_the_tree() {
    for steps in [vec![OK], vec![Step::Succeed(secs(5))], vec![FAIL, OK], vec![Step::Cancel]] {
        let tree = tree([ends(steps.clone()).critical_at_any_end(), cooperative("other")]);
        let error = tree.run().await.unwrap_err();
        let RuntimeError::Failed { chain, source, stuck } = &error else { panic!("{error}") };
        assert!(source.is_none() && stuck.is_empty(), "{steps:?}: {error}");
        assert_eq!((&*chain.links()[0].path, chain.links()[0].ended, chain.links()[0].aborted), ("serve", true, false));
        assert_eq!(error.to_string(), "`serve` ended although it must not, which `root` needs");
        assert_eq!(format!("{error:#}"), error.to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn o11_its_end_in_failure_fails_the_tree_with_its_error() {
    let tree = tree([ends([FAIL]).with_restart(RestartPolicy::Never).critical_at_any_end()]);
    let error = tree.run().await.unwrap_err();
    assert_eq!(format!("{error:#}"), "`serve` failed (failure 1), which `root` needs");
}

#[tokio::test(start_paused = true)]
async fn o11_a_plain_critical_task_may_end_in_success() -> Result {
    tree([ends([OK]).critical()]).run().await?;
    tree([ends([Step::Cancel]).critical()]).run().await
}

#[tokio::test(start_paused = true)]
async fn o11_a_requested_end_is_no_failure() -> Result {
    let serve = || cooperative("serve").critical_at_any_end();
    // By its handle, by name, and by the shutdown.
    let one = tree([serve(), cooperative("other")]);
    one.start().await?;
    settle().await;
    assert!(one.child("serve").cancel().await?);
    sleep(secs(1)).await;
    assert!(one.health().is_ready());
    one.shutdown().await?;
    let two = tree([serve(), cooperative("other")]);
    two.start().await?;
    two.supervisor().remove_task("serve").await?;
    sleep(secs(1)).await;
    two.shutdown().await?;
    tree([serve(), cooperative("other")]).run_until(sleep(secs(1))).await
}

#[tokio::test(start_paused = true)]
async fn o11_an_end_during_the_drain_or_an_ordered_stop_is_no_failure() -> Result {
    let stops = Arc::new(Notify::new());
    let serve = |name: &str| {
        let stops = Arc::clone(&stops);
        let task = TaskFn::arc(name, move |_: TaskContext| {
            let stops = Arc::clone(&stops);
            async move {
                stops.notified().await;
                Ok(())
            }
        });
        TaskSpec::inherit(task).critical_at_any_end()
    };
    let config = SupervisorConfig { drain: secs(5), ..SupervisorConfig::default() };
    let tree = Tree::builder(config).task(serve("serve")).task(cooperative("other")).build();
    tree.start().await?;
    settle().await;
    let shutdown = tree.shutdown();
    settle().await;
    stops.notify_waiters();
    shutdown.await
}

#[tokio::test(start_paused = true)]
async fn o11_a_group_is_failed_and_restarted_by_its_parent() -> Result {
    let script = Script::new([Step::Succeed(secs(1)), Step::Wait]);
    let other = Script::new([Step::Wait]);
    let group = Group::one_for_one("g")
        .task(script.spec("serve").critical_at_any_end())
        .task(other.spec("other"))
        .with_backoff(constant(secs(1)));
    let tree = Tree::builder(SupervisorConfig::default()).group(group).build();
    tree.start().await?;
    sleep(ms(1500)).await;
    let health = tree.health();
    assert_eq!(health.not_ready[0].path, "g");
    assert_eq!(health.not_ready[0].error.as_deref(), Some("`g/serve` ended although it must not, which `g` needs"));
    sleep(secs(1)).await;
    assert_eq!((script.attempts(), other.attempts()), (2, 2));
    assert!(tree.health().is_ready());
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o11_a_group_can_be_one_that_must_not_end() {
    let group = || Group::one_for_one("workers").task(ends([Step::Succeed(secs(1))]));
    let tree = |group| Tree::builder(SupervisorConfig::default()).group(group).task(cooperative("other")).build();
    let error = tree(group().critical_at_any_end()).run().await.unwrap_err();
    assert_eq!(error.to_string(), "`workers` ended although it must not, which `root` needs");
    let plain = tree(group());
    timeout(secs(5), plain.run()).await.expect_err("the others go on");
}

#[tokio::test(start_paused = true)]
async fn o11_a_group_that_is_canceled_is_no_failure() -> Result {
    let group = Group::one_for_one("workers").task(cooperative("a")).critical_at_any_end();
    let tree = Tree::builder(SupervisorConfig::default()).group(group).task(cooperative("other")).build();
    tree.start().await?;
    settle().await;
    assert!(tree.group("workers").cancel().await?);
    sleep(secs(1)).await;
    assert!(tree.health().is_ready());
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o11_an_added_task_can_be_one_too() -> Result {
    let tree = Tree::builder(SupervisorConfig::default()).group(Group::one_for_one("g")).build();
    tree.start().await?;
    settle().await;
    tree.group("g").add_task(ends([OK]).critical_at_any_end()).await?;
    sleep(ms(50)).await;
    assert_eq!(tree.group("g").status(), Some(TaskState::Backoff));
    sleep(ms(100)).await;
    assert_eq!(tree.group("g").status(), Some(TaskState::Running));
    let beside = supervisor().add_task(ends([OK]).critical_at_any_end()).await.map(drop);
    assert_eq!(refused(beside).option, "critical");
    tree.shutdown().await
}

#[tokio::test]
async fn o11_contradictions_are_refused() {
    let spec = || cooperative("serve").critical_at_any_end();
    assert!(spec().is_critical() && spec().is_critical_at_any_end());
    assert!(!spec().critical().is_critical_at_any_end() && !spec().not_critical().is_critical());
    let invalid = refused(tree([spec().significant()]).start().await);
    assert_eq!(
        invalid.to_string(),
        "task `serve`: `significant` is set, expected a task that may end: not `critical` at any end"
    );
    let invalid = refused(tree([spec().with_ready(Ready::Completed)]).start().await);
    assert_eq!((invalid.option, &*invalid.value), ("ready", "Completed"));
    let group = Group::one_for_one("g").critical_at_any_end().significant();
    let invalid = refused(Tree::builder(SupervisorConfig::default()).group(group).build().start().await);
    assert_eq!(invalid.option, "significant");
}

async fn of_threads(specs: impl Fn() -> Vec<TaskSpec>) {
    for _ in 0..100 {
        let error = tree(specs()).run().await.unwrap_err();
        assert!(error.to_string().ends_with("ended although it must not, which `root` needs"), "{error}");
    }
}

/// Many that end at once: one is the reason, and none is lost.
fn at_once() -> Vec<TaskSpec> {
    (0..8).map(|n| Script::new([OK]).spec(&format!("t{n}")).critical_at_any_end()).collect()
}

#[tokio::test]
async fn o11_many_that_end_at_once_on_one_thread() {
    of_threads(at_once).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o11_many_that_end_at_once_on_two_threads() {
    of_threads(at_once).await;
}

/// Never returns.
#[task(critical)]
async fn forever() -> Infallible {
    pending().await
}

/// Returns only in failure.
#[task(critical, max_retries = 1, backoff(first = "1ms"))]
async fn until_it_fails() -> std::result::Result<Infallible, std::io::Error> {
    Err(std::io::Error::other("connection lost"))
}

fn never(_: &std::io::Error) -> bool {
    false
}

#[task(critical, retry_if = never)]
async fn not_retried() -> std::result::Result<Infallible, std::io::Error> {
    Err(std::io::Error::other("no such volume"))
}

/// Is dropped when it is requested to stop.
#[task(critical)]
async fn diverges() -> ! {
    pending().await
}

#[tokio::test(start_paused = true)]
async fn o11_functions_that_never_end_in_success_are_tasks() -> Result {
    let running = tree([forever::spec(), diverges::spec()]);
    running.run_until(sleep(secs(1))).await?;
    let error = tree([until_it_fails::spec()]).run().await.unwrap_err();
    assert_eq!(format!("{error:#}"), "`until_it_fails` failed (connection lost), which `root` needs");
    let supervisor = supervisor();
    let task = supervisor.add_task(not_retried::spec().not_critical()).await?;
    let outcome = task.outcome().await;
    assert!(matches!(outcome, TaskOutcome::Fatal { .. }), "{outcome}");
    // As a value, the function is what it was.
    let error: std::result::Result<Infallible, std::io::Error> = until_it_fails().await;
    assert!(error.is_err());
    let always = supervisor.add_task(until_it_fails::spec().not_critical().with_restart(ALWAYS)).await?;
    assert!(matches!(always.outcome().await, TaskOutcome::Exhausted { .. }));
    Ok(())
}
