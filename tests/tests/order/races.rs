//! Two threads that race: each pair of events has one order.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use taskvisor::{
    BackoffPolicy, Event, EventKind, JitterPolicy, RestartPolicy, RuntimeError, StopReason, Subscribe, Supervisor,
    SupervisorConfig, TaskContext, TaskError, TaskFn, TaskSpec, Tree,
};
use tests::{Recorder, Seen, cooperative, deaf};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::task::yield_now;

/// The rounds of each race. `ORDER_RACES` sets another number: how often a race is met depends on the machine.
pub(crate) fn rounds() -> u64 {
    crate::number("ORDER_RACES").unwrap_or(400)
}

pub(crate) fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn place(seen: &[Seen], is: impl Fn(&Seen) -> bool) -> Option<usize> {
    seen.iter().position(is)
}

/// Waits for a moment that differs from round to round.
pub(crate) fn spin(round: u64) {
    for _ in 0..round % 64 * 8 {
        std::hint::spin_loop();
    }
}

const NO_BACKOFF: BackoffPolicy =
    BackoffPolicy { first: Duration::ZERO, max: Duration::ZERO, factor: 1.0, jitter: JitterPolicy::None };

/// A task that fails by the refusal of a supervisor that shuts down is not to blame if its own does, too.
#[test]
fn o06_no_task_is_stopped_by_a_shutdown_before_the_request_is_told() {
    let runtime = runtime();
    let mut excused = 0;
    for round in 0..rounds() {
        let recorder = Recorder::new();
        let supervisor = Supervisor::new(SupervisorConfig::default(), vec![recorder.clone()]);
        runtime.block_on(async {
            let refused = TaskFn::arc("refused", |_: TaskContext| async {
                Err(TaskError::Error(Box::new(RuntimeError::ShuttingDown)))
            });
            let spec = TaskSpec::inherit(refused).with_restart(RestartPolicy::OnFailure).with_backoff(NO_BACKOFF);
            let handle = supervisor.add_task(spec).await.unwrap();
            while handle.status().attempt < 2 {
                yield_now().await;
            }
            spin(round);
            supervisor.shutdown().await.unwrap();
        });
        let seen = recorder.seen();
        let requested = place(&seen, |it| it.kind == EventKind::ShutdownRequested).unwrap();
        let stopped = place(&seen, |it| it.kind == EventKind::TaskStopped && it.stop == Some(StopReason::Shutdown));
        excused += u64::from(stopped.is_some());
        assert!(stopped.is_none_or(|stopped| requested < stopped), "round {round}: {seen:#?}");
    }
    assert!(excused > 0);
}

/// One thread waits for a shutdown, the other one forces it.
#[test]
fn e09_a_force_is_told_before_what_it_aborts_and_before_the_end() {
    let runtime = runtime();
    let mut forced = 0;
    for round in 0..rounds() {
        let recorder = Recorder::new();
        let supervisor = Supervisor::new(SupervisorConfig::default(), vec![recorder.clone()]);
        runtime.block_on(async {
            supervisor.add_task(cooperative("ends")).await.unwrap();
            if round % 2 == 0 {
                supervisor.add_task(deaf("deaf")).await.unwrap();
            }
            yield_now().await;
            let shutdown = supervisor.shutdown();
            let force = tokio::task::spawn_blocking({
                let supervisor = Arc::clone(&supervisor);
                move || {
                    spin(round);
                    drop(supervisor.shutdown_now());
                }
            });
            let _ = shutdown.await;
            force.await.unwrap();
            // A late force ends the delivery.
            while !recorder.kinds().iter().any(|kind| is_end(*kind)) {
                yield_now().await;
            }
            yield_now().await;
        });
        let seen = recorder.seen();
        let end = place(&seen, |it| is_end(it.kind)).unwrap();
        let aborted = place(&seen, |it| it.kind == EventKind::TaskFailed);
        let told = place(&seen, |it| it.kind == EventKind::ShutdownForced);
        forced += u64::from(told.is_some());
        assert!(told.is_none_or(|told| told < end), "round {round}: {seen:#?}");
        assert!(aborted.is_none() || told.is_some_and(|told| Some(told) < aborted), "round {round}: {seen:#?}");
    }
    assert!(forced > 0);
}

fn is_end(kind: EventKind) -> bool {
    matches!(kind, EventKind::AllStoppedWithinGrace | EventKind::GraceExceeded)
}

/// Holds the delivery of the last event up.
#[derive(Default)]
struct Slow {
    is_last: Notify,
    goes_on: Notify,
}

#[async_trait]
impl Subscribe for Slow {
    async fn on_event(&self, event: &Event) {
        if is_end(event.kind) {
            self.is_last.notify_one();
            self.goes_on.notified().await;
        }
    }

    fn name(&self) -> &'static str {
        "slow"
    }
}

#[tokio::test]
async fn t2_no_pause_ends_after_the_last_event() -> Result<(), RuntimeError> {
    let (slow, recorder) = (Arc::new(Slow::default()), Recorder::new());
    let config = SupervisorConfig { drain_timeout: Duration::from_secs(60), ..SupervisorConfig::default() };
    let builder = Tree::builder(config).with_subscriber(Arc::clone(&slow)).with_subscriber(Arc::clone(&recorder));
    let tree = builder.task(cooperative("task")).build();
    tree.start().await?;
    assert!(tree.child("task").pause());
    assert!(tree.slot("slot").pause());
    let shutdown = tokio::spawn(tree.shutdown());
    slow.is_last.notified().await;
    assert!(!tree.child("task").resume() && !tree.slot("slot").resume(), "it is all over");
    slow.goes_on.notify_one();
    shutdown.await.expect("no panic")?;
    assert_eq!(recorder.kinds().last(), Some(&EventKind::AllStoppedWithinGrace));
    Ok(())
}
