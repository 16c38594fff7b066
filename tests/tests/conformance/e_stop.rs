//! E. Stop.

mod blocked;
mod panics;
mod refused;
#[cfg(unix)]
pub(crate) mod signals;
mod sleeps;
mod trees;

use std::sync::Arc;
use std::time::Duration;

use taskvisor::{
    EventKind, RestartPolicy, RuntimeError, Signals, Supervisor, SupervisorConfig, TaskContext, TaskError, TaskFn,
    TaskHandle, TaskOutcome, TaskSpec, TaskState, Tree,
};
use tests::{
    ALWAYS, FAIL, OK, Script, Step, constant, cooperative, deaf, ms, recorded, recorded_with, secs, settle, supervisor,
};
use tokio::time::Instant;

type Result = std::result::Result<(), RuntimeError>;

/// A generous limit on real time, against hanging.
const FOREVER: Duration = secs(60);

/// The result of an attempt that is requested to stop.
type Answer = fn() -> std::result::Result<(), TaskError>;

fn with_grace(grace: Duration) -> SupervisorConfig {
    SupervisorConfig { grace, ..SupervisorConfig::default() }
}

/// The names in a verdict that the grace was exceeded.
fn stuck(result: Result) -> Vec<String> {
    match result {
        Err(RuntimeError::GraceExceeded { stuck, .. }) => stuck,
        other => panic!("expected GraceExceeded, not {other:?}"),
    }
}

/// The names in the verdict of a forced shutdown.
fn forced(result: Result) -> Vec<String> {
    match result {
        Err(RuntimeError::ShutdownForced { stuck, .. }) => stuck,
        other => panic!("expected ShutdownForced, not {other:?}"),
    }
}

fn is_shutting_down<T>(result: &std::result::Result<T, RuntimeError>) -> bool {
    matches!(result, Err(RuntimeError::ShuttingDown))
}

/// When requested to stop, takes this long and returns this result.
fn answers(name: &str, after: Duration, answer: Answer) -> TaskSpec {
    TaskSpec::inherit(TaskFn::arc(name, move |ctx: TaskContext| async move {
        ctx.cancelled().await;
        tokio::time::sleep(after).await;
        answer()
    }))
}

