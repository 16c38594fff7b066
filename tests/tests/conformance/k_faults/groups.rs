//! Groups: messages, order, restarts, and memory.

mod again;
mod ends;
mod names;
mod nesting;
mod stops;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use taskvisor::{
    Dynamic, Group, Ready, RestartPolicy, RuntimeError, SupervisorConfig, TaskContext, TaskFn, TaskOutcome, TaskSpec,
    TaskState, Tree,
};
use tests::{ALWAYS, Script, Step, constant, cooperative, ms, secs, settle};
use tokio::time::{Instant, sleep};

use crate::journal::Journal;

type Result = std::result::Result<(), RuntimeError>;

fn tree(group: Group) -> Tree {
    Tree::builder(SupervisorConfig::default()).group(group).build()
}

#[tokio::test]
async fn k2a_every_declared_group_takes_tasks_once_start_has_returned() -> Result {
    for strategy in [Group::one_for_one, Group::one_for_all, Group::rest_for_one] {
        let inner = strategy("inner").task(cooperative("a"));
        let tree = tree(strategy("g").task(cooperative("b")).group(inner));
        tree.start().await?;
        let mut handles = Vec::new();
        for path in ["g", "g/inner"] {
            handles.push(tree.group(path).add_task(cooperative("x")).await?);
        }
        for handle in handles {
            while handle.status().state != TaskState::Running {
                settle().await;
            }
        }
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k2a_they_do_on_two_threads() -> Result {
    for _ in 0..300 {
        let tree = tree(Group::one_for_all("g").task(cooperative("a")));
        tree.start().await?;
        let done = tree.group("g").add_task(Script::new([tests::OK]).spec("x")).await?;
        assert!(done.outcome().await.is_completed());
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k2a_added_tasks_wait_for_what_the_group_is_after() -> Result {
    let journal = Journal::new();
    let [(base, ready), (a, _), (x, _)] = journal.children(["base", "a", "x"]);
    let tree = Tree::builder(SupervisorConfig::default())
        .task(base.with_ready(Ready::Signal))
        .group(Group::rest_for_one("g").with_after(["base"]).task(a))
        .build();
    tree.start().await?;
    let x = tree.group("g").add_task(x).await?;
    let y = tree.group("g").add_task(cooperative("y")).await?;
    sleep(secs(1)).await;
    assert_eq!(journal.take(), ["+base"]);
    assert!(y.cancel().await?, "it can be canceled while it waits");
    ready.ready();
    sleep(secs(1)).await;
    assert_eq!(journal.take(), ["+a", "+x"]);
    assert_eq!(x.status().attempt, 1);
    tree.shutdown().await?;
    assert_eq!(journal.take(), ["-x", "-a", "-base"]);
    Ok(())
}

/// Dynamic tasks from before the failure are dropped, if the group says so. Tasks added during the backoff are part of the next run.
#[tokio::test(start_paused = true)]
async fn k2a_a_group_takes_tasks_during_its_backoff() -> Result {
    let journal = Journal::new();
    let [(a, poke), (before, _), (during, _), (gone, _)] = journal.children(["a", "before", "during", "gone"]);
    let group = Group::one_for_all("g").with_dynamic(Dynamic::Drop);
    let tree = tree(group.with_limit(0, secs(60)).with_backoff(constant(secs(10))).task(a));
    tree.start().await?;
    let before = tree.group("g").add_task(before).await?;
    sleep(secs(1)).await;
    poke.fail();
    sleep(secs(1)).await;
    assert_eq!(tree.group("g").status(), Some(TaskState::Backoff));
    assert!(matches!(before.outcome().await, TaskOutcome::Canceled { .. }));
    journal.take();

    let during = tree.group("g").add_task(during).await?;
    let gone = tree.group("g").add_task(gone).await?;
    let taken = tree.group("g").add_task(cooperative("a")).await.unwrap_err();
    assert!(matches!(taken, RuntimeError::TaskAlreadyExists { .. }), "its name comes back: {taken}");
    assert_eq!(tree.supervisor().list_tasks().await, ["g/during", "g/gone"]);
    assert!(gone.cancel().await?);
    sleep(secs(20)).await;
    assert_eq!(journal.take(), ["+a", "+during"]);

    // The same again: `during` is dynamic, and was added before this failure.
    poke.fail();
    assert!(matches!(during.outcome().await, TaskOutcome::Canceled { .. }));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn k2a_a_group_takes_tasks_while_it_is_restarted_or_held() -> Result {
    let journal = Journal::new();
    let [(base, poke), (a, _), (x, _), (y, _)] = journal.children(["base", "a", "x", "y"]);
    let group = Group::one_for_one("inner").with_dynamic(Dynamic::Drop).task(a);
    let tree = tree(Group::one_for_all("g").task(base).group(group));
    tree.start().await?;
    tree.wait_ready().await;
    let inner = tree.group("g/inner");
    assert!(inner.restart());
    sleep(ms(50)).await;
    assert_eq!(inner.status(), Some(TaskState::Stopping));
    let x = inner.add_task(x).await?;
    sleep(secs(1)).await;
    assert_eq!(journal.take(), ["+base", "+a", "-a", "+a", "+x"]);
    poke.fail();
    sleep(ms(500)).await;
    assert_eq!(inner.status(), Some(TaskState::Pending), "it is held");
    inner.add_task(y).await?;
    sleep(secs(5)).await;
    assert_eq!(journal.take(), ["-base", "-x", "-a", "+base", "+a", "+y"]);
    assert!(matches!(x.outcome().await, TaskOutcome::Canceled { .. }));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn k2a_only_a_group_that_stops_for_good_refuses_tasks() -> Result {
    let journal = Journal::new();
    let (a, _) = journal.child("a");
    let tree = tree(Group::one_for_one("g").task(a));
    let before = tree.group("g").add_task(cooperative("x")).await.unwrap_err();
    assert!(matches!(before, RuntimeError::GroupNotRunning { .. }), "{before}");
    tree.start().await?;
    let group = tree.group("g");
    let cancel = tokio::spawn(async move { group.cancel().await });
    settle().await;
    for _ in 0..2 {
        let refused = tree.group("g").add_task(cooperative("x")).await.unwrap_err();
        assert!(matches!(refused, RuntimeError::GroupNotRunning { .. }), "{refused}");
        sleep(secs(1)).await;
    }
    assert!(cancel.await.unwrap()?);
    tree.shutdown().await
}

/// The last child ends at the moment in which another is added: if the add succeeds, the task runs.
#[tokio::test]
async fn k2a_a_task_that_was_taken_is_not_lost_to_the_end_of_its_group() -> Result {
    for turns in 0..12 {
        let tree = tree(Group::one_for_all("g").task(Script::new([tests::OK]).spec("a")).task(cooperative("b")));
        tree.start().await?;
        settle().await;
        let b = tree.group("g").child("b").current().unwrap();
        let cancel = tokio::spawn(async move { b.cancel().await });
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        match tree.group("g").add_task(Script::new([tests::OK]).spec("x")).await {
            Ok(x) => assert!(x.outcome().await.is_completed(), "after {turns} turns"),
            Err(refused) => assert!(matches!(refused, RuntimeError::GroupNotRunning { .. })),
        }
        assert!(cancel.await.unwrap()?);
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k2b_a_task_and_a_cancel_that_come_while_a_group_fails_are_heeded() -> Result {
    for turns in 0..8 {
        let only = Script::new([Step::Fatal]);
        let tree = Tree::builder(SupervisorConfig::default())
            .task(cooperative("other"))
            .group(Group::one_for_one("g").with_backoff(constant(secs(5))).task(only.spec("only").critical()))
            .build();
        tree.start().await?;
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        let x = tree.group("g").add_task(cooperative("x")).await?;
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        let start = Instant::now();
        assert!(tree.group("g").cancel().await?);
        assert!(start.elapsed() < ms(1), "after {turns} turns");
        assert!(matches!(x.outcome().await, TaskOutcome::Canceled { .. }));
        assert_eq!(tree.group("g").status(), Some(TaskState::Ended));
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k2d_the_cancel_of_a_failed_child_frees_its_siblings_at_once() -> Result {
    for strategy in [Group::one_for_all, Group::rest_for_one] {
        let journal = Journal::new();
        let [(a, poke), (b, _)] = journal.children(["a", "b"]);
        let tree = tree(strategy("g").task(a.with_backoff(constant(secs(3600)))).task(b));
        tree.start().await?;
        sleep(secs(1)).await;
        poke.fail();
        sleep(secs(1)).await;
        journal.take();
        assert!(tree.group("g").child("a").cancel().await?);
        settle().await;
        assert_eq!(journal.take(), ["+b"]);
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k2e_an_added_task_that_fails_before_it_is_ready_holds_up_nobody() -> Result {
    let tree = tree(Group::rest_for_one("g").task(cooperative("a")));
    tree.start().await?;
    let group = tree.group("g");
    let bad = Script::new([Step::Fail(secs(1))]).spec("bad").with_ready(Ready::Signal);
    let bad = group.add_task(bad.with_restart(RestartPolicy::Never)).await?;
    let waits = group.add_task(cooperative("waits")).await?;
    assert!(matches!(bad.outcome().await, TaskOutcome::Failed { .. }));
    settle().await;
    let late = group.add_task(cooperative("late")).await?;
    settle().await;
    assert_eq!([waits.status().state, late.status().state], [TaskState::Running; 2]);
    assert_eq!(group.child("a").status().unwrap().attempt, 1, "the group needs no added task that is not critical");
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn k2f_one_of_two_cancels_is_the_first_and_a_stopping_group_is_not_restarted() -> Result {
    let journal = Journal::new();
    let (a, _) = journal.child("a");
    let tree = tree(Group::one_for_one("g").task(a));
    tree.start().await?;
    sleep(secs(1)).await;
    let cancel = || {
        let group = tree.group("g");
        tokio::spawn(async move { group.cancel().await })
    };
    let (first, second) = (cancel(), cancel());
    settle().await;
    assert!(!tree.group("g").restart(), "it is being stopped for good");
    assert!(first.await.unwrap()?);
    assert!(!second.await.unwrap()?);
    assert!(!tree.group("g").cancel().await?, "it is not there any more");
    assert!(!tree.group("g").restart());
    assert_eq!(journal.take(), ["+a", "-a"]);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn k2h_nothing_restarts_once_its_group_is_being_stopped() -> Result {
    for always in [false, true] {
        let journal = Journal::new();
        let [(a, poke), (b, _)] = journal.children(["a", "b"]);
        let a = if always { a.with_restart(ALWAYS) } else { a.with_backoff(constant(ms(10))) };
        let tree = tree(Group::one_for_one("g").task(a).task(b.with_after(["a"])));
        tree.start().await?;
        sleep(secs(1)).await;
        journal.take();
        let shutdown = tree.shutdown();
        sleep(ms(50)).await;
        // `b` takes 100 ms to stop, so that `a` ends before its own stop request.
        if always {
            poke.succeed();
        } else {
            poke.fail();
        }
        shutdown.await?;
        assert_eq!(journal.take(), ["-a", "-b"]);
    }
    Ok(())
}

/// The same in a group that waits for its turn to stop.
#[tokio::test(start_paused = true)]
async fn k2h_nothing_restarts_in_a_group_that_is_stopped_later() -> Result {
    for strategy in [Group::one_for_one, Group::one_for_all] {
        let journal = Journal::new();
        let [(a, poke), (sibling, _), (b, _)] = journal.children(["a", "sibling", "b"]);
        let inner = strategy("inner").task(a.with_backoff(constant(ms(10)))).task(sibling);
        let tree = tree(Group::one_for_one("g").group(inner).task(b.with_after(["inner"])));
        tree.start().await?;
        sleep(secs(1)).await;
        journal.take();
        let shutdown = tree.shutdown();
        sleep(ms(50)).await;
        poke.fail();
        sleep(ms(10)).await;
        assert!(!tree.group("g/inner").restart(), "it is to be stopped");
        shutdown.await?;
        assert_eq!(journal.take(), ["-a", "-b", "-sibling"]);
    }
    Ok(())
}

/// A backoff that is under way when the stop begins does not lead to an attempt.
#[tokio::test(start_paused = true)]
async fn k2h_a_backoff_that_ends_during_the_stop_begins_nothing() -> Result {
    let (flaky, last) = (Script::new([Step::Fail(ms(0))]), Journal::new());
    let (b, _) = last.slow("b", secs(5));
    let flaky_spec = flaky.spec("flaky").with_backoff(constant(secs(2)));
    let tree = tree(Group::one_for_one("g").task(flaky_spec).task(b.with_after(["flaky"])));
    tree.start().await?;
    sleep(secs(3)).await;
    assert_eq!(flaky.attempts(), 2);
    tree.shutdown().await?;
    assert_eq!(flaky.attempts(), 2);
    Ok(())
}

/// The driver yields, so that other tasks get polled while a large group stops.
#[tokio::test]
async fn k1b_others_have_their_turns_while_a_large_group_stops() -> Result {
    const CHILDREN: usize = 16_000;
    let running = Arc::new(AtomicUsize::new(0));
    let child = |n: usize| {
        let running = Arc::clone(&running);
        let task = TaskFn::arc(format!("t{n}"), move |ctx: TaskContext| {
            let running = Arc::clone(&running);
            async move {
                running.fetch_add(1, Ordering::Relaxed);
                ctx.cancelled().await;
                running.fetch_sub(1, Ordering::Relaxed);
                Ok(())
            }
        });
        TaskSpec::inherit(task)
    };
    let tree = tree(Group::one_for_one("g").with_limit(1, secs(1)).tasks((0..CHILDREN).map(child)));
    tree.start().await?;
    tree.wait_ready().await;
    while running.load(Ordering::Relaxed) < CHILDREN {
        tokio::task::yield_now().await;
    }
    let group = tree.group("g");
    let cancel = tokio::spawn(async move { group.cancel().await });
    let (mut turns, mut left) = (0, running.load(Ordering::Relaxed));
    let mut most = 0;
    while !cancel.is_finished() {
        tokio::task::yield_now().await;
        let now = running.load(Ordering::Relaxed);
        (turns, most, left) = (turns + 1, most.max(left - now), now);
    }
    assert!(cancel.await.unwrap()?);
    assert!(turns > CHILDREN / 512 && most < CHILDREN / 8, "{turns} turns, at most {most} stopped in one");
    tree.shutdown().await
}
