//! H. Significant children.

use taskvisor::{Group, RestartPolicy, RuntimeError, SupervisorConfig, TaskOutcome, TaskState, Tree};
use tests::{constant, secs};
use tokio::time::sleep;

use crate::journal::Journal;

#[tokio::test(start_paused = true)]
async fn h01_without_it_the_group_stays_up_however_a_child_ends() -> Result<(), RuntimeError> {
    let journal = Journal::new();
    let [(done, succeeds), (failed, fails), (gone, _), (stays, _)] =
        journal.children(["done", "failed", "gone", "stays"]);
    let group = Group::one_for_all("g").task(done).task(failed).task(gone).task(stays);
    let tree = Tree::builder(SupervisorConfig::default()).group(group).build();
    tree.start().await?;
    sleep(secs(1)).await;
    succeeds.succeed();
    fails.fatal();
    assert!(tree.group("g").child("gone").cancel().await?);
    sleep(secs(10)).await;
    assert_eq!(tree.group("g").status(), Some(TaskState::Running));
    assert_eq!(tree.supervisor().list_tasks().await, ["g/stays"]);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn h02_the_success_of_one_stops_the_rest_cleanly() -> Result<(), RuntimeError> {
    for make in [Group::one_for_one, Group::one_for_all, Group::rest_for_one] {
        let journal = Journal::new();
        let [(a, _), (b, poke), (c, _), (other, _)] = journal.children(["a", "b", "c", "other"]);
        let group = make("g".to_owned()).task(a).task(b.significant()).task(c.with_after(["a"]));
        let tree = Tree::builder(SupervisorConfig::default()).group(group).task(other).build();
        tree.start().await?;
        sleep(secs(1)).await;
        let g = tree.group("g");
        let c = g.child("c").current().unwrap();
        let outcome = tokio::spawn(async move { g.outcome().await });
        sleep(secs(1)).await;
        journal.take();
        poke.succeed();
        let outcome = outcome.await.unwrap();
        assert!(matches!(outcome, Some(TaskOutcome::Completed)), "{outcome:?}");
        assert_eq!(journal.take(), ["-b", "-c", "-a"]);
        assert!(matches!(c.outcome().await, TaskOutcome::Canceled { error: None, .. }));
        sleep(secs(100)).await;
        assert_eq!(tree.supervisor().list_tasks().await, ["other"], "it does not come back");
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn h02_at_the_root_the_tree_ends_well() {
    let journal = Journal::new();
    let [(job, poke), (help, _)] = journal.children(["job", "help"]);
    let tree = Tree::builder(SupervisorConfig::default()).task(job.significant()).task(help).build();
    let run = tokio::spawn(async move { tree.run_until(std::future::pending()).await });
    sleep(secs(1)).await;
    poke.succeed();
    assert!(run.await.unwrap().is_ok());
    assert_eq!(journal.take(), ["+job", "+help", "-job", "-help"]);
}

#[tokio::test(start_paused = true)]
async fn h02_a_significant_group() {
    let journal = Journal::new();
    let [(job, poke), (help, _)] = journal.children(["job", "help"]);
    let group = Group::one_for_one("g").significant().task(job);
    let tree = Tree::builder(SupervisorConfig::default()).group(group).task(help).build();
    let run = tokio::spawn(async move { tree.run_until(std::future::pending()).await });
    sleep(secs(1)).await;
    // A group completes when all its children have ended.
    poke.succeed();
    assert!(run.await.unwrap().is_ok());
    assert_eq!(journal.take().last().unwrap(), "-help");
}

#[tokio::test(start_paused = true)]
async fn h03_stopped_by_hand_it_stops_nobody() -> Result<(), RuntimeError> {
    let journal = Journal::new();
    let [(a, _), (b, poke)] = journal.children(["a", "b"]);
    let group = Group::one_for_one("g").task(a.significant()).task(b.significant());
    let tree = Tree::builder(SupervisorConfig::default()).group(group).build();
    tree.start().await?;
    sleep(secs(1)).await;
    assert!(tree.group("g").child("a").cancel().await?);
    sleep(secs(10)).await;
    assert_eq!(journal.take(), ["+a", "+b", "-a"]);
    assert_eq!(tree.group("g").status(), Some(TaskState::Running));
    // `a` returned success when it was stopped, which does not count. `b` still does.
    poke.succeed();
    sleep(secs(1)).await;
    assert_eq!(tree.supervisor().list_tasks().await, [""; 0]);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn h04_a_failure_restarts_it_and_stops_nobody() -> Result<(), RuntimeError> {
    let journal = Journal::new();
    let [(a, poke), (b, _)] = journal.children(["a", "b"]);
    let group = Group::one_for_one("g").task(a.significant()).task(b);
    let tree = Tree::builder(SupervisorConfig::default()).group(group).build();
    tree.start().await?;
    sleep(secs(1)).await;
    poke.fail();
    sleep(secs(10)).await;
    assert_eq!(journal.take(), ["+a", "+b", "-a", "+a"]);
    // A fatal error ends it in failure: that is no success, and it is not critical.
    poke.fatal();
    sleep(secs(10)).await;
    assert_eq!(journal.take(), ["-a"]);
    assert_eq!(tree.group("g").status(), Some(TaskState::Running));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn h04_significant_with_always_is_refused() {
    let journal = Journal::new();
    let (a, _) = journal.child("a");
    let always = RestartPolicy::Always { interval: None };
    let group =
        Group::one_for_one("g").with_restart(always).with_backoff(constant(secs(1))).significant().task(a.clone());
    for tree in [
        Tree::builder(SupervisorConfig::default()).group(group).build(),
        Tree::builder(SupervisorConfig::default()).task(a.with_restart(always).significant()).build(),
    ] {
        let error = tree.start().await.unwrap_err();
        assert_eq!(error.as_label(), "runtime_invalid_option");
        assert!(error.to_string().contains("`significant`"), "{error}");
    }
    assert_eq!(journal.take(), [""; 0]);
}
