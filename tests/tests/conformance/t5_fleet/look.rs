//! What a replica shows of its leases, and whose the events of leases are.

use taskvisor::EventKind;
use taskvisor::fleet::LocalStore;
use tokio::time::sleep;

use super::{Log, Result, TTL, replica, secs, serve};

#[tokio::test(start_paused = true)]
async fn t5_a_snapshot_tells_which_leases_are_held_and_by_whom() -> Result {
    let (log, store) = (Log::new(), LocalStore::new());
    let mut replicas = Vec::new();
    for number in 0..2 {
        let task = serve(&log, number, "ledger").with_singleton();
        replicas.push(replica(&store, number, |tree| tree.task(task).task(serve(&log, number, "each"))).await?);
        sleep(secs(1.0)).await;
    }
    let [owner, other] = &replicas[..] else { panic!("two") };
    let [held, wanted] = [owner, other].map(|it| it.tree.supervisor().fleet().expect("it is in a fleet"));
    let token = log.runs().iter().find(|run| run.what == "ledger").map(|run| run.token);
    let [mine, theirs] = [&held.leases, &wanted.leases].map(|leases| {
        assert_eq!(leases.len(), 1, "{leases:?}");
        leases[0].clone()
    });
    assert_eq!((mine.path.as_str(), mine.is_held, mine.token, &mine.key), ("ledger", true, token, &theirs.key));
    assert_eq!((theirs.path.as_str(), theirs.is_held, theirs.token), ("ledger", false, None));
    assert_eq!((mine.owner.as_ref(), theirs.owner.as_ref()), (Some(&held.label), Some(&held.label)));
    assert!(held.label != wanted.label && held.unreachable.is_none());
    // What has ended is not shown.
    let task = owner.tree.child("ledger").current().expect("it runs");
    assert!(task.cancel().await?);
    assert!(owner.tree.supervisor().fleet().is_some_and(|fleet| fleet.leases.is_empty()));
    sleep(secs(1.0)).await;
    let [lease] = &other.tree.supervisor().fleet().expect("it is in a fleet").leases[..] else { panic!("one") };
    assert!(lease.is_held && lease.owner.as_ref() == Some(&wanted.label) && lease.token > token);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_events_of_a_lease_have_the_registration_of_its_task() -> Result {
    let (log, store) = (Log::new(), LocalStore::new());
    let it = replica(&store, 0, |tree| tree.task(serve(&log, 0, "ledger").with_singleton())).await?;
    sleep(secs(1.0)).await;
    let id = it.tree.child("ledger").current().map(|task| task.id());
    it.net.cut(true);
    sleep(TTL * 2).await;
    for kind in [EventKind::LeaseAcquired, EventKind::LeaseLost] {
        assert_eq!(it.find(kind, "ledger").and_then(|seen| seen.id), id, "{kind:?}");
    }
    assert!(id.is_some());
    Ok(())
}
