//! The pages of operators: probes, metrics and the tree.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use taskvisor::Probe;

use super::routes::App;

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/livez", get(async |State(app): State<App>| answer(app.supervisor.health().livez())))
        .route("/readyz", get(async |State(app): State<App>| answer(app.supervisor.health().readyz())))
        .route("/metrics", get(metrics))
        // Replaced by the console, as in `.nest_service("/console", Console::new(supervisor))`.
        .route("/console", get(async |State(app): State<App>| Json(app.supervisor.tree())))
}

fn answer(probe: Probe) -> Response {
    let status = StatusCode::from_u16(probe.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, Probe::CONTENT_TYPE)], probe.body).into_response()
}

async fn metrics(State(app): State<App>) -> Response {
    let prometheus = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, prometheus)], app.server.metrics.render()).into_response()
}
