//! A stop with `max_concurrent`: a stopped task's permit must not go to a task that the same stop includes.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use taskvisor::{
    ControllerSpec, Group, RestartPolicy, RuntimeError, Supervisor, SupervisorConfig, TaskContext, TaskError, TaskFn,
    TaskSpec, TaskState, Tree, TreeBuilder,
};
use tests::{constant, ms, secs};
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use super::Result;

const ROUNDS: usize = 50;
const TASKS: usize = 12;
const PERMITS: usize = 2;

/// Counts the attempts that begin. They run until they are stopped, or until one of them is notified to fail.
#[derive(Default)]
struct Attempts {
    begun: AtomicUsize,
    began: Notify,
    fails: Notify,
}

impl Attempts {
    fn new() -> Arc<Self> {
        Arc::default()
    }

    fn begins(&self) {
        self.begun.fetch_add(1, Ordering::SeqCst);
        self.began.notify_one();
    }

    fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }

    async fn wait_for(&self, count: usize) {
        while self.begun() < count {
            self.began.notified().await;
        }
    }

    fn task(self: &Arc<Self>, name: &str) -> TaskSpec {
        let attempts = Arc::clone(self);
        let task = TaskFn::arc(name, move |ctx: TaskContext| {
            let attempts = Arc::clone(&attempts);
            async move {
                attempts.begins();
                tokio::select! {
                    () = attempts.fails.notified() => Err(TaskError::Fail { reason: "told to".into() }),
                    _ = ctx.cancelled() => Ok(()),
                }
            }
        });
        TaskSpec::inherit(task).with_backoff(constant(ms(1)))
    }

    fn tasks(self: &Arc<Self>, prefix: &str) -> Vec<TaskSpec> {
        self.many(prefix, TASKS)
    }

    fn many(self: &Arc<Self>, prefix: &str, count: usize) -> Vec<TaskSpec> {
        (0..count).map(|n| self.task(&format!("{prefix}{n}"))).collect()
    }

    fn group(self: &Arc<Self>, name: &str) -> Group {
        self.tasks("t").into_iter().fold(Group::one_for_one(name), Group::task)
    }
}

