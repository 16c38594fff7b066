//! The tasks of the service. Each of them fails in its own way.

use std::future::pending;
use std::time::Duration;

use taskvisor::prelude::*;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::luck::Luck;

/// Holds a connection, which breaks now and then.
#[task(restart = "always", ready = "signal")]
pub(crate) async fn pool(ctx: TaskContext, luck: Luck) -> Result<(), &'static str> {
    info!("connected");
    ctx.ready();
    while ctx.sleep(Duration::from_millis(50)).await {
        if luck.runs_out(20) {
            return Err("the connection is closed");
        }
    }
    Ok(())
}

/// Refreshes a cache through the connection, and restarts with it.
#[task(restart = "always", interval = "100ms")]
pub(crate) async fn refresh(luck: Luck) -> Result<(), String> {
    sleep(Duration::from_millis(5)).await;
    if luck.runs_out(15) { Err("the catalogue is locked".into()) } else { Ok(()) }
}

/// Requests prices. Some answers never come.
#[task(restart = "always", interval = "50ms", timeout = "80ms")]
pub(crate) async fn prices(luck: Luck) {
    if luck.runs_out(10) {
        warn!("no answer yet");
        pending::<()>().await;
    }
    sleep(Duration::from_millis(10)).await;
}

/// Reads the news. Some items have no headline, which makes it panic.
#[task(restart = "always", interval = "100ms")]
pub(crate) async fn news(luck: Luck) {
    sleep(Duration::from_millis(5)).await;
    assert!(!luck.runs_out(10), "news without a headline");
}

/// Orders reports, sometimes faster than they are made: then the queue of the slot is full.
#[task(restart = "always", every = "50ms")]
pub(crate) async fn orders(ctx: TaskContext, luck: Luck) -> Result<(), ControllerError> {
    ctx.supervisor().slot("reports").queue(report { luck }).await.map(drop)
}

/// Makes a report. The slot runs one at a time.
#[task(max_retries = 1)]
pub(crate) async fn report(luck: Luck) -> Result<(), &'static str> {
    sleep(Duration::from_millis(40)).await;
    if luck.runs_out(5) { Err("the printer is on fire") } else { Ok(()) }
}
