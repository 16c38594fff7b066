//! The service that the tenants of this program share. It represents a database that is overloaded by many starts at
//! one time.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use taskvisor::prelude::*;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// The socket of the upstream, and its counts. Clones are the same upstream.
#[derive(Debug, Clone)]
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    listener: Arc<TcpListener>,
    seen: Arc<Mutex<Seen>>,
}

/// The tenants that have sent a request.
#[derive(Debug, Default)]
struct Seen {
    names: HashSet<String>,
    /// The number of first requests in progress, and the largest number so far.
    starting: usize,
    most: usize,
}

impl Upstream {
    pub(crate) async fn bind() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        Ok(Self { address: listener.local_addr()?, listener: Arc::new(listener), seen: Arc::default() })
    }

    fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the largest number of first requests at one moment.
    #[cfg(test)]
    pub(crate) fn most_starts(&self) -> usize {
        self.seen(|seen| seen.most)
    }

    async fn answer(self, stream: TcpStream) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        let mut name = String::new();
        stream.read_line(&mut name).await?;
        let is_first = self.seen(|seen| {
            let is_first = seen.names.insert(name);
            seen.starting += usize::from(is_first);
            seen.most = seen.most.max(seen.starting);
            is_first
        });
        // The first request takes longer, because it loads data.
        sleep(Duration::from_millis(if is_first { 20 } else { 1 })).await;
        self.seen(|seen| seen.starting -= usize::from(is_first));
        stream.write_all(b"ok\n").await
    }
}

/// Answers until it is requested to stop. Each connection is a helper of the attempt.
#[task(restart = "always", backoff(first = "50ms", max = "5s", factor = 2.0, jitter = "equal"))]
pub(crate) async fn upstream(ctx: TaskContext, upstream: Upstream) -> io::Result<()> {
    while let Some(accepted) = ctx.run_until_cancelled(upstream.listener.accept()).await {
        let (stream, _) = accepted?;
        let answer = upstream.clone().answer(stream);
        // A stopped tenant closes its connection, which is no failure of the upstream.
        ctx.spawn(async { drop(answer.await) });
    }
    Ok(())
}
