//! Groups in snapshots.

use taskvisor::{Group, OutcomeKind, Problem, TaskState, WaitingFor};
use tests::{FAIL, Script, Step, constant, cooperative, secs, settle};
use tokio::time::{advance, sleep};

use super::{Result, left, node, started};

/// A group whose child fails and is critical.
fn failing(name: &str) -> Group {
    let leaf = Script::new([FAIL, FAIL, Step::Wait]).spec("leaf").with_max_retries(0).critical();
    Group::one_for_one(name).with_backoff(constant(secs(5))).task(leaf)
}

#[tokio::test(start_paused = true)]
async fn c01_a_group_in_its_backoff_has_its_end_and_its_failures() -> Result {
    let (tree, _) = started(|tree| tree.group(failing("g")).task(cooperative("t"))).await?;
    for failures in 1..=2 {
        let waits = node(&tree, "g");
        assert_eq!((waits.state, waits.failures, waits.restarts), (TaskState::Backoff, failures, failures - 1));
        assert_eq!((waits.waiting_for.clone(), left(&waits)), (Some(WaitingFor::Delay), Some(5_000)));
        assert_eq!((waits.ready, waits.problem), (false, Some(Problem::NotReady(TaskState::Backoff))));
        sleep(secs(5)).await;
        settle().await;
    }
    let runs = node(&tree, "g");
    assert_eq!((runs.state, runs.ready, runs.restarts, runs.failures), (TaskState::Running, true, 2, 2));
    assert_eq!((runs.waiting_for, runs.next_at, runs.problem), (None, None, None));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn c01_a_nested_group_that_fails_waits_for_the_time_of_its_parent() -> Result {
    let outer = Group::rest_for_one("outer").group(failing("g")).task(cooperative("later"));
    let (tree, _) = started(|tree| tree.group(outer.with_limit(100, secs(60)))).await?;
    let waits = node(&tree, "outer/g");
    assert_eq!((waits.waiting_for.clone(), left(&waits)), (Some(WaitingFor::Delay), Some(5_000)), "{waits:?}");
    advance(secs(2)).await;
    assert_eq!(left(&node(&tree, "outer/g")), Some(3_000));
    let later = node(&tree, "outer/later");
    assert_eq!((later.waiting_for.clone(), left(&later)), (Some(WaitingFor::Delay), Some(3_000)));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn c01_a_group_that_has_ended_has_its_outcome() -> Result {
    let (tree, _) = started(|tree| {
        tree.group(failing("failed").with_max_retries(0).not_critical())
            .group(Group::one_for_one("canceled").task(cooperative("a")))
            .task(cooperative("t"))
    })
    .await?;
    let ended = node(&tree, "failed");
    assert_eq!((ended.state, ended.outcome), (TaskState::Ended, Some(OutcomeKind::Exhausted)));
    assert_eq!((ended.ready, ended.problem), (false, Some(Problem::Failed)));
    assert!(tree.group("canceled").cancel().await?);
    let ended = node(&tree, "canceled");
    assert_eq!((ended.state, ended.outcome, ended.ready), (TaskState::Ended, Some(OutcomeKind::Canceled), true));
    assert_eq!((ended.waiting_for, ended.problem), (None, None));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn c01_a_fresh_group_that_makes_its_children_says_so() -> Result {
    let make = || async {
        sleep(secs(10)).await;
        Ok::<_, taskvisor::TaskError>(vec![cooperative("a")])
    };
    let (tree, _) = started(|tree| tree.group(Group::one_for_one("g").fresh(make))).await?;
    let makes = node(&tree, "g");
    assert_eq!((makes.state, makes.ready, makes.problem), (TaskState::Running, false, Some(Problem::Making)));
    assert!(tree.supervisor().node("g/a").is_none());
    sleep(secs(10)).await;
    settle().await;
    assert!(node(&tree, "g").ready && node(&tree, "g/a").ready);
    tree.shutdown().await
}
