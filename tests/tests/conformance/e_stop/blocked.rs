//! Tasks that block their thread.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use taskvisor::{
    EventKind, RuntimeError, Supervisor, SupervisorConfig, TaskContext, TaskFn, TaskHandle, TaskOutcome, TaskSpec,
    TaskState,
};
use tests::{Recorder, cooperative, longer, ms, secs, supervisor};

use super::{FOREVER, Result, stuck, with_grace};

/// A task that blocks its thread.
struct Blocker {
    spec: TaskSpec,
    blocked: mpsc::Receiver<()>,
    release: mpsc::Sender<()>,
}

impl Blocker {
    fn new(name: &str) -> Self {
        let (enter, blocked) = mpsc::channel();
        let (release, released) = mpsc::channel();
        let shared = Arc::new((Mutex::new(enter), Mutex::new(released)));
        let task = TaskFn::arc(name, move |_: TaskContext| {
            let shared = Arc::clone(&shared);
            async move {
                shared.0.lock().unwrap().send(()).unwrap();
                let _ = shared.1.lock().unwrap().recv();
                Ok(())
            }
        });
        Self { spec: TaskSpec::inherit(task), blocked, release }
    }

    fn wait_until_blocked(&self) {
        self.blocked.recv_timeout(FOREVER).unwrap();
    }
}

