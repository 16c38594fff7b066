//! The relay: it sends a message for each order in the outbox to the broker.
//!
//! A message is claimed, sent, and settled when the broker has acknowledged it. If the process ends in between, the
//! message is sent again, and the broker recognizes it by its id. So no order is lost, and none counts twice.
//!
//! There are two kinds of failures. The failure of one message is handled by the outbox, which stores the time of its
//! next attempt. A broker that is down is a failure of the task: the supervisor retries it and reports it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use taskvisor::prelude::*;
use tokio::time::{Instant, sleep, timeout};
use tracing::{Instrument as _, info_span, warn};

use crate::broker::{Answer, Broker};
use crate::store::{Message, Settled, Store, StoreError};

/// The messages that are claimed at once.
const BATCH: u32 = 16;
/// The timeout of a message. After it, the broker may or may not have the message.
const PATIENCE: Duration = Duration::from_secs(2);
/// The time before the end of a stop, or of a claim, in which no message is begun. It is longer than a message takes.
const MARGIN: Duration = Duration::from_secs(3);
/// The interval at which the outbox is checked, because other replicas write to it as well.
const WAIT: Duration = Duration::from_millis(200);

/// The store, the broker and the replica of the relay.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) broker: Arc<dyn Broker>,
    /// The name of this replica. Another process that claims has another.
    pub(crate) replica: Arc<str>,
    /// The duration of a claim: after this time, other replicas deliver the messages of a killed one.
    pub(crate) claim: Duration,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum RelayError {
    #[error("the broker is down")]
    Down,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Delivers the outbox, and the rest of it before the service stops.
///
/// - The server is `after` the relay. So it stops first, and the relay delivers the accepted orders within its
///   `stop_timeout`. If the relay waits after a failure, the stop begins a `final_attempt` for that. The rest is
///   delivered by another replica, or after the next start.
/// - The `watchdog` ends an attempt that hangs.
/// - Orders are accepted while the broker is down, so this task is excluded from readiness.
#[task(
    restart = "always",
    final_attempt,
    stop_timeout = "10s",
    watchdog = "5s",
    readiness = false,
    backoff(first = "50ms", max = "5s", factor = 2.0, jitter = "equal")
)]
pub(crate) async fn relay(ctx: TaskContext, route: Route) -> Result<(), RelayError> {
    // Attempts do not overlap, so any claims are those of an attempt that ended early.
    route.store.release(&route.replica).await?;
    let mut stopped_at = None;
    while !is_over(&ctx) {
        // Read before the outbox, so that all orders from before the stop are found.
        if ctx.stop_reason().is_some() {
            stopped_at.get_or_insert_with(SystemTime::now);
        }
        let sent = match route.batch(&ctx).await {
            // After a stop request there is no further attempt, so this one retries by itself.
            Err(RelayError::Down) if stopped_at.is_some() => {
                route.store.release(&route.replica).await?;
                0
            }
            answer => answer?,
        };
        if sent > 0 {
            // Resets the count of failures.
            ctx.progress();
        }
        match stopped_at {
            // Other replicas still accept orders, which are not waited for.
            Some(before) if route.store.left(&route.replica, before).await? == 0 => break,
            Some(_) if sent == 0 => sleep(Duration::from_millis(50)).await,
            None if sent == 0 => drop(ctx.run_until_cancelled(route.store.accepted(WAIT)).await),
            _ => {}
        }
    }
    Ok(route.store.release(&route.replica).await?)
}

/// Returns `true` if the attempt must end now: in a shutdown, when there is no time for another message; after any
/// other stop request, at once, because another attempt continues.
fn is_over(ctx: &TaskContext) -> bool {
    match ctx.stop_reason() {
        None => false,
        Some(StopReason::Shutdown) => ctx.stop_deadline().is_some_and(|deadline| Instant::now() + MARGIN > deadline),
        Some(_) => true,
    }
}

impl Route {
    /// Delivers some messages that are due, and returns their number.
    async fn batch(&self, ctx: &TaskContext) -> Result<usize, RelayError> {
        ctx.heartbeat();
        let claimed_until = Instant::now() + self.claim;
        let messages = self.store.claim(&self.replica, self.claim, BATCH).await?;
        for message in &messages {
            if is_over(ctx) {
                break;
            }
            // With a slow broker, another replica could claim the remaining messages, and both would send them.
            if Instant::now() + MARGIN > claimed_until {
                self.store.release(&self.replica).await?;
                break;
            }
            let span = info_span!("publish", messaging.message.id = message.id, attempt = message.attempts);
            self.deliver(message).instrument(span).await?;
            ctx.heartbeat();
        }
        Ok(messages.len())
    }

    async fn deliver(&self, message: &Message) -> Result<(), RelayError> {
        let answer = timeout(PATIENCE, self.broker.send(message)).await;
        let settled = match answer.unwrap_or(Answer::Unknown) {
            Answer::Acknowledged => Settled::Delivered,
            Answer::Refused => Settled::Parked,
            Answer::Unknown => Settled::Later(Duration::from_millis(10 << message.attempts.min(9))),
            Answer::Down => return Err(RelayError::Down),
        };
        match settled {
            Settled::Delivered => metrics::counter!("orders_delivered_total").increment(1),
            Settled::Parked => warn!("the broker refuses the message: it is parked"),
            Settled::Later(_) => warn!("no answer from the broker: the message is sent again"),
        }
        Ok(self.store.settle(&message.id, settled).await?)
    }
}
