//! The delay that a success tells.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use taskvisor::{
    EventKind, Group, RestartPolicy, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskOutcome, TaskSpec,
    TaskState, Tree,
};
use tests::{ALWAYS, Recorder, constant, ms, recorded, secs, settle, supervisor};
use tokio::time::{Instant, sleep};

use super::Result;

/// One attempt: the delays that it tells, and how it ends.
type Step = (Vec<Duration>, std::result::Result<(), &'static str>);

fn succeeds(told: &[Duration]) -> Step {
    (told.to_vec(), Ok(()))
}

fn fails(told: &[Duration]) -> Step {
    (told.to_vec(), Err("down"))
}

/// A task that follows these steps and stays with the last one.
#[derive(Clone)]
struct Teller {
    steps: Arc<[Step]>,
    start: Instant,
    begun: Arc<Mutex<Vec<u128>>>,
}

impl Teller {
    fn new<const N: usize>(steps: [Step; N]) -> Self {
        Self { steps: Arc::new(steps), start: Instant::now(), begun: Arc::default() }
    }

    fn spec(&self, name: &str) -> TaskSpec {
        let teller = self.clone();
        let task = TaskFn::arc(name, move |ctx: TaskContext| {
            let mut begun = teller.begun.lock().unwrap();
            let (delays, result) = teller.steps[begun.len().min(teller.steps.len() - 1)].clone();
            begun.push(teller.start.elapsed().as_millis());
            async move {
                for delay in delays {
                    ctx.repeat_after(delay);
                }
                result.map_err(TaskError::error)
            }
        });
        TaskSpec::inherit(task).with_restart(ALWAYS).with_backoff(constant(secs(1)))
    }

    /// The times at which the attempts have begun, in milliseconds.
    fn begun(&self) -> Vec<u128> {
        self.begun.lock().unwrap().clone()
    }
}

/// The announced waits: their length in milliseconds, and what for.
fn waits(recorder: &Recorder) -> Vec<(u64, String)> {
    let waits = recorder.seen().into_iter().filter(|seen| seen.kind == EventKind::BackoffScheduled);
    waits.map(|seen| (seen.delay_ms.unwrap(), seen.reason.unwrap())).collect()
}

/// A task `x` that runs again after a success.
fn spec_of<F: Future<Output = std::result::Result<(), TaskError>> + Send + 'static>(
    attempt: impl Fn(TaskContext) -> F + Send + Sync + 'static,
) -> TaskSpec {
    TaskSpec::inherit(TaskFn::arc("x", attempt)).with_restart(ALWAYS)
}

