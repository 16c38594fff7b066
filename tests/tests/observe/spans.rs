//! Spans of attempts, and log lines.

use std::fmt::Debug;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use taskvisor::{
    ControllerSpec, Group, RestartPolicy, RuntimeError, Signals, Supervisor, SupervisorConfig, TaskContext, TaskError,
    TaskFn, TaskSpec, Tree,
};
use tests::{ALWAYS, FAIL, OK, Script, Step, constant, cooperative, deaf, ms, secs, settle, supervisor};
use tokio::runtime::Builder;
use tokio::time::sleep;
use tracing::field::Field;
use tracing::{Dispatch, Event, Level, Subscriber, info};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::Registry;

use super::log::{Entry, Log, What};
use super::run;

/// Logs when dropped.
pub(crate) struct Farewell(pub(crate) String);

impl Drop for Farewell {
    fn drop(&mut self) {
        info!(of = self.0, "dropped");
    }
}

/// Resumes on another thread.
async fn move_to_another_thread() {
    // One task at a time, since each move blocks one of the two threads.
    static MOVES: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let first = std::thread::current().id();
    let _moves = MOVES.lock().await;
    while std::thread::current().id() == first {
        // Blocks this thread, so that the other thread steals the tasks queued here.
        let moved = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&moved);
        tokio::spawn(async move {
            while !seen.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
        });
        let mut turn = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut turn, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        moved.store(true, Ordering::SeqCst);
    }
}

/// A task that logs while it is built, polled and dropped, and so does its helper.
fn talkative(name: &'static str) -> TaskSpec {
    let task = TaskFn::arc(name, move |ctx: TaskContext| {
        let me = format!("{name}#{}", ctx.attempt());
        info!(of = me, "built");
        async move {
            let _farewell = Farewell(me.clone());
            let of = me.clone();
            ctx.spawn(async move {
                let _farewell = Farewell(of.clone());
                info!(of, "helps");
                move_to_another_thread().await;
                info!(of, "helps elsewhere");
            });
            info!(of = me, "polled");
            move_to_another_thread().await;
            info!(of = me, "polled elsewhere");
            if ctx.attempt() < 5 { Err(TaskError::Fail { reason: "again".into() }) } else { Ok(()) }
        }
    });
    TaskSpec::inherit(task).with_backoff(constant(ms(1)))
}

