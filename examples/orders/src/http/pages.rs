//! The pages of operators: probes, metrics and the tree.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use taskvisor::Probe;
use taskvisor_console::Console;

use super::routes::App;

pub(super) fn router(app: &App) -> Router<App> {
    // Read-only, and only for hosts of the loopback interface: use `kubectl port-forward` or a tunnel.
    let console = Console::new(app.supervisor.clone()).history(app.server.history.clone());
    Router::new()
        .route("/livez", get(async |State(app): State<App>| answer(app.supervisor.health().livez())))
        .route("/readyz", get(async |State(app): State<App>| answer(app.supervisor.health().readyz())))
        .route("/metrics", get(metrics))
        .route_service("/console", console)
}

fn answer(probe: Probe) -> Response {
    let status = StatusCode::from_u16(probe.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, Probe::CONTENT_TYPE)], probe.body).into_response()
}

async fn metrics(State(app): State<App>) -> Response {
    let prometheus = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, prometheus)], app.server.metrics.render()).into_response()
}
