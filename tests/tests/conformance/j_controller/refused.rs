//! Submissions whose name is taken when their turn comes.

use taskvisor::{ControllerSpec, EventKind, Group, RejectReason, RuntimeError, SupervisorConfig, TaskOutcome, Tree};
use tests::{OK, Script, cooperative, deaf, secs, settle};

use super::{Result, controlled, end_of, ends_of, queue_all, queued};

#[tokio::test(start_paused = true)]
async fn j04_queued_starts_that_are_refused_free_the_slot_for_the_next() -> Result {
    // given several in a row whose name was taken while they waited
    let (supervisor, recorder) = controlled(1024, 100);
    let slot = supervisor.slot("s");
    let owner = slot.queue(cooperative("x")).await?;
    let refused = queue_all(&slot, &cooperative("taken"), 5).await?;
    let good = slot.queue(Script::new([OK]).spec("y")).await?;
    let again = slot.queue(cooperative("taken")).await?;
    let last = slot.queue(Script::new([OK]).spec("z")).await?;
    let incumbent = supervisor.add_task(cooperative("taken")).await?;
    settle().await;
    // when
    assert!(owner.cancel().await?);
    // then
    assert_eq!(ends_of(&refused).await, ["refused"; 5]);
    assert_eq!(ends_of(&[good, again, last]).await, ["completed", "refused", "completed"]);
    let outcome = refused[0].outcome().await;
    let TaskOutcome::Rejected { reason: RejectReason::Refused { error } } = &outcome else { panic!("{outcome}") };
    assert!(matches!(&**error, RuntimeError::TaskAlreadyExists { name } if name == "taken"));
    assert_eq!(outcome.source().unwrap().to_string(), error.to_string());
    assert!(outcome.source().unwrap().source().is_none() && outcome.error().is_none());
    assert!(slot.is_idle());
    settle().await;
    assert_eq!(incumbent.status().attempt, 1);
    assert_eq!(recorder.count(EventKind::ControllerRejected), 6);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j04_one_that_is_refused_on_an_idle_slot_leaves_it_idle() -> Result {
    let (supervisor, recorder) = controlled(1024, 100);
    let slot = supervisor.slot("s");
    let incumbent = supervisor.add_task(cooperative("x")).await?;
    for spec in [ControllerSpec::queue, ControllerSpec::replace, ControllerSpec::drop_if_running] {
        let refused = supervisor.submit(spec(cooperative("x")).with_slot("s")).await?;
        assert_eq!(end_of(&refused).await, "refused");
        assert!(slot.is_idle() && !refused.cancel().await?);
    }
    settle().await;
    assert_eq!(recorder.count(EventKind::ControllerSubmitted), 0);
    assert_eq!(recorder.count(EventKind::ControllerSlotTransition), 0);
    assert_eq!(recorder.count(EventKind::TaskRemoveRequested), 0, "it replaces nobody but the owner of its slot");
    assert!(incumbent.cancel().await?);
    assert_eq!(end_of(&slot.queue(Script::new([OK]).spec("x")).await?).await, "completed");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j04_when_all_that_wait_are_refused_the_slot_is_idle_and_run_returns() -> Result {
    let (supervisor, _) = controlled(3, 100);
    let slot = supervisor.slot("s");
    let owner = slot.replace(deaf("x").with_stop_timeout(secs(1))).await?;
    queue_all(&slot, &cooperative("taken"), 2).await?;
    settle().await;
    let replaces = slot.replace(cooperative("taken")).await?;
    let incumbent = supervisor.add_task(Script::new([tests::Step::Succeed(secs(5))]).spec("taken")).await?;
    supervisor.run(vec![Script::new([OK]).spec("y")]).await?;
    assert_eq!(ends_of(&[owner, replaces, incumbent]).await, ["aborted", "refused", "completed"]);
    assert!(slot.is_idle());
    // and the full capacity is free
    slot.queue(cooperative("x")).await?;
    assert_eq!(std::iter::from_fn(|| supervisor.try_submit(queued(cooperative("x"))).ok()).count(), 3);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j04_tens_of_thousands_refused_in_a_row() -> Result {
    let (supervisor, _) = controlled(100_000, 100_000);
    let slot = supervisor.slot("s");
    let owner = slot.queue(cooperative("x")).await?;
    let refused = queue_all(&slot, &cooperative("taken"), 50_000).await?;
    let last = slot.queue(Script::new([OK]).spec("z")).await?;
    supervisor.add_task(cooperative("taken")).await?;
    assert!(owner.cancel().await?);
    assert_eq!(end_of(&last).await, "completed");
    assert!(ends_of(&refused).await.iter().all(|end| *end == "refused"));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn j04_the_name_of_a_group_is_taken_as_well() -> Result {
    let store = Group::one_for_one("store").task(cooperative("pool"));
    let tree = Tree::builder(SupervisorConfig::default()).group(store).build();
    tree.start().await?;
    assert_eq!(end_of(&tree.slot("s").submit(cooperative("store")).await?).await, "refused");
    assert!(tree.slot("s").is_idle());
    Ok(())
}