#[tokio::test(start_paused = true)]
async fn o26_a_success_tells_when_its_task_runs_again() -> Result {
    let supervisor = supervisor();
    // The last call counts, and one wait has the delay.
    let plain = Teller::new([succeeds(&[secs(60), secs(7)]), succeeds(&[secs(60)]), succeeds(&[Duration::MAX])]);
    supervisor.add_task(plain.spec("plain")).await?;
    let periodic = Teller::new([succeeds(&[]), succeeds(&[secs(60)]), succeeds(&[ms(500)]), succeeds(&[])]);
    let interval = RestartPolicy::Always { interval: Some(secs(10)) };
    supervisor.add_task(periodic.spec("periodic").with_restart(interval)).await?;
    sleep(secs(85)).await;
    assert_eq!(plain.begun(), [0, 7_000, 67_000]);
    assert_eq!(periodic.begun(), [0, 10_000, 70_000, 70_500, 80_500]);
    supervisor.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o26_the_delay_of_a_success_is_shown_and_counts_from_the_end_of_its_helpers() -> Result {
    let (supervisor, recorder) = recorded();
    let start = Instant::now();
    let spec = spec_of(|ctx: TaskContext| async move {
        let from_helper = ctx.clone();
        ctx.spawn(async move {
            sleep(secs(3)).await;
            from_helper.repeat_after(secs(60));
        });
        Ok(())
    });
    let task = supervisor.add_task(spec).await?;
    sleep(secs(4)).await;
    assert_eq!(task.status().state, TaskState::Interval);
    let node = task.node();
    assert_eq!(node.next_at.unwrap().duration_since(node.since.unwrap()).unwrap(), secs(60));
    assert_eq!(waits(&recorder)[0], (60_000, "interval".into()));
    sleep(secs(60)).await;
    assert_eq!((task.status().attempt, start.elapsed()), (2, secs(64)));
    supervisor.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o26_a_failure_has_no_use_for_what_it_told_before() -> Result {
    let supervisor = supervisor();
    let failing = Teller::new([fails(&[secs(60)]), succeeds(&[]), fails(&[]), succeeds(&[secs(60)])]);
    supervisor
        .add_task(failing.spec("failing").with_restart(RestartPolicy::Always { interval: Some(secs(5)) }))
        .await?;
    // The panic of a helper makes a failure of a success.
    let spec = spec_of(|ctx: TaskContext| async move {
        ctx.repeat_after(secs(60));
        ctx.spawn(async { panic!("by a test") });
        Ok(())
    });
    let panicking = supervisor.add_task(spec.with_backoff(constant(secs(1)))).await?;
    sleep(ms(8_500)).await;
    assert_eq!(failing.begun(), [0, 1_000, 6_000, 7_000]);
    assert_eq!((panicking.status().attempt, panicking.status().failures), (9, 9));
    supervisor.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o26_a_task_that_does_not_repeat_or_has_times_of_its_own_keeps_to_that() -> Result {
    let supervisor = supervisor();
    for restart in [RestartPolicy::Never, RestartPolicy::OnFailure] {
        let once = supervisor.add_task(Teller::new([succeeds(&[secs(60)])]).spec("once").with_restart(restart)).await?;
        assert!(once.outcome().await.is_completed());
    }
    let steady = Teller::new([succeeds(&[secs(60)])]);
    supervisor.add_task(steady.spec("steady").with_every(secs(10))).await?;
    sleep(secs(25)).await;
    assert_eq!(steady.begun(), [0, 10_000, 20_000]);
    supervisor.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o26_a_trigger_a_restart_and_a_stop_end_the_wait_of_a_success() -> Result {
    let (supervisor, told) = (supervisor(), Teller::new([succeeds(&[secs(60)])]));
    let task = supervisor.add_task(told.spec("x")).await?;
    sleep(secs(1)).await;
    assert!(task.trigger());
    sleep(secs(1)).await;
    assert!(task.restart());
    sleep(secs(1)).await;
    assert_eq!(told.begun(), [0, 1_000, 2_000]);
    assert!(task.cancel().await?);
    assert!(matches!(task.outcome().await, TaskOutcome::Canceled { error: None, .. }));
    assert_eq!(told.start.elapsed(), secs(3));
    supervisor.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o26_a_success_after_a_stop_request_is_a_finished_stop() -> Result {
    let supervisor = supervisor();
    let spec = spec_of(|ctx: TaskContext| async move {
        ctx.repeat_after(secs(60));
        ctx.cancelled().await;
        ctx.repeat_after(secs(60));
        Ok(())
    });
    let task = supervisor.add_task(spec).await?;
    settle().await;
    // A restart is at once.
    assert!(task.restart());
    settle().await;
    assert_eq!(task.status().attempt, 2);
    assert!(task.cancel().await?);
    assert!(matches!(task.outcome().await, TaskOutcome::Canceled { finished: true, .. }));
    supervisor.shutdown().await
}

/// The helpers of an attempt can outlive its function, so the stop finds a result, and what was told with it.
#[tokio::test(start_paused = true)]
async fn o26_a_stop_while_the_helpers_of_a_telling_success_are_joined_keeps_the_success() -> Result {
    let supervisor = supervisor();
    let spec = spec_of(|ctx: TaskContext| async move {
        ctx.repeat_after(secs(60));
        ctx.spawn(sleep(secs(1)));
        Ok(())
    });
    let task = supervisor.add_task(spec).await?;
    settle().await;
    assert!(task.cancel().await?);
    assert!(matches!(task.outcome().await, TaskOutcome::Canceled { finished: true, .. }));
    supervisor.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o26_zero_after_a_success_is_at_once_and_throttled_like_no_interval() -> Result {
    let (supervisor, recorder) = recorded();
    let hasty = Teller::new([succeeds(&[Duration::ZERO])]);
    let interval = RestartPolicy::Always { interval: Some(secs(10)) };
    supervisor.add_task(hasty.spec("x").with_restart(interval)).await?;
    sleep(ms(8)).await;
    let begun = hasty.begun();
    assert_eq!(begun[..13], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 3, 7]);
    assert_eq!(waits(&recorder)[..3], [1, 2, 4].map(|ms| (ms, "throttled".into())));
    supervisor.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o26_the_context_of_an_attempt_that_has_ended_tells_nothing() -> Result {
    let supervisor = supervisor();
    let kept: Arc<Mutex<Vec<TaskContext>>> = Arc::default();
    let keeps = Arc::clone(&kept);
    let spec = spec_of(move |ctx: TaskContext| {
        let mut kept = keeps.lock().unwrap();
        kept.push(ctx);
        if kept.len() > 1 {
            kept[0].repeat_after(secs(60));
        }
        async { Ok(()) }
    });
    let interval = RestartPolicy::Always { interval: Some(secs(10)) };
    let task = supervisor.add_task(spec.with_restart(interval)).await?;
    settle().await;
    kept.lock().unwrap()[0].repeat_after(secs(60));
    sleep(secs(35)).await;
    assert_eq!(task.status().attempt, 4);
    supervisor.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn o26_a_child_of_a_group_waits_alone_for_what_it_told() -> Result {
    let (told, other) = (Teller::new([succeeds(&[]), succeeds(&[secs(60)])]), Teller::new([succeeds(&[secs(7)])]));
    let group = Group::one_for_all("g").task(told.spec("told")).task(other.spec("other"));
    let tree = Tree::builder(SupervisorConfig::default()).group(group).build();
    tree.start().await?;
    sleep(secs(61)).await;
    assert_eq!(told.begun(), [0, 0, 60_000]);
    assert_eq!(other.begun(), [0, 7_000, 14_000, 21_000, 28_000, 35_000, 42_000, 49_000, 56_000]);
    tree.shutdown().await
}
