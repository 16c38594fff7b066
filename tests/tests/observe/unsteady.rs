//! A store of leases that does not always answer.

use taskvisor::fleet::{
    Claim, FencingToken, LeaseError, LeaseKey, LeaseStore, LocalStore, SessionId, SessionSpec, StoreTime,
};

/// A call of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Renew,
    Other,
}

/// The store of one process, with calls that fail.
pub(crate) struct Unsteady<F> {
    store: LocalStore,
    fails: F,
}

impl<F: Fn(Call) -> bool + Send + Sync + 'static> Unsteady<F> {
    pub(crate) fn new(fails: F) -> Self {
        Self { store: LocalStore::new(), fails }
    }

    fn check(&self, call: Call) -> Result<(), LeaseError> {
        if (self.fails)(call) { Err(LeaseError::unreachable("no route")) } else { Ok(()) }
    }
}

#[async_trait::async_trait]
impl<F: Fn(Call) -> bool + Send + Sync + 'static> LeaseStore for Unsteady<F> {
    async fn open(&self, spec: &SessionSpec) -> Result<SessionId, LeaseError> {
        self.check(Call::Other)?;
        self.store.open(spec).await
    }

    async fn renew(&self, session: SessionId) -> Result<StoreTime, LeaseError> {
        self.check(Call::Renew)?;
        self.store.renew(session).await
    }

    async fn acquire(&self, session: SessionId, keys: &[LeaseKey]) -> Result<Vec<Claim>, LeaseError> {
        self.check(Call::Other)?;
        self.store.acquire(session, keys).await
    }

    async fn release(&self, session: SessionId, held: &[(LeaseKey, FencingToken)]) -> Result<(), LeaseError> {
        self.check(Call::Other)?;
        self.store.release(session, held).await
    }

    async fn mark(
        &self,
        session: SessionId,
        key: &LeaseKey,
        token: FencingToken,
        tick: u64,
    ) -> Result<bool, LeaseError> {
        self.check(Call::Other)?;
        self.store.mark(session, key, token, tick).await
    }

    async fn close(&self, session: SessionId) -> Result<(), LeaseError> {
        self.check(Call::Other)?;
        self.store.close(session).await
    }
}
