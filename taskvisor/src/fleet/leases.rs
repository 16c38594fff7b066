//! The leases of a store as one value, with the time passed in. [`LocalStore`](super::LocalStore) adds a lock and a
//! clock, and the model of the machine adds a network.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::error::LeaseError;
use super::store::{Claim, FencingToken, LeaseKey, SessionId, SessionSpec, StoreTime};

/// All sessions and leases of a store as one value, with the rules of [`LeaseStore`](super::LeaseStore) and without
/// storage.
///
/// Use it for a store over storage of one value with compare-and-swap: a file under a lock, a row of a table, an object
/// with a version. Such a store reads the value, calls the method of the same name, and replaces the value; if another
/// process has replaced it since the read, the store begins anew. A call that returns an error has changed nothing that
/// must be stored.
///
/// [`Display`](std::fmt::Display) and [`FromStr`](std::str::FromStr) convert the value to and from text. The text has a
/// line for each live session, and one for each key that was ever taken, because tokens must grow forever.
///
/// # Examples
/// The example `third_store` is a store over a file.
/// ```
/// use std::time::{Duration, SystemTime};
/// use taskvisor::fleet::{Claim, LeaseError, LeaseKey, Leases, SessionSpec, StoreTime};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (mut leases, now) = (Leases::default(), StoreTime::from(SystemTime::now()));
/// let session = leases.open(&SessionSpec::new("billing", "a", Duration::from_secs(15)), now)?;
/// let claims = leases.acquire(session, &[LeaseKey::new("ledger")?], now)?;
/// assert!(matches!(claims[..], [Claim::Held { .. }]));
///
/// let mut read: Leases = leases.to_string().parse()?;
/// assert_eq!(read, leases);
/// let later = StoreTime::from_unix(now.since_unix() + Duration::from_secs(15));
/// assert!(matches!(read.renew(session, later), Err(LeaseError::Expired)));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leases {
    pub(super) sessions: BTreeMap<SessionId, Session>,
    pub(super) keys: BTreeMap<(Arc<str>, LeaseKey), Lease>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) spec: SessionSpec,
    /// The time of its expiry, since 1970-01-01 UTC.
    pub(super) until: Duration,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) owner: Option<SessionId>,
    pub(super) token: u64,
    pub(super) tick: Option<u64>,
    /// `true` if a session was refused the key since it was taken.
    pub(super) is_wanted: bool,
}

impl Leases {
    /// Opens a session, as [`LeaseStore::open`](super::LeaseStore::open) must.
    ///
    /// # Errors
    /// [`LeaseError::Misconfigured`] if the operating system has no random source.
    pub fn open(&mut self, spec: &SessionSpec, now: StoreTime) -> Result<SessionId, LeaseError> {
        let id = SessionId::random()?;
        self.insert(id, spec.clone(), now);
        Ok(id)
    }

    pub(super) fn insert(&mut self, id: SessionId, spec: SessionSpec, now: StoreTime) {
        let until = now.since_unix().saturating_add(spec.ttl);
        self.sessions.insert(id, Session { spec, until });
    }

    /// Renews a session, as [`LeaseStore::renew`](super::LeaseStore::renew) must.
    ///
    /// # Errors
    /// [`LeaseError::Expired`] if the session is over.
    pub fn renew(&mut self, session: SessionId, now: StoreTime) -> Result<StoreTime, LeaseError> {
        self.live(session, now)?;
        if let Some(session) = self.sessions.get_mut(&session) {
            session.until = now.since_unix().saturating_add(session.spec.ttl);
        }
        Ok(now)
    }

    /// Takes keys, as [`LeaseStore::acquire`](super::LeaseStore::acquire) must.
    ///
    /// # Errors
    /// [`LeaseError::Expired`] if the session is over.
    pub fn acquire(&mut self, session: SessionId, keys: &[LeaseKey], now: StoreTime) -> Result<Vec<Claim>, LeaseError> {
        let fleet = self.live(session, now)?;
        Ok(keys.iter().map(|key| self.claim(&fleet, key, session, now)).collect())
    }

