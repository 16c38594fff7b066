//! Customers who send orders at the rate of `--load`, and the answers that they got.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use taskvisor::prelude::*;
use tokio::time::{interval, sleep};

use crate::http::Client;

/// The largest number of times that a customer sends an order until it is accepted.
const TRIES: usize = 20;

#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<Seen>);

#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The number of requests that were answered, with any status, and of those that were not.
    pub(crate) answered: u64,
    pub(crate) unanswered: u64,
    /// The orders that were accepted.
    pub(crate) accepted: HashSet<String>,
}

impl Tally {
    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends this number of orders a second. Each is a helper of the attempt, so a stop waits for it.
#[task(restart = "always", stop_timeout = "8s")]
pub(crate) async fn customers(ctx: TaskContext, address: SocketAddr, a_second: u32, tally: Arc<Tally>) {
    // Shorter than the stop timeout, and longer than the timeout of the server.
    let client = Client::without_keep_alive(Duration::from_secs(6));
    let mut ticks = interval(Duration::from_secs(1) / a_second.max(1));
    let mut number = 0_u64;
    while ctx.run_until_cancelled(ticks.tick()).await.is_some() {
        number += 1;
        let tenant = number % 10;
        if number % 50 == 0 {
            ctx.spawn(ask(client.clone(), address, tenant, Arc::clone(&tally)));
        }
        ctx.spawn(order(ctx.clone(), client.clone(), address, tenant, Arc::clone(&tally)));
    }
}

/// Sends one order, again until it is accepted. The id identifies the order.
async fn order(ctx: TaskContext, client: Client, address: SocketAddr, tenant: u64, tally: Arc<Tally>) {
    let id = format!("{:032x}", fastrand::u128(..));
    let body = format!(r#"{{"tenant": "tenant-{tenant}", "item": "a book", "cents": 1200}}"#);
    for attempt in 0..TRIES {
        match client.send(&address, "PUT", &format!("/orders/{id}"), body.clone()).await {
            Ok((status, _)) => {
                let mut seen = tally.seen();
                seen.answered += 1;
                // With 200, the service had accepted the order before, and only the answer was lost.
                if matches!(status, 200 | 201) {
                    seen.accepted.insert(id);
                    return;
                }
            }
            Err(_) => tally.seen().unanswered += 1,
        }
        let wait = Duration::from_millis(20 << attempt.min(6));
        if !ctx.sleep(wait).await {
            return;
        }
    }
}

async fn ask(client: Client, address: SocketAddr, tenant: u64, tally: Arc<Tally>) {
    let answer = client.send(&address, "POST", &format!("/tenants/tenant-{tenant}/statement"), String::new()).await;
    let mut seen = tally.seen();
    *(if answer.is_ok() { &mut seen.answered } else { &mut seen.unanswered }) += 1;
}

/// Ends the service after a time: a `significant` task stops the tree when it completes.
#[task(significant, readiness = false)]
pub(crate) async fn closing_time(after: Duration) {
    sleep(after).await;
}
