//! Ready after the first success, for tasks that repeat.

use std::sync::Arc;
use std::time::Duration;

use taskvisor::{
    Group, InvalidOption, Problem, Ready, RestartPolicy, RuntimeError, SupervisorConfig, TaskSpec, TaskState, Tree,
};
use tests::{ALWAYS, FAIL, OK, Script, Step, constant, cooperative, ms, secs};
use tokio::time::{sleep, timeout};

type Result = std::result::Result<(), RuntimeError>;

const EACH_10_S: RestartPolicy = RestartPolicy::Always { interval: Some(secs(10)) };

/// A task that repeats each 10 s, after a failure too.
fn repeats(script: &Arc<Script>, name: &str) -> TaskSpec {
    script.spec(name).with_restart(EACH_10_S).with_backoff(constant(secs(10))).with_ready(Ready::FirstSuccess)
}

fn tree(specs: impl IntoIterator<Item = TaskSpec>) -> Tree {
    Tree::builder(SupervisorConfig::default()).tasks(specs).build()
}

/// The readiness in the middle of each period of 10 s.
async fn readiness(tree: &Tree, periods: usize) -> Vec<bool> {
    sleep(secs(5)).await;
    let mut seen = Vec::new();
    for _ in 0..periods {
        seen.push(tree.health().is_ready());
        sleep(secs(10)).await;
    }
    seen
}

