//! The final attempt of a task that waits, and the limit of a cleanup.

use std::future::{Future, pending};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use taskvisor::{
    EventKind, Group, RestartPolicy, RuntimeError, StopReason, Strategy, Supervisor, SupervisorConfig, TaskContext,
    TaskError, TaskFn, TaskOutcome, TaskSpec, TaskState, Tree,
};
use tests::{FAIL, Recorder, Script, Seen, Step, constant, polled_once, recorded, secs, settle, supervisor};
use tokio::time::{Instant, sleep};

type Result = std::result::Result<(), RuntimeError>;

/// The relay of an outbox: its first attempt fails, and its final attempt sends the rest.
#[tokio::test(start_paused = true)]
async fn k6d_a_task_in_backoff_has_a_final_attempt_when_it_is_requested_to_stop() -> Result {
    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
    let outbox = Arc::new(Mutex::new(vec![1, 2, 3]));
    let (of_task, reasons) = (Arc::clone(&outbox), Arc::new(Mutex::new(Vec::new())));
    let seen = Arc::clone(&reasons);
    let relay = TaskFn::arc("relay", move |ctx: TaskContext| {
        let (outbox, seen) = (Arc::clone(&of_task), Arc::clone(&seen));
        async move {
            seen.lock().unwrap().push((ctx.attempt(), ctx.stop_reason(), ctx.is_cancelled()));
            if ctx.attempt() == 1 {
                return Err(TaskError::Fail { reason: "the broker is down".into() });
            }
            sleep(secs(1)).await;
            outbox.lock().unwrap().clear();
            Ok(())
        }
    });
    let spec = TaskSpec::inherit(relay).with_backoff(constant(secs(3600))).with_final_attempt();
    let handle = supervisor.add_task(spec).await?;
    sleep(secs(5)).await;
    assert_eq!(handle.status().state, TaskState::Backoff);
    let start = Instant::now();
    supervisor.shutdown().await?;
    assert_eq!(start.elapsed(), secs(1));
    assert!(outbox.lock().unwrap().is_empty());
    assert_eq!(*reasons.lock().unwrap(), [(1, None, false), (2, Some(StopReason::Shutdown), false)]);
    assert!(matches!(handle.outcome().await, TaskOutcome::Canceled { error: None, .. }));
    Ok(())
}

/// A stop request comes in the poll in which an attempt ends whose result ends the task: there is nothing left to do.
#[tokio::test(start_paused = true)]
async fn k6d_an_attempt_whose_result_ends_the_task_is_the_last_one_and_was_stopped() -> Result {
    for succeeds in [true, false] {
        let supervisor = supervisor();
        let attempts = Arc::new(Mutex::new(0));
        let count = Arc::clone(&attempts);
        let task = TaskFn::arc("x", move |ctx: TaskContext| {
            *count.lock().unwrap() += 1;
            async move {
                polled_once(ctx.supervisor().cancel("x")).await;
                if succeeds { Ok(()) } else { Err(TaskError::Fatal { reason: "no such table".into() }) }
            }
        });
        let handle = supervisor.add_task(TaskSpec::inherit(task).with_final_attempt()).await?;
        let outcome = handle.outcome().await;
        let TaskOutcome::Canceled { error, reason, finished } = outcome else { panic!("{outcome:?}") };
        assert_eq!((error.is_none(), reason, finished), (succeeds, StopReason::Canceled, succeeds));
        assert_eq!(*attempts.lock().unwrap(), 1);
    }
    Ok(())
}