#[test]
fn what_a_task_logs_is_in_the_span_of_its_attempt_on_any_thread() {
    let log = Log::default();
    // The only test that needs a subscriber on threads that it does not start.
    tracing::subscriber::set_global_default(log.subscriber()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let result = runtime.block_on(async {
        let config = SupervisorConfig { signals: Signals::NONE, ..SupervisorConfig::default() };
        Supervisor::new(config, vec![]).run(vec![talkative("left"), talkative("right")]).await
    });
    assert!(result.is_ok());

    let own: Vec<_> = log.entries().into_iter().filter(|entry| !entry.field("of").is_empty()).collect();
    for entry in &own {
        assert_eq!(entry.span.as_deref(), Some(entry.field("of")), "{entry:?}");
    }
    for task in ["left", "right"] {
        for attempt in 1..=5 {
            let span = format!("{task}#{attempt}");
            let said: Vec<_> = own.iter().filter(|entry| entry.field("of") == span).collect();
            for (message, times) in [
                ("built", 1),
                ("polled", 1),
                ("polled elsewhere", 1),
                ("helps", 1),
                ("helps elsewhere", 1),
                ("dropped", 2),
            ] {
                assert_eq!(said.iter().filter(|entry| entry.message() == message).count(), times, "{span} {message}");
            }
            let thread = |message: &str| said.iter().find(|entry| entry.message() == message).unwrap().thread;
            assert_ne!(thread("polled"), thread("polled elsewhere"));
            let count = |what| {
                log.entries().iter().filter(|entry| entry.what == what && entry.span.as_deref() == Some(&span)).count()
            };
            assert_eq!(count(What::Entered), count(What::Exited), "{span}");
            assert_eq!((count(What::Opened), count(What::Closed)), (1, 1), "{span}");
        }
    }
}

fn position(entries: &[Entry], is: impl Fn(&Entry) -> bool) -> usize {
    entries.iter().position(is).expect("it was told")
}

#[test]
fn a_span_is_closed_once_when_the_attempt_and_its_helpers_have_ended() {
    let log = Log::default();
    let kept = Arc::new(Mutex::new(Vec::new()));
    let contexts = Arc::clone(&kept);
    let task = TaskFn::arc("t", move |ctx: TaskContext| {
        // A context that outlives its attempt does not keep the span open.
        contexts.lock().unwrap().push(ctx.clone());
        async move {
            let attempt = ctx.attempt();
            ctx.spawn(async move {
                sleep(secs(1)).await;
                info!(attempt, "the helper ends");
            });
            if attempt < 3 { Err(TaskError::Fail { reason: "again".into() }) } else { Ok(()) }
        }
    });
    let group = Group::one_for_one("g").task(TaskSpec::inherit(task));
    let tree =
        Tree::builder(SupervisorConfig { signals: Signals::NONE, ..SupervisorConfig::default() }).group(group).build();
    let around = || info_span_around(|| run(tree.run()));
    assert!(log.during(around).is_ok());

    let entries = log.entries();
    for attempt in 1..=3 {
        let span = format!("g/t#{attempt}");
        let of =
            |what| move |entry: &Entry| entry.what == what && entry.span.as_deref() == Some(&*format!("g/t#{attempt}"));
        for what in [What::Opened, What::Closed] {
            assert_eq!(entries.iter().filter(|entry| of(what)(entry)).count(), 1, "{span} {what:?}");
        }
        let opened = &entries[position(&entries, of(What::Opened))];
        assert_eq!((opened.field("task"), opened.field("path")), ("t", "g/t"));
        assert_eq!(opened.field("attempt"), attempt.to_string());
        assert_eq!(opened.field("id"), kept.lock().unwrap()[0].id().to_string());
        assert_eq!((opened.level, &*opened.target, &opened.parent), (Level::INFO, "taskvisor", &None));

        let closed = position(&entries, of(What::Closed));
        let helped = position(&entries, |entry| {
            entry.message() == "the helper ends" && entry.field("attempt") == attempt.to_string()
        });
        assert!(helped < closed, "{span}: the helper is part of the attempt");
        assert_eq!(entries[helped].span.as_ref(), Some(&span));
        assert!(entries[closed + 1..].iter().all(|entry| entry.span.as_ref() != Some(&span)), "{span} is over");
        if attempt < 3 {
            let next = position(&entries, |entry| entry.span == Some(format!("g/t#{}", attempt + 1)));
            assert!(closed < next, "{span} is closed before the next is opened");
        }
    }
    assert_eq!(kept.lock().unwrap().len(), 3);
}

/// Runs `f` in a span, as a program does that wraps its runtime in one.
fn info_span_around<T>(f: impl FnOnce() -> T) -> T {
    tracing::info_span!("main").in_scope(f)
}

#[test]
fn failures_in_a_row_get_louder() {
    let log = Log::default();
    let steps = [FAIL, FAIL, FAIL, FAIL, FAIL, OK, FAIL, Step::Fatal];
    let script = Script::new(steps);
    let spec = script.spec("t").with_restart(ALWAYS).with_backoff(constant(secs(1)));
    let outcome = log.during(|| run(async { supervisor().add_task(spec).await.unwrap().outcome().await }));
    assert_eq!(outcome.as_label(), "fatal");

    let failed: Vec<_> = log.lines_of("t").into_iter().filter(|entry| entry.message() == "attempt failed").collect();
    let levels: Vec<_> = failed.iter().map(|entry| (entry.level, entry.field("failures").to_owned())).collect();
    let expected =
        [(Level::WARN, "1"), (Level::WARN, "2"), (Level::WARN, "3"), (Level::ERROR, "4"), (Level::ERROR, "5")]
            .into_iter()
            .chain([(Level::WARN, "1")])
            .map(|(level, failures)| (level, failures.to_owned()));
    assert_eq!(levels, expected.collect::<Vec<_>>(), "a success begins anew");
    assert_eq!((failed[1].field("error"), failed[1].field("kind")), ("failure 2", "task_failed"));
    assert_eq!(failed[1].span.as_deref(), Some("t#2"));

    let ended = log.lines_of("t").into_iter().find(|entry| entry.message() == "task ended").unwrap();
    assert_eq!((ended.level, ended.field("outcome"), ended.field("error")), (Level::ERROR, "fatal", "fatal"));
    assert_eq!(ended.span.as_deref(), Some("t#8"));
}

/// The level, the outcome and the span of the line `task ended`.
async fn end_of(log: &Log, name: &str, spec: TaskSpec, cancel: bool) -> (Level, String, Option<String>) {
    let supervisor = supervisor();
    let handle = supervisor.add_task(spec.with_name(name)).await.unwrap();
    settle().await;
    if cancel {
        let _ = handle.cancel().await;
    }
    handle.outcome().await;
    let lines = log.lines_of(name);
    assert_eq!(lines[0].message(), "task added");
    assert_eq!(lines.last().unwrap().message(), "task removed");
    let ended: Vec<_> = lines.into_iter().filter(|entry| entry.message() == "task ended").collect();
    assert_eq!(ended.len(), 1, "{name}");
    (ended[0].level, ended[0].field("outcome").to_owned(), ended[0].span.clone())
}

#[test]
fn every_end_has_its_level() {
    let log = Log::default();
    log.during(|| {
        run(async {
            let once = |script: Step| Script::new([script]).spec("t").with_restart(RestartPolicy::Never);
            let exhausted = once(FAIL).with_restart(RestartPolicy::OnFailure).with_max_retries(0);
            let waiting = once(FAIL).with_restart(RestartPolicy::OnFailure).with_backoff(constant(secs(9)));
            let stubborn = deaf("t").with_stop_timeout(ms(1));
            let late = TaskFn::arc("t", |ctx: TaskContext| async move {
                ctx.cancelled().await;
                Err(TaskError::Fail { reason: "not flushed".into() })
            });
            for (name, spec, cancel, level, outcome, span) in [
                ("completed", once(OK), false, Level::INFO, "completed", Some("completed#1")),
                ("failed", once(FAIL), false, Level::ERROR, "failed", Some("failed#1")),
                ("panicked", once(tests::PANIC), false, Level::ERROR, "panicked", Some("panicked#1")),
                ("fatal", once(Step::Fatal), false, Level::ERROR, "fatal", Some("fatal#1")),
                ("exhausted", exhausted, false, Level::ERROR, "exhausted", Some("exhausted#1")),
                ("canceled", cooperative("t"), true, Level::INFO, "canceled", Some("canceled#1")),
                (
                    "failed when it was stopped",
                    late.into(),
                    true,
                    Level::WARN,
                    "canceled",
                    Some("failed when it was stopped#1"),
                ),
                ("aborted", stubborn, true, Level::WARN, "aborted", Some("aborted#1")),
                ("waiting", waiting, true, Level::INFO, "canceled", None),
            ] {
                let end = end_of(&log, name, spec, cancel).await;
                assert_eq!(end, (level, outcome.to_owned(), span.map(str::to_owned)), "{name}");
            }
        });
    });
}

#[test]
fn each_change_is_told_once_and_in_order() {
    let log = Log::default();
    let script = Script::new([Step::Deaf, OK, Step::Fatal]);
    let spec = script.spec("t").with_restart(ALWAYS).with_timeout(secs(1)).with_stop_timeout(secs(1));
    let tree = Tree::builder(SupervisorConfig::default()).task(spec.with_backoff(constant(secs(2)))).build();
    log.during(|| {
        run(async {
            tree.start().await?;
            tree.child("t").outcome().await;
            tree.shutdown().await
        })
    })
    .unwrap();

    let told: Vec<_> = log.levels_of("t");
    let told: Vec<_> = told.iter().map(|(level, message)| (*level, message.as_str())).collect();
    assert_eq!(
        told,
        [
            (Level::DEBUG, "task added"),
            (Level::DEBUG, "attempt started"),
            (Level::INFO, "timeout hit"),
            (Level::WARN, "attempt failed"),
            (Level::DEBUG, "backoff"),
            (Level::DEBUG, "attempt started"),
            (Level::DEBUG, "attempt completed"),
            (Level::DEBUG, "attempt started"),
            (Level::ERROR, "task ended"),
            (Level::DEBUG, "task removed"),
        ]
    );
    let field = |message: &str, name: &str| {
        let entry = log.lines_of("t").into_iter().find(|entry| entry.message() == message);
        entry.unwrap().field(name).to_owned()
    };
    assert_eq!(field("timeout hit", "timeout"), "1s");
    assert_eq!(field("attempt failed", "kind"), "task_timeout");
    assert_eq!(field("backoff", "delay"), "2s");
    let others: Vec<_> = log.lines_of("").into_iter().map(|entry| (entry.level, entry.message().to_owned())).collect();
    let others: Vec<_> = others.iter().map(|(level, message)| (*level, message.as_str())).collect();
    assert_eq!(others, [(Level::INFO, "shutdown requested"), (Level::INFO, "shutdown complete")]);
}

/// A layer that takes its time for the line about the request of a shutdown: until the task stops, if it does meanwhile.
struct Slow(Arc<AtomicBool>);

impl<S: Subscriber> Layer<S> for Slow {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut is_request = false;
        event.record(&mut |_: &Field, value: &dyn Debug| is_request |= format!("{value:?}") == "shutdown requested");
        let mut turns = if is_request { 1_000 } else { 0 };
        // Beside other work a turn takes as long as that lets it wait.
        let until = std::time::Instant::now() + ms(20);
        while turns > 0 && std::time::Instant::now() < until && !self.0.load(Ordering::SeqCst) {
            turns -= 1;
            std::thread::yield_now();
        }
    }
}

