//! Attempts to connect, which outlive the calls that began them.

use std::future::poll_fn;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, timeout};
use tokio_postgres::config::LoadBalanceHosts;
use tokio_postgres::{Client, Config, Error};

use crate::connect::Connect;

/// The longest time of an attempt.
const LIMIT: Duration = Duration::from_secs(30);
/// The age of the last attempt from which a call begins another beside it.
const OLD: Duration = Duration::from_millis(100);

/// The attempts of one connection, the oldest first.
///
/// A call is dropped after its own limit, which can be shorter than the set-up of a connection takes. So an attempt goes
/// on, and the next call uses it. It may also wait for a host that never answers, so that call begins another beside it.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    running: Vec<Attempt>,
    /// `true` if the attempt before had no result.
    is_unanswered: bool,
}

/// An attempt, on the runtime of the call that began it. It is given up when this is dropped.
#[derive(Debug)]
struct Attempt {
    connected: oneshot::Receiver<Result<Client, Error>>,
    /// Moves the bytes of the connection later.
    task: JoinHandle<()>,
    begun: Instant,
}

impl Attempts {
    /// Returns the first connection that comes to be, with the task that drives it, or the first error. One that an
    /// earlier call began, and that was closed before this one, does not count.
    ///
    /// # Cancel safety
    /// If this is dropped, the attempts go on.
    ///
    /// # Panics
    /// If an attempt does: the TLS implementation is that of the user.
    pub(crate) async fn connect(
        &mut self,
        connector: &Arc<dyn Connect>,
        config: &Config,
    ) -> Result<(Client, JoinHandle<()>), Error> {
        let called = Instant::now();
        loop {
            if self.running.last().is_none_or(|last| last.begun.elapsed() >= OLD) {
                self.begin(connector, config);
            }
            let (attempt, connected) = self.first().await;
            let Some(connected) = connected else {
                match attempt.task.await {
                    Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
                    // Its time was over, or its runtime has ended. This one may end as well.
                    _ => yield_now().await,
                }
                continue;
            };
            self.is_unanswered = false;
            let client = connected?;
            if client.is_closed() && attempt.begun < called {
                continue;
            }
            self.running.clear();
            return Ok((client, attempt.task));
        }
    }

    /// Begins an attempt. The oldest ones stay, one for each host, because they have come farthest.
    ///
    /// It tries the hosts in their order, and in a random one if there was no answer before: it would wait for the same
    /// host again.
    fn begin(&mut self, connector: &Arc<dyn Connect>, config: &Config) {
        let hosts = config.get_hosts().len().max(config.get_hostaddrs().len()).max(1);
        if self.running.len() > hosts {
            self.running.pop();
        }
        let mut config = config.clone();
        if std::mem::replace(&mut self.is_unanswered, true) || !self.running.is_empty() {
            config.load_balance_hosts(LoadBalanceHosts::Random);
        }
        let (connector, (answer, connected)) = (Arc::clone(connector), oneshot::channel());
        let task = tokio::spawn(run(connector, config, answer));
        self.running.push(Attempt { connected, task, begun: Instant::now() });
    }

    /// Waits for the first attempt that ends. `None`: it has no result.
    ///
    /// Several can have ended since the last call. One that has a connection comes first, and the rest is forgotten.
    async fn first(&mut self) -> (Attempt, Option<Result<Client, Error>>) {
        poll_fn(|cx| {
            let (mut ended, mut index) = (None, 0);
            while let Some(attempt) = self.running.get_mut(index) {
                let Poll::Ready(connected) = Pin::new(&mut attempt.connected).poll(cx) else {
                    index += 1;
                    continue;
                };
                let (attempt, connected) = (self.running.remove(index), connected.ok());
                if let Some(Ok(_)) = connected {
                    return Poll::Ready((attempt, connected));
                }
                ended.get_or_insert((attempt, connected));
            }
            ended.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

/// Connects within the limit, unless nobody waits for it any more, and drives the connection.
async fn run(connector: Arc<dyn Connect>, config: Config, mut answer: oneshot::Sender<Result<Client, Error>>) {
    let connected = tokio::select! {
        connected = timeout(LIMIT, connector.connect(&config)) => connected,
        () = answer.closed() => return,
    };
    match connected {
        Ok(Ok((client, mut messages))) => {
            drop(answer.send(Ok(client)));
            while messages.next().await.is_some() {}
        }
        Ok(Err(error)) => drop(answer.send(Err(error))),
        Err(_) => {}
    }
}

#[cfg(test)]
#[path = "attempts_test.rs"]
mod tests;
