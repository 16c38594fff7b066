//! The store.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use redis::{Client, FromRedisValue, IntoConnectionInfo, RedisError};
use taskvisor::fleet::{Claim, FencingToken, LeaseError, LeaseKey, LeaseStore, SessionId, SessionSpec, StoreTime};

use crate::error::{is_denied, lease_error};
use crate::hints::Hints;
use crate::link::{Link, Request};
use crate::memory;
use crate::names::Names;
use crate::nodes::Nodes;
use crate::script::{Script, Scripts};

/// The largest number of keys that one script takes or frees, so that no script blocks the server for long.
const BATCH: usize = 128;
/// The longest time in microseconds: about 30 years.
const LONGEST: u64 = 1_000_000_000_000_000;

/// Leases in Redis.
///
/// A store makes its connections in the calls of the fleet, on the runtime of the fleet: one for the calls of each
/// fleet, and one for the hints that a key is free. Clones share them. A connection that has failed, or on which a call
/// was dropped, is replaced by the next call. A call that finds its connection closed is sent once more on another one:
/// so `timeout` of the server, or a proxy that closes idle connections, fails no call.
///
/// See the [crate](crate) for the guarantees, and for the settings of Redis.
///
/// # Examples
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use taskvisor_redis::RedisStore;
///
/// let store = RedisStore::new("redis://user:password@redis.example:6379")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RedisStore {
    shared: Arc<Shared>,
}

struct Shared {
    nodes: Nodes,
    prefix: String,
    scripts: Scripts,
    hints: Hints,
    /// A leaf: nothing is awaited or called under it.
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    fleets: HashMap<Arc<str>, Arc<Fleet>>,
    sessions: HashMap<SessionId, Session>,
}

struct Fleet {
    names: Names,
    link: Link,
}

impl Fleet {
    async fn run<T: FromRedisValue>(&self, script: &Script, args: &[String]) -> Result<T, RedisError> {
        self.link.call(Request::Script(script, &self.names, args), |_| true).await
    }
}

#[derive(Clone)]
struct Session {
    fleet: Arc<Fleet>,
    /// The number of times that the session has taken or freed keys, as last confirmed by the server.
    changes: u64,
}

/// The answer of `acquire.lua`: the time, the changes, and for each key one text (the owner) or two (token and tick).
type Acquired = Option<(String, String, Vec<Vec<String>>)>;

impl RedisStore {
    /// Creates a store from a URL or a `redis::ConnectionInfo`: `redis://[user:password@]host[:port][/database]`, with
    /// `rediss` for TLS (feature `rustls`), or `unix:///path`. Does not connect.
    ///
    /// # Errors
    /// [`LeaseError::Misconfigured`] if the URL is not valid.
    pub fn new(address: impl IntoConnectionInfo) -> Result<Self, LeaseError> {
        Ok(Client::open(address).map_err(lease_error)?.into())
    }

    /// Adds the address of another node: the next one to connect to after a failure of the one before. Default: none.
    ///
    /// Give some nodes of a cluster, from which the others are found, or a primary and its replicas: a node that is a
    /// replica at the time refuses calls. All nodes must belong to one server: two independent servers would give a key
    /// to two owners.
    ///
    /// # Errors
    /// [`LeaseError::Misconfigured`] if the URL is not valid.
    pub fn with_node(self, address: impl IntoConnectionInfo) -> Result<Self, LeaseError> {
        let mut nodes = self.shared.nodes.clone();
        nodes.push(Client::open(address).map_err(lease_error)?);
        Ok(Self::build(nodes, self.shared.prefix.clone()))
    }

    /// Sets the prefix of the keys and channels of the store. Default: `taskvisor`.
    ///
    /// It must be the same in all replicas of a fleet.
    #[must_use]
    pub fn with_prefix(self, prefix: impl Into<String>) -> Self {
        Self::build(self.shared.nodes.clone(), prefix.into())
    }

    fn build(nodes: Nodes, prefix: String) -> Self {
        let (scripts, hints) = (Scripts::new(), Hints::new(nodes.clone()));
        Self { shared: Arc::new(Shared { nodes, prefix, scripts, hints, known: Mutex::default() }) }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.shared.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fleet(&self, name: &Arc<str>) -> Arc<Fleet> {
        let fleet = Arc::clone(self.known().fleets.entry(Arc::clone(name)).or_insert_with(|| {
            let names = Names::new(&self.shared.prefix, name);
            Arc::new(Fleet { names, link: Link::new(self.shared.nodes.clone(), self.shared.hints.doubted()) })
        }));
        self.shared.hints.add(&fleet.names.freed);
        fleet
    }

    fn session(&self, id: SessionId) -> Result<Session, LeaseError> {
        self.known().sessions.get(&id).cloned().ok_or(LeaseError::Expired)
    }

    /// Reads the answer to a call of a session, which is `None` if the session is over.
    fn live<T>(&self, id: SessionId, answer: Result<Option<T>, RedisError>) -> Result<T, LeaseError> {
        match answer {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => {
                self.known().sessions.remove(&id);
                Err(LeaseError::Expired)
            }
            Err(error) => Err(lease_error(error)),
        }
    }

    fn changed_to(&self, id: SessionId, changes: u64) {
        if let Some(session) = self.known().sessions.get_mut(&id) {
            session.changes = session.changes.max(changes);
        }
    }
}

impl From<Client> for RedisStore {
    fn from(client: Client) -> Self {
        Self::build(Nodes::new(client), "taskvisor".to_owned())
    }
}

impl Session {
    fn args(&self, id: SessionId) -> Vec<String> {
        vec![id.to_string(), self.changes.to_string()]
    }
}

#[async_trait]
impl LeaseStore for RedisStore {
    async fn open(&self, spec: &SessionSpec) -> Result<SessionId, LeaseError> {
        let (id, fleet) = (SessionId::random()?, self.fleet(&spec.fleet));
        match fleet.link.call::<String>(Request::Command(redis::cmd("INFO").arg("memory")), |_| true).await {
            Ok(info) => memory::check(&info)?,
            Err(error) if is_denied(&error) => {}
            Err(error) => return Err(lease_error(error)),
        }
        let ttl = u64::try_from(spec.ttl.as_micros()).unwrap_or(LONGEST).min(LONGEST);
        let args = [id.to_string(), ttl.to_string(), spec.label.to_string()];
        let opened = fleet.run::<String>(&self.shared.scripts.open, &args).await;
        opened.map_err(lease_error)?;
        self.known().sessions.insert(id, Session { fleet, changes: 0 });
        Ok(id)
    }

