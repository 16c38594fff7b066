//! K5: calls from threads without a runtime, from futures that are polled as their runtime ends, and from user code at the
//! end of an attempt.

use std::error::Error;
use std::fmt;
use std::future::pending;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;

use taskvisor::{
    EventKind, Group, RestartPolicy, RuntimeError, StopReason, SupervisorConfig, SupervisorHandle, TaskContext,
    TaskError, TaskFn, TaskSpec, TaskState, Tree,
};
use tests::{cooperative, ms, recorded, secs, supervisor};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::a_start::block_on;

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// A task that takes a moment to stop, and keeps the reason.
fn slow(name: &str, revision: u64, told: &Arc<Mutex<Vec<StopReason>>>) -> TaskSpec {
    let told = Arc::clone(told);
    let task = TaskFn::arc(name, move |ctx: TaskContext| {
        let told = Arc::clone(&told);
        async move {
            let reason = ctx.cancelled().await;
            told.lock().unwrap().push(reason);
            sleep(ms(20)).await;
            Ok(())
        }
    });
    TaskSpec::inherit(task).with_revision(revision)
}

#[test]
fn k5e_a_thread_without_a_runtime_can_wait_although_the_oldest_runtime_has_ended() {
    let (first, second) = (runtime(), runtime());
    let (supervisor, told) = (supervisor(), Arc::default());
    first.block_on(supervisor.add_task(cooperative("first"))).unwrap();
    let tasks = ["a", "b", "c", "d"].map(|name| second.block_on(supervisor.add_task(slow(name, 0, &told))).unwrap());
    drop(first);
    assert!(block_on(tasks[0].cancel()).unwrap());
    assert!(block_on(supervisor.cancel("b")).unwrap());
    assert!(block_on(supervisor.cancel_with_timeout("c", secs(30))).unwrap());
    assert!(block_on(supervisor.remove_task("d")).is_ok());
    for task in &tasks {
        block_on(task.outcome());
    }
    block_on(supervisor.shutdown()).unwrap();
}

/// The runtime of the tasks ends while threads without one wait for them.
#[test]
fn k5e_a_runtime_can_end_while_threads_without_one_wait() {
    for _ in 0..10 {
        let (runtime, supervisor, told) = (runtime(), supervisor(), Arc::default());
        let tasks = ["a", "b", "c"].map(|name| runtime.block_on(supervisor.add_task(slow(name, 0, &told))).unwrap());
        let threads = tasks.map(|task| thread::spawn(move || block_on(task.cancel())));
        thread::yield_now();
        drop(runtime);
        for thread in threads {
            thread.join().expect("it does not panic").unwrap();
        }
    }
}

/// Polls a call once as its runtime ends.
struct AtTheEnd(Box<dyn FnMut() + Send>);

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn k5e_a_reconcile_of_a_runtime_that_ends_changes_nothing() {
    for adds in [false, true] {
        let (first, second) = (runtime(), runtime());
        let told = Arc::default();
        let config = SupervisorConfig { grace: secs(30), ..SupervisorConfig::default() };
        let tree = Tree::builder(config).group(Group::one_for_one("g")).build();
        let list = {
            let told = Arc::clone(&told);
            move |revision| {
                let added = adds && revision > 0;
                let other = if added { "new" } else { "gone" };
                let names =
                    if adds || revision == 0 { vec!["changed", "keep", other] } else { vec!["changed", "keep"] };
                let of = |name| slow(name, if name == "changed" { revision } else { 0 }, &told);
                names.into_iter().map(of).collect::<Vec<_>>()
            }
        };
        first.block_on(async {
            tree.start().await.unwrap();
            tree.group("g").reconcile(list(0)).await.unwrap();
            until_it_runs(&tree, "g/changed").await;
        });
        let answer = Arc::new(Mutex::new(None));
        let call = AtTheEnd(Box::new({
            let (group, list, answer) = (tree.group("g"), list.clone(), Arc::clone(&answer));
            move || {
                let mut call = pin!(group.reconcile(list(1)));
                if let Poll::Ready(result) = poll_once(call.as_mut()) {
                    *answer.lock().unwrap() = Some(result.map(|_| ()));
                }
            }
        }));
        second.block_on(async move {
            tokio::spawn(async move {
                let _call = call;
                pending::<()>().await;
            });
            tokio::task::yield_now().await;
        });
        drop(second);
        assert!(matches!(*answer.lock().unwrap(), Some(Err(RuntimeError::NoRuntime))), "{answer:?}");
        assert_eq!(tree.group("g").snapshot().map(|it| it.root.children.len()), Some(3));
        first.block_on(async {
            let changes = tree.group("g").reconcile(list(1)).await.unwrap();
            let counts = [&changes.kept, &changes.added, &changes.replaced, &changes.removed].map(Vec::len);
            assert_eq!(counts, [1, usize::from(adds), 1, 1], "{changes:?}");
            until_it_runs(&tree, "g/changed").await;
            tree.shutdown().await.unwrap();
        });
        assert!(told.lock().unwrap().contains(&StopReason::Replaced), "{told:?}");
    }
}

