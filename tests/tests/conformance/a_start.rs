//! A. Start.

mod ownership;
mod specs;
mod trees;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use taskvisor::{
    EventKind, RuntimeError, Supervisor, SupervisorConfig, TaskContext, TaskFn, TaskSpec, TaskState, Tree,
};
use tests::{OK, Recorder, Script, Step, cooperative, recorded, secs, settle, supervisor};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, sleep, timeout};

/// Polls a future that must be ready at once.
fn poll_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future to completion on a thread without a runtime.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn paused() -> Runtime {
    Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

fn two_workers() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a01_an_empty_tree_starts_and_stops_when_it_is_told_to() {
    let recorder = Recorder::new();
    let tree = Tree::builder(SupervisorConfig::default()).with_subscriber(recorder.clone()).build();
    let start = Instant::now();

    let (result, ()) = tokio::join!(tree.run(), async {
        tree.wait_ready().await;
        sleep(secs(3600)).await;
        tree.shutdown().await.unwrap();
    });

    assert!(result.is_ok(), "{result:?}");
    assert_eq!(start.elapsed(), secs(3600), "it stayed up until then, and no longer");
    assert_eq!(recorder.kinds(), [EventKind::ShutdownRequested, EventKind::AllStoppedWithinGrace]);
}

#[tokio::test(start_paused = true)]
async fn a01_an_empty_tree_ends_with_the_future_of_run_until() {
    let tree = Tree::builder(SupervisorConfig::default()).build();
    let start = Instant::now();

    let result = tree.run_until(sleep(secs(5))).await;

    assert!(result.is_ok(), "{result:?}");
    assert_eq!(start.elapsed(), secs(5));
}

#[tokio::test(start_paused = true)]
async fn a05_two_equal_names_in_one_batch_start_nothing() {
    let script = Script::new([OK]);
    let (supervisor, recorder) = recorded();
    let batch = || vec![script.spec("a"), script.spec("twin"), script.spec("b"), script.spec("c").with_name("twin")];
    let tree = Tree::builder(SupervisorConfig::default()).with_subscriber(recorder.clone()).tasks(batch()).build();

    for result in [supervisor.run(batch()).await, tree.start().await, tree.run().await] {
        assert!(matches!(&result, Err(RuntimeError::TaskAlreadyExists { name }) if name == "twin"), "{result:?}");
    }

    settle().await;
    assert_eq!(script.attempts(), 0);
    assert_eq!(recorder.kinds(), []);
    assert!(supervisor.list_tasks().await.is_empty());
    assert!(supervisor.run(vec![script.spec("twin")]).await.is_ok(), "the name is free");
}

#[tokio::test(start_paused = true)]
async fn a05_a_batch_with_a_taken_name_changes_nothing_for_who_has_it() -> Result<(), RuntimeError> {
    let (supervisor, incumbent) = (supervisor(), Script::new([Step::Wait]));
    let handle = supervisor.add_task(incumbent.spec("taken")).await?;
    let other = Script::new([OK]);

    let result = supervisor.run(vec![other.spec("before"), other.spec("taken"), other.spec("after")]).await;

    assert!(matches!(&result, Err(RuntimeError::TaskAlreadyExists { name }) if name == "taken"), "{result:?}");
    settle().await;
    assert_eq!(supervisor.list_tasks().await, ["taken"]);
    assert_eq!(supervisor.task("taken").map(|task| task.id()), Some(handle.id()));
    assert_eq!((handle.status().state, incumbent.attempts(), other.attempts()), (TaskState::Running, 1, 0));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a06_a_second_run_is_refused_and_the_first_goes_on() {
    let (supervisor, first, second) = (supervisor(), Script::new([Step::Succeed(secs(10))]), Script::new([OK]));
    let start = Instant::now();

    let (result, ()) = tokio::join!(supervisor.run(vec![first.spec("first")]), async {
        supervisor.wait_ready().await;
        for result in [
            supervisor.run(vec![second.spec("second")]).await,
            supervisor.run(vec![]).await,
            supervisor.run_until(vec![second.spec("second")], async {}).await,
        ] {
            assert!(matches!(result, Err(RuntimeError::AlreadyRunning)), "{result:?}");
        }
        sleep(secs(5)).await;
        assert_eq!(supervisor.snapshot(), ["first"], "no shutdown was requested");
    });

    assert!(result.is_ok(), "{result:?}");
    assert_eq!((start.elapsed(), first.attempts(), second.attempts()), (secs(10), 1, 0));
    assert!(supervisor.run(vec![second.spec("second")]).await.is_ok(), "the first is over");
}

#[tokio::test(start_paused = true)]
async fn a06_a_second_run_of_a_tree_is_refused_and_start_is_not() {
    let script = Script::new([Step::Succeed(secs(10))]);
    let tree = Tree::builder(SupervisorConfig::default()).task(script.spec("first")).build();

    let (result, ()) = tokio::join!(tree.run(), async {
        tree.wait_ready().await;
        assert!(matches!(tree.run().await, Err(RuntimeError::AlreadyRunning)));
        assert!(tree.start().await.is_ok());
    });

    assert!(result.is_ok(), "{result:?}");
    assert_eq!(script.attempts(), 1, "it was started once");
}

#[test]
fn a08_the_first_use_outside_a_runtime_is_a_typed_error_and_a_later_one_inside_works() {
    let script = Script::new([OK]);
    let supervisor = supervisor();
    let tree = Tree::builder(SupervisorConfig::default()).task(script.spec("in_tree")).build();

    for result in [
        poll_once(supervisor.add_task(script.spec("added"))).map(drop),
        poll_once(supervisor.run(vec![script.spec("run")])),
        poll_once(supervisor.run(vec![])),
        poll_once(supervisor.run_until(vec![script.spec("run")], async {})),
        poll_once(tree.start()),
        poll_once(tree.run()),
        poll_once(tree.run_until(async {})),
    ] {
        assert!(matches!(result, Err(RuntimeError::NoRuntime)), "{result:?}");
    }
    assert!(poll_once(supervisor.list_tasks()).is_empty());
    assert!(!poll_once(supervisor.cancel("run")).unwrap());

    current_thread().block_on(async {
        supervisor.add_task(script.spec("added")).await.unwrap();
        supervisor.run(vec![script.spec("run")]).await.unwrap();
        tree.start().await.unwrap();
        tree.run().await.unwrap();
    });
    assert_eq!(script.attempts(), 3);
}

#[test]
fn a08_a_supervisor_that_was_used_can_be_called_from_any_thread() {
    let supervisor = supervisor();
    let runtime = two_workers();
    runtime.block_on(supervisor.add_task(cooperative("first"))).unwrap();

    let handle = supervisor.handle();
    let caller = thread::spawn(move || {
        block_on(handle.add_task(cooperative("second")))?;
        assert_eq!(block_on(handle.list_tasks()), ["first", "second"]);
        assert!(block_on(handle.cancel("first"))?);
        let second = handle.task("second").unwrap();
        assert!(block_on(second.cancel())?);
        block_on(handle.shutdown())
    });

    let result = caller.join().expect("a call from a thread of no runtime must not panic");
    assert!(result.is_ok(), "{result:?}");
    drop(runtime);
}

#[test]
fn a08_a_run_outside_a_runtime_works_or_is_a_typed_error_after_a_use_inside_one() {
    for signals in [true, false] {
        let supervisor =
            Supervisor::new(SupervisorConfig { signals: signals.into(), ..SupervisorConfig::default() }, vec![]);
        let runtime = two_workers();
        runtime.block_on(supervisor.add_task(Script::new([OK]).spec("before"))).unwrap();

        let caller = thread::spawn(move || block_on(supervisor.run(vec![Script::new([OK]).spec("run")])));

        let result = caller.join().expect("it must not panic");
        assert!(matches!(result, Ok(()) | Err(RuntimeError::NoRuntime)), "{result:?}");
        drop(runtime);
    }
}

#[test]
fn a08_building_outside_a_runtime_works_and_so_does_shutting_down() {
    let supervisor = Supervisor::builder(SupervisorConfig::default()).try_build().unwrap();

    assert!(poll_once(supervisor.shutdown()).is_ok(), "there was nothing to stop");

    let result = current_thread().block_on(supervisor.add_task(cooperative("late")));
    assert!(matches!(result, Err(RuntimeError::ShuttingDown)), "{result:?}");
}

#[tokio::test(start_paused = true)]
async fn a09_wait_ready_returns_when_called_before_during_and_after_start() {
    let supervisor = Supervisor::new(SupervisorConfig { max_concurrent: 1, ..SupervisorConfig::default() }, vec![]);
    let start = Instant::now();
    let ready = || async {
        supervisor.wait_ready().await;
        start.elapsed()
    };
    let batch = vec![Script::new([Step::Succeed(secs(3))]).spec("at_once"), cooperative("later")];

    let (result, before, during, after) = tokio::join!(
        async {
            sleep(secs(1)).await;
            supervisor.run_until(batch, sleep(secs(9))).await
        },
        ready(),
        async {
            sleep(secs(2)).await;
            ready().await
        },
        async {
            sleep(secs(8)).await;
            ready().await
        },
    );

    assert!(result.is_ok(), "{result:?}");
    assert_eq!((before, during, after), (secs(4), secs(4), secs(8)));
}

#[tokio::test(start_paused = true)]
async fn a09_tasks_that_were_added_do_not_count_for_readiness() -> Result<(), RuntimeError> {
    let supervisor = supervisor();
    supervisor.add_task(cooperative("added")).await?;
    assert!(timeout(secs(100), supervisor.wait_ready()).await.is_err(), "no batch was started");

    let tree = Tree::builder(SupervisorConfig::default()).task(cooperative("declared")).build();
    tree.supervisor().add_task(cooperative("slow").with_initial_delay(secs(50))).await?;
    let start = Instant::now();
    tree.start().await?;
    tree.wait_ready().await;

    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(tree.supervisor().snapshot(), ["declared"]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a09_who_ends_before_its_first_attempt_is_not_waited_for() -> Result<(), RuntimeError> {
    let specs = [cooperative("a"), cooperative("never").with_initial_delay(secs(100))];
    let tree = Tree::builder(SupervisorConfig::default()).tasks(specs).build();
    tree.start().await?;
    let start = Instant::now();

    let ((), canceled) = tokio::join!(tree.wait_ready(), async {
        sleep(secs(5)).await;
        tree.child("never").cancel().await
    });

    assert!(canceled?);
    assert_eq!(start.elapsed(), secs(5));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a09_wait_ready_returns_when_the_supervisor_stops() -> Result<(), RuntimeError> {
    let never_started = supervisor();
    let start = Instant::now();
    let ((), result) = tokio::join!(never_started.wait_ready(), async {
        sleep(secs(5)).await;
        never_started.shutdown().await
    });
    result?;
    assert_eq!(start.elapsed(), secs(5));
    never_started.wait_ready().await;

    let tree = Tree::builder(SupervisorConfig::default()).task(cooperative("a").with_initial_delay(secs(100))).build();
    tree.start().await?;
    let ((), result) = tokio::join!(tree.wait_ready(), tree.shutdown());
    result?;
    assert_eq!(start.elapsed(), secs(5));
    Ok(())
}

/// Longer than any machine needs: a run that hangs fails the test.
const HANGS: Duration = Duration::from_secs(300);
const TIMES: usize = 10_000;

/// Runs a task that ends within microseconds, many times, each time with a supervisor from `supervisors`.
async fn run_and_run(mut supervisors: impl FnMut() -> Arc<Supervisor>) {
    let count = Arc::new(AtomicUsize::new(0));
    for time in 0..TIMES {
        let counter = Arc::clone(&count);
        let task = TaskFn::arc("instant", move |_: TaskContext| {
            let counter = Arc::clone(&counter);
            async move {
                if time % 2 == 0 {
                    tokio::task::yield_now().await;
                }
                counter.fetch_add(1, Ordering::SeqCst);
                Ok(())
            }
        });
        let supervisor = supervisors();
        let result = timeout(HANGS, supervisor.run(vec![TaskSpec::inherit(task)])).await;
        assert!(matches!(result, Ok(Ok(()))), "run {time}: {result:?}");
        assert_eq!(count.load(Ordering::SeqCst), time + 1, "it ran before `run` returned");
        assert!(supervisor.list_tasks().await.is_empty());
    }
}

#[test]
fn a10_a_run_of_an_instant_task_returns_ten_thousand_times_on_one_worker() {
    current_thread().block_on(run_and_run(supervisor));
}

#[test]
fn a10_a_run_of_an_instant_task_returns_ten_thousand_times_on_two_workers() {
    let runtime = two_workers();
    // Runs on a worker, not on the thread of `block_on`.
    runtime.block_on(async { tokio::spawn(run_and_run(supervisor)).await.unwrap() });
}

#[test]
fn a10_one_supervisor_can_run_ten_thousand_times_on_two_workers() {
    let (supervisor, recorder) = recorded();
    two_workers().block_on(run_and_run(|| Arc::clone(&supervisor)));

    for kind in [EventKind::TaskAdded, EventKind::TaskStarting, EventKind::TaskStopped, EventKind::TaskRemoved] {
        assert_eq!(recorder.count(kind), TIMES, "{kind}: told before `run` returned");
    }
}

#[tokio::test(start_paused = true)]
async fn a11_run_stays_up_while_tasks_that_were_added_live_and_can_run_again() -> Result<(), RuntimeError> {
    let supervisor = supervisor();
    let start = Instant::now();

    let (result, added) = tokio::join!(supervisor.run(vec![Script::new([Step::Succeed(secs(2))]).spec("a")]), async {
        sleep(secs(1)).await;
        supervisor.add_task(Script::new([Step::Succeed(secs(5))]).spec("b")).await?;
        sleep(secs(4)).await;
        supervisor.add_task(Script::new([Step::Succeed(secs(3))]).spec("c")).await
    });

    result?;
    assert_eq!(start.elapsed(), secs(8), "from `a` to the end of the last");
    assert!(added?.outcome().await.is_completed());

    let again = Script::new([Step::Succeed(secs(1))]);
    supervisor.run(vec![again.spec("a")]).await?;
    assert_eq!((start.elapsed(), again.attempts()), (secs(9), 1));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a11_run_waits_for_tasks_that_were_added_before_it() -> Result<(), RuntimeError> {
    let supervisor = supervisor();
    let start = Instant::now();
    supervisor.add_task(Script::new([Step::Succeed(secs(5))]).spec("before")).await?;

    supervisor.run(vec![Script::new([OK]).spec("batch")]).await?;

    assert_eq!(start.elapsed(), secs(5));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a11_run_of_nothing_stays_up_until_shutdown() -> Result<(), RuntimeError> {
    let supervisor = supervisor();
    let start = Instant::now();
    let script = Script::new([OK]);

    let (result, shutdown) = tokio::join!(supervisor.run(vec![]), async {
        supervisor.wait_ready().await;
        let outcome = supervisor.add_task(script.spec("visitor")).await?.outcome().await;
        assert!(outcome.is_completed());
        sleep(secs(3600)).await;
        supervisor.shutdown().await
    });

    result?;
    shutdown?;
    assert_eq!((start.elapsed(), script.attempts()), (secs(3600), 1));
    let refused = supervisor.run(vec![]).await;
    assert!(matches!(refused, Err(RuntimeError::ShuttingDown)), "{refused:?}");
    Ok(())
}
