//! The `LeaseStore` trait, and the types of its calls.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use super::error::LeaseError;

/// A store of leases: a database, or another service that all replicas of a fleet reach.
///
/// A process opens one session. The session owns keys, and each taking of a key has a [`FencingToken`]. A session that
/// is not renewed within its time to live expires, and its keys are free.
///
/// # Laws
/// A fleet has one owner of a key at any time if its store keeps these laws, which
/// [`lease_laws`](crate::test::lease_laws) checks:
/// 1. At most one live session owns a key, even if sessions call at the same time.
/// 2. The tokens of a key grow strictly, forever: across releases, expired sessions and a restart of the store.
/// 3. `Expired` is final: no call of that session but `close` succeeds any more. A session is expired when its time is
///    over, whether or not another session has noticed it.
/// 4. A call without an answer may have been carried out. `acquire` of a key that the session owns gives the same token
///    again; a repeated `release` or `close` succeeds.
/// 5. Every write is bound to the session and to the token: a call with the token of an earlier taking changes nothing.
/// 6. The id of a session is random, of 128 bits. The label is for display only.
/// 7. The time to live is stored with the session, so replicas with different times can share a store.
/// 8. The times that `renew` and `acquire` return are of one clock, which shows the time since 1970-01-01 UTC: the ticks
///    of periodic singletons follow it.
///
/// # Time
/// All expiry is by the clock of the store. The fleet compares no clocks of two machines.
///
/// # Cancel safety
/// The fleet drops a call that takes too long. The store may still carry it out, as law 4 says, but must be able to
/// answer the next call. It must clean up the connection of a dropped call, such as a response that was not read to the
/// end.
///
/// # Examples
/// The example `third_store` has a store over a file, in about 60 lines: [`Leases`](super::Leases) has the rules.
#[async_trait]
pub trait LeaseStore: Send + Sync + 'static {
    /// Opens a session, which lives for [`SessionSpec::ttl`] from now on.
    ///
    /// # Errors
    /// [`LeaseError::Unreachable`] and [`LeaseError::Misconfigured`].
    async fn open(&self, spec: &SessionSpec) -> Result<SessionId, LeaseError>;

    /// Renews the session, with all its keys: it lives for its time to live from now on. Returns the time of the store.
    ///
    /// # Errors
    /// [`LeaseError::Expired`] if the session is over.
    async fn renew(&self, session: SessionId) -> Result<StoreTime, LeaseError>;

    /// Takes the keys that are free, or are owned by an expired session. Returns a claim for each key, in the order of
    /// the keys.
    ///
    /// # Errors
    /// [`LeaseError::Expired`] if the session is over.
    async fn acquire(&self, session: SessionId, keys: &[LeaseKey]) -> Result<Vec<Claim>, LeaseError>;

    /// Frees the keys that the session owns by these tokens. Others stay as they are.
    ///
    /// # Errors
    /// [`LeaseError::Expired`] if the session is over.
    async fn release(&self, session: SessionId, held: &[(LeaseKey, FencingToken)]) -> Result<(), LeaseError>;

    /// Stores the tick of a periodic task if it is greater than the stored one, which stays with the key across owners.
    /// Returns `false` if it is not greater, or if the session does not own the key by that token.
    ///
    /// If the stored tick is 3 h or more ahead, from a clock that was ahead, the fleet does not call it for the ticks up
    /// to that one.
    ///
    /// # Errors
    /// [`LeaseError::Expired`] if the session is over.
    async fn mark(
        &self,
        session: SessionId,
        key: &LeaseKey,
        token: FencingToken,
        tick: u64,
    ) -> Result<bool, LeaseError>;

    /// Ends the session: its keys are free, and it is expired. Ending it once more succeeds.
    ///
    /// # Errors
    /// [`LeaseError::Unreachable`] and [`LeaseError::Misconfigured`].
    async fn close(&self, session: SessionId) -> Result<(), LeaseError>;

    /// Waits until a key that a session was refused may be free. This is a hint: it may be wrong, or may not come at
    /// all.
    ///
    /// The default never returns; refused keys are asked for every third of the time to live in any case.
    async fn changed(&self) {
        std::future::pending::<()>().await;
    }
}

