//! What is declared as paused.

use taskvisor::{EventKind, Group, SlotSpec, SupervisorConfig, TaskState, Tree};
use tests::{Recorder, Script, Step, cooperative, settle, supervisor};

use super::{Result, started, state};

#[tokio::test(start_paused = true)]
async fn t2_declared_pauses_hold_until_the_first_resume_only() -> Result {
    let script = Script::new([Step::Wait]);
    let group = Group::one_for_all("g").with_paused(true).task(cooperative("a"));
    let (tree, recorder) = started(|tree| {
        tree.task(script.spec("t").with_paused(true)).task(cooperative("free").with_paused(false)).group(group)
    })
    .await?;
    assert_eq!(
        (state(&tree, "t"), state(&tree, "free"), state(&tree, "g/a")),
        (TaskState::Paused, TaskState::Running, TaskState::Paused)
    );
    let (task, group) = (tree.child("t"), tree.group("g"));
    assert!(!task.pause() && !group.pause() && task.resume() && group.resume());
    settle().await;
    assert_eq!((script.attempts(), state(&tree, "g/a")), (1, TaskState::Running));
    assert!(task.restart() && group.restart());
    settle().await;
    assert_eq!((script.attempts(), state(&tree, "g/a")), (2, TaskState::Running));
    task.cancel().await?;
    assert!(task.restart(), "a new registration at the same place");
    settle().await;
    assert_eq!((script.attempts(), task.is_paused()), (3, false));
    let paused = recorder.seen().into_iter().filter(|seen| seen.kind == EventKind::TaskPaused);
    let mut paused: Vec<_> = paused.map(|seen| (seen.task.unwrap(), seen.id.is_some())).collect();
    paused.sort();
    assert_eq!(paused, [("g".to_owned(), false), ("t".to_owned(), true)]);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_an_added_task_is_declared_as_paused_each_time() -> Result {
    let supervisor = supervisor();
    for _ in 0..2 {
        let task = supervisor.add_task(cooperative("t").with_paused(true)).await?;
        settle().await;
        assert_eq!(task.status().state, TaskState::Paused);
        assert!(task.resume());
        settle().await;
        assert_eq!(task.status().state, TaskState::Running);
        task.cancel().await?;
    }
    let changes = supervisor.reconcile([cooperative("a").with_paused(true)]).await?;
    settle().await;
    assert_eq!(changes.added[0].status().state, TaskState::Paused);
    supervisor.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t2_a_declared_slot_is_paused_at_first() -> Result {
    let recorder = Recorder::new();
    let tree = Tree::builder(SupervisorConfig::default())
        .with_subscriber(recorder.clone())
        .with_slot(SlotSpec::new("s").with_paused(true))
        .build();
    assert!(SlotSpec::new("s").with_paused(true).is_paused());
    let slot = tree.slot("s");
    assert!(slot.is_paused() && !slot.pause());
    let job = slot.submit(cooperative("job").with_paused(true)).await?;
    settle().await;
    assert_eq!((job.status().state, job.status().paused), (TaskState::Queued, true));
    assert!(!job.pause() && job.is_paused(), "it waits in its slot");
    // A job can be declared as paused as well: it owns the slot then.
    assert!(slot.resume());
    settle().await;
    assert_eq!((job.status().state, slot.snapshot().owners.len()), (TaskState::Paused, 1));
    assert!(job.resume());
    settle().await;
    assert_eq!(job.status().state, TaskState::Running);
    tree.shutdown().await
}
