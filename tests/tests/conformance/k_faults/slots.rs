//! K: slots, and permits.

mod line;
mod permits;
mod relied;
mod shutdown;

use std::future::Future;
use std::sync::Arc;

use taskvisor::{
    ControllerConfig, ControllerSpec, RuntimeError, Supervisor, SupervisorConfig, TaskContext, TaskFn, TaskHandle,
    TaskOutcome, TaskSpec, Tree,
};
use tests::{secs, settle};
use tokio::sync::mpsc;
use tokio::time::Instant;

type Result = std::result::Result<(), Box<dyn std::error::Error>>;

/// Waits for a future that must complete, on the clock of the test.
async fn surely<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(secs(600), future).await.expect("it hangs")
}

/// The label of the outcome of a submission.
async fn end_of(handle: &TaskHandle) -> &'static str {
    match surely(handle.outcome()).await {
        TaskOutcome::Rejected { reason } => reason.as_label(),
        outcome => outcome.as_label(),
    }
}

/// A supervisor with this capacity for all queues together.
fn controlled(queue_capacity: usize) -> Arc<Supervisor> {
    let controller = ControllerConfig { queue_capacity, ..ControllerConfig::default() };
    Supervisor::builder(SupervisorConfig::default()).with_controller(controller).build()
}

/// A task in a slot that shuts the supervisor down gets an answer at once, and ends by itself.
#[tokio::test(start_paused = true)]
async fn k3a_a_task_in_a_slot_that_awaits_the_shutdown_gets_an_answer_at_once() -> Result {
    let tree = Arc::new(Tree::builder(SupervisorConfig::default()).with_slot(taskvisor::SlotSpec::new("s")).build());
    let (sender, mut answers) = mpsc::unbounded_channel();
    let stops = TaskFn::arc("stops", {
        let tree = Arc::downgrade(&tree);
        move |_: TaskContext| {
            let (tree, sender) = (tree.clone(), sender.clone());
            async move {
                let began = Instant::now();
                let shutdown = tree.upgrade().unwrap().shutdown();
                let answer = shutdown.await;
                sender.send((answer, began.elapsed())).unwrap();
                Ok(())
            }
        }
    });
    tree.start().await?;
    let handle = tree.slot("s").submit(stops).await?;
    let (answer, after) = surely(answers.recv()).await.unwrap();
    assert!(matches!(answer, Err(RuntimeError::ShuttingDown)), "{answer:?}");
    assert_eq!((after, end_of(&handle).await), (secs(0), "completed"), "it had ended before it was requested to stop");
    let start = Instant::now();
    surely(tree.shutdown()).await?;
    assert_eq!(start.elapsed(), secs(0));
    Ok(())
}

/// A submission takes the position in the tree that has its name, whether it starts at once or after another.
#[tokio::test(start_paused = true)]
async fn k5b_a_place_speaks_of_the_submission_that_has_its_name() -> Result {
    let builder = Tree::builder(SupervisorConfig::default()).with_slot(taskvisor::SlotSpec::new("s"));
    let tree = builder.task(tests::Script::new([tests::OK]).spec("a")).build();
    tree.start().await?;
    settle().await;
    let place = tree.child("a");
    assert_eq!(place.status().unwrap().state, taskvisor::TaskState::Ended);
    let slot = tree.slot("s");
    for own in [true, false] {
        let first = if own { None } else { Some(slot.queue(tests::cooperative("x")).await?) };
        let submitted = slot.queue(tests::cooperative("a")).await?;
        if let Some(first) = first {
            assert_ne!(place.status().unwrap().state, taskvisor::TaskState::Running, "it waits");
            assert!(first.cancel().await?);
        }
        settle().await;
        assert_eq!(place.current().unwrap().id(), submitted.id());
        assert_eq!(tree.snapshot().root.children[0].state, taskvisor::TaskState::Running);
        assert!(place.cancel().await?);
        assert_eq!(
            (surely(place.outcome()).await.unwrap().as_label(), end_of(&submitted).await),
            ("canceled", "canceled")
        );
    }
    Ok(())
}

/// A task that cancels itself, through its slot, its handle or its name, does not wait for itself.
#[tokio::test(start_paused = true)]
async fn k3a_a_task_in_a_slot_that_cancels_itself_gets_an_answer_at_once() -> Result {
    for way in 0..3 {
        let supervisor = controlled(10);
        let slot = supervisor.slot("s");
        let (sender, mut answers) = mpsc::unbounded_channel();
        let (own, inside) = (supervisor.handle(), slot.clone());
        let cancels = TaskFn::arc("x", move |ctx: TaskContext| {
            let (own, slot, sender) = (own.clone(), inside.clone(), sender.clone());
            async move {
                tokio::task::yield_now().await;
                let began = Instant::now();
                match way {
                    0 => assert_eq!(slot.cancel_all().await.unwrap(), 2, "itself, and the one that waits"),
                    1 => assert!(own.task("x").unwrap().cancel().await.unwrap()),
                    _ => assert!(own.cancel("x").await.unwrap()),
                }
                assert!(ctx.is_cancelled());
                sender.send(began.elapsed()).unwrap();
                Ok(())
            }
        });
        let handle = slot.queue(cancels).await?;
        let waits = slot.queue(TaskFn::arc("y", |_: TaskContext| async { Ok(()) })).await?;
        assert_eq!(surely(answers.recv()).await, Some(secs(0)), "{way}");
        let expected = if way == 0 { "canceled" } else { "completed" };
        assert_eq!((end_of(&handle).await, end_of(&waits).await), ("canceled", expected), "{way}");
        settle().await;
        assert!(slot.is_idle());
    }
    Ok(())
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "the drop of a task");
    }
}

