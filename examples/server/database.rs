//! A pool of connections to a database. This one has no database behind it.

use std::sync::Arc;
use std::time::Duration;

use taskvisor::prelude::*;
use tokio::sync::{AcquireError, Semaphore};
use tokio::time::sleep;

/// The connections. Clones are the same pool.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    free: Arc<Semaphore>,
    size: usize,
}

impl Pool {
    pub(crate) fn new(size: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(size)), size }
    }

    /// Queries rows on a connection of the pool. Fails if the pool is closed.
    pub(crate) async fn rows(&self, takes: Duration) -> Result<u32, AcquireError> {
        let _connection = self.free.acquire().await?;
        sleep(takes).await;
        Ok(42)
    }

    pub(crate) fn in_use(&self) -> usize {
        self.size - self.free.available_permits()
    }
}

/// Closes the pool when it is requested to stop. A connection that is in use then is an error.
#[task]
pub(crate) async fn pool(ctx: TaskContext, connections: Pool) -> Result<(), String> {
    ctx.cancelled().await;
    connections.free.close();
    match connections.in_use() {
        0 => Ok(()),
        left => Err(format!("{left} connections are in use when the pool is closed")),
    }
}
