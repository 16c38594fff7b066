//! A limit for each call of a store.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::timeout;

use super::{Accepted, Backlog, Message, Order, Report, Result, Settled, Statement, Store, StoreError};

/// The timeout of a call: shorter than that of a request, and than the watchdog of the relay.
const LIMIT: Duration = Duration::from_secs(4);

/// A store whose calls have a timeout. A network that drops all packets, or a server that hangs, would otherwise block
/// the caller. The calls that may take long are limited by the timeouts of their tasks.
pub(crate) struct Patient(pub(crate) Arc<dyn Store>);

async fn within<T>(call: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(LIMIT, call).await.unwrap_or(Err(StoreError::Silent))
}

#[async_trait::async_trait]
impl Store for Patient {
    async fn open(&self) -> Result<()> {
        self.0.open().await
    }

    async fn close(&self) {
        // A connection that is still in use then is closed after its use.
        let _ = timeout(LIMIT, self.0.close()).await;
    }

    async fn ping(&self) -> Result<()> {
        within(self.0.ping()).await
    }

    async fn migrate(&self) -> Result<()> {
        self.0.migrate().await
    }

    async fn accept(&self, order: &Order) -> Result<Accepted> {
        within(self.0.accept(order)).await
    }

    async fn state(&self, id: &str) -> Result<Option<String>> {
        within(self.0.state(id)).await
    }

    async fn statement(&self, tenant: &str) -> Result<Statement> {
        within(self.0.statement(tenant)).await
    }

    async fn accepted(&self, at_most: Duration) {
        self.0.accepted(at_most).await;
    }

    async fn claim(&self, by: &str, lasts: Duration, most: u32) -> Result<Vec<Message>> {
        within(self.0.claim(by, lasts, most)).await
    }

    async fn release(&self, by: &str) -> Result<()> {
        within(self.0.release(by)).await
    }

    async fn settle(&self, id: &str, settled: Settled) -> Result<()> {
        within(self.0.settle(id, settled)).await
    }

    async fn left(&self, by: &str, before: SystemTime) -> Result<i64> {
        within(self.0.left(by, before)).await
    }

    async fn backlog(&self) -> Result<Backlog> {
        within(self.0.backlog()).await
    }

    async fn report(&self, report: Report<'_>) -> Result<()> {
        self.0.report(report).await
    }

    async fn clean(&self, before: SystemTime, most: u32) -> Result<u64> {
        within(self.0.clean(before, most)).await
    }
}
