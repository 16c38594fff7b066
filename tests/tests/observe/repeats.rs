//! O40: equal failures are told ever more rarely, and O41: a task that runs for ever.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use taskvisor::{
    BackoffPolicy, ControllerSpec, Group, LogWriter, Ready, RestartPolicy, RuntimeError, Signals, SpanScope,
    Supervisor, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskOutcome, TaskSpec, Tree,
};
use tests::{constant, ms, secs};
use tokio::time::sleep;
use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

/// Keeps what is written.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        line.0.push('\n');
        self.0.lock().unwrap().extend_from_slice(line.0.as_bytes());
    }
}

/// A line with all fields of an event.
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, "{}={value:?} ", field.name());
    }
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The number of lines of each task that is named `peer-<n>`.
    fn by_task(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for line in self.text().lines() {
            let start = line.find("peer-").unwrap_or_else(|| panic!("a line of another: {line}"));
            let name: String = line[start..].chars().take_while(|c| c.is_alphanumeric() || *c == '-').collect();
            *counts.entry(name).or_default() += 1;
        }
        counts
    }
}

/// A supervisor whose events go to `written`, and whose spans and lines go to `traced`.
fn logged() -> (Arc<Supervisor>, Lines, Lines, tracing::subscriber::DefaultGuard) {
    let (written, traced) = (Lines::default(), Lines::default());
    let config = SupervisorConfig { signals: Signals::NONE, ..SupervisorConfig::default() };
    let supervisor = Supervisor::new(config, vec![Arc::new(LogWriter::new(written.clone()))]);
    let subscriber = Registry::default().with(traced.clone());
    (supervisor, written, traced, tracing::subscriber::set_default(subscriber))
}

fn refused() -> Result<(), TaskError> {
    Err(TaskError::Fail { reason: "connection refused".into() })
}

