//! The network between a replica and the store of leases: it can be cut, and can lose answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use taskvisor::fleet::{
    Claim, FencingToken, LeaseError, LeaseKey, LeaseStore, LocalStore, SessionId, SessionSpec, StoreTime,
};

type Answer<T> = Result<T, LeaseError>;

#[derive(Clone)]
pub(crate) struct Net {
    store: LocalStore,
    is_cut: Arc<AtomicBool>,
    is_mute: Arc<AtomicBool>,
}

impl Net {
    pub(crate) fn new(store: &LocalStore) -> Self {
        Self { store: store.clone(), is_cut: Arc::default(), is_mute: Arc::default() }
    }

    pub(crate) fn cut(&self, is_cut: bool) {
        self.is_cut.store(is_cut, Ordering::Relaxed);
    }

    /// Calls are carried out, and their answers are lost.
    pub(crate) fn mute(&self, is_mute: bool) {
        self.is_mute.store(is_mute, Ordering::Relaxed);
    }

    async fn pass<T>(&self, call: impl Future<Output = T>) -> T {
        if self.is_cut.load(Ordering::Relaxed) {
            return std::future::pending().await;
        }
        let answer = call.await;
        if self.is_mute.load(Ordering::Relaxed) {
            return std::future::pending().await;
        }
        answer
    }
}

#[async_trait::async_trait]
impl LeaseStore for Net {
    async fn open(&self, spec: &SessionSpec) -> Answer<SessionId> {
        self.pass(self.store.open(spec)).await
    }

    async fn renew(&self, session: SessionId) -> Answer<StoreTime> {
        self.pass(self.store.renew(session)).await
    }

    async fn acquire(&self, session: SessionId, keys: &[LeaseKey]) -> Answer<Vec<Claim>> {
        self.pass(self.store.acquire(session, keys)).await
    }

    async fn release(&self, session: SessionId, held: &[(LeaseKey, FencingToken)]) -> Answer<()> {
        self.pass(self.store.release(session, held)).await
    }

    async fn mark(&self, session: SessionId, key: &LeaseKey, token: FencingToken, tick: u64) -> Answer<bool> {
        self.pass(self.store.mark(session, key, token, tick)).await
    }

    async fn close(&self, session: SessionId) -> Answer<()> {
        self.pass(self.store.close(session)).await
    }

    async fn changed(&self) {
        if self.is_cut.load(Ordering::Relaxed) {
            return std::future::pending().await;
        }
        self.store.changed().await;
    }
}