#[tokio::test(start_paused = true)]
async fn e01_a_cooperative_task_is_canceled_and_a_deaf_one_aborted_after_its_stop_timeout() -> Result {
    // given
    let (supervisor, recorder) = recorded();
    let polite = supervisor.add_task(cooperative("polite").with_stop_timeout(secs(1))).await?;
    let rude = supervisor.add_task(deaf("rude").with_stop_timeout(secs(1))).await?;
    settle().await;
    // when
    let start = Instant::now();
    let result = supervisor.shutdown().await;
    // then
    assert_eq!(start.elapsed(), secs(1));
    assert_eq!(stuck(result), ["rude"]);
    assert!(matches!(polite.outcome().await, TaskOutcome::Canceled { error: None, .. }));
    assert!(matches!(rude.outcome().await, TaskOutcome::Aborted { error: None }));
    assert_eq!(recorder.kinds_of("polite")[3..], [EventKind::TaskStopped, EventKind::TaskRemoved]);
    assert_eq!(recorder.kinds_of("rude")[3..], [EventKind::TaskFailed, EventKind::TaskRemoved]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e01_without_a_stop_timeout_a_deaf_task_has_the_grace() -> Result {
    let (supervisor, _) = recorded_with(with_grace(secs(7)));
    supervisor.add_task(deaf("rude")).await?;
    supervisor.add_task(deaf("ruder").with_stop_timeout(secs(100))).await?;
    settle().await;
    let start = Instant::now();
    let result = supervisor.shutdown().await;
    assert_eq!(start.elapsed(), secs(7), "the grace covers a longer `stop_timeout` as well");
    assert_eq!(result.unwrap_err().to_string(), "2 tasks not stopped in time (grace 7s): rude, ruder");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e01_run_gives_the_verdict_and_a_stop_in_time_is_ok() {
    let (supervisor, recorder) = recorded_with(with_grace(secs(5)));
    let start = Instant::now();
    let slow = answers("slow", secs(4), || Ok(()));
    let result = supervisor.run_until(vec![slow], tokio::time::sleep(secs(1))).await;
    assert!(result.is_ok());
    assert_eq!(start.elapsed(), secs(5));
    assert_eq!(recorder.kinds().last(), Some(&EventKind::AllStoppedWithinGrace));
}

#[tokio::test(start_paused = true)]
async fn e01_what_a_task_blocks_its_thread_for_is_a_part_of_its_stop_timeout() -> Result {
    let supervisor = supervisor();
    let task = TaskFn::arc("blocks", |ctx: TaskContext| async move {
        ctx.cancelled().await;
        // The clock advances within one poll, as if the attempt blocked its thread.
        tokio::time::advance(secs(2)).await;
        std::future::pending().await
    });
    let handle = supervisor.add_task(TaskSpec::inherit(task).with_stop_timeout(secs(1))).await?;
    settle().await;
    let start = Instant::now();

    supervisor.remove_task("blocks").await?;

    assert!(matches!(handle.outcome().await, TaskOutcome::Aborted { error: None }));
    assert_eq!(start.elapsed(), secs(2), "no second more is given");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e02_a_stop_timeout_of_zero_aborts_at_once_and_siblings_get_theirs() -> Result {
    // given
    let supervisor = supervisor();
    let rude = supervisor.add_task(deaf("rude").with_stop_timeout(Duration::ZERO)).await?;
    let slow = supervisor.add_task(answers("slow", secs(2), || Ok(())).with_stop_timeout(secs(3))).await?;
    settle().await;
    // when
    let start = Instant::now();
    let shutdown = supervisor.shutdown();
    // then
    assert!(matches!(rude.outcome().await, TaskOutcome::Aborted { .. }));
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(slow.status().state, TaskState::Stopping);
    assert_eq!(stuck(shutdown.await), ["rude"]);
    assert_eq!(start.elapsed(), secs(2));
    assert!(matches!(slow.outcome().await, TaskOutcome::Canceled { error: None, .. }));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e02_a_grace_of_zero_leaves_those_alone_that_only_wait() -> Result {
    let (supervisor, recorder) = recorded_with(with_grace(Duration::ZERO));
    let waits = supervisor.add_task(Script::new([FAIL]).spec("waits").with_backoff(constant(secs(9)))).await?;
    supervisor.add_task(deaf("rude")).await?;
    settle().await;
    assert_eq!(stuck(supervisor.shutdown().await), ["rude"], "nothing of the other had to be aborted");
    assert!(matches!(waits.outcome().await, TaskOutcome::Canceled { error: None, .. }));
    assert_eq!(recorder.kinds_of("waits").last(), Some(&EventKind::TaskRemoved));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e03_ten_deaf_tasks_take_the_longest_of_their_times_and_not_the_sum() -> Result {
    let supervisor = supervisor();
    let mut names = Vec::new();
    for n in 1..=10 {
        let task = supervisor.add_task(deaf(&format!("deaf-{n}")).with_stop_timeout(secs(n))).await?;
        names.push(task.name().to_owned());
    }
    settle().await;
    let start = Instant::now();
    assert_eq!(stuck(supervisor.shutdown().await), names, "in the order of registration");
    assert_eq!(start.elapsed(), secs(10));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e04_whatever_a_task_answers_the_stop_is_clean_and_the_outcome_tells_the_truth() -> Result {
    // given
    let (supervisor, recorder) = recorded();
    let mut tasks = Vec::new();
    let all: [(&str, Answer, Option<&str>); 5] = [
        ("ok", || Ok(()), None),
        ("canceled", || Err(TaskError::Canceled), None),
        ("fails", || Err(TaskError::Fail { reason: "dirty".into() }), Some("dirty")),
        ("fatal", || Err(TaskError::Fatal { reason: "dead".into() }), Some("dead")),
        ("panics", || panic!("boom"), Some("panicked: boom")),
    ];
    for (name, answer, error) in all {
        let spec = answers(name, Duration::ZERO, answer).with_restart(ALWAYS);
        tasks.push((supervisor.add_task(spec).await?, error));
    }
    settle().await;
    // when
    let result = supervisor.shutdown().await;
    // then
    assert!(result.is_ok());
    for (task, expected) in tasks {
        let outcome = task.outcome().await;
        let TaskOutcome::Canceled { error, .. } = &outcome else { panic!("{}: {outcome}", task.name()) };
        assert_eq!(error.as_ref().map(tests::placeless).as_deref(), expected, "{}", task.name());
        assert_eq!(outcome.source().is_some(), expected.is_some());
        let end = [EventKind::TaskStarting, EventKind::TaskStopped, EventKind::TaskRemoved];
        assert_eq!(recorder.kinds_of(task.name())[2..], end, "{}: one attempt", task.name());
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e06_tasks_that_wait_stop_at_once() -> Result {
    // given
    let config = SupervisorConfig { max_concurrent: 1, ..SupervisorConfig::default() };
    let (supervisor, recorder) = recorded_with(config);
    let always = RestartPolicy::Always { interval: Some(secs(100)) };
    let [backoff, interval, delayed, permit] = [
        Script::new([FAIL]).spec("backoff").with_backoff(constant(secs(100))),
        Script::new([OK]).spec("interval").with_restart(always),
        cooperative("delayed").with_initial_delay(secs(100)),
        cooperative("permit"),
    ];
    let mut tasks = Vec::new();
    for spec in [backoff, interval, delayed, cooperative("holder"), permit] {
        tasks.push(supervisor.add_task(spec).await?);
    }
    settle().await;
    let states: Vec<_> = tasks.iter().map(|task| task.status().state).collect();
    let running = TaskState::Running;
    assert_eq!(states, [TaskState::Backoff, TaskState::Interval, TaskState::Delayed, running, TaskState::Pending]);
    // when
    let start = Instant::now();
    let result = supervisor.shutdown().await;
    // then
    assert!(result.is_ok());
    assert_eq!(start.elapsed(), Duration::ZERO);
    for (task, attempts) in tasks.iter().zip([1, 1, 0, 1, 0]) {
        assert_eq!(task.status().attempt, attempts, "{}", task.name());
        assert!(matches!(task.outcome().await, TaskOutcome::Canceled { error: None, .. }), "{}", task.name());
    }
    let after: Vec<_> = recorder.kinds().into_iter().skip_while(|kind| *kind != EventKind::ShutdownRequested).collect();
    assert!(!after.contains(&EventKind::BackoffScheduled) && !after.contains(&EventKind::TaskStarting));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e06_a_task_that_is_canceled_while_it_waits_for_a_permit_takes_none() -> Result {
    let config = SupervisorConfig { max_concurrent: 1, ..SupervisorConfig::default() };
    let (supervisor, _) = recorded_with(config);
    let holder = supervisor.add_task(cooperative("holder")).await?;
    let first = supervisor.add_task(cooperative("first")).await?;
    let second = supervisor.add_task(cooperative("second")).await?;
    settle().await;
    assert!(first.cancel().await?);
    assert_eq!(first.status().attempt, 0);
    assert!(!supervisor.is_alive("second").await);
    assert!(holder.cancel().await?);
    settle().await;
    assert!(supervisor.is_alive("second").await, "the permit went to the next in the queue");
    assert!(second.cancel().await?);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e07_after_the_stop_every_call_is_a_typed_error_at_once() -> Result {
    // given
    let supervisor = supervisor();
    let task = supervisor.add_task(cooperative("gone")).await?;
    supervisor.shutdown().await?;
    let start = Instant::now();
    // then
    assert!(is_shutting_down(&supervisor.add_task(cooperative("late")).await));
    assert!(is_shutting_down(&supervisor.remove_task("gone").await));
    assert!(is_shutting_down(&supervisor.cancel("gone").await));
    assert!(is_shutting_down(&supervisor.cancel_with_timeout("gone", secs(1)).await));
    assert!(is_shutting_down(&supervisor.run(vec![cooperative("late")]).await));
    assert!(is_shutting_down(&supervisor.run(vec![]).await));
    assert!(is_shutting_down(&supervisor.run_until(vec![], std::future::pending()).await));
    assert!(supervisor.shutdown().await.is_ok(), "the same result as before");
    assert!(supervisor.shutdown_now().await.is_ok(), "the same result as before");
    supervisor.wait_ready().await;
    assert!(supervisor.list_tasks().await.is_empty() && supervisor.snapshot().is_empty());
    assert!(!supervisor.is_alive("gone").await);
    assert!(supervisor.task("gone").is_none());
    assert!(!task.cancel().await? && !task.restart() && !task.trigger());
    assert_eq!(start.elapsed(), Duration::ZERO);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e07_a_tree_that_was_stopped_does_not_start() {
    let tree = Tree::builder(SupervisorConfig::default()).task(cooperative("never")).build();
    assert!(tree.shutdown().await.is_ok());
    assert!(is_shutting_down(&tree.start().await));
    assert!(is_shutting_down(&tree.run().await));
    assert!(matches!(tree.child("never").cancel().await, Ok(false)));
}

#[tokio::test(start_paused = true)]
async fn e07_a_handle_without_an_owner_fails_with_a_typed_error() -> Result {
    let supervisor = supervisor();
    let task = supervisor.add_task(cooperative("orphan")).await?;
    let handle = supervisor.handle();
    drop(supervisor);
    assert!(is_shutting_down(&handle.add_task(cooperative("late")).await));
    assert!(matches!(task.outcome().await, TaskOutcome::Canceled { error: None, .. }));
    assert!(handle.shutdown().await.is_ok());
    assert!(is_shutting_down(&handle.remove_task("orphan").await));
    Ok(())
}

/// Adds tasks until one is refused, and returns those added.
async fn add_until_refused(supervisor: Arc<Supervisor>, name: usize) -> Vec<TaskHandle> {
    let mut added = Vec::new();
    loop {
        let name = format!("{name}-{}", added.len());
        let spec = if added.len() % 2 == 0 { cooperative(&name) } else { Script::new([OK]).spec(&name) };
        match supervisor.add_task(spec).await {
            Ok(task) => added.push(task),
            Err(RuntimeError::ShuttingDown) => return added,
            Err(other) => panic!("{other}"),
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn e08_an_add_that_races_with_the_shutdown_is_drained_or_refused() {
    for round in 0..100 {
        // given
        let (supervisor, recorder) = recorded();
        let adders: Vec<_> = (0..3).map(|n| tokio::spawn(add_until_refused(Arc::clone(&supervisor), n))).collect();
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        // when
        let result = tokio::time::timeout(FOREVER, supervisor.shutdown()).await.expect("hangs");
        // then
        assert!(result.is_ok(), "{result:?}");
        let mut added = 0;
        for adder in adders {
            for task in adder.await.unwrap() {
                assert_eq!(task.status().state, TaskState::Ended, "the verdict was given before {task:?} had ended");
                let outcome = task.outcome().await;
                assert!(
                    matches!(outcome, TaskOutcome::Completed | TaskOutcome::Canceled { error: None, .. }),
                    "{outcome}"
                );
                added += 1;
            }
        }
        assert!(supervisor.list_tasks().await.is_empty());
        assert_eq!([EventKind::TaskAdded, EventKind::TaskRemoved].map(|kind| recorder.count(kind)), [added; 2]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn e08_a_batch_that_races_with_the_shutdown_runs_whole_or_not_at_all() {
    for round in 0..200 {
        // given
        let (supervisor, recorder) =
            recorded_with(SupervisorConfig { signals: Signals::NONE, ..SupervisorConfig::default() });
        let specs = (0..8).map(|n| cooperative(&n.to_string())).collect();
        let run = tokio::spawn({
            let supervisor = Arc::clone(&supervisor);
            async move { supervisor.run(specs).await }
        });
        for _ in 0..round % 16 {
            std::hint::spin_loop();
        }
        // when
        let verdict = tokio::time::timeout(FOREVER, supervisor.shutdown()).await.expect("hangs");
        let result = tokio::time::timeout(FOREVER, run).await.expect("hangs").unwrap();
        // then
        assert!(verdict.is_ok());
        let started = match result {
            Ok(()) => 8,
            Err(RuntimeError::ShuttingDown) => 0,
            Err(other) => panic!("{other}"),
        };
        assert_eq!([EventKind::TaskAdded, EventKind::TaskRemoved].map(|kind| recorder.count(kind)), [started; 2]);
    }
}

#[tokio::test(start_paused = true)]
async fn e09_all_who_ask_for_a_shutdown_share_one_and_its_result() -> Result {
    // given
    let (supervisor, recorder) = recorded_with(with_grace(secs(10)));
    supervisor.add_task(deaf("rude")).await?;
    settle().await;
    let start = Instant::now();
    // when
    let first = supervisor.shutdown();
    tokio::time::sleep(secs(3)).await;
    let (second, handle) = (supervisor.shutdown(), supervisor.handle());
    let third = tokio::spawn(async move { handle.shutdown().await });
    // then
    let results = [first.await, second.await, third.await.unwrap(), supervisor.shutdown().await].map(stuck);
    assert_eq!(start.elapsed(), secs(10), "asking again hastens nothing");
    assert!(results.iter().all(|stuck| stuck == &["rude"]), "{results:?}");
    assert_eq!(recorder.count(EventKind::ShutdownRequested), 1);
    assert_eq!(recorder.count(EventKind::GraceExceeded), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e09_a_shutdown_goes_on_when_nobody_waits_for_it() -> Result {
    let supervisor = supervisor();
    let task = supervisor.add_task(cooperative("polite")).await?;
    drop(supervisor.shutdown());
    assert!(matches!(task.outcome().await, TaskOutcome::Canceled { error: None, .. }));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e09_shutdown_now_hastens_the_shutdown_that_goes_on() {
    // given
    let (supervisor, recorder) = recorded_with(with_grace(secs(1000)));
    let start = Instant::now();
    let force = async {
        tokio::time::sleep(secs(2)).await;
        drop(supervisor.shutdown());
        tokio::time::sleep(secs(3)).await;
        supervisor.shutdown_now().await
    };
    // when
    let batch = vec![cooperative("polite"), deaf("rude"), answers("slow", secs(100), || Ok(()))];
    let (result, asked) = tokio::join!(supervisor.run_until(batch, std::future::pending()), force);
    // then
    assert_eq!(start.elapsed(), secs(5));
    assert_eq!([forced(result), forced(asked)], [["rude", "slow"]; 2]);
    assert_eq!(recorder.count(EventKind::ShutdownRequested), 1);
    assert_eq!(recorder.kinds_of("slow")[3..], [EventKind::TaskFailed, EventKind::TaskRemoved]);
}

#[tokio::test(start_paused = true)]
async fn e09_shutdown_now_cuts_the_drain_short() -> Result {
    let config = SupervisorConfig { drain: secs(50), ..SupervisorConfig::default() };
    let (supervisor, _) = recorded_with(config);
    let rude = supervisor.add_task(deaf("rude")).await?;
    settle().await;
    let start = Instant::now();
    let first = supervisor.shutdown();
    tokio::time::sleep(secs(1)).await;
    assert_eq!(forced(supervisor.shutdown_now().await), ["rude"]);
    assert_eq!(forced(first.await), ["rude"]);
    assert_eq!(start.elapsed(), secs(1));
    assert!(matches!(rude.outcome().await, TaskOutcome::Aborted { error: None }));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e09_shutdown_now_of_tasks_that_only_wait_is_clean() -> Result {
    let (supervisor, recorder) = recorded();
    let waits = supervisor.add_task(Script::new([FAIL]).spec("waits").with_backoff(constant(secs(9)))).await?;
    let later = supervisor.add_task(cooperative("later").with_initial_delay(secs(9))).await?;
    settle().await;
    let result = supervisor.shutdown_now().await;
    assert!(result.is_ok(), "there was no attempt to abort: {result:?}");
    for task in [waits, later] {
        assert!(matches!(task.outcome().await, TaskOutcome::Canceled { error: None, .. }));
    }
    assert_eq!(recorder.kinds().last(), Some(&EventKind::AllStoppedWithinGrace));
    Ok(())
}

#[test]
fn e09_a_shutdown_that_was_requested_on_another_runtime_outlives_it() {
    // given
    let own = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let supervisor = supervisor();
    let task = own.block_on(supervisor.add_task(cooperative("polite"))).unwrap();
    // when
    let other = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    other.block_on(async { drop(supervisor.shutdown()) });
    drop(other);
    // then
    let outcome = own.block_on(async { tokio::time::timeout(FOREVER, task.outcome()).await });
    assert!(matches!(outcome, Ok(TaskOutcome::Canceled { error: None, .. })), "{outcome:?}");
    assert!(own.block_on(supervisor.shutdown()).is_ok());
}

#[tokio::test(start_paused = true)]
async fn e13_during_the_drain_tasks_go_on_and_none_is_taken() -> Result {
    // given
    let config = SupervisorConfig { drain: secs(10), ..SupervisorConfig::default() };
    let (supervisor, recorder) = recorded_with(config);
    let start = Instant::now();
    let ticks = Script::new([OK]);
    let every_second = RestartPolicy::Always { interval: Some(secs(1)) };
    let tick = supervisor.add_task(ticks.spec("tick").with_restart(every_second)).await?;
    let daemon = supervisor.add_task(cooperative("daemon")).await?;
    tokio::time::sleep(ms(500)).await;
    // when
    let shutdown = supervisor.shutdown();
    // then
    assert!(is_shutting_down(&supervisor.add_task(cooperative("late")).await), "closed at once");
    tokio::time::sleep(secs(9)).await;
    assert_eq!(recorder.count(EventKind::ShutdownRequested), 1);
    assert_eq!(daemon.status().state, TaskState::Running);
    assert!(shutdown.await.is_ok());
    assert_eq!(start.elapsed(), ms(10_500));
    assert_eq!(ticks.begun_ms(start), (0..=10).map(|n| n * 1000).collect::<Vec<_>>());
    for task in [tick, daemon] {
        assert!(matches!(task.outcome().await, TaskOutcome::Canceled { error: None, .. }));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e13_the_grace_begins_after_the_drain_which_ends_with_the_last_task() -> Result {
    let config = SupervisorConfig { drain: secs(10), grace: secs(5), ..SupervisorConfig::default() };
    // given a task that outlives both
    let (supervisor, _) = recorded_with(config.clone());
    supervisor.add_task(deaf("rude")).await?;
    settle().await;
    let start = Instant::now();
    assert_eq!(stuck(supervisor.shutdown().await), ["rude"]);
    assert_eq!(start.elapsed(), secs(15));
    // given a task that ends by itself
    let (supervisor, _) = recorded_with(config);
    let task = supervisor.add_task(Script::new([Step::Succeed(secs(3))]).spec("short")).await?;
    settle().await;
    let start = Instant::now();
    assert!(supervisor.shutdown().await.is_ok());
    assert_eq!(start.elapsed(), secs(3), "there is nothing left to drain");
    assert!(task.outcome().await.is_completed());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e13_a_cancel_during_the_drain_is_heeded() -> Result {
    let config = SupervisorConfig { drain: secs(10), ..SupervisorConfig::default() };
    let (supervisor, _) = recorded_with(config);
    supervisor.add_task(cooperative("polite")).await?;
    supervisor.add_task(cooperative("other")).await?;
    settle().await;
    let shutdown = supervisor.shutdown();
    assert!(supervisor.cancel("polite").await?);
    assert!(supervisor.is_alive("other").await);
    shutdown.await
}
