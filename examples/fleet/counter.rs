//! The counters that runs increment, each behind a fence: a write by a former owner is refused.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

#[cfg(feature = "fleet-servers")]
use taskvisor::fleet::FencingToken;

use crate::log::Answer;

/// The counters of all keys.
#[derive(Clone)]
pub(crate) enum Counter {
    /// Refuses a token that is smaller than the greatest that it has seen.
    Local(Arc<Mutex<HashMap<String, Vec<u64>>>>),
    #[cfg(feature = "fleet-servers")]
    Postgres(Arc<postgres::Table>),
    #[cfg(feature = "fleet-servers")]
    Redis(Arc<redis::Cell>),
}

impl Counter {
    pub(crate) fn local() -> Self {
        Self::Local(Arc::default())
    }

    /// Increments the counter of a key.
    #[cfg_attr(not(feature = "fleet-servers"), expect(clippy::unused_async, reason = "servers take their time"))]
    pub(crate) async fn increment(&self, key: &str, token: u64) -> Answer {
        match self {
            Self::Local(cells) => {
                let mut cells = cells.lock().unwrap_or_else(PoisonError::into_inner);
                let written = cells.entry(key.to_owned()).or_default();
                if written.last().is_some_and(|last| token < *last) {
                    return Answer::Refused;
                }
                written.push(token);
                Answer::Accepted
            }
            #[cfg(feature = "fleet-servers")]
            Self::Postgres(table) => table.increment(key, FencingToken::from_number(token)).await,
            #[cfg(feature = "fleet-servers")]
            Self::Redis(cell) => cell.increment(key, token).await,
        }
    }

    /// Returns the tokens of all writes that a key has accepted, in their order.
    #[cfg_attr(not(feature = "fleet-servers"), expect(clippy::unused_async, reason = "servers take their time"))]
    pub(crate) async fn accepted(&self, key: &str) -> Result<Vec<u64>, String> {
        match self {
            Self::Local(cells) => {
                Ok(cells.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned().unwrap_or_default())
            }
            #[cfg(feature = "fleet-servers")]
            Self::Postgres(table) => table.accepted(key).await.map_err(|error| error.to_string()),
            #[cfg(feature = "fleet-servers")]
            Self::Redis(cell) => cell.accepted(key).await.map_err(|error| error.to_string()),
        }
    }
}

/// A table of PostgreSQL. The token is checked in the transaction of the write.
#[cfg(feature = "fleet-servers")]
pub(crate) mod postgres {
    use std::time::Duration;

    use taskvisor::fleet::FencingToken;
    use taskvisor_postgres::{Fence, FenceError};
    use tokio::sync::Mutex;
    use tokio_postgres::{Client, Config, Error, NoTls};

    use crate::log::Answer;

    pub(crate) struct Table {
        fleet: String,
        config: Config,
        fence: Fence,
        client: Mutex<Option<Client>>,
    }

    /// The lock is needed because `IF NOT EXISTS` fails if two processes run it at once.
    const TABLES: &str = "
        BEGIN;
        SELECT pg_advisory_xact_lock(20260101);
        CREATE TABLE IF NOT EXISTS chaos_counter (
            fleet text, key text, value bigint NOT NULL DEFAULT 0, PRIMARY KEY (fleet, key));
        CREATE TABLE IF NOT EXISTS chaos_write (
            fleet text, key text, value bigint, token bigint NOT NULL, PRIMARY KEY (fleet, key, value));
        COMMIT;";

    impl Table {
        /// `within` is the longest time that a transaction waits for the next statement. Otherwise a process that is
        /// suspended during a write would block its key for all others until it continues.
        pub(crate) fn new(mut config: Config, fleet: &str, fence: Fence, within: Duration) -> Self {
            config.options(format!("-c idle_in_transaction_session_timeout={}", within.as_millis()));
            Self { fleet: fleet.to_owned(), config, fence, client: Mutex::default() }
        }

        async fn connect(&self) -> Result<Client, Error> {
            let (client, connection) = self.config.connect(NoTls).await?;
            tokio::spawn(connection);
            Ok(client)
        }

