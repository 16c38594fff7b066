//! The leases of a store in memory, with the time passed in. [`LocalStore`](super::LocalStore) puts a lock and a clock
//! around them, and the model of the machine a network.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::error::LeaseError;
use super::store::{Claim, FencingToken, LeaseKey, SessionId, SessionSpec, StoreTime};

/// Sessions and keys. Times are since 1970-01-01 UTC.
#[derive(Debug, Default)]
pub(super) struct Leases {
    sessions: BTreeMap<SessionId, Session>,
    keys: BTreeMap<(Arc<str>, LeaseKey), Lease>,
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

/// Whether somebody waits for a key that is free now.
pub(super) type Frees = bool;

impl Leases {
    pub(super) fn open(&mut self, id: SessionId, spec: SessionSpec, now: Duration) {
        let until = now + spec.ttl;
        self.sessions.insert(id, Session { spec, until });
    }

    pub(super) fn renew(&mut self, id: SessionId, now: Duration) -> Result<StoreTime, LeaseError> {
        self.live(id, now)?;
        if let Some(session) = self.sessions.get_mut(&id) {
            session.until = now + session.spec.ttl;
        }
        Ok(StoreTime::from_unix(now))
    }

    pub(super) fn acquire(
        &mut self,
        id: SessionId,
        keys: &[LeaseKey],
        now: Duration,
    ) -> Result<Vec<Claim>, LeaseError> {
        let fleet = self.live(id, now)?;
        Ok(keys.iter().map(|key| self.claim(&fleet, key, id, now)).collect())
    }

    pub(super) fn release(
        &mut self,
        id: SessionId,
        held: &[(LeaseKey, FencingToken)],
        now: Duration,
    ) -> Result<Frees, LeaseError> {
        let fleet = self.live(id, now)?;
        let mut frees = false;
        for (key, token) in held {
            frees |= self.owned(&fleet, key, id, *token).is_some_and(Lease::free);
        }
        Ok(frees)
    }

    pub(super) fn mark(
        &mut self,
        id: SessionId,
        key: &LeaseKey,
        token: FencingToken,
        tick: u64,
        now: Duration,
    ) -> Result<bool, LeaseError> {
        let fleet = self.live(id, now)?;
        let Some(lease) = self.owned(&fleet, key, id, token) else { return Ok(false) };
        let is_new = lease.tick.is_none_or(|last| last < tick);
        if is_new {
            lease.tick = Some(tick);
        }
        Ok(is_new)
    }

    pub(super) fn close(&mut self, id: SessionId) -> Frees {
        self.sessions.remove(&id);
        let mut frees = false;
        for lease in self.keys.values_mut().filter(|lease| lease.owner == Some(id)) {
            frees |= lease.free();
        }
        frees
    }

    /// Returns the token by which a live session owns the key.
    #[cfg(test)]
    pub(super) fn token_of_owner(&self, fleet: &str, key: &LeaseKey, now: Duration) -> Option<FencingToken> {
        let lease = self.keys.get(&(fleet.into(), key.clone()))?;
        let session = self.sessions.get(&lease.owner?).filter(|session| now < session.until);
        session.map(|_| FencingToken::from_number(lease.token))
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
