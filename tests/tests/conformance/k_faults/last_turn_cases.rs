//! What a review of the final attempt found.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use taskvisor::{
    EventKind, Group, RestartPolicy, RuntimeError, StopReason, Strategy, SupervisorConfig, TaskContext, TaskError,
    TaskFn, TaskOutcome, TaskSpec, Tree,
};
use tests::{Recorder, Script, Seen, Step, constant, polled_once, secs, supervisor};
use tokio::time::{Instant, advance, sleep};

type Result = std::result::Result<(), RuntimeError>;

fn failure(reason: &'static str) -> std::result::Result<(), TaskError> {
    Err(TaskError::Fail { reason: reason.into() })
}

/// How each attempt found its context when it began: the reason of the stop, and the seconds to its deadline.
#[derive(Default)]
struct Turns(Mutex<Vec<(Option<StopReason>, Option<u64>)>>);

impl Turns {
    /// The first attempt runs `first`; a later one takes this time.
    fn task<F>(
        self: &Arc<Self>,
        name: &str,
        takes: Duration,
        first: impl Fn(TaskContext) -> F + Send + Sync + 'static,
    ) -> TaskSpec
    where
        F: Future<Output = std::result::Result<(), TaskError>> + Send + 'static,
    {
        let (turns, first) = (Arc::clone(self), Arc::new(first));
        let task = TaskFn::arc(name, move |ctx: TaskContext| {
            let (turns, first) = (Arc::clone(&turns), Arc::clone(&first));
            async move {
                let left = ctx.stop_deadline().map(|at| at.saturating_duration_since(Instant::now()).as_secs());
                turns.0.lock().unwrap().push((ctx.stop_reason(), left));
                if ctx.attempt() == 1 {
                    return first(ctx).await;
                }
                if !takes.is_zero() {
                    sleep(takes).await;
                }
                Ok(())
            }
        });
        TaskSpec::inherit(task).with_backoff(constant(secs(3600))).with_final_attempt()
    }

    fn reasons(&self) -> Vec<Option<StopReason>> {
        self.0.lock().unwrap().iter().map(|(reason, _)| reason.clone()).collect()
    }

    fn last_left(&self) -> Option<u64> {
        self.0.lock().unwrap().last().and_then(|(_, left)| *left)
    }
}

/// The stop comes in a poll in which the attempt looks again: it hears of it, and is the last one. Its error after the
/// request fails nothing.
#[tokio::test(start_paused = true)]
async fn k6d_an_attempt_that_hears_of_the_stop_in_its_last_poll_is_the_last() -> Result {
    for fatal in [true, false] {
        let (supervisor, turns) = (supervisor(), Arc::<Turns>::default());
        let relay = turns.task("relay", secs(0), move |ctx| async move {
            polled_once(ctx.supervisor().cancel("relay")).await;
            assert!(ctx.is_cancelled());
            assert_eq!(ctx.cancelled().await, StopReason::Canceled);
            if fatal {
                Err(TaskError::Fatal { reason: "the flush failed".into() })
            } else {
                failure("the flush failed")
            }
        });
        let handle = supervisor.add_task(relay).await?;
        let outcome = handle.outcome().await;
        assert!(matches!(outcome, TaskOutcome::Canceled { error: Some(_), .. }), "{outcome:?}");
        assert_eq!(turns.reasons(), [None], "it cleaned up, and ran again");
    }
    Ok(())
}

/// The same for a success: a task that stopped as it was told has not completed.
#[tokio::test(start_paused = true)]
async fn k6d_an_attempt_that_stops_as_told_in_its_last_poll_has_not_completed() -> Result {
    let (supervisor, turns) = (supervisor(), Arc::<Turns>::default());
    let relay = turns.task("relay", secs(0), move |ctx| async move {
        polled_once(ctx.supervisor().cancel("relay")).await;
        assert_eq!(ctx.cancelled().await, StopReason::Canceled);
        Ok(())
    });
    let handle = supervisor.add_task(relay.with_restart(RestartPolicy::OnFailure)).await?;
    let outcome = handle.outcome().await;
    assert!(matches!(outcome, TaskOutcome::Canceled { finished: true, .. }), "{outcome:?}");
    Ok(())
}