/// Returns the lines about the request of a shutdown and the end of its task, in their order.
fn lines_of_shutdown(has_events: bool) -> Vec<String> {
    let (log, stops) = (Log::default(), Arc::new(AtomicBool::new(false)));
    let subscriber = Registry::default().with(Slow(Arc::clone(&stops))).with(log.clone());
    let dispatch = Dispatch::new(subscriber);
    let of_threads = dispatch.clone();
    let mut runtime = Builder::new_multi_thread();
    runtime.worker_threads(2).enable_all().on_thread_start(move || {
        std::mem::forget(tracing::dispatcher::set_default(&of_threads));
    });
    let task = TaskFn::arc("t", move |ctx: TaskContext| {
        let stops = Arc::clone(&stops);
        async move {
            ctx.cancelled().await;
            stops.store(true, Ordering::SeqCst);
            Ok(())
        }
    });
    let tree = Tree::builder(SupervisorConfig::default()).task(TaskSpec::inherit(task)).build();
    let _events = has_events.then(|| tree.supervisor().events());
    let stopped = tracing::dispatcher::with_default(&dispatch, || {
        runtime.build().unwrap().block_on(async {
            tree.start().await?;
            tree.wait_ready().await;
            tree.shutdown().await
        })
    });
    stopped.unwrap();
    let told = log.entries().into_iter().map(|entry| entry.message().to_owned());
    told.filter(|line| ["shutdown requested", "task ended"].contains(&&**line)).collect()
}

