//! K5: supervisors whose tasks run on several runtimes, or on one that has ended.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;

use taskvisor::{
    ControllerError, ControllerSpec, EventKind, RuntimeError, Shutdown, Supervisor, SupervisorConfig, TaskOutcome,
    TaskState, Tree,
};
use tests::{FAIL, Recorder, Script, Step, constant, cooperative, ms, secs, supervisor};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{sleep, timeout};

use super::{FOREVER, Result, with_grace};

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn workers() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Polls the future once, on no runtime.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

/// A shutdown that was requested and not awaited.
struct Requested(Shutdown);

fn requested(supervisor: &Supervisor) -> impl Future<Output = Requested> {
    std::future::poll_fn(|_| Poll::Ready(Requested(supervisor.shutdown())))
}

fn is_no_runtime<T>(result: &std::result::Result<T, RuntimeError>) -> bool {
    matches!(result, Err(RuntimeError::NoRuntime))
}

#[test]
fn k5e_calls_after_their_runtime_is_gone_say_that_there_is_none() {
    for runtime in [one_thread(), workers()] {
        let supervisor = supervisor();
        let first = runtime.block_on(supervisor.add_task(cooperative("first"))).unwrap();
        let handle = runtime.handle().clone();
        drop(runtime);
        assert!(matches!(at_once(first.outcome()), TaskOutcome::Aborted { .. }));
        let tree = Tree::builder(with_grace(secs(1))).task(cooperative("declared")).build();
        let ordered = Tree::builder(with_grace(secs(1)))
            .task(cooperative("declared"))
            .task(cooperative("after").with_after(["declared"]))
            .build();
        for entered in [false, true] {
            let _entered = entered.then(|| handle.enter());
            assert!(is_no_runtime(&at_once(supervisor.add_task(cooperative("late")))), "entered: {entered}");
            let submitted = supervisor.try_submit(ControllerSpec::queue(cooperative("job")));
            assert!(matches!(submitted, Err(ControllerError::NoRuntime)), "entered: {entered}");
            assert!(at_once(supervisor.list_tasks()).is_empty());
            assert!(is_no_runtime(&at_once(tree.start())) && is_no_runtime(&at_once(ordered.start())));
        }
        // Supervisor and trees can be used on another runtime.
        let other = one_thread();
        other.block_on(async {
            supervisor.add_task(cooperative("late")).await.unwrap();
            for tree in [tree, ordered] {
                tree.start().await.unwrap();
                tree.wait_ready().await;
                assert!(tree.supervisor().is_alive("declared").await);
                tree.shutdown().await.unwrap();
            }
            supervisor.shutdown().await.unwrap();
        });
    }
}

/// A task that takes a moment to stop.
fn slow(name: &str) -> taskvisor::TaskSpec {
    taskvisor::TaskSpec::inherit(taskvisor::TaskFn::arc(name, |ctx: taskvisor::TaskContext| async move {
        ctx.cancelled().await;
        sleep(ms(20)).await;
        Ok(())
    }))
}

async fn is_running(supervisor: &Supervisor, name: &str) {
    while supervisor.task(name).is_none_or(|task| task.status().state != TaskState::Running) {
        sleep(ms(1)).await;
    }
}

#[test]
fn k5e_a_runtime_that_is_gone_takes_no_task_of_another_with_it() {
    for requested_on_another_thread in [false, true] {
        for (first, second) in [(one_thread(), workers()), (workers(), one_thread()), (workers(), workers())] {
            let supervisor = supervisor();
            first.block_on(supervisor.add_task(cooperative("first"))).unwrap();
            let task = second.block_on(async {
                let task = supervisor.add_task(slow("second")).await.unwrap();
                is_running(&supervisor, "second").await;
                task
            });
            drop(first);
            let shutdown = if requested_on_another_thread {
                supervisor.shutdown()
            } else {
                second.block_on(requested(&supervisor)).0
            };
            let result = second.block_on(async { timeout(FOREVER, shutdown).await.expect("hangs") });
            assert!(result.is_ok(), "{result:?}");
            assert!(matches!(at_once(task.outcome()), TaskOutcome::Canceled { .. }));
        }
    }
}

