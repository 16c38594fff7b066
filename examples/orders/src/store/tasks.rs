//! The tasks of the store.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use taskvisor::prelude::*;
use tracing::info;

use super::{Result, Store};

/// The time that delivered messages are kept.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// The number of messages that are removed at once, small so that other statements do not wait long.
const BATCH: u32 = 1000;

/// Opens the pool, and closes it when it is requested to stop, after all tasks that use it.
///
/// A database that does not answer fails the attempt. The next one opens a new pool, after the backoff.
#[task(restart = "always", ready = "signal", start_timeout = "20s", stop_timeout = "5s")]
pub(crate) async fn pool(ctx: TaskContext, store: Arc<dyn Store>) -> Result<()> {
    store.open().await?;
    ctx.ready();
    let mut answer = Ok(());
    while answer.is_ok() && ctx.sleep(Duration::from_secs(1)).await {
        answer = store.ping().await;
    }
    store.close().await;
    info!("the pool is closed");
    answer
}

/// Creates the tables. The tasks that are `after` it wait until it has completed.
#[task(ready = "completed")]
pub(crate) async fn migrate(store: Arc<dyn Store>) -> Result<()> {
    store.migrate().await
}

/// Removes old messages each night. A run that was missed while the service was down is made up for within 6 h.
#[task(restart = "always", cron = "30 3 * * *", missed = "once", late = "6h", timeout = "10m", max_retries = 3)]
pub(crate) async fn cleanup(store: Arc<dyn Store>) -> Result<()> {
    let (before, mut removed) = (SystemTime::now() - KEPT, 0);
    loop {
        let batch = store.clean(before, BATCH).await?;
        removed += batch;
        if batch < u64::from(BATCH) {
            info!(removed, "old messages are removed");
            return Ok(());
        }
    }
}

/// Counts the messages of the outbox for `/metrics`. After three failures in a row, `/readyz` answers 503.
#[task(restart = "always", every = "1s", timeout = "5s", ready = "first_success", unready_after = 3)]
pub(crate) async fn backlog(store: Arc<dyn Store>) -> Result<()> {
    let backlog = store.backlog().await?;
    #[expect(clippy::cast_precision_loss, reason = "a count for a chart")]
    for (state, count) in [("pending", backlog.pending as f64), ("parked", backlog.parked as f64)] {
        metrics::gauge!("orders_outbox", "state" => state).set(count);
    }
    Ok(())
}