/// The stop does not depend on the line, but gives it a moment. A thread that has no processor for that long is not waited
/// for.
#[test]
fn o01_the_request_of_a_shutdown_is_told_before_the_ends_of_its_tasks() {
    for has_events in [false, true] {
        let mut told = (0..10).map(|_| lines_of_shutdown(has_events));
        assert!(told.any(|told| told == ["shutdown requested", "task ended"]), "{has_events}");
    }
}

#[test]
fn a_shutdown_that_fails_says_whom_it_left() {
    let log = Log::default();
    let config = SupervisorConfig { grace: ms(10), ..SupervisorConfig::default() };
    let result = log.during(|| {
        run(async {
            let supervisor = Supervisor::new(config, vec![]);
            supervisor.add_task(deaf("mule")).await?;
            settle().await;
            supervisor.shutdown().await
        })
    });
    assert!(matches!(result, Err(RuntimeError::GraceExceeded { .. })));
    let last = log.lines_of("").pop().unwrap();
    assert_eq!((last.level, last.message()), (Level::ERROR, "shutdown failed"));
    assert!(last.field("error").contains("mule"), "{last:?}");
}

#[test]
fn groups_and_slots_tell_as_well() {
    let log = Log::default();
    let failing = Script::new([FAIL]).spec("f").with_restart(RestartPolicy::Never).critical();
    let group =
        Group::one_for_one("g").task(failing).with_max_retries(1).with_backoff(constant(secs(1))).not_critical();
    let tree = Tree::builder(SupervisorConfig::default()).with_name("app").group(group).task(cooperative("t")).build();
    log.during(|| {
        run(async {
            tree.start().await.unwrap();
            sleep(secs(5)).await;
            let owner = tree.supervisor().submit(ControllerSpec::queue(cooperative("owner")).with_slot("s")).await;
            let dropped = ControllerSpec::drop_if_running(cooperative("dropped")).with_slot("s");
            tree.supervisor().submit(dropped).await.unwrap().outcome().await;
            assert!(owner.is_ok());
            tree.shutdown().await.unwrap();
        });
    });

    let group = log.levels_of("g");
    let group: Vec<_> = group.iter().map(|(level, message)| (*level, message.as_str())).collect();
    assert_eq!(group, [(Level::WARN, "group failed"), (Level::ERROR, "group ended")]);
    assert_eq!(log.levels_of("app"), [(Level::INFO, "group ended".to_owned())]);
    let dropped = log.lines_of("dropped").pop().unwrap();
    assert_eq!(
        (dropped.message(), dropped.field("slot"), dropped.field("reason")),
        ("submission not run", "s", "busy")
    );
    let last = log.lines_of("").pop().unwrap();
    assert_eq!(last.message(), "shutdown complete");
}

