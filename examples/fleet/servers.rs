//! The servers that keep the leases, and the counters.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use redis::{Client, ConnectionAddr, IntoConnectionInfo as _};
use taskvisor::fleet::Fleet;
use taskvisor_postgres::PostgresStore;
use taskvisor_redis::RedisStore;
use tokio_postgres::NoTls;
use tokio_postgres::config::Host;

use crate::counter::{Counter, postgres, redis as cell};

/// A server from the command line.
#[derive(Debug, Clone)]
pub(crate) enum Server {
    Postgres(String),
    Redis(String),
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Server {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "PostgreSQL",
            Self::Redis(_) => "Redis",
        }
    }

    /// Returns the number of hours that its clock is ahead of that of this machine.
    pub(crate) async fn hours_ahead(&self) -> Result<f64, Failure> {
        let Self::Postgres(url) = self else { return Ok(0.0) };
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        let connection = tokio::spawn(connection);
        let row = client.query_one("SELECT extract(epoch FROM clock_timestamp())::float8", &[]).await?;
        drop(client);
        connection.await??;
        let here = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        Ok((row.get::<_, f64>(0) - here.as_secs_f64()) / 3600.0)
    }

    /// Returns its address, for the proxies.
    pub(crate) async fn address(&self) -> Result<SocketAddr, Failure> {
        let (host, port) = match self {
            Self::Postgres(url) => {
                let config: tokio_postgres::Config = url.parse()?;
                let Some(Host::Tcp(host)) = config.get_hosts().first() else {
                    return Err("the connection string names no host".into());
                };
                (host.clone(), config.get_ports().first().copied().unwrap_or(5432))
            }
            Self::Redis(url) => match url.as_str().into_connection_info()?.addr() {
                ConnectionAddr::Tcp(host, port) => (host.clone(), *port),
                other => return Err(format!("{other} is no address of TCP without TLS").into()),
            },
        };
        let mut found = tokio::net::lookup_host((host.as_str(), port)).await?;
        found.next().ok_or_else(|| format!("{host} has no address").into())
    }

    /// Returns the fleet of a replica, whose leases go through a proxy, and its counter, which does not: a replica
    /// without access to the leases can still write, so that the fence is tested.
    pub(crate) async fn join(
        &self,
        name: &str,
        ttl: Duration,
        label: &str,
        proxy: Option<SocketAddr>,
    ) -> Result<(Fleet, Counter), Failure> {
        let fleet = |fleet: Fleet| fleet.name(name).label(label).ttl(ttl);
        match self {
            Self::Postgres(url) => {
                let config: tokio_postgres::Config = url.parse()?;
                let store = PostgresStore::new(proxy.map_or_else(|| config.clone(), |to| through(&config, to)));
                let table = postgres::Table::new(config, name, store.fence(name), ttl / 5);
                if proxy.is_none() {
                    store.migrate().await?;
                    table.create().await?;
                }
                Ok((fleet(Fleet::new(store)), Counter::Postgres(Arc::new(table))))
            }
            Self::Redis(url) => {
                let info = url.as_str().into_connection_info()?;
                let cell = cell::Cell::new(Client::open(info.clone())?, name);
                let info = match proxy {
                    Some(to) => info.set_addr(ConnectionAddr::Tcp(to.ip().to_string(), to.port())),
                    None => info,
                };
                Ok((fleet(Fleet::new(RedisStore::new(info)?)), Counter::Redis(Arc::new(cell))))
            }
        }
    }
}

/// Returns the config of the same connection through a proxy.
fn through(config: &tokio_postgres::Config, proxy: SocketAddr) -> tokio_postgres::Config {
    let mut led = tokio_postgres::Config::new();
    led.host(proxy.ip().to_string()).port(proxy.port());
    led.user(config.get_user().unwrap_or("postgres"));
    if let Some(name) = config.get_dbname() {
        led.dbname(name);
    }
    if let Some(password) = config.get_password() {
        led.password(password);
    }
    led
}
