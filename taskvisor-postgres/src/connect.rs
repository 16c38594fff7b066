//! The connection of a store, and the connector that makes it.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Mutex, Notify};
use tokio::task::JoinHandle;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{AsyncMessage, Client, Config, Connection, Error, Row, Socket};

use crate::attempts::Attempts;

/// The time after which the driver sends the first keepalive, unless it is set.
const DRIVER_KEEPALIVES_IDLE: Duration = Duration::from_secs(2 * 60 * 60);

/// Adds the defaults of the store to a configuration.
pub(crate) fn with_defaults(mut config: Config) -> Config {
    if config.get_application_name().is_none() {
        config.application_name("taskvisor");
    }
    // An owner makes no call but renewals for hours. Firewalls and load balancers forget a connection that is silent for
    // some minutes, and tell neither end. The first call after that would wait for an answer until it is given up.
    if config.get_keepalives_idle() == DRIVER_KEEPALIVES_IDLE {
        config.keepalives_idle(Duration::from_secs(60));
    }
    if config.get_keepalives_interval().is_none() {
        config.keepalives_interval(Duration::from_secs(10));
    }
    if config.get_keepalives_retries().is_none() {
        config.keepalives_retries(3);
    }
    config
}

/// Makes connections, with the TLS implementation of the user.
#[async_trait]
pub(crate) trait Connect: Send + Sync {
    async fn connect(&self, config: &Config) -> Result<(Client, Messages), Error>;
}

pub(crate) struct Connector<T>(pub(crate) T);

#[async_trait]
impl<T> Connect for Connector<T>
where
    T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
    T::Stream: Send + 'static,
    T::TlsConnect: Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    async fn connect(&self, config: &Config) -> Result<(Client, Messages), Error> {
        let (client, connection) = config.connect(self.0.clone()).await?;
        Ok((client, Messages(Box::pin(connection))))
    }
}

/// The other half of a connection: it moves the bytes, and returns asynchronous messages of the server.
pub(crate) struct Messages(pub(crate) Pin<Box<dyn PollMessage + Send>>);

pub(crate) trait PollMessage {
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<AsyncMessage, Error>>>;
}

impl<S, T> PollMessage for Connection<S, T>
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: TlsStream + Unpin,
{
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<AsyncMessage, Error>>> {
        self.get_mut().poll_message(cx)
    }
}

impl Messages {
    /// Returns the next message, or `None` if the connection has ended.
    pub(crate) async fn next(&mut self) -> Option<AsyncMessage> {
        poll_fn(|cx| self.0.as_mut().poll(cx)).await?.ok()
    }
}

/// A connection in use.
pub(crate) struct Link {
    client: Client,
    task: JoinHandle<()>,
    /// `true` if a call on the connection was dropped or has failed: it may be stalled, and is not used again.
    is_suspect: AtomicBool,
}

impl Link {
    pub(crate) fn is_usable(&self) -> bool {
        !self.is_suspect.load(Ordering::Relaxed) && !self.client.is_closed()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // Otherwise the task closes the connection properly, which would never complete if the server does not answer.
        if self.is_suspect.load(Ordering::Relaxed) {
            self.task.abort();
        }
    }
}

/// At most one connection, which is made by the first call, and anew after a failure.
///
/// It lives on the runtime of the call that made it. If that runtime has ended, the next call makes another.
#[derive(Default)]
pub(crate) struct Line {
    /// Held while a call waits for a connection, so that calls at the same time share it.
    current: Mutex<Current>,
    /// `true` once a connection was begun, whatever became of it.
    was_begun: AtomicBool,
    /// Notified when a connection has replaced another, or could not be made at first.
    pub(crate) replaced: Arc<Notify>,
    /// `true` if another connection to the server was lost: this one may be lost unnoticed as well.
    is_doubted: AtomicBool,
    /// The line that is doubted then.
    doubts: Option<Arc<Line>>,
}

/// The connection, or the attempts to make it.
#[derive(Default)]
struct Current {
    link: Option<Arc<Link>>,
    attempts: Attempts,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").finish_non_exhaustive()
    }
}

/// Marks the connection of a dropped call as suspect, because its answer may never come.
struct InCall {
    link: Arc<Link>,
    is_answered: bool,
}

impl Drop for InCall {
    fn drop(&mut self) {
        if !self.is_answered {
            self.link.is_suspect.store(true, Ordering::Relaxed);
        }
    }
}

impl Line {
    /// Creates a line for calls that must not wait behind those of another.
    pub(crate) fn beside(other: &Arc<Self>) -> Self {
        Self { replaced: Arc::clone(&other.replaced), doubts: Some(Arc::clone(other)), ..Self::default() }
    }