#[test]
fn what_is_dropped_before_its_end_is_dropped_in_the_span() {
    let log = Log::default();
    let task = TaskFn::arc("t", |_: TaskContext| async {
        let _farewell = Farewell("t#1".into());
        std::future::pending().await
    });
    let spec = TaskSpec::inherit(task).with_stop_timeout(ms(1));
    assert_eq!(log.during(|| run(end_of(&log, "t", spec, true))).1, "aborted");
    let farewell = log.entries().into_iter().find(|entry| entry.message() == "dropped").unwrap();
    assert_eq!(farewell.span.as_deref(), Some("t#1"));
}

#[test]
fn the_runtime_may_end_before_the_attempt() {
    let log = Log::default();
    let dropped = Arc::new(AtomicU32::new(0));
    log.during(|| {
        let supervisor = supervisor();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let handle = runtime.block_on(async {
            let count = Arc::clone(&dropped);
            let task = TaskFn::arc("t", move |ctx: TaskContext| {
                let farewell = Farewell("t#1".into());
                count.fetch_add(1, Ordering::SeqCst);
                async move {
                    ctx.spawn(async move {
                        let _farewell = Farewell("t#1".into());
                        std::future::pending::<()>().await;
                    });
                    let _farewell = farewell;
                    std::future::pending().await
                }
            });
            let handle = supervisor.add_task(TaskSpec::inherit(task)).await.unwrap();
            settle().await;
            handle
        });
        drop(runtime);
        assert_eq!(handle.status().state.to_string(), "ended");
    });
    let entries = log.entries();
    let farewells: Vec<_> = entries.iter().filter(|entry| entry.message() == "dropped").collect();
    assert_eq!(farewells.len(), 2);
    assert!(farewells.iter().all(|entry| entry.span.as_deref() == Some("t#1")));
    let closed = entries.iter().filter(|entry| entry.what == What::Closed && entry.span.as_deref() == Some("t#1"));
    assert_eq!(closed.count(), 1);
}

