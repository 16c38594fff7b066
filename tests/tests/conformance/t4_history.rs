//! T4: the last attempts of each path.

mod bounds;
mod gaps;
mod paths;
mod races;

use std::sync::Arc;

use taskvisor::{
    AttemptOutcome, BoxError, Group, History, HistoryEntry, Ready, RestartPolicy, Supervisor, SupervisorConfig,
    TaskContext, TaskFn, TaskSpec, Tree,
};
use tests::{ALWAYS, FAIL, OK, PANIC, Script, Step, constant, cooperative, deaf, ms, placeless, secs, settle};
use tokio::time::sleep;

type Result = std::result::Result<(), BoxError>;

fn config() -> SupervisorConfig {
    SupervisorConfig { grace: secs(5), ..SupervisorConfig::default() }
}

/// A supervisor, and the history of its tasks.
fn kept() -> (Arc<Supervisor>, History) {
    let history = History::new();
    (Supervisor::new(config(), vec![Arc::new(history.clone())]), history)
}

/// The entries of a path, one line each, without times of day and locations of panics.
fn shown(history: &History, path: &str) -> Vec<String> {
    let line = |entry: &HistoryEntry| match entry {
        HistoryEntry::Attempt(attempt) => placeless(attempt).split_once(' ').unwrap().1.to_owned(),
        HistoryEntry::Gap(gap) => format!("{} lost", gap.lost),
        other => panic!("{other:?}"),
    };
    history.of(path).entries.iter().map(line).collect()
}

fn once(step: Step) -> TaskSpec {
    Script::new([step]).spec("t").with_restart(RestartPolicy::Never)
}

/// A task that sends one heartbeat.
fn one_heartbeat() -> TaskSpec {
    let task = TaskFn::arc("t", |ctx: TaskContext| async move {
        ctx.heartbeat();
        ctx.cancelled().await;
        Ok(())
    });
    TaskSpec::inherit(task).with_watchdog(secs(10)).with_max_retries(0)
}