async fn until_it_runs(tree: &Tree, path: &str) {
    while tree.child(path).status().unwrap().state != TaskState::Running {
        sleep(ms(1)).await;
    }
}

fn poll_once<F: Future>(call: Pin<&mut F>) -> Poll<F::Output> {
    call.poll(&mut Context::from_waker(Waker::noop()))
}

/// A task whose drop ends a runtime.
struct EndsRuntime(Option<Runtime>);

impl Drop for EndsRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// User code that runs in the middle of a call ends the runtime that the call would spawn on.
#[test]
fn k5e_a_reconcile_whose_runtime_ends_in_the_middle_of_it_replaces_nothing() {
    // The second one has no thread that would end it later.
    let (first, second) = (runtime(), Builder::new_current_thread().enable_all().build().unwrap());
    let (supervisor, recorder) = recorded();
    let handle = supervisor.handle();
    let told = Arc::default();
    let of_second = second.handle().clone();
    let ends = EndsRuntime(Some(second));
    let dropped = TaskFn::arc("changed", move |_: TaskContext| {
        let _ = &ends;
        async { Ok(()) }
    });
    first.block_on(async {
        let (go, gate) = oneshot::channel::<()>();
        let gate = Mutex::new(Some(gate));
        let stays = TaskFn::arc("changed", move |_: TaskContext| {
            let gate = gate.lock().unwrap().take();
            async move {
                let _ = gate.expect("the first attempt").await;
                Ok(())
            }
        });
        handle.reconcile(vec![TaskSpec::inherit(stays).with_revision(0)]).await.unwrap();
        while handle.task("changed").unwrap().status().state != TaskState::Running {
            sleep(ms(1)).await;
        }
        let mut replaces = pin!(handle.reconcile(vec![TaskSpec::inherit(dropped).with_revision(1)]));
        assert!(poll_once(replaces.as_mut()).is_pending(), "it waits for the end of the first one");
        let list = vec![slow("changed", 2, &told), slow("new", 0, &told)];
        let mut call = pin!(handle.reconcile(list));
        let entered = of_second.enter();
        let answer = poll_once(call.as_mut());
        drop(entered);
        assert!(matches!(answer, Poll::Ready(Err(RuntimeError::NoRuntime))), "{answer:?}");
        go.send(()).unwrap();
        let changes = replaces.await.unwrap();
        let counts = [&changes.replaced, &changes.removed].map(Vec::len);
        assert_eq!(counts, [0, 1], "{changes:?}");
        supervisor.shutdown().await.unwrap();
    });
    let kinds = recorder.kinds_of("changed");
    assert_eq!(kinds.iter().filter(|kind| **kind == EventKind::TaskAdded).count(), 1, "{kinds:?}");
}

/// An error whose drop restarts its task.
struct Restarts(SupervisorHandle);

impl Drop for Restarts {
    fn drop(&mut self) {
        if let Some(task) = self.0.task("restarts") {
            task.restart();
        }
    }
}

impl fmt::Debug for Restarts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Restarts")
    }
}

impl fmt::Display for Restarts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it restarts")
    }
}

impl Error for Restarts {}

/// The engine drops the error before the last one at the end of an attempt, and the next begins at once.
#[tokio::test]
async fn k5e_a_task_that_is_restarted_by_code_at_the_end_of_its_attempt_gives_way() {
    let (supervisor, attempts) = (supervisor(), Arc::new(AtomicUsize::new(0)));
    let task = TaskFn::arc("restarts", {
        let attempts = Arc::clone(&attempts);
        move |ctx: TaskContext| {
            let attempts = Arc::clone(&attempts);
            async move {
                let ends = attempts.fetch_add(1, Ordering::Relaxed) > 100_000;
                // Without an end, the test would hang.
                if ends {
                    Err(TaskError::Permanent("too often".into()))
                } else {
                    Err(TaskError::error(Restarts(ctx.supervisor())))
                }
            }
        }
    });
    let spec = TaskSpec::inherit(task).with_restart(RestartPolicy::OnFailure);
    let handle = supervisor.add_task(spec).await.unwrap();
    // The first failures back off, and then time passes only if each attempt gives way.
    while attempts.load(Ordering::Relaxed) < 100 {
        sleep(ms(1)).await;
    }
    for _ in 0..1_000 {
        let before = attempts.load(Ordering::Relaxed);
        tokio::task::yield_now().await;
        let begun = attempts.load(Ordering::Relaxed) - before;
        // Tokio polls this future after 61 others at the latest.
        assert!(begun <= 200, "{begun} attempts in one turn");
    }
    assert!(handle.try_outcome().is_none());
    supervisor.shutdown().await.unwrap();
}
