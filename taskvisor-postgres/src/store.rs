//! The store.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use taskvisor::fleet::{Claim, FencingToken, LeaseError, LeaseKey, LeaseStore, SessionId, SessionSpec, StoreTime};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::types::{FromSql, ToSql, Type};
use tokio_postgres::{Config, NoTls, Row, Socket};

use crate::connect::{Connect, Connector, Line, with_defaults};
use crate::error::{has_no_connection, lease_error};
use crate::fence::Fence;
use crate::listen::Listener;
use crate::marks::{self, Mark, Marked, Marks};
use crate::migrate::migrate;
use crate::release::release;
use crate::repeat::repeat;
use crate::schema::Schema;

/// A store of leases in PostgreSQL.
///
/// It has three connections of its own: one for renewals, so that they never wait behind another call, one for the other
/// calls, and one for hints. The first call of each opens it. It never uses a pool of the service, so an exhausted pool
/// loses no lease. Where the server has no connection left for renewals, they use that of the other calls. A call is one
/// round trip and one transaction. Clones share the connections.
///
/// # Cancel safety
/// A call can be dropped at any time. No transaction stays open, but the statement may still be carried out. Its
/// connection is closed, because it may be stalled, and the next call opens another. One that is being made is kept, and
/// the next call uses it, or another that it begins, whichever comes first.
///
/// # Examples
/// ```no_run
/// use taskvisor_postgres::PostgresStore;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let store = PostgresStore::new("host=db user=billing dbname=billing".parse()?);
/// store.migrate().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PostgresStore {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    calls: Arc<Line>,
    renewals: Line,
    listener: Listener,
    /// The number of times that each session has taken or freed keys. A server with a smaller number has lost changes.
    /// Kept of a session that has expired too: without it, such a server would answer the next call.
    ///
    /// A leaf: nothing is awaited or called under it.
    changes: Mutex<HashMap<SessionId, i64>>,
    marks: Marks,
}

#[derive(Clone)]
struct Settings {
    config: Config,
    hints: Hints,
    schema: Schema,
    connector: Arc<dyn Connect>,
}

/// The source of hints.
#[derive(Debug, Clone)]
enum Hints {
    SameServer,
    Server(Box<Config>),
    None,
}

impl PostgresStore {
    /// Creates a store, without connecting. A `Config` is parsed from a connection string: `"..".parse()?`.
    ///
    /// Without an application name, it is `taskvisor`. TCP keepalives are sent after a minute, and not after the 2 h that
    /// are the default of the driver, as many networks forget a silent connection sooner. With several hosts, set `target_session_attrs=read-write`, so
    /// that the store follows a failover.
    pub fn new(config: Config) -> Self {
        Self::from_settings(Settings {
            config: with_defaults(config),
            hints: Hints::SameServer,
            schema: Schema::new("taskvisor"),
            connector: Arc::new(Connector(NoTls)),
        })
    }

    fn from_settings(settings: Settings) -> Self {
        let calls = Arc::new(Line::default());
        let (listener, renewals) = (Listener::new(&calls.replaced), Line::beside(&calls));
        let (changes, marks) = (Mutex::default(), Marks::default());
        Self { shared: Arc::new(Shared { settings, calls, renewals, listener, changes, marks }) }
    }

    fn with(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.shared.settings.clone();
        change(&mut settings);
        Self::from_settings(settings)
    }

