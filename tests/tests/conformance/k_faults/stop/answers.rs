//! The verdict and the effects of a shutdown, on paused time.

use std::error::Error;
use std::fmt;
use std::future::{Future, pending};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use taskvisor::{
    CancellationToken, Event, EventKind, FailureChain, Group, LogLevel, Phase, RestartPolicy, RuntimeError, Subscribe,
    Supervisor, SupervisorConfig, Task, TaskContext, TaskError, TaskFn, TaskOutcome, TaskSpec, Tree, task,
};
use tests::{
    FAIL, OK, Recorder, Script, constant, cooperative, deaf, longer, ms, recorded_with, secs, settle, supervisor,
};
use tokio::time::{Instant, sleep};

use super::{Barrier, FOREVER, Result, cleanup_blocks, stuck, with_grace};
use crate::journal::Journal;

fn is_shutting_down<T>(result: &std::result::Result<T, RuntimeError>) -> bool {
    matches!(result, Err(RuntimeError::ShuttingDown))
}

fn fatal(name: &str) -> TaskSpec {
    let error = || TaskError::Fatal { reason: "dead".into() };
    TaskSpec::inherit(TaskFn::arc(name, move |_: TaskContext| async move { Err(error()) })).critical()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn k3b_a_layer_that_is_past_its_share_is_given_up_on_and_the_next_is_requested() {
    let mut graces = longer(ms(500));
    loop {
        // given
        let (grace, barrier) = (graces.next().expect("the polite one stops in time"), Barrier::new());
        let polite = TaskFn::arc("polite", |ctx: TaskContext| async move {
            ctx.cancelled().await;
            sleep(ms(5)).await;
            Ok(())
        });
        let tree = Tree::builder(with_grace(grace)).task(TaskSpec::inherit(polite)).build();
        tree.start().await.unwrap();
        tree.wait_ready().await;
        let polite = tree.supervisor().task("polite").unwrap();
        tree.supervisor().add_task(cleanup_blocks("stuck", &barrier)).await.unwrap();
        barrier.begun(1).await;
        // when
        let result = tokio::time::timeout(FOREVER, tree.shutdown()).await.expect("hangs");
        // then
        barrier.wait_until_entered(1);
        assert_eq!(barrier.counts(), (1, 0));
        barrier.open();
        if stuck(result) == ["stuck"] {
            assert!(matches!(polite.outcome().await, TaskOutcome::Canceled { .. }));
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn k3b_tasks_that_were_added_have_what_is_left_but_a_reserve_and_their_own_time_whole() -> Result {
    for (stop_timeout, expected) in [(None, ms(8_100)), (Some(ms(8_800)), ms(8_800)), (Some(ms(10)), ms(10))] {
        let tree = Tree::builder(with_grace(secs(9))).task(cooperative("polite")).build();
        tree.start().await?;
        let added = match stop_timeout {
            Some(timeout) => deaf("added").with_stop_timeout(timeout),
            None => deaf("added"),
        };
        tree.supervisor().add_task(added).await?;
        settle().await;
        let start = Instant::now();
        assert_eq!(stuck(tree.shutdown().await), ["added"]);
        assert_eq!(start.elapsed(), expected);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k3e_a_drain_ends_when_no_child_is_left() {
    let config = || SupervisorConfig { drain: secs(3600), ..with_grace(secs(3600)) };
    let group = |task| Group::one_for_one("g").with_restart(RestartPolicy::Never).task(task);
    let trees = [
        Tree::builder(config()).task(fatal("a")).build(),
        Tree::builder(config()).group(group(fatal("a"))).build(),
        Tree::builder(config())
            .task(fatal("a"))
            .group(Group::one_for_all("g").task(Script::new([OK]).spec("b")))
            .build(),
    ];
    for tree in trees {
        let start = Instant::now();
        let result = tree.run_until(pending()).await;
        assert!(matches!(result, Err(RuntimeError::Failed { .. })), "{result:?}");
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}

/// Panics when dropped, unless the thread is already panicking.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "boom");
    }
}

struct Explosive(#[allow(dead_code, reason = "dropped")] Bomb);

#[async_trait::async_trait]
impl Subscribe for Explosive {
    async fn on_event(&self, _: &Event) {}
}

impl Task for Explosive {
    fn name(&self) -> &'static str {
        "explosive"
    }

    fn spawn(&self, _: CancellationToken) -> taskvisor::BoxTaskFuture {
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test]
async fn k4a_what_is_dropped_with_a_supervisor_or_a_tree_does_not_panic() -> Result {
    let bombs = || (0..2).map(|_| Arc::new(Explosive(Bomb)) as Arc<dyn Subscribe>).collect::<Vec<_>>();
    let spec = |name: &'static str| TaskSpec::inherit(Arc::new(Explosive(Bomb))).with_name(name);
    // A supervisor that was never used, one that was, and one that its handle and stream outlive.
    drop(Supervisor::new(SupervisorConfig::default(), bombs()));
    let supervisor = Supervisor::new(SupervisorConfig::default(), bombs());
    supervisor.add_task(cooperative("polite")).await?;
    supervisor.shutdown().await?;
    drop(supervisor);
    settle().await;
    let supervisor = Supervisor::new(SupervisorConfig::default(), bombs());
    let (handle, stream) = (supervisor.handle(), supervisor.events());
    drop(supervisor);
    drop(handle);
    drop(stream);
    // A tree that was never started, and a builder that was never built.
    let builder = || {
        let group = Group::rest_for_one("g").task(spec("c")).task(spec("d"));
        Tree::builder(SupervisorConfig::default()).task(spec("a")).task(spec("b")).group(group)
    };
    drop(builder().build());
    drop(builder());
    Ok(())
}

/// A waker that counts its wake-ups and may panic.
#[derive(Default)]
struct Counter {
    woken: AtomicUsize,
    panics: bool,
}

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.woken.fetch_add(1, Ordering::Relaxed);
        assert!(!self.panics, "woken");
    }
}

fn wakers() -> Vec<Arc<Counter>> {
    [true, false, true, false].map(|panics| Arc::new(Counter { panics, ..Counter::default() })).into()
}

fn poll<F: Future + Unpin>(future: &mut F, counter: &Arc<Counter>) -> bool {
    pin!(future).poll(&mut Context::from_waker(&Waker::from(Arc::clone(counter)))).is_ready()
}

#[tokio::test]
async fn k4f_wakers_that_panic_take_no_wake_up_of_a_verdict_with_them() -> Result {
    let supervisor = supervisor();
    supervisor.add_task(cooperative("polite")).await?;
    let counters = wakers();
    let mut waits: Vec<_> = counters.iter().map(|_| Box::pin(supervisor.shutdown())).collect();
    for (wait, counter) in waits.iter_mut().zip(&counters) {
        assert!(!poll(wait, counter));
    }
    supervisor.shutdown().await?;
    assert!(counters.iter().all(|counter| counter.woken.load(Ordering::Relaxed) > 0));
    for wait in waits {
        wait.await?;
    }
    Ok(())
}

#[tokio::test]
async fn k5q_wakers_that_panic_take_no_wake_up_of_a_readiness_and_no_call_with_them() -> Result {
    let tree = Tree::builder(SupervisorConfig::default()).task(cooperative("polite")).build();
    let counters = wakers();
    let mut waits: Vec<_> = counters.iter().map(|_| Box::pin(tree.wait_ready())).collect();
    for (wait, counter) in waits.iter_mut().zip(&counters) {
        assert!(!poll(wait, counter));
    }
    tree.start().await?;
    for (wait, counter) in waits.iter_mut().zip(&counters) {
        assert!(counter.woken.load(Ordering::Relaxed) > 0);
        poll(wait, counter);
    }
    settle().await;
    for wait in waits {
        wait.await;
    }
    // A shutdown wakes callers that wait for readiness.
    let supervisor = supervisor();
    let mut wait = Box::pin(supervisor.wait_ready());
    assert!(!poll(&mut wait, &counters[0]));
    supervisor.shutdown().await?;
    wait.await;
    tree.shutdown().await
}

/// Panics when formatted more often than this.
#[derive(Debug)]
struct Rude(AtomicUsize);

impl fmt::Display for Rude {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left = self.0.load(Ordering::Relaxed);
        assert!(left > 0, "formatted");
        self.0.store(left - 1, Ordering::Relaxed);
        f.write_str("rude")
    }
}

impl std::error::Error for Rude {}

#[tokio::test(start_paused = true)]
async fn k5q_a_failed_tree_fails_its_run_however_often_its_error_can_be_formatted() {
    for (times, group) in (0..4).flat_map(|times| [(times, false), (times, true)]) {
        let task =
            TaskFn::arc(
                "rude",
                move |_: TaskContext| async move { Err(TaskError::error(Rude(AtomicUsize::new(times)))) },
            );
        let spec = TaskSpec::inherit(task).with_restart(RestartPolicy::Never).critical();
        let builder = Tree::builder(SupervisorConfig::default());
        let tree = if group {
            builder.group(Group::one_for_one("g").with_restart(RestartPolicy::Never).task(spec))
        } else {
            builder.task(spec)
        }
        .build();
        let result = tokio::time::timeout(secs(3600), tree.run_until(pending())).await;
        assert!(matches!(result, Ok(Err(RuntimeError::Failed { .. }))), "formatted {times} times, in a group: {group}");
    }
}

#[tokio::test(start_paused = true)]
async fn k5g_after_a_shutdown_there_is_one_answer() -> Result {
    for started in [false, true] {
        let tree = Tree::builder(with_grace(secs(1))).task(cooperative("polite")).build();
        if started {
            tree.start().await?;
        }
        let shutdown = tree.shutdown();
        for over in [false, true] {
            if over {
                tree.supervisor().shutdown().await?;
            }
            assert!(is_shutting_down(&tree.start().await), "{started} {over}");
            assert!(is_shutting_down(&tree.run().await), "{started} {over}");
            assert!(is_shutting_down(&tree.run_until(pending()).await), "{started} {over}");
            assert!(is_shutting_down(&tree.supervisor().run(vec![]).await), "{started} {over}");
        }
        shutdown.await?;
    }
    Ok(())
}

/// The cause would be lost if the `run` that follows a `start` came too late to be told of the failure.
#[tokio::test(start_paused = true)]
async fn k5g_a_run_after_the_failure_of_its_tree_returns_the_failure() -> Result {
    for over in [false, true] {
        let tree = Tree::builder(with_grace(secs(1))).task(cooperative("polite")).task(fatal("a")).build();
        tree.start().await?;
        if over {
            sleep(secs(5)).await;
        } else {
            while !["shutting down", "stopped"].iter().any(|word| tree.health().readyz().body.contains(word)) {
                tokio::task::yield_now().await;
            }
        }
        for _ in 0..2 {
            assert!(matches!(tree.run().await, Err(RuntimeError::Failed { .. })), "{over}");
            assert!(matches!(tree.run_until(pending()).await, Err(RuntimeError::Failed { .. })), "{over}");
        }
        assert!(is_shutting_down(&tree.start().await), "{over}");
    }
    Ok(())
}

/// Starts the tree, which ends by itself, and runs it after that: during its shutdown, or when that is `over`.
async fn returns_its_result(tree: &Tree, over: bool, is_deaf: bool) -> Result {
    tree.start().await?;
    tree.wait_ready().await;
    if over {
        sleep(secs(5)).await;
    } else {
        while tree.supervisor().phase() == Phase::Open {
            tokio::task::yield_now().await;
        }
    }
    for _ in 0..2 {
        for result in [tree.run().await, tree.run_until(pending()).await] {
            match result {
                Ok(()) => assert!(!is_deaf, "{over}"),
                Err(RuntimeError::GraceExceeded { stuck, .. }) => assert_eq!(stuck, ["other"], "{over}"),
                Err(error) => panic!("{error:#}, {over}"),
            }
        }
    }
    assert!(is_shutting_down(&tree.start().await), "{over}");
    Ok(())
}

/// No call has requested this shutdown either: a `run` that follows a `start` is to end as one that was there before.
#[tokio::test(start_paused = true)]
async fn k5g_a_run_after_the_end_of_a_significant_task_returns_the_result() -> Result {
    for (over, is_deaf) in [(false, false), (true, false), (false, true), (true, true)] {
        let other = if is_deaf { deaf("other") } else { cooperative("other") };
        let tree =
            Tree::builder(with_grace(secs(1))).task(other).task(Script::new([OK]).spec("last").significant()).build();
        returns_its_result(&tree, over, is_deaf).await?;
    }
    Ok(())
}

/// Nor has a call from outside of the tree, which would have got the result.
#[tokio::test(start_paused = true)]
async fn k5g_a_run_after_a_shutdown_by_a_task_returns_the_result() -> Result {
    for (over, is_deaf, by_helper) in
        [(false, false, false), (true, false, true), (false, true, true), (true, true, false)]
    {
        let other = if is_deaf { deaf("other") } else { cooperative("other") };
        let last = TaskFn::arc("last", move |ctx: TaskContext| async move {
            let request = {
                let ctx = ctx.clone();
                async move { drop(ctx.supervisor().shutdown()) }
            };
            if by_helper {
                ctx.spawn(request);
            } else {
                request.await;
            }
            Ok(())
        });
        let tree = Tree::builder(with_grace(secs(1))).task(other).task(TaskSpec::inherit(last)).build();
        returns_its_result(&tree, over, is_deaf).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k5m_a_failed_tree_of_which_nothing_was_aborted_says_that_all_stopped() {
    let recorder = Recorder::new();
    let tree = Tree::builder(with_grace(secs(1)))
        .with_subscriber(Arc::clone(&recorder))
        .task(cooperative("polite"))
        .task(fatal("a"))
        .build();
    assert!(matches!(tree.run_until(pending()).await, Err(RuntimeError::Failed { .. })));
    let seen = recorder.seen();
    let last = seen.last().unwrap();
    assert_eq!(last.kind, EventKind::AllStoppedWithinGrace);
    assert_eq!(last.reason.as_deref(), Some("`a` failed (dead), which `root` needs"));
    assert_eq!(recorder.count(EventKind::GraceExceeded), 0);
}

#[tokio::test(start_paused = true)]
async fn k5m_a_failed_tree_of_which_something_was_aborted_says_so() {
    let recorder = Recorder::new();
    let tree = Tree::builder(with_grace(secs(1)))
        .with_subscriber(Arc::clone(&recorder))
        .task(deaf("deaf"))
        .task(fatal("a"))
        .build();
    assert!(matches!(tree.run_until(pending()).await, Err(RuntimeError::Failed { .. })));
    let seen = recorder.seen();
    let last = seen.last().unwrap();
    assert_eq!(last.kind, EventKind::GraceExceeded);
    let reason = "`a` failed (dead), which `root` needs; not stopped in time: deaf";
    assert_eq!(last.reason.as_deref(), Some(reason));
}

/// Runs a tree of these tasks until a second has passed or the tree has failed, and returns the events of the kinds.
async fn events_of(tasks: Vec<TaskSpec>, kinds: [EventKind; 2]) -> (std::result::Result<(), RuntimeError>, Vec<Event>) {
    let tree = Tree::builder(with_grace(secs(1))).tasks(tasks).build();
    let mut stream = tree.supervisor().events().of_kinds(kinds);
    let result = tree.run_until(sleep(secs(1))).await;
    let mut events = Vec::new();
    for _ in kinds {
        events.push(stream.next().await.unwrap().unwrap());
    }
    (result, events)
}

#[tokio::test(start_paused = true)]
async fn k5m_the_failure_of_a_tree_is_an_error_and_its_clean_stop_is_none() {
    let kinds = [EventKind::ShutdownRequested, EventKind::AllStoppedWithinGrace];
    let levels =
        |events: &[Event]| -> Vec<_> { events.iter().map(|event| (event.kind, LogLevel::of(event))).collect() };
    let (result, events) = events_of(vec![fatal("a")], kinds).await;
    assert!(matches!(result, Err(RuntimeError::Failed { .. })));
    assert_eq!(levels(&events), [(kinds[0], LogLevel::Error), (kinds[1], LogLevel::Info)]);
    let chain = events[0].error().unwrap().source().unwrap().downcast_ref::<FailureChain>().unwrap();
    assert_eq!(chain.links()[0].path, "a");

    let (result, events) = events_of(vec![cooperative("a")], kinds).await;
    assert!(result.is_ok());
    assert_eq!(levels(&events), [(kinds[0], LogLevel::Info), (kinds[1], LogLevel::Info)]);
    assert_eq!(LogLevel::of(&Event::new(EventKind::ShutdownForced)), LogLevel::Warn);
}

#[tokio::test(start_paused = true)]
async fn e04_a_failure_after_the_stop_request_is_a_warning_and_no_failure_of_the_run() {
    let fails = TaskFn::arc("fails", |ctx: TaskContext| async move {
        ctx.cancelled().await;
        Err(TaskError::Fail { reason: "the outbox was not sent".into() })
    });
    let kinds = [EventKind::TaskStopped, EventKind::AllStoppedWithinGrace];
    for (task, level) in [(cooperative("t"), LogLevel::Info), (fails.into(), LogLevel::Warn)] {
        let (result, events) = events_of(vec![task], kinds).await;
        assert!(result.is_ok());
        let of_each: Vec<_> = events.iter().map(|event| (event.kind, LogLevel::of(event))).collect();
        assert_eq!(of_each, [(kinds[0], level), (kinds[1], LogLevel::Info)]);
    }
}

#[tokio::test(start_paused = true)]
async fn k5m_a_forced_shutdown_has_an_event_and_says_after_how_long_and_names_what_was_aborted() -> Result {
    let (supervisor, recorder) = recorded_with(with_grace(secs(20)));
    supervisor.add_task(deaf("deaf")).await?;
    supervisor.add_task(cooperative("polite")).await?;
    supervisor.add_task(Script::new([FAIL]).spec("waits").with_backoff(constant(secs(9)))).await?;
    settle().await;
    let first = supervisor.shutdown();
    sleep(ms(400)).await;
    let (second, third) = (supervisor.shutdown_now(), supervisor.shutdown_now());
    for shutdown in [first, second, third] {
        let error = shutdown.await.unwrap_err();
        assert_eq!(error.to_string(), "1 task aborted, as the shutdown was forced after 400ms: deaf");
        assert_eq!(error.as_label(), "runtime_shutdown_forced");
        let RuntimeError::ShutdownForced { after, stuck, .. } = error else { panic!("{error:?}") };
        assert_eq!((after, stuck), (ms(400), vec!["deaf".to_owned()]));
    }
    let seen = recorder.seen();
    let forced: Vec<_> = seen.iter().filter(|seen| seen.kind == EventKind::ShutdownForced).collect();
    assert_eq!(forced.len(), 1);
    assert_eq!(forced[0].reason.as_deref(), Some("shutdown_now()"));
    assert_eq!(seen.last().map(|seen| seen.kind), Some(EventKind::GraceExceeded));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k5m_a_forced_shutdown_of_layers_names_those_that_were_aborted() -> Result {
    let journal = Journal::new();
    let names = ["a", "b"];
    let group =
        names.into_iter().fold(Group::rest_for_one("g"), |group, name| group.task(journal.slow(name, secs(5)).0));
    let tree = Tree::builder(with_grace(secs(20))).group(group).build();
    tree.start().await?;
    tree.wait_ready().await;
    drop(tree.shutdown());
    sleep(ms(400)).await;
    let error = tree.supervisor().shutdown_now().await.unwrap_err();
    assert_eq!(error.to_string(), "2 tasks aborted, as the shutdown was forced after 400ms: g/a, g/b");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k5m_to_force_a_shutdown_that_is_over_changes_and_publishes_nothing() -> Result {
    let (supervisor, recorder) = recorded_with(with_grace(secs(20)));
    supervisor.add_task(cooperative("polite")).await?;
    settle().await;
    supervisor.shutdown().await?;
    supervisor.shutdown_now().await?;
    assert_eq!(recorder.count(EventKind::ShutdownForced), 0);
    Ok(())
}

/// Blocks its thread, so that an abort does not end it.
#[task(blocking)]
fn blocked(barrier: Arc<Barrier>) {
    barrier.block();
}

/// Nobody waits longer than half of what is left for those that are aborted at the end of their share.
#[tokio::test(start_paused = true)]
async fn k3b_the_next_layer_is_requested_before_the_grace_ends_though_an_abort_has_no_effect() {
    let (journal, barrier) = (Journal::new(), Barrier::new());
    let tree = Tree::builder(with_grace(secs(1))).task(journal.slow("polite", ms(10)).0).build();
    tree.start().await.unwrap();
    tree.supervisor().add_task(blocked::spec(Arc::clone(&barrier))).await.unwrap();
    settle().await;
    barrier.wait_until_entered(1);
    journal.take();
    let before = journal.now();
    let shutdown = tree.shutdown();
    // Beside a blocked thread, the paused clock does not advance by itself.
    for _ in 0..150 {
        tokio::time::advance(ms(10)).await;
        settle().await;
    }
    let ends: Vec<_> = journal.timed().into_iter().map(|(at, what)| (at - before, what)).collect();
    let result = shutdown.await;
    barrier.open();
    assert!(matches!(&ends[..], [(950..1_000, what)] if what == "-polite"), "{ends:?}");
    assert_eq!(stuck(result), ["blocked"]);
}
