//! Errors, health, options and warnings.

use std::error::Error;
use std::fmt;
use std::iter::successors;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, ThreadId};
use std::time::Duration;

use taskvisor::{
    EventKind, Group, RestartPolicy, RuntimeError, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskOutcome,
    TaskSpec, Tree,
};
use tests::{PANIC, Recorder, Script, constant, cooperative, ms, recorded, secs, settle, supervisor};
use tokio::time::{Instant, sleep};

type Result = std::result::Result<(), RuntimeError>;

/// A task that ignores its token.
fn careless(name: &str) -> TaskSpec {
    TaskSpec::inherit(TaskFn::arc(name, |_: TaskContext| async {
        sleep(secs(3600)).await;
        Err(TaskError::Canceled)
    }))
    .with_restart(RestartPolicy::Never)
}

#[tokio::test(start_paused = true)]
async fn k6f_cleanup_bounds_what_follows_a_timeout_and_stop_timeout_a_stop() -> Result {
    let config = SupervisorConfig { cleanup: Some(secs(2)), ..SupervisorConfig::default() };
    let supervisor = taskvisor::Supervisor::new(config, vec![]);
    let spec = careless("a").with_timeout(secs(1)).with_stop_timeout(secs(9));
    for (spec, expected) in [(spec.clone(), secs(3)), (spec.with_cleanup(ms(500)), ms(1500))] {
        let start = Instant::now();
        let outcome = supervisor.add_task(spec.clone()).await?.outcome().await;
        assert!(matches!(outcome, TaskOutcome::Failed { .. }), "{outcome}");
        assert_eq!(start.elapsed(), expected);

        let start = Instant::now();
        let task = supervisor.add_task(spec.with_timeout(None)).await?;
        sleep(secs(1)).await;
        assert!(task.cancel().await?);
        assert_eq!(start.elapsed(), secs(10));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k6d_a_final_attempt_of_a_task_that_runs_once_is_refused() -> Result {
    let supervisor = supervisor();
    let spec = cooperative("a").with_final_attempt().with_backoff(constant(ms(1)));
    let once = spec.clone().with_restart(RestartPolicy::Never);
    let error = supervisor.add_task(once).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "task `a`: `final_attempt` is set, expected a task that runs again: not the restart policy `Never`"
    );
    assert!(supervisor.add_task(spec).await?.spec().has_final_attempt());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k6j_a_metric_label_is_not_empty_and_part_of_what_the_task_runs_by() -> Result {
    let supervisor = supervisor();
    let error = supervisor.add_task(cooperative("a").with_metric_label("")).await.unwrap_err();
    assert_eq!(error.to_string(), "task `a`: `metric_label` is \"\", expected a label that is not empty");
    // Specs that differ only in the label.
    for label in [Some("one"), Some("two"), None] {
        let spec = cooperative(label.unwrap_or("none"));
        let spec = label.into_iter().fold(spec, TaskSpec::with_metric_label);
        assert_eq!(supervisor.add_task(spec).await?.spec().metric_label(), label);
    }
    Ok(())
}

/// A typical error of a user: it has a message and a source.
#[derive(Debug)]
struct SyncFailed(std::io::Error);

impl fmt::Display for SyncFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sync failed")
    }
}

impl Error for SyncFailed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

fn sync_failed() -> SyncFailed {
    SyncFailed(std::io::Error::other("connection refused"))
}

fn failing(name: &str, error: fn() -> TaskError) -> TaskSpec {
    TaskSpec::inherit(TaskFn::arc(name, move |_: TaskContext| async move { Err(error()) }))
}

