//! Attempts to connect, which outlive the calls that began them.

use std::future::poll_fn;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use redis::RedisError;
use redis::aio::MultiplexedConnection;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::Instant;

use crate::nodes::{Node, connect};

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
    node: Node,
    connected: oneshot::Receiver<Result<MultiplexedConnection, RedisError>>,
    task: JoinHandle<()>,
    begun: Instant,
}

impl Attempts {
    /// Returns the first connection that comes to be, with its node, or the first error. And whether an earlier call
    /// began the attempt, so that the connection may have waited, and may be closed since.
    ///
    /// The other attempts go on: the node may turn out to be a replica, and theirs the primary.
    ///
    /// # Cancel safety
    /// If this is dropped, the attempts go on.
    ///
    /// # Panics
    /// If an attempt does, as without a crypto provider for TLS.
    pub(crate) async fn connect(
        &mut self,
        node: &Node,
        nodes: usize,
    ) -> Result<(Node, MultiplexedConnection, bool), RedisError> {
        let called = Instant::now();
        loop {
            if self.running.last().is_none_or(|last| last.begun.elapsed() >= OLD) {
                self.begin(node, nodes);
            }
            match self.first().await {
                (attempt, Some(Ok(connection))) => {
                    return Ok((attempt.node, connection, attempt.begun < called));
                }
                // It has waited for a node that another attempt may not wait for.
                (_, Some(Err(error))) if error.is_timeout() && !self.running.is_empty() => {}
                (_, Some(Err(error))) => return Err(error),
                (attempt, None) => match attempt.task.await {
                    Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
                    // Its runtime has ended, as this one may.
                    _ => yield_now().await,
                },
            }
        }
    }

    /// Gives up all attempts.
    pub(crate) fn clear(&mut self) {
        self.running.clear();
    }

    /// Begins an attempt. The oldest ones stay, one for each node, because they have come farthest.
    fn begin(&mut self, node: &Node, nodes: usize) {
        if self.running.len() > nodes {
            self.running.pop();
        }
        let (mut answer, connected) = oneshot::channel();
        let client = node.client.clone();
        let task = tokio::spawn(async move {
            tokio::select! {
                connected = connect(&client) => drop(answer.send(connected)),
                () = answer.closed() => {}
            }
        });
        self.running.push(Attempt { node: node.clone(), connected, task, begun: Instant::now() });
    }

    /// Waits for the first attempt that ends. `None`: it has no result.
    ///
    /// Several can have ended since the last call. One that has a connection comes first, and those with errors are
    /// forgotten.
    async fn first(&mut self) -> (Attempt, Option<Result<MultiplexedConnection, RedisError>>) {
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::runtime::Handle;
    use tokio::time::timeout;

    use super::*;

    fn node(url: &str) -> Node {
        Node { client: redis::Client::open(url).unwrap(), turn: 0 }
    }

    /// The server takes connections, and does not answer.
    #[tokio::test(start_paused = true)]
    async fn attempts_are_bounded_and_end_when_they_are_dropped() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let silent = node(&format!("redis://{}", listener.local_addr().unwrap()));
        for nodes in [1, 3] {
            let (mut attempts, mut most) = (Attempts::default(), 0);
            for _ in 0..9 {
                assert!(timeout(Duration::from_secs(1), attempts.connect(&silent, nodes)).await.is_err());
                most = most.max(attempts.running.len());
            }
            assert_eq!(most, nodes + 1);
            drop(attempts);
            while Handle::current().metrics().num_alive_tasks() > 0 {
                yield_now().await;
            }
        }
    }

    /// A server that is content with everything.
    async fn content() -> Node {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let node = node(&format!("redis://{}", listener.local_addr().unwrap()));
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut read = [0; 1024];
            while let Ok(length @ 1..) = stream.read(&mut read).await {
                let requests = String::from_utf8_lossy(&read[..length]).matches('*').count();
                stream.write_all(&b"+OK\r\n".repeat(requests)).await.unwrap();
            }
        });
        node
    }

    impl Attempts {
        pub(crate) async fn have_ended(&self) {
            while self.running.iter().any(|attempt| !attempt.task.is_finished()) {
                yield_now().await;
            }
        }
    }

    #[tokio::test]
    async fn a_connection_comes_before_the_errors_of_earlier_calls() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let silent = node(&format!("redis://{}", listener.local_addr().unwrap()));
        let mut attempts = Attempts::default();
        for _ in 0..4 {
            assert!(timeout(OLD * 2, attempts.connect(&silent, 3)).await.is_err());
        }
        // All of them fail before the next call.
        drop(listener);
        attempts.have_ended().await;
        let content = content().await;
        let _ = attempts.connect(&content, 3).await;
        attempts.have_ended().await;
        assert!(attempts.connect(&content, 3).await.is_ok());
    }

    /// As where TLS has no crypto provider.
    #[test]
    fn an_attempt_that_panics_is_a_panic_of_its_call() {
        // Without connections.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let node = node("redis://127.0.0.1:1");
            let call = tokio::spawn(async move { Attempts::default().connect(&node, 1).await.map(drop) });
            for _ in 0..1_000 {
                yield_now().await;
            }
            assert!(call.is_finished(), "it begins one attempt after the other");
            assert!(call.await.is_err_and(|error| error.is_panic()));
        });
    }

    #[test]
    fn an_attempt_whose_runtime_has_ended_is_begun_anew() {
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let silent_one = node(&format!("redis://{}", silent.local_addr().unwrap()));
        let mut attempts = Attempts::default();
        runtime().block_on(async {
            assert!(timeout(OLD / 2, attempts.connect(&silent_one, 1)).await.is_err());
        });
        // Nobody listens there.
        let nobody = node("redis://127.0.0.1:1");
        let refused = runtime().block_on(attempts.connect(&nobody, 1)).err().unwrap();
        assert!(refused.is_connection_refusal(), "{refused:?}");
    }
}