/// The shutdown was requested on the first runtime, which also has a task.
#[test]
fn k5e_a_runtime_that_goes_during_the_shutdown_takes_no_task_of_another_with_it() {
    let (first, second, supervisor) = (one_thread(), workers(), supervisor());
    first.block_on(supervisor.add_task(slow("first"))).unwrap();
    let task = second.block_on(async {
        let task = supervisor.add_task(slow("second")).await.unwrap();
        is_running(&supervisor, "second").await;
        task
    });
    let shutdown = first.block_on(requested(&supervisor)).0;
    drop(first);
    let result = second.block_on(async { timeout(FOREVER, shutdown).await.expect("hangs") });
    assert_eq!(super::stuck(result), ["first"]);
    assert!(matches!(at_once(task.outcome()), TaskOutcome::Canceled { .. }));
}

#[test]
fn k5e_a_shutdown_ends_with_the_runtime_of_its_tasks() {
    let (runtime, supervisor) = (workers(), Supervisor::new(with_grace(secs(3600)), vec![]));
    let shutdown = runtime.block_on(async {
        supervisor.add_task(tests::deaf("deaf")).await.unwrap();
        is_running(&supervisor, "deaf").await;
        let shutdown = requested(&supervisor).await;
        // By now the shutdown is under way.
        sleep(ms(20)).await;
        shutdown
    });
    drop(runtime);
    let result = one_thread().block_on(async { timeout(FOREVER, shutdown.0).await.expect("hangs") });
    assert_eq!(super::stuck(result), ["deaf"]);
}

#[test]
fn k5p_a_shutdown_requested_on_a_runtime_that_nobody_drives_happens() -> Result {
    let (idle, own, supervisor) = (one_thread(), workers(), supervisor());
    let task = own.block_on(supervisor.add_task(slow("task")))?;
    own.block_on(is_running(&supervisor, "task"));
    let entered = idle.enter();
    let shutdown = supervisor.shutdown();
    drop(entered);
    let outcome = own.block_on(async { timeout(FOREVER, task.outcome()).await.expect("hangs") });
    assert!(matches!(outcome, TaskOutcome::Canceled { .. }));
    own.block_on(async { timeout(FOREVER, shutdown).await.expect("hangs") })
}

#[test]
fn k5p_a_shutdown_of_tasks_that_nobody_drives_ends_with_the_grace() {
    let config = SupervisorConfig { drain_timeout: ms(0), ..with_grace(ms(50)) };
    let (idle, supervisor) = (one_thread(), Supervisor::new(config, vec![]));
    idle.block_on(supervisor.add_task(cooperative("task"))).unwrap();
    let result = workers().block_on(async { timeout(FOREVER, supervisor.shutdown()).await.expect("hangs") });
    assert_eq!(super::stuck(result), ["task"]);
}

#[test]
fn k5p_each_runtime_needs_timers_of_its_own() {
    let (timed, supervisor) = (one_thread(), supervisor());
    let bare = Builder::new_current_thread().build().unwrap();
    assert!(is_no_runtime(&bare.block_on(supervisor.add_task(cooperative("early")))));
    timed.block_on(supervisor.add_task(cooperative("task"))).unwrap();
    assert!(is_no_runtime(&bare.block_on(supervisor.add_task(cooperative("late")))));
    let workers = workers();
    workers.block_on(supervisor.add_task(cooperative("other"))).unwrap();
    let names = timed.block_on(supervisor.list_tasks());
    assert_eq!(names, ["other", "task"]);
}

/// The shutdown runs on other threads beside its force. Several at a time, so that threads are interrupted anywhere.
#[test]
fn k5m_a_shutdown_that_is_forced_at_once_is_told_in_order_and_to_its_end() {
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let runtime = workers();
                (0..150).for_each(|_| runtime.block_on(forced_at_once()));
            });
        }
    });
}