fn config() -> SupervisorConfig {
    SupervisorConfig { max_concurrent: PERMITS, ..SupervisorConfig::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e06_no_attempt_begins_with_the_permit_of_a_stopped_task_beside_the_tree() -> Result {
    for round in 0..ROUNDS {
        let supervisor = Supervisor::new(config(), vec![]);
        let attempts = Attempts::new();
        for task in attempts.tasks("t") {
            if round % 2 == 0 {
                supervisor.add_task(task).await?;
            } else {
                supervisor.submit(ControllerSpec::replace(task)).await?;
            }
        }
        attempts.wait_for(PERMITS).await;
        supervisor.shutdown().await?;
        assert_eq!(attempts.begun(), PERMITS);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e06_no_attempt_begins_with_the_permit_of_a_stopped_task_of_the_tree() -> Result {
    for round in 0..ROUNDS {
        let attempts = Attempts::new();
        let tree = Tree::builder(config());
        let tree = match round % 3 {
            0 => attempts.tasks("t").into_iter().fold(tree, TreeBuilder::task).build(),
            1 => tree.group(attempts.group("a")).group(attempts.group("b")).build(),
            _ => tree.group(Group::one_for_all("above").group(attempts.group("a")).group(attempts.group("b"))).build(),
        };
        tree.start().await?;
        attempts.wait_for(PERMITS).await;
        tree.shutdown().await?;
        assert_eq!(attempts.begun(), PERMITS);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e06_the_permits_of_a_stopped_group_go_to_the_tasks_that_go_on() -> Result {
    for _ in 0..ROUNDS {
        let (stopped, others) = (Attempts::new(), Attempts::new());
        let above = Group::one_for_one("above").group(stopped.group("a")).group(stopped.group("b"));
        let tree = Tree::builder(config()).group(above).build();
        tree.start().await?;
        stopped.wait_for(PERMITS).await;
        for task in others.tasks("other") {
            tree.supervisor().add_task(task).await?;
        }
        tree.group("above").cancel().await?;
        others.wait_for(PERMITS).await;
        assert_eq!((stopped.begun(), others.begun()), (PERMITS, PERMITS));
        tree.shutdown().await?;
        assert_eq!((stopped.begun(), others.begun()), (PERMITS, PERMITS));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k2h_no_attempt_begins_with_the_permit_of_a_task_that_is_stopped_to_start_again() -> Result {
    for _ in 0..ROUNDS {
        let attempts = Attempts::new();
        let group = attempts.tasks("t").into_iter().fold(Group::one_for_all("group"), Group::task);
        let tree = Tree::builder(config()).group(group.group(attempts.group("below"))).build();
        tree.start().await?;
        attempts.wait_for(PERMITS).await;
        assert!(tree.group("group").restart());
        attempts.wait_for(2 * PERMITS).await;
        tree.shutdown().await?;
        assert_eq!(attempts.begun(), 2 * PERMITS);
    }
    Ok(())
}

/// With this many tasks, the driver of the group yields while it holds them.
#[tokio::test(start_paused = true)]
async fn k2h_no_attempt_begins_with_the_permit_of_a_sibling_that_is_held() -> Result {
    const MANY: usize = 1_000;
    let attempts = Attempts::new();
    // The last tasks have the permits and are held first.
    let tasks = attempts.many("t", MANY).into_iter().enumerate();
    let tasks = tasks.map(|(n, task)| if n + PERMITS < MANY { task.with_initial_delay(secs(1)) } else { task });
    let tree = Tree::builder(config()).group(tasks.fold(Group::one_for_all("group"), Group::task)).build();
    tree.start().await?;
    sleep(secs(2)).await;
    attempts.fails.notify_one();
    sleep(secs(2)).await;
    // The group learns of the failure after the permit is free, so that one more attempt begins.
    assert_eq!(attempts.begun(), 2 * PERMITS + 1);
    tree.shutdown().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e06_the_tree_has_permits_until_its_own_stop() -> Result {
    let (beside, of_tree) = (Attempts::new(), Attempts::new());
    let tree = Tree::builder(config()).task(of_tree.task("waits")).build();
    let (begins, awaited) = (Arc::clone(&beside), Arc::clone(&of_tree));
    // When stopped, it runs until the task of the tree has the permit of the other task.
    let lingers = TaskFn::arc("lingers", move |ctx: TaskContext| {
        let (begins, awaited) = (Arc::clone(&begins), Arc::clone(&awaited));
        async move {
            begins.begins();
            ctx.cancelled().await;
            awaited.wait_for(1).await;
            Ok(())
        }
    });
    tree.supervisor().add_task(TaskSpec::inherit(lingers)).await?;
    tree.supervisor().add_task(beside.task("ends")).await?;
    beside.wait_for(PERMITS).await;
    tree.start().await?;
    tree.shutdown().await?;
    assert_eq!(of_tree.begun(), 1);
    Ok(())
}

/// Runs each hour and once more at its stop. `last` counts the attempts of stops.
fn relay(last: &Arc<AtomicUsize>) -> TaskSpec {
    let last = Arc::clone(last);
    let task = TaskFn::arc("relay", move |ctx: TaskContext| {
        last.fetch_add(usize::from(ctx.stop_reason().is_some()), Ordering::SeqCst);
        ready(Ok(()))
    });
    let every_hour = RestartPolicy::Always { interval: Some(secs(3600)) };
    TaskSpec::inherit(task).with_restart(every_hour).with_final_attempt()
}

/// A final attempt is part of the stop and needs a permit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e06_a_final_attempt_has_the_permit_of_a_stopped_task() -> Result {
    for _ in 0..ROUNDS {
        let supervisor = Supervisor::new(SupervisorConfig { max_concurrent: 1, ..config() }, vec![]);
        let (last, holds) = (Arc::new(AtomicUsize::new(0)), Attempts::new());
        let relay = supervisor.add_task(relay(&last)).await?;
        while relay.status().state != TaskState::Interval {
            yield_now().await;
        }
        supervisor.add_task(holds.task("holds")).await?;
        holds.wait_for(1).await;
        supervisor.shutdown().await?;
        assert_eq!(last.load(Ordering::SeqCst), 1);
    }
    Ok(())
}

/// A task with a final attempt that waits for its interval, and another task that holds the only permit.
async fn starving() -> std::result::Result<(Tree, Arc<AtomicUsize>), RuntimeError> {
    let (last, holds) = (Arc::new(AtomicUsize::new(0)), Attempts::new());
    let relay = relay(&last).with_initial_delay(secs(3600));
    let tree = Tree::builder(SupervisorConfig { max_concurrent: 1, grace: secs(10), ..SupervisorConfig::default() })
        .task(holds.task("holds"))
        .group(Group::one_for_one("group").task(relay))
        .build();
    tree.start().await?;
    holds.wait_for(1).await;
    Ok((tree, last))
}

/// The times of waits have a resolution of 10 ms.
fn is_about_10_s(began: Instant) -> bool {
    (ms(9_980)..ms(10_020)).contains(&began.elapsed())
}

/// A final attempt that gets no permit in time is given up. Its time counts from the request on.
#[tokio::test(start_paused = true)]
async fn e06_a_final_attempt_without_a_permit_ends_at_the_deadline() -> Result {
    let (tree, last) = starving().await?;
    let began = Instant::now();
    assert!(tree.group("group").cancel().await?);
    assert!(is_about_10_s(began), "{:?}", began.elapsed());
    let outcome = tree.child("group/relay").outcome().await.map(|outcome| outcome.to_string());
    assert_eq!(outcome.as_deref(), Some("canceled (its group stops)"));
    assert_eq!(last.load(Ordering::SeqCst), 0);
    tree.shutdown().await?;

    // Nobody waits for these.
    let (tree, _) = starving().await?;
    let relay = tree.child("group/relay").current().expect("it has started");
    let began = Instant::now();
    tree.supervisor().remove_task("group/relay").await?;
    relay.outcome().await;
    assert!(is_about_10_s(began), "{:?}", began.elapsed());
    tree.shutdown().await?;

    let (tree, _) = starving().await?;
    let relay = tree.child("group/relay").current().expect("it has started");
    assert!(tree.group("group").restart());
    relay.outcome().await;
    sleep(ms(1)).await;
    assert_ne!(tree.child("group/relay").current().map(|again| again.id()), Some(relay.id()));
    tree.shutdown().await
}
