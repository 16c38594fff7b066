//! The store in `SQLite` or PostgreSQL. The statements are those of both: `$1` is a parameter in either.

use std::sync::{PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use sqlx::any::AnyPoolOptions;
use sqlx::{AnyConnection, AnyPool, Connection as _, Executor as _, Row as _};
use taskvisor_postgres::{Fence, PostgresStore};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::migrations::migrator;
use super::{Accepted, Backlog, Message, Order, Report, Result, Settled, Statement, Store, StoreError, millis};

/// The durability of an accepted order in a file of `SQLite`. A server of PostgreSQL has its own setting.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Durability {
    /// An order survives a power cut: each commit waits for the disk.
    PowerCut,
    /// An order survives the end of the process.
    Kill,
}

/// A pool that can be closed and opened again. Only the task `pool` does so.
#[derive(Debug)]
pub(crate) struct SqlStore {
    url: String,
    durability: Durability,
    pool: RwLock<Option<AnyPool>>,
    accepted: Notify,
    leases: Option<(PostgresStore, String, Fence)>,
}

impl SqlStore {
    pub(crate) fn new(url: impl Into<String>, durability: Durability) -> Self {
        sqlx::any::install_default_drivers();
        Self { url: url.into(), durability, pool: RwLock::default(), accepted: Notify::new(), leases: None }
    }

    /// Adds the leases of a fleet: creates their tables, and refuses the reports of former owners.
    pub(crate) fn with_leases(mut self, leases: PostgresStore, fleet: &str) -> Self {
        let fence = leases.fence(fleet);
        self.leases = Some((leases, fleet.to_owned(), fence));
        self
    }

    fn pool(&self) -> Result<AnyPool> {
        let pool = self.pool.read().unwrap_or_else(PoisonError::into_inner);
        pool.clone().ok_or(StoreError::Closed)
    }

    /// Runs a statement of a test.
    #[cfg(test)]
    pub(crate) async fn run(&self, statement: &str) -> Result<()> {
        sqlx::query(statement).execute(&self.pool()?).await?;
        Ok(())
    }

    /// Returns the text that a statement of a test selects.
    #[cfg(test)]
    pub(crate) async fn ask(&self, statement: &str) -> Result<String> {
        Ok(sqlx::query(statement).fetch_one(&self.pool()?).await?.try_get(0)?)
    }

    fn replace(&self, pool: Option<AnyPool>) -> Option<AnyPool> {
        std::mem::replace(&mut *self.pool.write().unwrap_or_else(PoisonError::into_inner), pool)
    }
}

#[async_trait::async_trait]
impl Store for SqlStore {
    async fn open(&self) -> Result<()> {
        let (is_sqlite, durability) = (self.url.starts_with("sqlite:"), self.durability);
        // SQLite has one writer: several connections would compete for it, and the queue of one pool is fair. A server
        // of PostgreSQL has 100 connections for all replicas by default.
        let options = AnyPoolOptions::new().max_connections(if is_sqlite { 1 } else { 8 });
        // Shorter than the timeout of a request. The server cancels statements after their timeout, and ends open
        // transactions, which frees their locks.
        let options = options.acquire_timeout(Duration::from_secs(3)).after_connect(move |connection, _| {
            let settings = match durability {
                _ if !is_sqlite => "SET statement_timeout = '10s'; SET idle_in_transaction_session_timeout = '10s'",
                Durability::PowerCut => "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL",
                Durability::Kill => "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL",
            };
            Box::pin(async move { connection.execute(settings).await.map(drop) })
        });
        let pool = options.connect(&self.url).await?;
        if let Some(old) = self.replace(Some(pool)) {
            old.close().await;
        }
        Ok(())
    }

    async fn close(&self) {
        if let Some(pool) = self.replace(None) {
            pool.close().await;
        }
    }

    async fn ping(&self) -> Result<()> {
        match sqlx::query("SELECT 1").execute(&self.pool()?).await {
            // All connections are in use. That is no reason to close the pool, unless they wait for a database that
            // does not answer.
            Err(sqlx::Error::PoolTimedOut) => Ok(AnyConnection::connect(&self.url).await?.close().await?),
            answer => Ok(answer.map(drop)?),
        }
    }

    async fn migrate(&self) -> Result<()> {
        // A separate connection, because a migration, and the wait for the lock of another replica, may take longer
        // than the statement timeout of the pool.
        let connection = AnyPoolOptions::new().max_connections(1).connect(&self.url).await?;
        migrator().await?.run(&connection).await?;
        connection.close().await;
        if let Some((leases, ..)) = &self.leases {
            leases.migrate().await?;
        }
        Ok(())
    }

