//! The server, and one connection of it.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use taskvisor::prelude::*;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{sleep, timeout};
use tracing::warn;

use super::{Server, routes};

/// The longest time for the head of a request, which includes the idle time before it.
const IDLE: Duration = Duration::from_secs(30);
/// The time that a connection is still read after the stop request.
const LAST: Duration = Duration::from_millis(50);

/// Accepts connections until it is requested to stop. Connections are its helpers, so it ends when they have: accepted
/// requests are answered, and idle connections are closed.
#[task(restart = "always", critical, max_retries = 5, stop_timeout = "10s")]
pub(crate) async fn serve(ctx: TaskContext, server: Server) -> io::Result<()> {
    let app = routes::router(&ctx, &server);
    let accept = async || (Arc::clone(&server.connections).acquire_owned().await, server.listener.accept().await);
    while let Some((place, accepted)) = ctx.run_until_cancelled(accept()).await {
        match accepted {
            Ok((stream, _)) => ctx.spawn(connection(stream, app.clone(), ctx.clone(), server.patience, place.ok())),
            // A disconnected client is no failure of the server, and a lack of file descriptors passes.
            Err(error) => {
                warn!(%error, "accept");
                ctx.run_until_cancelled(sleep(Duration::from_millis(50))).await;
            }
        }
    }
    Ok(())
}

async fn connection(
    stream: TcpStream,
    app: Router,
    ctx: TaskContext,
    patience: Duration,
    _place: Option<OwnedSemaphorePermit>,
) {
    let mut http = http1::Builder::new();
    // A client that sends the head of a request slowly, or none at all, does not keep its connection forever.
    http.timer(TokioTimer::new()).header_read_timeout(IDLE);
    let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
    let mut connection = pin!(connection);
    // A first request can be in flight on an accepted connection. A graceful shutdown would close it unread.
    if ctx.run_until_cancelled(connection.as_mut()).await.is_none() && timeout(LAST, connection.as_mut()).await.is_err()
    {
        connection.as_mut().graceful_shutdown();
        // A slow client must not use up the stop timeout of the server.
        let _ = timeout(patience, connection).await;
    }
}