fn bomb(name: &str) -> TaskSpec {
    let bomb = Bomb;
    TaskSpec::inherit(TaskFn::arc(name, move |_: TaskContext| {
        let _ = &bomb;
        async { Ok(()) }
    }))
}

/// The drop of a refused submission, or of one that is abandoned in the wait queue, is contained.
#[tokio::test(start_paused = true)]
async fn k4c_the_drop_of_a_refused_submission_is_fenced() -> Result {
    let supervisor = controlled(1);
    for _ in 0..2 {
        supervisor.submit(ControllerSpec::queue(tests::cooperative("x")).with_slot("s")).await?;
    }
    let to = |slot: &str, spec| ControllerSpec::queue(spec).with_slot(slot.to_owned());
    assert!(supervisor.try_submit(to("s", bomb("y"))).is_err(), "full");
    assert!(supervisor.try_submit(to("s", bomb("y").with_after(["x"]))).is_err(), "invalid");
    assert!(supervisor.try_submit(to("", bomb("y"))).is_err(), "no name of a slot");
    {
        let mut submit = boxed(supervisor.submit(to("s", bomb("y"))));
        assert!(poll_once(submit.as_mut()).is_pending());
    }
    supervisor.shutdown().await?;
    assert!(supervisor.try_submit(to("s", bomb("y"))).is_err(), "over");
    assert!(supervisor.submit(to("s", bomb("y"))).await.is_err(), "over");
    Ok(())
}

fn boxed<'a, F: Future + 'a>(future: F) -> std::pin::Pin<Box<dyn Future<Output = F::Output> + 'a>> {
    Box::pin(future)
}

fn poll_once<T>(future: std::pin::Pin<&mut dyn Future<Output = T>>) -> std::task::Poll<T> {
    future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
}

/// If a displaced submission holds the last reference to a runtime, the runtime is dropped with no lock held: its drop
/// may read the supervisor.
#[test]
fn k4c_the_runtime_of_a_displaced_submission_is_dropped_with_no_lock_held() {
    struct Looks(taskvisor::SlotHandle, std::sync::mpsc::Sender<usize>);
    impl Drop for Looks {
        fn drop(&mut self) {
            let _ = self.1.send(self.0.len());
        }
    }
    let main = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let supervisor = controlled(10);
    let slot = supervisor.slot("s");
    let owner = main.block_on(slot.queue(tests::cooperative("x"))).unwrap();
    let (sender, looked) = std::sync::mpsc::channel();
    let displaced = {
        let looks = Looks(slot.clone(), sender);
        let other = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .on_thread_stop(move || _ = &looks)
            .build()
            .unwrap();
        let displaced = other.block_on(slot.replace(tests::cooperative("x"))).unwrap();
        // From here on only the submission refers to the runtime.
        other.shutdown_background();
        displaced
    };
    let (done, is_done) = std::sync::mpsc::channel();
    let replacing = std::thread::spawn(move || {
        let last = main.block_on(slot.replace(tests::cooperative("x"))).unwrap();
        done.send(main.block_on(end_of(&displaced))).unwrap();
        main.block_on(async {
            assert_eq!(end_of(&owner).await, "canceled");
            assert!(last.cancel().await.unwrap());
        });
    });
    assert_eq!(is_done.recv_timeout(secs(60)), Ok("superseded"));
    replacing.join().unwrap();
    assert!(looked.recv_timeout(secs(60)).is_ok());
    drop(supervisor);
}

/// The wakers of callers run one by one, and their panics are contained: no wake-up is lost.
#[tokio::test(start_paused = true)]
async fn k4f_a_waker_in_line_that_panics_takes_no_wake_up_with_it() -> Result {
    struct Panics;
    impl std::task::Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("a waker");
        }
    }
    let supervisor = controlled(1);
    let submit = |slot: &str| ControllerSpec::queue(tests::cooperative(slot)).with_slot(slot.to_owned());
    supervisor.submit(submit("a")).await?;
    let waits = supervisor.submit(submit("a")).await?;
    let mut first = boxed(supervisor.submit(submit("a")));
    let waker = std::task::Waker::from(Arc::new(Panics));
    assert!(first.as_mut().poll(&mut std::task::Context::from_waker(&waker)).is_pending());
    let second = tokio::spawn({
        let (supervisor, spec) = (supervisor.clone(), submit("a"));
        async move { supervisor.submit(spec).await }
    });
    settle().await;
    assert!(waits.cancel().await?);
    surely(second).await??;
    drop(first);
    Ok(())
}
