//! Statements of tenants, which are made on request: one at a time for each tenant, and few at a time in all.

use std::sync::Arc;

use taskvisor::prelude::*;
use taskvisor::{ControllerError, SupervisorHandle};
use tokio::sync::oneshot;

use crate::store::{Statement, Store, StoreError};

/// The sender for the statement. It is shared, so that a retry can use it.
type Reply = Arc<std::sync::Mutex<Option<oneshot::Sender<Statement>>>>;

/// The reason why there is no statement.
#[derive(Debug)]
pub(crate) enum NoStatement {
    /// Too many are waiting, or the service stops.
    Later(String),
    /// The job has failed for good. The log has the reason.
    Failed,
}

/// Makes one statement. It takes a context, so that a stop does not drop it.
#[task(max_retries = 2, timeout = "5s", backoff(first = "20ms", factor = 2.0, jitter = "equal"))]
pub(crate) async fn statement(
    _ctx: TaskContext,
    store: Arc<dyn Store>,
    tenant: Arc<str>,
    reply: Reply,
) -> Result<(), StoreError> {
    let statement = store.statement(&tenant).await?;
    let reply = reply.lock().ok().and_then(|mut reply| reply.take());
    // The customer may have disconnected.
    reply.map(|reply| reply.send(statement));
    Ok(())
}

/// Submits a job to the slot of the tenant, and waits for it. A tenant whose jobs fail or pile up delays no other.
pub(crate) async fn request(
    supervisor: &SupervisorHandle,
    store: Arc<dyn Store>,
    tenant: Arc<str>,
) -> Result<Statement, NoStatement> {
    let (reply, answer) = oneshot::channel();
    let reply = Arc::new(std::sync::Mutex::new(Some(reply)));
    let slot = supervisor.slot("statements").key(&tenant);
    let refused = |error: ControllerError| NoStatement::Later(error.to_string());
    let job = slot.try_submit(statement { store, tenant, reply }).map_err(refused)?;
    match job.outcome().await {
        TaskOutcome::Completed => answer.await.map_err(|_| NoStatement::Failed),
        outcome @ (TaskOutcome::Canceled { .. } | TaskOutcome::Rejected { .. }) => {
            Err(NoStatement::Later(outcome.to_string()))
        }
        _ => Err(NoStatement::Failed),
    }
}
