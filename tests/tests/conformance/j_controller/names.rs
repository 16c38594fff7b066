//! Slots and names.

use taskvisor::{ControllerSpec, TaskState};
use tests::{OK, Script, Step, cooperative, secs, settle, supervisor};

use super::{Result, end_of, ends_of};

#[tokio::test(start_paused = true)]
async fn j06_two_names_share_a_slot_and_never_run_at_once() -> Result {
    // given
    let supervisor = supervisor();
    let script = Script::new([Step::Succeed(secs(1))]);
    let to = |name: &str| ControllerSpec::queue(script.spec(name)).with_slot("shared");
    let a = supervisor.submit(to("a")).await?;
    let b = supervisor.submit(to("b")).await?;
    assert_eq!(to("a").slot(), "shared");
    assert_eq!((a.name(), b.name()), ("a", "b"));
    settle().await;
    // then
    assert_eq!((a.status().state, b.status().state), (TaskState::Running, TaskState::Queued));
    assert_eq!(supervisor.list_tasks().await, ["a"], "one that waits is not registered");
    assert!(supervisor.task("b").is_none() && !supervisor.cancel("b").await?);
    assert_eq!(supervisor.slot("shared").len(), 2);
    assert!(supervisor.slot("a").is_idle(), "no slot of its own");
    let replaces = supervisor.submit(ControllerSpec::replace(script.spec("c")).with_slot("shared")).await?;
    assert_eq!(end_of(&a).await, "canceled");
    assert_eq!(ends_of(&[replaces, b]).await, ["completed", "completed"]);
    assert_eq!(script.most(), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j06_a_slot_is_the_tasks_own_unless_it_says_otherwise() -> Result {
    let supervisor = supervisor();
    let spec = ControllerSpec::queue(cooperative("x").with_name("renamed"));
    assert_eq!(spec.slot(), "renamed");
    supervisor.submit(spec).await?;
    assert_eq!((supervisor.slot("renamed").len(), supervisor.slot("x").len()), (1, 0));
    // A slot is idle if a task of the same name was added without a submission to the slot.
    supervisor.add_task(cooperative("added")).await?;
    assert!(supervisor.slot("added").is_idle());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j06_others_come_to_the_slot_of_a_task_that_has_its_name() -> Result {
    // given
    let supervisor = supervisor();
    let script = Script::new([Step::Succeed(secs(1))]);
    let slot = supervisor.slot("x");
    let own = supervisor.submit(ControllerSpec::drop_if_running(script.spec("x"))).await?;
    assert_eq!(slot.len(), 1);
    // then
    assert_eq!(end_of(&slot.drop_if_running(script.spec("a")).await?).await, "busy");
    assert_eq!(end_of(&supervisor.submit(ControllerSpec::drop_if_running(script.spec("x"))).await?).await, "busy");
    let other = slot.queue(script.spec("a")).await?;
    let waits = supervisor.submit(ControllerSpec::queue(script.spec("x"))).await?;
    assert_eq!(slot.len(), 3);
    assert_eq!(ends_of(&[own, other]).await, ["completed", "completed"]);
    settle().await;
    assert_eq!((slot.len(), waits.status().state), (1, TaskState::Running));
    // The owner has the name of its slot again, and is replaced by another.
    let other = slot.replace(script.spec("a")).await?;
    assert_eq!(ends_of(&[waits, other]).await, ["canceled", "completed"]);
    assert!(slot.is_idle());
    assert_eq!(script.most(), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j06_the_slot_of_a_task_that_has_its_name_is_cancelled_and_made_way_in() -> Result {
    let supervisor = supervisor();
    let slot = supervisor.slot("x");
    for waiting in [0, 1] {
        let own = supervisor.submit(ControllerSpec::queue(cooperative("x"))).await?;
        super::queue_all(&slot, &cooperative("a"), waiting).await?;
        assert_eq!(slot.cancel_all().await?, 1 + waiting);
        assert_eq!(end_of(&own).await, "canceled");
        assert!(slot.is_idle());
    }
    let own = supervisor.submit(ControllerSpec::queue(cooperative("x"))).await?;
    let next = supervisor.submit(ControllerSpec::replace(Script::new([OK]).spec("x"))).await?;
    assert_eq!(ends_of(&[own, next]).await, ["canceled", "completed"]);
    assert!(slot.is_idle());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j06_one_name_in_two_slots_runs_once() -> Result {
    let supervisor = supervisor();
    let script = Script::new([Step::Succeed(secs(1))]);
    let (one, two) = (supervisor.slot("one"), supervisor.slot("two"));
    let first = one.queue(script.spec("x")).await?;
    // refused at once in the other slot, and when its turn comes while the name is still taken
    assert_eq!(end_of(&two.queue(script.spec("x")).await?).await, "refused");
    two.queue(Script::new([Step::Succeed(tests::ms(500))]).spec("y")).await?;
    let early = two.queue(script.spec("x")).await?;
    let other = two.queue(Script::new([Step::Succeed(secs(1))]).spec("z")).await?;
    let late = two.queue(script.spec("x")).await?;
    assert_eq!(ends_of(&[early, first, other, late]).await, ["refused", "completed", "completed", "completed"]);
    assert_eq!((script.most(), script.attempts()), (1, 2));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j06_equal_names_in_one_queue_are_told_apart_by_their_handles() -> Result {
    let supervisor = supervisor();
    let slot = supervisor.slot("x");
    let handles = super::queue_all(&slot, &Script::new([OK]).spec("x"), 4).await?;
    assert!(handles[2].cancel().await?);
    assert_eq!(ends_of(&handles).await, ["completed", "completed", "canceled", "completed"]);
    let mut ids = super::ids(&handles);
    ids.dedup();
    assert_eq!(ids.len(), 4);
    Ok(())
}