    async fn accept(&self, order: &Order) -> Result<Accepted> {
        let now = millis(SystemTime::now());
        let mut tx = self.pool()?.begin().await?;
        let written = sqlx::query(
            "INSERT INTO orders (id, tenant, item, cents, accepted_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        )
        .bind(&order.id)
        .bind(&order.tenant)
        .bind(&order.item)
        .bind(order.cents)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        if written.rows_affected() == 0 {
            let row = sqlx::query("SELECT tenant, item, cents FROM orders WHERE id = $1").bind(&order.id);
            let row = row.fetch_one(&mut *tx).await?;
            let there =
                Order { id: order.id.clone(), tenant: row.try_get(0)?, item: row.try_get(1)?, cents: row.try_get(2)? };
            return Ok(if there == *order { Accepted::Known } else { Accepted::Conflict });
        }
        sqlx::query("INSERT INTO outbox VALUES ($1, $2, 'pending', 0, $3, '', 0, 0)")
            .bind(&order.id)
            .bind(serde_json::to_string(order)?)
            .bind(now)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        self.accepted.notify_one();
        Ok(Accepted::New)
    }

    async fn state(&self, id: &str) -> Result<Option<String>> {
        let row = sqlx::query("SELECT state FROM outbox WHERE order_id = $1").bind(id);
        Ok(row.fetch_optional(&self.pool()?).await?.map(|row| row.try_get(0)).transpose()?)
    }

    async fn statement(&self, tenant: &str) -> Result<Statement> {
        // A sum beyond 64 bits is an error of the database.
        let row = sqlx::query("SELECT COUNT(*), CAST(COALESCE(SUM(cents), 0) AS BIGINT) FROM orders WHERE tenant = $1")
            .bind(tenant)
            .fetch_one(&self.pool()?)
            .await?;
        Ok(Statement { orders: row.try_get(0)?, cents: row.try_get(1)? })
    }

    async fn accepted(&self, at_most: Duration) {
        let _ = timeout(at_most, self.accepted.notified()).await;
    }

    async fn claim(&self, by: &str, lasts: Duration, most: u32) -> Result<Vec<Message>> {
        let now = SystemTime::now();
        // The conditions are repeated, because another replica can claim a row between its selection and its update.
        let rows = sqlx::query(
            "UPDATE outbox SET claimed_by = $1, claimed_until = $2, attempts = attempts + 1 \
             WHERE state = 'pending' AND claimed_until < $3 AND order_id IN (SELECT order_id FROM outbox \
             WHERE state = 'pending' AND claimed_until < $3 AND next_at <= $3 ORDER BY next_at LIMIT $4) \
             RETURNING order_id, payload, attempts",
        )
        .bind(by)
        .bind(millis(now + lasts))
        .bind(millis(now))
        .bind(i64::from(most))
        .fetch_all(&self.pool()?)
        .await?;
        let message = |row: sqlx::any::AnyRow| {
            let attempts = u32::try_from(row.try_get::<i64, _>(2)?).unwrap_or(u32::MAX);
            Ok(Message { id: row.try_get(0)?, payload: row.try_get(1)?, attempts })
        };
        rows.into_iter().map(message).collect()
    }

    async fn release(&self, by: &str) -> Result<()> {
        sqlx::query("UPDATE outbox SET claimed_until = 0 WHERE state = 'pending' AND claimed_by = $1")
            .bind(by)
            .execute(&self.pool()?)
            .await?;
        Ok(())
    }

    async fn settle(&self, id: &str, settled: Settled) -> Result<()> {
        let now = SystemTime::now();
        let (state, next) = match settled {
            Settled::Delivered => ("delivered", now),
            Settled::Parked => ("parked", now),
            Settled::Later(after) => ("pending", now + after),
        };
        // A delivered message stays delivered, even if another replica has claimed it meanwhile.
        sqlx::query(
            "UPDATE outbox SET state = $2, next_at = $3, claimed_until = 0, settled_at = $4 \
             WHERE order_id = $1 AND state = 'pending'",
        )
        .bind(id)
        .bind(state)
        .bind(millis(next))
        .bind(millis(now))
        .execute(&self.pool()?)
        .await?;
        Ok(())
    }

    async fn left(&self, by: &str, before: SystemTime) -> Result<i64> {
        let row = sqlx::query(
            "SELECT COUNT(*) FROM outbox JOIN orders ON id = order_id WHERE state = 'pending' AND accepted_at <= $3 \
             AND (claimed_by = $1 OR claimed_until < $2)",
        )
        .bind(by)
        .bind(millis(SystemTime::now()))
        .bind(millis(before))
        .fetch_one(&self.pool()?)
        .await?;
        Ok(row.try_get(0)?)
    }

    async fn backlog(&self) -> Result<Backlog> {
        let row = sqlx::query(
            "SELECT (SELECT COUNT(*) FROM outbox WHERE state = 'pending'), \
             (SELECT COUNT(*) FROM outbox WHERE state = 'parked')",
        )
        .fetch_one(&self.pool()?)
        .await?;
        Ok(Backlog { pending: row.try_get(0)?, parked: row.try_get(1)? })
    }

    async fn report(&self, report: Report<'_>) -> Result<()> {
        let (key, token) = (report.lease.0, i64::try_from(report.lease.1).unwrap_or(-1));
        let mut tx = self.pool()?.begin().await?;
        if let Some((_, fleet, fence)) = &self.leases {
            // A suspended owner that was replaced is detected here. The lease cannot change until the end of this
            // transaction.
            let current = sqlx::query(fence.statement()).bind(fleet).bind(key).bind(token);
            current.fetch_optional(&mut *tx).await?.ok_or(StoreError::Stale)?;
        }
        sqlx::query("INSERT INTO reports SELECT $1, COUNT(*), $2, $3 FROM orders WHERE true ON CONFLICT DO NOTHING")
            .bind(millis(report.tick))
            .bind(report.made_by)
            .bind(token)
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }

    async fn clean(&self, before: SystemTime, most: u32) -> Result<u64> {
        let removed = sqlx::query(
            "DELETE FROM outbox WHERE order_id IN \
             (SELECT order_id FROM outbox WHERE state = 'delivered' AND settled_at < $1 LIMIT $2)",
        )
        .bind(millis(before))
        .bind(i64::from(most))
        .execute(&self.pool()?)
        .await?;
        Ok(removed.rows_affected())
    }
}
