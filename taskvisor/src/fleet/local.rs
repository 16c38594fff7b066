//! A store within the process.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::error::LeaseError;
use super::leases::Leases;
use super::store::{Claim, FencingToken, LeaseKey, LeaseStore, SessionId, SessionSpec, StoreTime};
use crate::inspect::now;
use crate::sync::lock;

/// A store within the process: for a service that is one process, and for tests. Two processes have two stores.
///
/// Clones share their leases, so the replicas of a test are supervisors whose fleets have clones of one store. Its
/// clock is that of Tokio, so it works with paused time. Its date is that of the wall clock at its first use, so a test
/// of a schedule sets that clock before. The tokens are lost when the process ends; the first token of a key is the
/// time in microseconds, so that tokens grow across processes.
///
/// # Examples
/// Two sessions, one key:
/// ```
/// use std::time::Duration;
/// use taskvisor::fleet::{Claim, LeaseError, LeaseKey, LeaseStore, LocalStore, SessionSpec};
///
/// #[tokio::main(flavor = "current_thread")]
/// async fn main() -> Result<(), LeaseError> {
///     let store = LocalStore::new();
///     let key = [LeaseKey::new("ledger").unwrap()];
///     let spec = |label| SessionSpec::new("billing", label, Duration::from_secs(15));
///     let (a, b) = (store.open(&spec("a")).await?, store.open(&spec("b")).await?);
///
///     assert!(matches!(store.acquire(a, &key).await?[0], Claim::Held { .. }));
///     assert_eq!(store.acquire(b, &key).await?, [Claim::Busy { owner: "a".into() }]);
///     store.close(a).await?;
///     assert!(matches!(store.acquire(b, &key).await?[0], Claim::Held { .. }));
///     Ok(())
/// }
/// ```
#[derive(Debug, Default)]
pub struct LocalStore {
    shared: Arc<Shared>,
    /// The number of hints when `changed` of this clone last returned.
    heard: AtomicU64,
}

#[derive(Debug, Default)]
struct Shared {
    /// A leaf: nothing is awaited, and no user code runs, under it.
    state: Mutex<State>,
    freed: Notify,
    /// The number of hints so far, so that a hint that comes between two calls of `changed` is not missed.
    hints: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    /// The time of the first call, by both clocks.
    origin: Option<(Instant, SystemTime)>,
    leases: Leases,
}

impl LocalStore {
    /// Creates a store without leases.
    pub fn new() -> Self {
        Self::default()
    }

    fn with<T>(&self, act: impl FnOnce(&mut Leases, StoreTime) -> T) -> T {
        let mut state = lock(&self.shared.state);
        let now = state.now();
        act(&mut state.leases, now)
    }

    fn wake(&self, frees: bool) {
        if frees {
            self.shared.hints.fetch_add(1, Ordering::SeqCst);
            self.shared.freed.notify_waiters();
        }
    }
}

impl Clone for LocalStore {
    fn clone(&self) -> Self {
        let heard = self.shared.hints.load(Ordering::SeqCst).into();
        Self { shared: Arc::clone(&self.shared), heard }
    }
}

impl State {
    fn now(&mut self) -> StoreTime {
        let (start, at) = *self.origin.get_or_insert_with(|| (Instant::now(), now()));
        StoreTime::from_unix(StoreTime::from(at).since_unix() + start.elapsed())
    }
}

#[async_trait]
impl LeaseStore for LocalStore {
    async fn open(&self, spec: &SessionSpec) -> Result<SessionId, LeaseError> {
        self.with(|leases, now| leases.open(spec, now))
    }

    async fn renew(&self, session: SessionId) -> Result<StoreTime, LeaseError> {
        self.with(|leases, now| leases.renew(session, now))
    }

    async fn acquire(&self, session: SessionId, keys: &[LeaseKey]) -> Result<Vec<Claim>, LeaseError> {
        self.with(|leases, now| leases.acquire(session, keys, now))
    }

    async fn release(&self, session: SessionId, held: &[(LeaseKey, FencingToken)]) -> Result<(), LeaseError> {
        let frees = self.with(|leases, now| leases.release(session, held, now))?;
        self.wake(frees);
        Ok(())
    }

    async fn mark(
        &self,
        session: SessionId,
        key: &LeaseKey,
        token: FencingToken,
        tick: u64,
    ) -> Result<bool, LeaseError> {
        self.with(|leases, now| leases.mark(session, key, token, tick, now))
    }

    async fn close(&self, session: SessionId) -> Result<(), LeaseError> {
        let frees = self.with(|leases, _| leases.close(session));
        self.wake(frees);
        Ok(())
    }

    async fn changed(&self) {
        let freed = self.shared.freed.notified();
        let is_late = self.heard.load(Ordering::SeqCst) != self.shared.hints.load(Ordering::SeqCst);
        if !is_late {
            freed.await;
        }
        self.heard.store(self.shared.hints.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_hint_that_comes_while_nobody_waits_is_given_to_each_clone_once() -> Result<(), LeaseError> {
        let (store, key) = (LocalStore::new(), [LeaseKey::new("x").unwrap()]);
        let spec = |label| SessionSpec::new("billing", label, Duration::from_secs(15));
        let (a, b) = (store.open(&spec("a")).await?, store.open(&spec("b")).await?);
        let clones = [store.clone(), store.clone()];
        store.acquire(a, &key).await?;
        store.acquire(b, &key).await?;
        store.close(a).await?;
        let hears = async |store: &LocalStore| timeout(Duration::from_secs(1), store.changed()).await.is_ok();
        for clone in &clones {
            assert!(hears(clone).await);
            assert!(!hears(clone).await, "one key was freed, once");
        }
        assert!(!hears(&clones[0].clone()).await, "it is newer than the hint");
        Ok(())
    }
}
