//! O06: why an attempt is stopped.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use taskvisor::{
    AdmissionPolicy, EventKind, Group, Ready, RestartPolicy, RuntimeError, SlotSpec, StopReason, SupervisorConfig,
    TaskContext, TaskError, TaskFn, TaskOutcome, TaskRef, TaskSpec, Tree, task,
};
use tests::{Recorder, ms, recorded, secs, settle};
use tokio::time::{Instant, sleep};

type Result = std::result::Result<(), RuntimeError>;

/// The reasons that attempts were given, with the time that they had left.
#[derive(Clone, Default)]
struct Reasons(Arc<Mutex<Vec<Told>>>);

type Told = (StopReason, Option<Duration>);
type End = fn() -> std::result::Result<(), TaskError>;

impl Reasons {
    /// A task that waits until it is stopped, and then returns `Ok`.
    fn task(&self, name: &str) -> TaskRef {
        let reasons = self.clone();
        TaskFn::arc(name, move |ctx: TaskContext| {
            let reasons = reasons.clone();
            async move {
                assert_eq!((ctx.stop_reason(), ctx.stop_deadline()), (None, None));
                let reason = ctx.cancelled().await;
                assert_eq!(ctx.stop_reason().as_ref(), Some(&reason));
                let left = ctx.stop_deadline().map(|deadline| deadline - Instant::now());
                reasons.0.lock().unwrap().push((reason, left));
                Ok(())
            }
        })
    }

    fn spec(&self, name: &str) -> TaskSpec {
        TaskSpec::inherit(self.task(name))
            .with_restart(RestartPolicy::Always { interval: None })
            .with_stop_timeout(secs(3))
    }

    fn take(&self) -> Vec<StopReason> {
        self.take_timed().into_iter().map(|(reason, _)| reason).collect()
    }

