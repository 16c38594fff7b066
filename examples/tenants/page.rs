//! The status page and the probes.

use std::fmt::{Display, Write as _};
use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Html;
use axum::routing::get;
use taskvisor::prelude::*;
use taskvisor::{NodeSnapshot, SupervisorHandle};

use crate::board::Board;

/// The state of the pages.
#[derive(Clone)]
struct App {
    ctx: TaskContext,
    board: Arc<Board>,
}

/// Serves the pages until it is requested to stop. The socket outlives its attempts.
#[task(restart = "always", max_retries = 5, stop_timeout = "2s")]
pub(crate) async fn serve(ctx: TaskContext, listener: Arc<TcpListener>, board: Arc<Board>) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener.try_clone()?)?;
    let probe = |probe: Probe| (StatusCode::from_u16(probe.status).unwrap_or_default(), probe.body);
    let app = Router::new()
        .route("/", get(async |State(app): State<App>| Html(app.page())))
        .route("/livez", get(async move |State(app): State<App>| probe(app.ctx.supervisor().health().livez())))
        .route("/readyz", get(async move |State(app): State<App>| probe(app.ctx.supervisor().health().readyz())))
        .with_state(App { ctx: ctx.clone(), board });
    axum::serve(listener, app).with_graceful_shutdown(ctx.token().cancelled_owned()).await
}

impl App {
    /// Shows each tenant, those that are parked, and the last reload.
    fn page(&self) -> String {
        let supervisor = self.ctx.supervisor();
        let tenants = tenants(&supervisor);
        let mut page = String::from("<!doctype html>\n<title>tenants</title>\n");
        let _ = writeln!(page, "<p>{} tenants; the last reload: {}</p>", tenants.len(), escape(&self.board.reload()));
        page.push_str("<h2>Parked or late</h2>\n<ul>\n");
        for problem in supervisor.health().not_counted {
            let _ = writeln!(page, "<li>{}</li>", escape(&problem));
        }
        page.push_str("</ul>\n<h2>Running</h2>\n<table>\n");
        page.push_str("<tr><th>tenant<th>state<th>attempt<th>last failure\n");
        for NodeSnapshot { name, state, attempt, last_error, .. } in tenants {
            let failure = last_error.as_deref().unwrap_or("none");
            let _ = writeln!(page, "<tr><td>{}<td>{state}<td>{attempt}<td>{}", escape(&name), escape(&failure));
        }
        page.push_str("</table>\n");
        page
    }
}

/// Returns the tenants that have not ended.
pub(crate) fn tenants(supervisor: &SupervisorHandle) -> Vec<NodeSnapshot> {
    let groups = supervisor.tree().root.children;
    groups.into_iter().find(|node| node.name == "tenants").map_or(Vec::new(), |group| group.children)
}

fn escape(text: &impl Display) -> String {
    text.to_string().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
