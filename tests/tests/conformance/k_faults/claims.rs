//! Sentences of the documentation that did not hold.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use taskvisor::{
    Group, Ready, RestartPolicy, StopReason, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskOutcome, TaskSpec,
    TaskState, Tree,
};
use tests::{ms, secs};
use tokio::time::{sleep, timeout};

type Result = std::result::Result<(), Box<dyn std::error::Error>>;

type Log = Arc<Mutex<Vec<String>>>;

fn task<F, Fut>(name: &str, attempt: F) -> TaskSpec
where
    F: Fn(TaskContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = std::result::Result<(), TaskError>> + Send + 'static,
{
    TaskSpec::inherit(TaskFn::arc(name, attempt))
}

fn waits(name: &str) -> TaskSpec {
    task(name, |ctx| async move {
        ctx.cancelled().await;
        Ok(())
    })
}

/// Fails once, after this time, and then waits.
fn fails_once(name: &str, after: Duration) -> TaskSpec {
    task(name, move |ctx| async move {
        if ctx.attempt() == 1 {
            sleep(after).await;
            return Err(failure());
        }
        ctx.cancelled().await;
        Ok(())
    })
}

fn failure() -> TaskError {
    TaskError::Fail { reason: "down".into() }
}

fn say(log: &Log, line: impl Into<String>) {
    log.lock().unwrap().push(line.into());
}

fn tree(group: Group) -> Tree {
    // Something that keeps the tree up.
    Tree::builder(SupervisorConfig::default()).group(group).task(waits("other")).build()
}

#[tokio::test(start_paused = true)]
async fn d10_a_dependency_stops_after_the_final_attempt_of_the_child_that_failed_its_group() -> Result {
    for make in [Group::one_for_one, Group::one_for_all, Group::rest_for_one] {
        let log = Log::default();
        let (of_pool, of_flush) = (Arc::clone(&log), Arc::clone(&log));
        let pool = task("pool", move |ctx| {
            let log = Arc::clone(&of_pool);
            async move {
                ctx.cancelled().await;
                say(&log, "pool stops");
                Ok(())
            }
        });
        let flush = task("flush", move |ctx| {
            let log = Arc::clone(&of_flush);
            async move {
                if ctx.stop_reason().is_none() {
                    sleep(ms(10)).await;
                    return Err(failure());
                }
                sleep(ms(50)).await;
                say(&log, "flushed");
                Ok(())
            }
        });
        let flush = flush.with_after(["pool"]).with_final_attempt();
        let group = make("g").with_limit(0, secs(60)).with_restart(RestartPolicy::Never).not_critical();
        let tree = tree(group.task(pool).task(flush));
        tree.start().await?;
        sleep(ms(500)).await;
        assert_eq!(*log.lock().unwrap(), ["flushed", "pool stops"]);
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn d07_a_never_child_that_has_not_begun_runs_after_the_restart_of_its_siblings() -> Result {
    let delayed = |spec: TaskSpec| spec.with_initial_delay(ms(100));
    let limited = |spec: TaskSpec| spec.with_named_limit("one");
    for hold_up in [delayed as fn(TaskSpec) -> TaskSpec, limited] {
        let migrate = task("migrate", |_| async { Ok(()) });
        let migrate = hold_up(migrate.with_restart(RestartPolicy::Never).with_ready(Ready::Completed));
        let holder = task("holder", |_| async {
            sleep(ms(50)).await;
            Ok(())
        });
        let group = Group::one_for_all("g").task(fails_once("first", ms(5))).task(migrate);
        let tree = Tree::builder(SupervisorConfig::default())
            .with_named_limit("one", 1)
            .task(holder.with_named_limit("one"))
            .task(waits("other"))
            .group(group.task(waits("serve").with_after(["migrate"])))
            .build();
        tree.start().await?;
        timeout(secs(60), tree.wait_ready()).await?;
        assert!(matches!(tree.child("g/migrate").outcome().await, Some(TaskOutcome::Completed)));
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn d07_a_never_child_that_is_paused_runs_after_the_pause() -> Result {
    for make in [Group::one_for_all, Group::rest_for_one] {
        let migrate = task("migrate", |_| async { Ok(()) }).with_restart(RestartPolicy::Never).with_paused(true);
        let tree = tree(make("g").task(fails_once("first", ms(5))).task(migrate));
        tree.start().await?;
        sleep(secs(5)).await;
        assert!(tree.child("g/migrate").resume());
        assert!(matches!(tree.child("g/migrate").outcome().await, Some(TaskOutcome::Completed)));
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o23_a_task_that_waits_for_a_permit_holds_no_place() -> Result {
    let limited = |name: &str| waits(name).with_named_limit("db");
    let tree = Tree::builder(SupervisorConfig::default())
        .with_max_starting(1)
        .with_named_limit("db", 1)
        .task(limited("holder"))
        .task(limited("waiter"))
        .task(waits("other"))
        .build();
    tree.start().await?;
    sleep(secs(1)).await;
    let states = ["holder", "waiter", "other"].map(|name| tree.child(name).status().unwrap().state);
    assert_eq!(states, [TaskState::Running, TaskState::Pending, TaskState::Running]);
    Ok(tree.shutdown().await?)
}

#[tokio::test(start_paused = true)]
async fn o23_the_wait_for_a_place_with_a_permit_is_not_starting_either() -> Result {
    let slow = |name: &str| {
        let starts = task(name, |ctx| async move {
            sleep(secs(20)).await;
            ctx.ready();
            ctx.cancelled().await;
            Ok(())
        });
        starts.with_ready(Ready::Signal).with_start_timeout(secs(30)).with_named_limit("db")
    };
    let tree = Tree::builder(SupervisorConfig::default())
        .with_max_starting(1)
        .with_named_limit("db", 3)
        .tasks(["a", "b", "c"].map(slow))
        .build();
    tree.start().await?;
    // The last one waits for its place for 40 s.
    timeout(secs(61), tree.wait_ready()).await?;
    assert_eq!(tree.child("c").status().unwrap().attempt, 1);
    Ok(tree.shutdown().await?)
}

#[tokio::test(start_paused = true)]
async fn g04_a_group_that_its_parent_stops_says_so() -> Result {
    let done = task("done", |_| async {
        sleep(ms(10)).await;
        Ok(())
    });
    let inner = Group::one_for_one("inner").task(waits("x"));
    let tree = tree(Group::one_for_one("g").task(done.significant()).task(waits("task")).group(inner));
    tree.start().await?;
    let (task, group) = (tree.child("g/task").current().unwrap(), tree.group("g/inner"));
    for outcome in [task.outcome().await, group.outcome().await.unwrap()] {
        assert!(matches!(outcome, TaskOutcome::Canceled { reason: StopReason::GroupStopped, .. }), "{outcome:?}");
    }
    Ok(tree.shutdown().await?)
}

#[tokio::test(start_paused = true)]
async fn d07_a_never_group_ends_in_the_restart_of_its_siblings() -> Result {
    let inner = Group::one_for_one("inner").with_restart(RestartPolicy::Never).task(waits("x"));
    let tree = tree(Group::one_for_all("g").task(fails_once("first", ms(5))).group(inner));
    tree.start().await?;
    let outcome = tree.group("g/inner").outcome().await.unwrap();
    let failed = Arc::new("g/first".to_owned());
    let TaskOutcome::Canceled { reason, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(reason, StopReason::SiblingRestart { failed });
    Ok(tree.shutdown().await?)
}

#[tokio::test(start_paused = true)]
async fn f06_restart_and_wait_sees_an_attempt_that_fails_at_once() -> Result {
    let tree = Tree::builder(SupervisorConfig::default()).task(task("fails", |_| async { Err(failure()) })).build();
    tree.start().await?;
    sleep(ms(50)).await;
    let task = tree.child("fails").current().unwrap();
    assert!(timeout(secs(60), task.restart_and_wait()).await?);
    Ok(tree.shutdown().await?)
}

#[tokio::test(start_paused = true)]
async fn e13_in_the_drain_a_group_stops_for_reasons_of_its_own() -> Result {
    let log = Log::default();
    let of_a = Arc::clone(&log);
    let a = task("a", move |ctx| {
        let log = Arc::clone(&of_a);
        async move {
            say(&log, ctx.cancelled().await.to_string());
            Ok(())
        }
    });
    let b = fails_once("b", ms(100));
    let config = SupervisorConfig { drain: ms(5_000), ..SupervisorConfig::default() };
    let group = Group::one_for_one("g").with_limit(0, secs(60)).task(a).task(b);
    let tree = Tree::builder(config).group(group).task(waits("other")).build();
    tree.start().await?;
    sleep(ms(1)).await;
    tree.shutdown().await?;
    let heard = log.lock().unwrap().clone();
    // Each run of the group fails, until the drain is over.
    let (last, before) = heard.split_last().unwrap();
    assert!(!before.is_empty() && before.iter().all(|reason| reason.contains("`g/b` failed")), "{heard:?}");
    assert_eq!(*last, StopReason::Shutdown.to_string());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn c09_the_limits_of_failures_in_the_config_are_for_tasks() -> Result {
    let default = SupervisorConfig::default;
    let retries = SupervisorConfig { max_retries: Some(2), ..default() };
    let reset = SupervisorConfig { reset_after: Some(Duration::ZERO), ..default() };
    for config in [retries, reset] {
        let fails = task("fails", |_| async {
            sleep(ms(1)).await;
            Err(failure())
        });
        let open = Group::one_for_all("open").with_limit(0, secs(60)).task(fails.clone());
        let own = Group::one_for_all("own").with_limit(0, secs(60)).with_max_retries(2).not_critical().task(fails);
        let tree = Tree::builder(config).group(open).group(own).task(waits("other")).build();
        tree.start().await?;
        let group = tree.group("own");
        let outcome = timeout(secs(60), group.outcome()).await?;
        assert!(matches!(outcome, Some(TaskOutcome::Exhausted { failures: 3, .. })), "{outcome:?}");
        sleep(secs(60)).await;
        assert!(tree.supervisor().node("open").unwrap().restarts > 100);
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn c01_what_is_in_a_group_between_two_runs_is_as_ready_as_health_says() -> Result {
    let short = |name: &str| {
        task(name, |_| async {
            sleep(ms(10)).await;
            Ok(())
        })
    };
    let jobs = Group::one_for_one("jobs").with_restart(RestartPolicy::Always { interval: Some(secs(60)) });
    let tree = tree(jobs.task(short("a")).group(Group::one_for_one("inner").task(short("b"))));
    tree.start().await?;
    sleep(secs(1)).await;
    assert!(tree.health().is_ready());
    for path in ["jobs", "jobs/a", "jobs/inner", "jobs/inner/b"] {
        let node = tree.supervisor().node(path).unwrap();
        assert!(node.ready && node.problem.is_none(), "{node:?}");
    }
    let inner = &tree.snapshot().root.children[0].children[1];
    assert!(inner.ready && inner.children[0].ready, "{inner:?}");
    Ok(tree.shutdown().await?)
}

#[tokio::test(start_paused = true)]
async fn o27_a_root_that_is_no_group_is_not_closed() -> Result {
    let plain = Tree::builder(SupervisorConfig::default()).task(waits("x")).build();
    plain.start().await?;
    assert!(!plain.group("").close());
    plain.group("").add_task(waits("y")).await?;
    assert!(plain.group("").outcome().await.is_none());
    plain.shutdown().await?;

    let group = Tree::builder(SupervisorConfig::default()).with_limit(1, secs(1)).task(waits("x")).build();
    assert!(group.group("").close(), "also before the start");
    group.start().await?;
    group.group("").add_task(waits("y")).await.unwrap_err();
    Ok(group.shutdown().await?)
}

#[test]
fn f02_a_caller_without_timers_can_cancel() -> Result {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all();
        builder
    };
    let slow = |name: &str| {
        task(name, |ctx| async move {
            ctx.cancelled().await;
            sleep(ms(50)).await;
            Ok(())
        })
    };
    let home = runtime().build()?;
    let group = Group::one_for_one("g").task(slow("in"));
    let tree = Arc::new(Tree::builder(SupervisorConfig::default()).task(slow("slow")).group(group).build());
    home.block_on(tree.start())?;
    home.block_on(tree.wait_ready());
    let other = Arc::clone(&tree);
    let caller = std::thread::spawn(move || {
        let without_timers = tokio::runtime::Builder::new_current_thread().build().unwrap();
        without_timers.block_on(async { (other.child("slow").cancel().await, other.group("g").cancel().await) })
    });
    while !caller.is_finished() {
        home.block_on(async { sleep(ms(1)).await });
    }
    let (task, group) = caller.join().unwrap();
    assert!(task? && group?);
    Ok(home.block_on(tree.shutdown())?)
}