    async fn renew(&self, session: SessionId) -> Result<StoreTime, LeaseError> {
        let known = self.session(session)?;
        let renewed = known.fleet.run(&self.shared.scripts.renew, &known.args(session)).await;
        time(&self.live::<String>(session, renewed)?)
    }

    async fn acquire(&self, session: SessionId, keys: &[LeaseKey]) -> Result<Vec<Claim>, LeaseError> {
        let mut claims = Vec::with_capacity(keys.len());
        let mut batches = keys.chunks(BATCH);
        // A call without keys still checks whether the session is live.
        let mut batch = batches.next().unwrap_or_default();
        loop {
            let known = self.session(session)?;
            let mut args = known.args(session);
            args.extend(batch.iter().map(ToString::to_string));
            let Session { fleet, .. } = &known;
            let acquired: Result<Acquired, _> = fleet.run(&self.shared.scripts.acquire, &args).await;
            let (now, changes, rows) = self.live(session, acquired)?;
            self.changed_to(session, number(&changes)?);
            let now = time(&now)?;
            for row in rows {
                claims.push(claim(row, now)?);
            }
            match batches.next() {
                Some(next) => batch = next,
                None => return Ok(claims),
            }
        }
    }

    async fn release(&self, session: SessionId, held: &[(LeaseKey, FencingToken)]) -> Result<(), LeaseError> {
        let mut batches = held.chunks(BATCH);
        let mut batch = batches.next().unwrap_or_default();
        loop {
            let known = self.session(session)?;
            let Session { fleet, .. } = &known;
            let mut args = known.args(session);
            args.push(fleet.names.freed.clone());
            args.extend(batch.iter().flat_map(|(key, token)| [key.to_string(), token.to_string()]));
            let released = fleet.run(&self.shared.scripts.release, &args).await;
            let changes: String = self.live(session, released)?;
            self.changed_to(session, number(&changes)?);
            match batches.next() {
                Some(next) => batch = next,
                None => return Ok(()),
            }
        }
    }

    async fn mark(
        &self,
        session: SessionId,
        key: &LeaseKey,
        token: FencingToken,
        tick: u64,
    ) -> Result<bool, LeaseError> {
        let known = self.session(session)?;
        let Session { fleet, .. } = &known;
        let mut args = known.args(session);
        // Padded, so that the order of the texts is that of the ticks: numbers in Lua are not exact for all ticks.
        args.extend([key.to_string(), token.to_string(), format!("{tick:020}")]);
        let request = Request::Script(&self.shared.scripts.mark, &fleet.names, &args);
        // A second call that stores nothing may have found the tick of the first.
        let marked = fleet.link.call(request, |stored| *stored != Some(0)).await;
        Ok(self.live::<u8>(session, marked)? == 1)
    }

    async fn close(&self, session: SessionId) -> Result<(), LeaseError> {
        let Ok(Session { fleet, .. }) = self.session(session) else { return Ok(()) };
        let args = [session.to_string(), fleet.names.freed.clone()];
        let closed = fleet.run::<u8>(&self.shared.scripts.close, &args).await;
        closed.map_err(lease_error)?;
        self.known().sessions.remove(&session);
        Ok(())
    }

    async fn changed(&self) {
        self.shared.hints.next().await;
    }
}

fn claim(row: Vec<String>, now: StoreTime) -> Result<Claim, LeaseError> {
    let mut texts = row.into_iter();
    match (texts.next(), texts.next()) {
        (Some(owner), None) => Ok(Claim::Busy { owner }),
        (Some(token), Some(tick)) => {
            let token = FencingToken::from_number(number(&token)?);
            let last_tick = if tick == "-" { None } else { Some(number(&tick)?) };
            Ok(Claim::Held { token, last_tick, now })
        }
        (None, _) => Err(LeaseError::misconfigured("a script of the store gave an empty answer")),
    }
}

fn time(micros: &str) -> Result<StoreTime, LeaseError> {
    Ok(StoreTime::from_unix(Duration::from_micros(number(micros)?)))
}

fn number(text: &str) -> Result<u64, LeaseError> {
    text.parse().map_err(|_| LeaseError::misconfigured(format!("a script of the store gave {text:?} for a number")))
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the addresses, which may contain a password.
        f.debug_struct("RedisStore").field("prefix", &self.shared.prefix).finish_non_exhaustive()
    }
}
