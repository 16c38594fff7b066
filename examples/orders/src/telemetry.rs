//! Logs and metrics. The runtime of taskvisor writes to both, so the tasks have little to add.

use std::io::{self, IsTerminal as _};

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use taskvisor::prelude::*;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{fmt, registry};

/// The buckets of all metrics in seconds.
const SECONDS: [f64; 8] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 10.0];

/// Writes log lines to standard error: as JSON, or as text for a terminal. `RUST_LOG` selects them, as in
/// `RUST_LOG=info,sqlx=warn`.
///
/// Spans are those of `tracing`, with the names of OpenTelemetry. To export them, add the layer of `tracing-opentelemetry`
/// here.
pub(crate) fn log() {
    let targets = std::env::var("RUST_LOG").ok().and_then(|text| text.parse().ok());
    let targets: Targets = targets.unwrap_or_else(|| Targets::new().with_default(tracing::Level::INFO));
    let lines = fmt::layer().with_writer(io::stderr);
    let lines = if io::stderr().is_terminal() { lines.boxed() } else { lines.json().with_current_span(false).boxed() };
    registry().with(lines.with_filter(targets)).init();
}

/// Installs the recorder, before the supervisor is made. The returned handle renders the metrics.
pub(crate) fn metrics() -> Result<PrometheusHandle, BuildError> {
    PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)?.install_recorder()
}

/// Sorts recorded values into their buckets, which otherwise happens only when `/metrics` is read.
#[task(restart = "always", interval = "5s", readiness = false)]
pub(crate) async fn upkeep(metrics: PrometheusHandle) {
    metrics.run_upkeep();
}
