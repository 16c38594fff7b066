//! Stopping trees of groups.

use std::future::pending;
use std::sync::Arc;

use taskvisor::{
    ChildHandle, EventKind, Group, Ready, RestartPolicy, RuntimeError, SupervisorConfig, TaskOutcome, TaskState, Tree,
};
use tests::{OK, Recorder, Script, cooperative, deaf, ms, secs, settle};
use tokio::time::{Instant, sleep};

use super::{Result, forced, stuck, with_grace};
use crate::journal::Journal;

#[tokio::test(start_paused = true)]
async fn e05_one_deadline_covers_nested_groups_and_pending_removals() -> Result {
    let (journal, recorder) = (Journal::new(), Recorder::new());
    let [(a, _), (b, _)] = journal.children(["a", "b"]);
    let inner = Group::one_for_all("inner").task(b).task(deaf("rude"));
    let tree = Tree::builder(with_grace(secs(8)))
        .with_subscriber(Arc::clone(&recorder))
        .task(a)
        .group(Group::rest_for_one("outer").group(inner))
        .task(deaf("removed"))
        .build();
    tree.start().await?;
    tree.wait_ready().await;
    let late = tree.group("outer").add_task(deaf("late").with_stop_timeout(secs(4))).await?;
    sleep(secs(1)).await;
    tree.supervisor().remove_task("removed").await?;
    sleep(secs(2)).await;

    let start = Instant::now();
    let result = tree.shutdown().await;

    // `removed` has already used two of its eight seconds, `late` has four, and `rude` has the rest of the grace.
    assert_eq!(start.elapsed(), secs(8));
    assert_eq!(stuck(result), ["outer/inner/rude", "removed", "outer/late"]);
    assert!(matches!(late.outcome().await, TaskOutcome::Aborted { .. }));
    let mut what = journal.take();
    what.sort_unstable();
    assert_eq!(what, ["+a", "+b", "-a", "-b"]);
    assert_eq!(recorder.count(EventKind::GraceExceeded), 1);
    assert_eq!((recorder.count(EventKind::TaskAdded), recorder.count(EventKind::TaskRemoved)), (5, 5));
    assert_eq!(tree.supervisor().list_tasks().await, [""; 0]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e14_each_layer_gets_its_share_of_the_grace() -> Result {
    for nested in [false, true] {
        let journal = Journal::new();
        let (first, _) = journal.slow("first", ms(800));
        let (second, _) = journal.slow("second", ms(800));
        let (third, _) = journal.slow("third", secs(1000));
        let builder = Tree::builder(with_grace(secs(9)));
        let tree = if nested {
            let inner = Group::rest_for_one("inner").with_after(["first"]).task(second).task(third);
            builder.task(first).group(inner).build()
        } else {
            builder.task(first).task(second.with_after(["first"])).task(third.with_after(["second"])).build()
        };
        tree.start().await?;
        tree.wait_ready().await;
        sleep(secs(1)).await;
        journal.take();
        let result = tree.shutdown().await;
        assert_eq!(stuck(result), [if nested { "inner/third" } else { "third" }]);
        let timed = journal.timed();
        let timed: Vec<_> = timed.iter().map(|(at, what)| (*at, what.as_str())).collect();
        assert_eq!(timed, [(8_200, "!third"), (9_000, "-second"), (9_800, "-first")]);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e14_what_a_layer_does_not_use_is_left_to_the_others() -> Result {
    let journal = Journal::new();
    let (first, _) = journal.slow("first", ms(8_700));
    let [(second, _), (third, _)] = journal.children(["second", "third"]);
    let tree =
        Tree::builder(with_grace(secs(9))).group(Group::rest_for_one("g").task(first).task(second).task(third)).build();
    tree.start().await?;
    tree.wait_ready().await;
    sleep(secs(1)).await;
    journal.take();
    tree.shutdown().await?;
    let timed = journal.timed();
    let timed: Vec<_> = timed.iter().map(|(at, what)| (*at, what.as_str())).collect();
    assert_eq!(timed, [(1_100, "-third"), (1_200, "-second"), (9_900, "-first")]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e14_tasks_that_were_added_stop_before_the_tree() -> Result {
    let journal = Journal::new();
    let [(a, _), (b, _), (added, _)] = journal.children(["a", "b", "added"]);
    let tree = Tree::builder(with_grace(secs(9))).group(Group::rest_for_one("g").task(a).task(b)).build();
    tree.start().await?;
    tree.wait_ready().await;
    tree.supervisor().add_task(added).await?;
    sleep(secs(1)).await;
    journal.take();
    tree.shutdown().await?;
    assert_eq!(journal.take(), ["-added", "-b", "-a"]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e14_a_task_that_begins_no_more_attempts_is_not_begun_anew() -> Result {
    let journal = Journal::new();
    let [(first, _), (last, _)] = journal.children(["first", "last"]);
    let waits = Script::new([OK]).spec("waits").with_restart(RestartPolicy::Always { interval: Some(secs(3600)) });
    let tree = Tree::builder(with_grace(secs(9)))
        .group(Group::one_for_one("g").task(first).task(waits).task(last.with_after(["first", "waits"])))
        .build();
    tree.start().await?;
    tree.wait_ready().await;
    sleep(secs(1)).await;
    let shutdown = tree.shutdown();
    settle().await;
    // `last` is stopping; the others wait for it and are not requested to stop yet.
    let [first, waits] = ["g/first", "g/waits"].map(|path| tree.child(path));
    assert_eq!(first.status().map(|status| status.state), Some(TaskState::Running));
    assert_eq!(waits.status().map(|status| status.state), Some(TaskState::Interval));
    for child in [&first, &waits] {
        assert!(!child.restart(), "{}", child.path());
        assert!(!child.trigger(), "{}", child.path());
    }
    shutdown.await
}

/// It has failed and waits for the restart of its group, which does not come any more.
#[tokio::test(start_paused = true)]
async fn e14_a_failed_task_of_a_group_that_stops_is_not_begun_anew() -> Result {
    for (is_shutdown, has_last) in [(false, false), (false, true), (true, false), (true, true)] {
        let journal = Journal::new();
        let ((first, poke), (second, _)) = (journal.child("first"), journal.slow("second", secs(3)));
        let first = if has_last { first.with_final_attempt() } else { first };
        let idle = cooperative("idle").with_ready(Ready::Signal);
        let group = Group::one_for_all("g").task(first).task(second.with_after(["first"]));
        let group = group.task(idle).task(cooperative("never").with_after(["idle"]));
        let tree = Tree::builder(with_grace(secs(9))).group(group).build();
        tree.start().await?;
        sleep(secs(1)).await;
        poke.fail();
        sleep(secs(1)).await;
        // `second` stops for the restart, and the stop of the group comes meanwhile.
        let (supervisor, group) = (Arc::clone(tree.supervisor()), tree.group("g"));
        let stop = tokio::spawn(async move {
            if is_shutdown { supervisor.shutdown().await.map(|()| true) } else { group.cancel().await }
        });
        settle().await;
        let [first, second, never] = ["g/first", "g/second", "g/never"].map(|path| tree.child(path));
        let state = |child: &ChildHandle| child.status().map(|status| status.state);
        assert_eq!((state(&first), state(&second)), (Some(TaskState::Backoff), Some(TaskState::Stopping)));
        for child in [&first, &second, &never] {
            assert!(!child.restart(), "{}", child.path());
            assert!(!child.trigger(), "{}", child.path());
        }
        poke.succeed();
        assert!(stop.await.unwrap()?);
        let last: &[_] = if has_last { &["+first", "-first"] } else { &[] };
        assert_eq!(journal.take(), [&["+first", "+second", "-first", "-second"], last].concat());
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e14_a_critical_task_that_is_aborted_is_named_as_such() -> Result {
    let group = Group::one_for_all("g").task(deaf("rude").critical()).with_max_retries(0);
    let tree = Tree::builder(with_grace(secs(3))).group(group).build();
    tree.start().await?;
    settle().await;
    assert!(tree.child("g/rude").cancel().await?);
    let failed = tree.shutdown().await.unwrap_err();
    assert_eq!(
        failed.to_string(),
        "`g/rude` was aborted, as it did not stop in time, which `g` needs, which `root` needs"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e06_a_stop_during_the_wait_of_a_group_is_immediate() -> Result {
    let journal = Journal::new();
    let [(a, poke), (b, _), (c, _)] = journal.children(["a", "b", "c"]);
    let a = a.with_backoff(tests::constant(secs(1000)));
    let b = b.with_ready(taskvisor::Ready::Signal);
    let tree = Tree::builder(SupervisorConfig::default())
        .group(Group::one_for_all("g").task(a).task(b).task(c.with_after(["b"])))
        .build();
    tree.start().await?;
    sleep(secs(1)).await;
    poke.fail();
    sleep(secs(1)).await;
    let start = Instant::now();
    tree.shutdown().await?;
    assert_eq!(start.elapsed(), ms(0));
    assert_eq!(journal.take(), ["+a", "+b", "-a", "-b"]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e09_a_forced_shutdown_of_a_tree_aborts_every_layer_at_once() -> Result {
    let journal = Journal::new();
    let names = ["a", "b", "c"];
    let group =
        names.into_iter().fold(Group::rest_for_one("g"), |group, name| group.task(journal.slow(name, secs(5)).0));
    let tree = Tree::builder(SupervisorConfig::default()).group(group).build();
    tree.start().await?;
    tree.wait_ready().await;
    sleep(secs(1)).await;
    journal.take();
    let shutdown = tree.shutdown();
    sleep(secs(1)).await;
    let start = Instant::now();
    let now = tree.supervisor().shutdown_now().await;
    assert_eq!(start.elapsed(), ms(0));
    assert_eq!(forced(now), ["g/a", "g/b", "g/c"]);
    assert_eq!(forced(shutdown.await), ["g/a", "g/b", "g/c"]);
    assert_eq!(journal.take().len(), 3);
    Ok(())
}

/// The failure of the tree takes precedence over tasks that exceed the grace, and names them.
#[tokio::test(start_paused = true)]
async fn e05_the_failure_of_the_tree_outranks_the_grace() {
    let journal = Journal::new();
    let (critical, poke) = journal.child("critical");
    let tree = Tree::builder(with_grace(secs(3))).task(deaf("rude")).task(critical.critical()).build();
    let run = tokio::spawn(async move { tree.run_until(pending()).await });
    sleep(secs(1)).await;
    poke.fatal();
    let error = run.await.unwrap().unwrap_err();
    let RuntimeError::Failed { stuck, .. } = &error else { panic!("{error}") };
    assert_eq!(*stuck, ["rude"]);
    assert_eq!(
        format!("{error:#}"),
        "`critical` failed (poked for good), which `root` needs; not stopped in time: rude"
    );
}