async fn forced_at_once() {
    let recorder = Recorder::new();
    let tree = Tree::builder(with_grace(secs(20)))
        .with_subscriber(recorder.clone())
        .task(cooperative("one"))
        .task(cooperative("two"))
        .build();
    tree.start().await.unwrap();
    tree.wait_ready().await;
    let handle = tree.supervisor().handle();
    let shutdown = thread::spawn(move || handle.shutdown_now()).join().unwrap();
    let result = shutdown.await;
    assert!(matches!(result, Ok(()) | Err(RuntimeError::ShutdownForced { .. })));
    let seen: Vec<_> = recorder.seen().iter().map(|seen| seen.kind).collect();
    let at = |wanted| seen.iter().position(|kind| *kind == wanted);
    let (requested, forced) = (at(EventKind::ShutdownRequested), at(EventKind::ShutdownForced));
    assert!(requested.is_some() && requested < forced, "{seen:?}");
    let end = at(if result.is_ok() { EventKind::AllStoppedWithinGrace } else { EventKind::GraceExceeded });
    assert!(forced < end, "{seen:?}");
    // What a forced shutdown leaves ends later.
    assert!(result.is_err() || end == Some(seen.len() - 1), "{seen:?}");
}

/// What ends with its runtime leaves nothing behind, and helpers elsewhere learn of it.
#[test]
fn k5e_a_task_that_ends_with_its_runtime_is_dropped_and_its_token_canceled() {
    for runtime in [one_thread(), workers()] {
        let (supervisor, held) = (supervisor(), Arc::new(()));
        let (sender, receiver) = mpsc::channel();
        let kept = Arc::clone(&held);
        let task = taskvisor::TaskFn::arc("t", move |ctx: taskvisor::TaskContext| {
            let _ = &kept;
            sender.send(ctx.token()).unwrap();
            std::future::pending()
        });
        let handle = runtime.block_on(supervisor.add_task(taskvisor::TaskSpec::inherit(task))).unwrap();
        runtime.block_on(is_running(&supervisor, "t"));
        let token = receiver.recv().unwrap();
        assert!(!token.is_cancelled());
        drop(runtime);
        assert!(matches!(at_once(handle.outcome()), TaskOutcome::Aborted { .. }));
        assert_eq!((token.is_cancelled(), Arc::strong_count(&held)), (true, 1));
    }
}

/// On Windows, signals need no IO of the runtime.
#[cfg(unix)]
#[test]
fn k5e_start_on_a_runtime_without_io_says_that_it_cannot_listen() {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let tree = Tree::builder(with_grace(secs(1))).task(cooperative("t")).build();
    let started = runtime.block_on(tree.start());
    assert!(matches!(started, Err(RuntimeError::Signals(_))), "{started:?}");
    // Nothing has started, and a runtime with IO can start it.
    one_thread().block_on(async {
        tree.start().await.unwrap();
        tree.shutdown().await.unwrap();
    });
}

/// The runtime of the task is not driven, so the task cannot end within its time.
#[test]
fn k5e_the_outcome_at_the_deadline_stands_when_the_runtime_goes() {
    let (first, second, supervisor) = (one_thread(), one_thread(), Supervisor::new(with_grace(secs(3600)), vec![]));
    let script = Script::new([FAIL, Step::Wait]);
    let task = first.block_on(supervisor.add_task(script.spec("t").with_backoff(constant(ms(1))))).unwrap();
    first.block_on(async {
        while (task.status().attempt, task.status().state) != (2, TaskState::Running) {
            sleep(ms(1)).await;
        }
    });
    let canceled = second.block_on(supervisor.cancel_with_timeout("t", ms(20)));
    assert!(matches!(canceled, Err(RuntimeError::TaskRemoveTimeout { .. })), "{canceled:?}");
    drop(first);
    assert_eq!(task.status().state, TaskState::Ended);
    let outcome = task.try_outcome();
    assert!(matches!(outcome, Some(TaskOutcome::Aborted { error: Some(_) })), "{outcome:?}");
}

/// Nothing can run there, and the subscriber is told of the end nevertheless.
#[test]
fn k5e_the_end_is_told_on_a_runtime_without_timers() {
    for mut runtime in [Builder::new_current_thread(), Builder::new_multi_thread()] {
        for drain in [secs(0), secs(9)] {
            let recorder = Recorder::new();
            let config = SupervisorConfig { drain, ..with_grace(secs(9)) };
            let supervisor = Supervisor::new(config, vec![recorder.clone()]);
            runtime.build().unwrap().block_on(async { supervisor.shutdown().await }).unwrap();
            let kinds = recorder.kinds();
            assert_eq!(kinds, [EventKind::ShutdownRequested, EventKind::AllStoppedWithinGrace], "{drain:?}");
        }
    }
}
