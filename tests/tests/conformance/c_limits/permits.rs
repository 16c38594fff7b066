//! `max_concurrent`: which tasks may run, and for how long.

use std::sync::{Arc, Mutex};

use taskvisor::{
    EventKind, RestartPolicy, RuntimeError, Supervisor, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskOutcome,
    TaskSpec, TaskState,
};
use tests::{ALWAYS, FAIL, OK, Recorder, Script, Step, constant, cooperative, ms, recorded_with, secs, settle};
use tokio::time::{Instant, sleep};

fn at_most(max_concurrent: usize) -> (Arc<Supervisor>, Arc<Recorder>) {
    recorded_with(SupervisorConfig { max_concurrent, ..SupervisorConfig::default() })
}

#[tokio::test(start_paused = true)]
async fn permits_are_never_exceeded_and_waiters_are_first_in_first_out() -> Result<(), RuntimeError> {
    let (supervisor, recorder) = at_most(2);
    let script = Script::new([Step::Succeed(secs(1))]);
    let start = Instant::now();
    let names: Vec<_> = (0..7).map(|n| format!("task{n}")).collect();

    supervisor.run(names.iter().map(|name| script.spec(name)).collect()).await?;

    assert_eq!(script.begun_ms(start), [0, 0, 1_000, 1_000, 2_000, 2_000, 3_000]);
    assert_eq!(script.most(), 2);
    let starting = recorder.seen().into_iter().filter(|seen| seen.kind == EventKind::TaskStarting);
    assert_eq!(starting.filter_map(|seen| seen.task).collect::<Vec<_>>(), names);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn permits_go_to_who_waits_before_the_next_attempt_of_who_has_one() -> Result<(), RuntimeError> {
    let (supervisor, _) = at_most(1);
    let scripts = [(); 3].map(|()| Script::new([Step::Succeed(secs(1))]));
    let start = Instant::now();
    for (n, script) in scripts.iter().enumerate() {
        supervisor.add_task(script.spec(&format!("task{n}")).with_restart(ALWAYS)).await?;
    }

    sleep(ms(8_500)).await;

    let begun = scripts.map(|script| script.begun_ms(start));
    assert_eq!(begun, [[0, 3_000, 6_000], [1_000, 4_000, 7_000], [2_000, 5_000, 8_000]]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn permits_are_not_held_through_backoff_interval_or_initial_delay() -> Result<(), RuntimeError> {
    let waits = [
        Script::new([FAIL, Step::Wait]).spec("waits").with_backoff(constant(secs(10))),
        Script::new([OK, Step::Wait]).spec("waits").with_restart(RestartPolicy::Always { interval: Some(secs(10)) }),
        Script::new([OK, Step::Wait]).spec("waits").with_restart(ALWAYS).with_every(secs(10)),
        cooperative("waits").with_initial_delay(secs(10)),
    ];
    for spec in waits {
        let (supervisor, _) = at_most(1);
        let start = Instant::now();
        let handle = supervisor.add_task(spec).await?;
        sleep(secs(1)).await;

        let other = Script::new([Step::Succeed(secs(5))]);
        let outcome = supervisor.add_task(other.spec("other")).await?.outcome().await;

        assert!(outcome.is_completed());
        assert_eq!(start.elapsed(), secs(6), "it had the permit at once");
        sleep(secs(5)).await;
        assert_eq!(handle.status().state, TaskState::Running);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn permits_are_held_through_the_window_and_until_helpers_are_joined() -> Result<(), RuntimeError> {
    let slow = TaskFn::arc("slow", |ctx: TaskContext| async move {
        let context = ctx.clone();
        ctx.spawn(async move {
            context.cancelled().await;
            sleep(secs(4)).await;
        });
        ctx.cancelled().await;
        sleep(secs(2)).await;
        Ok(())
    });
    let (supervisor, recorder) = at_most(1);
    let start = Instant::now();
    let spec = TaskSpec::inherit(slow).with_timeout(secs(5)).with_backoff(constant(secs(100)));
    supervisor.add_task(spec).await?;
    let next = Script::new([OK]);

    supervisor.add_task(next.spec("next")).await?.outcome().await;

    assert_eq!(next.begun_ms(start), [9_000], "5 s of timeout, 2 s and 4 s of clean-up");
    let kinds: Vec<_> =
        recorder.seen().into_iter().filter(|seen| seen.attempt.is_some()).map(|seen| seen.kind).collect();
    assert_eq!(kinds[..3], [EventKind::TaskStarting, EventKind::TimeoutHit, EventKind::TaskFailed]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn permits_are_given_back_after_a_panic_an_abort_and_a_cancel() -> Result<(), RuntimeError> {
    let (supervisor, _) = at_most(1);
    let once = |step, name: &str| Script::new([step]).spec(name).with_restart(RestartPolicy::Never);
    supervisor.add_task(once(Step::Panic(secs(1)), "panics")).await?.outcome().await;

    let deaf = supervisor.add_task(once(Step::Deaf, "deaf").with_stop_timeout(secs(1))).await?;
    settle().await;
    assert!(deaf.cancel().await?);
    assert!(matches!(deaf.outcome().await, TaskOutcome::Aborted { .. }));

    let daemon = supervisor.add_task(cooperative("daemon")).await?;
    settle().await;
    assert!(daemon.cancel().await?);

    let next = Script::new([OK]);
    let start = Instant::now();
    assert!(supervisor.add_task(next.spec("next")).await?.outcome().await.is_completed());
    assert_eq!(next.begun_ms(start), [0]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn permits_waited_for_are_given_up_at_once_when_told_to_stop() -> Result<(), RuntimeError> {
    let (supervisor, recorder) = at_most(1);
    let (first, second, third) = (Script::new([Step::Succeed(secs(10))]), Script::new([OK]), Script::new([OK]));
    let start = Instant::now();
    supervisor.add_task(first.spec("first")).await?;
    let handle = supervisor.add_task(second.spec("second")).await?;
    let last = supervisor.add_task(third.spec("third")).await?;
    sleep(secs(1)).await;

    assert!(handle.cancel().await?);

    assert_eq!(start.elapsed(), secs(1));
    assert!(matches!(handle.outcome().await, TaskOutcome::Canceled { error: None, .. }));
    assert!(last.outcome().await.is_completed());
    assert_eq!((third.begun_ms(start), second.attempts()), (vec![10_000], 0), "its place goes to the next");
    assert_eq!(recorder.kinds_of("second").len(), 4, "requested, added, told to stop, removed");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn permits_keep_their_order_when_the_first_in_line_is_hurried() -> Result<(), RuntimeError> {
    let (supervisor, _) = at_most(1);
    let scripts = [(); 3].map(|()| Script::new([Step::Succeed(secs(1))]));
    let start = Instant::now();
    let mut handles = Vec::new();
    for (n, script) in scripts.iter().enumerate() {
        handles.push(supervisor.add_task(script.spec(&format!("task{n}"))).await?);
    }
    settle().await;

    assert!(!handles[2].trigger(), "there is nothing to skip");
    assert!(handles[1].restart());
    supervisor.run(vec![Script::new([OK]).spec("last")]).await?;

    assert_eq!(scripts.map(|script| script.begun_ms(start)), [[0], [1_000], [2_000]]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn permits_that_are_waited_for_leave_the_task_pending() -> Result<(), RuntimeError> {
    let (supervisor, _) = at_most(1);
    let again = Script::new([Step::Succeed(secs(2)), Step::Wait]);
    let handles = [
        supervisor.add_task(Script::new([FAIL]).spec("backoff").with_backoff(constant(secs(5)))).await?,
        supervisor.add_task(Script::new([OK]).spec("delay").with_initial_delay(secs(5))).await?,
        supervisor.add_task(again.spec("again").with_restart(ALWAYS)).await?,
    ];
    sleep(secs(1)).await;
    supervisor.add_task(cooperative("holds")).await?;
    assert_eq!(handles[0].status().state, TaskState::Backoff);

    // Backoff and delay are over; an attempt of each task is due.
    sleep(secs(5)).await;

    for handle in handles {
        assert_eq!(handle.status().state, TaskState::Pending, "{}", handle.name());
        assert!(!handle.trigger(), "{}: there is nothing to skip", handle.name());
    }
    assert_eq!(supervisor.snapshot(), ["holds"]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn permits_do_not_eat_into_the_timeout() -> Result<(), RuntimeError> {
    let (supervisor, recorder) = at_most(1);
    let script = Script::new([Step::Succeed(secs(4))]);
    let start = Instant::now();

    supervisor.run(["a", "b", "c"].map(|name| script.spec(name).with_timeout(secs(5))).to_vec()).await?;

    assert_eq!(script.begun_ms(start), [0, 4_000, 8_000]);
    assert_eq!(recorder.count(EventKind::TimeoutHit), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn permits_are_never_exceeded_on_two_workers() -> Result<(), RuntimeError> {
    const TASKS: usize = 50;
    const RUNS: u32 = 40;
    let (supervisor, _) = at_most(3);
    let script = Script::new([OK]);
    let ended = Arc::new(Mutex::new(0));
    let specs = (0..TASKS).map(|n| {
        let (script, ended) = (script.task("inner"), Arc::clone(&ended));
        let task = TaskFn::arc(format!("task{n}"), move |ctx: TaskContext| {
            let (script, ended) = (Arc::clone(&script), Arc::clone(&ended));
            async move {
                script.spawn(ctx.token()).await?;
                tokio::task::yield_now().await;
                if ctx.attempt() == RUNS {
                    *ended.lock().unwrap() += 1;
                    return Err(TaskError::Canceled);
                }
                Err(TaskError::Fail { reason: "again".into() })
            }
        });
        TaskSpec::inherit(task).with_backoff(constant(secs(0)))
    });

    supervisor.run(specs.collect()).await?;

    assert!((1..=3).contains(&script.most()), "{}", script.most());
    assert_eq!((script.attempts(), *ended.lock().unwrap()), (TASKS * RUNS as usize, TASKS));
    Ok(())
}
