//! O23: so many at a time are between begin and ready.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use taskvisor::{
    Group, Ready, RestartPolicy, RuntimeError, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskOutcome, TaskSpec,
    TaskState, Tree,
};
use tests::{Script, Step, constant, cooperative, ms, secs, settle};
use tokio::time::{Instant, sleep};

type Result = std::result::Result<(), RuntimeError>;

/// Counts the tasks that are starting, and the most at a time.
#[derive(Clone, Default)]
struct Starts(Arc<(AtomicUsize, AtomicUsize)>);

impl Starts {
    /// A task that takes a second to be ready.
    fn task(&self, name: &str) -> TaskSpec {
        let starts = self.clone();
        let task = TaskFn::arc(name, move |ctx: TaskContext| {
            let starts = starts.clone();
            async move {
                let (now, most) = &*starts.0;
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                let started = ctx.run_until_cancelled(sleep(secs(1))).await;
                now.fetch_sub(1, Ordering::SeqCst);
                if started.is_some() {
                    ctx.ready();
                    ctx.cancelled().await;
                }
                Ok(())
            }
        });
        TaskSpec::inherit(task).with_ready(Ready::Signal)
    }

    fn tasks(&self, prefix: &str, count: usize) -> Vec<TaskSpec> {
        (0..count).map(|n| self.task(&format!("{prefix}{n}"))).collect()
    }

    fn most(&self) -> usize {
        self.0.1.swap(0, Ordering::SeqCst)
    }
}