/// Polls the condition until it holds.
async fn eventually(what: &str, is_so: impl AsyncFn() -> bool) {
    let look = async {
        while !is_so().await {
            tokio::time::sleep(ms(1)).await;
        }
    };
    assert!(tokio::time::timeout(FOREVER, look).await.is_ok(), "never: {what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e11_run_returns_though_a_task_blocks_its_thread_and_its_name_waits_for_the_real_end() {
    let mut graces = longer(ms(100));
    let (supervisor, release) = loop {
        // given
        let grace = graces.next().expect("the polite one stops in time");
        let supervisor = Supervisor::new(with_grace(grace), vec![]);
        let Blocker { spec, blocked, release } = Blocker::new("stuck");
        let until = async {
            while blocked.try_recv().is_err() {
                tokio::time::sleep(ms(1)).await;
            }
        };
        // when
        let batch = vec![spec, cooperative("polite")];
        let result = tokio::time::timeout(FOREVER, supervisor.run_until(batch, until)).await.expect("hangs");
        // then
        if stuck(result) == ["stuck"] {
            break (supervisor, release);
        }
    };
    let task = supervisor.task("stuck").expect("its name is its own until it really ends");
    assert!(matches!(task.outcome().await, TaskOutcome::Aborted { error: None }), "known before the end");
    assert_eq!(supervisor.list_tasks().await, ["stuck"]);
    assert_eq!(task.status().state, TaskState::Stopping);
    assert!(!task.restart() && !task.trigger());
    // when
    release.send(()).unwrap();
    // then
    eventually("the name is free", async || supervisor.list_tasks().await.is_empty()).await;
    assert_eq!(task.status().state, TaskState::Ended);
    assert!(matches!(task.outcome().await, TaskOutcome::Aborted { error: None }), "it resolved once");
}

/// Runs a task that blocks its thread after a wait, which `start` may cut short, and checks the events. It runs on a
/// thread of its own: if the runtime's timers stand still, a timeout of that runtime never fires.
fn blocks_after_a_wait(wait: Duration, start: fn(&TaskHandle) -> bool) {
    let (done, is_done) = mpsc::channel();
    let Blocker { spec, blocked, release } = Blocker::new("stuck");
    std::thread::spawn(move || {
        // given
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let recorder = Recorder::new();
        let supervisor = Supervisor::new(with_grace(ms(100)), vec![recorder.clone()]);
        let task = runtime.block_on(supervisor.add_task(spec.with_initial_delay(wait))).unwrap();
        // The runtime is idle, so that the thread that is about to block has to wake the delivery of events.
        std::thread::sleep(ms(50));
        start(&task);
        blocked.recv_timeout(FOREVER).unwrap();
        // when
        let result = runtime.block_on(supervisor.shutdown());
        // then
        assert_eq!(stuck(result), ["stuck"]);
        let told = [EventKind::TaskAddRequested, EventKind::TaskAdded, EventKind::TaskStarting];
        assert_eq!(recorder.kinds_of("stuck"), told, "told before the verdict, and no more");
        assert_eq!(recorder.kinds().last(), Some(&EventKind::GraceExceeded));
        // when
        release.send(()).unwrap();
        // then
        let removed = async || recorder.count(EventKind::TaskRemoved) == 1;
        runtime.block_on(eventually("it is removed", removed));
        assert_eq!(recorder.kinds().last(), Some(&EventKind::TaskRemoved));
        done.send(()).unwrap();
    });
    assert!(is_done.recv_timeout(2 * FOREVER).is_ok(), "it hangs, or has panicked");
}

#[test]
fn e11_subscribers_hear_the_verdict_while_a_task_blocks_its_thread_and_its_removal_later() {
    blocks_after_a_wait(secs(3600), TaskHandle::trigger);
}

#[test]
fn e11_a_task_that_blocks_its_thread_when_its_wait_is_over_does_not_stop_the_clock() {
    blocks_after_a_wait(ms(10), |_| true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e11_a_cancel_of_a_blocked_task_times_out_and_name_and_permit_stay_taken() -> Result {
    // given
    let config = SupervisorConfig { max_concurrent: 1, ..SupervisorConfig::default() };
    let supervisor = Supervisor::new(config, vec![]);
    let blocker = Blocker::new("stuck");
    let task = supervisor.add_task(blocker.spec.clone()).await?;
    blocker.wait_until_blocked();
    // when
    let canceled = supervisor.cancel_with_timeout("stuck", ms(50)).await;
    // then
    let Err(RuntimeError::TaskRemoveTimeout { name, timeout }) = canceled else { panic!("{canceled:?}") };
    assert_eq!((name.as_str(), timeout), ("stuck", ms(50)));
    assert!(matches!(task.outcome().await, TaskOutcome::Aborted { error: None }));
    let again = supervisor.add_task(cooperative("stuck")).await;
    assert!(matches!(again, Err(RuntimeError::TaskAlreadyExists { .. })));
    let next = supervisor.add_task(cooperative("next")).await?;
    tokio::time::sleep(ms(50)).await;
    assert_eq!((next.status().state, next.status().attempt), (TaskState::Pending, 0), "the permit is taken");
    // when
    blocker.release.send(()).unwrap();
    // then
    eventually("the permit is free", async || next.status().state == TaskState::Running).await;
    assert_eq!(supervisor.list_tasks().await, ["next"]);
    assert!(supervisor.add_task(cooperative("stuck")).await.is_ok());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e11_a_task_that_a_cancel_gave_up_on_is_named_by_the_shutdown() -> Result {
    let supervisor = Supervisor::new(with_grace(ms(50)), vec![]);
    let blocker = Blocker::new("stuck");
    let task = supervisor.add_task(blocker.spec.clone()).await?;
    blocker.wait_until_blocked();
    assert!(task.cancel().await.is_err());
    let result = tokio::time::timeout(FOREVER, supervisor.shutdown()).await.expect("hangs");
    blocker.release.send(()).unwrap();
    assert_eq!(stuck(result), ["stuck"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e11_the_events_end_with_the_last_task_also_after_the_shutdown() -> Result {
    let supervisor = Supervisor::new(with_grace(ms(50)), vec![]);
    let blocker = Blocker::new("stuck");
    let mut events = supervisor.events();
    supervisor.add_task(blocker.spec.clone()).await?;
    blocker.wait_until_blocked();
    let result = tokio::time::timeout(FOREVER, supervisor.shutdown()).await.expect("hangs");
    assert_eq!(stuck(result), ["stuck"]);
    // when
    blocker.release.send(()).unwrap();
    // then
    let mut kinds = Vec::new();
    let read = async {
        while let Some(event) = events.next().await {
            kinds.push(event.expect("none is lost").kind);
        }
    };
    tokio::time::timeout(FOREVER, read).await.expect("the stream ends");
    assert_eq!(kinds.last(), Some(&EventKind::TaskRemoved), "{kinds:?}");
    Ok(())
}

#[test]
fn e11_a_task_that_a_cancel_gave_up_on_is_named_though_the_runtime_goes_away() {
    // given
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (supervisor, blocker) = (supervisor(), Blocker::new("stuck"));
    let task = runtime.block_on(supervisor.add_task(blocker.spec.clone())).unwrap();
    blocker.wait_until_blocked();
    assert!(runtime.block_on(supervisor.cancel_with_timeout("stuck", ms(10))).is_err());
    assert!(matches!(runtime.block_on(task.outcome()), TaskOutcome::Aborted { error: None }));
    // when
    let entered = runtime.enter();
    let shutdown = supervisor.shutdown();
    drop(entered);
    runtime.shutdown_background();
    // then
    let other = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let result = other.block_on(async { tokio::time::timeout(FOREVER, shutdown).await.expect("hangs") });
    blocker.release.send(()).unwrap();
    assert_eq!(stuck(result), ["stuck"]);
}
