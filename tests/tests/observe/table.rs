//! The table of metrics in the guide.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use metrics_util::MetricKind;
use metrics_util::debugging::DebuggingRecorder;
use taskvisor::fleet::Fleet;
use taskvisor::{ControllerSpec, Schedule, Supervisor, SupervisorConfig};
use tests::{ALWAYS, FAIL, OK, Script, cooperative, secs};
use tokio::time::sleep;

use super::metrics::{OFTEN, Slow};
use super::run;
use super::unsteady::{Call, Unsteady};

/// The rows of the table of metrics: name, type, unit, labels.
pub(crate) fn documented() -> Vec<(String, String, String, BTreeSet<String>)> {
    let rows = include_str!("../../../taskvisor/src/guide/observing.md")
        .lines()
        .filter(|line| line.starts_with("| `taskvisor_"));
    let cell = |cells: &[&str], n: usize| cells[n].trim().trim_matches('`').to_owned();
    let row = |line: &str| {
        let cells: Vec<_> = line.split('|').collect();
        let labels = cells[4].split(',').map(|label| label.trim().trim_matches('`').to_owned());
        (cell(&cells, 1), cell(&cells, 2), cell(&cells, 3), labels.filter(|label| !label.is_empty()).collect())
    };
    rows.map(row).collect()
}

#[test]
fn the_table_of_metrics_is_true() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, || {
        run(async {
            let builder =
                Supervisor::builder(SupervisorConfig { drain_timeout: secs(3600), ..SupervisorConfig::default() });
            let renewals = AtomicUsize::new(0);
            let is_second = move || renewals.fetch_add(1, Ordering::Relaxed) % 2 == 1;
            let fleet = Fleet::new(Unsteady::new(move |call| call == Call::Renew && is_second()));
            let supervisor = builder.with_subscribers(vec![Arc::new(Slow)]).with_fleet(fleet).build();
            supervisor.add_task(cooperative("owner").with_singleton()).await.unwrap();
            let script = Script::new([FAIL, OK]);
            for name in ["first", "second"] {
                let job = ControllerSpec::queue(script.spec(name)).with_slot("slot");
                supervisor.submit(job).await.unwrap();
            }
            let missed = Script::new([OK]).spec("missed").with_restart(ALWAYS).with_schedule(Schedule::cron("@hourly"));
            supervisor.add_task(missed.with_last_run(SystemTime::UNIX_EPOCH)).await.unwrap();
            let often = supervisor.add_task(Script::new([OK]).spec("t").with_restart(OFTEN)).await.unwrap();
            sleep(secs(12)).await;
            assert!(often.pause());
            assert!(supervisor.health().is_live());
            supervisor.shutdown().await.unwrap();
        });
    });
    let used: BTreeSet<_> = snapshotter
        .snapshot()
        .into_vec()
        .into_iter()
        .map(|(key, unit, description, _)| {
            let name = key.key().name().to_owned();
            let kind = match key.kind() {
                MetricKind::Counter => "counter",
                MetricKind::Gauge => "gauge",
                MetricKind::Histogram => "histogram",
            };
            assert!(description.is_some(), "{name} is described");
            let labels: BTreeSet<_> = key.key().labels().map(|label| label.key().to_owned()).collect();
            (name, kind.to_owned(), unit.unwrap().as_str().to_owned(), labels)
        })
        .collect();
    assert_eq!(used, documented().into_iter().collect());
    assert_eq!(documented().len(), used.len(), "each once");
}