#[tokio::test(start_paused = true)]
async fn t4_each_end_of_an_attempt_has_its_outcome_and_reason() -> Result {
    let cases = [
        (once(Step::Succeed(ms(1_500))), "t #1 completed after 1.5s"),
        (once(OK), "t #1 completed after 0ms"),
        (once(Step::Fail(ms(20))), "t #1 failed after 20ms: failure 1"),
        (once(Step::Fatal), "t #1 fatal after 0ms: fatal"),
        (once(PANIC), "t #1 panicked after 0ms: panicked: panic 1"),
        (once(Step::Cancel), "t #1 canceled (canceled) after 0ms"),
        (once(Step::Wait).with_timeout(secs(3)), "t #1 timeout after 3s: timed out after 3s"),
        (once(Step::Deaf).with_timeout(secs(3)).with_cleanup(secs(2)), "t #1 timeout after 5s: timed out after 3s"),
        (
            once(Step::Wait).with_ready(Ready::Signal).with_start_timeout(secs(4)),
            "t #1 timeout after 4s: timed out after 4s, before it was ready",
        ),
        (one_heartbeat(), "t #1 silent after 10s: silent for 10s"),
    ];
    for (spec, expected) in cases {
        let (supervisor, history) = kept();
        supervisor.add_task(spec).await?.outcome().await;
        supervisor.shutdown().await?;
        assert_eq!(shown(&history, "t"), [expected]);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t4_a_running_attempt_is_shown_and_its_times_are_those_of_its_events() -> Result {
    let (supervisor, history) = kept();
    let task = supervisor.add_task(Script::new([Step::Fail(secs(2)), Step::Wait]).spec("t")).await?;
    assert_eq!(history.of("t").last(), None, "not yet");
    sleep(secs(10)).await;
    assert_eq!(shown(&history, "t"), ["t #1 failed after 2s: failure 1", "t #2 running"]);
    let before = history.of("t");
    let running = before.last().unwrap();
    assert_eq!((running.ended, running.duration(), running.id), (None, None, task.id()));
    assert_eq!(running.outcome, AttemptOutcome::Running);
    task.cancel().await?;
    settle().await;
    let after = history.of("t");
    let (first, second) = (after.attempts().next().unwrap(), after.last().unwrap());
    assert_eq!((second.began, second.outcome), (running.began, AttemptOutcome::Canceled));
    assert_eq!(first.duration(), Some(secs(2)));
    assert!(first.ended < second.began && second.began < second.ended);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t4_stops_have_the_label_of_their_request() -> Result {
    let (supervisor, history) = kept();
    for name in ["restarted", "canceled", "removed", "late"] {
        supervisor.add_task(if name == "late" { deaf(name) } else { cooperative(name) }).await?;
    }
    sleep(secs(1)).await;
    supervisor.task("restarted").unwrap().restart();
    supervisor.cancel("canceled").await?;
    supervisor.remove_task("removed").await?;
    sleep(secs(1)).await;
    assert!(supervisor.shutdown().await.is_err(), "one is deaf");
    assert_eq!(
        shown(&history, "restarted"),
        ["restarted #1 canceled (restart) after 1s", "restarted #2 canceled (shutdown) after 1s"]
    );
    assert_eq!(shown(&history, "canceled"), ["canceled #1 canceled (canceled) after 1s"]);
    assert_eq!(shown(&history, "removed"), ["removed #1 canceled (removed) after 1s"]);
    assert_eq!(shown(&history, "late"), ["late #1 aborted after 7s: aborted: did not stop in time"]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t4_a_failure_after_a_stop_request_is_the_reason_of_the_cancel() -> Result {
    let (supervisor, history) = kept();
    let task = TaskFn::arc("t", |ctx: TaskContext| async move {
        ctx.cancelled().await;
        Err(taskvisor::TaskError::Fail { reason: "cannot flush\nthe cache".into() })
    });
    supervisor.add_task(TaskSpec::inherit(task)).await?;
    sleep(secs(1)).await;
    supervisor.shutdown().await?;
    assert_eq!(shown(&history, "t"), [r"t #1 canceled (shutdown) after 1s: cannot flush\nthe cache"]);
    assert_eq!(history.of("t").last().unwrap().reason.as_deref(), Some("cannot flush\nthe cache"));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t4_a_start_that_fails_before_its_attempt_has_no_begin() -> Result {
    let history = History::new();
    let config = SupervisorConfig { max_concurrent: 1, ..config() };
    let supervisor = Supervisor::new(config, vec![Arc::new(history.clone())]);
    let holder = supervisor.add_task(cooperative("holder")).await?;
    settle().await;
    let waits = Script::new([FAIL, Step::Wait]).spec("t").with_ready(Ready::Signal).with_start_timeout(secs(3));
    supervisor.add_task(waits.with_backoff(constant(secs(1)))).await?;
    sleep(secs(4)).await;
    holder.cancel().await?;
    sleep(ms(100)).await;
    let before = "timeout, begin not seen: timed out after 3s, waiting for a permit (max_concurrent)";
    assert_eq!(shown(&history, "t"), [format!("t #0 {before}"), "t #1 failed after 0ms: failure 1".into()]);
    let again = supervisor.add_task(cooperative("holder")).await?;
    sleep(secs(4)).await;
    let later = shown(&history, "t");
    assert_eq!(later[2], format!("t #1 {before}"), "the attempt before it has this number too");
    again.cancel().await?;
    supervisor.shutdown().await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t4_a_group_restart_names_the_sibling_and_goes_on_in_the_same_paths() -> Result {
    let history = History::new();
    let store = Group::one_for_all("store")
        .task(Script::new([Step::Fail(secs(1)), Step::Wait]).spec("pool").with_backoff(constant(secs(1))))
        .task(cooperative("index"));
    let tree = Tree::builder(config()).with_subscriber(history.clone()).group(store).build();
    tree.start().await?;
    sleep(secs(5)).await;
    assert!(tree.group("store").restart_and_wait().await);
    sleep(secs(1)).await;
    tree.shutdown().await?;
    assert_eq!(
        shown(&history, "store/index")[0],
        "store/index #1 canceled (sibling_restart) after 1s: restart with `store/pool`"
    );
    let stops: Vec<_> = history.of("store/index").attempts().map(|attempt| attempt.stop).collect();
    assert_eq!(stops, [Some("sibling_restart"), Some("group_stopped"), Some("shutdown")]);
    let pool = history.of("store/pool");
    let seen: Vec<_> = pool.attempts().map(|attempt| (attempt.attempt, attempt.outcome)).collect();
    assert_eq!(
        seen,
        [(1, AttemptOutcome::Failed), (2, AttemptOutcome::Canceled), (1, AttemptOutcome::Canceled)],
        "the last is of another registration"
    );
    let ids: Vec<_> = pool.attempts().map(|attempt| attempt.id).collect();
    assert!(ids[0] == ids[1] && ids[1] < ids[2]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t4_the_failure_of_a_group_is_the_reason_of_the_cancel() -> Result {
    let history = History::new();
    let pool = Script::new([Step::Fatal]).spec("pool").critical();
    let store = Group::one_for_one("store").task(cooperative("index")).task(pool).not_critical();
    let tree = Tree::builder(config()).with_subscriber(history.clone()).group(store).build();
    tree.start().await?;
    settle().await;
    let index = history.of("store/index");
    let index = index.last().unwrap();
    assert_eq!(index.stop, Some("group_failed"));
    assert_eq!(index.reason.as_deref(), Some("its group failed: `store/pool` failed, which `store` needs"));
    tree.shutdown().await?;
    Ok(())
}

#[test]
fn t4_an_attempt_whose_runtime_ends_is_aborted() {
    let (supervisor, history) = kept();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    first.block_on(async {
        supervisor.add_task(cooperative("t")).await.unwrap();
        settle().await;
    });
    drop(first);
    // The events from the end of that runtime are delivered by the next.
    runtime().block_on(async {
        supervisor.add_task(cooperative("other")).await.unwrap();
        settle().await;
        supervisor.shutdown().await.unwrap();
    });
    let t = history.of("t");
    let last = t.last().unwrap();
    assert_eq!((last.outcome, last.reason.as_deref()), (AttemptOutcome::Aborted, Some("its runtime ended")));
    assert!(last.ended.is_some());
}

#[tokio::test(start_paused = true)]
async fn t4_a_retry_keeps_its_number_and_a_task_that_comes_again_counts_anew() -> Result {
    let (supervisor, history) = kept();
    for _ in 0..2 {
        let spec = Script::new([FAIL, FAIL, OK]).spec("t").with_backoff(constant(ms(10)));
        supervisor.add_task(spec).await?.outcome().await;
    }
    let looped = Script::new([OK, OK, Step::Cancel]).spec("looped").with_restart(ALWAYS);
    supervisor.add_task(looped).await?.outcome().await;
    supervisor.shutdown().await?;
    let run = ["t #1 failed after 0ms: failure 1", "t #2 failed after 0ms: failure 2", "t #3 completed after 0ms"];
    assert_eq!(shown(&history, "t"), [run, run].concat());
    assert_eq!(
        shown(&history, "looped"),
        ["looped #1 completed after 0ms", "looped #2 completed after 0ms", "looped #3 canceled (canceled) after 0ms"]
    );
    Ok(())
}
