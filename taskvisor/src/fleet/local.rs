//! A store within the process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::error::LeaseError;
use super::store::{Claim, FencingToken, LeaseKey, LeaseStore, SessionId, SessionSpec, StoreTime};
use crate::sync::lock;

/// A store within the process: for one machine, and for tests.
///
/// Clones share their leases, so the replicas of a test are supervisors whose fleets have clones of one store. Its time
/// is that of Tokio, so it works with paused time. A process that ends loses its tokens: the first token of a key is the
/// time in microseconds, so that tokens grow all the same.
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
#[derive(Debug, Clone, Default)]
pub struct LocalStore {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// A leaf: nothing is awaited or called under it.
    leases: Mutex<Leases>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Leases {
    /// The time of the first call, by both clocks.
    origin: Option<(Instant, SystemTime)>,
    sessions: HashMap<SessionId, Session>,
    keys: HashMap<(Arc<str>, LeaseKey), Lease>,
}

#[derive(Debug)]
struct Session {
    spec: SessionSpec,
    /// After this it is expired.
    until: Duration,
}

#[derive(Debug, Default)]
struct Lease {
    owner: Option<SessionId>,
    token: u64,
    tick: Option<u64>,
    /// `true` if somebody was refused since it was taken.
    is_wanted: bool,
}

impl LocalStore {
    /// Creates a store without leases.
    pub fn new() -> Self {
        Self::default()
    }

    fn wake(&self, is_wanted: bool) {
        if is_wanted {
            self.shared.freed.notify_waiters();
        }
    }
}

impl Leases {
    fn now(&mut self) -> Duration {
        let (start, at) = *self.origin.get_or_insert_with(|| (Instant::now(), SystemTime::now()));
        at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default() + start.elapsed()
    }

    /// Forgets sessions that are over, and returns the fleet of this one.
    fn live(&mut self, session: SessionId, now: Duration) -> Result<Arc<str>, LeaseError> {
        self.sessions.retain(|_, session| now < session.until);
        self.sessions.get(&session).map(|session| Arc::clone(&session.spec.fleet)).ok_or(LeaseError::Expired)
    }

    fn owned(&mut self, fleet: &Arc<str>, key: &LeaseKey, by: SessionId, token: FencingToken) -> Option<&mut Lease> {
        let lease = self.keys.get_mut(&(Arc::clone(fleet), key.clone()))?;
        (lease.owner == Some(by) && lease.token == token.number()).then_some(lease)
    }

    fn claim(&mut self, fleet: &Arc<str>, key: &LeaseKey, by: SessionId, now: Duration) -> Claim {
        let lease = self.keys.entry((Arc::clone(fleet), key.clone())).or_default();
        let owner = lease.owner.and_then(|owner| Some((owner, self.sessions.get(&owner)?)));
        match owner {
            Some((owner, session)) if owner != by => {
                lease.is_wanted = true;
                return Claim::Busy { owner: session.spec.label.to_string() };
            }
            Some(_) => {}
            None => {
                let micros = u64::try_from(now.as_micros()).unwrap_or_default();
                lease.token = micros.max(lease.token + 1);
                lease.owner = Some(by);
                lease.is_wanted = false;
            }
        }
        let token = FencingToken::from_number(lease.token);
        Claim::Held { token, last_tick: lease.tick, now: StoreTime::from_unix(now) }
    }
}

impl Lease {
    /// Frees it. Returns `true` if somebody was refused.
    fn free(&mut self) -> bool {
        self.owner = None;
        std::mem::take(&mut self.is_wanted)
    }
}

#[async_trait]
impl LeaseStore for LocalStore {
    async fn open(&self, spec: &SessionSpec) -> Result<SessionId, LeaseError> {
        let id = SessionId::random()?;
        let mut leases = lock(&self.shared.leases);
        let until = leases.now() + spec.ttl;
        leases.sessions.insert(id, Session { spec: spec.clone(), until });
        Ok(id)
    }

    async fn renew(&self, session: SessionId) -> Result<StoreTime, LeaseError> {
        let mut leases = lock(&self.shared.leases);
        let now = leases.now();
        leases.live(session, now)?;
        if let Some(session) = leases.sessions.get_mut(&session) {
            session.until = now + session.spec.ttl;
        }
        Ok(StoreTime::from_unix(now))
    }

    async fn acquire(&self, session: SessionId, keys: &[LeaseKey]) -> Result<Vec<Claim>, LeaseError> {
        let mut leases = lock(&self.shared.leases);
        let now = leases.now();
        let fleet = leases.live(session, now)?;
        Ok(keys.iter().map(|key| leases.claim(&fleet, key, session, now)).collect())
    }

    async fn release(&self, session: SessionId, held: &[(LeaseKey, FencingToken)]) -> Result<(), LeaseError> {
        let mut is_wanted = false;
        {
            let mut leases = lock(&self.shared.leases);
            let now = leases.now();
            let fleet = leases.live(session, now)?;
            for (key, token) in held {
                is_wanted |= leases.owned(&fleet, key, session, *token).is_some_and(Lease::free);
            }
        }
        self.wake(is_wanted);
        Ok(())
    }

    async fn mark(
        &self,
        session: SessionId,
        key: &LeaseKey,
        token: FencingToken,
        tick: u64,
    ) -> Result<bool, LeaseError> {
        let mut leases = lock(&self.shared.leases);
        let now = leases.now();
        let fleet = leases.live(session, now)?;
        let Some(lease) = leases.owned(&fleet, key, session, token) else { return Ok(false) };
        let is_new = lease.tick.is_none_or(|last| last < tick);
        if is_new {
            lease.tick = Some(tick);
        }
        Ok(is_new)
    }

    async fn close(&self, session: SessionId) -> Result<(), LeaseError> {
        let mut is_wanted = false;
        {
            let mut leases = lock(&self.shared.leases);
            leases.sessions.remove(&session);
            for lease in leases.keys.values_mut().filter(|lease| lease.owner == Some(session)) {
                is_wanted |= lease.free();
            }
        }
        self.wake(is_wanted);
        Ok(())
    }

    async fn changed(&self) {
        self.shared.freed.notified().await;
    }
}