/// In an ordered stop, the final attempt does not begin before the stop request of the task itself.
#[tokio::test(start_paused = true)]
async fn k6d_a_task_that_others_are_after_has_its_final_attempt_when_they_have_stopped() -> Result {
    let (supervisor, seen) = (SupervisorConfig::default(), Arc::new(Mutex::new(Vec::new())));
    let (of_relay, of_server) = (Arc::clone(&seen), Arc::clone(&seen));
    let relay = TaskFn::arc("relay", move |ctx: TaskContext| {
        of_relay.lock().unwrap().push(("relay", ctx.stop_reason()));
        async { Ok(()) }
    });
    let server = TaskFn::arc("server", move |ctx: TaskContext| {
        let seen = Arc::clone(&of_server);
        async move {
            ctx.cancelled().await;
            sleep(secs(1)).await;
            seen.lock().unwrap().push(("server", ctx.stop_reason()));
            Ok(())
        }
    });
    let every_hour = RestartPolicy::Always { interval: Some(secs(3600)) };
    let relay = TaskSpec::inherit(relay).with_restart(every_hour).with_final_attempt();
    let tree = Tree::builder(supervisor).task(relay).task(TaskSpec::inherit(server).with_after(["relay"])).build();
    tree.start().await?;
    sleep(secs(5)).await;
    tree.shutdown().await?;
    let why = Some(StopReason::Shutdown);
    assert_eq!(*seen.lock().unwrap(), [("relay", None), ("server", why.clone()), ("relay", why)]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k6d_a_final_attempt_is_bounded_and_there_is_one_only() -> Result {
    let (supervisor, recorder) = recorded();
    let script = Script::new([FAIL, Step::Deaf]);
    let spec = script.spec("x").with_backoff(constant(secs(3600))).with_stop_timeout(secs(7)).with_final_attempt();
    let handle = supervisor.add_task(spec).await?;
    settle().await;
    let start = Instant::now();
    assert!(handle.cancel().await?);
    assert_eq!((start.elapsed(), script.attempts()), (secs(7), 2));
    assert!(matches!(handle.outcome().await, TaskOutcome::Aborted { .. }));
    assert_eq!(recorder.kinds_of("x").last(), Some(&EventKind::TaskRemoved));

    // A final attempt that fails is not retried, an attempt that runs is the last one, and a stop timeout of zero
    // leaves no time for one.
    let script = Script::new([FAIL, FAIL]);
    let spec = |name: &str| script.spec(name).with_backoff(constant(secs(3600))).with_final_attempt();
    let handle = supervisor.add_task(spec("y")).await?;
    settle().await;
    assert!(handle.cancel().await?);
    assert!(matches!(handle.outcome().await, TaskOutcome::Canceled { error: Some(_), .. }));
    assert_eq!(script.attempts(), 2);
    let waits = Script::new([Step::Wait]);
    let handle = supervisor.add_task(waits.spec("z").with_final_attempt()).await?;
    settle().await;
    assert!(handle.cancel().await?);
    assert_eq!(waits.attempts(), 1);
    let script = Script::new([FAIL, FAIL]);
    let handle =
        supervisor.add_task(script.spec("now").with_backoff(constant(secs(3600))).with_final_attempt()).await?;
    settle().await;
    assert!(supervisor.cancel_with_timeout("now", Duration::ZERO).await?);
    assert!(matches!(handle.outcome().await, TaskOutcome::Canceled { error: None, .. }));
    assert_eq!(script.attempts(), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k6d_the_final_attempt_keeps_its_own_timeout() -> Result {
    let (supervisor, recorder) = recorded();
    let script = Script::new([FAIL, Step::Deaf]);
    let spec = script.spec("x").with_backoff(constant(secs(3600))).with_timeout(secs(2)).with_final_attempt();
    let handle = supervisor.add_task(spec.with_cleanup(secs(1))).await?;
    settle().await;
    let start = Instant::now();
    assert!(handle.cancel().await?);
    assert_eq!(start.elapsed(), secs(3));
    assert_eq!(recorder.count(EventKind::TimeoutHit), 1);
    let outcome = handle.outcome().await;
    assert!(matches!(&outcome, TaskOutcome::Canceled { error: Some(error), .. } if error.as_label() == "task_timeout"));
    Ok(())
}

/// Its deadline is that of the stop request, and comes closer with a later one.
#[tokio::test(start_paused = true)]
async fn k6d_a_final_attempt_knows_its_deadline() -> Result {
    let supervisor = Supervisor::new(SupervisorConfig { grace: secs(60), ..SupervisorConfig::default() }, vec![]);
    let deadlines = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&deadlines);
    let relay = TaskFn::arc("relay", move |ctx: TaskContext| {
        let (seen, start) = (Arc::clone(&seen), Instant::now());
        let left =
            move |ctx: &TaskContext| ctx.stop_deadline().map(|deadline| deadline.duration_since(start).as_secs());
        async move {
            seen.lock().unwrap().push(left(&ctx));
            if ctx.attempt() == 1 {
                return Err(TaskError::Fail { reason: "the broker is down".into() });
            }
            sleep(secs(2)).await;
            seen.lock().unwrap().push(left(&ctx));
            Ok(())
        }
    });
    let spec = TaskSpec::inherit(relay).with_backoff(constant(secs(3600))).with_stop_timeout(secs(10));
    let spec = spec.with_final_attempt();
    let expected = [None, Some(10), Some(10)];
    let handle = supervisor.add_task(spec.clone()).await?;
    sleep(secs(5)).await;
    assert!(handle.cancel().await?);
    assert_eq!(std::mem::take(&mut *deadlines.lock().unwrap()), expected);

    // A second request with less time: 1 s after the first, for 4 s.
    supervisor.add_task(spec.clone()).await?;
    sleep(secs(5)).await;
    let (first, second) = tokio::join!(supervisor.cancel("relay"), async {
        sleep(secs(1)).await;
        supervisor.cancel_with_timeout("relay", secs(4)).await
    });
    assert!(first? && !second?);
    assert_eq!(std::mem::take(&mut *deadlines.lock().unwrap()), [None, Some(10), Some(5)]);

    supervisor.add_task(spec).await?;
    sleep(secs(5)).await;
    supervisor.shutdown().await?;
    assert_eq!(*deadlines.lock().unwrap(), expected);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k6f_the_clean_up_after_a_timeout_has_a_bound_of_its_own() -> Result {
    let supervisor = supervisor();
    let script = Script::new([Step::Deaf]);
    let start = Instant::now();
    let spec = script.spec("x").with_timeout(secs(10)).with_cleanup(secs(2)).with_stop_timeout(secs(30));
    let handle = supervisor.add_task(spec.with_backoff(constant(secs(1)))).await?;
    sleep(secs(14)).await;
    assert_eq!(script.begun_ms(start), [0, 13_000]);
    let stop = Instant::now();
    assert!(handle.cancel().await?);
    assert_eq!(stop.elapsed(), secs(30));
    Ok(())
}

/// What an attempt leaves to the next one: it fails, and gives back what it has in hand.
struct Outbox {
    left: Mutex<Vec<u32>>,
    /// The stop reasons that the attempts saw when they began.
    seen: Mutex<Vec<Option<StopReason>>>,
}

impl Outbox {
    fn new() -> Arc<Self> {
        Arc::new(Self { left: Mutex::new(vec![1, 2, 3]), seen: Mutex::new(Vec::new()) })
    }

    /// The first attempt runs `fails`, and leaves all. A later one takes it.
    fn relay<F>(self: &Arc<Self>, fails: impl Fn(TaskContext) -> F + Send + Sync + 'static) -> TaskSpec
    where
        F: Future<Output = std::result::Result<(), TaskError>> + Send + 'static,
    {
        let outbox = Arc::clone(self);
        let fails = Arc::new(fails);
        let relay = TaskFn::arc("relay", move |ctx: TaskContext| {
            let (outbox, fails) = (Arc::clone(&outbox), Arc::clone(&fails));
            async move {
                outbox.seen.lock().unwrap().push(ctx.stop_reason());
                if ctx.attempt() == 1 {
                    return fails(ctx).await;
                }
                outbox.left.lock().unwrap().clear();
                Ok(())
            }
        });
        TaskSpec::inherit(relay).with_backoff(constant(secs(3600))).with_final_attempt()
    }

    fn assert_sent_at(&self, why: &StopReason) {
        assert!(self.left.lock().unwrap().is_empty(), "what the first attempt left is lost");
        assert_eq!(*self.seen.lock().unwrap(), [None, Some(why.clone())]);
    }
}

/// The stop is requested in the last poll of an attempt, after its last look. No program could hear of it.
#[tokio::test(start_paused = true)]
async fn k6d_an_attempt_that_cannot_hear_of_the_stop_is_followed_by_the_final_attempt() -> Result {
    let fail = || Err(TaskError::Fail { reason: "the broker is down".into() });
    for succeeds in [false, true] {
        for by_name in [false, true] {
            let ((supervisor, recorder), outbox) = (recorded(), Outbox::new());
            let relay = outbox.relay(move |ctx| async move {
                assert_eq!(ctx.stop_reason(), None);
                if by_name {
                    polled_once(ctx.supervisor().cancel("relay")).await;
                } else {
                    polled_once(ctx.supervisor().shutdown()).await;
                }
                if succeeds { Ok(()) } else { fail() }
            });
            let every_hour = RestartPolicy::Always { interval: Some(secs(3600)) };
            let handle = supervisor.add_task(relay.with_restart(every_hour)).await?;
            let outcome = handle.outcome().await;
            assert!(matches!(outcome, TaskOutcome::Canceled { error: None, finished: true, .. }), "{outcome:?}");
            outbox.assert_sent_at(&if by_name { StopReason::Canceled } else { StopReason::Shutdown });
            let ended = if succeeds { EventKind::TaskStopped } else { EventKind::TaskFailed };
            let kinds = recorder.kinds_of("relay");
            let of_attempts = kinds.iter().filter(|kind| **kind == EventKind::TaskStarting || **kind == ended).count();
            assert_eq!(of_attempts, if succeeds { 4 } else { 3 }, "{kinds:?}");
        }
    }
    Ok(())
}

/// The attempt has failed, and its helpers run on when the stop is requested. They take from the time of the final
/// attempt; if they leave it none, it does not begin.
#[tokio::test(start_paused = true)]
async fn k6d_an_attempt_whose_helpers_outlast_the_stop_request_is_followed_by_the_final_attempt() -> Result {
    for (helper_takes, has_turn) in [(6, true), (10, false), (60, false)] {
        let supervisor = supervisor();
        let deadline = Arc::new(Mutex::new(None));
        let (outbox, of_task) = (Outbox::new(), Arc::clone(&deadline));
        let relay = outbox.relay(move |ctx| {
            let deadline = Arc::clone(&of_task);
            async move {
                let of_helper = ctx.clone();
                ctx.spawn(async move {
                    sleep(secs(helper_takes)).await;
                    *deadline.lock().unwrap() = of_helper.stop_deadline();
                });
                sleep(secs(1)).await;
                Err(TaskError::Fail { reason: "the broker is down".into() })
            }
        });
        let relay = relay.with_cleanup(secs(3600)).with_stop_timeout(secs(7));
        let handle = supervisor.add_task(relay).await?;
        sleep(secs(3)).await;
        let start = Instant::now();
        assert!(handle.cancel().await?);
        assert_eq!(start.elapsed(), secs(7.min(helper_takes - 3)));
        let outcome = handle.outcome().await;
        if has_turn {
            outbox.assert_sent_at(&StopReason::Canceled);
            assert!(matches!(outcome, TaskOutcome::Canceled { error: None, .. }), "{outcome:?}");
            assert_eq!(*deadline.lock().unwrap(), Some(start + secs(7)));
        } else {
            assert!(matches!(outcome, TaskOutcome::Canceled { error: Some(_), .. }), "{outcome:?}");
            assert_eq!(*outbox.seen.lock().unwrap(), [None]);
        }
    }
    Ok(())
}

/// The final attempt after helpers has what they leave of the time.
#[tokio::test(start_paused = true)]
async fn k6d_a_final_attempt_after_helpers_has_the_rest_of_the_time() -> Result {
    let (supervisor, begun) = (supervisor(), Arc::new(Mutex::new(None)));
    let seen = Arc::clone(&begun);
    let relay = TaskFn::arc("relay", move |ctx: TaskContext| {
        let seen = Arc::clone(&seen);
        async move {
            if ctx.attempt() == 1 {
                ctx.spawn(sleep(secs(5)));
                return Err(TaskError::Fail { reason: "the broker is down".into() });
            }
            *seen.lock().unwrap() = Some((Instant::now(), ctx.stop_deadline()));
            pending().await
        }
    });
    let relay = TaskSpec::inherit(relay).with_backoff(constant(secs(3600))).with_cleanup(secs(60));
    let handle = supervisor.add_task(relay.with_stop_timeout(secs(7)).with_final_attempt()).await?;
    sleep(secs(1)).await;
    let start = Instant::now();
    assert!(handle.cancel().await?);
    assert_eq!(start.elapsed(), secs(7));
    assert_eq!(*begun.lock().unwrap(), Some((start + secs(4), Some(start + secs(7)))));
    assert!(matches!(handle.outcome().await, TaskOutcome::Aborted { .. }));
    Ok(())
}

/// A group that decides on the failures of its children does not take the last turn from them.
#[tokio::test(start_paused = true)]
async fn k6d_a_failed_child_of_each_group_has_its_final_attempt() -> Result {
    for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
        for in_last_poll in [false, true] {
            let outbox = Outbox::new();
            let relay = outbox.relay(move |ctx| async move {
                sleep(secs(1)).await;
                if in_last_poll {
                    polled_once(ctx.supervisor().cancel("group/relay")).await;
                }
                Err(TaskError::Fail { reason: "the broker is down".into() })
            });
            let sibling = Script::new([Step::Wait]);
            let group = Group::new("group", strategy).with_limit(5, secs(60)).task(relay).task(sibling.spec("sibling"));
            let tree = Tree::builder(SupervisorConfig::default()).group(group).build();
            tree.start().await?;
            sleep(secs(60)).await;
            let is_down = !in_last_poll && strategy != Strategy::OneForOne;
            let alive = tree.supervisor().is_alive("group/sibling").await;
            assert_eq!((alive, sibling.attempts()), (!is_down, 1), "{strategy:?}");
            tree.shutdown().await?;
            outbox.assert_sent_at(&if in_last_poll { StopReason::Canceled } else { StopReason::Shutdown });
        }
    }
    Ok(())
}

/// What a failed child is after stops when its final attempt has ended, as in any ordered stop.
#[tokio::test(start_paused = true)]
async fn k6d_what_a_failed_child_is_after_outlasts_its_final_attempt() -> Result {
    for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
        for has_limit in [false, true] {
            let relay = TaskFn::arc("relay", move |ctx: TaskContext| async move {
                if ctx.attempt() > 1 {
                    sleep(secs(2)).await;
                    return Ok(());
                }
                sleep(secs(1)).await;
                Err(TaskError::Fail { reason: "the broker is down".into() })
            });
            let relay = TaskSpec::inherit(relay).with_backoff(constant(secs(3600))).with_final_attempt();
            let recorder = Recorder::new();
            let database = Script::new([Step::Wait]);
            let group = Group::new("group", strategy).task(database.spec("database"));
            let group = if has_limit { group.with_limit(5, secs(60)) } else { group };
            let group = group.task(relay.with_after(["database"]));
            let tree = Tree::builder(SupervisorConfig::default()).group(group);
            let tree = tree.with_subscriber(Arc::clone(&recorder)).build();
            tree.start().await?;
            sleep(secs(60)).await;
            let start = Instant::now();
            tree.shutdown().await?;
            assert_eq!(start.elapsed(), secs(2), "{strategy:?}, limit: {has_limit}");
            let seen = recorder.seen();
            let is_end = |seen: &Seen, name| seen.kind == EventKind::TaskRemoved && seen.task.as_deref() == Some(name);
            let ended = |name| seen.iter().position(|seen| is_end(seen, name)).unwrap();
            // With `one_for_all` the database is down, and waits to start with its sibling.
            let is_up = strategy != Strategy::OneForAll;
            assert!(!is_up || ended("group/relay") < ended("group/database"), "{strategy:?}, limit: {has_limit}");
        }
    }
    Ok(())
}
