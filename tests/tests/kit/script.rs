//! Scripted tasks: each step that an attempt can take.

use taskvisor::test::{Recorder, Script, ScriptTally};
use taskvisor::{
    CancellationToken, EventKind, Ready, RestartPolicy, RuntimeError, Task, TaskError, TaskOutcome, TaskSpec, supervise,
};
use tests::{ALWAYS, ms, secs, supervisor};
use tokio::time::{Instant, sleep};

use crate::tree;

async fn outcome(script: &Script) -> TaskOutcome {
    let spec = TaskSpec::from(script.clone()).with_restart(RestartPolicy::Never);
    supervisor().add_task(spec).await.unwrap().outcome().await
}

/// The counts of a tally by how attempts ended.
fn ends(tally: ScriptTally) -> [usize; 5] {
    [tally.succeeded, tally.failed, tally.panicked, tally.canceled, tally.dropped]
}

#[tokio::test(start_paused = true)]
async fn an_attempt_ends_as_it_is_written() {
    let start = Instant::now();
    let good = Script::new("good").runs(secs(2)).succeeds();
    assert!(matches!(outcome(&good).await, TaskOutcome::Completed));
    assert_eq!((start.elapsed(), ends(good.tally())), (secs(2), [1, 0, 0, 0, 0]));

    let bad = Script::new("bad").fails("boom");
    assert!(matches!(outcome(&bad).await, TaskOutcome::Failed { error } if error.to_string() == "boom"));
    assert_eq!(ends(bad.tally()), [0, 1, 0, 0, 0]);

    let dead = Script::new("dead").fails_fatally("bad config");
    assert!(matches!(outcome(&dead).await, TaskOutcome::Fatal { error } if error.to_string() == "bad config"));
    assert_eq!(ends(dead.tally()), [0, 1, 0, 0, 0]);

    let mad = Script::new("mad").panics("bug");
    assert!(matches!(outcome(&mad).await, TaskOutcome::Panicked { error } if error.to_string() == "panicked: bug"));
    assert_eq!(ends(mad.tally()), [0, 0, 1, 0, 0]);

    let done = Script::new("done").gives_up();
    assert!(matches!(outcome(&done).await, TaskOutcome::Canceled { error: None, .. }));
    assert_eq!(ends(done.tally()), [0, 0, 0, 1, 0]);
}

#[tokio::test(start_paused = true)]
async fn o26_a_script_tells_when_it_is_retried() -> Result<(), RuntimeError> {
    let start = Instant::now();
    let script = Script::new("x").fails_and_retries_after("busy", secs(60)).runs(secs(1)).succeeds();
    let outcome = supervisor().add_task(script.clone()).await?.outcome().await;
    assert!(outcome.is_completed(), "{outcome}");
    assert_eq!((start.elapsed(), ends(script.tally())), (secs(61), [1, 1, 0, 0, 0]));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn it_heeds_its_token_unless_it_hangs() -> Result<(), RuntimeError> {
    for (script, stops_after, ends_as) in [
        (Script::new("x").waits(), secs(0), [0, 0, 0, 1, 0]),
        (Script::new("x").runs(secs(100)).succeeds(), secs(0), [0, 0, 0, 1, 0]),
        (Script::new("x").cleans_up_for(secs(2)).runs(secs(100)).fails("never"), secs(2), [0, 0, 0, 1, 0]),
        (Script::new("x").cleans_up_for(secs(9)).waits(), secs(5), [0, 0, 0, 0, 1]),
        (Script::new("x").hangs(), secs(5), [0, 0, 0, 0, 1]),
    ] {
        let supervisor = supervisor();
        let handle = supervisor.add_task(TaskSpec::from(script.clone()).with_stop_timeout(secs(5))).await?;
        sleep(secs(1)).await;
        assert_eq!(script.tally().running, 1);
        let start = Instant::now();
        handle.cancel().await?;
        assert_eq!((start.elapsed(), ends(script.tally())), (stops_after, ends_as));
        assert_eq!((script.tally().running, script.tally().attempts), (0, 1));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn it_becomes_ready_when_it_says() -> Result<(), RuntimeError> {
    let serve = Script::new("serve").runs(secs(3)).becomes_ready().waits();
    let tree = tree([TaskSpec::from(serve).with_ready(Ready::Signal)]);
    tree.start().await?;
    sleep(ms(2_999)).await;
    assert!(!tree.health().is_ready());
    sleep(ms(2)).await;
    assert!(tree.health().is_ready());
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn its_heartbeats_keep_a_watchdog_quiet() -> Result<(), RuntimeError> {
    // One heartbeat after 8 s, then silence: the watchdog ends it 10 s later.
    let once = Script::new("once").runs(secs(8)).beats().waits();
    // It beats while it hangs, so that only the stop ends it.
    let always = Script::new("always").beats_every(secs(9)).hangs();
    let watched = |script: &Script| TaskSpec::from(script.clone()).with_watchdog(secs(10)).with_stop_timeout(secs(1));
    let tree = tree([watched(&once), watched(&always)]);
    let recorder = Recorder::attach(tree.supervisor());
    tree.start().await?;
    let hit = recorder.of("once").wait_for(EventKind::TimeoutHit).await;
    assert_eq!(hit.at, secs(18));
    sleep(secs(1_000)).await;
    assert_eq!(always.tally().attempts, 1);
    drop(tree.shutdown().await);
    assert_eq!(always.tally().dropped, 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn attempts_past_its_end_do_as_it_says() -> Result<(), RuntimeError> {
    let script = || Script::new("x").fails("boom").runs(secs(1)).succeeds();
    for (script, ends_as) in [
        (script(), [1, 1, 0, 0, 0]),
        (script().repeats_last(), [9, 1, 0, 0, 0]),
        (script().starts_over(), [9, 10, 0, 0, 0]),
        (Script::new("x").succeeds().runs(secs(1)), [1, 0, 0, 0, 0]),
        (Script::new("x"), [0, 0, 0, 0, 0]),
        (Script::new("x").repeats_last(), [0, 0, 0, 0, 0]),
        (Script::new("x").starts_over(), [0, 0, 0, 0, 0]),
    ] {
        let spec = TaskSpec::from(script.clone()).with_restart(ALWAYS).with_backoff(tests::constant(ms(1)));
        let tree = tree([spec]);
        tree.start().await?;
        sleep(ms(9_500)).await;
        assert_eq!(ends(script.tally()), ends_as);
        assert_eq!((script.tally().running, script.tally().most_at_once), (1, 1));
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn it_stands_in_for_a_task_in_a_declared_tree() -> Result<(), RuntimeError> {
    let (pool, serve) = (Script::new("any").becomes_ready().waits(), Script::new("serve").waits());
    let tree = supervise!(tasks = [pool = task(pool.clone(), ready = "signal"), task(serve.clone(), after = [pool]),],);
    tree.start().await?;
    tree.wait_ready().await;
    assert_eq!(tree.tasks.pool.status().unwrap().attempt, 1);
    assert_eq!((pool.tally().running, serve.tally().running), (1, 1));
    tree.shutdown().await
}

#[tokio::test]
async fn it_runs_without_a_supervisor() {
    let script = Script::new("alone").waits();
    let token = CancellationToken::new();
    let attempt = script.spawn(token.clone());
    token.cancel();
    assert!(matches!(attempt.await, Err(TaskError::Canceled)));
    assert_eq!(script.tally().canceled, 1);
}