    /// Sets the TLS connector, such as that of `tokio-postgres-rustls` or `postgres-native-tls`. Default: none.
    ///
    /// `sslmode` in the connection string decides whether TLS is used. Its default is `prefer`; use `require`.
    ///
    /// # Examples
    /// With rustls, and the certificate file of an authority, as providers of managed databases publish it:
    /// ```no_run
    /// use rustls::pki_types::{CertificateDer, pem::PemObject as _};
    /// use taskvisor_postgres::PostgresStore;
    /// use tokio_postgres_rustls::MakeRustlsConnect;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut roots = rustls::RootCertStore::empty();
    /// for certificate in CertificateDer::pem_file_iter("authority.pem")? {
    ///     roots.add(certificate?)?;
    /// }
    /// let tls = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    /// let config = "host=db.example user=billing dbname=billing sslmode=require".parse()?;
    /// let store = PostgresStore::new(config).tls(MakeRustlsConnect::new(tls));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn tls<T>(self, tls: T) -> Self
    where
        T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
        T::Stream: Send + 'static,
        T::TlsConnect: Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        self.with(|settings| settings.connector = Arc::new(Connector(tls)))
    }

    /// Sets the schema of the tables, whose name is also the channel of hints. Default: `taskvisor`.
    ///
    /// # Panics
    /// If the name is empty, has more than 63 bytes, or a NUL.
    #[must_use]
    pub fn schema(self, name: &str) -> Self {
        let schema = Schema::new(name);
        self.with(|settings| settings.schema = schema)
    }

    /// Sets the address for hints. Default: that of the store.
    ///
    /// `LISTEN` needs a session of its own at the server. If the store connects through PgBouncer in transaction mode,
    /// give the address of the server here, or use [`without_hints`](Self::without_hints).
    #[must_use]
    pub fn listen_on(self, config: Config) -> Self {
        self.with(|settings| settings.hints = Hints::Server(Box::new(with_defaults(config))))
    }

    /// Opens no connection for hints. A refused key is then asked for every third of the time to live, and a hand-over
    /// takes up to that long.
    #[must_use]
    pub fn without_hints(self) -> Self {
        self.with(|settings| settings.hints = Hints::None)
    }

    /// Creates the tables and functions, unless they exist in this version. All replicas may call it at once, at each
    /// start. If they exist, it needs no more rights than the calls of a lease.
    ///
    /// # Errors
    /// [`LeaseError::Unreachable`], also after 60 s without an end, and [`LeaseError::Misconfigured`].
    pub async fn migrate(&self) -> Result<(), LeaseError> {
        let Shared { settings: Settings { config, connector, schema, .. }, calls, .. } = &*self.shared;
        migrate(calls, connector, config, schema).await
    }

    /// Returns the tables and functions as a script for `psql`, to be run by an administrator. It can be run again, and
    /// its comments list the rights to grant.
    pub fn schema_sql(&self) -> String {
        self.shared.settings.schema.script()
    }

    /// Returns the check of tokens for the keys of a fleet. Its name is that of [`Fleet::name`](taskvisor::fleet::Fleet::name):
    /// with another name, every token is stale.
    pub fn fence(&self, fleet: impl Into<Arc<str>>) -> Fence {
        Fence::new(fleet.into(), &self.shared.settings.schema)
    }

    /// Stores ticks, in one statement. Returns the answers, and the error of a connection that was lost meanwhile: the
    /// statement may have been carried out twice.
    pub(crate) async fn mark_all(
        &self,
        session: SessionId,
        marks: &[Mark],
    ) -> Result<(Vec<Marked>, Option<LeaseError>), LeaseError> {
        let Shared { settings: Settings { config, connector, schema, .. }, calls, .. } = &*self.shared;
        let statement = marks::statement(schema);
        let keys: Vec<_> = marks.iter().map(|mark| mark.key.as_str()).collect();
        let tokens: Vec<_> = marks.iter().map(|mark| number(mark.token)).collect();
        let ticks: Vec<_> = marks.iter().map(|mark| mark.tick.to_string()).collect();
        let params: [(&(dyn ToSql + Sync), _); 5] = [
            (&session.to_string(), Type::TEXT),
            (&self.changes(session), Type::INT8),
            (&keys, Type::TEXT_ARRAY),
            (&tokens, Type::INT8_ARRAY),
            (&ticks, Type::TEXT_ARRAY),
        ];
        let (rows, lost) = repeat(schema, || calls.query_tables(connector, config, &statement, &params)).await?;
        let marked = rows.iter().map(|row| Ok(Marked::read(column(row, 0)?, column(row, 1)?)));
        Ok((marked.collect::<Result<_, _>>()?, lost.map(|error| lease_error(error, schema))))
    }

    /// Releases keys by a statement, which returns those that it has left out.
    pub(crate) async fn release_keys(
        &self,
        session: SessionId,
        held: &[(&str, FencingToken)],
        statement: &str,
    ) -> Result<Vec<String>, LeaseError> {
        let (keys, tokens): (Vec<_>, Vec<_>) = held.iter().map(|(key, token)| (*key, number(*token))).unzip();
        let params: [(&(dyn ToSql + Sync), _); 4] = [
            (&session.to_string(), Type::TEXT),
            (&self.changes(session), Type::INT8),
            (&keys, Type::TEXT_ARRAY),
            (&tokens, Type::INT8_ARRAY),
        ];
        let Shared { settings: Settings { config, connector, schema, .. }, calls, .. } = &*self.shared;
        let released = repeat(schema, || calls.query_tables(connector, config, statement, &params)).await;
        let row = released?.0.pop();
        let row = row.ok_or(LeaseError::Expired)?;
        self.learn(session, column::<Option<_>>(&row, 0)?.ok_or(LeaseError::Expired)?);
        Ok(column::<Option<_>>(&row, 1)?.unwrap_or_default())
    }

    async fn query(
        &self,
        line: &Line,
        statement: &str,
        params: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Row>, LeaseError> {
        let Settings { config, connector, schema, .. } = &self.shared.settings;
        Ok(repeat(schema, || line.query(connector, config, statement, params)).await?.0)
    }

    fn changes(&self, session: SessionId) -> i64 {
        lock(&self.shared.changes).get(&session).copied().unwrap_or_default()
    }

    fn learn(&self, session: SessionId, changes: i64) {
        let mut known = lock(&self.shared.changes);
        let known = known.entry(session).or_default();
        // Answers can arrive in another order than the changes.
        *known = changes.max(*known);
    }

    async fn call(
        &self,
        line: &Line,
        function: &str,
        params: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Option<Row>, LeaseError> {
        let statement = format!("SELECT * FROM {}.{function}", self.shared.settings.schema);
        Ok(self.query(line, &statement, params).await?.pop())
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `Config` hides its password.
        let Settings { config, hints, schema, .. } = &self.shared.settings;
        f.debug_struct("PostgresStore")
            .field("config", config)
            .field("hints", hints)
            .field("schema", &schema.name())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl LeaseStore for PostgresStore {
    async fn open(&self, spec: &SessionSpec) -> Result<SessionId, LeaseError> {
        let session = SessionId::random()?;
        self.shared.listener.add_fleet(&spec.fleet);
        let ttl = i64::try_from(spec.ttl.as_micros()).unwrap_or(i64::MAX);
        let label = spec.label.replace('\0', "");
        self.call(
            &self.shared.calls,
            "open_1($1::uuid, $2, $3, $4 * interval '1 microsecond')",
            &[
                (&session.to_string(), Type::TEXT),
                (&&*spec.fleet, Type::TEXT),
                (&label, Type::TEXT),
                (&ttl, Type::INT8),
            ],
        )
        .await?;
        Ok(session)
    }

    async fn renew(&self, session: SessionId) -> Result<StoreTime, LeaseError> {
        let params: [(&(dyn ToSql + Sync), _); 2] =
            [(&session.to_string(), Type::TEXT), (&self.changes(session), Type::INT8)];
        let renew = |line| self.call(line, "renew_1($1::uuid, $2)", &params);
        let row = match renew(&self.shared.renewals).await {
            // Work must not stop for want of a second connection.
            Err(error) if has_no_connection(&error) => renew(&self.shared.calls).await,
            renewed => renewed,
        }?;
        let micros = row.as_ref().map(|row| column(row, 0)).transpose()?;
        micros.flatten().map(store_time).ok_or(LeaseError::Expired)
    }

    async fn acquire(&self, session: SessionId, keys: &[LeaseKey]) -> Result<Vec<Claim>, LeaseError> {
        let keys: Vec<_> = keys.iter().map(LeaseKey::as_str).collect();
        let params: [(&(dyn ToSql + Sync), _); 3] =
            [(&session.to_string(), Type::TEXT), (&self.changes(session), Type::INT8), (&keys, Type::TEXT_ARRAY)];
        let row =
            self.call(&self.shared.calls, "acquire_1($1::uuid, $2, $3)", &params).await?.ok_or(LeaseError::Expired)?;
        let now = store_time(column(&row, 0)?);
        self.learn(session, column(&row, 1)?);
        let tokens: Vec<Option<i64>> = column(&row, 2)?;
        let (ticks, owners): (Vec<Option<String>>, Vec<Option<String>>) = (column(&row, 3)?, column(&row, 4)?);
        let claims = tokens.into_iter().zip(ticks).zip(owners).map(|((token, tick), owner)| match token {
            Some(token) => Claim::Held {
                token: FencingToken::from_number(token.unsigned_abs()),
                last_tick: tick.and_then(|tick| tick.parse().ok()),
                now,
            },
            // Another session is taking the key.
            None => Claim::Busy { owner: owner.unwrap_or_else(|| "unknown".to_owned()) },
        });
        Ok(claims.collect())
    }

    async fn release(&self, session: SessionId, held: &[(LeaseKey, FencingToken)]) -> Result<(), LeaseError> {
        release(self, &self.shared.settings.schema, session, held).await
    }

    async fn mark(
        &self,
        session: SessionId,
        key: &LeaseKey,
        token: FencingToken,
        tick: u64,
    ) -> Result<bool, LeaseError> {
        self.shared.marks.mark(self, session, (key, token, tick)).await
    }

    async fn close(&self, session: SessionId) -> Result<(), LeaseError> {
        self.call(&self.shared.calls, "close_1($1::uuid)", &[(&session.to_string(), Type::TEXT)]).await?;
        lock(&self.shared.changes).remove(&session);
        Ok(())
    }

    async fn changed(&self) {
        let Shared { settings, listener, .. } = &*self.shared;
        let config = match &settings.hints {
            Hints::SameServer => &settings.config,
            Hints::Server(config) => &**config,
            Hints::None => return std::future::pending().await,
        };
        listener.changed(&settings.connector, config, &settings.schema).await;
    }
}

/// Returns a token as it is stored. A token that does not fit was never issued, and becomes -1, which was not issued
/// either.
fn number(token: FencingToken) -> i64 {
    i64::try_from(token.number()).unwrap_or(-1)
}

/// Reads a column. It fails only if the functions in the database were changed.
fn column<'a, T: FromSql<'a>>(row: &'a Row, index: usize) -> Result<T, LeaseError> {
    row.try_get(index).map_err(LeaseError::misconfigured)
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn store_time(micros: i64) -> StoreTime {
    StoreTime::from_unix(Duration::from_micros(micros.unsigned_abs()))
}
