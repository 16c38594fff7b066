//! Snapshots of slots.

use taskvisor::{SlotPhase, SlotSpec, SlotTask, SupervisorConfig, TaskState, Tree};
use tests::{Script, Step, cooperative, secs, settle};
use tokio::time::sleep;

type Result = std::result::Result<(), Box<dyn std::error::Error>>;

fn paths(tasks: &[SlotTask]) -> Vec<&str> {
    tasks.iter().map(|task| &*task.path).collect()
}

#[tokio::test(start_paused = true)]
async fn o32_a_slot_shows_its_owner_phase_next_queue_and_capacity() -> Result {
    let tree = Tree::builder(SupervisorConfig::default()).with_slot(SlotSpec::new("s").with_capacity(70)).build();
    let slot = tree.slot("s");
    let idle = slot.snapshot();
    assert_eq!(
        (&*idle.name, idle.phase, idle.owners.len(), idle.queued, idle.capacity),
        ("s", SlotPhase::Idle, 0, 0, 70)
    );

    let stops = Script::new([Step::Deaf]).spec("owner").with_stop_timeout(secs(5));
    let owner = slot.submit(stops).await?;
    settle().await;
    for number in 0..60 {
        slot.queue(cooperative(&format!("q{number}"))).await?;
    }
    let busy = slot.snapshot();
    assert_eq!((busy.phase, paths(&busy.owners), busy.next), (SlotPhase::Running, vec!["owner"], None));
    assert_eq!((busy.queue.len(), busy.queued), (50, 60), "cut, with the count");
    assert_eq!((&*busy.queue[0].path, &*busy.queue[49].path, busy.queue[0].state), ("q0", "q49", TaskState::Queued));
    assert_eq!((busy.owners[0].id, busy.owners[0].state), (owner.id(), TaskState::Running));

    let next = slot.replace(cooperative("next")).await?;
    let stopping = slot.snapshot();
    assert_eq!(stopping.phase, SlotPhase::Stopping);
    assert_eq!(stopping.owners[0].state, TaskState::Stopping);
    assert_eq!(stopping.next.map(|task| (task.path, task.id)), Some(("next".into(), next.id())));
    sleep(secs(6)).await;
    let replaced = slot.snapshot();
    assert_eq!((replaced.phase, paths(&replaced.owners)), (SlotPhase::Running, vec!["next"]));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o32_all_slots_are_shown_by_name() -> Result {
    let tree = Tree::builder(SupervisorConfig::default())
        .with_slot(SlotSpec::new("b"))
        .with_slot(SlotSpec::new("keyed").with_keys())
        .build();
    let supervisor = tree.supervisor();
    supervisor.slot("z").submit(cooperative("other")).await?;
    // Its slot is not stored: it has the name of its owner.
    supervisor.slot("own").submit(cooperative("own")).await?;
    tree.slot("keyed").key("k").submit(cooperative("t")).await?;
    supervisor.add_task(cooperative("no-slot")).await?;
    settle().await;
    let slots = supervisor.slots();
    let seen: Vec<_> = slots.iter().map(|slot| (&*slot.name, slot.phase, paths(&slot.owners))).collect();
    assert_eq!(
        seen,
        [
            ("b", SlotPhase::Idle, vec![]),
            ("keyed", SlotPhase::Idle, vec![]),
            ("keyed/k", SlotPhase::Running, vec!["keyed/k/t"]),
            ("own", SlotPhase::Running, vec!["own"]),
            ("z", SlotPhase::Running, vec!["other"]),
        ]
    );
    assert_eq!(supervisor.slot("own").snapshot().capacity, 100);
    assert_eq!((SlotPhase::Waiting.to_string(), SlotPhase::Stopping.as_label()), ("waiting".into(), "stopping"));
    tree.shutdown().await?;
    assert_eq!(supervisor.slots().len(), 2, "the declared ones stay");
    Ok(())
}

/// Also while no key of it is busy.
#[tokio::test(start_paused = true)]
async fn o32_a_slot_with_keys_is_shown_from_the_first_moment_to_the_last() -> Result {
    let tree = Tree::builder(SupervisorConfig::default())
        .with_slot(SlotSpec::new("jobs").with_keys().with_capacity(7))
        .with_slot(SlotSpec::new("plain"))
        .build();
    let supervisor = tree.supervisor();
    let seen = || supervisor.slots().into_iter().map(|slot| (slot.name, slot.keyed, slot.paused)).collect::<Vec<_>>();
    let is = |paused| [("jobs".to_owned(), true, paused), ("plain".to_owned(), false, false)];
    assert_eq!(seen(), is(false), "before the start");
    tree.start().await?;
    let jobs = supervisor.slots().remove(0);
    assert_eq!(jobs, tree.slot("jobs").snapshot());
    assert_eq!((jobs.phase, jobs.owners.len(), jobs.queued, jobs.capacity), (SlotPhase::Idle, 0, 0, 7));
    assert!(tree.slot("jobs").pause());
    assert_eq!(seen(), is(true));
    assert!(tree.slot("jobs").resume());
    assert_eq!(seen(), is(false));
    tree.shutdown().await?;
    assert_eq!(seen(), is(false), "after the shutdown");
    Ok(())
}
