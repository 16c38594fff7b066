//! The routes.

use std::time::Duration;

use axum::Router;
use axum::extract::{State, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use taskvisor::prelude::*;

use crate::chat::chat;
use crate::database::Pool;

/// The state of the handlers.
#[derive(Clone)]
struct App {
    ctx: TaskContext,
    pool: Pool,
    finish: Duration,
}

pub(crate) fn router(ctx: TaskContext, pool: Pool, finish: Duration) -> Router {
    Router::new()
        .route("/", get(async || "hello\n"))
        .route("/rows", get(rows))
        .route("/chat", get(upgrade))
        .route("/livez", get(async |State(app): State<App>| answer(app.ctx.supervisor().health().livez())))
        .route("/readyz", get(async |State(app): State<App>| answer(app.ctx.supervisor().health().readyz())))
        .with_state(App { ctx, pool, finish })
}

/// A request that takes a while.
async fn rows(State(app): State<App>) -> Result<String, StatusCode> {
    let rows = app.pool.rows(Duration::from_millis(200)).await;
    rows.map(|rows| format!("{rows} rows\n")).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
}

/// A WebSocket is no longer part of its connection. It is a helper of the attempt, so that the stop waits for it.
async fn upgrade(State(app): State<App>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async move |socket| app.ctx.clone().spawn(chat(socket, app.ctx, app.finish)))
}

fn answer(probe: Probe) -> (StatusCode, String) {
    (StatusCode::from_u16(probe.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), probe.body)
}
