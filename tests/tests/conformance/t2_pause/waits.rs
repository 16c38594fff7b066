//! Pauses while a task waits for a permit, a place, or its start.

use taskvisor::{EventKind, Group, Ready, RestartPolicy, SupervisorConfig, TaskState, Tree};
use tests::{ALWAYS, OK, Recorder, Script, Step, cooperative, ms, secs, settle};
use tokio::time::advance;

use super::{Result, started, state};

async fn limited(max_concurrent: usize) -> (Tree, std::sync::Arc<Script>, std::sync::Arc<Script>) {
    let (first, second) = (Script::new([Step::Wait]), Script::new([Step::Wait]));
    let config = SupervisorConfig { max_concurrent, ..SupervisorConfig::default() };
    let tree =
        Tree::builder(config).task(first.spec("first")).task(second.spec("second")).task(cooperative("third")).build();
    tree.start().await.unwrap();
    settle().await;
    (tree, first, second)
}

#[tokio::test(start_paused = true)]
async fn t2_a_paused_task_holds_no_permit_and_no_place_in_the_queue() -> Result {
    let (tree, first, second) = limited(1).await;
    assert_eq!((first.running(), state(&tree, "second")), (1, TaskState::Pending));
    // The second waits for the permit, and no longer does.
    assert!(tree.child("second").pause());
    settle().await;
    assert_eq!(state(&tree, "second"), TaskState::Paused);
    assert!(tree.child("first").pause_and_stop());
    settle().await;
    assert_eq!((first.running(), second.attempts(), state(&tree, "third")), (0, 0, TaskState::Running));
    // It waits for the permit again, at the end of the queue.
    assert!(tree.child("first").resume() && tree.child("second").resume());
    settle().await;
    assert_eq!([state(&tree, "first"), state(&tree, "second")], [TaskState::Pending; 2]);
    tree.child("third").cancel().await?;
    settle().await;
    assert_eq!((first.running(), second.running()), (1, 0));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_a_permit_that_comes_with_the_pause_is_given_on() -> Result {
    let (tree, first, second) = limited(1).await;
    // The permit is handed to the second, which is paused before its next turn.
    assert!(tree.child("first").pause_and_stop());
    while first.running() > 0 {
        tokio::task::yield_now().await;
    }
    assert!(tree.child("second").pause_and_stop());
    settle().await;
    assert_eq!((second.running(), state(&tree, "third")), (0, TaskState::Running));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_a_triggered_attempt_waits_for_its_permit_as_any_other() -> Result {
    let (tree, _, second) = limited(1).await;
    assert!(tree.child("second").pause());
    settle().await;
    assert!(tree.child("second").trigger());
    settle().await;
    assert_eq!((second.attempts(), state(&tree, "second")), (0, TaskState::Pending));
    tree.child("first").cancel().await?;
    tree.child("third").cancel().await?;
    settle().await;
    assert_eq!((second.attempts(), tree.child("second").is_paused()), (1, true));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_what_falls_due_in_a_pause_waits_for_no_permit_and_no_timeout() -> Result {
    // given tasks that fall due in a pause, by an interval and by the end of an attempt, while others hold the permits
    let recorder = Recorder::new();
    let script = Script::new([OK, Step::Wait]);
    let task = |name: &str| script.spec(name).with_ready(Ready::Signal).with_start_timeout(secs(2));
    let interval = task("interval").with_restart(RestartPolicy::Always { interval: Some(secs(5)) });
    let ends = Script::new([Step::Succeed(secs(5)), Step::Wait]);
    let ends = ends.spec("ends").with_start_timeout(secs(6)).with_restart(ALWAYS).with_ready(Ready::FirstSuccess);
    let tree = Tree::builder(SupervisorConfig { max_concurrent: 2, ..SupervisorConfig::default() })
        .with_subscriber(recorder.clone())
        .task(interval)
        .task(ends)
        .task(cooperative("first"))
        .task(cooperative("second"))
        .build();
    tree.start().await?;
    settle().await;
    assert!(tree.child("interval").pause() && tree.child("ends").pause());
    // when
    for _ in 0..20 {
        advance(secs(1)).await;
        settle().await;
    }
    // then
    let states = ["interval", "ends", "first", "second"].map(|path| state(&tree, path));
    assert_eq!(states, [TaskState::Paused, TaskState::Paused, TaskState::Running, TaskState::Running]);
    assert_eq!(recorder.count(EventKind::TaskFailed), 0);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_the_start_timeout_stands_still() -> Result {
    // given a task whose start timeout runs while it waits for a permit
    let recorder = Recorder::new();
    let config = SupervisorConfig { max_concurrent: 1, ..SupervisorConfig::default() };
    let signals = cooperative("waits").with_ready(Ready::Signal).with_start_timeout(secs(2));
    let tree = Tree::builder(config).with_subscriber(recorder.clone()).task(cooperative("holds")).task(signals).build();
    tree.start().await?;
    settle().await;
    advance(secs(1)).await;
    settle().await;
    // when
    assert!(tree.child("waits").pause());
    advance(secs(100)).await;
    settle().await;
    // then
    assert_eq!((state(&tree, "waits"), recorder.count(EventKind::TaskFailed)), (TaskState::Paused, 0));
    assert!(tree.child("waits").resume());
    settle().await;
    advance(ms(1_999)).await;
    settle().await;
    assert_eq!((state(&tree, "waits"), recorder.count(EventKind::TaskFailed)), (TaskState::Pending, 0));
    advance(ms(1)).await;
    settle().await;
    assert_eq!(recorder.count(EventKind::TaskFailed), 1, "it runs anew from the resume");
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_the_start_timeout_of_a_running_attempt_runs_on() -> Result {
    let task = cooperative("t").with_ready(Ready::Signal).with_start_timeout(secs(2)).with_cleanup(secs(0));
    let (tree, recorder) = started(|tree| tree.task(task)).await?;
    assert!(tree.child("t").pause());
    advance(secs(2)).await;
    settle().await;
    assert_eq!(recorder.count(EventKind::TimeoutHit), 1, "the attempt goes on, and so do its limits");
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_a_paused_task_holds_no_place_of_max_starting() -> Result {
    let task = |name: &str| cooperative(name).with_ready(Ready::Signal).with_start_timeout(secs(100));
    let group = Group::one_for_one("g").with_max_starting(1).task(task("a")).task(task("b"));
    let (tree, _) = started(|tree| tree.group(group)).await?;
    assert_eq!((state(&tree, "g/a"), state(&tree, "g/b")), (TaskState::Running, TaskState::Pending));
    assert!(tree.child("g/a").pause_and_stop());
    settle().await;
    assert_eq!((state(&tree, "g/a"), state(&tree, "g/b")), (TaskState::Paused, TaskState::Running));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_a_trigger_that_waits_for_its_permit_is_forgotten_with_the_stop_of_the_pause() -> Result {
    let (tree, first, second) = limited(1).await;
    let task = tree.child("second");
    assert!(task.pause() && task.trigger());
    settle().await;
    assert_eq!(state(&tree, "second"), TaskState::Pending);
    // No attempt runs that could be requested to end.
    assert!(!task.pause_and_stop());
    settle().await;
    assert_eq!(state(&tree, "second"), TaskState::Paused);
    tree.child("first").cancel().await?;
    settle().await;
    assert_eq!((first.running(), second.attempts(), state(&tree, "third")), (0, 0, TaskState::Running));
    tree.shutdown().await
}
