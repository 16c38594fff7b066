//! What is kept: attempts, paths and texts.

use std::fmt;
use std::sync::Arc;

use taskvisor::{AttemptOutcome, History, RestartPolicy, Supervisor, TaskContext, TaskError, TaskFn, TaskSpec};
use tests::{OK, Script, WITHOUT_PAUSE, constant, cooperative, ms, settle};
use tokio::time::sleep;

use super::{Result, config, kept, shown};

/// A task that fails once with this error.
fn fails<E: std::error::Error + Send + Sync + 'static>(error: impl Fn() -> E + Send + Sync + 'static) -> TaskSpec {
    let task = TaskFn::arc("t", move |_: TaskContext| {
        let error = error();
        async move { Err(TaskError::error(error)) }
    });
    TaskSpec::inherit(task).with_restart(RestartPolicy::Never)
}

#[tokio::test(start_paused = true)]
async fn t4_the_last_32_attempts_of_a_path_are_kept() -> Result {
    let (supervisor, history) = kept();
    let mut steps = vec![OK; 99];
    steps.push(tests::Step::Cancel);
    supervisor.add_task(Script::new(steps).spec("t").with_restart(WITHOUT_PAUSE)).await?.outcome().await;
    supervisor.shutdown().await?;
    let t = history.of("t");
    assert!(t.attempts().map(|attempt| attempt.attempt).eq(69..=100));
    assert_eq!((t.dropped, t.entries.len()), (68, 32));
    // Fewer, for all clones.
    let fewer = history.clone().with_attempts(2);
    assert_eq!((history.of("t").entries.len(), fewer.of("t").dropped), (2, 98));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t4_of_1025_paths_the_least_recently_seen_is_dropped_and_counted() -> Result {
    let (supervisor, history) = kept();
    let long = supervisor.add_task(cooperative("long")).await?;
    for number in 0..1_023 {
        supervisor.add_task(Script::new([OK]).spec(&format!("{number:04}"))).await?.outcome().await;
    }
    settle().await;
    assert_eq!((history.paths().len(), history.dropped_paths()), (1_024, 0));
    supervisor.add_task(Script::new([OK]).spec("0000")).await?.outcome().await;
    supervisor.add_task(Script::new([OK]).spec("one-more")).await?.outcome().await;
    settle().await;
    let paths = history.paths();
    assert_eq!((paths.len(), history.dropped_paths()), (1_024, 1));
    assert!(history.of("0001").entries.is_empty(), "it is the oldest of those that do not run");
    assert_eq!(history.of("0000").entries.len(), 2);
    assert_eq!(history.of("long").last().unwrap().outcome, AttemptOutcome::Running);
    assert!(history.to_string().ends_with("\n1 path dropped\n"));
    long.cancel().await?;
    // All paths, sorted.
    assert!(history.iter().map(|path| path.path).eq(paths));
    assert_eq!((&history).into_iter().filter(|path| path.entries.len() == 2).count(), 1);
    supervisor.shutdown().await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t4_a_text_is_cut_between_characters_and_equal_neighbours_share_it() -> Result {
    let (supervisor, history) = kept();
    let long = fails(|| std::io::Error::other("ä".repeat(300)));
    let spec = long.with_restart(RestartPolicy::OnFailure).with_max_retries(4).with_backoff(constant(ms(1)));
    supervisor.add_task(spec).await?.outcome().await;
    supervisor.shutdown().await?;
    let t = history.of("t");
    let texts: Vec<_> = t.attempts().map(|attempt| attempt.reason.clone().unwrap()).collect();
    assert_eq!(texts.len(), 5);
    assert_eq!(*texts[0], *format!("{}…", "ä".repeat(126)), "255 bytes");
    assert!(texts.iter().all(|text| Arc::ptr_eq(text, &texts[0])));
    Ok(())
}

/// An error that reads the history while it is formatted, and panics.
#[derive(Debug)]
struct Reads(History);

impl fmt::Display for Reads {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("{} paths", self.0.paths().len());
    }
}

impl std::error::Error for Reads {}

#[tokio::test(start_paused = true)]
async fn t4_an_error_may_read_the_history_and_panic_while_it_is_formatted() -> Result {
    let (supervisor, history) = kept();
    let reader = history.clone();
    supervisor.add_task(fails(move || Reads(reader.clone()))).await?.outcome().await;
    supervisor.shutdown().await?;
    let lines = shown(&history, "t");
    assert!(lines[0].starts_with("t #1 failed after 0ms: an error that panicked"), "{lines:?}");
    assert!(lines[0].ends_with("panicked: 1 paths"), "{lines:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t4_no_error_is_kept() -> Result {
    #[derive(Debug)]
    struct Counted(#[expect(dead_code, reason = "it is counted")] Arc<()>);
    impl fmt::Display for Counted {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("refused")
        }
    }
    impl std::error::Error for Counted {}

    let history = History::new();
    let supervisor = Supervisor::new(config(), vec![Arc::new(history.clone())]);
    let count = Arc::new(());
    let counted = Arc::clone(&count);
    let handle = supervisor.add_task(fails(move || Counted(Arc::clone(&counted)))).await?;
    handle.outcome().await;
    sleep(ms(10)).await;
    supervisor.shutdown().await?;
    drop((handle, supervisor));
    assert_eq!(shown(&history, "t"), ["t #1 failed after 0ms: refused"]);
    assert_eq!(Arc::strong_count(&count), 1, "the history has its text only");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t4_a_history_that_is_given_to_no_tree_is_empty() {
    let history = History::default();
    assert!(history.paths().is_empty() && history.gaps().is_empty() && history.iter().next().is_none());
    let unknown = history.of("t");
    assert_eq!((&*unknown.path, unknown.dropped, unknown.entries.len()), ("t", 0, 0));
    assert_eq!((history.to_string(), unknown.to_string()), (String::new(), String::new()));
}
