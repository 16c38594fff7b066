//! The store of the service: orders, the outbox and reports.
//!
//! [`Store`] is a trait, so that the tests run the tree over a store in memory, on paused time. `sql` is the real one,
//! for `SQLite` and PostgreSQL, `patient` limits its calls, `migrations` has its tables, and `tasks` has the background
//! tasks.

mod migrations;
mod patient;
mod sql;
mod tasks;

pub(crate) use patient::Patient;
pub(crate) use sql::{Durability, SqlStore};
pub(crate) use tasks::{backlog, cleanup, migrate, pool};

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// An order. The customer chooses the id, so that the order can be sent again without being placed twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    #[serde(default)]
    pub(crate) id: String,
    pub(crate) tenant: String,
    pub(crate) item: String,
    pub(crate) cents: i64,
}

/// The result of accepting an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accepted {
    /// The order was stored.
    New,
    /// The order was sent before with the same content: its answer may have been lost.
    Known,
    /// Another order has its id. Nothing was stored.
    Conflict,
}

/// A message of the outbox, which the caller has claimed.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) payload: String,
    /// The number of the claims of this message, from 1 on.
    pub(crate) attempts: u32,
}

/// The result of a message.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Settled {
    /// The broker has acknowledged the message.
    Delivered,
    /// The broker will never accept the message.
    Parked,
    /// The message is sent again after this time.
    Later(Duration),
}

/// The numbers of messages in the outbox.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Backlog {
    pub(crate) pending: i64,
    pub(crate) parked: i64,
}

/// The orders of one tenant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Statement {
    pub(crate) orders: i64,
    pub(crate) cents: i64,
}

/// A report, with its tick and its replica.
#[derive(Debug, Clone)]
pub(crate) struct Report<'a> {
    pub(crate) tick: SystemTime,
    pub(crate) made_by: &'a str,
    /// The key of the lease and its token. A later owner has a greater one.
    pub(crate) lease: (&'a str, u64),
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("the pool is closed")]
    Closed,
    #[error("the database does not answer")]
    Silent,
    #[error("another replica makes the reports now")]
    Stale,
    #[error("the database failed")]
    Sql(#[from] sqlx::Error),
    #[error("the order has no form as JSON")]
    Payload(#[from] serde_json::Error),
    #[error("the tables cannot be made")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    #[error("the tables of the leases cannot be made")]
    Leases(#[from] taskvisor::fleet::LeaseError),
    #[cfg(test)]
    #[error("{0}")]
    Planted(&'static str),
}

pub(crate) type Result<T> = std::result::Result<T, StoreError>;

#[async_trait::async_trait]
pub(crate) trait Store: Send + Sync + 'static {
    /// Opens the pool. A pool that is open is replaced.
    async fn open(&self) -> Result<()>;
    /// Closes the pool, and waits until no connection is in use.
    async fn close(&self);
    /// Fails if the database does not answer.
    async fn ping(&self) -> Result<()>;
    /// Creates the tables. Replicas may do this at the same time.
    async fn migrate(&self) -> Result<()>;

    /// Stores the order and its message in one transaction. An existing order stays as it is.
    async fn accept(&self, order: &Order) -> Result<Accepted>;
    /// Returns the state of the message of an order.
    async fn state(&self, id: &str) -> Result<Option<String>>;
    /// Sums up the orders of a tenant.
    async fn statement(&self, tenant: &str) -> Result<Statement>;

    /// Waits until an order is accepted in this process, at most for this time.
    async fn accepted(&self, at_most: Duration);
    /// Claims messages that are due. No other replica gets them until `lasts` is over, after which the messages of a
    /// killed replica are free again.
    async fn claim(&self, by: &str, lasts: Duration, most: u32) -> Result<Vec<Message>>;
    /// Releases the claims of this claimant.
    async fn release(&self, by: &str) -> Result<()>;
    /// Stores the result of a message.
    async fn settle(&self, id: &str, settled: Settled) -> Result<()>;
    /// Counts the messages accepted before this time that this claimant could still deliver: all except those that
    /// others have claimed.
    async fn left(&self, by: &str, before: SystemTime) -> Result<i64>;
    /// Counts the messages.
    async fn backlog(&self) -> Result<Backlog>;

    /// Writes a report, unless there is one for its tick.
    async fn report(&self, report: Report<'_>) -> Result<()>;
    /// Removes up to `most` messages that were delivered before this time, and returns their number.
    async fn clean(&self, before: SystemTime, most: u32) -> Result<u64>;
}

/// Returns milliseconds since 1970, a type that both databases store.
fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
