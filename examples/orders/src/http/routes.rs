//! The routes of customers.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{post, put};
use axum::{Json, Router};
use taskvisor::SupervisorHandle;
use taskvisor::prelude::*;
use tokio::time::timeout;
use tracing::{Instrument as _, debug, info_span};

use super::{Server, pages};
use crate::statements::{self, NoStatement};
use crate::store::{Order, Store, StoreError};

/// What handlers use.
#[derive(Clone)]
pub(super) struct App {
    pub(super) supervisor: SupervisorHandle,
    pub(super) server: Server,
}

/// Made in each attempt, because handlers have the supervisor of its context.
pub(super) fn router(ctx: &TaskContext, server: &Server) -> Router {
    let app = App { supervisor: ctx.supervisor(), server: server.clone() };
    Router::new()
        .route("/orders/{id}", put(accept).get(state))
        .route("/tenants/{tenant}/statement", post(statement))
        .layer(middleware::from_fn_with_state(app.clone(), admit))
        .merge(pages::router(&app))
        .layer(middleware::from_fn_with_state(app.clone(), observe))
        .with_state(app)
}

/// An answer that is no success.
struct Problem(StatusCode, String);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.0, self.1 + "\n").into_response()
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        debug!(error = %ErrorChain(&error), "the store");
        Self(StatusCode::SERVICE_UNAVAILABLE, "come again".into())
    }
}

/// Accepts an order. The answer says that it is written, and not that it is delivered: a failure afterwards loses nothing.
async fn accept(
    State(app): State<App>,
    Path(id): Path<String>,
    Json(order): Json<Order>,
) -> Result<(StatusCode, Json<Order>), Problem> {
    if id.len() > 100 || order.tenant.is_empty() || order.cents < 0 {
        let why = "an order has a short id, a tenant and an amount";
        return Err(Problem(StatusCode::UNPROCESSABLE_ENTITY, why.into()));
    }
    let order = Order { id, ..order };
    app.server.store.accept(&order).await?;
    metrics::counter!("orders_accepted_total").increment(1);
    Ok((StatusCode::CREATED, Json(order)))
}

/// Returns `pending`, `delivered` or `parked`.
async fn state(State(app): State<App>, Path(id): Path<String>) -> Result<String, Problem> {
    let state = app.server.store.state(&id).await?;
    state.ok_or_else(|| Problem(StatusCode::NOT_FOUND, "no such order".into()))
}

async fn statement(State(app): State<App>, Path(tenant): Path<Arc<str>>) -> Result<Response, Problem> {
    let store: Arc<dyn Store> = app.server.store;
    match statements::request(&app.supervisor, store, tenant).await {
        Ok(statement) => Ok(Json(statement).into_response()),
        Err(NoStatement::Later(why)) => Err(Problem(StatusCode::TOO_MANY_REQUESTS, why)),
        Err(NoStatement::Failed(why)) => Err(Problem(StatusCode::INTERNAL_SERVER_ERROR, why)),
    }
}

/// Answers so many requests at a time, and tells the others at once to come again. Without it, a service that has too many
/// gets slower and slower until it answers nobody in time. The pages of operators are always answered.
async fn admit(State(app): State<App>, request: Request, next: Next) -> Response {
    let Ok(_place) = app.server.places.try_acquire() else {
        metrics::counter!("orders_refused_total").increment(1);
        return Problem(StatusCode::SERVICE_UNAVAILABLE, "come again".into()).into_response();
    };
    next.run(request).await
}

/// Bounds each request, with a span by the names of OpenTelemetry, and measures it.
async fn observe(State(app): State<App>, request: Request, next: Next) -> Response {
    let begin = Instant::now();
    let method = request.method().to_string();
    let status = tracing::field::Empty;
    let span = info_span!(
        "request",
        otel.kind = "server",
        http.request.method = method,
        url.path = request.uri().path(),
        http.response.status_code = status,
    );
    let answer = timeout(app.server.patience, next.run(request)).instrument(span.clone()).await;
    let answer = answer.unwrap_or_else(|_| StatusCode::GATEWAY_TIMEOUT.into_response());
    span.record("http.response.status_code", answer.status().as_u16());
    metrics::histogram!("orders_request_seconds", "method" => method).record(begin.elapsed().as_secs_f64());
    answer
}

/// An error with its causes.
struct ErrorChain<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for ErrorChain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