fn position(recorder: &Recorder, kind: EventKind, name: &str) -> Option<usize> {
    recorder.seen().iter().position(|seen: &Seen| seen.kind == kind && seen.task.as_deref() == Some(name))
}

/// A child fails while the children after it stop. It has its final attempt, and what it is after stops after that.
#[tokio::test(start_paused = true)]
async fn k6d_what_a_child_is_after_that_fails_in_the_ordered_stop_outlasts_its_final_attempt() -> Result {
    for strategy in [Strategy::RestForOne, Strategy::OneForAll, Strategy::OneForOne] {
        let (recorder, turns, database) = (Recorder::new(), Arc::<Turns>::default(), Script::new([Step::Wait]));
        let relay = turns.task("relay", secs(2), |_| async {
            sleep(secs(11)).await;
            failure("the broker is down")
        });
        let consumer = TaskFn::arc("consumer", |ctx: TaskContext| async move {
            ctx.cancelled().await;
            sleep(secs(3)).await;
            Ok(())
        });
        let group = Group::new("group", strategy)
            .with_limit(5, secs(60))
            .task(database.spec("database"))
            .task(relay.with_after(["database"]))
            .task(TaskSpec::inherit(consumer).with_after(["relay"]));
        let tree = Tree::builder(SupervisorConfig::default()).group(group);
        let tree = tree.with_subscriber(Arc::clone(&recorder)).build();
        tree.start().await?;
        sleep(secs(10)).await;
        tree.shutdown().await?;
        assert_eq!(turns.reasons(), [None, Some(StopReason::Shutdown)], "{strategy:?}");
        let ended = |name| position(&recorder, EventKind::TaskRemoved, name).unwrap();
        assert!(ended("group/relay") < ended("group/database"), "{strategy:?}");
    }
    Ok(())
}

/// The last poll of an attempt blocks its thread after the stop request. The deadline counts from the request.
#[tokio::test(start_paused = true)]
async fn k6d_a_final_attempt_after_a_blocked_thread_has_the_rest_of_the_time() -> Result {
    for blocked in [20, 7, 3] {
        let (supervisor, turns) = (supervisor(), Arc::<Turns>::default());
        let relay = turns.task("relay", secs(0), move |ctx| async move {
            polled_once(ctx.supervisor().cancel("relay")).await;
            // The clock goes on in this poll.
            polled_once(advance(secs(blocked))).await;
            failure("the broker is down")
        });
        let handle = supervisor.add_task(relay.with_stop_timeout(secs(7))).await?;
        handle.outcome().await;
        if blocked < 7 {
            assert_eq!(turns.last_left(), Some(7 - blocked));
        } else {
            assert_eq!(turns.reasons(), [None], "blocked for {blocked} s of 7 s");
        }
    }
    Ok(())
}

/// A final attempt waits for a permit that comes after the time of its task is over.
#[tokio::test(start_paused = true)]
async fn k6d_no_final_attempt_begins_after_its_deadline() -> Result {
    let turns = Arc::<Turns>::default();
    let relay = turns.task("relay", secs(0), |_| async { failure("the broker is down") });
    let holder = Script::new([Step::Wait]);
    let tree = Tree::builder(SupervisorConfig { max_concurrent: 1, grace: secs(60), ..SupervisorConfig::default() })
        .task(holder.spec("holder").with_initial_delay(secs(1)))
        .task(relay.with_after(["holder"]).with_stop_timeout(secs(5)))
        .build();
    tree.start().await?;
    sleep(secs(10)).await;
    // The holder waits for the relay, which waits for the permit of the holder.
    assert_eq!(holder.attempts(), 1);
    let start = Instant::now();
    let result = tree.shutdown().await;
    assert!(start.elapsed() <= secs(6), "{:?} {result:?}", start.elapsed());
    let late = turns.0.lock().unwrap().clone();
    assert!(late.is_empty(), "began 5.1 s after the request, with more than its 5 s: {late:?}");
    Ok(())
}

