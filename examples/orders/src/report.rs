//! The report over all orders. One of the replicas makes it.

use std::sync::Arc;
use std::time::SystemTime;

use taskvisor::prelude::*;

use crate::store::{Report, Store, StoreError};

/// Makes a report for each minute. If the replica ends during a tick, the next owner makes its report again, so the
/// store accepts one report for each tick.
#[task(restart = "always", every = "1m", singleton, missed = "once", ticks = "at_least_once", timeout = "10s")]
pub(crate) async fn report(ctx: TaskContext, store: Arc<dyn Store>, replica: Arc<str>) -> Result<(), StoreError> {
    let Some(token) = ctx.fencing_token() else { return Err(StoreError::Stale) };
    let tick = ctx.scheduled_for().unwrap_or_else(SystemTime::now);
    store.report(Report { tick, made_by: &replica, lease: (ctx.path(), token.number()) }).await
}
