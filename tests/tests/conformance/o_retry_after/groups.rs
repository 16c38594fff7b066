//! Tasks whose group decides when they start again.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use taskvisor::{
    EventKind, Group, RestartPolicy, RuntimeError, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskOutcome,
    TaskSpec, TaskState, Tree,
};
use tests::{FAIL, Recorder, Script, Step, secs, settle};
use tokio::time::{Instant, sleep};

use super::{Result, growing, told};

fn tree(group: Group) -> Tree {
    Tree::builder(SupervisorConfig::default()).group(group).build()
}

#[tokio::test(start_paused = true)]
async fn o26_one_for_one_restarts_the_task_after_the_told_time() -> Result {
    let (bad, good, start) =
        (Script::new([FAIL, told(secs(60)), FAIL, Step::Wait]), Script::new([Step::Wait]), Instant::now());
    let bad_spec = bad.spec("bad").with_backoff(growing());
    let tree = tree(Group::one_for_one("g").with_limit(9, secs(3600)).task(good.spec("good")).task(bad_spec));
    tree.start().await?;
    sleep(secs(61)).await;
    assert_eq!((bad.begun_ms(start), good.attempts()), (vec![0, 100, 60_100, 60_300], 1));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o26_a_group_that_restarts_together_waits_for_the_told_time() -> Result {
    for all in [true, false] {
        let (bad, late, start) =
            (Script::new([told(secs(60)), FAIL, Step::Wait]), Script::new([Step::Wait]), Instant::now());
        let group = if all { Group::one_for_all("g") } else { Group::rest_for_one("g") };
        let tree = tree(group.task(bad.spec("bad").with_backoff(growing())).task(late.spec("late")));
        tree.start().await?;
        sleep(secs(59)).await;
        assert_eq!((bad.attempts(), bad.running() + late.running()), (1, 0), "all wait");
        sleep(secs(2)).await;
        assert_eq!(bad.begun_ms(start), [0, 60_000, 60_100]);
        // In `rest_for_one` it starts after the other, which fails at once.
        assert_eq!(late.begun_ms(start), if all { vec![0, 60_000, 60_100] } else { vec![60_100] });
        tree.shutdown().await?;
    }
    Ok(())
}

/// Zero is at once, and the longest time has no end.
#[tokio::test(start_paused = true)]
async fn o26_the_extremes_do_the_same_in_a_group() -> Result {
    for delay in [Duration::ZERO, Duration::MAX] {
        let (bad, late, start) = (Script::new([told(delay), Step::Wait]), Script::new([Step::Wait]), Instant::now());
        let tree = tree(Group::one_for_all("g").task(bad.spec("bad").with_backoff(growing())).task(late.spec("late")));
        tree.start().await?;
        sleep(secs(300 * 86_400)).await;
        if delay.is_zero() {
            assert_eq!((bad.begun_ms(start), late.begun_ms(start)), (vec![0, 0], vec![0, 0]));
        } else {
            assert_eq!((bad.attempts(), tree.child("g/bad").status().unwrap().state), (1, TaskState::Backoff));
        }
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o26_a_trigger_of_the_child_or_a_restart_of_the_group_ends_the_wait() -> Result {
    for by in ["g/bad", ""] {
        let (bad, good, start) = (Script::new([told(secs(60)), Step::Wait]), Script::new([Step::Wait]), Instant::now());
        let tree = tree(Group::one_for_all("g").task(bad.spec("bad")).task(good.spec("good")));
        tree.start().await?;
        sleep(secs(5)).await;
        assert!(if by.is_empty() { tree.group("g").restart() } else { tree.child(by).trigger() }, "{by}");
        settle().await;
        assert_eq!((bad.begun_ms(start), good.begun_ms(start)), (vec![0, 5_000], vec![0, 5_000]), "{by}");
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o26_a_shutdown_does_not_wait_for_a_group_that_waits() -> Result {
    let start = Instant::now();
    let tree =
        tree(Group::one_for_all("g").task(Script::new([told(secs(60))]).spec("bad")).task(tests::cooperative("good")));
    tree.start().await?;
    sleep(secs(5)).await;
    tree.shutdown().await?;
    assert_eq!(start.elapsed(), secs(5));
    Ok(())
}

/// Each told failure counts for the limit of the group. The group fails, and has a backoff of its own.
#[tokio::test(start_paused = true)]
async fn o26_it_counts_for_the_limit_of_the_group_and_tells_the_group_nothing() -> Result {
    for all in [true, false] {
        let (bad, start) = (Script::new([told(secs(1)), told(secs(1)), told(secs(60)), Step::Wait]), Instant::now());
        let group = if all { Group::one_for_all("g") } else { Group::one_for_one("g") };
        let group = group.with_limit(2, secs(3600)).with_backoff(tests::constant(secs(5)));
        let tree = tree(group.task(bad.spec("bad")));
        tree.start().await?;
        sleep(secs(30)).await;
        assert_eq!(bad.begun_ms(start), [0, 1_000, 2_000, 7_000]);
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o26_a_critical_task_that_is_exhausted_fails_its_group_with_the_error_itself() -> Result {
    let bad = Script::new([told(secs(60))]).spec("bad").with_max_retries(1).critical();
    let tree = tree(Group::one_for_one("g").with_restart(RestartPolicy::Never).task(bad));
    let error = tree.run_until(std::future::pending()).await.unwrap_err();
    let RuntimeError::Failed { chain, .. } = &error else { panic!("{error}") };
    assert!(format!("{chain:#}").contains("(failure 2)"), "{chain:#}");
    assert!(matches!(**chain.error().unwrap(), TaskError::Fail { .. }));
    Ok(())
}

/// The function of a fresh group can tell it too.
#[tokio::test(start_paused = true)]
async fn o26_the_start_of_a_fresh_group_is_retried_after_the_told_time() -> Result {
    let start = Instant::now();
    let (calls, begun) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
    let seen = Arc::clone(&begun);
    let make = move || {
        seen.lock().unwrap().push(start.elapsed());
        let call = calls.fetch_add(1, Ordering::SeqCst);
        let down = || TaskError::error("503 service unavailable");
        std::future::ready::<std::result::Result<Vec<TaskSpec>, _>>(match call {
            0 | 2 => Err(down()),
            1 => Err(down().retry_after(secs(60))),
            _ => Ok(vec![tests::cooperative("a")]),
        })
    };
    let recorder = Recorder::new();
    let group = Group::one_for_all("g").with_backoff(growing()).fresh(make);
    let tree = Tree::builder(SupervisorConfig::default()).with_subscriber(recorder.clone()).group(group).build();
    tree.start().await?;
    sleep(secs(90)).await;
    let begun: Vec<_> = begun.lock().unwrap().iter().map(Duration::as_millis).collect();
    assert_eq!(begun, [0, 100, 60_100, 60_300], "the backoff of the group goes on where it was");
    assert!(tree.health().is_ready());
    tree.shutdown().await?;
    let told: Vec<_> = recorder.seen().into_iter().filter(|seen| seen.kind == EventKind::GroupFailed).collect();
    let expected = "`g` could not make its children (503 service unavailable)";
    assert_eq!((told[1].reason.as_deref(), told[1].delay_ms), (Some(expected), Some(60_000)));
    Ok(())
}

/// A task that is added to a group waits like the declared ones.
#[tokio::test(start_paused = true)]
async fn o26_an_added_task_waits_for_the_told_time() -> Result {
    let tree = tree(Group::one_for_one("g").task(tests::cooperative("good")));
    tree.start().await?;
    let (bad, start) = (Script::new([told(secs(60))]), Instant::now());
    let task = tree.group("g").add_task(bad.spec("bad").with_max_retries(2)).await?;
    let outcome = task.outcome().await;
    assert!(matches!(outcome, TaskOutcome::Exhausted { failures: 3, .. }), "{outcome}");
    assert_eq!(bad.begun_ms(start), [0, 60_000, 120_000]);
    tree.shutdown().await
}

/// The time counts from the failure, also where a sibling takes some of it to stop.
#[tokio::test(start_paused = true)]
async fn o26_the_time_that_siblings_take_to_stop_is_part_of_it() -> Result {
    for (takes, expected) in [(0, 30_000), (20, 30_000), (50, 50_000)] {
        let slow = TaskSpec::inherit(TaskFn::arc("slow", move |ctx: TaskContext| async move {
            ctx.cancelled().await;
            sleep(secs(takes)).await;
            Err(TaskError::Canceled)
        }));
        let (bad, start) = (Script::new([told(secs(30)), Step::Wait]), Instant::now());
        let tree = tree(Group::one_for_all("g").task(bad.spec("bad")).task(slow.with_stop_timeout(secs(100))));
        tree.start().await?;
        sleep(secs(100)).await;
        assert_eq!(bad.begun_ms(start), [0, expected], "it takes {takes} s");
        tree.shutdown().await?;
    }
    Ok(())
}

/// Tasks that fail together, as clients of one server do, start together after the longest of the told times, whichever
/// is heard first.
#[tokio::test(start_paused = true)]
async fn o26_of_tasks_that_fail_together_the_longest_told_time_counts() -> Result {
    for (first, second, expected) in [
        (FAIL, told(secs(60)), 60_000),
        (told(secs(60)), FAIL, 60_000),
        (told(secs(30)), told(secs(60)), 60_000),
        (told(secs(60)), told(secs(30)), 60_000),
        (told(secs(60)), told(Duration::ZERO), 60_000),
    ] {
        let (a, b, start) = (Script::new([first, Step::Wait]), Script::new([second, Step::Wait]), Instant::now());
        let tree = tree(Group::one_for_all("g").task(a.spec("a")).task(b.spec("b")));
        tree.start().await?;
        sleep(secs(100)).await;
        assert_eq!((a.begun_ms(start), b.begun_ms(start)), (vec![0, expected], vec![0, expected]));
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o26_a_trigger_of_either_of_two_that_failed_together_ends_the_wait() -> Result {
    for by in ["g/a", "g/b"] {
        let (a, b, start) =
            (Script::new([FAIL, Step::Wait]), Script::new([told(secs(60)), Step::Wait]), Instant::now());
        let tree = tree(Group::one_for_all("g").task(a.spec("a")).task(b.spec("b")));
        tree.start().await?;
        sleep(secs(5)).await;
        assert_eq!(tree.child("g/b").status().unwrap().state, TaskState::Backoff);
        assert!(tree.child(by).trigger(), "{by}");
        settle().await;
        assert_eq!((a.begun_ms(start), b.begun_ms(start)), (vec![0, 5_000], vec![0, 5_000]), "{by}");
        tree.shutdown().await?;
    }
    Ok(())
}

/// The one that told the time is canceled: its siblings wait for it no longer.
#[tokio::test(start_paused = true)]
async fn o26_the_end_of_the_task_ends_the_wait_of_its_siblings() -> Result {
    for name in ["g/a", "g/b"] {
        let [a, b] = if name == "g/a" { [told(secs(60)), FAIL] } else { [FAIL, told(secs(60))] };
        let (a, b, start) = (Script::new([a, Step::Wait]), Script::new([b, Step::Wait]), Instant::now());
        let tree = tree(Group::one_for_all("g").task(a.spec("a")).task(b.spec("b")));
        tree.start().await?;
        sleep(secs(5)).await;
        assert!(tree.child(name).cancel().await?);
        settle().await;
        let other = if name == "g/a" { b } else { a };
        assert_eq!(other.begun_ms(start), [0, 5_000], "{name}");
        tree.shutdown().await?;
    }
    Ok(())
}

/// A fresh group in a group whose strategy restarts all.
#[tokio::test(start_paused = true)]
async fn o26_a_nested_group_tells_its_parent() -> Result {
    let (good, start) = (Script::new([Step::Wait]), Instant::now());
    let calls = Arc::new(AtomicUsize::new(0));
    let make = move || {
        let is_first = calls.fetch_add(1, Ordering::SeqCst) == 0;
        let refused = || Err(TaskError::error("503 service unavailable").retry_after(secs(60)));
        std::future::ready(if is_first { refused() } else { Ok(vec![tests::cooperative("a")]) })
    };
    let fresh = Group::one_for_all("fresh").with_backoff(growing()).fresh(make);
    let tree = tree(Group::one_for_all("g").task(good.spec("good")).group(fresh));
    tree.start().await?;
    sleep(secs(61)).await;
    assert_eq!(good.begun_ms(start), [0, 60_000]);
    assert!(tree.health().is_ready());
    tree.shutdown().await
}
