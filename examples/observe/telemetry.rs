//! The observers: a `tracing` subscriber, and a `metrics` recorder for Prometheus.

use std::error::Error;
use std::{io, panic};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use taskvisor::prelude::*;
use tracing::Level;

/// The buckets of all metrics in seconds.
const SECONDS: [f64; 8] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 10.0];

/// Installs both for the process. The returned handle renders the metrics.
pub(crate) fn install() -> Result<PrometheusHandle, Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(io::stderr).with_max_level(Level::INFO).init();
    // Logs the panic of a task in the span of its attempt as well.
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let payload = panic.payload();
        let message = payload.downcast_ref::<&str>().copied().or(payload.downcast_ref::<String>().map(String::as_str));
        tracing::error!(place, "panic: {}", message.unwrap_or("of another kind"));
    }));
    let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)?;
    Ok(builder.install_recorder()?)
}

/// Sorts recorded values into their buckets, which otherwise happens only when `/metrics` is read.
#[task(restart = "always", interval = "5s")]
pub(crate) async fn upkeep(metrics: PrometheusHandle) {
    metrics.run_upkeep();
}