/// Asserts that the user's own error is in the chain once, and that a printed chain repeats no message.
#[track_caller]
fn assert_tells_all_once(start: &(dyn Error + 'static)) {
    let chain: Vec<_> = successors(Some(start), |&error| error.source()).collect();
    let found = chain.iter().filter_map(|error| error.downcast_ref::<SyncFailed>()).count();
    let messages: Vec<String> = chain.iter().map(ToString::to_string).collect();
    assert_eq!(found, 1, "{messages:?}");
    for message in ["sync failed", "connection refused"] {
        let times: usize = messages.iter().map(|text| text.matches(message).count()).sum();
        assert_eq!(times, 1, "{messages:?}");
    }
    for (index, message) in messages.iter().enumerate() {
        assert!(!messages[index + 1..].iter().any(|later| message.contains(&**later)), "{messages:?}");
    }
}

const LINE: &str = "sync failed: connection refused";

#[tokio::test(start_paused = true)]
async fn k5a_every_answer_has_the_users_own_error_once() -> Result {
    let (supervisor, recorder) = recorded();
    let error = || TaskError::error(sync_failed());
    let permanent = || TaskError::permanent(sync_failed());
    for (spec, outcome) in [
        (failing("failed", error).with_restart(RestartPolicy::Never), "failed"),
        (failing("exhausted", error).with_max_retries(0), "exhausted after 1 failure"),
        (failing("fatal", permanent), "fatal"),
    ] {
        let task = supervisor.add_task(spec).await?;
        let ended = task.outcome().await;
        assert_eq!(ended.to_string(), format!("{outcome}: {LINE}"));
        assert_tells_all_once(ended.source().unwrap());
        assert_tells_all_once(&**ended.error().unwrap());
        assert_tells_all_once(&**task.status().last_error.as_ref().unwrap());
    }
    settle().await;
    let reasons: Vec<_> = recorder.seen().into_iter().filter_map(|seen| seen.reason).collect();
    assert_eq!(reasons, [LINE; 6], "that of the failure, and that of the end");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k5a_the_context_hands_out_the_last_error() -> Result {
    let seen = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&seen);
    let task = TaskFn::arc("a", move |ctx: TaskContext| {
        let flag = Arc::clone(&flag);
        async move {
            match ctx.last_error() {
                None => Err(TaskError::error(sync_failed())),
                Some(error) => {
                    assert_tells_all_once(&*error);
                    flag.store(true, Ordering::Relaxed);
                    Ok(())
                }
            }
        }
    });
    assert!(supervisor().add_task(TaskSpec::inherit(task)).await?.outcome().await.is_completed());
    assert!(seen.load(Ordering::Relaxed));
    Ok(())
}

/// Trees that fail at the root: through a critical task, a group with a critical task, and the restart limit of the
/// root.
fn failing_trees() -> [(Tree, &'static str); 3] {
    let error = || TaskError::error(sync_failed());
    let tree = || Tree::builder(SupervisorConfig::default());
    let sync = failing("sync", error).with_max_retries(0);
    let group = Group::one_for_one("store").with_max_retries(0).task(sync.clone().critical());
    let in_limit = failing("sync", error).with_backoff(constant(ms(1)));
    [
        (tree().task(sync.critical()).build(), "`sync` failed (sync failed: connection refused), which `root` needs"),
        (
            tree().group(group).build(),
            "`store/sync` failed (sync failed: connection refused), which `store` needs, which `root` needs",
        ),
        (
            tree().with_limit(1, secs(60)).task(in_limit).build(),
            "`sync` failed (sync failed: connection refused), `root` exceeded 1 restart within 60s",
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn k5a_what_run_returns_has_the_users_own_error_once() {
    for (tree, _) in failing_trees() {
        let error = tree.run_until(std::future::pending()).await.unwrap_err();
        assert_tells_all_once(&error);
        let (RuntimeError::Failed { chain, .. } | RuntimeError::IntensityExceeded { chain, .. }) = &error else {
            panic!("{error}")
        };
        assert_tells_all_once(chain);
    }
}

#[tokio::test(start_paused = true)]
async fn k5l_what_main_returns_reads_well() {
    for (tree, expected) in failing_trees() {
        let error = tree.run_until(std::future::pending()).await.unwrap_err();
        assert_eq!(format!("{error:?}"), expected);
        assert_eq!(format!("{error:#}"), expected);
        assert_eq!(format!("{error:#?}"), expected);
        let text = format!("{error}");
        assert!(!text.contains("sync failed"), "{text}");
        // What a reporter prints that shows the error and then its sources.
        let reported = successors(error.source(), |&error| error.source())
            .fold(text, |text, error| format!("{text}\ncaused by: {error}"));
        assert_eq!(reported.matches("connection refused").count(), 1, "{reported}");
    }
    let missing = RuntimeError::TaskNotFound { name: "x".into() };
    assert_eq!(format!("{missing:?}"), missing.to_string());
}

#[tokio::test(start_paused = true)]
async fn k5f_a_panic_is_said_once() -> Result {
    let supervisor = supervisor();
    let script = Script::new([PANIC]);
    let once = supervisor.add_task(script.spec("once").with_restart(RestartPolicy::Never)).await?;
    assert_eq!(tests::placeless(once.outcome().await), "panicked: panic 1");
    let spent = supervisor.add_task(Script::new([PANIC]).spec("spent").with_max_retries(0)).await?;
    assert_eq!(tests::placeless(spent.outcome().await), "exhausted after 1 failure: panicked: panic 1");
    Ok(())
}

/// An error whose `Display` panics.
#[derive(Debug)]
struct Unspeakable;

impl fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("no words")
    }
}

impl Error for Unspeakable {}

const STAND_IN: &str = "an error that panicked when it was formatted: panicked: no words";

#[tokio::test(start_paused = true)]
async fn k4c_an_error_whose_display_panics_is_replaced_in_every_text() {
    let recorder = Recorder::new();
    let retried = failing("retried", || TaskError::error(Unspeakable)).with_backoff(constant(secs(60)));
    let dead = failing("dead", || TaskError::permanent(Unspeakable));
    let tree = Tree::builder(SupervisorConfig::default())
        .with_subscriber(recorder.clone())
        .task(retried)
        .task(dead)
        .group(
            Group::one_for_one("g")
                .with_max_retries(0)
                .not_critical()
                .task(cooperative("other"))
                .task(failing("needed", || TaskError::error(Unspeakable)).with_max_retries(0).critical()),
        )
        .build();
    tree.start().await.unwrap();
    settle().await;

    let shown = tree.snapshot();
    let last_error = |at: usize| tests::placeless(shown.root.children[at].last_error.clone().unwrap());
    assert_eq!((last_error(0), last_error(1)), (STAND_IN.to_owned(), STAND_IN.to_owned()));
    assert_eq!(last_error(2), format!("`g/needed` failed ({STAND_IN}), which `g` needs"));
    let outcome = tree.child("dead").outcome().await.unwrap();
    assert_eq!(tests::placeless(outcome), format!("fatal: {STAND_IN}"));
    assert!(recorder.seen().iter().filter(|seen| seen.kind == EventKind::TaskFailed).count() >= 3);
    tree.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn k4c_a_tree_whose_error_cannot_be_formatted_fails_all_the_same() {
    let spec = failing("a", || TaskError::error(Unspeakable)).with_max_retries(0).critical();
    let tree = Tree::builder(SupervisorConfig::default()).task(spec).build();
    let error = tree.run_until(std::future::pending()).await.unwrap_err();
    assert_eq!(tests::placeless(format!("{error:?}")), format!("`a` failed ({STAND_IN}), which `root` needs"));
}

/// An error that counts its drops on one thread.
#[derive(Debug)]
struct Counted(Arc<Drops>);

#[derive(Debug)]
struct Drops {
    reader: ThreadId,
    all: AtomicUsize,
    by_reader: AtomicUsize,
    enough: AtomicBool,
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("counted")
    }
}

impl Error for Counted {}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.all.fetch_add(1, Ordering::Relaxed);
        self.0.by_reader.fetch_add(usize::from(thread::current().id() == self.0.reader), Ordering::Relaxed);
    }
}

/// A look that shows no error keeps none: else it could be the last to have it, and drop it outside of the fence.
#[test]
fn k4c_a_look_at_states_drops_no_error_of_a_task() {
    let (all, by_reader, enough) = Default::default();
    let drops = Arc::new(Drops { reader: thread::current().id(), all, by_reader, enough });
    let supervisor = supervisor();
    let (running, errors) = (Arc::clone(&supervisor), Arc::clone(&drops));
    let failing = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let task = TaskFn::arc("a", move |_: TaskContext| {
                let enough = errors.enough.load(Ordering::Relaxed);
                let error = TaskError::error(Counted(Arc::clone(&errors)));
                async move { if enough { Ok(()) } else { Err(error) } }
            });
            let spec = TaskSpec::inherit(task).with_backoff(constant(Duration::ZERO));
            running.slot("s").queue(spec).await.unwrap().outcome().await;
        });
    });
    let handle = supervisor.handle();
    while drops.all.load(Ordering::Relaxed) < 40_000 {
        let _ = (handle.slots(), handle.health());
    }
    // At its end, the cell of the task can be dropped here.
    let by_reader = drops.by_reader.load(Ordering::Relaxed);
    drops.enough.store(true, Ordering::Relaxed);
    failing.join().unwrap();
    assert_eq!(by_reader, 0);
}
