//! The check that prevents commits by a former owner.

use std::sync::Arc;

use taskvisor::fleet::FencingToken;
use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

/// The check of tokens, for writes to the same database.
///
/// An owner can be paused, by its machine or by a debugger, and notice only later that another has taken its key. A
/// write that is checked in its own transaction cannot be committed then. It costs one round trip.
///
/// # Examples
/// ```no_run
/// use taskvisor::fleet::FencingToken;
/// use taskvisor_postgres::{Fence, FenceError};
///
/// async fn post(db: &mut tokio_postgres::Client, fence: &Fence, token: FencingToken) -> Result<(), FenceError> {
///     let tx = db.transaction().await?;
///     fence.check(&tx, "ledger", token).await?;
///     tx.execute("UPDATE ledger SET balance = balance - 5", &[]).await?;
///     tx.commit().await?;
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Fence {
    fleet: Arc<str>,
    statement: Arc<str>,
}

/// The error of [`Fence::check`].
#[derive(Debug, thiserror::Error)]
pub enum FenceError {
    /// The key was released or has another owner. Roll the transaction back, and stop.
    #[error("the token {token} of {key:?} is not current: the key was released, or has another owner")]
    Stale {
        /// The key.
        key: String,
        /// The token that was checked.
        token: FencingToken,
    },
    /// The database refused the check.
    #[error("the token could not be checked")]
    Postgres(#[from] tokio_postgres::Error),
}

impl Fence {
    pub(crate) fn new(fleet: Arc<str>, schema: &impl std::fmt::Display) -> Self {
        // The row of the session is only read. The lock of the lease orders the writes.
        let statement = format!(
            "SELECT 1 FROM {schema}.lease l WHERE l.fleet = $1 AND l.key = $2 AND l.token = $3 AND EXISTS (SELECT FROM \
             {schema}.session s WHERE s.id = l.session AND NOT s.dead) FOR SHARE OF l"
        );
        Self { fleet, statement: statement.into() }
    }

    /// Checks that a token is the current one of a key, and keeps it current until the transaction ends.
    ///
    /// The row of the lease is locked `FOR SHARE`. So a take-over comes before the check, which then fails, or after
    /// the end of the transaction: until then others find the key busy, even if the session has expired. Keep such
    /// transactions short. A process that is paused in such a transaction blocks the key for all others: set
    /// `idle_in_transaction_session_timeout` for its connection, to a fifth of the time to live, say. The owner waits
    /// for such a transaction too: a mark of the next tick until it ends, and a release for about a second, after which
    /// it fails and is repeated. Meanwhile other calls go on, and the keys that were to be released with this one are
    /// free for others; a release that comes later waits for its turn. A release of more than 250 keys, as in a shutdown,
    /// waits for 2 s first, with the other calls behind it. Renewals do not wait, so the process keeps its leases.
    ///
    /// # Errors
    /// [`FenceError::Stale`] if the key was released or taken over. [`FenceError::Postgres`] for an error of the
    /// database; where the isolation is `REPEATABLE READ` or more, a take-over since the start of the transaction gives
    /// the error of a serialization failure.
    ///
    /// # Cancel safety
    /// As any statement in a transaction: drop the transaction if you drop the call.
    pub async fn check(&self, tx: &Transaction<'_>, key: &str, token: FencingToken) -> Result<(), FenceError> {
        let number = i64::try_from(token.number()).unwrap_or(-1);
        let rows = tx
            .query_typed(&self.statement, &[(&&*self.fleet, Type::TEXT), (&key, Type::TEXT), (&number, Type::INT8)])
            .await?;
        if rows.is_empty() { Err(FenceError::Stale { key: key.to_owned(), token }) } else { Ok(()) }
    }

    /// Returns the statement of [`check`](Self::check), for another driver. Its parameters are the name of the fleet
    /// (`text`), the key (`text`) and the token (`bigint`). It gives one row if the token is current, and none if not.
    ///
    /// Outside of a transaction it protects nothing.
    pub fn statement(&self) -> &str {
        &self.statement
    }
}
