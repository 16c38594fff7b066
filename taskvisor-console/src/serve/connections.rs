//! Serves the connections of a listener.

use std::future::Future;
use std::io;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tower_service::Service;

use crate::Console;

/// The largest number of connections at once: 32 streams, and those of single requests.
const MOST: usize = 128;
/// The time for the head of a request.
const HEAD: Duration = Duration::from_secs(10);
/// The pause after a connection that could not be accepted, as when there is no free file descriptor.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves the connections that `accept` returns. Dropping the future closes all connections.
///
/// # Cancel safety
/// A connection that was accepted is not lost: it is served or closed.
pub(super) async fn serve<S, A>(console: Console, mut accept: impl FnMut() -> A) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Future<Output = io::Result<S>>,
{
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= MOST {
            connections.join_next().await;
        }
        let accepted = tokio::select! {
            accepted = accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok(stream) => _ = connections.spawn(connection(console.clone(), stream)),
            // The client has closed the connection, or a resource is exhausted.
            Err(_) => sleep(PAUSE).await,
        }
    }
}

async fn connection(console: Console, stream: impl AsyncRead + AsyncWrite + Unpin + Send) {
    let service = service_fn(|request| console.clone().call(request));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD);
    // A client that closes the connection, or sends something other than HTTP, is no failure of the console.
    let _ = http.serve_connection(TokioIo::new(stream), service).await;
}