    pub(crate) async fn link(&self, connector: &Arc<dyn Connect>, config: &Config) -> Result<Arc<Link>, Error> {
        let mut current = self.current.lock().await;
        if self.is_doubted.swap(false, Ordering::Relaxed) {
            if let Some(link) = current.link.as_ref() {
                link.is_suspect.store(true, Ordering::Relaxed);
            }
        }
        if let Some(link) = current.link.as_ref().filter(|link| link.is_usable()) {
            return Ok(Arc::clone(link));
        }
        current.link = None;
        let is_another = self.was_begun.swap(true, Ordering::Relaxed);
        let (client, task) = current.attempts.connect(connector, config).await?;
        let link = Arc::new(Link { client, task, is_suspect: AtomicBool::new(false) });
        current.link = Some(Arc::clone(&link));
        if is_another {
            self.replaced.notify_one();
            if let Some(other) = &self.doubts {
                other.is_doubted.store(true, Ordering::Relaxed);
            }
        }
        Ok(link)
    }

    /// Runs one statement without a named prepared statement, so that it works with PgBouncer.
    pub(crate) async fn query(
        &self,
        connector: &Arc<dyn Connect>,
        config: &Config,
        statement: &str,
        params: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Row>, Error> {
        let mut call = InCall { link: self.link(connector, config).await?, is_answered: false };
        let rows = call.link.client.query_typed(statement, params).await;
        call.is_answered = !rows.as_ref().is_err_and(gives_up);
        rows
    }

    /// Runs one statement as a transaction that waits for no lock for longer than 2 s, in one round trip.
    ///
    /// The functions of the tables have that limit themselves. A statement that names a table waits for it before any
    /// function is called.
    pub(crate) async fn query_tables(
        &self,
        connector: &Arc<dyn Connect>,
        config: &Config,
        statement: &str,
        params: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Row>, Error> {
        let mut call = InCall { link: self.link(connector, config).await?, is_answered: false };
        let client = &call.link.client;
        // All three are sent before the first answer, in this order. If the statement fails, the transaction is rolled back.
        let rows = tokio::try_join!(
            biased;
            client.batch_execute("BEGIN; SET LOCAL lock_timeout = '2s'"),
            client.query_typed(statement, params),
            client.batch_execute("COMMIT"),
        );
        let rows = rows.map(|((), rows, ())| rows);
        call.is_answered = !rows.as_ref().is_err_and(gives_up);
        rows
    }

    /// Runs several statements as one transaction.
    pub(crate) async fn batch(
        &self,
        connector: &Arc<dyn Connect>,
        config: &Config,
        statements: &str,
    ) -> Result<(), Error> {
        let mut call = InCall { link: self.link(connector, config).await?, is_answered: false };
        let done = call.link.client.batch_execute(statements).await;
        call.is_answered = !done.as_ref().is_err_and(gives_up);
        done
    }
}

/// Returns `true` if another connection may succeed, for example to another server.
fn gives_up(error: &Error) -> bool {
    // A refused statement leaves the connection usable.
    error.code().is_none_or(|code| !["22", "23", "3F", "40", "42", "55"].contains(&&code.code()[..2]))
}

/// A connector whose hosts take connections and do not answer.
#[cfg(test)]
#[derive(Default)]
pub(crate) struct Silent {
    /// The orders in which hosts were to be tried.
    pub(crate) orders: std::sync::Mutex<Vec<tokio_postgres::config::LoadBalanceHosts>>,
}

#[cfg(test)]
#[async_trait]
impl Connect for Silent {
    async fn connect(&self, config: &Config) -> Result<(Client, Messages), Error> {
        self.orders.lock().unwrap().push(config.get_load_balance_hosts());
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_connection_is_kept_alive() {
        let config = with_defaults("host=db".parse().unwrap());
        let seconds = Duration::from_secs;
        assert_eq!(config.get_keepalives_idle(), seconds(60));
        assert_eq!((config.get_keepalives_interval(), config.get_keepalives_retries()), (Some(seconds(10)), Some(3)));
        let set = "host=db keepalives_idle=9 keepalives_interval=8 keepalives_retries=7 application_name=billing";
        let config = with_defaults(set.parse().unwrap());
        assert_eq!(config.get_keepalives_idle(), seconds(9));
        assert_eq!((config.get_keepalives_interval(), config.get_keepalives_retries()), (Some(seconds(8)), Some(7)));
        assert_eq!(config.get_application_name(), Some("billing"));
    }
}
