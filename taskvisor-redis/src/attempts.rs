//! Attempts to connect, which outlive the calls that began them.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Client, RedisError};
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::Instant;

use crate::nodes::connect;

/// The age of the last attempt from which a call begins another beside it.
const OLD: Duration = Duration::from_millis(100);

/// The attempts of one connection, the oldest first. Each has a limit of its own.
///
/// A call is dropped after its own limit, which can be shorter than the set-up of a connection takes. So an attempt goes
/// on, and the next call uses it. It may also wait for a node that never answers, so that call begins another beside it.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    running: Vec<Attempt>,
}

/// An attempt, on the runtime of the call that began it. It is given up when this is dropped.
#[derive(Debug)]
struct Attempt {
    client: Client,
    connected: oneshot::Receiver<Result<MultiplexedConnection, RedisError>>,
    begun: Instant,
}

impl Attempts {
    /// Returns the first connection that comes to be, with its client, or the first error.
    ///
    /// The other attempts go on: the node may turn out to be a replica, and theirs the primary.
    ///
    /// # Cancel safety
    /// If this is dropped, the attempts go on.
    pub(crate) async fn connect(
        &mut self,
        client: &Client,
        nodes: usize,
    ) -> Result<(Client, MultiplexedConnection), RedisError> {
        loop {
            if self.running.last().is_none_or(|last| last.begun.elapsed() >= OLD) {
                self.begin(client, nodes);
            }
            match self.first().await {
                (client, Ok(Ok(connection))) => return Ok((client, connection)),
                // It has waited for a node that another attempt may not wait for.
                (_, Ok(Err(error))) if error.is_timeout() && !self.running.is_empty() => {}
                (_, Ok(Err(error))) => return Err(error),
                // Its runtime has ended, as this one may.
                (_, Err(_)) => yield_now().await,
            }
        }
    }

    /// Gives up all attempts.
    pub(crate) fn clear(&mut self) {
        self.running.clear();
    }

    /// Begins an attempt. The oldest ones stay, one for each node, because they have come farthest.
    fn begin(&mut self, client: &Client, nodes: usize) {
        if self.running.len() > nodes {
            self.running.pop();
        }
        let (mut answer, connected) = oneshot::channel();
        let client = client.clone();
        self.running.push(Attempt { client: client.clone(), connected, begun: Instant::now() });
        tokio::spawn(async move {
            tokio::select! {
                connected = connect(&client) => drop(answer.send(connected)),
                () = answer.closed() => {}
            }
        });
    }

    /// Waits for the first attempt that ends.
    async fn first(
        &mut self,
    ) -> (Client, Result<Result<MultiplexedConnection, RedisError>, oneshot::error::RecvError>) {
        poll_fn(|cx| {
            for (index, attempt) in self.running.iter_mut().enumerate() {
                if let Poll::Ready(connected) = Pin::new(&mut attempt.connected).poll(cx) {
                    return Poll::Ready((self.running.remove(index).client, connected));
                }
            }
            Poll::Pending
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio::runtime::Handle;
    use tokio::time::timeout;

    use super::*;

    /// The server takes connections, and does not answer.
    #[tokio::test(start_paused = true)]
    async fn attempts_are_bounded_and_end_when_they_are_dropped() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::open(format!("redis://{}", silent.local_addr().unwrap())).unwrap();
        for nodes in [1, 3] {
            let (mut attempts, mut most) = (Attempts::default(), 0);
            for _ in 0..9 {
                assert!(timeout(Duration::from_secs(1), attempts.connect(&client, nodes)).await.is_err());
                most = most.max(attempts.running.len());
            }
            assert_eq!(most, nodes + 1);
            drop(attempts);
            while Handle::current().metrics().num_alive_tasks() > 0 {
                yield_now().await;
            }
        }
    }

    #[test]
    fn an_attempt_whose_runtime_has_ended_is_begun_anew() {
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = |port| Client::open(format!("redis://127.0.0.1:{port}")).unwrap();
        let silent_one = client(silent.local_addr().unwrap().port());
        let mut attempts = Attempts::default();
        runtime().block_on(async {
            assert!(timeout(OLD / 2, attempts.connect(&silent_one, 1)).await.is_err());
        });
        // Nobody listens there.
        let nobody = client(1);
        let refused = runtime().block_on(attempts.connect(&nobody, 1)).err().unwrap();
        assert!(refused.is_connection_refusal(), "{refused:?}");
    }
}