#[tokio::test(start_paused = true)]
async fn o16_it_is_ready_from_its_first_success_on() -> Result {
    let script = Script::new([FAIL, FAIL, OK, FAIL, FAIL, FAIL, OK]);
    let tree = tree([repeats(&script, "poll"), cooperative("serve").with_after(["poll"])]);
    tree.start().await?;
    sleep(secs(5)).await;
    let health = tree.health();
    assert_eq!(health.not_ready[0].problem, Problem::NotReady(TaskState::Backoff));
    assert_eq!((&*health.not_ready[1].path, &*health.not_ready[1].awaits), ("serve", &["poll".to_owned()][..]));
    sleep(secs(10)).await;
    assert_eq!(tree.child("serve").status().unwrap().attempt, 0);
    sleep(secs(10)).await;
    assert_eq!(tree.child("serve").status().unwrap().attempt, 1);
    for _ in 0..10 {
        assert!(tree.health().is_ready(), "failures after the first success change nothing by default");
        sleep(secs(10)).await;
    }
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o16_some_failures_in_a_row_make_it_unready_until_it_succeeds() -> Result {
    let steps = [OK, FAIL, OK, FAIL, FAIL, FAIL, OK, OK];
    for (failures, expected) in [
        (1, [true, false, true, false, false, false, true, true]),
        (2, [true, true, true, true, false, false, true, true]),
        (3, [true, true, true, true, true, false, true, true]),
        (4, [true; 8]),
    ] {
        let served = Script::new([Step::Wait]);
        let poll = repeats(&Script::new(steps.clone()), "poll").with_unready_after(failures);
        let tree = tree([poll, served.spec("serve").with_after(["poll"])]);
        tree.start().await?;
        assert_eq!(readiness(&tree, 8).await, expected, "{failures}");
        assert_eq!((served.attempts(), served.running()), (1, 1), "those after it go on");
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o16_it_stays_ready_while_an_attempt_runs() -> Result {
    let script = Script::new([Step::Succeed(secs(3))]);
    let tree = tree([repeats(&script, "poll")]);
    tree.start().await?;
    sleep(secs(2)).await;
    assert!(!tree.health().is_ready(), "its first attempt runs");
    sleep(secs(2)).await;
    assert!(tree.health().is_ready(), "it waits for its interval");
    sleep(secs(10)).await;
    assert_eq!((script.running(), script.attempts()), (1, 2));
    assert!(tree.health().is_ready(), "its second attempt runs");
    assert!(tree.child("poll").restart());
    sleep(secs(3)).await;
    assert_eq!((script.running(), script.attempts()), (1, 3));
    assert!(tree.health().is_ready(), "a restart of its own is no failure");
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o16_wait_ready_waits_for_it() -> Result {
    let tree = tree([repeats(&Script::new([FAIL, OK]), "poll")]);
    tree.start().await?;
    timeout(secs(9), tree.wait_ready()).await.expect_err("not before its first success");
    timeout(secs(2), tree.wait_ready()).await.expect("ready");
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o16_a_restart_of_its_group_begins_anew() -> Result {
    let script = Script::new([OK, FAIL, FAIL, OK]);
    let served = Script::new([Step::Wait]);
    let group = Group::one_for_one("g").task(repeats(&script, "poll")).task(served.spec("serve").with_after(["poll"]));
    let tree = Tree::builder(SupervisorConfig::default()).group(group).build();
    tree.start().await?;
    sleep(secs(5)).await;
    assert!(tree.health().is_ready());
    assert!(tree.group("g").restart());
    sleep(secs(5)).await;
    assert_eq!((served.attempts(), served.running()), (1, 0), "it waits for a success again");
    assert!(!tree.health().is_ready());
    sleep(secs(20)).await;
    assert_eq!((served.attempts(), served.running()), (2, 1));
    assert!(tree.health().is_ready());
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o16_so_does_a_restart_with_its_siblings() -> Result {
    for its_own_failure in [false, true] {
        let script = if its_own_failure {
            Script::new([OK, Step::Fail(secs(5)), Step::Fail(secs(1)), OK])
        } else {
            Script::new([OK, FAIL, OK])
        };
        let last = if its_own_failure { vec![Step::Wait] } else { vec![Step::Fail(secs(5)), Step::Wait] };
        let last = Script::new(last);
        let group = Group::one_for_all("g")
            .task(repeats(&script, "poll"))
            .task(last.spec("last").with_after(["poll"]).with_backoff(constant(ms(1))));
        let tree = Tree::builder(SupervisorConfig::default()).group(group).build();
        tree.start().await?;
        sleep(secs(if its_own_failure { 16 } else { 6 })).await;
        assert_eq!((last.attempts(), last.running()), (1, 0), "it waits for a success again: {its_own_failure}");
        assert!(!tree.health().is_ready());
        sleep(secs(31)).await;
        assert_eq!((last.attempts(), last.running()), (2, 1), "{its_own_failure}");
        assert!(tree.health().is_ready());
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o16_while_it_waits_for_its_siblings_it_is_not_ready() -> Result {
    let last = Script::new([Step::Fail(secs(5)), Step::Wait]).spec("last").with_backoff(constant(secs(60)));
    let group = Group::one_for_all("g").task(repeats(&Script::new([OK]), "poll")).task(last);
    let tree = Tree::builder(SupervisorConfig::default()).group(group).build();
    tree.start().await?;
    sleep(secs(7)).await;
    // It was requested to hold in its interval.
    let health = tree.health();
    let poll = health.not_ready.iter().find(|one| one.path == "g/poll").expect("held");
    assert_eq!(poll.problem, Problem::NotReady(TaskState::Pending));
    let last = health.not_ready.iter().find(|one| one.path == "g/last").expect("in its backoff");
    let later = poll.since.duration_since(last.since).unwrap_or_default();
    let earlier = last.since.duration_since(poll.since).unwrap_or_default();
    assert!(later.max(earlier) < secs(1), "since the restart, and not since its interval: {later:?} {earlier:?}");
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o16_in_a_group_with_a_limit_its_failures_count_and_it_stays_ready() -> Result {
    let script = Script::new([OK, FAIL, FAIL, OK]);
    let served = Script::new([Step::Wait]);
    let group = Group::one_for_one("g").with_limit(5, secs(3600));
    let group = group.task(repeats(&script, "poll")).task(served.spec("serve").with_after(["poll"]));
    let tree = Tree::builder(SupervisorConfig::default()).group(group).build();
    tree.start().await?;
    assert_eq!(readiness(&tree, 6).await, [true; 6]);
    assert_eq!(served.attempts(), 1);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o16_one_that_never_succeeds_and_is_exhausted_fails_its_group() {
    let poll = repeats(&Script::new([FAIL]), "poll").with_max_retries(1);
    let error = tree([poll, cooperative("serve").with_after(["poll"])]).run().await.unwrap_err();
    assert!(format!("{error:#}").starts_with("`poll` failed (failure 2), which `root`"), "{error:#}");
}

#[tokio::test(start_paused = true)]
async fn o16_with_an_explicit_start_timeout_its_first_success_must_come_in_time() -> Result {
    let script = Script::new([Step::Succeed(secs(60)), Step::Succeed(secs(1)), Step::Succeed(secs(60))]);
    let poll = repeats(&script, "poll").with_start_timeout(secs(5)).with_cleanup(ms(0));
    let tree = tree([poll]);
    tree.start().await?;
    sleep(secs(6)).await;
    assert_eq!(tree.child("poll").status().unwrap().failures, 1);
    sleep(secs(11)).await;
    assert!(tree.health().is_ready());
    sleep(secs(40)).await;
    let status = tree.child("poll").status().unwrap();
    assert_eq!((status.state, status.attempt, status.failures), (TaskState::Running, 3, 0), "it has started");
    tree.shutdown().await
}

fn refused(result: Result) -> Arc<InvalidOption> {
    match result {
        Err(RuntimeError::InvalidOption(invalid)) => invalid,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn o16_contradictions_are_refused() {
    let first = || cooperative("poll").with_ready(Ready::FirstSuccess);
    for restart in [RestartPolicy::Never, RestartPolicy::OnFailure] {
        let invalid = refused(tree([first().with_restart(restart)]).start().await);
        assert_eq!((invalid.option, &*invalid.value), ("ready", "FirstSuccess"));
    }
    let invalid = refused(tree([first().with_restart(ALWAYS).with_unready_after(0)]).start().await);
    assert_eq!((invalid.option, &*invalid.value), ("unready_after", "0"));
    for ready in [Ready::Start, Ready::Signal] {
        let spec = cooperative("poll").with_restart(ALWAYS).with_ready(ready).with_unready_after(3);
        let invalid = refused(tree([spec]).start().await);
        let expected = "task `poll`: `unready_after` is 3, expected `Ready::FirstSuccess` beside it";
        assert_eq!(invalid.to_string(), expected);
    }
}

/// The first success and the stop of the group come at once.
async fn races() {
    for _ in 0..200 {
        let poll = Script::new([OK]).spec("poll").with_restart(ALWAYS).with_ready(Ready::FirstSuccess);
        let served = Script::new([Step::Wait]);
        let group = Group::one_for_one("g").task(poll).task(served.spec("serve").with_after(["poll"]));
        let tree = Tree::builder(SupervisorConfig::default()).group(group).build();
        tree.start().await.unwrap();
        tree.group("g").restart();
        timeout(Duration::from_secs(60), async {
            while served.running() == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("a success was lost");
        tree.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn o16_a_success_beside_a_restart_is_not_lost_on_one_thread() {
    races().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o16_a_success_beside_a_restart_is_not_lost_on_two_threads() {
    races().await;
}