        pub(crate) async fn create(&self) -> Result<(), Error> {
            self.connect().await?.batch_execute(TABLES).await
        }

        pub(crate) async fn increment(&self, key: &str, token: FencingToken) -> Answer {
            let mut client = self.client.lock().await;
            if client.as_ref().is_none_or(Client::is_closed) {
                let Ok(connected) = self.connect().await else { return Answer::Unknown };
                *client = Some(connected);
            }
            let Some(client) = client.as_mut() else { return Answer::Unknown };
            match self.write(client, key, token).await {
                Ok(()) => Answer::Accepted,
                Err(FenceError::Stale { .. }) => Answer::Refused,
                Err(FenceError::Postgres(_)) => Answer::Unknown,
            }
        }

        async fn write(&self, client: &mut Client, key: &str, token: FencingToken) -> Result<(), FenceError> {
            let tx = client.transaction().await?;
            self.fence.check(&tx, key, token).await?;
            let increment = "
                WITH counted AS (
                    INSERT INTO chaos_counter AS c (fleet, key, value) VALUES ($1, $2, 1)
                    ON CONFLICT (fleet, key) DO UPDATE SET value = c.value + 1 RETURNING value)
                INSERT INTO chaos_write SELECT $1, $2, value, $3 FROM counted";
            let number = i64::try_from(token.number()).unwrap_or(-1);
            tx.execute(increment, &[&self.fleet, &key, &number]).await?;
            tx.commit().await?;
            Ok(())
        }

        pub(crate) async fn accepted(&self, key: &str) -> Result<Vec<u64>, Error> {
            let client = self.connect().await?;
            let tokens = "SELECT token FROM chaos_write WHERE fleet = $1 AND key = $2 ORDER BY value";
            let rows = client.query(tokens, &[&self.fleet, &key]).await?;
            rows.iter().map(|row| Ok(row.try_get::<_, i64>(0)?.unsigned_abs())).collect()
        }
    }
}

/// A cell of Redis, which keeps the greatest token that it has seen.
#[cfg(feature = "fleet-servers")]
pub(crate) mod redis {
    use redis::aio::MultiplexedConnection;
    use redis::{AsyncCommands as _, Client, RedisError, Script};
    use tokio::sync::Mutex;

    use crate::log::Answer;

    pub(crate) struct Cell {
        client: Client,
        fleet: String,
        script: Script,
        connection: Mutex<Option<MultiplexedConnection>>,
    }

    const INCREMENT: &str = "
        local last = redis.call('LINDEX', KEYS[1], -1)
        if last and tonumber(ARGV[1]) < tonumber(last) then return 0 end
        redis.call('RPUSH', KEYS[1], ARGV[1])
        return 1";

    impl Cell {
        pub(crate) fn new(client: Client, fleet: &str) -> Self {
            Self { client, fleet: fleet.to_owned(), script: Script::new(INCREMENT), connection: Mutex::default() }
        }

        fn name(&self, key: &str) -> String {
            format!("chaos:{}:{key}", self.fleet)
        }

        async fn connection(&self) -> Result<MultiplexedConnection, RedisError> {
            let mut connection = self.connection.lock().await;
            if let Some(connection) = &*connection {
                return Ok(connection.clone());
            }
            let made = self.client.get_multiplexed_async_connection().await?;
            Ok(connection.insert(made).clone())
        }

        pub(crate) async fn increment(&self, key: &str, token: u64) -> Answer {
            let Ok(mut connection) = self.connection().await else { return Answer::Unknown };
            match self.script.key(self.name(key)).arg(token).invoke_async(&mut connection).await {
                Ok(1) => Answer::Accepted,
                Ok(0) => Answer::Refused,
                Ok(_) | Err::<i64, _>(_) => {
                    *self.connection.lock().await = None;
                    Answer::Unknown
                }
            }
        }

        pub(crate) async fn accepted(&self, key: &str) -> Result<Vec<u64>, RedisError> {
            // A connection from before a restart of the server is lost.
            *self.connection.lock().await = None;
            self.connection().await?.lrange(self.name(key), 0, -1).await
        }
    }
}