/// For tokio-console, with `RUSTFLAGS="--cfg tokio_unstable"`.
#[cfg(tokio_unstable)]
#[test]
fn what_is_spawned_has_a_name() {
    let log = Log::default();
    let task = TaskFn::arc("t", |ctx: TaskContext| async move {
        ctx.spawn(async {});
        Ok(())
    });
    let group = Group::one_for_one("g").task(TaskSpec::inherit(task));
    let tree = Tree::builder(SupervisorConfig::default()).with_name("app").group(group).build();
    log.during(|| {
        run(async {
            tree.start().await.unwrap();
            tree.child("g/t").outcome().await.unwrap();
            tree.shutdown().await.unwrap();
        });
    });
    let opened = log.entries().into_iter().filter(|entry| entry.what == What::Opened);
    let mut names: Vec<_> = opened.map(|entry| entry.field("task.name").to_owned()).collect();
    names.retain(|name| !name.is_empty());
    names.sort_unstable();
    assert_eq!(names, ["app", "g", "g/t", "g/t", "shutdown"]);
}

#[test]
fn k6i_what_is_critical_and_retried_without_end_is_warned_of_in_the_log() {
    let log = Log::default();
    log.during(|| {
        run(async {
            let failing = Script::new([FAIL]).spec("busy").with_restart(ALWAYS).with_backoff(constant(ms(1)));
            let tree = Tree::builder(SupervisorConfig::default()).task(failing.critical()).build();
            tree.start().await.unwrap();
            sleep(secs(1)).await;
            tree.shutdown().await.unwrap();
        });
    });
    let warnings: Vec<_> = log.lines_of("busy").into_iter().filter(|line| line.message() == "warning").collect();
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].level, Level::WARN);
    assert!(warnings[0].field("reason").contains("`critical` needs `max_retries`"));
    assert_eq!(warnings[0].span.as_deref(), Some("busy#10"));
}

#[test]
fn k5l_an_error_is_in_one_line_and_one_that_cannot_be_formatted_is_replaced() {
    #[derive(Debug)]
    struct Unspeakable;
    impl std::fmt::Display for Unspeakable {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("no words")
        }
    }
    impl std::error::Error for Unspeakable {}

    let log = Log::default();
    log.during(|| {
        run(async {
            let supervisor = supervisor();
            let fails = |name: &str, error: fn() -> TaskError| {
                let task = TaskFn::arc(name, move |_: TaskContext| async move { Err(error()) });
                TaskSpec::inherit(task).with_restart(RestartPolicy::Never)
            };
            for spec in [
                fails("io", || TaskError::error(std::io::Error::other("disk full"))),
                fails("mute", || TaskError::error(Unspeakable)),
            ] {
                supervisor.add_task(spec).await.unwrap().outcome().await;
            }
        });
    });
    let error = |path: &str| {
        let lines = log.lines_of(path);
        lines.iter().find(|line| line.message() == "task ended").expect("it is told").field("error").to_owned()
    };
    assert_eq!(error("io"), "disk full");
    assert_eq!(tests::placeless(error("mute")), "an error that panicked when it was formatted: panicked: no words");
}

#[test]
fn t2_a_pause_and_its_end_are_told() {
    let log = Log::default();
    let tree = Tree::builder(SupervisorConfig::default()).task(cooperative("t")).build();
    log.during(|| {
        run(async {
            tree.start().await?;
            settle().await;
            assert!(tree.child("t").pause_and_stop() && tree.slot("s").pause());
            settle().await;
            assert!(tree.child("t").resume() && tree.slot("s").resume());
            tree.shutdown().await
        })
    })
    .unwrap();
    let lines = log.levels_of("t").into_iter().filter(|(_, message)| message != "task added");
    let lines: Vec<_> = lines.take(4).collect();
    let told = ["attempt started", "paused", "attempt stopped, to start again", "resumed"];
    assert_eq!(lines.iter().map(|(_, message)| message.as_str()).collect::<Vec<_>>(), told);
    assert_eq!((lines[1].0, lines[3].0), (Level::INFO, Level::INFO));
    let of_slot = log.entries().into_iter().filter(|entry| entry.field("slot") == "s");
    assert_eq!(of_slot.map(|entry| entry.message().to_owned()).collect::<Vec<_>>(), ["paused", "resumed"]);
    let opened = log.entries().into_iter().find(|entry| entry.what == What::Opened && entry.field("path") == "t");
    assert!(opened.is_some());
}
