//! The routes of customers.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{post, put};
use axum::{Json, Router};
use taskvisor::SupervisorHandle;
use taskvisor::prelude::*;
use tokio::time::timeout;
use tracing::{Instrument as _, info_span};

use super::problem::Problem;
use super::{Server, pages};
use crate::statements::{self, NoStatement};
use crate::store::{Accepted, Order, Store};

/// The longest body of a request, in bytes.
const LONGEST: usize = 16 * 1024;

/// The state of the handlers.
#[derive(Clone)]
pub(super) struct App {
    pub(super) supervisor: SupervisorHandle,
    pub(super) server: Server,
}

/// Creates the router. Each attempt has its own, because handlers use the supervisor of its context.
pub(super) fn router(ctx: &TaskContext, server: &Server) -> Router {
    let app = App { supervisor: ctx.supervisor(), server: server.clone() };
    Router::new()
        .route("/orders/{id}", put(accept).get(state))
        .route("/tenants/{tenant}/statement", post(statement))
        .layer(DefaultBodyLimit::max(LONGEST))
        .layer(middleware::from_fn_with_state(app.clone(), admit))
        .merge(pages::router(&app))
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "there is no such page"))
        .method_not_allowed_fallback(async || Problem::new(StatusCode::METHOD_NOT_ALLOWED, "not for this page"))
        .layer(middleware::from_fn_with_state(app.clone(), observe))
        .with_state(app)
}

/// Accepts an order. The answer means that the order is stored, not that it is delivered: a failure afterwards loses
/// nothing. A customer without an answer sends the order again, with the same id.
async fn accept(
    State(app): State<App>,
    id: Result<Path<String>, PathRejection>,
    order: Result<Json<Order>, JsonRejection>,
) -> Result<(StatusCode, Json<Order>), Problem> {
    let (Path(id), Json(order)) = (id?, order?);
    let order = Order { id, ..order };
    if let Err(why) = check(&order) {
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why));
    }
    let status = match app.server.store.accept(&order).await? {
        Accepted::New => StatusCode::CREATED,
        Accepted::Known => StatusCode::OK,
        Accepted::Conflict => return Err(Problem::new(StatusCode::CONFLICT, "another order has this id")),
    };
    if status == StatusCode::CREATED {
        metrics::counter!("orders_accepted_total").increment(1);
    }
    Ok((status, Json(order)))
}

/// An id becomes part of a path at the broker, so it may have only letters, digits, `-` and `_`.
fn check(order: &Order) -> Result<(), &'static str> {
    let is_in_path = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !(1..=100).contains(&order.id.len()) || !order.id.bytes().all(is_in_path) {
        return Err("an id has 1 to 100 letters, digits, `-` and `_`");
    }
    if !(1..=100).contains(&order.tenant.len()) || !(1..=1000).contains(&order.item.len()) {
        return Err("a tenant has 1 to 100 bytes, and an item 1 to 1000");
    }
    if order.tenant.contains('\0') || order.item.contains('\0') {
        return Err("PostgreSQL has no text with a zero byte");
    }
    if order.cents < 0 { Err("an amount is not negative") } else { Ok(()) }
}

/// Returns `pending`, `delivered` or `parked`.
async fn state(State(app): State<App>, id: Result<Path<String>, PathRejection>) -> Result<String, Problem> {
    let Path(id) = id?;
    let state = app.server.store.state(&id).await?;
    state.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "no such order"))
}

async fn statement(State(app): State<App>, tenant: Result<Path<Arc<str>>, PathRejection>) -> Result<Response, Problem> {
    let (Path(tenant), store): (_, Arc<dyn Store>) = (tenant?, app.server.store);
    match statements::request(&app.supervisor, store, tenant).await {
        Ok(statement) => Ok(Json(statement).into_response()),
        Err(NoStatement::Later(why)) => Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, why)),
        Err(NoStatement::Failed) => {
            Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the statement cannot be made"))
        }
    }
}

/// Limits concurrent requests, and answers the others at once with 503. Without a limit, an overloaded service gets
/// slower until it answers no request in time. The pages of operators are always answered.
async fn admit(State(app): State<App>, request: Request, next: Next) -> Response {
    let Ok(_place) = app.server.places.try_acquire() else {
        metrics::counter!("orders_refused_total").increment(1);
        return Problem::later().into_response();
    };
    next.run(request).await
}

/// Sets the timeout of each request, opens its span with the names of OpenTelemetry, and measures it.
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
    let slow = || Problem::new(StatusCode::GATEWAY_TIMEOUT, "it is not known whether the request had an effect");
    let answer = answer.unwrap_or_else(|_| slow().into_response());
    span.record("http.response.status_code", answer.status().as_u16());
    let (status, time) = (answer.status().as_u16().to_string(), begin.elapsed().as_secs_f64());
    metrics::histogram!("orders_request_seconds", "method" => method, "status" => status).record(time);
    answer
}
