//! A task that succeeds at once, again and again, is paused.

use std::sync::Arc;

use taskvisor::{
    EventKind, Group, RestartPolicy, RuntimeError, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskSpec,
    TaskState, Tree,
};
use tests::{
    ALWAYS, FAIL, OK, Recorder, Script, Step, WITHOUT_PAUSE, cooperative, ms, recorded, secs, settle, supervisor,
};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

type Result = std::result::Result<(), RuntimeError>;

/// The pauses in milliseconds between the begins of the attempts of a task.
async fn gaps(script: &Arc<Script>, restart: RestartPolicy, count: usize) -> Vec<u128> {
    let supervisor = supervisor();
    let start = Instant::now();
    let task = supervisor.add_task(script.spec("t").with_restart(restart).with_backoff(tests::constant(ms(7)))).await;
    let task = task.unwrap();
    while script.attempts() < count {
        sleep(ms(1)).await;
    }
    task.cancel().await.unwrap();
    let begun = script.begun_ms(start);
    begun.windows(2).map(|pair| pair[1] - pair[0]).take(count - 1).collect()
}

#[tokio::test(start_paused = true)]
async fn o15_the_pauses_grow_from_the_tenth_success_on() {
    let gaps = gaps(&Script::new([OK]), ALWAYS, 22).await;
    assert_eq!(gaps[..9], [0; 9]);
    // Timers have a resolution of 1 ms.
    for (gap, pause) in gaps[9..].iter().zip([1, 2, 4, 8, 16, 32, 64, 100, 100, 100, 100, 100]) {
        assert!((pause..=pause + 1).contains(gap), "{gaps:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn o15_an_interval_of_zero_opts_out() {
    let (supervisor, recorder) = recorded();
    let script = Script::new(vec![OK; 1000].into_iter().chain([Step::Cancel]).collect::<Vec<_>>());
    let start = Instant::now();
    let task = supervisor.add_task(script.spec("t").with_restart(WITHOUT_PAUSE)).await.unwrap();
    assert!(matches!(task.outcome().await, taskvisor::TaskOutcome::Canceled { error: None, .. }));
    assert_eq!((start.elapsed(), task.status().attempt), (ms(0), 1001));
    supervisor.shutdown().await.unwrap();
    assert_eq!((recorder.count(EventKind::Warning), recorder.count(EventKind::BackoffScheduled)), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn o15_one_slower_success_or_a_failure_ends_it() {
    for (step, pause) in [(Step::Succeed(ms(3)), 3), (FAIL, 7)] {
        let mut steps = vec![OK; 13];
        steps.push(step);
        steps.extend(vec![OK; 30]);
        let gaps = gaps(&Script::new(steps), ALWAYS, 30).await;
        assert!(gaps[9..13].iter().all(|gap| *gap > 0), "{gaps:?}");
        assert!(gaps[13] >= pause && gaps[13] <= pause + 1, "{gaps:?}");
        assert_eq!(gaps[14..23], [0; 9], "nine more are not paused");
        assert!(gaps[23] > 0, "and the tenth is");
    }
}

#[tokio::test(start_paused = true)]
async fn o15_attempts_that_take_more_than_one_poll_are_not_paused() {
    let supervisor = supervisor();
    let yields = TaskFn::arc("yields", |_: TaskContext| async {
        yield_now().await;
        Ok(())
    });
    // Its helper takes longer than one poll.
    let helper = TaskFn::arc("helper", |ctx: TaskContext| async move {
        ctx.spawn(yield_now());
        Ok(())
    });
    for task in [TaskSpec::inherit(yields), TaskSpec::inherit(helper)] {
        let start = Instant::now();
        let task = supervisor.add_task(task.with_restart(ALWAYS)).await.unwrap();
        // Time stands still as long as something runs.
        for _ in 0..10_000 {
            yield_now().await;
        }
        let status = task.status();
        assert!(status.attempt > 200 && status.state != TaskState::Throttled, "{}: {status:?}", task.name());
        assert_eq!(start.elapsed(), ms(0), "{}", task.name());
        task.cancel().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn o15_one_warning_says_so_and_the_status_shows_it() -> Result {
    let recorder = Recorder::new();
    let builder = Tree::builder(SupervisorConfig::default()).with_subscriber(recorder.clone());
    let tree = builder.task(Script::new([OK]).spec("spins").with_restart(ALWAYS)).task(cooperative("other")).build();
    tree.start().await?;
    sleep(secs(5)).await;
    assert_eq!(tree.child("spins").status().unwrap().state, TaskState::Throttled);
    assert!(tree.snapshot().to_string().contains("throttled"), "{}", tree.snapshot());
    assert!(tree.health().is_ready(), "it does its work: {:?}", tree.health());
    tree.shutdown().await?;
    let seen = recorder.seen();
    let warnings: Vec<_> = seen.iter().filter(|seen| seen.kind == EventKind::Warning).collect();
    assert_eq!(warnings.len(), 1);
    assert_eq!((warnings[0].task.as_deref(), warnings[0].attempt), (Some("spins"), Some(10)));
    assert!(warnings[0].reason.as_deref().unwrap().starts_with("it has succeeded 10 times in a row"));
    let waits: Vec<_> = seen.iter().filter(|seen| seen.kind == EventKind::BackoffScheduled).collect();
    assert_eq!(waits[..3].iter().map(|wait| wait.delay_ms).collect::<Vec<_>>(), [Some(1), Some(2), Some(4)]);
    assert!(waits.iter().all(|wait| wait.reason.as_deref() == Some("throttled")));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o15_a_new_series_warns_again() {
    let mut steps = vec![OK; 12];
    steps.push(Step::Succeed(ms(3)));
    steps.extend(vec![OK; 12]);
    steps.push(Step::Cancel);
    let (supervisor, recorder) = recorded();
    let task = supervisor.add_task(Script::new(steps).spec("t").with_restart(ALWAYS)).await.unwrap();
    task.outcome().await;
    supervisor.shutdown().await.unwrap();
    assert_eq!(recorder.count(EventKind::Warning), 2);
}

#[tokio::test(start_paused = true)]
async fn o15_commands_find_a_paused_task() -> Result {
    let supervisor = supervisor();
    let script = Script::new([OK]);
    let task = supervisor.add_task(script.spec("t").with_restart(ALWAYS).with_final_attempt()).await?;
    sleep(secs(5)).await;
    let before = script.attempts();
    assert!(task.trigger(), "a pause is a wait");
    settle().await;
    assert_eq!(script.attempts(), before + 1);
    assert_eq!(task.status().state, TaskState::Throttled);
    assert!(task.restart());
    settle().await;
    assert_eq!(script.attempts(), before + 2);
    assert!(task.cancel().await?);
    assert_eq!(script.attempts(), before + 3, "its final attempt");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o15_a_group_restarts_and_stops_a_paused_task() -> Result {
    let (spins, other) = (Script::new([OK]), Script::new([Step::Fail(secs(5)), Step::Wait]));
    let group = Group::one_for_all("g").task(spins.spec("spins").with_restart(ALWAYS)).task(other.spec("other"));
    let tree = Tree::builder(SupervisorConfig::default()).group(group).build();
    tree.start().await?;
    sleep(secs(4)).await;
    assert_eq!(tree.group("g").child("spins").status().unwrap().state, TaskState::Throttled);
    sleep(secs(4)).await;
    assert_eq!(other.attempts(), 2);
    assert_eq!(tree.group("g").child("spins").status().unwrap().state, TaskState::Throttled);
    tree.shutdown().await
}

async fn busy(count: usize) {
    let supervisor = supervisor();
    let tasks = (0..count).map(|n| {
        let task = TaskFn::arc(n.to_string(), |_: TaskContext| async { Ok::<(), TaskError>(()) });
        TaskSpec::inherit(task).with_restart(ALWAYS)
    });
    let mut handles = Vec::new();
    for task in tasks {
        handles.push(supervisor.add_task(task).await.unwrap());
    }
    while handles.iter().any(|handle| handle.status().attempt < 15) {
        sleep(ms(1)).await;
    }
    supervisor.shutdown().await.unwrap();
}

#[tokio::test]
async fn o15_many_are_paused_and_stopped_on_one_thread() {
    busy(50).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o15_many_are_paused_and_stopped_on_two_threads() {
    busy(50).await;
}
