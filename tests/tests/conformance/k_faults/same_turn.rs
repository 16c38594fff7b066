//! A request that comes in the poll in which an attempt ends, or between two steps of its end.

use std::future::Future;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use taskvisor::{
    Group, IntoTaskSpec, RuntimeError, StopReason, Strategy, SupervisorConfig, TaskContext, TaskError, TaskState, Tree,
    task,
};
use tests::{Script, Step, constant, polled_once, secs, settle, supervisor};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

type Result<T = (), E = RuntimeError> = std::result::Result<T, E>;

fn fail() -> Result<(), TaskError> {
    Err(TaskError::Fail { reason: "the broker is down".into() })
}

/// The thread of a blocking relay: its first attempt fails, a later one takes what that has put back.
#[derive(Clone)]
struct OnThread {
    begun: UnboundedSender<()>,
    goes_on: Arc<Mutex<Receiver<()>>>,
    /// The stop reasons that the attempts saw when they began.
    seen: Arc<Mutex<Vec<Option<StopReason>>>>,
}

#[task(blocking)]
fn relay(ctx: TaskContext, thread: OnThread) -> Result<(), TaskError> {
    thread.seen.lock().unwrap().push(ctx.stop_reason());
    if ctx.attempt() > 1 {
        return Ok(());
    }
    thread.begun.send(()).unwrap();
    thread.goes_on.lock().unwrap().recv().unwrap();
    // The last look: it puts back what it has, and fails.
    assert_eq!(ctx.stop_reason(), None);
    Handle::current().block_on(polled_once(ctx.supervisor().cancel("relay")));
    fail()
}

/// A blocking attempt runs on its own thread: the poll of its future only takes the result, and is no look.
#[tokio::test]
async fn k6d_a_blocking_attempt_that_cannot_hear_of_the_stop_is_followed_by_the_final_attempt() -> Result {
    let ((begun, mut begins), (go, goes_on)) = (unbounded_channel(), channel());
    let seen = Arc::default();
    let thread = OnThread { begun, goes_on: Arc::new(Mutex::new(goes_on)), seen: Arc::clone(&seen) };
    let spec = relay { thread }.into_task_spec().with_backoff(constant(secs(3600))).with_final_attempt();
    let supervisor = supervisor();
    let handle = supervisor.add_task(spec).await?;
    begins.recv().await.unwrap();
    settle().await;
    go.send(()).unwrap();
    let outcome = handle.outcome().await;
    assert_eq!(*seen.lock().unwrap(), [None, Some(StopReason::Canceled)], "{outcome:?}");
    Ok(())
}

/// A group with one declared child that completes after a second. `then` runs in a task that waits for its end, before
/// the driver of the group has handled it.
async fn at_the_last_end<F>(tree: &Tree, then: F) -> F::Output
where
    F: Future<Output: Send> + Send + 'static,
{
    let child = tree.child("group/last").current().unwrap();
    let waits = tokio::spawn(async move {
        assert!(child.outcome().await.is_completed());
        then.await
    });
    waits.await.unwrap()
}

fn with_one_child() -> Tree {
    let last = Script::new([Step::Succeed(secs(1))]);
    let group = Group::new("group", Strategy::OneForOne).task(last.spec("last"));
    let stays = Script::new([Step::Wait]);
    Tree::builder(SupervisorConfig::default()).group(group).task(stays.spec("stays")).build()
}

/// A group that has just had its last end heeds what came right after it: a child that was added.
#[tokio::test(start_paused = true)]
async fn k2b_a_task_added_when_the_last_child_has_ended_is_run_or_refused() -> Result {
    let tree = with_one_child();
    tree.start().await?;
    let group = tree.group("group");
    let job = Script::new([Step::Succeed(secs(1))]);
    let spec = job.spec("job");
    let added = at_the_last_end(&tree, async move { group.add_task(spec).await }).await;
    if let Ok(handle) = added {
        let outcome = handle.outcome().await;
        assert!(outcome.is_completed(), "{outcome:?}");
        assert_eq!(job.attempts(), 1);
    }
    tree.shutdown().await
}

/// The same for a child that is brought back there.
#[tokio::test(start_paused = true)]
async fn o24_a_child_brought_back_when_its_group_has_no_other_runs_or_is_refused() -> Result {
    let tree = with_one_child();
    tree.start().await?;
    let child = tree.child("group/last");
    let restarted = at_the_last_end(&tree, {
        let child = child.clone();
        async move { child.restart() }
    })
    .await;
    if restarted {
        let outcome = child.current().unwrap().outcome().await;
        assert!(outcome.is_completed(), "{outcome:?}");
    }
    tree.shutdown().await
}

/// The same for a restart of the group.
#[tokio::test(start_paused = true)]
async fn k2f_a_group_restarted_when_its_last_child_has_ended_starts_again() -> Result {
    let tree = with_one_child();
    tree.start().await?;
    let group = tree.group("group");
    let restarted = at_the_last_end(&tree, {
        let group = group.clone();
        async move { group.restart() }
    })
    .await;
    settle().await;
    assert_eq!((restarted, group.status()), (true, Some(TaskState::Running)), "`true`, and it has not started again");
    tree.shutdown().await
}
