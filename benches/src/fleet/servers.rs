//! The servers, and stores on them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use fleet_tests::{Postgres, Redis};
use taskvisor::fleet::{Claim, FencingToken, LeaseError, LeaseKey, LeaseStore, SessionId, SessionSpec, StoreTime};
use taskvisor_postgres::PostgresStore;
use taskvisor_redis::RedisStore;

use crate::Failure;

pub(crate) const ENGINES: [&str; 2] = ["PostgreSQL", "Redis"];

pub(crate) struct Servers {
    postgres: Postgres,
    redis: Redis,
}

impl Servers {
    /// `None`: there are none to start, which was said.
    pub(crate) fn start() -> Option<Self> {
        // As a server is that keeps what it has said.
        Some(Self { postgres: Postgres::start(&["fsync=on"])?, redis: Redis::start()? })
    }

    pub(crate) fn url(&self, engine: &str) -> String {
        if engine == ENGINES[0] { self.postgres.url() } else { self.redis.url() }
    }

    pub(crate) fn address(&self, engine: &str) -> SocketAddr {
        if engine == ENGINES[0] { self.postgres.address() } else { self.redis.address() }
    }

    /// Returns a store by way of a proxy.
    pub(crate) async fn store_by(&self, engine: &str, proxy: SocketAddr) -> Result<Counted, Failure> {
        store(
            engine,
            &if engine == ENGINES[0] { self.postgres.url_by(proxy.port()) } else { format!("redis://{proxy}") },
        )
        .await
    }
}

/// Returns a store, with its tables.
pub(crate) async fn store(engine: &str, url: &str) -> Result<Counted, Failure> {
    let store: Arc<dyn LeaseStore> = if engine == ENGINES[0] {
        let store = PostgresStore::new(url.parse()?);
        store.migrate().await?;
        Arc::new(store)
    } else {
        Arc::new(RedisStore::new(url)?)
    };
    Ok(Counted { store, calls: Arc::default() })
}

/// A store whose calls are counted.
#[derive(Clone)]
pub(crate) struct Counted {
    store: Arc<dyn LeaseStore>,
    pub(crate) calls: Arc<Calls>,
}

#[derive(Debug, Default)]
pub(crate) struct Calls {
    pub(crate) renewals: AtomicU64,
    pub(crate) acquisitions: AtomicU64,
    pub(crate) others: AtomicU64,
}

impl Calls {
    /// Returns the numbers of renewals, of questions for keys, and of other calls.
    pub(crate) fn now(&self) -> [u64; 3] {
        [&self.renewals, &self.acquisitions, &self.others].map(|count| count.load(Ordering::Relaxed))
    }
}

fn count(calls: &AtomicU64) {
    calls.fetch_add(1, Ordering::Relaxed);
}

#[async_trait]
impl LeaseStore for Counted {
    async fn open(&self, spec: &SessionSpec) -> Result<SessionId, LeaseError> {
        count(&self.calls.others);
        self.store.open(spec).await
    }

    async fn renew(&self, session: SessionId) -> Result<StoreTime, LeaseError> {
        count(&self.calls.renewals);
        self.store.renew(session).await
    }

    async fn acquire(&self, session: SessionId, keys: &[LeaseKey]) -> Result<Vec<Claim>, LeaseError> {
        count(&self.calls.acquisitions);
        self.store.acquire(session, keys).await
    }

    async fn release(&self, session: SessionId, held: &[(LeaseKey, FencingToken)]) -> Result<(), LeaseError> {
        count(&self.calls.others);
        self.store.release(session, held).await
    }

    async fn mark(
        &self,
        session: SessionId,
        key: &LeaseKey,
        token: FencingToken,
        tick: u64,
    ) -> Result<bool, LeaseError> {
        count(&self.calls.others);
        self.store.mark(session, key, token, tick).await
    }

    async fn close(&self, session: SessionId) -> Result<(), LeaseError> {
        count(&self.calls.others);
        self.store.close(session).await
    }

    async fn changed(&self) {
        self.store.changed().await;
    }
}