/// The report of a slow stop does not count the wait before the request.
#[tokio::test(start_paused = true)]
async fn o05_the_wait_before_the_request_is_not_part_of_the_stop() -> Result {
    let (recorder, turns) = (Recorder::new(), Arc::<Turns>::default());
    let relay = turns.task("relay", secs(0), |_| async { failure("the broker is down") });
    let holder = TaskFn::arc("holder", |ctx: TaskContext| async move {
        ctx.cancelled().await;
        sleep(secs(3)).await;
        Ok(())
    });
    let tree = Tree::builder(SupervisorConfig { max_concurrent: 1, grace: secs(60), ..SupervisorConfig::default() })
        .with_subscriber(Arc::clone(&recorder))
        .task(relay)
        .task(TaskSpec::inherit(holder).with_initial_delay(secs(1)))
        .build();
    tree.start().await?;
    sleep(secs(1000)).await;
    tree.shutdown().await?;
    let told = recorder.seen().into_iter().filter(|seen| seen.kind == EventKind::ShutdownWaiting);
    let told: Vec<_> = told.map(|seen| format!("{}: {}", seen.task.unwrap(), seen.reason.unwrap())).collect();
    assert!(told.iter().all(|told| !told.contains("100")), "{told:?}");
    Ok(())
}

/// A group fails because a child exceeds its limit. The final attempt of that child is not the cause.
#[tokio::test(start_paused = true)]
async fn k6d_the_failure_of_a_group_is_that_which_exceeded_its_limit() -> Result {
    for (strategy, aborted) in [
        (Strategy::OneForAll, true),
        (Strategy::OneForOne, true),
        (Strategy::OneForAll, false),
        (Strategy::OneForOne, false),
    ] {
        let relay = TaskFn::arc("relay", move |ctx: TaskContext| async move {
            if ctx.stop_reason().is_none() {
                return failure("the broker is down");
            }
            if aborted {
                std::future::pending::<()>().await;
            }
            failure("the final flush failed")
        });
        let relay = TaskSpec::inherit(relay).with_backoff(constant(secs(1))).with_final_attempt();
        let group = Group::new("group", strategy).with_limit(2, secs(60)).critical();
        let group = group.with_restart(RestartPolicy::Never).task(relay.with_stop_timeout(secs(3)));
        let tree = Tree::builder(SupervisorConfig::default()).group(group).build();
        let error = format!("{:?}", tree.run().await.unwrap_err());
        assert!(error.contains("the broker is down") && !error.contains("final"), "{strategy:?} {aborted}: {error}");
        assert!(!error.contains("abort"), "{strategy:?} {aborted}: {error}");
    }
    Ok(())
}

/// A failed child without the option takes nothing from the time of the others: nothing of it runs.
#[tokio::test(start_paused = true)]
async fn k6a_a_child_that_is_down_has_no_share_of_the_stop() -> Result {
    for nested in [true, false] {
        let consumer = TaskFn::arc("consumer", |ctx: TaskContext| async move {
            ctx.cancelled().await;
            sleep(secs(17) / 2).await;
            Ok(())
        });
        let relay = Script::new([Step::Fail(secs(1))]);
        let group = Group::one_for_all("group").with_limit(5, secs(60)).task(tests::cooperative("database"));
        let group = if nested {
            let chain =
                Group::new("relay", Strategy::RestForOne).with_limit(0, secs(60)).with_backoff(constant(secs(3600)));
            let names = ["a", "b", "c", "d"];
            let chain = names.into_iter().fold(chain, |chain, name| chain.task(tests::cooperative(name)));
            group.group(chain.task(relay.spec("relay")).with_after(["database"]))
        } else {
            group.task(relay.spec("relay").with_backoff(constant(secs(3600))).with_after(["database"]))
        };
        let group = group.task(TaskSpec::inherit(consumer).with_after(["relay"]));
        let config = SupervisorConfig { grace: secs(10), ..SupervisorConfig::default() };
        let tree = Tree::builder(config).group(group).build();
        tree.start().await?;
        sleep(Duration::from_millis(1200)).await;
        let result = tree.shutdown().await;
        assert!(result.is_ok(), "nested: {nested}: {result:?}");
    }
    Ok(())
}
