//! A start that takes long: `ready = "completed"` has no default start timeout, and health says who waits for whom.

use std::time::{Duration, SystemTime};

use taskvisor::{
    EventKind, Group, Health, Problem, Ready, RuntimeError, SupervisorConfig, TaskContext, TaskError, TaskFn,
    TaskOutcome, TaskSpec, TaskState, Tree,
};
use tests::{ALWAYS, OK, Recorder, Script, Step, constant, cooperative, deaf, ms, secs, settle};
use tokio::time::sleep;

type Result = std::result::Result<(), RuntimeError>;

const HOUR: Duration = secs(3600);

fn tree(specs: impl IntoIterator<Item = TaskSpec>) -> Tree {
    Tree::builder(SupervisorConfig::default()).tasks(specs).build()
}

fn migrate(takes: Duration) -> TaskSpec {
    Script::new([Step::Succeed(takes)]).spec("migrate").with_ready(Ready::Completed)
}

/// Each task that is not ready, with the tasks that it waits for.
fn waits(health: &Health) -> Vec<(&str, String)> {
    health.not_ready.iter().map(|one| (&*one.path, one.awaits.join(" "))).collect()
}

fn apart(a: SystemTime, b: SystemTime) -> Duration {
    a.duration_since(b).or_else(|_| b.duration_since(a)).unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn o12_a_migration_may_take_an_hour() -> Result {
    for supervisor in
        [SupervisorConfig::default(), SupervisorConfig { start_timeout: secs(1), ..SupervisorConfig::default() }]
    {
        let tree =
            Tree::builder(supervisor).task(migrate(HOUR)).task(cooperative("serve").with_after(["migrate"])).build();
        tree.start().await?;
        sleep(secs(3599)).await;
        let status = tree.child("migrate").status().unwrap();
        assert_eq!((status.attempt, status.state), (1, TaskState::Running));
        assert_eq!(tree.child("serve").status().unwrap().state, TaskState::Pending);
        sleep(secs(2)).await;
        assert_eq!(tree.child("serve").status().unwrap().attempt, 1);
        assert!(tree.health().is_ready());
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o12_readyz_says_who_waits_for_whom_and_since_when() -> Result {
    let tree =
        tree([migrate(HOUR), cooperative("serve").with_after(["migrate"]), cooperative("gate").with_after(["serve"])]);
    tree.start().await?;
    sleep(secs(90)).await;
    let health = tree.health();
    assert_eq!(waits(&health), [("migrate", String::new()), ("serve", "migrate".into()), ("gate", "serve".into())]);
    let body = health.readyz().body;
    let lines: Vec<_> = body.lines().collect();
    assert!(lines[1].starts_with("migrate: not ready: running, since 20"), "{body}");
    assert!(lines[2].starts_with("serve: not ready: pending, waits for migrate, since 20"), "{body}");
    // The clock of health has hundredths of a second.
    assert!(apart(health.not_ready[0].since, health.not_ready[1].since) < ms(50), "both since the start");
    let _ = tree.shutdown().await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o12_groups_wait_and_are_waited_for_by_their_paths() -> Result {
    let store = Group::one_for_one("store").task(migrate(HOUR)).task(cooperative("pool").with_after(["migrate"]));
    let app = Group::one_for_one("app").task(cooperative("web")).task(cooperative("log").with_after(["web"]));
    let tree = Tree::builder(SupervisorConfig::default()).group(store).group(app.with_after(["store"])).build();
    tree.start().await?;
    sleep(secs(1)).await;
    assert_eq!(
        waits(&tree.health()),
        [
            ("store/migrate", String::new()),
            ("store/pool", "store/migrate".into()),
            ("app/web", "store".into()),
            ("app/log", "app/web".into()),
        ]
    );
    sleep(HOUR).await;
    assert!(tree.health().is_ready());
    tree.shutdown().await
}

/// Ready after this time, then waits for a stop request.
fn slow(name: &str, time: Duration) -> TaskSpec {
    let task = TaskFn::arc(name, move |ctx: TaskContext| async move {
        if ctx.run_until_cancelled(sleep(time)).await.is_some() {
            ctx.ready();
            ctx.cancelled().await;
        }
        Err(TaskError::Canceled)
    });
    TaskSpec::inherit(task).with_ready(Ready::Signal)
}

#[tokio::test(start_paused = true)]
async fn o12_after_a_restart_they_wait_again_and_since_then() -> Result {
    let store = Group::one_for_one("store").task(slow("pool", secs(10)));
    let flaky = Script::new([Step::Fail(secs(30)), Step::Wait]).spec("flaky").with_backoff(constant(ms(1)));
    let all = Group::one_for_all("all").group(store).task(cooperative("app").with_after(["store"])).task(flaky);
    let tree = Tree::builder(SupervisorConfig::default()).group(all).build();
    tree.start().await?;
    sleep(secs(25)).await;
    assert!(tree.health().is_ready());
    sleep(secs(10)).await;
    let health = tree.health();
    let app = health.not_ready.iter().find(|one| one.path == "all/app").expect("it waits again");
    assert_eq!(app.awaits, ["all/store"]);
    let pool = health.not_ready.iter().find(|one| one.path == "all/store/pool").expect("it starts again");
    assert!(apart(app.since, pool.since) < secs(1), "both since the restart");
    sleep(secs(10)).await;
    assert!(tree.health().is_ready());
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o12_children_that_have_ended_pass_the_order_on() -> Result {
    let base = Script::new([Step::Fail(ms(1)), Step::Wait]).spec("base").with_ready(Ready::Signal);
    let group = Group::rest_for_one("g")
        .task(base.with_backoff(constant(HOUR)))
        .task(Script::new([OK]).spec("once"))
        .task(cooperative("last"));
    let tree = Tree::builder(SupervisorConfig::default()).group(group).build();
    tree.start().await?;
    settle().await;
    assert_eq!(waits(&tree.health())[1..], [("g/once", "g/base".into()), ("g/last", "g/once".into())]);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o12_many_that_are_waited_for_are_shortened() -> Result {
    let names: Vec<String> = (0..8).map(|n| format!("shard-{n}")).collect();
    let shards = names.iter().map(|name| deaf(name).with_ready(Ready::Signal).with_start_timeout(HOUR));
    let tree = Tree::builder(SupervisorConfig { grace: ms(1), ..SupervisorConfig::default() })
        .tasks(shards)
        .task(cooperative("serve").with_after(names.iter().map(String::as_str)))
        .build();
    tree.start().await?;
    settle().await;
    let health = tree.health();
    assert_eq!(health.not_ready[8].awaits.len(), 8);
    let line = health.not_ready[8].to_string();
    assert!(line.contains("pending, waits for shard-0, shard-1, shard-2 and 5 more, since"), "{line}");
    drop(tree.shutdown().await);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o12_an_explicit_one_is_a_failure_like_any_other() -> Result {
    let recorder = Recorder::new();
    let migrate = Script::new([Step::Succeed(HOUR), Step::Succeed(secs(1))]);
    let spec = migrate.spec("migrate").with_ready(Ready::Completed).with_start_timeout(secs(30)).with_max_retries(1);
    let tree = Tree::builder(SupervisorConfig::default())
        .with_subscriber(recorder.clone())
        .task(spec.with_backoff(constant(secs(5))).with_cleanup(ms(0)))
        .task(cooperative("serve").with_after(["migrate"]))
        .build();
    tree.start().await?;
    sleep(secs(31)).await;
    let status = tree.child("migrate").status().unwrap();
    assert_eq!((status.state, status.failures), (TaskState::Backoff, 1));
    assert!(matches!(*status.last_error.unwrap(), TaskError::StartTimeout { timeout } if timeout == secs(30)));
    assert_eq!(waits(&tree.health())[1], ("serve", "migrate".into()));
    sleep(secs(6)).await;
    assert_eq!(tree.child("serve").status().unwrap().attempt, 1);
    assert_eq!(recorder.count(EventKind::TimeoutHit), 1);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o12_an_explicit_one_holds_for_a_task_that_nothing_waits_for_too() {
    let supervisor = tests::supervisor();
    let spec = deaf("migrate").with_ready(Ready::Completed).with_start_timeout(secs(5)).with_max_retries(2);
    let task = supervisor.add_task(spec).await.unwrap();
    assert!(matches!(task.outcome().await, TaskOutcome::Exhausted { failures: 3, .. }));
}

#[tokio::test(start_paused = true)]
async fn o12_the_default_stays_for_signals_and_for_what_others_wait_for() -> Result {
    let spec = cooperative("t");
    assert_eq!(spec.start_timeout(), Some(secs(60)));
    assert_eq!(spec.clone().with_ready(Ready::Completed).start_timeout(), None);
    assert_eq!(spec.clone().with_restart(ALWAYS).with_ready(Ready::FirstSuccess).start_timeout(), None);
    assert_eq!(spec.with_ready(Ready::Completed).with_start_timeout(secs(5)).start_timeout(), Some(secs(5)));
    let slow = deaf("slow").with_ready(Ready::Signal).with_max_retries(0);
    let tree = tree([slow, cooperative("serve").with_after(["slow"])]);
    let error = tree.run().await.unwrap_err();
    assert!(format!("{error:#}").starts_with("`slow` failed (timed out after 60s, before it was ready)"), "{error:#}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o12_a_task_that_does_not_wait_has_nobody_to_wait_for() -> Result {
    // In its backoff, after its gate was opened, and with an initial delay.
    let fails = Script::new([Step::Fail(ms(1))]).spec("fails").with_after(["base"]).with_backoff(constant(HOUR));
    let delayed = cooperative("delayed").with_initial_delay(HOUR).without_readiness();
    let tree = tree([cooperative("base"), fails, delayed]);
    tree.start().await?;
    sleep(secs(1)).await;
    let health = tree.health();
    assert_eq!(waits(&health), [("fails", String::new())]);
    assert_eq!(health.not_ready[0].problem, Problem::NotReady(TaskState::Backoff));
    tree.shutdown().await
}
