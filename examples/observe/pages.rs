//! The pages of the server.

use metrics_exporter_prometheus::PrometheusHandle;
use taskvisor::{Probe, Tree};

use crate::http::Response;

/// The page for this path.
pub(crate) fn page(path: &str, tree: &Tree, metrics: &PrometheusHandle) -> Response {
    match path {
        "/livez" => of(tree.health().livez()),
        "/readyz" => of(tree.health().readyz()),
        "/tree" => match serde_json::to_string_pretty(&tree.snapshot()) {
            Ok(body) => Response { status: 200, content_type: "application/json", body },
            Err(error) => Response::text(500, format!("{error}\n")),
        },
        "/metrics" => {
            Response { status: 200, content_type: "text/plain; version=0.0.4; charset=utf-8", body: metrics.render() }
        }
        _ => Response::text(404, "there are /livez, /readyz, /tree and /metrics\n"),
    }
}

fn of(probe: Probe) -> Response {
    Response { status: probe.status, content_type: Probe::CONTENT_TYPE, body: probe.body }
}