    fn take_timed(&self) -> Vec<(StopReason, Option<Duration>)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// The reason and `finished` of a canceled task.
fn canceled(outcome: &TaskOutcome) -> (StopReason, bool) {
    let TaskOutcome::Canceled { reason, finished, .. } = outcome else { panic!("{outcome:?}") };
    (reason.clone(), *finished)
}

#[tokio::test(start_paused = true)]
async fn o06_each_way_to_stop_a_task_has_its_reason_everywhere() -> Result {
    let (supervisor, recorder) = recorded();
    let reasons = Reasons::default();

    let task = supervisor.add_task(reasons.spec("a")).await?;
    settle().await;
    assert!(supervisor.cancel("a").await?);
    assert_eq!(reasons.take_timed(), [(StopReason::Canceled, Some(secs(3)))]);
    assert_eq!(canceled(&task.outcome().await), (StopReason::Canceled, true));

    let task = supervisor.add_task(reasons.spec("b")).await?;
    settle().await;
    supervisor.remove_task("b").await?;
    assert_eq!(canceled(&task.outcome().await), (StopReason::Removed, true));
    assert_eq!(reasons.take(), [StopReason::Removed]);

    let task = supervisor.add_task(reasons.spec("c")).await?;
    settle().await;
    assert!(task.restart());
    settle().await;
    assert_eq!(reasons.take_timed(), [(StopReason::Restart, Some(secs(3)))]);
    supervisor.shutdown().await?;
    assert_eq!(canceled(&task.outcome().await), (StopReason::Shutdown, true));
    assert_eq!(reasons.take(), [StopReason::Shutdown]);
    assert_eq!(task.outcome().await.to_string(), "canceled (shutdown)");

    settle().await;
    let stops: Vec<_> = recorder.seen().into_iter().filter(|seen| seen.kind == EventKind::TaskStopped).collect();
    let told: Vec<_> = stops.iter().map(|seen| (seen.stop.clone().unwrap(), seen.reason.as_deref().unwrap())).collect();
    let expected = [
        (StopReason::Canceled, "canceled"),
        (StopReason::Removed, "removed"),
        (StopReason::Restart, "restart"),
        (StopReason::Shutdown, "shutdown"),
    ];
    assert_eq!(told, expected);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o06_a_replaced_submission_is_told_so() -> Result {
    let tree = Tree::builder(SupervisorConfig::default())
        .with_slot(SlotSpec::new("jobs").with_admission(AdmissionPolicy::Replace))
        .build();
    let reasons = Reasons::default();
    let first = tree.slot("jobs").submit(reasons.spec("a")).await?;
    settle().await;
    let second = tree.slot("jobs").submit(reasons.spec("b")).await?;
    assert_eq!(canceled(&first.outcome().await), (StopReason::Replaced, true));
    assert_eq!(reasons.take(), [StopReason::Replaced]);
    drop(tree);
    assert_eq!(canceled(&second.outcome().await), (StopReason::Dropped, true));
    assert_eq!(reasons.take(), [StopReason::Dropped]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o06_the_limits_of_an_attempt_are_told_apart() -> Result {
    let (supervisor, _) = recorded();
    let reasons = Reasons::default();
    let once =
        |name: &str| TaskSpec::inherit(reasons.task(name)).with_restart(RestartPolicy::Never).with_cleanup(secs(2));

    let task = supervisor.add_task(once("a").with_timeout(secs(1))).await?;
    assert!(matches!(task.outcome().await, TaskOutcome::Failed { .. }));
    assert_eq!(reasons.take_timed(), [(StopReason::Timeout, Some(secs(2)))]);

    let task = supervisor.add_task(once("b").with_ready(Ready::Signal).with_start_timeout(secs(1))).await?;
    assert!(matches!(task.outcome().await, TaskOutcome::Failed { .. }));
    assert_eq!(reasons.take_timed(), [(StopReason::StartTimeout, Some(secs(2)))]);

    let task = supervisor.add_task(once("c").with_watchdog(secs(1))).await?;
    assert!(matches!(task.outcome().await, TaskOutcome::Failed { .. }));
    assert_eq!(reasons.take_timed(), [(StopReason::Watchdog, Some(secs(2)))]);

    let seen = reasons.clone();
    let helped = TaskFn::arc("d", move |ctx: TaskContext| {
        let seen = seen.clone();
        async move {
            ctx.spawn(async { std::panic::resume_unwind(Box::new("helper")) });
            let reason = ctx.cancelled().await;
            let left = ctx.stop_deadline().map(|deadline| deadline - Instant::now());
            seen.0.lock().unwrap().push((reason, left));
            Ok(())
        }
    });
    let helped = TaskSpec::inherit(helped).with_restart(RestartPolicy::Never).with_cleanup(secs(2));
    let task = supervisor.add_task(helped).await?;
    assert!(matches!(task.outcome().await, TaskOutcome::Panicked { .. }));
    assert_eq!(reasons.take_timed(), [(StopReason::HelperPanicked, Some(secs(2)))]);
    Ok(())
}

/// A task that fails after this time, once.
fn fails_after(name: &str, time: Duration) -> TaskSpec {
    let task = TaskFn::arc(name, move |ctx: TaskContext| async move {
        if ctx.attempt() == 1 {
            sleep(time).await;
            return Err(TaskError::Fail { reason: "broken".into() });
        }
        ctx.cancelled().await;
        Ok(())
    });
    TaskSpec::inherit(task)
}

#[tokio::test(start_paused = true)]
async fn o06_a_restart_with_siblings_names_the_one_that_failed_first() -> Result {
    let reasons = Reasons::default();
    // The second failure comes while the first restart still stops its siblings.
    let slow = TaskFn::arc("slow", |ctx: TaskContext| async move {
        ctx.cancelled().await;
        sleep(ms(300)).await;
        Ok(())
    });
    let group = Group::one_for_all("g")
        .task(fails_after("first", secs(1)))
        .task(fails_after("second", ms(1_100)))
        .task(reasons.spec("once").with_restart(RestartPolicy::Never))
        .task(reasons.spec("again"))
        .task(TaskSpec::inherit(slow).with_restart(RestartPolicy::Always { interval: None }));
    let recorder = Recorder::new();
    let tree = Tree::builder(SupervisorConfig::default()).with_subscriber(Arc::clone(&recorder)).group(group).build();
    tree.start().await?;
    let once = tree.child("g/once").current().unwrap();
    let by_first = StopReason::SiblingRestart { failed: Arc::new("g/first".into()) };
    assert_eq!(canceled(&once.outcome().await), (by_first.clone(), true));
    assert_eq!(once.outcome().await.to_string(), "canceled (restart with `g/first`)");
    sleep(secs(5)).await;
    assert_eq!(reasons.take(), [by_first.clone(), by_first.clone()]);

    tree.group("g").cancel().await?;
    assert_eq!(reasons.take(), [StopReason::GroupStopped]);
    assert_eq!(canceled(&tree.group("g").outcome().await.unwrap()), (StopReason::Canceled, false));
    tree.shutdown().await?;
    let told = recorder.seen().into_iter().find(|seen| seen.task.as_deref() == Some("g/again") && seen.stop.is_some());
    assert_eq!(told.unwrap().stop, Some(by_first));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o06_a_reason_is_only_raised() -> Result {
    let (supervisor, _) = recorded();
    let read = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&read);
    let task = TaskFn::arc("a", move |ctx: TaskContext| {
        let seen = Arc::clone(&seen);
        async move {
            let first = ctx.cancelled().await;
            sleep(secs(1)).await;
            *seen.lock().unwrap() = vec![Some(first), ctx.stop_reason()];
            Err(TaskError::Canceled)
        }
    });
    let spec = TaskSpec::inherit(task).with_timeout(secs(1)).with_cleanup(secs(9));
    let task = supervisor.add_task(spec).await?;
    sleep(ms(1_500)).await;
    // Of a lower rank than the next, of a higher rank than the timeout.
    supervisor.remove_task("a").await?;
    assert!(!supervisor.cancel_with_timeout("a", secs(20)).await?);
    assert_eq!(*read.lock().unwrap(), [Some(StopReason::Timeout), Some(StopReason::Removed)]);
    // It returned `Canceled`, so its work is not complete.
    assert_eq!(canceled(&task.outcome().await), (StopReason::Removed, false));
    Ok(())
}

/// It takes no context, so a stop drops it.
#[task]
async fn dropped() {
    pending::<()>().await;
}

#[tokio::test(start_paused = true)]
async fn o06_finished_tells_what_completed_from_what_gave_up() -> Result {
    let (supervisor, _) = recorded();
    let ends: [(&str, End, bool); 3] = [
        ("ok", || Ok(()), true),
        ("gave_up", || Err(TaskError::Canceled), false),
        ("failed", || Err(TaskError::Fail { reason: "broken".into() }), false),
    ];
    let mut tasks = Vec::new();
    for (name, end, finished) in ends {
        let task = TaskFn::arc(name, move |ctx: TaskContext| async move {
            ctx.cancelled().await;
            end()
        });
        tasks.push((supervisor.add_task(TaskSpec::inherit(task)).await?, finished));
    }
    // Dropped, because it takes no context; and stopped in its wait after a success, and before its first attempt.
    tasks.push((supervisor.add_task(dropped::spec()).await?, false));
    let waits = TaskSpec::inherit(TaskFn::arc("waits", |_: TaskContext| async { Ok(()) }))
        .with_restart(RestartPolicy::Always { interval: Some(secs(60)) });
    tasks.push((supervisor.add_task(waits.clone().with_name("delayed").with_initial_delay(secs(60))).await?, false));
    tasks.push((supervisor.add_task(waits).await?, false));
    settle().await;
    supervisor.shutdown().await?;
    for (task, finished) in tasks {
        assert_eq!(canceled(&task.outcome().await), (StopReason::Shutdown, finished), "{}", task.name());
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o06_what_outlives_its_attempt_and_who_cancels_itself_is_told() -> Result {
    let (supervisor, _) = recorded();
    let kept = Arc::new(Mutex::new(None));
    let keeps = Arc::clone(&kept);
    let task = TaskFn::arc("ends", move |ctx: TaskContext| {
        *keeps.lock().unwrap() = Some(ctx);
        async { Ok(()) }
    });
    supervisor.add_task(TaskSpec::inherit(task)).await?.outcome().await;
    let ctx = kept.lock().unwrap().take().unwrap();
    assert_eq!((ctx.cancelled().await, ctx.stop_reason(), ctx.stop_deadline()), (StopReason::Ended, None, None));

    let task = TaskFn::arc("itself", |ctx: TaskContext| async move {
        ctx.token().cancel();
        assert_eq!(ctx.cancelled().await, StopReason::Canceled);
        Ok(())
    });
    let outcome = supervisor.add_task(TaskSpec::inherit(task)).await?.outcome().await;
    assert!(outcome.is_completed(), "{outcome}");

    let by_itself = TaskFn::arc("gives_up", |_: TaskContext| async { Err(TaskError::Canceled) });
    let outcome = supervisor.add_task(TaskSpec::inherit(by_itself)).await?.outcome().await;
    assert_eq!(canceled(&outcome), (StopReason::Canceled, false));
    assert_eq!(outcome.to_string(), "canceled");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o06_the_deadline_of_a_shutdown_is_the_grace_or_the_own_time() -> Result {
    let config = SupervisorConfig { grace: secs(8), ..SupervisorConfig::default() };
    let reasons = Reasons::default();
    let own = reasons.spec("own");
    let grace = TaskSpec::inherit(reasons.task("grace"));
    let tree = Tree::builder(config).task(own).task(grace).build();
    tree.start().await?;
    settle().await;
    tree.shutdown().await?;
    let mut left: Vec<_> = reasons.take_timed().into_iter().map(|(_, left)| left.unwrap()).collect();
    left.sort_unstable();
    assert_eq!(left, [secs(3), secs(8)]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o06_a_stop_that_never_ends_has_no_deadline() -> Result {
    let day = secs(86_400);
    let (supervisor, _) = recorded();
    let reasons = Reasons::default();
    for (own, within, left) in [
        (Some(Duration::MAX), None, None),
        (Some(secs(2)), Some(Duration::MAX), None),
        (Some(secs(2)), Some(400 * day), None),
        (Some(secs(2)), Some(100 * day), Some(100 * day)),
        (None, None, Some(secs(60))),
    ] {
        let spec = TaskSpec::inherit(reasons.task("a"));
        let spec = own.map_or(spec.clone(), |own| spec.with_stop_timeout(own));
        supervisor.add_task(spec).await?;
        settle().await;
        let first = match within {
            Some(within) => supervisor.cancel_with_timeout("a", within).await?,
            None => supervisor.cancel("a").await?,
        };
        assert!(first);
        assert_eq!(reasons.take_timed(), [(StopReason::Canceled, left)]);
    }
    Ok(())
}
