//! Stores that call the supervisor, on the threads of the engine.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Waker};

use taskvisor::fleet::{
    Claim, FencingToken, Fleet, LeaseError, LeaseKey, LeaseStore, LocalStore, SessionId, SessionSpec, StoreTime,
};
use taskvisor::{ControllerSpec, SupervisorConfig, SupervisorHandle, TaskContext, TaskFn, TaskSpec, Tree};
use tokio::runtime::{Handle, Id};
use tokio::sync::mpsc;

use super::{Log, Result, serve};

/// A store that adds tasks, and panics when it is dropped.
struct Adding {
    store: LocalStore,
    /// Called when a key is asked for.
    add: Box<dyn Fn() + Send + Sync>,
}

#[async_trait::async_trait]
impl LeaseStore for Adding {
    async fn open(&self, spec: &SessionSpec) -> std::result::Result<SessionId, LeaseError> {
        self.store.open(spec).await
    }

    async fn renew(&self, session: SessionId) -> std::result::Result<StoreTime, LeaseError> {
        self.store.renew(session).await
    }

    async fn acquire(&self, session: SessionId, keys: &[LeaseKey]) -> std::result::Result<Vec<Claim>, LeaseError> {
        (self.add)();
        self.store.acquire(session, keys).await
    }

    async fn release(
        &self,
        session: SessionId,
        held: &[(LeaseKey, FencingToken)],
    ) -> std::result::Result<(), LeaseError> {
        self.store.release(session, held).await
    }

    async fn mark(
        &self,
        session: SessionId,
        key: &LeaseKey,
        token: FencingToken,
        tick: u64,
    ) -> std::result::Result<bool, LeaseError> {
        self.store.mark(session, key, token, tick).await
    }

    async fn close(&self, session: SessionId) -> std::result::Result<(), LeaseError> {
        self.store.close(session).await
    }
}

impl Drop for Adding {
    fn drop(&mut self) {
        panic!("a store");
    }
}

/// A task that tells where it runs.
fn tells(name: &str, told: &mpsc::UnboundedSender<Id>) -> TaskSpec {
    let told = told.clone();
    let task = move |_: TaskContext| {
        let _ = told.send(Handle::current().id());
        async { Ok(()) }
    };
    TaskSpec::inherit(TaskFn::arc(name.to_owned(), task))
}

/// Its time is real, as the engine has threads of its own then.
#[tokio::test]
async fn t5_what_a_store_adds_runs_on_the_runtime_of_the_tasks() -> Result {
    let handle: Arc<OnceLock<SupervisorHandle>> = Arc::default();
    let (told, mut is_told) = mpsc::unbounded_channel();
    let known = Arc::clone(&handle);
    let add = Box::new(move || {
        let Some(handle) = known.get() else { return };
        // The names are taken after the first call.
        let adding = pin!(handle.add_task(tells("added", &told)));
        let _ = adding.poll(&mut Context::from_waker(Waker::noop()));
        let _ = handle.try_submit(ControllerSpec::drop_if_running(tells("submitted", &told)));
    });
    let fleet = Fleet::new(Adding { store: LocalStore::new(), add });
    let tree = Tree::builder(SupervisorConfig::default()).with_fleet(fleet);
    let tree = tree.task(serve(&Log::new(), 0, "ledger").with_singleton()).build();
    let _ = handle.set(tree.supervisor().handle());
    tree.start().await?;
    for _ in 0..2 {
        assert_eq!(is_told.recv().await, Some(Handle::current().id()));
    }
    tree.shutdown().await
}

#[tokio::test]
async fn t5_a_store_that_panics_when_it_is_dropped_ends_nothing() -> Result {
    let fleet = || Fleet::new(Adding { store: LocalStore::new(), add: Box::new(|| ()) });
    drop(fleet());
    let builder = || Tree::builder(SupervisorConfig::default()).with_fleet(fleet());
    drop(builder());
    drop(builder().build());
    let log = Log::new();
    let tree = builder().task(serve(&log, 0, "ledger").with_singleton()).build();
    tree.start().await?;
    while log.owners("ledger").is_empty() {
        tokio::task::yield_now().await;
    }
    let handle = tree.supervisor().handle();
    tree.shutdown().await?;
    drop(tree);
    drop(handle);
    Ok(())
}