#[tokio::test(start_paused = true)]
async fn o40_a_thousand_tasks_against_a_dead_peer_for_an_hour_log_at_most_20_lines_each() -> Result<(), RuntimeError> {
    let (supervisor, written, traced, _guard) = logged();
    for n in 0..1_000 {
        let task = TaskFn::arc(format!("peer-{n}"), |_: TaskContext| async { refused() });
        // One that fails as often as the default backoff allows, and many that back off.
        let growing = BackoffPolicy { first: ms(100), factor: 2.0, max: secs(60), ..BackoffPolicy::default() };
        let backoff = if n == 0 { constant(ms(100)) } else { growing };
        supervisor.add_task(TaskSpec::inherit(task).with_backoff(backoff)).await?;
    }
    sleep(secs(3_600)).await;
    for lines in [&written, &traced] {
        let counts = lines.by_task();
        assert_eq!(counts.len(), 1_000);
        let most = counts.iter().max_by_key(|(_, count)| **count).unwrap();
        assert!(*most.1 <= 20, "{most:?}");
    }
    assert!(written.text().contains("peer-0               attempt=512"), "events keep their numbers");
    assert!(written.text().contains(r#"repeated="same error, 512 times in 51 s""#));
    assert!(traced.text().contains(r#"repeated="same error, 512 times in 51 s""#));
    Ok(())
}

/// As errors with the id of a request, an ephemeral port or a time.
#[tokio::test(start_paused = true)]
async fn o40_errors_that_differ_each_time_log_few_lines() -> Result<(), RuntimeError> {
    let (supervisor, written, traced, _guard) = logged();
    let task = TaskFn::arc("peer-1", |ctx: TaskContext| async move {
        Err(TaskError::Fail { reason: format!("request {} was refused", ctx.attempt()) })
    });
    supervisor.add_task(TaskSpec::inherit(task).with_backoff(constant(ms(100)))).await?;
    sleep(secs(3_600)).await;
    for lines in [&written, &traced] {
        let most = lines.by_task()["peer-1"];
        assert!(most <= 40, "{most}");
        let text = lines.text();
        assert!((1..=9).all(|n| text.contains(&format!("request {n} was refused"))), "{text}");
        assert!(text.contains(r#"repeated="errors that differ, 6009 times in 10 min""#), "{text}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o40_a_new_error_is_told_at_once_and_a_recovery_in_one_line() -> Result<(), RuntimeError> {
    let (supervisor, written, traced, _guard) = logged();
    let task = TaskFn::arc("peer-1", |ctx: TaskContext| async move {
        match ctx.attempt() {
            100 => Err(TaskError::Fail { reason: "no such host".into() }),
            ..=110 => refused(),
            _ => Ok(()),
        }
    });
    let spec = TaskSpec::inherit(task).with_restart(RestartPolicy::Always { interval: Some(secs(600)) });
    supervisor.add_task(spec.with_backoff(constant(secs(1)))).await?;
    sleep(secs(300)).await;
    for text in [written.text(), traced.text()] {
        assert_eq!(
            text.matches("no such host").count(),
            if text.contains("BackoffScheduled") { 2 } else { 1 },
            "{text}"
        );
        assert!(text.contains("after 10 failures in 9 s"), "{text}");
        assert_eq!(text.matches("recovered").count(), 1, "{text}");
    }
    Ok(())
}

/// An attempt that was requested to stop is no success, with an error or without.
#[tokio::test(start_paused = true)]
async fn o40_an_attempt_that_was_stopped_is_no_recovery() -> Result<(), RuntimeError> {
    let (supervisor, written, traced, _guard) = logged();
    let task = TaskFn::arc("peer-1", |ctx: TaskContext| async move {
        match ctx.attempt() {
            11 | 12 => {
                ctx.cancelled().await;
                if ctx.attempt() == 11 { refused() } else { Ok(()) }
            }
            15 => Ok(()),
            16.. => {
                ctx.cancelled().await;
                Ok(())
            }
            _ => refused(),
        }
    });
    let spec = TaskSpec::inherit(task).with_restart(RestartPolicy::Always { interval: None });
    let handle = supervisor.add_task(spec.with_backoff(constant(secs(1)))).await?;
    for attempt in [11, 12] {
        sleep(secs(15)).await;
        assert_eq!(handle.status().attempt, attempt);
        handle.restart();
    }
    for text in [written.text(), traced.text()] {
        assert!(!text.contains("recovered"), "{text}");
    }
    sleep(secs(15)).await;
    supervisor.shutdown().await?;
    let text = written.text();
    let recovered: Vec<_> = text.lines().filter(|line| line.contains("recovered")).collect();
    assert!(
        matches!(&recovered[..], [line] if line.contains("attempt=15") && line.contains("after 12 failures")),
        "{text}"
    );
    assert_eq!(traced.text().matches("after 12 failures").count(), 1, "{}", traced.text());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o40_every_failure_can_be_written() -> Result<(), RuntimeError> {
    let written = Lines::default();
    let writer = LogWriter::new(written.clone()).with_every_failure();
    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![Arc::new(writer)]);
    let task = TaskFn::arc("peer-1", |_: TaskContext| async { refused() });
    supervisor.add_task(TaskSpec::inherit(task).with_backoff(constant(secs(1)))).await?;
    sleep(ms(99_500)).await;
    assert_eq!(written.text().matches("TaskFailed").count(), 100);
    Ok(())
}

/// A task that runs on after its failures has recovered, which only its readiness tells.
#[tokio::test(start_paused = true)]
async fn o40_readiness_is_written_once_after_each_failure_that_is_written() -> Result<(), RuntimeError> {
    let (supervisor, written, ..) = logged();
    for (name, ready_from) in [("peer-1", 1), ("peer-2", 50)] {
        let task = TaskFn::arc(name, move |ctx: TaskContext| async move {
            if ctx.attempt() >= ready_from {
                ctx.ready();
            }
            refused()
        });
        let spec = TaskSpec::inherit(task).with_ready(Ready::Signal);
        supervisor.add_task(spec.with_backoff(constant(secs(1)))).await?;
    }
    sleep(ms(99_500)).await;
    let text = written.text();
    let of = |name: &str| {
        let lines = text.lines().filter(|line| line.contains("TaskReady") && line.contains(name));
        lines.map(|line| line.split_once("attempt=").unwrap().1).collect::<Vec<_>>().join(" ")
    };
    assert_eq!((of("peer-1"), of("peer-2")), ("1 2 3 4 9 33".into(), "50".into()), "{text}");
    Ok(())
}

/// Counts the lines in each open span, as a layer that exports whole spans does.
#[derive(Clone, Default)]
struct Exporter(Arc<Mutex<Exported>>);

#[derive(Default)]
struct Exported {
    kept: usize,
    lines: usize,
    with_path_and_id: usize,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Exporter {
    fn on_event(&self, event: &tracing::Event<'_>, context: Context<'_, S>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        let mut exported = self.0.lock().unwrap();
        exported.lines += 1;
        exported.kept += usize::from(context.event_span(event).is_some());
        exported.with_path_and_id += usize::from(line.0.contains("path=\"for-ever\"") && line.0.contains("id="));
    }
}

#[test]
fn o41_a_task_without_a_span_keeps_nothing_of_a_million_lines() {
    const LINES: usize = 1_000_000;
    for (scope, kept) in [(SpanScope::Attempt, LINES), (SpanScope::None, 0)] {
        let layer = Exporter::default();
        tracing::subscriber::with_default(Registry::default().with(layer.clone()), || {
            super::run(async {
                let config = SupervisorConfig { signals: Signals::NONE, ..SupervisorConfig::default() };
                let supervisor = Supervisor::new(config, vec![]);
                let task = TaskFn::arc("for-ever", move |ctx: TaskContext| async move {
                    assert_eq!(ctx.span().is_none(), scope == SpanScope::None);
                    for line in 0..LINES {
                        tracing::info!(line);
                    }
                    Ok(())
                });
                let task = supervisor.add_task(TaskSpec::inherit(task).with_span(scope)).await.unwrap();
                assert!(task.outcome().await.is_completed());
            });
        });
        let exported = layer.0.lock().unwrap();
        assert!(exported.kept >= kept && (kept > 0 || exported.kept == 0), "{scope:?}: {}", exported.kept);
        // The lines of the library tell the path and the id without a span, too.
        assert!(exported.with_path_and_id >= 4, "added, started, ended, removed");
        assert!(exported.lines > LINES);
    }
}

#[test]
fn o41_a_context_gives_the_span_of_its_attempt_to_link_to() {
    let log = super::log::Log::default();
    log.during(|| {
        super::run(async {
            let config = SupervisorConfig { signals: Signals::NONE, ..SupervisorConfig::default() };
            let supervisor = Supervisor::new(config, vec![]);
            let kept = Arc::new(Mutex::new(None));
            let keeps = Arc::clone(&kept);
            let task = TaskFn::arc("a", move |ctx: TaskContext| {
                let keeps = Arc::clone(&keeps);
                async move {
                    let job = tracing::info_span!("job");
                    job.follows_from(ctx.span());
                    assert_eq!(ctx.span().id(), tracing::Span::current().id());
                    *keeps.lock().unwrap() = Some(ctx);
                    Ok(())
                }
            });
            supervisor.add_task(TaskSpec::inherit(task)).await.unwrap().outcome().await;
            let ctx = kept.lock().unwrap().take().unwrap();
            assert!(ctx.span().is_none(), "the attempt has ended");
        });
    });
}

/// A burst of submissions to a slot that takes one.
#[tokio::test(start_paused = true)]
async fn o40_rejected_submissions_log_few_lines() -> Result<(), RuntimeError> {
    let (supervisor, written, traced, _guard) = logged();
    let job = |n: u32| {
        let job = TaskFn::arc(format!("job-{n}"), |ctx: TaskContext| async move {
            ctx.cancelled().await;
            Ok(())
        });
        ControllerSpec::drop_if_running(TaskSpec::inherit(job)).with_slot("peer-1")
    };
    let first = supervisor.submit(job(0)).await.unwrap();
    for n in 1..=1_000 {
        let rejected = supervisor.submit(job(n)).await.unwrap();
        assert!(matches!(rejected.outcome().await, TaskOutcome::Rejected { .. }));
        sleep(ms(1)).await;
    }
    first.cancel().await?;
    for text in [written.text(), traced.text()] {
        let rejected: Vec<_> =
            text.lines().filter(|line| line.contains("Rejected") || line.contains("not run")).collect();
        assert_eq!(rejected.len(), 7, "{rejected:#?}");
        assert!(rejected[6].contains(r#"repeated="same error, 512 times in 511 ms""#), "{rejected:#?}");
    }
    Ok(())
}

/// A failing group registers its children anew each time, and restarts what is well with what is not.
#[tokio::test(start_paused = true)]
async fn o40_a_group_that_goes_on_to_fail_logs_few_lines() -> Result<(), RuntimeError> {
    let (_, written, traced, _guard) = logged();
    let config = SupervisorConfig { signals: Signals::NONE, ..SupervisorConfig::default() };
    let peer = |n: u32| {
        TaskSpec::inherit(TaskFn::arc(format!("peer-{n}"), |_: TaskContext| async { refused() }))
            .with_backoff(constant(ms(100)))
    };
    let well = |n: u32| {
        TaskSpec::inherit(TaskFn::arc(format!("peer-{n}"), |ctx: TaskContext| async move {
            ctx.cancelled().await;
            Ok(())
        }))
    };
    let inner = Group::one_for_all("inner").with_limit(2, secs(10)).task(peer(1)).task(well(2));
    let outer = Group::one_for_one("outer").with_limit(1, secs(60)).group(inner).task(well(3));
    // Without a limit, the one that fails keeps its registration, and its sibling restarts with it.
    let together = Group::one_for_all("together").task(peer(4)).task(well(5));
    let tree =
        Tree::builder(config).with_subscriber(LogWriter::new(written.clone())).group(outer).group(together).build();
    tree.start().await?;
    // The first failures of each group are told one by one, with all that begins and ends for them.
    sleep(secs(10)).await;
    let soon = [&written, &traced].map(Lines::text);
    sleep(secs(3_600)).await;
    let groups = [
        ["GroupFailed              outer ", "GroupFailed              outer/inner "],
        ["path=\"outer\" ", "path=\"outer/inner\" "],
    ];
    for ((lines, soon), groups) in [&written, &traced].into_iter().zip(soon).zip(groups) {
        let text = lines.text();
        let later = &text[soon.len()..];
        for n in 1..=5 {
            let name = format!("/peer-{n}");
            // At the level `DEBUG`, each restart with a sibling is traced.
            if n == 5 && later.contains("attempt stopped, to start again") {
                continue;
            }
            assert!(soon.matches(&name).count() <= 60, "{soon}");
            // A chain of failures names the task too.
            let of_task: Vec<_> =
                later.lines().filter(|line| line.contains(&name) && !line.contains("failed (")).collect();
            assert!(of_task.len() <= 12, "{name}: {of_task:#?}");
        }
        for group in groups {
            let of_group: Vec<_> = text.lines().filter(|line| line.contains(group)).collect();
            assert!((4..=20).contains(&of_group.len()), "{group}: {of_group:#?}");
        }
        assert!(text.contains("same error, 512 times"), "{text}");
        let news = later.lines().filter(|line| !line.contains("together/peer-5"));
        assert!(news.count() < 80, "{later}");
    }
    let (before, traced_before) = (written.text().lines().count(), traced.text().len());
    tree.shutdown().await?;
    let ends = traced.text()[traced_before..].to_owned();
    assert!(
        ends.contains("task ended path=\"together/peer-4\"") && ends.contains("group ended path=\"outer\""),
        "{ends}"
    );
    let text = written.text();
    let rest: Vec<_> = text.lines().skip(before).collect();
    // `outer` waited to begin again, so there was nothing in it.
    for n in [4, 5] {
        let name = format!("/peer-{n}");
        assert!(rest.iter().any(|line| line.contains("TaskRemoved") && line.contains(&name)), "{n}: {rest:#?}");
    }
    Ok(())
}
