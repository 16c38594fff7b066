//! The server, and one connection of it.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use taskvisor::prelude::*;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use crate::app;
use crate::database::Pool;

/// The time that a connection is still read after the stop request.
const LAST: Duration = Duration::from_millis(50);

/// Accepts connections until it is requested to stop. Its connections are its helpers, so it ends when they have.
#[task(restart = "always", max_retries = 5)]
pub(crate) async fn serve(
    ctx: TaskContext,
    listener: Arc<TcpListener>,
    pool: Pool,
    finish: Duration,
) -> io::Result<()> {
    // Created in each attempt, because the handlers use its context.
    let app = app::router(ctx.clone(), pool, finish);
    while let Some(accepted) = ctx.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, _)) => ctx.spawn(connection(stream, app.clone(), ctx.clone(), finish)),
            // A disconnected client is no failure of the server, and a lack of file descriptors passes.
            Err(error) => {
                eprintln!("accept: {error}");
                ctx.run_until_cancelled(sleep(Duration::from_millis(50))).await;
            }
        }
    }
    Ok(())
}

/// Serves one connection. After a stop request, it ends with the request in flight, and after 50 ms if there is none.
async fn connection(stream: TcpStream, app: Router, ctx: TaskContext, finish: Duration) {
    let service = TowerToHyperService::new(app);
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection.with_upgrades());
    // A first request can be sent but not read yet. In a graceful shutdown, hyper would close its connection at once.
    if ctx.run_until_cancelled(connection.as_mut()).await.is_none() && timeout(LAST, connection.as_mut()).await.is_err()
    {
        connection.as_mut().graceful_shutdown();
        // A slow client must not use up the stop timeout of the server.
        let _ = timeout(finish, connection).await;
    }
}
