//! Logs and metrics. The runtime of taskvisor writes to both, so the tasks have little to add.

use std::ffi::OsStr;
use std::io::{self, IsTerminal as _};

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use taskvisor::prelude::*;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{fmt, registry};

/// The buckets of all metrics in seconds.
const SECONDS: [f64; 8] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 10.0];

/// Writes log lines to standard error: as JSON, or as text for a terminal. `RUST_LOG` selects them, as in
/// `RUST_LOG=info,sqlx=warn`. A wrong value is an error: otherwise it shows only when the lines that it asks for are missing.
///
/// Spans are those of `tracing`, with the names of OpenTelemetry. To export them, add the layer of `tracing-opentelemetry`
/// here.
pub(crate) fn log() -> Result<(), String> {
    let targets = targets(std::env::var_os("RUST_LOG").as_deref())?;
    let lines = fmt::layer().with_writer(io::stderr);
    let lines = if io::stderr().is_terminal() { lines.boxed() } else { lines.json().with_current_span(false).boxed() };
    registry().with(lines.with_filter(targets)).init();
    Ok(())
}

/// Reads the value of `RUST_LOG`: a level, targets with their levels, or both.
pub(crate) fn targets(value: Option<&OsStr>) -> Result<Targets, String> {
    let text = value.unwrap_or_default().to_string_lossy();
    let mut parts = text.split(',').map(str::trim).filter(|part| !part.is_empty()).peekable();
    if parts.peek().is_none() {
        return Ok(Targets::new().with_default(LevelFilter::INFO));
    }
    parts.try_fold(Targets::new(), |targets, part| {
        let (target, level) = part.split_once('=').map_or((None, part), |(target, level)| (Some(target), level));
        // The filter takes no spans and fields, and would take a misspelt level for a target.
        let is_target = |target: &str| target.chars().all(|c| c.is_alphanumeric() || "_:-.".contains(c));
        let level: Option<LevelFilter> = level.parse().ok().filter(|_| !level.is_empty());
        match (target, level) {
            (None, Some(level)) => Ok(targets.with_default(level)),
            (Some(target), Some(level)) if !target.is_empty() && is_target(target) => {
                Ok(targets.with_target(target, level))
            }
            _ => Err(format!(
                "`RUST_LOG={text}`: a level or TARGET=LEVEL is expected for `{part}`, as in `info,sqlx=warn`"
            )),
        }
    })
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
