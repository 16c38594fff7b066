//! D. Strategies.

mod order;
mod races;
mod siblings;

use std::sync::Arc;

use taskvisor::{EventKind, Group, RestartPolicy, RuntimeError, SupervisorConfig, TaskOutcome, TaskState, Tree};
use tests::{Recorder, constant, ms, secs, settle};
use tokio::time::sleep;

use crate::journal::Journal;

fn tree(group: Group) -> (Tree, Arc<Recorder>) {
    tree_with(SupervisorConfig::default(), group)
}

fn tree_with(config: SupervisorConfig, group: Group) -> (Tree, Arc<Recorder>) {
    let recorder = Recorder::new();
    (Tree::builder(config).with_subscriber(Arc::clone(&recorder)).group(group).build(), recorder)
}

/// Each registration was added and removed exactly once, and none is left.
async fn nothing_is_left(tree: &Tree, recorder: &Recorder) {
    assert_eq!(tree.supervisor().list_tasks().await, [""; 0]);
    assert_eq!(recorder.count(EventKind::TaskAdded), recorder.count(EventKind::TaskRemoved));
}

#[tokio::test(start_paused = true)]
async fn d01_one_for_one_restarts_only_the_failed_one() -> Result<(), RuntimeError> {
    // With a limit the group decides on restarts, without one each child does. The effect is the same.
    for limit in [None, Some(5)] {
        let journal = Journal::new();
        let [(a, _), (b, poke), (c, _)] = journal.children(["a", "b", "c"]);
        let mut group = Group::one_for_one("g").task(a).task(b).task(c);
        if let Some(limit) = limit {
            group = group.with_limit(limit, secs(60));
        }
        let (tree, recorder) = tree(group);
        tree.start().await?;
        tree.wait_ready().await;
        let before = tree.group("g").child("b").current().unwrap();
        sleep(secs(10)).await;

        poke.fail();
        sleep(secs(10)).await;
        poke.panic();
        sleep(secs(10)).await;

        let timed = journal.timed();
        let timed: Vec<_> = timed.iter().map(|(at, what)| (*at, what.as_str())).collect();
        let expected =
            [(0, "+a"), (0, "+b"), (0, "+c"), (10_000, "-b"), (11_000, "+b"), (20_000, "-b"), (21_000, "+b")];
        assert_eq!(timed, expected);
        let after = tree.group("g").child("b").current().unwrap();
        assert_eq!((after.id(), after.status().attempt), (before.id(), 3));
        for name in ["a", "c"] {
            assert_eq!(tree.group("g").child(name).status().unwrap().attempt, 1);
        }
        tree.shutdown().await?;
        nothing_is_left(&tree, &recorder).await;
        let b = [
            EventKind::TaskAddRequested,
            EventKind::TaskAdded,
            EventKind::TaskStarting,
            EventKind::TaskFailed,
            EventKind::BackoffScheduled,
            EventKind::TaskStarting,
            EventKind::TaskFailed,
            EventKind::BackoffScheduled,
            EventKind::TaskStarting,
            EventKind::TaskStopped,
            EventKind::TaskRemoved,
        ];
        assert_eq!(recorder.kinds_of("g/b"), b);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn d02_one_for_all_restarts_all_with_no_overlap() -> Result<(), RuntimeError> {
    let journal = Journal::new();
    let (a, _) = journal.slow("a", ms(300));
    let (b, poke) = journal.child("b");
    let (c, _) = journal.slow("c", ms(500));
    let (tree, recorder) = tree(Group::one_for_all("g").task(a).task(b).task(c));
    tree.start().await?;
    sleep(secs(10)).await;
    let ids = ["a", "b", "c"].map(|name| tree.group("g").child(name).current().unwrap().id());

    poke.fail();
    sleep(secs(10)).await;

    // The others are requested to stop at once. The backoff of the failing child begins when the last of them has
    // stopped.
    let timed = journal.timed();
    let timed: Vec<_> = timed.iter().map(|(at, what)| (*at, what.as_str())).collect();
    let stops = [(10_000, "-b"), (10_300, "-a"), (10_500, "-c")];
    assert_eq!(timed[..3], [(0, "+a"), (0, "+b"), (0, "+c")]);
    assert_eq!(timed[3..6], stops);
    assert_eq!(timed[6..], [(11_500, "+a"), (11_500, "+b"), (11_500, "+c")]);
    for (name, id) in ["a", "b", "c"].into_iter().zip(ids) {
        let now = tree.group("g").child(name).current().unwrap();
        assert_eq!((now.id(), now.status().attempt), (id, 2), "{name}");
    }
    tree.shutdown().await?;
    nothing_is_left(&tree, &recorder).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn d03_rest_for_one_restarts_the_later_ones() -> Result<(), RuntimeError> {
    let journal = Journal::new();
    let [(c1, _), (c2, poke), (c3, _)] = journal.children(["c1", "c2", "c3"]);
    let (tree, recorder) = tree(Group::rest_for_one("g").task(c1).task(c2).task(c3));
    tree.start().await?;
    sleep(secs(10)).await;
    assert_eq!(journal.take(), ["+c1", "+c2", "+c3"]);

    poke.fail();
    sleep(secs(10)).await;

    let timed = journal.timed();
    let timed: Vec<_> = timed.iter().map(|(at, what)| (*at, what.as_str())).collect();
    assert_eq!(timed, [(10_000, "-c2"), (10_100, "-c3"), (11_100, "+c2"), (11_100, "+c3")]);
    assert_eq!(tree.group("g").child("c1").status().unwrap().attempt, 1);
    tree.shutdown().await?;
    assert_eq!(journal.take(), ["-c3", "-c2", "-c1"]);
    nothing_is_left(&tree, &recorder).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn d04_rest_for_one_restarts_the_later_ones_in_order() -> Result<(), RuntimeError> {
    let journal = Journal::new();
    let [(a, _), (b, _), (c, poke), (d, _), (e, _)] = journal.children(["a", "b", "c", "d", "e"]);
    let (tree, recorder) = tree(Group::rest_for_one("g").task(a).task(b).task(c).task(d).task(e));
    tree.start().await?;
    tree.wait_ready().await;
    assert_eq!(journal.take(), ["+a", "+b", "+c", "+d", "+e"]);
    let d = tree.group("g").child("d").current().unwrap();
    poke.fail();
    sleep(secs(5)).await;
    assert_eq!(journal.take(), ["-c", "-e", "-d", "+c", "+d", "+e"]);
    assert_eq!(tree.group("g").child("d").current().unwrap().id(), d.id());
    assert_eq!(d.status().attempt, 2);
    tree.shutdown().await?;
    assert_eq!(journal.take(), ["-e", "-d", "-c", "-b", "-a"]);
    assert_eq!(recorder.count(EventKind::TaskRemoved), 5);
    nothing_is_left(&tree, &recorder).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn d05_an_ordered_group_stops_one_after_another() -> Result<(), RuntimeError> {
    let journal = Journal::new();
    let group = [("a", 300), ("b", 100), ("c", 200)]
        .into_iter()
        .fold(Group::rest_for_one("g"), |group, (name, stop)| group.task(journal.slow(name, ms(stop)).0));
    let (tree, recorder) = tree(group);
    tree.start().await?;
    sleep(secs(1)).await;
    journal.take();
    tree.shutdown().await?;
    let timed = journal.timed();
    let timed: Vec<_> = timed.iter().map(|(at, what)| (*at, what.as_str())).collect();
    assert_eq!(timed, [(1_200, "-c"), (1_300, "-b"), (1_600, "-a")]);
    nothing_is_left(&tree, &recorder).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn d05_an_unordered_group_stops_together() -> Result<(), RuntimeError> {
    for make in [Group::one_for_one, Group::one_for_all] {
        let journal = Journal::new();
        let group = [("a", 300), ("b", 100), ("c", 200)]
            .into_iter()
            .fold(make("g".to_owned()), |group, (name, stop)| group.task(journal.slow(name, ms(stop)).0));
        let (tree, recorder) = tree(group);
        tree.start().await?;
        sleep(secs(1)).await;
        journal.take();
        tree.shutdown().await?;
        let timed = journal.timed();
        let timed: Vec<_> = timed.iter().map(|(at, what)| (*at, what.as_str())).collect();
        assert_eq!(timed, [(1_100, "-b"), (1_200, "-c"), (1_300, "-a")]);
        nothing_is_left(&tree, &recorder).await;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn d06_one_for_all_stops_what_had_started_when_the_second_to_start_fails() -> Result<(), RuntimeError> {
    let journal = Journal::new();
    let [(a, _), (b, poke), (c, _)] = journal.children(["a", "b", "c"]);
    let group = Group::one_for_all("g").task(a).task(b.with_after(["a"])).task(c.with_after(["b"]));
    let (tree, _) = tree(group);
    tree.start().await?;
    sleep(secs(10)).await;
    assert_eq!(journal.take(), ["+a", "+b", "+c"]);

    // One failure for now, and one for the start after it.
    poke.fail();
    poke.fail();
    sleep(secs(10)).await;

    let what = journal.take();
    assert_eq!(what[..6], ["-b", "-c", "-a", "+a", "+b", "-b"]);
    // `c` may have begun or not, since `b` was ready when it began.
    let rest: Vec<_> = what[6..].iter().map(String::as_str).filter(|what| !what.ends_with('c')).collect();
    assert_eq!(rest, ["-a", "+a", "+b"]);
    assert_eq!(tree.group("g").child("b").status().unwrap().attempt, 3);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn d06_rest_for_one_keeps_what_had_started_when_the_second_to_start_fails() -> Result<(), RuntimeError> {
    let journal = Journal::new();
    let [(a, _), (b, first), (c, second)] = journal.children(["a", "b", "c"]);
    let (tree, _) = tree(Group::rest_for_one("g").task(a).task(b).task(c));
    tree.start().await?;
    sleep(secs(10)).await;
    assert_eq!(journal.take(), ["+a", "+b", "+c"]);

    first.fail();
    sleep(ms(500)).await;
    second.fail();
    sleep(secs(10)).await;

    assert_eq!(journal.take(), ["-b", "-c", "+b", "+c", "-c", "+c"]);
    let attempts = ["a", "b", "c"].map(|name| tree.group("g").child(name).status().unwrap().attempt);
    assert_eq!(attempts, [1, 2, 3]);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn d07_a_never_child_does_not_come_back_and_a_completed_one_stays_completed() -> Result<(), RuntimeError> {
    for make in [Group::one_for_all, Group::rest_for_one] {
        let journal = Journal::new();
        let [(a, poke), (never, _), (done, finish), (d, _)] = journal.children(["a", "never", "done", "d"]);
        let group = make("g".to_owned()).task(a).task(never.with_restart(RestartPolicy::Never)).task(done).task(d);
        let (tree, recorder) = tree(group);
        tree.start().await?;
        sleep(secs(1)).await;
        let g = tree.group("g");
        let [a, never, done, d] = ["a", "never", "done", "d"].map(|name| g.child(name).current().unwrap());
        finish.succeed();
        sleep(secs(1)).await;
        journal.take();

        poke.fail();
        sleep(secs(10)).await;

        let what = journal.take();
        assert_eq!(what[0], "-a");
        assert_eq!(what[what.len() - 2..], ["+a", "+d"]);
        assert!(!what.contains(&"+never".into()) && !what.contains(&"+done".into()), "{what:?}");
        assert!(matches!(never.outcome().await, TaskOutcome::Canceled { error: None, .. }));
        assert!(matches!(done.outcome().await, TaskOutcome::Completed));
        assert_eq!(g.status(), Some(TaskState::Running));
        for (handle, name) in [(&a, "a"), (&d, "d")] {
            assert_eq!(g.child(name).current().unwrap().id(), handle.id());
            assert_eq!(handle.status().attempt, 2);
            assert_ne!(handle.status().state, TaskState::Ended);
        }
        assert_eq!(tree.supervisor().list_tasks().await, ["g/a", "g/d"]);
        tree.shutdown().await?;
        assert!(matches!(a.outcome().await, TaskOutcome::Canceled { .. }));
        nothing_is_left(&tree, &recorder).await;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn d07_a_never_child_that_is_aborted_with_its_siblings_does_not_fail_the_group() -> Result<(), RuntimeError> {
    let journal = Journal::new();
    let (a, poke) = journal.child("a");
    let (never, _) = journal.slow("never", secs(1000));
    let (c, _) = journal.child("c");
    let never = never.with_restart(RestartPolicy::Never).with_stop_timeout(secs(1));
    let (tree, _) = tree(Group::rest_for_one("g").task(a).task(never).task(c));
    tree.start().await?;
    sleep(secs(1)).await;
    journal.take();
    poke.fail();
    sleep(secs(10)).await;
    // `never` was ready and is not critical, so that its abort does not fail the group.
    assert_eq!(journal.take(), ["-a", "-c", "!never", "+a", "+c"]);
    assert_eq!(tree.group("g").child("a").status().unwrap().attempt, 2);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn d08_a_sibling_that_fails_while_being_stopped_is_not_counted() -> Result<(), RuntimeError> {
    for make in [Group::one_for_all, Group::rest_for_one] {
        let journal = Journal::new();
        let [(a, first), (b, second)] = journal.children(["a", "b"]);
        let (tree, recorder) = tree(make("g".to_owned()).with_limit(1, secs(3600)).with_max_retries(0).task(a).task(b));
        tree.start().await?;
        sleep(secs(1)).await;
        journal.take();
        first.fail();
        settle().await;
        // This is its result when it is requested to stop.
        second.fail();
        sleep(secs(10)).await;
        let timed = journal.timed();
        let timed: Vec<_> = timed.iter().map(|(at, what)| (*at, what.as_str())).collect();
        assert_eq!(timed, [(1_000, "-a"), (1_100, "-b"), (2_100, "+a"), (2_100, "+b")]);
        assert_eq!(recorder.count(EventKind::BackoffScheduled), 1);
        assert_eq!(tree.group("g").child("b").status().unwrap().failures, 0);
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn d08_two_that_fail_at_once_are_one_failure() -> Result<(), RuntimeError> {
    let journal = Journal::new();
    let [(a, first), (b, second), (c, _)] = journal.children(["a", "b", "c"]);
    let (tree, _) = tree(Group::one_for_all("g").with_limit(1, secs(3600)).with_max_retries(0).task(a).task(b).task(c));
    tree.start().await?;
    sleep(secs(1)).await;
    journal.take();
    first.fail();
    second.fail();
    sleep(secs(10)).await;
    let attempts = ["a", "b", "c"].map(|name| tree.group("g").child(name).status().map(|status| status.attempt));
    assert_eq!(attempts, [Some(2); 3]);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn d09_a_deaf_sibling_is_aborted_at_its_own_stop_timeout() -> Result<(), RuntimeError> {
    let journal = Journal::new();
    let (a, poke) = journal.child("a");
    let (deaf, _) = journal.slow("deaf", secs(1000));
    let (tree, recorder) = tree(Group::one_for_all("g").task(a).task(deaf.with_stop_timeout(secs(3))));
    tree.start().await?;
    sleep(secs(1)).await;
    let deaf = tree.group("g").child("deaf").current().unwrap();
    journal.take();
    poke.fail();
    sleep(secs(10)).await;
    let timed = journal.timed();
    let timed: Vec<_> = timed.iter().map(|(at, what)| (*at, what.as_str())).collect();
    assert_eq!(timed, [(1_000, "-a"), (4_000, "!deaf"), (5_000, "+a"), (5_000, "+deaf")]);
    assert_eq!((deaf.status().attempt, deaf.status().state), (2, TaskState::Running));
    assert_eq!(recorder.kinds_of("g/deaf")[3..], [EventKind::TaskFailed, EventKind::TaskStarting]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn d09_without_a_stop_timeout_a_deaf_sibling_has_the_grace() -> Result<(), RuntimeError> {
    let journal = Journal::new();
    let (a, poke) = journal.child("a");
    let (deaf, _) = journal.slow("deaf", secs(1000));
    let config = SupervisorConfig { grace: secs(7), ..SupervisorConfig::default() };
    let (tree, _) = tree_with(config, Group::one_for_all("g").task(a).task(deaf));
    tree.start().await?;
    sleep(secs(1)).await;
    journal.take();
    poke.fail();
    sleep(secs(20)).await;
    let timed = journal.timed();
    let timed: Vec<_> = timed.iter().map(|(at, what)| (*at, what.as_str())).collect();
    assert_eq!(timed, [(1_000, "-a"), (8_000, "!deaf"), (9_000, "+a"), (9_000, "+deaf")]);
    Ok(())
}

/// The deadline of one stop does not carry over to the next, even if there was no wait between them.
#[tokio::test(start_paused = true)]
async fn d09_each_restart_has_a_grace_of_its_own() -> Result<(), RuntimeError> {
    for make in [Group::one_for_all, Group::rest_for_one] {
        let journal = Journal::new();
        let [(a, poke), (b, _)] = journal.children(["a", "b"]);
        let config = SupervisorConfig { grace: secs(7), ..SupervisorConfig::default() };
        let group = make("g".to_owned()).task(a.with_backoff(constant(ms(0)))).task(b);
        let (tree, _) = tree_with(config, group);
        tree.start().await?;
        for _ in 0..3 {
            sleep(secs(20)).await;
            journal.take();
            poke.fail();
            sleep(secs(1)).await;
            assert_eq!(journal.take(), ["-a", "-b", "+a", "+b"]);
        }
        sleep(secs(20)).await;
        assert!(tree.group("g").cancel().await?);
        let mut what = journal.take();
        what.sort_unstable();
        assert_eq!(what, ["-a", "-b"]);
        tree.shutdown().await?;
    }
    Ok(())
}