    /// Frees keys, as [`LeaseStore::release`](super::LeaseStore::release) must. Returns `true` if another session was
    /// refused one of them, and needs a hint.
    ///
    /// # Errors
    /// [`LeaseError::Expired`] if the session is over.
    pub fn release(
        &mut self,
        session: SessionId,
        held: &[(LeaseKey, FencingToken)],
        now: StoreTime,
    ) -> Result<bool, LeaseError> {
        let fleet = self.live(session, now)?;
        let mut frees = false;
        for (key, token) in held {
            frees |= self.owned(&fleet, key, session, *token).is_some_and(Lease::free);
        }
        Ok(frees)
    }

    /// Stores a tick, as [`LeaseStore::mark`](super::LeaseStore::mark) must.
    ///
    /// # Errors
    /// [`LeaseError::Expired`] if the session is over.
    pub fn mark(
        &mut self,
        session: SessionId,
        key: &LeaseKey,
        token: FencingToken,
        tick: u64,
        now: StoreTime,
    ) -> Result<bool, LeaseError> {
        let fleet = self.live(session, now)?;
        let Some(lease) = self.owned(&fleet, key, session, token) else { return Ok(false) };
        let is_new = lease.tick.is_none_or(|last| last < tick);
        if is_new {
            lease.tick = Some(tick);
        }
        Ok(is_new)
    }

    /// Ends a session, as [`LeaseStore::close`](super::LeaseStore::close) must. Returns `true` if another session was
    /// refused one of its keys, and needs a hint.
    pub fn close(&mut self, session: SessionId) -> bool {
        self.sessions.remove(&session);
        let mut frees = false;
        for lease in self.keys.values_mut().filter(|lease| lease.owner == Some(session)) {
            frees |= lease.free();
        }
        frees
    }

    /// Returns the token by which a live session owns the key.
    #[cfg(test)]
    pub(super) fn token_of_owner(&self, fleet: &str, key: &LeaseKey, now: StoreTime) -> Option<FencingToken> {
        let lease = self.keys.get(&(fleet.into(), key.clone()))?;
        let session = self.sessions.get(&lease.owner?).filter(|session| now.since_unix() < session.until);
        session.map(|_| FencingToken::from_number(lease.token))
    }

    /// Removes the sessions that are over, and returns the fleet of this one.
    fn live(&mut self, session: SessionId, now: StoreTime) -> Result<Arc<str>, LeaseError> {
        self.sessions.retain(|_, session| now.since_unix() < session.until);
        self.sessions.get(&session).map(|session| Arc::clone(&session.spec.fleet)).ok_or(LeaseError::Expired)
    }

    fn owned(&mut self, fleet: &Arc<str>, key: &LeaseKey, by: SessionId, token: FencingToken) -> Option<&mut Lease> {
        let lease = self.keys.get_mut(&(Arc::clone(fleet), key.clone()))?;
        (lease.owner == Some(by) && lease.token == token.number()).then_some(lease)
    }

    fn claim(&mut self, fleet: &Arc<str>, key: &LeaseKey, by: SessionId, now: StoreTime) -> Claim {
        let lease = self.keys.entry((Arc::clone(fleet), key.clone())).or_default();
        let owner = lease.owner.and_then(|owner| Some((owner, self.sessions.get(&owner)?)));
        match owner {
            Some((owner, session)) if owner != by => {
                lease.is_wanted = true;
                return Claim::Busy { owner: session.spec.label.to_string() };
            }
            Some(_) => {}
            None => {
                let micros = u64::try_from(now.since_unix().as_micros()).unwrap_or_default();
                lease.token = micros.max(lease.token.saturating_add(1));
                lease.owner = Some(by);
                lease.is_wanted = false;
            }
        }
        let token = FencingToken::from_number(lease.token);
        Claim::Held { token, last_tick: lease.tick, now }
    }
}

impl Lease {
    /// Frees the key. Returns `true` if a session was refused it.
    fn free(&mut self) -> bool {
        self.owner = None;
        std::mem::take(&mut self.is_wanted)
    }
}

#[cfg(test)]
#[path = "leases_test.rs"]
mod tests;