#[tokio::test(start_paused = true)]
async fn o23_so_many_at_a_time_in_a_group_and_again_after_its_restart() -> Result {
    let starts = Starts::default();
    let group = Group::one_for_all("g").with_max_starting(3).tasks(starts.tasks("t", 10));
    let tree = Tree::builder(SupervisorConfig::default()).group(group).task(cooperative("beside")).build();
    let start = Instant::now();
    tree.start().await?;
    settle().await;
    let state = |name: &str| tree.child(name).status().unwrap().state;
    assert_eq!(
        (state("g/t2"), state("g/t3"), state("beside")),
        (TaskState::Running, TaskState::Pending, TaskState::Running)
    );
    tree.wait_ready().await;
    assert_eq!((start.elapsed(), starts.most()), (secs(4), 3));
    let restart = Instant::now();
    assert!(tree.group("g").restart_and_wait().await);
    assert_eq!((restart.elapsed(), starts.most()), (secs(4), 3));
    // A restart of siblings.
    let restart = Instant::now();
    assert!(tree.child("g/t5").cancel().await?);
    assert!(tree.child("g/t5").restart_and_wait().await);
    assert_eq!((restart.elapsed(), starts.most()), (secs(1), 1));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o23_the_limit_of_the_root_is_that_of_the_whole_tree() -> Result {
    let starts = Starts::default();
    let inner = Group::one_for_one("inner").with_max_starting(1).tasks(starts.tasks("i", 4));
    let group = Group::one_for_one("g").tasks(starts.tasks("t", 4)).group(inner);
    let builder = Tree::builder(SupervisorConfig::default()).with_max_starting(2).tasks(starts.tasks("r", 4));
    let tree = builder.group(group).build();
    let start = Instant::now();
    tree.start().await?;
    // The inner group takes its places one after another, so its tasks come last.
    tree.wait_ready().await;
    assert_eq!((start.elapsed(), starts.most()), (secs(8), 2));
    // An added task waits for its turn as well.
    let (x, y, z) = (starts.task("x"), starts.task("y"), starts.task("z"));
    let start = Instant::now();
    let group = tree.group("g");
    for spec in [x, y, z] {
        group.add_task(spec).await?;
    }
    sleep(ms(1500)).await;
    assert_eq!((start.elapsed(), starts.most()), (ms(1500), 2));
    assert_eq!(group.child("z").status().map(|z| z.state), Some(TaskState::Running));
    tree.shutdown().await
}

/// The wait is no part of the start: a start timeout begins after it. A stop in the meantime ends the wait.
#[tokio::test(start_paused = true)]
async fn o23_the_wait_is_not_starting() -> Result {
    let starts = Starts::default();
    let tasks = starts.tasks("t", 5).into_iter().map(|task| task.with_start_timeout(ms(1500)));
    let group = Group::one_for_one("g").with_max_starting(1).tasks(tasks);
    let tree = Tree::builder(SupervisorConfig::default()).group(group).build();
    let start = Instant::now();
    tree.start().await?;
    assert!(tree.child("g/t3").cancel().await?, "it waits");
    tree.wait_ready().await;
    assert_eq!((start.elapsed(), starts.most()), (secs(4), 1));
    assert!((0..5).filter(|n| *n != 3).all(|n| tree.child(&format!("g/t{n}")).status().unwrap().attempt == 1));
    tree.shutdown().await
}

/// An attempt that fails, panics, times out or is stopped before it is ready gives its place back, and waits in line
/// for its next attempt. A task that is ready at its begin needs no place for longer.
#[tokio::test(start_paused = true)]
async fn o23_each_end_of_a_start_gives_the_place_back() -> Result {
    let bad = |name: &str, step: Step| {
        let spec = Script::new([step]).spec(name).with_ready(Ready::Signal);
        spec.with_backoff(constant(ms(10))).with_max_retries(2).with_timeout(secs(2))
    };
    let (starts, quick) = (Starts::default(), Script::new([Step::Wait]));
    let group = Group::one_for_one("g")
        .with_max_starting(1)
        .task(bad("fails", Step::Fail(secs(1))))
        .task(bad("panics", Step::Panic(secs(1))))
        .task(bad("silent", Step::Deaf))
        .task(Script::new([Step::Succeed(secs(1))]).spec("completes").with_ready(Ready::Completed))
        .tasks((0..20).map(|n| quick.spec(&format!("quick{n}"))))
        .task(starts.task("last"));
    let tree = Tree::builder(SupervisorConfig::default()).group(group).build();
    tree.start().await?;
    for name in ["fails", "panics", "silent"] {
        let outcome = tree.child(&format!("g/{name}")).outcome().await.unwrap();
        assert!(matches!(outcome, TaskOutcome::Exhausted { failures: 3, .. }), "{name}: {outcome}");
    }
    sleep(secs(10)).await;
    assert_eq!(quick.running(), 20);
    assert_eq!(tree.child("g/last").status().unwrap().state, TaskState::Running);
    assert_eq!(starts.most(), 1);
    let start = Instant::now();
    tree.shutdown().await?;
    assert_eq!(start.elapsed(), secs(0));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o23_a_stop_while_many_wait_is_at_once_and_zero_is_refused() -> Result {
    let deaf = (0..100).map(|n| tests::deaf(&format!("d{n}")).with_ready(Ready::Signal).with_stop_timeout(ms(1)));
    let group = Group::one_for_one("g").with_max_starting(1).tasks(deaf);
    let tree = Tree::builder(SupervisorConfig::default()).group(group).build();
    tree.start().await?;
    settle().await;
    let start = Instant::now();
    assert!(tree.group("g").cancel().await?);
    assert!(start.elapsed() < secs(1));
    let _ = tree.shutdown().await;

    for builder in [
        Tree::builder(SupervisorConfig::default()).with_max_starting(0),
        Tree::builder(SupervisorConfig::default()).group(Group::one_for_one("g").with_max_starting(0)),
    ] {
        let error = builder.try_build().unwrap_err();
        assert!(error.to_string().contains("max_starting"), "{error}");
    }
    Ok(())
}

/// Starts, failures, restarts and cancels at random: the limit holds, and everything ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o23_races_on_two_threads() -> Result {
    for round in 0..500 {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counts = (Arc::clone(&now), Arc::clone(&most));
        let task = TaskFn::arc("t", move |ctx: TaskContext| {
            let (now, most) = counts.clone();
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                now.fetch_sub(1, Ordering::SeqCst);
                if ctx.attempt() == 1 {
                    return Err(TaskError::Fail { reason: "x".into() });
                }
                ctx.ready();
                ctx.cancelled().await;
                Ok(())
            }
        });
        let spec = |n: usize| {
            let spec = TaskSpec::inherit(task.clone()).with_name(format!("t{n}"));
            spec.with_ready(Ready::Signal).with_backoff(constant(ms(0)))
        };
        let strategy = [Group::one_for_one, Group::one_for_all, Group::rest_for_one][round % 3];
        let group = strategy("g").with_max_starting(2).with_restart(RestartPolicy::OnFailure).tasks((0..6).map(spec));
        let tree = Tree::builder(SupervisorConfig::default()).group(group).build();
        tree.start().await?;
        if round % 2 == 0 {
            tree.group("g").restart();
        }
        tree.child("g/t3").cancel().await?;
        if round % 4 != 0 {
            tree.wait_ready().await;
            let state = tree.child("g/t5").status().map(|t| t.state);
            // A restart that was requested can come after the first run is ready.
            assert!(round % 2 == 0 || state == Some(TaskState::Running), "{state:?}");
        }
        tree.shutdown().await?;
        assert!(most.load(Ordering::SeqCst) <= 2);
    }
    Ok(())
}
