//! Single tasks: attempts, value, context and handle, and tasks that wait for each other.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use taskvisor::{
    BoxTaskFuture, CancellationToken, EventKind, Group, Ready, RestartPolicy, RuntimeError, SupervisorConfig, Task,
    TaskContext, TaskError, TaskFn, TaskOutcome, TaskSpec, TaskState, Tree,
};
use tests::{ALWAYS, FAIL, OK, Script, Step, constant, cooperative, ms, recorded, secs, settle, supervisor};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

type Result = std::result::Result<(), RuntimeError>;

/// A task that cancels another by name when it is requested to stop, and records how long that took.
fn cancels(name: &'static str, other: &'static str, took: &Arc<Mutex<Vec<Duration>>>) -> TaskSpec {
    let took = Arc::clone(took);
    TaskSpec::inherit(TaskFn::arc(name, move |ctx: TaskContext| {
        let took = Arc::clone(&took);
        async move {
            ctx.cancelled().await;
            let start = Instant::now();
            let _ = ctx.supervisor().cancel(other).await;
            took.lock().unwrap().push(start.elapsed());
            Ok(())
        }
    }))
}

#[tokio::test(start_paused = true)]
async fn k3a_two_tasks_that_cancel_each_other_do_not_wait_for_each_other() -> Result {
    let supervisor = supervisor();
    let took = Arc::default();
    let a = supervisor.add_task(cancels("a", "b", &took)).await?;
    let b = supervisor.add_task(cancels("b", "a", &took)).await?;
    settle().await;
    let start = Instant::now();
    assert!(a.cancel().await?);
    assert!(matches!(b.outcome().await, TaskOutcome::Canceled { error: None, .. }));
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(*took.lock().unwrap(), [Duration::ZERO; 2]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k3a_a_longer_ring_of_waits_is_broken_once() -> Result {
    let supervisor = supervisor();
    let took = Arc::default();
    for (name, other) in [("a", "b"), ("b", "c"), ("c", "d"), ("d", "a")] {
        supervisor.add_task(cancels(name, other, &took)).await?;
    }
    settle().await;
    let start = Instant::now();
    assert!(supervisor.cancel("a").await?);
    settle().await;
    assert_eq!((start.elapsed(), supervisor.list_tasks().await.len()), (Duration::ZERO, 0));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k3a_a_ring_is_found_after_an_earlier_wait_has_ended() -> Result {
    let supervisor = supervisor();
    let took = Arc::default();
    let first = TaskFn::arc("a", |ctx: TaskContext| async move {
        ctx.cancelled().await;
        for other in ["gone", "b"] {
            let _ = ctx.supervisor().cancel(other).await;
        }
        Ok(())
    });
    let a = supervisor.add_task(TaskSpec::inherit(first)).await?;
    let b = supervisor.add_task(cancels("b", "a", &took)).await?;
    supervisor.add_task(Script::new([Step::Deaf]).spec("gone").with_stop_timeout(secs(1))).await?;
    settle().await;
    // `a` waits for the task that takes a second, then `b` for `a`; and then `a` does not wait for `b`.
    let start = Instant::now();
    let canceled = tokio::spawn(async move { a.cancel().await });
    settle().await;
    assert!(b.cancel().await?);
    assert!(canceled.await.unwrap()?);
    assert_eq!((start.elapsed(), *took.lock().unwrap() == [secs(1)]), (secs(1), true));
    supervisor.shutdown().await
}

/// Waits that have ended close no ring.
#[tokio::test(start_paused = true)]
async fn k3a_a_task_that_waited_for_a_group_is_waited_for_by_its_child() -> Result {
    let (asked, mut asks) = mpsc::unbounded_channel();
    let waits = TaskFn::arc("waits", |ctx: TaskContext| async move {
        assert!(ctx.supervisor().group("g").restart_and_wait().await);
        ctx.cancelled().await;
        sleep(secs(1)).await;
        Ok(())
    });
    let child = TaskFn::arc("child", move |ctx: TaskContext| {
        let asked = asked.clone();
        async move {
            if ctx.run_until_cancelled(sleep(secs(10))).await.is_some() {
                let start = Instant::now();
                ctx.supervisor().cancel("waits").await.unwrap();
                asked.send(start.elapsed()).unwrap();
            }
            ctx.cancelled().await;
            Ok(())
        }
    });
    let group = Group::one_for_all("g").task(TaskSpec::inherit(child));
    let tree = Tree::builder(SupervisorConfig::default()).group(group).task(TaskSpec::inherit(waits)).build();
    tree.start().await?;
    assert_eq!(asks.recv().await, Some(secs(1)), "its stop is waited for");
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn k3a_a_helper_that_cancels_its_own_task_gets_an_answer_at_once() -> Result {
    let supervisor = supervisor();
    let answered = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&answered);
    let task = TaskFn::arc("x", move |ctx: TaskContext| {
        let told = Arc::clone(&told);
        async move {
            let handle = ctx.supervisor();
            ctx.spawn(async move {
                assert!(handle.cancel("x").await.unwrap());
                told.store(true, Ordering::Relaxed);
            });
            ctx.cancelled().await;
            Ok(())
        }
    });
    let x = supervisor.add_task(TaskSpec::inherit(task)).await?;
    let start = Instant::now();
    assert!(matches!(x.outcome().await, TaskOutcome::Canceled { error: None, .. }));
    assert!(answered.load(Ordering::Relaxed));
    assert_eq!(start.elapsed(), Duration::ZERO);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k3a_a_child_that_cancels_its_own_group_gets_an_answer_at_once() -> Result {
    let (done, mut answers) = mpsc::unbounded_channel();
    let tree = Arc::new(std::sync::OnceLock::<Arc<Tree>>::new());
    let of_task = Arc::clone(&tree);
    let quits = TaskFn::arc("quits", move |ctx: TaskContext| {
        let (tree, done) = (Arc::clone(&of_task), done.clone());
        async move {
            sleep(secs(1)).await;
            let group = tree.get().unwrap().group("outer");
            let _ = done.send(group.cancel().await);
            ctx.cancelled().await;
            Ok(())
        }
    });
    let inner = Group::one_for_all("inner").task(TaskSpec::inherit(quits)).task(cooperative("sibling"));
    let built = Tree::builder(SupervisorConfig::default()).group(Group::rest_for_one("outer").group(inner)).build();
    let built = Arc::new(built);
    let _ = tree.set(Arc::clone(&built));
    built.start().await?;
    let start = Instant::now();
    assert!(matches!(answers.recv().await, Some(Ok(true))));
    let outcome = built.group("outer").outcome().await;
    assert!(matches!(outcome, Some(TaskOutcome::Canceled { .. })), "{outcome:?}");
    assert_eq!(start.elapsed(), secs(1));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k3a_a_task_that_waits_for_another_in_no_ring_waits() -> Result {
    let supervisor = supervisor();
    let took = Arc::default();
    let slow = TaskFn::arc("slow", |ctx: TaskContext| async move {
        ctx.cancelled().await;
        sleep(secs(3)).await;
        Ok(())
    });
    supervisor.add_task(TaskSpec::inherit(slow)).await?;
    supervisor.add_task(cancels("a", "slow", &took)).await?;
    settle().await;
    supervisor.cancel("a").await?;
    assert_eq!(*took.lock().unwrap(), [secs(3)]);
    Ok(())
}

/// A task whose value panics when dropped.
struct Bomb;

impl Task for Bomb {
    fn name(&self) -> &'static str {
        "bomb"
    }

    fn spawn(&self, token: CancellationToken) -> BoxTaskFuture {
        Box::pin(async move {
            token.cancelled().await;
            Ok(())
        })
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the value of a task");
    }
}

#[tokio::test(start_paused = true)]
async fn k4a_dropping_the_last_handle_does_not_panic() -> Result {
    let supervisor = supervisor();
    let handle = supervisor.add_task(TaskSpec::inherit(Arc::new(Bomb))).await?;
    supervisor.shutdown().await?;
    drop(supervisor);
    drop(handle);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k4d_the_value_of_a_task_is_dropped_when_its_registration_has_ended() -> Result {
    // given a task that holds a sender, and a consumer that reads until its channel is closed
    let supervisor = supervisor();
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let producer = TaskFn::arc("producer", move |_: TaskContext| {
        let sent = sender.send(());
        async move { sent.map_err(TaskError::error) }
    });
    // when
    let handle = supervisor.add_task(TaskSpec::inherit(producer)).await?;
    assert!(matches!(handle.outcome().await, TaskOutcome::Completed));
    // then the handle does not keep the sender alive
    assert_eq!(receiver.recv().await, Some(()));
    assert_eq!(receiver.recv().await, None);
    // and still returns the spec
    let spec = handle.spec();
    assert_eq!((spec.name(), spec.restart()), ("producer", RestartPolicy::OnFailure));
    let again = supervisor.add_task(spec).await?;
    let outcome = again.outcome().await;
    assert!(matches!(outcome, TaskOutcome::Fatal { .. }), "{outcome}");
    assert!(outcome.to_string().contains("`producer` has ended"), "{outcome}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k4d_the_value_is_gone_when_the_outcome_is_known() -> Result {
    let supervisor = supervisor();
    for cancels in [true, false] {
        let (sender, mut receiver) = mpsc::unbounded_channel::<()>();
        let task = TaskFn::arc("x", move |ctx: TaskContext| {
            let _kept = &sender;
            async move {
                ctx.cancelled().await;
                Ok(())
            }
        });
        let delay = if cancels { Duration::ZERO } else { secs(100) };
        let handle = supervisor.add_task(TaskSpec::inherit(task).with_initial_delay(delay)).await?;
        settle().await;
        assert!(handle.cancel().await?);
        assert!(receiver.try_recv() == Err(mpsc::error::TryRecvError::Disconnected), "{cancels}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k5c_a_wait_after_a_failure_carries_its_reason_and_one_of_zero_is_not_told() -> Result {
    let (supervisor, recorder) = recorded();
    let script = Script::new([FAIL, OK, OK, Step::Wait]);
    let always = RestartPolicy::Always { interval: Some(secs(10)) };
    supervisor.add_task(script.spec("x").with_restart(always)).await?;
    sleep(secs(60)).await;
    let waits: Vec<_> = recorder.seen().into_iter().filter(|seen| seen.kind == EventKind::BackoffScheduled).collect();
    let told: Vec<_> = waits.iter().map(|wait| (wait.delay_ms, wait.reason.as_deref())).collect();
    assert_eq!(
        told,
        [(Some(100), Some("failure 1")), (Some(10_000), Some("interval")), (Some(10_000), Some("interval"))]
    );
    let script = Script::new([OK, FAIL, OK, Step::Wait]);
    let spec = script.spec("y").with_restart(ALWAYS).with_backoff(constant(Duration::ZERO));
    supervisor.add_task(spec).await?;
    settle().await;
    assert_eq!(script.attempts(), 4);
    assert!(!recorder.kinds_of("y").contains(&EventKind::BackoffScheduled));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k5d_a_token_that_the_task_cancels_itself_and_its_context_say_the_same() -> Result {
    let supervisor = supervisor();
    let task = TaskFn::arc("x", |ctx: TaskContext| async move {
        assert!(!ctx.is_cancelled());
        ctx.token().cancel();
        ctx.cancelled().await;
        assert!(ctx.is_cancelled() && ctx.token().is_cancelled());
        assert_eq!(ctx.stop_reason(), None, "nobody requested it");
        Ok(())
    });
    let outcome = supervisor.add_task(TaskSpec::inherit(task)).await?.outcome().await;
    assert!(matches!(outcome, TaskOutcome::Completed), "{outcome}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k5h_completion_wins_a_tie_with_the_timeout() -> Result {
    // The attempt is ready at its second poll, for which nothing wakes it. It must be polled once more before it times
    // out.
    struct Late(bool);
    impl std::future::Future for Late {
        type Output = std::result::Result<(), TaskError>;
        fn poll(mut self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<Self::Output> {
            if std::mem::replace(&mut self.0, true) { std::task::Poll::Ready(Ok(())) } else { std::task::Poll::Pending }
        }
    }
    let (supervisor, recorder) = recorded();
    let task = TaskFn::arc("x", |_: TaskContext| Late(false));
    let handle = supervisor.add_task(TaskSpec::inherit(task).with_timeout(secs(5))).await?;
    assert!(matches!(handle.outcome().await, TaskOutcome::Completed));
    assert_eq!(recorder.count(EventKind::TimeoutHit), 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k5h_every_millisecond_is_a_thousand_times_a_second() -> Result {
    let supervisor = supervisor();
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let task = TaskFn::arc("x", move |_: TaskContext| {
        counted.fetch_add(1, Ordering::Relaxed);
        async { Ok(()) }
    });
    supervisor.add_task(TaskSpec::inherit(task).with_restart(ALWAYS).with_every(ms(1))).await?;
    sleep(secs(1)).await;
    let runs = runs.load(Ordering::Relaxed);
    assert!((990..=1010).contains(&runs), "{runs}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k5i_a_restart_while_helpers_are_joined_does_not_repeat_what_has_succeeded() -> Result {
    let supervisor = supervisor();
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let task = TaskFn::arc("x", move |ctx: TaskContext| {
        counted.fetch_add(1, Ordering::Relaxed);
        async move {
            ctx.spawn(sleep(secs(2)));
            Ok(())
        }
    });
    let handle = supervisor.add_task(TaskSpec::inherit(task)).await?;
    sleep(secs(1)).await;
    assert_eq!(handle.status().state, TaskState::Running);
    assert!(!handle.restart(), "its success was taken, and no attempt follows");
    assert!(matches!(handle.outcome().await, TaskOutcome::Completed));
    assert_eq!(runs.load(Ordering::Relaxed), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k5o_the_time_of_a_start_runs_from_when_it_is_due() -> Result {
    // given two permits, a `one_for_all` sibling that fails with a backoff of 50 s, and a start timeout of 60 s
    let config = SupervisorConfig { max_concurrent: 2, ..SupervisorConfig::default() };
    let fails = Script::new([Step::Fail(secs(20)), Step::Wait]);
    let signals = TaskFn::arc("signals", |ctx: TaskContext| async move {
        if ctx.attempt() == 1 {
            // Held during its start, and then for the backoff of its sibling.
            ctx.cancelled().await;
            return Ok(());
        }
        sleep(secs(30)).await;
        ctx.ready();
        ctx.cancelled().await;
        Ok(())
    });
    let spec = TaskSpec::inherit(signals).with_ready(Ready::Signal).with_start_timeout(secs(60)).with_max_retries(0);
    let group = Group::one_for_all("g").task(fails.spec("fails").with_backoff(constant(secs(50)))).task(spec);
    let tree = Tree::builder(config).group(group).build();
    // when
    tree.start().await?;
    let start = Instant::now();
    tree.wait_ready().await;
    // then the second start has 60 s of its own
    assert_eq!(start.elapsed(), secs(20 + 50 + 30));
    assert_eq!(tree.child("g/signals").status().unwrap().failures, 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k6g_progress_resets_the_streak() -> Result {
    let supervisor = supervisor();
    let start = Instant::now();
    let begun = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&begun);
    let consumer = TaskFn::arc("consumer", move |ctx: TaskContext| {
        noted.lock().unwrap().push(start.elapsed().as_secs());
        async move {
            if ctx.attempt() >= 3 {
                ctx.progress();
            }
            Err(TaskError::Fail { reason: "connection reset".into() })
        }
    });
    let backoff = taskvisor::BackoffPolicy { first: secs(1), max: secs(100), factor: 10.0, ..Default::default() };
    let spec = TaskSpec::inherit(consumer).with_backoff(backoff).with_max_retries(2);
    let handle = supervisor.add_task(spec).await?;
    sleep(ms(16_500)).await;
    assert_eq!(*begun.lock().unwrap(), [0, 1, 11, 12, 13, 14, 15, 16]);
    assert_eq!(handle.status().failures, 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k6b_a_group_is_ready_while_a_child_waits_for_its_time_and_those_after_it_wait() -> Result {
    let nightly = Script::new([Step::Wait]);
    let late = Script::new([Step::Wait]);
    let inner = Group::one_for_all("inner").task(nightly.spec("nightly").with_initial_delay(secs(600)));
    let ready = Tree::builder(SupervisorConfig::default())
        .group(Group::rest_for_one("outer").task(cooperative("pool")).group(inner.clone()))
        .build();
    let start = Instant::now();
    ready.start().await?;
    ready.wait_ready().await;
    assert_eq!((start.elapsed(), nightly.attempts()), (Duration::ZERO, 0));
    assert!(ready.health().is_ready(), "{:?}", ready.health());
    ready.shutdown().await?;

    let waits =
        Tree::builder(SupervisorConfig::default()).group(inner).task(late.spec("late").with_after(["inner"])).build();
    let start = Instant::now();
    waits.start().await?;
    sleep(secs(599)).await;
    assert_eq!(late.attempts(), 0, "the gate waits for the attempt");
    waits.wait_ready().await;
    assert_eq!((start.elapsed(), late.attempts()), (secs(600), 1));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k6c_a_group_is_ready_without_a_child_that_does_not_count() -> Result {
    let relay = TaskFn::arc("relay", |ctx: TaskContext| async move {
        ctx.cancelled().await;
        Ok(())
    });
    let relay = TaskSpec::inherit(relay).with_ready(Ready::Signal).with_start_timeout(secs(3600)).without_readiness();
    let tree = Tree::builder(SupervisorConfig::default())
        .group(Group::one_for_all("g").task(cooperative("pool")).task(relay))
        .build();
    let start = Instant::now();
    tree.start().await?;
    tree.wait_ready().await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert!(tree.health().is_ready());
    Ok(())
}

/// A producer that ends after one value, and a consumer that reads until its channel is closed.
fn pipeline() -> (TaskSpec, TaskSpec, Arc<Mutex<Vec<u8>>>) {
    let (sender, receiver) = mpsc::channel(1);
    let (receiver, read) = (Arc::new(tokio::sync::Mutex::new(receiver)), Arc::new(Mutex::new(Vec::new())));
    let producer = TaskFn::arc("producer", move |_: TaskContext| {
        let sender = sender.clone();
        async move { sender.send(7).await.map_err(TaskError::error) }
    });
    let values = Arc::clone(&read);
    let consumer = TaskFn::arc("consumer", move |_: TaskContext| {
        let (receiver, values) = (Arc::clone(&receiver), Arc::clone(&values));
        async move {
            let mut receiver = receiver.lock().await;
            while let Some(value) = receiver.recv().await {
                values.lock().unwrap().push(value);
            }
            Ok(())
        }
    });
    let never = |task| TaskSpec::inherit(task).with_restart(RestartPolicy::Never);
    (never(producer), never(consumer), read)
}

/// The tree never starts again, so it holds no task that has ended, in whatever order its tasks are.
#[tokio::test(start_paused = true)]
async fn k3p_a_channel_closes_when_its_producer_has_ended_also_in_a_tree_with_an_order() -> Result {
    for shape in ["plain", "producer after consumer", "consumer after producer", "rest_for_one", "one_for_all"] {
        let (producer, consumer, read) = pipeline();
        let tree = Tree::builder(SupervisorConfig::default());
        let tree = match shape {
            "producer after consumer" => tree.task(consumer).task(producer.with_after(["consumer"])),
            "consumer after producer" => tree.task(producer).task(consumer.with_after(["producer"])),
            "rest_for_one" => tree.with_strategy(taskvisor::Strategy::RestForOne).task(consumer).task(producer),
            "one_for_all" => tree.with_strategy(taskvisor::Strategy::OneForAll).task(consumer).task(producer),
            _ => tree.task(consumer).task(producer),
        };
        let ran = tokio::time::timeout(secs(3600), tree.build().run()).await;
        assert!(matches!(ran, Ok(Ok(()))), "{shape}: {ran:?}");
        assert_eq!(*read.lock().unwrap(), [7], "{shape}");
    }
    Ok(())
}
