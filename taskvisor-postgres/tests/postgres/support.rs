//! The server that the tests share, and short ways to use it.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use fleet_tests::Postgres;
use taskvisor::fleet::{Claim, FencingToken, LeaseError, LeaseKey, LeaseStore, SessionId, SessionSpec, StoreTime};
use taskvisor_postgres::PostgresStore;
use tokio_postgres::config::Host;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls};

pub(crate) const TTL: Duration = Duration::from_secs(60);

/// Returns the connection string of the server that the tests share. `None`: there is none, and the test is skipped.
pub(crate) fn server() -> Option<String> {
    static SERVER: OnceLock<Option<Postgres>> = OnceLock::new();
    static GIVEN: OnceLock<String> = OnceLock::new();
    if let Ok(url) = std::env::var("TASKVISOR_POSTGRES_URL") {
        // On a thread of its own, because the test has a runtime.
        let database = || std::thread::spawn(move || database(&url)).join().unwrap();
        return Some(GIVEN.get_or_init(database).clone());
    }
    SERVER.get_or_init(|| Postgres::start(&[])).as_ref().map(Postgres::url)
}

/// Makes an empty database on a server that was given.
#[tokio::main(flavor = "current_thread")]
async fn database(url: &str) -> String {
    let client = client(url).await;
    client.execute("DROP DATABASE IF EXISTS taskvisor_tests WITH (FORCE)", &[]).await.unwrap();
    client.execute("CREATE DATABASE taskvisor_tests", &[]).await.unwrap();
    format!("{url} dbname=taskvisor_tests")
}

/// Returns the address in a connection string.
pub(crate) fn address(url: &str) -> SocketAddr {
    let config: Config = url.parse().unwrap();
    let Some(Host::Tcp(host)) = config.get_hosts().first() else { panic!("no host in {url:?}") };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    (host.as_str(), port).to_socket_addrs().unwrap().next().unwrap()
}

/// Returns a connection string by way of a port of the loopback interface.
pub(crate) fn url_by(url: &str, port: u16) -> String {
    let config: Config = url.parse().unwrap();
    let (user, database) = (config.get_user().unwrap(), config.get_dbname().unwrap());
    let password = config.get_password().map(|password| String::from_utf8_lossy(password).into_owned());
    let password = password.unwrap_or_default();
    format!("host=127.0.0.1 port={port} user={user} dbname={database} password='{password}'")
}

/// Returns a connection string for another role.
pub(crate) fn url_as(url: &str, user: &str, password: &str) -> String {
    let database = url.parse::<Config>().unwrap().get_dbname().unwrap().to_owned();
    let address = address(url);
    format!("host={} port={} user={user} dbname={database} password='{password}'", address.ip(), address.port())
}

/// Returns a store with tables of its own.
pub(crate) async fn store(url: &str, schema: &str) -> PostgresStore {
    let store = unmigrated(url, schema);
    store.migrate().await.unwrap();
    store
}

pub(crate) fn unmigrated(url: &str, schema: &str) -> PostgresStore {
    PostgresStore::new(url.parse().unwrap()).schema(schema)
}

/// Returns a connection of the test's own.
pub(crate) async fn client(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

pub(crate) fn key(name: &str) -> LeaseKey {
    LeaseKey::new(name).unwrap()
}

pub(crate) fn keys(names: &[&str]) -> Vec<LeaseKey> {
    names.iter().map(|name| key(name)).collect()
}

pub(crate) async fn open(store: &PostgresStore, label: &str, ttl: Duration) -> SessionId {
    store.open(&SessionSpec::new("fleet", label, ttl)).await.unwrap()
}

/// Acquires one key. `None`: it is busy.
pub(crate) async fn acquire(store: &PostgresStore, session: SessionId, name: &str) -> Option<FencingToken> {
    let claims = tokio::time::timeout(TTL, store.acquire(session, &keys(&[name]))).await.expect("an answer in time");
    match claims.unwrap().remove(0) {
        Claim::Held { token, .. } => Some(token),
        Claim::Busy { .. } => None,
    }
}

/// Many stores as one, so that calls at the same time have connections of their own.
pub(crate) struct Spread {
    stores: Vec<PostgresStore>,
    next: AtomicUsize,
}

impl Spread {
    pub(crate) fn new(stores: Vec<PostgresStore>) -> Self {
        Self { stores, next: AtomicUsize::new(0) }
    }

    fn store(&self) -> &PostgresStore {
        &self.stores[self.next.fetch_add(1, Ordering::Relaxed) % self.stores.len()]
    }
}

#[async_trait]
impl LeaseStore for Spread {
    async fn open(&self, spec: &SessionSpec) -> Result<SessionId, LeaseError> {
        self.store().open(spec).await
    }

    async fn renew(&self, session: SessionId) -> Result<StoreTime, LeaseError> {
        self.store().renew(session).await
    }

    async fn acquire(&self, session: SessionId, keys: &[LeaseKey]) -> Result<Vec<Claim>, LeaseError> {
        self.store().acquire(session, keys).await
    }

    async fn release(&self, session: SessionId, held: &[(LeaseKey, FencingToken)]) -> Result<(), LeaseError> {
        self.store().release(session, held).await
    }

    async fn mark(
        &self,
        session: SessionId,
        key: &LeaseKey,
        token: FencingToken,
        tick: u64,
    ) -> Result<bool, LeaseError> {
        self.store().mark(session, key, token, tick).await
    }

    async fn close(&self, session: SessionId) -> Result<(), LeaseError> {
        self.store().close(session).await
    }

    async fn changed(&self) {
        self.store().changed().await;
    }
}

/// Waits until a query gives a row.
pub(crate) async fn until(client: &Client, query: &str, params: &[&(dyn ToSql + Sync)]) {
    let asking = async {
        while client.query(query, params).await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let in_time = tokio::time::timeout(TTL, asking).await;
    assert!(in_time.is_ok(), "nothing came of {query}");
}

/// Waits, without a hint, until a store listens in this schema. It listens from the first wait on, which can be dropped.
pub(crate) async fn until_it_listens(store: &PostgresStore, control: &Client, schema: &str) {
    let listen = format!("LISTEN \"{}\"", schema.replace('"', "\"\""));
    let listens = "SELECT 1 FROM pg_stat_activity WHERE query = $1 AND state = 'idle'";
    let params: [&(dyn ToSql + Sync); 1] = [&listen];
    tokio::select! {
        () = store.changed() => panic!("nothing has changed"),
        () = until(control, listens, &params) => {}
    }
}

/// Waits until the server process of a connection waits for a lock.
pub(crate) async fn until_it_waits(control: &Client, pid: i32) {
    // In a transaction the activity would stay what it was; the function looks anew.
    let waits = "SELECT 1 WHERE cardinality(pg_blocking_pids($1)) > 0";
    until(control, waits, &[&pid]).await;
}