/// The options of a new session.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionSpec {
    /// The name of the fleet. Its keys are separate from those of other fleets.
    pub fleet: Arc<str>,
    /// A label of the process, for display: by default its host and process id.
    pub label: Arc<str>,
    /// The time to live.
    pub ttl: Duration,
}

impl SessionSpec {
    /// Creates a spec.
    pub fn new(fleet: impl Into<Arc<str>>, label: impl Into<Arc<str>>, ttl: Duration) -> Self {
        Self { fleet: fleet.into(), label: label.into(), ttl }
    }
}

/// The id of a session: 128 random bits. It is shown as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(u128);

impl SessionId {
    /// Draws an id from the random source of the operating system.
    ///
    /// # Errors
    /// [`LeaseError::Misconfigured`] if there is no such source.
    pub fn random() -> Result<Self, LeaseError> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(LeaseError::misconfigured)?;
        Ok(Self(u128::from_be_bytes(bytes)))
    }

    /// Creates an id from its bits, as they were stored.
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// Returns the bits, for a store.
    pub const fn to_bits(self) -> u128 {
        self.0
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The time by the clock of a store, since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoreTime(Duration);

impl StoreTime {
    /// Creates a time from the duration since 1970-01-01 UTC.
    pub const fn from_unix(since: Duration) -> Self {
        Self(since)
    }

    /// Returns the duration since 1970-01-01 UTC.
    pub const fn since_unix(self) -> Duration {
        self.0
    }
}

impl From<SystemTime> for StoreTime {
    /// Converts the time of the clock of this machine, for a store whose replicas all run on it. A time before 1970
    /// becomes zero.
    fn from(time: SystemTime) -> Self {
        Self(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
    }
}

/// The key of a lease: the path of a task or group, the value of `singleton = ".."`, or the name of a slot after
/// `/slot/`, such as `/slot/deploy`, and `/slot/deploy/acme` for its key `acme`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LeaseKey(Arc<str>);

impl LeaseKey {
    /// The greatest length, in bytes.
    pub const MAX_LEN: usize = 512;

    /// Creates a key.
    ///
    /// # Errors
    /// [`InvalidLeaseKey`] if it is empty, has more than [`MAX_LEN`](Self::MAX_LEN) bytes, or a control character.
    pub fn new(key: impl Into<Arc<str>>) -> Result<Self, InvalidLeaseKey> {
        let key = key.into();
        let is_valid = !key.is_empty() && key.len() <= Self::MAX_LEN && !key.chars().any(char::is_control);
        if is_valid { Ok(Self(key)) } else { Err(InvalidLeaseKey { key }) }
    }

    /// Returns the key of a task or group: its path. A path that cannot be a key is shortened, and made unique by a
    /// hash.
    pub(crate) fn of_path(path: &str) -> Self {
        const KEPT: usize = 256;
        Self::new(path).unwrap_or_else(|_| {
            // FNV-1a: the same in every replica, and in every version.
            let hash = path
                .bytes()
                .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
            let kept: String = path.chars().filter(|char| !char.is_control()).take(KEPT / 4).collect();
            Self(format!("{kept}#{hash:016x}").into())
        })
    }

    /// Returns the key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for LeaseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for LeaseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A text that cannot be the key of a lease.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key:?} is no key of a lease: expected 1 to 512 bytes without control characters")]
pub struct InvalidLeaseKey {
    /// The text.
    pub key: Arc<str>,
}

/// The fencing token of a lease. Each time a key is taken, its token is greater than all before.
///
/// A resource that stores the greatest token that it has seen, and refuses writes with a smaller one, is safe from an
/// owner that has not noticed yet that it lost the lease. The idea is from "How to do distributed locking" (Martin
/// Kleppmann, 2016).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FencingToken(u64);

impl FencingToken {
    /// Creates a token from its number, as it was stored.
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number. It fits a signed integer of 64 bits.
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The answer of a store for one key of `acquire`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The session owns the key.
    Held {
        /// The token of this lease.
        token: FencingToken,
        /// The last tick that was marked for the key, by any owner.
        last_tick: Option<u64>,
        /// The time of the store.
        now: StoreTime,
    },
    /// Another session owns the key.
    Busy {
        /// Its label.
        owner: String,
    },
}
