//! The ingest: its two tasks restart together. The outbox between them outlives both.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use taskvisor::prelude::*;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::chaos::Chaos;
use crate::store::Request;
use crate::{BATCH, BEAT, Failure};

/// The maximum number of records that wait for the store.
const WAITING: usize = 256;
/// Makes records.
#[task(restart = "always", watchdog = "500ms", stop_timeout = "300ms")]
pub(crate) async fn produce(ctx: TaskContext, outbox: Outbox, chaos: Chaos) -> Result<(), Failure> {
    while ctx.sleep(Duration::from_millis(2)).await {
        ctx.heartbeat();
        outbox.add();
        chaos.strike(&ctx).await?;
    }
    Ok(())
}

/// Sends the records in the outbox to the store, and removes those that the store has.
#[task(restart = "always", watchdog = "1s", stop_timeout = "300ms")]
pub(crate) async fn forward(
    ctx: TaskContext,
    outbox: Outbox,
    store: mpsc::Sender<Request>,
    chaos: Chaos,
) -> Result<(), Failure> {
    while ctx.sleep(Duration::from_millis(5)).await {
        let mut sent = Vec::with_capacity(BATCH);
        for number in outbox.first(BATCH) {
            let (stored, acknowledged) = oneshot::channel();
            let sending = timeout(BEAT, store.send(Request { number, stored }));
            let Some(Ok(Ok(()))) = ctx.run_until_cancelled(sending).await else { break };
            sent.push((number, acknowledged));
        }
        ctx.heartbeat();
        for (number, acknowledged) in sent {
            chaos.strike(&ctx).await?;
            // There is no answer: the store has failed or has not started yet. The record is sent again.
            let Ok(Ok(())) = timeout(4 * BEAT, acknowledged).await else { break };
            outbox.remove(number);
        }
        ctx.heartbeat();
    }
    Ok(())
}

/// The records that the store has not acknowledged. It outlives the tasks that fill and empty it.
#[derive(Clone)]
pub(crate) struct Outbox(Arc<Mutex<Records>>);

pub(crate) struct Records {
    pub(crate) next: u64,
    pub(crate) waiting: BTreeSet<u64>,
    pub(crate) closed: bool,
}

impl Outbox {
    pub(crate) fn new(next: u64) -> Self {
        Self(Arc::new(Mutex::new(Records { next, waiting: BTreeSet::new(), closed: false })))
    }

    pub(crate) fn with<T>(&self, f: impl FnOnce(&mut Records) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes a record, unless the outbox is closed or too many records wait.
    pub(crate) fn add(&self) {
        self.with(|it| {
            if !it.closed && it.waiting.len() < WAITING {
                it.waiting.insert(it.next);
                it.next += 1;
            }
        });
    }

    pub(crate) fn first(&self, count: usize) -> Vec<u64> {
        self.with(|it| it.waiting.iter().take(count).copied().collect())
    }

    pub(crate) fn remove(&self, number: u64) {
        self.with(|it| it.waiting.remove(&number));
    }

    pub(crate) fn close(&self) {
        self.with(|it| it.closed = true);
    }
}
