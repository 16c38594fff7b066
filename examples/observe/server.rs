//! The server.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use taskvisor::prelude::*;
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::http::{self, Response};
use crate::pages;
use crate::view::View;

/// The time limit for a client.
const PATIENCE: Duration = Duration::from_secs(1);

/// Answers one request for each connection.
#[task(restart = "always", critical)]
pub(crate) async fn serve(
    ctx: TaskContext,
    listener: Arc<TcpListener>,
    view: View,
    metrics: PrometheusHandle,
) -> io::Result<()> {
    while let Some(accepted) = ctx.run_until_cancelled(listener.accept()).await {
        let (stream, _) = accepted?;
        let (view, metrics) = (view.clone(), metrics.clone());
        let page = move |path: &str| {
            let page = view.look(|tree| pages::page(path, tree, &metrics));
            page.unwrap_or_else(|| Response::text(503, "not there\n"))
        };
        ctx.spawn(async move {
            // A slow or disconnected client is no failure of the server.
            let _ = timeout(PATIENCE, http::answer(stream, page)).await;
        });
    }
    Ok(())
}
