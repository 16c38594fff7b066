//! Two threads that race around a lease: each pair of events has one order.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use taskvisor::fleet::{
    Claim, FencingToken, Fleet, LeaseError, LeaseKey, LeaseStore, LocalStore, SessionId, SessionSpec, StoreTime,
};
use taskvisor::{Event, EventKind, Group, Subscribe, SupervisorConfig, TaskContext, TaskFn, TaskSpec, Tree};
use tests::{WITHOUT_PAUSE, cooperative};
use tokio::task::yield_now;
use tokio::time::sleep;

use crate::races::{rounds, runtime, spin};

/// Checks each event when it comes.
#[derive(Default)]
struct Order {
    /// The units that have their lease.
    held: Mutex<BTreeSet<String>>,
    ended: AtomicU64,
    acquired: AtomicU64,
    lost: AtomicU64,
    started: AtomicU64,
    wrong: Mutex<Vec<String>>,
}

#[async_trait]
impl Subscribe for Order {
    async fn on_event(&self, event: &Event) {
        let path = event.task.as_deref().unwrap_or_default();
        let id = event.id.map_or(0, |id| id.to_string().trim_start_matches('#').parse().unwrap());
        let wrong = match event.kind {
            EventKind::TaskRemoved => {
                self.ended.store(id, Ordering::Relaxed);
                false
            }
            EventKind::LeaseAcquired => {
                self.acquired.fetch_add(1, Ordering::Relaxed);
                self.held.lock().unwrap().insert(path.to_owned());
                // The ids grow.
                id != 0 && id <= self.ended.load(Ordering::Relaxed)
            }
            EventKind::LeaseLost => {
                self.lost.fetch_add(1, Ordering::Relaxed);
                self.held.lock().unwrap().remove(path);
                false
            }
            EventKind::TaskStarting => {
                self.started.fetch_add(1, Ordering::Relaxed);
                let unit = path.split('/').next().unwrap_or_default();
                !self.held.lock().unwrap().contains(unit)
            }
            _ => false,
        };
        if wrong {
            self.wrong.lock().unwrap().push(format!("{event:?}"));
        }
    }

    fn name(&self) -> &'static str {
        "order"
    }

    fn queue_capacity(&self) -> usize {
        1 << 20
    }
}

impl Order {
    fn check(&self) {
        let wrong = self.wrong.lock().unwrap();
        assert!(wrong.is_empty(), "{} times, first {}", wrong.len(), wrong[0]);
    }
}

#[test]
fn t5_no_lease_of_a_task_is_acquired_after_its_end() {
    let order = Arc::new(Order::default());
    let tree = Tree::builder(SupervisorConfig::default()).with_subscriber(Arc::clone(&order));
    let tree = tree.with_fleet(Fleet::local()).build();
    runtime().block_on(async {
        tree.start().await.unwrap();
        for round in 0..rounds() * 8 {
            let added = tree.supervisor().add_task(cooperative("task").with_singleton()).await.unwrap();
            for _ in 0..round % 8 {
                yield_now().await;
            }
            spin(round);
            added.cancel().await.unwrap();
        }
        tree.shutdown().await.unwrap();
    });
    order.check();
    assert!(order.acquired.load(Ordering::Relaxed) > 0);
}

/// A task is added while the lease of its group is granted.
#[test]
fn t5_no_task_begins_before_the_lease_of_its_group_is_told() {
    let runtime = runtime();
    let mut started = 0;
    for round in 0..rounds() / 8 {
        let order = Arc::new(Order::default());
        let group = Group::one_for_one("group").with_singleton().task(cooperative("declared"));
        let tree = Tree::builder(SupervisorConfig::default()).with_subscriber(Arc::clone(&order));
        let tree = tree.with_fleet(Fleet::local()).group(group).build();
        runtime.block_on(async {
            tree.start().await.unwrap();
            let group = tree.group("group");
            let mut number = 0;
            while order.acquired.load(Ordering::Relaxed) == 0 {
                group.add_task(cooperative(&format!("added{number}"))).await.unwrap();
                spin(round);
                number += 1;
                if number % 16 == 0 {
                    yield_now().await;
                }
            }
            tree.shutdown().await.unwrap();
        });
        order.check();
        started += order.started.load(Ordering::Relaxed);
    }
    assert!(started > 0);
}

/// A store that renews no session.
struct Forgetful(LocalStore);

#[async_trait]
impl LeaseStore for Forgetful {
    async fn open(&self, spec: &SessionSpec) -> Result<SessionId, LeaseError> {
        self.0.open(spec).await
    }

    async fn renew(&self, _: SessionId) -> Result<StoreTime, LeaseError> {
        Err(LeaseError::Expired)
    }

    async fn acquire(&self, session: SessionId, keys: &[LeaseKey]) -> Result<Vec<Claim>, LeaseError> {
        self.0.acquire(session, keys).await
    }

    async fn release(&self, session: SessionId, held: &[(LeaseKey, FencingToken)]) -> Result<(), LeaseError> {
        self.0.release(session, held).await
    }

    async fn mark(
        &self,
        session: SessionId,
        key: &LeaseKey,
        token: FencingToken,
        tick: u64,
    ) -> Result<bool, LeaseError> {
        self.0.mark(session, key, token, tick).await
    }

    async fn close(&self, session: SessionId) -> Result<(), LeaseError> {
        self.0.close(session).await
    }
}

#[test]
fn t5_no_attempt_begins_after_its_lease_was_told_to_be_lost() {
    let order = Arc::new(Order::default());
    let busy = |name: &str| {
        let task = TaskFn::arc(name, |_: TaskContext| async {
            yield_now().await;
            Ok(())
        });
        TaskSpec::inherit(task).with_restart(WITHOUT_PAUSE)
    };
    let fleet = Fleet::new(Forgetful(LocalStore::new())).ttl(Duration::from_millis(500));
    let tree = Tree::builder(SupervisorConfig::default()).with_subscriber(Arc::clone(&order)).with_fleet(fleet);
    let tree = tree.tasks((0..50).map(|task| busy(&format!("task{task}")).with_singleton())).build();
    runtime().block_on(async {
        tree.start().await.unwrap();
        while order.lost.load(Ordering::Relaxed) < 500 {
            sleep(Duration::from_millis(1)).await;
        }
        tree.shutdown().await.unwrap();
    });
    order.check();
}
